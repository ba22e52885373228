package wss_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// expect checks that a message opened, for the right signer and with every payload as it was.
func (r result) expect(t *testing.T, signer *pki.Identity, payloads ...payload) {
	t.Helper()
	if r.err != nil {
		t.Fatal(r.err)
	}
	if signer == nil {
		if r.Signer != nil {
			t.Error("a signer of an unsigned message")
		}
	} else if r.Signer == nil || !r.Signer.Equal(signer.Certificate) {
		t.Errorf("signer %v", r.Signer)
	}
	for _, p := range payloads {
		if got := r.payloads[p.cid].Bytes(); !bytes.Equal(got, p.content) {
			t.Errorf("%s differs: %d octets, want %d", p.cid, len(got), len(p.content))
		}
	}
}

func TestWhatOneSuiteWritesItReads(t *testing.T) {
	t.Parallel()
	p := cast()
	plain := payload{"doc@a.example", "application/xml", xmlDoc, false}
	text := payload{"text@a.example", "text/plain", []byte("one\ntwo\r\nthree\rfour"), false}
	empty := payload{"empty@a.example", "application/pdf", nil, false}
	opt := func(s wss.Suite, sign, to *pki.Identity) wss.SecureOptions {
		return wss.SecureOptions{Suite: s, Sign: sign, Recipient: to.Certificate}
	}
	tokens := func(f wss.TokenForm) wss.Suite {
		return suiteWith(func(s *wss.Suite) { s.SignToken, s.EncryptToken = f, f })
	}
	concat := wss.SuiteECDSA
	concat.Transport, concat.EncryptToken, concat.SignToken = xmlenc.TransportECDHConcat, wss.TokenX509SKI, wss.TokenPKIPath
	for name, c := range map[string]struct {
		opt      wss.SecureOptions
		form     wss.TokenForm
		payloads []payload
	}{
		"RSA with a compressed document and a picture":   {opt(wss.SuiteRSA, p.alice, p.bob), wss.TokenBST, []payload{invoice, picture}},
		"RSA with XML that is canonicalised":             {opt(wss.SuiteRSA, p.alice, p.bob), wss.TokenBST, []payload{plain}},
		"RSA with text whose line ends are normalised":   {opt(wss.SuiteRSA, p.alice, p.bob), wss.TokenBST, []payload{text}},
		"RSA with an empty payload":                      {opt(wss.SuiteRSA, p.alice, p.bob), wss.TokenBST, []payload{empty}},
		"RSA without payload":                            {opt(wss.SuiteRSA, p.alice, p.bob), wss.TokenBST, nil},
		"RSA and AES-192":                                {opt(suiteWith(func(s *wss.Suite) { s.Data = xmlenc.AES192GCM }), p.alice, p.bob), wss.TokenBST, []payload{invoice, picture}},
		"RSA and AES-256":                                {opt(suiteWith(func(s *wss.Suite) { s.Data = xmlenc.AES256GCM }), p.alice, p.bob), wss.TokenBST, []payload{invoice, picture}},
		"RSA with SHA-384":                               {opt(suiteWith(func(s *wss.Suite) { s.SignatureMethod = xmldsig.RSASHA384 }), p.alice, p.bob), wss.TokenBST, []payload{invoice}},
		"RSA with SHA-512":                               {opt(suiteWith(func(s *wss.Suite) { s.SignatureMethod = xmldsig.RSASHA512 }), p.alice, p.bob), wss.TokenBST, []payload{invoice}},
		"certificates named by subject key identifier":   {opt(tokens(wss.TokenSKI), p.alice, p.bob), wss.TokenSKI, []payload{invoice}},
		"certificates named by issuer and serial number": {opt(tokens(wss.TokenIssuerSerial), p.alice, p.bob), wss.TokenIssuerSerial, []payload{invoice}},
		"certificates named by thumbprint":               {opt(tokens(wss.TokenThumbprint), p.alice, p.bob), wss.TokenThumbprint, []payload{invoice}},
		"certificates in a path":                         {opt(tokens(wss.TokenPKIPath), p.path, p.bob), wss.TokenPKIPath, []payload{invoice}},
		"the recipient named by a bare X509SKI":          {opt(suiteWith(func(s *wss.Suite) { s.EncryptToken = wss.TokenX509SKI }), p.alice, p.bob), wss.TokenBST, []payload{invoice}},
		"Ed25519 and X25519":                             {opt(wss.SuiteEdDSA, p.aliceEd, p.bobX), wss.TokenBST, []payload{invoice, picture}},
		"ECDSA and ECDH with HKDF":                       {opt(wss.SuiteECDSA, p.aliceEC, p.bobEC), wss.TokenBST, []payload{invoice, picture}},
		"ECDSA and ECDH with ConcatKDF":                  {opt(concat, p.aliceEC, p.bobEC), wss.TokenPKIPath, []payload{invoice, picture}},
		"thirty attachments":                             {opt(wss.SuiteRSA, p.alice, p.bob), wss.TokenBST, many(30)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := seal(t, c.opt, c.payloads...)
			o := strict()
			o.Suites, o.Keys = []wss.Suite{c.opt.Suite}, []*pki.Identity{p.alice, p.bobX, p.bobEC, p.bob}
			r := l.open(t, o, c.payloads...)
			r.expect(t, c.opt.Sign, c.payloads...)
			if r.SignerToken != c.form || r.Encrypted != (len(c.payloads) > 0) || len(r.References) != 2+len(c.payloads) {
				t.Errorf("token %s, encrypted %v, %d references", r.SignerToken, r.Encrypted, len(r.References))
			}
			for _, p := range c.payloads {
				if len(p.content) > 4 && bytes.Contains(l.octets(p.cid), p.content) {
					t.Errorf("%s travels in clear", p.cid)
				}
			}
		})
	}
}

