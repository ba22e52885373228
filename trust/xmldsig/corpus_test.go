package xmldsig

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// judge compares a verdict with the corpus and the list of known disagreements, where a row that agrees by now fails.
func judge(t *testing.T, known map[string]string, name string, err error, want bool) bool {
	t.Helper()
	agrees := (err == nil) == want
	reason, listed := known[name]
	switch {
	case agrees && listed:
		t.Errorf("%s agrees now, but is listed: %s", name, reason)
	case !agrees && !listed:
		t.Errorf("%s: verifies %v, want %v: %v", name, err == nil, want, err)
	}
	return agrees
}

// xmlsecRow is a row of the xmlsec part of the corpus: the command line of that program, as its tests give it.
type xmlsecRow struct {
	dir, file string
	options   string
}

func (r xmlsecRow) read(t *testing.T, name string) []byte {
	t.Helper()
	for _, dir := range []string{filepath.Join(r.dir, path.Dir(r.file)), r.dir} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return b
		}
	}
	return nil // the corpus leaves out some certificates of the command lines
}

func (r xmlsecRow) values(option string) (out []string) {
	for _, m := range regexp.MustCompile(`--`+option+`\s+(\S+)`).FindAllStringSubmatch(r.options, -1) {
		out = append(out, m[len(m)-1])
	}
	return out
}

// keys returns the keys that the command line gives, the best first.
func (r xmlsecRow) keys(t *testing.T) (keys []crypto.PublicKey) {
	for _, f := range r.values("hmackey") {
		keys = append(keys, HMACKey(r.read(t, f)))
	}
	for _, f := range r.values(`pubkey-der:\S+`) {
		k, err := pki.ParsePublicKey(r.read(t, f))
		if err != nil {
			t.Logf("%s: %v", f, err)
			continue
		}
		keys = append(keys, k)
	}
	for _, option := range []string{"pubkey-cert-der", "untrusted-der", "trusted-der"} {
		for _, f := range r.values(option) {
			der := r.read(t, f)
			if der == nil {
				continue
			}
			if pem, err := pki.ParsePEMCertificates(der); err == nil && len(pem) > 0 {
				keys = append(keys, pem[0].PublicKey)
				continue
			}
			c, err := pki.ParseCertificate(der)
			if err != nil {
				t.Errorf("%s: %v", f, err)
				continue
			}
			if c.PublicKey != nil {
				keys = append(keys, c.PublicKey)
			}
		}
	}
	return keys
}

func (r xmlsecRow) external(t *testing.T) func(string, []Transform, string) ([]byte, error) {
	urls := map[string]string{}
	for _, m := range regexp.MustCompile(`--url-map:(\S+)\s+(\S+)`).FindAllStringSubmatch(r.options, -1) {
		urls[m[1]] = m[2]
	}
	return func(uri string, transforms []Transform, method string) ([]byte, error) {
		f, ok := urls[uri]
		if !ok {
			f = filepath.Join(path.Dir(r.file), uri)
		}
		b, err := os.ReadFile(filepath.Join(r.dir, f))
		if err != nil {
			return nil, fmt.Errorf("not in the corpus: %s", uri)
		}
		return DigestOctets(b, transforms, method)
	}
}

// verify answers whether the file verifies with KeyInfo alone or with one of the keys given.
func (r xmlsecRow) verify(t *testing.T) error {
	doc, err := dom.Parse(r.read(t, path.Base(r.file)), dom.Limits{})
	if err != nil {
		return err
	}
	sig := signatureIn(t, doc, 0)
	opt := VerifyOptions{AllowSHA1: true, AnyWidth: true, AllowHMAC: true, AllowXPath: true, MinRSABits: 512, External: r.external(t)}
	var failed error
	for _, key := range append([]crypto.PublicKey{nil}, r.keys(t)...) {
		if key != nil {
			opt.Key = fixed(key)
		}
		res, err := Verify(sig, opt)
		if err == nil {
			checkSigned(t, res)
			return nil
		}
		if failed == nil || errors.Is(failed, ErrKey) {
			failed = err
		}
	}
	return failed
}

