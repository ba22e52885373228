package interop

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

var plainProfile = phase4Profiles[0]

// course is what a message to a receiver that misbehaves must go through.
type course struct {
	receiver []string // options of phase4
	settings tree     // of the P-Mode
	change   func(tree)
	final    store.State
	code     string   // of the final problem
	attempts int      // in all; 0: not asked
	through  []string // texts of the events before the last, in order
	bad      int      // answers kept that are no receipt
	stored   int      // copies at the receiver
}

func TestPhase4ReceiverMisbehaves(t *testing.T) {
	t.Parallel()
	phase4.need(t)
	const no = "EBMS:0301"
	for name, c := range map[string]course{
		"HTTP 500 once": {receiver: []string{"--fail-first", "1"}, final: store.Acknowledged, attempts: 2, through: []string{"HTTP status 500"}, stored: 1},
		"HTTP 503 to the end": {
			receiver: []string{"--fail-first", "9", "--fail-status", "503"}, final: store.Failed, code: no, attempts: 3, through: []string{"HTTP status 503", "HTTP status 503"},
		},
		"nobody listens": {
			change: func(c tree) { c["partners"].([]any)[0].(tree)["url"] = deadURL }, final: store.Failed, code: no, attempts: 3,
			through: []string{"EBMS:0005", "EBMS:0005"},
		},
		"hangs up, then repeats the first receipt": {
			receiver: []string{"--hang-up-first", "1", "--duplicates", "receipt"}, final: store.Acknowledged, attempts: 2, through: []string{"EBMS:0005"}, stored: 1,
		},
		"hangs up, then calls the copy a duplicate": {
			receiver: []string{"--hang-up-first", "1", "--duplicates", "error"}, settings: tree{"duplicateIs0004": true},
			final: store.AcknowledgedWithoutReceipt, code: "EBMS:0004", attempts: 2, through: []string{"EBMS:0005"}, bad: 1, stored: 1,
		},
		"hangs up, then calls the copy a duplicate, which is not agreed": {
			receiver: []string{"--hang-up-first", "1", "--duplicates", "error"}, final: store.Failed, code: no, attempts: 3,
			through: []string{"EBMS:0005", "EBMS:0004"}, bad: 2, stored: 1,
		},
		"no receipt once": {
			receiver: []string{"--no-receipt=1", "--duplicates", "receipt"}, final: store.Acknowledged, attempts: 2, through: []string{"EBMS:0301"}, stored: 1,
		},
		"no receipt to the end": {
			receiver: []string{"--no-receipt", "--duplicates", "accept"}, settings: tree{"maxAttempts": 2}, final: store.Failed, code: no, attempts: 2,
			through: []string{"EBMS:0301"}, stored: 2,
		},
		"a late receipt": {receiver: []string{"--delay", "1500"}, final: store.Acknowledged, attempts: 1, stored: 1},
		"a receipt later than we wait": {
			receiver: []string{"--delay", "4000"}, settings: tree{"maxAttempts": 1}, change: func(c tree) { c["outbound"].(tree)["timeout"] = "1s" },
			final: store.Failed, code: no, attempts: 1, stored: 1,
		},
		"a receipt with a broken signature": corrupt("signature", "signature"),
		"a receipt with a wrong digest":     corrupt("digest", "another digest"),
		"a receipt for another message":     corrupt("ref-to", "another message"),
		"a receipt without signature":       corrupt("unsigned", "no security"),
		"a receipt signed by a stranger":    corrupt("foreign", "no path to a trust anchor"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// corrupt is the course with a receipt that proves nothing, twice.
func corrupt(kind, says string) course {
	return course{
		receiver: []string{"--corrupt-receipt=" + kind, "--duplicates", "accept"}, settings: tree{"maxAttempts": 2}, final: store.Failed, code: "EBMS:0301", attempts: 2,
		through: []string{"EBMS:0302 InvalidReceipt", says}, bad: 2, stored: 2,
	}
}

func (c *course) run(t *testing.T) {
	outcome := took
	if c.final == store.Failed {
		outcome = refused
	}
	r := entry(t, plainProfile.name(), sent, outcome)
	_, url, dir := plainProfile.receiver(t, nil, c.receiver...)
	g := start(t, "eu-edelivery", func(_ string, conf tree) {
		partner(conf, "eu-edelivery", url, c.settings)
		if c.change != nil {
			if conf["outbound"] == nil {
				conf["outbound"] = tree{}
			}
			c.change(conf)
		}
	})
	id := g.submit(t, tree{"pmode": "bilateral", "sender": "scheme::c1", "receiver": "scheme::c4"}, octets("application/xml", invoice))
	m := g.until(t, store.Out, id, c.final)
	r.detail = strings.TrimSpace(m.State.String() + " " + m.Error.Code)
	if m.Error.Code != c.code || c.attempts != 0 && m.Attempts != c.attempts {
		t.Errorf("%d attempts, %+v", m.Attempts, m.Error)
	}
	var details []string
	for _, e := range events(t, g, m) {
		details = append(details, e.State.String()+": "+e.Detail)
	}
	rest := strings.Join(details, "\n")
	for _, want := range c.through {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("no event says %q in\n%s", want, strings.Join(details, "\n"))
		}
		rest = after
	}
	good := 0
	if c.final == store.Acknowledged {
		good = 1
	}
	if e := g.evidence(t, m); len(e[store.KindReceipt]) != good || len(e[store.KindError]) != c.bad {
		t.Errorf("%d receipts and %d other answers kept, want %d and %d", len(e[store.KindReceipt]), len(e[store.KindError]), good, c.bad)
	}
	stored := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "*-"+id))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	for deadline := time.Now().Add(patience); stored() < c.stored && time.Now().Before(deadline); { // it may take longer than we waited
		time.Sleep(10 * time.Millisecond)
	}
	if n := stored(); n != c.stored {
		t.Errorf("the receiver stored %d copies, want %d", n, c.stored)
	}
}

