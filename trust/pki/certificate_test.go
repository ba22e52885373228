package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// rebuilt makes a certificate of the given one with its TBS fields changed by f, unsigned.
func rebuilt(tb testing.TB, c *Certificate, f func(fields [][]byte) [][]byte) []byte {
	tb.Helper()
	in := cryptobyte.String(c.RawTBS)
	var body cryptobyte.String
	in.ReadASN1(&body, asn1.SEQUENCE)
	var fields [][]byte
	for !body.Empty() {
		var e cryptobyte.String
		var tag asn1.Tag
		if !body.ReadAnyASN1Element(&e, &tag) {
			tb.Fatal("TBS")
		}
		fields = append(fields, e)
	}
	fields = f(fields)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, e := range fields {
				b.AddBytes(e)
			}
		})
		b.AddBytes(c.SignatureAlgorithm.Raw)
		b.AddASN1BitString(c.Signature)
	})
	return b.BytesOrPanic()
}

// The fields of a version 3 TBSCertificate.
const (
	tbsVersion = iota
	tbsSerial
	tbsAlgorithm
	tbsIssuer
	tbsValidity
	tbsSubject
	tbsKey
	tbsExtensions
)

func replaceField(i int, der ...byte) func([][]byte) [][]byte {
	return func(f [][]byte) [][]byte { f[i] = der; return f }
}

func nameOf(tag byte, value string) []byte {
	v := append([]byte{tag, byte(len(value))}, value...)
	pair := append([]byte{6, 3, 0x55, 4, 3}, v...)
	seq := append([]byte{0x30, byte(len(pair))}, pair...)
	set := append([]byte{0x31, byte(len(seq))}, seq...)
	return append([]byte{0x30, byte(len(set))}, set...)
}