func many(n int) []payload {
	list := make([]payload, n)
	for i := range list {
		list[i] = payload{"p" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "@a.example", "application/pdf", []byte{byte(i)}, i%2 == 0}
	}
	return list
}

func (l *letter) octets(cid string) []byte {
	for _, p := range l.parts {
		if p.cid == cid {
			return p.octets
		}
	}
	return nil
}

func TestSignedOnlyAndPlainMessages(t *testing.T) {
	t.Parallel()
	signed := wss.SecureOptions{Suite: wss.SuiteRSA, Sign: cast().alice}
	o := strict()
	o.RequireEncrypted = false
	r := seal(t, signed, invoice, picture).open(t, o, invoice, picture)
	r.expect(t, cast().alice, invoice, picture)
	if r.Encrypted {
		t.Error("encrypted")
	}
	o.RequireSigned = false
	seal(t, wss.SecureOptions{}, invoice).open(t, o, invoice).expect(t, nil, invoice)
	encrypted := wss.SecureOptions{Suite: wss.SuiteRSA, Recipient: cast().bob.Certificate}
	r = seal(t, encrypted, invoice, picture).open(t, o, invoice, picture)
	r.expect(t, nil, invoice, picture)
	if !r.Encrypted {
		t.Error("not encrypted")
	}
}

