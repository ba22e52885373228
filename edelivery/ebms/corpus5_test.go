package ebms

import (
	"bytes"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// domibus5 has the outcome of envelope and header for the samples of another corpus.
var domibus5 = map[string]corpusCase{
	"InvalidBodyloadCidSOAPMessage.xml":                   {header: "EBMS:0003"},
	"InvalidSOAPFaultResponse.xml":                        {header: "-"},
	"SOAPFaultResponse.xml":                               {header: "-"},
	"SOAPMessage4_compressed.xml":                         {},
	"UserMessageReceipt.xml":                              {},
	"mshwebserviceit-soapenvelope-response.xml":           {check: answers},
	"mshwebserviceit-soapenvelope.xml":                    {},
	"request_BST_PKIP.xml":                                {},
	"response_BST_PKIP.xml":                               {},
	"soapEnvelope-PullRequest.xml":                        {},
	"soapEnvelope-SignalMessage-error.xml":                {},
	"soapEnvelope-SignalMessage-receipt-pull.xml":         {},
	"soapEnvelope-UserMessage-receipt-split-and-join.xml": {check: deviatesCopy},
}

func TestCorpusDomibus5(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, row := range corpus.Index(t, "architecture-esens") {
		name, ok := strings.CutPrefix(row["path"], "as4-domibus5/")
		if !ok {
			continue
		}
		seen++
		c, ok := domibus5[name]
		if !ok {
			t.Errorf("%s: no case", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := corpus.Read(t, "architecture-esens", row["path"])
			// One sample is a template whose test fills these in.
			src = bytes.Replace(src, []byte("PLACEHOLDER_TIMESTAMP_MESSAGEID"), []byte("<eb3:Timestamp>2023-12-01T00:00:00.000Z</eb3:Timestamp><eb3:MessageId>a@domibus.eu</eb3:MessageId>"), 1)
			e, err := ParseEnvelope(src, dom.Limits{})
			if word(err) != or(c.envelope, "ok") {
				t.Fatalf("envelope: got %s (%v), want %s", word(err), err, or(c.envelope, "ok"))
			}
			if c.header == "-" {
				if e.Fault == nil || e.Messaging.Valid() {
					t.Errorf("fault %v", e.Fault)
				}
				return
			}
			m, err := ParseMessaging(e.Messaging, DefaultQuirks())
			if word(err) != or(c.header, "ok") {
				t.Fatalf("header: got %s (%v), want %s", word(err), err, or(c.header, "ok"))
			}
			if c.check != nil {
				c.check(t, m, e)
			}
			if m != nil {
				rewrite(t, m)
			}
		})
	}
	if seen != len(domibus5) {
		t.Errorf("%d rows, %d cases", seen, len(domibus5))
	}
}

func deviatesCopy(t *testing.T, m *Messaging, e *Envelope) {
	if !m.Deviations.ReceiptCopy || m.Signals[0].Receipt.UserMessage == nil {
		t.Errorf("%+v", m.Deviations)
	}
}

// answers checks that the receipt names the request and carries the references of its signature.
func answers(t *testing.T, m *Messaging, e *Envelope) {
	request, err := ParseEnvelope(corpus.Read(t, "architecture-esens", "as4-domibus5/mshwebserviceit-soapenvelope.xml"), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	rm, err := ParseMessaging(request.Messaging, DefaultQuirks())
	if err != nil || m.Signals[0].RefToMessageID != rm.UserMessage().MessageID {
		t.Errorf("%v: the receipt is for %s", err, m.Signals[0].RefToMessageID)
	}
	signed := map[string]bool{}
	for n := range request.Security.Descendants() {
		if n.Kind() == dom.ElementNode && n.Is(NSSignature, "Reference") {
			signed[n.Attr("URI")] = true
		}
	}
	for _, r := range m.Signals[0].Receipt.References {
		if !signed[r.URI] {
			t.Errorf("%s was not signed", r.URI)
		}
	}
	if n := len(m.Signals[0].Receipt.References); n == 0 || n != len(signed) {
		t.Errorf("%d references for %d", n, len(signed))
	}
}
