package pdf

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Object is one of: nil (null), bool, int, float64, String, Hex, Room, Name, Array, Dict, Ref, *Stream [ISO 32000-1 7.3].
type Object any

// Name is a name without its solidus, as octets.
type Name string

// String is a string as octets; see [String.Text] for what people read.
type String string

// Hex is a string that is written in hexadecimal. What is read is a String always.
type Hex string

// Room is a string of so many zero octets in hexadecimal, which something is put into later.
type Room int

var zeros = strings.Repeat("0", 4<<10)

// Array is a sequence of objects.
type Array []Object

// Dict is a dictionary. A key with the value nil is as good as absent [ISO 32000-1 7.3.7].
type Dict map[Name]Object

// Ref names an indirect object.
type Ref struct{ Number, Generation int }

func (r Ref) String() string { return fmt.Sprintf("%d %d R", r.Number, r.Generation) }

// Stream is a dictionary with octets. Of one that is to be written Data holds the octets as they stand in the file, encoded by what
// its dictionary says; Length is written by [Write]. Streams that were read leave them in the file, see [Document.Decode].
type Stream struct {
	Dict Dict
	Data []byte

	raw *io.SectionReader // of one that was read
	ref Ref
}

// Compress makes a stream with the filter FlateDecode. The dictionary is changed; nil stands for an empty one.
func Compress(d Dict, data []byte) *Stream {
	if d == nil {
		d = Dict{}
	}
	var b bytes.Buffer
	z := writers.Get().(*zlib.Writer)
	z.Reset(&b)
	z.Write(data)
	z.Close()
	writers.Put(z)
	d["Filter"] = Name("FlateDecode")
	return &Stream{Dict: d, Data: b.Bytes()}
}

// writers are kept: one costs 800 kB, which is more than most streams.
var writers = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}

// Clone copies a dictionary, but not the objects it holds.
func (d Dict) Clone() Dict {
	c := make(Dict, len(d)+2)
	for k, v := range d {
		c[k] = v
	}
	return c
}

// Text makes a text string: ASCII where that is enough, otherwise UTF-16 with its mark [ISO 32000-1 7.9.2.2].
func Text(s string) String {
	ascii := true
	for i := 0; i < len(s); i++ {
		ascii = ascii && s[i] < 0x7f && (s[i] >= ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t')
	}
	if ascii {
		return String(s)
	}
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return String(b)
}

// Text is what a text string says: UTF-16 or UTF-8 after their marks, otherwise PDFDocEncoding.
func (s String) Text() string {
	switch {
	case len(s) >= 2 && (s[:2] == "\xfe\xff" || s[:2] == "\xff\xfe"):
		units := make([]uint16, 0, len(s)/2)
		for i := 2; i+1 < len(s); i += 2 {
			hi, lo := s[i], s[i+1]
			if s[0] == 0xff {
				hi, lo = lo, hi
			}
			units = append(units, uint16(hi)<<8|uint16(lo))
		}
		return string(utf16.Decode(units))
	case len(s) >= 3 && s[:3] == "\xef\xbb\xbf" && utf8.ValidString(string(s)):
		return string(s[3:])
	}
	r := make([]rune, len(s))
	for i := 0; i < len(s); i++ {
		r[i] = rune(s[i])
		switch c := s[i]; {
		case c >= 0x18 && c <= 0x1f:
			r[i] = docLow[c-0x18]
		case c >= 0x80 && c <= 0xa0:
			r[i] = docHigh[c-0x80]
		}
	}
	return string(r)
}

// PDFDocEncoding where it departs from Latin-1 [ISO 32000-1 D.2].
var (
	docLow  = []rune("\u02d8\u02c7\u02c6\u02d9\u02dd\u02db\u02da\u02dc")
	docHigh = []rune("•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž\ufffd€")
)

// Date makes a date string in the zone of t [ISO 32000-1 7.9.4].
func Date(t time.Time) String {
	_, offset := t.Zone()
	if offset == 0 {
		return String(t.Format("D:20060102150405Z"))
	}
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return String(fmt.Sprintf("%s%c%02d'%02d'", t.Format("D:20060102150405"), sign, offset/3600, offset/60%60))
}

// ParseDate reads a date string; what is left out at its end is the first month, day, hour, minute, second, and UTC.
func ParseDate(s String) (time.Time, error) {
	text := s.Text()
	if len(text) >= 2 && text[:2] == "D:" {
		text = text[2:]
	}
	fields := [6]int{0, 1, 1, 0, 0, 0}
	for i, width := range [6]int{4, 2, 2, 2, 2, 2} {
		if len(text) == 0 || i > 0 && (text[0] < '0' || text[0] > '9') {
			break
		}
		if len(text) < width {
			return time.Time{}, fmt.Errorf("pdf: %q is no date", s)
		}
		n, err := strconv.Atoi(text[:width])
		if err != nil || n < 0 {
			return time.Time{}, fmt.Errorf("pdf: %q is no date", s)
		}
		fields[i], text = n, text[width:]
	}
	offset := 0
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		digits := make([]byte, 0, 4)
		for _, c := range []byte(text[1:]) {
			if c >= '0' && c <= '9' && len(digits) < 4 {
				digits = append(digits, c)
			}
		}
		for len(digits) < 4 {
			digits = append(digits, '0')
		}
		n, _ := strconv.Atoi(string(digits))
		offset = n/100*3600 + n%100*60
		if text[0] == '-' {
			offset = -offset
		}
	}
	zone := time.UTC
	if offset != 0 {
		zone = time.FixedZone("", offset)
	}
	t := time.Date(fields[0], time.Month(fields[1]), fields[2], fields[3], fields[4], fields[5], 0, zone)
	if fields[0] < 1 || t.Year() != fields[0] || int(t.Month()) != fields[1] || t.Day() != fields[2] {
		return time.Time{}, fmt.Errorf("pdf: %q is no date", s)
	}
	return t, nil
}

