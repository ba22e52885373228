package vcd

import (
	"archive/zip"
	"bufio"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	nsUBL = "urn:oasis:names:specification:ubl:schema:xsd:"
	nsCAC = nsUBL + "CommonAggregateComponents-2"
	nsCBC = nsUBL + "CommonBasicComponents-2"

	methodSHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
)

// Identifiers of the customizations [PCL T991, T992].
const (
	customizationDossier = "urn:www.cenbii.eu:transaction:biicoretrdm991:ver0.1:#urn:www.peppol.eu:bis:peppol991a:ver1.0"
	customizationPackage = "urn:www.cenbii.eu:transaction:biicoretrdm992:ver0.1:#urn:www.peppol.eu:bis:peppol992a:ver1.0"
)

// ErrWrite says that a package cannot be written as it is: something is missing or there twice.
var ErrWrite = errors.New("vcd: the package cannot be written")

// FileName is the name of a container with a UUID, as the pilot's systems named them.
func FileName(uuid string) string { return "VCDContainer_" + uuid + ".zip" }

// Write writes a container. Each file of an evidence is read twice, first for its digest (SHA-256), which is set; the file keeps
// its name without folders. Entries are set, identifiers are as the caller says. Equal packages and times make equal octets.
func Write(w io.Writer, p *Package, now time.Time) error {
	if err := p.complete(now); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	put := func(name string, write func(io.Writer) error) error {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: now.UTC()}
		f, err := z.CreateHeader(h)
		if err == nil {
			err = write(f)
		}
		return err
	}
	documents := make([][]byte, len(p.Dossiers))
	for i, d := range p.Dossiers {
		for _, e := range d.Evidences {
			for _, a := range e.Files {
				if err := a.measure(); err != nil {
					return err
				}
			}
		}
		documents[i] = d.xml(p)
	}
	if err := put(p.Entry, func(w io.Writer) error { _, err := w.Write(p.xml(documents)); return err }); err != nil {
		return err
	}
	for i, d := range p.Dossiers {
		if err := put(d.Entry, func(w io.Writer) error { _, err := w.Write(documents[i]); return err }); err != nil {
			return err
		}
		for _, e := range d.Evidences {
			for _, a := range e.Files {
				if err := put(a.Entry, a.copy); err != nil {
					return err
				}
			}
		}
	}
	return z.Close()
}

// complete checks what has to be there and sets the names of the files.
func (p *Package) complete(now time.Time) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrWrite, fmt.Sprintf(format, args...))
	}
	switch {
	case p.ID == "":
		return fail("it has no identifier")
	case p.Authority.Name == "" && p.Authority.Endpoint == "":
		return fail("it names no contracting authority")
	case len(p.Dossiers) == 0:
		return fail("it has no dossier")
	}
	p.IssueDate = cmp.Or(p.IssueDate, now.Format(time.DateOnly))
	p.Entry = "VCDPackage_" + fileName(p.ID) + ".xml"
	folders := map[string]bool{}
	for _, d := range p.Dossiers {
		folder := "VCD_" + fileName(d.ID)
		switch {
		case d.ID == "":
			return fail("a dossier has no identifier")
		case folders[folder]:
			return fail("two dossiers are %s", d.ID)
		case len(d.Operators) == 0 || d.Operators[0].Name == "":
			return fail("dossier %s names no company", d.ID)
		}
		folders[folder] = true
		d.Entry, d.IssueDate = folder+"/"+folder+".xml", cmp.Or(d.IssueDate, p.IssueDate)
		entries, evidences := map[string]bool{d.Entry: true}, map[string]bool{}
		for _, e := range d.Evidences {
			if e.ID == "" || evidences[e.ID] {
				return fail("dossier %s: an evidence has no identifier, or that of another: %q", d.ID, e.ID)
			}
			evidences[e.ID] = true
			if len(e.Files) > 1 {
				return fail("evidence %s has %d files: UBL names one for each evidence", e.ID, len(e.Files))
			}
			for _, a := range e.Files {
				if a.Open == nil {
					return fail("the file %s cannot be opened", a.Name)
				}
				a.Name = fileName(base(a.Name))
				a.Entry = folder + "/" + a.Name
				if entries[a.Entry] {
					return fail("dossier %s: two files are %s", d.ID, a.Name)
				}
				entries[a.Entry] = true
			}
		}
		for _, c := range d.Criteria {
			if c.ID == "" && c.Code == "" {
				return fail("dossier %s: a criterion has neither identifier nor code", d.ID)
			}
			for _, id := range c.Evidences {
				if !evidences[id] {
					return fail("dossier %s: the criterion %s is to be proved by %s, which is no evidence of the dossier", d.ID, c.name(), id)
				}
			}
		}
	}
	return nil
}

// fileName makes a name that every file system and archive takes.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(s, "_"))
	if s = strings.TrimLeft(s, "."); s == "" {
		s = "_"
	}
	return s
}

// measure computes digest and size.
func (a *Attachment) measure() error {
	h := sha256.New()
	r, err := a.Open()
	if err != nil {
		return err
	}
	a.Size, err = io.Copy(h, r)
	a.Digest, a.Method = h.Sum(nil), methodSHA256
	return errors.Join(err, r.Close())
}

