package pdf

import (
	"bytes"
	"fmt"
)

// MarkKind is what a mark on a page is.
type MarkKind byte

// The kinds of marks.
const (
	TextMark   MarkKind = iota // a string; its width is estimated
	ImageMark                  // an image, also an inline one
	FillMark                   // a path that is filled
	StrokeMark                 // a path that is drawn as lines
)

// Mark is something that a content stream paints, with the box around it in the space of the page.
type Mark struct {
	Kind MarkKind
	Box  [4]float64 // left, bottom, right, top
}

// Bounds on content.
const (
	maxContent = 64 << 20  // octets, of one page
	maxMarks   = 1_000_000 // operators, of one page
	maxForms   = 16        // forms within forms
)

// Marks lists what a page paints, in its order: a rough map of where there is something to see. Clipping, transparency and layers are
// left out.
func (d *Document) Marks(p Page) ([]Mark, error) {
	var parts [][]byte
	size := 0
	contents, err := d.Resolve(p.Dict["Contents"])
	if err != nil {
		return nil, err
	}
	list, ok := contents.(Array)
	if !ok {
		list = Array{contents}
	}
	for _, o := range list {
		s, ok := Get[*Stream](d, o)
		if !ok {
			continue
		}
		b, err := d.Bytes(s, maxContent)
		if err != nil {
			return nil, err
		}
		if size += len(b); size > maxContent {
			return nil, fmt.Errorf("%w: a page of more than %d octets", ErrLimit, maxContent)
		}
		parts = append(parts, b)
	}
	w := painter{d: d}
	err = w.run(bytes.Join(parts, []byte("\n")), p.Resources, unmoved, 0)
	return w.marks, err
}

// FormMarks lists what a form paints, in its own space.
func (d *Document) FormMarks(form *Stream) ([]Mark, error) {
	w := painter{d: d}
	err := w.form(form, nil, unmoved, 0)
	return w.marks, err
}

// matrix is a transformation [ISO 32000-1 8.3.3].
type matrix [6]float64

var unmoved = matrix{1, 0, 0, 1, 0, 0}

// times applies m before n.
func (m matrix) times(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3], m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

func (m matrix) at(x, y float64) (float64, float64) {
	return x*m[0] + y*m[2] + m[4], x*m[1] + y*m[3] + m[5]
}

// box is the one around the corners of a rectangle.
func (m matrix) box(left, bottom, right, top float64) (out [4]float64) {
	var b border
	for _, c := range [][2]float64{{left, bottom}, {right, bottom}, {left, top}, {right, top}} {
		b.add(m.at(c[0], c[1]))
	}
	return b.box
}

// border grows around points.
type border struct {
	box [4]float64
	any bool
}

func (b *border) add(x, y float64) {
	if !b.any {
		b.box, b.any = [4]float64{x, y, x, y}, true
		return
	}
	b.box = [4]float64{min(b.box[0], x), min(b.box[1], y), max(b.box[2], x), max(b.box[3], y)}
}

// painter follows content streams [ISO 32000-1 8, 9].
type painter struct {
	d     *Document
	marks []Mark
	steps int
	path  border
}

// paintState is the part of the graphics state that moves marks.
type paintState struct {
	ctm                        matrix
	size, leading, scale, rise float64
}

func (w *painter) add(kind MarkKind, box [4]float64) { w.marks = append(w.marks, Mark{kind, box}) }

func (w *painter) form(s *Stream, inherited Dict, ctm matrix, depth int) error {
	resources, ok := Get[Dict](w.d, s.Dict["Resources"])
	if !ok {
		resources = inherited
	}
	if a, ok := Get[Array](w.d, s.Dict["Matrix"]); ok && len(a) == 6 {
		var m matrix
		for i := range m {
			m[i], _ = w.d.Number(a[i])
		}
		ctm = m.times(ctm)
	}
	b, err := w.d.Bytes(s, maxContent)
	if err != nil {
		return err
	}
	return w.run(b, resources, ctm, depth)
}

