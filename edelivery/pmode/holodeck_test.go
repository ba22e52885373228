package pmode

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

func TestAHolodeckFileIsWhatItsPartySees(t *testing.T) {
	t.Parallel()
	s := read(t, sample(t, "holodeck.xml"), Options{})
	if s.Own.Name != "harbour" || len(s.Partners) != 1 || s.Partners[0].Name != "lighthouse" || len(s.Modes) != 1 || len(s.Warnings) != 0 {
		t.Fatalf("%+v", s)
	}
	send, receive := s.PModes(s.Modes[0])
	want := as4.PMode{
		ID: "tides", ProfileName: "bilateral", Agreement: "urn:example:treaty", Service: "tides", ServiceType: "urn:example:services", Action: "announce",
		Initiator: as4.PartyRef{ID: "H1", Type: "urn:example:office", Role: "Sender"}, Responder: as4.PartyRef{ID: "L1", Type: "urn:example:office", Role: "Receiver"},
		URL: "https://lighthouse.example/as4", SignToken: wss.TokenBST, EncryptToken: wss.TokenIssuerSerial, TwoCorner: true,
		Retry: as4.Retry{Max: 4, First: 30 * time.Second, Factor: 2, Limit: 2 * time.Minute},
	}
	if receive != nil || fmt.Sprintf("%+v", *send) != fmt.Sprintf("%+v", want) {
		t.Errorf("got\n%+v\n%+v", *send, want)
	}
	// The same file read by the node of the other party.
	s = read(t, sample(t, "holodeck.xml"), Options{Own: []ebms.PartyID{{Value: "l1"}}})
	if s.Own.IDs[0].Value != "L1" || s.Modes[0].Direction != Receive {
		t.Errorf("%+v", s)
	}
}

