package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
)

// CaseSource reads what belongs to a message. A store is one.
type CaseSource interface {
	Message(ctx context.Context, id int64) (*store.Message, error)
	Evidence(ctx context.Context, id int64) ([]store.Evidence, error)
	OpenPayload(ctx context.Context, r store.PayloadRef) (io.ReadSeekCloser, error)
}

// CaseOptions say how a case is made.
type CaseOptions struct {
	Node    string // name of the node
	Program string // name and version
	// MaxPayloads bounds the octets of all payloads in the case; a payload beyond it is named by its hash only. Default
	// 256 MiB; negative: no payloads.
	MaxPayloads  int64
	Certificates []*pki.Certificate // where signers and issuers that a message does not bring are looked for
	CRLs         [][]byte           // revocation lists, PEM or DER
}

// maxRecompressed bounds a received payload that is compressed again to find what was signed.
const maxRecompressed = 64 << 20

// caseMaker collects the files of a case.
type caseMaker struct {
	ctx   context.Context
	l     *Log
	src   CaseSource
	o     CaseOptions
	m     *store.Message
	proof *Proof
	man   *Manifest
	files []caseFile

	origin *kept // nil when there is none or it cannot be read
	signed map[string]xmldsig.Reference
	found  []*pki.Certificate // of partners
	left   int64              // octets of payloads that still have room
}

type caseFile struct {
	CaseFile
	crc    uint32
	octets []byte
	open   func() (io.ReadCloser, error)
}

// WriteCase writes the case of a message to w: everything that proves what became of it, in one file that [Verify]
// checks with nothing else at hand. Of a deleted message the entries of the log are left. ErrNotFound when the log
// knows no such message.
func (l *Log) WriteCase(ctx context.Context, w io.Writer, src CaseSource, message int64, o CaseOptions) error {
	c := &caseMaker{ctx: ctx, l: l, src: src, o: o, left: o.MaxPayloads}
	if c.left == 0 {
		c.left = 256 << 20
	}
	var err error
	if c.proof, err = l.Of(ctx, message); err != nil {
		return err
	}
	c.m, err = src.Message(ctx, message)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := c.describe(message); err != nil {
		return err
	}
	for _, step := range []func() error{c.message, c.payloads, c.log, c.certificates} {
		if err := step(); err != nil {
			return err
		}
	}
	return c.write(w)
}

// describe begins the cover sheet: from the message, or from its last entry when it was deleted.
func (c *caseMaker) describe(message int64) error {
	last, err := Parse(c.proof.Entries[len(c.proof.Entries)-1].Octets)
	if err != nil {
		return err
	}
	c.man = &Manifest{
		Format: caseFormat, Made: c.l.Clock().UTC().Truncate(time.Millisecond), Node: c.o.Node, Program: c.o.Program, Log: hexOf(c.l.id),
		Message: CaseMessage{message, last.Direction.String(), last.MessageID, last.State, last.From, last.To, last.Service, last.Action},
		Missing: []CaseAbsent{},
	}
	if c.m == nil {
		c.man.Message.State = string(last.Type)
		c.missing("message", "", "", "it was deleted; the last entry of the log has the hashes")
	} else {
		c.man.Message.State = c.m.State.String()
	}
	return nil
}

func (c *caseMaker) missing(what, cid, sum, why string) {
	c.man.Missing = append(c.man.Missing, CaseAbsent{what, cid, sum, why})
}

func (c *caseMaker) add(f CaseFile, b []byte) {
	f.SHA256, f.Size = hexOf(sha256.Sum256(b)), int64(len(b))
	c.files = append(c.files, caseFile{f, crc32.ChecksumIEEE(b), b, nil})
}

// message adds the signed message and what was answered.
func (c *caseMaker) message() error {
	if c.m == nil {
		return nil
	}
	evidence, err := c.src.Evidence(c.ctx, c.m.ID)
	if err != nil {
		return err
	}
	origin := c.m.Header
	if c.m.Direction == store.Out {
		origin = nil
		for _, e := range evidence {
			if e.Kind == store.KindNonRepudiation {
				origin = e.Octets
			}
		}
		if origin == nil {
			c.missing("signed message", "", "", "the policy did not want it kept, or it was never sent")
			c.add(CaseFile{Name: "message/header.xml", Role: RoleHeader}, c.m.Header)
		}
	}
	if origin != nil {
		switch k := c.look(origin); {
		case k != nil && !k.env.Security.Valid():
			c.missing("signed message", "", "", "it came in pieces, of which each had its own signature; the log has the SHA-256 of what they made together")
			c.add(CaseFile{Name: "message/header.xml", Role: RoleHeader}, origin)
		default:
			c.add(CaseFile{Name: "message/signed.xml", Role: RoleOrigin}, origin)
			c.origin = k
		}
	}
	for i, e := range evidence {
		name := fmt.Sprintf("evidence/%d-%s.xml", i+1, e.Kind)
		switch e.Kind {
		case store.KindReceipt:
			c.add(CaseFile{Name: name, Role: RoleReceipt}, e.Octets)
			c.look(e.Octets)
		case store.KindError:
			c.add(CaseFile{Name: name, Role: RoleError}, e.Octets)
			c.look(e.Octets)
		case store.KindNonRepudiation:
			if !bytes.Equal(e.Octets, origin) {
				c.add(CaseFile{Name: name, Role: RoleEvidence, Kind: string(e.Kind)}, e.Octets)
			}
		default:
			c.add(CaseFile{Name: fmt.Sprintf("evidence/%d-%s.bin", i+1, plainName(string(e.Kind))), Role: RoleEvidence, Kind: string(e.Kind)}, e.Octets)
		}
	}
	return nil
}

