package gather

import (
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
)

// sealed is something that an evidence record must be over.
type sealed struct {
	ers.Sealed
	covers []string // IDs of tokens that exist since it does
}

// addRecord takes what a record brings along into the pool.
func (p *pool) addRecord(r *ers.Record) {
	p.add(r.Certificates...)
	p.revocation(r.CRLs, r.OCSPs)
	for _, c := range r.Chains {
		for _, s := range c.Stamps {
			if s.Token != nil {
				p.addToken(s.Token)
			}
		}
	}
}

// record holds an evidence record against what it must be over. The time-stamps of the record prove that its objects existed, and
// that the time-stamps before them did, when all of the record holds [EN 319 102-1 5.6.2.5].
func (p *pool) record(name string, r *ers.Record, list []sealed) (out []*validation.TimeStamp) {
	var objects []ers.Sealed
	for _, o := range list {
		objects = append(objects, o.Sealed)
	}
	result := r.CheckSealed(objects)
	sound := !slices.ContainsFunc(result.Stamps, func(s ers.Covered) bool { return s.Err != nil })
	var proven, earlier []string
	var objectsOf []validation.Reference
	for i, o := range result.Objects {
		objectsOf = append(objectsOf, validation.Reference{
			Name: o.Name, Kind: "EVIDENCE_RECORD_ARCHIVE_OBJECT", Found: !unknown(o.Err), Intact: o.Err == nil,
		})
		if sound && o.Err == nil {
			proven = append(proven, list[i].covers...)
		}
	}
	chain := -1
	for _, s := range result.Stamps {
		v := p.token(s.Token, "EVIDENCE_RECORD_TIMESTAMP")
		v.Record, v.RecordRaw = name, r.Raw
		v.ImprintFound, v.ImprintIntact = !unknown(s.Err), s.Err == nil
		if s.Chain != chain {
			v.References, v.Covers = objectsOf, append(v.Covers, proven...)
		}
		chain = s.Chain
		if s.Err == nil {
			v.Covers = append(v.Covers, earlier...)
		}
		if s.Token != nil {
			earlier = append(append(earlier, v.ID), p.inside(s.Token)...)
		}
		out = append(out, v)
	}
	return out
}

func unknown(err error) bool {
	return errors.Is(err, ers.ErrContent) || errors.Is(err, cms.ErrContent) || errors.Is(err, xades.ErrImprint)
}

// brokenRecord reports a record that cannot be read, as a time-stamp that proves nothing.
func brokenRecord(name string, err error) *validation.TimeStamp {
	return &validation.TimeStamp{
		Token: validation.Token{ID: name}, Kind: "EVIDENCE_RECORD_TIMESTAMP", Record: name,
		Malformed: []validation.Malformed{{Question: "Can the evidence record be read?", Answer: fmt.Sprint(err), Clause: "RFC 4998 3"}},
	}
}

// all lists what exists since the signature does, when something is over all of it: its value, what it holds, its time-stamps.
func (s *Signature) all() []string {
	out := append([]string{s.ID}, s.inside...)
	for _, t := range s.TimeStamps {
		out = append(out, t.ID)
	}
	return out
}

// cmsRecords holds the evidence records within a CMS message against it. Each is over the message, so it is of all its signatures,
// whichever it stands by [TS 119 122-3 5].
func (r *Result) cmsRecords(all []*cades.Signature, content cms.Content, p *pool, records map[*cades.Signature][]parsedRecord) {
	var covers []string
	for _, s := range r.Signatures {
		covers = append(covers, s.all()...)
	}
	for _, s := range all {
		for i, x := range records[s] {
			name := fmt.Sprintf("evidence record %d within the signature", i+1)
			stamps := []*validation.TimeStamp{brokenRecord(name, x.err)}
			if x.err == nil {
				stamps = p.record(name, x.record, cmsSealed(s, i, content, covers))
			}
			for _, v := range r.Signatures {
				v.TimeStamps = append(v.TimeStamps, stamps...)
			}
		}
	}
}

