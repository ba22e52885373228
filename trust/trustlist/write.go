package trustlist

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Validate says what a list lacks to be written, all of it at once [TS 119 612 5.3, 5.4, 5.5, 5.6].
func (l *List) Validate() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("trustlist: "+format, args...))
		}
	}
	names := func(t Texts, what string) {
		need(len(t) > 0, "%s is missing", what)
		for _, x := range t {
			need(x.Language != "" && x.Value != "", "%s needs a language and a text", what)
		}
	}
	addressed := func(a Address, what string) {
		need(len(a.Postal) > 0 && len(a.Electronic) > 0, "%s needs a postal address and one on line, mailto: or https: [TS 119 612 5.3.5]", what)
		for _, p := range a.Postal {
			need(p.Street != "" && p.Locality != "" && p.Country != "", "%s needs street, locality and country [TS 119 612 5.3.5.1]", what)
		}
	}
	need(l.Version == 5 || l.Version == 6, "version %d of the format is not written, but 5 and 6 [TS 119 612 5.3.1]", l.Version)
	need(l.Sequence > 0, "the sequence number is missing [TS 119 612 5.3.2]")
	need(l.Type != "", "the type is missing [TS 119 612 5.3.3]")
	names(l.Operator, "the operator's name [TS 119 612 5.3.4]")
	addressed(l.Address, "the operator")
	names(l.Name, "the scheme's name [TS 119 612 5.3.6]")
	names(l.Information, "the scheme's information URI [TS 119 612 5.3.7]")
	need(l.StatusDetermination != "", "how the status is determined is missing [TS 119 612 5.3.8]")
	names(l.Rules, "the scheme's rules [TS 119 612 5.3.9]")
	need(l.Territory != "", "the territory is missing [TS 119 612 5.3.10]")
	need(len(l.Legal)+len(l.LegalPolicies) > 0, "the legal notice is missing [TS 119 612 5.3.11]")
	need(!l.Issued.IsZero(), "the time of issue is missing [TS 119 612 5.3.14]")
	need(l.Next.IsZero() || l.Next.After(l.Issued), "the next update is not after the issue [TS 119 612 5.3.15]")
	for i := range l.Pointers {
		p := &l.Pointers[i]
		need(p.Location != "", "pointer %d has no location [TS 119 612 5.3.13]", i+1)
		need(len(p.Certificates()) > 0, "the pointer to %s names no certificate of a signer [TS 119 612 5.3.13]", p.Location)
	}
	for _, p := range l.Providers {
		name := p.Names.In("en")
		names(p.Names, "a provider's name [TS 119 612 5.4.1]")
		addressed(p.Address, "provider "+name)
		names(p.Information, "provider "+name+": the information URI [TS 119 612 5.4.4]")
		need(len(p.Services) > 0, "provider %s has no service [TS 119 612 5.4.6]", name)
		for _, s := range p.Services {
			for i := range s.Periods {
				x := &s.Periods[i]
				what := fmt.Sprintf("service %s of %s", x.Names.In("en"), name)
				names(x.Names, "a service's name [TS 119 612 5.5.2]")
				need(x.Type != "" && x.Status != "" && !x.From.IsZero(), "%s needs a type, a status and since when it holds [TS 119 612 5.5]", what)
				need(i > 0 || len(x.Certificates) > 0 || len(x.Other) > 0, "%s has no identity [TS 119 612 5.5.3]", what)
				need(i == 0 || x.From.Before(s.Periods[i-1].From), "%s: its history is not newest first [TS 119 612 5.6]", what)
			}
		}
	}
	return errors.Join(errs...)
}