func events(t *testing.T, g *gateway, m *store.Message) []store.Event {
	t.Helper()
	e, err := g.Store.Events(context.Background(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// deadURL is an address where nobody listens, now or later: no test is given such a port.
const deadURL = "http://127.0.0.1:1/as4"

// Every error that phase4 can answer: those of the second list are about the message and come again with every copy,
// the others may pass.
func TestPhase4AnswersErrors(t *testing.T) {
	t.Parallel()
	phase4.need(t)
	passing := []string{"EBMS:0002", "EBMS:0004", "EBMS:0005", "EBMS:0006", "EBMS:0201", "EBMS:0202", "EBMS:0301", "EBMS:0302"}
	lasting := []string{"EBMS:0001", "EBMS:0003", "EBMS:0007", "EBMS:0008", "EBMS:0009", "EBMS:0010", "EBMS:0011", "EBMS:0101", "EBMS:0102", "EBMS:0103", "EBMS:0303"}
	for _, code := range slices.Sorted(slices.Values(slices.Concat(passing, lasting))) {
		options := []string{"--ebms-error", code, "--ebms-error-first", "1", "--error-detail", "why it was refused"}
		if slices.Contains(passing, code) {
			t.Run(code+" passes", func(t *testing.T) {
				t.Parallel()
				(&course{receiver: options, final: store.Acknowledged, attempts: 2, through: []string{code}, bad: 1, stored: 1}).run(t)
			})
			continue
		}
		t.Run(code+" is final", func(t *testing.T) {
			t.Parallel()
			(&course{receiver: options, final: store.Failed, code: code, attempts: 1, through: []string{"why it was refused"}, bad: 1}).run(t)
		})
	}
}

func TestPhase4SenderMisbehaves(t *testing.T) {
	t.Parallel()
	phase4.need(t)
	dir := t.TempDir()
	document, other := filepath.Join(dir, "document"), filepath.Join(dir, "other")
	for file, b := range map[string][]byte{document: invoice, other: bytes.ReplaceAll(invoice, []byte("cr"), []byte("CR"))} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Every certificate is agreed, so that only what is wrong with it can refuse it.
	var pinned []string
	for _, name := range []string{"ap2", "ap-expired", "ap-notyet", "ap-revoked", "ap-foreign"} {
		pinned = append(pinned, phase4.pki(name+".pem"))
	}
	agreed := func(c tree) {
		partner(c, "eu-edelivery", "", tree{"certificates": pinned})
		c["as4"].(tree)["crls"] = []string{phase4.pki("crl.pem")}
	}
	g := start(t, "eu-edelivery", func(_ string, c tree) { agreed(c) })
	for _, c := range []struct {
		name, code string
		args       []string
	}{
		{"a payload altered after signing", "EBMS:0101", []string{"--compress", "--tamper=payload"}},
		{"an altered cipher text", "EBMS:0102", []string{"--compress", "--tamper=cipher"}},
		{"a header altered after signing", "EBMS:0101", []string{"--compress", "--tamper=header"}},
		{"an altered signature", "EBMS:0101", []string{"--compress", "--tamper=signature"}},
		{"says gzip and is not", "EBMS:0303", []string{"--tamper=gzip"}},
		{"an expired certificate", "EBMS:0101", []string{"--expired-cert"}},
		{"a certificate that is not valid yet", "EBMS:0101", []string{"--notyet-cert"}},
		{"a revoked certificate", "EBMS:0101", []string{"--revoked-cert"}},
		{"a certificate of a strange authority", "EBMS:0101", []string{"--wrong-cert"}},
		{"not signed", "EBMS:0103", []string{"--no-sign"}},
		{"not encrypted", "EBMS:0103", []string{"--no-encrypt"}},
		{"encrypted for somebody else", "EBMS:0102", []string{"--receiver-cert", phase4.pki("ap3.pem")}},
		{"a service that is not agreed", "EBMS:0001", []string{"--service", "urn:other"}},
		{"an action that is not agreed", "EBMS:0001", []string{"--action", "urn:other"}},
		{"a party that is not known", "EBMS:0003", []string{"--from-type", "urn:other"}},
		{"no original sender and final recipient", "EBMS:0010", []string{"--no-properties"}},
		{"a test action with another service", "EBMS:0001", []string{"--action", ebmsTest}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := entry(t, plainProfile.name(), received, refused)
			result := plainProfile.transmit(t, g, nil, append(c.args, "--payload", document)...)[0]
			g.absent(t, result.text("messageId"))
			errs := result.list("errors")
			if result.is("ok") || len(errs) != 1 {
				t.Fatalf("%v", result)
			}
			e := object(errs[0].(map[string]any))
			r.detail = e.text("code")
			if e.text("code") != c.code || !e.is("signed") || e.text("severity") != "failure" {
				t.Errorf("%v, want %s, signed", e, c.code)
			}
			if strings.HasPrefix(c.code, "EBMS:010") && c.code != "EBMS:0103" && e.text("detail")+e.text("description") != "security" {
				t.Errorf("the answer says more than its code: %v", e)
			}
		})
	}
	t.Run("a revoked certificate while no list is known", func(t *testing.T) {
		t.Parallel()
		entry(t, plainProfile.name(), received, took)
		g := start(t, "eu-edelivery", func(_ string, c tree) {
			agreed(c)
			delete(c["as4"].(tree), "crls")
		})
		if result := plainProfile.transmit(t, g, nil, "--revoked-cert", "--payload", document)[0]; !result.is("ok") {
			t.Errorf("%v", result)
		}
	})
	t.Run("the same octets twice", func(t *testing.T) {
		t.Parallel()
		r := entry(t, plainProfile.name(), received, took)
		result := plainProfile.transmit(t, g, nil, "--duplicate", "--payload", document)[0]
		if !result.is("ok") || !result.is("second", "receipt") || !result.is("second", "sameOctets") {
			t.Errorf("%v", result)
		}
		r.detail = "the first receipt, octet for octet"
		m := g.until(t, store.In, result.text("messageId"), store.Delivered)
		if len(g.evidence(t, m)[store.KindReceipt]) != 1 {
			t.Error("the receipt is not there once")
		}
	})
	t.Run("an id again, with other content", func(t *testing.T) {
		t.Parallel()
		r := entry(t, plainProfile.name(), received, refused)
		const id = "again@phase4.example"
		first := plainProfile.transmit(t, g, nil, "--message-id", id, "--payload", document)[0]
		second := plainProfile.transmit(t, g, nil, "--message-id", id, "--payload", other)[0]
		if !first.is("ok") || second.is("ok") {
			t.Errorf("%v\n%v", first, second)
		}
		m := g.until(t, store.In, id, store.Delivered)
		if !bytes.Equal(g.payload(t, m, 0), invoice) {
			t.Error("what was stored first is gone")
		}
		r.detail = second.text("problem")
	})
}
