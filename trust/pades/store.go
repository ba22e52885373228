package pades

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// Store is the document security store [EN 319 142-1 5.4.2].
type Store struct {
	cades.Material
	// VRI is what belongs to one signature, by its key, see [Signature.Key].
	VRI map[string]VRI
	// Problems are parts that could not be read and are missing.
	Problems []error
}

// VRI is validation related information of one signature [EN 319 142-1 5.4.2.3].
type VRI struct {
	cades.Material
	Time      time.Time
	TimeStamp *tsp.Token
}

const (
	maxStore    = 20_000   // certificates, lists and responses
	maxMaterial = 32 << 20 // octets of one of them
)

// Key is under which name validation related information of a signature stands: of its Contents as they are, or as some write it
// without what is reserved behind the message.
func (s *Signature) Key() (padded, trimmed string) {
	name := func(b []byte) string {
		sum := sha1.Sum(b)
		return strings.ToUpper(hex.EncodeToString(sum[:]))
	}
	message, _ := withoutPadding(s.Contents)
	return name(s.Contents), name(message)
}

// RelatedStamp is the time-stamp among the validation related information of a signature, which is over its value, and whether it is
// [EN 319 142-1 5.4.2.3]; nil where there is none.
func (s *Signature) RelatedStamp() (*tsp.Token, error) {
	if s.doc.Store == nil || s.CMS == nil {
		return nil, nil
	}
	padded, trimmed := s.Key()
	for _, key := range []string{padded, trimmed} {
		if t := s.doc.Store.VRI[key].TimeStamp; t != nil {
			return t, t.CheckImprint(cms.Bytes(s.CMS.Signer.Signature))
		}
	}
	return nil, nil
}

func readStore(p *pdf.Document, catalog pdf.Dict, known *pki.Parsed) *Store {
	dict, ok := pdf.Get[pdf.Dict](p, catalog["DSS"])
	if !ok {
		return nil
	}
	s := &Store{VRI: map[string]VRI{}}
	r := storeReader{p: p, known: known, s: s, seen: map[pdf.Ref]*pki.Certificate{}}
	s.Material = r.material(dict, "Certs", "CRLs", "OCSPs")
	all, _ := pdf.Get[pdf.Dict](p, dict["VRI"])
	for key, o := range all {
		d, ok := pdf.Get[pdf.Dict](p, o)
		if !ok {
			continue
		}
		v := VRI{Material: r.material(d, "Cert", "CRL", "OCSP")}
		if t, ok := pdf.Get[pdf.String](p, d["TU"]); ok {
			v.Time, _ = pdf.ParseDate(t)
		}
		if t, ok := pdf.Get[*pdf.Stream](p, d["TS"]); ok {
			b, err := p.Bytes(t, maxMaterial)
			if err == nil {
				v.TimeStamp, err = tsp.ParseTokenWith(b, known)
			}
			r.problem(err)
		}
		s.VRI[strings.ToUpper(string(key))] = v
	}
	return s
}

type storeReader struct {
	p     *pdf.Document
	known *pki.Parsed
	s     *Store
	n     int
	seen  map[pdf.Ref]*pki.Certificate
}

func (r *storeReader) problem(err error) {
	if err != nil && len(r.s.Problems) < 100 {
		r.s.Problems = append(r.s.Problems, err)
	}
}

func (r *storeReader) material(d pdf.Dict, certs, crls, ocsps pdf.Name) (m cades.Material) {
	r.each(d[certs], func(ref pdf.Ref, b []byte) {
		c := r.seen[ref]
		if c == nil {
			var err error
			if c, err = r.known.Certificate(b); err != nil {
				r.problem(err)
				return
			}
			r.seen[ref] = c
		}
		m.Certificates = append(m.Certificates, c)
	})
	r.each(d[crls], func(_ pdf.Ref, b []byte) { m.CRLs = append(m.CRLs, b) })
	r.each(d[ocsps], func(_ pdf.Ref, b []byte) { m.OCSPs = append(m.OCSPs, b) })
	return m
}

func (r *storeReader) each(o pdf.Object, take func(pdf.Ref, []byte)) {
	list, _ := pdf.Get[pdf.Array](r.p, o)
	for _, x := range list {
		if r.n++; r.n > maxStore {
			return
		}
		s, ok := pdf.Get[*pdf.Stream](r.p, x)
		if !ok {
			continue
		}
		b, err := r.p.Bytes(s, maxMaterial)
		if err != nil {
			r.problem(err)
			continue
		}
		in := ber.NewReader(b)
		if e, err := in.Next(); err == nil && len(bytes.TrimSpace(b[len(e.Raw):])) == 0 { // some add an end of line
			b = e.Raw
		}
		ref, _ := x.(pdf.Ref)
		take(ref, b)
	}
}

// within is what the message of a time-stamp brings along.
func within(t *tsp.Token) cades.Material { return (&cades.Signature{Message: t.Message}).Material() }

// Material is all that a signature, its time-stamps and the store of the document bring along.
func (s *Signature) Material() cades.Material {
	var m cades.Material
	if t, _ := s.RelatedStamp(); t != nil {
		m.Add(within(t))
	}
	if s.CMS != nil {
		m.Add(s.CMS.Material())
	}
	if s.Token != nil {
		m.Add(within(s.Token))
	}
	if x := s.doc.Store; x != nil {
		m.Add(x.Material)
		padded, trimmed := s.Key()
		m.Add(x.VRI[padded].Material)
		m.Add(x.VRI[trimmed].Material)
	}
	return m
}

// StoreThen is the store as a time-stamp covers it; nil where there was none.
func (s *Signature) StoreThen() (*Store, error) {
	if s.doc.Store == nil {
		return nil, nil
	}
	p, err := s.revision()
	if err != nil {
		return nil, err
	}
	catalog, err := p.Catalog()
	if err != nil {
		return nil, err
	}
	return readStore(p, catalog, s.doc.known), nil
}
