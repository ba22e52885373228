package ids

import "strings"

// SPID identifies a service provider: {main id: six digits}[-{use case}[.{suffix}]]. As a participant it is
// iso6523-actorid-upis::0242:{spid}. It compares without case.
type SPID struct{ Main, UseCase, Suffix string }

// SPIDICD is the ICD under which service providers are participants.
const SPIDICD = "0242"

// ParseSPID reads a service provider identifier.
func ParseSPID(s string) (SPID, error) {
	bad := func(rule string) (SPID, error) { return SPID{}, &Error{"service provider", s, rule} }
	main, rest, hasUse := strings.Cut(s, "-")
	if len(main) != 6 || !allDigits(main) {
		return bad("main id is not six digits")
	}
	p := SPID{Main: main}
	if !hasUse {
		return p, nil
	}
	var hasSuffix bool
	p.UseCase, p.Suffix, hasSuffix = strings.Cut(rest, ".")
	if n := len(p.UseCase); n < 3 || n > 12 || !consistsOf(p.UseCase, "_") {
		return bad("use case is not 3 to 12 of 0-9 A-Z _")
	}
	if n := len(p.Suffix); hasSuffix && (n < 3 || n > 24 || !consistsOf(p.Suffix, "-._~")) {
		return bad("suffix is not 3 to 24 of 0-9 A-Z - . _ ~")
	}
	return p, nil
}

func consistsOf(s, more string) bool {
	for i := 0; i < len(s); i++ {
		c := foldByte(s[i])
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(more, c) >= 0) {
			return false
		}
	}
	return true
}

// SPIDOf is the service provider that p stands for.
func SPIDOf(p Participant) (SPID, error) {
	value, ok := strings.CutPrefix(p.Value, SPIDICD+":")
	if p.Scheme != SchemeActor || !ok {
		return SPID{}, &Error{"service provider", p.String(), "is not " + SchemeActor + "::" + SPIDICD + ":{spid}"}
	}
	return ParseSPID(value)
}

// SPIDOfSeat derives a service provider's main id from its seat id, the common name of its certificates:
// P, two letters, six digits.
func SPIDOfSeat(cn string) (SPID, error) {
	if len(cn) != 9 || cn[0] != 'P' || cn[1] < 'A' || cn[1] > 'Z' || cn[2] < 'A' || cn[2] > 'Z' || !allDigits(cn[3:]) {
		return SPID{}, &Error{"service provider", cn, "is no seat id: P, two letters, six digits"}
	}
	return SPID{Main: cn[3:]}, nil
}

// String is the identifier as parsed.
func (p SPID) String() string {
	s := p.Main
	if p.UseCase != "" {
		s += "-" + p.UseCase
	}
	if p.Suffix != "" {
		s += "." + p.Suffix
	}
	return s
}

// Participant is the service provider as a participant.
func (p SPID) Participant() Participant {
	return Participant{SchemeActor, SPIDICD + ":" + p.String()}
}
