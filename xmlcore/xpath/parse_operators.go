package xpath

// expr is Expr: one or more single expressions with commas.
func (p *parser) expr() *expr {
	pos := p.tok().pos
	e := p.single()
	if !p.sym(",") {
		return e
	}
	kids := []*expr{e}
	for p.takeSym(",") {
		kids = append(kids, p.single())
	}
	return p.make(xSequence, pos, kids...)
}

func (p *parser) single() *expr {
	p.enter()
	defer p.leave()
	if t := p.tok(); t.kind == tokName && !t.prefixed {
		switch {
		case p.symAt(1, "$"):
			switch t.text {
			case "for":
				return p.binding(xFor, "in", "return")
			case "let":
				return p.binding(xLet, ":=", "return")
			case "some":
				return p.binding(xSome, "in", "satisfies")
			case "every":
				return p.binding(xEvery, "in", "satisfies")
			}
		case t.text == "if" && p.symAt(1, "("):
			p.i += 2
			cond := p.expr()
			p.need(")")
			p.needWord("then")
			yes := p.single()
			p.needWord("else")
			return p.make(xIf, t.pos, cond, yes, p.single())
		}
	}
	return p.or()
}

// binding is for, let, some and every: each variable is seen by what follows.
func (p *parser) binding(k kind, sep, last string) *expr {
	pos := p.tok().pos
	p.i++
	mark, next := len(p.scope), p.next
	type bound struct {
		slot int
		name QName
		src  *expr
	}
	var list []bound
	for {
		p.need("$")
		name := p.varName()
		if sep == ":=" {
			p.need(sep)
		} else {
			p.needWord(sep)
		}
		src := p.single()
		b := bound{p.slot(), name, src}
		p.scope = append(p.scope, local{name, b.slot})
		list = append(list, b)
		if !p.takeSym(",") {
			break
		}
	}
	p.needWord(last)
	body := p.single()
	p.scope, p.next = p.scope[:mark], next
	for i := len(list) - 1; i >= 0; i-- {
		body = p.make(k, pos, list[i].src, body)
		body.slot, body.name = list[i].slot, list[i].name
		if i > 0 {
			body.pos = list[i].src.pos
		}
	}
	return body
}

func (p *parser) slot() int {
	s := p.next
	p.next++
	p.frame = max(p.frame, p.next)
	return s
}

func (p *parser) varName() QName {
	t := p.tok()
	if t.kind != tokName || t.wild {
		p.fail(t.pos, "XPST0003", "%s not expected here, but the name of a variable", p.show(t))
	}
	p.i++
	return p.resolve(t, "")
}

// Binary operators, the weakest first.

func (p *parser) or() *expr {
	pos := p.tok().pos
	e := p.and()
	if !p.word("or") {
		return e
	}
	kids := []*expr{e}
	for p.takeWord("or") {
		kids = append(kids, p.and())
	}
	return p.make(xOr, pos, kids...)
}

func (p *parser) and() *expr {
	pos := p.tok().pos
	e := p.comparison()
	if !p.word("and") {
		return e
	}
	kids := []*expr{e}
	for p.takeWord("and") {
		kids = append(kids, p.comparison())
	}
	return p.make(xAnd, pos, kids...)
}

func (p *parser) comparison() *expr {
	pos := p.tok().pos
	a := p.concat()
	t := p.tok()
	k, cmp := xSequence, opEq
	if t.kind == tokSymbol || t.kind == tokName && !t.prefixed && !t.wild {
		for i, n := range comparisonNames {
			if t.kind == tokName && t.text == n[0] {
				k, cmp = xValue, comparison(i)
			} else if t.kind == tokSymbol && t.text == n[1] {
				k, cmp = xGeneral, comparison(i)
			}
		}
		switch {
		case t.kind == tokName && t.text == "is":
			k = xIs
		case t.kind == tokSymbol && t.text == "<<":
			k = xBefore
		case t.kind == tokSymbol && t.text == ">>":
			k = xAfter
		}
	}
	if k == xSequence {
		return a
	}
	p.i++
	b := p.concat()
	e := p.make(k, pos, a, b)
	e.cmp = cmp
	return e
}

func (p *parser) concat() *expr {
	pos := p.tok().pos
	e := p.rangeTo()
	if !p.sym("||") {
		return e
	}
	kids := []*expr{e}
	for p.takeSym("||") {
		kids = append(kids, p.rangeTo())
	}
	return p.make(xConcat, pos, kids...)
}

func (p *parser) rangeTo() *expr {
	pos := p.tok().pos
	e := p.additive()
	if p.takeWord("to") {
		return p.make(xRange, pos, e, p.additive())
	}
	return e
}

// chain bounds operators that nest to the left, since evaluation goes down as deep.
func (p *parser) chain(n int) {
	const most = 20_000
	if n > most {
		p.fail(p.tok().pos, "XPST0003", "more than %d operators in a row", most)
	}
}

