package ers

import (
	"cmp"
	"crypto"
	"fmt"
	"slices"
	"strconv"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespace of evidence records in XML [RFC 6283 8].
const Namespace = "urn:ietf:params:xml:ns:ers"

func parseXML(b []byte) (*Record, error) {
	doc, err := dom.Parse(append([]byte(nil), b...), dom.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return FromElement(doc.Root())
}

// FromElement reads a record that is an element of a document.
func FromElement(root dom.Node) (*Record, error) {
	if !root.Is(Namespace, "EvidenceRecord") {
		return nil, root.Errorf("%w: no ers:EvidenceRecord", ErrFormat)
	}
	if v := root.Attr("Version"); v != "1.0" && v != "1" { // a decimal
		return nil, root.Errorf("%w: its version is %q", ErrFormat, v)
	}
	r := &Record{XML: true, Raw: root.Raw(), sequence: root.Child(Namespace, "ArchiveTimeStampSequence")}
	if !r.sequence.Valid() {
		return nil, root.Errorf("%w: no ArchiveTimeStampSequence", ErrFormat)
	}
	chains, err := ordered(r.sequence, "ArchiveTimeStampChain")
	if err != nil {
		return nil, err
	}
	stamps, hashes := 0, 0
	for _, n := range chains {
		c := Chain{node: n}
		var ok bool
		if c.Hash, ok = xmldsig.DigestHash(n.Child(Namespace, "DigestMethod").Attr("Algorithm")); !ok || !c.Hash.Available() {
			return nil, n.Errorf("%w: %q", ErrAlgorithm, n.Child(Namespace, "DigestMethod").Attr("Algorithm"))
		}
		method := n.Child(Namespace, "CanonicalizationMethod")
		if !method.Valid() {
			return nil, n.Errorf("%w: no CanonicalizationMethod", ErrFormat)
		}
		if c.Method, err = c14n.ParseMethod(method); err != nil {
			return nil, err
		}
		list, err := ordered(n, "ArchiveTimeStamp")
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			if stamps++; stamps > maxStamps {
				return nil, fmt.Errorf("%w: more than %d time-stamps", ErrLimit, maxStamps)
			}
			s, err := r.stampOf(a, &hashes)
			if err != nil {
				return nil, err
			}
			c.Stamps = append(c.Stamps, *s)
		}
		r.Chains = append(r.Chains, c)
	}
	return r, nil
}

// ordered returns the children of a name in the order that they say, of which there must be at least one.
func ordered(n dom.Node, name string) (out []dom.Node, err error) {
	order, taken := map[dom.Node]int64{}, map[int64]bool{}
	for c := range n.Elements() {
		if !c.Is(Namespace, name) {
			continue
		}
		i, err := strconv.ParseInt(c.Attr("Order"), 10, 32)
		if err != nil || i < 1 || taken[i] {
			return nil, c.Errorf("%w: its Order is %q", ErrFormat, c.Attr("Order"))
		}
		order[c], taken[i] = i, true
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, n.Errorf("%w: it holds no %s", ErrFormat, name)
	}
	slices.SortFunc(out, func(a, b dom.Node) int { return cmp.Compare(order[a], order[b]) })
	return out, nil
}

func (r *Record) stampOf(n dom.Node, hashes *int) (*Stamp, error) {
	s := &Stamp{node: n.Child(Namespace, "TimeStamp")}
	if tree := n.Child(Namespace, "HashTree"); tree.Valid() {
		groups, err := ordered(tree, "Sequence")
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			var list [][]byte
			for v := range g.Elements() {
				if !v.Is(Namespace, "DigestValue") {
					continue
				}
				if *hashes++; *hashes > maxHashes {
					return nil, fmt.Errorf("%w: more than %d digests", ErrLimit, maxHashes)
				}
				b, err := xmldsig.DecodeBase64(v, 1024)
				if err != nil {
					return nil, err
				}
				list = append(list, b)
			}
			if len(list) == 0 {
				return nil, g.Errorf("%w: an empty group of digests", ErrFormat)
			}
			s.Groups = append(s.Groups, list)
		}
	}
	token := s.node.Child(Namespace, "TimeStampToken")
	if !token.Valid() || token.Attr("Type") != "RFC3161" {
		return nil, n.Errorf("%w: no TimeStampToken of the type RFC3161", ErrFormat)
	}
	b, err := xmldsig.DecodeBase64(token, maxRecord)
	if err != nil {
		return nil, err
	}
	s.read(b)
	for x := range s.node.Child(Namespace, "CryptographicInformationList").Elements() {
		b, err := xmldsig.DecodeBase64(x, maxRecord)
		if err != nil {
			continue // what cannot be read is not there
		}
		switch x.Attr("Type") {
		case "CERT":
			if c, err := pki.ParseCertificate(b); err == nil {
				r.Certificates = append(r.Certificates, c)
			}
		case "CRL":
			r.CRLs = append(r.CRLs, b)
		case "OCSP":
			r.OCSPs = append(r.OCSPs, b)
		}
	}
	return s, nil
}

