package xsd

import (
	"regexp"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// form is what the schema for schemas says of one kind of element [XSD1 A]: its attributes, those with ! required, and
// its content.
type form struct {
	attrs   map[string]attrKind
	needs   []string
	content string
	match   func() *regexp.Regexp
	child   map[string]string // forms of children that depend on where they stand
}

type attrKind uint8

const (
	aString attrKind = iota
	aNCName
	aQName
	aQNames
	aBool
	aCount
	aCountMax // or unbounded
	aURI
	aID
	aForm
	aUse
	aBlock      // of elements
	aBlockType  // of complex types
	aFinal      // of elements and complex types
	aFinalType  // of simple types
	aFinalAll   // finalDefault
	aProcess    // processContents
	aNamespaces // namespace of wildcards
	aZeroOne
	aOne
)

// letters stand for the names of elements in the content expressions.
var letters = map[string]string{
	"annotation": "A", "include": "I", "import": "J", "redefine": "R", "simpleType": "S", "complexType": "C", "group": "G",
	"attributeGroup": "H", "element": "E", "attribute": "T", "notation": "N", "unique": "U", "key": "K", "keyref": "F",
	"simpleContent": "M", "complexContent": "O", "all": "L", "choice": "W", "sequence": "Q", "anyAttribute": "Y", "any": "Z",
	"restriction": "X", "extension": "P", "list": "l", "union": "u", "selector": "s", "field": "f", "facet": "v", "appinfo": "a",
	"documentation": "d",
}

var nameInContent = regexp.MustCompile(`[A-Za-z]+`)

func makeForm(attrs, content string, child map[string]string) *form {
	f := &form{attrs: map[string]attrKind{"id": aID}, content: content, child: child}
	kinds := map[string]attrKind{
		"ncname": aNCName, "qname": aQName, "qnames": aQNames, "bool": aBool, "count": aCount, "countmax": aCountMax, "uri": aURI,
		"form": aForm, "use": aUse, "block": aBlock, "blocktype": aBlockType, "final": aFinal, "finaltype": aFinalType, "finalall": aFinalAll,
		"process": aProcess, "namespaces": aNamespaces, "string": aString, "zeroone": aZeroOne, "one": aOne,
	}
	for _, a := range strings.Fields(attrs) {
		name, kind, _ := strings.Cut(a, ":")
		if n, ok := strings.CutSuffix(kind, "!"); ok {
			kind = n
			f.needs = append(f.needs, name)
		}
		k, ok := kinds[kind]
		if !ok {
			panic("xsd: attribute kind " + kind)
		}
		f.attrs[name] = k
	}
	f.match = sync.OnceValue(func() *regexp.Regexp {
		s := nameInContent.ReplaceAllStringFunc(content, func(n string) string {
			l, ok := letters[n]
			if !ok {
				panic("xsd: content of " + n)
			}
			return l
		})
		return regexp.MustCompile("^(?:" + strings.NewReplacer(",", "", " ", "").Replace(s) + ")$")
	})
	return f
}

const (
	attrContent = "(attribute | attributeGroup)*, anyAttribute?"
	modelChoice = "(group | all | choice | sequence)?"
	parts       = "annotation?, (element | group | choice | sequence | any)*"
	occurs      = " minOccurs:count maxOccurs:countmax"
)

var complexChildren = map[string]string{
	"all": "all", "attribute": "attribute/local", "attributeGroup": "attributeGroup/ref", "group": "group/ref",
	"restriction": "restriction/complex", "extension": "extension", "simpleType": "simpleType/local",
}

var partChildren = map[string]string{"element": "element/local", "group": "group/ref"}

var forms = map[string]*form{
	"schema": makeForm("targetNamespace:uri version:string finalDefault:finalall blockDefault:block attributeFormDefault:form elementFormDefault:form",
		"(include | import | redefine | annotation)*, ((simpleType | complexType | group | attributeGroup | element | attribute | notation), annotation*)*", nil),
	"include":  makeForm("schemaLocation:uri!", "annotation?", nil),
	"import":   makeForm("namespace:uri schemaLocation:uri", "annotation?", nil),
	"redefine": makeForm("schemaLocation:uri!", "(annotation | simpleType | complexType | group | attributeGroup)*", nil),
	"element": makeForm("abstract:bool block:block default:string final:final fixed:string name:ncname! nillable:bool substitutionGroup:qname type:qname",
		"annotation?, (simpleType | complexType)?, (unique | key | keyref)*", localTypes),
	"element/local": makeForm("block:block default:string fixed:string form:form name:ncname nillable:bool ref:qname type:qname"+occurs,
		"annotation?, (simpleType | complexType)?, (unique | key | keyref)*", localTypes),
	"element/all": makeForm("block:block default:string fixed:string form:form name:ncname nillable:bool ref:qname type:qname minOccurs:zeroone maxOccurs:zeroone",
		"annotation?, (simpleType | complexType)?, (unique | key | keyref)*", localTypes),
	"attribute": makeForm("default:string fixed:string name:ncname! type:qname", "annotation?, simpleType?", localTypes),
	"attribute/local": makeForm("default:string fixed:string form:form name:ncname ref:qname type:qname use:use", "annotation?, simpleType?",
		localTypes),
	"complexType": makeForm("abstract:bool block:blocktype final:final mixed:bool name:ncname!",
		"annotation?, (simpleContent | complexContent | ("+modelChoice+", "+attrContent+"))", complexChildren),
	"complexType/local": makeForm("mixed:bool", "annotation?, (simpleContent | complexContent | ("+modelChoice+", "+attrContent+"))",
		complexChildren),
	"simpleContent": makeForm("", "annotation?, (restriction | extension)", map[string]string{
		"restriction": "restriction/simpleContent", "extension": "extension/simple"}),
	"restriction/simpleContent": makeForm("base:qname!", "annotation?, (simpleType?, facet*)?, "+attrContent, complexChildren),
	"extension/simple":          makeForm("base:qname!", "annotation?, "+attrContent, complexChildren),
	"complexContent":            makeForm("mixed:bool", "annotation?, (restriction | extension)", complexChildren),
	"restriction/complex":       makeForm("base:qname!", "annotation?, "+modelChoice+", "+attrContent, complexChildren),
	"extension":                 makeForm("base:qname!", "annotation?, "+modelChoice+", "+attrContent, complexChildren),
	"group": makeForm("name:ncname!", "annotation?, (all | choice | sequence)", map[string]string{
		"all": "all/def", "choice": "choice/def", "sequence": "sequence/def"}),
	"group/ref":    makeForm("ref:qname!"+occurs, "annotation?", nil),
	"all":          makeForm("minOccurs:zeroone maxOccurs:one", "annotation?, element*", map[string]string{"element": "element/all"}),
	"all/def":      makeForm("", "annotation?, element*", map[string]string{"element": "element/all"}),
	"choice":       makeForm(occurs, parts, partChildren),
	"sequence":     makeForm(occurs, parts, partChildren),
	"choice/def":   makeForm("", parts, partChildren),
	"sequence/def": makeForm("", parts, partChildren),
	"any":          makeForm("namespace:namespaces processContents:process"+occurs, "annotation?", nil),
	"anyAttribute": makeForm("namespace:namespaces processContents:process", "annotation?", nil),
	"attributeGroup": makeForm("name:ncname!", "annotation?, "+attrContent, map[string]string{
		"attribute": "attribute/local", "attributeGroup": "attributeGroup/ref"}),
	"attributeGroup/ref": makeForm("ref:qname!", "annotation?", nil),
	"simpleType":         makeForm("final:finaltype name:ncname!", "annotation?, (restriction | list | union)", nil),
	"simpleType/local":   makeForm("", "annotation?, (restriction | list | union)", nil),
	"restriction":        makeForm("base:qname", "annotation?, simpleType?, facet*", localTypes),
	"list":               makeForm("itemType:qname", "annotation?, simpleType?", localTypes),
	"union":              makeForm("memberTypes:qnames", "annotation?, simpleType*", localTypes),
	"facet":              makeForm("value:string! fixed:bool", "annotation?", nil),
	"facet/free":         makeForm("value:string!", "annotation?", nil),
	"unique":             makeForm("name:ncname!", "annotation?, selector, field+", nil),
	"key":                makeForm("name:ncname!", "annotation?, selector, field+", nil),
	"keyref":             makeForm("name:ncname! refer:qname!", "annotation?, selector, field+", nil),
	"selector":           makeForm("xpath:string!", "annotation?", nil),
	"field":              makeForm("xpath:string!", "annotation?", nil),
	"notation":           makeForm("name:ncname! public:string system:uri", "annotation?", nil),
	"annotation":         makeForm("", "(appinfo | documentation)*", nil),
	"appinfo":            makeForm("source:uri", "", nil),
	"documentation":      makeForm("source:uri", "", nil),
}

var localTypes = map[string]string{"simpleType": "simpleType/local", "complexType": "complexType/local"}

// conform checks one element of a schema document and all below it against the schema for schemas.
func (c *compiler) conform(n dom.Node, kind string, ids map[string]bool) {
	f := forms[kind]
	c.conformAttributes(n, kind, f, ids)
	if kind == "appinfo" || kind == "documentation" {
		return
	}
	var seq strings.Builder
	for ch := range n.Children() {
		switch ch.Kind() {
		case dom.TextNode:
			if strings.Trim(string(ch.Value()), " \t\r\n") != "" {
				c.fail(ch, "s4s-elt-character", "text is not allowed in xs:%s", n.Local())
			}
		case dom.ElementNode:
			local := ch.Local()
			letter, ok := letters[local]
			if _, isFacet := facetNames[local]; isFacet {
				letter, ok = "v", true
			} else if local == "facet" {
				ok = false
			}
			if ch.Space() != Namespace || !ok {
				c.fail(ch, "s4s-elt-invalid-content.1", "%s is not allowed in xs:%s", ch.QName(), n.Local())
				return
			}
			seq.WriteString(letter)
		}
	}
	if !f.match().MatchString(seq.String()) {
		c.fail(n, "s4s-elt-invalid-content.1", "content of xs:%s must be (%s)", n.Local(), f.content)
		return
	}
	for ch := range n.Elements() {
		next := ch.Local()
		if k, ok := f.child[next]; ok {
			next = k
		} else if next == "pattern" || next == "enumeration" {
			next = "facet/free"
		} else if _, isFacet := facetNames[next]; isFacet {
			next = "facet"
		} else if kind == "redefine" || kind == "schema" {
			next = ch.Local()
		}
		c.conform(ch, next, ids)
	}
}

func (c *compiler) conformAttributes(n dom.Node, kind string, f *form, ids map[string]bool) {
	for a := range n.Attributes() {
		if a.Space() == Namespace {
			c.fail(n, "s4s-att-not-allowed", "attribute %s is not allowed", a.QName())
		}
		if a.Space() != "" {
			continue
		}
		k, ok := f.attrs[a.Local()]
		if !ok || a.Local() == "id" && (kind == "appinfo" || kind == "documentation") {
			c.fail(n, "s4s-att-not-allowed", "attribute %s is not allowed in xs:%s", a.Local(), n.Local())
			continue
		}
		raw := string(a.Value())
		if v := collapse(raw); !validAttr(k, v) {
			c.fail(n, "s4s-att-invalid-value", "value %s of attribute %s is not allowed", quote(raw), a.Local())
		} else if k == aID {
			if ids[v] {
				c.fail(n, "s4s-att-invalid-value", "id %s occurs twice", quote(v))
			}
			ids[v] = true
		}
	}
	for _, name := range f.needs {
		if !n.Attribute("", name).Valid() {
			c.fail(n, "s4s-att-must-appear", "xs:%s needs the attribute %s", n.Local(), name)
		}
	}
	if kind == "notation" && !n.Attribute("", "public").Valid() && !n.Attribute("", "system").Valid() {
		c.fail(n, "s4s-att-must-appear", "xs:notation needs the attribute public or system")
	}
	if lang, ok := n.AttrNS(xmlSpace, "lang"); ok && lang != "" && !language(collapse(lang)) {
		c.fail(n, "s4s-att-invalid-value", "value %s of attribute xml:lang is not allowed", quote(lang))
	}
}

func validAttr(k attrKind, v string) bool {
	words := func(allowed ...string) bool {
		if v == "#all" {
			return true
		}
		for _, w := range strings.Fields(v) {
			ok := false
			for _, a := range allowed {
				ok = ok || a == w
			}
			if !ok {
				return false
			}
		}
		return true
	}
	one := func(allowed ...string) bool {
		for _, a := range allowed {
			if a == v {
				return true
			}
		}
		return false
	}
	switch k {
	case aNCName, aID:
		return isNCName(v)
	case aQName:
		return isQName(v)
	case aQNames:
		for _, w := range strings.Fields(v) {
			if !isQName(w) {
				return false
			}
		}
	case aBool:
		return one("true", "false", "1", "0")
	case aCount, aCountMax:
		if k == aCountMax && v == "unbounded" {
			return true
		}
		_, ok := count(v)
		return ok
	case aURI:
		return anyURI(v)
	case aForm:
		return one("qualified", "unqualified")
	case aUse:
		return one("optional", "prohibited", "required")
	case aBlock:
		return words("extension", "restriction", "substitution")
	case aBlockType, aFinal:
		return words("extension", "restriction")
	case aFinalType:
		return words("list", "union", "restriction")
	case aFinalAll:
		return words("extension", "restriction", "list", "union")
	case aProcess:
		return one("strict", "lax", "skip")
	case aNamespaces:
		if one("##any", "##other") {
			return true
		}
		for _, w := range strings.Fields(v) {
			if w != "##targetNamespace" && w != "##local" && !anyURI(w) {
				return false
			}
		}
	case aZeroOne:
		return one("0", "1", "+0", "+1", "00", "01")
	case aOne:
		return one("1", "+1", "01")
	}
	return true
}

func isQName(s string) bool {
	prefix, local, colon := strings.Cut(s, ":")
	if !colon {
		return isNCName(s)
	}
	return isNCName(prefix) && isNCName(local)
}
