package schematron

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// ValidateOptions say what a validation may cost and what it tells. The zero value is fine.
type ValidateOptions struct {
	Limits      xpath.Limits
	MaxFindings int       // more are only counted; default 10,000
	Now         time.Time // current-date() and the like; zero: 1970
	// Trace keeps every rule that fired, for SVRL that lists them.
	Trace bool
	// Workers is how many goroutines may share a document of some size; they end before the call does. 0 is one. What a
	// document may cost is then counted for each.
	Workers int
}

// Result is what a validation found.
type Result struct {
	Schema   *Schema
	Document *dom.Document
	Findings []Finding // in the order of patterns in each node, nodes in the order of the document
	Errors   []EvaluationError
	Rules    int     // how often a rule was applied: 0 says that the schema is about other documents
	Fired    []Fired // with ValidateOptions.Trace
	Omitted  int     // findings above the limit
	omitted  [4]int  // the same, by level
}

// Count returns how many findings have a level, the omitted ones with them.
func (r *Result) Count(l Level) int {
	n := r.omitted[l]
	for i := range r.Findings {
		if r.Findings[i].Level() == l {
			n++
		}
	}
	return n
}

// Valid reports whether no finding is an error or fatal, and every assertion could be evaluated.
func (r *Result) Valid() bool {
	return len(r.Errors) == 0 && r.Count(LevelError) == 0 && r.Count(LevelFatal) == 0
}

// EvaluationError is an expression whose value is an error. Whether the document is valid cannot be told.
type EvaluationError struct {
	Pattern, Assertion string // ids; Assertion is "" for the context of a rule
	Node               dom.Node
	Err                error // an *xpath.Error
}

func (e EvaluationError) Error() string {
	line, _ := e.Node.Pos()
	what := e.Assertion
	if what == "" {
		what = "pattern " + e.Pattern
	}
	return fmt.Sprintf("line %d: %s cannot be evaluated: %v", line, what, e.Err)
}

// Unwrap returns the error of the expression.
func (e EvaluationError) Unwrap() error { return e.Err }

// Fired is a rule that was applied to a node.
type Fired struct {
	pattern, rule int
	Node          dom.Node
}

// documents are those that document() may read: files of the rules, read once.
type documents struct {
	fsys   fs.FS
	limits dom.Limits
	mu     sync.Mutex
	read   map[string]*dom.Document
}

func (d *documents) get(uri string) (*dom.Document, error) {
	name, ok := strings.CutPrefix(uri, base)
	if !ok || name == "" {
		return nil, fmt.Errorf("%s is not among the rules: nothing is fetched", uri)
	}
	name = path.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if doc := d.read[name]; doc != nil {
		return doc, nil
	}
	if len(d.read) >= maxFiles {
		return nil, fmt.Errorf("more than %d documents", maxFiles)
	}
	b, err := fs.ReadFile(d.fsys, name)
	if err != nil {
		return nil, err
	}
	doc, err := dom.Parse(b, d.limits)
	if err != nil {
		return nil, err
	}
	if d.read == nil {
		d.read = map[string]*dom.Document{}
	}
	d.read[name] = doc
	return doc, nil
}

// run is the validation of one document; it is also where expressions find their variables.
type run struct {
	s      *Schema
	ctx    *xpath.Context
	opt    ValidateOptions
	doc    dom.Node
	node   dom.Node
	state  []letState
	value  []xpath.Sequence
	failed []error // of variables, by index; nil until one fails
	done   []int32 // by pattern: 1 + index of the node at which it has fired
	keys   []*keyIndex
	depth  int // of variables in evaluation
	result *Result

	outline    *xpath.Outline
	outlined   []outlined  // by entry of the outline
	trials     []trial     // of all entries
	admissions []admission // by number of the candidate
	armed      []int32
	bits       []uint64
	calls      []*call // by how deep they are within one another
	level      int
}

// maxCalls is for how many evaluations within one another memory is kept.
const maxCalls = 64

// maxLetDepth bounds a chain of variables that need one another.
const maxLetDepth = 2_000

type letState uint8

const (
	letUnknown letState = iota
	letRunning
	letKnown
	letFailed
)

