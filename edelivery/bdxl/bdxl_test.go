package bdxl

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

func TestLabels(t *testing.T) {
	t.Parallel()
	actor := ids.Participant{Scheme: ids.SchemeActor, Value: "9914:ATU1"}
	party := ids.Participant{Scheme: ids.PartyIDPrefix + "iso6523:0088", Value: "4035811991021"}
	const partyHash = "i3qyb36ctayrfgthbycqzdtojfhgazjeglfooe7727egvdwrk5qq"
	label := func(k Kind, p ids.Participant) string {
		s, err := Label(k, p)
		if err != nil {
			t.Errorf("%s %s: %v", k, p, err)
		}
		return s
	}
	if got := label(Automatic, party); got != partyHash {
		t.Errorf("an ebCore party is hashed whole: %s", got)
	}
	if got := label(Automatic, ids.Participant{Value: party.String()}); got != partyHash {
		t.Errorf("a party without scheme is hashed whole: %s", got)
	}
	if label(SchemeLabel, actor) != label(SchemeLabel, actor.Normalized()) {
		t.Error("the value is lower-cased before hashing")
	}
	if label(SchemeLabelExact, actor) == label(SchemeLabelExact, actor.Normalized()) {
		t.Error("exact labels are not lower-cased")
	}
	if label(SchemeLabelExact, actor.Normalized()) != label(SchemeLabel, actor) {
		t.Error("exact labels of lower-case values are the usual ones")
	}
	if label(WholeQualified, actor) != label(WholeIdentifier, ids.Participant{Value: "ISO6523-actorid-upis::9914:atu1"}) {
		t.Error("qualified labels hash scheme::value in lower case")
	}
	if got := label(WholeQualified, party); got == partyHash {
		t.Error("qualified labels have two colons, also for ebCore parties")
	}
	if got := label(Partitioned, party); got != partyHash+".0088.iso6523" {
		t.Errorf("partitioned: %s", got)
	}
	for name, c := range map[string]struct {
		k Kind
		p ids.Participant
	}{
		"an ebCore party has no scheme that is a label": {SchemeLabel, party},
		"no scheme is no label":                         {LegacyCNAME, ids.Participant{Value: "x"}},
		"a scheme with an underscore is no label":       {SchemeLabel, ids.Participant{Scheme: "a_b", Value: "x"}},
		"a party without ICD is in no partition":        {Partitioned, ids.Participant{Scheme: "a-b-c", Value: "x"}},
		"an ICD with a dot is no label":                 {Partitioned, ids.Participant{Scheme: ids.PartyIDPrefix + "iso6523:a.b", Value: "x"}},
		"no value":                                      {Automatic, ids.Participant{Scheme: "a-b-c"}},
		"an unknown function":                           {Kind(99), actor},
	} {
		if got, err := Label(c.k, c.p); !errors.Is(err, ErrLabel) {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	for _, zone := range []string{"", ".", "a..b", "a.b..", strings.Repeat("x", 64), "a b", strings.Repeat("abcdefgh.", 25) + "x"} {
		if got, err := Name(Automatic, actor, zone); !errors.Is(err, ErrLabel) {
			t.Errorf("zone %q: got %s, %v", zone, got, err)
		}
	}
	for k := range Kind(len(kindNames)) {
		if got, err := ParseKind(k.String()); err != nil || got != k {
			t.Errorf("%s: got %v, %v", k, got, err)
		}
	}
	if _, err := ParseKind("L1"); err == nil {
		t.Error("an unknown name is taken")
	}
}

const aus = "iso6523-actorid-upis::0088:4035811991021"

func TestSubstitute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, expression, want string }{
		{"everything, as written today", "!.*!https://smp.example.com!", "https://smp.example.com"},
		{"everything, as written before", "!^.*$!https://smp.example.com!", "https://smp.example.com"},
		{"everything but nothing", "!.+!x!", "x"},
		{"everything from the beginning", "!^.*!x!", "x"},
		{"applied once, not for the empty match at the end too", "!.*!x!i", "x"},
		{"another delimiter", "/.*/https:\\/\\/h\\/p/", "https://h/p"},
		{"a delimiter that means something in expressions stands for itself when escaped", `|^(iso6523)-.*\|?$|\1|`, "iso6523"},
		{"groups", `!^.*::([0-9]+):(.*)$!https://\1.example.com/\2!`, "https://0088.example.com/4035811991021"},
		{"a group that did not match is empty", `!^(x)?.*$!a\1b!`, "ab"},
		{"without case", `!^ISO.*$!x!i`, "x"},
		{"with case", `!^ISO.*$!x!`, "no match"},
		{"the longest match wins [POSIX]", `!iso|iso6523!x!`, "x-actorid-upis::0088:4035811991021"},
		{"without case the longest match wins too", `!ISO|ISO6523!x!i`, "x-actorid-upis::0088:4035811991021"},
		{"what is not matched stays, as in sed", "!::.*!!", "iso6523-actorid-upis"},
		{"a class of characters", "!^[[:alnum:]-]+::[[:digit:]:]+$!x!", "x"},
		{"an escaped backslash in the replacement", `!.*!a\\b!`, `a\b`},
		{"no third delimiter", "!.*!x", "broken"},
		{"no second delimiter", "!.*", "broken"},
		{"nothing", "", "broken"},
		{"a digit as delimiter", "1.*1x1", "broken"},
		{"the flag as delimiter", "i.*ixi", "broken"},
		{"a backslash as delimiter", `\.*\x\`, "broken"},
		{"unknown flags", "!.*!x!g", "broken"},
		{"an escaped last delimiter", `!.*!x\!`, "broken"},
		{"a group that is not there", `!.*!\1!`, "broken"},
		{"the whole match, which POSIX has not", `!.*!\0!`, "broken"},
		{"an unknown escape in the replacement", `!.*!\n!`, "broken"},
		{"Perl's classes are not POSIX", `!^\d+!x!`, "broken"},
		{"Perl's flags are not POSIX", `!(?i)ISO.*!x!`, "broken"},
		{"Perl's flags are not POSIX, without case either", `!(?s)ISO.*!x!i`, "broken"},
		{"an expression that is none", "!(!x!", "broken"},
		{"nested repetition runs in linear time", "!(a*)*b!x!", "no match"},
		{"repetition of repetition of repetition is refused", "!((((a{100}){100}){100}){100}){100}!x!", "broken"},
		{"repetition that unfolds to too much is refused", "!(abc(def){30}){30}!x!", "broken"},
		{"more than 255 octets", "!" + strings.Repeat("a", 255) + "!x!", "broken"},
	} {
		got, err := Substitute(c.expression, aus)
		if err != nil {
			got = fmt.Sprint(errors.Unwrap(err))
		}
		if got != c.want {
			t.Errorf("%s: %s: got %q (%v), want %q", c.name, c.expression, got, err, c.want)
		}
	}
	if got, err := Substitute("!^(.*)$!"+strings.Repeat(`\1`, 100)+"!", strings.Repeat("x", 2000)); !errors.Is(err, errRefused) {
		t.Errorf("an address of 200 kB: %d octets, %v", len(got), err)
	}
	if _, err := Substitute("!.+!x!", ""); !errors.Is(err, errNoMatch) {
		t.Errorf("nothing does not match .+: %v", err)
	}
}

func TestURIRules(t *testing.T) {
	t.Parallel()
	open := URIRules{HTTP: true}
	loop := URIRules{HTTP: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	port := URIRules{Ports: []int{443, 8443}}
	for _, c := range []struct {
		name, uri string
		rules     URIRules
		ok        bool
	}{
		{"https", "https://smp.example.com/a/b/", URIRules{}, true},
		{"a port", "https://smp.example.com:8443", URIRules{}, true},
		{"old paths with the participant", "https://smp.example.com/iso6523-actorid-upis::0010:1", URIRules{}, true},
		{"percent signs in the path", "https://smp.example.com/a%20b", URIRules{}, true},
		{"a public address", "https://9.9.9.9/", URIRules{}, true},
		{"a public IPv6 address", "https://[2620:fe::fe]/", URIRules{}, true},
		{"http where it is allowed", "http://smp.example.com", open, true},
		{"http where it is not", "http://smp.example.com", URIRules{}, false},
		{"a port that is allowed", "https://smp.example.com:8443", port, true},
		{"the port that https means", "https://smp.example.com", port, true},
		{"a port that is not allowed", "https://smp.example.com:22", port, false},
		{"port 0", "https://smp.example.com:0", URIRules{}, false},
		{"a port too high", "https://smp.example.com:65536", URIRules{}, false},
		{"an empty port", "https://smp.example.com:", URIRules{}, false},
		{"other schemes", "ftp://smp.example.com", open, false},
		{"files", "file:///etc/passwd", open, false},
		{"javascript", "javascript:alert(1)", open, false},
		{"no scheme", "//smp.example.com", open, false},
		{"no host", "https:///x", open, false},
		{"no slashes", "https:smp.example.com", open, false},
		{"a user", "https://user@smp.example.com", open, false},
		{"a user with password", "https://user:pw@smp.example.com", open, false},
		{"an empty user", "https://@smp.example.com", open, false},
		{"a query", "https://smp.example.com/?a=b", open, false},
		{"an empty query", "https://smp.example.com/?", open, false},
		{"a fragment", "https://smp.example.com/#a", open, false},
		{"an empty fragment", "https://smp.example.com/#", open, false},
		{"a backslash", `https://smp.example.com\@evil.example`, open, false},
		{"a blank", "https://smp.example.com/a b", open, false},
		{"a line break", "https://smp.example.com/\r\nHost: x", open, false},
		{"characters beyond ASCII", "https://smp.exämple.com", open, false},
		{"a percent sign in the host", "https://smp%2eexample.com", open, false},
		{"a broken percent sign", "https://smp.example.com/%zz", open, false},
		{"dots as path", "https://smp.example.com/a/../b", open, false},
		{"encoded dots as path", "https://smp.example.com/a/%2e%2e/b", open, false},
		{"loopback", "https://127.0.0.1/", open, false},
		{"loopback where it is allowed", "http://127.0.0.1:8080/", loop, true},
		{"loopback by name", "https://localhost/", open, false},
		{"loopback by name where it is allowed", "http://localhost:8080/", loop, true},
		{"loopback by a name below", "https://x.localhost./", open, false},
		{"loopback with a dot behind", "https://127.0.0.1./", open, false},
		{"loopback in IPv6", "https://[::1]/", open, false},
		{"loopback of IPv4 in IPv6", "https://[::ffff:127.0.0.1]/", open, false},
		{"loopback as one number", "https://2130706433/", open, false},
		{"loopback in hexadecimal", "https://0x7f.0.0.1/", open, false},
		{"loopback in octal", "https://0177.0.0.1/", open, false},
		{"loopback cut short", "https://127.1/", open, false},
		{"private addresses", "https://10.0.0.1/", open, false},
		{"private addresses of IPv6", "https://[fd00::1]/", open, false},
		{"link-local addresses and metadata services", "https://169.254.169.254/latest", loop, false},
		{"link-local addresses with a zone", "https://[fe80::1%25eth0]/", open, false},
		{"carrier addresses", "https://100.64.0.1/", open, false},
		{"multicast", "https://224.0.0.1/", open, false},
		{"no address", "https://0.0.0.0/", open, false},
		{"IPv4 behind a translator", "https://[64:ff9b::7f00:1]/", open, false},
		{"an address that is none", "https://1.2.3.4.5/", open, false},
		{"a name with an empty label", "https://a..b/", open, false},
		{"an address of 2 kB", "https://smp.example.com/" + strings.Repeat("x", 2048), open, false},
	} {
		if err := c.rules.Check(c.uri); (err == nil) != c.ok {
			t.Errorf("%s: %s: %v", c.name, c.uri, err)
		} else if err != nil && !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	parse := func(lines ...string) []Record {
		var all []Record
		for _, l := range lines {
			rr, err := dns.NewRR("x. 60 IN NAPTR " + l)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, NewRecord(rr.(*dns.NAPTR)))
		}
		return all
	}
	for _, c := range []struct {
		name    string
		records []string
		want    string // addresses
		err     error
	}{
		{"the lowest order wins, then the lowest preference", []string{
			`200 1 "U" "Meta:SMP" "!.*!https://c.example!" .`, `100 20 "U" "Meta:SMP" "!.*!https://b.example!" .`, `100 10 "U" "Meta:SMP" "!.*!https://a.example!" .`,
		}, "https://a.example https://b.example", nil},
		{"a record for another service does not end the search", []string{`1 1 "U" "meta:cppa3" "!.*!https://a.example!" .`, `2 1 "U" "META:smp" "!.*!https://b.example!" .`}, "https://b.example", nil},
		{"a service is compared as a whole", []string{`1 1 "U" "Meta:SMP+x" "!.*!https://a.example!" .`, `1 1 "U" "meta" "!.*!https://a.example!" .`}, "", ErrNoService},
		{"a broken record does not end the search", []string{`1 1 "U" "Meta:SMP" "!.*!https://a.example" .`, `2 1 "U" "Meta:SMP" "!.*!https://b.example!" .`}, "https://b.example", nil},
		{"a refused address does not end the search", []string{`1 1 "U" "Meta:SMP" "!.*!ftp://a.example!" .`, `1 2 "U" "Meta:SMP" "!.*!https://b.example!" .`}, "https://b.example", nil},
		{"only broken records", []string{`1 1 "U" "Meta:SMP" "!.*!https://a.example" .`}, "", ErrRecord},
		{"neither regexp nor replacement", []string{`1 1 "U" "Meta:SMP" "" .`}, "", ErrRecord},
		{"none", nil, "", ErrNoService},
	} {
		records := parse(c.records...)
		urls, err := Select(records, aus, []string{ServiceSMP}, URIRules{})
		if strings.Join(urls, " ") != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %v, %v", c.name, urls, err)
		}
		for _, r := range records {
			if r.Verdict == "" {
				t.Errorf("%s: no verdict on %+v", c.name, r)
			}
		}
	}
	escaped := NewRecord(&dns.NAPTR{Service: `Meta\:SM\080`, Regexp: `!.*!\"\\1\300\2!`})
	if escaped.Service != "Meta:SMP" || escaped.Regexp != `!.*!"\13002!` {
		t.Errorf("unescaped: %q %q", escaped.Service, escaped.Regexp)
	}
}
