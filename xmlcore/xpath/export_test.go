package xpath

// Plain evaluates without any rewriting, so that tests can compare.
func (e *Expr) Plain(ctx *Context) (v Sequence, err error) {
	k := e.reporting()
	if k == nil {
		return nil, errorf("XPST0003", "no plain form")
	}
	m := ctx.machine()
	nested := m.begin(e, ctx)
	base := len(m.stack)
	defer func() {
		if r := recover(); r != nil {
			x, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			m.end(nested)
			v, err = nil, x
		}
	}()
	k.push(m)
	v = append(Sequence(nil), m.stack[base:]...)
	m.end(nested)
	return v, nil
}
