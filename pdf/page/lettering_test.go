package page

import (
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
)

// TestLettering: a font with nothing but the characters that were shown, each with its way back to Unicode.
func TestLettering(t *testing.T) {
	t.Parallel()
	l := NewLettering()
	if got := l.Show("Żaba"); got != "\x00\x01\x00\x02\x00\x03\x00\x02" {
		t.Errorf("%x", got)
	}
	if got := l.Show("Σ-Ж"); got != "\x00\x04\x00\x05\x00\x06" {
		t.Errorf("%x", got)
	}
	var objects []pdf.Object
	l.Write(func(o pdf.Object) pdf.Ref {
		objects = append(objects, o)
		return pdf.Ref{Number: len(objects)}
	})
	for _, o := range objects {
		if d, ok := o.(pdf.Dict); ok {
			if name, ok := d["BaseFont"].(pdf.Name); ok && !strings.HasSuffix(string(name), "+GoRegular") {
				t.Errorf("%s", name)
			}
			if w, ok := d["W"].(pdf.Array); ok && len(w[1].(pdf.Array)) != 7 {
				t.Errorf("%d widths", len(w[1].(pdf.Array)))
			}
		}
	}
	if len(objects) != 5 {
		t.Errorf("%d objects", len(objects))
	}
	wide, err := Width("WW")
	if one, _ := Width("W"); err != nil || wide != 2*one || one < 0.5 || one > 1.5 {
		t.Errorf("%g, %v", wide, err)
	}
	for _, text := range []string{"Γιώργος Ωνάσης", "Їжакевич Ђорђе", "Łódź, Ţara, Țara, Ðóra", "a\u00a0b", ""} {
		if _, err := Width(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"日本", "\n", "\x00"} {
		if _, err := Width(text); err == nil {
			t.Errorf("%q has letters", text)
		}
	}
}
