package csc

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// service is a server with a key of each kind, and its clock.
type service struct {
	*Server
	url string
	now atomic.Int64 // seconds after the start
}

var start = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

func newService(t *testing.T) *service {
	t.Helper()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, start.AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{}
	s.Server = &Server{
		Name: "own", Login: func(user, password string) bool { return password == "of "+user },
		User:  func(_ *http.Request, token string) (string, bool) { return strings.CutPrefix(token, "outside-") },
		Clock: func() time.Time { return start.Add(time.Duration(s.now.Load()) * time.Second) },
	}
	for id, alg := range map[string]pki.KeyAlgorithm{"rsa": pki.RSA2048, "ec": pki.P384, "ada": pki.P256, "pin": pki.P256} {
		identity, err := ca.Issue(pki.Template{CommonName: id, Algorithm: alg})
		if err != nil {
			t.Fatal(err)
		}
		k := &ServedKey{ID: id, Identity: identity, Bound: id == "ec"}
		switch id {
		case "ada":
			k.Users = []string{"ada"}
		case "pin":
			k.PIN, k.Bound = "1234", true
		}
		s.Keys = append(s.Keys, k)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.url = h.URL + "/csc/v2"
	return s
}

func (s *service) client(user string) *Client {
	return &Client{URL: s.url, User: user, Password: "of " + user}
}

func TestKeysElsewhereSignLikeOwnOnes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	info, err := s.client("").Info(t.Context())
	if err != nil || info.Name != "own" || len(info.AuthType) != 2 {
		t.Errorf("%+v %v", info, err)
	}
	for name, c := range map[string]struct {
		key    string
		params jades.Params
	}{
		"RSA": {"rsa", jades.Params{}}, "RSA with SHA-512": {"rsa", jades.Params{Hash: crypto.SHA512}}, "PSS": {"rsa", jades.Params{PSS: true}},
		"ECDSA, bound to hashes": {"ec", jades.Params{}}, "with a PIN": {"pin", jades.Params{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, client := range []*Client{s.client("bob"), {URL: s.url, Token: Bearer("outside-eve")}} {
				k, err := OpenKey(t.Context(), client, c.key)
				if err != nil {
					t.Fatal(err)
				}
				k.AuthData = Secrets(AuthData{"PIN", "1234"})
				c.params.Time = start
				m, err := jades.Sign(nil, k.Identity(), []xades.Document{xades.Bytes("", "", []byte("content"))}, c.params)
				if err != nil {
					t.Fatal(err)
				}
				if got := m.Signatures[0].Check(jades.CheckOptions{}); got.ValueErr != nil || got.Signer.Subject.CommonName() != c.key {
					t.Errorf("%v, signed by %v", got.ValueErr, got.Signer)
				}
			}
		})
	}
}

func TestOnlyOwnKeys(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for user, want := range map[string]int{"ada": 4, "bob": 3} {
		ids, err := s.client(user).Credentials(t.Context())
		if err != nil || len(ids) != want {
			t.Errorf("%s: %q %v", user, ids, err)
		}
	}
	code(t, "a key of somebody else", InvalidRequest, func() error {
		_, err := OpenKey(t.Context(), s.client("bob"), "ada")
		return err
	})
	if _, err := OpenKey(t.Context(), s.client("bob"), ""); err == nil {
		t.Error("one of several keys was chosen")
	}
	s.Keys = s.Keys[:1]
	if _, err := OpenKey(t.Context(), s.client("ada"), ""); err != nil {
		t.Error(err)
	}
}

