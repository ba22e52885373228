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
