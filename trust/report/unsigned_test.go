package report

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// What nobody signed stands at the head of a report, and a signature without proof of when it was made has none.
func TestFilesThatNobodySignedAreToldFirst(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-2, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "Ada Signer", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	var signed, more bytes.Buffer
	docs := []xades.Document{xades.Bytes("a.txt", "", []byte("a"))}
	if err := ades.Sign(t.Context(), &signed, nil, id, docs, ades.Params{Format: ades.XAdES, Container: ades.ASiCE, Time: now}, nil); err != nil {
		t.Fatal(err)
	}
	c, err := asic.Open(bytes.NewReader(signed.Bytes()), int64(signed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Edit(&more, asic.Edit{Add: []asic.Small{{Name: "<evil>.txt", Octets: []byte("b")}}}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		b    []byte
		told bool
	}{{signed.Bytes(), false}, {more.Bytes(), true}} {
		r, err := gather.Open(x.b, gather.Options{Anchors: []*pki.Certificate{ca.Certificate}})
		if err != nil {
			t.Fatal(err)
		}
		v := Judge("x.asice", r, nil, now.Add(time.Hour))
		for language, words := range map[string]string{"en": "Nobody signed these files: &lt;evil&gt;.txt", "it": "Nessuno ha firmato questi file: &lt;evil&gt;.txt"} {
			var page bytes.Buffer
			if err := v.WriteHTML(&page, language); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(page.String(), words) != x.told || strings.Contains(page.String(), textsOf(language).m["proven"]) {
				t.Errorf("%s, told %v:\n%s", language, x.told, page.String())
			}
		}
		if b, err := v.PDF("fr"); err != nil || len(b) == 0 {
			t.Error(err)
		}
	}
}
