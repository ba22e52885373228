package ids

import "strings"

// PartyIDPrefix begins every ebCore party identifier. Prose of several EU texts leaves out "names": that is
// another string with another hash, and is not taken for this one [EU-BDXL 1.5.1].
const PartyIDPrefix = "urn:oasis:names:tc:ebcore:partyid-type:"

// Participant identifies a sender or receiver. Scheme may be empty [SMP2 3.6.3]. For an ebCore party it is
// the URN up to the colon before the identifier, for example
// "urn:oasis:names:tc:ebcore:partyid-type:iso6523:0088".
type Participant struct{ Scheme, Value string }

// ParseParticipant reads "scheme::value", a value alone, or an ebCore URN with one or two colons before its last part.
func ParseParticipant(s string) (Participant, error) {
	if hasPrefixFold(s, PartyIDPrefix) {
		if err := checkText("participant", s); err != nil {
			return Participant{}, err
		}
		return parseEbCore(s)
	}
	scheme, value, err := split("participant", s)
	if err != nil {
		return Participant{}, err
	}
	return Participant{scheme, value}, nil
}

// NewParticipant makes a participant of an XML element's scheme attribute and text, white space around them
// ignored. An ebCore party may have its URN wholly in the value, or split between the two.
func NewParticipant(scheme, value string) (Participant, error) {
	scheme, value = strings.TrimSpace(scheme), strings.TrimSpace(value)
	switch {
	case hasPrefixFold(value, PartyIDPrefix) && (scheme == "" || hasPrefixFold(scheme+":", PartyIDPrefix) && hasPrefixFold(value, scheme)):
		return ParseParticipant(value)
	case hasPrefixFold(scheme+":", PartyIDPrefix):
		return ParseParticipant(scheme + ":" + value)
	case scheme == "":
		if err := checkText("participant", value); err != nil {
			return Participant{}, err
		}
		if strings.Contains(value, separator) {
			return ParseParticipant(value)
		}
		return Participant{Value: value}, nil
	}
	scheme, value, err := trimmed("participant", scheme, value)
	return Participant{scheme, value}, err
}

// parseEbCore splits {prefix}{catalog}:{scheme}:{id}, or {prefix}unregistered:{id}.
func parseEbCore(s string) (Participant, error) {
	fields := 2 // catalog and scheme
	rest := s[len(PartyIDPrefix):]
	if hasPrefixFold(rest, "unregistered:") {
		fields = 1
	}
	end := len(PartyIDPrefix)
	for range fields {
		n := strings.IndexByte(s[end:], ':')
		if n <= 0 {
			return Participant{}, &Error{"participant", s, "needs catalog, scheme and identifier after partyid-type [EU-BDXL 1.5.1]"}
		}
		end += n + 1
	}
	p := Participant{s[:end-1], strings.TrimPrefix(s[end:], ":")}
	switch {
	case p.Value == "" || p.Value[0] == ':':
		return Participant{}, &Error{"participant", s, "no identifier after the scheme [EU-BDXL 1.5.1]"}
	case strings.ContainsFunc(p.Scheme, isSpace):
		return Participant{}, &Error{"participant", s, "white space in the scheme [EU-BDXL 1.5.1]"}
	}
	return p, checkText("participant", p.Value)
}

// IsPartyID reports whether p is an ebCore party identifier.
func (p Participant) IsPartyID() bool {
	return len(p.Scheme) > len(PartyIDPrefix) && hasPrefixFold(p.Scheme, PartyIDPrefix)
}

// IsZero reports whether p is no participant.
func (p Participant) IsZero() bool { return p == Participant{} }

// String is the canonical single string: scheme::value, one colon for ebCore parties, the value alone without scheme.
func (p Participant) String() string {
	switch {
	case p.Scheme == "":
		return p.Value
	case p.IsPartyID():
		return p.Scheme + ":" + p.Value
	}
	return p.Scheme + separator + p.Value
}

// Normalized folds what compares without case: the value [PFUOI POLICY 2], and the whole URN of an ebCore party.
func (p Participant) Normalized() Participant {
	if p.IsPartyID() {
		p.Scheme = lower(p.Scheme)
	}
	p.Value = lower(p.Value)
	return p
}

// Equal compares the value without case and the scheme with it [PFUOI POLICY 2]; ebCore URNs wholly without.
// The OASIS default differs: see [Rules.SameParticipant].
func (p Participant) Equal(o Participant) bool {
	return equalFold(p.Value, o.Value) && same(p.IsPartyID(), p.Scheme, o.Scheme)
}

// ICD is the four digits before the colon of an ISO 6523 actor's value or the scheme of an ebCore iso6523
// party, "" for others.
func (p Participant) ICD() string {
	if i := len(PartyIDPrefix + "iso6523:"); p.IsPartyID() && len(p.Scheme) > i && equalFold(p.Scheme[len(PartyIDPrefix):i], "iso6523:") {
		return p.Scheme[i:]
	}
	if equalFold(p.Scheme, SchemeActor) && len(p.Value) > 4 && p.Value[4] == ':' && allDigits(p.Value[:4]) {
		return p.Value[:4]
	}
	return ""
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix)
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
