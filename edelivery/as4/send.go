package as4

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Outgoing is one user message with its payloads in the form in which they are signed.
type Outgoing struct {
	Message  *ebms.UserMessage
	Contents []wss.Content // in the order of Message.Parts
	PMode    *PMode
	Attempt  int // this one, counted from 1

	// Signed is set when the message is made ready to travel: its SOAP envelope with the signature, the proof of what was
	// sent. It is nil before, and where the P-Mode signs nothing.
	Signed []byte

	Fragment *ebms.Fragment // the message is this piece of a larger one, and Contents its octets
	Split    bool           // the message travelled in pieces: its receipt repeats its header and no digests [ebMS3-2 4.5]
}

// Verdict says what an attempt came to.
type Verdict int

// The verdicts. Retry means that the same message may be sent again; whether one is left is the schedule's matter.
const (
	Acknowledged               Verdict = iota + 1
	AcknowledgedWithoutReceipt         // the peer has it from an earlier attempt, whose receipt was lost
	RetryLater
	Failed
	Awaiting // taken by the peer, whose receipt will come in a request of its own
)

// Outcome is the result of one attempt.
type Outcome struct {
	Verdict  Verdict
	Err      error         // why not Acknowledged: *ebms.Error where the protocol has a code
	Warnings []*ebms.Error // beside a receipt
	Receipt  *ebms.Signal
	Answer   []byte // the SOAP envelope of the answer, octet for octet: the evidence
	Status   int    // HTTP
	Signed   bool   // the answer's signature held
}

// Sender sends user messages. It is safe for concurrent use.
type Sender struct {
	Client    *http.Client
	Identity  func(*PMode) *pki.Identity // who signs for a P-Mode
	Trust     *pki.Verifier              // judges receivers and who signs their answers
	Clock     func() time.Time
	UserAgent string
	Parsed    *pki.Parsed // remembers partners' certificates; may be nil
}

// maxAnswer bounds a receipt or error: 4 MiB.
const maxAnswer = 4 << 20

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, out *Outgoing) *Outcome {
	secured, err := secure(ctx, out, s.Identity, s.Trust)
	if err != nil {
		o := &Outcome{Verdict: Failed, Err: err}
		if errors.Is(err, ebms.Other) {
			o.Verdict = RetryLater
		}
		return o
	}
	b, err := bodyOf(out.Message.MessageID, secured)
	if err != nil {
		return &Outcome{Verdict: Failed, Err: err}
	}
	var octets io.Reader = b.reader
	if b.reader == nil {
		pr, pw := io.Pipe()
		go func() { pw.CloseWithError(b.write(pw)) }() // ends when the transport closes the body
		octets = pr
	}
	resp, err := s.post(ctx, out.PMode.URL, b.contentType, b.length, octets)
	if err != nil {
		o := &Outcome{Verdict: RetryLater, Err: err}
		if !errors.Is(err, ebms.ConnectionFailure) {
			o.Verdict = Failed
		}
		return o
	}
	defer resp.Body.Close()
	return s.judge(ctx, out, secured, resp)
}

