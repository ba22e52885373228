package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/csc"
)

// scopeSign lets the holder of a token sign with the keys that name it.
const scopeSign = "sign"

// remotePath is where keys are served to persons elsewhere.
const remotePath = "/csc/v2/"

// loadRemoteKeys makes the service for persons who sign from elsewhere, where the configuration has keys for them.
func (n *Node) loadRemoteKeys() error {
	s := &n.signatures
	if len(s.settings.Remote) == 0 {
		return nil
	}
	server := &csc.Server{Name: n.Config.Node.Name, Description: "Keys of a Viadukt node", User: n.remoteUser, Signed: n.recordSignature, Clock: n.Clock, Rand: n.Rand,
		WrongPIN: func(string) { n.alerts.note(alert.LoginRefused, "csc") }}
	for i, k := range s.settings.Remote {
		at := fmt.Sprintf("remote[%d]", i)
		id, err := loadIdentity(n.Config, "signatures."+at, config.Identity{Key: k.File, Password: k.Password, Certificate: k.Certificate})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(server.Keys, func(o *csc.ServedKey) bool { return o.ID == k.ID }) {
			return n.Config.Signatures.Problem(at+".id", "there is another key %q", k.ID)
		}
		served := &csc.ServedKey{ID: k.ID, Identity: id, Bound: !k.Unbound, Users: k.Tokens}
		if !k.PIN.IsZero() {
			if served.PIN, err = k.PIN.Read(); err != nil || served.PIN == "" {
				return n.Config.Signatures.Problem(at+".pin", "there is none at %s: %v", k.PIN.Source(), err)
			}
		}
		server.Keys = append(server.Keys, served)
	}
	s.remote = server
	return nil
}

// remoteUser is the name of a token with the scope sign. The scope admin does not stand for it: nobody signs for somebody else.
func (n *Node) remoteUser(r *http.Request, secret string) (string, bool) {
	t, err := n.token(r.Context(), secret)
	if err != nil || !slices.Contains(t.Scopes, scopeSign) {
		return "", false
	}
	return t.Name, true
}

// recordSignature enters into the log who had what signed.
func (n *Node) recordSignature(ctx context.Context, user, key string, hashes [][]byte) error {
	var list []string
	for _, h := range hashes {
		list = append(list, hex.EncodeToString(h))
	}
	return n.Evidence.Append(context.WithoutCancel(ctx), audit.Entry{Type: audit.Administration, Actor: "token " + user, Subject: key + " " + strings.Join(list, " "), Detail: "document.signed"})
}
