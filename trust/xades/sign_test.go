package xades

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// signer issues a certificate for a fresh key.
func signer(t testing.TB, alg pki.KeyAlgorithm) (*pki.Identity, *pki.Authority) {
	t.Helper()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Signature CA,O=Own test,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.GenerateKey(rand.Reader, alg)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "Ada Signer", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return id, ca
}

const content = `<?xml version="1.0"?>
<order xmlns="urn:own:order"><line n="1">täglich &amp; gut</line><!-- remark -->
<line n="2"/></order>`

func params(id *pki.Identity, p Packaging) Params {
	return Params{
		Packaging: p, Signer: id.Certificate, Chain: id.Chain, Time: now,
		Place: &Place{City: "Tallinn", Country: "EE"}, Roles: []string{"clerk"},
		Commitments: []Commitment{{ID: "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval"}},
		Policy:      &Policy{ID: "1.2.3.4", DigestMethod: xmldsig.SHA256, Digest: make([]byte, 32), URI: "https://example.org/policy"},
	}
}

// check reads the only signature of a document.
func check(t testing.TB, b []byte, documents ...Document) *Checked {
	t.Helper()
	d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	found := Find(d)
	if len(found) != 1 {
		t.Fatalf("%d signatures", len(found))
	}
	s, err := Parse(found[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Check(CheckOptions{Documents: documents})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatIsSignedHoldsInEveryPackagingAndByEveryKind(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256, pki.Ed25519} {
		for _, p := range []Packaging{Detached, Enveloping, Enveloped, InternallyDetached, "embedded"} {
			t.Run(string(alg)+"/"+string(p), func(t *testing.T) {
				t.Parallel()
				id, _ := signer(t, alg)
				doc := Bytes("Größe 1:2.xml", "application/xml", []byte(content))
				what := params(id, p)
				if p == "embedded" {
					what.Packaging, what.EmbedXML, what.Assertions = Enveloping, true, [][]byte{[]byte(`<?xml version="1.0"?><a:Assertion xmlns:a="urn:own:a"/>`)}
				}
				out, err := Sign(id.Key.(crypto.Signer), rand.Reader, []Document{doc}, what)
				if err != nil {
					t.Fatal(err)
				}
				c := check(t, out, doc)
				if !c.Intact() || c.PropertiesErr != nil || !c.Identified || c.IssuerSerialErr != nil {
					t.Fatalf("value %v, references %v, properties %v, identified %v, serial %v\n%s", c.ValueErr, c.Errs, c.PropertiesErr, c.Identified, c.IssuerSerialErr, out)
				}
				if c.Level() != BaselineB {
					t.Errorf("level %s", c.Level())
				}
				if !c.SigningTime.Equal(now) || c.Place == nil || c.Place.City != "Tallinn" || len(c.Roles) != 1 || c.Roles[0] != "clerk" ||
					c.Policy == nil || c.Policy.ID != "urn:oid:1.2.3.4" || len(c.Commitments) != 1 || !c.Signer.Equal(id.Certificate) {
					t.Errorf("read back %+v", c.Signature)
				}
				if p == Detached { // other content
					other := check(t, out, Bytes(doc.Name, "", []byte("other")))
					if other.Intact() || other.ValueErr != nil || !errors.Is(other.Errs[0], xmldsig.ErrDigest) {
						t.Errorf("other content: %v %v", other.ValueErr, other.Errs)
					}
				}
				if p == InternallyDetached || p == "embedded" {
					other := check(t, bytes.Replace(out, []byte("gut"), []byte("arg"), 1))
					if other.Intact() || other.ValueErr != nil || !errors.Is(other.Errs[0], xmldsig.ErrDigest) {
						t.Errorf("changed content: %v %v", other.ValueErr, other.Errs)
					}
				}
				changed := bytes.Replace(out, []byte("clerk"), []byte("queen"), 1)
				if c := check(t, changed, doc); c.Intact() || c.PropertiesErr == nil {
					t.Error("changed properties hold")
				}
				xmlsec(t, out, doc)
			})
		}
	}
}

// xmlsec lets another implementation verify, where it is installed.
func xmlsec(t *testing.T, signed []byte, doc Document) {
	t.Helper()
	tool, err := exec.LookPath("xmlsec1")
	if err != nil {
		return
	}
	if bytes.Contains(signed, []byte("eddsa-ed25519")) {
		return // releases before 1.3 do not know it
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "signed.xml"), signed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, doc.Name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "--verify", "--insecure", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "--id-attr:Id", "urn:own:order:order", "signed.xml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("xmlsec1: %v\n%s", err, out)
	}
}

func TestASignatureOfSeveralDocumentsNamesThemAll(t *testing.T) {
	t.Parallel()
	id, _ := signer(t, pki.P256)
	docs := []Document{Bytes("a.txt", "text/plain", []byte("one")), Bytes("folder/b.bin", "", []byte{0, 1, 2})}
	for _, p := range []Packaging{Detached, Enveloping} {
		out, err := Sign(id.Key.(crypto.Signer), nil, docs, Params{Packaging: p, Signer: id.Certificate, Time: now})
		if err != nil {
			t.Fatal(err)
		}
		if c := check(t, out, docs...); !c.Intact() || len(c.References) != 3 || c.Level() != BaselineB {
			t.Errorf("%s: %v %v, %d references, %s", p, c.ValueErr, c.Errs, len(c.References), c.Level())
		}
	}
}

func TestASignatureIsMadeInTwoSteps(t *testing.T) {
	t.Parallel()
	id, _ := signer(t, pki.P256)
	doc := Bytes("a.xml", "application/xml", []byte(content))
	first, err := Prepare([]Document{doc}, params(id, Enveloped))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(first.ToBeSigned())
	value, err := id.Key.(crypto.Signer).Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Prepare([]Document{doc}, params(id, Enveloped)) // by a process that knows only the parameters
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.ToBeSigned(), second.ToBeSigned()) {
		t.Error("the same parameters make other octets to be signed")
	}
	out, err := second.Complete(value)
	if err != nil {
		t.Fatal(err)
	}
	if c := check(t, out); !c.Intact() {
		t.Error(c.ValueErr, c.Errs)
	}
	if _, err := second.Complete(value[:len(value)-3]); err == nil {
		t.Error("a broken value was taken")
	}
}

