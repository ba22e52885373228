package gather

import (
	"crypto"
	"crypto/rand"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// A service of a trusted list is an anchor for as long as the list says, and tells what its certificates are.
func TestTrustedListsAnchorAndQualify(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Listed CA,C=EE", pki.P256, now.AddDate(-5, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ca.Issue(pki.Template{CommonName: "Ada", KeyUsage: pki.UseContentCommitment, NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := xades.Sign(signer.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<a/>"))}, xades.Params{Packaging: xades.Enveloped, Signer: signer.Certificate, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	crl, err := ca.CRL(nil, now)
	if err != nil {
		t.Fatal(err)
	}
	granted := trustlist.Period{
		Type: trustlist.ServiceCA, Status: trustlist.StatusRoot + "granted", From: now.AddDate(-4, 0, 0), Identity: trustlist.Identity{Certificates: []*pki.Certificate{ca.Certificate}},
		Qualifications: []trustlist.Qualification{{
			Qualifiers: []string{trustlist.ExtensionRoot + "QCStatement", trustlist.ExtensionRoot + "QCForESig", trustlist.ExtensionRoot + "QCWithQSCD"},
			Criteria:   trustlist.Criteria{Assert: "all", KeyUsage: []trustlist.KeyUsage{{Mask: pki.UseContentCommitment, Value: pki.UseContentCommitment}}},
		}},
	}
	withdrawn := granted
	withdrawn.Status, withdrawn.From = trustlist.StatusRoot+"withdrawn", now.AddDate(0, -1, 0)
	until := granted
	until.Until = withdrawn.From
	other := granted
	other.Type = trustlist.ServiceRoot + "EDS/Q"
	for _, c := range []struct {
		name    string
		periods []trustlist.Period
		want    validation.Indication
		sub     validation.Sub
		worth   string
	}{
		{"granted", []trustlist.Period{granted}, validation.TotalPassed, "", "QESIG"},
		{"withdrawn a month ago, and nothing proves that the signature is older", []trustlist.Period{withdrawn, until}, validation.Indeterminate, validation.NoCertificateChainFoundNoPOE, "INDETERMINATE_UNKNOWN"},
		{"a service that issues nothing", []trustlist.Period{other}, validation.Indeterminate, validation.NoCertificateChainFound, ""},
	} {
		l := &trustlist.List{Territory: "EE"}
		p := &trustlist.Provider{List: l}
		p.Services = []*trustlist.Service{{Provider: p, Periods: c.periods}}
		l.Providers = []*trustlist.Provider{p}
		r, err := Open(signed, Options{Lists: trustlist.NewSet(&trustlist.Listed{Checked: &trustlist.Checked{List: l}}), CRLs: [][]byte{crl}})
		if err != nil {
			t.Fatal(err)
		}
		got := validation.Validate(r.Facts, nil, now)[0]
		if got.Indication != c.want || got.Sub != c.sub || c.worth != "" && got.Qualification.Name != c.worth {
			t.Errorf("%s: %s %s %s (%s)", c.name, got.Indication, got.Sub, got.Qualification.Name, got.Why)
		}
	}
	r, err := Open(signed, Options{Anchors: []*pki.Certificate{ca.Certificate}, CRLs: [][]byte{crl}})
	if err != nil {
		t.Fatal(err)
	}
	if got := validation.Validate(r.Facts, nil, now)[0]; got.Indication != validation.TotalPassed || got.Qualification != nil {
		t.Errorf("without lists: %s, %v", got.Indication, got.Qualification)
	}
}
