package interop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

const xpathDocument = `<order xmlns="urn:order" date="2026-11-02">
  <line no="1"><qty>4</qty><price>2.50</price><total>10.00</total></line>
  <line no="2"><qty>3</qty><price>0.1</price><total>0.30</total></line>
  <line no="3"><qty>12</qty><price>99.505</price><total>1194.06</total></line>
</order>`

// writer makes expressions that have a value, of a kind that is asked for.
type writer struct{ *rand.Rand }

func (w writer) pick(s ...string) string { return s[w.IntN(len(s))] }

func (w writer) number(depth int) string {
	if depth == 0 {
		switch w.IntN(4) {
		case 0:
			return fmt.Sprint(w.IntN(2000) - 1000)
		case 1:
			return fmt.Sprintf("%d.%0*d", w.IntN(1000)-500, 1+w.IntN(6), w.IntN(10))
		case 2:
			return fmt.Sprintf("xs:decimal((//o:line)[%d]/o:%s)", 1+w.IntN(3), w.pick("qty", "price", "total"))
		}
		return fmt.Sprintf("%d.%de%d", w.IntN(10), w.IntN(1000), w.IntN(8)-3)
	}
	a := w.number(depth - 1)
	switch w.IntN(9) {
	case 0:
		return w.pick("round", "floor", "ceiling", "abs") + "(" + a + ")"
	case 1:
		return fmt.Sprintf("round-half-to-even(%s, %d)", a, w.IntN(5)-1)
	case 2:
		return "(" + a + " div " + w.pick("3", "7.5", "0.7", "11e0", "-8") + ")"
	case 3:
		return "(" + a + " " + w.pick("idiv", "mod") + " " + w.pick("3", "-7", "2.5") + ")"
	case 4:
		return w.pick("sum", "avg", "max", "min") + "((" + a + ", " + w.number(depth-1) + ", 1))"
	case 5:
		return "string-length(" + w.text(depth-1) + ")"
	}
	return "(" + a + " " + w.pick("+", "-", "*") + " " + w.number(depth-1) + ")"
}

func (w writer) text(depth int) string {
	if depth == 0 {
		return w.pick("'straße'", "' a  b '", "''", "'x1y22z'", "string(//o:line[2]/o:price)", "'Ünï\U0001F600'", "string(/o:order/@date)")
	}
	a := w.text(depth - 1)
	switch w.IntN(8) {
	case 0:
		return w.pick("upper-case", "normalize-space", "encode-for-uri") + "(" + a + ")"
	case 1:
		return fmt.Sprintf("substring(%s, %d, %d)", a, w.IntN(6)-1, w.IntN(6))
	case 2:
		return w.pick("substring-before", "substring-after") + "(" + a + ", " + w.pick("'a'", "' '", "'-'", "''") + ")"
	case 3:
		return "translate(" + a + ", 'ab2ß', 'AB')"
	case 4:
		return "replace(" + a + ", " + w.pick(`'[0-9]+'`, `'\s'`, `'(.)(.)'`, `'\p{L}'`) + ", " + w.pick("'-'", "'<$0>'") + ")"
	case 5:
		return "string-join(tokenize(" + a + ", " + w.pick(`'\d'`, `'\s+'`) + "), '|')"
	case 6:
		return "string(xs:date('2026-01-31') " + w.pick("+", "-") + " " + w.pick("xs:yearMonthDuration('P1M')", "xs:dayTimeDuration('P40D')", "xs:yearMonthDuration('P25M')") + ")"
	}
	return "concat(" + a + ", " + w.number(depth-1) + ")"
}

func (w writer) truth(depth int) string {
	switch w.IntN(5) {
	case 0:
		return "(" + w.number(depth) + " " + w.pick("=", "<", ">=", "!=", "lt") + " " + w.number(depth) + ")"
	case 1:
		return "(" + w.text(depth) + " " + w.pick("=", "<", "ne") + " " + w.text(depth) + ")"
	case 2:
		return "(" + w.pick("some", "every") + " $l in //o:line satisfies $l/o:" + w.pick("qty", "price", "total") + " " + w.pick(">", "=", "<=") + " " + w.number(depth) + ")"
	case 3:
		return "exists(//o:line[o:qty * o:price " + w.pick("=", ">", "<") + " o:total]" + w.pick("", "[1]", "[last()]", "/@no[. > 1]") + ")"
	}
	return "(count(//o:line[@no " + w.pick(">", "=", "!=") + " 2]/preceding-sibling::*) = " + w.pick("0", "1", "2") + ")"
}

// TestXPathAgreesWithSaxon has Saxon evaluate some hundred generated expressions in one go.
func TestXPathAgreesWithSaxon(t *testing.T) {
	needPeers(t, "peers/rules/.build")
	const rounds, each = 4, 250
	file := filepath.Join(t.TempDir(), "order.xml")
	if err := os.WriteFile(file, []byte(xpathDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := dom.Parse([]byte(xpathDocument), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	static := &xpath.Static{Namespaces: map[string]string{"o": "urn:order"}, Names: xpath.NewNames()}
	agree := 0
	for round := range rounds {
		w := writer{rand.New(rand.NewPCG(2026, uint64(round)))}
		var parts []string
		for range each {
			switch w.IntN(3) {
			case 0:
				parts = append(parts, w.number(3))
			case 1:
				parts = append(parts, w.text(3))
			default:
				parts = append(parts, w.truth(2))
			}
		}
		all := "(string(" + strings.Join(parts, "), string(") + "))"
		out, err := exec.Command(rulesPeer, "xpath", "--expr", all, "--ns", "o=urn:order", "--version", "2.0", file).Output()
		var said struct {
			Items []struct{ Value string }
			Error any
		}
		if err != nil && len(out) == 0 || json.Unmarshal(out, &said) != nil || len(said.Items) != each {
			t.Fatalf("round %d: the peer says %.500s (%v)", round, out, err)
		}
		for i, p := range parts {
			e, err := xpath.Compile("string("+p+")", static)
			if err != nil {
				t.Errorf("%s: %v", p, err)
				continue
			}
			v, err := e.Evaluate(&xpath.Context{Item: xpath.NodeItem(d.Node())})
			if err != nil || v.Text() != said.Items[i].Value {
				t.Errorf("%s: got %q (%v), Saxon %q", p, v.Text(), err, said.Items[i].Value)
				continue
			}
			agree++
		}
	}
	t.Logf("%d of %d expressions agree with Saxon", agree, rounds*each)
}