// authority is a time-stamping authority that keeps what it was asked for. Its tokens are only that.
type authority struct{ asked [][]byte }

func (a *authority) stamp(h crypto.Hash, sum []byte) ([]byte, error) {
	a.asked = append(a.asked, bytes.Clone(sum))
	return append([]byte{0x04, byte(len(sum))}, sum...), nil
}

func TestASignatureIsExtendedWithoutTouchingWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, p := range []Packaging{Detached, Enveloping, Enveloped} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			id, ca := signer(t, pki.P256)
			doc := Bytes("a.xml", "application/xml", []byte(content))
			out, err := Sign(id.Key.(crypto.Signer), nil, []Document{doc}, Params{Packaging: p, Signer: id.Certificate, Time: now})
			if err != nil {
				t.Fatal(err)
			}
			tsa := &authority{}
			crl := []byte{0x30, 0x03, 1, 2, 3}
			step := func(want Level, f func(e *Extend) ([]byte, error)) {
				t.Helper()
				before := check(t, out, doc)
				next, err := f(&Extend{Checked: before, Stamp: tsa.stamp})
				if err != nil {
					t.Fatal(err)
				}
				unsigned := before.Unsigned
				if unsigned.Valid() { // what was there is still there, octet for octet
					inner := unsigned.Raw()
					inner = inner[:bytes.LastIndex(inner, []byte("</"))]
					if !bytes.Contains(next, inner) {
						t.Fatalf("earlier properties were changed")
					}
				}
				out = next
				c := check(t, out, doc)
				if !c.Intact() || c.Level() != want {
					t.Fatalf("level %s, want %s; %v %v", c.Level(), want, c.ValueErr, c.Errs)
				}
				for i, s := range c.TimeStamps {
					sum := sha256.New()
					if err := c.WriteImprint(sum, s); err != nil {
						t.Fatal(err)
					}
					if got := sum.Sum(nil); !bytes.Equal(got, tsa.asked[i]) {
						t.Errorf("%s at %s: imprint %s, was %s", s.Kind, want, hex.EncodeToString(got), hex.EncodeToString(tsa.asked[i]))
					}
				}
			}
			step(BaselineT, (*Extend).SignatureTimeStamp)
			step(BaselineLT, func(e *Extend) ([]byte, error) {
				return e.Values(Material{Certificates: []*pki.Certificate{ca.Certificate, id.Certificate}, CRLs: [][]byte{crl}})
			})
			step(BaselineLTA, (*Extend).ArchiveTimeStamp)
			step(BaselineLTA, func(e *Extend) ([]byte, error) {
				return e.ValidationData(Material{OCSPs: [][]byte{{0x30, 0}}}, e.Checked.TimeStamps[1].ID)
			})
			step(BaselineLTA, (*Extend).ArchiveTimeStamp)
			c := check(t, out, doc)
			if len(c.Material.Certificates) != 1 || len(c.Material.CRLs) != 1 || len(c.Material.OCSPs) != 1 || len(c.TimeStamps) != 3 {
				t.Errorf("material %d %d %d, %d time-stamps", len(c.Material.Certificates), len(c.Material.CRLs), len(c.Material.OCSPs), len(c.TimeStamps))
			}
			broken := bytes.Replace(out, []byte("EncapsulatedCRLValue>MAM"), []byte("EncapsulatedCRLValue>MAN"), 1)
			c = check(t, broken, doc)
			sum := sha256.New()
			if err := c.WriteImprint(sum, c.TimeStamps[1]); err != nil || bytes.Equal(sum.Sum(nil), tsa.asked[1]) {
				t.Errorf("changed material has the old imprint, %v", err)
			}
		})
	}
}

