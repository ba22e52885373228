package selftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/testbed"
)

// run is one case at work.
type run struct {
	*bed
	parent context.Context
	ctx    context.Context // ends when the patience does
	cancel context.CancelFunc
	c      *Case
	p      *pair
}

// begin starts the time that the case has.
func (r *run) begin() { r.ctx, r.cancel = context.WithTimeout(r.parent, r.Patience) }

// use makes two nodes of a profile the ends of this case, and starts them when they do not run yet.
func (r *run) use(profile string) error {
	if r.peer != nil {
		r.p = r.peer
	} else if r.p = r.pairs[profile]; r.p == nil {
		p, err := openPair(r.parent, filepath.Join(r.dir, profile), profile, r.driver, r.Log, nil)
		if err != nil {
			return err
		}
		r.pairs[profile], r.p = p, p
		r.cancel()
		r.begin() // making keys took its time
	}
	if r.alter != nil {
		r.alter(r)
	}
	return nil
}

// reset forgets what passed before.
func (p *pair) reset() {
	for _, w := range p.wires {
		if w != nil {
			w.reset()
		}
	}
}

// pmode is the agreement by which node i sends.
func (p *pair) pmode(i int, id string) (*as4.PMode, error) {
	if p.only != "" {
		if id != oneWay {
			return nil, errNotApplicable("it needs the agreement " + id + " beside the one that is given")
		}
		id = p.only
	}
	if pm := p.nodes[i].PMode(id); pm != nil {
		return pm, nil
	}
	return nil, fmt.Errorf("selftest: no P-Mode %q", id)
}

// node is an end of the case.
func (r *run) node(i int) *node.Node { return r.p.nodes[i] }

// there is the wire towards corner 3, back that towards corner 2.
func (r *run) there() *Wire { return r.p.wires[1] }
func (r *run) back() *Wire  { return r.p.wires[0] }

// xmlDocument is a leading business document.
const xmlDocument = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<letter xmlns=\"urn:viadukt:selftest\"  b='2' a='1'>\r\n  <subject>\u00d5, \u00e3 and \u20ac stay what they are</subject><!-- also this -->\r\n</letter>\n"

func xmlPayload() Payload {
	return Payload{ID: "xmlpayload@minder", Type: "application/xml", Size: int64(len(xmlDocument)), Body: strings.NewReader(xmlDocument)}
}

var octets = bytes.Repeat([]byte{0, '\r', '\n', '\n', '\r', 0x80, 0xff}, 300)

func octetPayload() Payload {
	return Payload{ID: "custompayload@minder", Type: "application/octet-stream", Size: int64(len(octets)), Body: bytes.NewReader(octets)}
}

// submitted hands a message to node i.
func (r *run) submitted(i int, s submission) (string, error) {
	pm, err := r.p.pmode(i, s.mode)
	if err != nil {
		return "", err
	}
	id, err := submit(r.ctx, r.driver, r.node(i), pm, s)
	if e := (*ebms.Error)(nil); errors.As(err, &e) {
		return "", fail("%s refused the submission: %s", corners[i], shown(e))
	}
	return id, err
}

// sent submits a message to corner 2 and waits for the first request with it to be over.
func (r *run) sent(s submission) (*Exchange, *view, error) {
	id, err := r.submitted(0, s)
	if err != nil {
		return nil, nil, err
	}
	x, err := r.there().await(r.ctx, id, 1)
	if err != nil {
		return nil, nil, err
	}
	v, err := x.message()
	return x, v, err
}

// simple sends one XML document by the first agreement.
func (r *run) simple(payloads ...Payload) (*Exchange, *view, error) {
	if err := r.use("eu-edelivery"); err != nil {
		return nil, nil, err
	}
	if len(payloads) == 0 {
		payloads = []Payload{xmlPayload()}
	}
	return r.sent(submission{mode: oneWay, payloads: payloads})
}

// delivered waits for the delivery at corner 3 and compares the payloads; nil where the receiver is a peer.
func (r *run) delivered(messageID string, bodies ...[]byte) (*Told, error) {
	if r.peer != nil {
		return nil, nil
	}
	t, err := r.driver.Await(r.ctx, corners[1], testbed.Deliver, messageID)
	if err != nil {
		return nil, err
	}
	if len(bodies) != len(t.Bodies) {
		return nil, fail("%d payloads were delivered, not %d", len(t.Bodies), len(bodies))
	}
	for i := range bodies {
		if !bytes.Equal(bodies[i], t.Bodies[i]) {
			return nil, fail("payload %d was delivered with other octets than it was sent with", i+1)
		}
	}
	return t, nil
}

// absent checks that corner 3 neither keeps nor delivered a message; it is asked once the answer is there.
func (r *run) absent(messageID string) error {
	if r.peer != nil {
		return nil
	}
	m, err := r.node(1).Store.ByMessageID(r.ctx, store.In, messageID)
	if err == nil {
		return fail("the message is stored at the receiver, %s", m.State)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if len(r.driver.Find(corners[1], testbed.Deliver, messageID)) > 0 {
		return fail("the message was delivered")
	}
	return nil
}

// notified waits for what a corner tells its producer or consumer about a message.
func (r *run) notified(i int, messageID, signal string, codes ...ebms.Code) error {
	t, err := r.driver.Await(r.ctx, corners[i], testbed.Notify, messageID)
	if err != nil {
		return err
	}
	if got := t.Property(testbed.SignalType); got != signal {
		return fail("%s told of %s %s for the message, not of %s", corners[i], got, t.Property(testbed.ErrorCode), signal)
	}
	for _, c := range codes {
		if t.Property(testbed.ErrorCode) == string(c) {
			return nil
		}
	}
	if len(codes) > 0 {
		return fail("%s told of the error %q, not of %s", corners[i], t.Property(testbed.ErrorCode), string(codes[0]))
	}
	return nil
}

// taken checks receipt, delivery and notification together.
func (r *run) taken(x *Exchange, bodies ...[]byte) error {
	if _, _, err := x.receipt(); err != nil {
		return err
	}
	if _, err := r.delivered(x.MessageID, bodies...); err != nil {
		return err
	}
	return nil
}

// refused checks that a message was answered with an error and left no trace.
func (r *run) refused(x *Exchange, codes ...ebms.Code) error {
	if _, err := x.refusal(codes...); err != nil {
		return err
	}
	return r.absent(x.MessageID)
}

// opened opens what was sent to corner 3, as it does.
func (r *run) opened(v *view, mode string) (*opened, error) {
	pm, err := r.p.pmode(0, mode)
	if err != nil {
		return nil, err
	}
	key, err := r.p.identity(1)
	if err != nil {
		return nil, err
	}
	if pm.Unencrypted {
		key = nil
	}
	return v.open(pm.Profile.Suites[0], key, r.node(0).Identity().Certificate)
}
