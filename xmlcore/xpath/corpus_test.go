package xpath_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

const fots = "http://www.w3.org/2010/09/qt-fots-catalog"

// fotsRun holds what the cases share.
type fotsRun struct {
	root   string
	global map[string]fotsEnvironment
	docs   map[string]*dom.Document
}

// fotsEnvironment is an environment element and the file that it stands in.
type fotsEnvironment struct {
	node dom.Node
	dir  string
}

func TestFunctionsAndOperatorsSuite(t *testing.T) {
	t.Parallel()
	r := &fotsRun{root: filepath.Join(corpus.Dir(t, "xml-engines"), "qt3"), global: map[string]fotsEnvironment{}, docs: map[string]*dom.Document{}}
	catalog := r.load(t, filepath.Join(r.root, "catalog.xml"))
	for e := range catalog.Root().Elements() {
		if e.Local() == "environment" {
			r.global[e.Attr("name")] = fotsEnvironment{e, r.root}
		}
	}
	known := corpus.Known(t, "testdata/known.tsv")
	only := os.Getenv("QT3_ONLY")
	type score struct{ cases, agree int }
	var two, three score
	failures := map[string]string{}
	met := map[string]bool{}
	for e := range catalog.Root().Elements() {
		if e.Local() != "test-set" || only != "" && !strings.HasPrefix(e.Attr("name"), only) {
			continue
		}
		file := filepath.Join(r.root, filepath.FromSlash(e.Attr("file")))
		set := r.load(t, file)
		environments := map[string]fotsEnvironment{}
		for s := range set.Root().Elements() {
			if s.Local() == "environment" {
				environments[s.Attr("name")] = fotsEnvironment{s, filepath.Dir(file)}
			}
		}
		for c := range set.Root().Elements() {
			if c.Local() != "test-case" {
				continue
			}
			in2, in3 := applies(set.Root(), c)
			if !in2 && !in3 {
				continue
			}
			id := e.Attr("name") + "/" + c.Attr("name")
			met[id] = true
			got := r.runCase(file, environments, c)
			if in2 {
				two.cases++
				if got == "" {
					two.agree++
				}
			}
			if in3 {
				three.cases++
				if got == "" {
					three.agree++
				}
			}
			if got != "" {
				mark := "3.1 only "
				if in2 {
					mark = "2.0 "
				}
				failures[id] = mark + got
			}
		}
	}
	t.Logf("XPath 2.0: %d of %d cases agree (%.2f %%)", two.agree, two.cases, 100*float64(two.agree)/float64(two.cases))
	t.Logf("XPath 3.1: %d of %d cases agree (%.2f %%)", three.agree, three.cases, 100*float64(three.agree)/float64(three.cases))
	if only == "" && two.cases < 11_000 {
		t.Fatalf("only %d cases: is the corpus there?", two.cases)
	}
	ids := make([]string, 0, len(failures))
	for id := range failures {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if known[id] == "" {
			t.Errorf("%s: %s", id, failures[id])
		}
	}
	if only != "" {
		return
	}
	for id := range known {
		switch {
		case !met[id]:
			t.Errorf("testdata/known.tsv: %s is no case", id)
		case failures[id] == "":
			t.Errorf("testdata/known.tsv: %s agrees now", id)
		}
	}
}

