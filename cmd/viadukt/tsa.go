package main

import (
	"errors"
	"time"

	"github.com/viadukt-eu/viadukt/node/authority"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

var tsaCommand = &command{
	name: "tsa", summary: "runs a time-stamping authority until you stop it with Ctrl-C.",
	help: `Answers requests of RFC 3161 by POST. Every time-stamp is a line in the log before it is given away, chained to all lines
before it; the log is checked when the authority starts. Where the clock stands before what was issued already, nothing is issued.`,
	example: "viadukt ca issue pilot --profile tsa --subject \"CN=Time,C=EE\" --out tsa.pem\nviadukt tsa --key tsa.pem --policy 1.3.6.1.4.1.99999.1 --log tsa.log --listen :3161",
	prepare: func(c *call) func() error {
		key := c.String("key", "", "PEM or PKCS#12 `file` with the key and the certificate, which must be for time-stamping")
		var password config.Secret
		c.TextVar(&password, "password", config.Secret{}, "where the password of the key file is: file:PATH or env:NAME, a `place`")
		policy := c.String("policy", "", "`identifier` of the policy under which time-stamps are issued, an OID")
		log := c.String("log", "", "`file` for what was issued")
		accuracy := c.Duration("accuracy", time.Second, "`time` by which the clock may be wrong")
		listen := c.String("listen", "127.0.0.1:3161", "`address` to listen at")
		return func() error {
			switch {
			case *key == "":
				return usage("--key is missing: the file with key and certificate")
			case *log == "":
				return usage("--log is missing: the file for what was issued")
			}
			if _, ok := pki.ParseOID(*policy); !ok {
				return usage("--policy: %q is no OID, such as 1.3.6.1.4.1.99999.1", *policy)
			}
			id, err := loadSigner(*key, password)
			if err != nil {
				return err
			}
			if !forTime(id.Certificate) {
				return &exit{status: statusUsage, Code: "USAGE", Text: "the certificate in " + *key + " is not for time-stamping alone", Where: "--key",
					Remedy: "viadukt ca issue DIR --profile tsa makes one"}
			}
			l, err := authority.OpenTimeLog(*log)
			if errors.Is(err, authority.ErrRecords) {
				return &exit{status: statusInvalid, Code: "LOG", Text: err.Error(), Where: *log}
			}
			if err != nil {
				return err
			}
			defer l.Close()
			r := &tsp.Responder{Identity: id, Policy: pki.OID(*policy), Accuracy: *accuracy, Precision: time.Millisecond, Clock: l.Clock(time.Now), Issued: l.Record}
			return c.serveHTTP(*listen, r, id.Certificate.Subject.String())
		}
	},
}

// forTime reports whether time-stamps are all that a certificate is for [RFC 3161 2.3].
func forTime(c *pki.Certificate) bool {
	return len(c.ExtKeyUsage) == 1 && c.ExtKeyUsage[0] == pki.EKUTimeStamping
}
