package node_test

import (
	"context"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

// agreeAsked is agree with a certificate of the second node that names a responder: silent, or with one of the states.
func agreeAsked(t *testing.T) (ee, pt *setup.Result, state *atomic.Int32) {
	t.Helper()
	ee, pt = agree(t)
	ca, state := accessPoints(t, ee), new(atomic.Int32)
	responder := &revocation.Responder{Authorities: []revocation.Authority{{Issuer: ca.Certificate, Identity: &ca.Identity, Source: revocation.SourceFunc(func(_ context.Context, _ *big.Int) (revocation.Status, error) {
		s := pki.RevocationState(state.Load())
		if s == pki.RevocationUnknown {
			return revocation.Status{}, errors.New("test: silent")
		}
		return revocation.Status{State: s, RevokedAt: ca.Certificate.NotBefore}, nil
	})}}}
	server := httptest.NewServer(responder)
	t.Cleanup(server.Close)
	keyFile := filepath.Join(pt.Dir, "keys", "as4.pem")
	old, err := pki.LoadIdentity(must(os.ReadFile(keyFile)), "")
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(pki.Template{Subject: old.Certificate.Subject.String(), Key: old.Key, OCSPServers: []string{server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, must(id.MarshalPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ee.Dir, "trust", "partner-"+pt.Name+".pem"), pki.MarshalPEM(id.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	return ee, pt, state
}

// TestARevokedPartner gets nothing and is not believed.
func TestARevokedPartner(t *testing.T) {
	t.Parallel()
	a, b, state := agreeAsked(t)
	state.Store(int32(pki.RevocationRevoked))
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	m := ee.send(t, letter(text("a", "not for you")))
	if failed := ee.until(t, store.Out, m.MessageID, store.Failed); failed.Error.Code != "EBMS:0101" || failed.Attempts != 1 {
		t.Errorf("%d attempts, %+v", failed.Attempts, failed.Error)
	}
	m = pt.send(t, letter(text("a", "not from me")))
	if failed := pt.until(t, store.Out, m.MessageID, store.Failed); failed.Error.Code != "EBMS:0101" {
		t.Errorf("%+v", failed.Error)
	}
	if ee.count(t, store.In)+pt.count(t, store.In) != 0 {
		t.Error("a message arrived")
	}
}

// TestMessagesWaitForNewsOfAPartner where the operator wants it so: none is lost, none fails for good.
func TestMessagesWaitForNewsOfAPartner(t *testing.T) {
	t.Parallel()
	a, b, state := agreeAsked(t)
	clock := &wrongClock{} // it runs on: an attempt before the news is not the last one
	ee := beginAt(t, a, clock.now, func(c *config.Config) {
		c.Revocation.Unknown, c.Outbound.MaxAttempts = "refuse", 1000
	})
	// Its own authority names nobody: what is not asked about is not refused at the other end.
	pt := begin(t, b, func(c *config.Config) { c.Revocation.Check = "off" }, nil)
	out := ee.send(t, letter(text("a", "wait")))
	in := pt.send(t, letter(text("a", "wait")))
	for _, c := range []struct {
		g    *gateway
		m    *store.Message
		text string
	}{{ee, out, "not accepted yet"}, {pt, in, "503"}} {
		eventually(t, "an attempt", func() bool {
			got, err := c.g.Store.Message(t.Context(), c.m.ID)
			if err != nil || got.State.Dead() {
				t.Fatalf("%v %+v", err, got)
			}
			return got.State == store.Retrying && strings.Contains(got.Error.Text, c.text)
		})
	}
	state.Store(int32(pki.RevocationGood))
	clock.set(2 * time.Minute)
	if err := ee.Upkeep(t.Context()); err != nil {
		t.Fatal(err)
	}
	ee.until(t, store.Out, out.MessageID, store.Acknowledged)
	pt.until(t, store.Out, in.MessageID, store.Acknowledged)
	pt.until(t, store.In, out.MessageID, store.Delivered)
	ee.until(t, store.In, in.MessageID, store.Delivered)
	if resp, body := ee.call(t, http.MethodGet, "/api/v1/messages?direction=in", "", nil); resp.StatusCode != http.StatusOK || strings.Count(string(body), `"messageId"`) != 1 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
