package trustlist

import (
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespace and words of agreements of mutual recognition, as the Commission's schema for lists of lists has them [TS 119 615 4.2].
const (
	namespaceAgreement = "http://ec.europa.eu/tools/lotl/mra/schema/v2#"
	agreementWords     = "http://ec.europa.eu/tools/lotl/mra/"
)

// Agreement says which trust services of the list of another country are recognised as which of ours. A list of lists has it with its
// pointer to that list.
type Agreement []Equivalence

// Equivalence is the recognition of one kind of services for a time.
type Equivalence struct {
	Name         string // of the kind of services in law: "QCForESig" and the like
	Ours, Theirs []ServiceKind
	Enacted      bool
	From, Until  time.Time         // Until zero: it lasts
	Statuses     map[string]string // ours by theirs
	Qualifiers   map[string]string // ours by theirs
	Contents     []ContentEquivalence
}

// ServiceKind is a type of services; Additional is what additionalServiceInformation must say, "" for anything.
type ServiceKind struct{ Type, Additional string }

// ContentEquivalence is the recognition of what certificates say, by the word for what that is: "QcCompliance", "QcType", "QcQSCD".
type ContentEquivalence struct {
	Context string
	Theirs  Criteria
}

// QCStatement is what a certificate must say; Type and Legislation are those of the statements that have them, "" for any.
type QCStatement struct {
	ID, Type    pki.OID
	Legislation string
}

// in tells whether a certificate says it.
func (s QCStatement) in(q *pki.QCStatements) bool {
	switch s.ID {
	case "0.4.0.1862.1.1":
		return q.Compliance
	case "0.4.0.1862.1.4":
		return q.SSCD
	case "0.4.0.1862.1.6":
		return s.Type == "" && len(q.Types) > 0 || slices.Contains(q.Types, s.Type)
	case "0.4.0.1862.1.7":
		return slices.ContainsFunc(q.Legislation, func(l string) bool { return s.Legislation == "" || strings.EqualFold(l, s.Legislation) })
	}
	return false
}

// Claims is what a certificate of a recognised service says, in the words of the law here. What is not recognised was not said.
func (e *Equivalence) Claims(c *pki.Certificate) pki.QCStatements {
	q, _ := c.QCStatements() // what cannot be read was not said
	for i := range e.Contents {
		met := e.Contents[i].Theirs.Match(c)
		switch e.Contents[i].Context {
		case "QcCompliance":
			if q.Compliance = met; met {
				q.Legislation = nil
			}
		case "QcType":
			if !met {
				q.Types = nil
			}
		case "QcQSCD":
			q.SSCD = met
		}
	}
	return q
}

// translate tells which of ours a period of theirs is, while both last.
func (e *Equivalence) translate(p *Period) (out Period, ok bool) {
	theirs := slices.ContainsFunc(e.Theirs, func(k ServiceKind) bool {
		return k.Type == p.Type && (k.Additional == "" || slices.Contains(p.Additional, k.Additional))
	})
	status, known := e.Statuses[p.Status]
	if !e.Enacted || !theirs || !known || len(e.Ours) == 0 {
		return out, false
	}
	out = *p
	out.Equivalence, out.Status, out.Type, out.Additional, out.Qualifications = e, status, e.Ours[0].Type, nil, nil
	for _, k := range e.Ours {
		if k.Additional != "" {
			out.Additional = append(out.Additional, k.Additional)
		}
	}
	for _, q := range p.Qualifications {
		one := Qualification{Criteria: q.Criteria}
		for _, u := range q.Qualifiers {
			if ours, ok := e.Qualifiers[u]; ok {
				one.Qualifiers = append(one.Qualifiers, ours)
			}
		}
		out.Qualifications = append(out.Qualifications, one)
	}
	if e.From.After(out.From) {
		out.From = e.From
	}
	if !e.Until.IsZero() && (out.Until.IsZero() || e.Until.Before(out.Until)) {
		out.Until = e.Until
	}
	return out, out.Until.IsZero() || out.From.Before(out.Until)
}

// apply returns the list of another country with what its services are recognised as behind what they are there. What the list itself
// says makes nothing an anchor or qualified.
func (a Agreement) apply(c *Checked) *Checked {
	out := *c
	l := *c.List
	out.List = &l
	l.Providers = nil
	for _, p := range c.Providers {
		provider := *p
		provider.List, provider.Services = &l, nil
		for _, s := range p.Services {
			service := *s
			service.Provider, service.Periods = &provider, slices.Clone(s.Periods)
			for i := range s.Periods {
				service.Periods[i].Foreign = true
				for k := range a {
					if t, ok := a[k].translate(&s.Periods[i]); ok {
						service.Periods = append(service.Periods, t)
					}
				}
			}
			provider.Services = append(provider.Services, &service)
		}
		l.Providers = append(l.Providers, &provider)
	}
	return &out
}

// agreement reads MutualRecognitionAgreementInformation.
func (r *reader) agreement(n dom.Node) (out Agreement) {
	for info := range of(n, "TrustServiceEquivalenceInformation") {
		name := info.Child(namespaceAgreement, "TrustServiceLegalIdentifier").TrimmedText()
		now := r.equivalence(info, name)
		all := Agreement{now}
		for history := range of(info, "TrustServiceEquivalenceHistory") {
			for past := range of(history, "TrustServiceEquivalenceHistoryInstance") {
				all = append(all, r.equivalence(past, name))
			}
		}
		slices.SortStableFunc(all, func(a, b Equivalence) int { return b.From.Compare(a.From) })
		for i := 1; i < len(all); i++ {
			all[i].Until = all[i-1].From
		}
		out = append(out, all...)
	}
	return out
}

// of goes through the children of a name in the namespace of agreements.
func of(n dom.Node, local string) func(yield func(dom.Node) bool) {
	return func(yield func(dom.Node) bool) {
		for e := range n.Elements() {
			if e.Is(namespaceAgreement, local) && !yield(e) {
				return
			}
		}
	}
}

func (r *reader) equivalence(n dom.Node, name string) Equivalence {
	part := func(n dom.Node, names ...string) dom.Node {
		for _, local := range names {
			n = n.Child(namespaceAgreement, local)
		}
		return n
	}
	kinds := func(n dom.Node) (out []ServiceKind) {
		for k := range of(n, "TrustServiceTSLType") {
			out = append(out, ServiceKind{text(k, "ServiceTypeIdentifier"), text(child(k, "AdditionalServiceInformation"), "URI")})
		}
		return out
	}
	types := part(n, "TrustServiceTSLTypeEquivalenceList")
	e := Equivalence{
		Name: name, Ours: kinds(part(types, "TrustServiceTSLTypeListPointingParty")), Theirs: kinds(part(types, "TrustServiceTSLTypeListPointedParty")),
		Enacted: part(n, "TrustServiceEquivalenceStatus").TrimmedText() == agreementWords+"enacted",
		From:    r.moment(part(n, "TrustServiceEquivalenceStatusStartingTime")), Statuses: map[string]string{}, Qualifiers: map[string]string{},
	}
	if e.From.IsZero() {
		r.flaw(n.Errorf("an equivalence that does not say since when it holds: it never does"))
		e.Enacted = false
	}
	for _, local := range []string{"TrustServiceTSLStatusInvalidEquivalence", "TrustServiceTSLStatusValidEquivalence"} {
		pair := part(n, "TrustServiceTSLStatusEquivalenceList", local)
		ours := text(part(pair, "TrustServiceTSLStatusListPointingParty"), "ServiceStatus")
		for theirs := range children(part(pair, "TrustServiceTSLStatusListPointedParty"), "ServiceStatus") {
			e.Statuses[theirs.TrimmedText()] = ours
		}
	}
	for list := range of(part(n, "TrustServiceTSLQualificationExtensionEquivalenceList"), "QualifierEquivalenceList") {
		for q := range of(list, "QualifierEquivalence") {
			e.Qualifiers[strings.TrimSpace(part(q, "QualifierPointedParty").Attr("uri"))] = strings.TrimSpace(part(q, "QualifierPointingParty").Attr("uri"))
		}
	}
	for c := range of(part(n, "CertificateContentReferencesEquivalenceList"), "CertificateContentReferenceEquivalence") {
		context := strings.TrimPrefix(part(c, "CertificateContentReferenceEquivalenceContext").TrimmedText(), agreementWords)
		e.Contents = append(e.Contents, ContentEquivalence{context, r.criteria(part(c, "CertificateContentDeclarationPointedParty"))})
	}
	return e
}

// statements reads a QcStatementSet.
func (r *reader) statements(n dom.Node, c *Criteria) (out []QCStatement) {
	id := func(n dom.Node) pki.OID {
		for x := range n.Elements() {
			if x.Local() != "Identifier" {
				continue
			}
			if o, ok := pki.ParseOID(strings.TrimPrefix(strings.ToLower(x.TrimmedText()), "urn:oid:")); ok {
				return o
			}
		}
		r.flaw(n.Errorf("no object identifier"))
		c.Unknown = true
		return ""
	}
	for s := range of(n, "QcStatement") {
		one := QCStatement{ID: id(s.Child(namespaceAgreement, "QcStatementId"))}
		info := s.Child(namespaceAgreement, "QcStatementInfo")
		if t := info.Child(namespaceAgreement, "QcType"); t.Valid() {
			one.Type = id(t)
		}
		one.Legislation = info.Child(namespaceAgreement, "QcCClegislation").TrimmedText()
		out = append(out, one)
	}
	if len(out) == 0 {
		c.Unknown = true
	}
	return out
}
