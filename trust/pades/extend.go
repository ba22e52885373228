package pades

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Extend brings the signatures of a document to a level and returns what is to be put behind it: for T a document time-stamp where a
// signature has no time-stamp, for LT the validation material of all signatures, for LTA a document time-stamp over it. What is there
// stays there: a store that was there keeps what it has.
func Extend(ctx context.Context, d *Document, level Level, x cades.Extension) ([]byte, error) {
	steps := map[Level]int{LevelT: 1, LevelLT: 2, LTA: 3}[level]
	if steps == 0 || x.Stamper == nil && steps != 2 || steps > 1 && x.Collect == nil {
		return nil, fmt.Errorf("%w: %q, or nobody given who makes time-stamps or finds material", ErrLevel, level)
	}
	if x.Hash == 0 {
		x.Hash = crypto.SHA256
	}
	if len(d.Signatures) == 0 {
		return nil, fmt.Errorf("%w: there is no signature", ErrLevel)
	}
	stamped := true
	for _, s := range d.Signatures {
		if s.Err != nil || s.Range != nil {
			return nil, fmt.Errorf("%w: %s does not hold: %w", ErrLevel, s.Field.Name, cmp.Or(s.Err, s.Range))
		}
		if s.CMS != nil {
			now, _, _ := s.grown(nil)
			stamped = stamped && now
		}
	}
	var out []byte
	// grow takes in what a step appends, and reads the document anew.
	grow := func(b []byte, err error) error {
		if err != nil {
			return err
		}
		out = append(out, b...)
		d, err = Open(pdf.Behind(d.r, d.size, b), d.size+int64(len(b)))
		return err
	}
	if !stamped {
		if x.Stamper == nil {
			return nil, fmt.Errorf("%w: a signature has no time-stamp", ErrLevel)
		}
		if err := grow(Stamp(ctx, d, x.Stamper, x.Hash)); err != nil {
			return nil, err
		}
	}
	if steps > 1 {
		if err := grow(d.addStore(ctx, x)); err != nil {
			return nil, err
		}
	}
	if steps > 2 {
		if err := grow(Stamp(ctx, d, x.Stamper, x.Hash)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addStore appends what belongs to signers and time-stamps to the store of the document [EN 319 142-1 5.4.2].
func (d *Document) addStore(ctx context.Context, x cades.Extension) ([]byte, error) {
	var known cades.Material
	for _, s := range d.Signatures {
		known.Add(s.Material())
	}
	var signers []*pki.Certificate
	for _, s := range d.Signatures {
		all, err := s.signers(known.Certificates)
		if err != nil {
			return nil, err
		}
		signers = append(signers, all...)
	}
	m, err := x.Collect(ctx, signers, known.Certificates)
	if err != nil {
		return nil, err
	}
	m.Certificates = append(m.Certificates, known.Certificates...)
	u, err := d.PDF.Update()
	if err != nil {
		return nil, err
	}
	catalog, err := d.PDF.Catalog()
	if err != nil {
		return nil, err
	}
	root, ok := d.PDF.Trailer["Root"].(pdf.Ref)
	if !ok {
		return nil, fmt.Errorf("%w: the catalog is no indirect object", pdf.ErrFormat)
	}
	dss, _ := pdf.Get[pdf.Dict](d.PDF, catalog["DSS"])
	dss = dss.Clone()
	dss["Type"] = pdf.Name("DSS")
	seen := map[[32]byte]bool{}
	if d.Store != nil {
		for _, c := range d.Store.Certificates {
			seen[sha256.Sum256(c.Raw)] = true
		}
		for _, b := range slices.Concat(d.Store.CRLs, d.Store.OCSPs) {
			seen[sha256.Sum256(b)] = true
		}
	}
	var certs [][]byte
	for _, c := range m.Certificates {
		certs = append(certs, c.Raw)
	}
	for _, part := range []struct {
		key  pdf.Name
		list [][]byte
	}{{"Certs", certs}, {"CRLs", m.CRLs}, {"OCSPs", m.OCSPs}} {
		old, _ := pdf.Get[pdf.Array](d.PDF, dss[part.key])
		all := slices.Clone(old)
		for _, b := range part.list {
			if sum := sha256.Sum256(b); !seen[sum] {
				seen[sum] = true
				all = append(all, u.Add(pdf.Compress(nil, bytes.Clone(b))))
			}
		}
		if all != nil {
			dss[part.key] = all
		}
	}
	catalog = catalog.Clone()
	catalog["DSS"] = u.Add(dss)
	d.addExtension(catalog)
	u.Set(root, catalog)
	a, err := u.Append()
	if err != nil {
		return nil, err
	}
	return a.Octets, nil
}

// addExtension says that the document holds what PDF 1.7 does not know [EN 319 142-1 5.4.2.2].
func (d *Document) addExtension(catalog pdf.Dict) {
	if d.PDF.Version >= "2" {
		return
	}
	all, _ := pdf.Get[pdf.Dict](d.PDF, catalog["Extensions"])
	all = all.Clone()
	all["ESIC"] = pdf.Dict{"Type": pdf.Name("DeveloperExtensions"), "BaseVersion": pdf.Name("1.7"), "ExtensionLevel": 5}
	catalog["Extensions"] = all
}

// signers are the certificates of a signature and its time-stamps.
func (s *Signature) signers(known []*pki.Certificate) (out []*pki.Certificate, err error) {
	find := func(i *cms.SignerInfo) error {
		for _, c := range known {
			if i.Identifies(c) {
				out = append(out, c)
				return nil
			}
		}
		return fmt.Errorf("%w: the certificate of a signer of %s is not there", ErrLevel, s.Field.Name)
	}
	if s.Token != nil {
		for _, i := range s.Token.Message.Signers {
			if err := find(i); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if err := find(s.CMS.Signer); err != nil {
		return nil, err
	}
	for _, t := range s.CMS.TimeStamps {
		if t.Token == nil {
			return nil, fmt.Errorf("%w: a time-stamp that cannot be read: %w", ErrLevel, t.Err)
		}
		for _, i := range t.Token.Message.Signers {
			if err := find(i); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