// secure checks the receiver's certificate, then signs and encrypts. A receiver that may not be trusted gets nothing. What
// may pass by itself is ebms.Other.
func secure(ctx context.Context, out *Outgoing, identity func(*PMode) *pki.Identity, trust *pki.Verifier) (*wss.Secured, error) {
	pm := out.PMode
	opt := wss.SecureOptions{Suite: pm.suites()[0], ID: idSuffix(out.Message.MessageID)}
	if !pm.Unsigned {
		if opt.Sign = identity(pm); opt.Sign == nil {
			return nil, ebms.ProcessingModeMismatch.New("no signing key for this P-Mode")
		}
	}
	if !pm.Unencrypted && len(out.Contents) > 0 {
		if len(pm.Certificates) == 0 {
			return nil, ebms.ProcessingModeMismatch.New("the receiver's certificate is not known")
		}
		opt.Recipient = pm.Certificates[0]
		if c := pm.EncryptionCertificate; c != nil {
			opt.Recipient = c
		}
		if _, err := trust.VerifyRecipient(ctx, opt.Recipient, nil, pki.PurposeAccessPoint); err != nil {
			if errors.Is(err, pki.ErrRevocationUnknown) || errors.Is(err, pki.ErrNotYetValid) {
				return nil, ebms.Other.Wrap(err, "the receiver's certificate is not accepted yet")
			}
			return nil, ebms.FailedAuthentication.Wrap(err, "the receiver's certificate is not accepted")
		}
	}
	sec, err := wss.Secure(draft(out), out.Contents, opt)
	if err == nil && opt.Sign != nil {
		out.Signed = sec.Envelope
	}
	return sec, err
}

// draft writes the envelope of a message without its security. It depends on the message alone [AS4 3.2].
func draft(out *Outgoing) wss.Draft {
	m := &ebms.Messaging{UserMessages: []*ebms.UserMessage{out.Message}}
	if out.PMode.MultiHop {
		m.Role = ebms.RoleNextMSH
	}
	id := idSuffix(out.Message.MessageID)
	if out.Fragment == nil {
		return wss.NewDraft(m, id)
	}
	f := *out.Fragment
	f.ID = "fragment-" + id
	var span ebms.Span
	d := wss.NewDraftWith(m, id, ebms.Blocks{Header: func(w *dom.Writer) {
		span.From = w.Len()
		f.Append(w)
		span.To = w.Len()
	}})
	d.Signed = append(d.Signed, wss.SignedBlock{ID: f.ID, Span: span})
	return d
}

// bufferedBody is the size up to which a request body is made in memory: one write, and the connection may be tried
// again when it turns out to be stale. Larger ones stream.
const bufferedBody = 256 << 10

// body is a message as it travels: whole in memory when it is small, else written when it is asked for.
type body struct {
	contentType string
	length      int64
	reader      *bytes.Reader // nil: write
	write       func(io.Writer) error
}

func bodyOf(messageID string, sec *wss.Secured) (*body, error) {
	b := &body{length: int64(len(sec.Envelope)), contentType: ebms.ContentTypeSOAP}
	if len(sec.Parts) == 0 {
		b.reader = bytes.NewReader(sec.Envelope)
		return b, nil
	}
	id := idSuffix(messageID)
	boundary, root := "b-"+id, "root-"+id+"@viadukt"
	headers := make([]ebms.PartHeader, 1, len(sec.Parts)+1)
	headers[0] = ebms.PartHeader{ContentType: ebms.ContentTypeSOAP, ContentID: root, Length: b.length}
	for i := range sec.Parts {
		p := &sec.Parts[i]
		headers = append(headers, ebms.PartHeader{ContentType: p.ContentType, ContentID: p.ContentID, Length: p.Length})
	}
	b.length = ebms.MIMELength(boundary, headers)
	b.contentType = ebms.MultipartContentType(boundary, root)
	b.write = func(w io.Writer) error { return writeParts(ebms.NewMIMEWriter(w, boundary, root), headers, sec) }
	if b.length <= bufferedBody {
		buf := bytes.NewBuffer(make([]byte, 0, b.length))
		if err := b.write(buf); err != nil {
			return nil, err
		}
		b.reader = bytes.NewReader(buf.Bytes())
	}
	return b, nil
}

// post makes one request. A peer that does not answer is EBMS:0005.
func (s *Sender) post(ctx context.Context, to, contentType string, length int64, body io.Reader) (*http.Response, error) {
	address, err := url.Parse(to)
	if err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http" {
		return nil, ebms.ProcessingModeMismatch.Wrap(err, "the receiver's address is no URL")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, body)
	if err != nil {
		return nil, ebms.ProcessingModeMismatch.Wrap(err, "the receiver's address is no URL")
	}
	req.ContentLength = length
	req.Header["Content-Type"] = []string{contentType}
	req.Header["User-Agent"] = []string{s.UserAgent}
	client := *s.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // elsewhere is another party
	resp, err := client.Do(req)
	if err != nil {
		return nil, ebms.ConnectionFailure.Wrap(err, "no answer")
	}
	return resp, nil
}

