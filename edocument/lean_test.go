package edocument_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument"
)

func TestReadLeanLeavesAttachmentsOut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("QUJD", 300_000)
	for _, c := range []struct{ name, in, want string }{
		{"a small document stays", "<a>\n <b>QUJD</b></a>", "<a>\n <b>QUJD</b></a>"},
		{"a large attachment", "<a><b>" + long + "</b>c</a>", "<a><b>AAAA</b>c</a>"},
		{"with padding", "<b>" + long + "QQ==</b>", "<b>AAAA</b>"},
		{"its lines count", "<b>\n" + long + "\n" + long + "\n</b>", "<b>AAAA\n\n\n</b>"},
		{"a digit too many", "<b>" + long + "Q</b>", "<b>AAAA!</b>"},
		{"digits behind padding", "<b>" + long + "QQ==QUJD</b>", "<b>AAAA!</b>"},
		{"a long text that is none", "<b>" + long + "; done</b>", "<b>" + long + "; done</b>"},
		{"in a section of its own", "<b><![CDATA[" + long + "]]></b>", "<b><![CDATA[" + long + "]]></b>"},
		{"in an attribute", `<b c=">` + long + `"/>`, `<b c=">` + long + `"/>`},
		{"what is no XML", "%PDF-1.7\n<" + long + ">" + long + "<", "%PDF-1.7\n<" + long + ">" + long + "<"},
		{"blanks alone are none", "<b>" + strings.Repeat(" ", 2<<20) + "</b>", "<b>" + strings.Repeat(" ", 2<<20) + "</b>"},
	} {
		got, err := edocument.ReadLean(strings.NewReader(c.in), 8<<20, 8<<20)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %.80q (%d) %v", c.name, got, len(got), err)
		}
	}
}

func TestReadLeanHasBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("QUJD", 300_000)
	if _, err := edocument.ReadLean(strings.NewReader("<b>"+long+"</b>"), 1<<20, 1<<20); !errors.Is(err, edocument.ErrSize) {
		t.Error(err)
	}
	for _, s := range []string{"<b/>", "b"} {
		if _, err := edocument.ReadLean(strings.NewReader(strings.Repeat(s, 1000)), 1<<20, 100); !errors.Is(err, edocument.ErrSize) {
			t.Error(err)
		}
	}
	if _, err := edocument.ReadLean(io.MultiReader(strings.NewReader("<b>"+long+"; x</b>")), 8<<20, 8<<20); !errors.Is(err, edocument.ErrSize) {
		t.Error("no second reading:", err)
	}
	if _, err := edocument.ReadLean(strings.NewReader("<b>"+long), 8<<20, 8<<20); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func FuzzReadLean(f *testing.F) {
	f.Add([]byte("<a>QUJD</a>"), 3)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		got, err := edocument.ReadLean(bytes.NewReader(b), 1<<20, 1<<20)
		if err != nil || !bytes.Equal(got, b) { // all of it is short
			t.Fatalf("%q %v", got, err)
		}
	})
}
