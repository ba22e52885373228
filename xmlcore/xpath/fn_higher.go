package xpath

import "sort"

// signatures of built-in functions, for those that function items are made of and tested by type.
var signatures = map[string]struct{ params, result string }{
	"abs#1": {"xs:numeric?", "xs:numeric?"}, "ceiling#1": {"xs:numeric?", "xs:numeric?"}, "floor#1": {"xs:numeric?", "xs:numeric?"},
	"round#1": {"xs:numeric?", "xs:numeric?"}, "number#1": {"xs:anyAtomicType?", "xs:double"}, "string#1": {"item()?", "xs:string"},
	"upper-case#1": {"xs:string?", "xs:string"}, "lower-case#1": {"xs:string?", "xs:string"}, "string-length#1": {"xs:string?", "xs:integer"},
	"normalize-space#1": {"xs:string?", "xs:string"}, "concat#2": {"xs:anyAtomicType?, xs:anyAtomicType?", "xs:string"},
	"concat#3":   {"xs:anyAtomicType?, xs:anyAtomicType?, xs:anyAtomicType?", "xs:string"},
	"contains#2": {"xs:string?, xs:string?", "xs:boolean"}, "starts-with#2": {"xs:string?, xs:string?", "xs:boolean"},
	"ends-with#2": {"xs:string?, xs:string?", "xs:boolean"}, "substring#2": {"xs:string?, xs:double", "xs:string"},
	"substring-before#2": {"xs:string?, xs:string?", "xs:string"}, "substring-after#2": {"xs:string?, xs:string?", "xs:string"},
	"string-join#1": {"xs:anyAtomicType*", "xs:string"}, "string-join#2": {"xs:anyAtomicType*, xs:string", "xs:string"},
	"matches#2": {"xs:string?, xs:string", "xs:boolean"}, "tokenize#2": {"xs:string?, xs:string", "xs:string*"}, "replace#3": {"xs:string?, xs:string, xs:string", "xs:string"},
	"count#1": {"item()*", "xs:integer"}, "exists#1": {"item()*", "xs:boolean"}, "empty#1": {"item()*", "xs:boolean"}, "not#1": {"item()*", "xs:boolean"},
	"boolean#1": {"item()*", "xs:boolean"}, "true#0": {"", "xs:boolean"}, "false#0": {"", "xs:boolean"}, "data#1": {"item()*", "xs:anyAtomicType*"},
	"reverse#1": {"item()*", "item()*"}, "head#1": {"item()*", "item()?"}, "tail#1": {"item()*", "item()*"}, "sum#1": {"xs:anyAtomicType*", "xs:anyAtomicType"},
	"avg#1": {"xs:anyAtomicType*", "xs:anyAtomicType?"}, "max#1": {"xs:anyAtomicType*", "xs:anyAtomicType?"}, "min#1": {"xs:anyAtomicType*", "xs:anyAtomicType?"},
	"deep-equal#2": {"item()*, item()*", "xs:boolean"}, "local-name#1": {"node()?", "xs:string"}, "name#1": {"node()?", "xs:string"}, "node-name#1": {"node()?", "xs:QName?"},
	"namespace-uri#1": {"node()?", "xs:anyURI"}, "position#0": {"", "xs:integer"}, "last#0": {"", "xs:integer"}, "codepoints-to-string#1": {"xs:integer*", "xs:string"},
	"string-to-codepoints#1": {"xs:string?", "xs:integer*"}, "translate#3": {"xs:string?, xs:string, xs:string", "xs:string"}, "compare#2": {"xs:string?, xs:string?", "xs:integer?"},
	"current-dateTime#0": {"", "xs:dateTime"}, "current-date#0": {"", "xs:date"}, "year-from-date#1": {"xs:date?", "xs:integer?"}, "year-from-dateTime#1": {"xs:dateTime?", "xs:integer?"},
	"month-from-date#1": {"xs:date?", "xs:integer?"}, "day-from-date#1": {"xs:date?", "xs:integer?"}, "dateTime#2": {"xs:date?, xs:time?", "xs:dateTime?"},
	"index-of#2": {"xs:anyAtomicType*, xs:anyAtomicType", "xs:integer*"}, "distinct-values#1": {"xs:anyAtomicType*", "xs:anyAtomicType*"},
	"parse-xml#1": {"xs:string?", "document-node()?"}, "parse-xml-fragment#1": {"xs:string?", "document-node()?"}, "serialize#1": {"item()*", "xs:string"},
	"analyze-string#2": {"xs:string?, xs:string", "element()"}, "json-to-xml#1": {"xs:string?", "document-node()?"}, "xml-to-json#1": {"node()?", "xs:string?"},
	"parse-json#1": {"xs:string?", "item()?"}, "json-doc#1": {"xs:string?", "item()?"}, "unparsed-text#1": {"xs:string?", "xs:string?"},
}

