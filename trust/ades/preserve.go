package ades

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Signed is a signed document, with the signed content that stands elsewhere.
type Signed struct {
	Octets    []byte
	Documents []xades.Document
}

// Preserve puts an evidence record into each of many signed documents, all with one time-stamp: into signatures in XML and CMS, as a
// file into ASiC-E containers, into the signatures of ASiC-S ones. Signatures in CMS take records in ASN.1 alone. A signature that does
// not hold is not preserved: ErrBroken.
func Preserve(ctx context.Context, stamper tsp.Stamper, x ers.Syntax, h crypto.Hash, list []Signed) ([][]byte, error) {
	if stamper == nil {
		return nil, ErrNoStamper
	}
	if h == 0 {
		h = crypto.SHA256
	}
	var things [][][]byte
	plans := make([]*preserving, len(list))
	for i, s := range list {
		p, err := preserve(s, x, h)
		if err != nil {
			return nil, err
		}
		plans[i] = p
		things = append(things, p.things...)
	}
	records, err := ers.CreateEach(ctx, stamper, x, h, things)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(list))
	for i, p := range plans {
		n := len(p.things)
		if out[i], err = p.put(records[:n]); err != nil {
			return nil, err
		}
		records = records[n:]
	}
	return out, nil
}

// preserving is what records are to be over, each with its digests, and what becomes of the document with them.
type preserving struct {
	things [][][]byte
	put    func(records [][]byte) ([]byte, error)
}

func preserve(s Signed, x ers.Syntax, h crypto.Hash) (*preserving, error) {
	r, err := gather.Open(s.Octets, gather.Options{Documents: s.Documents})
	if err != nil {
		return nil, err
	}
	for i, sig := range r.Signatures {
		broken := slices.ContainsFunc(sig.References, func(ref validation.Reference) bool { return !ref.Entry && !(ref.Found && ref.Intact) })
		if !sig.Intact || broken {
			return nil, fmt.Errorf("%w: number %d", ErrBroken, i+1)
		}
	}
	switch {
	case r.Format == "XAdES":
		return preserveXML(s, x, h)
	case r.Format == "CAdES":
		return preserveCMS(s, x, h)
	case r.Container != nil && r.Container.Type == asic.E:
		return preserveFiles(r.Container, x, h)
	case r.Container != nil && r.Container.Type == asic.S:
		return preserveWithin(r.Container, x, h)
	}
	return nil, fmt.Errorf("%w: %s takes no evidence record: make one beside it", ErrParams, r.Format)
}

// checkedXML reads the signatures of a document, all of which must hold.
func checkedXML(b []byte, documents []xades.Document) (out []*xades.Checked, err error) {
	doc, err := dom.Parse(bytes.Clone(b), dom.Limits{})
	if err != nil {
		return nil, err
	}
	for i, n := range xades.Find(doc) {
		s, err := xades.Parse(n)
		if err != nil {
			return nil, err
		}
		c, err := s.Check(xades.CheckOptions{Documents: documents})
		if err != nil {
			return nil, err
		}
		if !c.Intact() {
			return nil, fmt.Errorf("%w: number %d: %w", ErrBroken, i+1, errors.Join(append(c.Errs, c.ValueErr)...))
		}
		out = append(out, c)
	}
	return out, nil
}

func preserveXML(s Signed, _ ers.Syntax, h crypto.Hash) (*preserving, error) {
	all, err := checkedXML(s.Octets, s.Documents)
	if err != nil {
		return nil, err
	}
	p := &preserving{}
	for _, c := range all {
		digest, err := c.SealedDigest(nil, h)
		if err != nil {
			return nil, err
		}
		p.things = append(p.things, [][]byte{digest})
	}
	p.put = func(records [][]byte) ([]byte, error) {
		b := s.Octets
		for i := len(records) - 1; i >= 0; i-- {
			// A record in one signature of the document must not change what another signs, which is asked each time.
			list, err := checkedXML(b, s.Documents)
			if err != nil {
				return nil, err
			}
			if b, err = list[i].Seal(records[i]); err != nil {
				return nil, err
			}
		}
		_, err := checkedXML(b, s.Documents)
		return b, err
	}
	return p, nil
}

