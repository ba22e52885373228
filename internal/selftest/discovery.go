package selftest

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/testbed"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var discoveryCases = []*Case{
	{ID: "AS4_DR_TA01", Level: Mandatory, Module: dynamicReceiver,
		Predicate: "a sender that is not configured is taken when its certificate chains to an anchor, has the policy and names the party", run: unknownSenderIsTaken},
	{ID: "AS4_DR_TA02", Level: Mandatory, Module: dynamicReceiver,
		Predicate: "a sender with a certificate of another authority is refused", run: otherAnchorIsRefused},
	{ID: "AS4_DR_TA03", Level: Mandatory, Module: dynamicReceiver,
		Predicate: "a sender whose certificate lacks the policy is refused", run: missingPolicyIsRefused},
	{ID: "AS4_DR_TA04", Level: Mandatory, Module: dynamicReceiver,
		Predicate: "a sender whose certificate names another party is refused", run: otherSubjectIsRefused},
	{ID: "AS4_DS_TA01", Level: Mandatory, Module: dynamicSender,
		Predicate: "the access point of a final recipient is found, named in eb:To, and the message delivered and acknowledged", run: recipientIsFound},
	{ID: "AS4_DS_TA02", Level: Mandatory, Module: dynamicSender,
		Predicate: "address and certificate of a known access point are found, point to point", run: accessPointIsFound},
	{ID: "AS4_DS_TA03", Level: Preferred, Module: dynamicSender,
		Predicate: "a receipt by another certificate than the one that was found is refused, and the producer told", run: otherCertificateIsRefused},
}

var documentType = ids.DocumentType{Scheme: "urn:viadukt:selftest", Value: "letter"}

func unknownSenderIsTaken(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	for _, mode := range []string{dynamic, policed} {
		x, _, err := r.sent(submission{mode: mode, payloads: []Payload{xmlPayload()}})
		if err != nil {
			return err
		}
		if err := r.taken(x, []byte(xmlDocument)); err != nil {
			return err
		}
		m, err := r.node(1).Store.ByMessageID(r.ctx, store.In, x.MessageID)
		if err != nil {
			return err
		}
		if m.PMode != mode {
			return fail("the message was taken by the agreement %q, which names the sender", m.PMode)
		}
	}
	return nil
}

// forgedBy sends by an agreement without partner, signed by a certificate that an authority made of a template. The
// header names the party of corner 2.
func (r *run) forgedBy(mode string, ca func() *pki.Authority, change func(*pki.Template)) (*Exchange, error) {
	if err := r.use("eu-edelivery"); err != nil {
		return nil, err
	}
	t := r.p.template(r.p.made[0].Party, time.Now())
	if change != nil {
		change(&t)
	}
	signer, err := ca().Issue(t)
	if err != nil {
		return nil, err
	}
	return r.posted(forgery{mode: mode, signer: signer})
}

func (r *run) network() *pki.Authority   { return r.p.ca }
func (r *run) otherRoot() *pki.Authority { return r.p.foreign }

func otherAnchorIsRefused(r *run) error {
	x, err := r.forgedBy(dynamic, r.otherRoot, nil)
	if err != nil {
		return err
	}
	return r.refused(x)
}

func missingPolicyIsRefused(r *run) error {
	x, err := r.forgedBy(policed, r.network, nil)
	if err != nil {
		return err
	}
	if _, _, err := x.receipt(); err != nil {
		return fail("a certificate with the policy: %v", err)
	}
	if x, err = r.forgedBy(policed, r.network, func(t *pki.Template) { t.Policies = []pki.OID{"1.3.6.1.4.1.61313.99.2"} }); err != nil {
		return err
	}
	return r.refused(x)
}

func otherSubjectIsRefused(r *run) error {
	x, err := r.forgedBy(dynamic, r.network, func(t *pki.Template) { t.CommonName = "somebody-else" })
	if err != nil {
		return err
	}
	return r.refused(x)
}

