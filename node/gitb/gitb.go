// Package gitb is what the services of the Interoperability Test Bed share [GITB]: SOAP 1.1 in and out, their values, the
// report of a step and their contracts. What a service does is the matter of who uses it.
package gitb

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the test bed.
const (
	Core       = "http://www.gitb.com/core/v1/"
	Report     = "http://www.gitb.com/tr/v1/"
	Validation = "http://www.gitb.com/vs/v1/"
	Messaging  = "http://www.gitb.com/ms/v1/"
)

const (
	nsSOAP       = "http://schemas.xmlsoap.org/soap/envelope/"
	nsAddressing = "http://www.w3.org/2005/08/addressing"
	nsWSDL       = "http://schemas.xmlsoap.org/wsdl/"
	nsXSD        = "http://www.w3.org/2001/XMLSchema"
	nsXSI        = nsXSD + "-instance"
	declaration  = `<?xml version="1.0" encoding="UTF-8"?>`
	contentType  = "text/xml; charset=UTF-8"
)

// Fault is what a call is answered with when it cannot be done. Code is "Client", "Server", "VersionMismatch" or
// "MustUnderstand".
type Fault struct{ Code, Text string }

func (f *Fault) Error() string { return f.Text }

// Read gives the operation of a request of at most so many octets. Errors are *Fault.
func Read(w http.ResponseWriter, r *http.Request, most int64) (dom.Node, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		return dom.Node{}, &Fault{"Client", "the request cannot be read: " + err.Error()}
	}
	return operation(b, most)
}

func operation(envelope []byte, most int64) (dom.Node, error) {
	doc, err := dom.Parse(envelope, dom.Limits{Bytes: int(most)})
	if err != nil {
		return dom.Node{}, &Fault{"Client", err.Error()}
	}
	root := doc.Root()
	if !root.Is(nsSOAP, "Envelope") {
		return dom.Node{}, &Fault{"VersionMismatch", "the request is no envelope of SOAP 1.1"}
	}
	for h := range root.Child(nsSOAP, "Header").Elements() {
		if v, _ := h.AttrNS(nsSOAP, "mustUnderstand"); v == "1" && h.Space() != nsAddressing {
			return dom.Node{}, &Fault{"MustUnderstand", "the header block " + h.Local() + " is not understood"}
		}
	}
	return root.Child(nsSOAP, "Body").FirstElement(), nil
}

func envelope(body func(x *dom.Writer)) []byte {
	x := dom.NewWriter([]byte(declaration))
	x.Start("soap:Envelope", "xmlns:soap", nsSOAP)
	x.Start("soap:Body")
	body(x)
	x.End()
	x.End()
	return x.Bytes()
}

// Answer writes an envelope around what body writes.
func Answer(w http.ResponseWriter, body func(x *dom.Writer)) {
	w.Header().Set("Content-Type", contentType)
	w.Write(envelope(body))
}

// Refuse answers what cannot be done. SOAP 1.1 wants the status 500 for all of it.
func Refuse(w http.ResponseWriter, f *Fault) {
	b := envelope(func(x *dom.Writer) {
		x.Start("soap:Fault")
		x.Element("faultcode", "soap:"+f.Code)
		x.Element("faultstring", f.Text)
		x.End()
	})
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(b)
}

// Call posts what body writes to a service of the test bed. A fault is an error; what else is answered does not matter.
func Call(ctx context.Context, client *http.Client, address, action string, body func(x *dom.Writer)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(envelope(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("SOAPAction", `""`)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("gitb: %s: %w", action, err)
	}
	defer resp.Body.Close()
	const most = 1 << 20
	answer, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return fmt.Errorf("gitb: %s: %w", action, err)
	}
	if op, err := operation(answer, most); err == nil && op.Is(nsSOAP, "Fault") {
		return fmt.Errorf("gitb: %s refused: %.300s", action, op.Child("", "faultstring").Text())
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("gitb: %s: HTTP status %d", action, resp.StatusCode)
	}
	return nil
}

// child is the first child with this local name: of the schemas some qualify their elements and some do not.
func child(n dom.Node, local string) dom.Node {
	for c := range n.Elements() {
		if c.Local() == local {
			return c
		}
	}
	return dom.Node{}
}

// Value is what an element of the type AnyContent holds. Nothing is fetched.
func Value(in dom.Node) ([]byte, error) {
	v := child(in, "value")
	switch method := in.Attr("embeddingMethod"); method {
	case "STRING":
		return []byte(v.Text()), nil
	case "", "BASE64":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v.Text()), ""))
		if err != nil {
			return nil, in.Errorf("the value is no base64: %v", err)
		}
		return b, nil
	default:
		return nil, in.Errorf("embedding method %.40s: nothing is fetched; send the value itself", method)
	}
}

// Parameter is one that a service describes.
type Parameter struct {
	Name, Doc string
	Required  bool
	Type      string // "string", "object" ...; empty for those of a configuration
}

// Parameters writes a list of parameters; without any it writes nothing.
func Parameters(x *dom.Writer, list string, params []Parameter) {
	if len(params) == 0 {
		return
	}
	x.Start(list)
	for _, p := range params {
		use, kind := "O", "SIMPLE"
		if p.Required {
			use = "R"
		}
		if p.Type != "" && p.Type != "string" {
			kind = "BINARY"
		}
		attrs := []string{"name", p.Name, "use", use, "kind", kind, "desc", p.Doc}
		if p.Type != "" {
			attrs = append(attrs, "type", p.Type)
		}
		x.Element("gc:param", "", attrs...)
	}
	x.End()
}

