package trustlist

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Parse reads a list without looking at its signature: for lists that are shown, not trusted.
func Parse(b []byte) (*List, error) {
	doc, err := parseDocument(b)
	if err != nil {
		return nil, err
	}
	return read(doc.Root(), nil)
}

func parseDocument(b []byte) (*dom.Document, error) {
	// Some lists are served with white space before the declaration.
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	doc, err := dom.Parse(bytes.Clone(b), limits)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if root := doc.Root(); !root.Is(Namespace, "TrustServiceStatusList") {
		return nil, fmt.Errorf("%w: %w", ErrFormat, root.Errorf("no TrustServiceStatusList of %s", Namespace))
	}
	return doc, nil
}

// reader reads one list, and remembers what is wrong with it.
type reader struct {
	list  *List
	certs *pki.Parsed
}

func (r *reader) flaw(err error) {
	if len(r.list.Flaws) < 100 {
		r.list.Flaws = append(r.list.Flaws, err)
	}
}

func child(n dom.Node, local string) dom.Node {
	if !n.Valid() {
		return dom.Node{}
	}
	return n.Child(Namespace, local)
}

func text(n dom.Node, local string) string {
	if c := child(n, local); c.Valid() {
		return c.TrimmedText()
	}
	return ""
}

// children yields the elements of a name.
func children(n dom.Node, local string) func(func(dom.Node) bool) {
	return func(yield func(dom.Node) bool) {
		if !n.Valid() {
			return
		}
		for e := range n.Elements() {
			if e.Local() == local && !yield(e) {
				return
			}
		}
	}
}

func texts(n dom.Node) (out Texts) {
	if !n.Valid() {
		return nil
	}
	for e := range n.Elements() {
		lang, _ := e.AttrNS("http://www.w3.org/XML/1998/namespace", "lang")
		out = append(out, Text{lang, e.TrimmedText()})
	}
	return out
}

func (t Texts) values() (out []string) {
	for _, x := range t {
		out = append(out, x.Value)
	}
	return out
}

// moment reads xs:dateTime. Without a zone it means UTC [TS 119 612 5.1.4].
func (r *reader) moment(n dom.Node) time.Time {
	if !n.Valid() {
		return time.Time{}
	}
	s := n.TrimmedText()
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	r.flaw(n.Errorf("%q is no time [TS 119 612 5.1.4]", s))
	return time.Time{}
}

