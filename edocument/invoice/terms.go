package invoice

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/decimal"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Term is one business term of an invoice with the way to it.
type Term struct {
	Path  string // "BG-25[2]/BT-131"
	ID    string // "BT-131"
	Value string
	Node  dom.Node
}

// Terms lists all terms that are present, in the order of the model. Numbers lose zeros at their end, so that equal
// invoices have equal lists.
func (i *Invoice) Terms() []Term {
	var out []Term
	walk(reflect.ValueOf(i).Elem(), "", &out)
	return out
}

// Equal reports whether two invoices have the same terms, in whatever syntax they were read. The first difference is
// returned in words.
func (i *Invoice) Equal(o *Invoice) (bool, string) {
	a, b := i.Terms(), o.Terms()
	for k := range max(len(a), len(b)) {
		switch {
		case k >= len(a):
			return false, fmt.Sprintf("only the second has %s = %q", b[k].Path, b[k].Value)
		case k >= len(b):
			return false, fmt.Sprintf("only the first has %s = %q", a[k].Path, a[k].Value)
		case a[k].Path != b[k].Path || a[k].Value != b[k].Value:
			return false, fmt.Sprintf("%s = %q, but %s = %q", a[k].Path, a[k].Value, b[k].Path, b[k].Value)
		}
	}
	return true, ""
}

func walk(v reflect.Value, path string, out *[]Term) {
	t := v.Type()
	for k := range t.NumField() {
		id := t.Field(k).Tag.Get("bt")
		if id == "" {
			continue
		}
		value(v.Field(k), join(path, id), id, out)
	}
}

func join(path, id string) string {
	if path == "" {
		return id
	}
	return path + "/" + id
}

func value(v reflect.Value, path, id string, out *[]Term) {
	add := func(s string, n dom.Node) {
		if s != "" {
			*out = append(*out, Term{path, id, s, n})
		}
	}
	switch x := v.Interface().(type) {
	case Text:
		add(x.Value, x.Node)
	case Date:
		add(x.Value, x.Node)
	case Number:
		if x.Given {
			add(x.Value.Normal().String(), x.Node)
		}
	case Identifier:
		if x.Value != "" {
			add(strings.Join(trimEmpty(x.Value, x.Scheme, x.Version), " | "), x.Node)
		}
	case *Binary:
		if x != nil {
			add(x.MimeCode+" | "+x.Filename+" | "+strings.Join(strings.Fields(x.Content), ""), x.Node)
		}
	default:
		switch v.Kind() {
		case reflect.Slice:
			for k := range v.Len() {
				at := fmt.Sprintf("%s[%d]", path, k+1)
				if _, ok := v.Index(k).Interface().(Identifier); ok {
					value(v.Index(k), at, id, out)
				} else {
					walk(v.Index(k), at, out)
				}
			}
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem(), path, out)
			}
		case reflect.Struct:
			walk(v, path, out)
		}
	}
}

func trimEmpty(s ...string) []string {
	for len(s) > 1 && s[len(s)-1] == "" {
		s = s[:len(s)-1]
	}
	return s
}

// number reads a Number from a node.
func number(n dom.Node) Number {
	if !n.Valid() {
		return Number{}
	}
	return Number{Value: decimal.Read(n.Text()), Given: true, Node: n}
}

// settle fills in the terms that one syntax demands and the other leaves to be computed, so that both say the same:
// of net price, discount and gross price any two give the third, no discount is none, and the total VAT is the sum of
// its parts. What is filled in has no node.
func (i *Invoice) settle() {
	for k := range i.Lines {
		l := &i.Lines[k]
		if l.Discount.Given && l.Discount.Value.IsZero() {
			l.Discount = Number{}
		}
		switch {
		case l.GrossPrice.Given && !l.Discount.Given:
			if d := l.GrossPrice.Value.Sub(l.Price.Value); l.Price.Given && !d.IsNaN() && !d.IsZero() {
				l.Discount = Num(d)
			}
		case l.Discount.Given && !l.GrossPrice.Given && l.Price.Given:
			if g := l.Price.Value.Add(l.Discount.Value); !g.IsNaN() {
				l.GrossPrice = Num(g)
			}
		}
	}
	if !i.Totals.Tax.Given && len(i.Breakdown) > 0 {
		var sum decimal.Decimal
		for _, e := range i.Breakdown {
			sum = sum.Add(e.Tax.Value)
		}
		if !sum.IsNaN() {
			i.Totals.Tax = Num(sum)
		}
	}
}
