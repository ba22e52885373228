package wss_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestPartsAndHeaderMustAgree(t *testing.T) {
	t.Parallel()
	signed := wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice}
	clear := func(o *wss.OpenOptions) { o.RequireEncrypted = false }
	run(t, map[string]refusal{
		"parts in another order than the header": {change: func(_ *testing.T, l *letter) { slices.Reverse(l.parts) }},
		"a part that nothing names":              {change: func(_ *testing.T, l *letter) { l.parts = append(l.parts, piece{"x@a.example", "text/plain", nil}) }, want: wss.ErrPart},
		"a part that nothing names, in front": {change: func(_ *testing.T, l *letter) {
			l.parts = append([]piece{{"x@a.example", "text/plain", nil}}, l.parts...)
		}, want: wss.ErrPart},
		"a part without Content-ID": {change: func(_ *testing.T, l *letter) { l.parts[0].cid = "" }, want: wss.ErrPart},
		"a part that is missing":    {change: func(_ *testing.T, l *letter) { l.parts = l.parts[:1] }, want: wss.ErrPart},
		"no part at all":            {change: func(_ *testing.T, l *letter) { l.parts = nil }, want: wss.ErrPart},
		"a part twice":              {change: func(_ *testing.T, l *letter) { l.parts = append(l.parts, l.parts[0]) }, want: wss.ErrPart},
		"a part twice, with other octets first": {change: func(_ *testing.T, l *letter) {
			l.parts = append([]piece{{picture.cid, "image/png", []byte("evil")}}, l.parts...)
		}, want: wss.ErrDecryption},
		"two parts exchanged": {change: func(_ *testing.T, l *letter) {
			l.parts[0].octets, l.parts[1].octets = l.parts[1].octets, l.parts[0].octets
		}, want: wss.ErrAuthentication},
		"a signed part exchanged":                {opt: signed, open: clear, change: func(_ *testing.T, l *letter) { l.parts[1].octets = []byte("evil") }, want: wss.ErrAuthentication},
		"a signed part that is empty":            {opt: signed, open: clear, change: func(_ *testing.T, l *letter) { l.parts[1].octets = nil }, want: wss.ErrAuthentication},
		"a line break more behind a signed part": {opt: signed, open: clear, change: func(_ *testing.T, l *letter) { l.parts[1].octets = append(slices.Clone(l.parts[1].octets), '\r', '\n') }, want: wss.ErrAuthentication},
		"a reference that percent-encodes what need not be": {change: func(t *testing.T, l *letter) {
			l.envelope = strings.Replace(l.envelope, `<xenc:CipherReference URI="cid:picture@`, `<xenc:CipherReference URI="cid:picture%40`, 1)
		}},
	}, invoice, picture)
}

func TestOneAttachmentNamedTwice(t *testing.T) {
	t.Parallel()
	r := seal(t, rsaOptions(), picture).open(t, strict(), picture, picture)
	if !errors.Is(r.err, wss.ErrPart) {
		t.Error(r.err)
	}
}

