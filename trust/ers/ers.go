// Package ers reads, checks, makes and renews evidence records: RFC 4998 in ASN.1 and RFC 6283 in XML. An evidence
// record proves with one time-stamp that many documents existed at a time, and goes on proving it when it is renewed before the
// time-stamp's certificate or an algorithm comes to its end.
//
// A record holds hashes alone. Whether its time-stamps are to be trusted is a matter of validation; this package says what each
// covers.
package ers

import (
	"bufio"
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Errors.
var (
	// ErrFormat: it is no evidence record.
	ErrFormat = errors.New("ers: no evidence record")
	// ErrAlgorithm: a digest algorithm that is not known here.
	ErrAlgorithm = errors.New("ers: digest algorithm")
	// ErrDigest: a time-stamp does not cover what it should.
	ErrDigest = errors.New("ers: the time-stamp does not cover what it should")
	// ErrContent: of a document only other digests are known.
	ErrContent = errors.New("ers: the document is not at hand")
	// ErrLimit: more than a reader can be asked to go through.
	ErrLimit = errors.New("ers: too large")
)

// Bounds of what is read.
const (
	maxRecord  = 64 << 20 // octets
	maxStamps  = 1000
	maxHashes  = 1 << 20
	maxContent = 256 << 20 // of a document that is canonicalised
)

// Record is an evidence record.
type Record struct {
	XML    bool
	Raw    []byte // as it stands
	Chains []Chain
	// Certificates, CRLs and OCSPs are what the record brings along to judge its time-stamps.
	Certificates []*pki.Certificate
	CRLs, OCSPs  [][]byte

	sequence dom.Node // of XML
}

// Chain is a chain of archive time-stamps that use one digest algorithm [RFC 4998 4.2].
type Chain struct {
	Hash   crypto.Hash
	Method c14n.Method // of XML
	Stamps []Stamp

	raw  []byte   // of ASN.1
	node dom.Node // of XML
}

// Stamp is an archive time-stamp [RFC 4998 3.1].
type Stamp struct {
	// Groups is the reduced hash tree: the first group holds what is covered. Empty: the time-stamp is over one digest.
	Groups [][][]byte
	Token  *tsp.Token
	Err    error // the time-stamp cannot be read

	hash  crypto.Hash // of the archive time-stamp, where it names one
	stamp []byte      // the TimeStamp as the next one covers it, of ASN.1
	node  dom.Node    // and of XML
}

// Parse reads a record in either form.
func Parse(b []byte) (*Record, error) {
	if len(b) > maxRecord {
		return nil, fmt.Errorf("%w: %d octets", ErrLimit, len(b))
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(text, []byte("<")) {
		return parseXML(b)
	}
	return parseASN1(b)
}

// Result is what a record proves.
type Result struct {
	Objects []Object // one of each document that was given, in their order
	Orphans int      // digests beside them in the groups that the first time-stamp covers
	Stamps  []Covered
}

// Object is a document that was given.
type Object struct {
	Name string
	Err  error // nil: the record covers it, from the first time-stamp to the last
}

// Covered is a time-stamp of the record.
type Covered struct {
	*Stamp
	Chain int
	Err   error // nil: it covers what it should
}

// Err tells whether anything does not hold: a document, or a time-stamp.
func (r *Result) Err() error {
	var errs []error
	for _, o := range r.Objects {
		errs = append(errs, o.Err)
	}
	for _, s := range r.Stamps {
		errs = append(errs, s.Err)
	}
	return errors.Join(errs...)
}

// Sealed is something that a record is over, by its digests: several where it may have been hashed in more than one form. method
// is the chain's, of records in XML.
type Sealed struct {
	Name    string
	Digests func(h crypto.Hash, method c14n.Method) ([][]byte, error)
}

// Check holds a record against documents [RFC 4998 4.3, RFC 6283 4.3]: every document must be covered by the first time-stamp of
// each chain, and each further time-stamp must cover the one before it.
func (r *Record) Check(documents []xades.Document) *Result {
	list := make([]Sealed, len(documents))
	for i, d := range documents {
		list[i] = r.Document(d)
	}
	return r.CheckSealed(list)
}

// Document is a document as a record of this kind hashes it.
func (r *Record) Document(d xades.Document) Sealed {
	return Sealed{d.Name, func(h crypto.Hash, method c14n.Method) ([][]byte, error) {
		digest, err := documentDigest(d, h, r.XML, method)
		return [][]byte{digest}, err
	}}
}

// CheckSealed is [Record.Check] for what is no document by itself, such as the signature that a record stands in.
func (r *Record) CheckSealed(list []Sealed) *Result {
	out := &Result{}
	for _, d := range list {
		out.Objects = append(out.Objects, Object{Name: d.Name})
	}
	for k := range r.Chains {
		c := &r.Chains[k]
		for j := range c.Stamps {
			s := &c.Stamps[j]
			x := Covered{Stamp: s, Chain: k}
			switch {
			case s.Err != nil:
				x.Err = s.Err
			case s.hash != 0 && s.hash != c.Hash:
				x.Err = fmt.Errorf("%w: it names another digest algorithm than its chain", ErrDigest)
			case j > 0:
				x.Err = r.checkRenewal(c, &c.Stamps[j-1], s)
			default:
				x.Err = r.checkFirst(k, s, list, out)
			}
			if x.Err == nil {
				x.Err = s.checkImprint(c.Hash)
			}
			out.Stamps = append(out.Stamps, x)
		}
	}
	return out
}

// checkFirst holds the first time-stamp of a chain against the documents and, where it is not the first chain, the chains before.
func (r *Record) checkFirst(k int, s *Stamp, list []Sealed, out *Result) error {
	c := &r.Chains[k]
	before, err := r.before(k)
	if err != nil {
		return err
	}
	covered := map[string]bool{}
	within := func(digest []byte) bool { return contains(s.Groups[0], digest) }
	if len(list) > 8 && len(s.Groups) > 0 { // many are found faster by name than in turn
		all := make(map[string]bool, len(s.Groups[0]))
		for _, h := range s.Groups[0] {
			all[string(h)] = true
		}
		within = func(digest []byte) bool { return all[string(digest)] }
	}
	var single [][]byte
	for i, d := range list {
		forms, err := d.Digests(c.Hash, c.Method)
		if err == nil && before != nil && !r.XML {
			for f, digest := range forms {
				forms[f] = sum(c.Hash, digest, before)
			}
		}
		at := -1
		switch {
		case err != nil:
		case len(s.Groups) == 0:
			at = max(0, slices.IndexFunc(forms, func(f []byte) bool { return s.imprints(c.Hash, f) }))
			single = append(single, forms[at])
		default:
			at = slices.IndexFunc(forms, within)
			if at < 0 {
				err = fmt.Errorf("%w: %s is not among what it covers", ErrDigest, d.Name)
			}
		}
		if err != nil && out.Objects[i].Err == nil {
			out.Objects[i].Err = err
		}
		if at >= 0 {
			covered[string(forms[at])] = true
		}
	}
	if before != nil && r.XML {
		covered[string(before)] = true
		if len(s.Groups) == 0 {
			single = append(single, before)
		} else if !contains(s.Groups[0], before) {
			return fmt.Errorf("%w: the chains before it are not among what it covers", ErrDigest)
		}
	}
	if len(s.Groups) == 0 {
		if len(list) == 0 {
			out.Orphans++
			return nil
		}
		if !s.imprints(c.Hash, reduce(c.Hash, single)) {
			err := fmt.Errorf("%w: it is over something else", ErrDigest)
			for i := range out.Objects {
				if k == 0 && out.Objects[i].Err == nil {
					out.Objects[i].Err = err
				}
			}
			return err
		}
		return nil
	}
	if k == 0 {
		for _, h := range s.Groups[0] {
			if !covered[string(h)] {
				out.Orphans++
			}
		}
	}
	return nil
}

// checkRenewal holds a time-stamp against the one before it in its chain.
func (r *Record) checkRenewal(c *Chain, before, s *Stamp) error {
	digest, err := r.renewed(c, before)
	if err != nil {
		return err
	}
	if len(s.Groups) == 0 {
		if !s.imprints(c.Hash, digest) {
			return fmt.Errorf("%w: it is not over the time-stamp before it", ErrDigest)
		}
		return nil
	}
	if !contains(s.Groups[0], digest) {
		return fmt.Errorf("%w: the time-stamp before it is not among what it covers", ErrDigest)
	}
	return nil
}

// renewed is the digest of a time-stamp, as the next one of its chain covers it.
func (r *Record) renewed(c *Chain, s *Stamp) ([]byte, error) {
	if !r.XML {
		return sum(c.Hash, s.stamp), nil
	}
	h := c.Hash.New()
	if err := c.Method.Write(h, s.node); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// before is the digest of the chains before the k-th, as that one covers it; nil for the first.
func (r *Record) before(k int) ([]byte, error) {
	if k == 0 {
		return nil, nil
	}
	return r.digest(k, r.Chains[k].Hash, r.Chains[k].Method)
}

// digest is that of the first n chains. method is of XML.
func (r *Record) digest(n int, h crypto.Hash, method c14n.Method) ([]byte, error) {
	if !r.XML {
		return sum(h, sequenceOf(r.Chains[:n])), nil
	}
	var later []dom.Node
	for _, x := range r.Chains[n:] {
		later = append(later, x.node)
	}
	out := h.New()
	if err := method.Write(out, r.sequence, later...); err != nil {
		return nil, err
	}
	return out.Sum(nil), nil
}

// imprints tells whether a digest is what was time-stamped.
func (s *Stamp) imprints(h crypto.Hash, digest []byte) bool {
	return s.Token.Info.Hash == h && bytes.Equal(s.Token.Info.Imprint, digest)
}

// checkImprint computes the root of the hash tree [RFC 4998 3.3].
func (s *Stamp) checkImprint(h crypto.Hash) error {
	if len(s.Groups) == 0 {
		return nil
	}
	var digest []byte
	for i, group := range s.Groups {
		list := slices.Clone(group)
		if i > 0 {
			list = append(list, digest)
		}
		digest = reduce(h, list)
	}
	if !s.imprints(h, digest) {
		return fmt.Errorf("%w: the root of its hash tree is not what was time-stamped", ErrDigest)
	}
	return nil
}

// reduce is the digest of a group: one value stands for itself.
func reduce(h crypto.Hash, list [][]byte) []byte {
	if len(list) == 1 {
		return list[0]
	}
	list = slices.Clone(list)
	sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i], list[j]) < 0 })
	return sum(h, list...)
}

