package as4

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Intake is where a receiver puts what it received. The node implements it.
type Intake interface {
	// Begin is asked once a message's header is understood and before its security is checked.
	Begin(ctx context.Context, um *ebms.UserMessage, pm *PMode) (Delivery, error)
	// Signal takes a receipt or error that came by itself. An *ebms.Error is answered.
	Signal(ctx context.Context, s *Signal) error
}

// Delivery is one message on its way in.
type Delivery interface {
	// Payload is where the octets of one part go, expanded. They are not yet to be trusted.
	Payload(part *ebms.PartInfo) (io.Writer, error)
	// Known returns the stored answer to a message that was accepted before [AS4 3.2], or nil. It is asked when Check
	// refused: a copy of what was accepted is answered as the first was, whatever has changed since.
	Known(ctx context.Context, messageID, sender string) ([]byte, error)
	// Check judges the content. An *ebms.Error is answered to the sender, anything else as EBMS:0004.
	Check(ctx context.Context, r *Received) error
	// Commit stores message and receipt together and returns when both are durable. header is the SOAP envelope as it
	// came, the proof of origin. The octets that Commit returns are answered: the given receipt, or that of a copy
	// which was quicker.
	Commit(ctx context.Context, r *Received, header, receipt []byte) ([]byte, error)
	// Close is called in the end, whatever happened.
	Close()
}

// Signal is a receipt or error outside a back channel, verified as far as its sender allows: [Sender.Judge] says what it
// means for a message.
type Signal struct {
	Signal *ebms.Signal
	Signer *pki.Certificate // nil: unsigned
	Path   []*pki.Certificate
	Token  wss.TokenForm // how the signer named its certificate
	Octets []byte        // the SOAP envelope
	At     time.Time
}

// Receiver is the AS4 endpoint [ebMS3, AS4, EU-AS4 1.4].
type Receiver struct {
	PModes   func() *Table
	Intake   Intake
	Sending  func() *Table              // the P-Modes by which we send: who may pull, and whose signals come. May be nil
	Outbox   Outbox                     // nil: pull requests are refused
	Joiner   Joiner                     // nil: pieces of larger messages are refused
	Identity func(*PMode) *pki.Identity // who signs receipts and errors; called with nil when no P-Mode is known
	Keys     func() []*pki.Identity     // recipients we are: current and former keys
	Trust    *pki.Verifier
	Clock    func() time.Time
	Host     string // right side of our message ids
	Limits   ebms.Limits
	// Refused is told of every message that is answered with an error: for the log, never for the peer.
	Refused func(ctx context.Context, um *ebms.UserMessage, peer string, err error)
	Parsed  *pki.Parsed // remembers partners' certificates; may be nil
}