// read takes a list apart [TS 119 612 5.2].
func read(root dom.Node, certs *pki.Parsed) (*List, error) {
	s := child(root, "SchemeInformation")
	if !s.Valid() {
		return nil, fmt.Errorf("%w: %w", ErrFormat, root.Errorf("no SchemeInformation [TS 119 612 5.3]"))
	}
	r := &reader{list: &List{}, certs: certs}
	l := r.list
	l.ID = root.Attr("Id")
	var err error
	if l.Version, err = strconv.Atoi(text(s, "TSLVersionIdentifier")); err != nil {
		r.flaw(s.Errorf("no TSLVersionIdentifier [TS 119 612 5.3.1]"))
	} else if l.Version != 5 && l.Version != 6 {
		r.flaw(s.Errorf("version %d of the format, not 5 or 6 [TS 119 612 5.3.1]", l.Version))
	}
	if l.Sequence, err = strconv.ParseUint(text(s, "TSLSequenceNumber"), 10, 63); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, s.Errorf("no TSLSequenceNumber, or none that is a number [TS 119 612 5.3.2]"))
	}
	l.Type = text(s, "TSLType")
	l.Operator, l.Name = texts(child(s, "SchemeOperatorName")), texts(child(s, "SchemeName"))
	l.Address = address(child(s, "SchemeOperatorAddress"))
	l.Information = texts(child(s, "SchemeInformationURI"))
	l.StatusDetermination = text(s, "StatusDeterminationApproach")
	l.Rules = texts(child(s, "SchemeTypeCommunityRules"))
	l.Territory = text(s, "SchemeTerritory")
	for e := range elements(child(s, "PolicyOrLegalNotice")) {
		lang, _ := e.AttrNS("http://www.w3.org/XML/1998/namespace", "lang")
		if e.Local() == "TSLPolicy" {
			l.LegalPolicies = append(l.LegalPolicies, Text{lang, e.TrimmedText()})
		} else {
			l.Legal = append(l.Legal, Text{lang, e.TrimmedText()})
		}
	}
	l.HistoryDays, _ = strconv.Atoi(text(s, "HistoricalInformationPeriod"))
	for p := range children(child(s, "PointersToOtherTSL"), "OtherTSLPointer") {
		l.Pointers = append(l.Pointers, r.pointer(p))
	}
	if l.Issued = r.moment(child(s, "ListIssueDateTime")); l.Issued.IsZero() {
		return nil, fmt.Errorf("%w: %w", ErrFormat, s.Errorf("no ListIssueDateTime [TS 119 612 5.3.14]"))
	}
	next := child(s, "NextUpdate")
	if !next.Valid() {
		return nil, fmt.Errorf("%w: %w", ErrFormat, s.Errorf("no NextUpdate [TS 119 612 5.3.15]"))
	}
	if d := child(next, "dateTime"); d.Valid() {
		if l.Next = r.moment(d); l.Next.IsZero() { // read as none it would make the list one that never expires
			return nil, fmt.Errorf("%w: %w", ErrFormat, d.Errorf("NextUpdate is no time [TS 119 612 5.3.15]"))
		}
	}
	l.DistributionPoints = texts(child(s, "DistributionPoints")).values()
	for _, want := range []struct {
		there bool
		what  string
	}{
		{l.Type != "", "TSLType [TS 119 612 5.3.3]"}, {len(l.Operator) > 0, "SchemeOperatorName [TS 119 612 5.3.4]"},
		{child(s, "SchemeOperatorAddress").Valid(), "SchemeOperatorAddress [TS 119 612 5.3.5]"}, {l.Territory != "", "SchemeTerritory [TS 119 612 5.3.10]"},
	} {
		if !want.there {
			r.flaw(s.Errorf("no %s", want.what))
		}
	}
	for p := range children(child(root, "TrustServiceProviderList"), "TrustServiceProvider") {
		l.Providers = append(l.Providers, r.provider(p))
	}
	return l, nil
}

func elements(n dom.Node) func(func(dom.Node) bool) {
	if !n.Valid() {
		return func(func(dom.Node) bool) {}
	}
	return n.Elements()
}

func address(n dom.Node) (out Address) {
	for p := range children(child(n, "PostalAddresses"), "PostalAddress") {
		lang, _ := p.AttrNS("http://www.w3.org/XML/1998/namespace", "lang")
		out.Postal = append(out.Postal, PostalAddress{lang, text(p, "StreetAddress"), text(p, "Locality"), text(p, "StateOrProvince"), text(p, "PostalCode"), text(p, "CountryName")})
	}
	out.Electronic = texts(child(n, "ElectronicAddress"))
	return out
}

func (r *reader) pointer(n dom.Node) (p Pointer) {
	p.Location = text(n, "TSLLocation")
	for i := range children(child(n, "ServiceDigitalIdentities"), "ServiceDigitalIdentity") {
		p.Signers = append(p.Signers, r.identity(i))
	}
	for o := range children(child(n, "AdditionalInformation"), "OtherInformation") {
		for e := range o.Elements() {
			switch e.Local() {
			case "TSLType":
				p.Type = e.TrimmedText()
			case "SchemeTerritory":
				p.Territory = e.TrimmedText()
			case "MimeType":
				p.MimeType = e.TrimmedText()
			case "SchemeOperatorName":
				p.Operator = texts(e)
			case "SchemeTypeCommunityRules":
				p.Rules = texts(e)
			case "MutualRecognitionAgreementInformation":
				if e.Space() != namespaceAgreement {
					r.flaw(e.Errorf("an agreement in another form: it recognises nothing"))
				}
				p.Agreement = append(Agreement{}, r.agreement(e)...)
			}
		}
	}
	return p
}