// Variable evaluates a variable when it is first asked for.
func (r *run) Variable(ctx *xpath.Context, i int) (xpath.Sequence, error) {
	switch r.state[i] {
	case letKnown:
		return r.value[i], nil
	case letFailed:
		return nil, r.failed[i]
	case letRunning:
		return nil, &xpath.Error{Code: xpath.QName{Space: xpath.ErrorSpace, Local: "XTDE0640", Prefix: "err"}, Msg: "the variable " + r.s.lets[i].name + " needs itself", Offset: -1}
	}
	if r.depth == maxLetDepth {
		return nil, &xpath.Error{Code: xpath.QName{Space: xpath.ErrorSpace, Local: "XPDY0130", Prefix: "err"}, Msg: "variables need one another too deeply, at " + r.s.lets[i].name, Offset: -1}
	}
	r.depth++
	defer func() { r.depth-- }()
	l := &r.s.lets[i]
	at := r.doc
	if l.rule {
		at = r.node
	}
	r.state[i] = letRunning
	var memory xpath.Sequence
	if cap(r.value[i]) == 1 { // longer values may be known by their place
		memory = r.value[i][:0]
	}
	v, err := r.evaluate(ctx, xpath.NodeItem(at), l, memory)
	if err != nil {
		if r.failed == nil {
			r.failed = make([]error, len(r.s.lets))
		}
		r.state[i], r.failed[i] = letFailed, err
		return nil, err
	}
	r.state[i], r.value[i] = letKnown, v
	return v, nil
}

// evaluate computes a variable; memory is where its value may be put.
func (r *run) evaluate(ctx *xpath.Context, at xpath.Item, l *let, memory xpath.Sequence) (xpath.Sequence, error) {
	var v xpath.Sequence
	var err error
	if l.slots > 0 {
		c := r.enter(ctx, at, l.first, l.slots)
		c.ctx.Variables = &c.frame
		v, err = l.value.eval(&c.ctx, &c.frame, memory)
		r.leave()
	} else {
		outer := r.ctx.Item
		r.ctx.Item = at
		v, err = l.value.eval(r.ctx, nil, memory)
		r.ctx.Item = outer
	}
	switch {
	case err != nil:
		return nil, err
	case l.tree:
		return asTree(v), nil
	case l.as != nil:
		return l.as.Convert(v)
	}
	return v, nil
}

// call is what the evaluation of a variable or function needs. Its memory serves the next one as well.
type call struct {
	ctx    xpath.Context
	frame  frame
	result xpath.Sequence
}

// enter begins the evaluation of a variable or function with some variables of its own, within another; leave ends it.
func (r *run) enter(ctx *xpath.Context, at xpath.Item, first, slots int) *call {
	if r.level == len(r.calls) {
		r.calls = append(r.calls, &call{})
	}
	c := r.calls[r.level]
	r.level++
	ctx.NestIn(&c.ctx, at, r)
	c.frame = frame{run: r, first: first, vals: slices.Grow(c.frame.vals[:0], slots)[:slots]}
	return c
}

func (r *run) leave() {
	r.level--
	clear(r.calls[r.level].frame.vals)
}

// Validate applies the rules to a document. It returns an error only where it must give up: ErrLimit, or that of the
// context.
func (s *Schema) Validate(ctx context.Context, d *dom.Document, opt ValidateOptions) (*Result, error) {
	if opt.MaxFindings == 0 {
		opt.MaxFindings = 10_000
	}
	workers := min(max(opt.Workers, 1), 1+d.Len()/nodesPerWorker)
	if workers == 1 {
		r := s.run(ctx, d, opt)
		defer r.over()
		if err := r.verdict(ctx, r.visitAll(ctx, 0, d.Len())); err != nil {
			return nil, err
		}
		return r.result, nil
	}
	// The head of a document costs more than its many lines: small pieces, taken one after the other, keep all at work.
	pieces := make([]*Result, workers*piecesPerWorker)
	errs := make([]error, workers)
	var next atomic.Int32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			r := s.run(ctx, d, opt)
			defer r.over()
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(pieces) {
					return
				}
				r.result = &Result{Schema: s, Document: d}
				errs[w] = r.verdict(ctx, r.visitAll(ctx, d.Len()*i/len(pieces), d.Len()*(i+1)/len(pieces)))
				pieces[i] = r.result
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, p := range pieces[1:] {
		pieces[0].add(p, opt.MaxFindings)
	}
	return pieces[0], nil
}

