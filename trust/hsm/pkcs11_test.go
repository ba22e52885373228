//go:build pkcs11

package hsm

import (
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// softHSM makes a token in a folder of the test, with keys of an authority, and returns its library.
func softHSM(t *testing.T, algorithms ...pki.KeyAlgorithm) (module string) {
	t.Helper()
	for _, p := range []string{os.Getenv("SOFTHSM2_MODULE"), "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(p); err == nil && p != "" {
			module = p
			break
		}
	}
	util, err := exec.LookPath("softhsm2-util")
	if err != nil || module == "" {
		t.Skip("SoftHSM 2 is not installed")
	}
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "tokens"), 0o700))
	conf := filepath.Join(dir, "softhsm2.conf")
	must(os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(util, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run("--init-token", "--free", "--label", "own", "--pin", "1234", "--so-pin", "4321")
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, time.Now().AddDate(-1, 0, 0), 10)
	must(err)
	certificates := map[string]*pki.Certificate{"ca": ca.Certificate}
	for i, alg := range algorithms {
		id, err := ca.Issue(pki.Template{CommonName: string(alg), Algorithm: alg})
		must(err)
		der, err := pki.MarshalPrivateKey(id.Key)
		must(err)
		file := filepath.Join(dir, "key.pem")
		must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
		hex := string([]byte{'0', byte('1' + i)})
		run("--import", file, "--token", "own", "--label", string(alg), "--id", hex, "--pin", "1234")
		certificates[string(rune(1+i))] = id.Certificate
	}
	ctx := pkcs11.New(module)
	must(ctx.Initialize())
	slots, err := ctx.GetSlotList(true)
	must(err)
	s, err := ctx.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	must(err)
	must(ctx.Login(s, pkcs11.CKU_USER, "1234"))
	for id, c := range certificates {
		_, err := ctx.CreateObject(s, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, c.RawSubject),
			pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(id)), pkcs11.NewAttribute(pkcs11.CKA_VALUE, c.Raw),
		})
		must(err)
	}
	must(ctx.Finalize())
	ctx.Destroy()
	return module
}

// TestKeysOnATokenSignLikeOwnOnes runs by itself: the library is one for the process, and its configuration an environment variable.
func TestKeysOnATokenSignLikeOwnOnes(t *testing.T) {
	module := softHSM(t, pki.RSA2048, pki.P256, pki.P384)
	if _, err := Open(Options{Module: module, Token: "own", PIN: "0000"}); !errors.Is(err, ErrPIN) {
		t.Errorf("a wrong PIN: %v", err)
	}
	if _, err := Open(Options{Module: module, Token: "other", PIN: "1234"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("another token: %v", err)
	}
	if _, err := Open(Options{Module: filepath.Join(t.TempDir(), "none.so"), PIN: "1234"}); err == nil {
		t.Error("a library that is not there was opened")
	}
	token, err := Open(Options{Module: module, PIN: "1234", Sessions: 2})
	if err != nil {
		t.Fatal(err)
	}
	labels, err := token.Labels()
	slices.Sort(labels)
	if err != nil || !slices.Equal(labels, []string{"p-256", "p-384", "rsa-2048"}) {
		t.Errorf("%q %v", labels, err)
	}
	if _, err := token.Identity(""); !errors.Is(err, ErrNotFound) {
		t.Errorf("one of three keys: %v", err)
	}
	for name, c := range map[string]struct {
		label  string
		params jades.Params
	}{
		"RSA": {"rsa-2048", jades.Params{}}, "RSA with SHA-512": {"rsa-2048", jades.Params{Hash: crypto.SHA512}}, "PSS": {"rsa-2048", jades.Params{PSS: true}},
		"P-256": {"p-256", jades.Params{}}, "P-384": {"p-384", jades.Params{}},
	} {
		id, err := token.Identity(c.label)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(id.Chain) != 1 || id.Chain[0].Subject.CommonName() != "Own CA" {
			t.Errorf("%s: chain %v", name, id.Chain)
		}
		c.params.Time = time.Now()
		var wait sync.WaitGroup
		for range 8 { // more than there are sessions
			wait.Go(func() {
				m, err := jades.Sign(nil, id, []xades.Document{xades.Bytes("", "", []byte("content"))}, c.params)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if got := m.Signatures[0].Check(jades.CheckOptions{}); got.ValueErr != nil {
					t.Errorf("%s: %v", name, got.ValueErr)
				}
			})
		}
		wait.Wait()
	}
	id, err := token.Identity("p-256")
	if err != nil {
		t.Fatal(err)
	}
	signer := id.Key.(crypto.Signer)
	// A session that the device forgot is opened again.
	if err := token.ctx.CloseAllSessions(token.slot); err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
		t.Errorf("after the sessions were lost: %v", err)
	}
	for name, do := range map[string]func() error{
		"a message":        func() error { _, err := signer.Sign(nil, []byte("x"), crypto.Hash(0)); return err },
		"a hash cut short": func() error { _, err := signer.Sign(nil, make([]byte, 20), crypto.SHA256); return err },
	} {
		if do() == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if err := errors.Join(token.Close(), token.Close()); err != nil {
		t.Error(err)
	}
	if _, err := signer.Sign(nil, make([]byte, 32), crypto.SHA256); err == nil {
		t.Error("signed after the token was closed")
	}
}
