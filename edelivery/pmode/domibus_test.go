package pmode

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

// sample is a file of testdata in which old texts were replaced by new ones.
func sample(t testing.TB, name string, replace ...string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for i := 0; i+1 < len(replace); i += 2 {
		if !strings.Contains(s, replace[i]) {
			t.Fatalf("%s does not have %q", name, replace[i])
		}
		s = strings.ReplaceAll(s, replace[i], replace[i+1])
	}
	return []byte(s)
}

func read(t testing.TB, octets []byte, opt Options) *Set {
	t.Helper()
	s, err := Read(octets, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Set) mode(t testing.TB, id string) *Mode {
	t.Helper()
	for _, m := range s.Modes {
		if m.ID == id {
			return m
		}
	}
	t.Fatalf("no mode %q", id)
	return nil
}

func TestADomibusFileIsWhatItsPartySees(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "domibus.xml"), Options{File: "blue.xml"})
	if s.Own.Name != "harbour" || len(s.Partners) != 2 || len(s.Modes) != 2 || s.Needs()[0] != "lighthouse" {
		t.Fatalf("own %q, partners %v, %d modes", s.Own.Name, s.Partners, len(s.Modes))
	}
	send, receive := s.PModes(s.mode(t, "announcing/announceLeg/lighthouse"))
	want := as4.PMode{
		ID: "announcing/announceLeg/lighthouse", ProfileName: "bilateral", Agreement: "urn:example:treaty", Service: "arrivals", ServiceType: "urn:example:services", Action: "announce",
		SignToken: wss.TokenBST, EncryptToken: wss.TokenBST, MaxSize: 5000000, ContentID: "manifest",
		Retry: as4.Retry{Max: 5, First: 3 * time.Minute, Factor: 1, Window: 12 * time.Minute},
	}
	harbour, lighthouse := as4.PartyRef{ID: "H1", Type: "urn:example:office", Role: "urn:example:role:sender"}, as4.PartyRef{ID: "L1", Type: "urn:example:office", Role: "urn:example:role:receiver"}
	want.Initiator, want.Responder, want.URL = harbour, lighthouse, "https://lighthouse.example/as4"
	if got := fmt.Sprintf("%+v", *send); got != fmt.Sprintf("%+v", want) {
		t.Errorf("sending:\n%s\n%+v", got, want)
	}
	harbour.Role, lighthouse.Role = lighthouse.Role, harbour.Role
	want.Initiator, want.Responder, want.URL = lighthouse, harbour, ""
	if got := fmt.Sprintf("%+v", *receive); got != fmt.Sprintf("%+v", want) {
		t.Errorf("receiving:\n%s\n%+v", got, want)
	}
	// The pilot is a responder alone and has no address.
	if m := s.mode(t, "announcing/announceLeg/pilot"); m.Direction != Send || m.Usable() {
		t.Errorf("pilot: %s, unusable %v", m.Direction, m.Unusable)
	}
}

