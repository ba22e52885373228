package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/authority"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

var caCommand = &command{
	name: "ca", summary: "runs a certification authority for a test network or a pilot: issue, revoke, publish.",
	help:    `The authority lives in a folder with its keys: keep it to yourself, and where it is copied to as well.`,
	example: "viadukt ca init pilot --subject \"CN=Pilot,C=EE\" --url http://ca.pilot.example:8080\nviadukt ca issue pilot --profile person --subject \"CN=Ada,C=EE\" --out ada.pem\nviadukt ca serve pilot --listen :8080",
	sub: []*command{
		{name: "init", summary: "makes an authority in a new folder.", args: "DIR",
			help: `--url is where "viadukt ca serve" will be reached; it stands in every certificate. With --parent the authority is below that
of another folder, otherwise it is a root.`,
			example: "viadukt ca init pilot --subject \"CN=Pilot,C=EE\" --url http://ca.pilot.example:8080", prepare: prepareCAInit},
		{name: "issue", summary: "issues a certificate, with a key or for a request.", args: "DIR",
			help:    "Profiles: " + profileList() + ".",
			example: "viadukt ca issue pilot --profile person --subject \"CN=Ada,C=EE\" --out ada.pem\nviadukt ca issue pilot --profile tls-server --request server.csr --out server.pem", prepare: prepareCAIssue},
		{name: "revoke", summary: "revokes a certificate, for good.", args: "DIR SERIAL",
			help:    "SERIAL is in hexadecimal, as list shows it, or a file with the certificate. Reasons: " + strings.Join(reasonNames(), ", ") + ".",
			example: "viadukt ca revoke pilot ada.pem --reason key-compromise", prepare: prepareCARevoke},
		{name: "list", summary: "lists what was issued, and what became of it.", args: "DIR", example: "viadukt ca list pilot", prepare: prepareCAList},
		{name: "crl", summary: "writes the current revocation list.", args: "DIR", example: "viadukt ca crl pilot --out pilot.crl", prepare: prepareCACRL},
		{name: "rollover", summary: "begins a new key under the same name.", args: "DIR",
			help: `A root certifies the new key by the old one and the old key by the new one, so that who trusts either trusts what both issued;
the two certificates are written to --out. An authority below another one is certified again by that: name its folder with --parent.`,
			example: "viadukt ca rollover pilot --out cross.pem", prepare: prepareCARollover},
		{name: "serve", summary: "answers by OCSP and publishes list and certificate, until you stop it with Ctrl-C.", args: "DIR",
			help:    `What other commands issue or revoke meanwhile counts at once.`,
			example: "viadukt ca serve pilot --listen :8080", prepare: prepareCAServe},
	},
}

func profileList() string {
	var all []string
	for _, n := range authority.Names() {
		all = append(all, n+" ("+authority.Profiles[n].About+")")
	}
	return strings.Join(all, ", ")
}

var reasons = map[string]pki.Reason{
	"unspecified": pki.ReasonUnspecified, "key-compromise": pki.ReasonKeyCompromise, "ca-compromise": pki.ReasonCACompromise,
	"affiliation-changed": pki.ReasonAffiliationChanged, "superseded": pki.ReasonSuperseded, "cessation": pki.ReasonCessation,
	"privilege-withdrawn": pki.ReasonPrivilegeWithdrawn,
}

func reasonNames() []string {
	names := make([]string, 0, len(reasons))
	for n := range reasons {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return int(reasons[a]) - int(reasons[b]) })
	return names
}

func reasonName(r pki.Reason) string {
	for n, x := range reasons {
		if x == r {
			return n
		}
	}
	return fmt.Sprint(int(r))
}

// caError tells what the caller can mend from what broke.
func caError(err error) error {
	if errors.Is(err, authority.ErrRequest) || errors.Is(err, authority.ErrExists) || errors.Is(err, authority.ErrNone) ||
		errors.Is(err, authority.ErrUnknown) || errors.Is(err, authority.ErrRevoked) || errors.Is(err, pki.ErrFormat) {
		return usage("%v", err)
	}
	return err
}

func openCA(dir string) (*authority.Authority, error) {
	a, err := authority.Open(dir, nil)
	return a, caError(err)
}

