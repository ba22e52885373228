package ids

import "strings"

// Match chooses from the offered document types the one that stands for the wanted one, octet by octet.
// See [Rules.Match].
func Match(offered []DocumentType, wanted DocumentType) (DocumentType, bool, error) {
	return Rules{}.Match(offered, wanted)
}

// Match chooses from the document types that a receiver offers the one under which the wanted one is to be
// asked for; ok is false when the receiver cannot receive it. For exact schemes it is the equal one. For the
// wildcard scheme the exact one wins, then the one with "*", then with one "@" part less and "*", and so on;
// syntax part and version always have to be equal. The message itself goes on naming the wanted one.
func (r Rules) Match(offered []DocumentType, wanted DocumentType) (match DocumentType, ok bool, err error) {
	if wanted.Scheme != SchemeWildcard {
		for _, o := range offered {
			if r.SameDocumentType(o, wanted) {
				return o, true, nil
			}
		}
		return DocumentType{}, false, nil
	}
	p, err := wanted.Parts()
	if err != nil {
		return DocumentType{}, false, err
	}
	c := strings.TrimSuffix(p.Customization, "*")
	if strings.IndexByte(c, '*') >= 0 {
		return DocumentType{}, false, &Error{"document type", wanted.Value, "* before the end of the customization"}
	}
	find := func(customization string) bool {
		p.Customization = customization
		value := p.String()
		for _, o := range offered {
			if o.Scheme == SchemeWildcard && same(r.FoldDocumentType, o.Value, value) {
				match = o
				return true
			}
		}
		return false
	}
	if find(c) || find(c+"*") {
		return match, true, nil
	}
	for {
		i := strings.LastIndexByte(c, '@')
		if i < 0 {
			return DocumentType{}, false, nil
		}
		if c = c[:i]; find(c + "*") {
			return match, true, nil
		}
	}
}
