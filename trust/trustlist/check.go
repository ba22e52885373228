package trustlist

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// CheckOptions say what is asked of a list before it counts.
type CheckOptions struct {
	Signers   []*pki.Certificate // one of whom must have signed it
	Territory string             // "": any
	Type      string             // "": any
	After     *List              // the list known before: an older one is refused
	AllowSHA1 bool               // and RSA keys from 1,024 bits: only for lists of the pilots' years

	certs *pki.Parsed
}

// Checked is a list whose signature holds.
type Checked struct {
	*List
	Signer *pki.Certificate
	Time   time.Time // of signing, by the signer's word
}

// Check reads a list and refuses it when anything asked for does not hold [TS 119 615 4.1, 4.2]. An expired list is
// returned: whether it may still count is for the caller to say, by [List.Expired].
func Check(b []byte, opt CheckOptions) (*Checked, error) {
	doc, err := parseDocument(b)
	if err != nil {
		return nil, err
	}
	signer, at, err := verify(doc, &opt)
	if err != nil {
		return nil, err
	}
	l, err := read(doc.Root(), opt.certs)
	if err != nil {
		return nil, err
	}
	switch {
	case opt.Type != "" && l.Type != opt.Type:
		return nil, fmt.Errorf("%w: %q, not %q [TS 119 612 5.3.3]", ErrType, l.Type, opt.Type)
	case opt.Territory != "" && l.Territory != opt.Territory:
		return nil, fmt.Errorf("%w: %q, not %q [TS 119 612 5.3.10]", ErrTerritory, l.Territory, opt.Territory)
	}
	if old := opt.After; old != nil {
		switch {
		case l.Sequence < old.Sequence:
			return nil, fmt.Errorf("%w: number %d after number %d [TS 119 612 5.3.2]", ErrDowngrade, l.Sequence, old.Sequence)
		case l.Issued.Before(old.Issued):
			return nil, fmt.Errorf("%w: issued at %s after one of %s [TS 119 612 5.3.14]", ErrDowngrade, l.Issued.Format(time.RFC3339), old.Issued.Format(time.RFC3339))
		}
	}
	return &Checked{l, signer, at}, nil
}

// verify checks the signature of a list: one, over the whole document, by one of those who may, trusted directly
// [TS 119 612 5.7.1, annex B].
func verify(doc *dom.Document, opt *CheckOptions) (*pki.Certificate, time.Time, error) {
	fail := func(err error) (*pki.Certificate, time.Time, error) {
		return nil, time.Time{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if len(opt.Signers) == 0 {
		return nil, time.Time{}, fmt.Errorf("%w: no certificate is named that may sign it", ErrSigner)
	}
	var sig dom.Node
	n := 0
	for e := range doc.Root().Elements() {
		if e.Is(xmldsig.Namespace, "Signature") {
			sig = e
			n++
		}
	}
	if n != 1 {
		return fail(fmt.Errorf("the list has %d signatures, not one [TS 119 612 5.7.1]", n))
	}
	s, err := xades.Parse(sig)
	if err != nil {
		return fail(err)
	}
	c, err := s.Check(xades.CheckOptions{Certificates: opt.Signers})
	if err != nil {
		return fail(err)
	}
	// The certificate before the digests: that it is somebody else's list is the plainer reason.
	if c.Signer == nil && c.ValueErr == nil {
		return nil, time.Time{}, fmt.Errorf("%w: the signature does not name its certificate [TS 119 612 annex B]", ErrSigner)
	}
	if err := errors.Join(append([]error{c.ValueErr, c.PropertiesErr, c.TypeErr}, c.Errs...)...); err != nil {
		return fail(err)
	}
	if !slices.ContainsFunc(opt.Signers, c.Signer.Equal) {
		return nil, time.Time{}, fmt.Errorf("%w: %s, serial number %s", ErrSigner, c.Signer.Subject, c.Signer.SerialNumber)
	}
	whole := 0
	hashes := []crypto.Hash{c.Hash}
	for i := range c.References {
		r := &c.References[i]
		h, _ := xmldsig.DigestHash(r.DigestMethod)
		hashes = append(hashes, h)
		switch {
		case r.Target == doc.Node() || r.Target == doc.Root():
			// Exactly these two: any other transform could take parts of the list away [TS 119 612 annex B].
			if t := r.Transforms; len(t) != 2 || t[0].Algorithm != xmldsig.Enveloped || t[1].Method.Algorithm != c14n.Exclusive10 {
				return fail(errors.New("the reference to the list has other transforms than enveloped-signature and exclusive canonicalisation [TS 119 612 annex B]"))
			}
			whole++
		case r.Type == xades.TypeSignedProperties:
		default:
			return fail(fmt.Errorf("it signs %q beside the list [TS 119 612 annex B]", r.URI))
		}
	}
	if whole != 1 {
		return fail(errors.New("it does not sign the whole list [TS 119 612 annex B]"))
	}
	least := 2048
	if opt.AllowSHA1 {
		least = 1024
	}
	if (c.Scheme == pki.SchemeRSA || c.Scheme == pki.SchemeRSAPSS) && pki.KeyBits(c.Signer.PublicKey) < least {
		return fail(fmt.Errorf("an RSA key of %d bits is too small", pki.KeyBits(c.Signer.PublicKey)))
	}
	for _, h := range hashes {
		if h == crypto.MD5 || h == crypto.RIPEMD160 || h == crypto.SHA1 && !opt.AllowSHA1 {
			return fail(fmt.Errorf("%v is not safe any more", h))
		}
	}
	return c.Signer, s.SigningTime, nil
}
