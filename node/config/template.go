package config

import (
	"io"
	"reflect"
	"strings"
)

// Template writes a configuration to start from, with the manual as comments. values sets keys, by path
// and as written in YAML: {"node.name": "ee-gateway", "as4.trust": "[{file: trust/ca.pem, purposes: [smp]}]"}.
// Keys without a value are there as comments with their default or an example; required ones without a
// value get their example.
func Template(w io.Writer, values map[string]string) error {
	p := &printer{w: w}
	p.printf("# Configuration of a Viadukt node. Keys in comments show their default or an example.\n")
	p.printf("# \"viadukt config check\" says what is wrong with this file.\n")
	p.template("", "", reflect.TypeFor[Config](), values, true)
	return p.err
}

// template writes the keys of a struct. live is false inside a section that is in comments as a whole.
func (p *printer) template(indent, prefix string, t reflect.Type, values map[string]string, live bool) {
	for _, f := range fields(t) {
		path := join(prefix, f.key)
		if prefix == "" {
			p.printf("\n")
		}
		for _, l := range wrap(f.tag.Get("doc"), 100-len(indent)) {
			p.printf("%s# %s\n", indent, l)
		}
		value, set := values[path]
		sub, _ := part(f, path)
		switch {
		case set:
			p.printf("%s%s: %s\n", indent, f.key, value)
		case sub != nil && f.typ.Kind() != reflect.Slice:
			inner := live && (f.typ.Kind() == reflect.Struct || below(values, path))
			if !inner {
				p.printf("%s# %s:\n", indent, f.key)
				p.template(indent+"#   ", path, sub, values, false)
				continue
			}
			p.printf("%s%s:\n", indent, f.key)
			p.template(indent+"  ", path, sub, values, true)
		case sub != nil:
			p.printf("%s# %s:\n", indent, f.key)
			p.item(indent+"#   ", sub)
		default:
			mark := "# "
			if !live {
				mark = ""
			}
			if f.tag.Get("required") == "true" && live {
				mark = ""
			}
			p.printf("%s%s%s: %s\n", indent, mark, f.key, sample(f))
		}
	}
}

// item writes an example of one entry of a list.
func (p *printer) item(indent string, t reflect.Type) {
	lead := "- "
	for _, f := range fields(t) {
		p.printf("%s%s%s: %s\n", indent, lead, f.key, sample(f))
		lead = "  "
	}
}

// sample is a value fit to be shown: the default, else the example, else an empty one.
func sample(f field) string {
	v := f.tag.Get("default")
	if v == "" {
		v = f.tag.Get("example")
	} else if f.typ.Kind() == reflect.Slice {
		v = "[" + strings.ReplaceAll(v, ",", ", ") + "]"
	}
	if v != "" {
		if strings.HasPrefix(v, ":") {
			return `"` + v + `"`
		}
		return v
	}
	switch f.typ.Kind() {
	case reflect.Bool:
		return "false"
	case reflect.Slice:
		return "[]"
	case reflect.Map:
		return "{}"
	}
	return `""`
}

// below reports whether values has keys inside a section.
func below(values map[string]string, path string) bool {
	for k := range values {
		if strings.HasPrefix(k, path+".") {
			return true
		}
	}
	return false
}

// TestNetwork is the organisation in the names of authorities that are made with a configuration: what they issue is for
// tests.
const TestNetwork = "Viadukt test network"
