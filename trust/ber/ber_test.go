package ber

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte/asn1"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDER(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, out, sorted string }{
		"DER stays":                             {"30 05 04 03 01 02 03", "30 05 04 03 01 02 03", ""},
		"an indefinite length becomes definite": {"30 80 05 00 00 00", "30 02 05 00", ""},
		"one within another":                    {"30 80 a0 80 02 01 05 00 00 00 00", "30 05 a0 03 02 01 05", ""},
		"a length longer than need be":          {"30 82 00 02 05 00", "30 02 05 00", ""},
		"a string in segments":                  {"24 80 04 01 61 04 02 62 63 00 00", "04 03 61 62 63", ""},
		"a text in segments":                    {"2c 06 04 01 61 04 01 62", "0c 02 61 62", ""},
		"a bit string in segments":              {"23 09 03 02 00 ff 03 03 04 0f f0", "03 04 04 ff 0f f0", ""},
		"true is all ones":                      {"30 80 01 01 01 00 00", "30 03 01 01 ff", ""},
		"a set keeps its order, or is sorted":   {"31 80 02 01 05 02 01 03 00 00", "31 06 02 01 05 02 01 03", "31 06 02 01 03 02 01 05"},
		"a high tag number":                     {"bf 81 00 80 05 00 00 00", "bf 81 00 02 05 00", ""},
	} {
		e, err := Parse(unhex(t, c.in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		der, err := e.DER()
		if err != nil || !bytes.Equal(der, unhex(t, c.out)) {
			t.Errorf("%s: %x, %v", name, der, err)
		}
		if e.IsDER() != (strings.ReplaceAll(c.in, " ", "") == strings.ReplaceAll(c.out, " ", "")) {
			t.Errorf("%s: DER already: %v", name, e.IsDER())
		}
		if c.sorted != "" {
			if der, err := e.SortedDER(); err != nil || !bytes.Equal(der, unhex(t, c.sorted)) {
				t.Errorf("%s, sorted: %x, %v", name, der, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in     string
		offset int
	}{
		"nothing":                               {"", 0},
		"a tag alone":                           {"30", 0},
		"a length cut off":                      {"30 82 01", 0},
		"a content cut off":                     {"30 03 05 00", 0},
		"a content of a child cut off":          {"30 80 04 05 00 00", 2},
		"no end of contents":                    {"30 80 05 00", 4},
		"an end of contents alone":              {"00 00", 0},
		"a primitive with an indefinite length": {"04 80 00 00", 0},
		"a length of all ones":                  {"04 ff 00", 0},
		"a length of eight octets":              {"04 88 01 00 00 00 00 00 00 00", 0},
		"octets after it":                       {"05 00 05 00", 2},
		"a tag number without end":              {"1f 81 81 81 81 81 81 01 00", 0},
	} {
		_, err := Parse(unhex(t, c.in))
		var e *Error
		if !errors.Is(err, ErrSyntax) || !errors.As(err, &e) || e.Offset != c.offset {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDepth: what is nested deeper than the limit is refused whichever way it is nested, at once.
func TestDepth(t *testing.T) {
	t.Parallel()
	indefinite := append(bytes.Repeat([]byte{0x30, 0x80}, 1<<20), make([]byte, 2<<20)...)
	if _, err := Parse(indefinite); !errors.Is(err, ErrSyntax) {
		t.Errorf("indefinite: %v", err)
	}
	definite := []byte{5, 0}
	for range MaxDepth + 10 {
		definite = Append(nil, asn1.SEQUENCE, definite)
	}
	e, err := Parse(definite)
	for err == nil {
		r := e.Children()
		if r.Empty() {
			t.Fatal("nested as deep as can be, and no error")
		}
		e, err = r.Next()
	}
	if !errors.Is(err, ErrSyntax) {
		t.Errorf("definite: %v", err)
	}
	if e, err := Parse(definite); err != nil || e.IsDER() {
		t.Errorf("counts as DER: %v", err)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, out string
		bad     bool
	}{
		"a string":                            {"04 02 61 62", "61 62", false},
		"segments":                            {"24 80 04 01 61 24 05 04 00 04 01 62 00 00", "61 62", false},
		"an implicit tag":                     {"a0 06 04 01 61 04 01 62", "61 62", false},
		"a segment that is no string":         {"24 03 02 01 05", "", true},
		"a segment of another string":         {"24 03 0c 01 61", "", true},
		"a bit string that ends in between":   {"23 08 03 02 04 f0 03 02 00 ff", "", true},
		"a bit string segment without octets": {"23 02 03 00", "", true},
	} {
		e, err := Parse(unhex(t, c.in))
		if err != nil {
			t.Fatal(name, err)
		}
		b, err := e.Bytes()
		if (err != nil) != c.bad || !c.bad && !bytes.Equal(b, unhex(t, c.out)) {
			t.Errorf("%s: %x %v", name, b, err)
		}
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	e, err := Parse(unhex(t, "30 09 30 80 02 01 05 05 00 00 00"))
	if err != nil {
		t.Fatal(err)
	}
	r := e.Children()
	inner, err := r.Next()
	if err != nil || inner.Offset != 2 || !r.Empty() {
		t.Fatal(inner.Offset, err)
	}
	in := inner.Children()
	if n, err := in.Read(asn1.INTEGER, "number"); err != nil || n.Offset != 4 {
		t.Error(n.Offset, err)
	}
	if _, err := in.Read(asn1.INTEGER, "second number"); err == nil || err.Error() != "octet 7: second number expected, found tag 0x05" {
		t.Error(err)
	}
	in.Next()
	if _, err := in.Read(asn1.INTEGER, "third number"); err == nil || err.Error() != "octet 9: third number is missing" {
		t.Error(err)
	}
}

// FuzzDER: DER of anything is DER, and of itself it is itself.
func FuzzDER(f *testing.F) {
	for _, s := range []string{"3080040161a0800201050000000000", "24800401610402626300 00", "2309030200ff0303040ff0", "bf81008005000000", "31800201050201030000"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		der, err := e.DER()
		if err != nil {
			return
		}
		again, err := Parse(der)
		if err != nil {
			t.Fatalf("%x: %v", der, err)
		}
		if !again.IsDER() {
			t.Fatalf("%x is not DER", der)
		}
		if twice, err := again.DER(); err != nil || !bytes.Equal(twice, der) {
			t.Fatalf("%x became %x, %v", der, twice, err)
		}
		if _, err := e.SortedDER(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStrayEnd: end-of-contents octets among children of definite length are no element, and what holds them is not DER.
func TestStrayEnd(t *testing.T) {
	t.Parallel()
	e, err := Parse(unhex(t, "30 04 05 00 00 00"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.DER(); e.IsDER() || !errors.Is(err, ErrSyntax) {
		t.Errorf("DER: %v, %v", e.IsDER(), err)
	}
}

func TestFormMustFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		tag  asn1.Tag
		fits bool
	}{
		"a sequence":                   {"30 00", asn1.SEQUENCE, true},
		"a primitive sequence":         {"10 00", asn1.SEQUENCE, false},
		"a string":                     {"04 00", asn1.OCTET_STRING, true},
		"a string in segments":         {"24 00", asn1.OCTET_STRING, true},
		"a number":                     {"02 01 00", asn1.INTEGER, true},
		"a constructed number":         {"22 03 02 01 00", asn1.INTEGER, false},
		"an implicit string":           {"a0 00", asn1.Tag(0).ContextSpecific(), true},
		"a field that must be made of": {"80 00", asn1.Tag(0).ContextSpecific().Constructed(), false},
	} {
		r := NewReader(unhex(t, c.in))
		if r.Is(c.tag) != c.fits {
			t.Errorf("%s: %v", name, !c.fits)
		}
		if _, err := r.Read(c.tag, "it"); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}