func TestEncryptionIsChecked(t *testing.T) {
	t.Parallel()
	p := cast()
	signed := wss.SecureOptions{Suite: wss.SuiteRSA, Sign: p.alice}
	ed := func(l *letter, cid string) string {
		i := strings.Index(l.envelope, "cid:"+cid)
		from := strings.LastIndex(l.envelope[:i], "<xenc:EncryptedData")
		return l.envelope[from : i+strings.Index(l.envelope[i:], "</xenc:EncryptedData>")+len("</xenc:EncryptedData>")]
	}
	value := func(l *letter) (from, to int) { // of the EncryptedKey
		from = strings.Index(l.envelope, "CipherValue") + 12
		return from, from + strings.Index(l.envelope[from:], "</")
	}
	setValue := func(b []byte) func(*testing.T, *letter) {
		return func(_ *testing.T, l *letter) {
			i, j := value(l)
			l.envelope = l.envelope[:i] + base64.StdEncoding.EncodeToString(b) + l.envelope[j:]
		}
	}
	run(t, map[string]refusal{
		"nothing is encrypted and must be":             {opt: signed, want: wss.ErrPolicy},
		"nothing is encrypted and need not be":         {opt: signed, open: func(o *wss.OpenOptions) { o.RequireEncrypted = false }},
		"no EncryptedData for one of two":              {change: func(t *testing.T, l *letter) { l.replace(t, ed(l, "picture"), "") }, want: wss.ErrDecryption},
		"no EncryptedData for one, and it need not be": {change: func(t *testing.T, l *letter) { l.replace(t, ed(l, "picture"), "") }, open: func(o *wss.OpenOptions) { o.RequireEncrypted = false }, want: wss.ErrDecryption},
		"two EncryptedData for one": {change: func(t *testing.T, l *letter) {
			e := ed(l, "picture")
			l.replace(t, e, e+strings.Replace(e, "ed-", "ee-", 1))
		}, want: wss.ErrPolicy},
		"EncryptedData for nothing in the message": {change: func(t *testing.T, l *letter) {
			e := ed(l, "picture")
			l.replace(t, e, e+strings.NewReplacer("ed-", "ee-", "picture@", "other@").Replace(e))
		}, want: wss.ErrPart},
		"EncryptedData of the whole attachment":     {change: swap("#Attachment-Content-Only", "#Attachment-Complete"), want: wss.ErrPolicy},
		"EncryptedData with a transform of its own": {change: swap("#Attachment-Ciphertext-Transform", "#Other"), want: wss.ErrPolicy},
		"EncryptedData that holds its octets": {change: func(t *testing.T, l *letter) {
			e := ed(l, "picture")
			i := strings.Index(e, "<xenc:CipherReference")
			j := strings.Index(e, "</xenc:CipherReference>") + len("</xenc:CipherReference>")
			l.replace(t, e, e[:i]+"<xenc:CipherValue>AAAA</xenc:CipherValue>"+e[j:])
		}, want: wss.ErrPolicy},
		"the key after the data": {change: func(t *testing.T, l *letter) {
			k := l.cut(t, "<xenc:EncryptedKey", "</xenc:EncryptedKey>")
			l.replace(t, "</wsse:Security>", k+"</wsse:Security>")
		}},
		"no key":                   {change: func(t *testing.T, l *letter) { l.cut(t, "<xenc:EncryptedKey", "</xenc:EncryptedKey>") }, want: wss.ErrDecryption},
		"a key without references": {change: func(t *testing.T, l *letter) { l.cut(t, "<xenc:ReferenceList", "</xenc:ReferenceList>") }}, // the data name it
		"data that name no key": {change: func(t *testing.T, l *letter) {
			for _, cid := range []string{"invoice", "picture"} {
				e := ed(l, cid)
				i, j := strings.Index(e, "<ds:KeyInfo"), strings.Index(e, "</ds:KeyInfo>")+len("</ds:KeyInfo>")
				l.replace(t, e, e[:i]+e[j:])
			}
		}},
		"neither names the other": {change: func(t *testing.T, l *letter) {
			l.cut(t, "<xenc:ReferenceList", "</xenc:ReferenceList>")
			l.envelope = strings.ReplaceAll(l.envelope, `URI="#ek-t"`, `URI="#none"`)
		}, want: wss.ErrDecryption},
		"a key for somebody else":           {open: func(o *wss.OpenOptions) { o.Keys = []*pki.Identity{p.alice} }, want: wss.ErrDecryption},
		"we have no key":                    {open: func(o *wss.OpenOptions) { o.Keys = nil }, want: wss.ErrDecryption},
		"a former key still opens":          {open: func(o *wss.OpenOptions) { o.Keys = []*pki.Identity{p.bobEC, p.alice, p.bob} }},
		"CBC":                               {change: swap(xmlenc.AES128GCM, "http://www.w3.org/2001/04/xmlenc#aes128-cbc"), want: wss.ErrPolicy},
		"RSA PKCS#1 1.5":                    {change: swap(xmlenc.RSAOAEP, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"), want: wss.ErrDecryption},
		"the key way of another suite":      {opt: wss.SecureOptions{Suite: suiteWith(func(s *wss.Suite) { s.Transport = xmlenc.TransportX25519 }), Sign: p.alice, Recipient: p.bobX.Certificate}, open: func(o *wss.OpenOptions) { o.Keys = append(o.Keys, p.bobX) }, want: wss.ErrPolicy},
		"another size than the key has":     {change: swap(xmlenc.AES128GCM, xmlenc.AES256GCM), want: wss.ErrDecryption},
		"a wrapped key of zeros":            {change: setValue(make([]byte, 256)), want: wss.ErrDecryption},
		"a wrapped key that is too short":   {change: setValue(make([]byte, 255)), want: wss.ErrDecryption},
		"a wrapped key that is empty":       {change: setValue(nil), want: wss.ErrDecryption},
		"a wrapped key that is too large":   {change: setValue(bytes.Repeat([]byte{255}, 256)), want: wss.ErrDecryption},
		"a part without its tag":            {change: func(_ *testing.T, l *letter) { l.parts[1].octets = l.parts[1].octets[:len(l.parts[1].octets)-1] }, want: wss.ErrDecryption},
		"a part of eleven octets":           {change: func(_ *testing.T, l *letter) { l.parts[1].octets = l.parts[1].octets[:11] }, want: wss.ErrDecryption},
		"a part without octets":             {change: func(_ *testing.T, l *letter) { l.parts[1].octets = nil }, want: wss.ErrDecryption},
		"a part with an octet more":         {change: func(_ *testing.T, l *letter) { l.parts[1].octets = append(slices.Clone(l.parts[1].octets), 0) }, want: wss.ErrDecryption},
		"a part with a bit turned":          {change: func(_ *testing.T, l *letter) { l.parts[1].octets[20] ^= 1 }, want: wss.ErrDecryption},
		"a gzip part with a bit turned":     {change: func(_ *testing.T, l *letter) { l.parts[0].octets[20] ^= 1 }, want: wss.ErrDecryption},
		"a gzip part cut in its ciphertext": {change: func(_ *testing.T, l *letter) { l.parts[0].octets = l.parts[0].octets[:40] }, want: wss.ErrDecryption},
		"one size of key for the first part, another for the second": {change: func(t *testing.T, l *letter) {
			e := ed(l, "picture")
			l.replace(t, e, strings.Replace(e, xmlenc.AES128GCM, xmlenc.AES256GCM, 1))
		}, want: wss.ErrDecryption},
	}, invoice, picture)
}

// TestKeyFailuresLookAlike guards against a padding oracle: whatever is wrong with the wrapped key, the peer sees one error.
func TestKeyFailuresLookAlike(t *testing.T) {
	t.Parallel()
	wrap := func(t *testing.T, key []byte) string {
		w := dom.NewWriter(nil)
		err := xmlenc.WriteEncryptedKey(w, xmlenc.TransportRSAOAEP256, cast().bob.Certificate.PublicKey, key, xmlenc.EncryptedKeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := string(w.Bytes())
		i := strings.Index(s, "CipherValue") + 12
		return s[i : i+strings.Index(s[i:], "</")]
	}
	garbage := make([]byte, 256)
	rand.Read(garbage[1:])
	var texts []string
	for _, v := range []string{
		wrap(t, make([]byte, 16)), wrap(t, make([]byte, 24)), wrap(t, make([]byte, 32)),
		base64.StdEncoding.EncodeToString(garbage), base64.StdEncoding.EncodeToString(garbage[:200]), "AAAA",
	} {
		l := seal(t, rsaOptions(), picture)
		i := strings.Index(l.envelope, "CipherValue") + 12
		l.envelope = l.envelope[:i] + v + l.envelope[i+strings.Index(l.envelope[i:], "</"):]
		r := l.open(t, strict(), picture)
		if !errors.Is(r.err, wss.ErrDecryption) {
			t.Errorf("%v", r.err)
			continue
		}
		texts = append(texts, r.err.Error())
	}
	for _, s := range texts {
		if s != texts[0] {
			t.Errorf("%q, %q", s, texts[0])
		}
	}
}

// TestAKeyOutOfReachIsOurMatter: a hardware key that does not answer must not tell the sender that its message is bad.
func TestAKeyOutOfReachIsOurMatter(t *testing.T) {
	t.Parallel()
	o := strict()
	o.Keys = []*pki.Identity{{Key: unplugged{cast().bob.Key}, Certificate: cast().bob.Certificate}}
	r := seal(t, rsaOptions(), picture).open(t, o, picture)
	if !errors.Is(r.err, errUnplugged) || errors.Is(r.err, wss.ErrDecryption) || errors.Is(r.err, wss.ErrAuthentication) {
		t.Error(r.err)
	}
}

type unplugged struct{ pki.Key }

func (unplugged) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, errUnplugged
}

var errUnplugged = &unpluggedError{}

type unpluggedError struct{}

func (*unpluggedError) Error() string   { return "the key is unplugged" }
func (*unpluggedError) Temporary() bool { return true }

// TestOrderOfWork: signing comes after compressing and before encrypting, and nothing else [AS4 3.1].
func TestOrderOfWork(t *testing.T) {
	t.Parallel()
	signed := wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice}
	t.Run("compressed after signing", func(t *testing.T) {
		t.Parallel()
		open := payload{invoice.cid, invoice.mime, invoice.content, false}
		for _, encrypt := range []bool{false, true} {
			d := draft([]payload{open})
			c := contents(t, []payload{open})
			packed := pack(open.content)
			c[0].Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }
			c[0].Size, c[0].MimeType = int64(len(packed)), ebms.CompressionGzip
			opt, o := signed, strict()
			if opt.ID = "t"; encrypt {
				opt.Recipient = cast().bob.Certificate
			}
			o.RequireEncrypted = encrypt
			s, err := wss.Secure(d, c, opt)
			if err != nil {
				t.Fatal(err)
			}
			l := letterOf(t, s)
			if r := l.open(t, o, invoice); !errors.Is(r.err, wss.ErrAuthentication) {
				t.Errorf("encrypted %v: %v", encrypt, r.err)
			}
		}
	})
	t.Run("signed after encrypting", func(t *testing.T) {
		t.Parallel()
		l := seal(t, rsaOptions(), picture)
		sum := sha256.Sum256(l.parts[0].octets)
		c := contents(t, []payload{picture})
		c[0].Digest = sum[:]
		opt := signed
		opt.ID = "t"
		s, err := wss.Secure(draft([]payload{picture}), c, opt)
		if err != nil {
			t.Fatal(err)
		}
		sig := letterOf(t, s)
		l.cut(t, "<ds:Signature ", "</ds:Signature>")
		l.replace(t, "</wsse:Security>", sig.cut(t, "<ds:Signature ", "</ds:Signature>")+"</wsse:Security>")
		if r := l.open(t, strict(), picture); !errors.Is(r.err, wss.ErrAuthentication) {
			t.Error(r.err)
		}
	})
	t.Run("encrypted, then compressed", func(t *testing.T) {
		t.Parallel()
		l := seal(t, rsaOptions(), picture)
		l.parts[0].octets = pack(l.parts[0].octets)
		for _, p := range []payload{picture, {picture.cid, picture.mime, picture.content, true}} {
			if r := l.open(t, strict(), p); !errors.Is(r.err, wss.ErrDecryption) {
				t.Error(r.err)
			}
		}
	})
}

