package as4_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

// community makes a world in a profile of its own rules, with a message that keeps them.
func community(t testing.TB, profile string, change func(*as4.PMode)) (*world, *as4.Outgoing) {
	t.Helper()
	w := newWorld(t, profile, func(p *as4.PMode) {
		p.Service, p.ServiceType, p.Action = "", "", ""
		p.Initiator, p.Responder = as4.PartyRef{ID: "21X000000000001T"}, as4.PartyRef{ID: "21X000000000002T"}
		switch profile {
		case "entsog":
			p.Service, p.Agreement = "A06", "urn:agreed"
		case "ecodex":
			p.Service, p.Action = "EPO", "Form_A"
		case "oots":
			p.Action = "ExecuteQueryRequest"
		case "bdew":
			p.Service, p.Action, p.Agreement = "urn:market", "urn:a", "urn:agreed"
		}
		if change != nil {
			change(p)
		}
	})
	msg := w.message(t, "m1@a.example", xmlPayload)
	msg.Message.Service, msg.Message.Action = ebms.Service{Value: w.pmode.Service, Type: w.pmode.ServiceType}, w.pmode.Action
	if profile == "entsog" || profile == "bdew" {
		msg.Message.Properties = nil
	}
	if profile == "entsog" {
		msg.Message.ConversationID = ""
	}
	return w, msg
}

func TestCommunities(t *testing.T) {
	t.Parallel()
	for profile, c := range map[string]struct {
		wire   []string // what the request shows
		absent string
	}{
		"bdew": {[]string{"#X509PKIPathv1", "xmldsig-more#ecdsa-sha256", "<ds:X509SKI>", "xmlenc11#ConcatKDF", `AlgorithmID=""`, "1.3.36.3.3.2.8.1.1.7", "xmlenc11#aes128-gcm"}, "#X509v3"},
		"entsog": {[]string{"<eb:ConversationId></eb:ConversationId>", "eddsa-ed25519", "xmldsig-more#x25519", "#X509PKIPathv1", "eic-party-codes-x", `type="http://edigas.org/service">A06<`, ">" + ebms.DefaultAction + "<"},
			"originalSender"},
		"ecodex": {[]string{"#X509SubjectKeyIdentifier", ">GW<", `type="urn:e-codex:services:">EPO<`}, "eb:AgreementRef"},
		"oots":   {[]string{">http://sdg.europa.eu/edelivery/gateway<", `type="urn:oasis:names:tc:ebcore:ebrs:ebms:binding:1.0">QueryManager<`, "unregistered:oots"}, "eb:AgreementRef"},
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			w, msg := community(t, profile, nil)
			r := w.record(t, msg)
			for _, want := range c.wire {
				if !bytes.Contains(r.body, []byte(want)) {
					t.Errorf("%q is not in the request", want)
				}
			}
			if bytes.Contains(r.body, []byte(c.absent)) {
				t.Errorf("%q is in the request", c.absent)
			}
			o := w.sender.Send(t.Context(), msg)
			if o.Verdict != as4.Acknowledged {
				t.Fatalf("%v: %v (receiver: %v)", o.Verdict, o.Err, w.lastRefusal)
			}
			if s := w.intake.only(t); !bytes.Equal(s.payloads[0], xmlPayload) || !s.Encrypted {
				t.Errorf("%d octets, encrypted %v", len(s.payloads[0]), s.Encrypted)
			}
			test := w.message(t, "ping@a.example")
			test.Message.Service, test.Message.Action, test.Message.ConversationID = ebms.Service{Value: ebms.TestService}, ebms.TestAction, msg.Message.ConversationID
			if o := w.sender.Send(t.Context(), test); o.Verdict != as4.Acknowledged {
				t.Errorf("test service: %v", o.Err)
			}
		})
	}
}

