package stork_test

import (
	"bytes"
	"crypto"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/eid/stork"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var now = time.Date(2015, 2, 11, 10, 17, 24, 0, time.UTC)

func identity(t testing.TB, name string) *pki.Identity {
	t.Helper()
	ca, err := pki.NewAuthority(nil, "C=PT,CN="+name, pki.P256, now.Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	return &ca.Identity
}

func yes() *bool { v := true; return &v }
func no() *bool  { v := false; return &v }

func question() *stork.Request {
	return &stork.Request{ID: "_q", Issued: now, Issuer: "https://s-peps.example", Destination: "https://c-peps.example/ColleagueRequest", ACS: "https://s-peps.example/ColleagueResponse",
		ProviderName: "DEMO-SP", QAA: 3, SPSector: "EDU001", SPInstitution: "OXF001", SPApplication: "APP001", SPCountry: "EE", SectorShare: yes(), CrossSectorShare: no(), CrossBorderShare: yes(),
		PersonCountry: "PT", SPID: "DEMO-SP",
		Attributes: []stork.RequestedAttribute{{Name: stork.Base + "eIdentifier", Required: true}, {Name: stork.Base + "givenName", Required: true}, {Name: stork.Base + "dateOfBirth"},
			{Name: stork.Base + "isAgeOver", Values: []string{"16", "18", "65"}}, {Name: stork.Base + "canonicalResidenceAddress"}, {Name: stork.Base + "eMail"}}}
}

// signed puts a signature behind the issuer of a message.
func signed(t testing.TB, src []byte, signer *pki.Identity) []byte {
	t.Helper()
	doc, err := dom.Parse(src, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	sig, err := xmldsig.Sign(signer.Key.(crypto.Signer), []xmldsig.SignReference{{URI: "#" + root.Attr("ID"), Node: root,
		Transforms: []xmldsig.Transform{{Algorithm: xmldsig.Enveloped}, xmldsig.Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10, InclusivePrefixes: []string{"xs"}})}}},
		xmldsig.SignOptions{KeyInfo: xmldsig.X509Data(signer.Certificate)})
	if err != nil {
		t.Fatal(err)
	}
	issuer := root.Child(saml.NamespaceAssertion, "Issuer")
	at := issuer.Offset() + len(issuer.Raw())
	return slices.Concat(doc.Source()[:at], sig, doc.Source()[at:])
}

// TestARequestOfThePilots: a file of theirs, signed anew, for the print that survived was changed after signing.
func TestARequestOfThePilots(t *testing.T) {
	t.Parallel()
	signer := identity(t, "S-PEPS")
	doc, err := dom.Parse(corpus.Read(t, "eid", "stork/AuthnRequest.xml"), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	old := doc.Root().Child(xmldsig.Namespace, "Signature")
	src := slices.Concat(doc.Source()[:old.Offset()], doc.Source()[old.Offset()+len(old.Raw()):])
	r, err := stork.ParseRequest(signed(t, src, signer), []*pki.Certificate{signer.Certificate}, stork.Algorithms(false))
	if err != nil {
		t.Fatal(err)
	}
	if r.ProviderName != "DEMO-SP-CB" || r.QAA < 1 || r.Issuer != "http://S-PEPS.gov.xx" || r.ACS != "http://localhost:8080/SP/ReturnPage" || r.SPSector != "EDU001" || !*r.CrossBorderShare || len(r.Attributes) != 3 || !slices.Equal(r.Attributes[0].Values, []string{"16", "18"}) {
		t.Errorf("read as %+v", r)
	}
	for _, a := range r.Attributes {
		if !strings.HasPrefix(a.Name, stork.Base) {
			t.Errorf("attribute %s", a.Name)
		}
	}
	if _, err := stork.ParseRequest(corpus.Read(t, "eid", "stork/AuthnRequest.xml"), []*pki.Certificate{signer.Certificate}, stork.Algorithms(true)); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("as it is: %v", err)
	}
}

func TestRequestsComeAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	signer := identity(t, "S-PEPS")
	query := question()
	query.Query, query.ProviderName, query.SPInstitution, query.PersonCountry, query.SPID = true, "", "", "", ""
	least := &stork.Request{ID: "_q", Issued: now, Issuer: "x", ACS: "y", ProviderName: "z", QAA: 1, Attributes: []stork.RequestedAttribute{{Name: stork.Base + "pseudonym"}}}
	for name, want := range map[string]*stork.Request{"a request": question(), "a query": query, "the least": least} {
		b, err := want.Marshal(saml.Signing{Identity: signer})
		if err != nil {
			t.Fatal(err)
		}
		got, err := stork.ParseRequest(bytes.Clone(b), []*pki.Certificate{signer.Certificate}, stork.Algorithms(false))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(stork.Request{}, "Signer"), cmpopts.IgnoreFields(stork.RequestedAttribute{}, "Node", "Write")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if _, err := stork.ParseRequest(b, []*pki.Certificate{identity(t, "Stranger").Certificate}, stork.Algorithms(false)); !errors.Is(err, saml.ErrSignature) {
			t.Errorf("%s of a stranger: %v", name, err)
		}
	}
	for name, change := range map[string]func(r *stork.Request){
		"no quality":    func(r *stork.Request) { r.QAA = 0 },
		"quality 5":     func(r *stork.Request) { r.QAA = 5 },
		"no attributes": func(r *stork.Request) { r.Attributes = nil },
		"no name":       func(r *stork.Request) { r.ProviderName = "" },
	} {
		r := question()
		change(r)
		if _, err := r.Marshal(saml.Signing{Identity: signer}); !errors.Is(err, stork.ErrProfile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequestsThatAreRefused: changed before they were signed.
func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	signer := identity(t, "S-PEPS")
	for name, change := range map[string]func(r *stork.Request){
		"an unknown country":    func(r *stork.Request) { r.SPCountry = "Estonia" },
		"a long sector":         func(r *stork.Request) { r.SPSector = strings.Repeat("x", 21) },
		"a person of nowhere":   func(r *stork.Request) { r.PersonCountry = "portugal" },
		"a long name":           func(r *stork.Request) { r.ProviderName = strings.Repeat("x", 129) },
		"no address":            func(r *stork.Request) { r.ACS = "" },
		"an age of nobody":      func(r *stork.Request) { r.Attributes[3].Values = nil },
		"an attribute unnamed":  func(r *stork.Request) { r.Attributes[0].Name = "" },
		"a service of no name":  func(r *stork.Request) { r.SPID = strings.Repeat("x", 41) },
		"an application's tale": func(r *stork.Request) { r.SPApplication = strings.Repeat("x", 101) },
	} {
		r := question()
		change(r)
		b, err := r.Marshal(saml.Signing{Identity: signer})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stork.ParseRequest(b, []*pki.Certificate{signer.Certificate}, stork.Algorithms(false)); !errors.Is(err, stork.ErrProfile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func known() []stork.Attribute {
	text := func(name, v string) stork.Attribute {
		return stork.Attribute{Name: stork.Base + name, Status: stork.Available, Values: []stork.Value{{Text: v}}}
	}
	return []stork.Attribute{text("eIdentifier", "PT/EE/12345"), text("givenName", "Ana"), text("dateOfBirth", "19970211"), text("eMail", "no address"),
		{Name: stork.Base + "canonicalResidenceAddress", Status: stork.Available, Values: []stork.Value{{Elements: []stork.Element{{Name: "countryCodeAddress", Text: "PT"}, {Name: "town", Text: "Lisboa"},
			{Name: "postalCode", Text: "1100"}, {Name: "streetName", Text: "Rua <Áurea>"}}}}}}
}

// TestAnswers: what is asked for comes back, what follows from it too, what is wrong does not.
func TestAnswers(t *testing.T) {
	t.Parallel()
	signer, reader, source := identity(t, "C-PEPS"), identity(t, "S-PEPS"), identity(t, "Source")
	q := question()
	expected := func(q *stork.Request) stork.Expected {
		e := stork.Expected{Expected: saml.Expected{Issuer: "https://c-peps.example", RequestID: q.ID, ACS: q.ACS, Audience: q.Issuer, Now: now.Add(time.Minute)}, QAA: q.QAA}
		for _, a := range q.Attributes {
			if a.Required {
				e.Required = append(e.Required, a.Name)
			}
		}
		return e
	}
	o := saml.Opening{Certificates: []*pki.Certificate{signer.Certificate}, Keys: []pki.Key{reader.Key}, Algorithms: stork.Algorithms(false)}
	reply := &stork.Reply{To: q, Issuer: "https://c-peps.example", IDs: [2]string{"_r", "_a"}, Now: now, Address: "192.0.2.1", Attributes: stork.Derive(known(), q.Attributes, now)}
	for _, encrypt := range []*pki.Certificate{nil, reader.Certificate} {
		reply := *reply
		reply.Encrypt = encrypt
		b, err := reply.Marshal(saml.Signing{Identity: signer})
		if err != nil {
			t.Fatal(err)
		}
		a, err := stork.Open(b, o, expected(q))
		if err != nil {
			t.Fatal(err)
		}
		if stork.Get(a.Attributes, "eIdentifier") != "PT/EE/12345" || a.Address != "192.0.2.1" || len(a.Attributes) != len(q.Attributes) {
			t.Errorf("%+v", a)
		}
		by := map[string]stork.Attribute{}
		for _, x := range a.Attributes {
			by[strings.TrimPrefix(x.Name, stork.Base)] = x
		}
		if ages := by["isAgeOver"].Values; len(ages) != 2 || ages[1].Text != "18" { // eighteen today
			t.Errorf("ages %+v", ages)
		}
		if by["eMail"].Status != stork.NotAvailable || by["eMail"].Values != nil {
			t.Errorf("a wrong address comes out: %+v", by["eMail"])
		}
		if v := by["canonicalResidenceAddress"].Values; len(v) != 1 || v[0].Part("streetName") != "Rua <Áurea>" {
			t.Errorf("address %+v", v)
		}
	}

	lacking := *reply
	lacking.Attributes = lacking.Attributes[1:]
	if _, err := lacking.Marshal(saml.Signing{Identity: signer}); !errors.Is(err, stork.ErrProfile) {
		t.Errorf("without a required attribute: %v", err)
	}

	refusal := *reply
	refusal.Status = saml.Status{Code: saml.StatusRequester, SubCode: stork.StatusQAANotSupported, Message: "202004 - quality too high"}
	b, err := refusal.Marshal(saml.Signing{Identity: signer})
	if err != nil {
		t.Fatal(err)
	}
	a, err := stork.Open(b, o, expected(q))
	if err != nil || a.Code != "202004" || a.Status.SubCode != stork.StatusQAANotSupported || a.Attributes != nil {
		t.Errorf("a refusal: %+v %v", a, err)
	}

	low := *reply
	low.To = question()
	low.To.Attributes = append(low.To.Attributes, stork.RequestedAttribute{Name: stork.Base + "citizenQAALevel"})
	low.Attributes = append(known(), stork.Attribute{Name: stork.Base + "citizenQAALevel", Status: stork.Available, Values: []stork.Value{{Text: "2"}}})
	if b, err = low.Marshal(saml.Signing{Identity: signer}); err != nil {
		t.Fatal(err)
	}
	if _, err := stork.Open(b, o, expected(low.To)); !errors.Is(err, stork.ErrProfile) {
		t.Errorf("a lower quality: %v", err)
	}
	o.Certificates = []*pki.Certificate{source.Certificate}
	if b, err = reply.Marshal(saml.Signing{Identity: signer}); err != nil {
		t.Fatal(err)
	}
	if _, err := stork.Open(b, o, expected(q)); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("of a stranger: %v", err)
	}
}

// TestSources: what a source of attributes signed stands behind what the gateway says, and is believed by the source's key alone.
func TestSources(t *testing.T) {
	t.Parallel()
	gateway, source := identity(t, "C-PEPS"), identity(t, "University")
	q := question()
	write := func(issuer string, ids [2]string, s saml.Signing) []byte {
		t.Helper()
		b, err := (&stork.Reply{To: q, Issuer: issuer, IDs: ids, Now: now, Address: "192.0.2.1", Attributes: known()}).Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	element := func(b []byte) string {
		return string(b[bytes.Index(b, []byte("<saml2:Assertion ")):bytes.LastIndex(b, []byte("</saml2p:Response>"))])
	}
	diploma := string(signed(t, []byte(element(write("https://university.example", [2]string{"_x", "_diploma"}, saml.Signing{}))), source))
	open := func(diploma string, s func([]byte) []byte) (*stork.Answer, error) {
		b := bytes.Replace(write("https://c-peps.example", [2]string{"_r", "_a"}, saml.Signing{}), []byte("</saml2p:Response>"), []byte(diploma+"</saml2p:Response>"), 1)
		return stork.Open(s(b), saml.Opening{Certificates: []*pki.Certificate{gateway.Certificate}, Algorithms: stork.Algorithms(false)},
			stork.Expected{Expected: saml.Expected{Issuer: "https://c-peps.example", RequestID: q.ID, ACS: q.ACS, Audience: q.Issuer, Now: now}, QAA: q.QAA})
	}
	whole := func(b []byte) []byte { return signed(t, b, gateway) }
	a, err := open(diploma, whole)
	if err != nil || len(a.Sources) != 1 {
		t.Fatalf("%+v %v", a, err)
	}
	if by := a.Sources[0]; by.Signer != nil || by.Verify([]*pki.Certificate{gateway.Certificate}, stork.Algorithms(false)) == nil || by.Signer != nil {
		t.Errorf("believed without the source's key: %v", by.Signer)
	}
	if err := a.Sources[0].Verify([]*pki.Certificate{source.Certificate}, stork.Algorithms(false)); err != nil || a.Sources[0].Signer != source.Certificate {
		t.Errorf("the source's key: %v", err)
	}
	if a, err = open(strings.Replace(diploma, "Ana", "Eva", 1), whole); err != nil || a.Sources[0].Verify([]*pki.Certificate{source.Certificate}, stork.Algorithms(false)) == nil {
		t.Errorf("changed by the gateway: %v", err)
	}
	if _, err := open(diploma, func(b []byte) []byte { return b }); !errors.Is(err, saml.ErrSignature) {
		t.Errorf("in a response that nobody signed: %v", err)
	}
	if a, err = open(strings.Replace(element(write("https://university.example", [2]string{"_x", "_diploma"}, saml.Signing{})), "_diploma", "_bare", 1), whole); err != nil ||
		!errors.Is(a.Sources[0].Verify([]*pki.Certificate{source.Certificate}, stork.Algorithms(false)), saml.ErrSignature) {
		t.Errorf("without a signature: %v", err)
	}
}

func TestAges(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]int{"19970211": 18, "19970212": 17, "1997": 17, "199701": 18, "199702": 17, "20150211": 0} {
		if got, err := stork.Age(date, now); err != nil || got != want {
			t.Errorf("%s: %d %v", date, got, err)
		}
	}
	for _, bad := range []string{"", "19970231", "20150212", "97", "1997-02-11", "199713"} {
		if got, err := stork.Age(bad, now); err == nil {
			t.Errorf("%q: %d", bad, got)
		}
	}
}

// TestQualities: what STORK calls 2 to 4 is low to high, and 1 is below all.
func TestQualities(t *testing.T) {
	t.Parallel()
	for qaa := 2; qaa <= 4; qaa++ {
		if stork.QAA(stork.Level(qaa)) != qaa {
			t.Errorf("%d becomes %d", qaa, stork.QAA(stork.Level(qaa)))
		}
	}
	if stork.Level(1) != "" || stork.QAA("urn:x") != 1 || stork.QAA("") != 1 {
		t.Error("the lowest quality")
	}
}

func FuzzRequest(f *testing.F) {
	signer := identity(f, "S-PEPS")
	b, err := question().Marshal(saml.Signing{Identity: signer})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.ReplaceAll(b, []byte("AuthnRequest"), []byte("AttributeQuery")))
	certs := []*pki.Certificate{signer.Certificate}
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := stork.ParseRequest(bytes.Clone(src), certs, stork.Algorithms(false))
		if err == nil && r.ID != "_q" {
			t.Fatalf("a request that nobody signed: %+v", r)
		}
		stork.Open(src, saml.Opening{Certificates: certs}, stork.Expected{})
	})
}
