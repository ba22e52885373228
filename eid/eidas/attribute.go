package eidas

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/viadukt-eu/viadukt/eid/saml"
)

// Namespaces of attributes [eIDAS-AP]. The name of an attribute is its namespace, "/" and its local name.
const (
	NamespaceNatural               = "http://eidas.europa.eu/attributes/naturalperson"
	NamespaceLegal                 = "http://eidas.europa.eu/attributes/legalperson"
	NamespaceRepresentativeNatural = NamespaceNatural + "/representative"
	NamespaceRepresentativeLegal   = NamespaceLegal + "/representative"
)

// Definition is what [eIDAS-AP] says of one attribute.
type Definition struct {
	Space, Local   string
	FriendlyName   string
	Type           string // local name of the type of values
	Mandatory      bool   // part of the minimum data set that always is there
	Representative bool   // of who acts, not of who is represented
	Latin          bool   // a value in another script comes with a Latin one before it
	check          func(v string) error
}

// Name is the full name.
func (d *Definition) Name() string { return d.Space + "/" + d.Local }

// set is a minimum data set: the mandatory attributes of one namespace.
type set struct {
	space string
	names []string
}

var (
	definitions []*Definition
	byName      = map[string]*Definition{}
	sets        []set
)

func init() {
	type row struct {
		local, friendly string
		flags           string // m: mandatory, l: Latin script
		check           func(string) error
	}
	natural := []row{
		{"PersonIdentifier", "PersonIdentifier", "m", checkIdentifier},
		{"CurrentFamilyName", "FamilyName", "ml", checkText},
		{"CurrentGivenName", "FirstName", "ml", checkText},
		{"DateOfBirth", "DateOfBirth", "m", checkDate},
		{"BirthName", "BirthName", "l", checkText},
		{"PlaceOfBirth", "PlaceOfBirth", "", checkText},
		{"CurrentAddress", "CurrentAddress", "", checkAddress},
		{"Gender", "Gender", "", oneOf("Male", "Female", "Unspecified", "Not specified")},
		{"Nationality", "Nationality", "", checkCountry},
		{"CountryOfBirth", "CountryOfBirth", "", checkCountry},
		{"TownOfBirth", "TownOfBirth", "", checkText},
		{"CountryOfResidence", "CountryOfResidence", "", checkCountry},
		{"PhoneNumber", "PhoneNumber", "", checkText},
		{"EmailAddress", "EmailAddress", "", checkMail},
	}
	legal := []row{
		{"LegalPersonIdentifier", "LegalPersonIdentifier", "m", checkIdentifier},
		{"LegalName", "LegalName", "ml", checkText},
		{"LegalPersonAddress", "LegalAddress", "", checkAddress},
		{"VATRegistrationNumber", "VATRegistration", "", checkText},
		{"TaxReference", "TaxReference", "", checkText},
		{"D-2012-17-EUIdentifier", "D-2012-17-EUIdentifier", "", checkText},
		{"LEI", "LEI", "", matching(`^[0-9A-Z]{18}[0-9]{2}$`, "20 characters of ISO 17442")},
		{"EORI", "EORI", "", matching(`^[A-Z]{2}.{1,15}$`, "a country code and at most 15 characters")},
		{"SEED", "SEED", "", checkText},
		{"SIC", "SIC", "", checkText},
		{"LegalPhoneNumber", "LegalPhoneNumber", "", checkText},
		{"LegalEmailAddress", "LegalEmailAddress", "", checkMail},
	}
	for _, person := range []struct {
		space, prefix string
		rows          []row
	}{{NamespaceNatural, "", natural}, {NamespaceLegal, "", legal}, {NamespaceRepresentativeNatural, "Representative", natural}, {NamespaceRepresentativeLegal, "Representative", legal}} {
		s := set{space: person.space}
		for _, r := range person.rows {
			d := &Definition{Space: person.space, Local: r.local, FriendlyName: person.prefix + r.friendly, Type: r.local + "Type", Mandatory: strings.Contains(r.flags, "m"),
				Representative: person.prefix != "", Latin: strings.Contains(r.flags, "l"), check: r.check}
			definitions, byName[d.Name()] = append(definitions, d), d
			if d.Mandatory {
				s.names = append(s.names, d.Name())
			}
		}
		sets = append(sets, s)
	}
}

// Define returns the definition of an attribute by its full name, nil for one that the profile does not know.
func Define(name string) *Definition { return byName[name] }

// Definitions returns all attributes of the profile, the mandatory first in each set.
func Definitions() []*Definition { return slices.Clone(definitions) }

// Attribute is something that is said of a person. An attribute that the profile does not know has no Definition.
type Attribute struct {
	Name       string
	Definition *Definition
	Values     []Value
}

