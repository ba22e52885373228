package validation

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/node/gitb"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// The inputs of the service.
const (
	inputXML  = "xml"  // the document
	inputPack = "pack" // names of rule packs, with blanks or commas between
)

var contract = gitb.Contract{Namespace: gitb.Validation, Name: "ValidationService", Operations: []gitb.Operation{
	{Name: "getModuleDefinition", In: "GetModuleDefinitionRequest", Out: "GetModuleDefinitionResponse"}, {Name: "validate", In: "ValidateRequest", Out: "ValidationResponse"},
}}

// GITB is a validation service of the test bed [GITB]: getModuleDefinition and validate over SOAP 1.1, and its contract
// at ?wsdl. The input xml is the document, in the message itself; pack may name rule packs. Addresses are not followed:
// nothing is fetched.
func (s *Service) GITB() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && strings.EqualFold(r.URL.RawQuery, "wsdl"):
			contract.Serve(w, r)
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
	op, err := gitb.Read(w, r, most)
	var f *gitb.Fault
	if errors.As(err, &f) {
		gitb.Refuse(w, f)
		return
	}
	switch {
	case op.Is(gitb.Validation, "GetModuleDefinitionRequest"):
		gitb.Answer(w, s.module)
	case op.Is(gitb.Validation, "ValidateRequest"):
		s.validate(w, r, op)
	default:
		gitb.Refuse(w, &gitb.Fault{Code: "Client", Text: "the body holds no operation of this service"})
	}
}

// module describes the service.
func (s *Service) module(x *dom.Writer) {
	x.Start("vs:GetModuleDefinitionResponse", "xmlns:vs", gitb.Validation, "xmlns:gc", gitb.Core)
	x.Start("module", "id", report.Engine, "operation", "V", "isRemote", "true")
	x.Start("gc:metadata")
	x.Element("gc:name", report.Engine)
	x.Element("gc:version", s.opt.Version)
	x.Element("gc:description", "Business documents by XML Schema and Schematron. Packs: "+strings.Join(s.opt.Packs(), ", "))
	x.End()
	gitb.Parameters(x, "gc:inputs", []gitb.Parameter{
		{Name: inputXML, Doc: "The document.", Required: true, Type: "object"},
		{Name: inputPack, Doc: "Names of rule packs, group:artifact:version, with blanks between. Default: those that are meant for the document.", Type: "string"},
	})
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
		v, err := gitb.Value(in)
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

func (s *Service) validate(w http.ResponseWriter, r *http.Request, op dom.Node) {
	document, packs, err := inputs(op)
	if err != nil {
		gitb.Refuse(w, &gitb.Fault{Code: "Client", Text: err.Error()})
		return
	}
	d, err := s.Judge(r.Context(), "document", bytes.NewReader(document), packs...)
	switch {
	case errors.Is(err, errEmpty), errors.Is(err, edocument.ErrSize):
		gitb.Refuse(w, &gitb.Fault{Code: "Client", Text: err.Error()})
		return
	case err != nil:
		gitb.Refuse(w, &gitb.Fault{Code: "Server", Text: "the document could not be judged"})
		return
	case errors.Is(d.Err, rulepack.ErrNotFound):
		gitb.Refuse(w, &gitb.Fault{Code: "Client", Text: d.Err.Error()})
		return
	}
	gitb.Answer(w, func(x *dom.Writer) {
		x.Start("vs:ValidationResponse", "xmlns:vs", gitb.Validation, "xmlns:tr", gitb.Report, "xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
		x.Start("report", "name", "Validation")
		report.TAR(x, d)
		x.End()
		x.End()
	})
}