func TestExchangesOfADomibusFile(t *testing.T) {
	t.Parallel()
	const process = `mep="oneway" binding="push" initiatorRole="sender"`
	initiators := "      <initiatorParties>\n        <initiatorParty name=\"harbour\"/>\n        <initiatorParty name=\"lighthouse\"/>\n      </initiatorParties>\n"
	responders := "      <responderParties>\n        <responderParty name=\"harbour\"/>\n        <responderParty name=\"lighthouse\"/>\n        <responderParty name=\"pilot\"/>\n      </responderParties>\n"
	for _, c := range []struct {
		name    string
		replace []string
		want    string // partner direction role-of-sender, for each mode
	}{
		{"a one-way push goes from initiators to responders", nil, "lighthouse both sender, pilot send sender"},
		{"without responders whoever is found is sent to", []string{responders, ""}, " send sender"},
		{"without initiators whoever is found may send", []string{initiators, ""}, " receive sender"},
		{"a two-way exchange goes both ways, with all who have a side", []string{process, `mep="twoway" binding="pushAndPush" initiatorRole="sender"`}, "lighthouse both sender, pilot both sender"},
		{"a one-way exchange with a two-way binding is a push", []string{process, `mep="oneway" binding="pushAndPush" initiatorRole="sender"`}, "lighthouse both sender, pilot send sender"},
		{"who pulls is the initiator, and the messages go to it", []string{process, `mep="oneway" binding="pull" initiatorRole="sender"`, `action="announce" defaultMpc="default"`, `action="announce" defaultMpc="night"`, "        <initiatorParty name=\"lighthouse\"/>\n", ""},
			"lighthouse receive receiver, pilot receive receiver"},
		{"pulled from the other side", []string{process, `mep="oneway" binding="pull" initiatorRole="sender"`, `action="announce" defaultMpc="default"`, `action="announce" defaultMpc="night"`, "        <initiatorParty name=\"harbour\"/>\n", ""}, "lighthouse send receiver"},
		{"alone in a process a party exchanges with itself", []string{"        <initiatorParty name=\"lighthouse\"/>\n", "", "        <responderParty name=\"lighthouse\"/>\n        <responderParty name=\"pilot\"/>\n", ""}, "harbour both sender"},
		{"names find each other whatever their capitals", []string{`<initiatorParty name="harbour"/>`, `<initiatorParty name="HARBOUR"/>`}, "lighthouse both sender, pilot send sender"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := read(t, sample(t, "domibus.xml", c.replace...), Options{})
			var got []string
			for _, m := range s.Modes {
				got = append(got, fmt.Sprintf("%s %s %s", m.Partner, m.Direction, strings.TrimPrefix(m.SenderRole, "urn:example:role:")))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAPulledModeIsPulledByAS4(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "domibus.xml", `mep="oneway" binding="push"`, `mep="oneway" binding="pull"`, `action="announce" defaultMpc="default"`, `action="announce" defaultMpc="night"`), Options{})
	send, receive := s.PModes(s.mode(t, "announcing/announceLeg/lighthouse"))
	if !send.Pull || !receive.Pull || send.MPC != "urn:example:mpc:night" || send.Initiator.ID != "H1" || receive.Initiator.ID != "L1" {
		t.Errorf("%+v\n%+v", send, receive)
	}
	s = read(t, sample(t, "domibus.xml", `mep="oneway" binding="push"`, `mep="oneway" binding="pull"`), Options{})
	if m := s.mode(t, "announcing/announceLeg/lighthouse"); m.Usable() || !strings.Contains(m.Unusable[0], "EU-AS4 1.5.5") {
		t.Errorf("pulled from the default channel: %v", m.Unusable)
	}
}

func TestALegWithSplittingIsSplitAsDomibusDoes(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "domibus.xml", `payloadProfile="papers"`, `payloadProfile="papers" splitting="pieces"`), Options{})
	send, receive := s.PModes(s.mode(t, "announcing/announceLeg/lighthouse"))
	want := as4.Splitting{FragmentSize: 20 << 20, Compress: true, JoinInterval: 24 * time.Hour, Dialect: as4.DialectDomibus}
	if *send.Splitting != want || *receive.Splitting != want || send.Splitting == receive.Splitting {
		t.Errorf("%+v, %+v", send.Splitting, receive.Splitting)
	}
}

func TestWhatIsNotKeptIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		replace []string
		lost    string
		bad     string
	}{
		{"a large message that is pulled is whole", []string{`payloadProfile="papers"`, `payloadProfile="papers" splitting="pieces"`, `mep="oneway" binding="push"`, `mep="oneway" binding="pull"`, `action="announce" defaultMpc="default"`, `action="announce" defaultMpc="night"`},
			"offered whole", ""},
		{"a property besides the corners is for whoever submits", []string{`key="watch" datatype="int" required="false"`, `key="watch" datatype="int" required="true"`}, "watch", ""},
		{"errors are answered in the response", []string{`errorAsResponse="true"`, `errorAsResponse="false"`}, "errors are answered", ""},
		{"receipts that come later are taken, and given at once", []string{`replyPattern="response"`, `replyPattern="Callback"`}, "receipts are sent in the response", ""},
		{"an unsigned mode is not served", []string{`action="announce" defaultMpc="default" reliability="proof" security="strong"`, `action="announce" defaultMpc="default" reliability="proof" security="plain"`}, "", "not signed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := read(t, sample(t, "domibus.xml", c.replace...), Options{}).mode(t, "announcing/announceLeg/lighthouse")
			if got := strings.Join(m.Lost, "\n"); !strings.Contains(got, c.lost) || c.lost == "" && got != "" {
				t.Errorf("lost %q, want %q", got, c.lost)
			}
			if got := strings.Join(m.Unusable, "\n"); !strings.Contains(got, c.bad) || c.bad == "" && got != "" {
				t.Errorf("unusable %q, want %q", got, c.bad)
			}
		})
	}
}

func TestSecurityOfADomibusFile(t *testing.T) {
	t.Parallel()
	const strong = `<security name="strong" policy="eDeliveryAS4Policy_BST.xml" signatureMethod="RSA_SHA256"/>`
	signOnly := sample(t, "policy.xml", "<sp:EncryptedParts><sp:Attachments/></sp:EncryptedParts>", "")
	for _, c := range []struct {
		name, security string
		policy         []byte
		want           Security
		warned         string
	}{
		{"a published policy is known by its name", strong, nil, Security{Sign: true, Encrypt: true, SignToken: wss.TokenBST, EncryptToken: wss.TokenBST, Suite: "rsa", Policy: "eDeliveryAS4Policy_BST.xml"}, ""},
		{"a policy that is there is known by its content, whatever its name", strong, signOnly, Security{Sign: true, SignToken: wss.TokenIssuerSerial, Suite: "rsa", Policy: "eDeliveryAS4Policy_BST.xml"}, ""},
		{"an unknown policy is taken for the strongest", `<security name="strong" policy="ours.xml"/>`, nil, Security{Sign: true, Encrypt: true, Suite: "rsa", Policy: "ours.xml", Assumed: true}, "signed and encrypted is assumed"},
		{"a later version names a profile alone", `<security name="strong" profile="rsa"/>`, nil, Security{Sign: true, Encrypt: true, Suite: "rsa"}, "the profile RSA stands for it"},
		{"elliptic curves are those of the next generation", `<security name="strong" policy="eDeliveryAS4Policy.xml" profile="ECC"/>`, nil,
			Security{Sign: true, Encrypt: true, SignFragment: true, SignToken: wss.TokenSKI, EncryptToken: wss.TokenSKI, Suite: "ecc", Policy: "eDeliveryAS4Policy.xml"}, "no algorithms in Domibus 5.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := read(t, sample(t, "domibus.xml", strong, c.security), Options{Policy: func(string) []byte { return c.policy }})
			c.want.Name = "strong"
			if got := s.mode(t, "announcing/announceLeg/lighthouse").Security; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if got := s.Warnings.Error(); c.warned != "" && !strings.Contains(got, c.warned) {
				t.Errorf("warned of %q, want %q", got, c.warned)
			}
		})
	}
}

