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

// An anchor counts for its purposes alone, whether it is configured or listed; a certificate above it may be one for others.
func TestAnchorsAreBoundToTheirPurpose(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	root, err := pki.NewAuthority(rand.Reader, "CN=Root,C=EE", pki.P256, now.AddDate(-5, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := root.Sub("CN=Issuing,C=EE", pki.P256, now.AddDate(-4, 0, 0), 15)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ca.Issue(pki.Template{CommonName: "Ada", NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := xades.Sign(signer.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<a/>"))}, xades.Params{Packaging: xades.Enveloped, Signer: signer.Certificate, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	var crls [][]byte
	for _, a := range []*pki.Authority{root, ca} {
		crl, err := a.CRL(nil, now)
		if err != nil {
			t.Fatal(err)
		}
		crls = append(crls, crl)
	}
	bound := func(c *pki.Certificate, purposes ...pki.Purpose) pki.Anchor {
		return pki.Anchor{Certificate: c, Purposes: purposes}
	}
	listed := func(kind string) *trustlist.Set {
		l := &trustlist.List{Territory: "EE"}
		p := &trustlist.Provider{List: l}
		p.Services = []*trustlist.Service{{Provider: p, Periods: []trustlist.Period{{
			Type: trustlist.ServiceRoot + kind, Status: trustlist.StatusRoot + "granted", From: now.AddDate(-4, 0, 0), Identity: trustlist.Identity{Certificates: []*pki.Certificate{ca.Certificate}},
		}}}}
		l.Providers = []*trustlist.Provider{p}
		return trustlist.NewSet(&trustlist.Listed{Checked: &trustlist.Checked{List: l}})
	}
	elsewhere := "Does the chain of certificates reach a trust anchor? Issuing is trusted for something else"
	for name, c := range map[string]struct {
		opt Options
		ok  bool
		why string
	}{
		"for documents":                               {Options{Bound: []pki.Anchor{bound(ca.Certificate, pki.PurposeDocument)}}, true, ""},
		"for documents and time":                      {Options{Bound: []pki.Anchor{bound(ca.Certificate, pki.PurposeDocument, pki.PurposeTime)}}, true, ""},
		"for documents in one place, time in another": {Options{Bound: []pki.Anchor{bound(ca.Certificate, pki.PurposeTime), bound(ca.Certificate, pki.PurposeDocument)}}, true, ""},
		"for time":                             {Options{Bound: []pki.Anchor{bound(ca.Certificate, pki.PurposeTime)}}, false, elsewhere},
		"for messages":                         {Options{Bound: []pki.Anchor{bound(ca.Certificate, pki.PurposeAccessPoint)}}, false, "Does the chain of certificates reach a trust anchor? no certificate of the chain is trusted"},
		"for time, and the root for documents": {Options{Bound: []pki.Anchor{bound(ca.Certificate, pki.PurposeTime), bound(root.Certificate, pki.PurposeDocument)}}, true, ""},
		"listed as issuer":                     {Options{Lists: listed("CA/QC")}, true, ""},
		"listed for time-stamps":               {Options{Lists: listed("TSA/QTST")}, false, elsewhere},
		"listed for OCSP":                      {Options{Lists: listed("Certstatus/OCSP")}, false, elsewhere},
		"listed for time-stamps, configured for documents": {Options{Lists: listed("TSA/QTST"), Bound: []pki.Anchor{bound(ca.Certificate, pki.PurposeDocument)}}, true, ""},
	} {
		c.opt.CRLs, c.opt.Certificates = crls, []*pki.Certificate{ca.Certificate, root.Certificate}
		r, err := Open(signed, c.opt)
		if err != nil {
			t.Fatal(err)
		}
		got := validation.Validate(r.Facts, nil, now)[0]
		if ok := got.Indication == validation.TotalPassed; ok != c.ok || got.Why != c.why || !ok && got.Sub != validation.NoCertificateChainFound {
			t.Errorf("%s: %s %s %q", name, got.Indication, got.Sub, got.Why)
		}
	}
}

// What could not be read is told, and makes nothing pass.
func TestListsThatAreNotCurrentAreTold(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Listed CA,C=EE", pki.P256, now.AddDate(-5, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ca.Issue(pki.Template{CommonName: "Ada", NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
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
	judge := func(set *trustlist.Set) *validation.Report {
		t.Helper()
		r, err := Open(signed, Options{Lists: set, CRLs: [][]byte{crl}})
		if err != nil {
			t.Fatal(err)
		}
		return validation.Validate(r.Facts, nil, now)[0]
	}
	none := trustlist.NewSet()
	none.Problems = []trustlist.Problem{{URL: "https://ee.example/list.xml", Territory: "EE", Err: trustlist.ErrExpired}}
	got := judge(none)
	if got.Indication != validation.Indeterminate || got.Sub != validation.NoCertificateChainFound || got.Qualification.Name != "NA" ||
		got.Why != "Could every trusted list be asked? not all of them: EE https://ee.example/list.xml: trustlist: past its next update" {
		t.Errorf("%s %s %s %q", got.Indication, got.Sub, got.Qualification.Name, got.Why)
	}
	l := &trustlist.List{Territory: "EE"}
	p := &trustlist.Provider{List: l}
	p.Services = []*trustlist.Service{{Provider: p, Periods: []trustlist.Period{{
		Type: trustlist.ServiceCA, Status: trustlist.StatusRoot + "granted", From: now.AddDate(-4, 0, 0), Identity: trustlist.Identity{Certificates: []*pki.Certificate{ca.Certificate}},
	}}}}
	l.Providers = []*trustlist.Provider{p}
	kept := trustlist.NewSet(&trustlist.Listed{Checked: &trustlist.Checked{List: l}, Kept: trustlist.ErrDowngrade})
	got = judge(kept)
	if c := got.Qualification.Checks[0]; got.Indication != validation.TotalPassed || c.Question != "Is the trusted list of EE current?" || c.OK || !c.Warning || c.Answer != trustlist.ErrDowngrade.Error() {
		t.Errorf("%s %+v", got.Indication, c)
	}
	kept.Lists[0].Kept = nil
	if c := judge(kept).Qualification.Checks[0]; !c.OK {
		t.Errorf("%+v", c)
	}
}
