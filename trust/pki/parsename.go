package pki

import (
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const maxNameText = 16 << 10 // octets of a name in text form; the longest seen in the wild has 600

// ParseName reads the text form of RFC 4514 and its ancestors RFC 2253 and RFC 1779: separators ',' and
// ';', spaces around them, quoted values, values in hexadecimal DER, types as names of any case or as
// numbers with or without "OID.".
func ParseName(s string) (Name, error) {
	if len(s) > maxNameText {
		return nil, malformed("name: %d octets", len(s))
	}
	p := nameParser{s: s}
	p.spaces()
	if p.end() {
		return Name{}, nil
	}
	var name Name
	for {
		var rdn RDN
		for {
			a, err := p.attribute()
			if err != nil {
				return nil, err
			}
			rdn = append(rdn, a)
			if !p.take('+') {
				break
			}
		}
		name = append(name, rdn)
		if p.end() {
			slices.Reverse(name)
			return name, nil
		}
		if !p.take(',') && !p.take(';') {
			return nil, malformed("name: %q at octet %d, expected ','", p.s[p.i], p.i)
		}
	}
}

type nameParser struct {
	s string
	i int
}

func (p *nameParser) end() bool { return p.i >= len(p.s) }

func (p *nameParser) spaces() {
	for !p.end() && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

func (p *nameParser) take(c byte) bool {
	if p.end() || p.s[p.i] != c {
		return false
	}
	p.i++
	return true
}

func (p *nameParser) attribute() (a Attribute, err error) {
	p.spaces()
	eq := strings.IndexByte(p.s[p.i:], '=')
	if eq < 0 {
		return a, malformed("name: no '=' after octet %d", p.i)
	}
	text := strings.TrimRight(p.s[p.i:p.i+eq], " \t\r\n")
	p.i += eq + 1
	t, ok := attributeTypes[strings.ToUpper(text)]
	if !ok {
		if t, ok = ParseOID(text); !ok {
			return a, malformed("name: attribute type %q", text)
		}
	}
	a.Type = t
	p.spaces()
	switch {
	case p.end():
	case p.s[p.i] == '#':
		err = p.hex(&a)
	case p.s[p.i] == '"':
		p.i++
		err = p.quoted(&a)
	default:
		err = p.plain(&a)
	}
	p.spaces()
	return a, err
}

// hex reads #0c0141: the DER of the value.
func (p *nameParser) hex(a *Attribute) error {
	start := p.i + 1
	for p.i++; !p.end() && isHex(p.s[p.i]); p.i++ {
	}
	der, err := hex.DecodeString(p.s[start:p.i])
	if err != nil {
		return malformed("name: %s: hexadecimal value", a.Type)
	}
	s := cryptobyte.String(der)
	var v cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1Element(&v, &tag) || !s.Empty() {
		return malformed("name: %s: hexadecimal value is no DER", a.Type)
	}
	a.Raw = der
	a.Value, _ = decodeString(der)
	return nil
}

func (p *nameParser) quoted(a *Attribute) error {
	var b []byte
	for !p.end() {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return a.setText(b)
		case '\\':
			var err error
			if b, err = p.escape(b); err != nil {
				return err
			}
		default:
			b = append(b, c)
			p.i++
		}
	}
	return malformed("name: %s: quotation without end", a.Type)
}

func (p *nameParser) plain(a *Attribute) error {
	var b []byte
	keep := 0 // up to here spaces are escaped or followed by something
	for !p.end() {
		switch c := p.s[p.i]; c {
		case ',', ';', '+':
			return a.setText(b[:keep])
		case '"', '<', '>':
			return malformed("name: %s: %q must be escaped", a.Type, c)
		case '\\':
			var err error
			if b, err = p.escape(b); err != nil {
				return err
			}
			keep = len(b)
		default:
			b = append(b, c)
			p.i++
			if strings.IndexByte(" \t\r\n", c) < 0 {
				keep = len(b)
			}
		}
	}
	return a.setText(b[:keep])
}

// escape reads \C3 or \, at the backslash. Unknown escaped characters stand for themselves.
func (p *nameParser) escape(b []byte) ([]byte, error) {
	p.i++
	switch {
	case p.end():
		return nil, malformed("name: ends with a backslash")
	case p.i+1 < len(p.s) && isHex(p.s[p.i]) && isHex(p.s[p.i+1]):
		v, err := hex.DecodeString(p.s[p.i : p.i+2])
		if err != nil {
			return nil, malformed("name: escape at octet %d", p.i)
		}
		p.i += 2
		return append(b, v...), nil
	}
	_, n := utf8.DecodeRuneInString(p.s[p.i:])
	b = append(b, p.s[p.i:p.i+n]...)
	p.i += n
	return b, nil
}

func (a *Attribute) setText(b []byte) error {
	if !utf8.Valid(b) {
		return malformed("name: %s: value is no UTF-8", a.Type)
	}
	a.Value = string(b)
	return nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
