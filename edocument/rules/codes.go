package rules

import (
	_ "embed" // the code lists are a file
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/edocument"
)

//go:embed data/codes.txt
var codesText string

// codeLists reads the code lists; each is a set.
var codeLists = sync.OnceValue(func() map[string]map[string]bool {
	lists := map[string]map[string]bool{}
	for line := range strings.Lines(codesText) {
		name, codes, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(codes)
		set := make(map[string]bool, len(fields))
		if len(fields) > 0 && fields[0][0] == '&' {
			for c := range lists[fields[0][1:]] {
				set[c] = true
			}
			for _, f := range fields[1:] {
				if f[0] == '-' {
					delete(set, f[1:])
				} else {
					set[f[1:]] = true
				}
			}
		} else {
			for _, f := range fields {
				set[strings.Trim(f, `"`)] = true
			}
		}
		lists[name] = set
	}
	return lists
})

func codeList(name string) map[string]bool {
	l := codeLists()[name]
	if l == nil {
		panic("rules: no code list " + name)
	}
	return l
}

// oneOf: the context node, or its attribute, is a code of the list apart from white space around it.
func oneOf(list, attr string) test {
	codes := codeList(list)
	return func(x *eval) bool {
		n := x.n
		if attr != "" {
			n = n.Attribute("", attr)
		}
		s := n.Text()
		if codes[s] || codes[normalize(s)] {
			return true
		}
		x.note = edocument.Clip(s)
		return false
	}
}
