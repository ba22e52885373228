package facturx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// ErrUnfit says that nothing can be attached to a PDF in such a way that the result is sound. The text says why.
var ErrUnfit = errors.New("facturx: an invoice cannot be attached to this PDF")

func unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnfit, fmt.Sprintf(format, args...))
}

// Attach puts an invoice into a PDF of the given size that somebody else laid out, behind its octets, none of which changes.
// Labels and creator of the options are not used. The PDF must claim to be PDF/A-3, for no other archive may hold an invoice,
// be neither encrypted, damaged nor signed, and hold no invoice yet; else the error is ErrUnfit. That its pages say what the
// invoice says is for the caller to know.
func Attach(r io.ReaderAt, size int64, i *invoice.Invoice, o Options) (*Written, error) {
	d, err := pdf.Open(r, size)
	if err != nil {
		return nil, err
	}
	u, err := d.Update()
	if err != nil {
		return nil, unfit("%v", err)
	}
	catalog, err := d.Catalog()
	if err != nil {
		return nil, err
	}
	root, ok := d.Trailer["Root"].(pdf.Ref)
	if !ok {
		return nil, unfit("its catalog is no object of its own")
	}
	if signed(d, catalog) {
		return nil, unfit("it is signed, and a signature covers what is attached: attach first, then sign")
	}
	files, err := d.Files()
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if isInvoice(f.Name) {
			return nil, unfit("it holds %s already", f.Name)
		}
	}
	p := prepare(i, &o)
	meta, ok := catalog["Metadata"].(pdf.Ref)
	if !ok {
		return nil, unfit("it has no metadata, so that it is no PDF/A-3")
	}
	packet, err := extended(d, p.schema())
	if err != nil {
		return nil, err
	}
	u.Set(meta, &pdf.Stream{Dict: pdf.Dict{"Type": pdf.Name("Metadata"), "Subtype": pdf.Name("XML")}, Data: packet})
	spec := p.attachment(&o).Embed(u.Add)
	changed := catalog.Clone()
	associated, _ := pdf.Get[pdf.Array](d, catalog["AF"])
	changed["AF"] = append(append(pdf.Array{}, associated...), spec)
	if changed["Names"], err = listed(d, catalog, p.Name, spec); err != nil {
		return nil, err
	}
	u.Set(root, changed)
	more, err := u.Append()
	if err != nil {
		return nil, err
	}
	old, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	p.PDF = append(old, more.Octets...)
	return &p.Written, nil
}

// signed reports whether a document has signatures [ISO 32000-1 12.7.2].
func signed(d *pdf.Document, catalog pdf.Dict) bool {
	form, _ := pdf.Get[pdf.Dict](d, catalog["AcroForm"])
	flags, _ := pdf.Get[int](d, form["SigFlags"])
	return flags&1 != 0 || catalog["Perms"] != nil
}

// listed is the dictionary of names with one more embedded file, in order.
func listed(d *pdf.Document, catalog pdf.Dict, name string, spec pdf.Ref) (pdf.Dict, error) {
	old, _ := pdf.Get[pdf.Dict](d, catalog["Names"])
	names := old.Clone()
	var tree pdf.Array
	placed := false
	place := func() { tree, placed = append(tree, pdf.Text(name), spec), true }
	if old["EmbeddedFiles"] != nil {
		err := d.NameTree(old["EmbeddedFiles"], func(key pdf.String, o pdf.Object) bool {
			if !placed && key > pdf.Text(name) {
				place()
			}
			tree = append(tree, key, o)
			return true
		})
		if err != nil {
			return nil, unfit("its embedded files: %v", err)
		}
	}
	if !placed {
		place()
	}
	names["EmbeddedFiles"] = pdf.Dict{"Names": tree}
	return names, nil
}

// extended is the metadata with what they say of the invoice.
func extended(d *pdf.Document, s page.Schema) ([]byte, error) {
	h := &Hybrid{}
	x, err := h.claim(d)
	if err != nil {
		return nil, unfit("its metadata: %v", err)
	}
	if !strings.HasPrefix(h.PDFA, "3") {
		return nil, unfit("its metadata do not claim PDF/A-3, which alone may hold an invoice")
	}
	if h.Claim.Namespace != "" {
		return nil, unfit("its metadata tell of an invoice already")
	}
	var rdf, bag dom.Node
	for n := range x.Root().Descendants() {
		switch {
		case n.Kind() != dom.ElementNode:
		case n.Is(nsRDF, "RDF") && !rdf.Valid():
			rdf = n
		case n.Is(nsRDF, "Bag") && n.Parent().Is("http://www.aiim.org/pdfa/ns/extension/", "schemas") && !bag.Valid():
			bag = n
		}
	}
	if x.Root().Is(nsRDF, "RDF") {
		rdf = x.Root()
	}
	values := s.Values()
	within := s.Described()
	if !bag.Valid() {
		values, within = values+page.Extension(s), ""
	}
	src := x.Source()
	end, ok := closing(rdf)
	if !ok {
		return nil, unfit("its metadata have no rdf:RDF")
	}
	var b bytes.Buffer
	if within != "" {
		at, ok := closing(bag)
		if !ok {
			return nil, unfit("its metadata have an empty list of schemas")
		}
		b.Write(src[:at])
		b.WriteString(within)
		b.Write(src[at:end])
	} else {
		b.Write(src[:end])
	}
	b.WriteString(values)
	b.Write(src[end:])
	return b.Bytes(), nil
}

const nsRDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

// closing is where the end tag of an element begins; an element without content has none.
func closing(n dom.Node) (int, bool) {
	if !n.Valid() || !n.FirstChild().Valid() {
		return 0, false
	}
	raw := n.Raw()
	return n.Offset() + bytes.LastIndex(raw, []byte("</")), true
}
