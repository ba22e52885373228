package alert

import (
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
)

// Settings is the section alerts of the configuration.
type Settings struct {
	Off          bool            `yaml:"off" doc:"Look for nothing."`
	Every        config.Duration `yaml:"every" default:"1m" min:"1s" doc:"How often the node looks."`
	Repeat       config.Duration `yaml:"repeat" default:"1d" doc:"An alert that stays is told again after this time; 0: never."`
	Language     string          `yaml:"language" enum:"en,de,fr,it" doc:"Language of mails and webhooks. Default: that of the node's country where it is one of these, else English."`
	Mail         []Mail          `yaml:"mail" doc:"Who gets mails."`
	Webhooks     []Webhook       `yaml:"webhooks" doc:"Addresses that get signed JSON."`
	AllowPrivate bool            `yaml:"allowPrivateAddresses" doc:"Allow webhooks in private networks."`
	Quiet        []Quiet         `yaml:"quiet" doc:"Times in which nothing is told but what is critical. What is still open afterwards is told then."`
	TimeZone     string          `yaml:"timeZone" example:"Europe/Tallinn" doc:"Time zone of quiet times and mails. Default: that of the machine."`
	Rules        []Rule          `yaml:"rules" doc:"Changes to the built-in rules, and further ones."`
}

// Mail is one way to send mails.
type Mail struct {
	Server   string        `yaml:"server" required:"true" example:"smtp.example.ee:587" doc:"Host and port of the mail server."`
	TLS      string        `yaml:"tls" default:"starttls" enum:"starttls,implicit,off" doc:"How the connection is protected: starttls on port 587, implicit on port 465. off only for a server on this machine, and without a password."`
	CA       config.Path   `yaml:"ca" doc:"PEM file with authorities of the server's certificate. Default: those of the machine."`
	User     string        `yaml:"user" doc:"Name to log in with. Without it the node does not log in."`
	Password config.Secret `yaml:"password" example:"file:keys/smtp.password" doc:"Password to log in with."`
	From     string        `yaml:"from" required:"true" example:"viadukt@example.ee" doc:"Address of the sender."`
	To       []string      `yaml:"to" required:"true" example:"[operations@example.ee]" doc:"Addresses that get the mails."`
	Severity string        `yaml:"severity" default:"warning" enum:"info,warning,critical" doc:"Least severity that is told here."`
}

// Webhook is one address.
type Webhook struct {
	URL      config.URL    `yaml:"url" required:"true" doc:"Where the call goes; https unless the address is in a private network that is allowed."`
	Secret   config.Secret `yaml:"secret" required:"true" example:"file:keys/alerts.secret" doc:"Key of the signature in the header Viadukt-Signature."`
	Severity string        `yaml:"severity" default:"info" enum:"info,warning,critical" doc:"Least severity that is told here."`
}

// Quiet is one time of the week.
type Quiet struct {
	Days []string `yaml:"days" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"Days on which it begins. Default: all."`
	From string   `yaml:"from" default:"00:00" doc:"When it begins, as in 22:00."`
	To   string   `yaml:"to" default:"24:00" doc:"When it ends; earlier than the beginning: on the next day."`
}

// Check implements config.Checker.
func (s *Settings) Check(report func(key, format string, args ...any)) {
	for _, m := range s.Mail {
		m.check(report)
	}
	for _, q := range s.Quiet {
		if _, _, err := q.bounds(); err != nil {
			report("quiet", "%v", err)
		}
	}
	if s.TimeZone != "" {
		if _, err := time.LoadLocation(s.TimeZone); err != nil {
			report("timeZone", "%q is no time zone that this machine knows", s.TimeZone)
		}
	}
	if _, err := merge(s.Rules); err != nil {
		report("rules", "%v", err)
	}
}

func (m *Mail) check(report func(key, format string, args ...any)) {
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		report("mail", "server %q: write host:port", m.Server)
	}
	for _, a := range append([]string{m.From}, m.To...) {
		if p, err := mail.ParseAddress(a); err != nil || strings.ContainsAny(p.Address, "\r\n") {
			report("mail", "%q is no mail address", a)
		}
	}
	if m.TLS == "off" {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			report("mail", "tls off is for a server on this machine, not for %q", host)
		}
		if m.User != "" {
			report("mail", "a password is not sent without TLS")
		}
	}
	if (m.User == "") != m.Password.IsZero() {
		report("mail", "user and password belong together")
	}
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// bounds are minutes of the day.
func (q *Quiet) bounds() (from, to int, err error) {
	if from, err = clock(q.From); err == nil {
		to, err = clock(q.To)
	}
	if err == nil && from == to {
		err = fmt.Errorf("quiet from %s to %s is no time", q.From, q.To)
	}
	return from, to, err
}

func clock(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of the day: write for example 22:00", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// holds reports whether t, in the zone of the operator, is within.
func (q *Quiet) holds(t time.Time) bool {
	from, to, err := q.bounds()
	if err != nil {
		return false
	}
	at := t.Hour()*60 + t.Minute()
	today, yesterday := q.on(t.Weekday()), q.on((t.Weekday()+6)%7)
	if from < to {
		return today && at >= from && at < to
	}
	return today && at >= from || yesterday && at < to
}

func (q *Quiet) on(d time.Weekday) bool {
	return len(q.Days) == 0 || slices.Contains(q.Days, weekdays[d])
}