func (r *reader) identity(n dom.Node) (out Identity) {
	for d := range children(n, "DigitalId") {
		for e := range d.Elements() {
			switch e.Local() {
			case "X509Certificate":
				der, err := decode(e)
				if err == nil {
					var c *pki.Certificate
					if c, err = r.certs.Certificate(der); err == nil {
						out.Certificates = append(out.Certificates, c)
						continue
					}
				}
				r.flaw(e.Errorf("%w [TS 119 612 5.5.3]", err))
			case "X509SubjectName":
				out.Subject = e.TrimmedText()
			case "X509SKI":
				ski, err := decode(e)
				if err != nil {
					r.flaw(e.Errorf("%w [TS 119 612 5.5.3]", err))
					continue
				}
				out.SKI = ski
			case "KeyValue", "Other":
				out.Other = append(out.Other, e.TrimmedText())
			}
		}
	}
	return out
}

func decode(n dom.Node) ([]byte, error) {
	s := n.Text()
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			b = append(b, c)
		}
	}
	k, err := base64.StdEncoding.Decode(b, b)
	return b[:k:k], err
}

func (r *reader) provider(n dom.Node) *Provider {
	p := &Provider{List: r.list}
	i := child(n, "TSPInformation")
	p.Names, p.TradeNames = texts(child(i, "TSPName")), texts(child(i, "TSPTradeName"))
	p.Address, p.Information = address(child(i, "TSPAddress")), texts(child(i, "TSPInformationURI"))
	for s := range children(child(n, "TSPServices"), "TSPService") {
		info := child(s, "ServiceInformation")
		if !info.Valid() {
			r.flaw(s.Errorf("no ServiceInformation [TS 119 612 5.5]"))
			continue
		}
		service := &Service{Provider: p, Periods: []Period{r.period(info)}}
		for x := range children(child(info, "ServiceSupplyPoints"), "ServiceSupplyPoint") {
			service.Supply = append(service.Supply, SupplyPoint{x.TrimmedText(), x.Attr("type")})
		}
		service.Policies = append(texts(child(info, "SchemeServiceDefinitionURI")), texts(child(info, "TSPServiceDefinitionURI"))...)
		for h := range children(child(s, "ServiceHistory"), "ServiceHistoryInstance") {
			service.Periods = append(service.Periods, r.period(h))
		}
		// Some lists have it in another order: what counts is when a status began [TS 119 612 5.6.5].
		past := service.Periods[1:]
		slices.SortStableFunc(past, func(a, b Period) int { return b.From.Compare(a.From) })
		for k := 1; k < len(service.Periods); k++ {
			service.Periods[k].Until = service.Periods[k-1].From
		}
		p.Services = append(p.Services, service)
	}
	return p
}

