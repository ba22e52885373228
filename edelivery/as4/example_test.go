package as4_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http/httptest"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// desk is the smallest place to put messages: it prints them. A real one stores message and receipt together.
type desk struct{ letter bytes.Buffer }

func (d *desk) Begin(context.Context, *ebms.UserMessage, *as4.PMode) (as4.Delivery, error) {
	return d, nil
}
func (d *desk) Payload(*ebms.PartInfo) (io.Writer, error)             { return &d.letter, nil }
func (d *desk) Known(context.Context, string, string) ([]byte, error) { return nil, nil }
func (d *desk) Check(context.Context, *as4.Received) error            { return nil }
func (d *desk) Signal(context.Context, *as4.Signal) error             { return nil }
func (d *desk) Close()                                                {}
func (d *desk) Commit(_ context.Context, r *as4.Received, _, receipt []byte) ([]byte, error) {
	fmt.Printf("received %q, signed by %s\n", d.letter.String(), r.Signer.Subject.CommonName())
	return receipt, nil
}

// Two access points without a node, a store or a configuration: one sends a letter, the other answers with a receipt
// that proves what it got.
func Example() {
	clock := func() time.Time { return time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC) }
	ca, err := pki.NewAuthority(nil, "CN=Example CA", pki.P256, clock(), 10)
	if err != nil {
		panic(err)
	}
	issue := func(name string) *pki.Identity {
		id, err := ca.Issue(pki.Template{CommonName: name, Algorithm: pki.P256})
		if err != nil {
			panic(err)
		}
		return id
	}
	ministry, registry := issue("ministry"), issue("registry")
	trust := &pki.Verifier{Anchors: []pki.Anchor{{Certificate: ca.Certificate, Purposes: []pki.Purpose{pki.PurposeAccessPoint}}}, Clock: clock}

	// The agreement, seen from each side: whose certificates the other one must use.
	agreed := as4.PMode{ID: "letters", ProfileName: "eu-edelivery2-ec", Service: "urn:example:letters", Action: "deliver", TwoCorner: true,
		Initiator: as4.PartyRef{ID: "ministry"}, Responder: as4.PartyRef{ID: "registry"}}
	ours, theirs := agreed, agreed
	ours.Certificates, theirs.Certificates = []*pki.Certificate{registry.Certificate}, []*pki.Certificate{ministry.Certificate}
	table, err := as4.NewTable(&theirs)
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(&as4.Receiver{
		PModes: func() *as4.Table { return table }, Intake: &desk{}, Trust: trust, Clock: clock, Host: "registry.example",
		Identity: func(*as4.PMode) *pki.Identity { return registry }, Keys: func() []*pki.Identity { return []*pki.Identity{registry} },
	})
	defer server.Close()
	ours.URL = server.URL
	if err := ours.Complete(); err != nil {
		panic(err)
	}

	letter := []byte("Dear colleagues")
	digest := sha256.Sum256(letter)
	party := func(p as4.PartyRef) ebms.Party {
		return ebms.Party{IDs: []ebms.PartyID{{Value: p.ID, Type: p.Type}}, Role: p.Role}
	}
	sender := &as4.Sender{Client: server.Client(), Identity: func(*as4.PMode) *pki.Identity { return ministry }, Trust: trust, Clock: clock}
	outcome := sender.Send(context.Background(), &as4.Outgoing{
		PMode: &ours, Attempt: 1,
		Message: &ebms.UserMessage{
			MessageID: "1@ministry.example", ConversationID: "1", Timestamp: clock(), From: party(ours.Initiator), To: party(ours.Responder),
			Service: ebms.Service{Value: ours.Service}, Action: ours.Action,
			Parts: []ebms.PartInfo{{Href: "cid:letter@ministry.example", Properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: "text/plain"}}}},
		},
		Contents: []wss.Content{{ContentID: "letter@ministry.example", MimeType: "text/plain", Size: int64(len(letter)), Digest: digest[:],
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(letter)), nil }}},
	})
	fmt.Println("acknowledged:", outcome.Verdict == as4.Acknowledged, outcome.Err)
	// Output:
	// received "Dear colleagues", signed by ministry
	// acknowledged: true <nil>
}
