package xpath_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// This is as much of a rule engine as it takes to run published rules over documents, so that patterns, variables,
// functions and comparisons are judged by what the publishers' own engine fired. It reads flat schemas only.

const (
	schSpace = "http://purl.oclc.org/dsdl/schematron"
	xslSpace = "http://www.w3.org/1999/XSL/Transform"
)

type ruleSet struct {
	env      *xpath.Static
	lets     []*xpath.Expr // value of each variable, by its index
	level    []int         // 0 schema, 1 pattern, 2 rule
	patterns [][]*rule
	asserts  int
}

type rule struct {
	match   *xpath.Pattern
	asserts []assertion
	pattern int
}

type assertion struct {
	id     string
	report bool
	test   *xpath.Expr
}

func loadRules(tb testing.TB, file string) *ruleSet {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	r := &ruleSet{env: &xpath.Static{Namespaces: map[string]string{}, Names: xpath.NewNames(), XSLT: true}}
	root := d.Root()
	for n := range root.Elements() {
		switch {
		case n.Is(schSpace, "ns"):
			r.env.Namespaces[n.Attr("prefix")] = n.Attr("uri")
		case n.Is(xslSpace, "function"):
			r.env.Functions = append(r.env.Functions, userFunction(tb, n, r.env))
		}
	}
	compile := func(s string, env xpath.Static, n dom.Node) *xpath.Expr {
		e, err := xpath.Compile(s, &env)
		if err != nil {
			tb.Fatalf("%s: %v", n.Path(), err)
		}
		return e
	}
	let := func(n dom.Node, level int) {
		env := *r.env
		r.lets = append(r.lets, compile(n.Attr("value"), env, n))
		r.level = append(r.level, level)
		r.env.Variables = append(r.env.Variables, xpath.Variable{Name: xpath.QName{Local: n.Attr("name")}})
	}
	for n := range root.Elements() {
		if n.Is(schSpace, "let") {
			let(n, 0)
		}
	}
	for p := range root.Elements() {
		if !p.Is(schSpace, "pattern") {
			continue
		}
		visible := len(r.env.Variables)
		for n := range p.Elements() {
			if n.Is(schSpace, "let") {
				let(n, 1)
			}
		}
		var rules []*rule
		for n := range p.Elements() {
			if !n.Is(schSpace, "rule") {
				continue
			}
			inPattern := r.env.Variables
			x := &rule{pattern: len(r.patterns)}
			env := *r.env
			if x.match, err = xpath.CompilePattern(n.Attr("context"), &env); err != nil {
				tb.Fatalf("%s: %v", n.Path(), err)
			}
			for a := range n.Elements() {
				switch {
				case a.Is(schSpace, "let"):
					let(a, 2)
				case a.Is(schSpace, "assert"), a.Is(schSpace, "report"):
					env := *r.env
					x.asserts = append(x.asserts, assertion{a.Attr("id"), a.Local() == "report", compile(a.Attr("test"), env, a)})
					r.asserts++
				}
			}
			rules = append(rules, x)
			r.env.Variables = hide(r.env.Variables, len(inPattern))
		}
		r.patterns = append(r.patterns, rules)
		r.env.Variables = hide(r.env.Variables, visible)
	}
	return r
}

// hide makes variables unfindable without moving the others.
func hide(vars []xpath.Variable, from int) []xpath.Variable {
	vars = slices.Clone(vars)
	for i := from; i < len(vars); i++ {
		vars[i].Name = xpath.QName{Space: "hidden", Local: fmt.Sprint(i)}
	}
	return vars
}

