package bench

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

func TestASignatureIsMeasuredAgainstItsKey(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []Result
	document := xades.Bytes("letter.xml", "application/xml", payload(2000))
	if err := signOne(t.Context(), ades.XAdES, pki.P256, &ca.Identity, document, now, func(r Result) { got = append(got, r) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Value <= 0 || got[0].Limit <= 0 || got[0].Ratio <= 0 || got[0].Name != "sign/xades/p-256" {
		t.Errorf("%+v", got)
	}
}