// openParent reads --parent.
func openParent(dir string) (*authority.Authority, error) {
	if dir == "" {
		return nil, nil
	}
	return openCA(dir)
}

func prepareCAInit(c *call) func() error {
	c.least, c.most = 1, 1
	subject := c.String("subject", "", "`name` of the authority, such as \"CN=Pilot CA,O=Office,C=EE\"")
	url := c.String("url", "", "`address` at which it will be served")
	key := c.String("key", string(pki.P256), "`kind` of key: p-256, p-384, rsa-3072, rsa-4096, brainpoolP256r1 and others")
	years := c.Int("years", 10, "how many `years` it lasts")
	parent := c.String("parent", "", "`folder` of the authority above")
	return func() error {
		switch {
		case *subject == "":
			return usage("--subject is missing: the name of the authority, such as \"CN=Pilot CA,O=Office,C=EE\"")
		case *url == "":
			return usage("--url is missing: the address at which the authority will be served, such as http://ca.pilot.example:8080; its certificates point there")
		}
		p, err := openParent(*parent)
		if err != nil {
			return err
		}
		a, err := authority.Create(c.values[0], authority.Options{Subject: *subject, Key: pki.KeyAlgorithm(*key), Years: *years, URL: *url, Parent: p})
		if err != nil {
			return caError(err)
		}
		root := a.Chain()
		c.printf("%s: %s, until %s. Its certificate:\n%s", c.values[0], a.Certificate().Subject, a.Certificate().NotAfter.Format(time.DateOnly), pki.MarshalPEM(root[0]))
		return nil
	}
}

func prepareCAIssue(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	profile := c.String("profile", "", "`profile` of the certificate")
	subject := c.String("subject", "", "`name` in the certificate; default: that of the request")
	request := c.String("request", "", "PKCS#10 `file`; without it a key is made")
	public := c.String("public-key", "", "`file` with a public key of X25519, which cannot sign a request: be sure whose it is")
	key := c.String("key", string(pki.P256), "`kind` of the key that is made")
	days := c.Int("days", 0, "how many `days` it lasts; default: as the profile has it")
	out := c.String("out", "", "write certificate and chain, and the key that was made, to this `file`")
	var names []string
	c.Func("dns", "`name` of a host, for servers; may be given again", func(s string) error { names = append(names, s); return nil })
	return func() error {
		if *out == "" {
			return usage("--out is missing: the file for the certificate")
		}
		r := authority.Request{Profile: *profile, Subject: *subject, Key: pki.KeyAlgorithm(*key), Days: *days, Names: names}
		if *request != "" {
			b, err := os.ReadFile(*request)
			if err != nil {
				return usage("--request: %v", err)
			}
			r.CSR = b
		}
		if *public != "" {
			b, err := os.ReadFile(*public)
			if err != nil {
				return usage("--public-key: %v", err)
			}
			r.PublicKey = b
		}
		a, err := openCA(c.values[0])
		if err != nil {
			return err
		}
		if _, err := os.Stat(*out); err == nil {
			return usage("--out: %s is there already, perhaps with a key", *out)
		}
		id, err := a.Issue(r)
		if err != nil {
			return caError(err)
		}
		b, err := marshalIssued(id)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(b)
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
		x := id.Certificate
		if c.json {
			return c.print(map[string]any{"serial": x.SerialNumber.Text(16), "subject": x.Subject.String(), "profile": *profile, "notAfter": x.NotAfter.Format(time.RFC3339), "out": *out})
		}
		c.printf("%x: %s, until %s, in %s\n", x.SerialNumber, x.Subject, x.NotAfter.Format(time.DateOnly), *out)
		return nil
	}
}

// marshalIssued writes the key, where there is one, and the certificates.
func marshalIssued(id *pki.Identity) ([]byte, error) {
	if id.Key != nil {
		return id.MarshalPEM()
	}
	return pki.MarshalPEM(append([]*pki.Certificate{id.Certificate}, id.Chain...)...), nil
}

