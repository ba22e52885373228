package backoffice

import (
	"errors"
	"net/http"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	nsPlugin = "http://eu.domibus.wsplugin/"    // the current interface
	nsOld    = "http://org.ecodex.backend/1_1/" // the one before it
	nsPush   = "eu.domibus"                     // what the back office serves; no scheme, indeed
	nsXOP    = "http://www.w3.org/2004/08/xop/include"
	soapType = "application/soap+xml"
)

// fault is what a call is answered with when it cannot be done. Code is that of the detail.
type fault struct {
	Code    string
	Message string
	Reason  string         // of the SOAP fault; empty: Message
	SOAP    ebms.FaultCode // empty: Receiver, as these interfaces have it
	Err     error          // for our log
}

func (f *fault) Error() string { return "backoffice: " + f.Code + ": " + f.Message }
func (f *fault) Unwrap() error { return f.Err }

// Codes of the current interface. That of a payload has two forms: submitMessage says the second.
const (
	codeGeneric       = "WS_PLUGIN:0001"
	codeAuthorization = "WS_PLUGIN:0002"
	codePayloads      = "WS_PLUGIN_0005"
	codeInvalid       = "WS_PLUGIN:0007"
	codeConversion    = "WS_PLUGIN:0008"
	codeNotFound      = "WS_PLUGIN:0009"
	codeDuplicate     = "WS_PLUGIN:00010"
	codeOld           = "EBMS_0004" // every local fault of the old interface
)

func newFault(code, message string) *fault { return &fault{Code: code, Message: message} }

// faultOf turns any error into the fault that the caller sees. What is not the caller's business stays in the log.
func faultOf(err error) *fault {
	var f *fault
	var e *ebms.Error
	var soap *ebms.Fault
	var refused interface {
		error
		Refusal() (code, text string)
	}
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &soap):
		return &fault{Code: codeConversion, Message: soap.Reason, SOAP: soap.Code, Err: err}
	case errors.As(err, &e):
		return submission(string(e.Code), e.Detail, err)
	case errors.As(err, &refused):
		code, text := refused.Refusal()
		if !strings.HasPrefix(code, "EBMS:") {
			text, code = code+": "+text, string(ebms.Other)
		}
		return submission(code, text, err)
	case errors.Is(err, store.ErrDuplicate):
		return submission(string(ebms.Other), "a message with this id is stored already", err)
	case errors.Is(err, store.ErrGone):
		return &fault{Code: codeNotFound, Message: "the payloads of the message were deleted", Err: err}
	case errors.Is(err, store.ErrDiskFull):
		return &fault{Code: codeGeneric, Message: "no room left: nothing was stored, try again later", Err: err}
	case errors.Is(err, errTooLarge), errors.Is(err, errEnvelope), errors.Is(err, errBase64), errors.Is(err, ebms.ErrMIME), errors.Is(err, ebms.ErrTruncated), errors.Is(err, ebms.ErrTooLarge), errors.Is(err, ebms.ErrContentType):
		return &fault{Code: codeConversion, Message: err.Error(), SOAP: ebms.Sender, Err: err}
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return &fault{Code: codeConversion, Message: "the request is larger than this node takes", SOAP: ebms.Sender, Err: err}
	}
	return &fault{Code: codeGeneric, Message: "the call could not be done; the log says more", Err: err}
}

// submission is a refusal by the gateway itself.
func submission(code, text string, err error) *fault {
	return &fault{Code: code, Message: text, Reason: "Message submission failed", Err: err}
}

// write answers a fault in the namespace of the interface. HTTP says 500 whatever it is.
func (f *fault) write(w http.ResponseWriter, ns string) {
	code, soap := f.Code, f.SOAP
	if ns == nsOld && !strings.HasPrefix(code, "EBMS:") {
		code = codeOld
	}
	if soap == "" {
		soap = ebms.Receiver
	}
	reason := f.Reason
	if reason == "" {
		reason = f.Message
	}
	x := dom.NewWriter(make([]byte, 0, 1<<10))
	x.Start("S12:Envelope", "xmlns:S12", ebms.NSSOAP)
	x.Start("S12:Body")
	x.Start("S12:Fault")
	x.Start("S12:Code")
	x.Element("S12:Value", "S12:"+string(soap))
	x.End()
	x.Start("S12:Reason")
	x.Element("S12:Text", reason, "xml:lang", "en")
	x.End()
	x.Start("S12:Detail")
	x.Start("w:FaultDetail", "xmlns:w", ns)
	x.Element("code", code)
	x.Element("message", f.Message)
	x.End()
	x.End()
	x.End()
	x.End()
	x.End()
	w.Header().Set("Content-Type", soapType+"; charset=UTF-8")
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(x.Bytes())
}

// envelope finds what a request is made of.
func envelope(doc *dom.Document) (messaging, operation dom.Node, err error) {
	root := doc.Root()
	if !root.Is(ebms.NSSOAP, "Envelope") {
		return messaging, operation, &fault{Code: codeConversion, Message: "the request is no SOAP 1.2 envelope", SOAP: ebms.VersionMismatch}
	}
	for h := range root.Child(ebms.NSSOAP, "Header").Elements() {
		if h.Is(ebms.NS, "Messaging") {
			if messaging.Valid() {
				return messaging, operation, newFault(codeInvalid, "two header blocks Messaging")
			}
			messaging = h
			continue
		}
		if v, _ := h.AttrNS(ebms.NSSOAP, "mustUnderstand"); v == "1" || v == "true" {
			return messaging, operation, &fault{Code: codeConversion, Message: "the header block " + h.Local() + " must be understood and is not", SOAP: ebms.MustUnderstand}
		}
	}
	body := root.Child(ebms.NSSOAP, "Body")
	operation = body.FirstElement()
	if !operation.Valid() {
		return messaging, operation, &fault{Code: codeConversion, Message: "the Body of the request is empty", SOAP: ebms.Sender}
	}
	return messaging, operation, nil
}

// answer writes an envelope around what body writes.
func answer(w http.ResponseWriter, body func(x *dom.Writer)) error {
	x := dom.NewWriter(make([]byte, 0, 1<<10))
	x.Start("S12:Envelope", "xmlns:S12", ebms.NSSOAP)
	x.Start("S12:Body")
	body(x)
	x.End()
	x.End()
	w.Header().Set("Content-Type", soapType+"; charset=UTF-8")
	_, err := w.Write(x.Bytes())
	return err
}