// What a reference with transforms leaves out of the properties could be changed after signing.
func TestPropertiesAreSignedWhole(t *testing.T) {
	t.Parallel()
	id, _ := signer(t, pki.Ed25519)
	out, err := Sign(id.Key.(crypto.Signer), nil, []Document{Bytes("a", "", []byte("x"))}, params(id, Enveloping))
	if err != nil {
		t.Fatal(err)
	}
	_, at, _ := bytes.Cut(out, []byte(`Type="`+TypeSignedProperties))
	at, _, _ = bytes.Cut(at, []byte("</ds:Transform>"))
	from := bytes.LastIndex(at, []byte("<ds:Transform "))
	transform := string(at[from:]) + "</ds:Transform>"
	for _, c := range []struct {
		expr string
		ok   bool
	}{{"true()", false}, {"not(ancestor-or-self::xades:SigningTime)", false}, {"false()", false}, {"", true}} {
		other := transform
		if c.expr != "" {
			other = `<ds:Transform Algorithm="` + xmldsig.XPath + `"><ds:XPath xmlns:xades="` + Namespace + `">` + c.expr + `</ds:XPath></ds:Transform>`
		}
		text := string(out)
		i := strings.LastIndex(text, transform)
		text = resigned(t, text[:i]+other+text[i+len(transform):], id.Key.(crypto.Signer))
		checked := check(t, []byte(text))
		if !checked.Intact() {
			t.Fatalf("%s: %v %v", c.expr, checked.ValueErr, checked.Errs)
		}
		if (checked.PropertiesErr == nil) != c.ok {
			t.Errorf("%s: %v", c.expr, checked.PropertiesErr)
		}
	}
}

