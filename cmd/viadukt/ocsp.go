package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
)

var ocspCommand = &command{
	name: "ocsp", summary: "asks whether a certificate was revoked: its responder, or else its list.", args: "CERTIFICATE",
	help: `The certificate says where to ask. Its issuer stands behind it in the file, or is named with --issuer, or is fetched from where the
certificate says. Exit status 0: not revoked; 1: revoked; 3: no answer.`,
	example: "viadukt ocsp ada.pem\nviadukt ocsp ada.pem --issuer ca.pem --json",
	prepare: func(c *call) func() error {
		c.least, c.most = 1, 1
		c.jsonFlag()
		issuerFile := c.String("issuer", "", "`file` with the certificate of the issuer")
		listOnly := c.Bool("crl", false, "ask the revocation list alone")
		return func() error {
			load := func(file string) ([]*pki.Certificate, error) {
				b, err := os.ReadFile(file)
				if err != nil {
					return nil, usage("%v", err)
				}
				list, err := pki.LoadCertificates(b, "")
				if err != nil || len(list) == 0 {
					return nil, usage("%s: no certificate (%v)", file, err)
				}
				return list, nil
			}
			certs, err := load(c.values[0])
			if err != nil {
				return err
			}
			cert, candidates := certs[0], certs[1:]
			if *issuerFile != "" {
				if candidates, err = load(*issuerFile); err != nil {
					return err
				}
			}
			client := &revocation.Client{HTTP: &http.Client{Timeout: 30 * time.Second}, NoOCSP: *listOnly, Nonce: !*listOnly}
			find := func() *pki.Certificate {
				for _, i := range candidates {
					if cert.CheckSignatureFrom(i) == nil {
						return i
					}
				}
				return nil
			}
			issuer := find()
			if issuer == nil && *issuerFile == "" {
				more, err := client.Issuers(c.p.ctx, cert)
				if candidates = more; err != nil {
					return &exit{status: statusFailed, Code: "NO_ISSUER", Text: err.Error(), Where: c.values[0], Remedy: "name the issuer with --issuer"}
				}
				issuer = find()
			}
			if issuer == nil {
				return &exit{status: statusFailed, Code: "NO_ISSUER", Text: fmt.Sprintf("no certificate of the issuer %s", cert.Issuer), Where: c.values[0], Remedy: "name it with --issuer"}
			}
			s, err := client.Status(c.p.ctx, cert, issuer, time.Now())
			if err != nil || s.State == pki.RevocationUnknown {
				text := "the responder and the list know nothing about it"
				if err != nil {
					text = err.Error()
				}
				return &exit{status: statusFailed, Code: "UNKNOWN", Text: text, Where: c.values[0]}
			}
			j := map[string]any{"file": c.values[0], "subject": cert.Subject.String(), "state": s.State.String(), "thisUpdate": s.ThisUpdate.Format(time.RFC3339)}
			line := fmt.Sprintf("%s: %s is good, as of %s\n", c.values[0], cert.Subject, s.ThisUpdate.Format(time.RFC3339))
			if s.State == pki.RevocationRevoked {
				j["revoked"], j["reason"] = s.RevokedAt.Format(time.RFC3339), reasonName(s.Reason)
				line = fmt.Sprintf("%s: %s was revoked on %s, %s\n", c.values[0], cert.Subject, s.RevokedAt.Format(time.RFC3339), reasonName(s.Reason))
			}
			if !c.json {
				c.printf("%s", line)
			} else if err := c.print(j); err != nil {
				return err
			}
			if s.State == pki.RevocationRevoked {
				return &exit{status: statusInvalid, silent: true}
			}
			return nil
		}
	},
}
