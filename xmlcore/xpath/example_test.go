package xpath_test

import (
	"errors"
	"fmt"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// An expression is compiled once and asked of any number of nodes.
func Example() {
	d, _ := dom.Parse([]byte(`<order><line><qty>4</qty><price>2.50</price><total>10.01</total></line></order>`), dom.Limits{})
	test, err := xpath.Compile("total = qty * price", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := &xpath.Context{} // one a document
	ctx.Item = xpath.NodeItem(d.Root().FirstElement())
	ok, err := test.EBV(ctx)
	fmt.Println(ok, err)
	fmt.Print(test.Explain(ctx))
	// Output:
	// false <nil>
	// total = qty * price = false()
	//   total = total "10.01"
	//   qty * price = 10
	//     qty = qty "4"
	//     price = price "2.50"
}

// Errors name their code, the part that failed, and the node.
func ExampleError() {
	d, _ := dom.Parse([]byte("<order>\n<qty>many</qty>\n</order>"), dom.Limits{})
	e, _ := xpath.Compile("sum(qty/xs:decimal(.)) > 10", nil)
	_, err := e.EBV(&xpath.Context{Item: xpath.NodeItem(d.Root())})
	var x *xpath.Error
	errors.As(err, &x)
	fmt.Println(x.Code.Local, x.Part(), x.Line)
	fmt.Println(err)
	// Output:
	// FORG0001 xs:decimal(.) 2
	// xpath: err:FORG0001: "many" is no xs:decimal, at character 9 in xs:decimal(.), line 2, order/qty
}

// A rule engine finds the rules of a node by the name that their patterns end with.
func ExampleCompilePattern() {
	static := &xpath.Static{Names: xpath.NewNames()} // one for all patterns and expressions
	rules := map[int32][]*xpath.Pattern{}
	for _, src := range []string{"order/line", "line[price]", "note"} {
		p, err := xpath.CompilePattern(src, static)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, b := range p.Branches() {
			rules[b.NameID] = append(rules[b.NameID], p)
		}
	}
	d, _ := dom.Parse([]byte(`<order><line/><line><price>1</price></line></order>`), dom.Limits{})
	ctx := &xpath.Context{}
	for n := range d.Root().Elements() {
		for _, p := range rules[ctx.NameID(n, static.Names)] {
			if ok, _ := p.Matches(ctx, n); ok {
				fmt.Println(n.Path(), "matches", p)
			}
		}
	}
	// Output:
	// order/line[1] matches order/line
	// order/line[2] matches order/line
	// order/line[2] matches line[price]
}