// Results of a step.
const (
	Success   = "SUCCESS"
	Failure   = "FAILURE"
	Warning   = "WARNING"
	Undefined = "UNDEFINED"
)

// TAR is the report of a step.
type TAR struct {
	Name    string
	Date    time.Time
	Result  string
	Context []Item
	Error   Finding // of a step that failed
}

// Finding says what is wrong.
type Finding struct{ ID, Text string }

// Item is one value of a report: text, octets, or further items.
type Item struct {
	Name     string
	Text     string
	Octets   []byte
	MimeType string
	Items    []Item
}

// Step writes the report of a step as the element "report".
func Step(x *dom.Writer, t *TAR) {
	x.Start("report", "xmlns:tr", Report, "xmlns:gc", Core, "xmlns:xsi", nsXSI, "name", t.Name)
	x.Element("tr:date", t.Date.Format("2006-01-02T15:04:05.000Z07:00"))
	x.Element("tr:result", t.Result)
	errors := "0"
	if t.Error.Text != "" {
		errors = "1"
	}
	x.Start("tr:counters")
	x.Element("tr:nrOfAssertions", "1")
	x.Element("tr:nrOfErrors", errors)
	x.Element("tr:nrOfWarnings", "0")
	x.End()
	if len(t.Context) > 0 {
		writeItem(x, "tr:context", &Item{Items: t.Context})
	}
	if t.Error.Text != "" {
		x.Start("tr:reports")
		x.Start("tr:error", "xsi:type", "tr:BAR")
		if t.Error.ID != "" {
			x.Element("tr:assertionID", t.Error.ID)
		}
		x.Element("tr:description", t.Error.Text)
		x.End()
		x.End()
	}
	x.End()
}

func writeItem(x *dom.Writer, element string, i *Item) {
	var attrs []string
	if i.Name != "" {
		attrs = append(attrs, "name", i.Name)
	}
	if i.MimeType != "" {
		attrs = append(attrs, "mimeType", i.MimeType)
	}
	switch {
	case i.Items != nil:
		x.Start(element, append(attrs, "type", "map")...)
		for k := range i.Items {
			writeItem(x, "gc:item", &i.Items[k])
		}
	case i.Octets != nil:
		x.Start(element, append(attrs, "type", "object", "embeddingMethod", "BASE64")...)
		x.Start("gc:value")
		x.Base64(i.Octets)
		x.End()
	default:
		x.Start(element, append(attrs, "type", "string", "embeddingMethod", "STRING")...)
		x.Element("gc:value", i.Text)
	}
	x.End()
}

// Contract is that of a service.
type Contract struct {
	Namespace, Name string
	Operations      []Operation
}

// Operation is one call: its name, and the elements of request and answer.
type Operation struct{ Name, In, Out string }

// Serve answers a request for the contract. The schemas of what is in the messages are those of the test bed, which its
// clients have.
func (c *Contract) Serve(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	x := dom.NewWriter([]byte(declaration))
	x.Start("wsdl:definitions", "xmlns:wsdl", nsWSDL, "xmlns:soap", nsWSDL+"soap/", "xmlns:tns", c.Namespace, "xmlns:xs", nsXSD, "targetNamespace", c.Namespace, "name", c.Name)
	x.Start("wsdl:types")
	c.schema(x)
	x.End()
	for _, o := range c.Operations {
		for _, m := range [][2]string{{o.Name, o.In}, {o.Name + "Response", o.Out}} {
			x.Start("wsdl:message", "name", m[0])
			x.Element("wsdl:part", "", "name", "parameters", "element", "tns:"+m[1])
			x.End()
		}
	}
	x.Start("wsdl:portType", "name", c.Name)
	for _, o := range c.Operations {
		x.Start("wsdl:operation", "name", o.Name)
		x.Element("wsdl:input", "", "message", "tns:"+o.Name)
		x.Element("wsdl:output", "", "message", "tns:"+o.Name+"Response")
		x.End()
	}
	x.End()
	x.Start("wsdl:binding", "name", c.Name+"PortBinding", "type", "tns:"+c.Name)
	x.Element("soap:binding", "", "style", "document", "transport", "http://schemas.xmlsoap.org/soap/http")
	for _, o := range c.Operations {
		x.Start("wsdl:operation", "name", o.Name)
		x.Element("soap:operation", "", "soapAction", "")
		for _, end := range []string{"wsdl:input", "wsdl:output"} {
			x.Start(end)
			x.Element("soap:body", "", "use", "literal")
			x.End()
		}
		x.End()
	}
	x.End()
	x.Start("wsdl:service", "name", c.Name)
	x.Start("wsdl:port", "name", c.Name+"Port", "binding", "tns:"+c.Name+"PortBinding")
	x.Element("soap:address", "", "location", scheme+"://"+r.Host+r.URL.Path)
	x.End()
	x.End()
	x.End()
	w.Header().Set("Content-Type", contentType)
	w.Write(x.Bytes())
}

// schema declares the messages.
func (c *Contract) schema(x *dom.Writer) {
	x.Start("xs:schema", "targetNamespace", c.Namespace)
	for _, o := range c.Operations {
		for _, name := range []string{o.In, o.Out} {
			x.Start("xs:element", "name", name)
			x.Start("xs:complexType")
			x.Start("xs:sequence")
			x.Element("xs:any", "", "minOccurs", "0", "maxOccurs", "unbounded", "processContents", "lax")
			x.End()
			x.End()
			x.End()
		}
	}
	x.End()
}
