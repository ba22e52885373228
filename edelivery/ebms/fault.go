package ebms

import (
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// FaultCode is the local name of a SOAP 1.2 fault code [SOAP12 5.4.6].
type FaultCode string

const (
	VersionMismatch     FaultCode = "VersionMismatch"
	MustUnderstand      FaultCode = "MustUnderstand"
	DataEncodingUnknown FaultCode = "DataEncodingUnknown"
	Sender              FaultCode = "Sender"
	Receiver            FaultCode = "Receiver"
)

// QName is a qualified name.
type QName struct{ Space, Local string }

// Fault is a S12:Fault: one that was received, or one that is to be sent.
type Fault struct {
	Code          FaultCode // empty when a received fault has no code of the SOAP namespace
	Subcode       QName     // of a received fault
	Reason        string    // the first text, an English one preferred
	NotUnderstood []QName   // the header blocks that a MustUnderstand fault is about
	Node          dom.Node  // the S12:Fault that was read
	Err           error     // for our log only
}

func newFault(code FaultCode, n dom.Node, reason string) *Fault {
	return &Fault{Code: code, Reason: reason, Err: n.Errorf("%s", reason)}
}

func (f *Fault) Error() string {
	s := "ebms: SOAP fault " + string(f.Code)
	if f.Err != nil {
		return s + ": " + f.Err.Error()
	}
	return s + ": " + f.Reason
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Temporary reports whether the same message may succeed later: a receiver's fault says nothing against the message.
func (f *Fault) Temporary() bool { return f.Code == Receiver }

// parseFault reads what it can; a fault is never refused for its form.
func parseFault(n dom.Node) *Fault {
	f := &Fault{Node: n}
	code := n.Child(NSSOAP, "Code")
	if name := qname(code.Child(NSSOAP, "Value")); name.Space == NSSOAP {
		f.Code = FaultCode(clip(name.Local))
	}
	f.Subcode = qname(code.Child(NSSOAP, "Subcode").Child(NSSOAP, "Value"))
	for t := range n.Child(NSSOAP, "Reason").Elements() {
		if !t.Is(NSSOAP, "Text") {
			continue
		}
		lang, _ := t.AttrNS(nsXML, "lang")
		english := lang == "en" || strings.HasPrefix(lang, "en-")
		if f.Reason == "" || english {
			f.Reason = clip(t.TrimmedText())
		}
		if english {
			break
		}
	}
	return f
}

func qname(n dom.Node) QName {
	if !n.Valid() {
		return QName{}
	}
	prefix, local, ok := strings.Cut(n.TrimmedText(), ":")
	if !ok {
		prefix, local = "", prefix
	}
	space, _ := n.LookupNamespace(prefix)
	return QName{Space: space, Local: local}
}

// Append writes S12:Fault. The prefix S12 must be declared around it.
func (f *Fault) Append(w *dom.Writer) {
	code := f.Code
	if code == "" {
		code = Receiver
	}
	w.Start("S12:Fault")
	w.Start("S12:Code")
	w.Element("S12:Value", "S12:"+string(code))
	w.End()
	w.Start("S12:Reason")
	w.Element("S12:Text", token(f.Reason, maxDetail), "xml:lang", "en")
	w.End()
	w.End()
}

// WriteFault writes an envelope with f in its Body. A version mismatch says which version is meant, a must-understand
// fault names the blocks [SOAP12 5.4.7, 5.4.8].
func WriteFault(out io.Writer, f *Fault) error {
	w := dom.NewWriter(make([]byte, 0, 512))
	w.Start("S12:Envelope", "xmlns:S12", NSSOAP)
	switch {
	case f.Code == VersionMismatch:
		w.Start("S12:Header")
		w.Start("S12:Upgrade")
		w.Element("S12:SupportedEnvelope", "", "qname", "S12:Envelope")
		w.End()
		w.End()
	case len(f.NotUnderstood) != 0:
		w.Start("S12:Header")
		for _, n := range f.NotUnderstood {
			if n.Space == "" { // against SOAP, which wants header blocks in a namespace
				w.Element("S12:NotUnderstood", "", "qname", n.Local)
			} else {
				w.Element("S12:NotUnderstood", "", "xmlns:n", n.Space, "qname", "n:"+n.Local)
			}
		}
		w.End()
	}
	w.Start("S12:Body")
	f.Append(w)
	w.End()
	w.End()
	_, err := out.Write(w.Bytes())
	return err
}

// FaultFor returns the S12:Fault that may accompany an ebMS error of severity failure in the Body [ebMS3 6.6].
func FaultFor(e *Error) *Fault {
	return &Fault{Code: Receiver, Reason: "see the eb:Error in the header: " + string(e.Code), Err: e}
}
