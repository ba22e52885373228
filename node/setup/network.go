package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// network is a test network in a folder: two authorities, one for each role, and a zone.
type network struct {
	dir     string
	ap, smp *pki.Authority

	Zone   string `json:"zone"`
	DNS    string `json:"dns"`    // where the zone is served
	Serial int    `json:"serial"` // of the last node
}

const (
	networkFile = "network.json"
	zoneFile    = "participants.zone"
)

func (n *network) path(name string) string { return filepath.Join(n.dir, name) }

// readNetwork reads what the nodes of a network share; with os.ErrNotExist it is one without nodes.
func readNetwork(dir string) (*network, error) {
	n := &network{dir: dir}
	b, err := os.ReadFile(n.path(networkFile))
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(b, n)
}

// openNetwork reads the network, or makes it.
func openNetwork(dir, host string, port int, now time.Time) (n *network, first bool, err error) {
	if n, err = readNetwork(dir); errors.Is(err, os.ErrNotExist) {
		first = true
		err = n.make(host, port, now)
	}
	if err != nil {
		return nil, false, fmt.Errorf("setup: network %s: %w", dir, err)
	}
	for name, a := range map[string]**pki.Authority{"access-point-ca.pem": &n.ap, "publisher-ca.pem": &n.smp} {
		if *a != nil {
			continue
		}
		b, err := os.ReadFile(n.path(name))
		if err != nil {
			return nil, false, err
		}
		id, err := pki.LoadIdentity(b, "")
		if err != nil {
			return nil, false, fmt.Errorf("setup: %s: %w", name, err)
		}
		if *a, err = pki.OpenAuthority(id, nil, now); err != nil {
			return nil, false, err
		}
	}
	return n, first, nil
}

func (n *network) make(host string, port int, now time.Time) error {
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	root, err := pki.NewAuthority(nil, "CN=Test Network Root,O="+config.TestNetwork, pki.P256, now.Add(-time.Hour), 10)
	if err != nil {
		return err
	}
	if n.ap, err = root.Sub("CN=Test Access Point CA,O="+config.TestNetwork, pki.P256, now.Add(-time.Hour), 10); err != nil {
		return err
	}
	if n.smp, err = root.Sub("CN=Test Publisher CA,O="+config.TestNetwork, pki.P256, now.Add(-time.Hour), 10); err != nil {
		return err
	}
	for name, a := range map[string]*pki.Authority{"access-point-ca.pem": n.ap, "publisher-ca.pem": n.smp} {
		b, err := a.MarshalPEM()
		if err != nil {
			return err
		}
		if err := os.WriteFile(n.path(name), b, 0o600); err != nil {
			return err
		}
	}
	n.Zone, n.DNS = "participants.test", net.JoinHostPort(host, strconv.Itoa(port))
	if err := os.WriteFile(n.path(zoneFile), nil, 0o644); err != nil {
		return err
	}
	return n.save()
}

func (n *network) save() error {
	b, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(n.path(networkFile), append(b, '\n'), 0o644)
}

// next numbers the nodes of the network.
func (n *network) next() (int, error) {
	n.Serial++
	return n.Serial, n.save()
}

// issue writes key and chain into one file, and returns the certificate as PEM.
func (n *network) issue(a *pki.Authority, t pki.Template, path string) ([]byte, error) {
	id, err := a.Issue(t)
	if err != nil {
		return nil, err
	}
	b, err := id.MarshalPEM()
	if err != nil {
		return nil, err
	}
	return pki.MarshalPEM(id.Certificate), os.WriteFile(path, b, 0o600)
}
