package ebms

import "strings"

// MatchParts checks the parts that a message carries against those its header names, and returns for each
// eb:PartInfo the index of its MIME part in contentIDs, -1 for the SOAP Body. contentIDs are those of all parts but
// the root; inBody says that the Body is not empty.
//
// ExternalPayloadError: a part that is named and missing, or there and not named ([Quirks.UnnamedParts]).
// ValueInconsistent: a part named twice. MimeInconsistency: two parts with one content id.
func (m *UserMessage) MatchParts(contentIDs []string, inBody bool, q Quirks) ([]int, error) {
	byID := make(map[string]int, len(contentIDs))
	for i, id := range contentIDs {
		id = unescapeID(trimBrackets(id))
		if _, dup := byID[id]; dup && id != "" {
			return nil, m.partError(MimeInconsistency, "two parts have the Content-ID "+id)
		}
		byID[id] = i
	}
	match := make([]int, len(m.Parts))
	used := make([]bool, len(contentIDs))
	bodyNamed := false
	for i := range m.Parts {
		p := &m.Parts[i]
		id, attached := p.ContentID()
		switch {
		case attached:
			at, ok := byID[id]
			if !ok || id == "" {
				return nil, m.partError(ExternalPayloadError, "no part "+p.Href+" in the message [ebMS3 5.2.2.12]")
			}
			if used[at] {
				return nil, m.partError(ValueInconsistent, "the part "+p.Href+" is named twice")
			}
			used[at] = true
			match[i] = at
		case p.InBody():
			if !inBody {
				return nil, m.partError(ExternalPayloadError, "a part in the SOAP Body, which is empty [ebMS3 5.2.2.12]")
			}
			bodyNamed = true
			match[i] = -1
		default:
			return nil, m.partError(ExternalPayloadError, "the part "+p.Href+" is not in the message [EU-AS4 1.4.2.3]")
		}
	}
	if q.UnnamedParts {
		return match, nil
	}
	for i, ok := range used {
		if !ok {
			return nil, m.partError(ExternalPayloadError, "no eb:PartInfo names the part "+contentIDs[i])
		}
	}
	if inBody && !bodyNamed {
		return nil, m.partError(ExternalPayloadError, "no eb:PartInfo names the content of the SOAP Body")
	}
	return match, nil
}

func (m *UserMessage) partError(code Code, detail string) error {
	e := code.New(token(detail, maxDetail))
	e.RefToMessageInError = m.MessageID
	return e
}

// Compressed reports whether the part is gzip by its CompressionType, and checks the properties that tell how to
// restore it [AS4 3.1]: DecompressionFailure for a compressed part without MimeType, ValueInconsistent for another
// compression or a CharacterSet that cannot be.
func (p *PartInfo) Compressed() (bool, error) {
	charset, has := p.Property(PropertyCharacterSet)
	if has && !possibleCharset(charset) {
		return false, partFailure(p, ValueInconsistent, "CharacterSet %q is none [AS4 3.1]", charset)
	}
	c, ok := p.Property(PropertyCompressionType)
	if !ok {
		return false, nil
	}
	if !strings.EqualFold(c, CompressionGzip) {
		return false, partFailure(p, ValueInconsistent, "CompressionType %q is not "+CompressionGzip+" [AS4 3.1]", c)
	}
	if _, ok := p.Property(PropertyMimeType); !ok {
		return false, partFailure(p, DecompressionFailure, "a compressed part without MimeType [AS4 3.1]")
	}
	return true, nil
}

func partFailure(p *PartInfo, code Code, format string, args ...any) error {
	return fail(p.Node, code, format, args...)
}

// CheckTest checks that the test action comes with the test service [ebMS3 5.2.2.8].
func (m *UserMessage) CheckTest() error {
	if m.Action == TestAction && m.Service.Value != TestService {
		return m.partError(ProcessingModeMismatch, "the test action belongs to the test service [ebMS3 5.2.2.8]")
	}
	return nil
}

// possibleCharset reports whether a name can be that of a character set for text: one of the families in use,
// ignoring case, hyphens and underscores.
func possibleCharset(name string) bool {
	if name == "" || len(name) > 40 || !isToken(name) {
		return false
	}
	s := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	for _, family := range [...]string{"iso8859", "latin", "windows", "cp", "ibm", "koi8", "euc", "iso2022", "tis620",
		"gb", "big5", "mac", "xmac", "viscii", "hz"} {
		if strings.HasPrefix(s, family) {
			return true
		}
	}
	switch s {
	case "utf8", "utf16", "utf16be", "utf16le", "utf32", "utf32be", "utf32le", "usascii", "ascii", "iso646us",
		"shiftjis", "sjis", "windows31j", "ucs2", "iso10646ucs2":
		return true
	}
	return false
}
