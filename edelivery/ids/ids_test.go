package ids

import (
	"errors"
	"strings"
	"testing"
)

const (
	urn0088 = "urn:oasis:names:tc:ebcore:partyid-type:iso6523:0088"
	invoice = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice##urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0::2.1"
)

func TestParseParticipant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     Participant
		str      string // "" = as in
	}{
		{"the scheme ends at the first double colon", "a-b-c::x::y", Participant{"a-b-c", "x::y"}, ""},
		{"a colon after the double colon belongs to the value", "a-b-c:::x", Participant{"a-b-c", ":x"}, ""},
		{"a value alone has no scheme", "0088:123", Participant{"", "0088:123"}, ""},
		{"an ebCore URN splits before its last part", urn0088 + ":4035811991021", Participant{urn0088, "4035811991021"}, ""},
		{"an ebCore URN with a double colon is the same party", urn0088 + "::4035811991021", Participant{urn0088, "4035811991021"}, urn0088 + ":4035811991021"},
		{"an unregistered ebCore party keeps its domain in the value", PartyIDPrefix + "unregistered:ec.europa.eu:x", Participant{PartyIDPrefix + "unregistered", "ec.europa.eu:x"}, ""},
		{"the URN without names is no ebCore party", "urn:oasis:tc:ebcore:partyid-type:iso6523:0088:1", Participant{"", "urn:oasis:tc:ebcore:partyid-type:iso6523:0088:1"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := ParseParticipant(c.in)
			if err != nil || p != c.want {
				t.Fatalf("got %#v, %v, want %#v", p, err, c.want)
			}
			if c.str == "" {
				c.str = c.in
			}
			if p.String() != c.str {
				t.Errorf("prints %q, want %q", p, c.str)
			}
		})
	}
}

func TestParseParticipantRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing":                           "",
		"no scheme before the double colon": "::0088:1",
		"no value after the double colon":   "a-b-c::",
		"white space in the scheme":         "a b-c::x",
		"white space in front":              " a-b-c::x",
		"a line break":                      "a-b-c::x\ny",
		"octets that are no UTF-8":          "a-b-c::\xff",
		"more than 2048 octets":             "a-b-c::" + strings.Repeat("x", 2048),
		"an ebCore URN without identifier":  urn0088,
		"an ebCore URN with empty scheme":   PartyIDPrefix + "iso6523::1",
		"an ebCore URN with three colons":   urn0088 + ":::1",
		"an ebCore URN that ends in colons": urn0088 + "::",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := ParseParticipant(in); !errors.Is(err, ErrIdentifier) {
				t.Errorf("got %#v, %v", p, err)
			}
		})
	}
}

