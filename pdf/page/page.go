// Package page makes new PDF documents: headings, paragraphs, pairs of names and values, tables, boxes and pictures that
// flow over as many pages as they need.
//
// What it writes is PDF 1.7 [ISO 32000-1] that is also PDF/A-3 of level A [ISO 19005-3], for archives, and PDF/UA-1 [ISO 14289-1], for
// everybody: fonts are embedded, every text has its Unicode and its place in a structure tree, tables have headers, colours
// are sRGB, and the metadata say so. Files can be attached. Equal input gives equal octets: time comes from [Options].
//
//	d := page.New(page.Options{Title: "Report", Language: "en", Created: now})
//	d.Add(
//		page.Heading{Level: 1, Text: "Report"},
//		page.Paragraph{Text: page.Plain("Three files were read.")},
//		page.Table{Caption: "Files", Columns: []page.Column{{Title: "File"}, {Title: "Findings", Align: page.Right}},
//			RowHeads: true, Rows: [][]page.Cell{{page.Plain("a.xml"), page.Plain("3")}}},
//	)
//	octets, err := d.Bytes()
//
// The fonts are Go Regular and Go Bold, with the Latin, Greek and Cyrillic letters of Europe. A character that they lack is
// drawn as a replacement and keeps its Unicode, so that it can be copied, found and read aloud. Text runs from left to right.
//
// Lengths are points, 1/72 inch.
package page

import (
	"errors"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/pdf"
)

// Options say what a document is. Title, Language and Created are required.
type Options struct {
	Title    string
	Language string // of the text, as in BCP 47: "en", "de-AT"
	Author   string
	Subject  string
	Creator  string    // the program that the document comes from
	Created  time.Time // also of the last change

	Width, Height float64 // of a page; zero is A4, upright

	Footer string // at the left of each page's foot
	// PageLabel words the number of a page, at the right of its foot; nil writes "2 / 5".
	PageLabel func(page, pages int) string

	Metadata []Schema // further metadata
}

// Schema is a set of metadata properties that PDF/A does not know and that is therefore described in the file [ISO 19005-3 6.6.2.3].
type Schema struct {
	Title      string
	Namespace  string
	Prefix     string
	Properties []Property
}

// Property is one text of a [Schema].
type Property struct {
	Name, Value, Description string

	number bool
}

// Attachment is a file within the document.
type Attachment struct {
	Name         string
	Description  string
	MimeType     string
	Relationship string // Alternative, Data, Source, Supplement; "" is Unspecified [ISO 19005-3 6.8]
	Modified     time.Time
	Content      []byte
}

// Color is red, green, blue. Black is the colour of text where none is given.
type Color [3]uint8

// Colours with enough contrast to be read on white.
var (
	Ink   = Color{0x1a, 0x1a, 0x1a}
	Quiet = Color{0x55, 0x55, 0x55}
	Blue  = Color{0x0b, 0x4f, 0x8a}
	Green = Color{0x17, 0x6b, 0x2c}
	Amber = Color{0x8a, 0x55, 0x00}
	Red   = Color{0xa8, 0x1b, 0x1b}
)

// Colours to fill boxes with.
var (
	Wash  = Color{0xf3, 0xf5, 0xf7}
	Ruler = Color{0xc8, 0xc8, 0xc8}
)

// Align says at which edge lines stand.
type Align int

// The edges.
const (
	Left Align = iota
	Right
	Center
)

// Text is a run of words in one look. A line feed begins a new line.
type Text struct {
	Value string
	Bold  bool
	Small bool
	Color Color  // zero is [Ink], or [Quiet] where the text is small
	Link  string // an address with http, https or mailto; what begins otherwise is no link
}

// Plain makes one run of words without adornment.
func Plain(s string) []Text { return []Text{{Value: s}} }

// Bold makes one run of bold words.
func Bold(s string) []Text { return []Text{{Value: s, Bold: true}} }