func TestSidesOfAHolodeckFile(t *testing.T) {
	t.Parallel()
	const (
		mep, binding = "core/200704/oneWay", "core/200704/push<"
		pull         = "        <UserMessageFlow>"
		flow         = "        <PullRequestFlow><Mpc>urn:example:mpc:night</Mpc></PullRequestFlow>\n" + pull
		legs         = "    </Leg>"
		reply        = `    </Leg>
    <Leg>
        <Protocol><Address>https://harbour.example/as4</Address></Protocol>
        <Receipt><ReplyPattern>RESPONSE</ReplyPattern></Receipt>
        <UserMessageFlow><BusinessInfo><Action>answer</Action></BusinessInfo></UserMessageFlow>
    </Leg>`
	)
	for _, c := range []struct {
		name    string
		replace []string
		want    string
	}{
		{"a push comes from the initiator", nil, "tides send push https://lighthouse.example/as4"},
		{"a pull fetches from the responder", []string{binding, "core/200704/pull<", pull, flow}, "tides receive pull https://lighthouse.example/as4"},
		{"two-way is a push there and a push back", []string{mep, "core/200704/twoWay", binding, "core/200704/pushAndPush<", legs, reply}, "tides send push https://lighthouse.example/as4, tides/reply receive push https://lighthouse.example/as4"},
		{"push-and-pull fetches the answer", []string{mep, "core/200704/twoWay", binding, "core/200704/pushAndPull<", legs, strings.Replace(reply, "<UserMessageFlow>", "<PullRequestFlow><Mpc>urn:example:mpc:night</Mpc></PullRequestFlow><UserMessageFlow>", 1)},
			"tides send push https://lighthouse.example/as4, tides/reply receive pull https://harbour.example/as4"},
		{"pull-and-push fetches the question", []string{mep, "core/200704/twoWay", binding, "core/200704/pullAndPush<", pull, flow, legs, reply}, "tides receive pull https://lighthouse.example/as4, tides/reply send push https://harbour.example/as4"},
		{"without a private key the address tells who connects", []string{` password="secret"`, ""}, "tides send push https://lighthouse.example/as4"},
		{"and a receipt to be sent who answers", []string{` password="secret"`, "", "        <Protocol>\n            <Address>https://lighthouse.example/as4</Address>\n        </Protocol>\n", ""}, "tides receive push "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := read(t, sample(t, "holodeck.xml", c.replace...), Options{})
			var got []string
			for _, m := range s.Modes {
				url := s.Partners[0].URL
				got = append(got, fmt.Sprintf("%s %s %s %s", m.ID, m.Direction, strings.TrimPrefix(m.Binding, ebms.NS), url))
			}
			if len(s.Modes) == 2 && (s.Modes[0].ReplyWith != "tides/reply" || !s.Modes[1].Response) {
				t.Errorf("question and answer do not know each other: %+v", s.Modes)
			}
			if c.name == "push-and-pull fetches the answer" || c.name == "pull-and-push fetches the question" {
				// Two addresses in one file: the last one stands for the partner.
				c.want = strings.ReplaceAll(c.want, "lighthouse.example", "harbour.example")
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWhatAHolodeckFileAsksForIsServedToldOrRefused(t *testing.T) {
	t.Parallel()
	sign := "<KeyReferenceMethod>BSTReference</KeyReferenceMethod>\n"
	encrypt := "<KeystoreAlias>lighthouse</KeystoreAlias>\n"
	address := "<Address>https://lighthouse.example/as4</Address>\n"
	for _, c := range []struct {
		name           string
		old, new       string
		lost, unusable string
		refused        string
	}{
		{"a path of certificates", sign, "<KeyReferenceMethod>BSTReference</KeyReferenceMethod><IncludeCertificatePath>true</IncludeCertificatePath>", "", "", ""},
		{"a longer hash in signatures", sign, sign + "<Algorithm>http://www.w3.org/2001/04/xmldsig-more#rsa-sha512</Algorithm>", "messages are signed with", "", ""},
		{"SHA-1", sign, sign + "<Algorithm>http://www.w3.org/2000/09/xmldsig#rsa-sha1</Algorithm>", "", "not used in eDelivery AS4", ""},
		{"a longer key", encrypt, encrypt + "<Algorithm>http://www.w3.org/2009/xmlenc11#aes256-gcm</Algorithm>", "payloads are encrypted with", "", ""},
		{"CBC", encrypt, encrypt + "<Algorithm>http://www.w3.org/2001/04/xmlenc#aes128-cbc</Algorithm>", "", "not used in eDelivery AS4", ""},
		{"key transport with SHA-1", encrypt, encrypt + "<KeyTransport><DigestAlgorithm>http://www.w3.org/2000/09/xmldsig#sha1</DigestAlgorithm></KeyTransport>", "", "the key transport", ""},
		{"key agreement", encrypt, encrypt + "<KeyAgreement><KeyEncryptionAlgorithm>x</KeyEncryptionAlgorithm></KeyAgreement>", "", "ECDH-ES and ConcatKDF", ""},
		{"an intermediary", address, address + "<AddActorOrRoleAttribute>true</AddActorOrRoleAttribute>", "", "through an intermediary", ""},
		{"SOAP 1.1", address, address + "<SoapVersion>1.1</SoapVersion>", "", "SOAP 1.1", ""},
		{"a property of its own", "<Service>\n                    <name>tides</name>", "<Service>\n                    <name>tides</name>", "", "", ""},
		{"no signature", "            <Signing>\n                <KeystoreAlias password=\"secret\">harbour</KeystoreAlias>\n                <KeyReferenceMethod>BSTReference</KeyReferenceMethod>\n            </Signing>\n", "", "", "encrypted and not signed", ""},
		{"the id in messages", "<id>", `<id include="true">`, "", "", ""},
		{"pauses that do not grow evenly", "30,60,120,120", "30,90,91,95,1", "the pauses between attempts", "", ""},
		{"an element nobody knows", "<Receipt>", "<Colour/><Receipt>", "", "", "f.xml:32: Colour: has no place in Leg [element]"},
		{"elements in the wrong order", "<Receipt>\n            <NotifyReceiptToBusinessApplication>true</NotifyReceiptToBusinessApplication>", "<Receipt><To>x</To><ReplyPattern>RESPONSE</ReplyPattern>", "", "", "f.xml:32: ReplyPattern: stands after To, must stand before it [element]"},
		{"a pattern and a binding that do not go together", "200704/oneWay", "200704/twoWay", "", "", "f.xml:2: PMode mepBinding: the binding"},
		{"a binding nobody knows", "200704/push", "200704/pigeon", "", "", "f.xml:5: mepBinding: \"http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/20070...\" is none of"},
		{"an address of another kind", "https://lighthouse.example/as4", "ftp://lighthouse.example/", "", "", `f.xml:30: Address: "ftp://lighthouse.example/" is no http or https address [endpoint]`},
		{"a schedule of words", "30,60,120,120", "soon", "", "", `f.xml:36: WaitIntervals: "soon" is no list of seconds [retry]`},
		{"retries without receipts", "        <Receipt>\n            <NotifyReceiptToBusinessApplication>true</NotifyReceiptToBusinessApplication>\n        </Receipt>\n", "", "", "", "ReceptionAwareness without Receipt"},
		{"an empty id", "<id>tides</id>", "<id> </id>", "", "", "f.xml:3: id: is empty [required]"},
		{"a document type", `<?xml version="1.0" encoding="UTF-8"?>`, `<!DOCTYPE a>`, "", "", "f.xml:1: document type declaration is not allowed [syntax]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := Read(sample(t, "holodeck.xml", c.old, c.new), Options{File: "f.xml"})
			if c.refused != "" || err != nil {
				if err == nil || c.refused == "" || !strings.Contains(err.Error(), c.refused) {
					t.Fatalf("got %v, want %s", err, c.refused)
				}
				return
			}
			m := s.Modes[0]
			if got := strings.Join(m.Lost, "\n"); !strings.Contains(got, c.lost) || c.lost == "" && got != "" {
				t.Errorf("lost %q, want %q", got, c.lost)
			}
			if got := strings.Join(m.Unusable, "\n"); !strings.Contains(got, c.unusable) || c.unusable == "" && got != "" {
				t.Errorf("unusable %q, want %q", got, c.unusable)
			}
			if c.name == "a path of certificates" && m.Security.SignToken != wss.TokenPKIPath {
				t.Errorf("token %q", m.Security.SignToken)
			}
			if c.name == "the id in messages" && !strings.Contains(s.Warnings.Error(), "eb:AgreementRef") {
				t.Errorf("warnings %v", s.Warnings)
			}
		})
	}
}

func TestPoliciesThatAskForMoreThanAS4AreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, old, new, want string }{
		{"a policy as it should be", "issuer", "", ""},
		{"an algorithm suite with CBC", "Basic128GCMSha256MgfSha256", "Basic256Sha256Rsa15", "is not that of eDelivery AS4"},
		{"encryption before the signature", "<sp:SignBeforeEncrypting/>", "<sp:EncryptBeforeSigning/>", "EncryptBeforeSigning is not part of AS4"},
		{"a timestamp", "<sp:SignBeforeEncrypting/>", "<sp:IncludeTimestamp/>", "IncludeTimestamp is not part of AS4"},
		{"a signed Body alone", `<sp:Header Namespace="urn:x" Name="Messaging"/>`, "", "signed together or not at all"},
		{"an encrypted header", "<sp:EncryptedParts>", `<sp:EncryptedParts><sp:Header Name="Messaging"/>`, "Header cannot be encrypted"},
		{"a choice", "<wsp:ExactlyOne>", "<wsp:ExactlyOne><wsp:All/>", "has alternatives"},
		{"the other transform", "ContentSignatureTransform", "AttachmentCompleteSignatureTransform", "not allowed in AS4"},
		{"no suite", "<e:Basic128GCMSha256MgfSha256 xmlns:e=\"http://e-delivery.eu/custom/security-policy\"/>", "", "names no algorithm suite"},
		{"no token", "<sp:X509Token sp:IncludeToken=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702/IncludeToken/Never\"><wsp:Policy><sp:WssX509V3Token10/></wsp:Policy></sp:X509Token>", "", "no X.509 token"},
		{"something else", "wsp:Policy", "wsp:Rule", "is no WS-Policy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.want == "" {
				s, err := ReadPolicy(sample(t, "policy.xml"))
				if want := (Security{Sign: true, Encrypt: true, SignToken: wss.TokenIssuerSerial, EncryptToken: wss.TokenSKI, Suite: "rsa"}); err != nil || s != want {
					t.Errorf("got %+v, %v; want %+v", s, err, want)
				}
				return
			}
			b := sample(t, "policy.xml", c.old, c.new)
			if _, err := ReadPolicy(b); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			set := read(t, sample(t, "domibus.xml"), Options{File: "f.xml", Policy: func(string) []byte { return b }})
			if !strings.Contains(set.Warnings.Error(), "f.xml:50: security strong: policy eDeliveryAS4Policy_BST.xml: ") {
				t.Errorf("a file with that policy warns of: %v", set.Warnings)
			}
			if m := set.Modes[0]; m.Usable() || !strings.Contains(m.Unusable[0], "cannot be followed") {
				t.Errorf("its modes are used: %v", m.Unusable)
			}
		})
	}
}
