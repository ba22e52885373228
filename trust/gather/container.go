package gather

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

const clauseContainer = "EN 319 162-1 4"

// openContainer reads all signatures of a container. What is wrong with the container is wrong with each of them.
func openContainer(r io.ReaderAt, size int64, opt Options) (*Result, error) {
	c, err := asic.Open(r, size)
	if err != nil {
		return nil, err
	}
	out := &Result{Format: string(c.Type), Lists: opt.Lists, Container: c, Facts: opt.facts()}
	manifests, unreadable := c.Manifests()
	var records []fileRecord
	for _, f := range c.Files {
		if f.EvidenceRecord() {
			records = append(records, opt.readRecord(f.Name, f.Bytes))
		}
	}
	wrong := containerFaults(c)
	for i, m := range manifests {
		if manifestNaming(m.Signature, manifests[:i]) != nil {
			wrong = append(wrong, validation.Malformed{Question: "Is there one manifest for the signature?", Answer: "more than one manifest names " + m.Signature, Clause: "EN 319 162-1 4.4.3.2"})
		}
	}
	for _, err := range unreadable {
		wrong = append(wrong, validation.Malformed{Question: "Can every manifest be read?", Answer: err.Error(), Clause: clauseContainer})
	}
	byFile := map[string][]*Signature{}
	unlisted := c.Type == asic.E && len(manifests) == 0 && !slices.ContainsFunc(c.Files, func(f *asic.File) bool { return f.Name == "META-INF/manifest.xml" })
	for _, f := range c.Files {
		if !f.Signature() && !f.TimeStamp() {
			continue
		}
		b, err := f.Bytes()
		if err != nil {
			return nil, err
		}
		if f.TimeStamp() {
			out.timeStamp(c, f, b, manifests, opt)
			continue
		}
		part, err := openPart(c, f, b, manifests, opt)
		if errors.Is(err, ErrNoSignature) {
			continue
		}
		if err != nil {
			out.addBroken(f.Name, err)
			continue
		}
		out.take(part.Signers, part.Certificates)
		for _, s := range part.Signatures {
			s.Malformed = append(s.Malformed, wrong...)
			s.NoManifest = unlisted
			covered := coverage(c, s)
			s.originals = containerOriginals(covered)
			if s.Counter == nil && c.Type == asic.E {
				s.Uncovered = uncovered(c, covered)
			}
			out.Signatures = append(out.Signatures, s)
			out.Facts.Signatures = append(out.Facts.Signatures, s.Signature)
			byFile[f.Name] = append(byFile[f.Name], s)
		}
	}
	out.protect(c, manifests, byFile)
	out.records(c, manifests, records, byFile, opt)
	if len(out.Signatures)+len(out.TimeStamps) == 0 {
		return nil, ErrNoSignature
	}
	return out, nil
}

// protect lets time-stamps over the container prove the existence of the signatures that their manifest lists, and of all that
// these hold. Such time-stamps are those of the signatures; others stay by themselves.
func (r *Result) protect(c *asic.Container, manifests []*asic.Manifest, byFile map[string][]*Signature) {
	i := 0
	all := r.TimeStamps
	r.TimeStamps = nil
	for _, f := range c.Files {
		if !f.TimeStamp() {
			continue
		}
		v := all[i]
		i++
		alone := true
		for _, m := range manifests {
			if m.Signature != f.Name {
				continue
			}
			for _, o := range m.Objects {
				for _, s := range byFile[o.Name] {
					alone = false
					v.Covers = append(append(v.Covers, s.ID), s.inside...)
					for _, t := range s.TimeStamps {
						v.Covers = append(v.Covers, t.ID)
					}
					s.TimeStamps = append(s.TimeStamps, v)
					if v.ImprintIntact && strings.HasSuffix(s.Level, "-BASELINE-LT") { // [EN 319 162-1 5.4]
						s.Level += "A"
						s.Format = s.Level
					}
				}
			}
		}
		if alone {
			r.TimeStamps = append(r.TimeStamps, v)
		}
	}
}

// containerFaults is what the kind of container does not allow.
func containerFaults(c *asic.Container) (out []validation.Malformed) {
	data := c.Data()
	switch {
	case c.Type == asic.S && len(data) != 1:
		out = append(out, validation.Malformed{Question: "Does the ASiC-S container hold one file?", Answer: fmt.Sprintf("it holds %d", len(data)), Clause: "EN 319 162-1 4.3.3"})
	case c.Type == asic.S && strings.Contains(data[0].Name, "/"):
		out = append(out, validation.Malformed{Question: "Does the file stand at the root of the ASiC-S container?", Answer: "it is " + data[0].Name, Clause: "EN 319 162-1 4.3.3"})
	case len(data) == 0:
		out = append(out, validation.Malformed{Question: "Does the container hold files that are signed?", Answer: "it holds none", Clause: "EN 319 162-1 4.4.3"})
	}
	return out
}

