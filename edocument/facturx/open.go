package facturx

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Is reports whether a file that begins so is a PDF: its mark may have up to a kilobyte before it.
func Is(head []byte) bool {
	head = head[:min(len(head), 1024)]
	xml := bytes.HasPrefix(bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n"), []byte("<"))
	return !xml && bytes.Contains(head, []byte("%PDF-"))
}

const maxMetadata = 16 << 20

// Open finds the invoice in a PDF of the given size. An attached invoice of more than most octets is refused. The error is
// ErrNone where there is none, one of package pdf where the file cannot be read, and a *dom.Error where the invoice is not
// well-formed.
func Open(r io.ReaderAt, size, most int64) (*Hybrid, error) {
	d, err := pdf.Open(r, size)
	if err != nil {
		return nil, err
	}
	files, err := d.Files()
	if err != nil {
		return nil, err
	}
	known := slices.DeleteFunc(files, func(f *pdf.File) bool { return !isInvoice(f.Name) })
	if len(known) == 0 {
		return nil, ErrNone
	}
	slices.SortStableFunc(known, func(a, b *pdf.File) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
	f := known[0]
	h := &Hybrid{Name: f.Name, Relationship: f.Relationship}
	content, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("facturx: %s: %w", f.Name, err)
	}
	octets, err := io.ReadAll(io.LimitReader(content, most+1))
	if err != nil {
		return nil, fmt.Errorf("facturx: %s: %w", f.Name, err)
	}
	if int64(len(octets)) > most {
		return nil, fmt.Errorf("facturx: %s: %w: more than %d octets", f.Name, edocument.ErrSize, most)
	}
	if h.Document, err = dom.Parse(octets, dom.Limits{Bytes: int(most)}); err != nil {
		return nil, fmt.Errorf("facturx: %s: %w", f.Name, err)
	}
	h.Profile = ProfileOf(specification(h.Document))
	h.metadata(d)
	if len(known) > 1 {
		list := make([]string, len(known))
		for i, k := range known {
			list[i] = k.Name
		}
		h.find(FindingSeveral, edocument.Warning, strings.Join(list, ", "), "a PDF has one invoice attached", "the first is read; ask the sender which one counts")
	}
	h.joined(d, f)
	return h, nil
}

// specification reads BT-24, which has one name in all versions of CII.
func specification(doc *dom.Document) string {
	for n := range doc.Root().Descendants() {
		if n.Kind() == dom.ElementNode && n.Local() == "GuidelineSpecifiedDocumentContextParameter" {
			for c := range n.Elements() {
				if c.Local() == "ID" {
					return c.TrimmedText()
				}
			}
			return ""
		}
	}
	return ""
}

func (h *Hybrid) find(id string, s edocument.Severity, value, text, remedy string) {
	h.Findings = append(h.Findings, edocument.Finding{ID: id, Severity: s, Location: "PDF", Value: edocument.Clip(value), Text: text, Remedy: remedy})
}

// metadata reads what the metadata claim and compares it.
func (h *Hybrid) metadata(d *pdf.Document) {
	if _, err := h.claim(d); err != nil {
		h.find(FindingMetadata, edocument.Warning, err.Error(), "the metadata of the PDF say what is attached", "ask the sender to write XMP metadata")
		return
	}
	if !strings.HasPrefix(h.PDFA, "3") {
		value := "no level"
		if h.PDFA != "" {
			value = "PDF/A-" + h.PDFA
		}
		h.find(FindingArchive, edocument.Warning, value, "the PDF claims to be PDF/A-3 in its metadata", "ask the sender for PDF/A-3; only it may have files of any kind attached")
	}
	c := &h.Claim
	if c.Namespace == "" {
		h.find(FindingMetadata, edocument.Warning, "", "the metadata of the PDF say what is attached", "ask the sender to write DocumentType, DocumentFileName, Version and ConformanceLevel")
		return
	}
	if c.File != "" && c.File != h.Name {
		h.find(FindingName, edocument.Warning, c.File+", but "+h.Name, "the attached file has the name that the metadata say", "")
	}
	for _, v := range [...][2]string{{"DocumentType", c.Type}, {"DocumentFileName", c.File}, {"Version", c.Version}, {"ConformanceLevel", string(c.Profile)}} {
		if v[1] == "" {
			h.find(FindingMetadata, edocument.Warning, v[0], "the metadata have document type, file name, version and conformance level", "ask the sender to write it")
		}
	}
	if c.Profile != "" && h.Profile != "" && canonical(c.Profile) != canonical(h.Profile) {
		h.find(FindingProfile, edocument.Error, string(c.Profile)+", but the invoice is "+string(h.Profile), "metadata and invoice name one profile",
			"the invoice prevails; ask the sender which one is meant")
	}
}

// canonical takes the ways a profile is spelt for one.
func canonical(p Profile) string {
	s := strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToUpper(string(p)))
	if s == "COMFORT" {
		return "EN16931"
	}
	return s
}

