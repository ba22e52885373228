package validation

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces of the validation service of the Interoperability Test Bed.
const (
	nsService = "http://www.gitb.com/vs/v1/"
	nsCore    = "http://www.gitb.com/core/v1/"
	nsSOAP11  = "http://schemas.xmlsoap.org/soap/envelope/"
	nsWSDL    = "http://schemas.xmlsoap.org/wsdl/"
	nsXSD     = "http://www.w3.org/2001/XMLSchema"
)

// The inputs of the service.
const (
	inputXML  = "xml"  // the document
	inputPack = "pack" // names of rule packs, with blanks or commas between
)

// GITB is a validation service of the test bed [GITB]: getModuleDefinition and validate over SOAP 1.1, and its contract
// at ?wsdl. The input xml is the document, in the message itself; pack may name rule packs. Addresses are not followed:
// nothing is fetched.
func (s *Service) GITB() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && strings.EqualFold(r.URL.RawQuery, "wsdl"):
			s.contract(w, r)
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", "POST")
			refuse(w, http.StatusMethodNotAllowed, "Method "+r.Method+" not supported")
		default:
			s.soap(w, r)
		}
	})
}

func (s *Service) soap(w http.ResponseWriter, r *http.Request) {
	// A document may be in it in base64, and in an envelope.
	most := s.opt.MaxDocument/2*3 + 1<<20
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		soapFault(w, "Client", "the request cannot be read: "+err.Error())
		return
	}
	doc, err := dom.Parse(b, dom.Limits{Bytes: int(most)})
	if err != nil {
		soapFault(w, "Client", err.Error())
		return
	}
	root := doc.Root()
	if !root.Is(nsSOAP11, "Envelope") {
		soapFault(w, "VersionMismatch", "the request is no envelope of SOAP 1.1")
		return
	}
	for h := range root.Child(nsSOAP11, "Header").Elements() {
		if v, _ := h.AttrNS(nsSOAP11, "mustUnderstand"); v == "1" && h.Space() != "http://www.w3.org/2005/08/addressing" {
			soapFault(w, "MustUnderstand", "the header block "+h.Local()+" is not understood")
			return
		}
	}
	switch op := root.Child(nsSOAP11, "Body").FirstElement(); {
	case op.Is(nsService, "GetModuleDefinitionRequest"):
		soapAnswer(w, func(x *dom.Writer) { s.module(x) })
	case op.Is(nsService, "ValidateRequest"):
		s.validate(w, r, op)
	default:
		soapFault(w, "Client", "the body holds no operation of this service")
	}
}

// module describes the service.
func (s *Service) module(x *dom.Writer) {
	x.Start("vs:GetModuleDefinitionResponse", "xmlns:vs", nsService, "xmlns:gc", nsCore)
	x.Start("module", "id", report.Engine, "operation", "V", "isRemote", "true")
	x.Start("gc:metadata")
	x.Element("gc:name", report.Engine)
	x.Element("gc:version", s.opt.Version)
	x.Element("gc:description", "Business documents by XML Schema and Schematron. Packs: "+strings.Join(s.opt.Packs(), ", "))
	x.End()
	x.Start("gc:inputs")
	x.Element("gc:param", "", "name", inputXML, "use", "R", "kind", "BINARY", "type", "object", "desc", "The document.")
	x.Element("gc:param", "", "name", inputPack, "use", "O", "kind", "SIMPLE", "type", "string", "desc", "Names of rule packs, group:artifact:version, with blanks between. Default: those that are meant for the document.")
	x.End()
	x.End()
	x.End()
}

var errInput = errors.New("the input xml is missing")

// inputs reads the inputs of a request.
func inputs(op dom.Node) (document []byte, packs []string, err error) {
	for in := range op.Elements() {
		if in.Local() != "input" {
			continue
		}
		v, err := value(in)
		if err != nil {
			return nil, nil, err
		}
		switch in.Attr("name") {
		case inputXML, "contentToValidate":
			document = v
		case inputPack:
			packs = strings.FieldsFunc(string(v), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
		}
	}
	if document == nil {
		err = errInput
	}
	return document, packs, err
}

// value is what an input holds.
func value(in dom.Node) ([]byte, error) {
	v := in.Child(nsCore, "value")
	if !v.Valid() {
		v = in.Child("", "value")
	}
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
		return nil, in.Errorf("embedding method %s: nothing is fetched; send the value itself", method)
	}
}

