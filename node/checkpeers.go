package node

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// probeTime bounds each question to the network.
const probeTime = 5 * time.Second

// OpenDirectory makes the directory of a configuration without a node, for lookups from the command line.
func OpenDirectory(c *config.Config) (*Directory, error) {
	if c.Discovery.Zone == "" {
		return nil, ErrNoDirectory
	}
	trust, err := loadTrust(c, time.Now)
	if err != nil {
		return nil, err
	}
	return newDirectory(c, trust, time.Now), nil
}

// directory asks the zone for somebody who is not there, and the node's own publisher for somebody who is.
func (k *checker) directory() {
	d := newDirectory(k.c, k.trust, time.Now)
	if d == nil {
		if len(k.c.PModes) == 0 {
			k.warn("discovery", "set discovery.zone, or agree on P-Modes with partners", "neither a zone nor a P-Mode: nobody can be reached")
		}
		return
	}
	zone := k.c.Discovery.Zone
	ctx, cancel := context.WithTimeout(k.ctx, 2*probeTime)
	defer cancel()
	_, err := d.DNS.Lookup(ctx, ids.Participant{Scheme: ids.SchemeActor, Value: "9999:viadukt-config-check"})
	switch {
	case err == nil, errors.Is(err, bdxl.ErrNotRegistered):
		k.ok("discovery", "zone %s answers", zone)
	case k.c.Registry.Listen != "" && !k.running:
		k.ok("discovery", "zone %s will be served by this node", zone)
	default:
		k.warn("discovery", "check discovery.servers; in a test network, start the node that serves the zone", "zone %s does not answer: %v", zone, err)
	}
	k.publisher(d)
}

// publisher asks the node's own publisher as others do, from outside.
func (k *checker) publisher(d *Directory) {
	s := k.c.SMP
	switch {
	case s.Listen == "":
		return
	case !k.running:
		k.ok("publisher", "%s will answer when the node runs", s.URL)
		return
	}
	if _, err := k.get(http.DefaultClient, string(s.URL)); err != nil {
		k.fail("publisher", "others are led to smp.url: it must reach smp.listen", "%s does not answer: %v", s.URL, err)
		return
	}
	p, ok := k.ownParticipant()
	if !ok {
		k.ok("publisher", "%s answers; no participant is registered yet", s.URL)
		return
	}
	ctx, cancel := context.WithTimeout(k.ctx, probeTime)
	defer cancel()
	sg, err := d.SMP.ServiceGroup(ctx, string(s.URL), p)
	if err != nil {
		k.fail("publisher", "others will refuse it as well: check smp.signing and the authorities for smp in as4.trust", "its document of %s is not accepted: %v", p, err)
		return
	}
	if len(sg.References) > 0 && !sg.References[0].DocumentType.IsZero() {
		if _, err := d.SMP.Metadata(ctx, string(s.URL), p, sg.References[0].DocumentType); err != nil {
			k.fail("publisher", "others will refuse it as well: check smp.signing and the authorities for smp in as4.trust", "its signed document of %s is not accepted: %v", p, err)
			return
		}
	}
	k.ok("publisher", "%s answers, and its signed documents are accepted", s.URL)
}

// ownParticipant asks the running node for one of its participants.
func (k *checker) ownParticipant() (p ids.Participant, ok bool) {
	var l ParticipantListJSON
	if k.ask("/api/v1/participants", scopeParticipants, &l) != nil || len(l.Participants) == 0 {
		return p, false
	}
	p, err := ids.ParseParticipant(l.Participants[0].Participant)
	return p, err == nil
}

// partners calls each address that the configuration names, and looks at the certificates.
func (k *checker) partners() {
	client := as4Client(k.c)
	for _, s := range k.c.Partners {
		var p Partner
		if config.Decode(s, &p) != nil {
			continue // assemble said so
		}
		what := "partner " + p.Name
		if loaded, err := loadPartner(&p); err == nil {
			for _, c := range loaded.template.Certificates {
				k.validity(what, c)
			}
		}
		if p.URL == "" {
			continue
		}
		resp, err := k.get(client, string(p.URL))
		if err != nil {
			k.warn(what, "ask the partner whether it is up, and your network people for the way there", "%s does not answer: %v", p.URL, err)
			continue
		}
		k.ok(what, "%s answers (HTTP %d)", p.URL, resp.StatusCode)
		k.tls(what, resp.TLS)
		k.clock(what, resp.Header.Get("Date"))
	}
}

func (k *checker) get(client *http.Client, address string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(k.ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, err
	}
	resp.Body.Close()
	return resp, nil
}

// tls warns of a partner's certificate that ends soon.
func (k *checker) tls(what string, state *tls.ConnectionState) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return
	}
	if c, err := pki.ParseCertificate(state.PeerCertificates[0].Raw); err == nil {
		k.validity(what+", TLS", c)
	}
}

// skew is how far two clocks may be apart.
const skew = time.Minute

// clock compares ours with a partner's.
func (k *checker) clock(what, theirs string) {
	t, err := http.ParseTime(theirs)
	if err != nil {
		return
	}
	if d := time.Since(t).Round(time.Second); d > skew || d < -skew {
		k.warn("clock", "let both machines follow a time server", "ours and that of %s are %s apart", what, d.Abs())
	}
}
