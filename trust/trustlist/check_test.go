package trustlist

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"flag"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// unzipped reads a file of the corpus, compressed or not.
func unzipped(tb testing.TB, path string) []byte {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			tb.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func certificate(tb testing.TB, path string) *pki.Certificate {
	tb.Helper()
	c, err := pki.ParseCertificate(unzipped(tb, path))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestCorpusLists(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	tsl := filepath.Join(dir, "dss/dss-tsl-validation")
	// Who may sign the pivots: those that the one before names.
	var chain []*pki.Certificate
	for _, n := range []string{"172", "191", "226", "247"} {
		l, err := Parse(unzipped(t, filepath.Join(tsl, "lotlCache/tl_pivot_"+n+"_mp.xml.gz")))
		if err != nil {
			t.Fatal(err)
		}
		for i := range l.Pointers {
			if l.Pointers[i].Type == TypeListOfLists {
				chain = append(chain, l.Pointers[i].Certificates()...)
			}
		}
	}
	for _, c := range []struct {
		file      string
		signers   []*pki.Certificate
		sha1      bool
		want      error
		version   int
		territory string
		pointers  int
		services  int
	}{
		{file: "lotlCache/tl_pivot_172_mp.xml.gz", signers: chain, want: ErrSignature}, // a key of 1,024 bits
		{file: "lotlCache/tl_pivot_172_mp.xml.gz", signers: chain, sha1: true, version: 5, territory: "EU", pointers: 47},
		{file: "lotlCache/tl_pivot_191_mp.xml.gz", signers: chain, version: 5, territory: "EU", pointers: 46},
		{file: "lotlCache/tl_pivot_226_mp.xml.gz", signers: chain, version: 5, territory: "EU", pointers: 46},
		{file: "lotlCache/tl_pivot_247_mp.xml.gz", signers: chain, version: 5, territory: "EU", pointers: 44},
		{file: "lotlCache/tl_pivot_247_mp_with-spaces.xml.gz", signers: chain, version: 5, territory: "EU", pointers: 44},
		{file: "lotlCache/tl_pivot_247_mp.xml.gz", signers: chain[:1], want: ErrSigner},
		{file: "lotlCache/tl_pivot_247_mp_broken-sig.xml.gz", signers: chain, want: ErrSignature},
		{file: "lotlCache/tl_pivot_247_mp_missing-pivot.xml.gz", signers: chain, want: ErrSignature},
		{file: "lotlCache/tl_pivot_247_mp_no-sig.xml.gz", signers: chain, want: ErrSignature},
		{file: "lotlCache/CZ_empty.xml", signers: chain, want: ErrFormat},
		{file: "eu-lotl-no-sig.xml.gz", signers: chain, want: ErrSignature},
		{file: "tl-ecdsa-brainpool.xml.gz", signers: []*pki.Certificate{certificate(t, filepath.Join(dir, "trust/4c702ee64dae89e2.der"))}, version: 3, pointers: 2, services: 148},
		{file: "../specs-trusted-list-v211/hello_world.xml", signers: chain, want: ErrFormat},
		{file: "../specs-trusted-list/tlv6_wrong_inside.xml", signers: chain, want: ErrSignature},
	} {
		l, err := Check(unzipped(t, filepath.Join(tsl, c.file)), CheckOptions{Signers: c.signers, AllowSHA1: c.sha1})
		if !errors.Is(err, c.want) || err != nil && c.want == nil {
			t.Errorf("%s: %v, want %v", c.file, err, c.want)
			continue
		}
		if err != nil {
			continue
		}
		if l.Version != c.version || l.Territory != c.territory || len(l.Pointers) != c.pointers || len(l.Services()) != c.services {
			t.Errorf("%s: version %d of %q, %d pointers, %d services", c.file, l.Version, l.Territory, len(l.Pointers), len(l.Services()))
		}
	}
}

// Lists of other schemes are data.
func TestListsOfPilotsAreRead(t *testing.T) {
	t.Parallel()
	l, err := Parse(unzipped(t, filepath.Join(corpus.Dir(t, "ehealth"), "tsl/NCP_Service_Status_List__Austria_AT_.xml")))
	if err != nil {
		t.Fatal(err)
	}
	s := l.Services()
	if l.Version != 3 || l.Territory != "AT" || len(s) != 2 || s[0].Current().Type != "http://uri.epsos.eu/Svc/Svctype/NCP" || len(s[0].Current().Certificates) != 1 || s[0].Supply[0].URI != "http://fake" {
		t.Errorf("got %+v", l)
	}
	if l, err = Parse(unzipped(t, filepath.Join(corpus.Dir(t, "ejustice-ecodex"), "erds/csi/TL_CCA.xml"))); err != nil || len(l.Services()) != 3 || len(l.Flaws) == 0 {
		t.Errorf("%d services, flaws %v, %v", len(l.Services()), l.Flaws, err)
	}
}

func TestWhatIsWrittenIsReadAndObeysTheSchema(t *testing.T) {
	t.Parallel()
	o := newOperator(t, "EE")
	ca := authority(t, "Qualified CA")
	want := list("EE", full(ca.Certificate), service(ServiceTSA, authority(t, "TSA").Certificate))
	want.Pointers = []Pointer{{Signers: []Identity{{Certificates: []*pki.Certificate{o.Certificate}}}, Location: "https://scheme.example/lotl.xml", Type: TypeListOfLists, Territory: "EU", MimeType: MimeType, Operator: en("Union"), Rules: en("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/EUlistofthelists")}}
	b := sign(t, want, o.Identity)
	got, err := Check(b, CheckOptions{Signers: []*pki.Certificate{o.Certificate}, Territory: "EE", Type: TypeGeneric})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Flaws) > 0 || !got.Time.Equal(now) || !got.Signer.Equal(o.Certificate) {
		t.Errorf("flaws %v, signed %v by %v", got.Flaws, got.Time, got.Signer.Subject)
	}
	again, err := got.Write()
	if err != nil {
		t.Fatal(err)
	}
	first, err := want.Write()
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != strings.ReplaceAll(string(first), `Id="TrustServiceStatusList"`, `Id="`+got.ID+`"`) {
		t.Errorf("read and written again it differs:\n%s\n%s", first, again)
	}
	if q := got.Services()[0].Current().Qualifications; !reflect.DeepEqual(q, want.Services()[0].Current().Qualifications) {
		t.Errorf("qualifications %+v", q)
	}

	schema, err := xsd.Compile(os.DirFS(filepath.Join(corpus.Dir(t, "esignature"), "schema")), xsd.Options{Catalog: map[string]string{
		xmldsig.Namespace: "xmldsig-core-schema.xsd", xades.Namespace: "XAdES01903v132-202407.xsd", Namespace: "ts_119612v020401_xsd.xsd",
	}}, "ts_119612v020401_xsd.xsd", "ts_119612v020401_sie_xsd.xsd", "ts_119612v020401_additionaltypes_xsd.xsd")
	if err != nil {
		t.Fatal(err)
	}
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := schema.Validate(d, xsd.ValidateOptions{}); err != nil || !r.Valid {
		t.Errorf("against the schema: %v, %v", err, r.Findings)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	o, stranger := newOperator(t, "EE"), newOperator(t, "EE")
	l := list("EE", service(ServiceCA, authority(t, "CA").Certificate))
	good := sign(t, l, o.Identity)
	newer := *l
	newer.Sequence++
	later := *l
	later.Issued = later.Issued.AddDate(0, 0, 1)
	who := []*pki.Certificate{o.Certificate}
	signed := func(p xades.Params) []byte {
		b, err := l.Write()
		if err != nil {
			t.Fatal(err)
		}
		p.Signer, p.Time = o.Certificate, now
		b, err = xades.Sign(o.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("list.xml", "text/xml", b)}, p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	twice := bytes.Replace(good, []byte("</TrustServiceStatusList>"), append(good[bytes.Index(good, []byte("<ds:Signature")):bytes.Index(good, []byte("</TrustServiceStatusList>"))], "</TrustServiceStatusList>"...), 1)
	for _, c := range []struct {
		name string
		b    []byte
		opt  CheckOptions
		want error
	}{
		{"a good one is taken", good, CheckOptions{Signers: who, Territory: "EE", Type: TypeGeneric, After: l}, nil},
		{"one signed by a stranger", sign(t, l, stranger.Identity), CheckOptions{Signers: who}, ErrSigner},
		{"one by another certificate of the operator that the pointer does not name", sign(t, l, o.another(t)), CheckOptions{Signers: who}, ErrSigner},
		{"nobody is named who may sign", good, CheckOptions{}, ErrSigner},
		{"a service was changed", bytes.Replace(good, []byte("2020-01-01T"), []byte("2010-01-01T"), 1), CheckOptions{Signers: who}, ErrSignature},
		{"two signatures", twice, CheckOptions{Signers: who}, ErrSignature},
		{"a list within its signature", signed(xades.Params{Packaging: xades.Enveloping}), CheckOptions{Signers: who}, ErrFormat},
		{"a list of another territory", good, CheckOptions{Signers: who, Territory: "LV"}, ErrTerritory},
		{"a list of another type", good, CheckOptions{Signers: who, Type: TypeListOfLists}, ErrType},
		{"an older number than the one known", good, CheckOptions{Signers: who, After: &newer}, ErrDowngrade},
		{"issued before the one known", good, CheckOptions{Signers: who, After: &later}, ErrDowngrade},
		{"no list", []byte("<a/>"), CheckOptions{Signers: who}, ErrFormat},
		{"no XML", []byte("list"), CheckOptions{Signers: who}, ErrFormat},
		{"a document type", []byte("<!DOCTYPE a><a/>"), CheckOptions{Signers: who}, ErrFormat},
	} {
		if _, err := Check(c.b, c.opt); !errors.Is(err, c.want) || err != nil && c.want == nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// What is computed for the sake of old documents is not believed of a list.
func TestWeakDigestsAreRefused(t *testing.T) {
	t.Parallel()
	o := newOperator(t, "EE")
	good := sign(t, list("EE", service(ServiceCA, authority(t, "CA").Certificate)), o.Identity)
	parse := func(b []byte) *xades.Checked {
		t.Helper()
		d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := xades.Parse(d.Root().Child(xmldsig.Namespace, "Signature"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Check(xades.CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for method, allowed := range map[string]bool{xmldsig.SHA256: false, xmldsig.SHA1: true, xmldsig.MD5: false, xmldsig.RIPEMD160: false} {
		c := parse(good)
		i := slices.IndexFunc(c.References, func(r xmldsig.Reference) bool { return r.URI == "" })
		h, _ := xmldsig.DigestHash(method)
		sum := h.New()
		if err := c.WriteOctets(sum, i, c14n.Method{}); err != nil {
			t.Fatal(err)
		}
		old := c.References[i].Element.Raw()
		weak := bytes.Replace(old, []byte(xmldsig.SHA256), []byte(method), 1)
		value := c.References[i].Element.Child(xmldsig.Namespace, "DigestValue").Text()
		weak = bytes.Replace(weak, []byte(value), []byte(base64.StdEncoding.EncodeToString(sum.Sum(nil))), 1)
		b := bytes.Replace(good, old, weak, 1)
		c = parse(b)
		info, err := c14n.Append(nil, c.Canonicalization, c.Node.Child(xmldsig.Namespace, "SignedInfo"))
		if err != nil {
			t.Fatal(err)
		}
		digest := c.Hash.New()
		digest.Write(info)
		der, err := o.Key.(crypto.Signer).Sign(rand.Reader, digest.Sum(nil), c.Hash)
		if err != nil {
			t.Fatal(err)
		}
		var pair struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &pair); err != nil {
			t.Fatal(err)
		}
		raw := append(pair.R.FillBytes(make([]byte, 32)), pair.S.FillBytes(make([]byte, 32))...)
		b = bytes.Replace(b, []byte(c.Signature.Value.Text()), []byte(base64.StdEncoding.EncodeToString(raw)), 1)
		for _, sha1 := range []bool{false, true} {
			_, err := Check(b, CheckOptions{Signers: []*pki.Certificate{o.Certificate}, AllowSHA1: sha1})
			if ok := method == xmldsig.SHA256 || sha1 && allowed; (err == nil) != ok || !ok && (!errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), "not safe")) {
				t.Errorf("%s, SHA-1 allowed %v: %v", method, sha1, err)
			}
		}
	}
}

func TestCriteria(t *testing.T) {
	t.Parallel()
	ca := authority(t, "CA")
	id, err := ca.Issue(pki.Template{CommonName: "Ada", Country: "EE", KeyUsage: pki.UseContentCommitment, Policies: []pki.OID{"0.4.0.194112.1.2"}})
	if err != nil {
		t.Fatal(err)
	}
	yes, no := Criteria{Assert: "all", Policies: [][]pki.OID{{"0.4.0.194112.1.2"}}}, Criteria{Assert: "all", Policies: [][]pki.OID{{"0.4.0.194112.1.0"}}}
	for _, c := range []struct {
		name string
		c    Criteria
		want bool
	}{
		{"a policy that it has", yes, true},
		{"a policy that it has not", no, false},
		{"both", Criteria{Assert: "all", Lists: []Criteria{yes, no}}, false},
		{"one of them", Criteria{Assert: "atLeastOne", Lists: []Criteria{yes, no}}, true},
		{"none of them", Criteria{Assert: "none", Lists: []Criteria{no}}, true},
		{"none, but it has one", Criteria{Assert: "none", Lists: []Criteria{yes, no}}, false},
		{"bits as they are", Criteria{Assert: "all", KeyUsage: []KeyUsage{{pki.UseContentCommitment | pki.UseDigitalSignature, pki.UseContentCommitment}}}, true},
		{"a bit that it has not", Criteria{Assert: "all", KeyUsage: []KeyUsage{{pki.UseDigitalSignature, pki.UseDigitalSignature}}}, false},
		{"an attribute of the subject", Criteria{Assert: "all", Attributes: [][]pki.OID{{"2.5.4.6"}}}, true},
		{"an attribute that it has not", Criteria{Assert: "all", Attributes: [][]pki.OID{{"2.5.4.97"}}}, false},
		{"what is not understood is not met", Criteria{Assert: "all", Unknown: true}, false},
		{"nor is it met by none", Criteria{Assert: "none", Unknown: true}, false},
		{"an assertion that does not exist", Criteria{Assert: "some", Policies: yes.Policies}, false},
	} {
		if got := c.c.Match(id.Certificate); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	// By default each input that leads on is tried shorter, in all ways there are, for a minute: with the size of lists nothing
	// else was done.
	if m := flag.Lookup("test.fuzzminimizetime"); m.Value.String() == m.DefValue {
		m.Value.Set("100x")
	}
	o := newOperator(f, "EE")
	f.Add(sign(f, list("EE", full(authority(f, "CA").Certificate)), o.Identity))
	f.Add([]byte(`<TrustServiceStatusList xmlns="` + Namespace + `"><SchemeInformation/></TrustServiceStatusList>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		for _, s := range l.Services() { // a service has a current period, whatever was left out
			s.Current().Qualifiers(o.Certificate)
			s.At(now)
		}
		NewSet(&Listed{Checked: &Checked{List: l}})
		if w, err := l.Write(); err == nil {
			if _, err := Parse(w); err != nil {
				t.Fatalf("what was written is not read: %v", err)
			}
		}
		if _, err := Check(b, CheckOptions{Signers: []*pki.Certificate{o.Certificate}}); err == nil && !bytes.Contains(b, []byte("Signature")) {
			t.Fatal("taken without signature")
		}
	})
}
