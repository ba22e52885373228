package stork

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Answer is what a gateway says.
type Answer struct {
	ID, Issuer string
	Status     saml.Status
	Code       string // of the error, at the begin of the message of the status; "" where there is none
	Attributes []Attribute
	Address    string // of the person's browser

	// Sources are further assertions, as attribute providers signed them: evidence beside what the gateway says, each to be
	// checked by [saml.Assertion.Verify] before it is believed.
	Sources []*saml.Assertion
}

// Expected is what an answer is held against.
type Expected struct {
	saml.Expected
	QAA      int      // that was asked for; the answer may say what was reached
	Required []string // full names of attributes that have to be there
}

// Open reads the answer to a request.
func Open(octets []byte, o saml.Opening, e Expected) (*Answer, error) {
	o.Clear, o.Others = true, true // most gateways do not encrypt
	r, err := saml.ParseResponse(octets, o)
	if err != nil {
		return nil, err
	}
	if r.Signer == nil {
		return nil, fmt.Errorf("%w: the response is not signed", saml.ErrSignature)
	}
	a := &Answer{ID: r.ID, Issuer: r.Issuer, Status: r.Status}
	if !r.Status.Success() { // with an assertion that names nobody
		if err := r.Check(e.Expected); err != nil {
			return nil, err
		}
		a.Code = r.Status.LeadingCode()
		return a, nil
	}
	if len(r.Assertions) > 1 {
		a.Sources = r.Assertions[1:]
		r.Assertions = r.Assertions[:1]
	}
	if err := r.Check(e.Expected); err != nil {
		return nil, err
	}
	own := r.Assertions[0]
	switch {
	case own.NameID == nil || own.NameID.Format != saml.FormatUnspecified && own.NameID.Format != "urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified":
		return nil, fmt.Errorf("%w: the name of the subject has another format than unspecified", ErrProfile)
	case !own.OneTimeUse:
		return nil, fmt.Errorf("%w: the assertion is not for one use", ErrProfile)
	case own.SubjectLocality == "":
		return nil, fmt.Errorf("%w: the address of the person is missing", ErrProfile)
	}
	a.Address = own.SubjectLocality
	for _, in := range own.Attributes {
		attr, err := readAttribute(in)
		if err != nil {
			return nil, err
		}
		a.Attributes = append(a.Attributes, attr)
	}
	if v := Get(a.Attributes, "citizenQAALevel"); v != "" {
		if reached, err := strconv.Atoi(v); err != nil || reached < e.QAA {
			return nil, fmt.Errorf("%w: reached is quality %s, asked was %d", ErrProfile, v, e.QAA)
		}
	}
	for _, name := range e.Required {
		if !slices.ContainsFunc(a.Attributes, func(x Attribute) bool { return x.Name == name && x.Status == Available }) {
			return nil, fmt.Errorf("%w: %s is missing", ErrProfile, strings.TrimPrefix(name, Base))
		}
	}
	return a, nil
}

// Reply is what it takes to answer a request.
type Reply struct {
	To         *Request
	Issuer     string
	IDs        [2]string // of response and assertion
	Now        time.Time
	Address    string // of the person's browser
	Attributes []Attribute
	Status     saml.Status // the zero value: success
	Encrypt    *pki.Certificate
}

// Marshal writes the answer, signed.
func (p *Reply) Marshal(s saml.Signing) ([]byte, error) {
	const lifetime = 5 * time.Minute
	status := p.Status
	if status.Code == "" {
		status = saml.Status{Code: saml.StatusSuccess, Message: saml.StatusSuccess}
	}
	r := &saml.Response{Header: saml.Header{ID: p.IDs[0], IssueInstant: p.Now, Destination: p.To.ACS, Consent: saml.ConsentObtained, Issuer: p.Issuer}, InResponseTo: p.To.ID, Status: status}
	a := &saml.Assertion{
		ID: p.IDs[1], IssueInstant: p.Now, Issuer: p.Issuer,
		NameID:        &saml.NameID{Value: saml.FormatUnspecified, Format: saml.FormatUnspecified, NameQualifier: p.Issuer},
		Confirmations: []saml.Confirmation{{Method: saml.ConfirmationBearer, NotOnOrAfter: p.Now.Add(lifetime), Recipient: p.To.ACS, InResponseTo: p.To.ID, Address: p.Address}},
		NotBefore:     p.Now, NotOnOrAfter: p.Now.Add(lifetime), Audiences: [][]string{{p.To.Issuer}}, OneTimeUse: true,
		AuthnInstant: p.Now, SubjectLocality: p.Address, ContextDecl: true, Prefixes: map[string]string{NamespaceAssertion: "stork"},
	}
	if status.Success() {
		for _, x := range p.To.Attributes {
			i := slices.IndexFunc(p.Attributes, func(y Attribute) bool { return y.Name == x.Name })
			out := Attribute{Name: x.Name, Status: NotAvailable}
			if i >= 0 {
				out = p.Attributes[i]
			}
			if err := out.Check(p.Now); err != nil { // a wrong value is none, unless it is needed
				out = Attribute{Name: x.Name, Status: NotAvailable}
			}
			if x.Required && out.Status == NotAvailable {
				return nil, fmt.Errorf("%w: 202010 %s is required", ErrProfile, strings.TrimPrefix(x.Name, Base))
			}
			a.Attributes = append(a.Attributes, out.write())
		}
	}
	r.Assertions = []*saml.Assertion{a}
	return r.Marshal(saml.Sealing{Signing: s, Encrypt: p.Encrypt})
}