// cmsSealed is what a record within a CMS signature must be over.
func cmsSealed(s *cades.Signature, i int, content cms.Content, covers []string) []sealed {
	message := sealed{Sealed: ers.Sealed{Name: "the signature"}, covers: covers}
	if s.EvidenceRecords[i].Internal == s.Message.Detached {
		// A record of the other kind says nothing about the content, so nothing about what was signed.
		message.Digests = func(crypto.Hash, c14n.Method) ([][]byte, error) { return nil, cms.ErrContent }
		return []sealed{message}
	}
	message.Digests = func(h crypto.Hash, _ c14n.Method) (digests [][]byte, err error) {
		inputs, err := s.EvidenceInputs(i)
		for _, in := range inputs {
			sum := h.New()
			sum.Write(in)
			digests = append(digests, sum.Sum(nil))
		}
		return digests, err
	}
	if !s.Message.Detached {
		return []sealed{message}
	}
	return []sealed{message, {Sealed: ers.Sealed{Name: "the content", Digests: func(h crypto.Hash, _ c14n.Method) ([][]byte, error) {
		if content == nil {
			return nil, cms.ErrContent
		}
		sum, err := content.Digest(h)
		return [][]byte{sum}, err
	}}}}
}

// parsedRecord is an evidence record as far as it can be read.
type parsedRecord struct {
	record *ers.Record
	err    error
}

// readRecord reads a record and takes what it brings along into the pool.
func (p *pool) readRecord(r *ers.Record, err error) parsedRecord {
	if err == nil {
		p.addRecord(r)
	}
	return parsedRecord{r, err}
}

// xmlRecord reads an evidence record within an XML signature.
func (p *pool) xmlRecord(r *xades.EvidenceRecord) parsedRecord {
	if r.Node.Valid() {
		return p.readRecord(ers.FromElement(r.Node))
	}
	return p.readRecord(ers.Parse(r.ASN1))
}

// xmlRecords holds the evidence records within an XML signature against it: each is over what stands before its property
// [TS 119 132-3 5].
func xmlRecords(c *xades.Checked, p *pool, out *Signature, covered []string, records []parsedRecord, tokens map[*xades.TimeStamp][]*tsp.Token) {
	stamps := make([][]*validation.TimeStamp, len(records))
	for i, r := range records {
		name := fmt.Sprintf("evidence record %d within the signature", i+1)
		if r.err != nil {
			out.TimeStamps = append(out.TimeStamps, brokenRecord(name, r.err))
			continue
		}
		property := c.EvidenceRecords[i].Property
		covers := append(slices.Clone(covered), p.before(c, property, tokens)...)
		for k, earlier := range stamps[:i] {
			if c.EvidenceRecords[k].Property == property { // beside it
				continue
			}
			for _, t := range earlier {
				covers = append(covers, t.ID)
			}
		}
		stamps[i] = p.record(name, r.record, []sealed{{ers.Sealed{Name: "the signature", Digests: func(h crypto.Hash, _ c14n.Method) ([][]byte, error) {
			sum, err := c.SealedDigest(&c.EvidenceRecords[i], h)
			return [][]byte{sum}, err
		}}, covers}})
		out.TimeStamps = append(out.TimeStamps, stamps[i]...)
	}
}

// preserved reads a document with the records of the options, whose material counts, too.
func (o Options) preserved(document xades.Document, open func(Options) (*Result, error)) (*Result, error) {
	var records []fileRecord
	for i, b := range o.Records {
		records = append(records, o.readRecord(fmt.Sprintf("evidence record %d beside the document", i+1), func() ([]byte, error) { return b, nil }))
	}
	o.Records = nil
	r, err := open(o)
	if err == nil {
		r.beside(document, records, o)
	}
	return r, err
}

