package xpath_test

import (
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// TestLookupsAreLearned asks for elements by what a child or an attribute says, often enough for the values to be learned,
// and each time beside the same question in words that no key answers.
func TestLookupsAreLearned(t *testing.T) {
	t.Parallel()
	doc := parse(t, `<r>
		<g><id>a</id><n>1</n><g><id>a</id><n>2</n><g><id>b</id><id>a</id><n>3</n></g></g></g>
		<g k="x"><id>7</id><n>4</n></g><g k="y"><id> 7</id><n>5</n></g><g k="x"><n>6</n><g k="x"><id>a<!--c-->a</id><n>7</n></g><g k="x"><id>b</id><n>8</n></g></g>
		<h><x>b</x><x>a</x><x>a</x></h></r>`)
	for _, c := range []struct{ keyed, plain string }{
		{"//g[id = $v]/n", "//g[(id, ()) = $v]/n"},
		{"//g[$v = id]/n", "//g[$v = (id, ())]/n"},
		{"//g[@k = $v]/n", "//g[(@k, ()) = $v]/n"},
		{"//g[id = $v][1]/n", "/descendant-or-self::node()/(g[(id, ()) = $v][1])/n"},
		{"//g[id = $v][2]/n", "/descendant-or-self::node()/(g[(id, ()) = $v][2])/n"},
		{"//g[id = $v][n][1]/n", "/descendant-or-self::node()/(g[(id, ()) = $v][n][1])/n"},
		{"//g[@k = $v][position() > 1]/n", "/descendant-or-self::node()/(g[(@k, ()) = $v][position() > 1])/n"},
		{"//g[@k = $v][last()]/n", "/descendant-or-self::node()/(g[(@k, ()) = $v][last()])/n"},
		{"//g[id = $v]//g[id = $v]/n", "//g[(id, ()) = $v]//g[(id, ()) = $v]/n"},
		{"/r/g[3]//g[id = $v]/n", "/r/g[3]//g[(id, ()) = $v]/n"},
		{"/r/g//g[id = $v][1]/n", "/r/g/descendant-or-self::node()/(g[(id, ()) = $v][1])/n"},
		{"exists(//g[id = $v])", "exists(//g[(id, ()) = $v])"},
		{"count(//g[nowhere = $v])", "0"},
		{"count(//nowhere[id = $v])", "0"},
		{"descendant::g[id = $v]/n", "descendant::g[(id, ()) = $v]/n"},
	} {
		for _, values := range []string{"('a', 'b', 'x', '7', 'none', 'a', 'aa')", "(7, 8, 7)", "(//x)"} {
			for _, shape := range []string{
				"for $v in %v return string-join(('|', (EXPR) ! string()), ' ')",
				"for $i in 1 to 5 return let $v := subsequence(%v, 1 + $i mod 3, 2) return string-join(('|', (EXPR) ! string()), ' ')",
				"let $v := () return for $i in 1 to 5 return string-join(('|', (EXPR) ! string()), ' ')",
			} {
				shape = strings.ReplaceAll(shape, "%v", values)
				if strings.Contains(c.keyed, "nowhere") {
					shape = strings.ReplaceAll(shape, "7, 8", "xs:date('2026-01-01'), 8") // which no element is compared with
				}
				ask := func(question string) string {
					e, err := xpath.Compile(strings.ReplaceAll(shape, "EXPR", question), orderStatic())
					if err != nil {
						t.Fatalf("%s: %v", question, err)
					}
					s, err := e.Evaluate(&xpath.Context{Item: xpath.NodeItem(doc.Node())})
					if err != nil {
						return err.(*xpath.Error).Code.Local
					}
					var b strings.Builder
					for _, it := range s {
						b.WriteString(it.String())
					}
					return b.String()
				}
				if got, want := ask(c.keyed), ask(c.plain); got != want {
					t.Errorf("%s with %s: %q, and %s gives %q", c.keyed, shape, got, c.plain, want)
				}
			}
		}
	}
}

// BenchmarkLookup looks a thousand values up in a thousand elements.
func BenchmarkLookup(b *testing.B) {
	doc := parse(b, "<r>"+strings.Repeat("<g><id>a</id></g><g><id>b</id><id>c</id></g>", 500)+"<g><id>d</id></g></r>")
	e, err := xpath.Compile("for $v in (1 to 1000) ! 'd' return //g[id = $v][1]", orderStatic())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if s, err := e.Evaluate(&xpath.Context{Item: xpath.NodeItem(doc.Node())}); err != nil || len(s) != 1000 {
			b.Fatal(len(s), err)
		}
	}
}
