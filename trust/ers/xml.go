package ers

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespace of evidence records in XML [RFC 6283 7].
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
	r := &Record{XML: true, sequence: root.Child(Namespace, "ArchiveTimeStampSequence")}
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
	order := map[dom.Node]int{}
	for c := range n.Elements() {
		if !c.Is(Namespace, name) {
			continue
		}
		i, err := strconv.Atoi(c.Attr("Order"))
		if err != nil {
			return nil, c.Errorf("%w: its Order is %q", ErrFormat, c.Attr("Order"))
		}
		order[c] = i
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, n.Errorf("%w: it holds no %s", ErrFormat, name)
	}
	slices.SortStableFunc(out, func(a, b dom.Node) int { return cmp.Compare(order[a], order[b]) })
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
	if !token.Valid() {
		return nil, n.Errorf("%w: no TimeStampToken", ErrFormat)
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
