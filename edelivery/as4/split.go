package as4

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Splitting is how large messages of a P-Mode travel: the whole message, without its security, is cut, and each piece is
// a message of its own that is signed, encrypted and acknowledged [ebMS3-2 4, EU-AS4 1.5.6].
type Splitting struct {
	FragmentSize int64         // octets of a piece, and the most that is accepted; default 20 MiB
	Threshold    int64         // octets of all payloads from which a message is split; default 100 MiB
	Compress     bool          // the whole is compressed before it is cut. Single payloads never are
	JoinInterval time.Duration // how long after its first piece a message may still become whole; default 24h
	Dialect      Dialect
}

// Dialect is whose reading of the standard is followed in what is written. What is read is understood in both.
type Dialect string

// The dialects. Domibus knows other names for type and compression of a whole, and most of its policies leave the
// fragment header unsigned.
const (
	DialectStandard Dialect = "standard"
	DialectDomibus  Dialect = "domibus"
)

func (s Splitting) withDefaults() Splitting {
	s.FragmentSize, s.Threshold = cmp.Or(s.FragmentSize, 20<<20), cmp.Or(s.Threshold, 100<<20)
	s.JoinInterval, s.Dialect = cmp.Or(s.JoinInterval, 24*time.Hour), cmp.Or(s.Dialect, DialectStandard)
	return s
}

// Whole is a message as octets: envelope and payloads in their MIME parts, unsigned and unencrypted. Nothing is copied:
// payloads are read when they are asked for.
type Whole struct {
	Envelope        []byte
	Boundary, Start string // tokens: one peer writes them without quotes
	Size            int64
	parts           []stretch
}

// stretch is octets in memory, or a payload.
type stretch struct {
	octets  []byte
	content *wss.Content
	size    int64
}

// NewWhole makes the whole of a message. envelope is that of an earlier call, or nil: it must not change once the first
// piece has left.
func NewWhole(out *Outgoing, envelope []byte) (*Whole, error) {
	if envelope == nil {
		envelope = wss.NewDraft(&ebms.Messaging{UserMessages: []*ebms.UserMessage{out.Message}}, idSuffix(out.Message.MessageID)).Octets
	}
	id := idSuffix(out.Message.MessageID)
	w := &Whole{Envelope: envelope, Boundary: "whole-" + id, Start: "root-" + id}
	var text bytes.Buffer
	cut := func() {
		w.parts = append(w.parts, stretch{octets: bytes.Clone(text.Bytes()), size: int64(text.Len())})
		text.Reset()
	}
	mw := ebms.NewMIMEWriter(&text, w.Boundary, w.Start)
	if _, err := mw.Copy(ebms.PartHeader{ContentType: ebms.ContentTypeSOAP, ContentID: w.Start}, bytes.NewReader(envelope)); err != nil {
		return nil, err
	}
	for i := range out.Contents {
		c := &out.Contents[i]
		if _, err := mw.Part(ebms.PartHeader{ContentType: c.MimeType, ContentID: c.ContentID}); err != nil {
			return nil, err
		}
		cut()
		w.parts = append(w.parts, stretch{content: c, size: c.Size})
	}
	if err := mw.Close(); err != nil {
		return nil, err
	}
	cut()
	for i := range w.parts {
		w.Size += w.parts[i].size
	}
	return w, nil
}

// Open reads n octets from off on.
func (w *Whole) Open(off, n int64) (io.ReadCloser, error) {
	r := &wholeReader{left: n}
	for i := range w.parts {
		p := &w.parts[i]
		if off < p.size {
			r.parts, r.off = w.parts[i:], off
			return r, nil
		}
		off -= p.size
	}
	return r, nil
}

// wholeReader reads through stretches, one open payload at a time.
type wholeReader struct {
	parts []stretch
	off   int64 // in the first of parts
	left  int64
	cur   io.ReadCloser
	rest  int64 // of cur
}

