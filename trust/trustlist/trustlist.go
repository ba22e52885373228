// Package trustlist reads, checks, fetches and writes trusted lists: ETSI TS 119 612 v2.1.1 (version 5 of the format) and
// v2.4.1 (version 6), and tells by ETSI TS 119 615 whether a certificate, a time-stamp or a signature is qualified.
//
// A list says which services of which providers are trusted, for what, and since when. The list of lists says where the lists
// of countries are and who signs them. A list counts only when its signature is by one of the certificates that its pointer
// names; there is no chain and no other way into the [Set].
//
// Lists of other schemes, as the pilots had them for their directories, have the same form and are read as data.
package trustlist

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces [TS 119 612 5.2.1].
const (
	Namespace           = "http://uri.etsi.org/02231/v2#"
	namespaceAdditional = "http://uri.etsi.org/02231/v2/additionaltypes#"
	namespaceQualifier  = "http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#"
	tag                 = "http://uri.etsi.org/19612/TSLTag"
)

// Types of lists [TS 119 612 5.3.3].
const (
	TypeGeneric     = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUgeneric"
	TypeListOfLists = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUlistofthelists"
)

// MimeType is that of a list in XML, where its pointer tells it from the same list for people.
const MimeType = "application/vnd.etsi.tsl+xml"

// Types of services that are asked for here [TS 119 612 5.5.1]; there are more, all of them URIs.
const (
	// ServiceRoot is what they begin with.
	ServiceRoot = "http://uri.etsi.org/TrstSvc/Svctype/"
	ServiceCA   = ServiceRoot + "CA/QC"
	ServiceTSA  = ServiceRoot + "TSA/QTST"
)

// Roots under which status, qualifiers and the purposes of services stand [TS 119 612 5.5.4, 5.5.9].
const (
	StatusRoot    = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
	ExtensionRoot = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
	statusGranted = StatusRoot + "granted"
)

// Errors that say why a list does not count. Errors that match none of these come from the XML or the network beneath.
var (
	ErrFormat    = errors.New("trustlist: no trusted list of a known form")
	ErrSignature = errors.New("trustlist: the signature does not hold")
	ErrSigner    = errors.New("trustlist: signed by somebody who may not")
	ErrDowngrade = errors.New("trustlist: older than the list that is known")
	ErrTerritory = errors.New("trustlist: list of another territory")
	ErrType      = errors.New("trustlist: list of another type")
	ErrExpired   = errors.New("trustlist: past its next update")
	ErrMissing   = errors.New("trustlist: no good copy of the list")
	ErrAnnounced = errors.New("trustlist: its signers were announced anew")
)

// Text is a text in a language, "en" and the like.
type Text struct{ Language, Value string }

// Texts are one text in several languages.
type Texts []Text

// In returns the text in a language, else in English, else the first.
func (t Texts) In(language string) string {
	for _, l := range []string{language, "en"} {
		for _, x := range t {
			if strings.EqualFold(x.Language, l) {
				return x.Value
			}
		}
	}
	if len(t) > 0 {
		return t[0].Value
	}
	return ""
}

// Address is where somebody is, on paper and on line.
type Address struct {
	Postal     []PostalAddress
	Electronic Texts // URIs: mailto, https
}

// PostalAddress is one in a language.
type PostalAddress struct {
	Language, Street, Locality, State, PostalCode, Country string // Country: ISO 3166-1, two letters
}

// List is a trusted list [TS 119 612 5].
type List struct {
	ID                  string // of the document element
	Version             int    // of the format: 5 or 6; lists of the pilots have 1 to 4
	Sequence            uint64
	Type                string
	Operator, Name      Texts
	Address             Address
	Information         Texts // URIs. In a list of lists: the announcement of its signers, and its pivots, newest first
	StatusDetermination string
	Rules               Texts // URIs of schemes
	Territory           string
	Legal               Texts
	LegalPolicies       Texts // URIs instead of the text
	HistoryDays         int
	Pointers            []Pointer
	Issued              time.Time
	Next                time.Time // zero: the list is closed [TS 119 612 5.3.15]
	DistributionPoints  []string
	Providers           []*Provider

	// Flaws are what is not as the standard has it and does not keep the list from being read.
	Flaws []error
}

// Pointer says where another list is and who signs it [TS 119 612 5.3.13].
type Pointer struct {
	Signers   []Identity
	Location  string
	Type      string
	Operator  Texts
	Rules     Texts
	Territory string
	MimeType  string
	Agreement Agreement // with another country, whose list it is; nil: none
}

// Certificates are those of the signers.
func (p *Pointer) Certificates() (out []*pki.Certificate) {
	for i := range p.Signers {
		out = append(out, p.Signers[i].Certificates...)
	}
	return out
}

// Identity is the digital identity of a service [TS 119 612 5.5.3].
type Identity struct {
	Certificates []*pki.Certificate
	Subject      string // of a period of the past, as text
	SKI          []byte
	Other        []string // what else names it, as text
}

// Provider is a trust service provider [TS 119 612 5.4].
type Provider struct {
	Names, TradeNames Texts
	Address           Address
	Information       Texts // URIs
	Services          []*Service

	List *List
}