// userFunction reads an xsl:function of param, variable, choose, value-of and sequence.
func userFunction(tb testing.TB, n dom.Node, env *xpath.Static) *xpath.Function {
	prefix, local, _ := strings.Cut(n.Attr("name"), ":")
	f := &xpath.Function{Name: xpath.QName{Space: env.Namespaces[prefix], Local: local}}
	if uri, ok := n.LookupNamespace(prefix); ok {
		f.Name.Space = uri
	}
	types := *env
	types.Namespaces = map[string]string{}
	for p, u := range n.InScope() {
		types.Namespaces[p] = u
	}
	st := func(s string) *xpath.SequenceType {
		if s == "" {
			return nil
		}
		x, err := xpath.ParseSequenceType(s, &types)
		if err != nil {
			tb.Fatal(err)
		}
		return x
	}
	f.Result = st(n.Attr("as"))
	var vars []xpath.Variable
	for p := range n.Elements() {
		if p.Local() == "param" {
			f.Params = append(f.Params, st(p.Attr("as")))
			vars = append(vars, xpath.Variable{Name: xpath.QName{Local: p.Attr("name")}})
		}
	}
	// bodies are compiled when first called: they may call functions that stand further down
	type step struct {
		kind string // variable, value-of, sequence, choose
		expr *xpath.Expr
		when []*xpath.Expr
		then [][]step
	}
	var body []step
	var read func(parent dom.Node) []step
	read = func(parent dom.Node) []step {
		var steps []step
		for k := range parent.Elements() {
			s := step{kind: k.Local()}
			src := k.Attr("select")
			switch k.Local() {
			case "param":
				continue
			case "choose":
				for w := range k.Elements() {
					test := w.Attr("test")
					if w.Local() == "otherwise" {
						test = "true()"
					}
					s.when = append(s.when, mustCompile(tb, test, env, vars))
					s.then = append(s.then, read(w))
				}
			default:
				if in := k.FirstElement(); src == "" && in.Is(xslSpace, "sequence") { // content instead of an expression
					src = in.Attr("select")
				}
				s.expr = mustCompile(tb, src, env, vars)
			}
			steps = append(steps, s)
			if s.kind == "variable" {
				vars = append(vars, xpath.Variable{Name: xpath.QName{Local: k.Attr("name")}})
			}
		}
		return steps
	}
	var run func(ctx *xpath.Context, vals *xpath.Values, steps []step) (xpath.Sequence, error)
	run = func(ctx *xpath.Context, vals *xpath.Values, steps []step) (out xpath.Sequence, err error) {
		for _, s := range steps {
			if s.kind == "choose" {
				for i, w := range s.when {
					ok, err := w.EBV(ctx.Nested(xpath.Item{}, *vals))
					if err != nil {
						return nil, err
					}
					if ok {
						v, err := run(ctx, vals, s.then[i])
						if err != nil {
							return nil, err
						}
						out = append(out, v...)
						break
					}
				}
				continue
			}
			v, err := s.expr.Evaluate(ctx.Nested(xpath.Item{}, *vals))
			switch {
			case err != nil:
				return nil, err
			case s.kind == "variable":
				*vals = append(*vals, v)
			case s.kind == "value-of":
				out = append(out, xpath.UntypedItem(v.Text()))
			default:
				out = append(out, v...)
			}
		}
		return out, nil
	}
	read1 := false
	f.Call = func(ctx *xpath.Context, args []xpath.Sequence) (xpath.Sequence, error) {
		if !read1 {
			body, read1 = read(n), true
		}
		vals := xpath.Values(slices.Clone(args))
		return run(ctx, &vals, body)
	}
	return f
}

