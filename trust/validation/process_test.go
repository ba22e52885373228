package validation

import (
	"testing"
	"time"
)

// A certificate that was signed with an algorithm of before passes with no time-stamp of after; what else does not hold is said first, since
// step 4 c) of the process for long-term data asks of the algorithms of the signature alone [EN 319 102-1 5.5.4].
func TestCertificateOfAnAlgorithmThatEnded(t *testing.T) {
	t.Parallel()
	now := day(2026, 5, 4)
	strong, weak := Algorithm{"RSA", 2048, "SHA256"}, Algorithm{"RSA", 2048, "SHA1"}
	for _, c := range []struct {
		name             string
		own, certificate Algorithm
		stamped          time.Time
		property         bool
		want             Indication
		sub              Sub
	}{
		{"reliable algorithms", strong, strong, day(2014, 12, 17), true, TotalPassed, ""},
		{"the certificate's reliable when it was time-stamped", strong, weak, day(2012, 7, 31), true, TotalPassed, ""},
		{"the certificate's ended before", strong, weak, day(2014, 12, 17), true, Indeterminate, CryptoConstraintsNoPOE},
		{"the certificate's ended before, and the properties missing", strong, weak, day(2014, 12, 17), false, Indeterminate, SigConstraintsFailure},
		{"the signature's own ended before", weak, strong, day(2014, 12, 17), true, Indeterminate, CryptoConstraintsNoPOE},
		{"the properties missing", strong, strong, day(2014, 12, 17), false, Indeterminate, SigConstraintsFailure},
	} {
		ca := &Certificate{Token: Token{ID: "ca"}, Trusted: true}
		tsa := &Certificate{Token: Token{ID: "tsa"}, Trusted: true}
		signer := &Certificate{
			Token: Token{ID: "signer", Algorithm: c.certificate, Intact: true, Signer: ca}, Subject: "Ada", NotBefore: day(2012, 1, 1), NotAfter: day(2030, 1, 1), PathLength: -1,
			Revocations: []CertificateStatus{{Data: &Revocation{Token: Token{ID: "crl", Algorithm: strong, Intact: true, Signer: ca, Chain: []*Certificate{ca}}, Produced: now, ThisUpdate: now, NextUpdate: now.AddDate(0, 0, 1)}}},
		}
		signer.Chain = []*Certificate{signer, ca}
		s := &Signature{
			Token: Token{ID: "s", Algorithm: c.own, Intact: true, Signer: signer, Chain: signer.Chain}, Format: "XAdES-BASELINE-T", Claimed: c.stamped,
			NeedsProperty: true, HasProperty: c.property, References: []Reference{{Name: "a", Digest: "SHA256", Found: true, Intact: true}},
			TimeStamps: []*TimeStamp{{
				Token: Token{ID: "t", Algorithm: strong, Intact: true, Signer: tsa, Chain: []*Certificate{tsa}}, Kind: "SIGNATURE_TIMESTAMP", Time: c.stamped, Digest: "SHA256",
				ImprintFound: true, ImprintIntact: true, Covers: []string{"s", "signer"},
			}},
		}
		r := Validate(&Facts{Signatures: []*Signature{s}}, nil, now)[0]
		if r.Indication != c.want || r.Sub != c.sub {
			t.Errorf("%s: %s %s: %s", c.name, r.Indication, r.Sub, r.Why)
		}
	}
}

// Revocation data that two signatures share is as old as the better of their time-stamps proves.
func TestProofsOfExistenceAreShared(t *testing.T) {
	t.Parallel()
	now := day(2026, 5, 4)
	rsa := Algorithm{"RSA", 2048, "SHA256"}
	signed, archived := day(2023, 9, 5), day(2023, 9, 7)
	for _, c := range []struct {
		name    string
		covers  []string // by the archive time-stamp of the other signature
		trusted bool     // its authority
		at      time.Time
		ok      bool
	}{
		{"the other proves it", []string{"ocsp", "responder", "signer"}, true, archived, true},
		{"its time-stamp is of a stranger", []string{"ocsp", "responder", "signer"}, false, archived, false},
		{"its time-stamp covers something else", []string{"other"}, true, archived, false},
		{"its time-stamp came after the responder's end", []string{"ocsp", "responder", "signer"}, true, day(2024, 10, 1), false},
	} {
		ca := &Certificate{Token: Token{ID: "ca"}, Trusted: true}
		tsa := &Certificate{Token: Token{ID: "tsa"}, Trusted: true}
		other := &Certificate{Token: Token{ID: "other tsa", Intact: true, Algorithm: rsa}, NotBefore: day(2020, 1, 1), NotAfter: day(2030, 1, 1), Trusted: c.trusted}
		responder := &Certificate{Token: Token{ID: "responder", Algorithm: rsa, Intact: true, Signer: ca}, NotBefore: day(2022, 1, 1), NotAfter: day(2024, 9, 1), OCSPNoCheck: true, PathLength: -1}
		responder.Chain = []*Certificate{responder, ca}
		signer := &Certificate{
			Token: Token{ID: "signer", Algorithm: rsa, Intact: true, Signer: ca}, Subject: "Ada", NotBefore: day(2022, 3, 9), NotAfter: day(2025, 3, 9), PathLength: -1,
			Revocations: []CertificateStatus{{Data: &Revocation{OCSP: true, Token: Token{ID: "ocsp", Algorithm: rsa, Intact: true, Signer: responder, Chain: responder.Chain}, Produced: signed, ThisUpdate: signed}}},
		}
		signer.Chain = []*Certificate{signer, ca}
		signature := func(id string, stamps ...*TimeStamp) *Signature {
			return &Signature{
				Token: Token{ID: id, Algorithm: rsa, Intact: true, Signer: signer, Chain: signer.Chain}, Format: "XAdES-BASELINE-LTA", Claimed: signed,
				References: []Reference{{Name: "a", Digest: "SHA256", Found: true, Intact: true}}, TimeStamps: stamps,
			}
		}
		stamp := func(id, kind string, at time.Time, by *Certificate, covers ...string) *TimeStamp {
			return &TimeStamp{
				Token: Token{ID: id, Algorithm: rsa, Intact: true, Signer: by, Chain: []*Certificate{by}}, Kind: kind, Time: at, Digest: "SHA256", ImprintFound: true, ImprintIntact: true, Covers: covers,
			}
		}
		first := signature("1", stamp("t1", "SIGNATURE_TIMESTAMP", signed, tsa, "1"), stamp("t2", "ARCHIVE_TIMESTAMP", c.at, other, c.covers...))
		second := signature("2", stamp("t3", "SIGNATURE_TIMESTAMP", signed, tsa, "2"))
		for _, order := range [][]*Signature{{first, second}, {second, first}} {
			for _, r := range Validate(&Facts{Signatures: order}, nil, now) {
				if r.Signature == second && (r.Indication == TotalPassed) != c.ok {
					t.Errorf("%s: %s %s: %s", c.name, r.Indication, r.Sub, r.Why)
				}
			}
		}
		if r := Validate(&Facts{Signatures: []*Signature{second}}, nil, now)[0]; r.Indication != Indeterminate {
			t.Errorf("the second alone: %s %s", r.Indication, r.Sub)
		}
	}
}
