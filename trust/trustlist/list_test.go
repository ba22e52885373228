package trustlist

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

var now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// operator is who signs lists.
type operator struct {
	*pki.Identity
	ca *pki.Authority
}

func newOperator(tb testing.TB, country string) *operator {
	tb.Helper()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Scheme CA,O=Own test,C="+country, pki.P256, now.AddDate(-5, 0, 0), 20)
	if err != nil {
		tb.Fatal(err)
	}
	o := &operator{ca: ca}
	o.Identity = o.another(tb)
	return o
}

// another is a new certificate of the same operator.
func (o *operator) another(tb testing.TB) *pki.Identity {
	tb.Helper()
	id, err := o.ca.Issue(pki.Template{CommonName: "Scheme operator", Country: "EU", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0)})
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func sign(tb testing.TB, l *List, by *pki.Identity) []byte {
	tb.Helper()
	b, err := l.Sign(by.Key.(crypto.Signer), rand.Reader, by.Certificate, now)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func en(s string) Texts { return Texts{{"en", s}} }

var nowhere = Address{
	Postal:     []PostalAddress{{"en", "Long Street 1", "Tallinn", "", "10111", "EE"}},
	Electronic: Texts{{"en", "mailto:lists@scheme.example"}, {"en", "https://scheme.example/"}},
}

// list is a list with everything in it.
func list(territory string, services ...*Service) *List {
	p := &Provider{Names: en("Trust & Co"), TradeNames: en("VATEE-12345678"), Address: nowhere, Information: en("https://trust.example/"), Services: services}
	l := &List{
		Version: 6, Sequence: 7, Type: TypeGeneric, Operator: en("Authority of " + territory), Address: nowhere, Name: en(territory + ": trusted list of a test"),
		Information: en("https://scheme.example/" + territory), StatusDetermination: "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/EUappropriate",
		Rules: en("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/EUcommon"), Territory: territory, Legal: en("For tests."), HistoryDays: 65535,
		Issued: now.AddDate(0, 0, -1), Next: now.AddDate(0, 5, 0), DistributionPoints: []string{"https://scheme.example/tl-" + territory + ".xml"},
	}
	if len(services) > 0 {
		l.Providers = []*Provider{p}
	}
	return l
}

func service(kind string, c *pki.Certificate, additional ...string) *Service {
	s := &Service{Periods: []Period{{
		Type: kind, Names: en(c.Subject.CommonName()), Status: statusGranted, From: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), Identity: Identity{Certificates: []*pki.Certificate{c}},
	}}}
	for _, a := range additional {
		s.Periods[0].Additional = append(s.Periods[0].Additional, ExtensionRoot+a)
	}
	return s
}

// full is a service that uses every part of the format.
func full(c *pki.Certificate) *Service {
	s := service(ServiceCA, c, "ForeSignatures", "ForeSeals")
	p := &s.Periods[0]
	p.ExpiredCerts = time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	p.Qualifications = []Qualification{{
		Qualifiers: []string{ExtensionRoot + "QCWithQSCD", ExtensionRoot + "QCForESig"},
		Criteria: Criteria{
			Assert: "all", KeyUsage: []KeyUsage{{Mask: pki.UseContentCommitment | pki.UseDigitalSignature, Value: pki.UseContentCommitment}},
			Policies: [][]pki.OID{{"0.4.0.194112.1.2"}},
			Lists:    []Criteria{{Assert: "atLeastOne", Attributes: [][]pki.OID{{"2.5.4.6"}}, ExtKeyUsage: [][]pki.OID{{"1.3.6.1.5.5.7.3.36"}}}},
		},
	}}
	s.Supply = []SupplyPoint{{"https://trust.example/ocsp", "http://uri.etsi.org/TrstSvc/Svctype/Certstatus/OCSP/QC"}, {"https://trust.example/", ""}}
	s.Policies = en("https://trust.example/policy")
	s.Periods = append(s.Periods,
		Period{Type: ServiceCA, Names: p.Names, Status: StatusRoot + "undersupervision", From: time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC), Identity: p.Identity})
	return s
}

func authority(tb testing.TB, name string) *pki.Authority {
	tb.Helper()
	a, err := pki.NewAuthority(rand.Reader, fmt.Sprintf("CN=%s,O=Trust & Co,C=EE", name), pki.P256, now.AddDate(-5, 0, 0), 20)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}
