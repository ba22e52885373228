package ids

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// State is the life of an entry in a code list.
type State uint8

// The states of a code list entry. Unlisted is the zero value.
const (
	Unlisted State = iota
	Active
	Deprecated
	Removed
)

// Rules say what identifiers a network allows and how it compares them. The zero value allows whatever can be
// parsed and compares participants' values without case, everything else with it.
type Rules struct {
	Name string

	// SchemeMax bounds the participant's scheme in characters; 0 means unbounded.
	SchemeMax int
	// SchemeLabel demands that the lower-cased participant's scheme has the three parts name-name-name that make it a DNS label [BusDox 2.3].
	// ebCore schemes are exempt: they go into the hash.
	SchemeLabel bool
	// SchemeRequired refuses a participant without scheme.
	SchemeRequired bool
	// ActorValue demands {icd}:{id} of unreserved characters for SchemeActor; ActorMax bounds it in characters.
	ActorValue bool
	ActorMax   int
	// ICDs is the code list of participant schemes for SchemeActor; nil means unchecked. Only Active ones pass,
	// and Deprecated ones where AllowDeprecated is set.
	ICDs            map[string]State
	AllowDeprecated bool

	// DocumentTypes are rules by document type scheme; a scheme without entry is opaque.
	DocumentTypes map[string]DocumentRule
	// Bounds in characters; 0 means unbounded.
	DocumentTypeMax, ProcessMax, TransportProfileMax int
	// Latin1 refuses characters beyond ISO-8859-1 in document types and processes [PFUOI POLICY 2].
	Latin1 bool

	// Fold*: the part compares without case. The participant's value always does.
	FoldScheme, FoldDocumentType, FoldProcess bool
}

// DocumentRule is what a document type scheme demands of its values.
type DocumentRule struct {
	Parts bool // {syntax}##{customization}::{version}, no white space in the customization
	Star  bool // the customization may end in *
}

// StrictRules are for registering: the Peppol policy for use of identifiers 4.4 to the letter [PFUOI].
// Without ICDs, which the caller's code list gives.
func StrictRules() Rules {
	r := LookupRules()
	r.Name, r.ActorValue, r.ActorMax, r.AllowDeprecated = "peppol-registration", true, 135, false
	return r
}

// LookupRules are for looking up in the same network: values of older registrations pass [PFUOI].
func LookupRules() Rules {
	return Rules{
		Name:            "peppol-lookup",
		SchemeMax:       25,
		SchemeLabel:     true,
		SchemeRequired:  true,
		AllowDeprecated: true,
		DocumentTypes: map[string]DocumentRule{
			SchemeQNS:      {Parts: true},
			SchemeWildcard: {Parts: true, Star: true},
		},
		DocumentTypeMax:     500,
		ProcessMax:          200,
		TransportProfileMax: 50,
		Latin1:              true,
	}
}

// OASISRules are the defaults of OASIS SMP: no scheme needed, everything compares without case [SMP1 2.4, SMP2 3.5].
func OASISRules() Rules {
	return Rules{Name: "oasis", FoldScheme: true, FoldDocumentType: true, FoldProcess: true}
}

// Named returns the rules of a name, for configuration: peppol-registration, peppol-lookup, oasis.
func Named(name string) (Rules, bool) {
	for _, r := range []Rules{StrictRules(), LookupRules(), OASISRules()} {
		if r.Name == name {
			return r, true
		}
	}
	return Rules{}, false
}

// CheckParticipant refuses a participant that the rules do not allow. A "*" for a whole scheme is never allowed: the
// registry's managers may write it, users must not ask for it.
func (r Rules) CheckParticipant(p Participant) error {
	bad := func(rule string) error { return &Error{"participant", p.String(), rule} }
	if err := checkText("participant", p.Value); err != nil {
		return err
	}
	switch {
	case p.Value == "*":
		return bad("stands for a whole scheme, not for a participant")
	case hasPrefixFold(p.Value, "urn:oasis:tc:ebcore:") || hasPrefixFold(p.Scheme, "urn:oasis:tc:ebcore:"):
		return bad("an ebCore party begins with " + PartyIDPrefix + " [EU-BDXL 1.5.1]")
	case p.IsPartyID():
		return nil
	case p.Scheme == "" && r.SchemeRequired:
		return bad("no scheme [PFUOI POLICY 1]")
	case p.Scheme == "":
		return nil
	case r.SchemeMax > 0 && len(p.Scheme) > r.SchemeMax:
		return bad(fmt.Sprintf("scheme of more than %d characters [BusDox 2.3]", r.SchemeMax))
	case r.SchemeLabel && !threeParts(p.Scheme):
		return bad("scheme is not name-name-name [BusDox 2.3]")
	case p.Scheme == SchemeActor || r.FoldScheme && equalFold(p.Scheme, SchemeActor):
		return r.checkActor(p)
	}
	return nil
}

