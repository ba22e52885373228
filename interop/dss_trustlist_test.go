package interop

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// qcStatements is the extension of a qualified certificate [EN 319 412-5 4].
func qcStatements(compliance, device bool, types ...pki.OID) pki.Extension {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		statement := func(id pki.OID, info func(*cryptobyte.Builder)) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				pki.AddOID(b, id)
				if info != nil {
					info(b)
				}
			})
		}
		if compliance {
			statement("0.4.0.1862.1.1", nil)
		}
		if device {
			statement("0.4.0.1862.1.4", nil)
		}
		if len(types) > 0 {
			statement("0.4.0.1862.1.6", func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, t := range types {
						pki.AddOID(b, t)
					}
				})
			})
		}
	})
	return pki.Extension{ID: "1.3.6.1.5.5.7.1.3", Value: b.BytesOrPanic()}
}

// files answers with what is at each URL.
type files map[string][]byte

func (f files) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &http.Response{StatusCode: http.StatusNotFound, Status: "404 Not Found", Body: http.NoBody, Header: http.Header{}, Request: r}
	if b, ok := f[r.URL.String()]; ok {
		w.StatusCode, w.Status, w.Body = http.StatusOK, "200 OK", readCloser{bytes.NewReader(b)}
	}
	return w, nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// TestDSSTakesOurTrustedLists: the peer loads a list of lists and a list that we wrote and signed, through a pivot, finds
