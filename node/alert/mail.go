package alert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"os"
	"strings"
	"time"
)

// mailer sends mails by one server.
type mailer struct {
	c        *Center
	set      Mail
	name     string
	password string
	pool     *x509.CertPool // nil: that of the machine
}

// channels are those of the settings.
func (c *Center) channels() (list []Channel, err error) {
	for i, m := range c.Settings.Mail {
		ch := &mailer{c: c, set: m, name: fmt.Sprintf("mail-%d", i+1)}
		if ch.password, err = m.Password.Read(); err != nil {
			return nil, fmt.Errorf("alert: mail by %s: %w", m.Server, err)
		}
		if m.CA != "" {
			b, err := os.ReadFile(string(m.CA))
			if err != nil {
				return nil, fmt.Errorf("alert: mail by %s: %w", m.Server, err)
			}
			if ch.pool = x509.NewCertPool(); !ch.pool.AppendCertsFromPEM(b) {
				return nil, fmt.Errorf("alert: %s holds no certificate", m.CA)
			}
		}
		list = append(list, ch)
	}
	for i, w := range c.Settings.Webhooks {
		ch, err := newHook(c, w, i)
		if err != nil {
			return nil, err
		}
		list = append(list, ch)
	}
	return list, nil
}

// Name implements [Channel].
func (m *mailer) Name() string { return m.name }

// Least implements [Channel].
func (m *mailer) Least() Severity { return Severity(cmp.Or(m.set.Severity, string(Warning))) }

// Tell implements [Channel].
func (m *mailer) Tell(ctx context.Context, id string, notices []Alert) error {
	text, err := m.compose(id, notices)
	if err != nil {
		return err
	}
	return m.send(ctx, text)
}

// linesMost bounds the alerts that one mail names.
const linesMost = 50