func TestCorpusXMLSec(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "xmlsec")
	known := corpus.Known(t, "testdata/known.tsv")
	rows, agree := 0, 0
	for _, row := range corpus.Index(t, "esignature") {
		file, ok := strings.CutPrefix(row["file"], "xmlsec/")
		if !ok || row["format"] != "XMLDSig" {
			continue
		}
		rows++
		r := xmlsecRow{dir, file, strings.TrimPrefix(row["inputs"], "keys/options: ")}
		name := file
		want := row["expected"] == "signature verifies"
		if !want {
			name += " with " + strings.TrimSpace(r.options)
		}
		if judge(t, known, name, r.verify(t), want) {
			agree++
		}
	}
	if rows < 150 {
		t.Fatalf("only %d rows", rows)
	}
	t.Logf("xmlsec: %d of %d rows agree", agree, rows)
}

func TestCorpusDiscovery(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	rows := 0
	for _, row := range corpus.Index(t, "edelivery-discovery") {
		verifies := strings.Contains(row["expected"], "signature verifies [checked]")
		if !verifies && !strings.Contains(row["expected"], "does NOT verify") {
			continue
		}
		if !strings.HasPrefix(row["path"], "smp-peppol/") && !strings.HasPrefix(row["path"], "smp-bdxr1/") {
			continue
		}
		rows++
		d, err := dom.Parse(corpus.Read(t, "edelivery-discovery", row["path"]), dom.Limits{})
		if err != nil {
			t.Errorf("%s: %v", row["path"], err)
			continue
		}
		sig := signatureIn(t, d, 0)
		r, err := Verify(sig, VerifyOptions{AllowSHA1: true})
		judge(t, known, row["path"], err, verifies)
		if !verifies {
			continue
		}
		checkSigned(t, r)
		if len(r.Certificates) == 0 || !strings.Contains(row["expected"], r.Certificates[0].Subject.CommonName()) {
			t.Errorf("%s: signer %v", row["path"], r.Certificates)
		}
		if !r.Covers(d.Root()) || r.References[0].Node != d.Node() {
			t.Errorf("%s: the document is not covered", row["path"])
		}
		if _, err := Verify(sig, VerifyOptions{}); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: SHA-1 without leave: %v", row["path"], err)
		}
	}
	if rows < 12 {
		t.Fatalf("only %d rows", rows)
	}
}

// envelopeOf cuts the SOAP envelope out of a MIME body or an HTTP capture.
var envelopeOf = regexp.MustCompile(`(?s)<(\w+:)?Envelope[\s>].*?</(\w+:)?Envelope\s*>`)

// as4Key finds the key as the WS-Security reference forms of the corpus have it: the binary token a Reference names.
// or, among the certificates of the corpus, the one with that subject key identifier.
func as4Key(t *testing.T, d *dom.Document) func(dom.Node, string) (crypto.PublicKey, error) {
	ids := IndexIDs(d, IDPolicy{})
	return func(info dom.Node, _ string) (crypto.PublicKey, error) {
		for n := range info.Descendants() {
			if n.Kind() != dom.ElementNode {
				continue
			}
			if n.Local() == "KeyIdentifier" {
				return bySKI(t, n)
			}
			if n.Local() != "Reference" {
				continue
			}
			token, err := ids.Lookup(strings.TrimPrefix(n.Attr("URI"), "#"))
			if err != nil {
				return nil, err
			}
			der, err := appendBase64(nil, token, maxCertificate)
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(token.Attr("ValueType"), "X509PKIPathv1") {
				certs, err := pki.ParsePKIPath(der)
				if err != nil {
					return nil, err
				}
				return certs[0].PublicKey, nil
			}
			c, err := pki.ParseCertificate(der)
			if err != nil {
				return nil, err
			}
			return c.PublicKey, nil
		}
		return nil, errors.New("no wsse:Reference")
	}
}

func bySKI(t *testing.T, n dom.Node) (crypto.PublicKey, error) {
	want, err := appendBase64(nil, n, 64)
	if err != nil {
		return nil, err
	}
	for file, password := range map[string]string{"AccessPointA.pfx": "Pz4cZK4SULUwmraZa", "AccessPointB.pfx": "Pz4cZK4SULUwmraZb", "partyC.p12": "ExampleC"} {
		id, err := pki.LoadIdentity(corpus.Read(t, "edelivery-as4", "keys/"+file), password)
		if err != nil {
			return nil, err
		}
		for _, c := range append([]*pki.Certificate{id.Certificate}, id.Chain...) {
			if bytes.Equal(c.SubjectKeyID, want) {
				return c.PublicKey, nil
			}
		}
	}
	return nil, errors.New("no certificate with that subject key identifier")
}