func validity(from, to []byte) []byte {
	body := append(append([]byte(nil), from...), to...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func timeOf(tag byte, s string) []byte { return append([]byte{tag, byte(len(s))}, s...) }

func TestStrangeCertificatesAreRead(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	base := root.mustIssue(t, Template{}).Certificate
	day := timeOf(0x17, "260101000000Z")
	for _, c := range []struct {
		what string
		f    func([][]byte) [][]byte
		test func(c *Certificate) bool
	}{
		{"negative serial number", replaceField(tbsSerial, 2, 1, 0x80), func(c *Certificate) bool { return c.SerialNumber.Int64() == -128 }},
		{"serial number zero", replaceField(tbsSerial, 2, 1, 0), func(c *Certificate) bool { return c.SerialNumber.Sign() == 0 }},
		{"serial number with needless zeros", replaceField(tbsSerial, 2, 3, 0, 0, 7), func(c *Certificate) bool { return c.SerialNumber.Int64() == 7 }},
		{"serial number of 100 octets", replaceField(tbsSerial, append([]byte{2, 100}, bytes.Repeat([]byte{1}, 100)...)...), func(c *Certificate) bool { return c.SerialNumber.BitLen() == 793 }},
		{"underscore in a PrintableString", replaceField(tbsSubject, nameOf(19, "SMP_2000000088")...), func(c *Certificate) bool { return c.Subject.CommonName() == "SMP_2000000088" }},
		{"Latin-1 in a PrintableString", replaceField(tbsSubject, nameOf(19, "S\xe3o")...), func(c *Certificate) bool { return c.Subject.CommonName() == "São" }},
		{"Latin-1 in a UTF8String", replaceField(tbsSubject, nameOf(12, "\xc4mter")...), func(c *Certificate) bool { return c.Subject.CommonName() == "Ämter" }},
		{"TeletexString", replaceField(tbsSubject, nameOf(20, "Caf\xe9")...), func(c *Certificate) bool { return c.Subject.CommonName() == "Café" }},
		{"BMPString", replaceField(tbsSubject, nameOf(30, "\x00A\x01\x51")...), func(c *Certificate) bool { return c.Subject.CommonName() == "Aő" }},
		{"UniversalString", replaceField(tbsSubject, nameOf(28, "\x00\x01\xf6\x00")...), func(c *Certificate) bool { return c.Subject.CommonName() == "\U0001F600" }},
		{"OCTET STRING as a name", replaceField(tbsSubject, nameOf(4, "ab")...), func(c *Certificate) bool { return c.Subject.String() == "CN=#04026162" }},
		{"empty subject", replaceField(tbsSubject, 0x30, 0), func(c *Certificate) bool { return c.Subject.String() == "" }},
		{"time without seconds", replaceField(tbsValidity, validity(timeOf(0x17, "2601011200Z"), day)...), func(c *Certificate) bool { return c.NotBefore.Hour() == 12 }},
		{"time with offset", replaceField(tbsValidity, validity(timeOf(0x17, "260101010000+0200"), day)...), func(c *Certificate) bool { return c.NotBefore.Hour() == 23 && c.NotBefore.Year() == 2025 }},
		{"time with a fraction", replaceField(tbsValidity, validity(day, timeOf(0x18, "20260101000000.25Z"))...), func(c *Certificate) bool { return c.NotAfter.Nanosecond() == 250_000_000 }},
		{"years of the last century", replaceField(tbsValidity, validity(timeOf(0x17, "500101000000Z"), timeOf(0x17, "491231235959Z"))...), func(c *Certificate) bool { return c.NotBefore.Year() == 1950 && c.NotAfter.Year() == 2049 }},
		{"without end", replaceField(tbsValidity, validity(day, timeOf(0x18, "99991231235959Z"))...), func(c *Certificate) bool { return c.NotAfter.Year() == 9999 }},
		{"version 1 with an issuer's identifier", func(f [][]byte) [][]byte {
			return append(f[tbsSerial:tbsExtensions:tbsExtensions], []byte{0x81, 2, 0, 1})
		}, func(c *Certificate) bool { return c.Version == 1 && len(c.Extensions) == 0 }},
		{"a key of an unknown type", replaceField(tbsKey, 0x30, 11, 0x30, 5, 6, 3, 0x2b, 0x65, 0x71, 3, 2, 0, 9), func(c *Certificate) bool {
			return c.PublicKey == nil && errors.Is(c.KeyError, ErrUnsupported) && c.KeyAlgorithm == "1.3.101.113"
		}},
		{"a malformed RSA key", replaceField(tbsKey, 0x30, 0x14, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0, 3, 3, 0, 1, 2), func(c *Certificate) bool {
			return c.PublicKey == nil && errors.Is(c.KeyError, ErrFormat)
		}},
	} {
		got, err := ParseCertificate(rebuilt(t, base, c.f))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if !c.test(got) {
			t.Errorf("%s: serial %s, subject %q, %s to %s, key %v", c.what, got.SerialNumber, got.Subject, got.NotBefore, got.NotAfter, got.KeyError)
		}
		if got.PublicKey == nil && got.CheckSignature(got.SignatureAlgorithm, nil, nil) == nil {
			t.Errorf("%s: verifies without a key", c.what)
		}
	}
}

func TestMalformedCertificatesAreRefused(t *testing.T) {
	t.Parallel()
	root := mustAuthority(t, "CN=Root", P256)
	base := root.mustIssue(t, Template{}).Certificate
	day := timeOf(0x17, "260101000000Z")
	ext := func(body ...byte) []byte {
		list := append([]byte{0x30, byte(len(body))}, body...)
		return append([]byte{0xa3, byte(len(list))}, list...)
	}
	one := []byte{0x30, 10, 6, 3, 0x55, 0x1d, 0x0e, 4, 3, 4, 1, 7}
	for what, der := range map[string][]byte{
		"nothing":                        {},
		"not a SEQUENCE":                 {4, 0},
		"an empty SEQUENCE":              {0x30, 0},
		"octets after the end":           append(bytes.Clone(base.Raw), 0),
		"cut short":                      base.Raw[:len(base.Raw)-1],
		"indefinite length":              append(append([]byte{0x30, 0x80}, base.RawTBS...), 0, 0),
		"version 4":                      rebuilt(t, base, replaceField(tbsVersion, 0xa0, 3, 2, 1, 3)),
		"serial number without octets":   rebuilt(t, base, replaceField(tbsSerial, 2, 0)),
		"another algorithm inside":       rebuilt(t, base, replaceField(tbsAlgorithm, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70)),
		"30 February":                    rebuilt(t, base, replaceField(tbsValidity, validity(timeOf(0x17, "260230000000Z"), day)...)),
		"25 o'clock":                     rebuilt(t, base, replaceField(tbsValidity, validity(timeOf(0x17, "260101250000Z"), day)...)),
		"local time":                     rebuilt(t, base, replaceField(tbsValidity, validity(timeOf(0x17, "260101000000"), day)...)),
		"one date":                       rebuilt(t, base, replaceField(tbsValidity, validity(day, nil)...)),
		"three dates":                    rebuilt(t, base, replaceField(tbsValidity, validity(day, append(day, day...))...)),
		"a name that is an OCTET STRING": rebuilt(t, base, replaceField(tbsSubject, 4, 0)),
		"a level without attribute":      rebuilt(t, base, replaceField(tbsSubject, 0x30, 2, 0x31, 0)),
		"an extension twice":             rebuilt(t, base, replaceField(tbsExtensions, ext(append(bytes.Clone(one), one...)...)...)),
		"a key identifier that is none":  rebuilt(t, base, replaceField(tbsExtensions, ext(0x30, 10, 6, 3, 0x55, 0x1d, 0x0e, 4, 3, 5, 1, 7)...)),
		"octets after an extension":      rebuilt(t, base, replaceField(tbsExtensions, ext(0x30, 11, 6, 3, 0x55, 0x1d, 0x0e, 4, 4, 4, 1, 7, 0)...)),
		"a signature of odd bits": func() []byte {
			b := bytes.Clone(base.Raw)
			b[len(b)-len(base.Signature)-1] = 1
			return b
		}(),
	} {
		if c, err := ParseCertificate(der); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v", what, c, err)
		}
	}
	for i := range base.Raw {
		if _, err := ParseCertificate(base.Raw[:i]); err == nil {
			t.Errorf("%d of %d octets are a certificate", i, len(base.Raw))
		}
	}
}

// TestSmallRSA: keys that crypto/rsa refuses can still be computed with, and judged.
func TestSmallRSA(t *testing.T) {
	t.Parallel()
	p, err := rand.Prime(rand.Reader, 256)
	if err != nil {
		t.Fatal(err)
	}
	q, err := rand.Prime(rand.Reader, 256)
	if err != nil {
		t.Fatal(err)
	}
	one, e := big.NewInt(1), big.NewInt(65537)
	d := new(big.Int).ModInverse(e, new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)))
	if d == nil {
		t.Fatal("65537 divides p-1 or q-1") // one run in 30,000
	}
	pub := &rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}
	size := (pub.N.BitLen() + 7) / 8
	message := []byte("an old message")
	for hash, prefix := range digestInfo {
		for _, prefix := range [][]byte{prefix, withoutNull(prefix)} {
			if size < len(prefix)+hash.Size()+11 {
				continue // too long for a key of 512 bits
			}
			sum := digest(hash, message)
			em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(prefix)-len(sum))...)
			em = append(append(append(em, 0), prefix...), sum...)
			m := new(big.Int).SetBytes(em)
			signature := m.Exp(m, d, pub.N).FillBytes(make([]byte, size))
			a := SignatureAlgorithm{Scheme: SchemeRSA, Hash: hash}
			if err := a.Verify(pub, message, signature); err != nil {
				t.Errorf("%v: %v", hash, err)
			}
			if err := a.Verify(pub, []byte("another"), signature); !errors.Is(err, ErrBadSignature) {
				t.Errorf("%v: another message: %v", hash, err)
			}
			if err := a.Verify(pub, message, signature[1:]); !errors.Is(err, ErrBadSignature) {
				t.Errorf("%v: a shorter signature: %v", hash, err)
			}
			em[3] = 0xfe // padding that is not all ones
			m = new(big.Int).SetBytes(em)
			if err := a.Verify(pub, message, m.Exp(m, d, pub.N).FillBytes(make([]byte, size))); !errors.Is(err, ErrBadSignature) {
				t.Errorf("%v: wrong padding: %v", hash, err)
			}
		}
	}
}