func TestWhatDomibusRefusesIsRefusedWithLineAndRule(t *testing.T) {
	t.Parallel()
	leg := `<legConfiguration name="announceLeg" service="arrivals"`
	for _, c := range []struct {
		name     string
		old, new string
		want     string // of the first problem
	}{
		{"a document type is refused", `<?xml version="1.0" encoding="UTF-8"?>`, `<!DOCTYPE a [<!ENTITY b "c">]>`, `f.xml:1: document type declaration is not allowed [syntax]`},
		{"another root is no P-Mode file", "http://domibus.eu/configuration", "urn:other", `f.xml:2: c:configuration: the root is {urn:other}configuration`},
		{"an element in the wrong place", `      <action name="answer" value="answer"/>`, `      <service name="x" value="y"/>`, `f.xml:65: service x: has no place in actions [element]`},
		{"an element out of its order", "    <roles>", "    <agreements/><roles>", `f.xml:8: roles: stands after agreements, must stand before it [element]`},
		{"a list without anything in it", `      <role name="sender" value="urn:example:role:sender"/>
      <role name="receiver" value="urn:example:role:receiver"/>`, "", `f.xml:8: roles: role is missing in it [element]`},
		{"text between elements", "  <mpcs>", "  <mpcs>text", `f.xml:3: mpcs: the text "text" has no place here [element]`},
		{"an attribute nobody knows", leg, leg + ` colour="red"`, `f.xml:75: legConfiguration announceLeg @colour: there is no such attribute [unknown]`},
		{"a missing attribute", ` compressPayloads="true"`, "", `f.xml:75: legConfiguration announceLeg @compressPayloads: the attribute is missing [required]`},
		{"a boolean that is none", `compressPayloads="true"`, `compressPayloads="perhaps"`, `f.xml:75: legConfiguration announceLeg @compressPayloads: "perhaps" is neither true nor false [type]`},
		{"a number that is none", `retention_undownloaded="14400"/>
    <mpc name="night"`, `retention_undownloaded="long"/>
    <mpc name="night"`, `f.xml:4: mpc default @retention_undownloaded: "long" is no whole number of 32 bits [type]`},
		{"a name that is too long", `name="sender"`, `name="` + strings.Repeat("s", 256) + `"`, `has 256 characters, 255 are allowed [length]`},
		{"an address that is no URI", `endpoint="https://harbour.example/as4"`, `endpoint="http://:80:80/"`, `f.xml:16: party harbour @endpoint: "http://:80:80/" is no URI [type]`},
		{"a name that stands twice", `<action name="answer"`, `<action name="announce"`, `f.xml:65: action @name: "announce" stands in line 64 already [unique]`},
		{"two parties with one identifier", `partyId="L1"`, `partyId="h1"`, `f.xml:20: identifier @partyId: "urn:example:office:h1" stands in line 17 already [unique]`},
		{"a role whose name differs in capitals only", `name="receiver" value`, `name="SENDER" value`, `f.xml:10: role @name: "sender" stands in line 9 already [unique]`},
		{"a leg whose service is not there", leg, `<legConfiguration name="announceLeg" service="departures"`, `f.xml:75: legConfiguration announceLeg @service: there is no service "departures" [reference]`},
		{"a process whose leg is not there", `<leg name="announceLeg"/>`, `<leg name="leg"/>`, `there is no legConfiguration "leg" [reference]`},
		{"a property set whose property is not there", `<propertyRef property="watch"/>`, `<propertyRef property="clock"/>`, `f.xml:37: propertySet corners: there is no property "clock" [reference]`},
		{"a payload profile whose payload is not there", `<attachment name="manifest"/>`, `<attachment name="map"/>`, `f.xml:45: payloadProfile papers: there is no payload "map" [reference]`},
		{"a file for somebody who is not in it", `party="harbour"`, `party="airport"`, `f.xml:1: configuration @party: the file is for "airport", and there is no such party in it [own]`},
		{"markup in a name", `party name="pilot"`, `party name="&lt;pilot&gt;"`, `f.xml:22: party <pilot> @name: "<pilot>": < and > are not allowed in it [character]`},
		{"a retry that never ends", `retry="12;4;CONSTANT"`, `retry="12;0;CONSTANT"`, `f.xml:68: receptionAwareness patient @retry: "12;0;CONSTANT": 12 minutes and no retry in them [retry]`},
		{"a negative size", `maxSize="5000000"`, `maxSize="-1"`, `f.xml:45: payloadProfile papers @maxSize: -1 is negative [size]`},
		{"fragments of nothing", `fragmentSize="20"`, `fragmentSize="0"`, `f.xml:72: splitting pieces: fragments of 0 MiB, joined within 1440 minutes, cannot be [size]`},
		{"a pattern nobody knows", `200704/oneWay"`, `200704/threeWay"`, `is neither one-way nor two-way [ebMS3 2.2] [exchange]`},
		{"a binding nobody knows", `200704/push"`, `200704/pigeon"`, `is no binding that is known [ebMS3 2.2] [exchange]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(sample(t, "domibus.xml", c.old, c.new), Options{File: "f.xml"})
			var ps Problems
			if !errors.As(err, &ps) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if !slices.ContainsFunc(ps, func(p *Problem) bool { return strings.Contains(p.Error(), c.want) }) {
				t.Errorf("got %v, want %s", ps, c.want)
			}
		})
	}
}

func TestWhatRealFilesHaveIsToleratedWithAWarning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"white space around a value", `service="arrivals"`, `service=" arrivals "`, `f.xml:75: legConfiguration announceLeg @service: " arrivals " has white space around it, which does not count [space]`},
		{"retention of a later version", `retention_downloaded="0" retention_undownloaded="14400"/>
    <mpc name="night"`, `retention_downloaded="0" retention_undownloaded="14400" retention_sent_success="1"/>
    <mpc name="night"`, `f.xml:4: mpc default @retention_sent_success: a later version's attribute, which is not read [unknown]`},
		{"a process that is none of ours", `<leg name="announceLeg"/>
      </legs>
    </process>`, `<leg name="announceLeg"/>
      </legs>
    </process>
    <process name="other" mep="oneway" binding="push" initiatorRole="sender" responderRole="receiver">
      <initiatorParties><initiatorParty name="lighthouse"/></initiatorParties>
      <responderParties><responderParty name="pilot"/></responderParties>
      <legs><leg name="answerLeg"/></legs>
    </process>`, `process other: "harbour", whose file it is, is neither initiator nor responder: the process is left out [own]`},
		{"a dangling name in a leg that nobody uses", `action="answer" defaultMpc`, `action="question" defaultMpc`, `f.xml:76: legConfiguration answerLeg @action: there is no action "question", and no process uses the leg [reference]`},
		{"the same role on both sides", `responderRole="receiver"`, `responderRole="sender"`, `initiator and responder have the same role, "urn:example:role:sender" [role]`},
		{"a service that is no URI and has no type", ` type="urn:example:services"`, ``, `service arrivals: "arrivals" has no type and is no URI [uri]`},
		{"a party without address", `name="pilot"`, `name="pilot"`, `f.xml:22: party pilot @endpoint: is empty: nothing can be sent to the party [endpoint]`},
		{"no retry at all", ` retry="12;4;CONSTANT"`, ``, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := read(t, sample(t, "domibus.xml", c.old, c.new), Options{File: "f.xml"})
			if !strings.Contains(s.Warnings.Error(), c.want) {
				t.Errorf("warned of\n%v\nwant %s", s.Warnings, c.want)
			}
			if c.want == "" && s.mode(t, "announcing/announceLeg/lighthouse").Retry != (as4.Retry{Max: 1}) {
				t.Error("sent more than once")
			}
		})
	}
}