// code wants an error of the service.
func code(t *testing.T, what, want string, do func() error) {
	t.Helper()
	e := new(Error)
	if err := do(); !errors.As(err, &e) || e.Code != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func TestWhatIsNotAuthorisedIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	c := s.client("bob")
	hash := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	sha256, sha384 := pki.OIDByHash(crypto.SHA256), pki.OIDByHash(crypto.SHA384)
	authorize := func(q AuthorizeRequest) string {
		t.Helper()
		sad, err := c.Authorize(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		return sad
	}
	sign := func(c *Client, q SignHashRequest) func() error {
		return func() error { _, err := c.SignHash(ctx, q); return err }
	}
	code(t, "a wrong password", "authentication_error", func() error { _, err := (&Client{URL: s.url, User: "bob", Password: "x"}).Credentials(ctx); return err })
	code(t, "an unknown token", InvalidToken, func() error { _, err := (&Client{URL: s.url, Token: Bearer("x")}).Credentials(ctx); return err })
	if _, err := (&Client{URL: s.url}).Credentials(ctx); err == nil {
		t.Error("nobody listed keys")
	}

	rsaKey := SignHashRequest{CredentialID: "rsa", Hashes: [][]byte{hash(1, 32)}, HashAlgorithm: sha256, SignAlgorithm: oidRSA}
	code(t, "no SAD", InvalidSAD, sign(c, rsaKey))
	q := rsaKey
	q.SAD = authorize(AuthorizeRequest{CredentialID: "rsa", NumSignatures: 1})
	code(t, "the SAD of another user", InvalidSAD, sign(s.client("ada"), q))
	code(t, "the SAD as access token", InvalidToken, sign(&Client{URL: s.url, Token: Bearer(q.SAD)}, q))
	other := q
	other.CredentialID, other.SignAlgorithm = "pin", oidEC
	code(t, "the SAD of another key", InvalidSAD, sign(c, other))
	if err := sign(c, q)(); err != nil {
		t.Fatal(err)
	}
	code(t, "a SAD twice", InvalidSAD, sign(c, q))
	q.SAD = authorize(AuthorizeRequest{CredentialID: "rsa", NumSignatures: 2})
	q.Hashes = [][]byte{hash(1, 32), hash(2, 32), hash(3, 32)}
	code(t, "more hashes than signatures", InvalidSAD, sign(c, q))
	q.Hashes = q.Hashes[:2]
	s.now.Add(int64(sadTime/time.Second) + 1)
	code(t, "a SAD that is too old", InvalidSAD, sign(c, q))

	bound := SignHashRequest{CredentialID: "ec", Hashes: [][]byte{hash(1, 48)}, HashAlgorithm: sha384, SignAlgorithm: oidEC}
	code(t, "no hashes for a key that is bound", InvalidRequest, func() error {
		_, err := c.Authorize(ctx, AuthorizeRequest{CredentialID: "ec", NumSignatures: 1})
		return err
	})
	bound.SAD = authorize(AuthorizeRequest{CredentialID: "ec", NumSignatures: 2, Hashes: [][]byte{hash(1, 48), hash(2, 48)}})
	bound.Hashes = [][]byte{hash(3, 48)}
	code(t, "another hash", InvalidSAD, sign(c, bound))
	bound.Hashes = [][]byte{hash(1, 48), hash(1, 48)}
	code(t, "one hash twice", InvalidSAD, sign(c, bound))
	bound.Hashes = [][]byte{hash(2, 48)}
	if err := sign(c, bound)(); err != nil {
		t.Error(err)
	}

	for name, change := range map[string]func(q *SignHashRequest){
		"no hashes":                 func(q *SignHashRequest) { q.Hashes = nil },
		"a hash cut short":          func(q *SignHashRequest) { q.Hashes = [][]byte{hash(1, 20)} },
		"an unknown hash algorithm": func(q *SignHashRequest) { q.HashAlgorithm = "1.2.3" },
		"SHA-1": func(q *SignHashRequest) {
			q.HashAlgorithm, q.Hashes = pki.OIDByHash(crypto.SHA1), [][]byte{hash(1, 20)}
		},
		"the algorithm of others": func(q *SignHashRequest) { q.SignAlgorithm = oidEC },
		"hashes that contradict":  func(q *SignHashRequest) { q.SignAlgorithm = "1.2.840.113549.1.1.13" },
		"PSS without parameters":  func(q *SignHashRequest) { q.SignAlgorithm = oidPSS },
		"later":                   func(q *SignHashRequest) { q.OperationMode = "A" },
		"no OID":                  func(q *SignHashRequest) { q.SignAlgorithm = "x" },
	} {
		q := rsaKey
		q.SAD = authorize(AuthorizeRequest{CredentialID: "rsa", NumSignatures: 1})
		change(&q)
		want := InvalidRequest
		if q.Hashes == nil {
			if err := sign(c, q)(); err == nil {
				t.Error(name)
			}
			continue
		}
		code(t, name, want, sign(c, q))
	}
}

func TestPINsAreGuessedFiveTimes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	k, err := OpenKey(t.Context(), s.client("bob"), "pin")
	if err != nil {
		t.Fatal(err)
	}
	sign := func() error { _, err := k.Sign(nil, make([]byte, 32), crypto.SHA256); return err }
	if err := sign(); err == nil || !strings.Contains(err.Error(), "asks for PIN") {
		t.Errorf("without a PIN: %v", err)
	}
	k.AuthData = Secrets(AuthData{"PIN", "0000"})
	for range maxWrongPINs {
		code(t, "a wrong PIN", InvalidPIN, sign)
	}
	k.AuthData = Secrets(AuthData{"PIN", "1234"})
	code(t, "the right PIN, too late", AccessDenied, sign)
	if _, err := OpenKey(t.Context(), s.client("bob"), "pin"); err == nil {
		t.Error("a key that is closed was opened")
	}
}