// Value is one value. Original is the same in another script, "" where it is Latin anyway.
type Value struct{ Text, Original string }

// Attributes of one person, and of who acts for it.
type Attributes []Attribute

// Get returns the first value of an attribute, "" where there is none.
func (a Attributes) Get(name string) string {
	for i := range a {
		if a[i].Name == name && len(a[i].Values) > 0 {
			return a[i].Values[0].Text
		}
	}
	return ""
}

// has reports whether an attribute is there with a value.
func (a Attributes) has(name string) bool {
	return slices.ContainsFunc(a, func(x Attribute) bool { return x.Name == name && len(x.Values) > 0 })
}

// complete looks whether the minimum data sets that are begun are whole, and whether there is one of a person who is no
// representative [eIDAS-AP].
func (a Attributes) complete() *Error {
	main := false
	for _, s := range sets {
		begun := slices.ContainsFunc(a, func(x Attribute) bool { return x.Definition != nil && x.Definition.Space == s.space })
		if !begun {
			continue
		}
		for _, name := range s.names {
			if !a.has(name) {
				return fail("203021", "%s is missing", name)
			}
		}
		main = main || !strings.HasSuffix(s.space, "/representative")
	}
	if !main {
		return fail("203021", "there is neither a natural nor a legal person")
	}
	return nil
}

// readAttribute reads an attribute of an assertion and looks at its values.
func readAttribute(in saml.Attribute) (Attribute, error) {
	a := Attribute{Name: in.Name, Definition: Define(in.Name)}
	for _, v := range in.Values {
		text := strings.TrimSpace(v.Text)
		if original(v) && len(a.Values) > 0 && a.Values[len(a.Values)-1].Original == "" {
			a.Values[len(a.Values)-1].Original = text
			continue
		}
		a.Values = append(a.Values, Value{Text: text})
	}
	return a, a.check()
}

// original reports whether a value says of itself that its script is not Latin [eIDAS-AP].
func original(v saml.Value) bool {
	for _, x := range v.Extra {
		if x.Name.Local == "LatinScript" {
			return strings.TrimSpace(x.Value) == "false" || strings.TrimSpace(x.Value) == "0"
		}
	}
	return false
}

// check looks at the values of an attribute of the profile.
func (a *Attribute) check() error {
	d := a.Definition
	if d == nil {
		return nil
	}
	for _, v := range a.Values {
		if err := d.check(v.Text); err != nil {
			return fmt.Errorf("attribute %s: %w", d.FriendlyName, err)
		}
		if d.Latin && !Latin(v.Text) {
			return fmt.Errorf("attribute %s: the first value has to be in Latin script [eIDAS-AP]", d.FriendlyName)
		}
	}
	return nil
}

// write makes the attribute of an assertion.
func (a *Attribute) write() saml.Attribute {
	out := saml.Attribute{Name: a.Name, NameFormat: saml.AttributeNameURI}
	var typ saml.Name
	if a.Definition != nil {
		out.FriendlyName, typ = a.Definition.FriendlyName, saml.Name{Space: a.Definition.Space, Local: a.Definition.Type}
	}
	for _, v := range a.Values {
		out.Values = append(out.Values, saml.Value{Type: typ, Text: v.Text})
		if v.Original != "" {
			out.Values = append(out.Values, saml.Value{Type: typ, Text: v.Original, Extra: []saml.Extra{{Name: saml.Name{Space: typ.Space, Local: "LatinScript"}, Value: "false"}}})
		}
	}
	return out
}

// Latin reports whether all letters of a text are Latin.
func Latin(s string) bool {
	for _, r := range s {
		if unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) {
			return false
		}
	}
	return true
}

func checkText(v string) error {
	if v == "" {
		return fmt.Errorf("it is empty")
	}
	return nil
}

func matching(pattern, what string) func(string) error {
	re := regexp.MustCompile(pattern)
	return func(v string) error {
		if !re.MatchString(v) {
			return fmt.Errorf("it is not %s", what)
		}
		return nil
	}
}

func oneOf(words ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(words, v) {
			return fmt.Errorf("it is none of %s", strings.Join(words, ", "))
		}
		return nil
	}
}

var checkCountry = matching(`^[A-Z]{2}$`, "a country code of two letters")

func checkDate(v string) error {
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		return fmt.Errorf("it is no date YYYY-MM-DD")
	}
	return nil
}

func checkMail(v string) error {
	if a, err := mail.ParseAddress(v); err != nil || a.Address != v {
		return fmt.Errorf("it is no e-mail address")
	}
	return nil
}

func checkIdentifier(v string) error {
	_, err := ParseIdentifier(v)
	return err
}

func checkAddress(v string) error {
	_, err := ParseAddress(v)
	return err
}
