package regex

import (
	"regexp"
	"testing"
	"unicode/utf8"
)

// standard anchors an expression that the emitter wrote.
func standard(text string) *regexp.Regexp {
	r, err := regexp.Compile(`\A(?:` + text + `)\z`)
	if err != nil {
		return nil
	}
	return r
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`[a-z-[aeiou]]{2,3}|\p{IsGreek}*`, `(a|b)+\1`, `^\d{4}$`, `\i\c*`, `[^\s]{0,9999}`} {
		f.Add(s, "abc", "")
		f.Add(s, "2020", "imsx")
	}
	f.Fuzz(func(t *testing.T, pattern, text, flags string) {
		if len(pattern) > 200 || len(text) > 200 || !utf8.ValidString(text) {
			return
		}
		if r, err := Compile(pattern, Options{}); err == nil {
			got, err := r.Match(text)
			if err != nil {
				t.Fatal(err)
			}
			if r.chain != nil { // the direct way and the automaton agree
				p := parser{src: pattern}
				root, _ := p.parse()
				e := emitter{}
				e.node(root, 1)
				if e.size < 500 {
					std := standard(e.b.String())
					if std != nil && std.MatchString(text) != got {
						t.Fatalf("%q on %q: chain says %v", pattern, text, got)
					}
				}
			}
		}
		if o, err := ParseFlags(flags); err == nil {
			if r, err := Compile(pattern, o); err == nil {
				_ = r.FindAll(text, func(m []int) bool {
					if m[0] < 0 || m[1] < m[0] || m[1] > len(text) {
						t.Fatalf("%q on %q: match %v", pattern, text, m)
					}
					return true
				})
			}
		}
	})
}
