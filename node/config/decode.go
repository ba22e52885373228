package config

import (
	"encoding"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Section is a part of a configuration that somebody else decodes: it keeps the text's place, so that
// whoever does reports problems with file and line like everything else. The zero value is an absent one.
type Section struct {
	File string // as given to Load
	Dir  string // where relative paths start
	Path string // "domains.procurement"
	node *yaml.Node
}

// IsZero reports whether the section is absent.
func (s Section) IsZero() bool { return s.node == nil }

// Line returns where the section starts, 0 when it is absent.
func (s Section) Line() int {
	if s.node == nil {
		return 0
	}
	return s.node.Line
}

// Problem makes an error that points at the section, or at one key in it.
func (s Section) Problem(key, format string, args ...any) *Problem {
	p := &Problem{File: s.File, Line: s.Line(), Path: s.Path, Text: fmt.Sprintf(format, args...)}
	if key == "" {
		return p
	}
	p.Path = join(s.Path, key)
	n := s.node
	for k := range strings.SplitSeq(key, ".") {
		if n == nil || n.Kind != yaml.MappingNode {
			break
		}
		next := (*yaml.Node)(nil)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == k {
				p.Line, next = n.Content[i].Line, n.Content[i+1]
			}
		}
		n = next
	}
	return p
}

// Keys returns the keys of the section in their order.
func (s Section) Keys() []string {
	if s.node == nil || s.node.Kind != yaml.MappingNode {
		return nil
	}
	var out []string
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		out = append(out, s.node.Content[i].Value)
	}
	return out
}

// Checker is implemented by structs whose fields depend on each other. Check is called after a struct was
// decoded without other problems; key is a key of the struct, or "" for all of it.
type Checker interface {
	Check(report func(key, format string, args ...any))
}

// Decode reads a section into the struct that into points to, strictly: every problem is reported at
// once, as [Problems]. An absent section leaves the defaults, and required keys are not asked for.
//
// Fields are named by their yaml tag, else by their name with a small start. Further tags: default
// (as written in a file), required:"true", enum:"a,b,c", min and max for numbers, durations and sizes, doc
// and example for [Describe] and [Template]. Embedded structs tagged yaml:",inline" belong to the outer
// one. Kinds: string, bool, integers, floats, time.Duration, encoding.TextUnmarshaler, structs, pointers
// to structs, slices, maps with string keys, and [Section].
func Decode(s Section, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: Decode into %T, not a pointer to a struct", into))
	}
	d := &decoder{file: s.File, dir: s.Dir}
	d.defaults(v.Elem())
	if s.node != nil {
		d.structure(s.node, s.Path, v.Elem())
	}
	return d.problems.err()
}

type decoder struct {
	file, dir string
	problems  Problems
}

func (d *decoder) report(n *yaml.Node, path, format string, args ...any) {
	d.problems = append(d.problems, &Problem{File: d.file, Line: n.Line, Path: path, Text: fmt.Sprintf(format, args...)})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// field is one key of a struct.
type field struct {
	key   string
	index []int
	tag   reflect.StructTag
	typ   reflect.Type
}

var (
	sectionType  = reflect.TypeFor[Section]()
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	pathType     = reflect.TypeFor[Path]()
	secretType   = reflect.TypeFor[Secret]()
)

// fields lists the keys of a struct in their order.
func fields(t reflect.Type) []field {
	var out []field
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case opts == "inline" || f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			for _, in := range fields(f.Type) {
				in.index = append(slices.Clone(f.Index), in.index...)
				out = append(out, in)
			}
		case !decodable(f.Type):
		default:
			if name == "" {
				name = keyOf(f.Name)
			}
			out = append(out, field{name, f.Index, f.Tag, f.Type})
		}
	}
	return out
}