func sum(h crypto.Hash, parts ...[]byte) []byte {
	d := h.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

func contains(group [][]byte, digest []byte) bool {
	return slices.ContainsFunc(group, func(h []byte) bool { return bytes.Equal(h, digest) })
}

// documentDigest hashes a document; XML records hash the canonical form of documents that are XML [RFC 6283 4.1.2].
func documentDigest(d xades.Document, h crypto.Hash, xml bool, method c14n.Method) ([]byte, error) {
	if known, ok := d.Digests[h]; ok {
		return known, nil
	}
	if d.Open == nil {
		return nil, fmt.Errorf("%w: %s digest of %s", ErrContent, h, d.Name)
	}
	r, err := d.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	defer r.Close()
	if !xml {
		x := h.New()
		if _, err := io.Copy(x, r); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrContent, err)
		}
		return x.Sum(nil), nil
	}
	head := bufio.NewReaderSize(r, 1<<16)
	if !mayBeXML(head) {
		x := h.New()
		if _, err := io.Copy(x, head); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrContent, err)
		}
		return x.Sum(nil), nil
	}
	b, err := io.ReadAll(io.LimitReader(head, maxContent+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	if len(b) > maxContent {
		return nil, fmt.Errorf("%w: %s is larger than %d octets", ErrLimit, d.Name, maxContent)
	}
	if doc, err := dom.Parse(bytes.Clone(b), dom.Limits{}); err == nil {
		x := h.New()
		if err := method.Write(x, doc.Node()); err != nil {
			return nil, err
		}
		return x.Sum(nil), nil
	}
	return sum(h, b), nil
}

// mayBeXML tells by the first octets what need not be held to be hashed.
func mayBeXML(r *bufio.Reader) bool {
	b, _ := r.Peek(r.Size())
	if bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.HasPrefix(b, []byte("\xff\xfe")) {
		return true
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(text) == 0 && len(b) > 0 || len(text) > 0 && (text[0] == '<' || text[0] == 0)
}
