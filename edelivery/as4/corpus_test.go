package as4_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const area = "edelivery-as4"

// anything is a profile that leaves all to the message.
var anything = &as4.Profile{Name: "anything", Suites: []wss.Suite{wss.SuiteRSA}, Unsigned: true, Unencrypted: true}

// corpusReceiver takes messages of whoever, with the keys of the corpus. The signers of messages are trusted where the
// corpus has their authority or certificate: none is, so that every signature must fail.
func corpusReceiver(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "eu-edelivery", nil)
	table, err := as4.NewTable(&as4.PMode{ID: "any", Profile: anything, Unencrypted: true, Unsigned: true, TwoCorner: true})
	if err != nil {
		t.Fatal(err)
	}
	w.receiver.PModes = func() *as4.Table { return table }
	var keys []*pki.Identity
	for file, password := range map[string]string{"partyC.p12": "ExampleC", "AccessPointB.pfx": "Pz4cZK4SULUwmraZb"} {
		id, err := pki.LoadIdentity(corpus.Read(t, area, "keys/"+file), password)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, id)
	}
	w.receiver.Keys = func() []*pki.Identity { return keys }
	return w
}

// received says what the receiver has to answer: a code, "receipt", "accepted" or a fault.
var received = map[string]string{
	"as4net/as4-soap-wrong-signed-message.txt":            "EBMS:0101",
	"as4net/as4-soap-untrusted-signed-message.txt":        "EBMS:0101",
	"as4net/as4-soap-wrong-encrypted-message.txt":         "EBMS:0102",
	"as4net/as4message_external_payloads.txt":             "EBMS:0011",
	"as4net/as4message_incorect_compressed.txt":           "EBMS:0303",
	"as4net/receiveagent_message_nonexist_attachment.as4": "EBMS:0011",
	"as4net/as4-encrypted-compressed-message.as4":         "receipt",
	"as4net/as4-soap-pullrequest.xml":                     "EBMS:0008",
	"as4net/BizTalkUserMessage.xml":                       "fault Sender",
	"as4net/multihopreceipt.xml":                          "accepted",
	"as4net/receipt.xml":                                  "accepted",
	"phase4/WrongSigningAlgorithm.xml":                    "EBMS:0101",
	"phase4/TwoUserMessages.xml":                          "EBMS:0003",
	"phase4/UserMessageNoPartyID.xml":                     "EBMS:0009",
	"phase4/NoResponder.xml":                              "EBMS:0009",
	"phase4/ErrorMessage.xml":                             "accepted",
	"phase4/ErrorMessageNoRefToMessageID.xml":             "accepted",
	"phase4/ErrorMessageWithFault.xml":                    "accepted",
	"phase4/soap12test-UserMessage12.xml":                 "EBMS:0011", // its payload is in the SOAP Body
	"phase4/soap12test-PullRequest12.xml":                 "EBMS:0008",
	"phase4/soap11test-UserMessage.xml":                   "fault VersionMismatch",
	"domibus/SOAPMessageNoMessaging.xml":                  "EBMS:0009",
	"oasis-as4/UserMessage_No_MPC_P2P_NoWSSecurity.xml":   "EBMS:0011", // the envelope alone
}

func corpusRequest(t testing.TB, file string) *request {
	t.Helper()
	b := corpus.Read(t, area, file)
	for line := range strings.Lines(string(b[:min(len(b), 300)])) {
		if boundary, ok := strings.CutPrefix(strings.Trim(line, "\uFEFF\r\n "), "--"); ok {
			return &request{contentType: `multipart/related; boundary="` + boundary + `"; type="application/soap+xml"`, body: b}
		}
	}
	return &request{contentType: ebms.ContentTypeSOAP, body: b}
}

func (a *reply) word() string {
	switch {
	case a.status == http.StatusAccepted && len(a.body) == 0:
		return "accepted"
	case a.fault != nil:
		return "fault " + string(a.fault.Code)
	case a.signal != nil && a.signal.Receipt != nil:
		return "receipt"
	case len(a.codes) == 1 && a.status == http.StatusOK:
		return string(a.codes[0])
	}
	return http.StatusText(a.status)
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	w := corpusReceiver(t)
	w.intake.signal = func(*as4.Signal) error { return nil }
	known := corpus.Known(t, "testdata/known.tsv")
	rows := map[string]corpus.Row{}
	for _, r := range corpus.Index(t, area) {
		rows[r["file"]] = r
	}
	for file, want := range received {
		t.Run(file, func(t *testing.T) {
			row, ok := rows[file]
			if !ok {
				t.Fatal("not in the index")
			}
			if got := w.post(t, corpusRequest(t, file)).word(); got != want {
				t.Errorf("%s, want %s (%v)", got, want, w.lastRefusal)
			}
			agrees := !strings.HasPrefix(row["expected"], "EBMS:") || strings.HasPrefix(row["expected"], want)
			if reason, listed := known[file]; listed == agrees {
				t.Errorf("index: %q, here %s, known.tsv: %q", row["expected"], want, reason)
			}
		})
	}
	if s := w.intake.only(t); len(s.payloads) != 2 || !s.Encrypted {
		t.Errorf("%d payloads, encrypted %v", len(s.payloads), s.Encrypted)
	}
}