func prepareCARevoke(c *call) func() error {
	c.least, c.most = 2, 2
	reason := c.String("reason", "unspecified", "`reason`")
	return func() error {
		why, ok := reasons[*reason]
		if !ok {
			return usage("--reason: there is no %q; there are %s", *reason, strings.Join(reasonNames(), ", "))
		}
		serial, ok := new(big.Int).SetString(c.values[1], 16)
		if b, err := os.ReadFile(c.values[1]); err == nil {
			list, err := pki.LoadCertificates(b, "")
			if err != nil || len(list) == 0 {
				return usage("%s: no certificate (%v)", c.values[1], err)
			}
			serial, ok = list[0].SerialNumber, true
		}
		if !ok {
			return usage("%q is no serial number in hexadecimal and no file", c.values[1])
		}
		a, err := openCA(c.values[0])
		if err != nil {
			return err
		}
		if err := a.Revoke(serial, why); err != nil {
			return caError(err)
		}
		c.printf("%x: revoked, %s\n", serial, *reason)
		return nil
	}
}

func prepareCAList(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	return func() error {
		a, err := openCA(c.values[0])
		if err != nil {
			return err
		}
		list, err := a.List()
		if err != nil {
			return err
		}
		for _, e := range list {
			state := "good"
			switch {
			case !e.RevokedAt.IsZero():
				state = "revoked " + e.RevokedAt.Format(time.DateOnly) + ", " + reasonName(e.Why)
			case e.NotAfter.Before(time.Now()):
				state = "expired"
			}
			if c.json {
				j := map[string]any{"serial": e.Serial.Text(16), "profile": e.Profile, "subject": e.Subject, "issued": e.Time.Format(time.RFC3339), "notAfter": e.NotAfter.Format(time.RFC3339), "state": strings.Fields(state)[0]}
				if !e.RevokedAt.IsZero() {
					j["state"], j["revoked"], j["reason"] = "revoked", e.RevokedAt.Format(time.RFC3339), reasonName(e.Why)
				}
				if err := c.print(j); err != nil {
					return err
				}
				continue
			}
			c.printf("%x  %-12s  %s  %s  %s\n", e.Serial, e.Profile, e.NotAfter.Format(time.DateOnly), state, e.Subject)
		}
		return nil
	}
}

func prepareCACRL(c *call) func() error {
	c.least, c.most = 1, 1
	out := c.String("out", "", "`file` for the list, in DER")
	return func() error {
		if *out == "" {
			return usage("--out is missing: the file for the list")
		}
		a, err := openCA(c.values[0])
		if err != nil {
			return err
		}
		b, err := a.CRL()
		if err != nil {
			return err
		}
		return writeWhole(*out, b)
	}
}

func prepareCARollover(c *call) func() error {
	c.least, c.most = 1, 1
	key := c.String("key", string(pki.P256), "`kind` of the new key")
	years := c.Int("years", 10, "how many `years` it lasts")
	parent := c.String("parent", "", "`folder` of the authority above")
	out := c.String("out", "", "`file` for the two certificates between the keys of a root")
	return func() error {
		if (*out == "") != (*parent != "") {
			return usage("a root needs --out for the certificates between its keys, an authority below another one --parent")
		}
		a, err := openCA(c.values[0])
		if err != nil {
			return err
		}
		p, err := openParent(*parent)
		if err != nil {
			return err
		}
		cross, err := a.Rollover(pki.KeyAlgorithm(*key), *years, p)
		if err != nil {
			return caError(err)
		}
		if len(cross) > 0 {
			if err := writeWhole(*out, pki.MarshalPEM(cross...)); err != nil {
				return err
			}
		}
		c.printf("%s: new key, until %s. Its certificate:\n%s", c.values[0], a.Certificate().NotAfter.Format(time.DateOnly), pki.MarshalPEM(a.Certificate()))
		return nil
	}
}

func prepareCAServe(c *call) func() error {
	c.least, c.most = 1, 1
	listen := c.String("listen", "127.0.0.1:8080", "`address` to listen at")
	return func() error {
		a, err := openCA(c.values[0])
		if err != nil {
			return err
		}
		return c.serveHTTP(*listen, a.Handler(), a.Certificate().Subject.String())
	}
}

// serveHTTP serves until the program is to end, and finishes what is under way.
func (c *call) serveHTTP(address string, h http.Handler, what string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return &exit{status: statusFailed, Code: "LISTEN", Text: err.Error(), Where: "--listen"}
	}
	c.printf("%s, at http://%s\n", what, l.Addr())
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-c.p.ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.p.ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
