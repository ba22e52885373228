package ebms

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"strings"
)

// header reads the header block; buf[r] is the line feed of the boundary line.
func (r *MIMEReader) header() (*Part, error) {
	end, err := r.headerEnd()
	if err != nil {
		return nil, err
	}
	p := &Part{r: r, Index: r.parts - 1}
	if p.Header, err = parseHeader(string(r.buf[r.r+1 : end])); err != nil {
		return nil, err
	}
	r.r = end // the line feed of the empty line: a boundary may follow at once
	for i := range p.Header {
		f := &p.Header[i]
		switch {
		case strings.EqualFold(f.Name, "Content-ID"):
			if p.ContentID == "" {
				p.ContentID = trimBrackets(f.Value)
			}
		case strings.EqualFold(f.Name, "Content-Type"):
			if p.ContentType == "" {
				p.ContentType = f.Value
			}
		}
	}
	p.Named = r.start != "" && p.ContentID != "" && SameContentID(r.start, p.ContentID)
	r.part = p
	switch enc := strings.ToLower(strings.Trim(p.Header.Get("Content-Transfer-Encoding"), " \t\"")); enc {
	case "", "binary", "8bit", "7bit":
	case "base64":
		p.decoded = base64.NewDecoder(base64.StdEncoding, rawReader{p})
	case "quoted-printable":
		p.decoded = quotedprintable.NewReader(rawReader{p})
	default:
		return nil, fmt.Errorf("%w: %w: %q", ErrMIME, errEncoding, clipTo(enc, 40))
	}
	// The line feed that ended the header stands at buf[r] so that a boundary right after it is found; it is no content.
	return p, r.enter()
}

type rawReader struct{ p *Part }

func (r rawReader) Read(b []byte) (int, error) { return r.p.raw(b) }

// enter steps over the line feed in front of the content, unless it already belongs to a boundary: a part may be
// empty.
func (r *MIMEReader) enter() error {
	for {
		n := len(r.delim)
		if r.w-r.r >= n {
			if bytes.HasPrefix(r.buf[r.r:r.w], r.delim) {
				switch r.isLine(r.r + n) {
				case yes:
					return nil // content finds the boundary at once
				case unknown:
					r.fill()
					continue
				}
			}
			break
		}
		if !bytes.HasPrefix(r.delim, r.buf[r.r:r.w]) || !r.fill() {
			break
		}
	}
	r.r++
	return nil
}

// headerEnd returns the index of the line feed of the empty line that ends the header; buf[r] is the line feed in
// front of the header.
func (r *MIMEReader) headerEnd() (int, error) {
	scan := r.r
	for {
		for {
			i := bytes.IndexByte(r.buf[scan+1:r.w], '\n')
			if i < 0 {
				break
			}
			if i == 0 || i == 1 && r.buf[scan+1] == '\r' {
				if end := scan + 1 + i; end-r.r <= r.lim.HeaderBytes {
					return end, nil
				}
				break
			}
			scan += 1 + i
		}
		if r.w-r.r > r.lim.HeaderBytes {
			return 0, fmt.Errorf("%w: part header of more than %d octets", ErrTooLarge, r.lim.HeaderBytes)
		}
		scan -= r.r
		if !r.fill() {
			return 0, r.ended("a part header")
		}
		scan += r.r
	}
}

// parseHeader reads header lines, each with its line break, and at last the carriage return of the empty line.
func parseHeader(s string) (Header, error) {
	var h Header
	for s != "" {
		line := s
		if i := strings.IndexByte(s, '\n'); i >= 0 {
			line, s = s[:i], s[i+1:]
		} else {
			s = ""
		}
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(h) == 0 {
				return nil, fmt.Errorf("%w: a part header begins with white space", ErrMIME)
			}
			if line = strings.Trim(line, " \t"); line == "" {
				continue
			}
			f := &h[len(h)-1]
			if len(f.Value)+len(line) > maxContentType {
				return nil, fmt.Errorf("%w: header field of more than %d octets", ErrTooLarge, maxContentType)
			}
			f.Value = strings.TrimLeft(f.Value+" "+line, " ")
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimRight(name, " \t")
		if !ok || !isToken(name) {
			return nil, fmt.Errorf("%w: %q is no header field", ErrMIME, clipTo(line, 40))
		}
		if len(h) == maxFields {
			return nil, fmt.Errorf("%w: more than %d header fields in a part", ErrTooLarge, maxFields)
		}
		if h == nil {
			h = make(Header, 0, 4)
		}
		h = append(h, Field{Name: name, Value: strings.Trim(value, " \t")})
	}
	return h, nil
}