func TestTheClientLogsInAgain(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.client("bob")
	if _, err := c.Credentials(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := c.loggedIn
	s.now.Add(int64(tokenTime/time.Second) + 1) // for the service; the client's clock did not move
	if _, err := c.Credentials(t.Context()); err != nil || c.loggedIn == first {
		t.Errorf("%v", err)
	}
}

// TestAnswersThatAreWrong: what a service returns is looked at before it is used.
func TestAnswersThatAreWrong(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var alter func(method string, out map[string]any)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		var out map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Error(err)
		}
		alter(r.URL.Path, out)
		w.WriteHeader(rec.Code)
		json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(h.Close)
	sign := func(id string) error {
		k, err := OpenKey(t.Context(), &Client{URL: h.URL, User: "bob", Password: "of bob"}, id)
		if err != nil {
			return err
		}
		_, err = k.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
		return err
	}
	for name, c := range map[string]struct {
		member string
		value  any
		want   error
	}{
		"nothing changed":              {"", nil, nil},
		"a signature of nothing":       {"signatures", []string{"AAAA"}, ErrSignature},
		"no signatures":                {"signatures", []string{}, ErrFormat},
		"two signatures":               {"signatures", []string{"AAAA", "AAAA"}, ErrFormat},
		"signatures that are no list":  {"signatures", 1, ErrFormat},
		"no SAD":                       {"SAD", "", ErrFormat},
		"no token":                     {"access_token", "", ErrFormat},
		"no certificates":              {"cert", map[string]any{}, ErrFormat},
		"a certificate that is broken": {"cert", map[string]any{"certificates": []string{"AAAA"}}, ErrFormat},
	} {
		alter = func(_ string, out map[string]any) {
			if _, ok := out[c.member]; ok {
				out[c.member] = c.value
			}
		}
		if err := sign("rsa"); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	alter = func(_ string, out map[string]any) {
		if a, ok := out["auth"].(map[string]any); ok {
			a["mode"] = "oauth2code"
		}
	}
	if err := sign("rsa"); err == nil || !strings.Contains(err.Error(), "oauth2code") {
		t.Errorf("%v", err)
	}
	// Some services return r||s for ECDSA.
	alter = func(_ string, out map[string]any) {
		if list, ok := out["signatures"].([]any); ok {
			var der []byte
			b, _ := json.Marshal(list[0])
			json.Unmarshal(b, &der)
			k, err := OpenKey(context.Background(), s.client("bob"), "ec")
			if err != nil {
				t.Error(err)
				return
			}
			pair, err := pki.FixedPair(der, ecdsaKey(k))
			if err != nil {
				t.Error(err)
			}
			out["signatures"] = [][]byte{pair}
		}
	}
	if err := sign("ec"); err != nil {
		t.Error(err)
	}
}

func TestTheClientIsCareful(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, address := range []string{"http://sign.example.eu/csc/v2", "sign.example.eu", "ftp://localhost", ""} {
		if _, err := (&Client{URL: address, Token: Bearer("x")}).Info(ctx); err == nil {
			t.Errorf("%q was asked", address)
		}
	}
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	answers := map[string]func(w http.ResponseWriter){
		"a redirection": func(w http.ResponseWriter) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"busy":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"no JSON":   func(w http.ResponseWriter) { io.WriteString(w, "<html>") },
		"very long": func(w http.ResponseWriter) { w.Write(bytes.Repeat([]byte(" "), maxAnswer+1)) },
	}
	for name, answer := range answers {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		t.Cleanup(h.Close)
		_, err := (&Client{URL: h.URL, Token: Bearer("x")}).Credentials(ctx)
		if err == nil {
			t.Errorf("%s: taken", name)
		}
		e := new(Error)
		if errors.As(err, &e) && e.Temporary() != (name == "busy") {
			t.Errorf("%s: temporary %v", name, e.Temporary())
		}
	}
	if elsewhere.Load() > 0 {
		t.Error("a token went where a redirection pointed")
	}
	late, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := (&Client{URL: other.URL, Token: Bearer("x")}).Credentials(late); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	s := newService(t)
	k, err := OpenKey(ctx, s.client("bob"), "rsa")
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"a message":        func() error { _, err := k.Sign(nil, []byte("message"), crypto.Hash(0)); return err },
		"a hash cut short": func() error { _, err := k.Sign(nil, make([]byte, 20), crypto.SHA256); return err },
		"a salt of own length": func() error {
			_, err := k.Sign(nil, make([]byte, 32), &rsa.PSSOptions{SaltLength: 8, Hash: crypto.SHA256})
			return err
		},
		"more hashes than fits": func() error { _, err := k.SignDigests(ctx, make([][]byte, maxHashes+1), crypto.SHA256); return err },
	} {
		if err := do(); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
}

// FuzzServer: whatever is posted, the answer is JSON, and nothing is signed without activation data.
func FuzzServer(f *testing.F) {
	f.Add("credentials/list", `{"credentialInfo":true}`)
	f.Add("credentials/info", `{"credentialID":"k","certificates":"chain"}`)
	f.Add("credentials/authorize", `{"credentialID":"k","numSignatures":1,"hashes":["AAAA"]}`)
	f.Add("signatures/signHash", `{"credentialID":"k","hashes":["AAAA"],"signAlgo":"1.2.840.10045.4.3.2","SAD":"x"}`)
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, start, 10)
	if err != nil {
		f.Fatal(err)
	}
	s := &Server{Keys: []*ServedKey{{ID: "k", Identity: &ca.Identity, Bound: true}}, User: func(*http.Request, string) (string, bool) { return "u", true }}
	f.Fuzz(func(t *testing.T, method, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.URL.Path = "/" + method
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) || bytes.Contains(w.Body.Bytes(), []byte(`"signatures":[`)) && w.Code == http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func ecdsaKey(k *Key) *ecdsa.PublicKey { return k.Public().(*ecdsa.PublicKey) }