const piecesPerWorker = 8

// nodesPerWorker is what makes a worker of its own worth while.
const nodesPerWorker = 50_000

// Items that the values of one run may have at once where nobody says: four for each node of the document. An item takes 48
// octets, and a rule that means harm asks for as many as there may be.
const (
	fewItems  = 2_000_000
	mostItems = 10_000_000
)

// run makes a run ready, in the memory of one that is over.
func (s *Schema) run(ctx context.Context, d *dom.Document, opt ValidateOptions) *run {
	r, _ := s.runs.Get().(*run)
	if r == nil {
		r = &run{s: s, ctx: &xpath.Context{}, state: make([]letState, len(s.lets)), value: make([]xpath.Sequence, len(s.lets)), done: make([]int32, len(s.patterns)), admissions: make([]admission, s.fixed)}
	}
	r.opt, r.doc = opt, d.Node()
	r.result = &Result{Schema: s, Document: d}
	if opt.Limits.Items == 0 {
		opt.Limits.Items = min(max(fewItems, 4*d.Len()), mostItems)
	}
	r.ctx.Variables, r.ctx.Now, r.ctx.Limits, r.ctx.Resolve, r.ctx.Cancel = r, opt.Now, opt.Limits, s.documents.get, ctx.Err
	return r
}

// over gives the memory of a run back. Nothing of the document stays in it.
func (r *run) over() {
	const most = 10_000
	if cap(r.outlined) > most || cap(r.trials) > most || cap(r.armed) > most {
		r.outlined, r.trials, r.armed = nil, nil, nil
	}
	r.ctx.Reset()
	if len(r.calls) > maxCalls {
		r.calls = nil
	}
	for _, c := range r.calls {
		clear(c.result)
		*c = call{frame: frame{vals: c.frame.vals[:0]}, result: c.result[:0]}
	}
	clear(r.state)
	for i, v := range r.value {
		if cap(v) > 1 {
			v = nil
		}
		clear(v)
		r.value[i] = v[:0]
	}
	clear(r.done)
	clear(r.outlined)
	clear(r.admissions)
	*r = run{admissions: r.admissions, s: r.s, ctx: r.ctx, state: r.state, value: r.value, done: r.done, outlined: r.outlined[:0], trials: r.trials[:0], armed: r.armed[:0], bits: r.bits, calls: r.calls}
	r.s.runs.Put(r)
}

