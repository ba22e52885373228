package smp

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var generations = []Generation{Busdox10, OASIS10, OASIS20}

func TestOwnAnswersVerify(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, g := range generations {
		src, err := Sign(w.metadata(), g, w.smp, nil)
		if err != nil {
			t.Fatalf("%s: %v", g, err)
		}
		s, err := verify(t, src, w.question())
		if err != nil {
			t.Fatalf("%s: %v", g, err)
		}
		e := s.Metadata.Processes[0].Endpoints[0]
		if s.Metadata.Generation != g || !s.Signer.Equal(w.smp.Certificate) || len(s.Chain) != 2 || e.URL != "https://ap.example.com/as4" || !e.Encryption().Equal(w.ap.Certificate) {
			t.Errorf("%s: %+v, %+v", g, s, e)
		}
		q := w.question()
		q.Participant.Value = strings.ToLower(q.Participant.Value)
		if _, err := verify(t, src, q); err != nil {
			t.Errorf("%s: the participant in another case: %v", g, err)
		}
	}
	if _, err := Sign(w.metadata(), Busdox10, w.elliptic, nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("generation 1 with an elliptic key: got %v", err)
	}
	if src, err := Sign(w.metadata(), OASIS20, w.elliptic, nil); err != nil {
		t.Error(err)
	} else if s, err := verify(t, src, w.question()); err != nil || s.Algorithm != xmldsig.ECDSASHA256 {
		t.Errorf("2.0 with an elliptic key: %v", err)
	}
}

// TestXMLSec: another tool agrees that what we sign is signed.
func TestXMLSec(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		t.Skip("xmlsec1 is not installed")
	}
	w := theWorld()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.der")
	if err := os.WriteFile(ca, w.smpCA.Certificate.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, g := range generations {
		src := must(Sign(w.metadata(), g, w.smp, nil))
		check := func(name string, src []byte) error {
			file := filepath.Join(dir, name+".xml")
			if err := os.WriteFile(file, src, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), "xmlsec1", "--verify", "--trusted-der", ca, "--verification-time", noon.Format("2006-01-02 15:04:05"), file).CombinedOutput()
			if err != nil {
				t.Logf("%s: %s", name, out)
			}
			return err
		}
		if err := check(g.String(), src); err != nil {
			t.Errorf("%s: xmlsec1 refuses our answer: %v", g, err)
		}
		if err := check(g.String()+" changed", bytes.Replace(src, []byte("ap.example.com"), []byte("ap.example.org"), 1)); err == nil {
			t.Errorf("%s: xmlsec1 accepts a changed answer", g)
		}
	}
}

