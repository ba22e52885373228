package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// The other implementation finds all signatures of several persons, and counter-signatures, as they should be.
func TestDSSTakesSignaturesBesideEachOther(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	s := newScribe(t)
	who := make([]*pki.Identity, 2)
	for i, name := range []string{"Ada Signer", "Bo Signer"} {
		var err error
		if who[i], err = s.ca.Issue(pki.Template{CommonName: name, Algorithm: pki.P256, KeyUsage: pki.UseContentCommitment}); err != nil {
			t.Fatal(err)
		}
	}
	letter := xades.Bytes("letter.xml", "application/xml", []byte(letterXML))
	note := xades.Bytes("note.txt", "text/plain", []byte("yes"))
	var list strings.Builder
	put := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if name != "ca.crt" {
			fmt.Fprintf(&list, "%s\t-\tca.crt\n", name)
		}
	}
	put("ca.crt", s.ca.Certificate.Raw)
	at := time.Now().Add(-time.Minute)
	for _, c := range []struct {
		name      string
		p         ades.Params
		documents []xades.Document
	}{
		{"enveloped.xml", ades.Params{Format: ades.XAdES}, []xades.Document{letter}},
		{"attached.p7m", ades.Params{Format: ades.CAdES}, []xades.Document{letter}},
		{"enveloping.jws", ades.Params{Format: ades.JAdES}, []xades.Document{letter}},
		{"xades.asice", ades.Params{Format: ades.XAdES, Container: ades.ASiCE}, []xades.Document{letter, note}},
		{"cades.asice", ades.Params{Format: ades.CAdES, Container: ades.ASiCE}, []xades.Document{letter, note}},
		{"xades.asics", ades.Params{Format: ades.XAdES, Container: ades.ASiCS}, []xades.Document{letter}},
		{"cades.asics", ades.Params{Format: ades.CAdES, Container: ades.ASiCS}, []xades.Document{letter}},
	} {
		c.p.Time = at
		var first, second, counter bytes.Buffer
		if err := ades.Sign(t.Context(), &first, nil, who[0], c.documents, c.p, s.tsa); err != nil {
			t.Fatal(err)
		}
		b := first.Bytes()
		var err error
		if c.name == "enveloped.xml" {
			err = ades.Sign(t.Context(), &second, nil, who[1], []xades.Document{xades.Bytes("letter.xml", "application/xml", b)}, c.p, nil)
		} else {
			err = ades.SignParallel(t.Context(), &second, nil, who[1], bytes.NewReader(b), int64(len(b)), nil, ades.Params{Time: at.Add(time.Second)}, nil)
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		put("parallel-"+c.name, second.Bytes())
		if c.p.Container == "" {
			if err := ades.SignCounter(&counter, nil, who[1], b, "", c.p); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			put("counter-"+c.name, counter.Bytes())
		}
	}
	var boxes []*asic.Container
	for _, id := range who {
		var out bytes.Buffer
		if err := ades.Sign(t.Context(), &out, nil, id, []xades.Document{letter, note}[len(boxes):], ades.Params{Format: ades.XAdES, Container: ades.ASiCE, Time: at}, nil); err != nil {
			t.Fatal(err)
		}
		box, err := asic.Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		boxes = append(boxes, box)
	}
	var merged bytes.Buffer
	if err := ades.Merge(&merged, boxes...); err != nil {
		t.Fatal(err)
	}
	put("merged.asice", merged.Bytes())
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte(list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	verdicts := dss(t, "verify", "--json", "--list", filepath.Join(dir, "list"), "--base", dir)
	if want := strings.Count(list.String(), "\n"); len(verdicts) != want {
		t.Fatalf("%d verdicts for %d files", len(verdicts), want)
	}
	for _, v := range verdicts {
		e := entry(t, "dss", sent, took)
		name := filepath.Base(v.File)
		if len(v.Tokens) != 2 {
			t.Errorf("%s: %d signatures, %v", name, len(v.Tokens), v.Error)
			continue
		}
		e.detail = fmt.Sprintf("%s: %s and %s", name, v.Tokens[0].Format, v.Tokens[1].Format)
		for _, x := range v.Tokens {
			// No revocation data is at hand; all else must hold.
			if !x.Intact || x.SubIndication != "CERTIFICATE_CHAIN_GENERAL_FAILURE" || strings.Contains(strings.ReplaceAll(strings.Join(x.References, " "), ":ok", ""), ":") {
				t.Errorf("%s: intact %v, references %v, %s %s", name, x.Intact, x.References, x.Indication, x.SubIndication)
			}
		}
	}
}
