package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Describe prints the manual of all settings.
func Describe(w io.Writer) error {
	return DescribeStruct(w, "", Config{})
}

// DescribeStruct prints the manual of one struct, for example the settings of a domain, whose keys stand
// below prefix.
func DescribeStruct(w io.Writer, prefix string, settings any) error {
	p := &printer{w: w}
	p.describe(prefix, reflect.TypeOf(settings))
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// part returns the struct that a field holds, alone, in a list or behind a pointer, and how its keys are
// written in a manual.
func part(f field, path string) (reflect.Type, string) {
	t := f.typ
	switch t.Kind() {
	case reflect.Pointer:
		t = t.Elem()
	case reflect.Slice:
		t, path = t.Elem(), path+"[]"
	}
	if t.Kind() != reflect.Struct || t == sectionType || isText(t) {
		return nil, path
	}
	return t, path
}

func (p *printer) describe(prefix string, t reflect.Type) {
	for _, f := range fields(t) {
		path := join(prefix, f.key)
		p.printf("%s  (%s)\n", path, facts(f))
		for _, l := range wrap(f.tag.Get("doc"), 92) {
			p.printf("    %s\n", l)
		}
		if sub, subPath := part(f, path); sub != nil {
			p.describe(subPath, sub)
		}
		if prefix == "" {
			p.printf("\n")
		}
	}
}

// facts is what a tag says about a value in few words.
func facts(f field) string {
	t := f.typ
	out := typeName(t)
	if t.Kind() == reflect.Slice {
		out = "list of " + strings.TrimPrefix(strings.TrimPrefix(typeName(t.Elem()), "a "), "an ")
		if part, _ := part(f, ""); part != nil || t.Elem() == sectionType {
			out = "list of sections"
		} else if t.Elem().Kind() == reflect.String {
			out = "list of texts"
		}
	} else if part, _ := part(f, ""); part != nil {
		out = "section"
	} else if t.Kind() == reflect.Map {
		out = "sections by name"
	}
	add := func(format, tag string) {
		if v, ok := f.tag.Lookup(tag); ok && v != "" {
			out += fmt.Sprintf(format, strings.ReplaceAll(v, ",", ", "))
		}
	}
	if f.tag.Get("required") == "true" {
		out += ", required"
	}
	add(", default %s", "default")
	if t.Kind() == reflect.Bool && f.tag.Get("default") == "" {
		out += ", default false"
	}
	add("; one of %s", "enum")
	add("; at least %s", "min")
	add("; at most %s", "max")
	return out
}

// wrap breaks a text into lines.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