// resigned computes the digests and the value of a signature anew, as a signer may who means harm.
func resigned(t *testing.T, text string, key crypto.Signer) string {
	t.Helper()
	parse := func() (*Checked, *dom.Document) {
		d, err := dom.Parse([]byte(text), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(d.Root())
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Check(CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return c, d
	}
	put := func(n dom.Node, b []byte) {
		raw := string(n.Raw())
		open, end := raw[:strings.IndexByte(raw, '>')+1], raw[strings.LastIndexByte(raw, '<'):]
		text = strings.Replace(text, raw, open+base64.StdEncoding.EncodeToString(b)+end, 1)
	}
	c, _ := parse()
	for i := range c.References {
		sum := sha256.New()
		if err := c.WriteOctets(sum, i, c14n.Method{}); err != nil {
			t.Fatal(err)
		}
		put(c.References[i].Element.Child(xmldsig.Namespace, "DigestValue"), sum.Sum(nil))
	}
	c, _ = parse()
	info, err := c14n.Append(nil, c.Canonicalization, c.Node.Child(xmldsig.Namespace, "SignedInfo"))
	if err != nil {
		t.Fatal(err)
	}
	value, err := key.Sign(rand.Reader, info, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	put(c.Signature.Value, value)
	return text
}

func TestForeignPropertiesAreNotBelieved(t *testing.T) {
	t.Parallel()
	id, _ := signer(t, pki.P256)
	out, err := Sign(id.Key.(crypto.Signer), nil, []Document{Bytes("a", "", []byte("x"))}, params(id, Enveloping))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"another target": func(s string) string { return strings.Replace(s, `Target="#`, `Target="#x`, 1) },
		"no reference of the type": func(s string) string {
			return strings.Replace(s, `Type="`+TypeSignedProperties+`"`, `Type="urn:other"`, 1)
		},
	} {
		if c := check(t, []byte(change(string(out)))); c.PropertiesErr == nil {
			t.Errorf("%s: the properties are believed", name)
		}
	}
	twice := strings.Replace(string(out), "</ds:Signature>", `<ds:Object><xades:QualifyingProperties xmlns:xades="`+Namespace+`" Target="#x"/></ds:Object></ds:Signature>`, 1)
	d, err := dom.Parse([]byte(twice), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(d.Root()); !errors.Is(err, ErrStructure) {
		t.Errorf("two sets of properties: %v", err)
	}
}

// Several persons sign one XML document, one after the other, and all signatures hold; one that covers the others, too, is not
// broken by who comes later, who is told instead.
func TestEnvelopedSignaturesStandBesideEachOther(t *testing.T) {
	t.Parallel()
	id, _ := signer(t, pki.P256)
	sign := func(b []byte, alone bool) ([]byte, error) {
		p := params(id, Enveloped)
		p.Alone, p.Time = alone, now.Add(time.Duration(len(b))*time.Second)
		return Sign(id.Key.(crypto.Signer), rand.Reader, []Document{Bytes("", "text/xml", b)}, p)
	}
	intact := func(b []byte) (n int) {
		t.Helper()
		d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range Find(d) {
			s, err := Parse(found)
			if err != nil {
				t.Fatal(err)
			}
			if c, err := s.Check(CheckOptions{}); err == nil && c.Intact() {
				n++
			}
		}
		return n
	}
	b := []byte(content)
	for want := 1; want <= 3; want++ {
		var err error
		if b, err = sign(b, false); err != nil {
			t.Fatal(err)
		}
		if n := intact(b); n != want {
			t.Fatalf("%d of %d signatures hold", n, want)
		}
	}
	typed, err := sign([]byte(`<order xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:a="urn:own:a" xsi:type="a:paid"/>`), false)
	if err != nil || intact(typed) != 1 {
		t.Fatal(err)
	}
	if n := intact(bytes.Replace(typed, []byte("urn:own:a"), []byte("urn:own:b"), 1)); n != 0 {
		t.Error("a prefix in a value has another meaning, and the signature holds")
	}
	if n := intact(bytes.Replace(b, []byte("gut"), []byte("schlecht"), 1)); n != 0 {
		t.Errorf("%d signatures hold over another text", n)
	}
	last, err := sign(b, true)
	if err != nil || intact(last) != 4 {
		t.Fatalf("%d hold, %v", intact(last), err)
	}
	if _, err := sign(last, false); !errors.Is(err, ErrNeighbour) {
		t.Errorf("beside one that covers all: %v", err)
	}
	broken := bytes.Replace(last, []byte("gut"), []byte("schlecht"), 1)
	if again, err := sign(broken, false); err != nil || intact(again) != 1 {
		t.Errorf("beside those that do not hold: %d, %v", intact(again), err)
	}
	// A signature that is content is signed with it.
	within := slices.Concat([]byte("<file>"), b[bytes.Index(b, []byte("<order")):], []byte("</file>"))
	whole, err := sign(within, false)
	if err != nil {
		t.Fatal(err)
	}
	taken := bytes.Replace(whole, []byte("Tallinn"), []byte("Tallin!"), 1)
	if was, is := intact(whole), intact(taken); was != 1 || is != 0 {
		t.Errorf("%d holds, and %d with a signature of the content changed", was, is)
	}
	if _, err := sign(whole, false); !errors.Is(err, ErrNeighbour) {
		t.Errorf("beside one over content with signatures: %v", err)
	}
}
