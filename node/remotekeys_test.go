package node_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/csc"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// TestPersonsSignFromElsewhere: with a token of their own, the scope for it and the PIN; the log knows what was signed before the signature leaves.
func TestPersonsSignFromElsewhere(t *testing.T) {
	t.Parallel()
	d, _ := agree(t)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Authority of persons,C=EE", pki.P256, time.Now().AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	ada, err := ca.Issue(pki.Template{CommonName: "Ada", Country: "EE"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ada.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(d.Dir, "keys", "ada.pem"), string(key))
	put(t, filepath.Join(d.Dir, "keys", "ada.pin"), "1815\n")
	b, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.ConfigFile, string(b)+"\nsignatures:\n  remote: [{id: ada, file: keys/ada.pem, pin: \"file:keys/ada.pin\", tokens: [ada]}]\n")
	g := begin(t, d, nil, nil)
	token := func(name string, scopes ...string) string {
		var made *node.MadeTokenJSON
		if err := g.Store.Write(context.Background(), func(tx store.Tx) (err error) {
			made, err = node.MakeToken(tx, node.NewTokenJSON{Name: name, Scopes: scopes}, g.Clock())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}
	client := func(token string) *csc.Client {
		return &csc.Client{URL: "http://" + g.Addr("api") + "/csc/v2", Token: csc.Bearer(token)}
	}
	digest := sha256.Sum256([]byte("contract"))
	sign := func(token, pin string) error {
		k, err := csc.OpenKey(t.Context(), client(token), "ada")
		if err != nil {
			return err
		}
		k.AuthData = csc.Secrets(csc.AuthData{ID: "PIN", Value: pin})
		value, err := k.Sign(nil, digest[:], crypto.SHA256)
		if err == nil && len(value) == 0 {
			t.Error("signed, and there is no signature")
		}
		return err
	}
	adas := token("ada", "sign")
	if err := sign(adas, "1815"); err != nil {
		t.Errorf("whose key it is: %v", err)
	}
	for who, c := range map[string]struct{ token, pin, says string }{
		"somebody else":              {token("bob", "sign"), "1815", "credentialID is not known"},
		"everybody's administrator":  {token("root", "admin"), "1815", "the access token is missing, unknown or too old"},
		"nobody":                     {"x", "1815", "the access token is missing, unknown or too old"},
		"whose key it is, wrong PIN": {adas, "1816", "the PIN is wrong"},
	} {
		if err := sign(c.token, c.pin); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", who, err, c.says)
		}
	}
	if err := sign(token("ada", "messages"), "1815"); err == nil {
		t.Error("without the scope")
	}
	var got []string
	if list, err := g.Store.LogEntries(context.Background(), 0, 1000); err != nil {
		t.Error(err)
	} else {
		for _, k := range list {
			if e, err := audit.Parse(k.Octets); err == nil && e.Detail == "document.signed" {
				got = append(got, e.Actor+": "+e.Subject)
			}
		}
	}
	if want := fmt.Sprintf("token ada: ada %x", digest); len(got) != 1 || got[0] != want {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

// TestRemoteKeysThatCannotBeServed: each problem names its place.
func TestRemoteKeysThatCannotBeServed(t *testing.T) {
	t.Parallel()
	for settings, says := range map[string]string{
		"[{id: a, file: keys/as4.pem, tokens: [x]}, {id: a, file: keys/as4.pem, tokens: [x]}]": `signatures.remote[1].id: there is another key "a"`,
		`[{id: a, file: keys/as4.pem, tokens: [x], pin: "file:keys/none.pin"}]`:                "signatures.remote[0].pin: there is none at file:",
		"[{id: a, file: keys/none.pem, tokens: [x]}]":                                          "signatures.remote[0]",
		"[{id: a, file: keys/as4.pem}]":                                                        "tokens",
	} {
		d, _ := agree(t)
		b, err := os.ReadFile(d.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		put(t, d.ConfigFile, string(b)+"\nsignatures:\n  remote: "+settings+"\n")
		c, err := config.Load(d.ConfigFile)
		if err == nil {
			var n *node.Node
			if n, err = node.New(t.Context(), c, node.Options{}); err == nil {
				n.Stop(context.Background())
			}
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", settings, err, says)
		}
	}
}
