package ids

import "testing"

func FuzzParticipant(f *testing.F) {
	for _, s := range []string{
		"iso6523-actorid-upis::0088:123", "0088:123", urn0088 + ":1", urn0088 + "::1", PartyIDPrefix + "unregistered:x:y",
		"a::", "::a", "a:::b", "%3a%3A", "URN:OASIS:NAMES:TC:EBCORE:PARTYID-TYPE:ISO6523:0088:A", "a b", "ä::ö",
	} {
		f.Add(s)
	}
	strict, lookup := StrictRules(), LookupRules()
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := UnescapeSegment(s); err == nil {
			u, _ := UnescapeSegment(s)
			if v, err := UnescapeSegment(EscapeSegment(u)); err != nil || v != u {
				t.Fatalf("%q is escaped and comes back as %q, %v", u, v, err)
			}
		}
		if d, err := ParseDocumentType(s); err == nil {
			if e, err := ParseDocumentType(d.String()); err != nil || e != d {
				t.Fatalf("document type %#v comes back as %#v, %v", d, e, err)
			}
			if p, err := d.Parts(); err == nil && p.String() != d.Value {
				t.Fatalf("%q has parts %#v", d.Value, p)
			}
		}
		p, err := ParseParticipant(s)
		if err != nil {
			return
		}
		if q, err := ParseParticipant(p.String()); err != nil || q != p {
			t.Fatalf("%#v prints %q and comes back as %#v, %v", p, p, q, err)
		}
		if q, err := NewParticipant(p.Scheme, p.Value); err != nil || q != p {
			t.Fatalf("%#v from attribute and text: %#v, %v", p, q, err)
		}
		if n := p.Normalized(); !n.Equal(p) || n.Normalized() != n {
			t.Fatalf("%#v normalises to %#v", p, n)
		}
		if got, err := ParsePath(ParticipantPath(p)); err != nil || got.Participant != p {
			t.Fatalf("%#v: path %s gives %#v, %v", p, ParticipantPath(p), got, err)
		}
		if strict.CheckParticipant(p) == nil && lookup.CheckParticipant(p) != nil {
			t.Fatalf("%#v may be registered but not looked up", p)
		}
	})
}
