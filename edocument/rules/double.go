package rules

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// The published tests compute with xs:decimal where they say so, and with xs:double where they compare the text of an element
// with a number, or add a number to it [XPath20 3.5.2]. The two differ in what they read, 1E2 or INF, and in rare differences.

// double reads an xs:double, white space around it allowed. What is none is NaN.
func double(s string) float64 {
	s = strings.Trim(s, " \t\r\n")
	switch s {
	case "INF":
		return math.Inf(1)
	case "-INF":
		return math.Inf(-1)
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return math.NaN()
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // beyond the range are zero and infinity
		return math.NaN()
	}
	return f
}

// isNumber reports whether XPath's number() makes a number of s.
func isNumber(s string) bool { return !math.IsNaN(double(s)) }

// exact is the number that a double is.
func exact(f float64) decimal.Decimal { return decimal.Read(strconv.FormatFloat(f, 'f', 80, 64)) }

// nearest is the double for a decimal.
func nearest(d decimal.Decimal) float64 { return double(d.String()) }

// someEqual: some node of the path, read as a double, is the computed amount.
func (x *eval) someEqual(p *path, name string, computed decimal.Decimal, terms string) bool {
	want := math.NaN()
	return p.walk(x, x.n, func(n dom.Node) bool {
		if decimal.Read(n.Text()).Equal(computed) {
			return true
		}
		if math.IsNaN(want) && !computed.IsNaN() {
			want = nearest(computed)
		}
		return double(n.Text()) == want
	}) || x.explain(p.value(x, x.n), name, computed, terms)
}

// nearDouble compares a stated amount, read as a double, with room for rounding: it lies less than one unit above or below, as doubles
// are added. Where the sums count as decimals the results of adding are compared exactly.
func (x *eval) nearDouble(stated dom.Node, name string, computed decimal.Decimal, terms string, decimals bool) bool {
	d := decimal.Read(stated.Text())
	if difference := d.Sub(computed).Abs(); difference.Less(decimal.New(999, 3)) {
		return true
	} else if !difference.IsNaN() && decimal.New(1001, 3).Less(difference) {
		return x.explain(d, name, computed, terms)
	}
	f := double(stated.Text())
	if decimals && exact(f-1).Less(computed) && computed.Less(exact(f+1)) {
		return true
	}
	if want := nearest(computed); !decimals && f-1 < want && want < f+1 {
		return true
	}
	return x.explain(d, name, computed, terms)
}

// inCents reports whether an amount read as a double is what it is rounded to two decimals.
func inCents(s string) bool {
	if d := decimal.Read(s); !d.IsNaN() {
		return d.Equal(d.Round(2))
	}
	f := double(s)
	return f == math.Floor(f*100+0.5)/100
}

// doubleSum adds up amounts as doubles are added. The sum of amounts of two decimals is that of the decimals.
type doubleSum struct {
	decimals decimal.Decimal
	doubles  float64
	differ   bool
}

func (s *doubleSum) add(n dom.Node) {
	d := decimal.Read(n.Text())
	s.decimals = s.decimals.Add(d)
	s.doubles += double(n.Text())
	s.differ = s.differ || d.IsNaN() || d.Scale() > 2
}

// decimal is the sum as a decimal, rounded to two places.
func (s *doubleSum) decimal() decimal.Decimal {
	if s.differ {
		return exact(s.doubles).Round(2)
	}
	return s.decimals
}

// cents is the sum, rounded to two decimals.
func (s *doubleSum) cents() decimal.Decimal {
	if s.differ {
		return exact(math.Floor(s.doubles*100+0.5) / 100)
	}
	return s.decimals
}