// Service is one trust service with its history [TS 119 612 5.5, 5.6].
type Service struct {
	Provider *Provider
	Periods  []Period // newest first; the first is the current one
	Supply   []SupplyPoint
	Policies Texts // URIs of the scheme's and the provider's definition
}

// SupplyPoint is where a service is reached; Type is told in version 6 alone.
type SupplyPoint struct{ URI, Type string }

// Period is the time for which a service had a status.
type Period struct {
	Type   string
	Names  Texts
	Status string
	From   time.Time
	Until  time.Time // zero: it lasts
	Identity

	Additional     []string // URIs of additionalServiceInformation
	Qualifications []Qualification
	ExpiredCerts   time.Time // revocation data tells of certificates that expired after this; zero: not said
	TakenOver      string    // who took the service over
	Critical       []string  // names of critical extensions that are not known

	// Foreign: it stands in the list of another country as it is there, and counts for nothing. Equivalence: it is what such a
	// period is recognised as.
	Foreign     bool
	Equivalence *Equivalence
}

// covers tells whether a period holds at a time.
func (p *Period) covers(at time.Time) bool {
	return !at.Before(p.From) && (p.Until.IsZero() || at.Before(p.Until))
}

// Current is the newest period.
func (s *Service) Current() *Period { return &s.Periods[0] }

// At returns the period of a time, nil where there was none.
func (s *Service) At(at time.Time) *Period {
	for i := range s.Periods {
		if s.Periods[i].covers(at) {
			return &s.Periods[i]
		}
	}
	return nil
}

// Qualification says what holds of those certificates of a service that meet all criteria [TS 119 612 5.5.9.2].
type Qualification struct {
	Qualifiers []string // URIs
	Criteria   Criteria
}

// Criteria choose certificates.
type Criteria struct {
	Assert      string     // "all", "atLeastOne" or "none"
	KeyUsage    []KeyUsage // each a set of bits
	Policies    [][]pki.OID
	ExtKeyUsage [][]pki.OID
	Attributes  [][]pki.OID // that the subject has
	Statements  [][]QCStatement
	Lists       []Criteria
	Unknown     bool // there are criteria of another kind, and they are never met
}

// KeyUsage is a set of bits that must be as given.
type KeyUsage struct{ Mask, Value pki.KeyUsage }

// Match tells whether a certificate meets the criteria.
func (c *Criteria) Match(cert *pki.Certificate) bool {
	met, all := 0, 0
	count := func(ok bool) {
		all++
		if ok {
			met++
		}
	}
	for _, k := range c.KeyUsage {
		count(cert.KeyUsage&k.Mask == k.Value)
	}
	has := func(want, have []pki.OID) bool {
		return !slices.ContainsFunc(want, func(o pki.OID) bool { return !slices.Contains(have, o) })
	}
	for _, p := range c.Policies {
		count(has(p, cert.Policies))
	}
	for _, u := range c.ExtKeyUsage {
		count(has(u, cert.ExtKeyUsage))
	}
	for _, a := range c.Attributes {
		count(!slices.ContainsFunc(a, func(o pki.OID) bool { return cert.Subject.Get(o) == "" }))
	}
	for _, set := range c.Statements {
		q, _ := cert.QCStatements() // what cannot be read was not said
		count(!slices.ContainsFunc(set, func(s QCStatement) bool { return !s.in(&q) }))
	}
	for i := range c.Lists {
		count(c.Lists[i].Match(cert))
	}
	if c.Unknown {
		count(false)
	}
	switch c.Assert {
	case "all":
		return met == all
	case "atLeastOne":
		return met > 0
	case "none":
		return met == 0 && !c.Unknown
	}
	return false
}

// Qualifiers are the URIs that hold for a certificate.
func (p *Period) Qualifiers(cert *pki.Certificate) (out []string) {
	for i := range p.Qualifications {
		if q := &p.Qualifications[i]; q.Criteria.Match(cert) {
			for _, u := range q.Qualifiers {
				if !slices.Contains(out, u) {
					out = append(out, u)
				}
			}
		}
	}
	return out
}

// Identifies tells whether a certificate is an identity of the service: the same certificate, or one of the same name and
// key [TS 119 612 5.5.3].
func (s *Service) Identifies(cert *pki.Certificate) bool {
	for i := range s.Periods {
		for _, c := range s.Periods[i].Certificates {
			if c.Equal(cert) || bytes.Equal(c.RawSPKI, cert.RawSPKI) && c.Subject.Equal(cert.Subject) {
				return true
			}
		}
	}
	return false
}

// Expired tells whether a newer list is overdue. A closed list never expires.
func (l *List) Expired(at time.Time) bool { return !l.Next.IsZero() && at.After(l.Next) }

// ListOfLists tells whether the list is one of lists.
func (l *List) ListOfLists() bool { return l.Type == TypeListOfLists }

// Services are those of all providers.
func (l *List) Services() (out []*Service) {
	for _, p := range l.Providers {
		out = append(out, p.Services...)
	}
	return out
}

// limits of a list: the largest have 6 MB and 300,000 nodes.
var limits = dom.Limits{Bytes: 32 << 20, Depth: 64, Nodes: 2_000_000, Attributes: 500_000}