func TestRSAPSS(t *testing.T) {
	t.Parallel()
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	h := sha256.Sum256(message)
	for _, salt := range []int{32, 20, 8} {
		signature, err := rsa.SignPSS(rand.Reader, priv, crypto.SHA256, h[:], &rsa.PSSOptions{SaltLength: salt})
		if err != nil {
			t.Fatal(err)
		}
		for _, stated := range []int{32, 20, 8, 0, 200, 500} {
			a := SignatureAlgorithm{Scheme: SchemeRSAPSS, Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: stated}
			if err := a.Verify(&priv.PublicKey, message, signature); (err == nil) != (stated == salt) {
				t.Errorf("salt of %d, %d stated: %v", salt, stated, err)
			}
		}
		own := SignatureAlgorithm{Scheme: SchemeRSAPSS, Hash: crypto.SHA256, MGFHash: crypto.SHA1, SaltLength: salt}
		if own.Verify(&priv.PublicKey, message, signature) == nil {
			t.Error("another mask function is taken")
		}
	}
	// salt of zero and two hash functions: our own computation, both ways round
	for _, bits := range []int{0, 1, 7} { // lengths of the modulus around an octet
		k, err := rsa.GenerateKey(rand.Reader, 2048+bits)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []SignatureAlgorithm{
			{Scheme: SchemeRSAPSS, Hash: crypto.SHA256, MGFHash: crypto.SHA1, SaltLength: 20},
			{Scheme: SchemeRSAPSS, Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 0},
		} {
			signature := signPSS(k, a, h[:])
			if err := a.Verify(&k.PublicKey, message, signature); err != nil {
				t.Errorf("%d bits, %+v: %v", 2048+bits, a, err)
			}
			if a.Verify(&k.PublicKey, []byte("other"), signature) == nil {
				t.Error("another message is taken")
			}
			signature[5] ^= 1
			if a.Verify(&k.PublicKey, message, signature) == nil {
				t.Error("a changed signature is taken")
			}
		}
	}
}