// keyOf gives the key of a field without a tag: its name with a small start, where initials are one letter
// ("ID" is id, "URLPath" is urlPath).
func keyOf(name string) string {
	r := []rune(name)
	for i := range r {
		if i > 0 && i+1 < len(r) && !unicode.IsUpper(r[i+1]) || !unicode.IsUpper(r[i]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

// isText reports whether values of t are written as one word.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

func decodable(t reflect.Type) bool {
	if t == sectionType || isText(t) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64, reflect.Struct:
		return true
	case reflect.Pointer:
		return t.Elem().Kind() == reflect.Struct && decodable(t.Elem())
	case reflect.Slice:
		return decodable(t.Elem())
	case reflect.Map:
		return t.Key().Kind() == reflect.String && decodable(t.Elem())
	}
	return false
}

// defaults sets what the default tags say, in nested structs too. A default that cannot be read is a
// mistake of the program.
func (d *decoder) defaults(v reflect.Value) {
	for _, f := range fields(v.Type()) {
		fv := v.FieldByIndex(f.index)
		if f.typ.Kind() == reflect.Struct && f.typ != sectionType && !isText(f.typ) {
			d.defaults(fv)
			continue
		}
		def, ok := f.tag.Lookup("default")
		if !ok {
			continue
		}
		words := []string{def}
		if f.typ.Kind() == reflect.Slice {
			words = strings.Split(def, ",")
			fv.Set(reflect.MakeSlice(f.typ, len(words), len(words)))
		}
		for i, w := range words {
			to := fv
			if f.typ.Kind() == reflect.Slice {
				to = fv.Index(i)
			}
			if err := d.word(strings.TrimSpace(w), to); err != nil {
				panic(fmt.Sprintf("config: default of %s.%s: %v", v.Type(), f.key, err))
			}
		}
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// structure decodes a mapping into a struct whose defaults are set.
func (d *decoder) structure(n *yaml.Node, path string, v reflect.Value) {
	before := len(d.problems)
	known := fields(v.Type())
	seen := make(map[string]*yaml.Node, len(known))
	d.mapping(n, path, func(k, val *yaml.Node) {
		i := slices.IndexFunc(known, func(f field) bool { return f.key == k.Value })
		if i < 0 {
			keys := make([]string, len(known))
			for i, f := range known {
				keys[i] = f.key
			}
			d.report(k, join(path, shown(k.Value)), "unknown key%s", DidYouMean(k.Value, keys))
			return
		}
		seen[k.Value] = val
		d.value(val, join(path, k.Value), v.FieldByIndex(known[i].index), known[i].tag)
	})
	for _, f := range known {
		if f.tag.Get("required") == "true" && seen[f.key] == nil {
			d.report(n, join(path, f.key), "missing: %s", lowerFirst(firstSentence(f.tag.Get("doc"))))
		}
	}
	if len(d.problems) > before {
		return
	}
	if c, ok := v.Addr().Interface().(Checker); ok {
		s := Section{File: d.file, Path: path, node: n}
		c.Check(func(key, format string, args ...any) {
			d.problems = append(d.problems, s.Problem(key, format, args...))
		})
	}
}

// mapping calls each for every key, once.
func (d *decoder) mapping(n *yaml.Node, path string, each func(k, v *yaml.Node)) {
	if isNull(n) {
		return // "tls:" with all its lines commented out
	}
	if n.Kind != yaml.MappingNode {
		d.report(n, path, "%s where keys with values are expected", kindName(n))
		return
	}
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!merge":
			d.report(k, path, "a key must be a word")
		case lines[k.Value] > 0:
			d.report(k, join(path, shown(k.Value)), "is already set in line %d", lines[k.Value])
		default:
			lines[k.Value] = k.Line
			each(k, v)
		}
	}
}

// value decodes one node into v, which holds the default.
func (d *decoder) value(n *yaml.Node, path string, v reflect.Value, tag reflect.StructTag) {
	if n.Kind == yaml.AliasNode {
		d.report(n, path, "anchors and aliases are not used in this file: write the value again")
		return
	}
	t := v.Type()
	switch {
	case t == sectionType:
		d.noAliases(n, path)
		v.Set(reflect.ValueOf(Section{File: d.file, Dir: d.dir, Path: path, node: n}))
	case isText(t):
		d.scalar(n, path, v, tag)
	case t.Kind() == reflect.Struct:
		d.structure(n, path, v)
	case t.Kind() == reflect.Pointer:
		if isNull(n) {
			return
		}
		v.Set(reflect.New(t.Elem()))
		d.defaults(v.Elem())
		d.structure(n, path, v.Elem())
	case t.Kind() == reflect.Slice:
		d.list(n, path, v, tag)
	case t.Kind() == reflect.Map:
		m := reflect.MakeMap(t)
		d.mapping(n, path, func(k, val *yaml.Node) {
			e := reflect.New(t.Elem()).Elem()
			if e.Kind() == reflect.Struct && t.Elem() != sectionType && !isText(t.Elem()) {
				d.defaults(e)
			}
			d.value(val, join(path, shown(k.Value)), e, tag)
			m.SetMapIndex(reflect.ValueOf(k.Value).Convert(t.Key()), e)
		})
		v.Set(m)
	default:
		d.scalar(n, path, v, tag)
	}
}

func (d *decoder) list(n *yaml.Node, path string, v reflect.Value, tag reflect.StructTag) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.report(n, path, `%s where a list is expected: lines that start with "- "`, kindName(n))
		return
	}
	t := v.Type()
	out := reflect.MakeSlice(t, len(n.Content), len(n.Content))
	for i, item := range n.Content {
		e := out.Index(i)
		if e.Kind() == reflect.Struct && t.Elem() != sectionType && !isText(t.Elem()) {
			d.defaults(e)
		}
		d.value(item, fmt.Sprintf("%s[%d]", path, i), e, tag)
	}
	v.Set(out)
}

