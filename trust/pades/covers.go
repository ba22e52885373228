package pades

import (
	"github.com/viadukt-eu/viadukt/pdf"
)

// Flags of annotations that nobody sees [ISO 32000-1 12.5.3].
const unseen = 1<<1 | 1<<5

// annotated notes an annotation that was added or changed, and whether it lies over what was signed: a page that does not change may
// show something else all the same.
func (x *comparison) annotated(number int, page pdf.Page, o pdf.Object, what string) {
	dict, _ := pdf.Get[pdf.Dict](x.now, o)
	if x.covers(number, page, dict) {
		x.add(Covering, number, what, "")
		return
	}
	x.add(Annotated, number, what, "")
}

// widgets tells which new fields lie over what was signed: one for a signature shows itself where there is room, others should.
func (x *comparison) widgets(pages []pdf.Page) {
	for _, f := range x.made {
		for _, w := range f.widgets {
			number := x.where[w]
			dict, _ := pdf.Get[pdf.Dict](x.now, w)
			if number == 0 || !x.covers(number, pages[number-1], dict) {
				continue
			}
			kind := Covering
			if f.kind == "Sig" && f.Dict["V"] != nil {
				kind = Annotated
			}
			x.add(kind, number, f.Name+" lies over content", f.Name)
			break
		}
	}
}

// covers tells whether an annotation hides something of its page: text of which it lies over the middle, a picture that it touches, a
// drawing that is all within it. What cannot be read counts as covered.
func (x *comparison) covers(number int, page pdf.Page, a pdf.Dict) bool {
	flags, _ := pdf.Get[int](x.now, a["F"])
	box, ok := x.now.Rectangle(a["Rect"])
	if flags&unseen != 0 || !ok || box[2] <= box[0] || box[3] <= box[1] || !x.paints(a, box) {
		return false
	}
	marks, known := x.marks[number]
	if !known {
		var err error
		if marks, err = x.now.Marks(page); err != nil {
			marks = []pdf.Mark{{Kind: pdf.ImageMark, Box: page.MediaBox}}
		}
		x.marks[number] = marks
	}
	for _, m := range marks {
		if *x.steps++; *x.steps > maxSteps {
			return true
		}
		within := m.Box[0] >= box[0] && m.Box[2] <= box[2] && m.Box[1] >= box[1] && m.Box[3] <= box[3]
		switch m.Kind {
		case pdf.TextMark:
			h, v := (m.Box[0]+m.Box[2])/2, (m.Box[1]+m.Box[3])/2
			if within || h > box[0] && h < box[2] && v > box[1] && v < box[3] {
				return true
			}
		case pdf.ImageMark:
			if m.Box[0] < box[2] && m.Box[2] > box[0] && m.Box[1] < box[3] && m.Box[3] > box[1] {
				return true
			}
		default:
			if within {
				return true
			}
		}
	}
	return false
}

// paints tells whether an annotation hides what lies below it: by an appearance with text, pictures or areas that are not mixed with
// what is below, or without one by its kind [ISO 32000-1 12.5.6].
func (x *comparison) paints(a pdf.Dict, box [4]float64) bool {
	kind, _ := pdf.Get[pdf.Name](x.now, a["Subtype"])
	looks, _ := pdf.Get[pdf.Dict](x.now, a["AP"])
	normal, err := x.now.Resolve(looks["N"])
	if err != nil {
		return true
	}
	var forms []*pdf.Stream
	switch n := normal.(type) {
	case *pdf.Stream:
		forms = append(forms, n)
	case pdf.Dict: // of each state
		for _, o := range n {
			if s, ok := pdf.Get[*pdf.Stream](x.now, o); ok {
				forms = append(forms, s)
			}
		}
	}
	if len(forms) == 0 {
		switch kind {
		case "FreeText", "Stamp", "Redact":
			return true
		case "Square", "Circle", "Polygon":
			return a["IC"] != nil
		}
		return false
	}
	for _, f := range forms {
		if x.mixed(f) {
			continue
		}
		marks, err := x.now.FormMarks(f)
		if err != nil {
			return true
		}
		frame, ok := x.now.Rectangle(f.Dict["BBox"])
		if !ok {
			frame = box
		}
		for _, m := range marks {
			area := (m.Box[2] - m.Box[0]) * (m.Box[3] - m.Box[1])
			switch m.Kind {
			case pdf.TextMark, pdf.ImageMark:
				return true
			case pdf.FillMark:
				if area*10 >= (frame[2]-frame[0])*(frame[3]-frame[1]) {
					return true
				}
			}
		}
	}
	return false
}

// mixed tells whether a form is mixed with what lies below it, as markers of text are [ISO 32000-1 11.3.5].
func (x *comparison) mixed(f *pdf.Stream) bool {
	resources, _ := pdf.Get[pdf.Dict](x.now, f.Dict["Resources"])
	states, _ := pdf.Get[pdf.Dict](x.now, resources["ExtGState"])
	for _, o := range states {
		state, _ := pdf.Get[pdf.Dict](x.now, o)
		switch mode, _ := pdf.Get[pdf.Name](x.now, state["BM"]); mode {
		case "Multiply", "Darken":
			return true
		}
	}
	return false
}