func TestAFileOfSomebodyWhoExchangesNothingIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Read(sample(t, "domibus.xml", `party="harbour"`, `party="pilot"`, "        <responderParty name=\"pilot\"/>\n", ""), Options{File: "f.xml"})
	if err == nil || !strings.Contains(err.Error(), `f.xml:1: configuration: "pilot" exchanges nothing by this file [own]`) {
		t.Errorf("got %v", err)
	}
}

func TestAFileMayNotComeToMoreThanItsSize(t *testing.T) {
	t.Parallel()
	var parties, refs, legs, legRefs strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&parties, `<party name="p%d" endpoint="https://p.example/"><identifier partyId="%d" partyIdType="office"/></party>`, i, i)
		fmt.Fprintf(&refs, `<responderParty name="p%d"/>`, i)
		fmt.Fprintf(&legs, `<legConfiguration name="l%d" service="arrivals" action="announce" defaultMpc="default" reliability="proof" security="strong" receptionAwareness="patient" errorHandling="errors" compressPayloads="true"/>`, i)
		fmt.Fprintf(&legRefs, `<leg name="l%d"/>`, i)
	}
	_, err := Read(sample(t, "domibus.xml", `<party name="pilot"`, parties.String()+`<party name="pilot"`, `<responderParty name="pilot"/>`, refs.String(),
		`<legConfiguration name="answerLeg"`, legs.String()+`<legConfiguration name="answerLeg"`, `<leg name="announceLeg"/>`, legRefs.String()), Options{})
	if err == nil || !strings.Contains(err.Error(), "more than 100000 P-Modes [size]") {
		t.Errorf("a thousand parties and a thousand legs: %v", err)
	}
}

