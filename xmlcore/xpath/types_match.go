package xpath

import "fmt"

// ParseSequenceType reads a type such as "xs:string?" or "element(cbc:ID)*".
func ParseSequenceType(s string, env *Static) (*SequenceType, error) {
	if env == nil {
		env = &Static{}
	}
	names := env.Names
	if names == nil {
		names = NewNames()
	}
	// the grammar of a type stands only behind an operator
	e, _, err := parse("() instance of "+s, env, names)
	if err != nil {
		if x, ok := err.(*Error); ok {
			x.Expr, x.Offset, x.End = s, max(x.Offset-15, 0), min(max(x.End-15, 0), len(s))
		}
		return nil, err
	}
	if e.kind != xInstance {
		return nil, &Error{Code: QName{ErrorSpace, "XPST0003", "err"}, Msg: "more than a type", Expr: s, Offset: 0, End: len(s), kind: ErrStatic}
	}
	return e.st, nil
}

// Matches reports whether a value has the type.
func (s *SequenceType) Matches(v Sequence) bool { return s == nil || s.matches(v) }

func (s *SequenceType) matches(v []Item) bool {
	if s.empty {
		return len(v) == 0
	}
	if !s.counts(len(v)) {
		return false
	}
	for _, it := range v {
		if !s.item(it) {
			return false
		}
	}
	return true
}

func (s *SequenceType) counts(n int) bool {
	switch s.occurs {
	case '?':
		return n <= 1
	case '+':
		return n >= 1
	case '*':
		return true
	}
	return n == 1
}

func (s *SequenceType) item(it Item) bool {
	switch s.typ {
	case TypeItem:
		return true
	case TypeNode:
		if it.typ != TypeNode {
			return false
		}
		if it.n >= 0 {
			return s.test.kind == 0 && !s.test.named
		}
		return s.test.matchAny(it.Node())
	case TypeFunction, TypeMap, TypeArray:
		return it.typ.Is(s.typ) && (!s.typed || s.functionMatches(it))
	}
	return it.typ.Is(s.typ)
}

func (s *SequenceType) functionMatches(it Item) bool {
	switch s.typ {
	case TypeMap:
		for _, e := range it.mapping().entries {
			if !s.params[0].matches([]Item{e.key}) || !s.params[1].matches(e.value) {
				return false
			}
		}
		return true
	case TypeArray:
		for _, v := range it.array().members {
			if !s.params[0].matches(v) {
				return false
			}
		}
		return true
	}
	switch it.typ {
	case TypeMap, TypeArray:
		if len(s.params) != 1 {
			return false
		}
		key := TypeAtomic
		if it.typ == TypeArray {
			key = XSInteger
		}
		if !s.params[0].typ.Is(key) || s.params[0].occurs != 0 {
			return false
		}
		for _, v := range itemValues(it) {
			if !s.result.matches(v) {
				return false
			}
		}
		return it.typ == TypeArray || s.result.counts(0) || s.result.empty // a map answers nothing for a missing key
	}
	f := it.function()
	if f.arity != len(s.params) {
		return false
	}
	for i, p := range s.params {
		if f.params != nil && !p.subtype(f.params[i]) {
			return false
		}
	}
	return f.result.subsumed(s.result)
}

// subsumed reports whether a declared result, nil for anything, is always of type t.
func (s *SequenceType) subsumed(t *SequenceType) bool {
	if s == nil {
		return t.typ == TypeItem && t.occurs == '*'
	}
	return s.subtype(t)
}

// subtype reports whether every value of s is one of t [XPath31 2.5.6].
func (s *SequenceType) subtype(t *SequenceType) bool {
	if t == nil {
		return true
	}
	if s.empty {
		return t.empty || t.counts(0)
	}
	if t.empty {
		return false
	}
	ok := map[byte]string{0: "\x00?*+", '?': "?*", '+': "+*", '*': "*"}[s.occurs]
	found := false
	for i := range len(ok) {
		found = found || ok[i] == t.occurs
	}
	if !found {
		return false
	}
	switch {
	case t.typ == TypeItem:
		return true
	case t.typ == TypeNode:
		return s.typ == TypeNode && (t.test == nodeTest{} || t.test == s.test ||
			t.test.kind == s.test.kind && !t.test.named && !t.test.typed && t.test.inner == nil)
	case !s.typ.Is(t.typ):
		return false
	case t.typ >= TypeFunction && t.typ <= TypeArray && t.typed:
		if !s.typed || len(s.params) != len(t.params) || s.typ != t.typ {
			return false
		}
		for i := range s.params {
			if s.typ == TypeFunction && !t.params[i].subtype(s.params[i]) || s.typ != TypeFunction && !s.params[i].subtype(t.params[i]) {
				return false
			}
		}
		return s.typ != TypeFunction || s.result.subtype(t.result)
	}
	return true
}

// Convert applies the function conversion rules [XPath20 3.1.5]: atomization, casts of untyped values, promotion.
func (s *SequenceType) Convert(v Sequence) (r Sequence, err error) {
	defer func() {
		if x := recover(); x != nil {
			e, ok := x.(*Error)
			if !ok {
				panic(x)
			}
			r, err = nil, e
		}
	}()
	return s.convert(v, "value"), nil
}

func (s *SequenceType) convert(v Sequence, what string) Sequence {
	if s == nil || s.matches(v) && !(s.typ.atomic() && len(v) > 0 && v[0].typ == TypeNode) {
		return v
	}
	if s.typ.atomic() {
		out := make(Sequence, 0, len(v))
		for _, it := range v {
			if it.typ == TypeArray {
				for _, mem := range it.array().members {
					out = append(out, mem...)
				}
				continue
			}
			if it.typ == TypeFunction || it.typ == TypeMap {
				fail("FOTY0013", "%s has no typed value", it.typ)
			}
			out = append(out, promote(atomOf(it), s.typ))
		}
		v = out
	} else if s.typ == TypeFunction && s.typed {
		out := make(Sequence, 0, len(v))
		for _, it := range v {
			out = append(out, coerce(it, s))
		}
		v = out
	}
	if !s.matches(v) {
		fail("XPTY0004", "the %s is %s and not %s", what, describe(v), s)
	}
	return v
}

// promote casts an untyped value and widens a number or URI.
func promote(it Item, t Type) Item {
	switch {
	case it.typ.Is(t):
	case it.typ == XSUntypedAtomic:
		if t == XSNumeric {
			t = XSDouble
		}
		if t == XSQName {
			fail("XPTY0117", "an untyped value where xs:QName is wanted")
		}
		return mustCast(it, t)
	case t == XSDouble && it.typ.numeric(), t == XSFloat && it.typ.decimal():
		return mustCast(it, t)
	case t == XSString && it.typ == XSAnyURI:
		it.typ = XSString
	}
	return it
}

func describe(v Sequence) string {
	switch len(v) {
	case 0:
		return "empty"
	case 1:
		return v[0].typ.String()
	}
	return fmt.Sprintf("a sequence of %d items", len(v))
}