// copy writes the file, and ends with an error when it is another one than was measured.
func (a *Attachment) copy(w io.Writer) error {
	r, err := a.Open()
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(w, h), bufio.NewReaderSize(r, 64<<10))
	if err = errors.Join(err, r.Close()); err == nil && string(h.Sum(nil)) != string(a.Digest) {
		err = fmt.Errorf("%w: %s changed while it was read", ErrWrite, a.Name)
	}
	return err
}

type pen struct{ *dom.Writer }

func (w *pen) leaf(name, s string, attrs ...string) {
	if s != "" {
		w.Element("cbc:"+name, s, attrs...)
	}
}

func (w *pen) group(name string, body func()) {
	w.Start("cac:" + name)
	body()
	w.End()
}

func newPen(root, space string) *pen {
	w := &pen{dom.NewWriter([]byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))}
	w.Start(root, "xmlns", space, "xmlns:cac", nsCAC, "xmlns:cbc", nsCBC)
	return w
}

// xml writes the package document, which names the dossiers with their digests.
func (p *Package) xml(dossiers [][]byte) []byte {
	w := newPen(rootPackage, nsPackage)
	w.leaf("CustomizationID", customizationPackage)
	w.leaf("ID", p.ID)
	w.leaf("ContractFolderID", p.Folder)
	w.leaf("IssueDate", p.IssueDate)
	w.party("ContractingAuthorityParty", p.Authority)
	operators := p.Operators
	if operators == nil {
		for _, d := range p.Dossiers {
			operators = append(operators, d.Operators...)
		}
	}
	for _, o := range operators {
		w.party("EconomicOperatorParty", o)
	}
	for i, d := range p.Dossiers {
		sum := sha256.Sum256(dossiers[i])
		w.group("DocumentReference", func() {
			w.leaf("ID", d.ID)
			w.file(&Attachment{Name: d.Entry, MIME: "application/xml", Digest: sum[:]}, "")
		})
	}
	w.End()
	return append(w.Bytes(), '\n')
}

func (d *Dossier) xml(p *Package) []byte {
	w := newPen(rootDossier, nsDossier)
	w.leaf("CustomizationID", customizationDossier)
	w.leaf("ID", d.ID)
	w.leaf("ContractFolderID", p.Folder)
	w.leaf("IssueDate", d.IssueDate)
	for _, o := range d.Operators {
		w.party("EconomicOperatorParty", o)
	}
	for _, c := range d.Criteria {
		w.group("TendererRequirement", func() {
			w.leaf("Name", c.Name)
			w.leaf("TendererRequirementTypeCode", cmp.Or(c.ID, c.Code))
			w.leaf("Description", c.Description)
			w.leaf("LegalReference", c.Legislation)
			for _, id := range c.Evidences {
				w.group("SuggestedEvidence", func() { w.leaf("ID", id) })
			}
		})
	}
	for _, e := range d.Evidences {
		w.group("Evidence", func() {
			w.leaf("ID", e.ID)
			w.leaf("EvidenceTypeCode", e.Type)
			w.leaf("Description", e.Description)
			if e.Issuer != (Party{}) {
				w.party("EvidenceIssuingParty", e.Issuer)
			}
			w.group("DocumentReference", func() {
				w.leaf("ID", e.ID)
				w.leaf("IssueDate", e.IssueDate)
				switch {
				case len(e.Files) == 1:
					w.file(e.Files[0], e.ExpiryDate)
				case e.URI != "":
					w.group("Attachment", func() {
						w.group("ExternalReference", func() { w.leaf("URI", e.URI); w.leaf("ExpiryDate", e.ExpiryDate) })
					})
				}
			})
		})
	}
	w.End()
	return append(w.Bytes(), '\n')
}

func (w *pen) file(a *Attachment, expires string) {
	w.group("Attachment", func() {
		w.group("ExternalReference", func() {
			w.leaf("DocumentHash", fmt.Sprintf("%x", a.Digest))
			w.leaf("HashAlgorithmMethod", methodSHA256)
			w.leaf("ExpiryDate", expires)
			w.leaf("MimeCode", a.MIME)
			w.leaf("FileName", path.Clean(a.Name))
		})
	})
}

func (w *pen) party(role string, p Party) {
	w.group(role, func() {
		if p.Endpoint != "" { // the pilot's systems wrote the scheme before the value
			w.leaf("EndpointID", strings.TrimPrefix(p.EndpointScheme+":"+p.Endpoint, ":"))
		}
		if p.ID != "" {
			w.group("PartyIdentification", func() {
				if p.Scheme != "" {
					w.leaf("ID", p.ID, "schemeID", p.Scheme)
				} else {
					w.leaf("ID", p.ID)
				}
			})
		}
		if p.Name != "" {
			w.group("PartyName", func() { w.leaf("Name", p.Name) })
		}
		if p.Country != "" {
			w.group("PostalAddress", func() { w.group("Country", func() { w.leaf("IdentificationCode", p.Country) }) })
		}
	})
}