// TestRepeatedAttemptsAreSignedAlike guards reception awareness: a retry repeats ids and digests [AS4 3.2].
func TestRepeatedAttemptsAreSignedAlike(t *testing.T) {
	t.Parallel()
	var first []wss.SignedReference
	for i := range 3 {
		s, err := wss.Secure(draft([]payload{invoice}), contents(t, []payload{invoice}), wss.SecureOptions{
			Suite: wss.SuiteRSA, Sign: cast().alice, Recipient: cast().bob.Certificate, ID: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = s.References
			continue
		}
		for j, r := range s.References {
			if r.URI != first[j].URI || !bytes.Equal(r.Digest, first[j].Digest) {
				t.Errorf("reference %d: %v, first %v", j, r, first[j])
			}
		}
	}
	if len(first) != 3 || first[0].URI != "#msg-t" || first[1].URI != "#body-t" || first[2].URI != "cid:invoice@a.example" {
		t.Errorf("references %v", first)
	}
}

func TestTheHeaderIsBuiltAsStreamingReadersNeedIt(t *testing.T) {
	t.Parallel()
	l := seal(t, rsaOptions(), invoice, picture)
	at := 0
	for _, want := range []string{
		"<wsse:Security", `S12:mustUnderstand="true"`, "<wsse:BinarySecurityToken", "<xenc:EncryptedKey", "<xenc:ReferenceList",
		`<xenc:EncryptedData`, "cid:picture@a.example", `<xenc:EncryptedData`, "cid:invoice@a.example",
		"<wsse:BinarySecurityToken", "<ds:Signature", "<eb:Messaging",
	} {
		i := strings.Index(l.envelope[at:], want)
		if i < 0 {
			t.Fatalf("%s is missing or not in its place:\n%s", want, l.envelope)
		}
		at += i + len(want)
	}
	for _, never := range []string{"wsu:Timestamp", "S12:role"} {
		if strings.Contains(l.envelope, never) {
			t.Errorf("the envelope has %s", never)
		}
	}
	// Of attributes alone: in base64 any letters occur.
	for _, value := range regexp.MustCompile(`="[^"]*"`).FindAllString(l.envelope, -1) {
		for _, never := range []string{"SHA1", "sha1", "rsa-1_5", "cbc"} {
			if strings.Contains(value, never) {
				t.Errorf("the envelope has %s in %s", never, value)
			}
		}
	}
	if l.parts[0].mime != "application/octet-stream" || len(l.parts[1].octets) != len(picture.content)+28 {
		t.Errorf("parts: %s, %d octets", l.parts[0].mime, len(l.parts[1].octets))
	}
}

func TestEveryPartHasItsOwnVector(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 3 {
		for _, p := range seal(t, rsaOptions(), many(5)...).parts {
			if iv := string(p.octets[:12]); seen[iv] {
				t.Fatal("an initialisation vector came twice")
			} else {
				seen[iv] = true
			}
		}
	}
}

func TestWhatCannotBeSecured(t *testing.T) {
	t.Parallel()
	p := cast()
	for name, opt := range map[string]wss.SecureOptions{
		"a signer that has no key to sign with":                    {Suite: wss.SuiteRSA, Sign: p.bobX},
		"a signer without SKI, named by it":                        {Suite: suiteWith(func(s *wss.Suite) { s.SignToken = wss.TokenSKI }), Sign: p.noSKI},
		"a recipient without SKI, named by it":                     {Suite: suiteWith(func(s *wss.Suite) { s.EncryptToken = wss.TokenSKI }), Recipient: p.noSKI.Certificate},
		"a recipient without SKI, named by it in the X509SKI form": {Suite: suiteWith(func(s *wss.Suite) { s.EncryptToken = wss.TokenX509SKI }), Recipient: p.noSKI.Certificate},
		"an EC key in the RSA suite":                               {Suite: wss.SuiteRSA, Recipient: p.bobEC.Certificate},
		"an RSA key in the X25519 suite":                           {Suite: wss.SuiteEdDSA, Recipient: p.bob.Certificate},
		"a content encryption that nobody knows":                   {Suite: suiteWith(func(s *wss.Suite) { s.Data = "urn:none" }), Recipient: p.bob.Certificate},
		"a digest that nobody knows":                               {Suite: suiteWith(func(s *wss.Suite) { s.DigestMethod = "urn:none" }), Sign: p.alice},
		"a signature method that is not for the key":               {Suite: wss.SuiteECDSA, Sign: p.alice},
	} {
		if s, err := wss.Secure(draft([]payload{invoice}), contents(t, []payload{invoice}), opt); err == nil {
			t.Errorf("%s: %d octets of envelope", name, len(s.Envelope))
		}
	}
}

func TestDigestsOfAttachmentsFollowTheirType(t *testing.T) {
	t.Parallel()
	sum := func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }
	canonical := "<a b=\"1\">\n<c></c></a>"
	for name, c := range map[string]struct {
		mime, content, digested string
	}{
		"XML is canonicalised without comments":    {"application/xml", string(xmlDoc), canonical},
		"text/xml is XML":                          {"text/xml; charset=UTF-8", string(xmlDoc), canonical},
		"a +xml type is XML":                       {"application/vnd.x+xml", string(xmlDoc), canonical},
		"an image in XML is XML":                   {"image/svg+xml", string(xmlDoc), canonical},
		"the type is read ignoring case":           {" Application/XML ;x=y", string(xmlDoc), canonical},
		"a model in XML is octets":                 {"model/x3d+xml", string(xmlDoc), string(xmlDoc)},
		"what is called XML and is not, is octets": {"application/xml", "no XML <", "no XML <"},
		"text has its line ends as CR LF":          {"text/plain", "a\nb\r\nc\rd\r\r\n\n", "a\r\nb\r\nc\r\nd\r\n\r\n\r\n"},
		"JSON is octets":                           {"application/json", "{\n}", "{\n}"},
		"gzip is octets":                           {"application/gzip", "\x1f\x8b\n", "\x1f\x8b\n"},
		"no type at all is octets":                 {"", "a\nb", "a\nb"},
		"an empty text is empty":                   {"text/plain", "", ""},
	} {
		got, err := wss.DigestContent(c.mime, xmldsig.SHA256, strings.NewReader(c.content))
		if err != nil || !bytes.Equal(got, sum(c.digested)) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
		if raw := c.content == c.digested && !strings.HasPrefix(c.mime, "text/") && c.mime != "application/xml"; wss.DigestsRaw(c.mime) != raw {
			t.Errorf("%s: DigestsRaw says %v", name, !raw)
		}
	}
}