// nothing to say against their structure, and qualifies signatures under them as we do.
func TestDSSTakesOurTrustedLists(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	now := time.Now().UTC().Truncate(time.Second)
	authority := func(name string) *pki.Authority {
		a, err := pki.NewAuthority(rand.Reader, "CN="+name+",O=Own test,C=EE", pki.RSA2048, now.AddDate(-3, 0, 0), 20)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	operators := authority("Operators")
	operator := func(name string) *pki.Identity {
		id, err := operators.Issue(pki.Template{CommonName: name, Country: "EE", Organization: "Scheme", Algorithm: pki.RSA2048, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0), ExtKeyUsage: []pki.OID{"0.4.0.2231.3.0"}})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first, second, country := operator("First"), operator("Second"), operator("Country")
	text := func(s string) trustlist.Texts { return trustlist.Texts{{Language: "en", Value: s}} }
	where := trustlist.Address{Postal: []trustlist.PostalAddress{{Language: "en", Street: "Long Street 1", Locality: "Tallinn", PostalCode: "10111", Country: "EE"}}, Electronic: trustlist.Texts{{Language: "en", Value: "mailto:a@scheme.example"}, {Language: "en", Value: "https://scheme.example/"}}}
	list := func(territory, kind, determination string) *trustlist.List {
		return &trustlist.List{
			Version: 6, Sequence: 1, Type: kind, Operator: text("Operator"), Address: where, Name: text(territory + ":list"), Information: text("https://scheme.example/oj"),
			StatusDetermination: "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/" + determination, Rules: text("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/" + territory),
			Territory: territory, Legal: text("For tests."), HistoryDays: 65535, Issued: now.Add(-time.Hour), Next: now.AddDate(0, 5, 0),
		}
	}
	sign := func(l *trustlist.List, by *pki.Identity) []byte {
		b, err := l.Sign(by.Key.(crypto.Signer), rand.Reader, by.Certificate, now)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	since := now.AddDate(-2, 0, 0)
	ee := list("EE", trustlist.TypeGeneric, "EUappropriate")
	provider := &trustlist.Provider{Names: text("Trust & Co"), TradeNames: text("VATEE-12345678"), Address: where, Information: text("https://trust.example/")}
	ee.Providers = []*trustlist.Provider{provider}
	service := func(ca *pki.Authority, status string, additional []string, q ...trustlist.Qualification) {
		s := &trustlist.Service{Provider: provider, Periods: []trustlist.Period{{
			Type: trustlist.ServiceCA, Names: text(ca.Certificate.Subject.CommonName()), Status: trustlist.StatusRoot + status, From: since,
			Identity: trustlist.Identity{Certificates: []*pki.Certificate{ca.Certificate}}, Qualifications: q,
		}}}
		for _, a := range additional {
			s.Periods[0].Additional = append(s.Periods[0].Additional, trustlist.ExtensionRoot+a)
		}
		provider.Services = append(provider.Services, s)
	}
	qualify := func(policy pki.OID, names ...string) trustlist.Qualification {
		q := trustlist.Qualification{Criteria: trustlist.Criteria{Assert: "all", Policies: [][]pki.OID{{policy}}}}
		for _, n := range names {
			q.Qualifiers = append(q.Qualifiers, trustlist.ExtensionRoot+n)
		}
		return q
	}
	both, signatures := authority("Signatures and seals"), authority("Signatures")
	service(both, "granted", []string{"ForeSignatures", "ForeSeals"},
		qualify("2.999.1", "QCWithQSCD"), qualify("2.999.2", "QCNoQSCD"), qualify("2.999.3", "NotQualified"), qualify("2.999.4", "QCStatement", "QCForESeal", "QCQSCDManagedOnBehalf"))
	service(signatures, "granted", []string{"ForeSignatures"})
	none := authority("Not listed")

	lotlURL, pivotURL, eeURL := "https://lists.example/lotl.xml", "https://lists.example/pivot-1.xml", "https://lists.example/ee.xml"
	lotl := list("EU", trustlist.TypeListOfLists, "EUlistofthelists")
	point := func(signer *pki.Identity) []trustlist.Pointer {
		p := func(url, kind, territory string, c *pki.Certificate) trustlist.Pointer {
			return trustlist.Pointer{Location: url, Type: kind, Territory: territory, MimeType: trustlist.MimeType, Operator: text("Operator"), Rules: text("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/" + territory), Signers: []trustlist.Identity{{Certificates: []*pki.Certificate{c}}}}
		}
		return []trustlist.Pointer{p(lotlURL, trustlist.TypeListOfLists, "EU", signer.Certificate), p(eeURL, trustlist.TypeGeneric, "EE", country.Certificate)}
	}
	lotl.Pointers = point(second)
	web := files{eeURL: sign(ee, country), pivotURL: sign(lotl, first)}
	lotl.Sequence, lotl.Information = 2, trustlist.Texts{{Language: "en", Value: pivotURL}, {Language: "en", Value: "https://scheme.example/oj"}}
	web[lotlURL] = sign(lotl, second)

	write := func(name string, b []byte) string {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return f
	}
	args := []string{"lists", "--lotl", lotlURL, "--announcement", "https://scheme.example/oj", "--signer", write("first.pem", pki.MarshalPEM(first.Certificate))}
	for url, b := range web {
		args = append(args, "--map", url+"="+write(filepath.Base(url), b))
	}

	loader := &trustlist.Loader{Sources: []trustlist.Source{{URL: lotlURL, Signers: []*pki.Certificate{first.Certificate}, Announcement: "https://scheme.example/oj"}}, HTTP: &http.Client{Transport: web}}
	set, err := loader.Refresh(t.Context())
	if err != nil || len(set.Problems) > 0 {
		t.Fatal(err, set.Problems)
	}

	var crls [][]byte
	ours := map[string]string{}
	for _, ca := range []*pki.Authority{both, signatures, none} {
		crl, err := ca.CRL(nil, now)
		if err != nil {
			t.Fatal(err)
		}
		crls = append(crls, crl)
		args = append(args, "--crl", write(fmt.Sprintf("%d.crl", len(crls)), crl))
	}
	var names []string
	for name, c := range map[string]struct {
		ca         *pki.Authority
		statements pki.Extension
		policies   []pki.OID
	}{
		"qualified":                       {both, qcStatements(true, true, pki.QCTypeESign), nil},
		"qualified-seal":                  {both, qcStatements(true, true, pki.QCTypeESeal), nil},
		"without-device":                  {both, qcStatements(true, false, pki.QCTypeESign), nil},
		"device-by-the-list":              {both, qcStatements(true, false, pki.QCTypeESign), []pki.OID{"2.999.1"}},
		"no-device-by-the-list":           {both, qcStatements(true, true, pki.QCTypeESign), []pki.OID{"2.999.2"}},
		"device-and-none":                 {both, qcStatements(true, true, pki.QCTypeESign), []pki.OID{"2.999.1", "2.999.2"}},
		"not-qualified-by-list":           {both, qcStatements(true, true, pki.QCTypeESign), []pki.OID{"2.999.3"}},
		"seal-by-the-list":                {both, qcStatements(false, false, pki.QCTypeESeal), []pki.OID{"2.999.4"}},
		"not-qualified":                   {both, qcStatements(false, false, pki.QCTypeESign), nil},
		"two-types":                       {both, qcStatements(true, true, pki.QCTypeESign, pki.QCTypeESeal), nil},
		"no-type":                         {both, qcStatements(true, true), nil},
		"no-statements":                   {both, pki.Extension{}, nil},
		"seal-of-a-CA-for-signatures":     {signatures, qcStatements(true, true, pki.QCTypeESeal), nil},
		"web-site-of-CA-for-signatures":   {signatures, qcStatements(true, false, pki.QCTypeWeb), nil},
		"by-a-CA-that-is-not-on-the-list": {none, qcStatements(true, true, pki.QCTypeESign), nil},
	} {
		tpl := pki.Template{CommonName: name, Country: "EE", KeyUsage: pki.UseContentCommitment, Policies: c.policies, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
		if c.statements.ID != "" {
			tpl.Extensions = []pki.Extension{c.statements}
		}
		id, err := c.ca.Issue(tpl)
		if err != nil {
			t.Fatal(err)
		}
		b, err := xades.Sign(id.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<letter/>"))}, xades.Params{Packaging: xades.Enveloped, Signer: id.Certificate, Time: now})
		if err != nil {
			t.Fatal(err)
		}
		r, err := gather.Open(b, gather.Options{Lists: set, CRLs: crls})
		if err != nil {
			t.Fatal(err)
		}
		report := validation.Validate(r.Facts, nil, now.Add(time.Second))[0]
		f := write(name+".xml", b)
		ours[f] = fmt.Sprintf("%s %s %s", report.Indication, report.Sub, report.Qualification.Name)
		names = append(names, f)
	}
	args = append(args, names...)
	args = append(args, "--time", now.Add(time.Second).Format(time.RFC3339))

	c := dssCommand(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("dss lists: %v\n%s", err, &stderr)
	}
	lists, compared := 0, 0
	for line := range strings.Lines(string(out)) {
		var v struct {
			List, Territory, Indication, Error, File string
			Sequence                                 int
			Services                                 *int
			Structure                                []string
			Tokens                                   []struct{ Indication, SubIndication, Qualification string }
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case v.List != "":
			lists++
			if v.Indication != "TOTAL_PASSED" || v.Error != "" || len(v.Structure) > 0 {
				t.Errorf("the peer on %s: %s", v.List, line)
			}
		case len(v.Tokens) != 1:
			t.Errorf("the peer: %s", line)
		default:
			compared++
			x, our := v.Tokens[0], ours[v.File]
			if filepath.Base(v.File) == "seal-of-a-CA-for-signatures.xml" {
				// The list has this authority for signatures alone. The peer takes its certificates for seals as qualified all the same.
				if our != "TOTAL_PASSED  ADESEAL" {
					t.Errorf("%s: we say %s", filepath.Base(v.File), our)
				}
				our = "TOTAL_PASSED  QESEAL"
			}
			if theirs := fmt.Sprintf("%s %s %s", x.Indication, x.SubIndication, x.Qualification); theirs != our {
				t.Errorf("%s: the peer says %s, not %s", filepath.Base(v.File), theirs, our)
			}
		}
	}
	if lists != 2 || compared != len(names) {
		t.Errorf("%d lists and %d of %d signatures", lists, compared, len(names))
	}
	t.Logf("%d lists taken, %d of %d qualifications equal", lists, compared-1, compared)
}
