package ers

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// TestXMLIsAsTheSchemaHasIt: elements, their order and their attributes.
func TestXMLIsAsTheSchemaHasIt(t *testing.T) {
	t.Parallel()
	tsa := stamper(t)
	docs := documents(2)
	b, err := Create(t.Context(), tsa, XML, crypto.SHA256, docs)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = Renew(t.Context(), tsa, b); err != nil {
		t.Fatal(err)
	}
	if b, err = Rehash(t.Context(), tsa, crypto.SHA512, b, docs); err != nil {
		t.Fatal(err)
	}
	doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var outline func(n dom.Node) string
	outline = func(n dom.Node) string {
		out := n.Local()
		for _, name := range []string{"Version", "Order", "Type"} {
			if v := n.Attr(name); v != "" {
				out += "@" + v
			}
		}
		if !n.Is(Namespace, n.Local()) {
			out += "!"
		}
		var inside []string
		for c := range n.Elements() {
			inside = append(inside, outline(c))
		}
		if inside != nil {
			out += "(" + strings.Join(inside, " ") + ")"
		}
		return out
	}
	const stamp = "TimeStamp(TimeStampToken@RFC3161)"
	want := "EvidenceRecord@1.0(ArchiveTimeStampSequence(" +
		"ArchiveTimeStampChain@1(DigestMethod CanonicalizationMethod ArchiveTimeStamp@1(HashTree(Sequence@1(DigestValue DigestValue)) " + stamp + ") ArchiveTimeStamp@2(HashTree(Sequence@1(DigestValue)) " + stamp + ")) " +
		"ArchiveTimeStampChain@2(DigestMethod CanonicalizationMethod ArchiveTimeStamp@1(HashTree(Sequence@1(DigestValue DigestValue DigestValue)) " + stamp + "))))"
	if got := outline(doc.Root()); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	// What is XML is hashed in its canonical form, the rest as it is.
	for _, content := range []string{"", `<a b="1">x</a>`} {
		sum := sha256.Sum256([]byte(content))
		if !bytes.Contains(b, []byte(base64.StdEncoding.EncodeToString(sum[:]))) {
			t.Errorf("no digest of %q", content)
		}
	}
}