func (p *parser) additive() *expr {
	pos := p.tok().pos
	e := p.multiplicative()
	for n := 0; ; n++ {
		p.chain(n)
		op := opAdd
		switch {
		case p.takeSym("+"):
		case p.takeSym("-"):
			op = opSub
		default:
			return e
		}
		b := p.multiplicative()
		e = p.make(xArith, pos, e, b)
		e.arith = op
	}
}

func (p *parser) multiplicative() *expr {
	pos := p.tok().pos
	e := p.union()
	for n := 0; ; n++ {
		p.chain(n)
		op := opMul
		switch {
		case p.takeSym("*"):
		case p.takeWord("div"):
			op = opDiv
		case p.takeWord("idiv"):
			op = opIDiv
		case p.takeWord("mod"):
			op = opMod
		default:
			return e
		}
		b := p.union()
		e = p.make(xArith, pos, e, b)
		e.arith = op
	}
}

func (p *parser) union() *expr {
	pos := p.tok().pos
	e := p.intersect()
	if !p.sym("|") && !p.word("union") {
		return e
	}
	kids := []*expr{e}
	for p.takeSym("|") || p.takeWord("union") {
		kids = append(kids, p.intersect())
	}
	return p.make(xUnion, pos, kids...)
}

func (p *parser) intersect() *expr {
	pos := p.tok().pos
	e := p.instance()
	for n := 0; ; n++ {
		p.chain(n)
		k := xIntersect
		switch {
		case p.takeWord("intersect"):
		case p.takeWord("except"):
			k = xExcept
		default:
			return e
		}
		b := p.instance()
		e = p.make(k, pos, e, b)
	}
}

func (p *parser) instance() *expr {
	pos := p.tok().pos
	e := p.treat()
	if p.word("instance") && p.wordAt(1, "of") {
		p.i += 2
		st := p.sequenceType()
		e = p.make(xInstance, pos, e)
		e.st = st
	}
	return e
}

func (p *parser) treat() *expr {
	pos := p.tok().pos
	e := p.castable()
	if p.word("treat") && p.wordAt(1, "as") {
		p.i += 2
		st := p.sequenceType()
		e = p.make(xTreat, pos, e)
		e.st = st
	}
	return e
}

func (p *parser) castable() *expr {
	pos := p.tok().pos
	e := p.cast()
	if p.word("castable") && p.wordAt(1, "as") {
		p.i += 2
		e = p.castTo(xCastable, pos, e)
	}
	return e
}

func (p *parser) cast() *expr {
	pos := p.tok().pos
	e := p.arrow()
	if p.word("cast") && p.wordAt(1, "as") {
		p.i += 2
		e = p.castTo(xCast, pos, e)
	}
	return e
}

func (p *parser) castTo(k kind, pos int, e *expr) *expr {
	t := p.tok()
	typ, list := p.listType()
	if list {
		k = map[kind]kind{xCast: xCastList, xCastable: xCastableList}[k]
	} else {
		typ = p.atomicType()
	}
	if typ == TypeAtomic || typ == XSNOTATION {
		p.fail(t.pos, "XPST0080", "nothing can be cast to %s", typ)
	}
	optional := p.takeSym("?")
	e = p.make(k, pos, e)
	e.typ, e.optional = typ, optional
	return e
}

func (p *parser) arrow() *expr {
	pos := p.tok().pos
	e := p.unary()
	for n := 0; p.sym("=>"); n++ {
		p.chain(n)
		p.i++
		t := p.tok()
		switch {
		case t.kind == tokName && !t.wild:
			p.i++
			p.need("(")
			e = p.call(t, pos, e)
		case p.takeSym("$"):
			f := p.variable(t.pos, p.varName())
			p.need("(")
			e = p.dynamicCall(pos, f, p.args(e))
		case p.sym("("):
			f := p.parenthesized()
			p.need("(")
			e = p.dynamicCall(pos, f, p.args(e))
		default:
			p.fail(t.pos, "XPST0003", "%s not expected here, but a function", p.show(t))
		}
	}
	return e
}

func (p *parser) unary() *expr {
	pos := p.tok().pos
	var ops []kind
	for p.sym("-") || p.sym("+") {
		if p.sym("-") {
			ops = append(ops, xNegate)
		} else {
			ops = append(ops, xPlus)
		}
		p.i++
		if len(ops) > maxDepth {
			p.fail(pos, "XPST0003", "too many signs")
		}
	}
	e := p.bang()
	for i := len(ops) - 1; i >= 0; i-- {
		e = p.make(ops[i], pos, e)
	}
	return e
}

func (p *parser) bang() *expr {
	pos := p.tok().pos
	e := p.path()
	for n := 0; p.takeSym("!"); n++ {
		p.chain(n)
		b := p.path()
		e = p.make(xBang, pos, e, b)
	}
	return e
}
