package config

import (
	"encoding"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Setting is one key with its value as it is written in a file: a word, a quoted text, a list or keys in one line.
type Setting struct{ Key, Value string }

// Settings lists the keys of a struct that are not as their default, in their order, in the form in which [Decode] reads
// them. Paths below dir are written relative to it. Secrets and sections of others are left out.
func Settings(v any, dir string) []Setting {
	return settings(reflect.Indirect(reflect.ValueOf(v)), dir, false)
}

func settings(v reflect.Value, dir string, all bool) []Setting {
	defaults := reflect.New(v.Type()).Elem()
	new(decoder).defaults(defaults)
	var out []Setting
	for _, f := range fields(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if f.typ == secretType || f.typ == sectionType || !all && reflect.DeepEqual(fv.Interface(), defaults.FieldByIndex(f.index).Interface()) {
			continue
		}
		if text := written(fv, dir); text != "" {
			out = append(out, Setting{f.key, text})
		}
	}
	return out
}

// written is a value in one line, "" when there is none.
func written(v reflect.Value, dir string) string {
	switch t := v.Type(); {
	case t == pathType:
		p := v.String()
		if rel, err := filepath.Rel(dir, p); err == nil && filepath.IsAbs(p) && filepath.IsLocal(rel) {
			p = filepath.ToSlash(rel)
		}
		return quoted(p)
	case t == durationType:
		return Duration(v.Interface().(time.Duration)).String()
	case isText(t):
		if s, ok := v.Interface().(fmt.Stringer); ok {
			return quoted(s.String())
		}
		if m, ok := v.Interface().(encoding.TextMarshaler); ok {
			b, _ := m.MarshalText() // an error leaves nothing to write
			return quoted(string(b))
		}
		return quoted(v.String())
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return flow(settings(v.Elem(), dir, true))
	case reflect.Struct:
		return flow(settings(v, dir, false))
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = written(v.Index(i), dir)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.String:
		return quoted(v.String())
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

func flow(keys []Setting) string {
	items := make([]string, 0, len(keys))
	for _, k := range keys {
		if k.Value != `""` {
			items = append(items, k.Key+": "+k.Value)
		}
	}
	return "{" + strings.Join(items, ", ") + "}"
}

// bare are texts that need no quotes, also within a list, and that YAML takes for nothing else.
var (
	bare    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/+-]*(:/{0,2}[A-Za-z0-9._/#+?=&%~-]+)*$`)
	special = regexp.MustCompile(`^(?i:null|true|false|yes|no|on|off|y|n)$`)
)

func quoted(s string) string {
	if bare.MatchString(s) && !special.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}
