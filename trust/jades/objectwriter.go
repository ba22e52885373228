package jades

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// objectWriter writes one JSON object, member by member.
type objectWriter struct {
	out   []byte
	depth int
	comma bool
	bad   string // a text that is no UTF-8
}

func (w *objectWriter) next(name string) {
	if w.depth == 0 && w.out == nil {
		w.out = append(w.out, '{')
	}
	if w.comma {
		w.out = append(w.out, ',')
	}
	w.comma = true
	if name != "" {
		w.out = append(appendString(w.out, name), ':')
	}
}

func (w *objectWriter) raw(name string, value []byte) {
	w.next(name)
	w.out = append(w.out, value...)
}

func (w *objectWriter) text(name, s string) {
	w.next(name)
	if !utf8.ValidString(s) {
		w.bad = s
	}
	w.out = appendString(w.out, s)
}

// texts writes pairs of name and text, without those that are empty.
func (w *objectWriter) texts(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			w.text(pairs[i], pairs[i+1])
		}
	}
}

func (w *objectWriter) within(name string, open, end byte, fill func()) {
	w.next(name)
	w.out = append(w.out, open)
	w.depth++
	w.comma = false
	fill()
	w.depth--
	w.comma = true
	w.out = append(w.out, end)
}

func (w *objectWriter) object(name string, fill func()) { w.within(name, '{', '}', fill) }
func (w *objectWriter) array(name string, fill func())  { w.within(name, '[', ']', fill) }
func (w *objectWriter) itemObject(fill func())          { w.within("", '{', '}', fill) }
func (w *objectWriter) item(s string)                   { w.text("", s) }

func (w *objectWriter) items(list []string) {
	for _, s := range list {
		w.item(s)
	}
}

// tokens writes the member of a tstContainer [TS 119 182-1 5.4.3.3].
func (w *objectWriter) tokens(list ...*tsp.Token) {
	w.array("tstTokens", func() {
		for _, t := range list {
			w.itemObject(func() { w.text("val", base64.StdEncoding.EncodeToString(t.Raw)) })
		}
	})
}

func (w *objectWriter) bytes() ([]byte, error) {
	if w.bad != "" {
		return nil, fmt.Errorf("%w: %q is no UTF-8", ErrStructure, w.bad)
	}
	if w.out == nil {
		return []byte("{}"), nil
	}
	return append(w.out, '}'), nil
}
