// Package bdxl finds the metadata publisher of a participant in the DNS: OASIS BDX Location 1.0 [BDXL] in
// the profiles of eDelivery BDXL 1.6 [EU-BDXL] and of the networks that use its labels.
//
// A [Resolver] hashes the participant into a domain name, asks DNS servers for its NAPTR records, follows
// aliases, chooses a record and applies it. It keeps apart what means different things to the user: not
// registered, registered for something else, and DNS in trouble.
//
// # Refused on purpose
//
// Addresses other than http and https, with user, query or fragment, http unless allowed, and hosts written
// as addresses that are not public unless allowed: whoever can write a NAPTR record chooses them. A host name
// can still resolve to such an address; the HTTP client must check again when it dials. There is no silent
// way back from NAPTR to the legacy alias: it would turn a missing registration into a plain-text lookup.
package bdxl

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

var (
	// ErrNotRegistered: the name does not exist or has no NAPTR record.
	ErrNotRegistered = errors.New("bdxl: participant not registered")
	// ErrNoService: there are NAPTR records, none of them for the services asked for.
	ErrNoService = errors.New("bdxl: participant registered, but not for this service")
	// ErrRecord: there are records for the service, all of them broken or leading to refused addresses.
	ErrRecord = errors.New("bdxl: no usable NAPTR record")
	// ErrDNS: the question could not be answered. [Error.Temporary] says whether to ask again.
	ErrDNS = errors.New("bdxl: DNS lookup did not work")
	// ErrInsecure: the answer was not authenticated, which the resolver requires.
	ErrInsecure = errors.New("bdxl: DNS answer is not authenticated")
	// ErrLabel: the participant or the zone makes no domain name.
	ErrLabel = errors.New("bdxl: no domain name for this participant")
)

// Error is an outcome of a lookup with the name that was asked for.
type Error struct {
	Name   string // the domain name
	Detail string // what the server said or did
	Err    error  // one of the errors above
	Cause  error  // from the network; nil when a server answered
	Retry  bool
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%v: %s", e.Err, e.Name)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap gives the kind of the outcome and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Err, e.Cause}
	}
	return []error{e.Err}
}

// Temporary reports whether the same question may be answered later.
func (e *Error) Temporary() bool { return e.Retry }

// DNSSEC says what a resolver makes of the AD bit. It means something only when the server is a validating
// one that is trusted, over a trusted path: usually one on the same machine.
type DNSSEC uint8

// The ways to use DNSSEC.
const (
	DNSSECOff     DNSSEC = iota // not asked for
	DNSSECPrefer                // asked for and recorded in Result.AD
	DNSSECRequire               // ErrInsecure without it
)

// Services of NAPTR records. They compare without case, as a whole.
const (
	ServiceSMP  = "meta:smp"         // metadata publisher of any generation [EU-BDXL 1.4.3]
	ServiceSMP2 = "oasis-bdxr-smp-2" // [SMP2 5.5]
	ServiceCPPA = "meta:cppa3"       // collaboration protocol profiles
)

// Result is the outcome of a lookup.
type Result struct {
	URL          string        // base address as recorded; see ids.Join for what to append
	Alternatives []string      // further addresses of the same order, to try when URL does not connect
	Name         string        // the domain name asked for, absolute
	Records      []Record      // all records found, each with its verdict, in the order tried
	Steps        []Step        // what was done, in order
	TTL          time.Duration // how long the answer may be kept
	AD           bool          // every answer was authenticated
	Cached       bool
}

// Step is one thing done during a lookup.
type Step struct {
	Name   string // "name", "cache", "dns", "naptr"
	OK     bool
	Took   time.Duration
	Detail string
}

// URIRules say which addresses a record may lead to. The zero value allows https to public addresses.
type URIRules struct {
	HTTP  bool           // plain http too
	Ports []int          // allowed ports; nil means any
	Allow []netip.Prefix // networks that are not public but allowed, for closed networks
}