// hostile answers, each wrong in one way, and the refusal that belongs to it.
func hostile(t testing.TB, g Generation) []struct {
	name string
	src  []byte
	want error
} {
	w := theWorld()
	plain := must(write(w.metadata(), g, true))
	good := must(Sign(w.metadata(), g, w.smp, nil))
	own := c14n.Inclusive10
	if g == OASIS20 {
		own = c14n.Inclusive11
	}
	signed := func(f forge) []byte {
		if f.c14n == "" {
			f.c14n = own
		}
		out := f.sign(t, plain, w.smp)
		if !holds(t, out) {
			t.Fatal("a forgery is refused by the XML signature already")
		}
		return out
	}
	by := func(id *pki.Identity) []byte { return must(Sign(w.metadata(), g, id, nil)) }
	about := func(p ids.Participant, d ids.DocumentType) []byte {
		md := w.metadata()
		md.Participant, md.DocumentType = p, d
		return must(Sign(md, g, w.smp, nil))
	}
	replace := func(old, with string) []byte {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("no %q to replace", old)
		}
		return bytes.Replace(good, []byte(old), []byte(with), 1)
	}
	part := func(wr *dom.Writer) { wr.Element("ds:Object", "nothing", "Id", "part") }
	ref := func(change func(*xmldsig.SignReference)) func(doc *dom.Document) []xmldsig.SignReference {
		return func(doc *dom.Document) []xmldsig.SignReference {
			r := xmldsig.SignReference{Node: doc.Node(), Transforms: []xmldsig.Transform{{Algorithm: xmldsig.Enveloped}}}
			change(&r)
			return []xmldsig.SignReference{r}
		}
	}
	deep := "<SignedServiceMetadata xmlns='" + NamespaceBusdox + "'>" + strings.Repeat("<a>", 5000)
	inside := map[Generation]string{Busdox10: "ServiceMetadata", OASIS10: "ServiceInformation", OASIS20: "ProcessMetadata"}[g]
	return []struct {
		name string
		src  []byte
		want error
	}{
		{"unsigned", plain, ErrUnsigned},
		{"exclusive canonicalisation", signed(forge{c14n: c14n.Exclusive10}), ErrAlgorithm},
		{"nested", signed(forge{place: inside}), ErrSignaturePlace},
		{"signature in front", signed(forge{first: true}), ErrSignaturePlace},
		{"partial", signed(forge{object: part, refs: func(doc *dom.Document) []xmldsig.SignReference {
			open, end := plain[:bytes.LastIndex(plain, []byte("</"))], plain[bytes.LastIndex(plain, []byte("</")):]
			withObject := string(open) + `<ds:Signature xmlns:ds="` + nsDS + `"><ds:Object Id="part">nothing</ds:Object></ds:Signature>` + string(end)
			d := must(dom.Parse([]byte(withObject), dom.Limits{}))
			return []xmldsig.SignReference{{URI: "#part", Node: d.Root().Child(nsDS, "Signature").FirstElement()}}
		}}), ErrCoverage},
		{"two references", signed(forge{refs: func(doc *dom.Document) []xmldsig.SignReference {
			return append(ref(func(*xmldsig.SignReference) {})(doc), ref(func(*xmldsig.SignReference) {})(doc)...)
		}}), ErrCoverage},
		{"a canonicalisation transform besides", signed(forge{refs: ref(func(r *xmldsig.SignReference) {
			r.Transforms = append(r.Transforms, xmldsig.Canonicalize(c14n.Method{Algorithm: c14n.Exclusive10}))
		})}), ErrCoverage},
		{"reference without URI", forge{refs: ref(func(r *xmldsig.SignReference) { r.Anonymous = true })}.sign(t, plain, w.smp), ErrCoverage},
		{"no certificate", forge{c14n: own, noKeyInfo: true}.sign(t, plain, w.smp), ErrSignature},
		{"tampered", replace("https://ap.example.com/as4", "https://attacker.example.com/"), ErrSignature},
		{"white space added", replace("</ds:Signature>", "</ds:Signature>\n"), ErrSignature},
		{"doctype", replace("?>", `?><!DOCTYPE x [<!ENTITY e "e">]>`), dom.ErrDoctype},
		{"entity bomb", replace("?>", `?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`), dom.ErrDoctype},
		{"external entity", replace("?>", `?><!DOCTYPE x SYSTEM "file:///etc/passwd">`), dom.ErrDoctype},
		{"large", append(bytes.Clone(good), bytes.Repeat([]byte("\n"), 20<<20)...), ErrTooLarge},
		{"deep", []byte(deep), dom.ErrLimit},
		{"truncated", good[:len(good)/2], ErrSyntax},
		{"html", []byte("<html><body><h1>It works</h1></body></html>"), ErrRoot},
		{"bad html", []byte("<html><body><br>It works</html>"), ErrSyntax},
		{"empty", nil, ErrSyntax},
		{"a service group", must(WriteServiceGroup(&ServiceGroup{Participant: brook}, g, "")), ErrRoot},
		{"signer expired", by(w.expired), pki.ErrExpired},
		{"foreign signer of the same name", by(w.foreign), ErrUntrusted},
		{"an access point's certificate", by(w.ap), ErrNotSMP},
		{"another participant", about(ids.Participant{Scheme: ids.SchemeActor, Value: "9999:creek"}, permit), ErrWrongParticipant},
		{"the same value in another scheme", about(ids.Participant{Scheme: "other-actorid-upis", Value: brook.Value}, permit), ErrWrongParticipant},
		{"another document type", about(brook, ids.DocumentType{Scheme: permit.Scheme, Value: strings.Replace(permit.Value, "full", "short", 1)}), ErrWrongDocument},
		{"the document type in another case", about(brook, ids.DocumentType{Scheme: permit.Scheme, Value: strings.Replace(permit.Value, "Permit", "PERMIT", 1)}), ErrWrongDocument},
	}
}

