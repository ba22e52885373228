package main

import (
	"errors"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
)

var certCommand = &command{
	name: "cert", summary: "shows the node's certificates and lets the next ones take over.",
	help: `A change of keys has an overlap: the next key decrypts from the moment it is planned, is published for those who look
certificates up, and signs from its time on; the former one goes on decrypting. Partners that hold a fixed certificate of
this node need the next one before it signs: they put it beside the old one.`,
	example: "viadukt cert renew signing\nviadukt cert renew signing --certificate from-authority.pem\nviadukt cert list",
	sub: []*command{
		{name: "list", summary: "lists the node's certificates with what each is for and when it ends.", example: "viadukt cert list --config ee/viadukt.yaml", prepare: prepareCertList},
		{name: "renew", summary: "makes the next key and a request for its certificate; with the certificate, plans the change.", args: "signing|encryption",
			help: `Without --certificate and --key a key of the same kind is made beside the one in use, and a request (PKCS #10) for the
authority; of X25519, which cannot sign a request, the public key. With the certificate that it sends the change is planned: published now and signing after 14 days, unless
--publish and --activate say otherwise. A running node is told.`,
			example: "viadukt cert renew signing --certificate from-authority.pem --activate 2026-12-15", prepare: prepareCertRenew},
		{name: "activate", summary: "lets the next key take over now, or at another time than planned.", args: "signing|encryption", example: "viadukt cert activate signing --at 2026-12-20T06:00:00Z", prepare: prepareCertActivate},
	},
}

// certJSON is one certificate.
type certJSON struct {
	Use         string     `json:"use"`
	Subject     string     `json:"subject"`
	Issuer      string     `json:"issuer"`
	Serial      string     `json:"serial"`
	Key         string     `json:"key"`
	Fingerprint string     `json:"fingerprint"`
	NotBefore   time.Time  `json:"notBefore"`
	NotAfter    time.Time  `json:"notAfter"`
	Days        int        `json:"days"` // left
	Publish     *time.Time `json:"publish,omitempty"`
	Activate    *time.Time `json:"activate,omitempty"`
}

func prepareCertList(c *call) func() error {
	c.jsonFlag()
	file := c.configFlag()
	return func() error {
		cfg, err := c.loadConfig(*file)
		if err != nil {
			return err
		}
		now := time.Now()
		list, err := node.ConfiguredKeys(cfg, now)
		if err != nil {
			return err
		}
		for _, k := range list {
			days := int(k.NotAfter.Sub(now) / (24 * time.Hour))
			if c.json {
				j := certJSON{Use: string(k.Use), Subject: k.Subject, Issuer: k.Issuer, Serial: k.Serial, Key: k.Key, Fingerprint: k.Fingerprint, NotBefore: k.NotBefore, NotAfter: k.NotAfter, Days: days}
				if !k.Activate.IsZero() {
					j.Activate = &k.Activate
				}
				if !k.Publish.IsZero() {
					j.Publish = &k.Publish
				}
				if err := c.print(j); err != nil {
					return err
				}
				continue
			}
			c.printf("%-10s %s\n           %s, until %s (%s), serial %s\n           SHA-256 %s\n", k.Use, k.Subject, k.Key, k.NotAfter.Format(time.DateOnly), count(days, "day"), k.Serial, k.Fingerprint)
			if k.Use == console.UseNext {
				published := "at once"
				if !k.Publish.IsZero() {
					published = "from " + k.Publish.UTC().Format(time.RFC3339)
				}
				c.printf("           published %s, takes over %s\n", published, k.Activate.UTC().Format(time.RFC3339))
			}
		}
		return nil
	}
}

// keyUse reads the argument.
func (c *call) keyUse() (node.KeyUse, error) {
	switch u := node.KeyUse(c.values[0]); u {
	case node.KeySigning, node.KeyEncryption:
		return u, nil
	default:
		return "", usage("%q: say signing or encryption", u)
	}
}

// moment reads a time of the command line; empty is none.
func moment(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	var t config.Time
	if err := t.UnmarshalText([]byte(s)); err != nil {
		return time.Time{}, usage("--%s: %v", flag, err)
	}
	return t.T(), nil
}

// keyError says how a refused key ends the program.
func keyError(err error) error {
	switch {
	case errors.Is(err, node.ErrKeyPlan):
		return &exit{status: statusInvalid, Code: "KEY", Text: err.Error(), Remedy: "viadukt cert list shows what is planned"}
	case errors.Is(err, node.ErrNoRequest):
		return &exit{status: statusUsage, Code: "NO_REQUEST", Text: err.Error(), Remedy: "let the authority make the key, or make it with its tools, then: viadukt cert renew --key FILE --certificate FILE"}
	}
	return err
}