// beside holds the records of the options against the document and its detached content: what the document has exists since it does.
func (r *Result) beside(document xades.Document, records []fileRecord, opt Options) {
	for _, x := range records {
		if x.err != nil {
			r.addStamps(brokenRecord(x.name, x.err))
			continue
		}
		list := []sealed{{Sealed: x.record.Document(document)}}
		list[0].Name = "the document"
		for _, s := range r.Signatures {
			list[0].covers = append(list[0].covers, s.all()...)
		}
		for _, d := range opt.Documents { // a record may be over them, too, or over the signature alone
			o := x.record.Document(d)
			if x.record.CheckSealed([]ers.Sealed{o}).Objects[0].Err == nil {
				list = append(list, sealed{Sealed: o})
			}
		}
		p := newPool(opt)
		stamps := p.record(x.name, x.record, list)
		r.take(p.signers, p.list)
		for _, s := range r.Signatures {
			s.TimeStamps = append(s.TimeStamps, stamps...)
		}
	}
}

// addStamps takes in time-stamps that belong to no signature.
func (r *Result) addStamps(list ...*validation.TimeStamp) {
	r.TimeStamps = append(r.TimeStamps, list...)
	r.Facts.TimeStamps = append(r.Facts.TimeStamps, list...)
}

// records holds the evidence records of a container against its files [EN 319 162-1 4.3.3.2, 4.4.3.2].
func (r *Result) records(c *asic.Container, manifests []*asic.Manifest, files []fileRecord, byFile map[string][]*Signature, opt Options) {
	for _, f := range files {
		if f.err != nil {
			r.addStamps(brokenRecord(f.name, f.err))
			continue
		}
		p := newPool(opt)
		var objects []validation.Reference
		switch m := manifestNaming(f.name, manifests); {
		case c.Type == asic.S && len(c.Data()) == 1:
			objects = []validation.Reference{{Name: c.Data()[0].Name, Found: true, Intact: true}}
		case c.Type == asic.S:
			objects = []validation.Reference{{Name: "the one file of the container"}}
		case m != nil:
			objects = entries(c, m)
			for i := range objects { // [EN 319 162-1 A.4]
				objects[i].Intact = objects[i].Intact && objects[i].Digest == digestName(f.record.Chains[0].Hash)
			}
		default:
			objects = []validation.Reference{{Name: "a manifest for " + f.name}}
		}
		var list []sealed
		var covered []*Signature
		for _, o := range objects {
			x, err := c.File(o.Name)
			if err != nil {
				continue
			}
			object := sealed{Sealed: f.record.Document(xades.Document{Name: o.Name, Open: x.Open})}
			for _, s := range byFile[o.Name] {
				object.covers = append(object.covers, s.all()...)
				covered = append(covered, s)
			}
			list = append(list, object)
		}
		stamps := p.record(f.name, f.record, list)
		if len(stamps) > 0 {
			stamps[0].References = append(objects, stamps[0].References...)
		}
		r.take(p.signers, p.list)
		for _, s := range covered {
			s.TimeStamps = append(s.TimeStamps, stamps...)
		}
		if len(covered) == 0 {
			r.addStamps(stamps...)
		}
	}
}

// manifestNaming finds the manifest of a file.
func manifestNaming(file string, manifests []*asic.Manifest) *asic.Manifest {
	for _, m := range manifests {
		if m.Signature == file {
			return m
		}
	}
	return nil
}

// fileRecord is an evidence record in a file of its own.
type fileRecord struct {
	name string
	parsedRecord
}

// readRecord reads a record whose material counts for all that is read with the options.
func (o *Options) readRecord(name string, octets func() ([]byte, error)) fileRecord {
	x := fileRecord{name: name}
	b, err := octets()
	if err == nil {
		x.record, err = ers.Parse(b)
	}
	if err == nil {
		o.Know(x.record)
	}
	x.err = err
	return x
}

// Know takes what a record brings along: certificates and revocation data, also those within its time-stamps.
func (o *Options) Know(r *ers.Record) {
	p := newPool(Options{})
	p.addRecord(r)
	o.Certificates = append(slices.Clip(o.Certificates), p.list...)
	for _, x := range p.crls {
		o.CRLs = append(slices.Clip(o.CRLs), x.Raw)
	}
	for _, x := range p.ocsps {
		o.OCSPs = append(slices.Clip(o.OCSPs), x.Raw)
	}
}
