package as4

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

// ErrEmpty says that no message waits in the channel that was pulled from.
var ErrEmpty = errors.New("as4: no message waits in this channel")

// Pulled is a message that was fetched.
type Pulled struct {
	Message *ebms.UserMessage
	Reply   []byte // the receipt or error that the sender waits for: for [Sender.Post]. nil: none, it will offer the message again
	Err     error  // why the message was refused
}

// Pull fetches one message from the channel of a receiving P-Mode and hands it to the receiver's intake, as if it had
// been pushed [EU-AS4 1.5.5]. ErrEmpty when none waits; an *ebms.Error when the partner refuses or does not answer.
func (s *Sender) Pull(ctx context.Context, pm *PMode, r *Receiver) (*Pulled, error) {
	id, err := ebms.NewMessageID(rand.Reader, r.Host)
	if err != nil {
		return nil, err
	}
	opt := wss.SecureOptions{Suite: pm.suites()[0], ID: idSuffix(id), Sign: s.Identity(pm)}
	if opt.Sign == nil {
		return nil, ebms.ProcessingModeMismatch.New("no signing key for this P-Mode")
	}
	request := &ebms.Signal{MessageID: id, Timestamp: s.Clock(), PullRequest: &ebms.PullRequest{MPC: pm.Channel()}}
	sec, err := wss.Secure(wss.NewDraft(&ebms.Messaging{Signals: []*ebms.Signal{request}}, opt.ID), nil, opt)
	if err != nil {
		return nil, err
	}
	resp, err := s.post(ctx, pm.URL, ebms.ContentTypeSOAP, int64(len(sec.Envelope)), bytes.NewReader(sec.Envelope))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	x := &exchange{r: r, ctx: ctx, peer: resp.Request.URL.Host, now: r.Clock(), pull: pm}
	limits := r.Limits
	limits.Length = max(resp.ContentLength, 0)
	env, parts, err := readEnvelope(resp.Header.Get("Content-Type"), resp.Body, limits, &x.raw)
	if err != nil {
		return nil, ebms.ConnectionFailure.Wrap(fmt.Errorf("HTTP status %d: %w", resp.StatusCode, err), fmt.Sprintf("HTTP status %d without a message", resp.StatusCode))
	}
	if !env.Messaging.Valid() {
		return nil, ebms.ConnectionFailure.Wrap(env.Fault, fmt.Sprintf("HTTP status %d, a SOAP fault without a message", resp.StatusCode))
	}
	x.env, x.ref = env, messageID(env.Messaging)
	m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
	if err != nil {
		return x.refused(err), nil
	}
	if x.um = m.UserMessage(); x.um == nil {
		return nil, s.notPulled(ctx, env, parts, pm, m)
	}
	receipt, err := x.userMessage(m, parts)
	if err != nil {
		return x.refused(err), nil
	}
	return &Pulled{Message: x.um, Reply: receipt}, nil
}

// refused makes the error that the sender of a fetched message hears. A message that did not arrive whole, or that we
// could not keep, is no fault of its sender: it will be offered again.
func (x *exchange) refused(err error) *Pulled {
	p := &Pulled{Message: x.um, Err: err}
	a := x.refuse(err)
	if e := (*ebms.Error)(nil); errors.As(err, &e) && !errors.Is(err, ebms.ErrTruncated) && !errors.Is(err, ErrBusy) && a.contentType == ebms.ContentTypeSOAP {
		p.Reply = a.body
	}
	return p
}

// notPulled reads the error that stands in the place of a message. An empty channel is none.
func (s *Sender) notPulled(ctx context.Context, env *ebms.Envelope, parts *ebms.MIMEReader, pm *PMode, m *ebms.Messaging) error {
	o := &Outcome{}
	signErr := s.checkAnswer(ctx, env, parts, pm, pm.Initiator, o)
	for _, sig := range m.Signals {
		if len(sig.Errors) == 0 {
			continue
		}
		e := sig.Errors[0]
		if e.Code == ebms.EmptyMessagePartitionChannel && signErr == nil { // some peers call it a failure
			return ErrEmpty
		}
		if signErr != nil {
			return ebms.ConnectionFailure.Wrap(errors.Join(e, signErr), "an error whose signature is not accepted: "+string(e.Code))
		}
		return e
	}
	return ebms.ConnectionFailure.New("the answer holds neither a message nor an error")
}

// Post sends a receipt or error in a request of its own and returns nil once the peer took it. An *ebms.Error is what
// the peer answered, or EBMS:0005.
func (s *Sender) Post(ctx context.Context, pm *PMode, signal []byte) error {
	resp, err := s.post(ctx, pm.URL, ebms.ContentTypeSOAP, int64(len(signal)), bytes.NewReader(signal))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var raw []byte
	env, _, err := readEnvelope(cmp.Or(resp.Header.Get("Content-Type"), "none/none"), io.LimitReader(resp.Body, maxAnswer), ebms.Limits{}, &raw)
	if err == nil && env.Messaging.Valid() {
		m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
		if err != nil {
			return err
		}
		for _, sig := range m.Signals {
			for _, e := range sig.Errors {
				if e.Severity != ebms.Warning {
					return e
				}
			}
		}
	}
	if resp.StatusCode/100 != 2 {
		return ebms.ConnectionFailure.Newf("HTTP status %d to a signal", resp.StatusCode)
	}
	return nil
}

// Judge says what a signal that came by itself means for a message that was sent before. The message must be as it was
// sent: what was signed is found out again from it.
func (s *Sender) Judge(out *Outgoing, sig *Signal) *Outcome {
	o := &Outcome{Answer: sig.Octets}
	var signErr error
	switch {
	case sig.Signer != nil:
		signErr = trustIn(s.Trust, out.PMode, out.PMode.Responder)(sig.Signer, sig.Path, sig.Token)
	case !out.PMode.Unsigned:
		signErr = fmt.Errorf("%w: the signal is not signed", wss.ErrPolicy)
	}
	o.Signed = sig.Signer != nil && signErr == nil
	var signed []wss.SignedReference
	if signErr == nil && !out.PMode.Unsigned && !out.Split {
		var err error
		if signed, err = wss.References(draft(out), out.Contents, out.PMode.suites()[0]); err != nil {
			signErr = err
		}
	}
	o.settle(out, []*ebms.Signal{sig.Signal}, signed, signErr)
	return o
}