func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, g := range generations {
		for _, c := range hostile(t, g) {
			s, err := verify(t, c.src, w.question())
			if !errors.Is(err, c.want) || s != nil {
				t.Errorf("%s, %s: got %v, want %v", g, c.name, err, c.want)
			}
		}
	}
}

func TestSHA1IsRefused(t *testing.T) {
	t.Parallel()
	w := theWorld()
	src := sha1Signed(t, must(write(w.metadata(), Busdox10, true)), w.smp)
	if !holds(t, src) {
		t.Fatal("the signature is not good")
	}
	q := w.question()
	if _, err := verify(t, src, q); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("got %v, want %v", err, ErrAlgorithm)
	}
	q.OldMaterial = true
	if _, err := verify(t, src, q); err != nil {
		t.Errorf("as old material: %v", err)
	}
}

func TestTwoSignatures(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, g := range generations {
		once := must(Sign(w.metadata(), g, w.other, nil))
		twice := must(signDocument(must(dom.Parse(bytes.Clone(once), dom.Limits{})), g, w.smp, nil))
		s, err := verify(t, twice, w.question())
		if g != OASIS20 {
			if !errors.Is(err, ErrSignatureCount) {
				t.Errorf("%s: got %v, want %v", g, err, ErrSignatureCount)
			}
			continue
		}
		// The second signature covers the first, which it breaks: one trusted one that holds is enough.
		if err != nil || !s.Signer.Equal(w.smp.Certificate) {
			t.Errorf("%s: %v", g, err)
		}
		foreign := must(signDocument(must(dom.Parse(bytes.Clone(once), dom.Limits{})), g, w.foreign, nil))
		if _, err := verify(t, foreign, w.question()); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s, the outer one foreign: got %v", g, err)
		}
		many := bytes.Clone(once)
		for range maxSignatures {
			many = must(signDocument(must(dom.Parse(many, dom.Limits{})), g, w.smp, nil))
		}
		if _, err := verify(t, many, w.question()); !errors.Is(err, ErrSignatureCount) {
			t.Errorf("%s, five: got %v", g, err)
		}
	}
}

