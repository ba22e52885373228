package sbdh

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// Rules say what envelopes a network allows. The zero value allows whatever can be read.
type Rules struct {
	Name          string
	HeaderVersion string // the only one allowed; "" means any
	OneParty      bool   // exactly one sender and one receiver
	// Authority is the only scheme of senders and receivers, "" means any; Participants are the rules for their values.
	Authority    string
	Participants *ids.Rules

	MinScopes int         // 0: BusinessScope may be absent
	Scopes    []ScopeRule // for scopes with a meaning
	Reserved  []string    // scopes that belong to the specification: a warning if they have no rule

	InstanceID bool // must not be empty
	Zone       bool // warn about a creation time without zone
	// Match demands that Standard, Type and TypeVersion agree with an XML payload and with the document type.
	Match         bool
	DocumentTypes *ids.Rules
}

// Content is what a scope's value means.
type Content uint8

// The contents of scopes.
const (
	AnyContent Content = iota
	DocumentTypeContent
	ProcessContent
	CountryContent         // two of A-Z 0-9
	ServiceProviderContent // a service provider as participant
	WordContent            // one of Words
)

// ScopeRule is what a network demands of one scope.
type ScopeRule struct {
	Type             string
	Content          Content
	Words            []string
	Required         bool
	Warning          bool   // a wrong value is a warning only
	Missing, Invalid string // ids of the findings
}

// Finding is one rule that an envelope breaks.
type Finding struct {
	ID      string
	Warning bool
	Text    string
}

// Findings are all rules that an envelope breaks, in the order of the header.
type Findings []Finding

// Err is nil if there are only warnings, otherwise an *Error with the id of the first error and the texts of all.
func (f Findings) Err() error {
	var e *Error
	for _, x := range f {
		switch {
		case x.Warning:
		case e == nil:
			e = &Error{ID: x.ID, Detail: x.Text}
		default:
			e.Detail += "; " + x.ID + ": " + x.Text
		}
	}
	if e == nil {
		return nil
	}
	return e
}

var scopeRules = []ScopeRule{
	{Type: ScopeDocument, Content: DocumentTypeContent, Required: true, Missing: "missing-document-type-identifier", Invalid: "invalid-document-type-identifier"},
	{Type: ScopeProcess, Content: ProcessContent, Required: true, Missing: "missing-process-identifier", Invalid: "invalid-process-identifier"},
	{Type: ScopeCountry, Content: CountryContent, Required: true, Missing: "missing-country-c1", Invalid: "invalid-country-c1"},
	{Type: ScopeStatusTo, Content: ServiceProviderContent, Warning: true, Invalid: "invalid-mls-to"},
	{Type: ScopeStatusType, Content: WordContent, Words: []string{"FAILURE_ONLY", "ALWAYS_SEND"}, Invalid: "invalid-mls-type"},
}

// Named returns the rules of a name: peppol-2.0.2, peppol-1.2, hr, none.
func Named(name string) (Rules, bool) {
	strict := ids.StrictRules()
	r := Rules{
		Name: "peppol-2.0.2", HeaderVersion: "1.0", OneParty: true,
		Authority: ids.SchemeActor, Participants: &strict, DocumentTypes: &strict,
		MinScopes: 3, Scopes: slices.Clone(scopeRules),
		Reserved:   []string{"COUNTRY_C4", "TECHNICAL_VALIDATION_URL", "TECHNICAL_VALIDATION_REQUIRED"},
		InstanceID: true, Zone: true, Match: true,
	}
	switch name {
	case "peppol-2.0.2":
		return r, true
	case "peppol-1.2": // two scopes, no country, no status messages
		r.Name, r.MinScopes, r.Scopes, r.Reserved = name, 2, r.Scopes[:2], nil
		return r, true
	case "hr":
		return Rules{Name: name, HeaderVersion: "1.0", OneParty: true, InstanceID: true, Match: true}, true
	case "none":
		return Rules{Name: name}, true
	}
	return Rules{}, false
}

// Check finds the rules that a message breaks. A message without payload is checked as far as its header goes.
func (r Rules) Check(m *Message) Findings {
	c := checker{r: r, h: m.Header, i: m.Instance}
	c.parties()
	c.scopes()
	c.identification()
	return c.found
}

type checker struct {
	r     Rules
	h     *Header
	i     Instance
	doc   string // the document type's value, if it is one
	found Findings
}

func (c *checker) add(id string, warning bool, format string, args ...any) {
	c.found = append(c.found, Finding{id, warning, fmt.Sprintf(format, args...)})
}

func (c *checker) parties() {
	if v := c.r.HeaderVersion; v != "" && c.h.Version != v {
		c.add("invalid-header-version", false, "HeaderVersion is %q, not %q [ENV]", c.h.Version, v)
	}
	for _, side := range []struct {
		name    string
		parties []ids.Participant
	}{{"sender", c.h.Senders}, {"receiver", c.h.Receivers}} {
		if n := len(side.parties); c.r.OneParty && n != 1 {
			c.add("invalid-"+side.name+"-count", false, "%d of them, not one [ENV]", n)
			continue
		}
		for _, p := range side.parties {
			if c.r.Authority != "" && p.Scheme != c.r.Authority {
				c.add("invalid-"+side.name+"-authority", false, "%q is not %q [ENV]", p.Scheme, c.r.Authority)
				continue
			}
			if c.r.Participants == nil {
				continue
			}
			if err := c.r.Participants.CheckParticipant(p); err != nil {
				c.add("invalid-"+side.name+"-value", false, "%v", err)
			}
		}
	}
}