// TestTheSchemaAcceptsThem: records at every step are as the published schema has them.
func TestTheSchemaAcceptsThem(t *testing.T) {
	t.Parallel()
	schema, err := xsd.Compile(os.DirFS(filepath.Join(corpus.Dir(t, "esignature"), "schema")), xsd.Options{}, "rfc6283_ers.xsd")
	if err != nil {
		t.Fatal(err)
	}
	tsa := stamper(t)
	docs := documents(5)
	b, err := Create(t.Context(), tsa, XML, crypto.SHA256, docs)
	for k, step := range []func() ([]byte, error){
		func() ([]byte, error) { return Renew(t.Context(), tsa, b) },
		func() ([]byte, error) { return Rehash(t.Context(), tsa, crypto.SHA512, b, docs) },
		func() ([]byte, error) {
			all, err := CreateEach(t.Context(), tsa, XML, crypto.SHA256, [][][]byte{{make([]byte, 32)}, {make([]byte, 32)}, {make([]byte, 32)}})
			return all[1], err
		},
		func() ([]byte, error) { return b, nil },
	} {
		if err != nil {
			t.Fatal(err)
		}
		d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := schema.Validate(d, xsd.ValidateOptions{}); err != nil || !r.Valid {
			t.Errorf("step %d: %v, %v", k, err, r.Findings)
		}
		if b, err = step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecordsOfOthersKeepTheirForm: with prefixes, white space, comments, another encoding and inclusive canonical XML they are renewed and
// hashed anew, and what was covered before stays covered.
func TestRecordsOfOthersKeepTheirForm(t *testing.T) {
	t.Parallel()
	tsa := stamper(t)
	content := []byte("<a><!-- with comment --><b/></a>")
	docs := []xades.Document{xades.Bytes("a.xml", "", content)}
	for name, method := range map[string]struct{ uri, canonical string }{
		"inclusive":               {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "<a><b></b></a>"},
		"inclusive with comments": {"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments", "<a><!-- with comment --><b></b></a>"},
		"inclusive 1.1":           {"http://www.w3.org/2006/12/xml-c14n11", "<a><b></b></a>"},
		"exclusive":               {"http://www.w3.org/2001/10/xml-exc-c14n#", "<a><b></b></a>"},
	} {
		sum := sha256.Sum256([]byte(method.canonical))
		token, err := tsa.Stamp(t.Context(), crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		b := fmt.Appendf(nil, `<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- of somebody else, \xe4 -->
<ers:EvidenceRecord xmlns:ers="urn:ietf:params:xml:ns:ers" xmlns:o="urn:other" Version="1.0" xml:lang="et">
  <ers:ArchiveTimeStampSequence>
    <ers:ArchiveTimeStampChain Order="7">
      <ers:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>
      <ers:CanonicalizationMethod Algorithm="%s"/>
      <ers:ArchiveTimeStamp Order="3"><ers:TimeStamp>
        <ers:TimeStampToken Type="RFC3161">%s</ers:TimeStampToken><!-- c -->
      </ers:TimeStamp></ers:ArchiveTimeStamp>
    </ers:ArchiveTimeStampChain>
  </ers:ArchiveTimeStampSequence>
</ers:EvidenceRecord>`, method.uri, base64.StdEncoding.EncodeToString(token.Raw))
		b = bytes.Replace(b, []byte(`\xe4`), []byte{0xe4}, 1)
		for k, step := range []func([]byte) ([]byte, error){
			func(b []byte) ([]byte, error) { return b, nil },
			func(b []byte) ([]byte, error) { return Renew(t.Context(), tsa, b) },
			func(b []byte) ([]byte, error) { return Renew(t.Context(), tsa, b) },
			func(b []byte) ([]byte, error) { return Rehash(t.Context(), tsa, crypto.SHA512, b, docs) },
			func(b []byte) ([]byte, error) { return Renew(t.Context(), tsa, b) },
			func(b []byte) ([]byte, error) { return Rehash(t.Context(), tsa, crypto.SHA384, b, docs) },
		} {
			if b, err = step(b); err != nil {
				t.Fatalf("%s, step %d: %v", name, k, err)
			}
			r, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if x := r.Check(docs); x.Err() != nil || x.Orphans != 0 || len(x.Stamps) != k+1 {
				t.Errorf("%s, step %d: %v, %d orphans, %d time-stamps\n%s", name, k, x.Err(), x.Orphans, len(x.Stamps), b)
			}
		}
		if !bytes.Contains(b, []byte(`<ers:ArchiveTimeStamp Order="5">`)) || !bytes.Contains(b, []byte(`<ers:ArchiveTimeStampChain Order="9">`)) || bytes.Contains(b, []byte(`xmlns="urn:ietf`)) {
			t.Errorf("%s: %s", name, b)
		}
	}
}

// meaning is all that a record says.
func meaning(r *Record, docs []xades.Document) string {
	out := ""
	for _, c := range r.Chains {
		out += fmt.Sprintf("chain %v %v\n", c.Hash, c.Method)
		for _, s := range c.Stamps {
			out += fmt.Sprintf("%x %x %v\n", s.Groups, s.Token.Info.Imprint, s.Token.Info.Time)
		}
	}
	return out + fmt.Sprint(r.Check(docs).Orphans)
}

// TestMutants: a record of which a bit is another one is refused, does not hold, or says the same.
func TestMutants(t *testing.T) {
	t.Parallel()
	tsa := stamper(t)
	docs := documents(3)
	for _, x := range []Syntax{ASN1, XML} {
		b, err := Create(t.Context(), tsa, x, crypto.SHA256, docs)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = Renew(t.Context(), tsa, b); err != nil {
			t.Fatal(err)
		}
		if b, err = Rehash(t.Context(), tsa, crypto.SHA512, b, docs); err != nil {
			t.Fatal(err)
		}
		r, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		want := meaning(r, docs)
		refused, broken, same := 0, 0, 0
		for i := 0; i < len(b); i++ {
			if len(b)-i > 300 && i > 700 && i%5 != 0 { // all of the ends, and a sample of what stands between
				continue
			}
			mutant := bytes.Clone(b)
			mutant[i] ^= 1 << (i % 8)
			r, err := Parse(mutant)
			switch {
			case err != nil:
				refused++
			case r.Check(docs).Err() != nil:
				broken++
			case verified(r) != nil:
				broken++
			case meaning(r, docs) != want:
				t.Errorf("bit %d of octet %d: accepted, and says something else", i%8, i)
			default:
				same++
			}
		}
		t.Logf("%d refused, %d do not hold, %d say the same", refused, broken, same)
		if broken == 0 || refused == 0 || same > broken { // what says the same is in certificates that a time-stamp brings along unsigned
			t.Errorf("%d refused, %d do not hold, %d say the same", refused, broken, same)
		}
	}
}

// verified tells whether the time-stamps of a record are signed, which is not asked of [Record.Check].
func verified(r *Record) error {
	var errs []error
	for _, c := range r.Chains {
		for _, s := range c.Stamps {
			errs = append(errs, s.Token.Verify().Err())
		}
	}
	return errors.Join(errs...)
}

// TestWhatIsOutOfOrderIsRefused: two of one number, none, another version, another type of time-stamp.
func TestWhatIsOutOfOrderIsRefused(t *testing.T) {
	t.Parallel()
	tsa := stamper(t)
	b, err := Create(t.Context(), tsa, XML, crypto.SHA256, documents(2))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = Renew(t.Context(), tsa, b); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"two of one number":   {`<ArchiveTimeStamp Order="2">`, `<ArchiveTimeStamp Order="1">`},
		"number nought":       {`<ArchiveTimeStamp Order="2">`, `<ArchiveTimeStamp Order="0">`},
		"no number":           {`<Sequence Order="1">`, `<Sequence>`},
		"version 2":           {`Version="1.0"`, `Version="2.0"`},
		"another type":        {`Type="RFC3161"`, `Type="XMLENTRUST"`},
		"no digest algorithm": {`<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></DigestMethod>`, ``},
		"an empty group":      {`<Sequence Order="1">`, `<Sequence Order="2"></Sequence><Sequence Order="1">`},
	} {
		mutant := bytes.Replace(b, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(mutant, b) {
			t.Fatalf("%s: nothing was changed in %s", name, b)
		}
		if _, err := Parse(mutant); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// In the order of their numbers, not of their places.
	first, second := bytes.Index(b, []byte(`<ArchiveTimeStamp Order="1">`)), bytes.Index(b, []byte(`<ArchiveTimeStamp Order="2">`))
	end := bytes.Index(b, []byte(`</ArchiveTimeStampChain>`))
	swapped := append(append(append(bytes.Clone(b[:first]), b[second:end]...), b[first:second]...), b[end:]...)
	r, err := Parse(swapped)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(documents(2)).Err(); err != nil {
		t.Error(err)
	}
	if b, err = Renew(t.Context(), tsa, swapped); err != nil || !bytes.Contains(b, []byte(`<ArchiveTimeStamp Order="3">`)) {
		t.Errorf("%v", err)
	}
}
