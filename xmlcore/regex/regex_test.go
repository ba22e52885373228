package regex

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSchemaExpressionsMatchTheWholeText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{`[A-Z]{2}\d{1,3}`, "BE12", true},
		{`[A-Z]{2}\d{1,3}`, "BE1234", false},
		{`a|b`, "ab", false},
		{`^a$`, "^a$", true}, // no anchors in this dialect
		{`[a-z-[aeiou]]+`, "xyz", true},
		{`[a-z-[aeiou]]+`, "xaz", false},
		{`[^a-c-[x]]`, "x", false},
		{`[\d-[5]]{2}`, "46", true},
		{`\p{IsGreek}+`, "αβγ", true},
		{`\P{IsGreek}+`, "αβγ", false},
		{`\p{Lu}\p{Ll}*`, "Élan", true},
		{`\i\c*`, "a-1:b.c", true},
		{`\i\c*`, "1a", false},
		{`\w+`, "a_b", false},
		{`[^X]{0,9999}`, strings.Repeat("y", 9999), true},
		{`[^X]{0,9999}`, strings.Repeat("y", 10000), false},
		{`(ab){2000,2001}`, strings.Repeat("ab", 2001), true},
		{`(ab){2000,2001}`, strings.Repeat("ab", 1999), false},
		{`(a{0,40}){0,40}`, strings.Repeat("a", 1600), true},
		{`.`, "\n", false},
		{`.`, "\U0001F600", true},
		{``, "", true},
		{`(ab){0,0}`, "", true},
		{`\d{3}`, "٣٤٥", true},
		{`[-a]+`, "a-a", true},
		{`[a-]+`, "a-a", true},
		{`[\-\]]+`, "-]", true},
	} {
		r, err := Compile(c.pattern, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got, err := r.Match(c.text); got != c.want || err != nil {
			t.Errorf("%s on %.20q: %v %v", c.pattern, c.text, got, err)
		}
	}
}

func TestWhatIsNoExpressionIsRefused(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		`[`, `[]`, `[^]`, `(`, `)`, `a**`, `?`, `*a`, `a{2,1}`, `a{`, `a{x}`, `\`, `\e`, `\p{Xx}`, `\p{IsNowhere}`, `\pL`, `[a`, `[z-a]`,
		`[a-\d]`, `[a-c-e]`, `[a[b]`, `]`, `}`, `a{2`, `[a-[b]c]`, `(?:a)`, `\1`, `a+?`,
	} {
		_, err := Compile(pattern, Options{})
		var e *Error
		if !errors.Is(err, ErrSyntax) || !errors.As(err, &e) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
	for _, pattern := range []string{
		strings.Repeat("(", 200) + strings.Repeat(")", 200), `((a{1000}){1000}b){1000}`, strings.Repeat("a", 1<<17), `(ab){1000000}`,
	} {
		if _, err := Compile(pattern, Options{}); !errors.Is(err, ErrLimit) {
			t.Errorf("%.20s: %v", pattern, err)
		}
	}
}

func TestFunctionsFindMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, flags, text string
		want                 []string // each match with its groups
	}{
		{`a(b)?`, "", "ab a", []string{"ab/b", "a/-"}},
		{`^a`, "", "a\na", []string{"a"}},
		{`^a`, "m", "a\na", []string{"a", "a"}},
		{`a$`, "", "a\na", []string{"a"}},
		{`A.`, "i", "ab", []string{"ab"}},
		{`a.b`, "", "a\nb", nil},
		{`a.b`, "s", "a\nb", []string{"a\nb"}},
		{` a b `, "x", "ab", []string{"ab"}},
		{`a.`, "q", "aba.", []string{"a."}},
		{`(?:x)+?`, "", "xx", []string{"x", "x"}},
		{`([a-z])\1`, "", "abccdd", []string{"cc/c", "dd/d"}},
		{`(a)|b\1`, "", "b", []string{"b/-"}},
		{`[A-Z-[B]]`, "i", "b", nil},
		{`\p{Lu}[\p{Lu}x-z]`, "i", "Aa AZ ax AX", []string{"AZ", "AX"}}, // named sets have no case variants
		{`ÄB`, "i", "äb", []string{"äb"}},
		{`ÄB.`, "iq", "äb.", []string{"äb."}},
		{`(a)\1`, "i", "aA", []string{"aA/a"}},
		{`\$`, "", "$", []string{"$"}},
	} {
		o, err := ParseFlags(c.flags)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Compile(c.pattern, o)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		var got []string
		if err := r.FindAll(c.text, func(m []int) bool {
			s := c.text[m[0]:m[1]]
			for i := 2; i < len(m); i += 2 {
				if m[i] < 0 {
					s += "/-"
				} else {
					s += "/" + c.text[m[i]:m[i+1]]
				}
			}
			got = append(got, s)
			return true
		}); err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s on %q: %q", c.pattern, c.text, got)
		}
	}
	if _, err := ParseFlags("z"); !errors.Is(err, ErrSyntax) {
		t.Error(err)
	}
}

func TestBackReferencesStopAfterManySteps(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{`(a*)*(a*)*b\1`, strings.Repeat("a", 40)}, {`(.*)x\1y`, strings.Repeat("x", 1<<20)}} {
		r, err := Compile(c[0], Options{XPath: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Match(c[1]); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", c[0], err)
		}
	}
}

func TestLargeExpressionsStopOnLargeTexts(t *testing.T) {
	t.Parallel()
	r, err := Compile(`(a|b|ab|ba){0,1000}(a|b|ab){0,1000}`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := r.Match(strings.Repeat("ab", 300)); !ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := r.Match(strings.Repeat("ab", 1<<20)); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}