// period reads ServiceInformation or ServiceHistoryInstance.
func (r *reader) period(n dom.Node) Period {
	p := Period{
		Type: text(n, "ServiceTypeIdentifier"), Names: texts(child(n, "ServiceName")), Status: text(n, "ServiceStatus"),
		From: r.moment(child(n, "StatusStartingTime")), Identity: r.identity(child(n, "ServiceDigitalIdentity")),
	}
	if p.From.IsZero() { // read as of old it would make everything qualified
		r.flaw(n.Errorf("no StatusStartingTime: the status is taken to hold never [TS 119 612 5.5.5]"))
		p.From = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	for x := range children(child(n, "ServiceInformationExtensions"), "Extension") {
		known := false
		for e := range x.Elements() {
			switch {
			case e.Is(Namespace, "AdditionalServiceInformation"):
				p.Additional, known = append(p.Additional, text(e, "URI")), true
			case e.Is(Namespace, "ExpiredCertsRevocationInfo"):
				p.ExpiredCerts, known = r.moment(e), true
			case e.Is(namespaceQualifier, "Qualifications"):
				for q := range children(e, "QualificationElement") {
					p.Qualifications = append(p.Qualifications, r.qualification(q))
				}
				known = true
			case e.Local() == "TakenOverBy":
				for name := range children(e, "TSPName") {
					p.TakenOver = texts(name).In("en")
				}
				known = true
			}
		}
		if c := x.Attr("Critical"); !known && (c == "true" || c == "1") {
			name := "an extension without content"
			if e := x.FirstElement(); e.Valid() {
				name = e.Local()
			}
			p.Critical = append(p.Critical, name)
		}
	}
	return p
}

func (r *reader) qualification(n dom.Node) (q Qualification) {
	for x := range children(n.Child(namespaceQualifier, "Qualifiers"), "Qualifier") {
		q.Qualifiers = append(q.Qualifiers, strings.TrimSpace(x.Attr("uri")))
	}
	if c := n.Child(namespaceQualifier, "CriteriaList"); c.Valid() {
		q.Criteria = r.criteria(c)
	} else {
		r.flaw(n.Errorf("no CriteriaList: it is met by no certificate [TS 119 612 5.5.9.2]"))
	}
	return q
}

var usageBits = map[string]pki.KeyUsage{
	"digitalSignature": pki.UseDigitalSignature, "nonRepudiation": pki.UseContentCommitment, "keyEncipherment": pki.UseKeyEncipherment,
	"dataEncipherment": pki.UseDataEncipherment, "keyAgreement": pki.UseKeyAgreement, "keyCertSign": pki.UseCertSign, "crlSign": pki.UseCRLSign,
	"encipherOnly": pki.UseEncipherOnly, "decipherOnly": pki.UseDecipherOnly,
}

// UsageBit is the key usage of a name as criteria write it, "nonRepudiation" and the like.
func UsageBit(name string) (bit pki.KeyUsage, ok bool) {
	bit, ok = usageBits[name]
	return bit, ok
}

func (r *reader) criteria(n dom.Node) (c Criteria) {
	c.Assert = n.Attr("assert")
	if c.Assert == "" {
		c.Assert = "all"
	}
	for e := range n.Elements() {
		switch e.Local() {
		case "KeyUsage":
			var k KeyUsage
			for b := range children(e, "KeyUsageBit") {
				bit, ok := usageBits[b.Attr("name")]
				if !ok {
					r.flaw(b.Errorf("no key usage %q [TS 119 612 5.5.9.2.2.1]", b.Attr("name")))
					c.Unknown = true
				}
				k.Mask |= bit
				if v := b.TrimmedText(); v == "true" || v == "1" {
					k.Value |= bit
				}
			}
			c.KeyUsage = append(c.KeyUsage, k)
		case "PolicySet":
			c.Policies = append(c.Policies, r.oids(e, &c, "PolicyIdentifier"))
		case "CriteriaList":
			c.Lists = append(c.Lists, r.criteria(e))
		case "otherCriteriaList":
			for o := range e.Elements() {
				switch {
				case o.Is(namespaceAdditional, "ExtendedKeyUsage"):
					c.ExtKeyUsage = append(c.ExtKeyUsage, r.oids(o, &c, "KeyPurposeId"))
				case o.Is(namespaceAgreement, "QcStatementSet"):
					c.Statements = append(c.Statements, r.statements(o, &c))
				case o.Is(namespaceAdditional, "CertSubjectDNAttribute"):
					c.Attributes = append(c.Attributes, r.oids(o, &c, "AttributeOID"))
				default:
					r.flaw(o.Errorf("criterion of an unknown kind: it is met by no certificate"))
					c.Unknown = true
				}
			}
		case "Description":
		default:
			r.flaw(e.Errorf("criterion of an unknown kind: it is met by no certificate"))
			c.Unknown = true
		}
	}
	return c
}

func (r *reader) oids(n dom.Node, c *Criteria, local string) (out []pki.OID) {
	for e := range children(n, local) {
		for id := range children(e, "Identifier") {
			o, ok := pki.ParseOID(strings.TrimPrefix(strings.ToLower(id.TrimmedText()), "urn:oid:"))
			if !ok {
				r.flaw(id.Errorf("%q is no object identifier", id.TrimmedText()))
				c.Unknown = true
				continue
			}
			out = append(out, o)
		}
	}
	if len(out) == 0 { // an empty set would be met by everything
		c.Unknown = true
	}
	return out
}
