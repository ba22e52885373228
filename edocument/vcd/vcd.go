// Package vcd reads, checks, shows and writes the Virtual Company Dossier of the PEPPOL project: the container in which a
// company hands its proofs to a contracting authority. It is a ZIP file with a package document, a folder for each dossier
// with its document in it, and the files of the proofs beside that document.
//
// The schemas of the project are not to be had any more. What is known is named here with where it comes from; everything
// else is read by its local name, wherever it stands and whatever its namespace, and what is not known is passed over:
//
//   - document elements, namespaces and identifiers: the code lists of the network [PCL T991, T992];
//   - container, names of files, the party and the endpoint of the authority, file names in the dossier: an implementation
//     of the pilot (Italian chambers of commerce);
//   - parties, evidences and references: UBL 2.1, into which the pilot's components for evidences went.
//
// [Write] writes the document elements of the project with components of UBL 2.1 in them.
package vcd

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// MediaType of a container.
const MediaType = "application/zip"

// Bounds of what is taken of one document; a container has those of package asic.
const (
	mostDossiers  = 1000
	mostEvidences = 10_000 // in all dossiers together, and as many criteria
)

// ErrLimit says that a container holds more dossiers, evidences or criteria than are read.
var ErrLimit = errors.New("vcd: more than is read")

// Package is what a company hands over. One that was read from a single document has its content only.
type Package struct {
	Entry     string // of the package document in the container; "" where it has none
	ID        string
	IssueDate string // YYYY-MM-DD
	Folder    string // ContractFolderID: the procedure
	Authority Party
	Operators []Party // that the package document names
	Dossiers  []*Dossier

	doc          *dom.Document
	names        []string // of files that the package document names
	files        []*asic.File
	unreferenced []string
}

// Dossier is the part about one company.
type Dossier struct {
	Entry     string // of its document in the container
	ID        string
	IssueDate string
	Operators []Party
	Criteria  []*Criterion
	Evidences []*Evidence
}

// Party is an authority, a company, or who issued a proof.
type Party struct {
	Name       string
	ID, Scheme string // Scheme of the identifier, as it stands there
	// Endpoint is the electronic address, EndpointScheme its scheme: an attribute, or what stands before the colon.
	Endpoint, EndpointScheme string
	Country                  string
}

// Criterion is what a company has to meet.
type Criterion struct {
	ID, Code    string
	Name        string
	Description string
	Legislation string   // the article
	Evidences   []string // identifiers of the evidences in the same dossier that prove it
}

// Evidence is a proof.
type Evidence struct {
	ID          string
	Type        string // code, as it stands there
	Description string
	Issuer      Party
	IssueDate   string
	ExpiryDate  string
	Files       []*Attachment
	URI         string // where it stands elsewhere
}

// State says what became of a file that an evidence names.
type State string

// The states.
const (
	Present State = "present" // there, with the right digest where one is stated
	Missing State = "missing"
	Changed State = "changed" // there, with another digest than is stated
)

// Attachment is a file of an evidence.
type Attachment struct {
	Name   string // as the dossier names it
	MIME   string
	Digest []byte // that is stated; nil: none
	Method string // of the digest, an algorithm identifier; "" where it is not stated

	// Entry and State are of the container. State is "" for a dossier that was read without one.
	Entry string
	Size  int64
	State State

	// Open gives the octets: of a container that was read, and to [Write].
	Open func() (io.ReadCloser, error)
}

// Is reports whether octets may be a container: a ZIP file. [Open] says whether they are one.
func Is(octets []byte) bool { return bytes.HasPrefix(octets, []byte("PK\x03\x04")) }

// Open reads a container. What is no ZIP file or holds neither a package nor a dossier gives [edocument.ErrUnknownType].
func Open(r io.ReaderAt, size int64) (*Package, error) {
	c, err := asic.OpenZIP(r, size)
	if errors.Is(err, asic.ErrFormat) {
		return nil, fmt.Errorf("%w: %w", edocument.ErrUnknownType, err)
	} else if err != nil {
		return nil, err
	}
	p := &Package{}
	var documents []string
	for _, f := range c.Files {
		if !f.XML() || f.Meta() {
			continue
		}
		doc, err := document(f)
		if err != nil {
			return nil, err
		}
		if doc == nil {
			continue
		}
		switch root := doc.Root(); {
		case root.Local() == rootPackage && p.doc == nil:
			err = p.read(f.Name, doc)
		case root.Local() == rootPackage:
			err = fmt.Errorf("vcd: %s and %s are both packages", p.Entry, f.Name)
		default:
			err = p.dossier(f.Name, root)
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, f.Name)
	}
	if documents == nil {
		return nil, edocument.ErrUnknownType
	}
	for _, f := range c.Files {
		if !f.Meta() && f.Name != "mimetype" && !slices.Contains(documents, f.Name) {
			p.files = append(p.files, f)
		}
	}
	return p, p.attach()
}

