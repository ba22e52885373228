package gather

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// answerAbout is what a responder says of a certificate, now: x/crypto/ocsp writes the machine's time.
func answerAbout(t *testing.T, c, issuer *pki.Certificate, by *pki.Identity, now time.Time) []byte {
	t.Helper()
	x := func(c *pki.Certificate) *x509.Certificate {
		out, err := c.X509()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	der, err := ocsp.CreateResponse(x(issuer), x(by.Certificate), ocsp.Response{
		Status: ocsp.Good, SerialNumber: c.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.AddDate(0, 0, 1), Certificate: x(by.Certificate),
	}, by.Key.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// A responder that another authority certified counts where configuration, or a trusted list for certificates of the same provider,
// names it or that authority, and nowhere else [RFC 6960 4.2.2.2].
func TestRespondersOfAnotherAuthority(t *testing.T) {
	t.Parallel()
	now := time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	authority := func(name string) *pki.Authority {
		a, err := pki.NewAuthority(rand.Reader, name, pki.P256, now.AddDate(-5, 0, 0), 20)
		must(err)
		return a
	}
	issue := func(a *pki.Authority, name string, eku ...pki.OID) *pki.Identity {
		t := pki.Template{CommonName: name, ExtKeyUsage: eku, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
		if eku != nil {
			t.Extensions = []pki.Extension{{ID: oidNoCheck, Value: []byte{5, 0}}}
		}
		id, err := a.Issue(t)
		must(err)
		return id
	}
	ca, other, third := authority("CN=Issuing,C=EE"), authority("CN=Answering,C=EE"), authority("CN=Third,C=EE")
	signer := issue(ca, "Ada")
	signed, err := xades.Sign(signer.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<a/>"))}, xades.Params{Packaging: xades.Enveloped, Signer: signer.Certificate, Time: now})
	must(err)
	responder, plain := issue(other, "Responder", pki.EKUOCSPSigning), issue(other, "No responder")
	own, foreign := issue(ca, "Own responder", pki.EKUOCSPSigning), issue(third, "Third responder", pki.EKUOCSPSigning)
	bound := func(c *pki.Certificate, purposes ...pki.Purpose) []pki.Anchor {
		return []pki.Anchor{{Certificate: ca.Certificate, Purposes: []pki.Purpose{pki.PurposeDocument}}, {Certificate: c, Purposes: purposes}}
	}
	listed := func(kind, status string, together bool, c *pki.Certificate) *trustlist.Set {
		service := func(kind, status string, c *pki.Certificate) *trustlist.Service {
			return &trustlist.Service{Periods: []trustlist.Period{{
				Type: trustlist.ServiceRoot + kind, Status: trustlist.StatusRoot + status, From: now.AddDate(-4, 0, 0), Identity: trustlist.Identity{Certificates: []*pki.Certificate{c}},
			}}}
		}
		l := &trustlist.List{Territory: "EE"}
		issuing, answering := &trustlist.Provider{List: l}, &trustlist.Provider{List: l}
		if together {
			answering = issuing
		}
		issuing.Services = append(issuing.Services, service("CA/QC", "granted", ca.Certificate))
		answering.Services = append(answering.Services, service(kind, status, c))
		l.Providers = []*trustlist.Provider{issuing, answering}
		for _, p := range l.Providers {
			for _, s := range p.Services {
				s.Provider = p
			}
		}
		return trustlist.NewSet(&trustlist.Listed{Checked: &trustlist.Checked{List: l}})
	}
	anyone := []*pki.Certificate{ca.Certificate, other.Certificate}
	for name, c := range map[string]struct {
		by  *pki.Identity
		opt Options
		ok  bool
	}{
		"certified by the issuer":                        {own, Options{Anchors: anyone}, true},
		"certified by another, whom documents trust":     {responder, Options{Anchors: anyone}, false},
		"the authority is configured":                    {responder, Options{Bound: bound(other.Certificate, pki.PurposeRevocation)}, true},
		"the authority is configured beside other trust": {responder, Options{Anchors: anyone, Bound: bound(other.Certificate, pki.PurposeRevocation)}, true},
		"the responder is configured":                    {responder, Options{Bound: bound(responder.Certificate, pki.PurposeRevocation)}, true},
		"configured for something else":                  {responder, Options{Bound: bound(other.Certificate, pki.PurposeDocument, pki.PurposeTime)}, false},
		"another is configured":                          {foreign, Options{Bound: bound(other.Certificate, pki.PurposeRevocation)}, false},
		"not meant for answers":                          {plain, Options{Bound: bound(other.Certificate, pki.PurposeRevocation)}, false},
		"listed with the provider":                       {responder, Options{Lists: listed("Certstatus/OCSP", "granted", true, responder.Certificate)}, true},
		"its authority listed with the provider":         {responder, Options{Lists: listed("Certstatus/OCSP/QC", "granted", true, other.Certificate)}, true},
		"listed with another provider":                   {responder, Options{Lists: listed("Certstatus/OCSP", "granted", false, responder.Certificate)}, false},
		"withdrawn from the start":                       {responder, Options{Lists: listed("Certstatus/OCSP", "withdrawn", true, responder.Certificate)}, false},
		"listed for something else":                      {responder, Options{Lists: listed("TSA/QTST", "granted", true, responder.Certificate)}, false},
	} {
		c.opt.OCSPs = [][]byte{answerAbout(t, signer.Certificate, ca.Certificate, c.by, now)}
		r, err := Open(signed, c.opt)
		must(err)
		got := validation.Validate(r.Facts, nil, time.Now())[0]
		if ok := got.Indication == validation.TotalPassed; ok != c.ok || !ok && got.Sub != validation.ChainGeneralFailure {
			t.Errorf("%s: %s %s %q", name, got.Indication, got.Sub, got.Why)
		}
	}
}

// An answer may be about certificates of two issuers, of whom one did not certify its responder.
func TestAnAnswerCountsForItsIssuerAlone(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var issued []*pki.Certificate
	var authorities []*pki.Certificate
	var all []*pki.OCSPResponse
	for _, name := range []string{"CN=One,C=EE", "CN=Two,C=EE"} {
		ca, err := pki.NewAuthority(rand.Reader, name, pki.P256, now.AddDate(-5, 0, 0), 20)
		if err != nil {
			t.Fatal(err)
		}
		id, err := ca.Issue(pki.Template{CommonName: "Ada", NotBefore: now.AddDate(-1, 0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		responder, err := ca.Issue(pki.Template{CommonName: "Responder", ExtKeyUsage: []pki.OID{pki.EKUOCSPSigning}, NotBefore: now.AddDate(-1, 0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := pki.ParseOCSPResponse(answerAbout(t, id.Certificate, ca.Certificate, responder, now))
		if err != nil {
			t.Fatal(err)
		}
		issued, authorities, all = append(issued, id.Certificate), append(authorities, ca.Certificate), append(all, r)
	}
	p := newPool(Options{Anchors: authorities, OCSPs: [][]byte{all[0].Raw}})
	p.ocsps[0].Responses = append(p.ocsps[0].Responses, all[1].Responses...)
	for i, known := range []bool{true, false} {
		got := p.statuses(issued[i], authorities[i])
		if len(got) != 1 || (got[0].Data.Signer != nil) != known || got[0].Data.Intact != known {
			t.Errorf("%d: %+v", i, got)
		}
	}
}
