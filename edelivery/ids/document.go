package ids

import "strings"

// DocumentType identifies a kind of document; "service" in OASIS SMP 2.0.
type DocumentType struct{ Scheme, Value string }

// Parts are what a document type value is made of: {syntax}##{customization}::{version}. For XML the syntax
// part is {namespace}::{local}; for others Namespace and Local are empty and Syntax is opaque.
type Parts struct {
	Syntax, Namespace, Local string
	Customization, Version   string
}

// ParseDocumentType reads "scheme::value". The scheme ends at the first "::". A value alone is recognised,
// and gets an empty scheme, when what stands before the first "::" holds a colon and no second "::" follows
// before "##": it is then the namespace of the value. See [DocumentType.Qualified].
func ParseDocumentType(s string) (DocumentType, error) {
	scheme, value, err := split("document type", s)
	if err != nil {
		return DocumentType{}, err
	}
	if strings.IndexByte(scheme, ':') >= 0 {
		if syntax, _, ok := strings.Cut(value, "##"); ok && !strings.Contains(syntax, separator) {
			return DocumentType{Value: s}, nil
		}
	}
	return DocumentType{scheme, value}, nil
}

// NewDocumentType makes a document type of an XML element's scheme attribute and text, white space around
// them ignored. The value is never split.
func NewDocumentType(scheme, value string) (DocumentType, error) {
	scheme, value, err := trimmed("document type", scheme, value)
	return DocumentType{scheme, value}, err
}

func trimmed(kind, scheme, value string) (string, string, error) {
	scheme, value = strings.TrimSpace(scheme), strings.TrimSpace(value)
	if err := checkText(kind, value); err != nil {
		return "", "", err
	}
	if scheme != "" {
		if err := checkText(kind, scheme); err != nil {
			return "", "", err
		}
	}
	switch {
	case strings.Contains(scheme, separator) || strings.HasSuffix(scheme, ":"):
		return "", "", &Error{kind, scheme, "the scheme holds or ends the mark :: [BusDox 2.3]"}
	case strings.ContainsFunc(scheme, isSpace):
		return "", "", &Error{kind, scheme, "white space in the scheme [BusDox 2.3]"}
	}
	return scheme, value, nil
}

// IsZero reports whether d is no document type.
func (d DocumentType) IsZero() bool { return d == DocumentType{} }

// String is scheme::value, as in an AS4 Action; the value alone without scheme.
func (d DocumentType) String() string { return join(d.Scheme, d.Value) }

func join(scheme, value string) string {
	if scheme == "" {
		return value
	}
	return scheme + separator + value
}

// Equal compares octet by octet [PFUOI POLICY 16]. The OASIS default differs: see [Rules.SameDocumentType].
func (d DocumentType) Equal(o DocumentType) bool { return d == o }

// Qualified gives a document type without scheme the scheme that its value suggests: the wildcard one for
// PINT customizations, otherwise the exact one.
func (d DocumentType) Qualified() DocumentType {
	if d.Scheme == "" {
		d.Scheme = SchemeQNS
		if strings.Contains(d.Value, "##urn:peppol:pint:") {
			d.Scheme = SchemeWildcard
		}
	}
	return d
}

// Parts takes the value apart: at the first "##", then the left side at its last "::" and the right side at
// its last "::", because namespaces and customizations hold single colons and even "#" [PFUOI POLICY 20].
func (d DocumentType) Parts() (Parts, error) {
	var p Parts
	var rest string
	var ok bool
	if p.Syntax, rest, ok = strings.Cut(d.Value, "##"); !ok {
		return Parts{}, &Error{"document type", d.Value, "no ## [PFUOI POLICY 20]"}
	}
	i := strings.LastIndex(rest, separator)
	if i < 0 {
		return Parts{}, &Error{"document type", d.Value, "no version after :: [PFUOI POLICY 20]"}
	}
	p.Customization, p.Version = rest[:i], rest[i+len(separator):]
	if i := strings.LastIndex(p.Syntax, separator); i >= 0 {
		p.Namespace, p.Local = p.Syntax[:i], p.Syntax[i+len(separator):]
		if p.Namespace == "" || p.Local == "" {
			return Parts{}, &Error{"document type", d.Value, "empty namespace or local name [PFUOI POLICY 20]"}
		}
	}
	if p.Syntax == "" || p.Customization == "" || p.Version == "" {
		return Parts{}, &Error{"document type", d.Value, "empty part [PFUOI POLICY 20]"}
	}
	return p, nil
}

// String puts the parts together again.
func (p Parts) String() string { return p.Syntax + "##" + p.Customization + separator + p.Version }

// Process identifies the business process a document belongs to.
type Process struct{ Scheme, Value string }

// ParseProcess reads "scheme::value" or a value alone.
func ParseProcess(s string) (Process, error) {
	scheme, value, err := split("process", s)
	return Process{scheme, value}, err
}

// NewProcess makes a process of an XML element's scheme attribute and text, white space around them ignored.
func NewProcess(scheme, value string) (Process, error) {
	scheme, value, err := trimmed("process", scheme, value)
	return Process{scheme, value}, err
}

// IsZero reports whether p is no process.
func (p Process) IsZero() bool { return p == Process{} }

// String is scheme::value; the value alone without scheme.
func (p Process) String() string { return join(p.Scheme, p.Value) }

// Equal compares octet by octet. The OASIS default differs: see [Rules.SameProcess].
func (p Process) Equal(o Process) bool { return p == o }