// verdict turns the error that ended a run into one for the caller.
func (r *run) verdict(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, xpath.ErrLimit):
		return fmt.Errorf("%w: %w", ErrLimit, err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// add appends the result of what follows in the document.
func (r *Result) add(next *Result, most int) {
	for _, f := range next.Findings {
		if len(r.Findings) >= most {
			r.Omitted++
			r.omitted[f.Level()]++
			continue
		}
		f.fired += len(r.Fired)
		r.Findings = append(r.Findings, f)
	}
	r.Errors = append(r.Errors, next.Errors...)
	r.Fired = append(r.Fired, next.Fired...)
	r.Rules += next.Rules
	r.Omitted += next.Omitted
	for i, n := range next.omitted {
		r.omitted[i] += n
	}
}

// visitAll applies the rules to the nodes from one index to another.
func (r *run) visitAll(ctx context.Context, from, to int) error {
	d, s := r.doc.Document(), r.s
	if r.outline == nil {
		var err error
		if r.outline, err = r.ctx.Outline(d, s.names); err != nil {
			return err
		}
		r.outlined = slices.Grow(r.outlined[:0], r.outline.Len())[:r.outline.Len()]
	}
	for i := from; i < to; i++ {
		n := d.At(i)
		kind := n.Kind()
		if kind == dom.AttributeNode && !s.attributes {
			continue
		}
		if i&0xfff == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		entry := r.outline.Of(i)
		if kind == dom.DocumentNode || entry < 0 {
			for _, k := range s.dispatch.find(kind, -1, -1) {
				c := &s.candidates[k]
				if err := r.try(n, &trial{candidate: c, sure: c.plain}, -1); err != nil {
					return err
				}
			}
			continue
		}
		trials := r.trialsFor(n, entry)
		for k := range trials {
			if err := r.try(n, &trials[k], entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// fatal reports whether an error ends the run and not only one assertion.
func fatal(err error) bool {
	return errors.Is(err, xpath.ErrLimit) || errors.Is(err, xpath.ErrCancelled)
}

// try applies a rule to a node if it is the first one of its pattern that matches it.
func (r *run) try(n dom.Node, t *trial, entry int32) error {
	mark := int32(n.Index() + 1)
	if r.done[t.pattern] == mark {
		return nil
	}
	r.node = n
	p := &r.s.patterns[t.pattern]
	x := &p.rules[t.rule]
	if !t.sure {
		var ok bool
		var err error
		if entry < 0 {
			ok, err = x.match.MatchesBranch(r.ctx, int(t.branch), n)
		} else {
			ok, err = x.match.MatchesOutlined(r.ctx, int(t.branch), n)
		}
		if err != nil {
			if fatal(err) {
				return err
			}
			r.result.Errors = append(r.result.Errors, EvaluationError{p.id, "", n, err})
			return nil
		}
		if !ok {
			return nil
		}
	}
	r.done[t.pattern] = mark
	r.result.Rules++
	if r.opt.Trace {
		r.result.Fired = append(r.result.Fired, Fired{int(t.pattern), int(t.rule), n})
	}
	clear(r.state[x.lo:x.hi])
	r.ctx.Item = xpath.NodeItem(n)
	if entry < 0 {
		for i := range x.asserts {
			if err := r.ask(p, x, &x.asserts[i], n); err != nil {
				return err
			}
		}
		return nil
	}
	if !t.armed {
		r.arm(t, entry)
	}
	for _, i := range t.asserts {
		if err := r.ask(p, x, &x.asserts[i], n); err != nil {
			return err
		}
	}
	return nil
}

// ask evaluates an assertion and adds a finding when it fires.
func (r *run) ask(p *pattern, x *rule, a *assertion, n dom.Node) error {
	v, err := a.test.EBV(r.ctx)
	if err != nil {
		if fatal(err) {
			return err
		}
		r.result.Errors = append(r.result.Errors, EvaluationError{p.id, a.id, n, err})
		return nil
	}
	if !a.fires(v) {
		return nil
	}
	return r.found(p, x, a, n)
}

// found adds a finding with its texts.
func (r *run) found(p *pattern, x *rule, a *assertion, n dom.Node) error {
	f := Finding{Pattern: p.id, Rule: x.id, ID: a.id, Flag: a.flag, Role: a.role, Report: a.report && !a.failed, Node: n, assertion: a, rule: x, fired: len(r.result.Fired)}
	if f.Flag == "" {
		f.Flag = x.flag
	}
	if f.Role == "" {
		f.Role = x.role
	}
	if len(r.result.Findings) >= r.opt.MaxFindings {
		r.result.Omitted++
		r.result.omitted[f.Level()]++
		return nil
	}
	var err error
	if f.Text, err = r.text(a.text, p, a, n); err != nil {
		return err
	}
	for _, d := range a.diagnostics {
		s, err := r.text(d.text, p, a, n)
		if err != nil {
			return err
		}
		f.Diagnostics = append(f.Diagnostics, Text{d.id, s})
	}
	for _, d := range a.properties {
		s, err := r.text(d.text, p, a, n)
		if err != nil {
			return err
		}
		f.Properties = append(f.Properties, Text{d.id, s})
	}
	r.result.Findings = append(r.result.Findings, f)
	return nil
}

func (r *run) text(t *template, p *pattern, a *assertion, n dom.Node) (string, error) {
	if t.parts == nil || len(t.parts) == 1 && t.parts[0].expr == nil {
		return t.fixed, nil
	}
	var b strings.Builder
	for _, part := range t.parts {
		if part.expr == nil {
			b.WriteString(part.literal)
			continue
		}
		s, err := part.expr.Text(r.ctx)
		if err != nil {
			if fatal(err) {
				return "", err
			}
			r.result.Errors = append(r.result.Errors, EvaluationError{p.id, a.id, n, err})
			continue
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// inOrder sorts nodes of one document and drops repeated ones.
func inOrder(nodes []dom.Node) []dom.Node {
	slices.SortFunc(nodes, func(a, b dom.Node) int { return a.Index() - b.Index() })
	return slices.Compact(nodes)
}