func (r *fotsRun) load(t testing.TB, file string) *dom.Document {
	d, err := r.document(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (r *fotsRun) document(file string) (*dom.Document, error) {
	if d := r.docs[file]; d != nil {
		return d, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d, err := dom.Parse(b, dom.Limits{InternalSubset: true})
	if err == nil {
		r.docs[file] = d
	}
	return d, err
}

// applies reads the dependencies of a case: those of the set hold unless the case has its own of that type.
func applies(set, c dom.Node) (in2, in3 bool) {
	in2, in3 = true, true
	spec := ""
	for _, n := range []dom.Node{set, c} {
		for d := range n.Elements() {
			if d.Local() != "dependency" {
				continue
			}
			switch d.Attr("type") {
			case "spec":
				spec = d.Attr("value")
			case "feature":
				if !slices.Contains([]string{"higherOrderFunctions", "namespace-axis"}, d.Attr("value")) && d.Attr("satisfied") != "false" {
					return false, false
				}
			}
		}
	}
	if spec != "" {
		in2, in3 = false, false
		for s := range strings.FieldsSeq(spec) {
			in2 = in2 || s == "XP20" || s == "XP20+"
			in3 = in3 || s == "XP20+" || s == "XP30+" || s == "XP31+" || s == "XP31"
		}
	}
	return in2, in3
}

func child(n dom.Node, local string) dom.Node { return n.Child(fots, local) }

// runCase returns "" when the result is as expected, else what is different.
func (r *fotsRun) runCase(file string, environments map[string]fotsEnvironment, c dom.Node) (diff string) {
	defer func() {
		if x := recover(); x != nil {
			diff = fmt.Sprintf("panic: %v", x)
		}
	}()
	env := &xpath.Static{Namespaces: map[string]string{}, BaseURI: "file://" + filepath.ToSlash(file), Names: xpath.NewNames()}
	ctx := &xpath.Context{Now: time.Date(2026, 5, 4, 10, 20, 30, 0, time.FixedZone("", 3600)), Limits: xpath.Limits{Work: 50_000_000, Items: 2_000_000}}
	uris := map[string]string{}
	ctx.Resolve = func(uri string) (*dom.Document, error) {
		if f, ok := uris[uri]; ok {
			return r.document(f)
		}
		if f, ok := strings.CutPrefix(uri, "file://"); ok && strings.HasPrefix(f, r.root) {
			return r.document(f)
		}
		return nil, errors.New("not in the corpus")
	}
	texts := map[string]string{}
	ctx.ResolveText = func(uri string) (string, error) {
		f, ok := texts[uri]
		if !ok {
			return "", errors.New("not in the corpus")
		}
		b, err := os.ReadFile(f)
		return string(b), err
	}
	files := map[*dom.Document]string{}
	ctx.URI = func(d *dom.Document) string { return files[d] }
	var values xpath.Values
	if e := child(c, "environment"); e.Valid() {
		x := fotsEnvironment{e, filepath.Dir(file)}
		if ref := e.Attr("ref"); ref != "" {
			var ok bool
			if x, ok = environments[ref]; !ok {
				if x, ok = r.global[ref]; !ok {
					return "no environment " + ref
				}
			}
		}
		for p := range x.node.Elements() {
			switch p.Local() {
			case "source":
				f := filepath.Join(x.dir, filepath.FromSlash(p.Attr("file")))
				uri := p.Attr("uri")
				if uri == "" {
					uri = "file://" + f
				}
				uris[uri] = f
				d, err := r.document(f)
				if err != nil {
					return err.Error()
				}
				files[d] = uri
				switch role := p.Attr("role"); {
				case role == ".":
					ctx.Item = xpath.NodeItem(d.Node())
				case strings.HasPrefix(role, "$"):
					env.Variables = append(env.Variables, xpath.Variable{Name: xpath.QName{Local: role[1:]}})
					values = append(values, xpath.Sequence{xpath.NodeItem(d.Node())})
				}
			case "resource":
				texts[p.Attr("uri")] = filepath.Join(x.dir, filepath.FromSlash(p.Attr("file")))
			case "namespace":
				if p.Attr("prefix") == "" {
					env.DefaultElementNamespace = p.Attr("uri")
				} else {
					env.Namespaces[p.Attr("prefix")] = p.Attr("uri")
				}
			case "static-base-uri":
				env.BaseURI = p.Attr("uri")
				if env.BaseURI == "#UNDEFINED" {
					env.BaseURI = ""
				}
			case "param":
				v, err := evaluate(p.Attr("select"), &xpath.Static{}, &xpath.Context{})
				if err != nil {
					return err.Error()
				}
				env.Variables = append(env.Variables, xpath.Variable{Name: xpath.QName{Local: p.Attr("name")}})
				values = append(values, v)
			case "decimal-format":
				if err := decimalFormat(env, p); err != nil {
					return err.Error()
				}
			}
		}
	}
	ctx.Variables = values
	test := child(c, "test").Text()
	if f := child(c, "test").Attr("file"); f != "" {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(file), f))
		if err != nil {
			return err.Error()
		}
		test = string(b)
	}
	v, err := evaluate(test, env, ctx)
	var x *xpath.Error
	if err != nil && !errors.As(err, &x) {
		return "error without code: " + err.Error()
	}
	return check(child(c, "result").FirstElement(), v, x, env, ctx)
}

func evaluate(src string, env *xpath.Static, ctx *xpath.Context) (xpath.Sequence, error) {
	e, err := xpath.Compile(src, env)
	if err != nil {
		return nil, err
	}
	return e.Evaluate(ctx)
}

// check compares a result with an assertion.
func check(a dom.Node, v xpath.Sequence, err *xpath.Error, env *xpath.Static, ctx *xpath.Context) string {
	text := a.Text()
	ask := func(test string) string {
		e := *env
		e.Variables = append([]xpath.Variable{{Name: xpath.QName{Local: "result"}}}, env.Variables...)
		vals, _ := ctx.Variables.(xpath.Values)
		c := &xpath.Context{Now: ctx.Now, Variables: append(xpath.Values{v}, vals...), Resolve: ctx.Resolve, Item: ctx.Item}
		x, err := xpath.Compile(test, &e)
		if err != nil {
			return err.Error()
		}
		if ok, err := x.EBV(c); err != nil {
			return err.Error()
		} else if !ok {
			return fmt.Sprintf("got %s, want %s", show(v), clip(text))
		}
		return ""
	}
	switch a.Local() {
	case "any-of":
		all := ""
		for k := range a.Elements() {
			d := check(k, v, err, env, ctx)
			if d == "" {
				return ""
			}
			all += " | " + d
		}
		return all
	case "all-of":
		for k := range a.Elements() {
			if d := check(k, v, err, env, ctx); d != "" {
				return d
			}
		}
		return ""
	case "not":
		if check(a.FirstElement(), v, err, env, ctx) == "" {
			return "not " + a.FirstElement().Local()
		}
		return ""
	case "error":
		switch code := a.Attr("code"); {
		case err == nil:
			return fmt.Sprintf("got %s, want error %s", show(v), code)
		case code != "*" && code != err.Code.Local && code != err.Code.EQName():
			return fmt.Sprintf("got error %s (%s), want %s", err.Code.Local, err.Msg, code)
		}
		return ""
	}
	if err != nil {
		return fmt.Sprintf("got %v, want %s %s", err, a.Local(), clip(text))
	}
	wrong := func(ok bool) string {
		if ok {
			return ""
		}
		return fmt.Sprintf("got %s, want %s %s", show(v), a.Local(), clip(text))
	}
	switch a.Local() {
	case "assert-true", "assert-false":
		b, ok := false, len(v) == 1
		if ok {
			b, ok = v[0].Bool()
		}
		return wrong(ok && b == (a.Local() == "assert-true"))
	case "assert-empty":
		return wrong(len(v) == 0)
	case "assert-count":
		return wrong(fmt.Sprint(len(v)) == text)
	case "assert-string-value":
		got := v.Text()
		if a.Attr("normalize-space") == "true" {
			got, text = strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(text), " ")
		}
		return wrong(got == text)
	case "assert-eq":
		return ask("$result eq (" + text + "\n)")
	case "assert-deep-eq":
		return ask("deep-equal($result, (" + text + "\n))")
	case "assert":
		return ask(text)
	case "assert-permutation":
		want, err := evaluate("("+text+"\n)", env, ctx)
		if err != nil {
			return err.Error()
		}
		return wrong(permutation(v, want))
	case "assert-type":
		st, err := xpath.ParseSequenceType(text, env)
		if err != nil {
			return err.Error()
		}
		return wrong(st.Matches(v))
	case "assert-xml":
		return wrong(sameXML(v, text))
	}
	return "unknown assertion " + a.Local()
}