func (c *checker) scopes() {
	if c.r.MinScopes > 0 && !c.h.HasScopes {
		c.add("business-scope-missing", false, "no BusinessScope [ENV]")
		return
	}
	if n := len(c.h.Scopes); n < c.r.MinScopes {
		c.add("invalid-scope-count", false, "%d scopes, at least %d are needed [ENV]", n, c.r.MinScopes)
		return
	}
	for _, rule := range c.r.Scopes {
		c.scope(rule)
	}
	seen := map[string]bool{}
	for _, s := range c.h.Scopes {
		has := slices.ContainsFunc(c.r.Scopes, func(r ScopeRule) bool { return r.Type == s.Type })
		switch {
		case has:
		case seen[s.Type]:
			c.add("duplicate-scope", true, "scope %q is given twice [ENV 2.6]", s.Type)
		case slices.Contains(c.r.Reserved, s.Type):
			c.add("reserved-scope", true, "scope %q is reserved and was ignored [ENV 2.6.1]", s.Type)
		}
		seen[s.Type] = true
	}
}

func (c *checker) scope(rule ScopeRule) {
	n := 0
	var s Scope
	for _, x := range c.h.Scopes {
		if x.Type == rule.Type {
			if n++; n == 1 {
				s = x
			}
		}
	}
	switch {
	case n == 0 && rule.Required:
		c.add(rule.Missing, false, "no scope %s [ENV]", rule.Type)
	case n > 1: // two gateways could read different things
		c.add(rule.Invalid, rule.Warning, "scope %s is given %d times", rule.Type, n)
	case n == 1:
		if err := c.content(rule, s); err != nil {
			c.add(rule.Invalid, rule.Warning, "scope %s: %v", rule.Type, err)
		} else if rule.Content == DocumentTypeContent {
			c.doc = s.InstanceIdentifier
		}
	}
}

func (c *checker) content(rule ScopeRule, s Scope) error {
	v := s.InstanceIdentifier
	switch rule.Content {
	case DocumentTypeContent:
		if c.r.DocumentTypes == nil {
			return nil
		}
		return c.r.DocumentTypes.CheckDocumentType(c.h.DocumentType())
	case ProcessContent:
		if c.r.DocumentTypes == nil {
			return nil
		}
		return c.r.DocumentTypes.CheckProcess(c.h.Process())
	case CountryContent:
		if len(v) != 2 || !isCountryChar(v[0]) || !isCountryChar(v[1]) {
			return fmt.Errorf("%q is no country code of two characters [ENV]", v)
		}
	case ServiceProviderContent:
		_, err := ids.SPIDOf(ids.Participant{Scheme: s.Identifier, Value: v})
		return err
	case WordContent:
		if !slices.Contains(rule.Words, v) {
			return fmt.Errorf("%q is none of %s [ENV]", v, strings.Join(rule.Words, ", "))
		}
	}
	return nil
}

func isCountryChar(c byte) bool { return 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' }

func (c *checker) identification() {
	h := c.h
	if c.r.Match {
		if err := c.standard(); err != nil {
			c.add("invalid-standard", false, "%v", err)
		}
		if err := c.typeVersion(); err != nil {
			c.add("invalid-type-version", false, "%v", err)
		}
	}
	if c.r.InstanceID && h.InstanceID == "" {
		c.add("invalid-instance-identifier", false, "InstanceIdentifier is empty [ENV]")
	}
	if c.r.Match && c.i.XML() && h.Type != c.i.Local {
		c.add("invalid-type", false, "Type is %q, the payload's root element %q [ENV]", h.Type, c.i.Local)
	}
	if c.r.Zone && h.NoZone {
		c.add("invalid-creation-date-time", true, "CreationDateAndTime has no time zone and is taken as UTC [ENV]")
	}
}

// isXML reports whether the document type describes XML: by the payload, or by its scheme when there is none.
func (c *checker) isXML() bool {
	if c.i != (Instance{}) {
		return c.i.XML()
	}
	return c.r.DocumentTypes != nil && c.r.DocumentTypes.DocumentTypes[c.h.DocumentType().Scheme].Parts
}

func (c *checker) standard() error {
	switch {
	case !c.isXML():
		return nil
	case c.i.XML() && c.h.Standard != c.i.Space:
		return fmt.Errorf("element Standard is %q, the payload's namespace %q [ENV]", c.h.Standard, c.i.Space)
	case c.doc != "" && !strings.HasPrefix(c.doc, c.h.Standard):
		return fmt.Errorf("the document type does not begin with Standard %q [ENV]", c.h.Standard)
	case c.h.Standard == "":
		return errors.New("element Standard is empty [ENV]")
	}
	return nil
}

func (c *checker) typeVersion() error {
	switch {
	case !c.isXML():
		return nil
	case strings.Contains(c.h.TypeVersion, ":"):
		return fmt.Errorf("element TypeVersion %q has a colon [ENV]", c.h.TypeVersion)
	case c.doc != "" && !strings.HasSuffix(c.doc, ":"+c.h.TypeVersion):
		return fmt.Errorf("the document type does not end with TypeVersion %q [ENV]", c.h.TypeVersion)
	}
	return nil
}
