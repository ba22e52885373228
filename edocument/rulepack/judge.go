package rulepack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// Compiled is a pack that is ready to judge. It never changes and serves any number of goroutines.
type Compiled struct {
	pack      *Pack
	scenarios []scenario
}

type scenario struct {
	*Scenario
	match  *xpath.Expr // nil: no question
	schema *xsd.Schema
	rules  []*schematron.Schema
	names  map[xpath.QName]bool // that contexts of rules ask for; nil when they ask for none
	roots  map[string]bool      // that the schema declares
}

// Compile compiles what the pack holds. Artefacts that several scenarios name are compiled once, side by side.
func (p *Pack) Compile() (*Compiled, error) {
	c := &Compiled{pack: p, scenarios: make([]scenario, len(p.Scenarios))}
	rules := map[string]*schematron.Schema{}
	schemas := map[string]*xsd.Schema{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	once := map[string]bool{}
	compile := func(key string, do func() error) {
		if once[key] {
			return
		}
		once[key] = true
		wg.Go(func() {
			if err := do(); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	for i := range p.Scenarios {
		s := &p.Scenarios[i]
		for _, name := range s.Rules {
			compile("rules "+name, func() error {
				x, err := schematron.Compile(p.files, name, schematron.Options{})
				mu.Lock()
				rules[name] = x
				mu.Unlock()
				return err
			})
		}
		if key := strings.Join(s.Schemas, "\n"); key != "" {
			compile("schemas "+key, func() error {
				x, err := xsd.Compile(p.files, xsd.Options{}, s.Schemas...)
				mu.Lock()
				schemas[key] = x
				mu.Unlock()
				return err
			})
		}
	}
	wg.Wait()
	if errs != nil {
		return nil, fmt.Errorf("%s: %w", p.ID, errors.Join(errs...))
	}
	for i := range p.Scenarios {
		s := &p.Scenarios[i]
		x := &c.scenarios[i]
		x.Scenario = s
		x.schema = schemas[strings.Join(s.Schemas, "\n")]
		if x.schema != nil {
			x.roots = map[string]bool{}
			for _, name := range x.schema.Elements() {
				x.roots[name] = true
			}
		}
		for _, name := range s.Rules {
			x.rules = append(x.rules, rules[name])
		}
		x.names = contextNames(x.rules)
		if s.Match != "" {
			e, err := xpath.Compile(s.Match, &xpath.Static{Namespaces: s.Namespaces})
			if err != nil {
				return nil, fmt.Errorf("%s: scenario %q: %w", p.ID, s.Name, err)
			}
			x.match = e
		}
	}
	return c, nil
}

// Pack returns what was compiled.
func (c *Compiled) Pack() *Pack { return c.pack }

var contextName = regexp.MustCompile(`(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)`)

// contextNames collects the names in the contexts of rules. A document whose root is none of them is not what the rules
// are about, and must not pass for valid because no rule was asked.
func contextNames(rules []*schematron.Schema) map[xpath.QName]bool {
	names := map[xpath.QName]bool{}
	for _, s := range rules {
		prefixes := s.Prefixes()
		last := ""
		for _, e := range s.Catalogue() {
			if e.Context == last {
				continue
			}
			last = e.Context
			for _, m := range contextName.FindAllStringSubmatch(e.Context, -1) {
				if uri, ok := prefixes[m[1]]; ok || m[1] == "" {
					names[xpath.QName{Space: uri, Local: m[2]}] = true
				}
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return names
}

// Options say how documents are judged. The zero value is fine.
type Options struct {
	MaxFindings int // described for each schema; more count for the verdict. Default 1,000
	Now         time.Time
	Limits      xpath.Limits
	Workers     int // goroutines for large documents; default 1
}

// Judge judges by several packs, one after the other: the first ones are those that others require.
type Judge struct {
	Packs   []*Compiled
	Options Options
	// Explain judges by the same rules in words of its own, and completes what publishers do not say: numbers and remedies. It
	// has no part in the verdict. nil: nobody does.
	Explain edocument.Validator
}

// Validate implements [edocument.Validator].
func (j *Judge) Validate(doc *dom.Document) (*edocument.Report, error) {
	return j.ValidateContext(context.Background(), doc)
}

// ValidateContext judges a document. A pack whose rules know nothing of such a document does not count; when none does,
// the error is edocument.ErrUnknownType.
func (j *Judge) ValidateContext(ctx context.Context, doc *dom.Document) (*edocument.Report, error) {
	r := &edocument.Report{Type: kind(doc.Root()), Pack: []string{}, Valid: true, Findings: []edocument.Finding{}}
	for _, c := range j.Packs {
		known, err := c.judge(ctx, doc, j.Options, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.pack.ID, err)
		}
		if known {
			r.Pack = append(r.Pack, c.address())
		}
	}
	if len(r.Pack) == 0 {
		return nil, edocument.ErrUnknownType
	}
	if j.Explain != nil && slices.ContainsFunc(r.Findings, func(f edocument.Finding) bool { return f.Value == "" || f.Remedy == "" }) {
		if other, err := j.Explain.Validate(doc); err == nil {
			r.Borrow(other)
		}
	}
	return r, nil
}

// choose finds the scenario for a document.
func (c *Compiled) choose(ctx context.Context, doc *dom.Document, opt Options) (*scenario, error) {
	var found *scenario
	for i := range c.scenarios {
		s := &c.scenarios[i]
		if s.match != nil {
			ok, err := s.match.EBV(&xpath.Context{Item: xpath.NodeItem(doc.Node()), Now: opt.Now, Limits: opt.Limits, Cancel: ctx.Err})
			if err != nil {
				return nil, fmt.Errorf("scenario %q: %w", s.Name, err)
			}
			if !ok {
				continue
			}
		}
		if found != nil {
			return nil, fmt.Errorf("%w: %q and %q", ErrScenario, found.Name, s.Name)
		}
		found = s
	}
	return found, nil
}

// address is how reports name the pack.
func (c *Compiled) address() string { return c.pack.ID.Name() + "@" + c.pack.ID.Version }

// Knows reports whether the pack has anything to say about such a document.
func (c *Compiled) Knows(ctx context.Context, doc *dom.Document, opt Options) bool {
	s, err := c.choose(ctx, doc, opt)
	return err == nil && s != nil && (s.covers(doc.Root()) || s.asks(doc.Root()))
}

// covers reports whether the schema of the scenario declares a root element.
func (s *scenario) covers(root dom.Node) bool {
	return s.roots["{"+root.Space()+"}"+root.Local()] || root.Space() == "" && s.roots[root.Local()]
}

// asks reports whether the rules of the scenario may be about a root element.
func (s *scenario) asks(root dom.Node) bool {
	return len(s.rules) > 0 && (s.names == nil || s.match != nil || s.names[xpath.QName{Space: root.Space(), Local: root.Local()}])
}

// judge adds what one pack finds. known is false when its rules are about other documents. Rules say nothing about a
// document that breaks a schema: they are skipped then.
func (c *Compiled) judge(ctx context.Context, doc *dom.Document, opt Options, r *edocument.Report) (known bool, err error) {
	s, err := c.choose(ctx, doc, opt)
	if err != nil || s == nil {
		return false, err
	}
	root := doc.Root()
	if s.schema != nil && !s.covers(root) {
		return false, nil
	}
	sound := !slices.ContainsFunc(r.Layers, func(l edocument.Layer) bool { return l.Kind == edocument.LayerSchema && l.To > l.From })
	if s.schema != nil {
		known = true
		l := c.layer(s, edocument.LayerSchema, strings.Join(s.Schemas, " "), r)
		start := time.Now()
		if l.Skipped = !sound; sound {
			x, err := s.schema.Validate(doc, xsd.ValidateOptions{MaxFindings: opt.most()})
			if err != nil {
				return false, err
			}
			for _, f := range x.Findings {
				r.Findings = append(r.Findings, edocument.Finding{ID: f.Rule, Severity: edocument.Error, Location: "/" + f.Path, Line: f.Line, Column: f.Column, Value: f.Value,
					Text: f.Text, Remedy: expected(f.Expected)})
			}
			r.Valid, sound = r.Valid && x.Valid, x.Valid
		}
		l.To, l.Took = len(r.Findings), time.Since(start)
		r.Layers = append(r.Layers, l)
	}
	if !s.asks(root) {
		return known, nil
	}
	before, layers := len(r.Findings), len(r.Layers)
	applied := 0
	for i, rules := range s.rules {
		l := c.layer(s, edocument.LayerRules, s.Rules[i], r)
		start := time.Now()
		if l.Skipped = !sound; sound {
			x, err := rules.Validate(ctx, doc, schematron.ValidateOptions{MaxFindings: opt.most(), Now: opt.Now, Limits: opt.Limits, Workers: opt.Workers})
			if err != nil {
				return false, err
			}
			applied += x.Rules
			s.report(x, r)
			l.SVRL = x
		}
		l.To, l.Took = len(r.Findings), time.Since(start)
		r.Layers = append(r.Layers, l)
	}
	switch {
	case !sound:
		return known, nil
	case applied == 0 && s.schema == nil:
		r.Findings, r.Layers = r.Findings[:before], r.Layers[:layers]
		return known, nil
	}
	return true, nil
}

func (c *Compiled) layer(s *scenario, kind edocument.LayerKind, file string, r *edocument.Report) edocument.Layer {
	return edocument.Layer{Pack: c.address(), Scenario: s.Name, Kind: kind, File: file, From: len(r.Findings)}
}

func (o *Options) most() int {
	if o.MaxFindings == 0 {
		return 1000
	}
	return o.MaxFindings
}

var severities = [...]edocument.Severity{schematron.LevelInfo: edocument.Info, schematron.LevelWarning: edocument.Warning, schematron.LevelError: edocument.Error, schematron.LevelFatal: edocument.Fatal}

// report puts findings of Schematron into the words of the report.
func (s *scenario) report(x *schematron.Result, r *edocument.Report) {
	for i := range x.Findings {
		f := &x.Findings[i]
		severity := severities[f.Level()]
		if l := s.Levels[f.ID]; l != "" {
			severity = edocument.Severity(l)
		}
		r.Valid = r.Valid && !severity.Refuses()
		out := edocument.Finding{ID: f.ID, Severity: severity, Location: location(f.Node), Text: f.Message()}
		out.Line, out.Column = f.Pos()
		if !f.Node.FirstElement().Valid() {
			out.Value = edocument.Clip(strings.Join(strings.Fields(f.Node.Text()), " "))
		}
		for _, d := range f.Diagnostics {
			out.Remedy = strings.TrimSpace(out.Remedy + " " + strings.Join(strings.Fields(d.Text), " "))
		}
		r.Findings = append(r.Findings, out)
	}
	if x.Omitted > 0 {
		r.Suppressed += x.Omitted
		r.Valid = r.Valid && x.Count(schematron.LevelError) == 0 && x.Count(schematron.LevelFatal) == 0
	}
	for _, e := range x.Errors {
		f := edocument.Finding{ID: e.Assertion, Severity: edocument.Error, Location: location(e.Node), Text: "the rule cannot be evaluated here: " + e.Err.Error()}
		var xe *xpath.Error
		if errors.As(e.Err, &xe) && f.ID == "" {
			f.ID = xe.Code.String()
		}
		f.Line, f.Column = e.Node.Pos()
		r.Valid = false
		r.Findings = append(r.Findings, f)
	}
}

func expected(names []string) string {
	if len(names) == 0 {
		return ""
	}
	local := make([]string, len(names))
	for i, name := range names {
		local[i] = name[strings.LastIndexByte(name, '}')+1:]
	}
	return "expected: " + strings.Join(local, ", ")
}

// kind names a document for people: CreditNote is a credit note.
func kind(root dom.Node) string {
	var b strings.Builder
	for i, r := range root.Local() {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// location writes an XPath with the names as the document has them; elements that have siblings of the same name get
// their number.
func location(n dom.Node) string {
	var steps []string
	if n.Kind() == dom.AttributeNode {
		steps = append(steps, "@"+n.QName())
		n = n.Parent()
	}
	for ; n.Kind() == dom.ElementNode; n = n.Parent() {
		name := n.QName()
		k, of := 0, 0
		if p := n.Parent(); p.Kind() == dom.ElementNode {
			for c := p.FirstElement(); c.Valid() && (k == 0 || of < 2); c = c.NextElement() {
				if c.NameID() == n.NameID() {
					if of++; c == n {
						k = of
					}
				}
			}
		}
		if of > 1 {
			name += "[" + strconv.Itoa(k) + "]"
		}
		steps = append(steps, name)
	}
	slices.Reverse(steps)
	return "/" + strings.Join(steps, "/")
}