func TestNoMoreThan200ProblemsAreTold(t *testing.T) {
	t.Parallel()
	_, err := Read(sample(t, "domibus.xml", "<mpcs>", "<mpcs>"+strings.Repeat("<x/>", 5000)), Options{})
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != maxProblems {
		t.Errorf("%d problems", len(ps))
	}
}

func TestRetriesOfDomibus(t *testing.T) {
	t.Parallel()
	m := time.Minute
	for _, c := range []struct {
		retry string
		want  as4.Retry
		err   string
	}{
		{"12;4;CONSTANT", as4.Retry{Max: 5, First: 3 * m, Factor: 1, Window: 12 * m}, ""},
		{"10;3;CONSTANT", as4.Retry{Max: 4, First: 200 * time.Second, Factor: 1, Window: 10 * m}, ""},
		{"9;1;2;PROGRESSIVE", as4.Retry{Max: 5, First: m, Factor: 2, Window: 9 * m}, ""},
		{"100;20;3;PROGRESSIVE", as4.Retry{Max: 3, First: 20 * m, Factor: 3, Window: 100 * m}, ""},
		{"5;5;2;PROGRESSIVE", as4.Retry{Max: 2, First: 5 * m, Factor: 2, Window: 5 * m}, ""},
		{"0;0;SEND_ONCE", as4.Retry{Max: 1}, ""},
		{"0;0;CONSTANT", as4.Retry{Max: 1}, ""},
		{"", as4.Retry{Max: 1}, ""},
		{"12;0;CONSTANT", as4.Retry{}, "no retry in them"},
		{"12;4", as4.Retry{}, "none of CONSTANT"},
		{"12;CONSTANT", as4.Retry{}, "2 numbers before it"},
		{"12;4;5;CONSTANT", as4.Retry{}, "2 numbers before it"},
		{"-1;4;CONSTANT", as4.Retry{}, "no whole number"},
		{"99999999999999999999;4;CONSTANT", as4.Retry{}, "no whole number"},
		{"10;20000;CONSTANT", as4.Retry{}, "more than 10000"},
		{"9;10;2;PROGRESSIVE", as4.Retry{}, "the first interval"},
		{"9;0;2;PROGRESSIVE", as4.Retry{}, "the first interval"},
		{"9;1;1;PROGRESSIVE", as4.Retry{}, "the factor"},
	} {
		got, err := ParseRetry(c.retry)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: got %+v, %v; want %+v, %s", c.retry, got, err, c.want, c.err)
		}
		if err != nil {
			continue
		}
		back, exact := FormatRetry(got)
		if again, err := ParseRetry(back); err != nil || again != got || !exact {
			t.Errorf("%q is written %q (%v), which is %+v", c.retry, back, exact, again)
		}
	}
	for _, c := range []struct {
		r    as4.Retry
		want string
	}{
		{as4.Retry{}, "511;9;CONSTANT"}, // the defaults: 1+2+4+8+16+32+64+128+256 minutes
		{as4.Retry{Max: 3, First: 30 * time.Second, Factor: 1}, "1;2;CONSTANT"},
	} {
		if got, exact := FormatRetry(c.r); exact || got != c.want {
			t.Errorf("%+v: %q, %v; want %q", c.r, got, exact, c.want)
		}
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	before := read(t, sample(t, "domibus.xml"), Options{}).Items()
	after := read(t, sample(t, "domibus.xml", `endpoint="https://lighthouse.example/as4"`, `endpoint="https://new.example/as4"`, `retry="12;4;CONSTANT"`, `retry="0;0;SEND_ONCE"`,
		"        <responderParty name=\"pilot\"/>\n", "", `<leg name="announceLeg"/>`, `<leg name="announceLeg"/><leg name="answerLeg"/>`), Options{}).Items()
	if c := Diff(before, before); len(c) != 0 {
		t.Errorf("a set differs from itself: %+v", c)
	}
	var b strings.Builder
	if err := WriteDiff(&b, Diff(before, after)); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"- partner pilot\n- P-Mode announcing/announceLeg/pilot\n",
		"~ partner lighthouse\n    url: https://lighthouse.example/as4 -> https://new.example/as4\n",
		"~ P-Mode announcing/announceLeg/lighthouse\n    retries: 4, every 3m, within 12m -> none\n",
		"+ P-Mode announcing/answerLeg/lighthouse\n",
		"    channel: urn:example:mpc:night\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Count(got, "\n~ ") != 2 || strings.Contains(got, "harbour\n") {
		t.Errorf("more than what changed:\n%s", got)
	}
}