// Write writes a list that is not signed yet, in the schema's order. An instance of the history keeps name and key identifier
// of its certificate [TS 119 612 5.6.3].
func (l *List) Write() ([]byte, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	w := &writer{Writer: dom.NewWriter([]byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n"))}
	id := l.ID
	if id == "" {
		id = "TrustServiceStatusList"
	}
	w.Start("TrustServiceStatusList", "xmlns", Namespace, "xmlns:sie", namespaceQualifier, "xmlns:tslx", namespaceAdditional, "xmlns:xades", xades.Namespace, "Id", id, "TSLTag", tag)
	w.Start("SchemeInformation")
	w.Element("TSLVersionIdentifier", strconv.Itoa(l.Version))
	w.Element("TSLSequenceNumber", strconv.FormatUint(l.Sequence, 10))
	w.Element("TSLType", l.Type)
	w.texts("SchemeOperatorName", "Name", l.Operator)
	w.address("SchemeOperatorAddress", l.Address)
	w.texts("SchemeName", "Name", l.Name)
	w.texts("SchemeInformationURI", "URI", l.Information)
	w.Element("StatusDeterminationApproach", l.StatusDetermination)
	w.texts("SchemeTypeCommunityRules", "URI", l.Rules)
	w.Element("SchemeTerritory", l.Territory)
	if len(l.LegalPolicies) > 0 { // the schema has one kind or the other
		w.texts("PolicyOrLegalNotice", "TSLPolicy", l.LegalPolicies)
	} else {
		w.texts("PolicyOrLegalNotice", "TSLLegalNotice", l.Legal)
	}
	w.Element("HistoricalInformationPeriod", strconv.Itoa(l.HistoryDays))
	if len(l.Pointers) > 0 {
		w.Start("PointersToOtherTSL")
		for i := range l.Pointers {
			w.pointer(&l.Pointers[i])
		}
		w.End()
	}
	w.Element("ListIssueDateTime", moment(l.Issued))
	w.Start("NextUpdate")
	if !l.Next.IsZero() {
		w.Element("dateTime", moment(l.Next))
	}
	w.End()
	if len(l.DistributionPoints) > 0 {
		w.Start("DistributionPoints")
		for _, u := range l.DistributionPoints {
			w.Element("URI", u)
		}
		w.End()
	}
	w.End()
	if len(l.Providers) > 0 {
		w.Start("TrustServiceProviderList")
		for _, p := range l.Providers {
			w.provider(p)
		}
		w.End()
	}
	w.End()
	return w.Bytes(), nil
}

// Sign writes a list with its signature: enveloped, baseline level B, over the whole list [TS 119 612 5.7.1, annex B].
func (l *List) Sign(key crypto.Signer, random io.Reader, signer *pki.Certificate, at time.Time) ([]byte, error) {
	b, err := l.Write()
	if err != nil {
		return nil, err
	}
	b, err = xades.Sign(key, random, []xades.Document{xades.Bytes("", "text/xml", b)}, xades.Params{Packaging: xades.Enveloped, Alone: true, Signer: signer, Time: at})
	if err != nil {
		return nil, fmt.Errorf("trustlist: %w", err)
	}
	return b, nil
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

type writer struct{ *dom.Writer }

func (w *writer) texts(outer, inner string, t Texts) {
	if len(t) == 0 {
		return
	}
	w.Start(outer)
	for _, x := range t {
		w.Element(inner, x.Value, "xml:lang", x.Language)
	}
	w.End()
}

func (w *writer) address(outer string, a Address) {
	w.Start(outer)
	w.Start("PostalAddresses")
	for _, p := range a.Postal {
		w.Start("PostalAddress", "xml:lang", p.Language)
		w.Element("StreetAddress", p.Street)
		w.Element("Locality", p.Locality)
		if p.State != "" {
			w.Element("StateOrProvince", p.State)
		}
		if p.PostalCode != "" {
			w.Element("PostalCode", p.PostalCode)
		}
		w.Element("CountryName", p.Country)
		w.End()
	}
	w.End()
	w.texts("ElectronicAddress", "URI", a.Electronic)
	w.End()
}

func (w *writer) digital(local string, b []byte) {
	w.Start("DigitalId")
	w.Start(local)
	w.Base64(b)
	w.End()
	w.End()
}

func (w *writer) named(local, s string) {
	w.Start("DigitalId")
	w.Element(local, s)
	w.End()
}

// identity writes the identity of now, or that of the past, which has no certificate.
func (w *writer) identity(x *Identity, past bool) {
	w.Start("ServiceDigitalIdentity")
	subject, ski := x.Subject, x.SKI
	for _, c := range x.Certificates {
		if subject == "" {
			subject = c.Subject.String()
		}
		if ski == nil {
			ski = c.SubjectKeyID
		}
		if !past {
			w.digital("X509Certificate", c.Raw)
		}
	}
	if subject != "" {
		w.named("X509SubjectName", subject)
	}
	if ski != nil {
		w.digital("X509SKI", ski)
	}
	for _, o := range x.Other {
		w.named("Other", o)
	}
	w.End()
}

func (w *writer) pointer(p *Pointer) {
	w.Start("OtherTSLPointer")
	w.Start("ServiceDigitalIdentities")
	for i := range p.Signers {
		w.Start("ServiceDigitalIdentity")
		for _, c := range p.Signers[i].Certificates {
			w.digital("X509Certificate", c.Raw)
		}
		w.End()
	}
	w.End()
	w.Element("TSLLocation", p.Location)
	w.Start("AdditionalInformation")
	other := func(write func()) {
		w.Start("OtherInformation")
		write()
		w.End()
	}
	other(func() { w.Element("TSLType", p.Type) })
	other(func() { w.Element("SchemeTerritory", p.Territory) })
	mime := p.MimeType
	if mime == "" {
		mime = MimeType
	}
	other(func() { w.Element("tslx:MimeType", mime) })
	if len(p.Operator) > 0 {
		other(func() { w.texts("SchemeOperatorName", "Name", p.Operator) })
	}
	if len(p.Rules) > 0 {
		other(func() { w.texts("SchemeTypeCommunityRules", "URI", p.Rules) })
	}
	w.End()
	w.End()
}

func (w *writer) provider(p *Provider) {
	w.Start("TrustServiceProvider")
	w.Start("TSPInformation")
	w.texts("TSPName", "Name", p.Names)
	w.texts("TSPTradeName", "Name", p.TradeNames)
	w.address("TSPAddress", p.Address)
	w.texts("TSPInformationURI", "URI", p.Information)
	w.End()
	w.Start("TSPServices")
	for _, s := range p.Services {
		w.Start("TSPService")
		w.Start("ServiceInformation")
		w.period(&s.Periods[0], s, false)
		w.End()
		if len(s.Periods) > 1 {
			w.Start("ServiceHistory")
			for i := range s.Periods[1:] {
				w.Start("ServiceHistoryInstance")
				w.period(&s.Periods[i+1], s, true)
				w.End()
			}
			w.End()
		}
		w.End()
	}
	w.End()
	w.End()
}

func (w *writer) period(p *Period, s *Service, past bool) {
	w.Element("ServiceTypeIdentifier", p.Type)
	w.texts("ServiceName", "Name", p.Names)
	w.identity(&p.Identity, past)
	w.Element("ServiceStatus", p.Status)
	w.Element("StatusStartingTime", moment(p.From))
	if !past {
		if len(s.Supply) > 0 {
			w.Start("ServiceSupplyPoints")
			for _, x := range s.Supply {
				if x.Type != "" {
					w.Element("ServiceSupplyPoint", x.URI, "type", x.Type)
				} else {
					w.Element("ServiceSupplyPoint", x.URI)
				}
			}
			w.End()
		}
		w.texts("TSPServiceDefinitionURI", "URI", s.Policies)
	}
	if len(p.Additional)+len(p.Qualifications) == 0 && p.ExpiredCerts.IsZero() {
		return
	}
	w.Start("ServiceInformationExtensions")
	for _, u := range p.Additional {
		w.Start("Extension", "Critical", "true")
		w.Start("AdditionalServiceInformation")
		w.Element("URI", u, "xml:lang", "en")
		w.End()
		w.End()
	}
	if !p.ExpiredCerts.IsZero() {
		w.Start("Extension", "Critical", "false")
		w.Element("ExpiredCertsRevocationInfo", moment(p.ExpiredCerts))
		w.End()
	}
	if len(p.Qualifications) > 0 {
		w.Start("Extension", "Critical", "true")
		w.Start("sie:Qualifications")
		for i := range p.Qualifications {
			q := &p.Qualifications[i]
			w.Start("sie:QualificationElement")
			w.Start("sie:Qualifiers")
			for _, u := range q.Qualifiers {
				w.Element("sie:Qualifier", "", "uri", u)
			}
			w.End()
			w.criteria(&q.Criteria)
			w.End()
		}
		w.End()
		w.End()
	}
	w.End()
}

var usageNames = []string{
	"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "crlSign", "encipherOnly", "decipherOnly",
}

func (w *writer) criteria(c *Criteria) {
	w.Start("sie:CriteriaList", "assert", c.Assert)
	for _, k := range c.KeyUsage {
		w.Start("sie:KeyUsage")
		for _, name := range usageNames {
			if bit := usageBits[name]; k.Mask&bit != 0 {
				w.Element("sie:KeyUsageBit", strconv.FormatBool(k.Value&bit != 0), "name", name)
			}
		}
		w.End()
	}
	oids := func(outer, inner string, list []pki.OID) {
		w.Start(outer)
		for _, o := range list {
			w.Start(inner)
			w.Element("xades:Identifier", "urn:oid:"+string(o), "Qualifier", "OIDAsURN")
			w.End()
		}
		w.End()
	}
	for _, p := range c.Policies {
		oids("sie:PolicySet", "sie:PolicyIdentifier", p)
	}
	for i := range c.Lists {
		w.criteria(&c.Lists[i])
	}
	if len(c.ExtKeyUsage)+len(c.Attributes) > 0 {
		w.Start("sie:otherCriteriaList")
		for _, u := range c.ExtKeyUsage {
			oids("tslx:ExtendedKeyUsage", "tslx:KeyPurposeId", u)
		}
		for _, a := range c.Attributes {
			oids("tslx:CertSubjectDNAttribute", "tslx:AttributeOID", a)
		}
		w.End()
	}
	w.End()
}