func permutation(a, b xpath.Sequence) bool {
	equal, _ := xpath.Compile("deep-equal($a, $b)", &xpath.Static{Variables: []xpath.Variable{{Name: xpath.QName{Local: "a"}}, {Name: xpath.QName{Local: "b"}}}})
	if len(a) != len(b) {
		return false
	}
	rest := slices.Clone(b)
next:
	for _, x := range a {
		for i, y := range rest {
			if ok, err := equal.EBV(&xpath.Context{Variables: xpath.Values{{x}, {y}}}); err == nil && ok {
				rest = slices.Delete(rest, i, i+1)
				continue next
			}
		}
		return false
	}
	return true
}

// sameXML compares nodes with octets: parsed, by names, attributes and text.
func sameXML(v xpath.Sequence, want string) bool {
	d, err := dom.Parse([]byte("<r>"+want+"</r>"), dom.Limits{})
	if err != nil {
		return false
	}
	var b strings.Builder
	last := false
	for _, it := range v {
		if !it.IsNode() {
			if last {
				b.WriteByte(' ')
			}
			b.WriteString(it.String())
			last = true
			continue
		}
		last = false
		write(&b, it.Node())
	}
	var c strings.Builder
	for n := range d.Root().Children() {
		write(&c, n)
	}
	return b.String() == c.String()
}

