package xades

import (
	"bytes"
	"crypto"
	"fmt"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// TimeStamper asks for a time-stamp over a hash and returns the DER of the TimeStampToken.
type TimeStamper func(hash crypto.Hash, sum []byte) (token []byte, err error)

// Extend adds to one signature of a document, and returns the document with it: nothing that is there is written anew.
// The octets are those of [dom.Document.Source], so UTF-8. Each method adds one property; levels are built from them in the
// order T, LT, LTA, each on the document that the one before returned.
type Extend struct {
	Checked *Checked
	Hash    crypto.Hash // of time-stamps; default SHA-256
	Stamp   TimeStamper
	// Canonicalization is the form in which what is time-stamped is hashed; default exclusive.
	Canonicalization string
}

func (e *Extend) hash() crypto.Hash {
	if e.Hash == 0 {
		return crypto.SHA256
	}
	return e.Hash
}

// SignatureTimeStamp adds a time-stamp over the signature value: level T [EN 319 132-1 5.3].
func (e *Extend) SignatureTimeStamp() ([]byte, error) {
	if len(e.Checked.Certificates) == 0 {
		return nil, fmt.Errorf("%w: it does not name its signing certificate", ErrLevel)
	}
	return e.stamp("xades:SignatureTimeStamp", Namespace, &TimeStamp{Kind: SignatureTimeStamp}, "ts")
}

// ArchiveTimeStamp adds a time-stamp over everything that is there: level LTA, and its renewal [EN 319 132-1 5.5.2].
func (e *Extend) ArchiveTimeStamp() ([]byte, error) {
	if !e.Checked.Unsigned.Valid() {
		return nil, fmt.Errorf("%w: there is nothing to archive before levels T and LT", ErrLevel)
	}
	return e.stamp("xades141:ArchiveTimeStamp", Namespace141, &TimeStamp{Kind: Archive}, "ats")
}

func (e *Extend) stamp(name, namespace string, t *TimeStamp, id string) ([]byte, error) {
	c := e.Checked
	t.Canonicalization = c14n.Method{Algorithm: c14n.Exclusive10}
	if e.Canonicalization != "" {
		t.Canonicalization.Algorithm = e.Canonicalization
	}
	sum := e.hash().New()
	if err := c.WriteImprint(sum, t); err != nil {
		return nil, err
	}
	token, err := e.Stamp(e.hash(), sum.Sum(nil))
	if err != nil {
		return nil, err
	}
	prefix, _, _ := bytes.Cut([]byte(name), []byte(":"))
	w := dom.NewWriter(nil)
	w.Start(name, "xmlns:"+string(prefix), namespace, "Id", fmt.Sprintf("%s%d-%s", id, len(c.TimeStamps)+1, c.ID))
	w.Element("ds:CanonicalizationMethod", "", "xmlns:ds", xmldsig.Namespace, "Algorithm", t.Canonicalization.Algorithm)
	w.Start("xades:EncapsulatedTimeStamp", "xmlns:xades", Namespace)
	w.Base64(token)
	w.End()
	w.End()
	return c.insert(w.Bytes())
}

// Values adds certificates and revocation data for the signer's chain, those that are not in the signature yet: with a
// signature time-stamp level LT [EN 319 132-1 5.4].
func (e *Extend) Values(m Material) ([]byte, error) {
	if e.Checked.counts["CertificateValues"] > 0 || e.Checked.counts["RevocationValues"] > 0 {
		return e.ValidationData(m, "") // the schema has each at most once
	}
	m = e.Checked.missing(m)
	w := dom.NewWriter(nil)
	writeMaterial(w, m)
	return e.Checked.insert(w.Bytes())
}

// ValidationData adds material for one time-stamp, named by the Id of its element; with "" for the signature at large
// [EN 319 132-1 5.5.1].
func (e *Extend) ValidationData(m Material, timeStamp string) ([]byte, error) {
	m = e.Checked.missing(m)
	if len(m.Certificates)+len(m.CRLs)+len(m.OCSPs) == 0 {
		return bytes.Clone(e.Checked.Node.Document().Source()), nil
	}
	w := dom.NewWriter(nil)
	name, attrs := "xades141:AnyValidationData", []string{"xmlns:xades141", Namespace141}
	if timeStamp != "" {
		name, attrs = "xades141:TimeStampValidationData", append(attrs, "URI", "#"+timeStamp)
	}
	w.Start(name, attrs...)
	writeMaterial(w, m)
	w.End()
	return e.Checked.insert(w.Bytes())
}

// missing takes away what the signature holds already.
func (c *Checked) missing(m Material) (out Material) {
	have := map[string]bool{}
	for _, list := range [][]*pki.Certificate{c.KeyInfo, c.Material.Certificates} {
		for _, x := range list {
			have[string(x.Raw)] = true
		}
	}
	for _, list := range [][][]byte{c.Material.CRLs, c.Material.OCSPs} {
		for _, b := range list {
			have[string(b)] = true
		}
	}
	add := func(b []byte) bool {
		if have[string(b)] {
			return false
		}
		have[string(b)] = true
		return true
	}
	for _, x := range m.Certificates {
		if add(x.Raw) {
			out.Certificates = append(out.Certificates, x)
		}
	}
	for _, x := range m.CRLs {
		if add(x) {
			out.CRLs = append(out.CRLs, x)
		}
	}
	for _, x := range m.OCSPs {
		if add(x) {
			out.OCSPs = append(out.OCSPs, x)
		}
	}
	return out
}

func writeMaterial(w *dom.Writer, m Material) {
	if len(m.Certificates) > 0 {
		w.Start("xades:CertificateValues", "xmlns:xades", Namespace)
		for _, c := range m.Certificates {
			w.Start("xades:EncapsulatedX509Certificate")
			w.Base64(c.Raw)
			w.End()
		}
		w.End()
	}
	if len(m.CRLs)+len(m.OCSPs) == 0 {
		return
	}
	w.Start("xades:RevocationValues", "xmlns:xades", Namespace)
	for _, kind := range []struct {
		list, value string
		values      [][]byte
	}{{"CRLValues", "EncapsulatedCRLValue", m.CRLs}, {"OCSPValues", "EncapsulatedOCSPValue", m.OCSPs}} {
		if len(kind.values) == 0 {
			continue
		}
		w.Start("xades:" + kind.list)
		for _, v := range kind.values {
			w.Start("xades:" + kind.value)
			w.Base64(v)
			w.End()
		}
		w.End()
	}
	w.End()
}

// insert returns the document with elements, which declare their namespaces, after the last unsigned property.
func (c *Checked) insert(elements []byte) ([]byte, error) {
	s := c.Signature
	if s.Namespace != Namespace {
		return nil, fmt.Errorf("%w: its properties are in the namespace %q", ErrLevel, s.Namespace)
	}
	prefix := ""
	if p := s.Properties.Prefix(); p != "" {
		prefix = p + ":"
	}
	wrap := func(name string, content []byte) []byte {
		return fmt.Appendf(nil, "<%s%s>%s</%[1]s%[2]s>", prefix, name, content)
	}
	unsigned := s.Properties.Child(Namespace, "UnsignedProperties")
	switch {
	case s.Unsigned.Valid():
		return within(s.Unsigned, elements), nil
	case unsigned.Valid():
		return before(unsigned, wrap("UnsignedSignatureProperties", elements)), nil
	}
	return within(s.Properties, wrap("UnsignedProperties", wrap("UnsignedSignatureProperties", elements))), nil
}

// within inserts octets before the end tag of an element.
func within(n dom.Node, octets []byte) []byte { return splice(n, octets, false) }

// before inserts octets after the start tag of an element, before what it holds.
func before(n dom.Node, octets []byte) []byte { return splice(n, octets, true) }

func splice(n dom.Node, octets []byte, first bool) []byte {
	src, raw, start := n.Document().Source(), n.Raw(), n.Offset()
	out := make([]byte, 0, len(src)+len(octets)+len(n.QName())+64)
	if empty, ok := bytes.CutSuffix(raw, []byte("/>")); ok {
		out = append(append(out, src[:start]...), empty...)
		out = append(append(out, '>'), octets...)
		out = append(append(append(out, "</"...), n.QName()...), '>')
		return declareUTF8(append(out, src[start+len(raw):]...))
	}
	at := start + bytes.LastIndex(raw, []byte("</"))
	if c := n.FirstChild(); first && c.Valid() {
		at = c.Offset()
	}
	out = append(append(out, src[:at]...), octets...)
	return declareUTF8(append(out, src[at:]...))
}

// declareUTF8 makes an XML declaration that names another encoding tell the truth.
func declareUTF8(b []byte) []byte {
	const declaration = `<?xml version="1.0" encoding="UTF-8"?>`
	if !bytes.HasPrefix(b, []byte("<?xml ")) {
		return b
	}
	head, rest, _ := bytes.Cut(b, []byte("?>"))
	if i := bytes.Index(head, []byte("encoding")); i < 0 || bytes.Contains(bytes.ToUpper(head[i:]), []byte("UTF-8")) {
		return b
	}
	return append([]byte(declaration), rest...)
}

// Seal adds an evidence record over everything that is there [TS 119 132-3 5]: one whose digest is that of
// [Checked.SealedDigest] for a record still to be made. A record in XML is an element without declaration.
func (c *Checked) Seal(record []byte) ([]byte, error) {
	w := dom.NewWriter(nil)
	w.Start("xadesen:SealingEvidenceRecords", "xmlns:xadesen", namespaceERS)
	if bytes.HasPrefix(record, []byte("<")) {
		w.Raw(record)
	} else {
		w.Start("xadesen:ASN1EvidenceRecord")
		w.Base64(record)
		w.End()
	}
	w.End()
	return c.insert(w.Bytes())
}
