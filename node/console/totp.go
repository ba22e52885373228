package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Time-based one-time passwords as authenticator apps know them: HMAC-SHA-1, six digits, steps of 30 seconds
// [RFC 6238 4].
const (
	totpStep   = 30 * time.Second
	totpDigits = 6
	// totpSkew is how many steps the two clocks may be apart [RFC 6238 5.2].
	totpSkew = 1
)

// newTOTPSecret makes a secret of the length of the hash [RFC 4226 4].
func newTOTPSecret() []byte {
	b := make([]byte, sha1.Size)
	rand.Read(b)
	return b
}

// hotp is the code of a counter [RFC 4226 5.3].
func hotp(secret []byte, counter int64, digits int) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(counter)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	v := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	mod := uint32(1)
	for range digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", digits, v%mod)
}

// checkTOTP returns the step whose code was given. Steps up to last are used up [RFC 6238 5.2].
func checkTOTP(secret []byte, code string, now time.Time, last int64) (step int64, ok bool) {
	code = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, code)
	at := now.Unix() / int64(totpStep/time.Second)
	for s := at - totpSkew; s <= at+totpSkew; s++ {
		if subtle.ConstantTimeCompare([]byte(hotp(secret, s, totpDigits)), []byte(code)) == 1 && s > last {
			step, ok = s, true
		}
	}
	return step, ok
}

var secretText = base32.StdEncoding.WithPadding(base32.NoPadding)

// totpURI is what an authenticator app opens.
func totpURI(issuer, user string, secret []byte) string {
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + user,
		RawQuery: "secret=" + secretText.EncodeToString(secret) + "&issuer=" + url.QueryEscape(issuer)}).String()
}

// groups writes a secret so that a person can type it.
func groups(secret []byte) string {
	var b strings.Builder
	for i, r := range secretText.EncodeToString(secret) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
