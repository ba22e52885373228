package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/signing"
	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// unsignedList is a trusted list without services.
func unsignedList() *trustlist.List {
	en := func(s string) trustlist.Texts { return trustlist.Texts{{Language: "en", Value: s}} }
	return &trustlist.List{
		Version: 6, Sequence: 1, Type: trustlist.TypeGeneric, Operator: en("Authority"), Name: en("A list"), Information: en("https://scheme.example/"),
		Address: trustlist.Address{Postal: []trustlist.PostalAddress{{Language: "en", Street: "Long Street 1", Locality: "Tallinn", Country: "EE"}},
			Electronic: trustlist.Texts{{Language: "en", Value: "mailto:lists@scheme.example"}}},
		StatusDetermination: "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/EUappropriate", Rules: en("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/EUcommon"),
		Territory: "EE", Legal: en("For tests."), HistoryDays: 65535, Issued: time.Now().Add(-time.Hour), Next: time.Now().AddDate(0, 5, 0),
	}
}

// TestADSSClientUsesOurService: a client built of the classes that DSS publishes signs with our keys, in every format, raises to
// LTA, has the results judged, reads all our reports; and DSS itself judges what came out.
func TestADSSClientUsesOurService(t *testing.T) {
	t.Parallel()
	needDSS(t)
	s := newServices(t)
	dir := t.TempDir()
	signer, err := s.ca.Issue(s.template("Ada Signer", pki.Template{Algorithm: pki.RSA2048, KeyUsage: pki.UseContentCommitment}))
	if err != nil {
		t.Fatal(err)
	}
	signer.Chain = []*pki.Certificate{s.ca.Certificate}
	client := &revocation.Client{HTTP: &http.Client{Timeout: patience}}
	service := httptest.NewServer(signing.New(signing.Options{
		Keys: []signing.SigningKey{{Alias: "ada", Identity: signer}}, Stamper: &tsp.Client{URLs: []string{s.url + "/tsa"}},
		Known: func() gather.Options { return gather.Options{Anchors: []*pki.Certificate{s.root.Certificate}} },
		Fetch: func(ctx context.Context, r *gather.Result, opt gather.Options) (gather.Options, error) {
			return gather.Fetch(ctx, client, r, opt)
		},
	}).Handler())
	t.Cleanup(service.Close)
	file := filepath.Join(dir, "page.pdf")
	if err := os.WriteFile(file, sheet(t, false), 0o600); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root.crt")
	if err := os.WriteFile(root, s.root.Certificate.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "tl.xml")
	if b, err := unsignedList().Write(); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	authority := &tsp.Client{URLs: []string{s.url + "/tsa"}}
	var enveloped bytes.Buffer
	letter := xades.Bytes("letter.xml", "application/xml", []byte(letterXML))
	if err := ades.Sign(t.Context(), &enveloped, nil, signer, []xades.Document{letter}, ades.Params{Format: ades.XAdES, Time: time.Now()}, authority); err != nil {
		t.Fatal(err)
	}
	sealed, err := ades.Preserve(t.Context(), authority, ers.XML, 0, []ades.Signed{{Octets: enveloped.Bytes()}})
	if err != nil {
		t.Fatal(err)
	}
	preserved := filepath.Join(dir, "sealed.xml")
	if err := os.WriteFile(preserved, sealed[0], 0o600); err != nil {
		t.Fatal(err)
	}
	e := entry(t, "dss", received, took)
	out, err := dssCommand("rest", "--url", service.URL, "--alias", "ada", "--pdf", file, "--list", list, "--sealed", preserved, "--out", filepath.Join(dir, "out")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	count := 0
	var files []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var line struct {
			Name, File, Indication                        string
			Valid, Blocks, Certificates, Signatures, Etsi int
			Records                                       int
			Ours, Theirs                                  []float64
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // what the JVM says
		}
		count++
		if name, ok := strings.CutPrefix(line.Name, "place-"); ok {
			for i := range 4 {
				if math.Abs(line.Ours[i]-line.Theirs[i]) > 0.5 {
					t.Errorf("%s: the service puts the signature at %v, DSS itself at %v", name, line.Ours, line.Theirs)
					break
				}
			}
			continue
		}
		if line.Name == "certificate" {
			if line.Indication != "PASSED" {
				t.Errorf("certificate: %s", line.Indication)
			}
			continue
		}
		// One signature, but for counter-signatures and time-stamps.
		indication, signatures := "TOTAL_PASSED", 1
		switch {
		case strings.HasPrefix(line.Name, "timestamp-"):
			indication, signatures = "PASSED", 0
		case line.Name == "counter-signature":
			signatures = 2
		}
		if (line.Records == 1) != (line.Name == "sealed") {
			t.Errorf("%s: %d evidence records", line.Name, line.Records)
		}
		if line.Indication != indication || line.Valid != signatures || line.Blocks == 0 || line.Certificates < 3 || line.Signatures != signatures || line.Etsi < 1000 {
			t.Errorf("%+v", line)
		}
		files = append(files, line.File)
	}
	if count != 59 {
		t.Fatalf("%d lines:\n%s", count, out)
	}
	for _, v := range dss(t, append([]string{"verify", "--json", "--online", "--trust", root}, files...)...) {
		for _, x := range v.Tokens {
			if x.Indication != "TOTAL_PASSED" && x.Indication != "PASSED" {
				t.Errorf("%s: %s %s %v", v.File, x.Indication, x.SubIndication, x.Errors)
			}
		}
	}
	e.detail = "16 documents signed, raised to LTA and judged over REST; 14 visible signatures where DSS itself puts them, four with a policy; a message made elsewhere, a counter-signature, four time-stamped documents and a trusted list"
}