// verifyAS4 verifies one file of the AS4 corpus. Attachments that the file holds are digested as they stand; for the
// encrypted and the missing ones the digest of the reference itself is taken, since this test is about the XML parts.
func verifyAS4(t *testing.T, name string, attachments bool) (*Result, error) {
	t.Helper()
	body := corpus.Read(t, "edelivery-as4", name)
	xml := envelopeOf.Find(body)
	if xml == nil {
		xml = body
	}
	d, err := dom.Parse(append([]byte(nil), xml...), dom.Limits{})
	if err != nil {
		return nil, err
	}
	sig := signatureIn(t, d, 0)
	declared := map[string][]byte{}
	for ref := range sig.Child(Namespace, "SignedInfo").Elements() {
		if v := ref.Child(Namespace, "DigestValue"); v.Valid() {
			declared[ref.Attr("URI")], _ = appendBase64(nil, v, 64)
		}
	}
	opt := VerifyOptions{
		AllowSHA1: true, MinRSABits: 1024, Key: as4Key(t, d),
		External: func(uri string, _ []Transform, method string) ([]byte, error) {
			if octets := part(body, strings.TrimPrefix(uri, "cid:")); octets != nil && attachments {
				return DigestOctets(octets, nil, method)
			}
			return declared[uri], nil
		},
	}
	if strings.HasPrefix(name, "eddsa/") {
		opt.Key = nil
		opt.IDAttributes.Attributes = append([]IDName{{"", "AssertionID"}}, defaultIDs...)
	}
	r, err := Verify(sig, opt)
	if err == nil {
		checkSigned(t, r)
	}
	return r, err
}

// part returns the body of the MIME part with that Content-ID, nil where the file has none in clear.
func part(body []byte, cid string) []byte {
	s := string(body)
	i := strings.Index(s, "<"+cid+">")
	if i < 0 {
		return nil
	}
	head := strings.Index(s[i:], "\r\n\r\n")
	open := strings.LastIndex(s[:i], "\r\n--")
	if head < 0 || open < 0 {
		return nil
	}
	boundary := s[open : open+strings.Index(s[open+2:], "\r\n")+2]
	content := s[i+head+4:]
	end := strings.Index(content, boundary)
	if end < 0 {
		return nil
	}
	return []byte(content[:end])
}

func TestCorpusAS4(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, "testdata/known.tsv")
	var agree atomic.Int32
	rows := 0
	for _, row := range corpus.Index(t, "edelivery-as4") {
		e, file := row["expected"], row["file"]
		want := false
		switch {
		case strings.HasPrefix(e, "signature valid"), // eddsa/*
			strings.Contains(e, "both digests valid [checked]"),
			strings.Contains(e, "Body digests valid [checked]"),
			strings.Contains(e, "all digests match"),
			strings.Contains(e, "SignedInfo valid, Messaging and Body digests match [checked]"):
			want = true
		case strings.Contains(e, "[checked]") && (strings.Contains(e, "not match") || strings.Contains(e, "not verify") || strings.Contains(e, "INVALID")),
			strings.HasPrefix(e, "signature invalid"),
			strings.HasPrefix(e, "EBMS:0101") && strings.Contains(row["what it shows"], "[checked]"),
			strings.HasPrefix(e, "EBMS:0101") && strings.Contains(row["what it shows"], "unknown SignatureMethod"):
		default:
			continue
		}
		rows++
		_, err := verifyAS4(t, file, !strings.Contains(e, "cid digest not checkable"))
		if judge(t, known, file, err, want) {
			agree.Add(1)
		}
		t.Logf("%s: %v", file, err)
	}
	if rows < 18 {
		t.Fatalf("only %d rows", rows)
	}
	t.Logf("as4: %d of %d rows agree", agree.Load(), rows)
}
