package wss_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const area = "edelivery-as4"

// suiteCaptured accepts what the captures of ten years use; no profile does.
var suiteCaptured = suiteWith(func(s *wss.Suite) {
	s.Name = "captured"
	s.AcceptSignatures = append(s.AcceptSignatures, xmldsig.RSASHA384)
})

// captureKeys are the test keys of the corpus.
func captureKeys(t *testing.T) []*pki.Identity {
	t.Helper()
	var ids []*pki.Identity
	for file, password := range map[string]string{
		"partyC.p12": "ExampleC", "AccessPointA.pfx": "Pz4cZK4SULUwmraZa", "AccessPointB.pfx": "Pz4cZK4SULUwmraZb", "certificate-as4.pfx": "secrets",
	} {
		id, err := pki.LoadIdentity(corpus.Read(t, area, "keys/"+file), password)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for _, file := range []string{"keys/gateway_keystore.jks", "keys/dummy-pw-test.jks"} {
		password := map[string]string{"keys/gateway_keystore.jks": "test123", "keys/dummy-pw-test.jks": "test"}[file]
		more, err := pki.LoadIdentities(corpus.Read(t, area, file), password)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range more {
			ids = append(ids, id)
		}
	}
	return ids
}

// capture is one file of the corpus as a receiver sees it.
type capture struct {
	contentType string
	body        []byte
}

func readCapture(t testing.TB, name string) capture {
	t.Helper()
	b := corpus.Read(t, area, name)
	if strings.HasPrefix(name, "peppol/") { // with HTTP headers
		head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
		if !ok {
			head, rest, _ = bytes.Cut(b, []byte("\n\n"))
		}
		for line := range strings.Lines(string(head)) {
			if v, ok := strings.CutPrefix(line, "Content-Type: "); ok {
				return capture{strings.TrimSpace(v), rest}
			}
		}
		t.Fatalf("%s has no Content-Type", name)
	}
	for line := range strings.Lines(string(b[:min(len(b), 300)])) {
		if boundary, ok := strings.CutPrefix(strings.Trim(line, "\uFEFF\r\n "), "--"); ok {
			return capture{`multipart/related; boundary="` + boundary + `"; type="application/soap+xml"`, b}
		}
	}
	return capture{ebms.ContentTypeSOAP, b}
}

// open runs the whole of a capture: envelope, header, security, parts.
func (c capture) open(t *testing.T, keys []*pki.Identity) (*wss.Opened, map[string]*bytes.Buffer, error) {
	t.Helper()
	octets, parts := c.body, (*ebms.MIMEReader)(nil)
	if strings.HasPrefix(c.contentType, "multipart/") {
		var err error
		if parts, err = ebms.NewReader(c.contentType, bytes.NewReader(c.body), ebms.Limits{Length: int64(len(c.body))}); err != nil {
			return nil, nil, err
		}
		if _, octets, err = parts.Root(); err != nil {
			return nil, nil, err
		}
	}
	env, err := ebms.ParseEnvelope(octets, dom.Limits{})
	if err != nil {
		return nil, nil, err
	}
	m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
	if err != nil {
		return nil, nil, err
	}
	var at time.Time
	var targets []wss.Target
	payloads := map[string]*bytes.Buffer{}
	if um := m.UserMessage(); um != nil {
		at = um.Timestamp
		for i := range um.Parts {
			id, ok := um.Parts[i].ContentID()
			if !ok {
				continue
			}
			packed, err := um.Parts[i].Compressed()
			if err != nil {
				return nil, nil, err
			}
			payloads[id] = &bytes.Buffer{}
			targets = append(targets, wss.Target{ContentID: id, Compressed: packed, W: payloads[id], MaxSize: 16 << 20})
		}
	} else if len(m.Signals) > 0 {
		at = m.Signals[0].Timestamp
	}
	o, err := wss.Open(context.Background(), env, parts, wss.OpenOptions{
		Suites: []wss.Suite{suiteCaptured}, MinRSABits: 1024, Keys: keys, Targets: targets,
		Known: func(ref wss.TokenRef) []*pki.Certificate {
			for _, id := range keys {
				for _, c := range append([]*pki.Certificate{id.Certificate}, id.Chain...) {
					if ref.Matches(c) {
						return []*pki.Certificate{c}
					}
				}
			}
			return nil
		},
		// Each signer is its own anchor, at the time of the message: cryptography and validity, not membership.
		Trust: func(leaf *pki.Certificate, _ []*pki.Certificate, _ wss.TokenForm) error {
			v := &pki.Verifier{Anchors: []pki.Anchor{{Certificate: leaf, Purposes: []pki.Purpose{pki.PurposeAccessPoint}}},
				Clock: func() time.Time { return at }, MinRSABits: 1024, AllowSHA1: true}
			_, err := v.Verify(leaf, nil, pki.PurposeAccessPoint)
			return err
		},
	})
	return o, payloads, err
}

// word names an outcome.
func word(o *wss.Opened, err error) string {
	for w, target := range map[string]error{
		"policy": wss.ErrPolicy, "decryption": wss.ErrDecryption, "part": wss.ErrPart, "decompression": wss.ErrDecompression,
	} {
		if errors.Is(err, target) {
			return w
		}
	}
	var e *ebms.Error
	switch {
	case errors.Is(err, xmldsig.ErrDigest):
		return "digest"
	case errors.Is(err, xmldsig.ErrReference):
		return "reference"
	case errors.Is(err, xmldsig.ErrAlgorithm):
		return "algorithm"
	case errors.Is(err, wss.ErrAuthentication):
		return "signature"
	case errors.As(err, &e):
		return string(e.Code)
	case err != nil:
		if _, fault := ebms.IsFault(err); fault {
			return "fault"
		}
		return err.Error()
	case o.Signer != nil && o.Encrypted:
		return "signed+encrypted"
	case o.Signer != nil:
		return "signed"
	case o.Encrypted:
		return "encrypted"
	}
	return "plain"
}

// captures says what becomes of each message of the corpus. A signature that cannot hold, since the file was reformatted
// or the index says so, shows as "signature", "digest" or "reference"; "part" and "decryption" of a signed message mean
// that its signature value did verify: attachments are read after it.
var captures = map[string]string{
	"as4net/as4-encrypted-compressed-message.as4":                     "encrypted",
	"as4net/as4-encrypted-signed-issuerserial.as4":                    "signed+encrypted",
	"as4net/signed_holodeck_message.as4":                              "signed",
	"as4net/rssbus_message.as4":                                       "decryption", // for somebody whose key is not there
	"as4net/as4_flame_envelope.as4":                                   "part",       // the envelope alone
	"as4net/as4-multihop-message.as4":                                 "signed",
	"as4net/multihopreceipt.xml":                                      "plain",
	"as4net/as4-soap-signed-message.txt":                              "signed",
	"as4net/as4-soap-wrong-signed-message.txt":                        "reference",
	"as4net/as4-soap-untrusted-signed-message.txt":                    "signature",
	"as4net/as4-soap-signed-pullrequest.xml":                          "signed",
	"as4net/as4-soap-pullrequest.xml":                                 "plain",
	"as4net/as4-pullrequest-warning.xml":                              "signature", // reformatted
	"as4net/as4-soap-user-receipt-message.xml":                        "plain",
	"as4net/as4-soap-signed-encrypted-message-with-extra-hashtag.xml": "signature", // with the key that the odd reference names
	"as4net/Receipt_InvalidNRI_Namespace.as4":                         "signature", // the signer's certificate is not there
	"as4net/BizTalkUserMessage.xml":                                   "fault",
	"as4net/as4-encrypted-envelope.xml":                               "part",
	"as4net/receipt.xml":                                              "plain",
	"as4net/as4_soapattachment.as4":                                   "digest",
	"as4net/as4message_external_payloads.txt":                         "part",
	"as4net/as4message_incorect_compressed.txt":                       "decompression",
	"as4net/as4-soap-wrong-encrypted-message.txt":                     "decryption",
	"as4net/receiveagent_message_nonexist_attachment.as4":             "part",

	"phase4/TwoUserMessages.xml":                               "EBMS:0003",
	"phase4/UserMessageNoPartyID.xml":                          "EBMS:0009",
	"phase4/NoResponder.xml":                                   "EBMS:0009",
	"phase4/WrongSigningAlgorithm.xml":                         "algorithm",
	"phase4/ErrorMessageNoRefToMessageID.xml":                  "plain",
	"phase4/ErrorMessage.xml":                                  "plain",
	"phase4/ErrorMessageWithFault.xml":                         "plain",
	"phase4/TestReceipt12.xml":                                 "signed",
	"phase4/TestReceipt11.xml":                                 "fault",
	"phase4/soap11test-MessageInfoMissing.xml":                 "fault",
	"phase4/soap11test-EmptyMessaging.xml":                     "fault",
	"phase4/soap11test-NoMessaging.xml":                        "fault",
	"phase4/soap11test-BundledMessage.xml":                     "fault",
	"phase4/soap11test-PullRequest.xml":                        "fault",
	"phase4/soap11test-ErrorMessage.xml":                       "fault",
	"phase4/soap11test-ReceiptMessage.xml":                     "fault",
	"phase4/soap11test-UserMessage.xml":                        "fault",
	"phase4/soap11test-MessageInfoImaginaryTimestamp.xml":      "fault",
	"phase4/soap12test-UserMessage12.xml":                      "plain",
	"phase4/soap12test-UserMessageWithCompressedPayload12.xml": "EBMS:0009",
	"phase4/soap12test-PullRequest12.xml":                      "plain", // its Security is for another role

	"peppol/dump-raw.as4out":                "decryption", // for somebody whose key is not there
	"peppol/helger.as4in":                   "signed",
	"peppol/dataport1.as4in":                "digest",
	"peppol/dataport1-mustunderstand.as4in": "signed",

	"domibus/MSHAS4Request.xml":                      "signature",
	"domibus/MSHAS4Response.xml":                     "signature",
	"domibus/SOAPMessageNoMessaging.xml":             "EBMS:0009",
	"domibus/SOAPTestMessage.xml":                    "signature",
	"domibus/validAS4Response.xml":                   "signature",
	"domibus/ski_incoming_message.xml":               "signature",
	"domibus/bst_x509v3_incoming_message.xml":        "signature",
	"domibus/bst_X509PKIPathv1_incoming_message.xml": "signature",
	"domibus/RawXMLMessageWithSpacesAndPkiPath.xml":  "policy", // a path under the name of a certificate

	"oasis-as4/UserMessage_No_MPC_P2P_NoWSSecurity.xml":               "part",
	"oasis-as4/UserMessage_No_MPC_P2P_NoWSSecurity.as4receipt.xml":    "plain",
	"oasis-as4/UserMessage_No_MPC_P2P_WSSecurity.xml":                 "algorithm", // SHA-1
	"oasis-as4/UserMessage_No_MPC_P2P_WSSecurity.as4receipt.xml":      "plain",
	"oasis-as4/UserMessage_No_MPC_WSSecurity_multihop.xml":            "algorithm",
	"oasis-as4/UserMessage_No_MPC_WSSecurity_multihop.as4receipt.xml": "plain",
	"oasis-as4/UserMessage_Specified_MPC_P2P.xml":                     "algorithm",
	"oasis-as4/UserMessage_Specified_MPC_P2P.as4receipt.xml":          "plain",
}

// allowedBy returns the outcomes that a row of the index allows; nil where it does not speak of security.
func allowedBy(expected string) []string {
	switch {
	case strings.Contains(expected, "cid digest not checkable"), strings.HasPrefix(expected, "parse OK, signed and encrypted"):
		return []string{"decryption", "part"}
	case strings.HasPrefix(expected, "decrypts with"):
		return []string{"encrypted", "signed+encrypted"}
	case strings.Contains(expected, "structure only"), strings.Contains(expected, "signature does not verify"), strings.Contains(expected, "do not verify"):
		return []string{"signature", "digest", "policy"}
	case strings.HasPrefix(expected, "INVALID"):
		return []string{"digest"}
	case strings.Contains(expected, "all digests match"), strings.Contains(expected, "both digests valid"):
		return []string{"signed"}
	case strings.HasPrefix(expected, "EBMS:0101"):
		return []string{"signature", "reference", "digest", "algorithm"}
	case strings.HasPrefix(expected, "EBMS:0102"):
		return []string{"decryption"}
	case strings.HasPrefix(expected, "EBMS:0303"):
		return []string{"decompression"}
	case strings.HasPrefix(expected, "EBMS:0011"):
		return []string{"part"}
	case strings.HasPrefix(expected, "EBMS:0003"), strings.HasPrefix(expected, "EBMS:0009"):
		return []string{expected[:9]}
	}
	return nil
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	keys := captureKeys(t)
	known := corpus.Known(t, "testdata/known.tsv")
	seen := map[string]bool{}
	for _, row := range corpus.Index(t, area) {
		file := row["file"]
		want, ok := captures[file]
		if !ok {
			dir, _, _ := strings.Cut(file, "/")
			if slices.Contains([]string{"as4net", "phase4", "peppol", "domibus", "oasis-as4"}, dir) && file != "as4net/EncryptedKeyWithMGFSpec.txt" {
				t.Errorf("%s is not run", file)
			}
			continue
		}
		seen[file] = true
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			o, payloads, err := readCapture(t, file).open(t, keys)
			got := word(o, err)
			if got != want {
				t.Errorf("%s (%v), want %s: %s", got, err, want, row["what it shows"])
			}
			allowed := allowedBy(row["expected"])
			agrees := allowed == nil || slices.Contains(allowed, got)
			if reason, listed := known[file]; listed == agrees {
				t.Errorf("index: %q, here %s, known.tsv: %q", row["expected"], got, reason)
			}
			if err != nil {
				return
			}
			for cid, b := range payloads {
				if b.Len() == 0 {
					t.Errorf("payload %s is empty", cid)
				}
			}
			for _, p := range o.Parts {
				want := "raw"
				if o.Signer == nil {
					want = "" // nothing asked for its digest
				}
				if p.MimeType == ebms.CompressionGzip && p.Digested != want {
					t.Errorf("part %+v", p)
				}
			}
		})
	}
	for file := range captures {
		if !seen[file] {
			t.Errorf("%s is not in the index", file)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d rows", len(seen))
	}
}