// TestCorpusReceipts gives captured receipts to a sender that waits for them.
func TestCorpusReceipts(t *testing.T) {
	t.Parallel()
	for file, c := range map[string]struct {
		ref     string
		verdict as4.Verdict
		code    ebms.Code
	}{
		"as4net/Receipt_InvalidNRI_Namespace.as4": {code: ebms.InvalidReceipt},
		"phase4/TestReceipt12.xml":                {code: ebms.InvalidReceipt}, // of another message, by a stranger
		"phase4/ErrorMessageWithFault.xml":        {code: ebms.PolicyNoncompliance},
		"as4net/as4-pullrequest-warning.xml":      {code: ebms.MissingReceipt}, // a warning is no failure
		"as4net/receipt.xml":                      {code: ebms.InvalidReceipt},
		"domibus/MSHAS4Response.xml":              {code: ebms.InvalidReceipt},
		"domibus/validAS4Response.xml":            {code: ebms.InvalidReceipt},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", nil)
			r := corpusRequest(t, file)
			env, err := readEnvelope(r)
			if err != nil {
				t.Fatal(err)
			}
			m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
			if err != nil {
				t.Fatal(err)
			}
			w.respond(func(rw http.ResponseWriter, _ []byte) { write(rw, 200, r.contentType, r.body) })
			id := m.Signals[0].RefToMessageID
			if !ebms.ValidMessageID(id) {
				id = "m1@a.example"
			}
			o := w.sender.Send(t.Context(), w.message(t, id, xmlPayload))
			if o.Verdict != as4.RetryLater || !ebmsIs(o.Err, c.code) {
				t.Errorf("verdict %d: %v", o.Verdict, o.Err)
			}
		})
	}
}

func ebmsIs(err error, code ebms.Code) bool {
	e, ok := err.(*ebms.Error)
	return ok && e.Code == code
}

func readEnvelope(r *request) (*ebms.Envelope, error) {
	octets := bytes.Clone(r.body)
	if strings.HasPrefix(r.contentType, "multipart/") {
		mr, err := ebms.NewReader(r.contentType, bytes.NewReader(r.body), ebms.Limits{Length: int64(len(r.body))})
		if err != nil {
			return nil, err
		}
		if _, octets, err = mr.Root(); err != nil {
			return nil, err
		}
	}
	return ebms.ParseEnvelope(octets, dom.Limits{})
}

