package ebms

import (
	"errors"
	"fmt"
	"strings"
)

// ErrContentType says that a Content-Type is missing or cannot be used: HTTP 400.
var ErrContentType = errors.New("ebms: content type not usable")

// MediaType is a parsed Content-Type.
type MediaType struct {
	Type   string // lower case, "multipart/related"
	Params []Param
}

// Param is one parameter of a media type; the name is in lower case.
type Param struct{ Name, Value string }

// Param returns the value of a parameter; empty if it is not there.
func (m MediaType) Param(name string) string {
	for _, p := range m.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// IsSOAP reports whether the type is that of a SOAP 1.2 envelope.
func (m MediaType) IsSOAP() bool { return m.Type == soapType }

// IsMultipart reports whether the type is multipart/related.
func (m MediaType) IsMultipart() bool { return m.Type == "multipart/related" }

const (
	maxContentType = 4096
	maxParams      = 32
)

// ParseContentType reads a media type as RFC 2045 has it, and what peers write instead: values with characters that
// would need quotes, a quote that is never closed, empty parameters. A parameter given twice with two values is
// refused, since the two ends of a connection might choose differently.
func ParseContentType(s string) (MediaType, error) {
	var m MediaType
	if len(s) > maxContentType {
		return m, fmt.Errorf("%w: longer than %d", ErrContentType, maxContentType)
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return m, fmt.Errorf("%w: control character", ErrContentType)
		}
	}
	typ, rest, _ := strings.Cut(s, ";")
	m.Type = strings.ToLower(strings.Trim(typ, " \t"))
	major, minor, ok := strings.Cut(m.Type, "/")
	if !ok || !isToken(major) || !isToken(minor) {
		return m, fmt.Errorf("%w: %q is no media type", ErrContentType, clipTo(m.Type, 80))
	}
	for rest != "" {
		var p Param
		p, rest = cutParam(rest)
		if p.Name == "" {
			continue
		}
		if old := m.find(p.Name); old != nil {
			if old.Value != p.Value {
				return m, fmt.Errorf("%w: %s given twice", ErrContentType, clipTo(p.Name, 80))
			}
			continue
		}
		if len(m.Params) == maxParams {
			return m, fmt.Errorf("%w: more than %d parameters", ErrContentType, maxParams)
		}
		m.Params = append(m.Params, p)
	}
	return m, nil
}

func (m *MediaType) find(name string) *Param {
	for i := range m.Params {
		if m.Params[i].Name == name {
			return &m.Params[i]
		}
	}
	return nil
}

// cutParam takes one parameter off s; the name is empty where there is none.
func cutParam(s string) (p Param, rest string) {
	i := strings.IndexAny(s, "=;")
	if i < 0 || s[i] == ';' { // no value: nothing we could use
		if i < 0 {
			return p, ""
		}
		return p, s[i+1:]
	}
	p.Name = strings.ToLower(strings.Trim(s[:i], " \t"))
	s = strings.TrimLeft(s[i+1:], " \t")
	if s != "" && s[0] == '"' {
		if v, rest, ok := cutQuoted(s[1:]); ok {
			p.Value = v
			_, rest, _ = strings.Cut(rest, ";")
			return p, rest
		}
		s = s[1:] // never closed: up to the next semicolon
	}
	p.Value, rest, _ = strings.Cut(s, ";")
	p.Value = strings.TrimRight(p.Value, " \t")
	return p, rest
}

// cutQuoted takes a quoted-string whose first quote is gone.
func cutQuoted(s string) (v, rest string, ok bool) {
	end := strings.IndexAny(s, `"\`)
	if end < 0 {
		return "", "", false
	}
	if s[end] == '"' {
		return s[:end], s[end+1:], true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// isToken reports whether s can stand unquoted [RFC 2045 5.1].
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`{|}~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// quote returns s as a quoted-string [RFC 2045 5.1].
func quote(s string) string {
	if strings.ContainsAny(s, `"\`) {
		s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	}
	return `"` + s + `"`
}

func clipTo(s string, max int) string {
	if len(s) > max {
		return strings.ToValidUTF8(s[:max], "")
	}
	return s
}