func TestSetsOfSeveralFilesAreOne(t *testing.T) {
	t.Parallel()
	a := read(t, sample(t, "holodeck.xml"), Options{})
	b := read(t, sample(t, "holodeck.xml", "<id>tides</id>", "<id>storms</id>", "<KeystoreAlias>lighthouse</KeystoreAlias>", "<KeystoreAlias>beacon</KeystoreAlias>"), Options{})
	s, err := Merge(a, b)
	if err != nil || len(s.Partners) != 1 || len(s.Modes) != 2 || s.Modes[1].Partner != "lighthouse" {
		t.Errorf("%v: %+v", err, s)
	}
	if _, err := Merge(a, a); err == nil || !strings.Contains(err.Error(), "stands in two files") {
		t.Errorf("one P-Mode twice: %v", err)
	}
	c := read(t, sample(t, "holodeck.xml", "<id>tides</id>", "<id>ebb</id>", ">H1<", ">H2<"), Options{})
	if _, err := Merge(a, c); err == nil || !strings.Contains(err.Error(), `for the party "H1", another for "H2"`) {
		t.Errorf("files of two parties: %v", err)
	}
	d := read(t, sample(t, "holodeck.xml", "<id>tides</id>", "<id>ebb</id>", "lighthouse.example", "beacon.example"), Options{})
	if _, err := Merge(a, d); err == nil || !strings.Contains(err.Error(), "two addresses") {
		t.Errorf("two addresses: %v", err)
	}
}

func TestWhatDomibusHasNoWordForIsTold(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "holodeck.xml"), Options{})
	s.Modes[0].Security.SignToken = wss.TokenThumbprint
	_, warnings, err := s.ForPartner("lighthouse")
	if got := strings.Join(warnings, "\n"); err != nil || !strings.Contains(got, "by thumbprint") || !strings.Contains(got, "our retries (3, with pauses from 30s") {
		t.Errorf("%v: %s", err, got)
	}
	s.Modes[0].Security.Suite = "ecc"
	var none *ErrNoPartner
	if _, warnings, err = s.ForPartner("lighthouse"); !errors.As(err, &none) || !strings.Contains(strings.Join(warnings, "\n"), "no algorithms for ecc") {
		t.Errorf("%v: %v", err, warnings)
	}
	if _, _, err := s.ForPartner("nobody"); !errors.As(err, &none) {
		t.Errorf("nobody: %v", err)
	}
}

func TestAnEmptyRoleIsKept(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "domibus.xml", `value="urn:example:role:sender"`, `value=" "`), Options{})
	if m := s.Modes[0]; m.SenderRole != "" || m.MEP != ebms.MEPOneWay {
		t.Errorf("%+v", m)
	}
}