// TestLineEndsAreFoundAcrossWrites feeds text octet by octet.
func TestLineEndsAreFoundAcrossWrites(t *testing.T) {
	t.Parallel()
	const text = "a\r\n\rb\n\n\r\r\nc\r"
	whole, _ := wss.DigestContent("text/plain", xmldsig.SHA256, strings.NewReader(text))
	want := sha256.Sum256([]byte("a\r\n\r\nb\r\n\r\n\r\n\r\nc\r\n"))
	single, err := wss.DigestContent("text/plain", xmldsig.SHA256, oneByOne{strings.NewReader(text)})
	if err != nil || !bytes.Equal(whole, single) || !bytes.Equal(whole, want[:]) {
		t.Errorf("%x, %x, want %x (%v)", whole, single, want, err)
	}
}

type oneByOne struct{ r *strings.Reader }

func (o oneByOne) Read(b []byte) (int, error) { return o.r.Read(b[:min(1, len(b))]) }

// TestLongXMLMustBeCompressed: it would have to be in memory to be canonicalised, here and at the receiver.
func TestLongXMLMustBeCompressed(t *testing.T) {
	t.Parallel()
	long := io.LimitReader(spaces{}, 64<<20+1)
	if sum, err := wss.DigestContent("application/xml", xmldsig.SHA256, long); !errors.Is(err, wss.ErrPart) {
		t.Errorf("%x, %v", sum, err)
	}
	if _, err := wss.DigestContent("application/xml", "urn:none", strings.NewReader("")); !errors.Is(err, wss.ErrAuthentication) {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := wss.DigestContent("text/plain", xmldsig.SHA256, iotest.ErrReader(broken)); err != broken {
		t.Error(err)
	}
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestSuiteForAKey(t *testing.T) {
	t.Parallel()
	p := cast()
	for _, c := range []struct {
		id   *pki.Identity
		want string
	}{{p.alice, "rsa"}, {p.aliceEC, "ecdsa"}, {p.aliceEd, "eddsa"}} {
		if s := wss.SuiteFor(c.id.Key.Public()); s.Name != c.want {
			t.Errorf("%s, want %s", s.Name, c.want)
		}
	}
}

// TestContentThatCannotBeRead: a file that is gone or breaks off between digest and sending ends the attempt.
func TestContentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, opt := range []wss.SecureOptions{rsaOptions(), {}} {
		for _, open := range []func() (io.ReadCloser, error){
			func() (io.ReadCloser, error) { return nil, broken },
			func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil },
		} {
			list := contents(t, []payload{picture})
			list[0].Open = open
			s, err := wss.Secure(draft([]payload{picture}), list, opt)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Parts[0].WriteTo(io.Discard); !errors.Is(err, broken) {
				t.Error(err)
			}
		}
	}
}