// write puts a node into a form that does not depend on prefixes.
func write(b *strings.Builder, n dom.Node) {
	switch n.Kind() {
	case dom.DocumentNode:
		for c := range n.Children() {
			write(b, c)
		}
	case dom.ElementNode:
		fmt.Fprintf(b, "<{%s}%s", n.Space(), n.Local())
		var attrs []string
		for a := range n.Attributes() {
			attrs = append(attrs, fmt.Sprintf(" {%s}%s=%q", a.Space(), a.Local(), a.Text()))
		}
		slices.Sort(attrs)
		b.WriteString(strings.Join(attrs, "") + ">")
		for c := range n.Children() {
			write(b, c)
		}
		b.WriteString("</>")
	case dom.AttributeNode:
		fmt.Fprintf(b, "@{%s}%s=%q", n.Space(), n.Local(), n.Text())
	case dom.CommentNode:
		fmt.Fprintf(b, "<!--%s-->", n.Text())
	case dom.PINode:
		fmt.Fprintf(b, "<?%s %s?>", n.Local(), n.Text())
	default:
		fmt.Fprintf(b, "%q", n.Text())
	}
}

func show(v xpath.Sequence) string {
	var parts []string
	for i, it := range v {
		if i == 10 {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, it.Type().String()+" "+clip(it.String()))
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// decimalFormat reads a decimal-format element.
func decimalFormat(env *xpath.Static, p dom.Node) error {
	first := func(name string) rune {
		for _, r := range p.Attr(name) {
			return r
		}
		return 0
	}
	f := xpath.DecimalFormat{
		Decimal: first("decimal-separator"), Grouping: first("grouping-separator"), Minus: first("minus-sign"), Percent: first("percent"),
		PerMille: first("per-mille"), Zero: first("zero-digit"), Digit: first("digit"), Separator: first("pattern-separator"),
		Exponent: first("exponent-separator"), Infinity: p.Attr("infinity"), NaN: p.Attr("NaN"),
	}
	name := xpath.QName{Local: p.Attr("name")}
	if prefix, local, ok := strings.Cut(name.Local, ":"); ok {
		uri, ok := p.LookupNamespace(prefix)
		if !ok {
			return fmt.Errorf("decimal format %s has no namespace", name.Local)
		}
		name = xpath.QName{Space: uri, Local: local}
	}
	if env.DecimalFormats == nil {
		env.DecimalFormats = map[xpath.QName]xpath.DecimalFormat{}
	}
	env.DecimalFormats[name] = f
	return nil
}
