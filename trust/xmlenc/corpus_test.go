package xmlenc

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func parse(tb testing.TB, src []byte) *dom.Document {
	tb.Helper()
	d, err := dom.Parse(bytes.Clone(src), dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func find(n dom.Node, local string) dom.Node {
	for e := range n.Descendants() {
		if e.Is(nsXenc, local) {
			return e
		}
	}
	return dom.Node{}
}

func identity(tb testing.TB, file []byte, password string) pki.Key {
	tb.Helper()
	id, err := pki.LoadIdentity(file, password)
	if err != nil {
		tb.Fatal(err)
	}
	return id.Key
}

func TestCorpusXMLEnc11(t *testing.T) {
	t.Parallel()
	const area = "edelivery-as4"
	want := corpus.Read(t, area, "xmlenc11/plaintext.xml")
	n := 0
	for _, row := range corpus.Index(t, area) {
		file := row["file"]
		if !strings.HasPrefix(file, "xmlenc11/cipherText__") {
			continue
		}
		n++
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			kind, _, _ := strings.Cut(strings.TrimPrefix(file, "xmlenc11/cipherText__"), "__")
			name := kind + "_SHA256WithRSA.p12"
			if strings.HasPrefix(kind, "EC") {
				name = kind + "_SHA256WithECDSA-v02.p12"
			}
			key := identity(t, corpus.Read(t, area, "xmlenc11/"+name), "passwd")
			src := corpus.Read(t, area, file)
			got, err := DecryptElement(find(parse(t, src).Node(), "EncryptedData"), key, DecryptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !sameXML(got, want) {
				t.Errorf("plaintext differs:\n%s", got)
			}
		})
	}
	if n != 6 {
		t.Fatalf("%d vectors, want 6", n)
	}
}

func TestCorpusX25519Key(t *testing.T) {
	t.Parallel()
	der := corpus.Read(t, "edelivery-as4", "eddsa/x25519.key")
	if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(der))); err == nil {
		der = b
	}
	src := agreedKey(X25519, `<d:DEREncodedKeyValue xmlns:d="`+nsDSig11+`">`+base64.StdEncoding.EncodeToString(der)+`</d:DEREncodedKeyValue>`, "")
	k, err := ParseEncryptedKey(parse(t, []byte(src)).Root())
	if err != nil {
		t.Fatal(err)
	}
	if method, _ := agreementOf(k.Originator); method != X25519 {
		t.Errorf("loads as %T", k.Originator)
	}
}

// TestCorpusMessages decrypts whole messages of other products: the key from the envelope, then each part, then gunzips it.
func TestCorpusMessages(t *testing.T) {
	t.Parallel()
	const area = "edelivery-as4"
	for _, m := range []struct {
		file, key, password string
		parts               int
		want                error
	}{
		{"as4net/as4-encrypted-compressed-message.as4", "keys/partyC.p12", "ExampleC", 2, nil},
		{"as4net/as4-encrypted-signed-issuerserial.as4", "keys/AccessPointB.pfx", "Pz4cZK4SULUwmraZb", 2, nil},
		{"as4net/as4-soap-wrong-encrypted-message.txt", "keys/partyC.p12", "ExampleC", 2, ErrDecrypt},
	} {
		t.Run(m.file, func(t *testing.T) {
			t.Parallel()
			key := identity(t, corpus.Read(t, area, m.key), m.password)
			envelope, parts := message(t, corpus.Read(t, area, m.file))
			root := parse(t, envelope).Node()
			k, err := ParseEncryptedKey(find(root, "EncryptedKey"))
			if err != nil {
				t.Fatal(err)
			}
			if !k.RecipientInfo.Is(nsWSSE, "SecurityTokenReference") {
				t.Errorf("recipient named by %v", k.RecipientInfo)
			}
			seen := 0
			for e := range root.Descendants() {
				if !e.Is(nsXenc, "EncryptedData") {
					continue
				}
				seen++
				ed, err := ParseEncryptedData(e)
				if err != nil {
					t.Fatal(err)
				}
				session, err := k.Decrypt(key, KeySize(ed.Algorithm), nil)
				if err != nil {
					t.Fatal(err)
				}
				part, ok := parts[strings.TrimPrefix(ed.CipherReference, "cid:")]
				if !ok {
					t.Fatalf("no part %q", ed.CipherReference)
				}
				r, err := NewGCMReader(bytes.NewReader(part), session)
				if err != nil {
					t.Fatal(err)
				}
				plain, err := io.ReadAll(r)
				if !errors.Is(err, m.want) {
					t.Fatalf("part %s: %v, want %v", ed.CipherReference, err, m.want)
				}
				if err != nil {
					continue
				}
				if len(plain) != len(part)-28 {
					t.Errorf("%d octets of %d", len(plain), len(part))
				}
				z, err := gzip.NewReader(bytes.NewReader(plain))
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(z); err != nil || len(text) == 0 {
					t.Errorf("gunzip: %d octets, %v", len(text), err)
				}
			}
			if seen != m.parts {
				t.Errorf("%d parts, want %d", seen, m.parts)
			}
		})
	}
}

