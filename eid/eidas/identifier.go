package eidas

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Identifier is that of a person for one country: who identifies, for whom, and the value between them, which is compared
// letter by letter [eIDAS-AP].
type Identifier struct {
	From, To string // country codes, EL for Greece
	Value    string // at most 256 characters that are no spaces
}

var identifierPattern = regexp.MustCompile(`^([A-Z]{2})/([A-Z]{2})/(\S{1,256})$`)

// ParseIdentifier reads CC/CC/value.
func ParseIdentifier(s string) (Identifier, error) {
	m := identifierPattern.FindStringSubmatch(s)
	if m == nil {
		return Identifier{}, fmt.Errorf("it is not built as CC/CC/value [eIDAS-AP]")
	}
	return Identifier{m[1], m[2], m[3]}, nil
}

func (id Identifier) String() string { return id.From + "/" + id.To + "/" + id.Value }

// SameCountry compares country codes, of which Greece has two that are in use, as has the United Kingdom.
func SameCountry(a, b string) bool {
	fold := func(c string) string {
		switch c = strings.ToUpper(c); c {
		case "GR":
			return "EL"
		case "UK":
			return "GB"
		}
		return c
	}
	return fold(a) == fold(b) && a != ""
}

// Address is that of a person or its seat [eIDAS-AP]. All parts may be empty.
type Address struct {
	AddressID, PoBox, LocatorDesignator, LocatorName, CvaddressArea, Thoroughfare, PostName string
	AdminunitFirstline                                                                      string // the country
	AdminunitSecondline, PostCode                                                           string
	FullCvaddress                                                                           string // all of it in one, as the first version had
}

// parts are in the order of the schema.
func (a *Address) parts() []struct {
	name string
	text *string
} {
	return []struct {
		name string
		text *string
	}{{"AddressID", &a.AddressID}, {"PoBox", &a.PoBox}, {"LocatorDesignator", &a.LocatorDesignator}, {"LocatorName", &a.LocatorName}, {"CvaddressArea", &a.CvaddressArea},
		{"Thoroughfare", &a.Thoroughfare}, {"PostName", &a.PostName}, {"AdminunitFirstline", &a.AdminunitFirstline}, {"AdminunitSecondline", &a.AdminunitSecondline}, {"PostCode", &a.PostCode},
		{"FullCvaddress", &a.FullCvaddress}}
}

// ParseAddress reads the value of an attribute: base64 of elements without a root, under whatever prefix and in whatever
// case, as nodes write them.
func ParseAddress(value string) (Address, error) {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil {
		return Address{}, fmt.Errorf("the address is no base64")
	}
	// The prefixes are declared nowhere.
	prefixes := map[string]bool{}
	for _, m := range prefixPattern.FindAllSubmatch(b, -1) {
		prefixes[string(m[1])] = true
	}
	var attrs []string
	for p := range prefixes {
		attrs = append(attrs, "xmlns:"+p, NamespaceNatural)
	}
	w := dom.NewWriter(nil)
	w.Start("address", attrs...)
	w.Raw(b)
	w.End()
	doc, err := dom.Parse(w.Bytes(), dom.Limits{Bytes: 1 << 16, Depth: 4, Nodes: 256, Attributes: 64})
	if err != nil {
		return Address{}, fmt.Errorf("the address is not built of elements: %w", err)
	}
	var a Address
	parts := a.parts()
next:
	for n := range doc.Root().Elements() {
		for _, p := range parts {
			if strings.EqualFold(p.name, n.Local()) {
				*p.text = n.TrimmedText()
				continue next
			}
		}
		return Address{}, fmt.Errorf("%s is no part of an address", n.Local())
	}
	return a, nil
}

var prefixPattern = regexp.MustCompile(`<([A-Za-z][A-Za-z0-9_.-]*):`)

// Encode is the value of an attribute.
func (a Address) Encode() string {
	w := dom.NewWriter(nil)
	for _, p := range a.parts() {
		if *p.text != "" {
			w.Element("eidas-natural:"+p.name, *p.text)
		}
	}
	return base64.StdEncoding.EncodeToString(w.Bytes())
}