func letterOf(t testing.TB, s *wss.Secured) *letter {
	t.Helper()
	l := &letter{envelope: string(s.Envelope)}
	for i := range s.Parts {
		var b bytes.Buffer
		if _, err := s.Parts[i].WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		l.parts = append(l.parts, piece{s.Parts[i].ContentID, s.Parts[i].ContentType, b.Bytes()})
	}
	return l
}

func TestDigestsOfOtherStacks(t *testing.T) {
	t.Parallel()
	rawSum := func(b []byte) []byte { h := sha256.Sum256(b); return h[:] }
	for name, c := range map[string]struct {
		mime     string // as the EncryptedData or the part says
		digest   func(canonical []byte) []byte
		digested string
		want     error
	}{
		"XML by its canonical form":           {"application/xml", func(c []byte) []byte { return c }, "canonical", nil},
		"XML by its octets is a deviation":    {"application/xml", func([]byte) []byte { return rawSum(xmlDoc) }, "raw", nil},
		"XML by neither":                      {"application/xml", func([]byte) []byte { return rawSum([]byte("x")) }, "", wss.ErrAuthentication},
		"octets by the canonical form of XML": {"application/octet-stream", func(c []byte) []byte { return c }, "", wss.ErrAuthentication},
		"text by its octets is a deviation":   {"text/plain", func([]byte) []byte { return rawSum(xmlDoc) }, "raw", nil},
	} {
		for _, encrypt := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := payload{"doc@a.example", "application/xml", xmlDoc, false}
				cs := contents(t, []payload{p})
				cs[0].Digest, cs[0].MimeType = c.digest(cs[0].Digest), c.mime
				opt, o := wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice, ID: "t"}, strict()
				if o.RequireEncrypted = encrypt; encrypt {
					opt.Recipient = cast().bob.Certificate
				}
				s, err := wss.Secure(draft([]payload{p}), cs, opt)
				if err != nil {
					t.Fatal(err)
				}
				l := letterOf(t, s)
				if encrypt {
					l.parts[0].mime = "text/html" // decides nothing once the part is encrypted
				}
				r := l.open(t, o, p)
				if !errors.Is(r.err, c.want) || c.want == nil && r.err != nil {
					t.Fatal(r.err)
				}
				if r.err == nil && (r.Parts[0].Digested != c.digested || r.Parts[0].MimeType != c.mime) {
					t.Errorf("digested %s, type %s", r.Parts[0].Digested, r.Parts[0].MimeType)
				}
			})
		}
	}
}