// seqArg takes an argument off as a sequence.
func (c *code) seqArg(m *machine) Sequence {
	base := len(m.stack)
	c.push(m)
	return m.keep(base)
}

// functionArg returns an argument that is a function of so many arguments.
func (c *code) functionArg(m *machine, arity int) Item {
	it, ok := c.one(m)
	if !ok || !it.typ.Is(TypeFunction) {
		fail("XPTY0004", "no function where one of %d arguments is wanted", arity)
	}
	if n := 1; it.typ == TypeFunction {
		if n = it.function().arity; n != arity {
			fail("XPTY0004", "a function of %d arguments where one of %d is wanted", n, arity)
		}
	} else if arity != n {
		fail("XPTY0004", "%s where a function of %d arguments is wanted", it.typ, arity)
	}
	return it
}

// truthOf is the result of a function that decides.
func (m *machine) truthOf(it Item, args ...Sequence) bool {
	v := (&SequenceType{typ: XSBoolean, text: "xs:boolean"}).convert(m.result(it, args...), "result")
	return v[0].truth()
}

func single(it Item) Sequence { return Sequence{it} }

// higher builds a function that calls functions; its value is never known beforehand.
func higher(f func(m *machine, a []*code)) builder { return with(needsOuter, many(f)) }

var higherFunctions = []builtin{
	{name: "for-each", min: 2, max: 2, build: higher(func(m *machine, a []*code) {
		s, f := a[0].seqArg(m), a[1].functionArg(m, 1)
		for _, it := range s {
			m.apply(f, single(it))
		}
	})},
	{name: "filter", min: 2, max: 2, build: higher(func(m *machine, a []*code) {
		s, f := a[0].seqArg(m), a[1].functionArg(m, 1)
		for _, it := range s {
			if m.truthOf(f, single(it)) {
				m.add(it)
			}
		}
	})},
	{name: "fold-left", min: 3, max: 3, build: higher(func(m *machine, a []*code) {
		s, v, f := a[0].seqArg(m), a[1].seqArg(m), a[2].functionArg(m, 2)
		for _, it := range s {
			v = m.result(f, v, single(it))
		}
		m.pushAll(v)
	})},
	{name: "fold-right", min: 3, max: 3, build: higher(func(m *machine, a []*code) {
		s, v, f := a[0].seqArg(m), a[1].seqArg(m), a[2].functionArg(m, 2)
		for i := len(s) - 1; i >= 0; i-- {
			v = m.result(f, single(s[i]), v)
		}
		m.pushAll(v)
	})},
	{name: "for-each-pair", min: 3, max: 3, build: higher(func(m *machine, a []*code) {
		s, t, f := a[0].seqArg(m), a[1].seqArg(m), a[2].functionArg(m, 2)
		for i := range min(len(s), len(t)) {
			m.apply(f, single(s[i]), single(t[i]))
		}
	})},
	{name: "sort", min: 1, max: 3, build: func(c *compiler, _ *expr, a []*code) *code {
		coll := c.x.coll
		return &code{deps: depsOf(a...) | needsOuter, push: func(m *machine) {
			s := a[0].seqArg(m)
			cl, f := m.sortArgs(a, coll)
			keys := make([]Sequence, len(s))
			for i, it := range s {
				keys[i] = m.sortKey(f, single(it))
			}
			for _, i := range m.sorted(keys, cl) {
				m.add(s[i])
			}
		}}
	}},
	{name: "apply", min: 2, max: 2, build: higher(func(m *machine, a []*code) {
		f, ok := a[0].one(m)
		args, ok2 := a[1].one(m)
		if !ok || !ok2 || args.typ != TypeArray {
			fail("XPTY0004", "apply takes a function and an array")
		}
		if f.typ == TypeFunction && f.function().arity != len(args.array().members) {
			fail("FOAP0001", "%d arguments for a function of %d", len(args.array().members), f.function().arity)
		}
		m.apply(f, append([]Sequence(nil), args.array().members...)...)
	})},
	{name: "function-name", min: 1, max: 1, build: with(needsOuter, one(XSQName, func(m *machine, a []*code) (Item, bool) {
		it := a[0].anyFunction(m)
		if it.typ != TypeFunction || it.function().name.Local == "" {
			return it, false
		}
		return qnameItem(XSQName, it.function().name), true
	}))},
	{name: "function-arity", min: 1, max: 1, build: with(needsOuter, one(XSInteger, func(m *machine, a []*code) (Item, bool) {
		it := a[0].anyFunction(m)
		if it.typ != TypeFunction {
			return IntegerItem(1), true
		}
		return IntegerItem(int64(it.function().arity)), true
	}))},
	{name: "function-lookup", min: 2, max: 2, build: func(c *compiler, e *expr, a []*code) *code {
		return &code{deps: depsOf(a...) | needsOuter | needsFocus, max1: true, one: func(m *machine) (Item, bool) {
			q, ok := a[0].of(m, XSQName)
			n, ok2 := a[1].integer(m)
			if !ok || !ok2 {
				fail("XPTY0004", "function-lookup takes a name and a number")
			}
			if n.p != nil || n.n < 0 || n.n > 1000 {
				return Item{}, false
			}
			ref := &expr{kind: xFunctionRef, pos: e.pos, end: e.end, name: *q.qname(), slot: int(n.n)}
			for _, f := range c.env.Functions {
				if f.Name.same(ref.name) && len(f.Params) == ref.slot {
					ref.user = f
				}
			}
			if ref.user == nil {
				ref.fn = lookupBuiltin(ref.name, c.env.XSLT)
				if ref.fn == nil || ref.slot < ref.fn.min || ref.slot > ref.fn.max {
					return Item{}, false
				}
			}
			return (&compiler{env: c.env, x: c.x}).functionRef(ref).one(m)
		}}
	}},
}

