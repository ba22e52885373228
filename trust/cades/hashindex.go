package cades

import (
	"crypto"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// HashIndex lists what an archive time-stamp covers besides content and signature: ats-hash-index [TS 101 733 6.4.2],
// ats-hash-index-v3 [EN 319 122-1 5.5.2], and version 2 between them.
type HashIndex struct {
	Raw          []byte // DER
	Version      int    // 1, 2 or 3
	HashOID      pki.OID
	Hash         crypto.Hash // 0 where unknown: then nothing is found
	Certificates [][]byte
	Revocation   [][]byte
	Attributes   [][]byte
}

// findIndex takes the newest version there is.
func findIndex(unsigned []cms.Attribute) (*HashIndex, error) {
	for i, o := range []pki.OID{AttrHashIndexV3, AttrHashIndexV2, AttrHashIndex} {
		if v := cms.Attr(unsigned, o); v != nil {
			x, err := parseIndex(v, 3-i)
			if err != nil {
				return nil, fmt.Errorf("%w: ats-hash-index: %w", ErrStructure, err)
			}
			return x, nil
		}
	}
	return nil, nil
}

func parseIndex(b []byte, version int) (*HashIndex, error) {
	e, err := ber.Parse(b)
	if err != nil {
		return nil, err
	}
	x := &HashIndex{Version: version, HashOID: pki.OIDByHash(crypto.SHA256)}
	if x.Raw, err = e.DER(); err != nil {
		return nil, err
	}
	r := e.Children()
	first, err := r.Next()
	if err != nil {
		return nil, err
	}
	if in := first.Children(); in.Is(asn1.OBJECT_IDENTIFIER) && !in.Empty() {
		if x.HashOID, err = oid(&in); err != nil {
			return nil, err
		}
		if first, err = r.Next(); err != nil {
			return nil, err
		}
	} else if version > 1 {
		return nil, first.Errorf("digest algorithm is missing")
	}
	x.Hash = pki.HashByOID(x.HashOID)
	for i, list := range []*[][]byte{&x.Certificates, &x.Revocation, &x.Attributes} {
		if i > 0 {
			if first, err = r.Next(); err != nil {
				return nil, err
			}
		}
		err := each(first, func(h ber.Element) error {
			d, err := h.Bytes()
			*list = append(*list, d)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if !r.Empty() {
		return nil, r.Errorf("something after the hashes")
	}
	return x, nil
}

// newIndex makes a version 3 index of all that a signature has now.
func newIndex(s *Signature, h crypto.Hash) (*HashIndex, error) {
	x := &HashIndex{Version: 3, Hash: h, HashOID: pki.OIDByHash(h)}
	for _, c := range s.Message.Certificates {
		x.Certificates = append(x.Certificates, x.sum(c.Raw))
	}
	for _, r := range s.Message.Revocation {
		x.Revocation = append(x.Revocation, x.sum(r.Raw))
	}
	for _, a := range s.Signer.Unsigned {
		t, err := typeOf(a)
		if err != nil {
			return nil, err
		}
		for _, v := range a.Values {
			e, err := ber.Parse(v)
			if err != nil {
				return nil, err
			}
			der, err := e.DER()
			if err != nil {
				return nil, err
			}
			x.Attributes = append(x.Attributes, x.sum(t, der))
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { pki.AddOID(b, x.HashOID) })
		for _, list := range [][][]byte{x.Certificates, x.Revocation, x.Attributes} {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, d := range list {
					b.AddASN1OctetString(d)
				}
			})
		}
	})
	var err error
	x.Raw, err = b.Bytes()
	return x, err
}

func (x *HashIndex) sum(parts ...[]byte) []byte {
	h := x.Hash.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// typeOf is the encoding of an attribute's type.
func typeOf(a cms.Attribute) ([]byte, error) {
	var b cryptobyte.Builder
	pki.AddOID(&b, a.Type)
	return b.Bytes()
}

// coverage finds the objects that the hashes are of.
func (x *HashIndex) coverage(s *Signature) (c Coverage) {
	certs, revocation, attrs := listed(x.Certificates), listed(x.Revocation), listed(x.Attributes)
	if x.Hash.Available() {
		for i := range s.Message.Certificates {
			if certs.find(x, nil, s.Message.Certificates[i].Raw) {
				c.Certificates = append(c.Certificates, i)
			}
		}
		for i := range s.Message.Revocation {
			if revocation.find(x, nil, s.Message.Revocation[i].Raw) {
				c.Revocation = append(c.Revocation, i)
			}
		}
		for i, a := range s.Signer.Unsigned {
			if whole, partly := attrs.findAttribute(x, a); whole {
				c.Attributes = append(c.Attributes, i)
			} else if partly {
				c.AttributesPartly = true
			}
		}
	}
	c.LostCertificates, c.LostRevocation, c.LostAttributes = certs.lost(), revocation.lost(), attrs.lost()
	return c
}

// hashes are those of a list, and whether they were found.
type hashes map[string]bool

func listed(list [][]byte) hashes {
	m := hashes{}
	for _, h := range list {
		m[string(h)] = false
	}
	return m
}

func (m hashes) lost() (n int) {
	for _, found := range m {
		if !found {
			n++
		}
	}
	return n
}

// find looks for the hash of an object, as it is encoded or in DER.
func (m hashes) find(x *HashIndex, prefix, object []byte) bool {
	if m.hit(x.sum(prefix, object)) {
		return true
	}
	if m.lost() == 0 { // all are found: what else could it be in another encoding
		return false
	}
	e, err := ber.Parse(object)
	if err != nil {
		return false
	}
	for _, f := range []func() ([]byte, error){e.DER, e.SortedDER} {
		if der, err := f(); err == nil && !slices.Equal(der, object) && m.hit(x.sum(prefix, der)) {
			return true
		}
	}
	return false
}

func (m hashes) hit(sum []byte) bool {
	if _, ok := m[string(sum)]; ok {
		m[string(sum)] = true
		return true
	}
	return false
}

// findAttribute looks for the hashes of an attribute: of the whole in old versions, of type and each value in version 3.
func (m hashes) findAttribute(x *HashIndex, a cms.Attribute) (whole, partly bool) {
	if x.Version < 3 {
		return m.find(x, nil, a.Raw), false
	}
	t, err := typeOf(a)
	if err != nil {
		return false, false
	}
	n := 0
	for _, v := range a.Values {
		if m.find(x, t, v) {
			n++
		}
	}
	return n > 0 && n == len(a.Values), n > 0
}
