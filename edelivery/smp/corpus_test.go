package smp

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const area = "edelivery-discovery"

// today stands for any day after all the certificates of the corpus have expired.
var today = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// TestCorpus asks for every smp row what its "expected" column says.
func TestCorpus(t *testing.T) {
	t.Parallel()
	known := corpus.Known(t, filepath.Join("testdata", "known.tsv"))
	rows, agree := 0, 0
	for _, row := range corpus.Index(t, area) {
		name, expected := row["path"], row["expected"]
		if !strings.HasPrefix(name, "smp-") || strings.HasSuffix(name, ".xsd") {
			continue
		}
		rows++
		src := corpus.Read(t, area, name)
		err := agrees(t, name, expected, src)
		if err == nil {
			agree++
		}
		switch reason, listed := known[name]; {
		case err != nil && !listed:
			t.Errorf("%s: %v", name, err)
		case err == nil && listed:
			t.Errorf("%s agrees, but known.tsv says: %s", name, reason)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("known.tsv lists %s, which the corpus does not have", name)
	}
	if rows < 20 {
		t.Fatalf("only %d rows: is the corpus there?", rows)
	}
	t.Logf("%d of %d files agree", agree, rows)
}

func agrees(t *testing.T, name, expected string, src []byte) error {
	switch {
	case strings.HasPrefix(expected, "not well-formed"):
		_, err := ParseServiceGroup(src)
		if !errors.Is(err, dom.ErrSyntax) || !errors.Is(err, ErrSyntax) {
			return fmt.Errorf("got %v, want a syntax error", err)
		}
		return nil
	case strings.HasPrefix(expected, "structure only"):
		return agreesTemplate(t.Context(), src)
	case bytes.Contains(src, []byte("ServiceGroup ")):
		return agreesGroup(src)
	case expected == "valid":
		return agreesMetadata(src)
	case strings.Contains(expected, "signature verifies"):
		if err := agreesMetadata(bytes.Clone(src)); err != nil {
			return err
		}
		return agreesSigned(t, src)
	case strings.Contains(expected, "does NOT verify: digest mismatch"):
		if err := agreesMetadata(bytes.Clone(src)); err != nil {
			return err
		}
		return agreesBroken(t, src)
	}
	return fmt.Errorf("unknown expectation %q", expected)
}

func agreesGroup(src []byte) error {
	sg, err := ParseServiceGroup(src)
	if err != nil {
		return err
	}
	if sg.Participant.IsZero() || len(sg.References) == 0 {
		return fmt.Errorf("participant %q, %d references", sg.Participant, len(sg.References))
	}
	for _, ref := range sg.References {
		if ref.DocumentType.IsZero() || ref.DocumentType.Scheme == "" || ref.DocumentType.Value == "" {
			return fmt.Errorf("reference %q gives no document type", ref.Href)
		}
	}
	return nil
}

func agreesMetadata(src []byte) error {
	md, err := ParseServiceMetadata(src)
	if err != nil {
		return err
	}
	if md.Redirect != nil {
		if md.Redirect.CertificateUID == "" || !strings.Contains(md.Redirect.Href, "/services/") {
			return fmt.Errorf("redirect %+v", md.Redirect)
		}
		return nil
	}
	if md.Participant.IsZero() || md.DocumentType.IsZero() || len(md.Processes) == 0 {
		return fmt.Errorf("%+v", md)
	}
	for _, p := range md.Processes {
		for _, e := range p.Endpoints {
			if p.Process.IsZero() || e.URL == "" || e.TransportProfile == "" || e.Encryption() == nil {
				return fmt.Errorf("process %s, endpoint %+v", p.Process, e)
			}
		}
	}
	return nil
}

// agreesSigned: refused today for its SHA-1; refused today for its certificate when SHA-1 is let through; accepted as old
// material at a time when the certificate was valid.
func agreesSigned(t *testing.T, src []byte) error {
	opt := oldQuestion(t, src)
	if _, err := VerifyMetadata(t.Context(), bytes.Clone(src), opt); err != nil {
		return fmt.Errorf("as old material: %w", err)
	}
	opt.OldMaterial = false
	if s, err := VerifyMetadata(t.Context(), bytes.Clone(src), opt); !errors.Is(err, ErrAlgorithm) || s != nil {
		return fmt.Errorf("with SHA-1 not allowed: got %v, want %v", err, ErrAlgorithm)
	}
	opt.OldMaterial = true
	opt.Trust = &pki.Verifier{Anchors: opt.Trust.Anchors, AllowSHA1: true, Clock: func() time.Time { return today }}
	_, err := VerifyMetadata(t.Context(), bytes.Clone(src), opt)
	if exclusive := bytes.Contains(src, []byte("xml-exc-c14n")); exclusive && !errors.Is(err, ErrAlgorithm) {
		return fmt.Errorf("exclusive canonicalisation today: got %v, want %v", err, ErrAlgorithm)
	} else if !exclusive && (!errors.Is(err, ErrUntrusted) || !errors.Is(err, pki.ErrExpired)) {
		return fmt.Errorf("expired certificate today: got %v, want %v", err, pki.ErrExpired)
	}
	// The same chain, bound to another purpose.
	opt = oldQuestion(t, src)
	for i := range opt.Trust.Anchors {
		opt.Trust.Anchors[i].Purposes = []pki.Purpose{pki.PurposeAccessPoint}
	}
	if _, err := VerifyMetadata(t.Context(), bytes.Clone(src), opt); !errors.Is(err, ErrNotSMP) {
		return fmt.Errorf("anchor for access points: got %v, want %v", err, ErrNotSMP)
	}
	return nil
}

// agreesBroken: the file was indented after it was signed, SignedInfo too, so the value fails first. With SignedInfo as it
// was signed the value holds, and the digest of the rest does not.
func agreesBroken(t *testing.T, src []byte) error {
	_, err := VerifyMetadata(t.Context(), bytes.Clone(src), oldQuestion(t, src))
	if !errors.Is(err, ErrSignature) || !errors.Is(err, xmldsig.ErrSignature) {
		return fmt.Errorf("as it is: got %v, want %v", err, ErrSignature)
	}
	begin, end := bytes.Index(src, []byte("<SignedInfo>")), bytes.Index(src, []byte("</SignedInfo>"))
	info := regexp.MustCompile(`>\s+<`).ReplaceAll(src[begin:end+1], []byte("><"))
	src = slices.Concat(src[:begin], info, src[end+1:])
	_, err = VerifyMetadata(t.Context(), bytes.Clone(src), oldQuestion(t, src))
	if !errors.Is(err, ErrSignature) || !errors.Is(err, xmldsig.ErrDigest) {
		return fmt.Errorf("SignedInfo without indentation: got %v, want %v", err, xmldsig.ErrDigest)
	}
	return nil
}

// oldQuestion is what the answer answers, at a time when its signer was valid, with the SMP authorities of the network
// as anchors, or the signer itself where the corpus lacks its authority.
func oldQuestion(t *testing.T, src []byte) VerifyOptions {
	t.Helper()
	doc, err := dom.Parse(bytes.Clone(src), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sig := doc.Root().Child(nsDS, "Signature")
	certs, err := xmldsig.CertificatesFromInfo(sig.Child(nsDS, "KeyInfo"), nil)
	if err != nil || len(certs) == 0 {
		t.Fatalf("no signer: %v", err)
	}
	signer := certs[0]
	opt := VerifyOptions{OldMaterial: true}
	opt.Trust = &pki.Verifier{AllowSHA1: true, Clock: func() time.Time { return signer.NotBefore.Add(24 * time.Hour) }}
	for _, name := range []string{"pki/2018/Peppol_ServiceMetadataPublisher_CA.cer", "pki/2018/Peppol_Test_ServiceMetadataPublisher_CA.cer"} {
		if ca := certificateFile(t, name); ca.Subject.Equal(signer.Issuer) {
			opt.Trust.Anchors = append(opt.Trust.Anchors, pki.Anchor{Certificate: ca, Purposes: []pki.Purpose{pki.PurposeSMP}})
		}
	}
	if opt.Trust.Anchors == nil {
		opt.Trust.Anchors = []pki.Anchor{{Certificate: signer, Purposes: []pki.Purpose{pki.PurposeSMP}}}
	}
	md, err := ParseServiceMetadata(bytes.Clone(src))
	if err != nil {
		t.Fatal(err)
	}
	opt.Participant, opt.DocumentType = md.Participant, md.DocumentType
	if md.Redirect != nil {
		opt.Participant = ids.Participant{Scheme: ids.SchemeActor, Value: "0192:991825827"}
		if opt.DocumentType, err = ids.ParseReference(md.Redirect.Href, opt.Participant); err != nil {
			t.Fatal(err)
		}
	}
	return opt
}

func certificateFile(t *testing.T, name string) *pki.Certificate {
	t.Helper()
	b := corpus.Read(t, area, name)
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	c, err := pki.ParseCertificate(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// agreesTemplate fills the placeholders: as they are they are no dates and no booleans, and the reader says so.
func agreesTemplate(ctx context.Context, src []byte) error {
	fill := strings.NewReplacer("REQUIRE_BUSINESSLEVEL_SIGNATURE", "false", "SERVICE_ACTIVATION_DATE", "2020-01-01T00:00:00Z",
		"SERVICE_EXPIRATION_DATE", "2030-01-01T00:00:00Z", ">CERTIFICATE<", "><", "SMP_SERVER_URL_REDIRECT", "https://other.example.com")
	filled := []byte(fill.Replace(string(src)))
	if bytes.Contains(src, []byte("<ServiceGroup")) {
		sg, err := ParseServiceGroup(filled)
		if err != nil {
			return err
		}
		if len(sg.References) != 1 || sg.References[0].DocumentType != (ids.DocumentType{Scheme: "DOCUMENT_SCHEME", Value: "DOCUMENT_ID"}) {
			return fmt.Errorf("%+v", sg)
		}
		return nil
	}
	if bytes.Contains(src, []byte("SERVICE_ACTIVATION_DATE")) {
		if _, err := ParseServiceMetadata(bytes.Clone(src)); !errors.Is(err, ErrSyntax) || !strings.Contains(err.Error(), "REQUIRE_BUSINESSLEVEL_SIGNATURE") {
			return fmt.Errorf("unfilled: got %v, want the placeholder named", err)
		}
	}
	md, err := ParseServiceMetadata(bytes.Clone(filled))
	if err != nil {
		return err
	}
	if md.Generation != OASIS10 || (md.Redirect == nil) == (len(md.Processes) == 0) {
		return fmt.Errorf("%+v", md)
	}
	// A template has an empty signature: the form is refused before anything is computed.
	opt := VerifyOptions{Trust: &pki.Verifier{}, Participant: md.Participant, DocumentType: md.DocumentType}
	if _, err := VerifyMetadata(ctx, filled, opt); !errors.Is(err, ErrCoverage) {
		return fmt.Errorf("empty signature: got %v, want %v", err, ErrCoverage)
	}
	return nil
}