func TestNewParticipant(t *testing.T) {
	t.Parallel()
	want := Participant{urn0088, "4035811991021"}
	for name, in := range map[string][2]string{
		"the whole URN in the value":        {"", urn0088 + ":4035811991021"},
		"the scheme in the attribute":       {urn0088, "4035811991021"},
		"the scheme in both":                {urn0088, urn0088 + ":4035811991021"},
		"the URN with a double colon":       {"", urn0088 + "::4035811991021"},
		"the catalogue in the attribute":    {PartyIDPrefix + "iso6523", "0088:4035811991021"},
		"white space around both, as typed": {"\n  " + urn0088 + " ", "\t4035811991021\r\n"},
	} {
		if p, err := NewParticipant(in[0], in[1]); err != nil || p != want {
			t.Errorf("%s: got %#v, %v", name, p, err)
		}
	}
	if p, err := NewParticipant("a-b-c", "x::y"); err != nil || p != (Participant{"a-b-c", "x::y"}) {
		t.Errorf("a double colon in the value: got %#v, %v", p, err)
	}
	if p, err := NewParticipant("", "a-b-c::y"); err != nil || p != (Participant{"a-b-c", "y"}) {
		t.Errorf("both in the value: got %#v, %v", p, err)
	}
	for name, scheme := range map[string]string{"double colon": "a::b", "colon at the end": "a:", "white space": "a b"} {
		if p, err := NewParticipant(scheme, "x"); !errors.Is(err, ErrIdentifier) {
			t.Errorf("scheme with %s: got %#v, %v", name, p, err)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	a, b := Participant{SchemeActor, "9914:ATU1"}, Participant{SchemeActor, "9914:atu1"}
	shout := Participant{strings.ToUpper(SchemeActor), "9914:atu1"}
	lookup, oasis := LookupRules(), OASISRules()
	if !a.Equal(b) || !lookup.SameParticipant(a, b) || a.Normalized() != b.Normalized() {
		t.Error("the value of a participant compares without case")
	}
	if a.Equal(shout) || lookup.SameParticipant(a, shout) {
		t.Error("the scheme of a participant compares with case")
	}
	if !oasis.SameParticipant(a, shout) || oasis.ParticipantKey(a) != oasis.ParticipantKey(shout) {
		t.Error("OASIS compares everything without case")
	}
	if lookup.ParticipantKey(a) == lookup.ParticipantKey(shout) || lookup.ParticipantKey(a) != lookup.ParticipantKey(b) {
		t.Error("keys must agree with comparison")
	}
	u, v := Participant{urn0088, "X"}, Participant{strings.ToUpper(urn0088), "x"}
	if !u.Equal(v) || !lookup.SameParticipant(u, v) || lookup.ParticipantKey(u) != lookup.ParticipantKey(v) {
		t.Error("an ebCore URN compares wholly without case")
	}
	d, e := DocumentType{SchemeQNS, invoice}, DocumentType{SchemeQNS, lower(invoice)}
	if d.Equal(e) || lookup.SameDocumentType(d, e) || lookup.DocumentTypeKey(d) == lookup.DocumentTypeKey(e) {
		t.Error("a document type compares with case")
	}
	if !oasis.SameDocumentType(d, e) || oasis.DocumentTypeKey(d) != oasis.DocumentTypeKey(e) {
		t.Error("OASIS compares document types without case")
	}
	p, q := Process{SchemeProcess, "urn:X"}, Process{SchemeProcess, "urn:x"}
	if p.Equal(q) || lookup.SameProcess(p, q) || !oasis.SameProcess(p, q) || oasis.ProcessKey(p) != oasis.ProcessKey(q) {
		t.Error("a process compares with case, by OASIS without")
	}
	if p.Equal(Process{"oioubl-procid-ubl", "urn:X"}) {
		t.Error("a process compares scheme and value both")
	}
}

func TestICD(t *testing.T) {
	t.Parallel()
	for p, want := range map[Participant]string{
		{SchemeActor, "0088:1"}:                                "0088",
		{urn0088, "1"}:                                         "0088",
		{PartyIDPrefix + "unregistered", "x"}:                  "",
		{"connectivity-partid-qns", "0088:1"}:                  "",
		{SchemeActor, "088:1"}:                                 "",
		{strings.ToUpper(PartyIDPrefix) + "ISO6523:0060", "1"}: "0060",
	} {
		if got := p.ICD(); got != want {
			t.Errorf("%v: got %q, want %q", p, got, want)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	strict, lookup := StrictRules(), LookupRules()
	icds := map[string]State{"0088": Active, "9956": Deprecated, "9901": Removed}
	strict.ICDs, lookup.ICDs = icds, icds
	for _, c := range []struct {
		name         string
		p            Participant
		strict, look bool
	}{
		{"an active ICD passes", Participant{SchemeActor, "0088:1"}, true, true},
		{"a deprecated ICD is only looked up", Participant{SchemeActor, "9956:1"}, false, true},
		{"a removed ICD is refused", Participant{SchemeActor, "9901:1"}, false, false},
		{"an unlisted ICD is refused", Participant{SchemeActor, "9999:1"}, false, false},
		{"a second colon is only looked up", Participant{SchemeActor, "9956:DE:BMIEVG"}, false, true},
		{"a star is neither", Participant{SchemeActor, "*"}, false, false},
		{"no scheme is neither", Participant{"", "0088:1"}, false, false},
		{"an ebCore party passes", Participant{urn0088, "1"}, true, true},
		{"an ebCore URN without names is pointed out", Participant{"", "urn:oasis:tc:ebcore:partyid-type:iso6523:0088:1"}, false, false},
	} {
		if err := strict.CheckParticipant(c.p); (err == nil) != c.strict {
			t.Errorf("%s: strict %v", c.name, err)
		}
		if err := lookup.CheckParticipant(c.p); (err == nil) != c.look {
			t.Errorf("%s: lookup %v", c.name, err)
		}
	}
	oasis := OASISRules()
	if err := oasis.CheckParticipant(Participant{"", "0088:1"}); err != nil {
		t.Errorf("OASIS needs no scheme: %v", err)
	}
	if err := lookup.CheckProcess(Process{SchemeProcess, strings.Repeat("x", 201)}); err == nil {
		t.Error("a process of 201 characters passes")
	}
	if err := lookup.CheckProcess(Process{SchemeProcess, strings.Repeat("ä", 200)}); err != nil {
		t.Errorf("a process of 200 Latin-1 characters: %v", err)
	}
	if err := lookup.CheckTransportProfile(strings.Repeat("x", 51)); err == nil {
		t.Error("a transport profile of 51 characters passes")
	}
	for _, name := range []string{"peppol-registration", "peppol-lookup", "oasis"} {
		if r, ok := Named(name); !ok || r.Name != name {
			t.Errorf("no rules named %s", name)
		}
	}
	if _, ok := Named("x"); ok {
		t.Error("rules named x")
	}
}

func TestParseDocumentType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     DocumentType
		guess    string
	}{
		{"with scheme", SchemeQNS + "::" + invoice, DocumentType{SchemeQNS, invoice}, SchemeQNS},
		{"a value alone is known by its namespace", invoice, DocumentType{"", invoice}, SchemeQNS},
		{"a PINT value alone suggests the wildcard scheme", "urn:x::Invoice##urn:peppol:pint:billing-1@jp-1::2.1", DocumentType{"", "urn:x::Invoice##urn:peppol:pint:billing-1@jp-1::2.1"}, SchemeWildcard},
		{"a URN as scheme", "urn:s::" + invoice, DocumentType{"urn:s", invoice}, "urn:s"},
		{"a URN as scheme of an opaque value", "urn:s::urn:ehealth:ps", DocumentType{"urn:s", "urn:ehealth:ps"}, "urn:s"},
	} {
		d, err := ParseDocumentType(c.in)
		if err != nil || d != c.want || d.String() != c.in || d.Qualified().Scheme != c.guess {
			t.Errorf("%s: got %#v, %v", c.name, d, err)
		}
	}
	p, err := DocumentType{SchemeQNS, invoice}.Parts()
	want := Parts{
		Syntax:    "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2::Invoice",
		Namespace: "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2", Local: "Invoice",
		Customization: "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0", Version: "2.1",
	}
	if err != nil || p != want {
		t.Errorf("got %#v, %v", p, err)
	}
	if p, err := (DocumentType{"x", "asice##urn:c::1"}).Parts(); err != nil || p != (Parts{Syntax: "asice", Customization: "urn:c", Version: "1"}) {
		t.Errorf("a syntax part that is no XML is opaque: got %#v, %v", p, err)
	}
	for _, in := range []string{"a::b##::1", "a::b##c::", "##c::1", "::b##c::1", "a::##c::1"} {
		if p, err := (DocumentType{SchemeQNS, in}).Parts(); err == nil {
			t.Errorf("%s: an empty part gives %#v", in, p)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	exact := DocumentType{SchemeQNS, invoice}
	if d, ok, err := Match([]DocumentType{{SchemeQNS, lower(invoice)}, exact}, exact); err != nil || !ok || d != exact {
		t.Errorf("an exact scheme matches octet by octet: %v %v %v", d, ok, err)
	}
	if d, ok, err := OASISRules().Match([]DocumentType{{SchemeQNS, lower(invoice)}}, exact); err != nil || !ok || d.Value != lower(invoice) {
		t.Errorf("OASIS rules match without case and return the offered spelling: %v %v %v", d, ok, err)
	}
	if _, _, err := Match(nil, DocumentType{SchemeWildcard, "nonsense"}); !errors.Is(err, ErrIdentifier) {
		t.Errorf("a wildcard value without parts: %v", err)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	p, d := Participant{SchemeActor, "0088:4035811991021"}, DocumentType{SchemeQNS, invoice}
	const group = "/iso6523-actorid-upis%3A%3A0088%3A4035811991021"
	const service = group + "/services/busdox-docid-qns%3A%3Aurn%3Aoasis%3Anames%3Aspecification%3Aubl%3Aschema%3Axsd%3AInvoice-2%3A%3AInvoice%23%23urn%3Acen.eu%3Aen16931%3A2017%23compliant%23urn%3Afdc%3Apeppol.eu%3A2017%3Apoacc%3Abilling%3A3.0%3A%3A2.1"
	if got := ServicePath(p, d); got != service {
		t.Errorf("got %s", got)
	}
	for name, in := range map[string]string{
		"as we write it":     service,
		"lower-case hex":     strings.ReplaceAll(service, "%3A", "%3a"),
		"unencoded colons":   strings.ReplaceAll(service, "%3A", ":"),
		"a slash at the end": service + "/",
	} {
		got, err := ParsePath(in)
		if err != nil || got != (Path{p, true, d}) || got.String() != service {
			t.Errorf("%s: got %#v, %v", name, got, err)
		}
	}
	if got, err := ParsePath(group); err != nil || got != (Path{Participant: p}) || got.String() != group {
		t.Errorf("service group: got %#v, %v", got, err)
	}
	if got, err := ParsePath(group + "/services"); err != nil || got != (Path{Participant: p, Services: true}) || got.String() != group+"/services" {
		t.Errorf("all services: got %#v, %v", got, err)
	}
	if got, err := ParsePath("/x/services/s%3A%3Aa%2Fb"); err != nil || got.DocumentType != (DocumentType{"s", "a/b"}) {
		t.Errorf("an encoded slash belongs to the document type: got %#v, %v", got, err)
	}
	for _, in := range []string{"", "x", "/", "//services/x", "/x/y", "/x/services/a/b", "/%zz", "/%4", "/%ff", "/a/services/%00"} {
		if got, err := ParsePath(in); !errors.Is(err, ErrIdentifier) {
			t.Errorf("%q: got %#v, %v", in, got, err)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	p := Participant{SchemeActor, "0010:5798000000001"}
	const enc = "iso6523-actorid-upis%3A%3A0010%3A5798000000001"
	for in, want := range map[string]string{
		"https://h":      "https://h/" + enc,
		"https://h/":     "https://h/" + enc,
		"https://h/smp":  "https://h/smp/" + enc,
		"https://h/smp/": "https://h/smp/" + enc,
		"http://h/iso6523-actorid-upis::0010:5798000000001": "http://h/iso6523-actorid-upis::0010:5798000000001",
		"http://h/" + enc + "/":                             "http://h/" + enc,
	} {
		if got := Join(in, p); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if got := JoinService("https://h/", p, DocumentType{"s", "a+b/c*~"}); got != "https://h/"+enc+"/services/s%3A%3Aa%2Bb%2Fc%2A~" {
		t.Errorf("got %s", got)
	}
}

func TestParseReference(t *testing.T) {
	t.Parallel()
	p := Participant{SchemeActor, "9914:ATU1"}
	want := DocumentType{SchemeQNS, invoice}
	for name, href := range map[string]string{
		"percent-encoded":                       "https://h/smp" + ServicePath(p, want),
		"the participant in another case":       "https://h" + ServicePath(p.Normalized(), want),
		"nothing encoded, not even #":           "http://h/" + p.String() + "/services/" + want.String(),
		"white space around, as typed":          "\n https://h" + ServicePath(p, want) + " \n",
		"below a path that says services":       "https://h/services" + ServicePath(p, want),
		"upper case in services, an old server": "https://h/" + EscapeSegment(p.String()) + "/Services/" + EscapeSegment(want.String()),
	} {
		if got, err := ParseReference(href, p); err != nil || got != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	other := Participant{SchemeActor, "9914:ATU2"}
	if got, err := ParseReference("https://h"+ServicePath(other, want), p); err == nil {
		t.Errorf("another participant's reference: got %v", got)
	}
	party := Participant{urn0088, "1"}
	if got, err := ParseReference("https://h/"+EscapeSegment(urn0088+"::1")+"/services/s%3A%3Av", party); err != nil || got != (DocumentType{"s", "v"}) {
		t.Errorf("an ebCore party with a double colon: got %v, %v", got, err)
	}
}

func TestSeat(t *testing.T) {
	t.Parallel()
	if p, err := SPIDOfSeat("POP987654"); err != nil || p.Participant().String() != "iso6523-actorid-upis::0242:987654" {
		t.Errorf("got %v, %v", p, err)
	}
	for _, cn := range []string{"", "POP98765", "pop987654", "SMP_2000000088", "XOP987654", "POP98765a"} {
		if p, err := SPIDOfSeat(cn); !errors.Is(err, ErrIdentifier) {
			t.Errorf("%s: got %v", cn, p)
		}
	}
	if _, err := SPIDOf(Participant{SchemeActor, "0088:987654"}); err == nil {
		t.Error("an ICD other than 0242 is no service provider")
	}
}

func TestErrorNamesTheRule(t *testing.T) {
	t.Parallel()
	_, err := ParseParticipant("a b::c")
	if want := `ids: participant "a b::c": white space in the scheme [BusDox 2.3]`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	_, err = ParseParticipant(strings.Repeat("x", 5000))
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("a long value is printed at length: %d octets", len(err.Error()))
	}
}