func (c *code) anyFunction(m *machine) Item {
	it, ok := c.one(m)
	if !ok || !it.typ.Is(TypeFunction) {
		fail("XPTY0004", "no function where one is wanted")
	}
	return it
}

// sortArgs reads collation and key function of the sort functions.
func (m *machine) sortArgs(a []*code, coll collation) (collation, Item) {
	if len(a) > 1 {
		if uri, ok := a[1].str(m); ok {
			c, err := findCollation(uri)
			if err != nil {
				panic(err)
			}
			coll = c
		}
	}
	if len(a) > 2 {
		return coll, a[2].functionArg(m, 1)
	}
	return coll, Item{}
}

func (m *machine) sortKey(f Item, v Sequence) Sequence {
	base := len(m.stack)
	if f.typ == TypeNone {
		m.pushAll(v)
	} else {
		m.apply(f, v)
	}
	m.atomizeAbove(base)
	return m.keep(base)
}

// sorted gives the order of keys, stable; untyped values count as strings and NaN as the least number.
func (m *machine) sorted(keys []Sequence, coll collation) []int {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool {
		m.tick(2)
		a, b := keys[order[i]], keys[order[j]]
		for k := range min(len(a), len(b)) {
			x, y := a[k], b[k]
			xn, yn := isNaN(x), isNaN(y)
			if xn || yn {
				if xn != yn && (x.typ.numeric() && y.typ.numeric()) {
					return xn
				}
				if xn && yn {
					continue
				}
			}
			c, ok, _ := m.order(x, y, true, coll)
			if !ok {
				fail("XPTY0004", "%s and %s have no order", x.typ, y.typ)
			}
			if c != 0 {
				return c < 0
			}
		}
		return len(a) < len(b)
	})
	return order
}

func isNaN(it Item) bool { return it.typ.float() && it.float() != it.float() }

