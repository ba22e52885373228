package xpath

import (
	"hash/fnv"
	"math/rand/v2"

	"golang.org/x/text/collate"
)

// otherFunctions are collation keys and random numbers [FO31 5.3.9, 4.9.1].
var otherFunctions = []builtin{
	{name: "collation-key", min: 1, max: 2, build: withCollation(1, XSBase64Binary, func(m *machine, a []*code, coll collation) (Item, bool) {
		s := a[0].needText(m)
		m.tick(8 + len(s))
		key := s
		if coll != nil {
			key = coll.key(s)
		}
		m.built(len(key))
		return textItem(XSBase64Binary, key), true
	})},
	{name: "random-number-generator", min: 0, max: 1, build: higher(func(m *machine, a []*code) {
		h := fnv.New64a()
		if len(a) > 0 {
			if it, ok := a[0].atom(m); ok {
				h.Write([]byte(it.typ.primitive().String() + " " + atomString(it)))
			}
		}
		m.add(randomNumbers(h.Sum64(), 0))
	})},
}

// randomNumbers is the generator at a place of the sequence that a seed begins: the same one gives the same numbers. They are not
// for keys.
func randomNumbers(seed, place uint64) Item {
	source := rand.New(rand.NewPCG(seed, place))
	x := newMapping()
	x.put(StringItem("number"), single(DoubleItem(source.Float64())))
	x.put(StringItem("next"), single(functionItem(&function{call: func(m *machine, _ []Sequence) { m.add(randomNumbers(seed, place+1)) }})))
	x.put(StringItem("permute"), single(functionItem(&function{arity: 1, call: func(m *machine, args []Sequence) {
		m.tick(len(args[0]))
		v := append(Sequence(nil), args[0]...)
		rand.New(rand.NewPCG(seed, ^place)).Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
		m.pushAll(v)
	}})))
	return mapItem(x)
}

func (c asciiInsensitive) key(s string) string { return c.fold(s) }

func (c *unicodeCollation) key(s string) string {
	k, _ := c.pool.Get().(*collate.Collator)
	if k == nil {
		k = collate.New(c.tag, c.options...)
	}
	defer c.pool.Put(k)
	var b collate.Buffer
	if !c.blanked {
		return string(k.KeyFromString(&b, s))
	}
	key := string(k.KeyFromString(&b, c.strip(s)))
	if c.exact { // what is the same without spaces and punctuation is told apart by them
		b.Reset()
		key += "\x00\x00" + string(k.KeyFromString(&b, s))
	}
	return key
}