func mustCompile(tb testing.TB, src string, env *xpath.Static, vars []xpath.Variable) *xpath.Expr {
	tb.Helper()
	e := *env
	e.Variables = vars
	x, err := xpath.Compile(src, &e)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

// ruleRun is one document in work; it is the source of variables.
type ruleRun struct {
	r     *ruleSet
	doc   dom.Node
	node  dom.Node
	have  []bool
	value []xpath.Sequence
}

func (u *ruleRun) Variable(ctx *xpath.Context, i int) (xpath.Sequence, error) {
	if !u.have[i] {
		at := u.doc
		if u.r.level[i] == 2 {
			at = u.node
		}
		v, err := u.r.lets[i].Evaluate(ctx.Nested(xpath.NodeItem(at), u))
		if err != nil {
			return nil, err
		}
		u.have[i], u.value[i] = true, v
	}
	return u.value[i], nil
}

// dispatcher finds the rules of a node by its name.
type dispatcher struct {
	named map[int32][]candidate
	other []candidate
}

type candidate struct {
	pattern, index, branch int
	rule                   *rule
}

func (r *ruleSet) dispatcher() *dispatcher {
	d := &dispatcher{named: map[int32][]candidate{}}
	for p, rules := range r.patterns {
		for i, x := range rules {
			for j, b := range x.match.Branches() {
				c := candidate{p, i, j, x}
				if b.NameID >= 0 && b.Kind == dom.ElementNode {
					d.named[b.NameID] = append(d.named[b.NameID], c)
				} else {
					d.other = append(d.other, c)
				}
			}
		}
	}
	return d
}

// run fires the rules and reports the assertions that fail.
func (r *ruleSet) run(disp *dispatcher, d *dom.Document, fired func(id string, err error)) {
	r.runAsking(disp, d, nil, fired)
}

// runAsking also asks about each assertion that is to be evaluated.
func (r *ruleSet) runAsking(disp *dispatcher, d *dom.Document, ask func(ctx *xpath.Context, e *xpath.Expr), fired func(id string, err error)) {
	u := &ruleRun{r: r, doc: d.Node(), have: make([]bool, len(r.lets)), value: make([]xpath.Sequence, len(r.lets))}
	ctx := &xpath.Context{Variables: u}
	done := make([]int, len(r.patterns)) // 1 + index of the node for which the pattern has fired
	for i := range d.Len() {
		n := d.At(i)
		if n.Kind() == dom.TextNode {
			continue
		}
		try := func(list []candidate) {
			for _, c := range list {
				if done[c.pattern] == i+1 {
					continue
				}
				u.node = n
				ok, err := c.rule.match.MatchesBranch(ctx, c.branch, n)
				if err != nil {
					fired("context", err)
				}
				if !ok {
					continue
				}
				done[c.pattern] = i + 1
				for k, l := range r.level {
					if l == 2 {
						u.have[k] = false
					}
				}
				ctx.Item = xpath.NodeItem(n)
				for _, a := range c.rule.asserts {
					if ask != nil {
						ask(ctx, a.test)
					}
					v, err := a.test.EBV(ctx)
					if err != nil || v == a.report {
						fired(a.id, err)
					}
				}
			}
		}
		if n.Kind() == dom.ElementNode {
			try(disp.named[ctx.NameID(n, r.env.Names)])
		}
		try(disp.other)
	}
}

var publishedRules = []struct{ pack, file string }{
	{"EN16931-UBL 1.3.16", "rules/en16931-1.3.16/ubl/preprocessed/EN16931-UBL-validation-preprocessed.sch"},
	{"EN16931-CII 1.3.16", "rules/en16931-1.3.16/cii/preprocessed/EN16931-CII-validation-preprocessed.sch"},
	{"PEPPOL-UBL 2026.5", "rules/peppol-2026.5/PEPPOL-EN16931-UBL.sch"},
}

// TestPublishedRulesFireAsTheirPublishersSay runs flat rule sets over whole documents.
func TestPublishedRulesFireAsTheirPublishersSay(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "edocuments")
	rows := corpus.Table(t, filepath.Join(dir, "golden.tsv"))
	for _, p := range publishedRules {
		t.Run(p.pack, func(t *testing.T) {
			t.Parallel()
			rules := loadRules(t, filepath.Join(dir, filepath.FromSlash(p.file)))
			disp := rules.dispatcher()
			documents := 0
			for _, row := range rows {
				if row["pack"] != p.pack || !strings.HasPrefix(row["file"], "examples/") {
					continue
				}
				documents++
				b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(row["file"])))
				if err != nil {
					t.Fatal(err)
				}
				d, err := dom.Parse(b, dom.Limits{})
				if err != nil { // one is cut off on purpose
					if !strings.Contains(row["assertions fired: id:flag*count, or XSD verdict"], "SAXParseException") {
						t.Errorf("%s: %v", row["file"], err)
					}
					continue
				}
				counts := map[string]int{}
				rules.runAsking(disp, d, func(ctx *xpath.Context, e *xpath.Expr) { needed(t, ctx, rules.env.Names, e) }, func(id string, err error) {
					counts[id]++
					if err != nil {
						t.Errorf("%s: %s: %v", row["file"], id, err)
					}
				})
				want := map[string]int{}
				for _, f := range strings.Fields(row["assertions fired: id:flag*count, or XSD verdict"]) {
					if f == "none" {
						continue
					}
					id, rest, _ := strings.Cut(f, ":")
					n := 1
					if _, times, ok := strings.Cut(rest, "*"); ok {
						fmt.Sscan(times, &n)
					}
					want[id] += n
				}
				if fmt.Sprint(counts) != fmt.Sprint(want) {
					t.Errorf("%s: fired %v, want %v", row["file"], counts, want)
				}
			}
			t.Logf("%s: %d assertions, %d documents", p.pack, rules.asserts, documents)
			if documents < 10 {
				t.Errorf("only %d documents: is the corpus there?", documents)
			}
		})
	}
}

// BenchmarkRules is a warm run of EN 16931 and Peppol rules over an invoice of 21 kB, parsed already.
func BenchmarkRules(b *testing.B) {
	dir := corpus.Dir(b, "edocuments")
	src := invoice(20)
	for _, p := range append(publishedRules[:1:1], publishedRules[2]) {
		b.Run(strings.Fields(p.pack)[0], func(b *testing.B) {
			rules := loadRules(b, filepath.Join(dir, filepath.FromSlash(p.file)))
			disp := rules.dispatcher()
			d, err := dom.Parse(slices.Clone(src), dom.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			fired := 0
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				fired = 0
				rules.run(disp, d, func(id string, err error) {
					fired++
					if err != nil {
						b.Fatal(id, err)
					}
				})
			}
			b.ReportMetric(float64(fired), "fired")
		})
	}
}