// message takes a multipart body without HTTP headers apart: the root part and the others by their Content-ID.
func message(tb testing.TB, body []byte) (root []byte, parts map[string][]byte) {
	tb.Helper()
	at := bytes.Index(body, []byte("--"))
	boundary, _, _ := bytes.Cut(body[at+2:], []byte("\r\n"))
	r := multipart.NewReader(bytes.NewReader(body[at:]), string(boundary))
	parts = map[string][]byte{}
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return root, parts
		}
		if err != nil {
			tb.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			tb.Fatal(err)
		}
		if root == nil {
			root = b
			continue
		}
		parts[strings.Trim(p.Header.Get("Content-Id"), "<>")] = b
	}
}

func TestCorpusReadsHeaders(t *testing.T) {
	t.Parallel()
	const area = "edelivery-as4"
	k, err := ParseEncryptedKey(parse(t, corpus.Read(t, area, "as4net/EncryptedKeyWithMGFSpec.txt")).Root())
	if err != nil {
		t.Fatal(err)
	}
	if k.Transport.Algorithm != RSAOAEP || k.Transport.Digest != SHA256 || k.Transport.MGF != MGF1SHA256 || len(k.References) != 2 {
		t.Errorf("%+v", k)
	}
	root := parse(t, corpus.Read(t, area, "as4net/as4-encrypted-envelope.xml")).Node()
	if k, err = ParseEncryptedKey(find(root, "EncryptedKey")); err != nil {
		t.Fatal(err)
	}
	if k.Transport.Algorithm != RSAOAEPMGF1P || k.Transport.Digest != SHA256 || k.Transport.MGF != MGF1SHA1 {
		t.Errorf("%+v", k.Transport)
	}
	for e := range root.Descendants() {
		if e.Is(nsXenc, "EncryptedData") {
			if ed, err := ParseEncryptedData(e); err != nil || ed.MimeType != "image/jpeg" || len(ed.Transforms) != 1 {
				t.Errorf("%+v, %v", ed, err)
			}
		}
	}
}