func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, s)
}

// look finds the signer's certificates, so that they can be put into the case. What is wrong with the envelope is for
// whoever checks it.
func (c *caseMaker) look(octets []byte) *kept {
	k, err := parseKept(octets)
	if err != nil {
		return nil
	}
	if k.signature(c.o.Certificates, nil) == nil {
		chain := append([]*pki.Certificate{k.opened.Signer}, k.opened.SignerPath...)
		c.found = append(append(c.found, chain...), issuersOf(k.opened.Signer, append(chain, c.o.Certificates...))...)
	}
	return k
}

// payloads adds the octets of payloads: as they were signed, where they are known in that form.
func (c *caseMaker) payloads() error {
	if c.m == nil {
		return nil
	}
	c.signed = map[string]xmldsig.Reference{}
	if c.origin != nil && c.origin.opened != nil {
		for _, ref := range c.origin.opened.References {
			if cid, ok := ebms.ContentIDFromURL(ref.URI); ok {
				c.signed[cid] = ref
			}
		}
	}
	for i := range c.m.Payloads {
		if err := c.payload(i, &c.m.Payloads[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *caseMaker) payload(i int, p *store.Payload) error {
	what := fmt.Sprintf("payload %d", i+1)
	sum := hexOf(p.SHA256)
	switch {
	case p.Gone:
		c.missing(what, p.ContentID, sum, "its octets were deleted")
		return nil
	case c.left < p.Size:
		c.missing(what, p.ContentID, sum, fmt.Sprintf("left out: it has %d octets", p.Size))
		return nil
	}
	open := func() (io.ReadCloser, error) { return c.src.OpenPayload(c.ctx, p.PayloadRef) }
	crc, got, err := sumOf(open)
	if errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrDamaged) || err == nil && got != p.SHA256 {
		c.missing(what, p.ContentID, sum, "its octets in the store are damaged")
		return nil
	}
	if err != nil {
		return err
	}
	c.left -= p.Size
	f := CaseFile{Name: fmt.Sprintf("payload/%d.bin", i+1), Role: RolePayload, SHA256: sum, Size: p.Size, ContentID: p.ContentID, Form: FormSigned}
	if c.m.Direction == store.In && c.origin != nil {
		if info := part(c.origin.messaging.UserMessage(), p.ContentID); info != nil {
			if compressed, err := info.Compressed(); err == nil && compressed {
				packed, err := c.recompress(p, open)
				if err != nil {
					return err
				}
				if packed != nil {
					f.Name = fmt.Sprintf("payload/%d.gz", i+1)
					c.add(f, packed)
					return nil
				}
				f.Form = FormExpanded
			}
		}
	}
	c.files = append(c.files, caseFile{f, crc, nil, open})
	return nil
}

func sumOf(open func() (io.ReadCloser, error)) (crc uint32, sum [sha256.Size]byte, err error) {
	r, err := open()
	if err != nil {
		return 0, sum, err
	}
	defer r.Close()
	c, h := crc32.NewIEEE(), sha256.New()
	if _, err := io.Copy(io.MultiWriter(c, h), r); err != nil {
		return 0, sum, err
	}
	return c.Sum32(), [sha256.Size]byte(h.Sum(nil)), nil
}

// recompress finds the octets that were signed by compressing again what was received. Senders that compress as this
// program does are recognised by the digest; for others there is nothing.
func (c *caseMaker) recompress(p *store.Payload, open func() (io.ReadCloser, error)) ([]byte, error) {
	ref, ok := c.signed[p.ContentID]
	if !ok || p.Size > maxRecompressed {
		return nil, nil
	}
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := as4.Compress(&b, func(w io.Writer) error { _, err := io.Copy(w, r); return err }); err != nil {
		return nil, err
	}
	h, ok := xmldsig.DigestHash(ref.DigestMethod)
	if !ok {
		return nil, nil
	}
	d := h.New()
	d.Write(b.Bytes())
	if !bytes.Equal(d.Sum(nil), ref.Digest) {
		return nil, nil
	}
	return b.Bytes(), nil
}

// log adds the entries with their paths, the head, and the first head after the first entry that no clock ahead of its
// time has dated.
func (c *caseMaker) log() error {
	for _, e := range c.proof.Entries {
		index := e.Index
		c.add(CaseFile{Name: fmt.Sprintf("log/%d.txt", index), Role: RoleEntry, Index: &index}, e.Octets)
		c.add(CaseFile{Name: fmt.Sprintf("log/%d.proof", index), Role: RoleProof, Index: &index}, e.Path.Octets())
	}
	c.add(CaseFile{Name: "log/head.txt", Role: RoleHead}, c.proof.Head.Octets)
	certs, err := c.l.certificates(c.ctx, c.proof.Head)
	if err != nil {
		return err
	}
	var first *Head
	for size := c.proof.Entries[0].Index + 1; first == nil || first.Time.After(c.proof.Head.Time); size = first.Size + 1 {
		b, err := c.l.Store.LogHead(c.ctx, size)
		if err != nil {
			return err
		}
		if first, err = ParseHead(b); err != nil {
			return err
		}
	}
	if first.Size < c.proof.Head.Size {
		way, err := c.l.Consistency(c.ctx, first.Size, c.proof.Head.Size)
		if err != nil {
			return err
		}
		earlier, err := c.l.certificates(c.ctx, first)
		if err != nil {
			return err
		}
		certs = append(certs, earlier...)
		c.add(CaseFile{Name: "log/first-head.txt", Role: RoleFirstHead}, first.Octets)
		c.add(CaseFile{Name: "log/consistency.proof", Role: RoleConsistency}, way.Octets())
	}
	more, err := c.stamp()
	if err != nil {
		return err
	}
	certs = append(certs, more...)
	for _, cert := range certs[:len(certs):len(certs)] {
		certs = append(certs, issuersOf(cert, c.o.Certificates)...)
	}
	c.add(CaseFile{Name: "certificates/node.pem", Role: RoleNode}, pki.MarshalPEM(distinct(certs)...))
	return nil
}

// stamp adds the first time-stamped head that covers all entries, else the newest one when it covers the first of them. It returns the
// certificates of who signed it.
func (c *caseMaker) stamp() ([]*pki.Certificate, error) {
	entries := c.proof.Entries
	s, err := c.l.Store.LogStamp(c.ctx, entries[len(entries)-1].Index+1)
	if errors.Is(err, store.ErrNotFound) {
		s, err = c.l.Store.LogStamp(c.ctx, 0)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && s.Size <= entries[0].Index {
		if c.l.Stamped() {
			c.missing("time-stamp", "", "", "no head of the log since was time-stamped yet")
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	h, err := ParseHead(s.Head)
	if err != nil {
		return nil, err
	}
	c.add(CaseFile{Name: "log/stamped-head.txt", Role: RoleStamped}, s.Head)
	c.add(CaseFile{Name: "log/stamped-head.ers", Role: RoleStamp}, s.Record)
	way, err := c.l.Consistency(c.ctx, s.Size, c.proof.Head.Size)
	if err != nil {
		return nil, err
	}
	c.add(CaseFile{Name: "log/stamped-head.proof", Role: RoleStampedWay}, way.Octets())
	return c.l.certificates(c.ctx, h)
}

func (c *caseMaker) certificates() error {
	if certs := distinct(c.found); len(certs) > 0 {
		c.add(CaseFile{Name: "certificates/signers.pem", Role: RoleCertificate}, pki.MarshalPEM(certs...))
	}
	for i, b := range c.o.CRLs {
		c.add(CaseFile{Name: fmt.Sprintf("certificates/%d.crl", i+1), Role: RoleRevocation}, b)
	}
	return nil
}

// write signs the cover sheet and writes everything.
func (c *caseMaker) write(w io.Writer) error {
	c.add(CaseFile{Name: "README.txt", Role: RoleReadme}, c.readme())
	for _, f := range c.files {
		c.man.Files = append(c.man.Files, f.CaseFile)
	}
	var sheet bytes.Buffer
	enc := json.NewEncoder(&sheet)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c.man); err != nil {
		return err
	}
	signature, err := seal(sealText(sha256.Sum256(sheet.Bytes()), c.man.Log, c.man.Made), c.l.Identity(), c.l.Rand)
	if err != nil {
		return err
	}
	a := &archive{w: w}
	readme := c.files[len(c.files)-1]
	for _, f := range append([]caseFile{readme, {octets: sheet.Bytes(), CaseFile: CaseFile{Name: manifestFile}}, {octets: signature, CaseFile: CaseFile{Name: signatureFile}}}, c.files[:len(c.files)-1]...) {
		if f.open == nil {
			err = a.addOctets(f.Name, f.octets)
		} else {
			err = a.stream(f)
		}
		if err != nil {
			return err
		}
	}
	return a.close()
}

func (a *archive) stream(f caseFile) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	return a.add(f.Name, f.Size, f.crc, r)
}

// readme explains the case to somebody who has never heard of the program.
func (c *caseMaker) readme() []byte {
	m := c.man.Message
	var b bytes.Buffer
	way := "sent by"
	if m.Direction == store.In.String() {
		way = "received by"
	}
	fmt.Fprintf(&b, readmeText, way, cmp.Or(c.man.Node, "a node"), m.MessageID, m.From, m.To, m.Service, m.Action, m.State,
		c.man.Made.Format(timeForm), hexOf(c.l.Identity().Certificate.Fingerprint()))
	return b.Bytes()
}
