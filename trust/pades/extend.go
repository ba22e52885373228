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

// Extension is what extending needs, and how the store is written.
type Extension struct {
	cades.Extension
	// VRI writes into the store for each signature, too, what belongs to it [EN 319 142-1 5.4.2.3]. Readers that follow the European
	// standards need none of it.
	VRI bool
}

// Extend brings the signatures of a document to a level and returns what is to be put behind it: for T a document time-stamp where a
// signature has no time-stamp, for LT the validation material of all signatures, for LTA a document time-stamp over it. What is there
// stays there: a store that was there keeps what it has.
func Extend(ctx context.Context, d *Document, level Level, x Extension) ([]byte, error) {
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
func (d *Document) addStore(ctx context.Context, x Extension) ([]byte, error) {
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
	stored := map[[32]byte]pdf.Object{} // what has the store, and where
	if d.Store != nil {
		r := storeReader{p: d.PDF, s: &Store{}, seen: map[pdf.Ref]*pki.Certificate{}}
		for _, key := range []pdf.Name{"Certs", "CRLs", "OCSPs"} {
			r.each(dss[key], func(ref pdf.Ref, b []byte) { stored[sha256.Sum256(b)] = ref })
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
			if sum := sha256.Sum256(b); stored[sum] == nil {
				stored[sum] = u.Add(pdf.Compress(nil, bytes.Clone(b)))
				all = append(all, stored[sum])
			}
		}
		if all != nil {
			dss[part.key] = all
		}
	}
	if x.VRI {
		if err := d.addRelated(dss, m, stored); err != nil {
			return nil, err
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

// addRelated writes what belongs to each signature [EN 319 142-1 5.4.2.3]. Entries that are there keep what they have.
func (d *Document) addRelated(dss pdf.Dict, m cades.Material, stored map[[32]byte]pdf.Object) error {
	all, _ := pdf.Get[pdf.Dict](d.PDF, dss["VRI"])
	all = all.Clone()
	for _, s := range d.Signatures {
		signers, err := s.signers(m.Certificates)
		if err != nil {
			return err
		}
		key, _ := s.Key()
		v, _ := pdf.Get[pdf.Dict](d.PDF, all[pdf.Name(key)])
		v = v.Clone()
		own := related(signers, m)
		var certs [][]byte
		for _, c := range own.Certificates {
			certs = append(certs, c.Raw)
		}
		for _, part := range []struct {
			key  pdf.Name
			list [][]byte
		}{{"Cert", certs}, {"CRL", own.CRLs}, {"OCSP", own.OCSPs}} {
			list, _ := pdf.Get[pdf.Array](d.PDF, v[part.key])
			list = slices.Clone(list)
			for _, b := range part.list {
				if o := stored[sha256.Sum256(b)]; o != nil && !slices.Contains(list, o) {
					list = append(list, o)
				}
			}
			if list != nil {
				v[part.key] = list
			}
		}
		all[pdf.Name(key)] = v
	}
	dss["VRI"] = all
	return nil
}

// related is the part of material that concerns certificates: their issuers, what tells of their revocation, and who signed that.
func related(certs []*pki.Certificate, m cades.Material) (out cades.Material) {
	add := func(c *pki.Certificate) {
		if !slices.ContainsFunc(out.Certificates, c.Equal) {
			out.Certificates = append(out.Certificates, c)
		}
	}
	for _, c := range certs {
		add(c)
	}
	crls, ocsps := map[int]bool{}, map[int]bool{}
	for i := 0; i < len(out.Certificates); i++ { // which grows
		c := out.Certificates[i]
		for _, up := range m.Certificates {
			if !bytes.Equal(up.RawSubject, c.RawIssuer) || c.CheckSignatureFrom(up) != nil {
				continue
			}
			add(up)
			for k, b := range m.OCSPs {
				r, err := pki.ParseOCSPResponse(b)
				if err != nil || ocsps[k] {
					continue
				}
				if _, ok := r.Find(c, up); ok {
					ocsps[k], out.OCSPs = true, append(out.OCSPs, b)
					for _, by := range r.Certificates {
						add(by)
					}
				}
			}
		}
		for k, b := range m.CRLs {
			l, err := pki.ParseCRL(b)
			if err == nil && !crls[k] && bytes.Equal(l.RawIssuer, c.RawIssuer) {
				crls[k], out.CRLs = true, append(out.CRLs, b)
			}
		}
	}
	return out
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
