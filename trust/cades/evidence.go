package cades

import (
	"bytes"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
)

// EvidenceInputs are the messages that an evidence record of this signature may be over [TS 119 122-3 5]. The record at an index of
// EvidenceRecords is meant; -1 stands for one still to be made, which is over all there is, as in the first of the answers.
//
// A record is over the message without itself and what is parallel to it in the same attribute, but with the records before. Attributes
// being a set, sorted by DER, their order does not tell which came before: hence several answers. Each comes as encoded and, where
// that is another, as DER with sorted sets, which older records hash, and as streams are framed. An external record hashes the
// detached content besides.
func (s *Signature) EvidenceInputs(record int) (candidates [][]byte, err error) {
	add := func(m *cms.SignedData) {
		b, e := m.Bytes()
		var x ber.Element
		var der []byte
		if e == nil {
			x, e = ber.Parse(b)
		}
		if e == nil {
			der, e = x.SortedDER()
		}
		if e != nil {
			err = e
			return
		}
		for _, c := range [][]byte{b, der, indefinite(x)} {
			if c != nil && !slices.ContainsFunc(candidates, func(o []byte) bool { return bytes.Equal(o, c) }) {
				candidates = append(candidates, c)
			}
		}
	}
	if record < 0 {
		add(s.Message)
		return candidates, err
	}
	own := s.EvidenceRecords[record].attribute
	without := func(others func(i int) bool) {
		add(s.Message.Without(func(o *cms.SignerInfo, i int) bool {
			t := o.Unsigned[i].Type
			return (t == AttrInternalEvidence || t == AttrExternalEvidence) && (o == s.Signer && i == own || others(i))
		}))
	}
	without(func(i int) bool { return i > own })
	without(func(int) bool { return true })
	without(func(int) bool { return false })
	without(func(i int) bool { return i < own })
	return candidates, err
}

// indefinite is a message whose outer three layers are of indefinite length, as those who write streams leave them.
func indefinite(message ber.Element) []byte {
	info := message.Children()
	oid, err := info.Next()
	if err != nil {
		return nil
	}
	content, err := info.Next()
	if err != nil {
		return nil
	}
	in := content.Children()
	signed, err := in.Next()
	if err != nil {
		return nil
	}
	return slices.Concat([]byte{0x30, 0x80}, oid.Raw, []byte{0xa0, 0x80, 0x30, 0x80}, signed.Content, make([]byte, 6))
}

// Sealed is the message as an evidence record still to be made is over it: in DER [TS 119 122-3 5].
func (s *Signature) Sealed() ([]byte, error) {
	b, err := s.Message.Bytes()
	if err != nil {
		return nil, err
	}
	e, err := ber.Parse(b)
	if err != nil || e.IsDER() {
		return b, err
	}
	return e.SortedDER()
}

// Seal adds an evidence record over the message, and over its content where that is detached, to its attributes.
func (s *Signature) Seal(record []byte) error {
	t := AttrInternalEvidence
	if s.Message.Detached {
		t = AttrExternalEvidence
	}
	return s.addUnsigned(t, record)
}
