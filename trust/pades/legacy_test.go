package pades

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/cms"
)

// legacy signs in an encoding of ISO 32000-1 that is not written otherwise.
func legacy(t *testing.T, sub SubFilter, sign func(c cms.Content) []byte) []byte {
	t.Helper()
	b := paper(t, false, nil)
	d := open(t, b)
	u, err := d.PDF.Update()
	if err != nil {
		t.Fatal(err)
	}
	const reserve = 4 << 10
	dict := pdf.Dict{"Type": pdf.Name("Sig"), "Filter": pdf.Name("Adobe.PPKLite"), "SubFilter": pdf.Name(sub), "M": pdf.Date(now)}
	c, err := d.place(u, dict, Parameters{}, reserve)
	if err != nil {
		t.Fatal(err)
	}
	p := Place{d: d, appended: c.octets, at: c.at, reserve: reserve}
	more, err := p.Fill(sign(p.Content()))
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clip(b), more...)
}

func TestOlderEncodings(t *testing.T) {
	t.Parallel()
	id := theWorld().signer
	message := func(content []byte, detached bool) []byte {
		b, err := cms.Sign(id, content, detached, cms.Template{SigningTime: now})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	all := func(c cms.Content) []byte {
		var b bytes.Buffer
		if _, err := c.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	check(t, legacy(t, Detached, func(c cms.Content) []byte { return message(all(c), true) }), PKCS7B)
	sum := func(c cms.Content) []byte {
		sum, err := c.Digest(crypto.SHA1)
		if err != nil {
			t.Fatal(err)
		}
		return message(sum, false)
	}
	good := legacy(t, SHA1, sum)
	if s := open(t, good).Signatures[0]; s.Verify().Err() != nil || s.Level() != PKCS7B {
		t.Errorf("digest within: %v, %s", s.Verify().Err(), s.Level())
	}
	bad := bytes.Replace(good, []byte("/Count 2"), []byte("/Count 3"), 1)
	if s := open(t, bad).Signatures[0]; !errors.Is(s.Verify().Content, cms.ErrDigest) {
		t.Errorf("digest of something else within: %v", s.Verify().Content)
	}
	other := legacy(t, RSA, func(c cms.Content) []byte { b := make([]byte, 64); rand.Read(b); return b })
	if s := open(t, other).Signatures[0]; !errors.Is(s.Err, ErrSubFilter) || s.CMS != nil {
		t.Errorf("an encoding that is not read: %v", s.Err)
	}
	within := legacy(t, CAdES, func(c cms.Content) []byte { return message(all(c), false) })
	if s := open(t, within).Signatures[0]; !errors.Is(s.Err, ErrDictionary) {
		t.Errorf("content within the message: %v", s.Err)
	}
}