func (r Rules) checkActor(p Participant) error {
	bad := func(rule string) error { return &Error{"participant", p.String(), rule} }
	icd, id, ok := strings.Cut(p.Value, ":")
	if r.ActorValue {
		switch {
		case !ok || len(icd) != 4 || !allDigits(icd):
			return bad("value does not begin with four digits and a colon [PFUOI POLICY 1]")
		case id == "":
			return bad("nothing after the ICD [PFUOI POLICY 1]")
		}
		for i := 0; i < len(id); i++ {
			if !unreserved(id[i]) {
				return bad("a character after the ICD is none of A-Z a-z 0-9 - . _ ~ [PFUOI POLICY 1]")
			}
		}
	}
	if r.ActorMax > 0 && len(p.Value) > r.ActorMax {
		return bad(fmt.Sprintf("value of more than %d characters [PFUOI POLICY 1]", r.ActorMax))
	}
	if r.ICDs == nil || !ok {
		return nil
	}
	switch s := r.ICDs[icd]; {
	case s == Active, s == Deprecated && r.AllowDeprecated:
		return nil
	case s == Deprecated:
		return bad("the ICD is deprecated: no new registrations")
	case s == Removed:
		return bad("the ICD was removed from the code list")
	}
	return bad("the ICD is not in the code list")
}

// threeParts reports [a-z0-9]+-[a-z0-9]+-[a-z0-9]+ without case.
func threeParts(s string) bool {
	dashes, run := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := foldByte(s[i]); {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			run++
		case c == '-' && run > 0:
			dashes++
			run = 0
		default:
			return false
		}
	}
	return dashes == 2 && run > 0
}

// CheckDocumentType refuses a document type that the rules do not allow.
func (r Rules) CheckDocumentType(d DocumentType) error {
	bad := func(rule string) error { return &Error{"document type", d.String(), rule} }
	if err := r.checkLong("document type", d.Value, r.DocumentTypeMax); err != nil {
		return err
	}
	rule := r.DocumentTypes[d.Scheme]
	if !rule.Parts {
		return nil
	}
	p, err := d.Parts()
	switch {
	case err != nil:
		return err
	case strings.ContainsFunc(p.Customization, isSpace):
		return bad("white space in the customization [PFUOI POLICY 20]")
	case !rule.Star && strings.Contains(p.Customization, "*"):
		return bad("* in the customization of scheme " + d.Scheme + " [PFUOI POLICY 20]")
	case strings.Contains(strings.TrimSuffix(p.Customization, "*"), "*"):
		return bad("* before the end of the customization [PFUOI POLICY 20]")
	}
	return nil
}

// CheckProcess refuses a process that the rules do not allow.
func (r Rules) CheckProcess(p Process) error { return r.checkLong("process", p.Value, r.ProcessMax) }

// CheckTransportProfile refuses a transport profile identifier that the rules do not allow.
func (r Rules) CheckTransportProfile(s string) error {
	return r.checkLong("transport profile", s, r.TransportProfileMax)
}

func (r Rules) checkLong(kind, value string, limit int) error {
	if err := checkText(kind, value); err != nil {
		return err
	}
	if limit > 0 && len(value) > limit && utf8.RuneCountInString(value) > limit {
		return &Error{kind, value, fmt.Sprintf("more than %d characters [PFUOI POLICY 1]", limit)}
	}
	if r.Latin1 {
		for _, c := range value {
			if c > 0xff {
				return &Error{kind, value, fmt.Sprintf("%q is not in ISO-8859-1 [PFUOI POLICY 2]", c)}
			}
		}
	}
	return nil
}

// SameParticipant compares two participants by the rules.
func (r Rules) SameParticipant(a, b Participant) bool {
	return equalFold(a.Value, b.Value) && same(r.FoldScheme || a.IsPartyID(), a.Scheme, b.Scheme)
}

// SameDocumentType compares two document types by the rules.
func (r Rules) SameDocumentType(a, b DocumentType) bool {
	return same(r.FoldDocumentType, a.Value, b.Value) && same(r.FoldScheme, a.Scheme, b.Scheme)
}

// SameProcess compares two processes by the rules.
func (r Rules) SameProcess(a, b Process) bool {
	return same(r.FoldProcess, a.Value, b.Value) && same(r.FoldScheme, a.Scheme, b.Scheme)
}

// ParticipantKey is the string under which to store p: equal for all spellings the rules call the same.
func (r Rules) ParticipantKey(p Participant) string {
	p = p.Normalized()
	if r.FoldScheme {
		p.Scheme = lower(p.Scheme)
	}
	return p.String()
}

// DocumentTypeKey is the string under which to store d.
func (r Rules) DocumentTypeKey(d DocumentType) string {
	return foldKey(d.Scheme, d.Value, r.FoldScheme, r.FoldDocumentType)
}

// ProcessKey is the string under which to store p.
func (r Rules) ProcessKey(p Process) string {
	return foldKey(p.Scheme, p.Value, r.FoldScheme, r.FoldProcess)
}

func foldKey(scheme, value string, foldScheme, foldValue bool) string {
	if foldScheme {
		scheme = lower(scheme)
	}
	if foldValue {
		value = lower(value)
	}
	return join(scheme, value)
}