// Documents are what a signature file of a container may sign: any file by its name; for CMS its manifest; in ASiC-S the one
// file, whatever the signature calls it.
func Documents(c *asic.Container, f *asic.File, manifests []*asic.Manifest) (out []xades.Document) {
	m, data := manifestNaming(f.Name, manifests), c.Data()
	switch {
	case m != nil && !f.XML():
		return []xades.Document{xades.Bytes(m.Name, "text/xml", m.Octets)}
	case c.Type == asic.S && len(data) == 1:
		return []xades.Document{{Open: data[0].Open}}
	case f.XML():
		for _, x := range c.Files {
			out = append(out, xades.Document{Name: x.Name, Open: x.Open})
		}
	}
	return out
}

// openPart reads one signature file.
func openPart(c *asic.Container, f *asic.File, b []byte, manifests []*asic.Manifest, opt Options) (*Result, error) {
	o := opt
	o.Documents = Documents(c, f, manifests)
	if f.XML() {
		o.Documents = append(o.Documents, opt.Documents...)
		part, err := openXML(b, newPool(opt), o)
		if err != nil {
			return nil, err
		}
		for _, s := range part.Signatures {
			if len(s.References) > 0 {
				s.Packaging = "detached"
			}
		}
		return part, nil
	}
	m := manifestNaming(f.Name, manifests)
	part, err := openCMS(b, newPool(opt), o)
	if err != nil {
		return nil, err
	}
	for _, s := range part.Signatures {
		if s.Counter != nil {
			continue
		}
		switch {
		case m != nil:
			s.References = append(s.References, entries(c, m)...)
			if m.Critical {
				s.Malformed = append(s.Malformed, validation.Malformed{Question: "Is every critical extension of the manifest understood?", Answer: "one is not", Clause: clauseContainer})
			}
		case c.Type == asic.E:
			s.Malformed = append(s.Malformed, validation.Malformed{Question: "Is there a manifest for the signature?", Answer: "no manifest names " + f.Name, Clause: "EN 319 162-1 4.4.3.2"})
		}
	}
	return part, nil
}

// entries are the files that a manifest lists, as references.
func entries(c *asic.Container, m *asic.Manifest) (out []validation.Reference) {
	for _, o := range m.Objects {
		h, ok := xmldsig.DigestHash(o.DigestMethod)
		x := validation.Reference{Name: o.Name, Kind: "MANIFEST_ENTRY", Digest: digestName(h)}
		if f, err := c.File(o.Name); err == nil && ok && h.Available() {
			x.Found = true
			sum, err := f.Digest(h)
			x.Intact = err == nil && bytes.Equal(sum, o.Digest)
		}
		out = append(out, x)
	}
	return out
}

// Covers tells whether a signature names a file of its container as signed.
func (s *Signature) Covers(name string) bool { return !slices.Contains(s.Uncovered, name) }

// coverage are the files of the content that a signature covers: in ASiC-S, all.
func coverage(c *asic.Container, s *Signature) (out []*asic.File) {
	named := map[string]bool{}
	for _, r := range s.References {
		named[asic.FileName(r.Name)] = true
		named[r.Name] = true
	}
	for _, f := range c.Data() {
		if c.Type == asic.S || named[f.Name] {
			out = append(out, f)
		}
	}
	return out
}

// uncovered are the files of the content but those.
func uncovered(c *asic.Container, covered []*asic.File) (names []string) {
	for _, f := range c.Data() {
		if len(covered) > 0 && covered[0] == f { // both in the order of the container
			covered = covered[1:]
			continue
		}
		names = append(names, f.Name)
	}
	return names
}

// addBroken reports a signature file that cannot be read.
func (r *Result) addBroken(name string, err error) {
	s := &Signature{Signature: &validation.Signature{
		Token:     validation.Token{ID: name},
		Malformed: []validation.Malformed{{Question: "Can " + name + " be read?", Answer: err.Error(), Clause: clauseContainer}},
	}}
	r.Signatures = append(r.Signatures, s)
	r.Facts.Signatures = append(r.Facts.Signatures, s.Signature)
}

// timeStamp reads a time-stamp over the content of a container.
func (r *Result) timeStamp(c *asic.Container, f *asic.File, b []byte, manifests []*asic.Manifest, opt Options) {
	p := newPool(opt)
	token, err := tsp.ParseTokenWith(b, p.parsed)
	if err == nil {
		p.addToken(token)
	} else {
		token = nil
	}
	v := p.token(token, "CONTAINER_TIMESTAMP")
	r.take(p.signers, p.list)
	r.TimeStamps = append(r.TimeStamps, v)
	r.Facts.TimeStamps = append(r.Facts.TimeStamps, v)
	if token == nil {
		return
	}
	var content cms.Content
	data := c.Data()
	for _, m := range manifests {
		if m.Signature != f.Name {
			continue
		}
		content = cms.Bytes(m.Octets)
		for _, x := range entries(c, m) {
			if !x.Intact {
				v.Malformed = append(v.Malformed, validation.Malformed{Question: "Is " + x.Name + " as the manifest says?", Answer: "it is not", Clause: clauseContainer})
			}
		}
	}
	if content == nil && len(data) == 1 {
		content = outside{xades.Document{Name: data[0].Name, Open: data[0].Open}}
	}
	if content == nil {
		return
	}
	err = token.CheckImprint(content)
	v.ImprintFound, v.ImprintIntact = !errors.Is(err, cms.ErrContent), err == nil
}
