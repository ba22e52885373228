package light

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrToken: a token is not built as one, or not of who shares the secret, or too old.
var ErrToken = errors.New("light: token not accepted")

// maxToken is the octets of a token, encoded or not.
const maxToken = 1024

// Token names an object that its issuer put where the other part finds it.
type Token struct {
	Issuer, ID string
	Time       time.Time // in milliseconds
}

// Exchange is what both ends of one direction know.
type Exchange struct {
	Issuer string        // of the tokens
	Secret string        // shared
	MaxAge time.Duration // default seven minutes, as long as objects are kept
}

// Encode returns the value of the parameter "token".
func (x *Exchange) Encode(id string, now time.Time) string {
	stamp := stampOf(now)
	return base64.StdEncoding.EncodeToString([]byte(strings.Join([]string{x.Issuer, id, stamp, x.digest(id, stamp)}, "|")))
}

func stampOf(t time.Time) string {
	t = t.UTC()
	return t.Format("2006-01-02 15:04:05 ") + fmt.Sprintf("%03d", t.Nanosecond()/1e6)
}

// digest is over the parts in another order than they are sent in.
func (x *Exchange) digest(id, stamp string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{id, x.Issuer, stamp, x.Secret}, "|")))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Decode reads the value of the parameter "token".
func (x *Exchange) Decode(value string, now time.Time) (Token, error) {
	if len(value) > maxToken {
		return Token{}, fmt.Errorf("%w: longer than %d octets", ErrToken, maxToken)
	}
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return Token{}, fmt.Errorf("%w: no base64", ErrToken)
	}
	parts := strings.Split(string(b), "|")
	if len(parts) != 4 {
		return Token{}, fmt.Errorf("%w: %d parts, a token has four", ErrToken, len(parts))
	}
	issuer, id, stamp, digest := parts[0], parts[1], parts[2], parts[3]
	if issuer != x.Issuer || subtle.ConstantTimeCompare([]byte(digest), []byte(x.digest(id, stamp))) != 1 {
		return Token{}, fmt.Errorf("%w: not issued by %s", ErrToken, x.Issuer)
	}
	seconds, millis, ok := cutLast(stamp)
	at, err := time.Parse("2006-01-02 15:04:05", seconds)
	if !ok || err != nil {
		return Token{}, fmt.Errorf("%w: %q is no time", ErrToken, stamp)
	}
	at = at.Add(millis)
	maxAge := x.MaxAge
	if maxAge == 0 {
		maxAge = 7 * time.Minute
	}
	if at.Before(now.Add(-maxAge)) || at.After(now.Add(time.Minute)) {
		return Token{}, fmt.Errorf("%w: of %s", ErrToken, at.Format(time.RFC3339))
	}
	return Token{issuer, id, at}, nil
}

// cutLast takes the milliseconds off a time.
func cutLast(stamp string) (seconds string, millis time.Duration, ok bool) {
	i := strings.LastIndexByte(stamp, ' ')
	if i < 0 || len(stamp)-i != 4 {
		return "", 0, false
	}
	n := 0
	for _, c := range stamp[i+1:] {
		if c < '0' || c > '9' {
			return "", 0, false
		}
		n = 10*n + int(c-'0')
	}
	return stamp[:i], time.Duration(n) * time.Millisecond, true
}
