package node

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Own is what partners have to know of a node with this configuration: its party identifier, and the certificates that it
// signs with and is encrypted for, which are usually one.
func Own(c *config.Config) (party ebms.PartyID, certificates []*pki.Certificate, err error) {
	k, err := loadKeys(c)
	if err != nil {
		return party, nil, err
	}
	now := time.Now()
	sign, encrypt := k.signing(now), k.published(now)
	certificates = append(certificates, sign.Certificate)
	if !encrypt.Certificate.Equal(sign.Certificate) {
		certificates = append(certificates, encrypt.Certificate)
	}
	n := &Node{Config: c}
	n.keys.Store(k)
	return n.partyID(), certificates, nil
}

// APIClient calls the API of a node with this configuration: its certificate is known, whatever name the node is called by.
func APIClient(c *config.Config) (*http.Client, error) {
	t := c.API.TLS
	if t == nil {
		return http.DefaultClient, nil
	}
	b, err := readFile(t.Certificate)
	if err != nil {
		return nil, c.Problem("api.tls.certificate", "%v", err)
	}
	certs, err := parseCertificates(b)
	if err != nil {
		return nil, c.Problem("api.tls.certificate", "%v", err)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // what follows is stricter: exactly this certificate
		VerifyConnection: func(s tls.ConnectionState) error {
			if !bytes.Equal(s.PeerCertificates[0].Raw, certs[0].Raw) {
				return fmt.Errorf("node: it shows another certificate than %s", t.Certificate)
			}
			return nil
		}}}}, nil
}

// PartnerCertificates reads the certificates of a partner, the current one first.
func PartnerCertificates(p *Partner) ([]*pki.Certificate, error) {
	loaded, err := loadPartner(p)
	if err != nil {
		return nil, err
	}
	out := loaded.template.Certificates
	if c := loaded.template.EncryptionCertificate; c != nil {
		out = append(out, c)
	}
	return out, nil
}
