package page

import (
	"github.com/viadukt-eu/viadukt/pdf"
)

// element is one of the structure tree [ISO 32000-1 14.7].
type element struct {
	tag   pdf.Name
	kids  []any // *element, mark or *annotation
	owner pdf.Name
	attrs pdf.Dict // of owner
	alt   string
	ref   pdf.Ref
}

func (e *element) child(tag pdf.Name) *element {
	c := &element{tag: tag}
	e.kids = append(e.kids, c)
	return c
}

// mark is a marked sequence of a page's content.
type mark struct {
	sheet *sheet
	id    int
}

// annotation is a link.
type annotation struct {
	sheet   *sheet
	element *element
	address string
	box     [4]float64
	ref     pdf.Ref
}

// reserve numbers the element and all below it.
func (e *element) reserve(w *file) {
	e.ref = w.reserve()
	for _, k := range e.kids {
		if c, ok := k.(*element); ok {
			c.reserve(w)
		}
	}
}

func (e *element) write(w *file, parent pdf.Ref) {
	d := pdf.Dict{"Type": pdf.Name("StructElem"), "S": e.tag, "P": parent}
	var kids pdf.Array
	var on *sheet
	for _, k := range e.kids {
		switch k := k.(type) {
		case *element:
			kids = append(kids, k.ref)
			k.write(w, e.ref)
		case mark:
			if on == nil {
				on = k.sheet
				d["Pg"] = on.ref
			}
			if k.sheet == on {
				kids = append(kids, k.id)
			} else {
				kids = append(kids, pdf.Dict{"Type": pdf.Name("MCR"), "Pg": k.sheet.ref, "MCID": k.id})
			}
		case *annotation:
			kids = append(kids, pdf.Dict{"Type": pdf.Name("OBJR"), "Pg": k.sheet.ref, "Obj": k.ref})
		}
	}
	if len(kids) == 1 {
		d["K"] = kids[0]
	} else if len(kids) > 1 {
		d["K"] = kids
	}
	if e.attrs != nil {
		a := e.attrs.Clone()
		a["O"] = e.owner
		d["A"] = a
	}
	if e.alt != "" {
		d["Alt"] = pdf.Text(clean(e.alt))
	}
	w.set(e.ref, d)
}
