package node_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
)

func TestTokensAllowWhatTheirScopesSay(t *testing.T) {
	t.Parallel()
	r, err := setup.Create(setup.Params{Dir: filepath.Join(t.TempDir(), "ee"), Country: "EE", Profile: "eu-edelivery2-ec", Host: loopback(), Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	line := []byte("tokens: [{name: back-office, secret: file:keys/api.token, scopes: [messages, participants, metrics]}, {name: backup, secret: file:keys/backup.token, scopes: [backup]}, {name: admin, secret: file:keys/admin.token, scopes: [admin]}]")
	if !bytes.Contains(made, line) {
		t.Fatal("setup writes the token in another way")
	}
	// ask runs a node whose only token has this place and these scopes, and calls it with the one that setup made.
	ask := func(t *testing.T, token string, paths ...string) (status []int) {
		t.Helper()
		if err := os.WriteFile(r.ConfigFile, bytes.Replace(made, line, []byte("tokens: "+token), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(r.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		n, err := node.New(context.Background(), c, node.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := n.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		for _, p := range paths {
			req, err := http.NewRequest("GET", "http://"+n.Addr("api")+p, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+r.Token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			status = append(status, resp.StatusCode)
		}
		return status
	}
	const messages, participants, lookup, metrics = "/api/v1/messages", "/api/v1/participants", "/api/v1/lookup?participant=a::b", "/metrics"
	for _, c := range []struct {
		name, token string
		want        [4]int
	}{
		{"messages and nothing else", "[{name: t, secret: file:keys/api.token, scopes: [messages]}]", [4]int{200, 403, 200, 403}},
		{"participants may also look up", "[{name: t, secret: file:keys/api.token, scopes: [participants]}]", [4]int{403, 200, 200, 403}},
		{"figures", "[{name: t, secret: file:keys/api.token, scopes: [metrics]}]", [4]int{403, 403, 403, 200}},
		{"everything", "[{name: t, secret: file:keys/api.token, scopes: [admin]}]", [4]int{200, 200, 200, 200}},
		{"a token that left the configuration has ended", "[]", [4]int{401, 401, 401, 401}},
	} {
		if got := ask(t, c.token, messages, participants, lookup, metrics); [4]int(got) != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
