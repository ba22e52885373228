package pmode

import (
	"cmp"
	"encoding/pem"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// AgreementOptions are what goes into an agreement beside the set.
type AgreementOptions struct {
	Date         time.Time
	Certificates func(party string) []*pki.Certificate // current and announced
	HTML         bool                                  // a page of its own instead of Markdown
}

// Agreement describes what is agreed with one partner for people on both sides: parties, addresses, certificates with
// their fingerprints, and every P-Mode.
func (s *Set) Agreement(name string, opt AgreementOptions) (string, error) {
	partner := s.Partner(name)
	if partner == nil {
		return "", &ErrNoPartner{name}
	}
	var modes []*Mode
	for _, m := range s.Modes {
		if strings.EqualFold(m.Partner, partner.Name) {
			modes = append(modes, m)
		}
	}
	if len(modes) == 0 {
		return "", &ErrNoPartner{name}
	}
	var w prose = new(markdown)
	if opt.HTML {
		w = new(page)
	}
	w.heading(1, fmt.Sprintf("Agreement on the exchange of messages between %s and %s", s.Own.Name, partner.Name))
	if !opt.Date.IsZero() {
		w.paragraph("As of " + opt.Date.Format("2 January 2006") + ".")
	}
	w.paragraph("Messages are exchanged by OASIS AS4, as the eDelivery AS4 profile of the European Commission restricts it. Each side configures what stands here; the values are compared as they stand; capitals do not count.")
	w.heading(2, "Parties")
	for _, p := range []*Party{&s.Own, partner} {
		w.heading(3, p.Name)
		var rows [][]string
		for _, id := range p.IDs {
			rows = append(rows, []string{"Party identifier", id.Value}, []string{"Type of the identifier", cmp.Or(id.Type, "none")})
		}
		rows = append(rows, []string{"Address", cmp.Or(p.URL, "none: it opens all connections itself")})
		var certs []*pki.Certificate
		if opt.Certificates != nil {
			certs = opt.Certificates(p.Name)
		}
		for i, c := range certs {
			title := "Certificate"
			if i > 0 {
				title = "Announced certificate"
			}
			sum := c.Fingerprint()
			rows = append(rows, []string{title, c.Subject.String()}, []string{"Issued by", c.Issuer.String()}, []string{"Serial number", fmt.Sprintf("%X", c.SerialNumber)},
				[]string{"Valid", c.NotBefore.UTC().Format(time.DateOnly) + " to " + c.NotAfter.UTC().Format(time.DateOnly)}, []string{"SHA-256", fmt.Sprintf("%X", sum[:])})
		}
		w.table(rows)
		for _, c := range certs {
			w.code(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
		}
		if len(certs) == 0 {
			w.paragraph("The certificate is to be handed over, and its fingerprint compared by another way.")
		}
	}
	w.heading(2, "Messages")
	for _, m := range modes {
		w.heading(3, m.ID)
		w.table(s.rows(m, partner.Name))
	}
	w.paragraph("A message that arrives twice is acknowledged and not delivered again. Payloads, SOAP Body and ebMS header are signed together; what is encrypted is every payload.")
	return w.String(), nil
}

// rows are what is agreed on one kind of message.
func (s *Set) rows(m *Mode, partner string) [][]string {
	who := map[Direction]string{Send: s.Own.Name + " to " + partner, Receive: partner + " to " + s.Own.Name, Both: "both ways"}[m.Direction]
	if m.Pull() {
		who += ", fetched by the receiver"
	}
	service := cmp.Or(m.Service.Value, "any")
	rows := [][]string{{"Direction", who}, {"Service", service}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("Type of the service", m.Service.Type)
	add("Action", cmp.Or(m.Action, "any"))
	add("Agreement", m.Agreement.Value)
	add("Type of the agreement", m.Agreement.Type)
	add("Channel", cmp.Or(m.MPC, ebms.DefaultMPC))
	add("Role of the sender", cmp.Or(m.SenderRole, ebms.RoleInitiator))
	add("Role of the receiver", cmp.Or(m.ReceiverRole, ebms.RoleResponder))
	add("Security", m.Security.String())
	add("Receipt", receiptWords(m))
	add("Retries of "+s.Own.Name, retryWords(m.Retry))
	add("Compression", map[bool]string{true: "payloads that gain by it, gzip", false: "none"}[m.Compress])
	var required []string
	for _, p := range m.Properties {
		if p.Required {
			required = append(required, p.Key)
		}
	}
	add("Required message properties", strings.Join(required, ", "))
	if pp := m.Payloads; pp != nil {
		if pp.MaxSize > 0 {
			add("Largest payload", fmt.Sprintf("%d octets, expanded", pp.MaxSize))
		}
		for _, p := range pp.Payloads {
			add("Payload "+p.Name, strings.Trim(p.ContentID+" "+p.MimeType, " ")+map[bool]string{true: ", required", false: ""}[p.Required])
		}
	}
	if sp := m.Splitting; sp != nil {
		add("Splitting", fmt.Sprintf("into fragments of %d MiB, joined within %d minutes", sp.FragmentSize, sp.JoinInterval))
	}
	return rows
}

// prose is a text under construction.
type prose interface {
	heading(level int, text string)
	paragraph(text string)
	table(rows [][]string) // names and values
	code(text string)
	String() string
}

type markdown struct{ strings.Builder }

// plain keeps what is said from being read as markup.
var plain = strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "\n", " ", "\r", " ")

func (m *markdown) heading(level int, text string) {
	fmt.Fprintf(m, "%s %s\n\n", strings.Repeat("#", level), plain.Replace(text))
}
func (m *markdown) paragraph(text string) { fmt.Fprintf(m, "%s\n\n", plain.Replace(text)) }
func (m *markdown) code(text string)      { fmt.Fprintf(m, "```\n%s```\n\n", text) }
func (m *markdown) table(rows [][]string) {
	m.WriteString("| | |\n|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(m, "| %s | %s |\n", plain.Replace(r[0]), plain.Replace(r[1]))
	}
	m.WriteString("\n")
}

// page is HTML without script and without anything fetched from elsewhere.
type page struct {
	b     strings.Builder
	title string
}

func (p *page) heading(level int, text string) {
	if level == 1 {
		p.title = text
	}
	fmt.Fprintf(&p.b, "<h%d>%s</h%d>\n", level, html.EscapeString(text), level)
}
func (p *page) paragraph(text string) { fmt.Fprintf(&p.b, "<p>%s</p>\n", html.EscapeString(text)) }
func (p *page) code(text string)      { fmt.Fprintf(&p.b, "<pre>%s</pre>\n", html.EscapeString(text)) }
func (p *page) table(rows [][]string) {
	p.b.WriteString("<table>\n")
	for _, r := range rows {
		fmt.Fprintf(&p.b, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", html.EscapeString(r[0]), html.EscapeString(r[1]))
	}
	p.b.WriteString("</table>\n")
}

func (p *page) String() string {
	return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>" + html.EscapeString(p.title) + "</title>\n<style>\n" +
		"body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }\n" +
		"table { border-collapse: collapse; width: 100%; margin: 0 0 1rem; }\n" +
		"th, td { border-bottom: 1px solid #bbb; padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }\n" +
		"th[scope=row] { width: 14rem; font-weight: 600; }\n" +
		"pre { overflow-x: auto; font-size: .8rem; }\n" +
		"</style>\n</head>\n<body>\n" + p.b.String() + "</body>\n</html>\n"
}