func preserveCMS(s Signed, x ers.Syntax, h crypto.Hash) (*preserving, error) {
	if x != ers.ASN1 {
		return nil, fmt.Errorf("%w: a signature in CMS takes evidence records in ASN.1 alone [TS 119 122-3 5]", ErrParams)
	}
	all, err := cades.Parse(s.Octets)
	if err != nil {
		return nil, err
	}
	signature := all[0]
	for _, x := range all { // records stand at one signer alone [TS 119 122-3 5]
		if len(x.EvidenceRecords) > 0 {
			signature = x
		}
	}
	message, err := signature.Sealed()
	if err != nil {
		return nil, err
	}
	sum := h.New()
	sum.Write(message)
	digests := [][]byte{sum.Sum(nil)}
	if signature.Message.Detached {
		if len(s.Documents) == 0 {
			return nil, fmt.Errorf("%w: the content of a detached signature is missing", ErrParams)
		}
		digest, err := gather.Content(s.Documents[0]).Digest(h)
		if err != nil {
			return nil, err
		}
		digests = append(digests, digest)
	}
	return &preserving{[][][]byte{digests}, func(records [][]byte) ([]byte, error) {
		if err := signature.Seal(records[0]); err != nil {
			return nil, err
		}
		return signature.Message.Bytes()
	}}, nil
}

// preserveFiles makes a record over all files of a container [EN 319 162-1 4.4.3.2].
func preserveFiles(c *asic.Container, x ers.Syntax, h crypto.Hash) (*preserving, error) {
	method, _ := xmldsig.MethodFor(nil, h, false)
	var content []asic.Content
	var digests [][]byte
	for _, f := range c.Files {
		if f.Name == "mimetype" {
			continue
		}
		digest, err := x.Digest(xades.Document{Name: f.Name, Open: f.Open}, h)
		if err != nil {
			return nil, err
		}
		content, digests = append(content, asic.Content{Name: f.Name, Open: f.Open}), append(digests, digest)
	}
	free := freeNames(c)
	ending, kind := ".ers", "application/vnd.etsi.ers"
	if x == ers.XML {
		ending, kind = ".xml", "application/xml"
	}
	record := "META-INF/evidencerecord" + ending // what readers look for beside signatures in XML
	if _, err := c.File(record); err == nil || !slices.ContainsFunc(c.Files, func(f *asic.File) bool { return f.Signature() && f.XML() }) {
		record = free("META-INF/evidencerecord%03d" + ending)
	}
	name := free("META-INF/ASiCEvidenceRecordManifest%03d.xml")
	manifest, err := asic.WriteManifest(record, kind, content, method)
	if err != nil {
		return nil, err
	}
	return &preserving{[][][]byte{digests}, func(records [][]byte) ([]byte, error) {
		var out bytes.Buffer
		err := c.Edit(&out, asic.Edit{Add: []asic.Small{{Name: name, Octets: manifest}, {Name: record, Octets: records[0]}}})
		return out.Bytes(), err
	}}, nil
}

// preserveWithin makes records within the signatures of a container with one file.
func preserveWithin(c *asic.Container, x ers.Syntax, h crypto.Hash) (*preserving, error) {
	for _, f := range c.Files {
		if !f.Signature() {
			continue
		}
		b, err := f.Bytes()
		if err != nil {
			return nil, err
		}
		s := Signed{b, gather.Documents(c, f, nil)}
		make := preserveCMS
		if f.XML() {
			make = preserveXML
		}
		p, err := make(s, x, h)
		if err != nil {
			return nil, err
		}
		put := p.put
		p.put = func(records [][]byte) ([]byte, error) {
			b, err := put(records)
			if err != nil {
				return nil, err
			}
			var out bytes.Buffer
			err = c.Edit(&out, asic.Edit{Replace: map[string][]byte{f.Name: b}})
			return out.Bytes(), err
		}
		return p, nil
	}
	return nil, gather.ErrNoSignature
}

// freeNames finds names for further files of a container, by number.
func freeNames(c *asic.Container) func(form string) string {
	var taken []string
	for _, f := range c.Files {
		taken = append(taken, strings.ToLower(f.Name))
	}
	return func(form string) string {
		for n := 1; ; n++ {
			if name := fmt.Sprintf(form, n); !slices.Contains(taken, strings.ToLower(name)) {
				taken = append(taken, strings.ToLower(name))
				return name
			}
		}
	}
}
