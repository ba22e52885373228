package tsp_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// An authority is a handler; a client asks it and checks the answer.
func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ca, _ := pki.NewAuthority(rand.Reader, "CN=Example CA,C=EE", pki.P256, now, 10)
	unit, _ := ca.Issue(pki.Template{Subject: "CN=Time,C=EE", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}})
	server := httptest.NewServer(&tsp.Responder{Identity: unit, Policy: "1.2.3.4", Accuracy: time.Second,
		Clock: func() (time.Time, error) { return now, nil }})
	defer server.Close()

	sum := sha256.Sum256([]byte("evidence"))
	client := &tsp.Client{URLs: []string{server.URL}, HTTP: server.Client()}
	token, err := client.Stamp(context.Background(), crypto.SHA256, sum[:])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Info.Time, token.Info.Accuracy, token.Verify().Certificate.Subject)
	// Output: 2026-03-01 12:00:00 +0000 UTC 1s CN=Time,C=EE
}
