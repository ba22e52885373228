package dom

import "strings"

// expander rewrites a document without its document type declaration.
type expander struct {
	dtd   *subset
	out   []byte
	most  int
	count int
}

const (
	mostExpansions = 10_000
	deepestEntity  = 16
)

// entity returns the replacement of the reference at s[i] and where it ends; ok is false for references that
// the parser resolves or refuses.
func (x *expander) entity(s string, i int) (text string, end int, ok bool) {
	n := strings.IndexByte(s[i:], ';')
	if n < 0 {
		return "", i + 1, false
	}
	name := s[i+1 : i+n]
	switch name {
	case "lt", "gt", "amp", "quot", "apos":
		return "", i + 1, false
	}
	text, ok = x.dtd.entities[name]
	return text, i + n + 1, ok
}

// bounded counts one expansion.
func (x *expander) bounded(depth int) string {
	if depth > 0 {
		x.count++
	}
	switch {
	case depth > deepestEntity:
		return "entities that contain each other, or too many levels of them [XML 4.1]"
	case x.count > mostExpansions || len(x.out) > x.most:
		return "entities expand to too much"
	}
	return ""
}

// content copies content with entities expanded and returns what is wrong.
func (x *expander) content(s string, depth int) (wrong string) {
	if wrong = x.bounded(depth); wrong != "" {
		return wrong
	}
	through := func(i int, end string) int {
		n := strings.Index(s[i:], end)
		if n < 0 {
			n = len(s) - i - len(end)
		}
		x.out = append(x.out, s[i:i+n+len(end)]...)
		return i + n + len(end)
	}
	for i := 0; i < len(s); {
		switch rest := s[i:]; {
		case s[i] == '&':
			text, end, ok := x.entity(s, i)
			if !ok {
				x.out = append(x.out, '&')
				i++
				continue
			}
			if wrong = x.content(text, depth+1); wrong != "" {
				return wrong
			}
			i = end
		case strings.HasPrefix(rest, "<!--"):
			i = through(i, "-->")
		case strings.HasPrefix(rest, "<![CDATA["):
			i = through(i, "]]>")
		case strings.HasPrefix(rest, "<?"):
			i = through(i, "?>")
		case strings.HasPrefix(rest, "</"):
			i = through(i, ">")
		case s[i] == '<':
			if i, wrong = x.tag(s, i); wrong != "" {
				return wrong
			}
		default:
			n := strings.IndexAny(rest, "<&")
			if n < 0 {
				n = len(rest)
			}
			x.out = append(x.out, rest[:n]...)
			i += n
		}
	}
	return ""
}

// tag copies a start tag, with the defaults of attributes that it does not have.
func (x *expander) tag(s string, i int) (end int, wrong string) {
	nameAt := func(i int) int {
		for i < len(s) && class[s[i]]&cName != 0 {
			i++
		}
		return i
	}
	j := nameAt(i + 1)
	el := s[i+1 : j]
	x.out = append(x.out, s[i:j]...)
	seen := map[string]bool{}
	for j < len(s) {
		switch c := s[j]; {
		case c == '>' || c == '/':
			for _, d := range x.dtd.attrs[el] {
				if d.value == "" || seen[d.name] {
					continue
				}
				x.out = append(append(append(x.out, ' '), d.name...), '=', d.value[0])
				if wrong = x.value(d.value[1:len(d.value)-1], 0); wrong != "" {
					return 0, wrong
				}
				x.out = append(x.out, d.value[0])
			}
			x.out = append(x.out, c)
			if c == '/' && j+1 < len(s) {
				j++
				x.out = append(x.out, s[j])
			}
			return j + 1, ""
		case c == '"' || c == '\'':
			n := strings.IndexByte(s[j+1:], c)
			if n < 0 {
				x.out = append(x.out, s[j:]...)
				return len(s), ""
			}
			x.out = append(x.out, c)
			if wrong = x.value(s[j+1:j+1+n], 0); wrong != "" {
				return 0, wrong
			}
			x.out = append(x.out, c)
			j += n + 2
		case class[c]&cName != 0:
			k := nameAt(j)
			seen[s[j:k]] = true
			x.out = append(x.out, s[j:k]...)
			j = k
		default:
			x.out = append(x.out, c)
			j++
		}
	}
	return j, ""
}

// value copies an attribute value with entities expanded. Quotes that come from an entity do not end it.
func (x *expander) value(s string, depth int) (wrong string) {
	if wrong = x.bounded(depth); wrong != "" {
		return wrong
	}
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '&':
			text, end, ok := x.entity(s, i)
			if !ok {
				x.out = append(x.out, '&')
				i++
				continue
			}
			if wrong = x.value(text, depth+1); wrong != "" {
				return wrong
			}
			i = end
			continue
		case depth > 0 && c == '"':
			x.out = append(x.out, "&#34;"...)
		case depth > 0 && c == '\'':
			x.out = append(x.out, "&#39;"...)
		default:
			x.out = append(x.out, c)
		}
		i++
	}
	return ""
}
