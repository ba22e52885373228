package ebms

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// PartHeader describes one part to be written. Nothing but Content-Type, Content-Transfer-Encoding, Content-ID and,
// with FileName, Content-Disposition is sent.
type PartHeader struct {
	ContentType string // "application/octet-stream" for an encrypted part
	ContentID   string // without angle brackets
	FileName    string // optional
	Length      int64  // octets of the content, for [MIMELength]
}

// NewBoundary returns a boundary of 32 random digits. A token needs no quotes, which some peers forget.
func NewBoundary(rand io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("ebms: random: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// MultipartContentType is the Content-Type of a message with parts [RFC 2387 3]. Every parameter is quoted.
func MultipartContentType(boundary, rootCID string) string {
	return `multipart/related; type="` + soapType + `"; boundary=` + quote(boundary) + `; start=` + quote("<"+rootCID+">")
}

// MIMEWriter writes a multipart/related body. Part bodies are binary and stream through.
type MIMEWriter struct {
	w        io.Writer
	boundary string
	rootCID  string
	buf      []byte
	parts    int
	err      error
}

// NewMIMEWriter returns a writer for a body with that boundary whose root part has the content id rootCID.
func NewMIMEWriter(w io.Writer, boundary, rootCID string) *MIMEWriter {
	return &MIMEWriter{w: w, boundary: boundary, rootCID: rootCID, buf: make([]byte, 0, 512)}
}

// ContentType returns the Content-Type of the whole.
func (m *MIMEWriter) ContentType() string { return MultipartContentType(m.boundary, m.rootCID) }

var errHeaderValue = errors.New("ebms: value does not fit in a MIME header")

// Part begins the next part, of which the first is the root, and returns a writer for its content that is good until
// the next call of Part or Close.
func (m *MIMEWriter) Part(h PartHeader) (io.Writer, error) {
	if m.err != nil {
		return nil, m.err
	}
	if m.parts == 0 && !isToken(m.boundary) || len(m.boundary) > 70 {
		m.err = fmt.Errorf("ebms: boundary %q is no token of at most 70 characters", m.boundary)
		return nil, m.err
	}
	if m.parts == 0 && h.ContentID != m.rootCID {
		m.err = fmt.Errorf("ebms: the first part is %q, not the root %q", h.ContentID, m.rootCID)
		return nil, m.err
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	m.buf = h.append(m.buf[:0], m.boundary, m.parts == 0)
	m.parts++
	if _, err := m.w.Write(m.buf); err != nil {
		m.err = err
		return nil, err
	}
	return m.w, nil
}

// Copy writes one part with the content of r.
func (m *MIMEWriter) Copy(h PartHeader, r io.Reader) (int64, error) {
	w, err := m.Part(h)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(w, r)
	if err != nil {
		m.err = err
	}
	return n, err
}

// Close writes the final boundary.
func (m *MIMEWriter) Close() error {
	if m.err != nil {
		return m.err
	}
	m.err = errors.New("ebms: MIME writer is closed")
	_, err := m.w.Write(appendFinal(m.buf[:0], m.boundary))
	return err
}

// MIMELength returns the length of the body that a [MIMEWriter] makes of these parts, for Content-Length.
func MIMELength(boundary string, parts []PartHeader) int64 {
	var n int64
	buf := make([]byte, 0, 512)
	for i := range parts {
		buf = parts[i].append(buf[:0], boundary, i == 0)
		n += int64(len(buf)) + parts[i].Length
	}
	return n + int64(len(appendFinal(buf[:0], boundary)))
}

// append writes what stands in front of the content: the line break that ends the part before, which belongs to the
// boundary, the boundary line and the header.
func (h *PartHeader) append(b []byte, boundary string, first bool) []byte {
	if !first {
		b = append(b, "\r\n"...)
	}
	b = append(b, "--"...)
	b = append(b, boundary...)
	b = append(b, "\r\nContent-Type: "...)
	b = append(b, h.ContentType...)
	b = append(b, "\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <"...)
	b = append(b, h.ContentID...)
	b = append(b, '>')
	if h.FileName != "" {
		b = append(b, "\r\nContent-Disposition: attachment; filename="...)
		b = append(b, quote(h.FileName)...)
	}
	return append(b, "\r\n\r\n"...)
}

func appendFinal(b []byte, boundary string) []byte {
	b = append(b, "\r\n--"...)
	b = append(b, boundary...)
	return append(b, "--\r\n"...)
}

// check refuses what would break out of its header line.
func (h *PartHeader) check() error {
	if h.ContentType == "" || !headerText(h.ContentType) {
		return fmt.Errorf("%w: Content-Type %q", errHeaderValue, h.ContentType)
	}
	if !headerText(h.FileName) {
		return fmt.Errorf("%w: file name %q", errHeaderValue, h.FileName)
	}
	if h.ContentID == "" || !headerText(h.ContentID) || trimBrackets("<"+h.ContentID+">") != h.ContentID {
		return fmt.Errorf("%w: Content-ID %q", errHeaderValue, h.ContentID)
	}
	for i := range len(h.ContentID) {
		if c := h.ContentID[i]; c == '<' || c == '>' || c == ' ' {
			return fmt.Errorf("%w: Content-ID %q", errHeaderValue, h.ContentID)
		}
	}
	return nil
}

// headerText reports whether s is printable ASCII and not too long for a header line.
func headerText(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return len(s) <= 998-40
}
