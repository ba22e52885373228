package console

import (
	"testing"
	"time"
)

// The secret of both standards' test values.
var rfcSecret = []byte("12345678901234567890")

func TestTheCodesOfTheStandardsComeOut(t *testing.T) {
	t.Parallel()
	for i, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} { // [RFC 4226 D]
		if got := hotp(rfcSecret, int64(i), 6); got != want {
			t.Errorf("counter %d: %s, want %s", i, got, want)
		}
	}
	for _, c := range []struct {
		at   int64
		want string
	}{ // [RFC 6238 B], those with SHA-1
		{59, "94287082"}, {1111111109, "07081804"}, {1111111111, "14050471"}, {1234567890, "89005924"}, {2000000000, "69279037"}, {20000000000, "65353130"},
	} {
		if got := hotp(rfcSecret, c.at/30, 8); got != c.want {
			t.Errorf("at %d: %s, want %s", c.at, got, c.want)
		}
	}
}

func TestACodeHoldsForItsStepAndTheOnesBesideAndOnce(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000*30+7, 0)
	code := func(step int64) string { return hotp(rfcSecret, 1_000_000+step, 6) }
	for _, c := range []struct {
		name string
		code string
		last int64
		want bool
	}{
		{"the present code", code(0), 0, true},
		{"the one before, of a slow clock", code(-1), 0, true},
		{"the next one, of a fast clock", code(1), 0, true},
		{"one that is too old", code(-2), 0, false},
		{"one that is too early", code(2), 0, false},
		{"written in two groups", code(0)[:3] + " " + code(0)[3:], 0, true},
		{"the same code again", code(0), 1_000_000, false},
		{"an older one after a newer one", code(-1), 1_000_000, false},
		{"the next one after it", code(1), 1_000_000, true},
		{"nothing", "", 0, false},
		{"too few digits", code(0)[:5], 0, false},
		{"too many digits", code(0) + "0", 0, false},
	} {
		step, ok := checkTOTP(rfcSecret, c.code, now, c.last)
		if ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
		if ok && hotp(rfcSecret, step, 6) != c.code && len(c.code) == 6 {
			t.Errorf("%s: step %d has another code", c.name, step)
		}
	}
}

func TestTheSecretReachesTheApp(t *testing.T) {
	t.Parallel()
	if got := totpURI("Viadukt ee", "ada", rfcSecret); got != "otpauth://totp/Viadukt%20ee:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Viadukt+ee" {
		t.Error(got)
	}
	if got := groups(rfcSecret); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Error(got)
	}
	if a, b := newTOTPSecret(), newTOTPSecret(); len(a) != 20 || string(a) == string(b) {
		t.Error("secrets are no secrets")
	}
}