func (r *wholeReader) Read(b []byte) (int, error) {
	for r.cur == nil || r.rest == 0 {
		if err := r.Close(); err != nil {
			return 0, err
		}
		if r.left == 0 || len(r.parts) == 0 {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n, err := r.cur.Read(b[:min(int64(len(b)), r.rest, r.left)])
	r.rest -= int64(n)
	if r.left -= int64(n); r.left == 0 {
		r.rest = 0
	}
	if err == io.EOF {
		if err = nil; r.rest > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

func (r *wholeReader) next() (err error) {
	p := r.parts[0]
	off := r.off
	r.parts, r.off, r.rest = r.parts[1:], 0, p.size-off
	if p.content == nil {
		r.cur = io.NopCloser(bytes.NewReader(p.octets[off:]))
		return nil
	}
	if r.cur, err = p.content.Open(); err != nil || off == 0 {
		return err
	}
	if s, ok := r.cur.(io.Seeker); ok {
		_, err = s.Seek(off, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, r.cur, off)
	}
	return err
}

func (r *wholeReader) Close() error {
	if r.cur == nil {
		return nil
	}
	c := r.cur
	r.cur = nil
	return c.Close()
}

// Cut is how a whole is cut. It is kept from the first piece to the last, whatever becomes of the P-Mode meanwhile.
type Cut struct {
	GroupID      string
	Size         int64 // of the whole
	Packed       int64 // after compression; 0: it is not compressed
	FragmentSize int64
	Boundary     string
	Start        string
	Dialect      Dialect
}

// NewCut says how the whole of a message is cut by a P-Mode. packed is its size after compression, or 0.
func NewCut(messageID string, w *Whole, packed int64, s *Splitting) (*Cut, error) {
	c := &Cut{GroupID: messageID, Size: w.Size, Packed: packed, FragmentSize: s.FragmentSize, Boundary: w.Boundary, Start: w.Start, Dialect: s.Dialect}
	if c.Count() > ebms.MaxFragments {
		return nil, ebms.BadFragmentCount.Newf("%d octets in pieces of %d are more than %d pieces", cmp.Or(packed, w.Size), s.FragmentSize, ebms.MaxFragments)
	}
	return c, nil
}

// Count is the number of pieces: all are full but the last, and a small message is one piece.
func (c *Cut) Count() int {
	return int((cmp.Or(c.Packed, c.Size) + c.FragmentSize - 1) / c.FragmentSize)
}

// Range is where piece num, counted from 1, lies in the whole as it is cut.
func (c *Cut) Range(num int) (off, n int64) {
	off = int64(num-1) * c.FragmentSize
	return off, min(c.FragmentSize, cmp.Or(c.Packed, c.Size)-off)
}

// FragmentID is the eb:MessageId of a piece: the same at every attempt.
func (c *Cut) FragmentID(num int) string {
	_, host, ok := strings.Cut(c.GroupID, "@")
	if !ok {
		host = "viadukt"
	}
	return idSuffix(c.GroupID) + "." + strconv.Itoa(num) + "@" + host
}

// routingProperties are what a piece repeats of the properties of its message [EU-AS4 1.5.6].
var routingProperties = []string{ebms.PropertyOriginalSender, ebms.PropertyFinalRecipient, ebms.PropertyTrackingID}

// Outgoing is one piece as a message to be sent. open reads from the whole as it is cut; it is called for each reading.
func (c *Cut) Outgoing(source *Outgoing, num, attempt int, open func(off, n int64) (io.ReadCloser, error)) (*Outgoing, error) {
	off, n := c.Range(num)
	um := *source.Message
	um.MessageID, um.Parts, um.Node = c.FragmentID(num), nil, dom.Node{}
	um.Properties = slices.DeleteFunc(slices.Clone(um.Properties), func(p ebms.Property) bool {
		return !slices.ContainsFunc(routingProperties, func(name string) bool { return strings.EqualFold(name, p.Name) })
	})
	cid := "fragment-" + um.MessageID
	f := &ebms.Fragment{
		Href: "cid:" + cid, GroupID: c.GroupID, Num: num, Count: c.Count(), MessageSize: c.Size,
		Header: &ebms.FragmentHeader{ContentType: "Multipart/Related", Boundary: c.Boundary, Type: "application/soap+xml", Start: c.Start},
	}
	if c.Packed > 0 {
		f.Compression, f.CompressedSize = ebms.FragmentGzip, c.Packed
	}
	if c.Dialect == DialectDomibus {
		f.Header.Type, f.Header.StartInfo = "text/xml", "application/soap+xml"
		if c.Packed > 0 {
			f.Compression = ebms.FragmentGzipDomibus
		}
	}
	r, err := open(off, n)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	got, err := io.Copy(sum, r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err == nil && got != n {
		err = fmt.Errorf("as4: piece %d has %d octets, want %d", num, got, n)
	}
	if err != nil {
		return nil, err
	}
	return &Outgoing{
		Message: &um, PMode: source.PMode, Attempt: attempt, Fragment: f,
		Contents: []wss.Content{{ContentID: cid, MimeType: "application/octet-stream", Size: n, Digest: sum.Sum(nil), Open: func() (io.ReadCloser, error) { return open(off, n) }}},
	}, nil
}
