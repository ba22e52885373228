package validation

import (
	"fmt"
	"time"
)

// Policy says what is asked of a signature beyond the process itself.
type Policy struct {
	Name  string
	Suite Suite
	// Fresh asks that revocation data is not past its next update at the time for which it counts.
	Fresh bool

	// What a policy file can set. revocation: whether revocation data is needed, by role, of signers and of authorities.
	revocation  [3][2]bool
	strictUsage bool // keys of signers must be meant for signatures of persons
	// Of a counter-signature, whoever says that its certificate is not revoked need not be in office still.
	counterOffice bool
	formats       []string // of signatures, "XAdES-BASELINE-B" and the like; nil: all
	manifest      bool     // containers of type E must have a META-INF/manifest.xml where no other manifest lists their files
	everyFile     bool     // a signature must cover every file of its container
}

// Suite dates cryptographic algorithms: how long each counts as reliable.
type Suite struct {
	// Updated is when the dates were last looked at: an end after it is a forecast, and only warned of.
	Updated time.Time
	Digests map[string]time.Time // until; the zero time: no end in sight
	Keys    map[string][]KeySize // by encryption algorithm, sizes ascending
}

// KeySize is how long keys from a size on are reliable.
type KeySize struct {
	Bits  int
	Until time.Time
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// DefaultPolicy follows ETSI TS 119 312 v1.5.1, and for what that no longer lists its predecessors.
func DefaultPolicy() *Policy {
	rsa := []KeySize{{786, day(2010, 8, 1)}, {1024, day(2019, 10, 1)}, {1536, day(2019, 10, 1)}, {1900, day(2029, 1, 1)}, {3000, day(2029, 1, 1)}}
	pss := append(append([]KeySize{}, rsa[:4]...), KeySize{Bits: 3000})
	ec := []KeySize{{160, day(2012, 8, 1)}, {163, day(2012, 8, 1)}, {224, day(2021, 10, 1)}, {Bits: 256}}
	return &Policy{
		Name: "default", revocation: [3][2]bool{{true, true}, {true, true}, {true, false}},
		Suite: Suite{
			Updated: day(2024, 10, 13),
			Digests: map[string]time.Time{
				"MD5": day(2004, 8, 1), "SHA1": day(2012, 8, 1), "RIPEMD160": day(2014, 8, 1), "WHIRLPOOL": day(2020, 12, 1), "SHA224": day(2029, 1, 1),
				"SHA256": {}, "SHA384": {}, "SHA512": {}, "SHA3-256": {}, "SHA3-384": {}, "SHA3-512": {},
			},
			Keys: map[string][]KeySize{
				"RSA": rsa, "RSASSA-PSS": pss, "ECDSA": ec, "PLAIN-ECDSA": ec,
				"DSA": {{1024, day(2015, 12, 1)}, {1900, day(2029, 1, 1)}, {Bits: 3000}},
			},
		},
	}
}

// digest returns "" where a digest algorithm is reliable at a time, else why it is not.
func (s *Suite) digest(name string, at time.Time) string {
	until, ok := s.Digests[name]
	if !ok {
		return fmt.Sprintf("the digest algorithm %s is not acceptable", name)
	}
	return s.expired(fmt.Sprintf("the digest algorithm %s", name), until, at)
}

func (s *Suite) expired(what string, until, at time.Time) string {
	if until.IsZero() || at.Before(until) || until.After(s.Updated) {
		return ""
	}
	return fmt.Sprintf("%s is not reliable since %s", what, until.Format(time.DateOnly))
}

// algorithm judges the algorithm of a token.
func (s *Suite) algorithm(a Algorithm, at time.Time) string {
	sizes, ok := s.Keys[a.Encryption]
	if !ok {
		return fmt.Sprintf("the algorithm %s is not acceptable", a.Encryption)
	}
	var use *KeySize
	for i := range sizes {
		if sizes[i].Bits <= a.Bits {
			use = &sizes[i]
		}
	}
	if use == nil {
		return fmt.Sprintf("a %s key of %d bits is too small", a.Encryption, a.Bits)
	}
	if why := s.expired(fmt.Sprintf("a %s key of %d bits", a.Encryption, a.Bits), use.Until, at); why != "" {
		return why
	}
	return s.digest(a.Digest, at)
}

// until is when a token's algorithm stops being reliable; zero: no end in sight, or only a forecast.
func (s *Suite) until(a Algorithm) time.Time {
	return s.ends(a, func(t time.Time) bool { return !t.After(s.Updated) })
}

// Ends is when a token's algorithm will not be reliable any more, forecasts included: until then what it signed must be time-stamped anew.
// Zero: no end in sight.
func (s *Suite) Ends(a Algorithm) time.Time { return s.ends(a, func(time.Time) bool { return true }) }

func (s *Suite) ends(a Algorithm, counts func(time.Time) bool) time.Time {
	var end time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && counts(t) && (end.IsZero() || t.Before(end)) {
			end = t
		}
	}
	for _, k := range s.Keys[a.Encryption] {
		if k.Bits <= a.Bits {
			end = time.Time{}
			earlier(k.Until)
		}
	}
	earlier(s.Digests[a.Digest])
	return end
}
