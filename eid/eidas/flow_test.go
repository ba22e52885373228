package eidas_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/eid/eidas"
	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// TestAcrossTheBorder: a person from Portugal is known in Estonia, whatever keys the two nodes have.
func TestAcrossTheBorder(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.P256, pki.P384, pki.RSA3072, pki.BrainpoolP256r1} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			x := connect(t, alg, nil)
			p, address, octets, err := x.connector.Ask(x.proxy.Self, question())
			if err != nil {
				t.Fatal(err)
			}
			if address != x.proxy.Endpoint || p.Country != "PT" || len(p.Required) != 4 {
				t.Errorf("to %s, %+v", address, p)
			}
			r, err := x.proxy.Read(octets)
			if err != nil {
				t.Fatal(err)
			}
			if r.From.Country != "EE" || r.SPType != eidas.Public || r.ProviderName != "Tax and Customs Board" || r.Level.Minimum != eidas.Substantial || r.NameFormat != "" || len(r.Attributes) != 4 {
				t.Errorf("read %+v", r)
			}
			answer, err := x.proxy.Respond(r, eidas.Answer{Level: eidas.High, Attributes: ana(), Address: "192.0.2.1"})
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(answer, []byte("Silva")) {
				t.Error("the name can be read on the way")
			}
			if id, err := eidas.InResponseTo(answer); err != nil || id != p.RequestID {
				t.Errorf("answers %s %v", id, err)
			}
			x.at = now.Add(time.Minute)
			person, err := x.connector.Open(answer, p)
			if err != nil {
				t.Fatal(err)
			}
			if person.Identifier != "PT/EE/12345" || person.Level != eidas.High || person.Country != "PT" || person.Address != "192.0.2.1" ||
				person.Attributes.Get(eidas.NamespaceNatural+"/CurrentFamilyName") != "Silva" || len(person.Attributes) != 4 {
				t.Errorf("known is %+v", person)
			}
		})
	}
}

// TestWhoRepresents: a company, and who acts for it, which nobody asked for.
func TestWhoRepresents(t *testing.T) {
	t.Parallel()
	x := connect(t, pki.P256, nil)
	q := question()
	q.Attributes = append(eidas.MinimumDataSet(eidas.NamespaceLegal), eidas.RequestedAttribute{Name: eidas.NamespaceLegal + "/LEI"})
	p, r := x.asked(t, q)
	const l, rn = eidas.NamespaceLegal + "/", eidas.NamespaceRepresentativeNatural + "/"
	company := said(l+"LegalPersonIdentifier", "500", l+"LegalName", "Padaria Lda", l+"VATRegistrationNumber", "PT500", rn+"PersonIdentifier", "ES/PT/7", rn+"CurrentFamilyName", "García", rn+"CurrentGivenName", "Eva")
	if _, err := x.proxy.Respond(r, eidas.Answer{Level: eidas.High, Attributes: company}); codeOf(err) != "203021" {
		t.Errorf("a representative without date of birth: %v", err)
	}
	company = append(company, said(rn+"DateOfBirth", "1970-01-01")...)
	answer, err := x.proxy.Respond(r, eidas.Answer{Level: eidas.High, Attributes: company})
	if err != nil {
		t.Fatal(err)
	}
	person, err := x.connector.Open(answer, p)
	if err != nil {
		t.Fatal(err)
	}
	if person.Identifier != "PT/EE/500" || person.Attributes.Get(rn+"PersonIdentifier") != "ES/PT/7" {
		t.Errorf("known is %+v", person)
	}
	if v := person.Attributes.Get(l + "VATRegistrationNumber"); v != "" {
		t.Errorf("nobody asked for the VAT number %s", v)
	}
}

// TestNamesInTheirOwnScript: the Latin one first [eIDAS-AP].
func TestNamesInTheirOwnScript(t *testing.T) {
	t.Parallel()
	x := connect(t, pki.P256, nil)
	p, r := x.asked(t, question())
	person := ana()
	person[1].Values = []eidas.Value{{Text: "Ωνάσης"}}
	if _, err := x.proxy.Respond(r, eidas.Answer{Level: eidas.High, Attributes: person}); codeOf(err) != "203008" {
		t.Errorf("Greek alone: %v", err)
	}
	person[1].Values = []eidas.Value{{Text: "Onasis", Original: "Ωνάσης"}}
	answer, err := x.proxy.Respond(r, eidas.Answer{Level: eidas.High, Attributes: person})
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.connector.Open(answer, p)
	if err != nil {
		t.Fatal(err)
	}
	if v := got.Attributes[1].Values; len(v) != 1 || v[0] != (eidas.Value{Text: "Onasis", Original: "Ωνάσης"}) {
		t.Errorf("%+v", v)
	}
}