func writeParts(mw *ebms.MIMEWriter, headers []ebms.PartHeader, sec *wss.Secured) error {
	w, err := mw.Part(headers[0])
	if err != nil {
		return err
	}
	if _, err := w.Write(sec.Envelope); err != nil {
		return err
	}
	for i := range sec.Parts {
		if w, err = mw.Part(headers[i+1]); err != nil {
			return err
		}
		if _, err := sec.Parts[i].WriteTo(w); err != nil {
			return err
		}
	}
	return mw.Close()
}

// judge reads the answer whatever its status: receipts and errors come with 200, 500 and others [ebMS3 C].
func (s *Sender) judge(ctx context.Context, out *Outgoing, sec *wss.Secured, resp *http.Response) *Outcome {
	o := &Outcome{Status: resp.StatusCode}
	if out.PMode.AsyncReceipts && resp.StatusCode/100 == 2 && resp.ContentLength == 0 {
		o.Verdict = Awaiting
		return o
	}
	env, parts, err := readEnvelope(resp.Header.Get("Content-Type"), io.LimitReader(resp.Body, maxAnswer), ebms.Limits{Length: max(resp.ContentLength, 0)}, &o.Answer)
	if err != nil {
		o.Verdict = RetryLater
		o.Err = ebms.MissingReceipt.Wrap(fmt.Errorf("HTTP status %d: %w", resp.StatusCode, err), fmt.Sprintf("HTTP status %d without a signal message", resp.StatusCode))
		return o
	}
	if !env.Messaging.Valid() {
		o.Verdict, o.Err = RetryLater, ebms.MissingReceipt.Wrap(env.Fault, fmt.Sprintf("HTTP status %d, a SOAP fault without a signal message", resp.StatusCode))
		return o
	}
	m, err := ebms.ParseMessaging(env.Messaging, out.PMode.Quirks)
	if err != nil {
		o.Verdict, o.Err = RetryLater, ebms.InvalidReceipt.Wrap(err, "the answer cannot be read")
		return o
	}
	signErr := s.checkAnswer(ctx, env, parts, out.PMode, out.PMode.Responder, o)
	o.settle(out, m.Signals, sec.References, signErr)
	return o
}

// settle decides what the signals of an answer mean for the message. signErr says what is wrong with their signature.
func (o *Outcome) settle(out *Outgoing, signals []*ebms.Signal, signed []wss.SignedReference, signErr error) {
	ours := false // the error is about our message
	for _, sig := range signals {
		if sig.Receipt != nil && sig.RefToMessageID == out.Message.MessageID {
			o.Receipt = sig
		}
		for _, e := range sig.Errors {
			if e.Severity == ebms.Warning {
				o.Warnings = append(o.Warnings, e)
			} else if o.Err == nil {
				o.Err = e
				ours = cmp.Or(e.RefToMessageInError, sig.RefToMessageID) == out.Message.MessageID
			}
		}
	}
	switch {
	case o.Err != nil:
		o.Verdict = verdictOf(out, o.Err.(*ebms.Error), o.Signed && ours)
	case o.Receipt == nil:
		o.Verdict, o.Err = RetryLater, ebms.MissingReceipt.New("the answer holds no receipt for this message")
		if len(o.Warnings) > 0 {
			o.Err = ebms.MissingReceipt.Wrap(o.Warnings[0], "the answer holds a warning and no receipt")
		}
		if slices.ContainsFunc(signals, func(s *ebms.Signal) bool { return s.Receipt != nil }) {
			o.Err = ebms.InvalidReceipt.New("the receipt is for another message")
		}
	case signErr != nil:
		o.Verdict, o.Err = RetryLater, ebms.InvalidReceipt.Wrap(signErr, "the receipt's signature or signer is not accepted")
	default:
		if err := checkReceipt(o.Receipt.Receipt, signed, out); err != nil {
			o.Verdict, o.Err = RetryLater, ebms.InvalidReceipt.Wrap(err, err.Error())
			return
		}
		o.Verdict = Acknowledged
	}
}

