package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Argon2id [RFC 9106 4] with 19 MiB and two passes: about 40 ms, and two at once fit into any node.
const (
	hashMemory = 19 << 10 // KiB
	hashPasses = 2
	hashLanes  = 1
	hashSize   = 32
)

// Lengths of passwords in characters.
const (
	PasswordLeast = 12
	passwordMost  = 200
)

// HashPassword returns the hash as it is kept, with its salt and its parameters.
func HashPassword(password string) string {
	var salt [16]byte
	rand.Read(salt[:])
	return hashWith(password, salt[:])
}

func hashWith(password string, salt []byte) string {
	return formatHash(salt, argon2.IDKey([]byte(norm.NFC.String(password)), salt, hashPasses, hashMemory, hashLanes, hashSize))
}

func formatHash(salt, key []byte) string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes, enc.EncodeToString(salt), enc.EncodeToString(key))
}

var errHash = errors.New("console: stored password hash is none of ours")

// checkPassword compares in constant time, with the parameters of the stored hash.
func checkPassword(stored, password string) (bool, error) {
	f := strings.Split(stored, "$")
	if len(f) != 6 || f[1] != "argon2id" {
		return false, errHash
	}
	var version int
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(f[2]+" "+f[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil || version != argon2.Version {
		return false, errHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(f[4])
	want, err2 := base64.RawStdEncoding.DecodeString(f[5])
	if err1 != nil || err2 != nil || len(want) < 16 || memory > 1<<20 || passes < 1 || passes > 100 || lanes < 1 {
		return false, errHash
	}
	got := argon2.IDKey([]byte(norm.NFC.String(password)), salt, passes, memory, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

// hasher bounds how many hashes are made at once, since each takes 19 MiB.
type hasher struct {
	slots chan struct{}
	queue chan struct{}
	// nobody is the hash that is compared when there is no such user: an answer takes as long as one for somebody. It is
	// of no password: random octets, since a hash made at each start would cost a node 19 MiB that it does not need.
	nobody string
}

func newHasher() *hasher {
	var salt [16]byte
	var key [hashSize]byte
	rand.Read(salt[:])
	rand.Read(key[:])
	return &hasher{slots: make(chan struct{}, 2), queue: make(chan struct{}, 64), nobody: formatHash(salt[:], key[:])}
}

// errBusy asks to come again.
var errBusy = errors.New("console: too many logins at once")

func (h *hasher) do(ctx context.Context, f func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return errBusy
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f()
	return nil
}

func (h *hasher) check(ctx context.Context, stored, password string) (ok bool, err error) {
	if utf8.RuneCountInString(password) > passwordMost {
		return false, nil
	}
	if derr := h.do(ctx, func() { ok, err = checkPassword(stored, password) }); derr != nil {
		return false, derr
	}
	return ok, err
}

func (h *hasher) hash(ctx context.Context, password string) (stored string, err error) {
	err = h.do(ctx, func() { stored = HashPassword(password) })
	return stored, err
}

// JudgePassword returns the key of what is wrong with a new password, "" when nothing is.
func JudgePassword(user, password string) string {
	switch n := utf8.RuneCountInString(password); {
	case n < PasswordLeast:
		return "password.short"
	case n > passwordMost:
		return "password.long"
	case !utf8.ValidString(password):
		return "password.characters"
	case len(distinct(password)) < 5, strings.Contains(strings.ToLower(password), strings.ToLower(user)):
		return "password.weak"
	}
	return ""
}

func distinct(s string) map[rune]bool {
	m := map[rune]bool{}
	for _, r := range s {
		m[r] = true
	}
	return m
}

// OneTimePassword is one that a person types once: 20 letters and digits in groups, 100 bits.
func OneTimePassword() string {
	var b [13]byte
	rand.Read(b[:])
	s := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))[:20]
	return s[:5] + "-" + s[5:10] + "-" + s[10:15] + "-" + s[15:]
}
