package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of a webhook.
const (
	SignatureHeader = "Viadukt-Signature" // "t=UNIXTIME,v1=HEX": HMAC-SHA256 of UNIXTIME, a dot and the body
	DeliveryHeader  = "Viadukt-Delivery"  // the same at each attempt for one notice
)

// ErrSignature: a webhook does not come from the node, or is too old.
var ErrSignature = errors.New("client: signature of the webhook")

// VerifyWebhook proves that a webhook comes from a node that shares the secret, and reads it. A signature that is more
// than tolerance away from now, either way, is refused, so that nobody can play an old call again.
func VerifyWebhook(secret []byte, header http.Header, body []byte, now time.Time, tolerance time.Duration) (*Event, error) {
	var stamp string
	var macs []string
	for f := range strings.SplitSeq(header.Get(SignatureHeader), ",") {
		switch k, v, _ := strings.Cut(strings.TrimSpace(f), "="); k {
		case "t":
			stamp = v
		case "v1":
			macs = append(macs, v)
		}
	}
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: no time in it", ErrSignature)
	}
	if age := now.Sub(time.Unix(at, 0)); age > tolerance || age < -tolerance {
		return nil, fmt.Errorf("%w: made %s from now", ErrSignature, age.Abs().Round(time.Second))
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	for _, m := range macs {
		if got, err := hex.DecodeString(m); err == nil && hmac.Equal(got, want) {
			e := &Event{}
			if err := json.Unmarshal(body, e); err != nil {
				return nil, fmt.Errorf("client: webhook: %w", err)
			}
			return e, nil
		}
	}
	return nil, fmt.Errorf("%w: wrong", ErrSignature)
}