// TestPublishedExpressionsCompile compiles what stands in all schemas of the corpora that declare their prefixes. Abstract
// patterns have placeholders in their expressions and are left out.
func TestPublishedExpressionsCompile(t *testing.T) {
	t.Parallel()
	files, expressions := 0, 0
	lets := map[string]bool{} // of all files: what includes a file may declare what the file uses
	for _, area := range []string{"edocuments", "xml-engines"} {
		err := filepath.WalkDir(corpus.Dir(t, area), func(path string, e os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".sch" {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for s := range strings.SplitSeq(string(b), "<") {
				if _, rest, ok := strings.Cut(s, "name=\""); ok && (strings.Contains(s[:min(8, len(s))], "let") || strings.Contains(s, "variable") || strings.Contains(s, "param")) {
					name, _, _ := strings.Cut(rest, "\"")
					lets[name] = true
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, area := range []string{"edocuments", "xml-engines"} {
		err := filepath.WalkDir(corpus.Dir(t, area), func(path string, e os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".sch" || strings.Contains(path, "schematron/ph/") {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			d, err := dom.Parse(b, dom.Limits{})
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			env := &xpath.Static{Namespaces: map[string]string{}, Names: xpath.NewNames(), XSLT: true}
			env.Functions = append(env.Functions, &xpath.Function{Name: xpath.QName{Space: xpath.FunctionSpace, Local: "key"}, Params: make([]*xpath.SequenceType, 2)})
			for n := range d.Node().Descendants() {
				switch {
				case n.Is(schSpace, "ns"):
					env.Namespaces[n.Attr("prefix")] = n.Attr("uri")
				}
			}
			if len(env.Namespaces) == 0 {
				return nil
			}
			for name := range lets {
				q := xpath.QName{Local: name}
				if prefix, local, ok := strings.Cut(name, ":"); ok {
					q = xpath.QName{Space: env.Namespaces[prefix], Local: local}
				}
				env.Variables = append(env.Variables, xpath.Variable{Name: q})
			}
			for n := range d.Node().Descendants() {
				if n.Is(xslSpace, "function") {
					prefix, local, _ := strings.Cut(n.Attr("name"), ":")
					f := &xpath.Function{Name: xpath.QName{Space: env.Namespaces[prefix], Local: local}}
					if uri, ok := n.LookupNamespace(prefix); ok {
						f.Name.Space = uri
					}
					for p := range n.Elements() {
						if p.Is(xslSpace, "param") {
							f.Params = append(f.Params, nil)
						}
					}
					env.Functions = append(env.Functions, f)
				}
			}
			files++
			for n := range d.Node().Descendants() {
				if abstract(n) {
					continue
				}
				var src string
				var err error
				switch {
				case n.Is(schSpace, "rule") && n.Attr("context") != "":
					src = n.Attr("context")
					_, err = xpath.CompilePattern(src, env)
				case n.Is(schSpace, "assert"), n.Is(schSpace, "report"):
					src = n.Attr("test")
					_, err = xpath.Compile(src, env)
				case n.Is(schSpace, "let") && n.Attr("value") != "":
					src = n.Attr("value")
					_, err = xpath.Compile(src, env)
				case n.Is(schSpace, "value-of"):
					src = n.Attr("select")
					_, err = xpath.Compile(src, env)
				case n.Space() == xslSpace && n.Attr("select") != "":
					inner := *env                                                  // in XSLT the prefixes of the file count
					inner.Namespaces = map[string]string{"xsd": xpath.SchemaSpace} // which the skeleton declares for them
					for p, u := range env.Namespaces {
						inner.Namespaces[p] = u
					}
					for p, u := range n.InScope() {
						inner.Namespaces[p] = u
					}
					src = n.Attr("select")
					_, err = xpath.Compile(src, &inner)
				default:
					continue
				}
				expressions++
				if err != nil {
					line, _ := n.Pos()
					t.Errorf("%s:%d: %v", path, line, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d expressions and patterns in %d files", expressions, files)
	if expressions < 10_000 {
		t.Errorf("only %d expressions: is the corpus there?", expressions)
	}
}

func abstract(n dom.Node) bool {
	for ; n.Valid(); n = n.Parent() {
		if n.Is(schSpace, "pattern") && n.Attr("abstract") == "true" {
			return true
		}
	}
	return false
}

// BenchmarkCompileRules compiles all expressions and patterns of the EN 16931 rules for UBL.
func BenchmarkCompileRules(b *testing.B) {
	file := filepath.Join(corpus.Dir(b, "edocuments"), filepath.FromSlash(publishedRules[0].file))
	b.ReportAllocs()
	for b.Loop() {
		loadRules(b, file)
	}
}