// TestCommentsChangeNothing: canonical form leaves comments out, so anybody can add them; no value may be cut by one.
func TestCommentsChangeNothing(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, g := range generations {
		src := must(Sign(w.metadata(), g, w.smp, nil))
		src = bytes.Replace(src, []byte("https://ap.example.com/as4"), []byte("https://ap.example.co<!-- x -->m/as4"), 1)
		src = bytes.Replace(src, []byte(brook.Value), []byte("9999:Bro<!-- x -->ok"), 1)
		s, err := verify(t, src, w.question())
		if err != nil || s.Metadata.Processes[0].Endpoints[0].URL != "https://ap.example.com/as4" || s.Metadata.Participant != brook {
			t.Errorf("%s: %v", g, err)
		}
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	t.Parallel()
	w := theWorld()
	weak := must(w.smpCA.Issue(pki.Template{Subject: "CN=POP000001,O=One,C=XX", Key: must(rsa.GenerateKey(rand.Reader, 1024)), NotBefore: noon.AddDate(0, 0, -1)}))
	q := w.question()
	q.OldMaterial = true
	if _, err := verify(t, sha1Signed(t, must(write(w.metadata(), Busdox10, true)), weak), q); !errors.Is(err, ErrSignature) || !errors.Is(err, xmldsig.ErrKey) {
		t.Errorf("got %v", err)
	}
}

func TestOtherGenerationsCanBeRefused(t *testing.T) {
	t.Parallel()
	w := theWorld()
	q := w.question()
	q.Generations = []Generation{OASIS10, OASIS20}
	if _, err := verify(t, must(Sign(w.metadata(), Busdox10, w.smp, nil)), q); !errors.Is(err, ErrRoot) {
		t.Errorf("got %v, want %v", err, ErrRoot)
	}
}

func TestFoldedDocumentTypes(t *testing.T) {
	t.Parallel()
	w := theWorld()
	q := w.question()
	q.DocumentType.Value = strings.ToUpper(q.DocumentType.Value)
	q.Rules = ids.Rules{FoldDocumentType: true}
	if _, err := verify(t, must(Sign(w.metadata(), OASIS10, w.smp, nil)), q); err != nil {
		t.Error(err)
	}
}

func TestRedirectNamesTheQuestion(t *testing.T) {
	t.Parallel()
	w := theWorld()
	redirect := func(p ids.Participant, d ids.DocumentType) []byte {
		return must(Sign(&ServiceMetadata{Redirect: &Redirect{Href: "https://other.example.com" + ids.ServicePath(p, d), CertificateUID: "CN=X"}}, Busdox10, w.smp, nil))
	}
	if s, err := verify(t, redirect(brook, permit), w.question()); err != nil || s.Metadata.Redirect == nil {
		t.Errorf("redirect: %v", err)
	}
	creek := ids.Participant{Scheme: brook.Scheme, Value: "9999:creek"}
	if _, err := verify(t, redirect(creek, permit), w.question()); !errors.Is(err, ErrWrongParticipant) {
		t.Errorf("redirect of another participant: got %v", err)
	}
	if _, err := verify(t, redirect(brook, ids.DocumentType{Scheme: permit.Scheme, Value: "x"}), w.question()); !errors.Is(err, ErrWrongDocument) {
		t.Errorf("redirect of another document type: got %v", err)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w := theWorld()
	sg := &ServiceGroup{Participant: brook, References: []Reference{{DocumentType: permit, Processes: []ids.Process{permits}}}}
	signed := must(SignGroup(sg, w.smp, nil))
	for _, c := range []struct {
		name string
		src  []byte
		want error
	}{
		{"Busdox", must(WriteServiceGroup(sg, Busdox10, "https://smp.example.com")), nil},
		{"OASIS 1.0", must(WriteServiceGroup(sg, OASIS10, "https://smp.example.com/x/")), nil},
		{"2.0 unsigned", must(WriteServiceGroup(sg, OASIS20, "")), nil},
		{"2.0 signed", signed, nil},
		{"2.0 signed and changed", bytes.Replace(signed, []byte("Permit##"), []byte("Forged##"), 1), ErrSignature},
		{"2.0 signed by an access point", must(SignGroup(sg, w.ap, nil)), ErrNotSMP},
		{"another participant", must(WriteServiceGroup(&ServiceGroup{Participant: ids.Participant{Scheme: "a", Value: "b"}}, Busdox10, "")), ErrWrongParticipant},
		{"metadata instead", must(Sign(w.metadata(), Busdox10, w.smp, nil)), ErrRoot},
		{"too many references", []byte(`<s:ServiceGroup xmlns:s="` + NamespaceOASIS10 + `"><s:ParticipantIdentifier scheme="a">b</s:ParticipantIdentifier><s:ServiceMetadataReferenceCollection>` +
			strings.Repeat(`<s:ServiceMetadataReference href=""/>`, MaxReferences+1) + `</s:ServiceMetadataReferenceCollection></s:ServiceGroup>`), ErrSyntax},
	} {
		got, err := VerifyGroup(t.Context(), bytes.Clone(c.src), w.question())
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if c.want == nil && (len(got.References) != 1 || got.References[0].DocumentType != permit) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