// mapArg returns an argument of type map(*).
func (c *code) mapArg(m *machine) *mapping {
	it, ok := c.one(m)
	if !ok || it.typ != TypeMap {
		fail("XPTY0004", "no map where one is wanted")
	}
	return it.mapping()
}

func (c *code) keyArg(m *machine) Item {
	it, ok := c.atom(m)
	if !ok {
		fail("XPTY0004", "a key is one atomic value")
	}
	return it
}

func anyOne(t Type, f func(m *machine, a []*code) Item) builder {
	return with(needsOuter, one(t, func(m *machine, a []*code) (Item, bool) { return f(m, a), true }))
}

var mapFunctions = []builtin{
	{name: "size", min: 1, max: 1, build: anyOne(XSInteger, func(m *machine, a []*code) Item { return IntegerItem(int64(len(a[0].mapArg(m).entries))) })},
	{name: "keys", min: 1, max: 1, build: higher(func(m *machine, a []*code) {
		for _, e := range a[0].mapArg(m).entries {
			m.add(e.key)
		}
	})},
	{name: "contains", min: 2, max: 2, build: anyOne(XSBoolean, func(m *machine, a []*code) Item {
		_, ok := a[0].mapArg(m).get(a[1].keyArg(m))
		return BooleanItem(ok)
	})},
	{name: "get", min: 2, max: 2, build: higher(func(m *machine, a []*code) {
		v, _ := a[0].mapArg(m).get(a[1].keyArg(m))
		m.pushAll(v)
	})},
	{name: "put", min: 3, max: 3, build: anyOne(TypeMap, func(m *machine, a []*code) Item {
		x := m.copyMap(a[0].mapArg(m), nil)
		k := a[1].keyArg(m)
		x.put(k, a[2].seqArg(m))
		return mapItem(x)
	})},
	{name: "entry", min: 2, max: 2, build: anyOne(TypeMap, func(m *machine, a []*code) Item {
		x := newMapping()
		k := a[0].keyArg(m)
		x.put(k, a[1].seqArg(m))
		return mapItem(x)
	})},
	{name: "remove", min: 2, max: 2, build: anyOne(TypeMap, func(m *machine, a []*code) Item {
		x := a[0].mapArg(m)
		base := len(m.stack)
		a[1].atoms(m)
		gone := map[string]bool{}
		for _, k := range m.keep(base) {
			gone[mapKey(k)] = true
		}
		return mapItem(m.copyMap(x, gone))
	})},
	{name: "merge", min: 1, max: 2, build: anyOne(TypeMap, func(m *machine, a []*code) Item {
		s := a[0].seqArg(m)
		how := "use-first"
		if len(a) > 1 {
			if v, ok := a[1].mapArg(m).get(StringItem("duplicates")); ok {
				how = (&SequenceType{typ: XSString, text: "xs:string"}).convert(v, "option duplicates")[0].text()
			}
		}
		x := newMapping()
		for _, it := range s {
			if it.typ != TypeMap {
				fail("XPTY0004", "%s where maps are wanted", it.typ)
			}
			for _, e := range it.mapping().entries {
				m.tick(8)
				old, twice := x.get(e.key)
				switch {
				case !twice || how == "use-last":
					x.put(e.key, e.value)
				case how == "combine":
					x.put(e.key, append(append(Sequence(nil), old...), e.value...))
				case how == "reject":
					fail("FOJS0003", "key %s stands twice", atomString(e.key))
				case how != "use-first" && how != "use-any":
					fail("FOJS0005", "option duplicates cannot be %q", clip(how))
				}
			}
		}
		return mapItem(x)
	})},
	{name: "find", min: 2, max: 2, build: anyOne(TypeArray, func(m *machine, a []*code) Item {
		s, k := a[0].seqArg(m), a[1].keyArg(m)
		var found []Sequence
		var in func(v Sequence, depth int)
		in = func(v Sequence, depth int) {
			if depth > 200 {
				failLimit("maps nested deeper than 200")
			}
			for _, it := range v {
				m.tick(1)
				switch it.typ {
				case TypeArray:
					for _, w := range it.array().members {
						in(w, depth+1)
					}
				case TypeMap:
					if w, ok := it.mapping().get(k); ok {
						found = append(found, w)
					}
					for _, e := range it.mapping().entries {
						in(e.value, depth+1)
					}
				}
			}
		}
		in(s, 0)
		return arrayItem(found)
	})},
	{name: "for-each", min: 2, max: 2, build: higher(func(m *machine, a []*code) {
		x, f := a[0].mapArg(m), a[1].functionArg(m, 2)
		for _, e := range x.entries {
			m.apply(f, single(e.key), e.value)
		}
	})},
}

