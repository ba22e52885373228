package ids

import "strings"

// Path is what a metadata request asks for: /{participant}, /{participant}/services or
// /{participant}/services/{document type}.
type Path struct {
	Participant  Participant
	Services     bool         // the path goes on with /services
	DocumentType DocumentType // zero when the path ends before it
}

// ParticipantPath is "/{participant}", percent-encoded.
func ParticipantPath(p Participant) string {
	s := p.String()
	return string(appendEscaped(append(make([]byte, 0, 1+len(s)*3/2), '/'), s))
}

// ServicePath is "/{participant}/services/{document type}", each segment percent-encoded by itself [SMP2 3.3].
func ServicePath(p Participant, d DocumentType) string {
	ps, ds := p.String(), d.String()
	b := append(make([]byte, 0, 16+(len(ps)+len(ds))*3/2), '/')
	b = append(appendEscaped(b, ps), "/services/"...)
	return string(appendEscaped(b, ds))
}

// String is the path for a request.
func (p Path) String() string {
	switch {
	case !p.DocumentType.IsZero():
		return ServicePath(p.Participant, p.DocumentType)
	case p.Services:
		return ParticipantPath(p.Participant) + "/services"
	}
	return ParticipantPath(p.Participant)
}

// ParsePath reads the path of a request below a server's prefix, which is cut off before. The argument is
// URL.EscapedPath(): it is split at slashes before it is decoded, because document types may hold %2F [SMP2 3.3].
// One slash at the end is ignored.
func ParsePath(escaped string) (Path, error) {
	rest, ok := strings.CutPrefix(escaped, "/")
	if !ok {
		return Path{}, &Error{"path", escaped, "does not begin with /"}
	}
	segments := strings.SplitN(strings.TrimSuffix(rest, "/"), "/", 4)
	var p Path
	s, err := UnescapeSegment(segments[0])
	if err != nil {
		return Path{}, err
	}
	if p.Participant, err = ParseParticipant(s); err != nil {
		return Path{}, err
	}
	switch {
	case len(segments) == 1:
		return p, nil
	case segments[1] != "services" || len(segments) > 3:
		return Path{}, &Error{"path", escaped, "is not /{participant}/services/{document type}"}
	}
	p.Services = true
	if len(segments) == 3 {
		if s, err = UnescapeSegment(segments[2]); err != nil {
			return Path{}, err
		}
		if p.DocumentType, err = ParseDocumentType(s); err != nil {
			return Path{}, err
		}
	}
	return p, nil
}

// Join appends the participant's path to the base address found by discovery: slashes at its end are
// stripped, and nothing is appended when the path already ends in this participant, as records of the first
// registries did [EU-BDXL 1.4.4].
func Join(base string, p Participant) string {
	base = strings.TrimRight(base, "/")
	if i := strings.LastIndexByte(base, '/'); i >= 0 && !strings.HasSuffix(base[:i+1], "//") {
		if s, err := UnescapeSegment(base[i+1:]); err == nil && equalFold(s, p.String()) {
			return base
		}
	}
	return base + ParticipantPath(p)
}

// JoinService appends /{participant}/services/{document type} to the base address, as [Join] does.
func JoinService(base string, p Participant, d DocumentType) string {
	return Join(base, p) + "/services/" + EscapeSegment(d.String())
}

// ParseReference finds the document type in a ServiceMetadataReference of the participant's service group:
// what follows /{participant}/services/, wherever that stands, compared without case. Servers of all ages
// are read: slashes and # of the document type may be unencoded.
func ParseReference(href string, p Participant) (DocumentType, error) {
	s, err := UnescapeSegment(strings.TrimSpace(href))
	if err != nil {
		return DocumentType{}, err
	}
	marks := []string{"/" + p.String() + "/services/"}
	if p.IsPartyID() {
		marks = append(marks, "/"+p.Scheme+separator+p.Value+"/services/")
	}
	for _, mark := range marks {
		if i := strings.Index(lower(s), lower(mark)); i >= 0 {
			return ParseDocumentType(s[i+len(mark):])
		}
	}
	return DocumentType{}, &Error{"path", href, "is no service of " + p.String()}
}
