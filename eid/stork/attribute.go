package stork

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Attribute is something that is said of a person. Values are there only with the status Available.
type Attribute struct {
	Name   string // full
	Status Status
	Values []Value
}

// Status says whether an attribute could be had.
type Status string

// The three; what says nothing is Available, if it has a value.
const (
	Available    Status = "Available"
	NotAvailable Status = "NotAvailable"
	Withheld     Status = "Withheld" // by the person
)

// Value is text, or is built of elements, which are passed on as they came.
type Value struct {
	Text     string
	Elements []Element
}

// Element is a part of a value: a name with text, or with further parts.
type Element struct {
	Name  string // local, in the namespace of STORK
	Text  string
	Parts []Element
}

// Part returns the text of the first part with a name, "" where there is none.
func (v *Value) Part(name string) string {
	for _, e := range v.Elements {
		if e.Name == name {
			return e.Text
		}
	}
	return ""
}

// Get returns the text of the first value of an attribute, by its name without [Base]; "" where there is none.
func Get(list []Attribute, name string) string {
	for _, a := range list {
		if strings.TrimPrefix(a.Name, Base) == name && a.Status == Available && len(a.Values) > 0 {
			return a.Values[0].Text
		}
	}
	return ""
}

// maxParts bounds a value of many parts.
const maxParts = 512

func readAttribute(in saml.Attribute) (Attribute, error) {
	a := Attribute{Name: in.Name}
	for _, x := range in.Extra {
		if x.Name.Space == NamespaceAssertion && x.Name.Local == "AttributeStatus" {
			if a.Status = Status(x.Value); !slices.Contains([]Status{Available, NotAvailable, Withheld}, a.Status) {
				return a, fmt.Errorf("%w: attribute %s has status %q", ErrProfile, in.Name, x.Value)
			}
		}
	}
	left := maxParts
	for _, v := range in.Values {
		value := Value{Elements: readElements(v.Node, &left)}
		if value.Elements == nil {
			value.Text = strings.TrimSpace(v.Text)
		}
		if value.Text != "" || value.Elements != nil {
			a.Values = append(a.Values, value)
		}
	}
	switch {
	case left < 0:
		return a, fmt.Errorf("%w: attribute %s has more than %d parts", ErrProfile, in.Name, maxParts)
	case a.Status == "" && len(a.Values) > 0:
		a.Status = Available
	case a.Status == "": // some leave an attribute empty in place of a status
		a.Status = NotAvailable
	case a.Status != Available && len(a.Values) > 0:
		return a, fmt.Errorf("%w: attribute %s is %s and has a value", ErrProfile, in.Name, a.Status)
	}
	return a, nil
}

func readElements(n dom.Node, left *int) (out []Element) {
	for e := range n.Elements() {
		if *left--; *left < 0 {
			return out
		}
		x := Element{Name: e.Local(), Parts: readElements(e, left)}
		if x.Parts == nil {
			x.Text = e.TrimmedText()
		}
		out = append(out, x)
	}
	return out
}

func (a *Attribute) write() saml.Attribute {
	out := saml.Attribute{Name: a.Name, NameFormat: saml.AttributeNameURI, Extra: []saml.Extra{{Name: saml.Name{Space: NamespaceAssertion, Local: "AttributeStatus"}, Value: string(a.Status)}}}
	for _, v := range a.Values {
		if v.Elements == nil {
			out.Values = append(out.Values, saml.Value{Type: saml.Name{Space: "http://www.w3.org/2001/XMLSchema", Local: "anyType"}, Text: v.Text})
			continue
		}
		out.Values = append(out.Values, saml.Value{Type: saml.Name{Space: "http://www.w3.org/2001/XMLSchema", Local: "anyType"}, Write: func(w *dom.Writer) { writeElements(w, v.Elements) }})
	}
	return out
}

func writeElements(w *dom.Writer, list []Element) {
	for _, e := range list {
		w.Start("stork:" + e.Name)
		if e.Parts != nil {
			writeElements(w, e.Parts)
		} else {
			w.Text(e.Text)
		}
		w.End()
	}
}

