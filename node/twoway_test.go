package node_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// TestTwoWay asks a question by one agreement and answers it by another, each pushed or fetched.
func TestTwoWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ ask, answer bool }{ // fetched
		"push and push": {false, false},
		"push and pull": {false, true},
		"pull and push": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			if err := setup.Agree(a, b, setup.Agreement{ID: "answers", Service: "urn:test:letters", Action: "answer"}); err != nil {
				t.Fatal(err)
			}
			once(t, a, b)
			for _, m := range []struct {
				id       string
				fetched  bool
				from, to *setup.Result
				lines    []string
			}{{"letters", c.ask, a, b, []string{"replyWith: answers"}}, {"answers", c.answer, b, a, []string{"response: true"}}} {
				lines := m.lines
				if m.fetched {
					lines = append(lines, "mpc: urn:test:"+m.id, "pull: {interval: 1s}")
				}
				amend(t, m.from, m.id, append(lines, "direction: send")...)
				amend(t, m.to, m.id, append(lines, "direction: receive")...)
			}
			ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
			asked := ee.send(t, letter(text("q", "who?")))
			got := pt.until(t, store.In, asked.MessageID, store.Delivered)
			resp, body := pt.call(t, "POST", "/api/v1/messages/"+got.MessageID+"/reply", "text/plain", strings.NewReader("we"))
			if resp.StatusCode != http.StatusAccepted {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			answer := decode[node.MessageJSON](t, body)
			back := ee.until(t, store.In, answer.MessageID, store.Delivered)
			if back.RefToMessageID != asked.MessageID || back.ConversationID != asked.ConversationID || back.Sender != asked.Receiver || back.Receiver != asked.Sender || back.Action != "answer" {
				t.Errorf("the answer came as %+v", back)
			}
			env, err := ebms.ParseEnvelope(bytes.Clone(back.Header), ebms.EnvelopeLimits())
			if err != nil {
				t.Fatal(err)
			}
			m, err := ebms.ParseMessaging(env.Messaging, ebms.DefaultQuirks())
			if err != nil {
				t.Fatal(err)
			}
			if um := m.UserMessage(); um.From.Role != ebms.RoleResponder || um.To.Role != ebms.RoleInitiator {
				t.Errorf("roles %s, %s", um.From.Role, um.To.Role)
			}
			pt.until(t, store.Out, answer.MessageID, store.Acknowledged)
			ee.until(t, store.Out, asked.MessageID, store.Acknowledged)
		})
	}
}

// once removes what a second agreement wrote a second time: the partner.
func once(t *testing.T, made ...*setup.Result) {
	t.Helper()
	for _, r := range made {
		text, err := os.ReadFile(r.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		i := bytes.Index(text, []byte("\npartners:\n")) + len("\npartners:\n")
		end := i + bytes.Index(text[i:], []byte("\n  - name: ")) + 1
		if err := os.WriteFile(r.ConfigFile, append(text[:i:i], text[end:]...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAnswerThatNamesNoRequestIsRefused(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	for _, r := range []*setup.Result{a, b} {
		amend(t, r, "letters", "response: true")
	}
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	if _, err := ee.Accept(context.Background(), letter(text("a", "x"))); err == nil || !strings.Contains(err.Error(), "RefToMessageId") {
		t.Errorf("%v", err)
	}
	s := letter(text("a", "x"))
	s.RefToMessageID = "m0@elsewhere.example"
	pt.until(t, store.In, ee.send(t, s).MessageID, store.Delivered)
}

func TestOnlyReceivedMessagesAreAnswered(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	m := ee.send(t, letter(text("a", "x")))
	pt.until(t, store.In, m.MessageID, store.Delivered)
	if _, err := ee.Reply(context.Background(), m, letter(text("b", "y"))); err == nil {
		t.Error("an own message was answered")
	}
	if resp, body := ee.call(t, "POST", "/api/v1/messages/none@x/reply", "text/plain", strings.NewReader("x")); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