func (w *painter) run(b []byte, resources Dict, ctm matrix, depth int) error {
	if depth > maxForms {
		return fmt.Errorf("%w: forms nested more than %d deep", ErrLimit, maxForms)
	}
	l := lexer{b: b, whole: true}
	s := paintState{ctm: ctm, scale: 1}
	var stack []paintState
	var operands []Object
	var text, line matrix
	num := func(i int) float64 { // counted from the last operand
		if i = len(operands) - 1 - i; i < 0 {
			return 0
		}
		switch n := operands[i].(type) {
		case int:
			return float64(n)
		case float64:
			return n
		}
		return 0
	}
	transform := func() matrix { return matrix{num(5), num(4), num(3), num(2), num(1), num(0)} }
	move := func(x, y float64) {
		line = matrix{1, 0, 0, 1, x, y}.times(line)
		text = line
	}
	show := func(o Object) {
		str, ok := o.(String)
		if h, is := o.(Hex); is {
			str, ok = String(h), true
		}
		if !ok {
			return
		}
		width := float64(len(str)) * s.size * s.scale / 2
		if len(bytes.TrimSpace([]byte(str))) > 0 {
			w.add(TextMark, text.times(s.ctm).box(0, s.rise-s.size/5, width, s.rise+s.size*4/5))
		}
		text = matrix{1, 0, 0, 1, width, 0}.times(text)
	}
	point := func(x, y float64) { w.path.add(s.ctm.at(x, y)) }
	for {
		if l.skip(); l.pos >= len(l.b) {
			return nil
		}
		if w.steps++; w.steps > maxMarks {
			return fmt.Errorf("%w: a page with more than %d operators", ErrLimit, maxMarks)
		}
		switch c := l.b[l.pos]; {
		case c == '/' || c == '(' || c == '<' || c == '[':
			o, err := l.object(0)
			if err != nil {
				return err
			}
			operands = append(operands, o)
			continue
		case delimiter(c):
			l.pos++ // a closing bracket too many
			continue
		}
		word, _ := l.regular()
		if n, err := number(word); err == nil {
			if operands = append(operands, n); len(operands) > 1000 {
				operands = operands[500:]
			}
			continue
		}
		switch string(word) {
		case "q":
			if len(stack) < 1000 {
				stack = append(stack, s)
			}
		case "Q":
			if len(stack) > 0 {
				s, stack = stack[len(stack)-1], stack[:len(stack)-1]
			}
		case "cm":
			if len(operands) >= 6 {
				s.ctm = transform().times(s.ctm)
			}
		case "BT":
			text, line = unmoved, unmoved
		case "Tf":
			s.size = num(0)
		case "TL":
			s.leading = num(0)
		case "Tz":
			s.scale = num(0) / 100
		case "Ts":
			s.rise = num(0)
		case "Tm":
			if len(operands) >= 6 {
				line = transform()
				text = line
			}
		case "Td":
			move(num(1), num(0))
		case "TD":
			s.leading = -num(0)
			move(num(1), num(0))
		case "T*":
			move(0, -s.leading)
		case "'", "\"":
			move(0, -s.leading)
			fallthrough
		case "Tj":
			if len(operands) > 0 {
				show(operands[len(operands)-1])
			}
		case "TJ":
			if len(operands) > 0 {
				list, _ := operands[len(operands)-1].(Array)
				for _, o := range list {
					if n, ok := w.d.Number(o); ok {
						text = matrix{1, 0, 0, 1, -n / 1000 * s.size * s.scale, 0}.times(text)
						continue
					}
					show(o)
				}
			}
		case "m", "l":
			point(num(1), num(0))
		case "c":
			point(num(5), num(4))
			point(num(3), num(2))
			point(num(1), num(0))
		case "v", "y":
			point(num(3), num(2))
			point(num(1), num(0))
		case "re":
			point(num(3), num(2))
			point(num(3)+num(1), num(2)+num(0))
			point(num(3), num(2)+num(0))
			point(num(3)+num(1), num(2))
		case "f", "F", "f*", "B", "B*", "b", "b*":
			w.paint(FillMark)
		case "S", "s":
			w.paint(StrokeMark)
		case "n":
			w.path = border{}
		case "Do":
			if err := w.object(operands, resources, s.ctm, depth); err != nil {
				return err
			}
		case "ID": // an inline image [ISO 32000-1 8.9.7]
			w.add(ImageMark, s.ctm.box(0, 0, 1, 1))
			for l.pos < len(l.b) {
				i := bytes.Index(l.b[l.pos:], []byte("EI"))
				if i < 0 {
					return nil
				}
				at := l.pos + i
				l.pos = at + 2
				if at > 0 && space(l.b[at-1]) && (l.pos == len(l.b) || space(l.b[l.pos])) {
					break
				}
			}
		}
		operands = operands[:0]
	}
}

// paint ends a path.
func (w *painter) paint(kind MarkKind) {
	if w.path.any {
		w.add(kind, w.path.box)
	}
	w.path = border{}
}

// object paints an external object.
func (w *painter) object(operands []Object, resources Dict, ctm matrix, depth int) error {
	if len(operands) == 0 {
		return nil
	}
	name, _ := operands[len(operands)-1].(Name)
	all, _ := Get[Dict](w.d, resources["XObject"])
	s, ok := Get[*Stream](w.d, all[name])
	if !ok {
		return nil
	}
	if kind, _ := Get[Name](w.d, s.Dict["Subtype"]); kind == "Form" {
		return w.form(s, resources, ctm, depth+1)
	}
	w.add(ImageMark, ctm.box(0, 0, 1, 1))
	return nil
}
