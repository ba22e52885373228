package xmldsig

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// TestManifest: each entry of a signed manifest is told by itself, and none of them is a matter of the signature.
func TestManifest(t *testing.T) {
	t.Parallel()
	sum := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return base64.StdEncoding.EncodeToString(h[:])
	}
	entry := func(uri, digest string) string {
		return `<ds:Reference URI="` + uri + `"><ds:DigestMethod Algorithm="` + SHA256 + `"/><ds:DigestValue>` + digest + `</ds:DigestValue></ds:Reference>`
	}
	doc := `<r xmlns:ds="` + Namespace + `"><b Id="b">text</b><c Id="c">more</c><d Id="d"/><d Id="d"/><ds:Manifest Id="m">` +
		entry("#b", sum(`<b xmlns:ds="`+Namespace+`" Id="b">text</b>`)) + entry("#c", sum("something else")) + entry("#none", sum("")) + entry("#d", sum("")) + entry("file.txt", sum("file")) +
		strings.Replace(entry("#b", sum("")), SHA256, "urn:another", 1) + `</ds:Manifest></r>`
	d := parseDoc(t, doc)
	key := must(edPair())
	sig, err := Sign(key, []SignReference{{URI: "#m", Type: TypeManifest, Node: find(t, d, "Manifest"), DigestMethod: SHA256}}, SignOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d = parseDoc(t, strings.Replace(doc, "</r>", string(sig)+"</r>", 1))
	opt := VerifyOptions{Key: fixed(key.Public()), External: func(uri string, _ []Transform, _ string) ([]byte, error) {
		h := sha256.Sum256([]byte("file"))
		return h[:], nil
	}}
	x, err := Examine(signatureIn(t, d, 0), opt)
	if err != nil || !x.Intact() {
		t.Fatalf("%v, %+v", err, x)
	}
	entries, errs := x.Manifest(0, opt)
	want := []error{nil, ErrDigest, ErrReference, ErrAmbiguous, nil, ErrAlgorithm}
	if len(entries) != len(want) {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range want {
		if !errors.Is(errs[i], e) || e == nil && errs[i] != nil {
			t.Errorf("entry %d, %s: %v, want %v", i, entries[i].URI, errs[i], e)
		}
	}
}
