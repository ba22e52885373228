package as4

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Joiner is where a receiver puts the pieces of larger messages [ebMS3-2 4]. The node implements it.
type Joiner interface {
	// Begin is asked before a piece's security is checked.
	Begin(ctx context.Context, um *ebms.UserMessage, f *ebms.Fragment, pm *PMode) (Piece, error)
}

// Piece is one piece on its way in.
type Piece interface {
	// Payload is where its octets go. They are not yet to be trusted.
	Payload() (io.Writer, error)
	// Commit stores piece and receipt together, as [Delivery.Commit] does with a message. A piece that does not go with
	// those before it is an *ebms.Error.
	Commit(ctx context.Context, r *Received, f *ebms.Fragment, header, receipt []byte) ([]byte, error)
	// Close is called in the end, whatever happened.
	Close()
}

// fragment takes one piece: a message of its own up to its receipt.
func (x *exchange) fragment(m *ebms.Messaging, parts *ebms.MIMEReader) ([]byte, error) {
	f, err := ebms.ParseFragment(x.env.Fragment)
	if err != nil {
		return nil, err
	}
	switch {
	case x.pm.Splitting == nil || x.r.Joiner == nil || x.pull != nil:
		e := ebms.FeatureNotSupported.New("messages of this agreement are not split")
		e.Severity = ebms.Failure // a warning would not say that the piece was refused
		return nil, e
	case len(x.um.Parts) > 0 || !x.env.BodyEmpty():
		return nil, ebms.BadFragmentStructure.New("a piece has no eb:PayloadInfo and an empty Body [ebMS3-2 4.4]")
	}
	p, err := x.r.Joiner.Begin(x.ctx, x.um, f, x.pm)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	out, err := p.Payload()
	if err != nil {
		return nil, err
	}
	cid, _ := ebms.ContentIDFromURL(f.Href)
	var signed []dom.Node
	if x.pm.Splitting.Dialect != DialectDomibus {
		signed = []dom.Node{x.env.Fragment}
	}
	opened, err := wss.Open(x.ctx, x.env, parts, wss.OpenOptions{
		Suites: x.pm.suites(), RequireSigned: true, RequireEncrypted: !x.pm.Unencrypted, Keys: x.r.Keys(), Signed: signed,
		Known: knownOf(x.pm), Parse: x.r.Parsed.Certificate, Trust: trustIn(x.r.Trust, x.pm, PartyRef{ID: x.um.From.ID().Value}),
		Targets: []wss.Target{{ContentID: cid, W: out, MaxSize: x.pm.Splitting.FragmentSize}},
	})
	if errors.Is(err, wss.ErrSize) {
		e := ebms.FragmentSizeExceeded.Wrap(err, "a piece is larger than agreed")
		e.Severity = ebms.Failure
		return nil, e
	}
	if err != nil {
		return nil, securityError(err)
	}
	rcv := &Received{
		Message: x.um, PMode: x.pm, At: x.now, Peer: x.peer, Signer: opened.Signer, Parts: opened.Parts, References: opened.References,
		Encrypted: opened.Encrypted, Sender: senderKey(x.um, opened.Signer), Warnings: warnings(x.odd, nil),
	}
	receipt, err := x.signal(&ebms.Signal{Receipt: receiptFor(rcv)}, nil)
	if err != nil {
		return nil, err
	}
	return p.Commit(x.ctx, rcv, f, x.raw, receipt)
}

// Joined is a message whose pieces are all there.
type Joined struct {
	Octets    io.Reader         // of all pieces, in their order
	Fragment  *ebms.Fragment    // what the pieces say of the whole
	Header    *ebms.UserMessage // that of the pieces
	PMode     *PMode
	Signer    *pki.Certificate // who signed the pieces
	Sender    string           // the key of the pieces: see [Received.Sender]
	Encrypted bool
	Peer      string
}

// Join takes a whole message apart and hands it to the intake, as if it had come in one [ebMS3-2 4.5]. What comes back is
// the receipt of the whole, or the error, to be posted to who sent it; no reply when the reason lies with us and may pass.
func (r *Receiver) Join(ctx context.Context, j *Joined) *Pulled {
	x := &exchange{r: r, ctx: ctx, peer: j.Peer, now: r.Clock(), pm: j.PMode, ref: j.Fragment.GroupID}
	receipt, err := x.join(j)
	switch {
	case errors.Is(err, ebms.ErrTruncated), errors.Is(err, ebms.ErrMIME):
		err = ebms.MimeInconsistency.Newf("the whole is no message: %v", err) // and will not become one by itself
	case errors.Is(err, ebms.ErrContentType):
		err = ebms.BadFragmentStructure.Newf("the whole is no message: %v", err)
	}
	if err != nil {
		return x.refused(err)
	}
	return &Pulled{Message: x.um, Reply: receipt}
}

