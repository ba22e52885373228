package pki

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesThatAreTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, a, b string }{
		{"case and white space do not count", "CN=Viadukt  Test ,O=Ämter,C=EE", "cn=viadukt test, o=ÄMTER ,c=ee"},
		{"semicolons separate as commas do", "CN=a;O=b", "CN=a,O=b"},
		{"e-mail has many spellings", "emailAddress=x@example.org,CN=a", "E=x@example.org, CN=a"},
		{"e-mail as a number", "1.2.840.113549.1.9.1=x@example.org", "EMAILADDRESS=X@example.org"},
		{"e-mail as hexadecimal IA5String", "1.2.840.113549.1.9.1=#160d78406578616d706c652e6f7267", "email=x@example.org"},
		{"organisation identifier in three spellings", "OID.2.5.4.97=VATEE-1,CN=a", "2.5.4.97=#0c0756415445452d31,CN=a"},
		{"organisation identifier by name", "organizationIdentifier=VATEE-1", "oid.2.5.4.97=VATEE-1"},
		{"state in two spellings", "ST=Harju", "S=Harju"},
		{"escapes are the character they stand for", `CN=a\,b\+c\2c`, `CN="a,b+c,"`},
		{"escaped UTF-8 octets", `O=S\C3\A3o`, "O=São"},
		{"composed and decomposed letters", "O=Am\u00e9lie", "O=Ame\u0301lie"},
		{"sharp s is not folded away but its case is none", "O=Straße", "O=STRAßE"},
		{"an escaped space at the end is white space all the same", `CN=a\ ,O=b`, "CN=a,O=b"},
		{"several attributes of one level have no order", "CN=a+serialNumber=1,C=EE", "serialNumber=1+CN=a,C=EE"},
		{"string types do not count", "C=#1302454c", "C=EL"},
		{"tabs and line ends are white space", "CN=a,\r\n\tO=b", "CN=a,O=b"},
		{"empty values", "CN=,O=b", "CN=\"\",O=b"},
	} {
		a, errA := ParseName(c.a)
		b, errB := ParseName(c.b)
		if errA != nil || errB != nil {
			t.Errorf("%s: %v %v", c.what, errA, errB)
			continue
		}
		if !a.Equal(b) || !b.Equal(a) {
			t.Errorf("%s: %q is not %q", c.what, a, b)
		}
		again, err := ParseName(a.String())
		if err != nil || !again.Equal(a) {
			t.Errorf("%s: %q does not return: %v", c.what, a.String(), err)
		}
	}
}

func TestNamesThatDiffer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, a, b string }{
		{"the order of levels counts", "CN=a,O=b", "O=b,CN=a"},
		{"a level more", "CN=a,O=b", "CN=a,OU=x,O=b"},
		{"one level of two attributes is not two levels", "CN=a+O=b", "CN=a,O=b"},
		{"another type", "CN=a", "O=a"},
		{"white space within words counts", "CN=ab", "CN=a b"},
		{"two of the same are not two different", "CN=a+CN=a", "CN=a+CN=b"},
		{"hexadecimal octets that are no text", "2.5.4.3=#040161", "2.5.4.3=#0c0161"},
		{"nothing is not something", "", "CN=a"},
	} {
		a, errA := ParseName(c.a)
		b, errB := ParseName(c.b)
		if errA != nil || errB != nil {
			t.Errorf("%s: %v %v", c.what, errA, errB)
			continue
		}
		if a.Equal(b) || b.Equal(a) {
			t.Errorf("%s: %q equals %q", c.what, a, b)
		}
	}
}

func TestNamesInText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"CN = POP000010 ; O= Example AS ;C=NO", "CN=POP000010,O=Example AS,C=NO"},
		{`CN="Smith, John"`, `CN=Smith\, John`},
		{`O=\ a\ `, `O=\ a\ `},
		{`O=\#a`, `O=\#a`},
		{"serialNumber=7,givenName=a,SN=b,T=c", "serialNumber=7,givenName=a,surname=b,T=c"},
		{"2.5.4.97=VATEE-1", "2.5.4.97=#0c0756415445452d31"},
		{"CN=a\\00b", `CN=a\00b`},
		{"CN=a\\0ab", `CN=a\0ab`},
		{"", ""},
	} {
		n, err := ParseName(c.in)
		if err != nil || n.String() != c.want {
			t.Errorf("%q: %q (%v), want %q", c.in, n.String(), err, c.want)
		}
	}
	n, err := ParseName("CN=outer,CN=inner,O=b")
	if err != nil || n.CommonName() != "outer" || n.Get("2.5.4.10") != "b" || n.Get("2.5.4.6") != "" {
		t.Errorf("%q: common name %q (%v)", n, n.CommonName(), err)
	}
}

func TestNamesRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"CN", "CN=a,", "CN=a,,O=b", "=a", "CN=a+", "XYZ=a", "1=a", "1.2.=a", "01.2=a", "3.1=a", "CN=#", "CN=#0", "CN=#zz", "CN=#0c05", "CN=#0c0161ff",
		`CN="a`, `CN="a"b`, `CN=a\`, "CN=a<b", `CN=a"b`, "CN=\xff", `CN=\ff`, strings.Repeat("CN=a,", 5000) + "CN=b",
	} {
		if n, err := ParseName(in); !errors.Is(err, ErrFormat) {
			t.Errorf("%.40q is %q (%v)", in, n, err)
		}
	}
}

func TestNamesSurviveText(t *testing.T) {
	t.Parallel()
	types := []OID{"2.5.4.3", "2.5.4.10", "2.5.4.6", "1.2.840.113549.1.9.1", "2.5.4.97", "1.3.6.1.4.1.99999.1"}
	rapid.Check(t, func(r *rapid.T) {
		var n Name
		for range rapid.IntRange(1, 4).Draw(r, "levels") {
			var rdn RDN
			for range rapid.IntRange(1, 2).Draw(r, "attributes") {
				rdn = append(rdn, Attribute{Type: rapid.SampledFrom(types).Draw(r, "type"), Value: rapid.String().Draw(r, "value")})
			}
			n = append(n, rdn)
		}
		text, err := ParseName(n.String())
		if err != nil || !text.Equal(n) || text.String() != n.String() {
			r.Fatalf("%q does not return from text: %q %v", n, text, err)
		}
		der, err := n.Marshal()
		if err != nil {
			r.Fatal(err)
		}
		back, err := parseName(der)
		if err != nil || !back.Equal(n) || !n.Equal(back) || back.key() != text.key() && len(n) > 0 && !multi(n) {
			r.Fatalf("%q does not return from DER: %q %v", n, back, err)
		}
	})
}

func multi(n Name) bool {
	for _, rdn := range n {
		if len(rdn) > 1 {
			return true
		}
	}
	return false
}

func TestASCIIComparisonIsTheGeneralOne(t *testing.T) {
	t.Parallel()
	letters := rapid.StringOfN(rapid.SampledFrom([]rune{'a', 'A', 'b', ' ', '\t', '\v', '1'}), 0, 6, -1)
	rapid.Check(t, func(r *rapid.T) {
		a, b := letters.Draw(r, "a"), letters.Draw(r, "b")
		if equalASCII(a, b) != (fold(a) == fold(b)) {
			r.Fatalf("%q and %q", a, b)
		}
	})
}