// scalar decodes a word and applies enum, min and max.
func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value, tag reflect.StructTag) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.report(n, path, "%s where %s is expected", kindName(n), typeName(v.Type()))
		return
	case isNull(n):
		d.report(n, path, "has no value: remove the line or write %s", typeName(v.Type()))
		return
	}
	if err := d.word(n.Value, v); err != nil {
		d.report(n, path, "%s", err)
		return
	}
	if enum := tag.Get("enum"); enum != "" {
		if words := strings.Split(enum, ","); !slices.Contains(words, n.Value) {
			d.report(n, path, "%q is not one of %s%s", shown(n.Value), strings.Join(words, ", "), DidYouMean(n.Value, words))
			return
		}
	}
	d.bounds(n, path, v, tag)
}

func (d *decoder) bounds(n *yaml.Node, path string, v reflect.Value, tag reflect.StructTag) {
	for _, end := range [...]struct {
		name, text string
		sign       int
	}{{"min", "less than the least allowed", -1}, {"max", "more than the most allowed", 1}} {
		limit := tag.Get(end.name)
		if limit == "" {
			continue
		}
		l := reflect.New(v.Type()).Elem()
		if err := d.word(limit, l); err != nil {
			panic(fmt.Sprintf("config: %s of %s: %v", end.name, path, err))
		}
		if compare(v, l) == end.sign {
			d.report(n, path, "%s is %s, %s", shown(n.Value), end.text, limit)
		}
	}
}

func compare(a, b reflect.Value) int {
	var x, y float64
	switch {
	case a.CanInt():
		x, y = float64(a.Int()), float64(b.Int())
	case a.CanUint():
		x, y = float64(a.Uint()), float64(b.Uint())
	case a.CanFloat():
		x, y = a.Float(), b.Float()
	}
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// word reads one value from its text, as written in a file or in a tag.
func (d *decoder) word(s string, v reflect.Value) error {
	t := v.Type()
	switch {
	case isText(t):
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			return err
		}
		d.resolve(v)
	case t == durationType:
		x, err := parseDuration(s)
		if err != nil {
			return err
		}
		v.SetInt(int64(x))
	case t.Kind() == reflect.String:
		v.SetString(s)
	case t.Kind() == reflect.Bool:
		if s != "true" && s != "false" {
			return fmt.Errorf("%q is neither true nor false", shown(s))
		}
		v.SetBool(s == "true")
	case v.CanInt():
		x, err := strconv.ParseInt(s, 10, t.Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number", shown(s))
		}
		v.SetInt(x)
	case v.CanUint():
		x, err := strconv.ParseUint(s, 10, t.Bits())
		if err != nil {
			return fmt.Errorf("%q is not a whole number, or is less than 0", shown(s))
		}
		v.SetUint(x)
	case v.CanFloat():
		x, err := strconv.ParseFloat(s, t.Bits())
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%q is not a number", shown(s))
		}
		v.SetFloat(x)
	default:
		return fmt.Errorf("the program cannot read a %s", t)
	}
	return nil
}

// resolve makes paths absolute, so that they mean the same wherever the program was started.
func (d *decoder) resolve(v reflect.Value) {
	abs := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(d.dir, p)
	}
	switch v.Type() {
	case pathType:
		v.SetString(abs(v.String()))
	case secretType:
		if s := v.Addr().Interface().(*Secret); s.kind == "file" {
			s.name = abs(s.name)
		}
	}
}

// noAliases keeps aliases out of what is decoded later.
func (d *decoder) noAliases(n *yaml.Node, path string) {
	if n.Kind == yaml.AliasNode {
		d.report(n, path, "anchors and aliases are not used in this file: write the value again")
		return
	}
	for _, c := range n.Content {
		d.noAliases(c, path)
	}
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	return "a single value"
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]() || t == durationType:
		return "a duration"
	case t == reflect.TypeFor[Size]():
		return "a size"
	case t == pathType:
		return "a path"
	case t == secretType:
		return "file:PATH or env:NAME"
	case t == reflect.TypeFor[URL]():
		return "an address"
	case t == reflect.TypeFor[Listen]():
		return "host:port"
	case t == sectionType:
		return "keys with values"
	case isText(t) || t.Kind() == reflect.String:
		return "a text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct, reflect.Pointer:
		return "keys with values"
	}
	return "a number"
}

// shown cuts what a stranger wrote to a length fit for an error.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}

func firstSentence(s string) string {
	s, _, _ = strings.Cut(s, ". ")
	return strings.TrimSuffix(s, ".")
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 1 && unicode.IsUpper(r[0]) && !unicode.IsUpper(r[1]) {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}

// sortedKeys is for maps whose order must not depend on chance.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
