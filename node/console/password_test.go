package console

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestPasswordsAreKeptAsHashes(t *testing.T) {
	t.Parallel()
	a, b := HashPassword("Straße und Brücke"), HashPassword("Straße und Brücke")
	if a == b || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(a, "Brücke") {
		t.Errorf("%s %s", a, b)
	}
	for _, c := range []struct {
		name, password string
		want           bool
	}{
		{"the password", "Straße und Brücke", true},
		{"typed on a machine that composes letters", "Straße und Bru\u0308cke", true},
		{"in small letters", "straße und brücke", false},
		{"with a space behind", "Straße und Brücke ", false},
		{"nothing", "", false},
	} {
		if ok, err := checkPassword(a, c.password); ok != c.want || err != nil {
			t.Errorf("%s: %v %v", c.name, ok, err)
		}
	}
	// The reference implementation's value for other parameters: hashes tell their own.
	if ok, err := checkPassword("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"); !ok || err != nil {
		t.Errorf("foreign hash: %v %v", ok, err)
	}
	for _, bad := range []string{"", "plain", "$2y$05$bcrypt", "$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "$argon2id$v=19$m=8,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=8,t=1,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$", "$argon2id$v=18$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"} {
		if ok, err := checkPassword(bad, ""); ok || !errors.Is(err, errHash) {
			t.Errorf("%q: %v %v", bad, ok, err)
		}
	}
}

func TestNewPasswordsAreJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, password, want string }{
		{"four words", "correct horse battery staple", ""},
		{"in another script", "мост через широкую реку", ""},
		{"too short", "short", "password.short"},
		{"too long", strings.Repeat("long enough ", 20), "password.long"},
		{"of one letter", strings.Repeat("ab", 8), "password.weak"},
		{"with the name in it", "I am Ada Lovelace", "password.weak"},
		{"of no text", "twelve octets\xff", "password.characters"},
	} {
		if got := JudgePassword("ada", c.password); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	p := OneTimePassword()
	if len(p) != 23 || JudgePassword("ada", p) != "" || p == OneTimePassword() {
		t.Errorf("one-time password %q", p)
	}
}

func TestHashesAreMadeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	h := newHasher()
	hold := make(chan struct{})
	started := make(chan struct{}, cap(h.slots))
	for range cap(h.slots) {
		go h.do(context.Background(), func() { started <- struct{}{}; <-hold })
	}
	for range cap(h.slots) {
		<-started
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.do(gone, func() { t.Error("runs beside the others") }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for len(h.queue) < cap(h.queue) {
		h.queue <- struct{}{} // as many wait as may
	}
	if err := h.do(context.Background(), func() {}); !errors.Is(err, errBusy) {
		t.Error(err)
	}
	close(hold)
}

func TestNobodysHashCostsWhatAnyHashCosts(t *testing.T) {
	t.Parallel()
	nobody, somebody := newHasher().nobody, HashPassword("correct horse battery")
	parameters := func(stored string) string {
		return stored[:strings.LastIndex(stored[:strings.LastIndex(stored, "$")], "$")]
	}
	if parameters(nobody) != parameters(somebody) || len(nobody) != len(somebody) {
		t.Errorf("nobody's %q is of another form than %q", nobody, somebody)
	}
	if ok, err := checkPassword(nobody, ""); ok || err != nil {
		t.Errorf("the empty password against nobody's hash: %v, %v; want false without an error", ok, err)
	}
}