// claims names who runs the rows of the corpus: by folder where that package's own test fails for a row that it does
// not run, else by file.
var claims = map[string]string{
	"as4net":                             "edelivery/ebms headers and parts; edelivery/wss security; here answers",
	"as4net/EncryptedKeyWithMGFSpec.txt": "trust/xmlenc",
	"phase4":                             "edelivery/ebms; edelivery/wss; here answers",
	"peppol":                             "edelivery/ebms; edelivery/wss",
	"domibus":                            "edelivery/ebms; edelivery/wss; here answers",
	"oasis-as4":                          "edelivery/ebms; edelivery/wss; here receipts",

	"keys/partyC.p12":             "trust/pki stores; edelivery/wss decryption",
	"keys/AccessPointA.pfx":       "trust/pki stores; edelivery/wss",
	"keys/AccessPointB.pfx":       "trust/pki stores; edelivery/wss decryption",
	"keys/certificate-as4.pfx":    "trust/pki stores; edelivery/wss",
	"keys/dummy-pw-test.jks":      "trust/pki stores; edelivery/wss",
	"keys/gateway_keystore.jks":   "trust/pki stores; edelivery/wss",
	"keys/gateway_truststore.jks": "trust/pki stores",

	"xmlenc11/plaintext.xml":                                                           "trust/xmlenc",
	"xmlenc11/EC-P256_SHA256WithECDSA-v02.p12":                                         "trust/pki stores; trust/xmlenc",
	"xmlenc11/EC-P384_SHA256WithECDSA-v02.p12":                                         "trust/pki stores; trust/xmlenc",
	"xmlenc11/RSA-2048_SHA256WithRSA.p12":                                              "trust/pki stores; trust/xmlenc",
	"xmlenc11/RSA-3072_SHA256WithRSA.p12":                                              "trust/pki stores; trust/xmlenc",
	"xmlenc11/RSA-4096_SHA256WithRSA.p12":                                              "trust/pki stores; trust/xmlenc",
	"xmlenc11/cipherText__EC-P256__aes128-gcm__kw-aes128__ECDH-ES__ConcatKDF-1.xml":    "trust/xmlenc",
	"xmlenc11/cipherText__EC-P384__aes192-gcm__kw-aes192__ECDH-ES__ConcatKDF-2.xml":    "trust/xmlenc",
	"xmlenc11/cipherText__RSA-2048__aes128-gcm__rsa-oaep-mgf1p.xml":                    "trust/xmlenc",
	"xmlenc11/cipherText__RSA-3072__aes192-gcm__rsa-oaep-mgf1p__Sha256.xml":            "trust/xmlenc",
	"xmlenc11/cipherText__RSA-3072__aes256-gcm__rsa-oaep__Sha384-MGF_Sha1.xml":         "trust/xmlenc",
	"xmlenc11/cipherText__RSA-4096__aes256-gcm__rsa-oaep__Sha512-MGF_Sha1_PSource.xml": "trust/xmlenc",

	"eddsa/envelopingSignatureEd25519.xml":        "trust/xmldsig",
	"eddsa/envelopingInvalidSignatureEd25519.xml": "trust/xmldsig",
	"eddsa/eddsaEd25519Signature.xml":             "trust/xmldsig",
	"eddsa/x25519.key":                            "trust/xmlenc",
	"eddsa/wss-eddsa.p12":                         "trust/pki stores",
	"eddsa/wss-eddsa.properties":                  "its password, written into that test",

	"xsd":             "xmlcore/xsd: they compile",
	"backend-domibus": "node: TestSamplesOfTheOtherGateway, TestSamplesOfMetadata",
	"pmode-domibus":   "edelivery/pmode; node/agreements",
	"pmode-holodeck":  "edelivery/pmode",
	"policy-domibus":  "edelivery/pmode: what each policy means",
	"policy-domibus5": "edelivery/pmode: what each policy means",
}

func TestEveryRowIsClaimed(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, row := range corpus.Index(t, area) {
		dir, _, _ := strings.Cut(row["file"], "/")
		switch {
		case claims[row["file"]] != "":
			used[row["file"]] = true
		case claims[dir] != "":
			used[dir] = true
		default:
			t.Errorf("nobody runs %s", row["file"])
		}
	}
	for name := range claims {
		if !used[name] {
			t.Errorf("%s is claimed, but not in the index", name)
		}
	}
}

// TestReceiptsOfTheStandard makes the receipts of OASIS's samples from their messages: what is digested in the receipt is
// what the message signed.
func TestReceiptsOfTheStandard(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UserMessage_No_MPC_P2P_WSSecurity", "UserMessage_Specified_MPC_P2P", "UserMessage_No_MPC_WSSecurity_multihop"} {
		receipt, err := readEnvelope(corpusRequest(t, "oasis-as4/"+name+".as4receipt.xml"))
		if err != nil {
			t.Fatal(err)
		}
		message, err := readEnvelope(corpusRequest(t, "oasis-as4/"+name+".xml"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := ebms.ParseMessaging(receipt.Messaging, ebms.AllQuirks())
		if err != nil {
			t.Fatal(err)
		}
		var signed, named []string
		for n := range message.Security.Descendants() {
			if n.Is("http://www.w3.org/2000/09/xmldsig#", "Reference") && n.Parent().Local() == "SignedInfo" {
				signed = append(signed, n.Attr("URI")+" "+n.Child(n.Space(), "DigestValue").TrimmedText())
			}
		}
		for _, r := range m.Signals[0].Receipt.References {
			named = append(named, r.URI+" "+r.Node.Child("http://www.w3.org/2000/09/xmldsig#", "DigestValue").TrimmedText())
		}
		slices.Sort(signed)
		slices.Sort(named)
		if len(named) == 0 || !slices.Equal(signed, named) {
			t.Errorf("%s: signed %v, receipt %v", name, signed, named)
		}
	}
}
