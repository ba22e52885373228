package ebms

import (
	"encoding/base64"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func (p *parser) signal(n dom.Node) (*Signal, *Error) {
	sig := &Signal{Node: n}
	s := p.children(n)
	e, err := s.one("MessageInfo")
	if err != nil {
		return nil, err
	}
	if sig.Timestamp, sig.MessageID, sig.RefToMessageID, err = p.messageInfo(e); err != nil {
		return nil, err
	}
	if e, err = s.optional("PullRequest"); err != nil {
		return nil, err
	}
	if e.Valid() {
		sig.PullRequest = &PullRequest{}
		if sig.PullRequest.MPC, err = p.attr(e, "mpc"); err != nil {
			return nil, err
		}
	}
	if e, err = s.optional("Receipt"); err != nil {
		return nil, err
	}
	if e.Valid() {
		if sig.Receipt, err = p.receipt(e); err != nil {
			return nil, err
		}
	}
	for {
		if e, err = s.optional("Error"); err != nil {
			return nil, err
		}
		if !e.Valid() {
			break
		}
		if len(sig.Errors) == maxErrors {
			return nil, fail(e, ValueInconsistent, "more than %d errors", maxErrors)
		}
		x, err := p.error(e, sig)
		if err != nil {
			return nil, err
		}
		sig.Errors = append(sig.Errors, x)
	}
	if err = s.rest(); err != nil {
		return nil, err
	}
	return sig, p.oneKind(sig)
}

// oneKind checks that the signal is a pull request, a receipt or a list of errors [ebMS3 5.2.3].
func (p *parser) oneKind(sig *Signal) *Error {
	kinds := 0
	for _, has := range [...]bool{sig.PullRequest != nil, sig.Receipt != nil, len(sig.Errors) != 0} {
		if has {
			kinds++
		}
	}
	switch {
	case kinds == 0:
		return fail(sig.Node, InvalidHeader, "neither PullRequest nor Receipt nor Error [ebMS3 5.2.3]")
	case kinds > 1:
		return fail(sig.Node, ValueInconsistent, "a signal of more than one kind [ebMS3 5.2.3]")
	case sig.Receipt != nil && sig.RefToMessageID == "":
		return fail(sig.Node, InvalidReceipt, "a receipt without RefToMessageId [ebMS3 5.2.3.3]")
	}
	return nil
}

func (p *parser) error(n dom.Node, sig *Signal) (*Error, *Error) {
	x := &Error{RefToMessageInError: trimXML(n.Attr("refToMessageInError"))}
	code, err := p.attr(n, "errorCode")
	if err != nil {
		return nil, err
	}
	if x.Code, err = p.code(n, code); err != nil {
		return nil, err
	}
	severity, err := p.attr(n, "severity")
	if err != nil {
		return nil, err
	}
	if x.Severity, err = p.severity(n, severity); err != nil {
		return nil, err
	}
	for _, a := range [...]struct {
		name string
		to   *string
	}{{"category", &x.Category}, {"origin", &x.Origin}, {"shortDescription", &x.ShortDescription}} {
		*a.to = clip(trimXML(n.Attr(a.name)))
	}
	s := p.children(n)
	e, err := s.optional("Description")
	if err != nil {
		return nil, err
	}
	if e.Valid() {
		x.Description = clip(e.TrimmedText())
		x.Lang, _ = e.AttrNS(nsXML, "lang")
	}
	if e, err = s.optional("ErrorDetail"); err != nil {
		return nil, err
	}
	if e.Valid() {
		x.Detail = clip(e.TrimmedText())
	}
	if err = s.end(); err != nil {
		return nil, err
	}
	if err = tooLong(n, x.RefToMessageInError); err != nil {
		return nil, err
	}
	if x.RefToMessageInError == "" && sig.RefToMessageID == "" {
		if !p.quirks.NoErrorRef {
			return nil, fail(n, ValueInconsistent, "an error that names no message [ebMS3 5.2.3.4]")
		}
		p.seen.NoErrorRef = true
	}
	return x, nil
}

func (p *parser) code(n dom.Node, s string) (Code, *Error) {
	if s == "" {
		return "", fail(n, InvalidHeader, "errorCode missing [ebMS3 6.2.4]")
	}
	if _, digit := digits(s); digit && len(s) == 4 {
		if !p.quirks.BareErrorCode {
			return "", fail(n, InvalidHeader, "errorCode %q without prefix [ebMS3 6.2.4]", s)
		}
		p.seen.BareErrorCode = true
		s = "EBMS:" + s
	}
	return Code(s), nil
}

// severity maps everything that is not plainly a warning to failure.
func (p *parser) severity(n dom.Node, s string) (Severity, *Error) {
	switch Severity(s) {
	case Failure, Warning:
		return Severity(s), nil
	}
	if !p.quirks.OtherSeverity {
		return "", fail(n, InvalidHeader, "severity %q is neither failure nor warning [ebMS3 6.2.5]", s)
	}
	p.seen.OtherSeverity = true
	if strings.EqualFold(s, string(Warning)) {
		return Warning, nil
	}
	return Failure, nil
}

func (p *parser) receipt(n dom.Node) (*Receipt, *Error) {
	r := &Receipt{Node: n}
	children := 0
	s := p.children(n)
	for {
		e, err := s.take()
		if err != nil {
			return nil, err
		}
		if !e.Valid() {
			break
		}
		if children++; children > 1 {
			if !p.quirks.ReceiptExtraChildren {
				return nil, fail(e, InvalidReceipt, "more than one child of Receipt")
			}
			if children > maxUnits {
				return nil, fail(e, InvalidReceipt, "more than %d children of Receipt", maxUnits)
			}
			p.seen.ReceiptExtraChildren = true
		}
		if err := p.receiptChild(r, e); err != nil {
			return nil, err
		}
	}
	if len(r.References) == 0 && r.UserMessage == nil {
		if !p.quirks.ReceiptNoReferences {
			return nil, fail(n, InvalidReceipt, "neither references nor a copy of the user message [AS4 5.1.8]")
		}
		p.seen.ReceiptNoReferences = true
	}
	return r, nil
}

func (p *parser) receiptChild(r *Receipt, e dom.Node) *Error {
	switch {
	case e.Is(NSSignals, "NonRepudiationInformation"):
		return p.nonRepudiation(r, e)
	case e.Is(NS, "UserMessage"):
		if !p.quirks.ReceiptCopy {
			return fail(e, InvalidReceipt, "not allowed by the schema")
		}
		p.seen.ReceiptCopy = true
		return p.copied(r, e)
	case e.Space() == NS:
		return fail(e, InvalidReceipt, "not expected here")
	}
	if um := wrapped(e); um.Valid() {
		if !p.quirks.ReceiptWrappedCopy {
			return fail(e, InvalidReceipt, "a wrapped user message [AS4 5.1.8]")
		}
		p.seen.ReceiptWrappedCopy = true
		return p.copied(r, um)
	}
	r.Children = append(r.Children, e.QName())
	return nil
}

// wrapped finds the user message below its wrapper: phase4's own element, or the envelope it stood in.
func wrapped(e dom.Node) dom.Node {
	switch {
	case e.Is(nsWrapper, "OriginalUserMessage"):
		return e.Child(NS, "UserMessage")
	case e.Is(NSSOAP, "Envelope"), e.Is(NSSOAP11, "Envelope"):
		return e.Child(e.Space(), "Header").Child(NS, "Messaging").Child(NS, "UserMessage")
	}
	return dom.Node{}
}

func (p *parser) copied(r *Receipt, e dom.Node) *Error {
	if r.UserMessage != nil {
		return fail(e, InvalidReceipt, "a second user message in Receipt")
	}
	um, err := p.userMessage(e)
	if err != nil {
		return InvalidReceipt.Wrap(err, err.Detail)
	}
	r.UserMessage = um
	return nil
}

func (p *parser) nonRepudiation(r *Receipt, n dom.Node) *Error {
	s := p.children(n)
	for {
		e, err := s.take()
		if err != nil || !e.Valid() {
			return err
		}
		if !e.Is(NSSignals, "MessagePartNRInformation") {
			return fail(e, InvalidReceipt, "MessagePartNRInformation expected [AS4 5.1.8]")
		}
		parts := p.children(e)
		for {
			e, err := parts.take()
			if err != nil {
				return err
			}
			if !e.Valid() {
				break
			}
			switch {
			case e.Is(NSSignature, "Reference"):
				if len(r.References) == maxReferences {
					return fail(e, InvalidReceipt, "more than %d references", maxReferences)
				}
				r.References = append(r.References, parseReference(e))
			case e.Is(NSSignals, "MessagePartIdentifier"):
				if !p.quirks.ReceiptPartIdentifiers {
					return fail(e, InvalidReceipt, "not allowed [AS4 5.1.8]")
				}
				p.seen.ReceiptPartIdentifiers = true
			case !p.quirks.ReceiptNoReferences:
				return fail(e, InvalidReceipt, "ds:Reference expected [AS4 5.1.8]")
			default:
				p.seen.ReceiptNoReferences = true
			}
		}
	}
}

// parseReference reads what a sender compares. A value that cannot be read stays empty and so equals nothing.
func parseReference(n dom.Node) NRReference {
	ref := NRReference{Node: n, URI: n.Attr("URI")}
	ref.DigestMethod = n.Child(NSSignature, "DigestMethod").Attr("Algorithm")
	if v := n.Child(NSSignature, "DigestValue"); v.Valid() {
		ref.Digest = decodeBase64(v.TrimmedText())
	}
	return ref
}

func decodeBase64(s string) []byte {
	if strings.ContainsAny(s, " \t\r\n") {
		s = strings.Join(strings.Fields(s), "")
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// clip cuts what a peer explains to a bearable length; explanations are never a reason to refuse.
func clip(s string) string { return clipTo(s, maxErrorText) }
