package ebms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What a multipart body can be refused for.
var (
	ErrMIME      = errors.New("ebms: malformed multipart body")            // EBMS:0007
	ErrTruncated = errors.New("ebms: multipart body ends before its end")  // EBMS:0007; the sender may try again
	ErrTooLarge  = errors.New("ebms: multipart body goes over a limit")    // HTTP 400
	errEncoding  = errors.New("ebms: content transfer encoding not known") // within ErrMIME
)

// Limits bounds what a multipart body may cost before it is understood. A zero field takes its default.
type Limits struct {
	HeaderBytes int   // headers of one part, and the preamble; default and most 64 KiB
	Parts       int   // default 1,000
	RootBytes   int   // the root part, and what [MIMEReader.Root] holds while it looks for it; default 4 MiB
	Length      int64 // announced length of the body; 0 is unknown. Only a body of exactly this length may lack its final boundary
}

func (l Limits) withDefaults() Limits {
	if l.HeaderBytes <= 0 || l.HeaderBytes > headerBytes {
		l.HeaderBytes = headerBytes
	}
	if l.Parts <= 0 {
		l.Parts = MaxParts
	}
	if l.RootBytes <= 0 {
		l.RootBytes = 4 << 20
	}
	return l
}

const (
	headerBytes = 64 << 10
	bufferBytes = 64<<10 + 1024 // a whole header block and the longest boundary line fit
	firstBuffer = 16 << 10      // enough for most messages without a large part
	maxBoundary = 256           // RFC 2046 allows 70
	maxPadding  = 256           // white space after a boundary
	maxFields   = 100           // header fields of a part
)

// MIMEReader takes a multipart/related body apart without holding it. Part bodies come out octet for octet: the
// line break in front of a boundary belongs to the boundary [RFC 2046 5.1.1], and nothing else is touched.
//
// Accepted although wrong, since peers send it: a BOM in front of everything, line feeds for line breaks, a start
// parameter that is missing or names no part, quotes missing around parameters.
type MIMEReader struct {
	src     io.Reader
	lim     Limits
	media   MediaType
	start   string // content id of the root; empty if not given
	delim   []byte // "\n--" and the boundary
	buf     []byte
	r, w    int   // unread octets are buf[r:w]
	safe    int   // buf[r:safe] was searched and is content of the current part
	total   int64 // octets taken from src
	srcErr  error // what src ended with
	state   state
	part    *Part
	parts   int
	crlf    bool // the first boundary line ended with CR LF
	noFinal bool
	held    []*Part // parts that Root read on its way
	err     error
}

type state uint8

const (
	statePreamble state = iota
	stateHeader         // right after a boundary line
	stateBody
	stateEnd
)

// NewReader returns a reader for the body of a message with the given Content-Type. The error is ErrContentType when
// that is no multipart/related with a usable boundary.
func NewReader(contentType string, body io.Reader, lim Limits) (*MIMEReader, error) {
	m, err := ParseContentType(contentType)
	if err != nil {
		return nil, err
	}
	if !m.IsMultipart() {
		return nil, fmt.Errorf("%w: %s is not multipart/related", ErrContentType, m.Type)
	}
	b := strings.TrimRight(m.Param("boundary"), " ")
	if b == "" || len(b) > maxBoundary {
		return nil, fmt.Errorf("%w: boundary missing or longer than %d", ErrContentType, maxBoundary)
	}
	r := &MIMEReader{src: body, lim: lim.withDefaults(), media: m, start: trimBrackets(m.Param("start")),
		delim: append([]byte("\n--"), b...), buf: make([]byte, firstBuffer)}
	r.buf[0] = '\n' // the body begins like a line
	r.w = 1
	return r, nil
}

// MediaType returns the parsed Content-Type.
func (r *MIMEReader) MediaType() MediaType { return r.media }

