package audit

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// kept is a SOAP envelope that was kept as evidence.
type kept struct {
	env       *ebms.Envelope
	messaging *ebms.Messaging
	opened    *wss.Opened
}

// parseKept reads an envelope without judging its security.
func parseKept(octets []byte) (*kept, error) {
	env, err := ebms.ParseEnvelope(slices.Clone(octets), dom.Limits{})
	if err != nil {
		return nil, err
	}
	if !env.Messaging.Valid() {
		return nil, errors.New("audit: the envelope has no eb:Messaging")
	}
	m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
	if err != nil {
		return nil, err
	}
	return &kept{env: env, messaging: m}, nil
}

// suites are all that a message may have been signed in.
func suites() (all []wss.Suite) {
	for _, name := range as4.ProfileNames() {
		all = append(all, as4.Profiles[name].Suites...)
	}
	return all
}

// signature checks what was signed by the rules for messages that arrive. The signer's certificate comes with the message
// or is found among the known ones; whether to trust it is asked elsewhere.
func (k *kept) signature(known []*pki.Certificate, digests wss.KeptDigests) (err error) {
	var targets []wss.Target
	if um := k.messaging.UserMessage(); um != nil {
		for i := range um.Parts {
			if cid, ok := um.Parts[i].ContentID(); ok {
				targets = append(targets, wss.Target{ContentID: cid})
			}
		}
	}
	if digests == nil {
		digests = func(string, string) ([][]byte, error) { return nil, nil }
	}
	k.opened, err = wss.OpenKept(k.env, wss.OpenOptions{
		Suites: suites(), Targets: targets,
		Trust: func(*pki.Certificate, []*pki.Certificate, wss.TokenForm) error { return nil },
		Known: func(ref wss.TokenRef) []*pki.Certificate {
			for _, c := range known {
				if ref.Matches(c) {
					return []*pki.Certificate{c}
				}
			}
			return nil
		},
	}, digests)
	return err
}

// receipt finds the receipt in an envelope.
func (k *kept) receipt() *ebms.Signal {
	for _, s := range k.messaging.Signals {
		if s.Receipt != nil {
			return s
		}
	}
	return nil
}

// signedType is the type that an attachment had when it was signed.
func signedType(p *ebms.PartInfo) string {
	if compressed, err := p.Compressed(); err == nil && compressed {
		return ebms.CompressionGzip
	}
	t, _ := p.Property(ebms.PropertyMimeType)
	return cmp.Or(t, "application/octet-stream")
}

func part(um *ebms.UserMessage, contentID string) *ebms.PartInfo {
	if um == nil {
		return nil
	}
	for i := range um.Parts {
		if cid, ok := um.Parts[i].ContentID(); ok && ebms.SameContentID(cid, contentID) {
			return &um.Parts[i]
		}
	}
	return nil
}

// sameDigests compares what a receipt repeats with what the message's signature covers: every reference once, each
// digest equal, nothing besides [AS4 5.1.8].
func sameDigests(r *ebms.Receipt, message *wss.Opened) error {
	got := make(map[string][]byte, len(r.References))
	for _, ref := range r.References {
		if _, twice := got[ref.URI]; twice {
			return fmt.Errorf("the receipt names %.100q twice", ref.URI)
		}
		got[ref.URI] = ref.Digest
	}
	for _, ref := range message.References {
		d, ok := got[ref.URI]
		switch {
		case !ok:
			return fmt.Errorf("the receipt does not cover %.100q", ref.URI)
		case !slices.Equal(d, ref.Digest):
			return fmt.Errorf("the receipt has another digest for %.100q", ref.URI)
		}
	}
	if len(got) != len(message.References) {
		return fmt.Errorf("the receipt covers %d parts, %d were signed", len(got), len(message.References))
	}
	return nil
}

// issuersOf gives a certificate's issuers as far as they are in the pool, nearest first.
func issuersOf(c *pki.Certificate, pool []*pki.Certificate) (chain []*pki.Certificate) {
	for len(chain) < 10 && !c.SelfIssued() {
		i := slices.IndexFunc(pool, func(p *pki.Certificate) bool { return p.Subject.Equal(c.Issuer) && c.CheckSignatureFrom(p) == nil })
		if i < 0 {
			break
		}
		c = pool[i]
		chain = append(chain, c)
	}
	return chain
}

// distinct drops certificates that are there already.
func distinct(certs []*pki.Certificate) (out []*pki.Certificate) {
	seen := map[[sha256.Size]byte]bool{}
	for _, c := range certs {
		if f := c.Fingerprint(); !seen[f] {
			seen[f] = true
			out = append(out, c)
		}
	}
	return out
}