// TestCorpusXMLSec takes the encryption rows of xmlsec's own suite, with the keys that its command line gave.
func TestCorpusXMLSec(t *testing.T) {
	t.Parallel()
	const area = "esignature"
	dir := filepath.Join(corpus.Dir(t, area), "xmlsec")
	known := corpus.Known(t, "testdata/known.tsv")
	agree, rows := 0, 0
	for _, row := range corpus.Index(t, area) {
		if row["format"] != "XMLEnc" {
			continue
		}
		rows++
		file, keys := row["file"], strings.TrimPrefix(row["inputs"], "keys/options: ")
		src := corpus.Read(t, area, file)
		got, err := decryptRow(t, dir, src, keys)
		mustFail := strings.HasPrefix(row["expected"], "decryption must FAIL")
		var complaint string
		switch {
		case mustFail && err == nil:
			complaint = "decrypts and must not"
		case mustFail:
		case err != nil:
			complaint = err.Error()
		default:
			want, readErr := os.ReadFile(filepath.Join(filepath.Dir(dir), strings.TrimSuffix(file, ".xml")+".data"))
			if readErr != nil {
				t.Fatal(readErr)
			}
			if strings.HasPrefix(row["expected"], "decrypts; base64") {
				want, readErr = base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(want), nil)))
				if readErr != nil {
					t.Fatal(readErr)
				}
			}
			if !sameXML(got, want) {
				complaint = fmt.Sprintf("plaintext differs: %.200q, want %.200q", got, want)
			}
		}
		reason, listed := known[file]
		if mustFail {
			listed = false // the list is of what ought to decrypt
		}
		switch {
		case complaint == "" && listed:
			t.Errorf("%s agrees now and is still in known.tsv (%s)", file, reason)
		case complaint == "":
			agree++
		case !listed:
			t.Errorf("%s: %s (%s)", file, complaint, row["what it shows"])
		}
	}
	if rows < 180 {
		t.Fatalf("only %d rows: is the corpus there?", rows)
	}
	t.Logf("%d of %d rows agree, the others are in known.tsv", agree, rows)
}

// TestCorpusXMLSecConcatKDF takes the rows whose session key of 32 octets serves aes128-gcm, of which xmlsec uses the first half and
// we none: they still prove the derivation with each digest.
func TestCorpusXMLSecConcatKDF(t *testing.T) {
	t.Parallel()
	const area = "esignature"
	dir := filepath.Join(corpus.Dir(t, area), "xmlsec")
	digests := map[string]bool{}
	for _, row := range corpus.Index(t, area) {
		if row["format"] != "XMLEnc" || !strings.Contains(row["file"], "_concatkdf_") || !strings.HasSuffix(row["file"], "_kw_aes256_aes128gcm.xml") ||
			strings.Contains(row["file"], "x448") {
			continue
		}
		ed, err := ParseEncryptedData(find(parse(t, corpus.Read(t, area, row["file"])).Node(), "EncryptedData"))
		if err != nil {
			t.Fatal(err)
		}
		found, err := ed.Keys()
		if err != nil {
			t.Fatal(err)
		}
		keys := loadKeys(t, dir, strings.TrimPrefix(row["inputs"], "keys/options: "))
		k := found[0]
		k.Originator = keys.originator
		session, err := k.Decrypt(keys.private, 32, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenGCM(nil, session[:16], ed.CipherValue); err != nil {
			t.Errorf("%s: %v", row["file"], err)
		}
		digests[k.Transport.Agreement+k.Transport.Concat.Digest] = true
	}
	if len(digests) != 10 {
		t.Errorf("%d agreements and digests: %v", len(digests), digests)
	}
}

// decryptRow answers the document with its EncryptedData replaced by what was in it.
func decryptRow(tb testing.TB, dir string, src []byte, options string) ([]byte, error) {
	d, err := dom.Parse(bytes.Clone(src), dom.Limits{})
	if err != nil {
		return nil, err
	}
	n := find(d.Node(), "EncryptedData")
	if !n.Valid() {
		return nil, errors.New("no EncryptedData")
	}
	plain, err := decryptWith(tb, n, loadKeys(tb, dir, options))
	if err != nil {
		return nil, err
	}
	if ed, err := ParseEncryptedData(n); err == nil && n == d.Root() && ed.Type != TypeElement && ed.Type != TypeContent {
		return plain, nil
	}
	out := append([]byte{}, d.Source()[:n.Offset()]...)
	out = append(out, plain...)
	return append(out, d.Source()[n.Offset()+len(n.Raw()):]...), nil
}

type xmlsecKeys struct {
	private    pki.Key
	originator any
	named      map[string][]byte
	only       []byte // of a command line that gave one symmetric key
}

func loadKeys(tb testing.TB, dir, options string) (k xmlsecKeys) {
	tb.Helper()
	k.named = map[string][]byte{}
	words := strings.Fields(options)
	password := ""
	for i, w := range words {
		if w == "--pwd" {
			password = words[i+1]
		}
	}
	for i, w := range words {
		option, _, _ := strings.Cut(w, ":")
		load := func() []byte {
			b, err := os.ReadFile(filepath.Join(dir, words[i+1]))
			if err != nil {
				tb.Fatal(err)
			}
			return b
		}
		switch option {
		case "--pkcs12":
			if id, err := pki.LoadIdentity(load(), password); err == nil {
				k.private = id.Key // an X448 key does not load; its rows are known
			}
		case "--pubkey-der":
			if pub, err := pki.ParsePublicKey(load()); err == nil {
				k.originator = pub
			}
		case "--aes-key", "--aeskey":
			k.only = load()
		case "--keys-file":
			for e := range parse(tb, load()).Node().Descendants() {
				if e.Kind() == dom.ElementNode && e.Local() == "AESKeyValue" {
					b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.Text()), ""))
					if err != nil {
						tb.Fatal(err)
					}
					k.named[e.Parent().Parent().Child(nsDS, "KeyName").TrimmedText()] = b
				}
			}
		}
	}
	return k
}

