package agreements

import (
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/node/config"
)

// Write writes the file as the configuration of a node includes it. dir is where paths start. The same agreements are
// written in the same octets, so that versions of the file can be compared.
func (f *File) Write(w io.Writer, dir string) error {
	var b strings.Builder
	b.WriteString("# Partners and P-Modes of a Viadukt node. Its configuration includes this file: see pmodeFiles there.\n")
	if f.Source != "" {
		comment(&b, "", "Written by viadukt pmode import from "+f.Source+"; importing again replaces it.")
	}
	b.WriteString("\npartners:")
	if len(f.Partners) == 0 {
		b.WriteString(" []")
	}
	b.WriteString("\n")
	for _, p := range f.Partners {
		item(&b, config.Settings(p, dir))
	}
	b.WriteString("\npmodes:")
	if len(f.PModes) == 0 {
		b.WriteString(" []")
	}
	b.WriteString("\n")
	for _, p := range f.PModes {
		for _, l := range f.Lost[p.ID] {
			comment(&b, "  ", "Not kept: "+l)
		}
		item(&b, config.Settings(p, dir))
	}
	if len(f.Left) > 0 {
		b.WriteString("\n# Not served by this node:\n")
		for _, m := range f.Left {
			comment(&b, "", "  "+m.ID+": "+strings.Join(m.Unusable, "; "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func item(b *strings.Builder, keys []config.Setting) {
	lead := "  - "
	for _, k := range keys {
		fmt.Fprintf(b, "%s%s: %s\n", lead, k.Key, k.Value)
		lead = "    "
	}
}

// comment writes a line of what others may have written: no end of line in it ends the comment.
func comment(b *strings.Builder, indent, text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffd {
			return ' '
		}
		return r
	}, text)
	fmt.Fprintf(b, "%s# %s\n", indent, text)
}