// exclusive is the canonical form of the records that are made here: what they hash stays the same wherever they stand.
var exclusive = c14n.Method{Algorithm: c14n.Exclusive10}

// writer writes elements of a record with the prefix of those that are there.
type writer struct {
	*dom.Writer
	prefix string
}

func newWriter(beside dom.Node) writer {
	w := writer{dom.NewWriter(nil), ""}
	if beside.Valid() && beside.Prefix() != "" {
		w.prefix = beside.Prefix() + ":"
	}
	return w
}

// writeXML writes a record with one time-stamp [RFC 6283 8].
func writeXML(h crypto.Hash, s made) ([]byte, error) {
	w := newWriter(dom.Node{})
	w.Start("EvidenceRecord", "xmlns", Namespace, "Version", "1.0")
	w.Start("ArchiveTimeStampSequence")
	if err := w.chain(1, h, s); err != nil {
		return nil, err
	}
	w.End()
	w.End()
	return w.Bytes(), nil
}

func (w writer) chain(order int, h crypto.Hash, s made) error {
	method, _ := xmldsig.MethodFor(nil, h, false)
	if method == "" {
		return fmt.Errorf("%w: XML has no name for %s", ErrAlgorithm, h)
	}
	w.Start(w.prefix+"ArchiveTimeStampChain", "Order", strconv.Itoa(order))
	w.Element(w.prefix+"DigestMethod", "", "Algorithm", method)
	w.Element(w.prefix+"CanonicalizationMethod", "", "Algorithm", exclusive.Algorithm)
	w.stamp(1, s)
	w.End()
	return nil
}

func (w writer) stamp(order int, s made) {
	w.Start(w.prefix+"ArchiveTimeStamp", "Order", strconv.Itoa(order))
	w.Start(w.prefix + "HashTree")
	for i, g := range s.groups {
		w.Start(w.prefix+"Sequence", "Order", strconv.Itoa(i+1))
		for _, digest := range g {
			w.Start(w.prefix + "DigestValue")
			w.Base64(digest)
			w.End()
		}
		w.End()
	}
	w.End()
	w.Start(w.prefix + "TimeStamp")
	w.Start(w.prefix+"TimeStampToken", "Type", "RFC3161")
	w.Base64(s.token.Raw)
	w.End()
	w.End()
	w.End()
}

// addStampXML returns the record with a further time-stamp in the chain. What is there keeps its octets, and so its canonical form.
func (c *Chain) addStampXML(s made) ([]byte, error) {
	w := newWriter(c.node)
	w.stamp(next(c.Stamps[len(c.Stamps)-1].node.Parent()), s)
	return xmldsig.InsertLast(c.node, w.Bytes())
}

// addChainXML returns the record with a further chain.
func (r *Record) addChainXML(h crypto.Hash, s made) ([]byte, error) {
	w := newWriter(r.sequence)
	if err := w.chain(next(r.last().node), h, s); err != nil {
		return nil, err
	}
	return xmldsig.InsertLast(r.sequence, w.Bytes())
}

// next is the Order behind an element, which has one.
func next(n dom.Node) int {
	order, _ := strconv.Atoi(n.Attr("Order"))
	return order + 1
}