// registered makes corner 3 known for a participant.
func (r *run) registered(p ids.Participant, process string) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	return r.node(1).Register(r.ctx, p, documentType, ids.Process{Scheme: "urn:test:scheme", Value: process}, as4.Profiles["eu-edelivery"])
}

func (r *run) found() (*Exchange, *view, error) {
	if err := r.registered(ids.Participant{Scheme: cornerType, Value: "c4-found"}, "urn:test:process"); err != nil {
		return nil, nil, err
	}
	return r.sent(submission{mode: discover, finalTarget: "c4-found", payloads: []Payload{xmlPayload()}})
}

func recipientIsFound(r *run) error {
	x, v, err := r.found()
	if err != nil {
		return err
	}
	return r.reached(x, v)
}

// reached checks that a message went to corner 3, whom the sender had to find, and came back acknowledged.
func (r *run) reached(x *Exchange, v *view) error {
	if got := v.um.To.ID().Value; got != r.p.made[1].Party {
		return fail("eb:To is %q, found was %q", got, r.p.made[1].Party)
	}
	if err := v.encrypted(as4.Profiles["eu-edelivery"].Suites[0].Data, r.node(1).Identity().Certificate); err != nil {
		return err
	}
	if err := r.taken(x, []byte(xmlDocument)); err != nil {
		return err
	}
	return r.notified(0, x.MessageID, testbed.SignalReceipt)
}

func accessPointIsFound(r *run) error {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	made := r.p.made[1]
	if err := r.registered(ids.Participant{Scheme: made.PartyType, Value: made.Party}, "urn:test:process:pointed"); err != nil {
		return err
	}
	x, v, err := r.sent(submission{mode: pointed, to: made.Party, noCorners: true, properties: []ebms.Property{{Name: testbed.ToPartyIDType, Value: made.PartyType}}, payloads: []Payload{xmlPayload()}})
	if err != nil {
		return err
	}
	return r.reached(x, v)
}

// otherCertificateIsRefused gives corner 3 another key, of which its metadata do not tell.
func otherCertificateIsRefused(r *run) (err error) {
	if err := r.use("eu-edelivery"); err != nil {
		return err
	}
	if err := r.registered(ids.Participant{Scheme: cornerType, Value: "c4-changed"}, "urn:test:process"); err != nil {
		return err
	}
	if !r.sameKey {
		restore, err := r.rekeyed()
		if err != nil {
			return err
		}
		defer func() {
			if e := restore(); err == nil {
				err = e
			}
		}()
	}
	x, _, err := r.sent(submission{mode: discover, finalTarget: "c4-changed", payloads: []Payload{xmlPayload()}})
	if err != nil {
		return err
	}
	if _, _, err := x.receipt(); err != nil {
		return fail("the receiver made no receipt, which shows nothing: %v", err)
	}
	return r.notified(0, x.MessageID, testbed.SignalError)
}

// rekeyed starts corner 3 with another signing key; what is encrypted for the old one it still opens.
func (r *run) rekeyed() (restore func() error, err error) {
	p := r.p
	id, err := p.ca.Issue(p.template(p.made[1].Party, time.Now()))
	if err != nil {
		return nil, err
	}
	b, err := id.MarshalPEM()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(p.made[1].Dir, "keys", "changed.pem")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return nil, err
	}
	restart := func(tune func(int, *config.Config)) error {
		if err := p.stop(1); err != nil {
			return err
		}
		was := p.tune
		p.tune = tune
		defer func() { p.tune = was }()
		return p.start(context.WithoutCancel(r.parent), 1)
	}
	err = restart(func(_ int, c *config.Config) {
		c.AS4.FormerKeys = []config.Identity{c.AS4.Signing}
		c.AS4.Signing.Key = config.Path(file)
		c.AS4.URL += "?changed" // else the publisher would put its documents right
	})
	return func() error { return restart(p.tune) }, err
}