// values are the patterns of values that are text, by name. What is not among them is free.
var values = map[string]*regexp.Regexp{
	"eIdentifier":        regexp.MustCompile(`^[A-Z]{2}/[A-Z]{2}/[A-Za-z0-9+/=\r\n]+$`),
	"eLPIdentifier":      regexp.MustCompile(`^[A-Z]{2}/[A-Z]{2}/[A-Za-z0-9+/=\r\n]+$`),
	"gender":             regexp.MustCompile(`^[MF]$`),
	"countryCodeOfBirth": regexp.MustCompile(`^([A-Z]{2}|[A-Z]{4})$`),
	"nationalityCode":    regexp.MustCompile(`^[A-Z]{2}$`),
	"maritalStatus":      regexp.MustCompile(`^[SMPDW]$`),
	"eMail":              regexp.MustCompile(`^[-+.\w]{1,64}@[-.\w]{1,64}\.[-.\w]{2,6}$`),
	"age":                regexp.MustCompile(`^[0-9]{1,3}$`),
	"isAgeOver":          regexp.MustCompile(`^[0-9]{1,3}$`),
	"citizenQAALevel":    regexp.MustCompile(`^0?[1-4]$`),
}

// Check looks at the values of an attribute whose form is known. now is for dates, which are not to come.
func (a *Attribute) Check(now time.Time) error {
	name := strings.TrimPrefix(a.Name, Base)
	for _, v := range a.Values {
		if v.Elements != nil {
			if name == "canonicalResidenceAddress" && (v.Part("countryCodeAddress") == "" || v.Part("town") == "" || v.Part("postalCode") == "" || v.Part("streetName") == "") {
				return fmt.Errorf("%w: %s needs countryCodeAddress, town, postalCode and streetName", ErrProfile, name)
			}
			continue
		}
		if p := values[name]; p != nil && !p.MatchString(v.Text) {
			return fmt.Errorf("%w: %q is no value of %s", ErrProfile, v.Text, name)
		}
		switch name {
		case "dateOfBirth":
			if _, err := birth(v.Text, now); err != nil {
				return err
			}
		case "age", "isAgeOver":
			if n, err := strconv.Atoi(v.Text); err != nil || n > 120 {
				return fmt.Errorf("%w: %q is no age", ErrProfile, v.Text)
			}
		}
	}
	return nil
}

// birth reads a date of birth: a day, a month or a year, without separators. It is the last day that it can be.
func birth(s string, now time.Time) (time.Time, error) {
	layouts := map[int]string{8: "20060102", 6: "200601", 4: "2006"}
	t, err := time.Parse(layouts[len(s)], s)
	if err != nil || layouts[len(s)] == "" || t.After(now) {
		return t, fmt.Errorf("%w: %q is no date of birth", ErrProfile, s)
	}
	switch len(s) {
	case 6:
		t = t.AddDate(0, 1, -1)
	case 4:
		t = t.AddDate(1, 0, -1)
	}
	return t, nil
}

// Age is how many years old somebody is for certain who was born on a date in the form of dateOfBirth.
func Age(dateOfBirth string, now time.Time) (int, error) {
	t, err := birth(dateOfBirth, now)
	if err != nil {
		return 0, err
	}
	years := now.Year() - t.Year()
	if now.Month() < t.Month() || now.Month() == t.Month() && now.Day() < t.Day() {
		years--
	}
	return max(years, 0), nil
}

// Derive adds what follows from the date of birth where it is asked for and not known: age, and the ages asked for by isAgeOver
// that were reached.
func Derive(known []Attribute, asked []RequestedAttribute, now time.Time) []Attribute {
	years, err := Age(Get(known, "dateOfBirth"), now)
	if err != nil {
		return known
	}
	out := slices.Clone(known)
	for _, q := range asked {
		name := strings.TrimPrefix(q.Name, Base)
		if name != "age" && name != "isAgeOver" || slices.ContainsFunc(known, func(a Attribute) bool { return a.Name == q.Name && a.Status == Available }) {
			continue
		}
		a := Attribute{Name: q.Name, Status: Available}
		if name == "age" {
			a.Values = []Value{{Text: strconv.Itoa(years)}}
		}
		for _, v := range q.Values {
			if n, err := strconv.Atoi(v); name == "isAgeOver" && err == nil && years >= n {
				a.Values = append(a.Values, Value{Text: v})
			}
		}
		out = append(slices.DeleteFunc(out, func(a Attribute) bool { return a.Name == q.Name }), a)
	}
	return out
}
