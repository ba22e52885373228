package ers

import (
	"bytes"
	"crypto"
	"crypto/rand"
	_ "crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

func stamper(t testing.TB) tsp.Stamper {
	t.Helper()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-1, 0, 0), 20)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "Own TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}})
	if err != nil {
		t.Fatal(err)
	}
	return &tsp.Responder{Identity: id, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return now, nil }}
}

// documents are texts, every third of them XML that is not in canonical form.
func documents(n int) (out []xades.Document) {
	for i := range n {
		content := strings.Repeat("x", i)
		if i%3 == 1 {
			content = "<?xml version='1.0'?>\n<a b='1'>" + content + "</a>"
		}
		out = append(out, xades.Bytes(fmt.Sprint("doc", i), "", []byte(content)))
	}
	return out
}

// TestARecordGrows: created over one and over many, renewed, hashed anew, renewed again; it holds all the time, for each document
// alone and for all, and for no other.
func TestARecordGrows(t *testing.T) {
	t.Parallel()
	for _, x := range []Syntax{ASN1, XML} {
		for _, n := range []int{1, 2, 7, 1000} {
			grows(t, x, n)
		}
	}
	tsa := stamper(t)
	for _, x := range []Syntax{ASN1, XML} {
		if _, err := Create(t.Context(), tsa, x, crypto.SHA256, nil); !errors.Is(err, ErrLimit) {
			t.Errorf("over nothing: %v", err)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "a sequence": {0x30, 0}, "xml": []byte("<a/>"), "cut": {0x30, 0x82, 1, 0, 2, 1, 1}} {
		if _, err := Parse(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func grows(t *testing.T, syntax Syntax, n int) {
	t.Helper()
	tsa := stamper(t)
	docs := documents(n)
	b, err := Create(t.Context(), tsa, syntax, crypto.SHA256, docs)
	if err != nil {
		t.Fatal(err)
	}
	steps := []func([]byte) ([]byte, error){
		func(b []byte) ([]byte, error) { return b, nil },
		func(b []byte) ([]byte, error) { return Renew(t.Context(), tsa, b) },
		func(b []byte) ([]byte, error) { return Renew(t.Context(), tsa, b) },
		func(b []byte) ([]byte, error) { return Rehash(t.Context(), tsa, crypto.SHA512, b, docs) },
		func(b []byte) ([]byte, error) { return Renew(t.Context(), tsa, b) },
		func(b []byte) ([]byte, error) { return Rehash(t.Context(), tsa, crypto.SHA384, b, docs) },
	}
	for k, step := range steps {
		if b, err = step(b); err != nil {
			t.Fatalf("%d documents, step %d: %v", n, k, err)
		}
		r, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		x := r.Check(docs)
		if x.Err() != nil || x.Orphans != 0 || len(x.Stamps) != k+1 {
			t.Errorf("%d documents, step %d: %v, %d orphans, %d time-stamps", n, k, x.Err(), x.Orphans, len(x.Stamps))
		}
		if n > 1 {
			if x := r.Check(docs[1:2]); x.Err() != nil || x.Orphans != n-1 {
				t.Errorf("one of %d documents, step %d: %v, %d orphans", n, k, x.Err(), x.Orphans)
			}
		}
		if x := r.Check([]xades.Document{xades.Bytes("other", "", []byte("other"))}); !errors.Is(x.Objects[0].Err, ErrDigest) {
			t.Errorf("another document, step %d: %v", k, x.Objects[0].Err)
		}
	}
	if _, err := Rehash(t.Context(), tsa, crypto.SHA512, b, []xades.Document{xades.Bytes("other", "", []byte("other"))}); !errors.Is(err, ErrDigest) {
		t.Errorf("hashed anew over another document: %v", err)
	}
}

// Many records are renewed with one time-stamp, and each stands for itself afterwards.
func TestRecordsAreRenewedTogether(t *testing.T) {
	t.Parallel()
	tsa := stamper(t)
	docs := documents(6)
	var records [][]byte
	for i, d := range docs {
		b, err := Create(t.Context(), tsa, Syntax(i%2), crypto.SHA256, []xades.Document{d})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, b)
	}
	for range 2 {
		var err error
		if records, err = RenewEach(t.Context(), tsa, records[:5]); err != nil {
			t.Fatal(err)
		}
		records = append(records, nil)
	}
	var root []byte
	for i, b := range records[:5] {
		r, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		x := r.Check(docs[i : i+1])
		if x.Err() != nil || len(x.Stamps) != 3 {
			t.Errorf("%d: %v, %d time-stamps", i, x.Err(), len(x.Stamps))
		}
		if root == nil {
			root = x.Stamps[2].Token.Raw
		} else if !bytes.Equal(root, x.Stamps[2].Token.Raw) {
			t.Errorf("%d has a time-stamp of its own", i)
		}
		if x := r.Check(docs[5:]); !errors.Is(x.Objects[0].Err, ErrDigest) {
			t.Errorf("another document: %v", x.Objects[0].Err)
		}
	}
	other, err := Create(t.Context(), tsa, ASN1, crypto.SHA512, docs[5:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RenewEach(t.Context(), tsa, [][]byte{records[0], other}); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("two algorithms: %v", err)
	}
	if _, err := RenewEach(t.Context(), tsa, nil); !errors.Is(err, ErrLimit) {
		t.Errorf("none: %v", err)
	}
}

// TestCorpusRecords compares what records cover with what the Digital Signature Service found.
func TestCorpusRecords(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known.tsv")
	b, err := os.ReadFile(filepath.Join(dir, "dss-verdicts.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	count, agree := 0, 0
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		f := strings.Split(line, "\t")
		if f[4] != "evidence-record" || !strings.HasPrefix(f[0], "dss/er-") {
			continue
		}
		count++
		got := found(t, dir, f[0], f[13])
		want := "covered=" + fmt.Sprint(!strings.Contains(f[6], "broken") && !strings.Contains(f[6], "OBJECT:missing")) +
			" orphans=" + fmt.Sprint(strings.Contains(f[6], "ORPHAN")) + " stamps="
		for _, s := range strings.Split(f[7], ",") {
			want += map[bool]string{true: "+", false: "-"}[strings.HasSuffix(s, ":ok")]
		}
		reason, listed := known[f[0]]
		switch {
		case got == want:
			agree++
			if listed {
				t.Errorf("%s agrees now, but is listed: %s", f[0], reason)
			}
		case !listed:
			t.Errorf("%s: %s, want %s", f[0], got, want)
		}
	}
	t.Logf("%d of %d records", agree, count)
	if count < 40 {
		t.Errorf("only %d records", count)
	}
}

func found(t *testing.T, dir, name, inputs string) string {
	t.Helper()
	b := corpus.Read(t, "esignature", name)
	r, err := Parse(b)
	if err != nil {
		return err.Error()
	}
	var docs []xades.Document
	for _, part := range strings.Split(inputs, "; ") {
		list, ok := strings.CutPrefix(part, "detached ")
		if !ok {
			continue
		}
		for _, in := range strings.Split(list, ",") {
			f := strings.Split(in, ":")
			switch f[0] {
			case "base64":
				octets, err := base64.StdEncoding.DecodeString(f[1])
				if err != nil {
					t.Fatal(err)
				}
				docs = append(docs, xades.Bytes("", "", octets))
			case "digest":
				octets, err := base64.StdEncoding.DecodeString(f[2])
				if err != nil {
					t.Fatal(err)
				}
				h := map[string]crypto.Hash{"SHA1": crypto.SHA1, "SHA256": crypto.SHA256, "SHA512": crypto.SHA512}[f[1]]
				docs = append(docs, xades.Document{Digests: map[crypto.Hash][]byte{h: octets}})
			default:
				docs = append(docs, xades.Bytes(filepath.Base(in), "", corpus.Read(t, "esignature", in)))
			}
		}
	}
	x := r.Check(docs)
	covered := true
	for _, o := range x.Objects {
		covered = covered && o.Err == nil
	}
	out := fmt.Sprintf("covered=%v orphans=%v stamps=", covered, x.Orphans > 0)
	for _, s := range x.Stamps {
		out += map[bool]string{true: "+", false: "-"}[s.Err == nil]
	}
	return out
}

func FuzzParse(f *testing.F) {
	tsa := stamper(f)
	b, err := Create(f.Context(), tsa, ASN1, crypto.SHA256, documents(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, n := range []int{1, 3} {
		if b, err = Create(f.Context(), tsa, XML, crypto.SHA256, documents(n)); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	if b, err = Rehash(f.Context(), tsa, crypto.SHA512, b, documents(3)); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`<EvidenceRecord xmlns="urn:ietf:params:xml:ns:ers" Version="1.0"><ArchiveTimeStampSequence><ArchiveTimeStampChain Order="1"><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ArchiveTimeStamp Order="1"><TimeStamp><TimeStampToken Type="RFC3161">AA==</TimeStampToken></TimeStamp></ArchiveTimeStamp></ArchiveTimeStampChain></ArchiveTimeStampSequence></EvidenceRecord>`))
	docs := documents(2)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(bytes.Clone(b))
		if err == nil {
			r.Check(docs)
		}
	})
}
