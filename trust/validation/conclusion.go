package validation

import "time"

// Indication is the outcome for a token [EN 319 102-1 5.1.3].
type Indication string

// The indications. A signature as a whole is reported as TOTAL_PASSED or TOTAL_FAILED.
const (
	Passed        Indication = "PASSED"
	Failed        Indication = "FAILED"
	Indeterminate Indication = "INDETERMINATE"
	TotalPassed   Indication = "TOTAL_PASSED"
	TotalFailed   Indication = "TOTAL_FAILED"
)

// Sub says why [EN 319 102-1 5.1.3].
type Sub string

// The sub-indications.
const (
	FormatFailure                Sub = "FORMAT_FAILURE"
	HashFailure                  Sub = "HASH_FAILURE"
	SigCryptoFailure             Sub = "SIG_CRYPTO_FAILURE"
	Revoked                      Sub = "REVOKED"
	Expired                      Sub = "EXPIRED"
	NotYetValid                  Sub = "NOT_YET_VALID"
	SigConstraintsFailure        Sub = "SIG_CONSTRAINTS_FAILURE"
	ChainConstraintsFailure      Sub = "CHAIN_CONSTRAINTS_FAILURE"
	ChainGeneralFailure          Sub = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
	CryptoConstraintsFailure     Sub = "CRYPTO_CONSTRAINTS_FAILURE"
	CryptoConstraintsNoPOE       Sub = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
	OutOfBoundsNoPOE             Sub = "OUT_OF_BOUNDS_NO_POE"
	OutOfBoundsNotRevoked        Sub = "OUT_OF_BOUNDS_NOT_REVOKED"
	RevokedNoPOE                 Sub = "REVOKED_NO_POE"
	RevokedCANoPOE               Sub = "REVOKED_CA_NO_POE"
	RevocationOutOfBoundsNoPOE   Sub = "REVOCATION_OUT_OF_BOUNDS_NO_POE"
	NoSigningCertificateFound    Sub = "NO_SIGNING_CERTIFICATE_FOUND"
	NoCertificateChainFound      Sub = "NO_CERTIFICATE_CHAIN_FOUND"
	NoCertificateChainFoundNoPOE Sub = "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
	TimestampOrderFailure        Sub = "TIMESTAMP_ORDER_FAILURE"
	NoPOE                        Sub = "NO_POE"
	TryLater                     Sub = "TRY_LATER"
	SignedDataNotFound           Sub = "SIGNED_DATA_NOT_FOUND"
)

// Check is one question, and what the answer was.
type Check struct {
	Question string
	Answer   string // what was found, where it did not hold
	OK       bool
	Warning  bool // it did not hold, and that is no failure
	Clause   string
}

// Conclusion is an indication with the checks that led there.
type Conclusion struct {
	Indication Indication
	Sub        Sub
	Why        string // the check that decided, question and answer; "" when passed
	Time       time.Time
	Checks     []Check
}

func (c Conclusion) passed() bool { return c.Indication == Passed }

// run collects checks; after the first that failed nothing is asked any more.
type run struct {
	c      Conclusion
	failed bool
}

// check asks a question. It returns false when this or an earlier one did not hold.
func (r *run) check(ok bool, i Indication, sub Sub, clause, question, answer string) bool {
	if r.failed {
		return false
	}
	x := Check{Question: question, OK: ok, Clause: clause}
	if !ok {
		x.Answer = answer
		r.failed = true
		r.c.Indication, r.c.Sub, r.c.Why = i, sub, question+" "+answer
	}
	r.note(x)
	return ok
}

func (r *run) note(x Check) {
	if r.c.Checks == nil {
		r.c.Checks = make([]Check, 0, 8)
	}
	r.c.Checks = append(r.c.Checks, x)
}

// keep asks whether an earlier conclusion is cured; where it is not, that one stays, with its reason.
func (r *run) keep(cured bool, earlier Conclusion, clause, question string) {
	if !r.failed && !r.check(cured, earlier.Indication, earlier.Sub, clause, question, "no") {
		r.c.Why = earlier.Why
	}
}

// warn notes what does not hold and is no failure.
func (r *run) warn(ok bool, clause, question, answer string) {
	if r.failed {
		return
	}
	x := Check{Question: question, OK: ok, Warning: !ok, Clause: clause}
	if !ok {
		x.Answer = answer
	}
	r.note(x)
}

// adopt takes over the conclusion of a part; false when it failed.
func (r *run) adopt(c Conclusion) bool {
	if r.failed {
		return false
	}
	r.c.Checks = append(r.c.Checks, c.Checks...)
	if !c.passed() {
		r.failed = true
		r.c.Indication, r.c.Sub, r.c.Why = c.Indication, c.Sub, c.Why
		return false
	}
	return true
}

func (r *run) conclude() Conclusion {
	if !r.failed {
		r.c.Indication = Passed
	}
	return r.c
}