// NoFinalBoundary reports, once Next has returned io.EOF, that the final boundary was missing and the body was
// taken as complete because it had the announced length.
func (r *MIMEReader) NoFinalBoundary() bool { return r.noFinal }

// Next returns the next part, after skipping what is left of the one before; io.EOF after the last.
func (r *MIMEReader) Next() (*Part, error) {
	if len(r.held) != 0 {
		p := r.held[0]
		r.held = r.held[1:]
		return p, nil
	}
	p, err := r.next()
	if err != nil && r.err == nil {
		r.err = err
	}
	return p, err
}

func (r *MIMEReader) next() (*Part, error) {
	if r.err != nil {
		return nil, r.err
	}
	switch r.state {
	case statePreamble:
		if err := r.preamble(); err != nil {
			return nil, err
		}
	case stateBody:
		if err := r.skip(); err != nil {
			return nil, err
		}
	}
	if r.state == stateEnd {
		return nil, io.EOF
	}
	if r.parts++; r.parts > r.lim.Parts {
		return nil, fmt.Errorf("%w: more than %d parts", ErrTooLarge, r.lim.Parts)
	}
	p, err := r.header()
	if err != nil {
		return nil, err
	}
	r.part, r.state = p, stateBody
	return p, nil
}

// fill reads more behind what is unread. At the end of src it returns false.
func (r *MIMEReader) fill() bool {
	if r.srcErr != nil {
		return false
	}
	into := r.buf
	if len(into) < bufferBytes && (r.w-r.r == len(into) || r.total > firstBuffer) {
		into = make([]byte, bufferBytes)
	}
	if r.r > 0 || len(into) > len(r.buf) {
		r.w = copy(into, r.buf[r.r:r.w])
		r.buf = into
		r.safe = max(0, r.safe-r.r)
		r.r = 0
	}
	for range 100 {
		if r.w == len(r.buf) {
			return true
		}
		n, err := r.src.Read(r.buf[r.w:])
		r.w += n
		r.total += int64(n)
		if err != nil {
			r.srcErr = err
		}
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	r.srcErr = io.ErrNoProgress
	return false
}

// ended turns the end of src into the error for a body that should go on.
func (r *MIMEReader) ended(where string) error {
	if r.srcErr == io.EOF || errors.Is(r.srcErr, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: in %s", ErrTruncated, where)
	}
	return fmt.Errorf("ebms: reading multipart body: %w", r.srcErr)
}

// preamble skips what stands before the first boundary.
func (r *MIMEReader) preamble() error {
	for r.w < 4 && r.fill() {
	}
	if bytes.HasPrefix(r.buf[1:r.w], []byte("\xEF\xBB\xBF")) {
		r.r = 3 // a BOM is no part of the first line
		r.buf[3] = '\n'
	}
	skipped := 0
	for {
		at, found := r.boundary()
		skipped += at - r.r
		if skipped > r.lim.HeaderBytes {
			return fmt.Errorf("%w: no boundary in the first %d octets", ErrTooLarge, r.lim.HeaderBytes)
		}
		r.r = at
		if found {
			r.crlf = true // decided by the line itself
			return r.line()
		}
		if r.srcErr == io.EOF {
			return fmt.Errorf("%w: the boundary never appears", ErrMIME)
		}
		if r.srcErr != nil {
			return r.ended("the preamble")
		}
		r.fill()
	}
}

// boundary looks for the next boundary line. With found, buf[at] is the line feed in front of it and the whole line
// is in the buffer; else everything before at is certain to be content.
func (r *MIMEReader) boundary() (at int, found bool) {
	from := r.r
	for {
		i := bytes.Index(r.buf[from:r.w], r.delim)
		if i < 0 {
			return max(from, r.tail()), false
		}
		at = from + i
		switch r.isLine(at + len(r.delim)) {
		case yes:
			return at, true
		case unknown:
			return at, false
		}
		from = at + 1
	}
}

// tail returns where the octets begin that may be the beginning of a boundary: the last len(delim)-1, back to a line
// feed.
func (r *MIMEReader) tail() int {
	from := max(r.r, r.w-len(r.delim)+1)
	for from < r.w {
		i := bytes.IndexByte(r.buf[from:r.w], '\n')
		if i < 0 {
			return r.w
		}
		from += i
		if bytes.HasPrefix(r.delim, r.buf[from:r.w]) {
			return from
		}
		from++
	}
	return r.w
}

type answer uint8

const (
	no answer = iota
	yes
	unknown // more octets are needed
)

// isLine reports whether what follows a boundary at i makes it a boundary line: "--" or nothing, white space, and a
// line break or the end.
func (r *MIMEReader) isLine(i int) answer {
	b := r.buf[i:r.w]
	if len(b) >= 2 && b[0] == '-' && b[1] == '-' {
		b = b[2:]
	} else if len(b) == 1 && b[0] == '-' {
		return r.orEnd(no)
	}
	for n := 0; n < len(b); n++ {
		switch b[n] {
		case ' ', '\t':
			if n == maxPadding {
				return no
			}
		case '\n':
			return yes
		case '\r':
			if n+1 < len(b) {
				if b[n+1] == '\n' {
					return yes
				}
				return no
			}
			return r.orEnd(no)
		default:
			return no
		}
	}
	return r.orEnd(yes)
}

func (r *MIMEReader) orEnd(a answer) answer {
	if r.srcErr != nil {
		return a
	}
	return unknown
}

// line takes the boundary line that begins with the line feed at buf[r].
func (r *MIMEReader) line() error {
	first := r.parts == 0
	r.r += len(r.delim)
	last := r.w-r.r >= 2 && r.buf[r.r] == '-' && r.buf[r.r+1] == '-'
	if last {
		r.state = stateEnd // the epilogue is nobody's business
		return nil
	}
	i := bytes.IndexByte(r.buf[r.r:r.w], '\n')
	if i < 0 {
		return r.ended("a boundary line")
	}
	if first {
		r.crlf = i > 0 && r.buf[r.r+i-1] == '\r'
	}
	r.r += i // the line feed stays: the header may be empty, the body may be a boundary
	r.state = stateHeader
	return nil
}

// skip passes over the rest of the current part.
func (r *MIMEReader) skip() error {
	for {
		b, err := r.content()
		r.r += len(b)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// content returns octets of the current part that are in the buffer; the caller advances r.r. At the end of the part
// it returns io.EOF and the reader stands in front of the next header or at the end.
func (r *MIMEReader) content() ([]byte, error) {
	if r.state != stateBody {
		return nil, io.EOF
	}
	for {
		if r.r < r.safe {
			return r.buf[r.r:r.safe], nil
		}
		at, found := r.boundary()
		if found {
			if r.safe = r.breakBefore(at); r.safe > r.r {
				continue
			}
			r.r = at
			if err := r.line(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		// A carriage return in front of what may become a boundary waits with it.
		if at > r.r && r.crlf && r.buf[at-1] == '\r' && r.srcErr == nil {
			at--
		}
		if r.safe = at; at > r.r {
			continue
		}
		if r.srcErr != nil {
			return r.last()
		}
		r.fill()
	}
}

// breakBefore returns where the line break in front of the boundary at buf[at] begins.
func (r *MIMEReader) breakBefore(at int) int {
	if r.crlf && at > r.r && r.buf[at-1] == '\r' {
		return at - 1
	}
	return at
}

// last handles the end of src within a part.
func (r *MIMEReader) last() ([]byte, error) {
	if r.srcErr != io.EOF || r.lim.Length == 0 || r.total != r.lim.Length {
		return nil, r.ended("a part")
	}
	if r.r < r.w {
		return r.buf[r.r:r.w], nil
	}
	r.noFinal, r.state = true, stateEnd
	return nil, io.EOF
}
