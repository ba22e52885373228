package sbdh

import (
	"bytes"
	"encoding/base64"
	"io"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const (
	opening = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<StandardBusinessDocument xmlns="` + Namespace + `">`
	ending  = `</StandardBusinessDocument>`
)

// Write writes an envelope with an XML document in it, in constant memory. The document may come in any encoding
// that xmlcore/dom reads; its XML declaration, byte order mark and what else stands around its root element are
// left out [ENV 2.3], and xmlns="" is added where the envelope's default namespace would catch an element that
// has none. A document type declaration, a second root element, a truncated document and an envelope are refused;
// more of its well-formedness is not checked. After an error what was written is no envelope.
func Write(w io.Writer, h *Header, payload io.Reader) error {
	s := &scanner{src: &source{r: payload}, lim: Limits{}.withDefaults()}
	i, err := s.documentElement()
	if err != nil {
		return err
	}
	if i.Space == Namespace {
		return errorf(InvalidPayload, "an envelope's element as payload")
	}
	if err := writeOpening(w, h); err != nil {
		return err
	}
	e := &element{
		s: s, tail: true, around: []byte("<a>"), closing: []byte("</a>"),
		scope: scope{outer: []binding{{"", ` xmlns=""`}}},
	}
	if _, err := e.WriteTo(w); err != nil {
		return err
	}
	_, err = io.WriteString(w, ending)
	return err
}

// documentElement goes on to the document element, whose tag is then scanned again, and says what it is.
func (s *scanner) documentElement() (Instance, error) {
	for {
		t, from, err := s.step()
		if err != nil {
			return Instance{}, xmlError(err)
		}
		switch t {
		case needMore:
			if len(s.buf) > s.lim.Header {
				return Instance{}, xmlError(&dom.Error{Msg: "too much before the document element", Err: dom.ErrLimit})
			}
			if err := s.refill(); err != nil {
				return Instance{}, readError(err)
			}
			continue
		case startTag, emptyTag:
		default:
			continue
		}
		// The prolog with the element closed is a document: what is wrong with either shows now.
		src := s.src.(*source)
		b := append(make([]byte, 0, s.pos+64), src.declared(s.buf[:s.pos])...)
		if t == startTag {
			tag := s.buf[from:s.pos]
			b = append(append(append(b, "</"...), tagName(tag[:len(tag)-1])...), '>')
		}
		d, err := dom.Parse(b, dom.Limits{})
		if err != nil {
			return Instance{}, xmlError(err)
		}
		s.mark, s.pos, s.names, s.open = from, from, s.names[:0], s.open[:0]
		return InstanceOf(d.Root()), nil
	}
}

func writeOpening(w io.Writer, h *Header) error {
	x := dom.NewWriter(append(make([]byte, 0, 2048), opening...))
	if err := h.AppendHeader(x); err != nil {
		return err
	}
	_, err := w.Write(x.Bytes())
	return err
}

// WriteBinary writes an envelope with a BinaryContent wrapper around octets of a media type [ENV 2.3].
func WriteBinary(w io.Writer, h *Header, mime string, payload io.Reader) error {
	return writeContent(w, h, "BinaryContent", mime, func() error {
		e := base64.NewEncoder(base64.StdEncoding, w)
		if _, err := io.CopyBuffer(onlyWriter{e}, onlyReader{payload}, make([]byte, 3*chunk/4)); err != nil {
			return err
		}
		return e.Close()
	})
}

// WriteText writes an envelope with a TextContent wrapper around UTF-8 text of a media type [ENV 2.3].
func WriteText(w io.Writer, h *Header, mime string, payload io.Reader) error {
	return writeContent(w, h, "TextContent", mime, func() error {
		src := &source{r: payload, started: true} // text has no XML declaration
		in, out := make([]byte, chunk), make([]byte, 0, chunk+chunk/4)
		for {
			n, err := src.Read(in)
			if out, err2 := appendText(out[:0], in[:n]); err2 != nil {
				return err2
			} else if _, err2 = w.Write(out); err2 != nil {
				return err2
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return readError(err)
			}
		}
	})
}

func writeContent(w io.Writer, h *Header, local, mime string, body func() error) error {
	if mime == "" {
		return errorf(InvalidPayload, "no mimeType [ENV 2.3]")
	}
	if err := writeOpening(w, h); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "<"+local+` xmlns="`+ContentNamespace+`" mimeType="`+escapeAttribute(mime)+`">`); err != nil {
		return err
	}
	if err := body(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "</"+local+">"+ending)
	return err
}

// appendText escapes character data so that it comes back octet by octet.
func appendText(dst, b []byte) ([]byte, error) {
	for len(b) > 0 {
		i := bytes.IndexFunc(b, special)
		if i < 0 {
			return append(dst, b...), nil
		}
		dst = append(dst, b[:i]...)
		switch b[i] {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '\r':
			dst = append(dst, "&#xD;"...)
		default:
			return dst, xmlError(errCharacter)
		}
		b = b[i+1:]
	}
	return dst, nil
}

func special(r rune) bool {
	return r == '&' || r == '<' || r == '>' || r == '\r' || !isChar(r)
}

// onlyReader and onlyWriter hide WriteTo and ReadFrom, so that the pieces have the size that suits base64.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)
