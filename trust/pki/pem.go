package pki

import (
	"bytes"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const maxPEMCertificates = 10_000 // a whole system's store has a few hundred

// ParsePEMCertificates reads all certificates of a PEM file in their order. Other blocks are passed over.
// DER is taken as well, a single certificate. No certificate at all is an error.
func ParsePEMCertificates(b []byte) ([]*Certificate, error) {
	if len(b) > 0 && b[0] == 0x30 && !bytes.Contains(b, []byte("-----BEGIN")) {
		c, err := ParseCertificate(b)
		if err != nil {
			return nil, err
		}
		return []*Certificate{c}, nil
	}
	var out []*Certificate
	for n := 1; ; n++ {
		block, rest, ok, err := nextPEM(b)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		b = rest
		if !certificateBlock(block.label) {
			continue
		}
		c, err := ParseCertificate(block.der)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", n, err)
		}
		if out = append(out, c); len(out) > maxPEMCertificates {
			return nil, malformed("more than %d certificates", maxPEMCertificates)
		}
	}
	if len(out) == 0 {
		return nil, malformed("no PEM certificate")
	}
	return out, nil
}

func certificateBlock(t string) bool {
	return t == "CERTIFICATE" || t == "X509 CERTIFICATE"
}

// MarshalPEM writes certificates in the order given.
func MarshalPEM(certs ...*Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a bytes.Buffer has no errors
	}
	return b.Bytes()
}

const maxPath = 10 // certificates of a chain; real ones have two to four

// ParsePKIPath reads the PkiPath of X.509, SEQUENCE OF Certificate with the leaf LAST, and returns the
// leaf FIRST. Each certificate must be issued by the name before it; signatures are for [Verifier].
func ParsePKIPath(der []byte) ([]*Certificate, error) {
	in := cryptobyte.String(der)
	var list cryptobyte.String
	if !in.ReadASN1(&list, asn1.SEQUENCE) {
		return nil, malformed("PKIPath is no SEQUENCE")
	}
	if !in.Empty() {
		return nil, malformed("PKIPath: %d octets after its end", len(in))
	}
	if list.Empty() {
		return nil, malformed("PKIPath is empty")
	}
	var raw []cryptobyte.String
	for !list.Empty() {
		var c cryptobyte.String
		if !list.ReadASN1Element(&c, asn1.SEQUENCE) {
			return nil, malformed("PKIPath: entry %d is no certificate", len(raw)+1)
		}
		if raw = append(raw, c); len(raw) > maxPath {
			return nil, malformed("PKIPath of more than %d certificates", maxPath)
		}
	}
	out := make([]*Certificate, len(raw))
	for i, der := range raw {
		c, err := ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("PKIPath: entry %d: %w", i+1, err)
		}
		at := len(raw) - 1 - i
		out[at] = c
		if i > 0 && !sameName(c.RawIssuer, out[at+1].RawSubject, c.Issuer, out[at+1].Subject) {
			return nil, malformed("PKIPath: entry %d (%q) was not issued by entry %d (%q): the order is issuer first, leaf last",
				i+1, c.Subject, i, out[at+1].Subject)
		}
	}
	return out, nil
}

// MarshalPKIPath writes a chain given leaf first, as [Verifier.Verify] returns it.
func MarshalPKIPath(leafFirst []*Certificate) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := len(leafFirst) - 1; i >= 0; i-- {
			b.AddBytes(leafFirst[i].Raw)
		}
	})
	return b.BytesOrPanic() // only a path of 4 GiB has no length
}