// Write writes a direct object; of a stream the dictionary with its length, and its octets.
func Write(w io.Writer, o Object) error {
	b, err := appendObject(nil, o, 0)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// WriteIndirect writes an indirect object: its number, the object, and the end.
func WriteIndirect(w io.Writer, r Ref, o Object) error {
	b, err := appendIndirect(nil, r, o)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func appendIndirect(b []byte, r Ref, o Object) ([]byte, error) {
	b, err := appendObject(append(appendNumbers(b, r), " obj\n"...), o, 0)
	return append(b, "\nendobj\n"...), err
}

func appendNumbers(b []byte, r Ref) []byte {
	b = append(strconv.AppendInt(b, int64(r.Number), 10), ' ')
	return strconv.AppendInt(b, int64(r.Generation), 10)
}

const maxDepth = 100 // of objects in objects

func appendObject(b []byte, o Object, depth int) ([]byte, error) {
	if depth > maxDepth {
		return b, fmt.Errorf("%w: objects nested more than %d deep", ErrLimit, maxDepth)
	}
	var err error
	switch o := o.(type) {
	case nil:
		b = append(b, "null"...)
	case bool:
		b = strconv.AppendBool(b, o)
	case int:
		b = strconv.AppendInt(b, int64(o), 10)
	case float64:
		if math.IsNaN(o) || math.IsInf(o, 0) {
			return b, fmt.Errorf("pdf: %v is no number", o)
		}
		b = strconv.AppendFloat(b, o, 'f', -1, 64)
	case String:
		b = append(b, '(')
		for i := 0; i < len(o); i++ {
			switch c := o[i]; c {
			case '(', ')', '\\':
				b = append(b, '\\', c)
			case '\r': // read as a line feed otherwise [ISO 32000-1 7.3.4.2]
				b = append(b, `\r`...)
			default:
				b = append(b, c)
			}
		}
		b = append(b, ')')
	case Hex:
		b = append(hex.AppendEncode(append(b, '<'), []byte(o)), '>')
	case Room:
		b = slices.Grow(b, 2*int(o)+2)
		b = append(b, '<')
		for n := 2 * int(o); n > 0; n -= min(n, len(zeros)) {
			b = append(b, zeros[:min(n, len(zeros))]...)
		}
		b = append(b, '>')
	case Name:
		b = append(b, '/')
		for i := 0; i < len(o); i++ {
			if c := o[i]; c <= ' ' || c > '~' || c == '#' || delimiter(c) {
				b = fmt.Appendf(b, "#%02X", c)
			} else {
				b = append(b, c)
			}
		}
	case Ref:
		b = append(appendNumbers(b, o), " R"...)
	case Array:
		b = append(b, '[')
		for i, x := range o {
			if i > 0 {
				b = append(b, ' ')
			}
			if b, err = appendObject(b, x, depth+1); err != nil {
				return b, err
			}
		}
		b = append(b, ']')
	case Dict:
		return appendDict(b, o, depth)
	case *Stream:
		data := o.Data
		if o.raw != nil {
			if data, err = io.ReadAll(io.NewSectionReader(o.raw, 0, o.raw.Size())); err != nil {
				return b, err
			}
		}
		d := o.Dict.Clone()
		d["Length"] = len(data)
		if b, err = appendDict(b, d, depth); err != nil {
			return b, err
		}
		b = append(b, "\nstream\n"...)
		b = append(b, data...)
		b = append(b, "\nendstream"...)
	default:
		return b, fmt.Errorf("pdf: %T is no object", o)
	}
	return b, nil
}

// appendDict writes the keys in order, Type first, so that the same dictionary gives the same octets.
func appendDict(b []byte, d Dict, depth int) ([]byte, error) {
	keys := make([]Name, 0, len(d))
	for k, v := range d {
		if v != nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y Name) int {
		if x == "Type" || y == "Type" {
			return btoi(y == "Type") - btoi(x == "Type")
		}
		return strings.Compare(string(x), string(y))
	})
	b = append(b, "<<"...)
	var err error
	for i, k := range keys {
		if i > 0 {
			b = append(b, ' ')
		}
		b, _ = appendObject(b, k, depth)
		b = append(b, ' ')
		if b, err = appendObject(b, d[k], depth+1); err != nil {
			return b, err
		}
	}
	return append(b, ">>"...), nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func delimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func space(c byte) bool {
	switch c {
	case 0, '\t', '\n', '\f', '\r', ' ':
		return true
	}
	return false
}
