package xpath

// atomicType reads the name of an atomic type.
func (p *parser) atomicType() Type {
	t := p.tok()
	if t.kind != tokName || t.wild {
		p.fail(t.pos, "XPST0003", "%s not expected here, but the name of a type", p.show(t))
	}
	p.i++
	q := p.resolve(t, p.env.DefaultElementNamespace)
	typ, ok := atomicTypes[q.Local]
	if q.Space != SchemaSpace || !ok {
		p.fail(t.pos, "XPST0051", "there is no atomic type %s", q)
	}
	return typ
}

// sequenceType is SequenceType [XPath20 2.5.3].
func (p *parser) sequenceType() *SequenceType {
	p.enter()
	defer p.leave()
	pos := p.tok().pos
	st := &SequenceType{}
	p.typeInto(st)
	st.text = p.src[pos:p.lastEnd()]
	return st
}

func (p *parser) typeInto(st *SequenceType) {
	if p.word("empty-sequence") && p.symAt(1, "(") {
		p.i += 2
		p.need(")")
		st.empty = true
		return
	}
	p.itemType(st)
	for _, o := range []string{"?", "*", "+"} {
		if p.takeSym(o) {
			st.occurs = o[0]
			break
		}
	}
}

func (p *parser) itemType(st *SequenceType) {
	t := p.tok()
	if p.sym("(") {
		p.enter()
		p.i++
		p.itemType(st)
		p.need(")")
		p.leave()
		return
	}
	if t.kind == tokName && !t.prefixed && p.symAt(1, "(") {
		switch {
		case t.text == "item":
			p.i += 2
			p.need(")")
			st.typ = TypeItem
			return
		case kindTests[t.text]:
			st.typ, st.test = TypeNode, p.kindTest()
			return
		case t.text == "function" || t.text == "map" || t.text == "array":
			p.i += 2
			st.typ = map[string]Type{"function": TypeFunction, "map": TypeMap, "array": TypeArray}[t.text]
			if p.takeSym("*") {
				p.need(")")
				return
			}
			st.typed = true
			for !p.takeSym(")") {
				if len(st.params) > 0 {
					p.need(",")
				}
				st.params = append(st.params, p.sequenceType())
			}
			if st.typ == TypeFunction {
				p.needWord("as")
				st.result = p.sequenceType()
			} else if want := map[Type]int{TypeMap: 2, TypeArray: 1}[st.typ]; len(st.params) != want {
				p.fail(t.pos, "XPST0003", "%s takes %d types", t.text, want)
			}
			return
		}
	}
	if p.symAt(1, "(") {
		p.fail(t.pos, "XPST0003", "%s no kind of item", p.show(t))
	}
	st.typ = p.atomicType()
}