// verdictOf sorts an error by its code. An error that is not signed, or about another message, fails the attempt, but is
// no proof that the receiver will never take this one: anybody on the way can write or repeat one.
func verdictOf(out *Outgoing, e *ebms.Error, proven bool) Verdict {
	switch {
	case out.Attempt > 1 && (e.Code == ebms.DuplicateDetected || out.PMode.DuplicateIs0004 && e.Code == ebms.Other):
		return AcknowledgedWithoutReceipt
	case e.Permanent() && proven:
		return Failed
	}
	return RetryLater
}

// checkAnswer verifies the answer's security. It sets Signed when the expected party signed.
func (s *Sender) checkAnswer(ctx context.Context, env *ebms.Envelope, parts *ebms.MIMEReader, pm *PMode, party PartyRef, o *Outcome) error {
	opened, err := wss.Open(ctx, env, parts, wss.OpenOptions{
		Suites: pm.suites(), RequireSigned: !pm.Unsigned, Trust: trustIn(s.Trust, pm, party), Known: knownOf(pm), Parse: s.Parsed.Certificate,
	})
	if err != nil {
		return err
	}
	o.Signed = opened.Signer != nil
	return nil
}

const organizationIdentifier pki.OID = "2.5.4.97"

// trustIn judges the signer of a message of this P-Mode: chain and token first, then it must be one of the P-Mode's
// certificates. Where the P-Mode has none, since the sender is discovered, the subject must name the party: otherwise
// every member of a network could speak for every other.
func trustIn(v *pki.Verifier, pm *PMode, party PartyRef) func(*pki.Certificate, []*pki.Certificate, wss.TokenForm) error {
	return func(leaf *pki.Certificate, path []*pki.Certificate, form wss.TokenForm) error {
		if _, err := v.Verify(leaf, path, pki.PurposeAccessPoint); err != nil {
			return err
		}
		if pm.Profile.RequireToken != "" && form != pm.Profile.RequireToken {
			return fmt.Errorf("%w: certificate named by %s, the profile wants %s", wss.ErrPolicy, form, pm.Profile.RequireToken)
		}
		if len(pm.Policies) > 0 && !slices.ContainsFunc(leaf.Policies, func(have pki.OID) bool { return slices.Contains(pm.Policies, have) }) {
			return fmt.Errorf("as4: the certificate of %q has none of the policies %v [EU-AS4 1.5.3]", leaf.Subject, pm.Policies)
		}
		if len(pm.Certificates) > 0 {
			for _, c := range pm.Certificates {
				if c.Equal(leaf) {
					return nil
				}
			}
			return errors.New("as4: signed with a valid certificate, but not the one agreed or discovered")
		}
		if party.ID != "" && leaf.Subject.CommonName() != party.ID && leaf.Subject.Get(organizationIdentifier) != party.ID {
			return fmt.Errorf("as4: signer %q is not the party %q [EU-AS4 1.5.3]", leaf.Subject, party.ID)
		}
		return nil
	}
}

// knownOf finds the partner's certificate for references that carry none.
func knownOf(pm *PMode) func(wss.TokenRef) []*pki.Certificate {
	return func(ref wss.TokenRef) []*pki.Certificate {
		for _, c := range pm.Certificates {
			if ref.Matches(c) {
				return []*pki.Certificate{c}
			}
		}
		return nil
	}
}
