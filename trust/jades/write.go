package jades

import (
	"fmt"
)

// Bytes writes the message. What was read keeps the octets that are signed or time-stamped; white space around them does not.
func (m *Message) Bytes() ([]byte, error) {
	if m.Serialization != General && len(m.Signatures) != 1 {
		return nil, fmt.Errorf("%w: %d signatures in the %s form", ErrStructure, len(m.Signatures), m.Serialization)
	}
	if m.Serialization == Compact {
		s := m.Signatures[0]
		if len(s.unsigned) > 0 {
			return nil, fmt.Errorf("%w: no room for etsiU in the compact form", ErrStructure)
		}
		return []byte(s.protected + "." + m.payload + "." + s.text), nil
	}
	out := []byte{'{'}
	if !m.detached {
		out = appendString(append(out, `"payload":`...), m.payload)
		out = append(out, ',')
	}
	if m.Serialization == Flattened {
		out = m.Signatures[0].appendMembers(out)
	} else {
		out = append(out, `"signatures":[`...)
		for i, s := range m.Signatures {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(s.appendMembers(append(out, '{')), '}')
		}
		out = append(out, ']')
	}
	return append(appendFurther(out, m.further), '}'), nil
}

// appendFurther writes members as they were read, each behind a comma.
func appendFurther(out []byte, members []member) []byte {
	for _, x := range members {
		out = append(appendString(append(out, ','), x.name), ':')
		out = append(out, x.value.raw...)
	}
	return out
}

// appendMembers writes the members of a signature, without the braces.
func (s *Signature) appendMembers(out []byte) []byte {
	out = appendString(append(out, `"protected":`...), s.protected)
	if len(s.unsigned)+len(s.unprotected) > 0 {
		out = append(out, `,"header":{`...)
		start := len(out)
		if len(s.unsigned) > 0 {
			out = append(out, `"etsiU":[`...)
			for i := range s.unsigned {
				if i > 0 {
					out = append(out, ',')
				}
				if p := &s.unsigned[i]; p.clear {
					out = append(out, p.text...)
				} else {
					out = appendString(out, p.text)
				}
			}
			out = append(out, ']')
		}
		rest := appendFurther(nil, s.unprotected)
		if len(out) == start && len(rest) > 0 {
			rest = rest[1:]
		}
		out = append(append(out, rest...), '}')
	}
	out = appendString(append(out, `,"signature":`...), s.text)
	return appendFurther(out, s.further)
}