func (x *exchange) join(j *Joined) ([]byte, error) {
	whole := &wholeSize{want: j.Fragment.MessageSize}
	if whole.r = j.Octets; j.Fragment.Compression != "" {
		z, err := gzip.NewReader(j.Octets)
		if err != nil {
			return nil, unpackError(err)
		}
		whole.r = unpacking{z}
	}
	limits := x.r.Limits
	limits.Length = j.Fragment.MessageSize
	if j.Fragment.Header == nil {
		return nil, ebms.BadFragmentStructure.New("no piece says how the whole is to be read [ebMS3-2 4.4]")
	}
	env, parts, err := readEnvelope(j.Fragment.Header.MediaType(), whole, limits, &x.raw)
	switch fault := (*ebms.Fault)(nil); {
	case errors.As(err, &fault):
		return nil, ebms.InvalidHeader.Wrap(err, "the whole is no SOAP message")
	case errors.Is(err, ebms.ErrTooLarge):
		return nil, ebms.InvalidHeader.Wrap(err, "the header of the whole is too large")
	case err != nil:
		return nil, err
	case !env.Messaging.Valid():
		return nil, ebms.InvalidHeader.New("the whole has no eb:Messaging header")
	}
	m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
	if err != nil {
		return nil, err
	}
	um := m.UserMessage()
	if um == nil {
		return nil, ebms.InvalidHeader.New("the whole has no eb:UserMessage")
	}
	x.env, x.um, x.ref, x.odd = env, um, um.MessageID, m.Deviations
	if beyond := m.Deviations.Beyond(x.pm.Quirks); len(beyond) > 0 {
		return nil, deviation(beyond)
	}
	if err := sameHeader(um, j.Header); err != nil {
		return nil, err
	}
	if err := CheckHeader(um, x.pm); err != nil {
		return nil, err
	}
	if env.Security.Valid() || env.Fragment.Valid() {
		return nil, ebms.BadFragmentStructure.New("the whole is neither secured nor a piece itself [EU-AS4 1.5.6]")
	}
	rcv := &Received{Message: um, PMode: x.pm, Signer: j.Signer, Sender: j.Sender, Encrypted: j.Encrypted, Test: um.IsTest(), At: x.now, Peer: j.Peer}
	return x.deliver(rcv, parts, wss.OpenOptions{}, func() error { return whole.done() })
}

// sameHeader compares the header of a whole with that of its pieces, which have fewer properties and no payloads
// [ebMS3-2 4.5].
func sameHeader(whole, piece *ebms.UserMessage) error {
	differs := ""
	party := func(a, b ebms.Party) bool { return a.Role == b.Role && slices.Equal(a.IDs, b.IDs) }
	switch a, b := whole.Agreement, piece.Agreement; {
	case piece.MPC != "" && whole.Channel() != piece.Channel():
		differs = "mpc"
	case !party(whole.From, piece.From) || !party(whole.To, piece.To):
		differs = "eb:PartyInfo"
	case (a == nil) != (b == nil) || a != nil && *a != *b:
		differs = "eb:AgreementRef"
	case whole.Service != piece.Service:
		differs = "eb:Service"
	case whole.Action != piece.Action:
		differs = "eb:Action"
	case whole.ConversationID != piece.ConversationID:
		differs = "eb:ConversationId"
	case whole.RefToMessageID != piece.RefToMessageID:
		differs = "eb:RefToMessageId"
	case slices.ContainsFunc(piece.Properties, func(p ebms.Property) bool { return !slices.Contains(whole.Properties, p) }):
		differs = "eb:MessageProperties"
	}
	if differs == "" {
		return nil
	}
	return ebms.HeaderMismatch.Newf("%s of the whole is not that of its pieces", differs)
}

// wholeSize holds a whole to the size that was announced.
type wholeSize struct {
	r       io.Reader
	n, want int64
}

var errWholeSize = errors.New("as4: the whole has another size than announced")

func (w *wholeSize) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	if w.n += int64(n); w.want > 0 && (w.n > w.want || err == io.EOF && w.n < w.want) {
		return n, ebms.BadFragmentStructure.Wrap(errWholeSize, errWholeSize.Error())
	}
	return n, err
}

// done reads to the end: what follows the last boundary is part of the size, and of the compression's check sum.
func (w *wholeSize) done() error {
	_, err := io.Copy(io.Discard, w)
	return err
}

// unpacking gives the failures of the compression of a whole their code.
type unpacking struct{ z io.Reader }

func (u unpacking) Read(b []byte) (int, error) {
	n, err := u.z.Read(b)
	if err != nil && err != io.EOF {
		err = unpackError(err)
	}
	return n, err
}

func unpackError(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || strings.HasPrefix(err.Error(), "flate:") {
		return ebms.DecompressionError.Newf("the whole cannot be decompressed: %v", err) // not wrapped: a torn gzip is no torn request
	}
	return err
}

// RefuseGroup makes the error for a message whose pieces did not become one: it is posted to who sent them.
func (r *Receiver) RefuseGroup(ctx context.Context, pm *PMode, messageID string, why *ebms.Error) ([]byte, error) {
	x := &exchange{r: r, ctx: ctx, now: r.Clock(), pm: pm, ref: messageID}
	a := x.refuse(why)
	if a.contentType != ebms.ContentTypeSOAP {
		return nil, fmt.Errorf("as4: %s", http.StatusText(a.status))
	}
	return a.body, nil
}