func (s *Service) validate(w http.ResponseWriter, r *http.Request, op dom.Node) {
	document, packs, err := inputs(op)
	if err != nil {
		soapFault(w, "Client", err.Error())
		return
	}
	d, err := s.Judge(r.Context(), "document", bytes.NewReader(document), packs...)
	switch {
	case errors.Is(err, errEmpty), errors.Is(err, edocument.ErrSize):
		soapFault(w, "Client", err.Error())
		return
	case err != nil:
		soapFault(w, "Server", "the document could not be judged")
		return
	case errors.Is(d.Err, rulepack.ErrNotFound):
		soapFault(w, "Client", d.Err.Error())
		return
	}
	soapAnswer(w, func(x *dom.Writer) {
		x.Start("vs:ValidationResponse", "xmlns:vs", nsService, "xmlns:tr", report.GITBReportNamespace, "xmlns:xsi", nsXSD+"-instance")
		x.Start("report", "name", "Validation")
		report.TAR(x, d)
		x.End()
		x.End()
	})
}

func soapAnswer(w http.ResponseWriter, body func(x *dom.Writer)) {
	x := dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	x.Start("soap:Envelope", "xmlns:soap", nsSOAP11)
	x.Start("soap:Body")
	body(x)
	x.End()
	x.End()
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	w.Write(x.Bytes())
}

// soapFault answers what cannot be done. SOAP 1.1 wants the status 500 for all of them.
func soapFault(w http.ResponseWriter, code, text string) {
	x := dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	x.Start("soap:Envelope", "xmlns:soap", nsSOAP11)
	x.Start("soap:Body")
	x.Start("soap:Fault")
	x.Element("faultcode", "soap:"+code)
	x.Element("faultstring", text)
	x.End()
	x.End()
	x.End()
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(x.Bytes())
}

// contract writes the WSDL. Its schemas are those of the test bed, which its clients have.
func (s *Service) contract(w http.ResponseWriter, r *http.Request) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	operations := []struct{ name, in, out string }{
		{"getModuleDefinition", "GetModuleDefinitionRequest", "GetModuleDefinitionResponse"}, {"validate", "ValidateRequest", "ValidationResponse"},
	}
	x := dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	x.Start("wsdl:definitions", "xmlns:wsdl", nsWSDL, "xmlns:soap", nsWSDL+"soap/", "xmlns:tns", nsService, "xmlns:xs", nsXSD, "targetNamespace", nsService, "name", "ValidationService")
	x.Start("wsdl:types")
	serviceSchema(x)
	x.End()
	for _, o := range operations {
		for _, m := range [][2]string{{o.name, o.in}, {o.name + "Response", o.out}} {
			x.Start("wsdl:message", "name", m[0])
			x.Element("wsdl:part", "", "name", "parameters", "element", "tns:"+m[1])
			x.End()
		}
	}
	x.Start("wsdl:portType", "name", "ValidationService")
	for _, o := range operations {
		x.Start("wsdl:operation", "name", o.name)
		x.Element("wsdl:input", "", "message", "tns:"+o.name)
		x.Element("wsdl:output", "", "message", "tns:"+o.name+"Response")
		x.End()
	}
	x.End()
	x.Start("wsdl:binding", "name", "ValidationServicePortBinding", "type", "tns:ValidationService")
	x.Element("soap:binding", "", "style", "document", "transport", "http://schemas.xmlsoap.org/soap/http")
	for _, o := range operations {
		x.Start("wsdl:operation", "name", o.name)
		x.Element("soap:operation", "", "soapAction", "")
		for _, end := range []string{"wsdl:input", "wsdl:output"} {
			x.Start(end)
			x.Element("soap:body", "", "use", "literal")
			x.End()
		}
		x.End()
	}
	x.End()
	x.Start("wsdl:service", "name", "ValidationService")
	x.Start("wsdl:port", "name", "ValidationServicePort", "binding", "tns:ValidationServicePortBinding")
	x.Element("soap:address", "", "location", scheme+"://"+r.Host+r.URL.Path)
	x.End()
	x.End()
	x.End()
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	w.Write(x.Bytes())
}

// serviceSchema declares the four messages; what is in them is described by the schemas of the test bed.
func serviceSchema(x *dom.Writer) {
	x.Start("xs:schema", "targetNamespace", nsService)
	for _, name := range []string{"GetModuleDefinitionRequest", "GetModuleDefinitionResponse", "ValidateRequest", "ValidationResponse"} {
		x.Start("xs:element", "name", name)
		x.Start("xs:complexType")
		x.Start("xs:sequence")
		x.Element("xs:any", "", "minOccurs", "0", "maxOccurs", "unbounded", "processContents", "lax")
		x.End()
		x.End()
		x.End()
	}
	x.End()
}