func TestRulesOfCommunities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		profile string
		pmode   func(*as4.PMode)
		change  func(*ebms.UserMessage)
		want    ebms.Code
	}{
		"entsog: a conversation that is not empty":    {"entsog", nil, func(m *ebms.UserMessage) { m.ConversationID = "c1" }, ebms.ValueInconsistent},
		"entsog: no agreement":                        {"entsog", nil, func(m *ebms.UserMessage) { m.Agreement = nil }, ebms.ValueNotRecognized},
		"entsog: a service of its own":                {"entsog", func(p *as4.PMode) { p.Service = "A12" }, func(m *ebms.UserMessage) { m.Service.Value = "A12" }, ebms.ValueNotRecognized},
		"entsog: another action":                      {"entsog", func(p *as4.PMode) { p.Action = "urn:b" }, func(m *ebms.UserMessage) { m.Action = "urn:b" }, ebms.ValueNotRecognized},
		"entsog: a party that is no EIC":              {"entsog", func(p *as4.PMode) { p.Initiator.ID = "POP000001" }, func(m *ebms.UserMessage) { m.From.IDs[0].Value = "POP000001" }, ebms.ValueInconsistent},
		"entsog: a role that is none":                 {"entsog", func(p *as4.PMode) { p.Initiator.Role = "shipper" }, func(m *ebms.UserMessage) { m.From.Role = "shipper" }, ebms.ValueInconsistent},
		"entsog: a role in letters":                   {"entsog", func(p *as4.PMode) { p.Initiator.Role = "ZSO" }, func(m *ebms.UserMessage) { m.From.Role = "ZSO" }, ""},
		"oots: participants without type":             {"oots", nil, func(m *ebms.UserMessage) { m.Properties[0].Type = "" }, ebms.ProcessingModeMismatch},
		"ecodex: no final recipient":                  {"ecodex", nil, func(m *ebms.UserMessage) { m.Properties = m.Properties[:1] }, ebms.ProcessingModeMismatch},
		"bdew: participants are not asked for":        {"bdew", nil, func(m *ebms.UserMessage) {}, ""},
		"ecodex: a conversation of its own is usual":  {"ecodex", nil, func(m *ebms.UserMessage) { m.ConversationID = "c7" }, ""},
		"entsog: a larger payload than the community": {"entsog", func(p *as4.PMode) { p.MaxSize = 0 }, nil, ebms.ProcessingModeMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, msg := community(t, c.profile, c.pmode)
			if c.change == nil {
				big := w.plain(t, "m1@a.example", bytes.Repeat([]byte("x"), 10<<20+1))
				big.Contents[0].Digest, _ = wss.DigestContent("application/octet-stream", "http://www.w3.org/2001/04/xmlenc#sha256", bytes.NewReader(bytes.Repeat([]byte("x"), 10<<20+1)))
				big.Message.Service, big.Message.Action, big.Message.ConversationID, big.Message.Properties = msg.Message.Service, msg.Message.Action, "", nil
				msg = big
			} else {
				c.change(msg.Message)
			}
			o := w.sender.Send(t.Context(), msg)
			if c.want == "" && o.Verdict != as4.Acknowledged || c.want != "" && !errors.Is(o.Err, c.want) {
				t.Errorf("%v %v, want %s", o.Verdict, o.Err, c.want)
			}
		})
	}
}

// TestTheSignerOfABDEWMessageIsNamedByItsPath: other forms are refused, as the profile wants it.
func TestTheSignerOfABDEWMessageIsNamedByItsPath(t *testing.T) {
	t.Parallel()
	if _, err := as4.NewTable(&as4.PMode{ID: "a", ProfileName: "bdew", SignToken: wss.TokenBST}); err == nil {
		t.Error("a P-Mode with another form was taken")
	}
	w, msg := community(t, "bdew", nil)
	profile := *w.pmode.Profile
	profile.RequireToken = ""
	w.pmode.Profile, w.pmode.SignToken = &profile, wss.TokenBST
	if o := w.sender.Send(t.Context(), msg); !errors.Is(o.Err, ebms.FailedAuthentication) && !errors.Is(o.Err, ebms.PolicyNoncompliance) {
		t.Errorf("%v %v", o.Verdict, o.Err)
	}
}

// TestMultiHop is the role of an endpoint: the message is addressed to the next MSH, and its signal can be led back.
func TestMultiHop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", func(p *as4.PMode) { p.MultiHop = true })
	msg := w.message(t, "m1@a.example", xmlPayload)
	r := w.record(t, msg)
	if !bytes.Contains(r.body, []byte(`S12:role="`+ebms.RoleNextMSH+`"`)) {
		t.Error("the header is not addressed to the next MSH")
	}
	o := w.sender.Send(t.Context(), msg)
	if o.Verdict != as4.Acknowledged {
		t.Fatalf("%v %v", o.Verdict, o.Err)
	}
	env, err := ebms.ParseEnvelope(bytes.Clone(o.Answer), ebms.EnvelopeLimits())
	if err != nil {
		t.Fatal(err)
	}
	um := env.RoutingInput.Child(ebms.NSMultiHop, "UserMessage")
	if um.Attr("mpc") != ebms.DefaultMPC+".receipt" || !strings.Contains(string(o.Answer), ">"+ebms.ActionOneWayReceipt+"<") || !strings.Contains(string(o.Answer), ">"+ebms.AddressICloud+"<") {
		t.Errorf("the receipt cannot be led back:\n%s", o.Answer)
	}
	if n := bytes.Count(o.Answer, []byte("<ds:Reference ")); n != 5+3 { // signed here, and those acknowledged
		t.Errorf("%d references: all headers of the route are signed", n)
	}
	bad := &request{contentType: ebms.ContentTypeSOAP, body: bytes.Replace(o.Answer, []byte(".receipt<"), []byte(".receipx<"), 1)}
	if a := w.post(t, bad); a.code() != ebms.FailedAuthentication {
		t.Errorf("a changed route: %v", a.codes)
	}
	msg = w.message(t, "m2@a.example", xmlPayload)
	msg.Message.Action = "urn:unknown"
	o = w.sender.Send(t.Context(), msg)
	if o.Verdict != as4.Failed || !strings.Contains(string(o.Answer), ">"+ebms.ActionOneWayError+"<") || !strings.Contains(string(o.Answer), ">urn:unknown.error<") {
		t.Errorf("an error: %v\n%s", o.Err, o.Answer)
	}
	plain := newWorld(t, "eu-edelivery", nil)
	if o := plain.sender.Send(t.Context(), plain.message(t, "m1@a.example", xmlPayload)); strings.Contains(string(o.Answer), "RoutingInput") {
		t.Error("a signal that needs no route has one")
	}
}