// Read reads a package or a dossier that stands alone. Any other document gives [edocument.ErrUnknownType].
func Read(doc *dom.Document) (*Package, error) {
	p := &Package{}
	switch root := doc.Root(); {
	case !known(root):
		return nil, edocument.ErrUnknownType
	case root.Local() == rootPackage:
		return p, p.read("", doc)
	default:
		p.doc = doc
		return p, p.dossier("", root)
	}
}

// Document is the package document, or the dossier that stands alone; nil for a container without a package document.
func (p *Package) Document() *dom.Document { return p.doc }

// document parses a file that is a package or a dossier; nil for any other.
func document(f *asic.File) (*dom.Document, error) {
	named := strings.HasPrefix(path.Base(f.Name), "VCD")
	b, err := f.Bytes()
	if errors.Is(err, asic.ErrLimit) && !named {
		return nil, nil // a proof may be as large as it likes
	} else if err != nil {
		return nil, err
	}
	if !bytes.Contains(b, []byte(rootDossier)) {
		return nil, nil
	}
	doc, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		if named {
			return nil, fmt.Errorf("vcd: %s: %w", f.Name, err)
		}
		return nil, nil
	}
	if !known(doc.Root()) {
		return nil, nil
	}
	return doc, nil
}

// attach finds the files of the evidences in the container and compares their digests.
func (p *Package) attach() error {
	byName := map[string]*asic.File{}
	for _, f := range p.files {
		byName[f.Name] = f
	}
	type kept struct {
		file *asic.File
		hash crypto.Hash
	}
	used, sums := map[*asic.File]bool{}, map[kept][]byte{}
	for _, d := range p.Dossiers {
		for _, e := range d.Evidences {
			for _, a := range e.Files {
				a.State = Missing
				f := find(byName, d.Entry, a.Name)
				if f == nil {
					continue
				}
				used[f] = true
				a.Entry, a.Size, a.State, a.Open = f.Name, f.Size, Present, f.Open
				if len(a.Digest) == 0 {
					continue
				}
				h, ok := a.hash()
				if !ok {
					return fmt.Errorf("vcd: %s: digest method %q of %s is not known", d.Entry, a.Method, a.Name)
				}
				sum := sums[kept{f, h}]
				if sum == nil {
					var err error
					if sum, err = f.Digest(h); err != nil {
						return err
					}
					sums[kept{f, h}] = sum
				}
				if !bytes.Equal(sum, a.Digest) {
					a.State = Changed
				}
			}
		}
	}
	for _, f := range p.files {
		if !used[f] {
			p.unreferenced = append(p.unreferenced, f.Name)
		}
	}
	return nil
}

// find returns the file that a dossier names: beside the dossier, else as named from the root of the container. The pilot's
// systems took spaces out of the names of files when they packed them.
func find(files map[string]*asic.File, dossier, name string) *asic.File {
	name = strings.ReplaceAll(name, `\`, "/")
	beside := path.Join(path.Dir(dossier), name)
	for _, want := range []string{beside, path.Clean(name), strings.ReplaceAll(beside, " ", "")} {
		if f := files[want]; f != nil {
			return f
		}
	}
	return nil
}

// hash is the function of the digest, by its identifier or else by its length.
func (a *Attachment) hash() (crypto.Hash, bool) {
	if a.Method != "" {
		return hashOf(a.Method)
	}
	switch len(a.Digest) {
	case 20:
		return crypto.SHA1, true
	case 32:
		return crypto.SHA256, true
	case 48:
		return crypto.SHA384, true
	case 64:
		return crypto.SHA512, true
	}
	return 0, false
}

// Sender is the first company that the package names, else the first of its dossiers.
func (p *Package) Sender() Party {
	if len(p.Operators) > 0 {
		return p.Operators[0]
	}
	for _, d := range p.Dossiers {
		if len(d.Operators) > 0 {
			return d.Operators[0]
		}
	}
	return Party{}
}

// Unreferenced lists the files of the container that no evidence names.
func (p *Package) Unreferenced() []string { return p.unreferenced }