// arrayArg returns the members of an argument of type array(*).
func (c *code) arrayArg(m *machine) []Sequence {
	it, ok := c.one(m)
	if !ok || it.typ != TypeArray {
		fail("XPTY0004", "no array where one is wanted")
	}
	return it.array().members
}

// memberArg returns a position in an array, at most limit.
func (c *code) memberArg(m *machine, limit int) int {
	it, ok := c.integer(m)
	if !ok {
		fail("XPTY0004", "nothing where an integer is wanted")
	}
	if it.p != nil || it.n < 1 || it.n > int64(limit) {
		fail("FOAY0001", "there is no member %s", atomString(it))
	}
	return int(it.n)
}

func anyArray(f func(m *machine, a []*code) []Sequence) builder {
	return anyOne(TypeArray, func(m *machine, a []*code) Item {
		v := f(m, a)
		m.tick(len(v))
		return arrayItem(v)
	})
}

func glue(parts ...[]Sequence) []Sequence {
	var all []Sequence
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var arrayFunctions = []builtin{
	{name: "size", min: 1, max: 1, build: anyOne(XSInteger, func(m *machine, a []*code) Item { return IntegerItem(int64(len(a[0].arrayArg(m)))) })},
	{name: "get", min: 2, max: 2, build: higher(func(m *machine, a []*code) {
		v := a[0].arrayArg(m)
		m.pushAll(v[a[1].memberArg(m, len(v))-1])
	})},
	{name: "put", min: 3, max: 3, build: anyArray(func(m *machine, a []*code) []Sequence {
		v := a[0].arrayArg(m)
		i := a[1].memberArg(m, len(v))
		return glue(v[:i-1], []Sequence{a[2].seqArg(m)}, v[i:])
	})},
	{name: "append", min: 2, max: 2, build: anyArray(func(m *machine, a []*code) []Sequence {
		return glue(a[0].arrayArg(m), []Sequence{a[1].seqArg(m)})
	})},
	{name: "subarray", min: 2, max: 3, build: anyArray(func(m *machine, a []*code) []Sequence {
		v := a[0].arrayArg(m)
		i := a[1].memberArg(m, len(v)+1)
		n := len(v) - i + 1
		if len(a) > 2 {
			it, ok := a[2].integer(m)
			switch {
			case !ok:
				fail("XPTY0004", "nothing where an integer is wanted")
			case it.bigSign() < 0:
				fail("FOAY0002", "negative length")
			case it.p != nil || it.n > int64(n):
				fail("FOAY0001", "there are no %s members from %d on", atomString(it), i)
			}
			n = int(it.n)
		}
		return v[i-1 : i-1+n : i-1+n]
	})},
	{name: "remove", min: 2, max: 2, build: anyArray(func(m *machine, a []*code) []Sequence {
		v := a[0].arrayArg(m)
		base := len(m.stack)
		a[1].atoms(m)
		gone := map[int]bool{}
		for _, it := range m.keep(base) {
			it = promote(it, XSInteger)
			if !it.typ.integer() {
				fail("XPTY0004", "%s where integers are wanted", it.typ)
			}
			if it.p != nil || it.n < 1 || it.n > int64(len(v)) {
				fail("FOAY0001", "there is no member %s", atomString(it))
			}
			gone[int(it.n)] = true
		}
		var out []Sequence
		for i, x := range v {
			if !gone[i+1] {
				out = append(out, x)
			}
		}
		return out
	})},
	{name: "insert-before", min: 3, max: 3, build: anyArray(func(m *machine, a []*code) []Sequence {
		v := a[0].arrayArg(m)
		i := a[1].memberArg(m, len(v)+1)
		return glue(v[:i-1], []Sequence{a[2].seqArg(m)}, v[i-1:])
	})},
	{name: "head", min: 1, max: 1, build: higher(func(m *machine, a []*code) {
		v := a[0].arrayArg(m)
		if len(v) == 0 {
			fail("FOAY0001", "the array is empty")
		}
		m.pushAll(v[0])
	})},
	{name: "tail", min: 1, max: 1, build: anyArray(func(m *machine, a []*code) []Sequence {
		v := a[0].arrayArg(m)
		if len(v) == 0 {
			fail("FOAY0001", "the array is empty")
		}
		return v[1:]
	})},
	{name: "reverse", min: 1, max: 1, build: anyArray(func(m *machine, a []*code) []Sequence {
		v := a[0].arrayArg(m)
		out := make([]Sequence, len(v))
		for i, x := range v {
			out[len(v)-1-i] = x
		}
		return out
	})},
	{name: "join", min: 1, max: 1, build: anyArray(func(m *machine, a []*code) []Sequence {
		var out []Sequence
		for _, it := range a[0].seqArg(m) {
			if it.typ != TypeArray {
				fail("XPTY0004", "%s where arrays are wanted", it.typ)
			}
			out = append(out, it.array().members...)
		}
		return out
	})},
	{name: "flatten", min: 1, max: 1, build: higher(func(m *machine, a []*code) {
		var in func(v Sequence, depth int)
		in = func(v Sequence, depth int) {
			if depth > 200 {
				failLimit("arrays nested deeper than 200")
			}
			for _, it := range v {
				m.tick(1)
				if it.typ != TypeArray {
					m.add(it)
					continue
				}
				for _, w := range it.array().members {
					in(w, depth+1)
				}
			}
		}
		in(a[0].seqArg(m), 0)
	})},
	{name: "for-each", min: 2, max: 2, build: anyArray(func(m *machine, a []*code) []Sequence {
		v, f := a[0].arrayArg(m), a[1].functionArg(m, 1)
		out := make([]Sequence, len(v))
		for i, x := range v {
			out[i] = m.result(f, x)
		}
		return out
	})},
	{name: "filter", min: 2, max: 2, build: anyArray(func(m *machine, a []*code) []Sequence {
		v, f := a[0].arrayArg(m), a[1].functionArg(m, 1)
		var out []Sequence
		for _, x := range v {
			if m.truthOf(f, x) {
				out = append(out, x)
			}
		}
		return out
	})},
	{name: "fold-left", min: 3, max: 3, build: higher(func(m *machine, a []*code) {
		v, acc, f := a[0].arrayArg(m), a[1].seqArg(m), a[2].functionArg(m, 2)
		for _, x := range v {
			acc = m.result(f, acc, x)
		}
		m.pushAll(acc)
	})},
	{name: "fold-right", min: 3, max: 3, build: higher(func(m *machine, a []*code) {
		v, acc, f := a[0].arrayArg(m), a[1].seqArg(m), a[2].functionArg(m, 2)
		for i := len(v) - 1; i >= 0; i-- {
			acc = m.result(f, v[i], acc)
		}
		m.pushAll(acc)
	})},
	{name: "for-each-pair", min: 3, max: 3, build: anyArray(func(m *machine, a []*code) []Sequence {
		v, w, f := a[0].arrayArg(m), a[1].arrayArg(m), a[2].functionArg(m, 2)
		var out []Sequence
		for i := range min(len(v), len(w)) {
			out = append(out, m.result(f, v[i], w[i]))
		}
		return out
	})},
	{name: "sort", min: 1, max: 3, build: func(c *compiler, e *expr, a []*code) *code {
		coll := c.x.coll
		return anyArray(func(m *machine, a []*code) []Sequence {
			v := a[0].arrayArg(m)
			cl, f := m.sortArgs(a, coll)
			keys := make([]Sequence, len(v))
			for i, x := range v {
				keys[i] = m.sortKey(f, x)
			}
			out := make([]Sequence, len(v))
			for i, k := range m.sorted(keys, cl) {
				out[i] = v[k]
			}
			return out
		})(c, e, a)
	}},
}