// TestQuestionsThatAreNotAsked: what the other country cannot serve does not cross the border.
func TestQuestionsThatAreNotAsked(t *testing.T) {
	t.Parallel()
	const n = eidas.NamespaceNatural + "/"
	for _, tt := range []struct {
		name    string
		party   func(c, p *eidas.Description)
		change  func(q *eidas.Question)
		code    string
		dropped string
	}{
		{name: "a higher level than is published", party: func(_, p *eidas.Description) { p.Levels = []string{eidas.Low} }, code: "202015"},
		{name: "a lower level than is published", change: func(q *eidas.Question) { q.Level = eidas.AtLeast(eidas.Low) }},
		{name: "a level that was not notified", change: func(q *eidas.Question) { q.Level = eidas.Wanted{Exact: []string{"urn:x"}} }, code: "202015"},
		{name: "no kind of service", change: func(q *eidas.Question) { q.SPType = "" }, code: "202017"},
		{name: "another kind than the connector is for", party: func(c, _ *eidas.Description) { c.SPType = eidas.Private }, code: "202016"},
		{name: "a private service without name", party: func(_, p *eidas.Description) { p.RequesterID = true }, change: func(q *eidas.Question) { q.SPType = eidas.Private }, code: "200016"},
		{name: "a private service with a name", party: func(_, p *eidas.Description) { p.RequesterID = true }, change: func(q *eidas.Question) { q.SPType, q.RequesterID = eidas.Private, "urn:sp" }},
		{name: "half of a data set", change: func(q *eidas.Question) { q.Attributes = q.Attributes[:2] }, code: "203021"},
		{name: "no data set", change: func(q *eidas.Question) { q.Attributes = []eidas.RequestedAttribute{{Name: n + "Gender"}} }, code: "203021"},
		{name: "a mandatory attribute as an optional one", change: func(q *eidas.Question) { q.Attributes[0].Required = false }, code: "203021"},
		{name: "a required attribute that is not offered", party: func(_, p *eidas.Description) { p.Attributes = nil }, change: func(q *eidas.Question) {
			q.Attributes = append(q.Attributes, eidas.RequestedAttribute{Name: n + "Gender", Required: true})
		}, code: "203021"},
		{name: "an optional attribute that is not offered", party: func(_, p *eidas.Description) { p.Attributes = nil }, change: func(q *eidas.Question) {
			q.Attributes = append(q.Attributes, eidas.RequestedAttribute{Name: n + "Gender"})
		}, dropped: n + "Gender"},
		{name: "who represents", change: func(q *eidas.Question) {
			q.Attributes = append(q.Attributes, eidas.RequestedAttribute{Name: eidas.NamespaceRepresentativeNatural + "/PersonIdentifier"})
		}, code: "203024"},
		{name: "a name that goes on and on", change: func(q *eidas.Question) { q.ProviderName = strings.Repeat("ü", 129) }, code: "203007"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x, q := connect(t, pki.P256, tt.party), question()
			if tt.change != nil {
				tt.change(&q)
			}
			_, _, octets, err := x.connector.Ask(x.proxy.Self, q)
			if codeOf(err) != tt.code {
				t.Fatalf("got %v, want %s", err, tt.code)
			}
			if err != nil {
				return
			}
			if tt.dropped != "" && bytes.Contains(octets, []byte(tt.dropped)) {
				t.Errorf("%s is asked for", tt.dropped)
			}
			if _, err := x.proxy.Read(octets); err != nil {
				t.Errorf("the other side: %v", err)
			}
		})
	}
}

// TestAnswersThatLackSomething: the proxy service does not send them.
func TestAnswersThatLackSomething(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(a *eidas.Answer)
		code   string
	}{
		{"as it should be", func(*eidas.Answer) {}, ""},
		{"a lower level", func(a *eidas.Answer) { a.Level = eidas.Low }, "202019"},
		{"no level", func(a *eidas.Answer) { a.Level = "" }, "202019"},
		{"a level of its own", func(a *eidas.Answer) { a.Level = "http://eidas.europa.eu/LoA/highest" }, "202019"},
		{"no date of birth", func(a *eidas.Answer) { a.Attributes = a.Attributes[:3] }, "202010"},
		{"a date that is none", func(a *eidas.Answer) { a.Attributes[3].Values[0].Text = "1981-02-29" }, "203008"},
		{"an identifier with spaces", func(a *eidas.Answer) { a.Attributes[0].Values[0].Text = "1 2" }, "203008"},
		{"an empty name", func(a *eidas.Answer) { a.Attributes[1].Values[0].Text = "" }, "203008"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := connect(t, pki.P256, nil)
			_, r := x.asked(t, question())
			a := eidas.Answer{Level: eidas.Substantial, Attributes: ana()}
			tt.change(&a)
			if _, err := x.proxy.Respond(r, a); codeOf(err) != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
}

// TestRefusals: who may know why, is told.
func TestRefusals(t *testing.T) {
	t.Parallel()
	x := connect(t, pki.P256, nil)
	p, r := x.asked(t, question())
	answer, ok, err := x.proxy.Refuse(r, &eidas.Error{Code: "003002", Text: "the person could not be authenticated"})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	_, err = x.connector.Open(answer, p)
	var no *eidas.Refusal
	if !errors.As(err, &no) || no.Code != "003002" || no.Status.Code != saml.StatusResponder || no.SubCode != saml.StatusAuthnFailed || !strings.Contains(no.Message, "could not be") {
		t.Errorf("got %v", err)
	}
	if _, ok, _ := x.proxy.Refuse(r, &eidas.Error{Code: "200006"}); ok {
		t.Error("who asks twice gets an answer")
	}
	if _, ok, _ := x.proxy.Refuse(nil, &eidas.Error{Code: "003002"}); ok {
		t.Error("a stranger gets an answer")
	}
}
