package ers

import (
	"crypto"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

var tagged = func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }

// parseASN1 reads EvidenceRecord [RFC 4998 A], also in base64.
func parseASN1(b []byte) (*Record, error) {
	if der, err := base64.StdEncoding.DecodeString(string(b)); err == nil && len(der) > 0 && der[0] == 0x30 {
		b = der
	}
	e, err := ber.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if e.Tag != asn1.SEQUENCE {
		return nil, fmt.Errorf("%w: it is no SEQUENCE", ErrFormat)
	}
	r := e.Children()
	version, err := r.Read(asn1.INTEGER, "version")
	if err != nil || len(version.Content) != 1 || version.Content[0] != 1 {
		return nil, fmt.Errorf("%w: its version is not 1", ErrFormat)
	}
	if _, err := r.Read(asn1.SEQUENCE, "digestAlgorithms"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	for r.Is(tagged(0)) || r.Is(tagged(1)) { // cryptoInfos, encryptionInfo
		if _, err := r.Next(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	sequence, err := r.Read(asn1.SEQUENCE, "archiveTimeStampSequence")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	out := &Record{Raw: b}
	stamps, hashes := 0, 0
	for chains := sequence.Children(); !chains.Empty(); {
		chain, err := chains.Read(asn1.SEQUENCE, "ArchiveTimeStampChain")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		c := Chain{}
		if c.raw, err = chain.DER(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		for list := chain.Children(); !list.Empty(); {
			if stamps++; stamps > maxStamps {
				return nil, fmt.Errorf("%w: more than %d time-stamps", ErrLimit, maxStamps)
			}
			e, err := list.Read(asn1.SEQUENCE, "ArchiveTimeStamp")
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrFormat, err)
			}
			s, err := parseStamp(e, &hashes)
			if err != nil {
				return nil, err
			}
			c.Stamps = append(c.Stamps, *s)
		}
		if len(c.Stamps) == 0 {
			return nil, fmt.Errorf("%w: a chain without time-stamps", ErrFormat)
		}
		first := &c.Stamps[0]
		switch { // the chain has the algorithm of its first time-stamp
		case first.hash != 0:
			c.Hash = first.hash
		case first.Token != nil:
			c.Hash = first.Token.Info.Hash
		}
		if !c.Hash.Available() {
			return nil, fmt.Errorf("%w: that of a chain is not known", ErrAlgorithm)
		}
		out.Chains = append(out.Chains, c)
	}
	if len(out.Chains) == 0 {
		return nil, fmt.Errorf("%w: it holds no time-stamp", ErrFormat)
	}
	return out, nil
}

func parseStamp(e ber.Element, hashes *int) (*Stamp, error) {
	s := &Stamp{}
	r := e.Children()
	if r.Is(tagged(0)) {
		a, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		f := a.Children()
		oid, err := f.Read(asn1.OBJECT_IDENTIFIER, "digestAlgorithm")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		name, _ := pki.DecodeOID(oid.Content)
		if s.hash = pki.HashByOID(name); !s.hash.Available() {
			return nil, fmt.Errorf("%w: %s", ErrAlgorithm, name)
		}
	}
	if r.Is(tagged(1)) { // attributes
		if _, err := r.Next(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	if r.Is(tagged(2)) {
		tree, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		for groups := tree.Children(); !groups.Empty(); {
			group, err := groups.Read(asn1.SEQUENCE, "PartialHashtree")
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrFormat, err)
			}
			var list [][]byte
			for values := group.Children(); !values.Empty(); {
				if *hashes++; *hashes > maxHashes {
					return nil, fmt.Errorf("%w: more than %d digests", ErrLimit, maxHashes)
				}
				v, err := values.Read(asn1.OCTET_STRING, "digest")
				if err != nil {
					return nil, fmt.Errorf("%w: %w", ErrFormat, err)
				}
				octets, err := v.Bytes()
				if err != nil {
					return nil, fmt.Errorf("%w: %w", ErrFormat, err)
				}
				list = append(list, octets)
			}
			if len(list) == 0 {
				return nil, fmt.Errorf("%w: an empty group of digests", ErrFormat)
			}
			s.Groups = append(s.Groups, list)
		}
	}
	token, err := r.Read(asn1.SEQUENCE, "timeStamp")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	s.stamp = token.Raw
	s.read(token.Raw)
	return s, nil
}

// read parses the time-stamp.
func (s *Stamp) read(b []byte) {
	s.Token, s.Err = tsp.ParseToken(append([]byte(nil), b...))
	if s.Err == nil && !s.Token.Info.Hash.Available() {
		s.Err = fmt.Errorf("%w: %s", ErrAlgorithm, s.Token.Info.HashOID)
	}
}

// sequenceOf is the DER of ArchiveTimeStampSequence with some chains.
func sequenceOf(chains []Chain) []byte {
	var content [][]byte
	for _, c := range chains {
		content = append(content, c.raw)
	}
	return ber.Append(nil, asn1.SEQUENCE, content...)
}

// marshal writes the record [RFC 4998 A].
func (r *Record) marshal() ([]byte, error) {
	var algorithms [][]byte
	seen := map[crypto.Hash]bool{}
	for _, c := range r.Chains {
		if seen[c.Hash] {
			continue
		}
		seen[c.Hash] = true
		der, err := algorithmOf(c.Hash)
		if err != nil {
			return nil, err
		}
		algorithms = append(algorithms, der)
	}
	return ber.Append(nil, asn1.SEQUENCE, []byte{2, 1, 1}, ber.Append(nil, asn1.SEQUENCE, algorithms...), sequenceOf(r.Chains)), nil
}

// algorithmOf is the AlgorithmIdentifier of a digest algorithm.
func algorithmOf(h crypto.Hash) ([]byte, error) {
	oid := pki.OIDByHash(h)
	if oid == "" {
		return nil, fmt.Errorf("%w: %s", ErrAlgorithm, h)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { pki.AddOID(b, oid) })
	return b.Bytes()
}

// stampDER writes ArchiveTimeStamp.
func stampDER(h crypto.Hash, m made) ([]byte, error) {
	oid, err := algorithmOf(h)
	if err != nil {
		return nil, err
	}
	e, err := ber.Parse(oid)
	if err != nil {
		return nil, err
	}
	var tree [][]byte
	for _, g := range m.groups {
		var values [][]byte
		for _, v := range g {
			values = append(values, ber.Append(nil, asn1.OCTET_STRING, v))
		}
		tree = append(tree, ber.Append(nil, asn1.SEQUENCE, values...))
	}
	return ber.Append(nil, asn1.SEQUENCE, ber.Append(nil, tagged(0), e.Content), ber.Append(nil, tagged(2), tree...), m.token.Raw), nil
}