func TestDecompression(t *testing.T) {
	t.Parallel()
	zeros := func(n int) []byte { return make([]byte, n) }
	two := append(pack([]byte("one ")), pack([]byte("two"))...)
	for name, c := range map[string]struct {
		octets []byte
		want   error
		text   string
	}{
		"one member":                      {pack([]byte("one two")), nil, "one two"},
		"two members are read to the end": {two, nil, "one two"},
		"garbage after the last member":   {append(pack([]byte("one")), "garbage"...), wss.ErrDecompression, ""},
		"a second member that is cut":     {two[:len(two)-9], wss.ErrDecompression, ""},
		"no gzip at all":                  {[]byte("<xml/>"), wss.ErrDecompression, ""},
		"nothing":                         {nil, wss.ErrDecompression, ""},
		"a wrong checksum":                {flip(pack([]byte("one two")), -6), wss.ErrDecompression, ""},
		"a wrong length":                  {flip(pack([]byte("one two")), -1), wss.ErrDecompression, ""},
		"exactly the limit":               {pack(zeros(1 << 20)), nil, string(zeros(1 << 20))},
		"an octet beyond the limit":       {pack(zeros(1<<20 + 1)), wss.ErrDecompression, ""},
		"a bomb":                          {pack(zeros(40 << 20)), wss.ErrDecompression, ""},
		"two bombs in two members":        {append(pack(zeros(10<<20)), pack(zeros(10<<20))...), wss.ErrDecompression, ""},
	} {
		for _, opt := range []wss.SecureOptions{{Suite: wss.SuiteRSA, Sign: cast().alice}, rsaOptions(), {}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := payload{"z@a.example", ebms.CompressionGzip, c.octets, false}
				l := seal(t, opt, p)
				o := strict()
				o.RequireSigned, o.RequireEncrypted = opt.Sign != nil, opt.Recipient != nil
				p.gzip = true
				r := l.open(t, o, p)
				if !errors.Is(r.err, c.want) || c.want == nil && r.err != nil {
					t.Fatal(r.err)
				}
				got := r.payloads[p.cid].Bytes()
				if c.want == nil && string(got) != c.text {
					t.Errorf("%d octets, want %d", len(got), len(c.text))
				}
				if len(got) > 1<<20 {
					t.Errorf("%d octets were written, the limit is 1 MiB", len(got))
				}
			})
		}
	}
}

