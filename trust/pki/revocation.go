package pki

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// RevocationState is the answer to "revoked?".
type RevocationState uint8

const (
	RevocationUnknown RevocationState = iota
	RevocationGood
	RevocationRevoked
)

func (s RevocationState) String() string {
	return [...]string{"unknown", "good", "revoked"}[min(s, 2)]
}

// Reason is the CRLReason of a revocation [RFC 5280 5.3.1].
type Reason uint8

const (
	ReasonUnspecified        Reason = 0
	ReasonKeyCompromise      Reason = 1
	ReasonCACompromise       Reason = 2
	ReasonAffiliationChanged Reason = 3
	ReasonSuperseded         Reason = 4
	ReasonCessation          Reason = 5
	ReasonHold               Reason = 6 // suspended; may become good again
	ReasonRemoveFromCRL      Reason = 8
	ReasonPrivilegeWithdrawn Reason = 9
	ReasonAACompromise       Reason = 10
)

// RevocationStatus says what is known about one certificate at one moment.
type RevocationStatus struct {
	State                  RevocationState
	RevokedAt              time.Time // where revoked
	Reason                 Reason
	ThisUpdate, NextUpdate time.Time // of the data the answer rests on; NextUpdate zero: newer data at any time
}

// RevocationSource answers for certificates. No knowledge is [RevocationUnknown] without error; an error
// is a source that could not be asked. Sources verify the data they answer from.
type RevocationSource interface {
	Status(ctx context.Context, cert, issuer *Certificate, at time.Time) (RevocationStatus, error)
}

// RevocationSources asks one source after the other until one knows.
type RevocationSources []RevocationSource

// Status returns the first answer, or unknown with the last error.
func (l RevocationSources) Status(ctx context.Context, cert, issuer *Certificate, at time.Time) (RevocationStatus, error) {
	var last error
	for _, s := range l {
		st, err := s.Status(ctx, cert, issuer, at)
		if err == nil && st.State != RevocationUnknown {
			return st, nil
		}
		if err != nil {
			last = err
		}
	}
	return RevocationStatus{}, last
}

// UnknownRevocationError is [ErrRevocationUnknown] with its cause. Trying again later may help.
type UnknownRevocationError struct {
	Certificate Name
	Err         error // nil: no source knows the certificate
}

func (e *UnknownRevocationError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("pki: revocation status of %q unknown: %v", e.Certificate.String(), e.Err)
	}
	return fmt.Sprintf("pki: revocation status of %q unknown", e.Certificate.String())
}

func (e *UnknownRevocationError) Temporary() bool      { return true }
func (e *UnknownRevocationError) Unwrap() error        { return e.Err }
func (e *UnknownRevocationError) Is(target error) bool { return target == ErrRevocationUnknown }

var errStale = errors.New("pki: revocation data out of date")

// revocationExempt are certificates whose issuer promises that there is nothing to ask.
func (c *Certificate) revocationExempt() bool {
	if _, ok := c.Extension(oidOCSPNoCheck); ok && hasOID(c.ExtKeyUsage, EKUOCSPSigning) { // [RFC 6960 4.2.2.2.1]
		return true
	}
	if _, ok := c.Extension(oidNoRevocation); ok && !c.BasicConstraints.CA { // [RFC 9608 2]
		return true
	}
	_, short := c.Extension(oidShortTerm) // [EN 319 412-1 5.2]
	return short && !c.BasicConstraints.CA
}

func hasOID(list []OID, o OID) bool {
	for _, x := range list {
		if x == o {
			return true
		}
	}
	return false
}

// checkRevocation returns until when the answer may be kept.
func (v *Verifier) checkRevocation(ctx context.Context, c, issuer *Certificate, at time.Time) (until time.Time, err error) {
	if v.Revocation == nil {
		if v.RequireRevocation {
			return until, &UnknownRevocationError{Certificate: c.Subject}
		}
		return until, nil
	}
	st, err := v.Revocation.Status(ctx, c, issuer, at)
	switch {
	case err == nil && st.State == RevocationRevoked:
		return until, fmt.Errorf("%w: %q at %s, reason %d", ErrRevoked, c.Subject, st.RevokedAt.Format(time.RFC3339), st.Reason)
	case err == nil && st.State == RevocationGood:
		return st.NextUpdate, nil
	case v.RequireRevocation:
		return until, &UnknownRevocationError{c.Subject, err}
	}
	return until, nil
}