// Block is one of Heading, Paragraph, List, KeyValues, Table, Columns, Box, Picture, Rule and Space.
type Block interface {
	// strips lays the block out in a width, below an element of the structure tree.
	strips(d *Document, parent *element, width float64) []strip
}

// Document collects blocks. It is not for use by several goroutines at once.
type Document struct {
	options       Options
	width, height float64
	fonts         [2]*subset // regular, bold
	root          *element
	sheets        []*sheet
	p             *painter // of the page that is open
	y             float64  // what is left of it, above the lower margin
	pending       []strip  // keeps with what comes next
	level         int      // of the last heading
	marks         []bookmark
	attachments   []Attachment
	errs          []error
}

const (
	marginSide   = 54.0
	marginTop    = 50.0
	marginBottom = 62.0

	sizeNormal = 9.5
	sizeSmall  = 8.0
	leading    = 1.36 // distance of base lines, in sizes
)

// New begins a document.
func New(o Options) *Document {
	d := &Document{options: o, width: o.Width, height: o.Height, root: &element{tag: "Document"}}
	if d.width <= 0 || d.height <= 0 {
		d.width, d.height = 595.28, 841.89
	}
	d.width, d.height = max(d.width, 200), max(d.height, 200)
	d.fonts = [2]*subset{newSubset(regular()), newSubset(bold())}
	return d
}

// Add puts blocks below what is there.
func (d *Document) Add(blocks ...Block) {
	for _, b := range blocks {
		d.pending = append(d.pending, b.strips(d, d.root, d.width-2*marginSide)...)
		if n := len(d.pending); n > 0 && !d.pending[n-1].keep {
			d.flow(d.pending)
			d.pending = d.pending[:0]
		}
	}
}

// Break goes on at the top of a new page.
func (d *Document) Break() {
	d.flow(d.pending)
	d.pending = d.pending[:0]
	d.end()
}

// Attach adds a file. Names must differ.
func (d *Document) Attach(a Attachment) { d.attachments = append(d.attachments, a) }

// Bytes ends the document and returns the file. Errors are those of the input: a heading that skips a level, a picture that
// cannot be read, two attachments with one name.
func (d *Document) Bytes() ([]byte, error) {
	d.Break()
	if len(d.sheets) == 0 {
		d.turn(nil)
		d.end()
	}
	o := &d.options
	if o.Title == "" || o.Language == "" || o.Created.IsZero() {
		d.errs = append(d.errs, errors.New("a document needs a title, a language and a time"))
	}
	names := map[string]bool{}
	for _, a := range d.attachments {
		if a.Name == "" || names[a.Name] {
			d.errs = append(d.errs, fmt.Errorf("attachment %q: every one needs a name of its own", a.Name))
		}
		names[a.Name] = true
	}
	if err := errors.Join(d.errs...); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return d.write()
}

// label is what stands at the foot of a page.
func (d *Document) label(n int) string {
	if d.options.PageLabel != nil {
		return d.options.PageLabel(n, len(d.sheets))
	}
	return fmt.Sprintf("%d / %d", n, len(d.sheets))
}

// bookmark is an entry of the outline.
type bookmark struct {
	level int
	title string
	sheet *sheet
	y     float64
}

var _ = [...]Block{Heading{}, Paragraph{}, List{}, KeyValues{}, Table{}, Columns{}, Box{}, Picture{}, Rule{}, Space(0)}

// producer names this program in the files.
const producer = "Viadukt"

func info(o *Options) pdf.Dict {
	d := pdf.Dict{"Title": pdf.Text(clean(o.Title)), "Producer": pdf.Text(producer), "CreationDate": pdf.Date(o.Created.UTC()), "ModDate": pdf.Date(o.Created.UTC())}
	for key, s := range map[pdf.Name]string{"Author": o.Author, "Subject": o.Subject, "Creator": o.Creator} {
		if s != "" {
			d[key] = pdf.Text(clean(s))
		}
	}
	return d
}