func flip(b []byte, at int) []byte {
	b[len(b)+at] ^= 1
	return b
}

func TestABombIsRefusedByItsRatioAlone(t *testing.T) {
	t.Parallel()
	bomb := pack(make([]byte, 80<<20))
	l := seal(t, wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice}, payload{"z@a.example", ebms.CompressionGzip, bomb, false})
	var n sink
	err := openOne(t, l, wss.Target{ContentID: "z@a.example", Compressed: true, W: &n})
	if !errors.Is(err, wss.ErrDecompression) || n > 64<<20 {
		t.Errorf("%v after %d octets", err, n)
	}
}

type sink int64

func (s *sink) Write(b []byte) (int, error) { *s += sink(len(b)); return len(b), nil }

// openOne opens a signed message with one attachment into a target.
func openOne(t *testing.T, l *letter, target wss.Target) error {
	t.Helper()
	ctype, body := l.body(t)
	r, err := ebms.NewReader(ctype, bytes.NewReader(body), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, root, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	env, err := ebms.ParseEnvelope(root, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	o := strict()
	o.RequireEncrypted, o.Targets = false, []wss.Target{target}
	_, err = wss.Open(context.Background(), env, r, o)
	return err
}

func TestSizeAndStoreErrorsKeepTheirNature(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for name, c := range map[string]struct {
		target wss.Target
		want   error
	}{
		"an uncompressed payload of the agreed size":     {wss.Target{W: io.Discard, MaxSize: int64(len(picture.content))}, nil},
		"an uncompressed payload beyond the agreed size": {wss.Target{W: io.Discard, MaxSize: int64(len(picture.content)) - 1}, wss.ErrSize},
		"a store that is full":                           {wss.Target{W: failing{full}}, full},
		"a store that is full, compressed":               {wss.Target{W: failing{full}, Compressed: true}, full},
	} {
		p := picture
		if c.target.Compressed {
			p = payload{picture.cid, ebms.CompressionGzip, pack(picture.content), false}
		}
		l := seal(t, wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice}, p)
		c.target.ContentID = picture.cid
		err := openOne(t, l, c.target)
		if !errors.Is(err, c.want) || c.want == nil && err != nil || errors.Is(err, wss.ErrAuthentication) || errors.Is(err, wss.ErrDecompression) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAMessageEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l := seal(t, rsaOptions(), picture)
	ctype, body := l.body(t)
	r, err := ebms.NewReader(ctype, bytes.NewReader(body), ebms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	_, root, err := r.Root()
	if err != nil {
		t.Fatal(err)
	}
	env, err := ebms.ParseEnvelope(root, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := strict()
	o.Targets = []wss.Target{{ContentID: picture.cid, W: io.Discard}}
	if _, err := wss.Open(ctx, env, r, o); !errors.Is(err, context.Canceled) || errors.Is(err, wss.ErrAuthentication) {
		t.Error(err)
	}
}
