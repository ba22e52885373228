package jades

import (
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// Extension is what extending needs.
type Extension struct {
	Stamper   tsp.Stamper
	Hash      crypto.Hash      // of time-stamps; default SHA-256
	Documents []xades.Document // detached content, for level LTA
	HTTP      *HTTPMessage
	// Clear writes the first component of etsiU as an object in clear, not in base64url; later ones follow the first. Archive time-stamps
	// over clear objects are over their canonical form, which few other programs compute.
	Clear bool
	// Collect finds the chains and the revocation information of certificates: of signers, of time-stamping authorities. known are
	// those that the signature has. It is asked at levels LT and LTA.
	Collect func(ctx context.Context, certs, known []*pki.Certificate) (revocation.Material, error)
}

// Extend adds to a signature what is missing up to a level: T, LT or LTA. For LTA it always adds an archive time-stamp, with the
// material of the one before. A message in the compact form gets the flattened one.
func (s *Signature) Extend(ctx context.Context, level Level, x Extension) error {
	if s.Parent != nil {
		return fmt.Errorf("%w: a counter-signature", ErrLevel)
	}
	if x.Hash == 0 {
		x.Hash = crypto.SHA256
	}
	steps := map[Level]int{LevelT: 1, LevelLT: 2, LTA: 3}[level]
	if steps == 0 || x.Stamper == nil || steps > 1 && x.Collect == nil {
		return fmt.Errorf("%w: %q, or nobody given who makes time-stamps or finds material", ErrLevel, level)
	}
	if slices.ContainsFunc(s.unprotected, func(m member) bool { return m.name == "etsiU" }) {
		return fmt.Errorf("%w: etsiU is no array [TS 119 182-1 5.3.1]", ErrLevel)
	}
	for _, n := range []string{"xRefs", "rRefs", "axRefs", "arRefs", "sigRTst", "rfsTst"} {
		if steps > 1 && s.counts[n] > 0 {
			return fmt.Errorf("%w: %s of the extended forms is there [TS 119 182-1 6.3]", ErrLevel, n)
		}
	}
	if !s.Has(SignatureTimeStamp) {
		if err := s.stamp(ctx, x, &TimeStamp{Kind: SignatureTimeStamp}); err != nil {
			return err
		}
	}
	if steps > 1 {
		if err := s.addMaterial(ctx, x); err != nil {
			return err
		}
	}
	if steps > 2 {
		return s.stamp(ctx, x, &TimeStamp{Kind: Archive})
	}
	return nil
}

func (s *Signature) stamp(ctx context.Context, x Extension, t *TimeStamp) error {
	t.Property = len(s.unsigned)
	if t.Kind == Archive && s.clear(x.Clear) {
		t.canonical = CanonicalJSON
	}
	c := &Checked{Signature: s, documents: x.Documents, http: x.HTTP}
	h := x.Hash.New()
	if err := c.WriteImprint(h, t); err != nil {
		return err
	}
	token, err := x.Stamper.Stamp(ctx, x.Hash, h.Sum(nil))
	if err != nil {
		return err
	}
	w := &objectWriter{}
	w.texts("canonAlg", t.canonical)
	w.tokens(token)
	b, err := w.bytes()
	if err != nil {
		return err
	}
	return s.addUnsigned(string(t.Kind), b, x.Clear)
}

// clear tells in which form components of etsiU are written: as those that are there.
func (s *Signature) clear(wanted bool) bool {
	if len(s.unsigned) > 0 {
		return s.unsigned[0].clear
	}
	return wanted
}

// addUnsigned adds a component to etsiU.
func (s *Signature) addUnsigned(name string, octets []byte, clear bool) error {
	object := append(append(appendString([]byte{'{'}, name), ':'), octets...)
	object = append(object, '}')
	item := value{kind: text, text: encoded.EncodeToString(object)}
	if s.clear(clear) {
		var err error
		if item, err = parseJSON(object); err != nil {
			return err
		}
	}
	if s.Message.Serialization == Compact {
		s.Message.Serialization = Flattened
	}
	return s.addProperty(&item)
}

// addMaterial puts in what belongs to signers and time-stamps [TS 119 182-1 5.3.5].
func (s *Signature) addMaterial(ctx context.Context, x Extension) error {
	certs, known := s.parties()
	if len(certs) == 0 {
		return fmt.Errorf("%w: the signer's certificate is not there", ErrLevel)
	}
	found, err := x.Collect(ctx, certs, known)
	if err != nil {
		return err
	}
	m := s.missing(found)
	var certificates, revocations []byte
	if len(m.Certificates) > 0 {
		w := &objectWriter{}
		w.array("xVals", func() {
			for _, c := range m.Certificates {
				w.itemObject(func() {
					w.object("x509Cert", func() { w.text("val", base64.StdEncoding.EncodeToString(c.Raw)) })
				})
			}
		})
		certificates = w.out[len(`{"xVals":`):]
	}
	if len(m.CRLs)+len(m.OCSPs) > 0 {
		w := &objectWriter{}
		for _, kind := range []struct {
			name string
			list [][]byte
		}{{"crlVals", m.CRLs}, {"ocspVals", m.OCSPs}} {
			if len(kind.list) == 0 {
				continue
			}
			w.array(kind.name, func() {
				for _, b := range kind.list {
					w.itemObject(func() { w.text("val", base64.StdEncoding.EncodeToString(b)) })
				}
			})
		}
		if revocations, err = w.bytes(); err != nil {
			return err
		}
	}
	return s.putMaterial(certificates, revocations, x.Clear)
}

// putMaterial writes xVals and rVals the first time, later anyValData, since each of them stands there once [TS 119 182-1 6.3].
func (s *Signature) putMaterial(certificates, revocations []byte, clear bool) error {
	if s.counts["xVals"]+s.counts["rVals"] > 0 {
		w := &objectWriter{}
		if certificates != nil {
			w.raw("xVals", certificates)
		}
		if revocations != nil {
			w.raw("rVals", revocations)
		}
		if w.out == nil {
			return nil
		}
		b, err := w.bytes()
		if err != nil {
			return err
		}
		return s.addUnsigned("anyValData", b, clear)
	}
	if certificates != nil {
		if err := s.addUnsigned("xVals", certificates, clear); err != nil {
			return err
		}
	}
	if revocations != nil {
		return s.addUnsigned("rVals", revocations, clear)
	}
	return nil
}

// parties are the certificates of the signer, of counter-signers and of time-stamping authorities, and all that are at hand.
func (s *Signature) parties() (certs, known []*pki.Certificate) {
	add := func(of *Signature) {
		known = append(append(known, of.Certificates...), of.Material.Certificates...)
		if len(of.Named) > 0 {
			if i := slices.IndexFunc(known, of.Named[0].Matches); i >= 0 {
				certs = append(certs, known[i])
			}
		}
		for _, t := range of.TimeStamps {
			if t.Token == nil {
				continue
			}
			in := t.Token.Message.X509()
			known = append(known, in...)
			for _, signer := range t.Token.Message.Signers {
				if i := slices.IndexFunc(in, signer.Identifies); i >= 0 {
					certs = append(certs, in[i])
				}
			}
		}
	}
	add(s)
	for _, c := range s.CounterSignatures {
		add(c)
	}
	return certs, known
}

// missing takes away what the signature holds already.
func (s *Signature) missing(m revocation.Material) (out revocation.Material) {
	have := map[string]bool{}
	for _, c := range slices.Concat(s.Certificates, s.Material.Certificates) {
		have[string(c.Raw)] = true
	}
	for _, b := range slices.Concat(s.Material.CRLs, s.Material.OCSPs) {
		have[string(b)] = true
	}
	for _, c := range m.Certificates {
		if !have[string(c.Raw)] {
			have[string(c.Raw)] = true
			out.Certificates = append(out.Certificates, c)
		}
	}
	take := func(from [][]byte, to *[][]byte) {
		for _, b := range from {
			if !have[string(b)] {
				have[string(b)] = true
				*to = append(*to, b)
			}
		}
	}
	take(m.CRLs, &out.CRLs)
	take(m.OCSPs, &out.OCSPs)
	return out
}