// signPSS is EMSA-PSS-ENCODE [RFC 8017 9.1.1] with a salt of zeros, for the checks of verifyPSS.
func signPSS(k *rsa.PrivateKey, a SignatureAlgorithm, mHash []byte) []byte {
	emBits := k.N.BitLen() - 1
	emLen := (emBits + 7) / 8
	salt := make([]byte, a.SaltLength)
	h := a.Hash.New()
	h.Write(make([]byte, 8))
	h.Write(mHash)
	h.Write(salt)
	sum := h.Sum(nil)
	db := make([]byte, emLen-len(sum)-1)
	db[len(db)-len(salt)-1] = 1
	for i, m := range mgf1(a.MGFHash, sum, len(db)) {
		db[i] ^= m
	}
	db[0] &= 0xff >> (8*emLen - emBits)
	em := append(append(db, sum...), 0xbc)
	m := new(big.Int).SetBytes(em)
	return m.Exp(m, k.D, k.N).FillBytes(make([]byte, k.Size()))
}

func TestAlgorithmAndKeyMustFit(t *testing.T) {
	t.Parallel()
	var certs []*Certificate
	for _, alg := range []KeyAlgorithm{RSA2048, P256, Ed25519, BrainpoolP256r1} {
		certs = append(certs, mustAuthority(t, "CN="+string(alg), alg).Certificate)
	}
	for i, c := range certs {
		for j, o := range certs {
			err := o.CheckSignature(c.SignatureAlgorithm, c.RawTBS, c.Signature)
			if (err == nil) != (i == j) || i != j && !errors.Is(err, ErrBadSignature) {
				t.Errorf("signature of %s with the key of %s: %v", c.Subject, o.Subject, err)
			}
		}
	}
	unknown, err := ParseSignatureAlgorithm([]byte{0x30, 5, 6, 3, 0x2b, 0x65, 0x71})
	if err != nil {
		t.Fatal(err)
	}
	if err := certs[0].CheckSignature(unknown, nil, nil); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "1.3.101.113") {
		t.Errorf("Ed448: %v", err)
	}
}

func TestOIDs(t *testing.T) {
	t.Parallel()
	for _, o := range []OID{"0.0", "0.39", "1.2.840.113549.1.1.11", "2.5.4.3", "2.999.1", "2.16.840.1.101.3.4.2.1", "1.3.6.1.4.1.72057594037927935"} {
		content, ok := encodeOID(o)
		back, ok2 := decodeOID(content)
		if !ok || !ok2 || back != o {
			t.Errorf("%s returns as %q", o, back)
		}
	}
	for _, s := range []string{"", "1", "3.1", "1.40", "1.2.", ".1.2", "1..2", "1.02", "1.-2", "1.+2", "a.b", "1.2.99999999999999999999"} {
		if o, ok := ParseOID(s); ok {
			t.Errorf("%q is %q", s, o)
		}
	}
	for _, content := range [][]byte{{}, {0x80, 1}, {0x2a, 0x80, 1}, {0x2a, 0x86}, bytes.Repeat([]byte{0x81}, 20), append(bytes.Repeat([]byte{0xff}, 10), 1)} {
		if o, ok := decodeOID(content); ok {
			t.Errorf("%x is %q", content, o)
		}
	}
}

func TestKeyIdentifierIsSHA1OfTheKeyBits(t *testing.T) {
	t.Parallel()
	c := mustAuthority(t, "CN=Root", P256).Certificate
	want := sha1.Sum(c.RawSPKI[len(c.RawSPKI)-65:])
	if !bytes.Equal(c.SubjectKeyID, want[:]) {
		t.Errorf("%x, want %x", c.SubjectKeyID, want)
	}
}

func TestTimesOfUTC(t *testing.T) {
	t.Parallel()
	c := mustAuthority(t, "CN=Root", P256).Certificate
	if c.NotBefore.Location() != time.UTC || !c.NotBefore.Equal(testNow.AddDate(-1, 0, 0)) {
		t.Errorf("%v", c.NotBefore)
	}
}
