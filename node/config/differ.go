package config

import (
	"bytes"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Differ names the settings in which two configurations differ, as they are written ("as4.limits.parts"), in the order of the
// manual. Partners and P-Modes are left out; a section that only its owner can read is named as a whole.
func Differ(a, b *Config) []string {
	var out []string
	differ(&out, "", reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
	return out
}

func differ(out *[]string, path string, a, b reflect.Value) {
	different := false
	switch t := a.Type(); {
	case t == sectionType:
		different = !a.Interface().(Section).equal(b.Interface().(Section))
	case t == reflect.TypeFor[[]Section]():
		return
	case t == reflect.TypeFor[map[string]Section]():
		var names []string
		for _, m := range []reflect.Value{a, b} {
			for name := range m.Interface().(map[string]Section) {
				if !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
		slices.Sort(names)
		for _, name := range names {
			if x, y := a.Interface().(map[string]Section)[name], b.Interface().(map[string]Section)[name]; !x.equal(y) {
				*out = append(*out, path+"."+name)
			}
		}
		return
	case t.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil():
		differ(out, path, a.Elem(), b.Elem())
		return
	case t.Kind() == reflect.Struct:
		named := false
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if !f.IsExported() || name == "" {
				continue
			}
			named = true
			below := name
			if path != "" {
				below = path + "." + name
			}
			differ(out, below, a.Field(i), b.Field(i))
		}
		if named {
			return
		}
		different = !reflect.DeepEqual(a.Interface(), b.Interface())
	default:
		different = !reflect.DeepEqual(a.Interface(), b.Interface())
	}
	if different {
		*out = append(*out, path)
	}
}

// equal reports whether two sections say the same, wherever they stand.
func (s Section) equal(o Section) bool {
	text := func(s Section) []byte {
		if s.node == nil {
			return nil
		}
		b, err := yaml.Marshal(s.node)
		if err != nil {
			return nil
		}
		return b
	}
	return bytes.Equal(text(s), text(o))
}