func (k xmlsecKeys) symmetric(info dom.Node) []byte {
	if info.Valid() && info.Is(nsDS, "KeyInfo") {
		info = info.Child(nsDS, "KeyName")
	}
	if info.Valid() {
		if key := k.named[info.TrimmedText()]; key != nil {
			return key
		}
	}
	return k.only
}

func decryptWith(tb testing.TB, n dom.Node, keys xmlsecKeys) ([]byte, error) {
	opt := DecryptOptions{AllowCBC: true}
	ed, err := ParseEncryptedData(n)
	if err != nil {
		return nil, err
	}
	if !find(n, "EncryptedKey").Valid() && !ed.KeyInfo.Child(nsDS, "RetrievalMethod").Valid() {
		return ed.Decrypt(keys.symmetric(ed.KeyInfo), opt)
	}
	found, err := ed.Keys()
	if err != nil {
		return nil, err
	}
	k := found[0]
	size := KeySize(ed.Algorithm)
	if k.Transport.Algorithm == "" && k.Transport.Agreement == "" {
		session, err := k.Unwrap(keys.symmetric(k.RecipientInfo), size, nil)
		if err != nil {
			return nil, err
		}
		return ed.Decrypt(session, opt)
	}
	if k.Originator == nil && keys.originator != nil {
		k.Originator = keys.originator
		session, err := k.Decrypt(keys.private, size, nil)
		if err != nil {
			return nil, err
		}
		return ed.Decrypt(session, opt)
	}
	return DecryptElement(n, keys.private, opt)
}

// sameXML compares octets, and where they differ but are XML on both sides, what they say: the vectors were written by
// serialisers with other line ends and empty tags.
func sameXML(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := dom.Parse(bytes.Clone(a), dom.Limits{})
	y, errY := dom.Parse(bytes.Clone(b), dom.Limits{})
	return errX == nil && errY == nil && said(x.Root()) == said(y.Root())
}

func said(root dom.Node) string {
	var b strings.Builder
	var say func(dom.Node)
	say = func(n dom.Node) {
		if n.Kind() != dom.ElementNode {
			fmt.Fprintf(&b, "%d %q\n", n.Kind(), n.Value())
			return
		}
		fmt.Fprintf(&b, "{%s}%s", n.Space(), n.Local())
		for a := range n.Attributes() {
			fmt.Fprintf(&b, " {%s}%s=%q", a.Space(), a.Local(), a.Value())
		}
		b.WriteString(" [\n")
		for c := range n.Children() {
			say(c)
		}
		b.WriteString("]\n")
	}
	say(root)
	return b.String()
}