func prepareCertRenew(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	cert := c.String("certificate", "", "`file` with the certificate that the authority sent, with its chain")
	key := c.String("key", "", "`file` with the key, where it was made elsewhere: PEM or PKCS #12, with its certificate or beside it")
	password := c.String("password", "", "where the password of the key is, file:PATH or env:NAME")
	publish := c.String("publish", "", "`time` from which the node's own publisher names it (default: now)")
	activate := c.String("activate", "", "`time` from which it signs (default: 14 days later)")
	return func() error {
		use, err := c.keyUse()
		if err != nil {
			return err
		}
		cfg, err := c.loadConfig(*file)
		if err != nil {
			return err
		}
		now := time.Now()
		if *cert == "" && *key == "" {
			r, err := node.RequestKey(cfg, use, now)
			if err != nil {
				return keyError(err)
			}
			if c.json {
				j := map[string]string{"key": r.Key, "subject": r.Subject}
				if r.PublicKey != "" {
					j["publicKey"] = r.PublicKey
				} else {
					j["request"] = r.Request
				}
				return c.print(j)
			}
			c.printf("The next key is %s.\n", r.Key)
			if r.PublicKey != "" {
				c.printf("It agrees on keys and signs nothing, so there is no request that shows that it is yours. Hand its public half\n%s to the authority on a way that it trusts, for the subject %s;\nan authority of viadukt: viadukt ca issue DIR --profile access-point --public-key %s --subject %q --out FILE\n", r.PublicKey, r.Subject, r.PublicKey, r.Subject)
			} else {
				c.printf("Send %s to the authority.\n", r.Request)
			}
			c.printf("With its certificate:\n  viadukt cert renew %s --certificate FILE --config %s\n", use, *file)
			return nil
		}
		p := node.PlannedKey{Key: *key, Certificate: *cert}
		if *password != "" {
			if err := p.Password.UnmarshalText([]byte(*password)); err != nil {
				return usage("--password: %v", err)
			}
		}
		if p.Publish, err = moment("publish", *publish); err != nil {
			return err
		}
		if p.Activate, err = moment("activate", *activate); err != nil {
			return err
		}
		certificate, s, err := node.PlanKey(cfg, use, p, now)
		if err != nil {
			return keyError(err)
		}
		told := c.reloadRunning(cfg)
		if c.json {
			return c.print(map[string]any{"subject": certificate.Subject.String(), "publish": s.Publish.T(), "activate": s.Activate.T(), "certificate": string(s.Certificate), "key": string(s.Key), "reloaded": told == nil})
		}
		c.printf("%s decrypts from now on, is published from %s and takes over at %s.\n", certificate.Subject, s.Publish, s.Activate)
		c.sayReloaded(told)
		return nil
	}
}

func prepareCertActivate(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	file := c.configFlag()
	at := c.String("at", "", "`time` (default: now)")
	return func() error {
		use, err := c.keyUse()
		if err != nil {
			return err
		}
		cfg, err := c.loadConfig(*file)
		if err != nil {
			return err
		}
		now := time.Now().UTC().Truncate(time.Second)
		when, err := moment("at", *at)
		if err != nil {
			return err
		}
		if when.IsZero() {
			when = now
		}
		was, err := node.ActivateKey(cfg, use, when, now)
		if err != nil {
			return keyError(err)
		}
		told := c.reloadRunning(cfg)
		if c.json {
			return c.print(map[string]any{"use": use, "activate": when, "was": was, "reloaded": told == nil})
		}
		c.printf("The next %s key takes over at %s, not at %s.\n", use, when.UTC().Format(time.RFC3339), was.UTC().Format(time.RFC3339))
		c.sayReloaded(told)
		return nil
	}
}

// reloadRunning lets a node that runs on a configuration read it again.
func (c *call) reloadRunning(cfg *config.Config) error {
	a := &api{c: c}
	if err := a.configured(cfg, "admin"); err != nil {
		return err
	}
	if err := a.resolve(); err != nil {
		return err
	}
	return a.ask("POST", "/reload", nil, nil, nil)
}

func (c *call) sayReloaded(err error) {
	var e *exit
	switch {
	case err == nil:
		c.printf("The running node knows it.\n")
	case errors.As(err, &e) && e.Code == "NO_NODE":
		c.printf("The node is not running: it reads it when it starts.\n")
	default:
		c.printf("The running node does not know it yet (%v): systemctl reload viadukt, or viadukt pmode reload.\n", err)
	}
}