// compose writes a mail [RFC 5322].
func (m *mailer) compose(id string, notices []Alert) ([]byte, error) {
	lang := m.c.language
	var open, over []Alert
	for _, a := range notices {
		if a.Open() {
			open = append(open, a)
		} else {
			over = append(over, a)
		}
	}
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	from, err := mail.ParseAddress(m.set.From)
	if err != nil {
		return nil, err
	}
	header("From", from.String())
	var to []string
	for _, t := range m.set.To {
		a, err := mail.ParseAddress(t)
		if err != nil {
			return nil, err
		}
		to = append(to, a.String())
	}
	header("To", strings.Join(to, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", m.subject(open, over)))
	header("Date", m.c.Clock().In(m.c.zone).Format(time.RFC1123Z))
	sum := sha256.Sum256([]byte(m.c.Node + " " + m.name + " " + id))
	header("Message-ID", fmt.Sprintf("<%x@%s>", sum[:12], domainOf(from)))
	header("Auto-Submitted", "auto-generated") // [RFC 3834 5]: so that no machine answers
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Language", lang)
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	write := func(format string, args ...any) { fmt.Fprintf(q, format+"\r\n", args...) }
	left := linesMost
	for _, part := range []struct {
		title string
		list  []Alert
	}{{"mail.open", open}, {"mail.over", over}} {
		if len(part.list) == 0 {
			continue
		}
		write("%s\r\n", say(lang, part.title))
		for i, a := range part.list {
			if left--; left < 0 {
				write("  %s", say(lang, "mail.more", fmt.Sprint(len(part.list)-i)))
				break
			}
			write("* %s: %s", say(lang, "severity."+string(a.Severity)), a.Say(lang))
			if a.Open() {
				write("  %s", say(lang, "mail.since", m.when(a.Since)))
				if r := a.Remedy(lang); r != "" {
					write("  %s", r)
				}
			} else {
				write("  %s", say(lang, "mail.until", m.when(a.Since), m.when(a.Resolved)))
			}
		}
		write("")
	}
	write("-- \r\n%s", say(lang, "mail.foot", m.c.Node, m.c.Version))
	return b.Bytes(), q.Close()
}

func domainOf(a *mail.Address) string { return a.Address[strings.LastIndexByte(a.Address, '@')+1:] }

func (m *mailer) when(t time.Time) string { return t.In(m.c.zone).Format("2006-01-02 15:04 MST") }

func (m *mailer) subject(open, over []Alert) string {
	lang := m.c.language
	if len(open) == 0 {
		if len(over) == 1 {
			return say(lang, "subject.over", m.c.Node, over[0].Say(lang))
		}
		return say(lang, "subject.over", m.c.Node, fmt.Sprint(len(over)))
	}
	worst := Info
	for _, a := range open {
		if a.Severity.rank() > worst.rank() {
			worst = a.Severity
		}
	}
	if len(open) == 1 {
		return say(lang, "subject.open.one", m.c.Node, say(lang, "severity."+string(worst)), open[0].Say(lang))
	}
	return say(lang, "subject.open.other", m.c.Node, say(lang, "severity."+string(worst)), fmt.Sprint(len(open)))
}

// send speaks SMTP [RFC 5321], with STARTTLS [RFC 3207] or TLS from the start [RFC 8314 3.3].
func (m *mailer) send(ctx context.Context, text []byte) error {
	host, _, err := net.SplitHostPort(m.set.Server)
	if err != nil {
		return fmt.Errorf("alert: mail: %w", err)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.set.Server)
	if err != nil {
		return fmt.Errorf("alert: mail: %w", err)
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conf := &tls.Config{ServerName: host, RootCAs: m.pool, MinVersion: tls.VersionTLS12}
	if m.set.TLS == "implicit" {
		conn = tls.Client(conn, conf)
	}
	s, err := smtp.NewClient(conn, host)
	if err != nil {
		return fmt.Errorf("alert: mail by %s: %w", m.set.Server, err)
	}
	defer s.Close()
	if err := m.session(s, conf, text); err != nil {
		return fmt.Errorf("alert: mail by %s: %w", m.set.Server, err)
	}
	return nil
}

func (m *mailer) session(s *smtp.Client, conf *tls.Config, text []byte) error {
	from, err := mail.ParseAddress(m.set.From)
	if err != nil {
		return err
	}
	if err := s.Hello(domainOf(from)); err != nil {
		return err
	}
	if m.set.TLS == "" || m.set.TLS == "starttls" {
		if ok, _ := s.Extension("STARTTLS"); !ok {
			return errors.New("the server offers no STARTTLS") // whoever cuts it out of the offer gets nothing
		}
		if err := s.StartTLS(conf); err != nil {
			return err
		}
	}
	if m.set.User != "" {
		if err := m.logIn(s); err != nil {
			return err
		}
	}
	if err := s.Mail(from.Address); err != nil {
		return err
	}
	for _, t := range m.set.To {
		a, err := mail.ParseAddress(t)
		if err != nil {
			return err
		}
		if err := s.Rcpt(a.Address); err != nil {
			return err
		}
	}
	w, err := s.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	s.Quit() // the mail is accepted: how the server says goodbye changes nothing
	return nil
}

// logIn takes PLAIN [RFC 4616], or LOGIN where a server knows nothing else.
func (m *mailer) logIn(s *smtp.Client) error {
	ok, offered := s.Extension("AUTH")
	if !ok {
		return errors.New("the server takes no login")
	}
	host, _, _ := net.SplitHostPort(m.set.Server)
	for f := range strings.FieldsSeq(strings.ToUpper(offered)) {
		if f == "PLAIN" {
			return s.Auth(smtp.PlainAuth("", m.set.User, m.password, host))
		}
	}
	return s.Auth(&loginAuth{m.set.User, m.password})
}

type loginAuth struct{ user, password string }

func (a *loginAuth) Start(s *smtp.ServerInfo) (string, []byte, error) {
	if !s.TLS {
		return "", nil, errors.New("a password is not sent without TLS")
	}
	return "LOGIN", nil, nil
}

func (a *loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	switch q := strings.ToLower(string(asked)); {
	case !more:
		return nil, nil
	case strings.HasPrefix(q, "user"):
		return []byte(a.user), nil
	case strings.HasPrefix(q, "pass"):
		return []byte(a.password), nil
	}
	return nil, fmt.Errorf("the server asks %q", asked)
}