// claim reads the metadata.
func (h *Hybrid) claim(d *pdf.Document) (*dom.Document, error) {
	r, err := d.Metadata()
	if err != nil || r == nil {
		return nil, cmp.Or(err, errors.New("there are none"))
	}
	b, err := io.ReadAll(io.LimitReader(r, maxMetadata+1))
	if err != nil {
		return nil, err
	}
	x, err := dom.Parse(b, dom.Limits{Bytes: maxMetadata})
	if err != nil {
		return nil, err
	}
	part, level := "", ""
	// A simple property is an element or an attribute.
	see := func(n dom.Node, value string) {
		value = strings.TrimSpace(value)
		switch space := n.Space(); {
		case space == nsPDFA && n.Local() == "part":
			part = value
		case space == nsPDFA && n.Local() == "conformance":
			level = strings.ToUpper(value)
		case slices.Contains(namespaces, space):
			c := &h.Claim
			c.Namespace = space
			switch n.Local() {
			case "DocumentType":
				c.Type = value
			case "DocumentFileName":
				c.File = value
			case "Version":
				c.Version = value
			case "ConformanceLevel":
				c.Profile = Profile(value)
			}
		}
	}
	for n := range x.Root().Descendants() {
		if n.Kind() != dom.ElementNode {
			continue
		}
		if !n.FirstElement().Valid() {
			see(n, n.Text())
		}
		for a := range n.Attributes() {
			see(a, string(a.Value()))
		}
	}
	h.PDFA = part + level
	return x, nil
}

const nsPDFA = "http://www.aiim.org/pdfa/ns/id/"

// joined judges how the file is attached.
func (h *Hybrid) joined(d *pdf.Document, f *pdf.File) {
	associated, named := attached(d, f.Name)
	switch {
	case !associated:
		h.find(FindingAssociated, edocument.Warning, "", "the attached invoice is an associated file of the document", "ask the sender to list it in AF of the catalog")
	case !named:
		h.find(FindingAssociated, edocument.Warning, "", "the attached invoice is in the name tree of embedded files", "ask the sender to list it in EmbeddedFiles")
	}
	switch {
	case h.Relationship == "":
		h.find(FindingRelationship, edocument.Warning, "none", "the attached invoice has a relationship to the document", "ask the sender to state AFRelationship")
	case (h.Profile == Minimum || h.Profile == BasicWL) && h.Relationship != "Data":
		h.find(FindingRelationship, edocument.Warning, string(h.Relationship), "in the profiles MINIMUM and BASIC WL the relationship is Data, for they are no invoices", "")
	case h.Relationship != "Data" && h.Relationship != "Alternative" && h.Relationship != "Source":
		h.find(FindingRelationship, edocument.Warning, string(h.Relationship), "the relationship is Alternative, Source or Data", "")
	}
}

// attached looks for a file where it has to be listed: among the associated files, and in the tree of names.
func attached(d *pdf.Document, name string) (associated, named bool) {
	catalog, err := d.Catalog()
	if err != nil {
		return false, false
	}
	is := func(o pdf.Object) bool {
		spec, ok := pdf.Get[pdf.Dict](d, o)
		if !ok {
			return false
		}
		for _, key := range [...]pdf.Name{"UF", "F"} {
			if s, ok := pdf.Get[pdf.String](d, spec[key]); ok && s.Text() == name {
				return true
			}
		}
		return false
	}
	list, _ := pdf.Get[pdf.Array](d, catalog["AF"])
	for _, o := range list {
		associated = associated || is(o)
	}
	if tree, ok := pdf.Get[pdf.Dict](d, catalog["Names"]); ok {
		// What cannot be read of the tree has no names.
		_ = d.NameTree(tree["EmbeddedFiles"], func(_ pdf.String, o pdf.Object) bool {
			named = named || is(o)
			return !named
		})
	}
	return associated, named
}
