package pki

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// TestCorpusPeppolChains: the issuing authority, not the name of the leaf, tells an access point from a
// metadata publisher.
func TestCorpusPeppolChains(t *testing.T) {
	t.Parallel()
	read := func(name string) *Certificate { return readCertificate(t, "edelivery-discovery", "pki/"+name) }
	leaf := read("peppol-ap-cert-expired.pem")
	ap, smp, root := read("2018/Peppol_AccessPoint_CA.cer"), read("2018/Peppol_ServiceMetadataPublisher_CA.cer"), read("2018/Peppol_Root_CA.cer")
	apTest := read("2018/Peppol_Test_AccessPoint_CA.cer")
	valid := leaf.NotBefore.Add(time.Hour)
	role := []Anchor{{Certificate: ap, Purposes: []Purpose{PurposeAccessPoint}}, {Certificate: smp, Purposes: []Purpose{PurposeSMP}},
		{Certificate: apTest, Purposes: []Purpose{PurposeAccessPoint}}}
	issuer := ap
	if leaf.CheckSignatureFrom(ap) != nil {
		issuer = apTest
	}
	for _, c := range []struct {
		what    string
		anchors []Anchor
		purpose Purpose
		at      time.Time
		want    error
		length  int
	}{
		{"when it was valid", role, PurposeAccessPoint, valid, nil, 2},
		{"now", role, PurposeAccessPoint, time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), ErrExpired, 0},
		{"as a metadata publisher", role, PurposeSMP, valid, ErrWrongPurpose, 0},
		{"under the root", anchors(PurposeAccessPoint, root, read("2018/Peppol_Test_Root_CA.cer")), PurposeAccessPoint, valid, nil, 3},
		{"under the next generation", anchors(PurposeAccessPoint, read("2025/PEPPOL_ACCESS_POINT_CA-G3.pem"), read("2025/PEPPOL_Root_CA-G3.pem")), PurposeAccessPoint, valid, ErrUntrusted, 0},
	} {
		v := &Verifier{Anchors: c.anchors, Intermediates: []*Certificate{issuer}}
		chain, err := v.VerifyAt(t.Context(), leaf, nil, c.purpose, c.at)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || len(chain) != c.length {
			t.Errorf("%s: %d certificates, %v; want %d, %v", c.what, len(chain), err, c.length, c.want)
		}
	}
	for _, pair := range [][2]string{
		{"2025/PEPPOL_ACCESS_POINT_CA-G3.pem", "2025/PEPPOL_Root_CA-G3.pem"},
		{"2025/PEPPOL_SERVICE_METADATA_PUBLISHER_CA-G3.pem", "2025/PEPPOL_Root_CA-G3.pem"},
		{"2025/PEPPOL_ACCESS_POINT_TEST_CA-G3.pem", "2025/PEPPOL_Root_TEST_CA-G3.pem"},
		{"2025/PEPPOL_SERVICE_METADATA_PUBLISHER_TEST_CA-G3.pem", "2025/PEPPOL_Root_TEST_CA-G3.pem"},
	} {
		if err := read(pair[0]).CheckSignatureFrom(read(pair[1])); err != nil {
			t.Error(err)
		}
	}
}

// TestCorpusMetadataChains: chains of eID metadata signers.
func TestCorpusMetadataChains(t *testing.T) {
	t.Parallel()
	read := func(name string) *Certificate { return readCertificate(t, "eid", "certs/"+name) }
	leaf, between, root := read("leaf.crt"), read("intermediate-ca.crt"), read("root-ca.crt")
	self, untrusted := read("selfSigned.crt"), read("untrustedCertificate.crt")
	for _, c := range []struct {
		what    string
		cert    *Certificate
		extra   []*Certificate
		anchors []Anchor
		want    error
	}{
		{"leaf through its intermediate, which signs with SHA-1", leaf, []*Certificate{between}, anchors(PurposeToken, root), nil},
		{"leaf without its intermediate", leaf, nil, anchors(PurposeToken, root), ErrUntrusted},
		{"self-signed and not in the store", self, nil, anchors(PurposeToken, root), ErrUntrusted},
		{"self-signed and in the store", self, nil, anchors(PurposeToken, root, self), nil},
		{"not trusted", untrusted, []*Certificate{between}, anchors(PurposeToken, root), ErrUntrusted},
	} {
		v := &Verifier{Anchors: c.anchors, AllowSHA1: true}
		_, err := v.VerifyAt(t.Context(), c.cert, c.extra, PurposeToken, c.cert.NotBefore.Add(time.Hour))
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	strict := &Verifier{Anchors: anchors(PurposeToken, root)}
	if _, err := strict.VerifyAt(t.Context(), leaf, []*Certificate{between}, PurposeToken, leaf.NotBefore); !errors.Is(err, ErrWeakKey) {
		t.Errorf("SHA-1 without leave: %v", err)
	}
	for _, row := range corpus.Index(t, "eid") {
		name := row["file"]
		rejected, accepted := strings.Contains(row["expected"], "hash shorter than 256 bit"), strings.Contains(row["expected"], "accept hash rule")
		if !rejected && !accepted {
			continue
		}
		if c := readCertificate(t, "eid", name); (c.SignatureAlgorithm.Hash.Size() < 32) != rejected {
			t.Errorf("%s: %v, expected %q", name, c.SignatureAlgorithm.Hash, row["expected"])
		}
	}
}