// ServeHTTP answers one request. GET is a health probe.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch req.Method {
	case http.MethodGet, http.MethodHead:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "AS4 endpoint. Send messages by POST.\n")
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "AS4 messages are sent by POST", http.StatusMethodNotAllowed)
		return
	}
	x := &exchange{r: r, ctx: req.Context(), peer: req.RemoteAddr, now: r.Clock()}
	a := x.handle(req)
	if a.contentType != "" {
		w.Header().Set("Content-Type", a.contentType)
	}
	if a.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "60")
	}
	// A sender that is still writing when its message is refused would see a broken connection and not our answer.
	io.CopyN(io.Discard, req.Body, maxUnread)
	if a.stream != nil {
		a.stream(w)
		return
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// maxUnread is how much of a refused message is still read: 16 MiB.
const maxUnread = 16 << 20

type answer struct {
	status      int
	contentType string
	body        []byte
	stream      func(http.ResponseWriter) // writes status and body in place of the above
}

// exchange is one request and what is known of it so far.
type exchange struct {
	r    *Receiver
	ctx  context.Context
	peer string
	now  time.Time
	env  *ebms.Envelope
	raw  []byte
	um   *ebms.UserMessage
	pm   *PMode
	ref  string // eb:MessageId of what is answered
	pull *PMode // whose channel the message was fetched from; nil: it was pushed

	routed bool // the header was addressed to the next MSH
	odd    ebms.Quirks
}

func (x *exchange) handle(req *http.Request) answer {
	limits := x.r.Limits
	limits.Length = max(req.ContentLength, 0)
	env, parts, err := readEnvelope(req.Header.Get("Content-Type"), req.Body, limits, &x.raw)
	if err != nil {
		return x.refuse(err)
	}
	x.env = env
	if !env.Messaging.Valid() {
		return x.refuse(ebms.InvalidHeader.New("the message has no eb:Messaging header"))
	}
	x.ref = messageID(env.Messaging)
	m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
	if err != nil {
		return x.refuse(err)
	}
	if x.um = m.UserMessage(); x.um == nil {
		return x.signals(m, parts)
	}
	receipt, err := x.userMessage(m, parts)
	if err != nil {
		return x.refuse(err)
	}
	return answer{status: http.StatusOK, contentType: ebms.ContentTypeSOAP, body: receipt}
}

// userMessage takes a user message whose header is read, and makes its receipt.
func (x *exchange) userMessage(m *ebms.Messaging, parts *ebms.MIMEReader) (receipt []byte, err error) {
	x.ref, x.odd, x.routed = x.um.MessageID, m.Deviations, m.Role == ebms.RoleNextMSH
	if x.pm, err = x.r.PModes().Match(x.um); err != nil {
		return nil, err
	}
	if beyond := m.Deviations.Beyond(x.pm.Quirks); len(beyond) > 0 {
		return nil, deviation(beyond)
	}
	if err := CheckHeader(x.um, x.pm); err != nil {
		return nil, err
	}
	if err := x.binding(); err != nil {
		return nil, err
	}
	if x.env.Fragment.Valid() {
		return x.fragment(m, parts)
	}
	return x.receive(parts)
}

// binding checks that the message came the way that was agreed.
func (x *exchange) binding() error {
	switch {
	case x.pull == nil && x.pm.Pull:
		return ebms.ProcessingModeMismatch.New("messages of this agreement are pulled, not pushed")
	case x.pull != nil && (!x.pm.Pull || x.pm.Channel() != x.pull.Channel() || x.pm.URL != x.pull.URL):
		return ebms.ProcessingModeMismatch.New("messages of this agreement do not come through this channel")
	}
	return nil
}

// messageID finds the identifier of what a header is about, however wrong it is otherwise: the error shall name it.
func messageID(messaging dom.Node) string {
	for n := range messaging.Descendants() {
		if n.Is(ebms.NS, "MessageId") {
			if id := n.TrimmedText(); ebms.ValidMessageID(id) {
				return id
			}
			break
		}
	}
	return ""
}

// receive is steps 7 to 14: security, duplicates, content, storage, receipt.
func (x *exchange) receive(parts *ebms.MIMEReader) ([]byte, error) {
	rcv := &Received{Message: x.um, PMode: x.pm, Test: x.um.IsTest(), At: x.now, Peer: x.peer}
	return x.deliver(rcv, parts, wss.OpenOptions{
		Suites: x.pm.suites(), RequireSigned: !x.pm.Unsigned, RequireEncrypted: !x.pm.Unencrypted, Keys: x.r.Keys(),
		Known: knownOf(x.pm), Parse: x.r.Parsed.Certificate, Trust: trustIn(x.r.Trust, x.pm, PartyRef{ID: x.um.From.ID().Value}),
	}, nil)
}

// deliver opens a message and hands it over. A message whose sender is known already, since it came in pieces, has no
// security of its own; whole, when not nil, tells once it was read whether it was whole.
func (x *exchange) deliver(rcv *Received, parts *ebms.MIMEReader, opt wss.OpenOptions, whole func() error) ([]byte, error) {
	d, err := x.r.Intake.Begin(x.ctx, x.um, x.pm)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	opt.Targets = make([]wss.Target, 0, len(x.um.Parts))
	elsewhere := !x.env.BodyEmpty() // a payload that is no attachment
	for i := range x.um.Parts {
		p := &x.um.Parts[i]
		cid, ok := p.ContentID()
		if !ok {
			elsewhere = true
			continue
		}
		out, err := d.Payload(p)
		if err != nil {
			return nil, err
		}
		compressed, err := p.Compressed()
		if err != nil {
			return nil, err
		}
		opt.Targets = append(opt.Targets, wss.Target{ContentID: cid, Compressed: compressed, W: out, MaxSize: x.pm.MaxSize})
	}
	opened, err := wss.Open(x.ctx, x.env, parts, opt)
	if err == nil && whole != nil {
		err = whole()
	}
	if err != nil {
		return nil, securityError(err)
	}
	if elsewhere {
		return nil, ebms.ExternalPayloadError.New("payloads travel as attachments only, the SOAP Body is empty [EU-AS4 1.4.2.3]")
	}
	rcv.Parts = opened.Parts
	if whole == nil {
		rcv.Signer, rcv.References, rcv.Encrypted = opened.Signer, opened.References, opened.Encrypted
		rcv.Sender = senderKey(x.um, opened.Signer)
	}
	rcv.Warnings = warnings(x.odd, opened.Parts)
	if !rcv.Test {
		if err := d.Check(x.ctx, rcv); err != nil {
			if known, kerr := d.Known(x.ctx, x.um.MessageID, rcv.Sender); known != nil || kerr != nil {
				return known, kerr
			}
			return nil, err
		}
	}
	receipt, err := x.signal(&ebms.Signal{Receipt: receiptFor(rcv)}, nil)
	if err != nil {
		return nil, err
	}
	return d.Commit(x.ctx, rcv, x.raw, receipt)
}

// warnings names what deviated and was tolerated.
func warnings(odd ebms.Quirks, parts []wss.OpenedPart) []string {
	list := odd.Beyond(ebms.Quirks{})
	for _, p := range parts {
		if p.Digested == "raw" && !wss.DigestsRaw(p.MimeType) {
			list = append(list, "attachment "+p.ContentID+" is "+p.MimeType+" and digested as octets")
		}
	}
	return list
}

// senderKey is what duplicate detection goes by beside the MessageId: the authenticated party, so that no one can
// block another's ids. A certificate may change between attempts, its subject and the party do not.
func senderKey(um *ebms.UserMessage, signer *pki.Certificate) string {
	id := um.From.ID()
	if signer == nil {
		return "unsigned|" + id.Type + "|" + id.Value
	}
	return signer.Subject.String() + "|" + id.Type + "|" + id.Value
}

// signals takes receipts, errors and pull requests that come by themselves. A receipt may come with the next request
// [AS4 5.1.2].
func (x *exchange) signals(m *ebms.Messaging, parts *ebms.MIMEReader) answer {
	if len(m.Signals) == 0 {
		return x.refuse(ebms.InvalidHeader.New("eb:Messaging is empty"))
	}
	opened, err := wss.Open(x.ctx, x.env, parts, wss.OpenOptions{
		Suites: allSuites, Known: x.r.known, Parse: x.r.Parsed.Certificate, Trust: func(leaf *pki.Certificate, path []*pki.Certificate, _ wss.TokenForm) error {
			_, err := x.r.Trust.Verify(leaf, path, pki.PurposeAccessPoint)
			return err
		},
	})
	if err != nil {
		return x.refuse(securityError(err))
	}
	var pull *ebms.Signal
	for _, s := range m.Signals {
		if s.PullRequest != nil {
			pull = s
			continue
		}
		x.ref = s.MessageID
		got := &Signal{Signal: s, Signer: opened.Signer, Path: opened.SignerPath, Token: opened.SignerToken, Octets: x.raw, At: x.now}
		if err := x.r.Intake.Signal(x.ctx, got); err != nil {
			return x.refuse(err)
		}
	}
	if pull != nil {
		x.ref = pull.MessageID
		return x.answerPull(pull.PullRequest.MPC, opened.Signer)
	}
	return answer{status: http.StatusAccepted}
}

// known finds the certificate of any partner, for signals whose reference carries none.
func (r *Receiver) known(ref wss.TokenRef) []*pki.Certificate {
	if r.Sending == nil {
		return nil
	}
	for _, pm := range r.Sending().All() {
		if c := knownOf(pm)(ref); c != nil {
			return c
		}
	}
	return nil
}

// allSuites are those of all profiles: a signal's P-Mode is known only after its security.
var allSuites = func() (all []wss.Suite) {
	for _, n := range ProfileNames() {
		all = append(all, Profiles[n].Suites...)
	}
	return all
}()

// deviation is the error for what a partner may not do, in the code that the rule itself has.
func deviation(beyond []string) *ebms.Error {
	code := ebms.InvalidHeader
	switch beyond[0] {
	case "ExternalPayload":
		code = ebms.ExternalPayloadError
	case "SeveralPartyIDs", "PlainPartyID", "PlainService", "RepeatedSignalKind":
		code = ebms.ValueInconsistent
	}
	return code.Newf("deviates from the standard in a way that is not agreed: %s", strings.Join(beyond, ", "))
}

// signal makes and signs an answer that refers to the message.
func (x *exchange) signal(s *ebms.Signal, fault *ebms.Fault) ([]byte, error) {
	id, err := ebms.NewMessageID(rand.Reader, x.r.Host)
	if err != nil {
		return nil, err
	}
	s.MessageID, s.Timestamp, s.RefToMessageID = id, x.now, x.ref
	opt := wss.SecureOptions{ID: idSuffix(s.MessageID)}
	if x.pm == nil || !x.pm.Unsigned {
		opt.Sign = x.r.Identity(x.pm)
	}
	if x.pm != nil {
		opt.Suite = x.pm.suites()[0]
	} else if opt.Sign != nil {
		opt.Suite = wss.SuiteFor(opt.Sign.Key.Public())
	}
	if s.Receipt != nil && opt.Sign == nil && !x.pm.Unsigned {
		return nil, errors.New("as4: no key to sign the receipt with")
	}
	var blocks ebms.Blocks
	if fault != nil {
		blocks.Body = fault.Append
	}
	var routed ebms.RoutingBlocks
	if x.um != nil && x.routed { // it came through an I-Cloud, and the signal may have to go back through it [AS4 4.4]
		blocks.Header = func(w *dom.Writer) {
			routed = ebms.Routing{Message: x.um, Error: s.Receipt == nil, ID: opt.ID}.Append(w)
		}
	}
	d := wss.NewDraftWith(&ebms.Messaging{Signals: []*ebms.Signal{s}}, opt.ID, blocks)
	for _, b := range routed {
		if b.ID != "" {
			d.Signed = append(d.Signed, wss.SignedBlock{ID: b.ID, Span: b.Span})
		}
	}
	sec, err := wss.Secure(d, nil, opt)
	if err != nil {
		return nil, err
	}
	return sec.Envelope, nil
}

// refuse answers an error in the form that fits it: HTTP, SOAP or ebMS.
func (x *exchange) refuse(err error) answer {
	if x.r.Refused != nil {
		x.r.Refused(x.ctx, x.um, x.peer, err)
	}
	var fault *ebms.Fault
	var e *ebms.Error
	switch {
	case errors.Is(err, ebms.ErrContentType), errors.Is(err, ebms.ErrTooLarge):
		return answer{status: http.StatusBadRequest, contentType: "text/plain; charset=utf-8", body: []byte(err.Error() + "\n")}
	case errors.Is(err, ErrBusy):
		return answer{status: http.StatusServiceUnavailable, contentType: "text/plain; charset=utf-8", body: []byte("try again later\n")}
	case errors.As(err, &fault):
		var b bytes.Buffer
		ebms.WriteFault(&b, fault)
		return answer{status: http.StatusInternalServerError, contentType: ebms.ContentTypeSOAP, body: b.Bytes()}
	case !errors.As(err, &e):
		e = ebms.Other.Wrap(err, "the message could not be processed")
	}
	shown := *e
	shown.RefToMessageInError = x.ref
	status, beside := http.StatusOK, (*ebms.Fault)(nil)
	if x.withFault() && shown.Severity != ebms.Warning {
		status, beside = http.StatusInternalServerError, ebms.FaultFor(&shown)
	}
	body, signErr := x.signal(&ebms.Signal{Errors: []*ebms.Error{&shown}}, beside)
	if signErr != nil {
		return answer{status: http.StatusInternalServerError, contentType: "text/plain; charset=utf-8", body: []byte("the error could not be signed\n")}
	}
	return answer{status: status, contentType: ebms.ContentTypeSOAP, body: body}
}

// withFault says whether an error comes with HTTP 500 and a S12:Fault: where the partner wants it, and where nobody can
// sign. Peers let an unsigned message pass their policy only if it carries a fault [ebMS3 6.6].
func (x *exchange) withFault() bool {
	if x.pm != nil && (x.pm.FaultOnError || x.pm.Unsigned) {
		return x.pm.FaultOnError
	}
	return x.r.Identity(x.pm) == nil
}

// ErrBusy says that the node cannot take messages now: it is starting, stopping or out of room, or nobody says whether the
// signer's certificate is revoked. HTTP 503 is answered.
var ErrBusy = errors.New("as4: not accepting messages now")

// securityError gives a security failure its code. The peer hears the code alone: which check failed is for our log,
// since an attacker could learn from it [EU-AS4 1.4.2.6].
func securityError(err error) error {
	switch {
	case errors.Is(err, pki.ErrRevocationUnknown): // of a signer who may be good: an error would end the message
		return errors.Join(ErrBusy, err)
	case errors.Is(err, wss.ErrPart):
		return ebms.ExternalPayloadError.Wrap(err, "payloads and header do not agree")
	case errors.Is(err, wss.ErrSize):
		return ebms.ProcessingModeMismatch.Wrap(err, "a payload is larger than agreed")
	case errors.Is(err, wss.ErrDecompression):
		return ebms.DecompressionFailure.Wrap(err, "a payload cannot be decompressed")
	case errors.Is(err, wss.ErrDecryption):
		return ebms.FailedDecryption.Wrap(err, "security")
	case errors.Is(err, wss.ErrPolicy):
		return ebms.PolicyNoncompliance.Wrap(err, "security")
	case errors.Is(err, wss.ErrAuthentication):
		return ebms.FailedAuthentication.Wrap(err, "security")
	}
	return mimeError(err)
}

// CheckHeader applies the rules of profile and P-Mode to a message's header [EU-AS4 1.4.4, 1.5.1].
func CheckHeader(um *ebms.UserMessage, pm *PMode) error {
	pr := pm.Profile
	if err := um.CheckTest(); err != nil {
		return err
	}
	for _, p := range []ebms.Party{um.From, um.To} {
		if len(p.IDs) != 1 {
			return ebms.ValueInconsistent.New("eb:From and eb:To have exactly one eb:PartyId")
		}
	}
	if pr.MaxParts > 0 && len(um.Parts) > pr.MaxParts && !um.IsTest() {
		return ebms.Other.Newf("the profile allows %d payload(s), the message has %d", pr.MaxParts, len(um.Parts))
	}
	if pr.MinParts > len(um.Parts) && !um.IsTest() {
		return ebms.Other.Newf("the profile wants %d payload(s), the message has %d", pr.MinParts, len(um.Parts))
	}
	if !same(um.Channel(), cmp.Or(pm.MPC, ebms.DefaultMPC)) {
		return ebms.ValueNotRecognized.New("unknown message partition channel")
	}
	if pm.Response && !um.IsResponse() && !um.IsTest() {
		return ebms.ValueInconsistent.New("the answer of a two-way exchange names its request in eb:RefToMessageId")
	}
	for _, name := range pr.ForbiddenProperties {
		if _, ok := um.Property(name); ok {
			return ebms.ProcessingModeMismatch.Newf("message property %s must not be used", name)
		}
	}
	if err := checkCommunity(um, pr); err != nil {
		return err
	}
	if pr.FourCorner && !pm.TwoCorner && !um.IsTest() {
		for _, name := range []string{ebms.PropertyOriginalSender, ebms.PropertyFinalRecipient} {
			i := slices.IndexFunc(um.Properties, func(p ebms.Property) bool { return strings.EqualFold(p.Name, name) })
			switch {
			case i < 0:
				return ebms.ProcessingModeMismatch.Newf("message property %s is missing", name)
			case pr.TypedProperties && um.Properties[i].Type == "":
				return ebms.ProcessingModeMismatch.Newf("message property %s has no type", name)
			}
		}
	}
	for i := range um.Parts {
		if _, err := um.Parts[i].Compressed(); err != nil {
			return err
		}
	}
	return nil
}

// checkCommunity applies the rules of one community alone.
func checkCommunity(um *ebms.UserMessage, pr *Profile) error {
	for _, p := range []ebms.Party{um.From, um.To} {
		switch id := p.ID(); {
		case pr.PartyPattern != nil && (id.Type != pr.PartyType || !pr.PartyPattern.MatchString(id.Value)):
			return ebms.ValueInconsistent.Newf("%q is no party identifier of this community", id.Value)
		case pr.RolePattern != nil && p.Role != pr.InitiatorRole && p.Role != pr.ResponderRole && !pr.RolePattern.MatchString(p.Role):
			return ebms.ValueInconsistent.Newf("%q is no role of this community", p.Role)
		}
	}
	switch {
	case pr.NeedAgreement && um.Agreement == nil:
		return ebms.ValueNotRecognized.New("the message names no agreement")
	case pr.NoConversation && um.ConversationID != "":
		return ebms.ValueInconsistent.New("eb:ConversationId is empty in this community")
	case um.IsTest():
		return nil
	case len(pr.Services) > 0 && !slices.Contains(pr.Services, um.Service.Value):
		return ebms.ValueNotRecognized.Newf("%q is no service of this community", um.Service.Value)
	case pr.OneAction && um.Action != pr.Action:
		return ebms.ValueNotRecognized.Newf("%q is not the action of this community", um.Action)
	}
	return nil
}
