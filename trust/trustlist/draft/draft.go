// Package draft makes trusted lists of a file that people write: YAML with the services of a network, their certificates in
// files beside it. What every list of the format repeats is filled in.
package draft

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
)

// ErrFormat says that the file is not as it should be.
var ErrFormat = errors.New("draft: the file is not as it should be")

// Draft is the file.
type Draft struct {
	Territory   string     `yaml:"territory"`   // EE, EU or the name of a network
	Kind        string     `yaml:"kind"`        // "list", or "lotl": a list of lists
	Type        string     `yaml:"type"`        // URI, where the network has one of its own
	Version     int        `yaml:"version"`     // of the format, default 6
	Language    string     `yaml:"language"`    // of all texts, default en
	Name        string     `yaml:"name"`        // of the scheme
	Operator    string     `yaml:"operator"`    // who keeps the list
	Address     Address    `yaml:"address"`     // of the operator
	Information []string   `yaml:"information"` // URIs about the scheme; of a list of lists the announcement, and its pivots, newest first
	Rules       []string   `yaml:"rules"`       // URIs
	Notice      string     `yaml:"notice"`      // legal notice
	Days        int        `yaml:"days"`        // until the next list is due, default 180
	Published   []string   `yaml:"published"`   // URIs at which the list is
	Determines  string     `yaml:"determines"`  // URI that says how a status comes about; by default that of the Union
	Pointers    []Pointer  `yaml:"pointers"`
	Providers   []Provider `yaml:"providers"`
}

// Address is where somebody is.
type Address struct {
	Street     string `yaml:"street"`
	Locality   string `yaml:"locality"`
	PostalCode string `yaml:"postalCode"`
	Country    string `yaml:"country"`
	Email      string `yaml:"email"`
	Web        string `yaml:"web"`
}

// Pointer is another list.
type Pointer struct {
	To        string   `yaml:"to"` // URL
	Territory string   `yaml:"territory"`
	Kind      string   `yaml:"kind"`
	Type      string   `yaml:"type"`
	Operator  string   `yaml:"operator"`
	Signers   []string `yaml:"signers"` // files with the certificates of who may sign it
}

// Provider is who runs services.
type Provider struct {
	Name      string    `yaml:"name"`
	TradeName string    `yaml:"tradeName"` // VATEE-12345678 and the like
	Address   Address   `yaml:"address"`
	Services  []Service `yaml:"services"`
}

// Service is one service. What has no "://" stands below the roots of TS 119 612.
type Service struct {
	Name         string      `yaml:"name"`
	Type         string      `yaml:"type"` // CA/QC, TSA/QTST ... or a URI
	Certificates []string    `yaml:"certificates"`
	Status       string      `yaml:"status"` // default granted
	Since        Day         `yaml:"since"`
	For          []string    `yaml:"for"` // ForeSignatures, ForeSeals, ForWebSiteAuthentication
	Qualifiers   []Qualifier `yaml:"qualifiers"`
	Supply       []string    `yaml:"supply"`  // URIs at which it is reached
	History      []Past      `yaml:"history"` // newest first
}

// Qualifier says what holds of the certificates that have all of the policies and key usages.
type Qualifier struct {
	Is       []string `yaml:"is"` // QCWithQSCD, QCForESig ...
	Policies []string `yaml:"policies"`
	Usage    []string `yaml:"usage"` // nonRepudiation ...
}

// Past is an earlier status.
type Past struct {
	Status string `yaml:"status"`
	Since  Day    `yaml:"since"`
}

// Day is a day, or a moment.
type Day struct{ time.Time }

// UnmarshalYAML reads 2026-01-31 or 2026-01-31T10:00:00Z.
func (d *Day) UnmarshalYAML(n *yaml.Node) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, n.Value); err == nil {
			d.Time = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("line %d: %q is no day such as 2026-01-31", n.Line, n.Value)
}

// Parse reads a file.
func Parse(b []byte) (*Draft, error) {
	d := &Draft{}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(d); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return d, nil
}

// List makes the list of a draft, issued at a time. read reads the files that it names.
func (d *Draft) List(sequence uint64, at time.Time, read func(file string) ([]byte, error)) (*trustlist.List, error) {
	m := &maker{lang: or(d.Language, "en"), read: read}
	l := &trustlist.List{
		Version: d.Version, Sequence: sequence, Type: d.Type, Operator: m.text(d.Operator), Address: m.address(d.Address),
		Name: m.text(or(d.Name, d.Territory+": trusted list")), Information: m.texts(d.Information), StatusDetermination: d.Determines,
		Rules: m.texts(d.Rules), Territory: d.Territory, Legal: m.text(or(d.Notice, "No notice.")), HistoryDays: 65535, // for ever [TS 119 612 5.3.12]
		Issued: at, Next: at.AddDate(0, 0, d.Days), DistributionPoints: d.Published,
	}
	if l.Version == 0 {
		l.Version = 6
	}
	if d.Days == 0 {
		l.Next = at.AddDate(0, 0, 180)
	}
	if len(d.Information) == 0 {
		l.Information = m.text(d.Address.Web)
	}
	if len(d.Rules) == 0 {
		l.Rules = m.text("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/" + d.Territory)
	}
	var err error
	if l.Type, err = kind(d.Kind, d.Type); err != nil {
		return nil, err
	}
	if l.StatusDetermination == "" {
		l.StatusDetermination = "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/EUappropriate"
		if l.ListOfLists() {
			l.StatusDetermination = "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/EUlistofthelists"
		}
	}
	for _, p := range d.Pointers {
		x := trustlist.Pointer{Location: p.To, Territory: p.Territory, MimeType: trustlist.MimeType, Operator: m.text(or(p.Operator, d.Operator)), Rules: l.Rules}
		if x.Type, err = kind(p.Kind, p.Type); err != nil {
			return nil, fmt.Errorf("pointer to %s: %w", p.To, err)
		}
		for _, c := range m.certificates(p.Signers, "pointer to "+p.To) {
			x.Signers = append(x.Signers, trustlist.Identity{Certificates: []*pki.Certificate{c}})
		}
		l.Pointers = append(l.Pointers, x)
	}
	for _, p := range d.Providers {
		x := &trustlist.Provider{
			Names: m.text(p.Name), TradeNames: m.text(or(p.TradeName, p.Name)), Address: m.address(p.Address), Information: m.text(or(p.Address.Web, d.Address.Web)), List: l,
		}
		for i := range p.Services {
			x.Services = append(x.Services, m.service(&p.Services[i], x))
		}
		l.Providers = append(l.Providers, x)
	}
	return l, errors.Join(append(m.errs, l.Validate())...)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func kind(k, uri string) (string, error) {
	switch {
	case uri != "":
		return uri, nil
	case k == "lotl":
		return trustlist.TypeListOfLists, nil
	case k == "" || k == "list":
		return trustlist.TypeGeneric, nil
	}
	return "", fmt.Errorf("%w: kind is \"list\" or \"lotl\", not %q", ErrFormat, k)
}

// maker makes parts, and collects what is wrong.
type maker struct {
	lang string
	read func(string) ([]byte, error)
	errs []error
}

func (m *maker) text(s string) trustlist.Texts {
	if s == "" {
		return nil
	}
	return m.texts([]string{s})
}

func (m *maker) texts(all []string) (out trustlist.Texts) {
	for _, s := range all {
		out = append(out, trustlist.Text{Language: m.lang, Value: s})
	}
	return out
}

func (m *maker) address(a Address) (out trustlist.Address) {
	out.Postal = []trustlist.PostalAddress{{Language: m.lang, Street: a.Street, Locality: a.Locality, PostalCode: a.PostalCode, Country: a.Country}}
	if a.Email != "" {
		out.Electronic = m.text("mailto:" + strings.TrimPrefix(a.Email, "mailto:"))
	}
	out.Electronic = append(out.Electronic, m.text(a.Web)...)
	return out
}

func (m *maker) certificates(files []string, where string) (out []*pki.Certificate) {
	for _, f := range files {
		b, err := m.read(f)
		var certs []*pki.Certificate
		if err == nil {
			certs, err = pki.LoadCertificates(b, "")
		}
		if err != nil {
			m.errs = append(m.errs, fmt.Errorf("%s: %s: %w", where, f, err))
			continue
		}
		out = append(out, certs[0]) // the others of a file are its chain
	}
	return out
}

func under(root, s string) string {
	if strings.Contains(s, "://") {
		return s
	}
	return root + s
}

func (m *maker) service(s *Service, p *trustlist.Provider) *trustlist.Service {
	out := &trustlist.Service{Provider: p}
	now := trustlist.Period{
		Type: under(trustlist.ServiceRoot, s.Type), Names: m.text(s.Name), Status: under(trustlist.StatusRoot, or(s.Status, "granted")), From: s.Since.Time,
		Identity: trustlist.Identity{Certificates: m.certificates(s.Certificates, "service "+s.Name)},
	}
	for _, f := range s.For {
		now.Additional = append(now.Additional, under(trustlist.ExtensionRoot, f))
	}
	for _, q := range s.Qualifiers {
		x := trustlist.Qualification{Criteria: trustlist.Criteria{Assert: "all"}}
		for _, name := range q.Is {
			x.Qualifiers = append(x.Qualifiers, under(trustlist.ExtensionRoot, name))
		}
		if len(q.Policies) > 0 {
			var set []pki.OID
			for _, o := range q.Policies {
				id, ok := pki.ParseOID(o)
				if !ok {
					m.errs = append(m.errs, fmt.Errorf("%w: service %s: %q is no object identifier", ErrFormat, s.Name, o))
				}
				set = append(set, id)
			}
			x.Criteria.Policies = [][]pki.OID{set}
		}
		if len(q.Usage) > 0 {
			var k trustlist.KeyUsage
			for _, u := range q.Usage {
				bit, ok := trustlist.UsageBit(u)
				if !ok {
					m.errs = append(m.errs, fmt.Errorf("%w: service %s: there is no key usage %q", ErrFormat, s.Name, u))
				}
				k.Mask, k.Value = k.Mask|bit, k.Value|bit
			}
			x.Criteria.KeyUsage = []trustlist.KeyUsage{k}
		}
		if len(q.Policies)+len(q.Usage) == 0 {
			m.errs = append(m.errs, fmt.Errorf("%w: service %s: qualifiers need policies or usage that say of which certificates they hold", ErrFormat, s.Name))
		}
		now.Qualifications = append(now.Qualifications, x)
	}
	for _, u := range s.Supply {
		out.Supply = append(out.Supply, trustlist.SupplyPoint{URI: u})
	}
	out.Periods = []trustlist.Period{now}
	for _, h := range s.History {
		past := now
		past.Status, past.From, past.Until = under(trustlist.StatusRoot, h.Status), h.Since.Time, out.Periods[len(out.Periods)-1].From
		out.Periods = append(out.Periods, past)
	}
	return out
}

// Add puts a service into the text of a draft, below the provider of the name, which is made where there is none. Comments
// stay.
func Add(b []byte, provider Provider, s Service) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	providers := sequence(doc.Content[0], "providers")
	var at *yaml.Node
	for _, p := range providers.Content {
		if n := value(p, "name"); n != nil && n.Value == provider.Name {
			at = p
		}
	}
	if at == nil {
		at = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		set(at, "name", provider.Name)
		set(at, "tradeName", provider.TradeName)
		a := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, x := range [][2]string{
			{"street", provider.Address.Street}, {"locality", provider.Address.Locality}, {"postalCode", provider.Address.PostalCode},
			{"country", provider.Address.Country}, {"email", provider.Address.Email}, {"web", provider.Address.Web},
		} {
			set(a, x[0], x[1])
		}
		at.Content = append(at.Content, scalar("address"), a)
		providers.Content = append(providers.Content, at)
	}
	x := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	set(x, "name", s.Name)
	set(x, "type", s.Type)
	for _, c := range s.Certificates {
		list := sequence(x, "certificates")
		list.Content = append(list.Content, scalar(c))
	}
	set(x, "status", s.Status)
	set(x, "since", s.Since.Format(time.DateOnly))
	for _, f := range s.For {
		list := sequence(x, "for")
		list.Content = append(list.Content, scalar(f))
	}
	services := sequence(at, "services")
	services.Content = append(services.Content, x)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func set(m *yaml.Node, key, s string) {
	if s != "" {
		m.Content = append(m.Content, scalar(key), scalar(s))
	}
}

func value(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// sequence finds or makes a list in a mapping.
func sequence(m *yaml.Node, key string) *yaml.Node {
	n := value(m, key)
	if n == nil {
		n = &yaml.Node{}
		m.Content = append(m.Content, scalar(key), n)
	}
	if n.Kind != yaml.SequenceNode {
		*n = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	}
	n.Style = 0
	return n
}

// Template is a draft to begin with.
func Template(territory, kind string) string {
	services := `# The services of the network. "viadukt trustlist add" writes them, too.
providers: []
# - name: Trust Services of the Pilot
#   tradeName: VATEE-12345678            # its number in a register
#   address: {street: Main Street 1, locality: Tallinn, postalCode: "10111", country: EE, email: pki@pilot.example, web: https://pilot.example/}
#   services:
#     - name: Pilot CA
#       type: CA/QC                       # CA/PKC, TSA/QTST, Certstatus/OCSP ... or a URI of your own
#       certificates: [pilot-ca.pem]
#       for: [ForeSignatures]
#       status: granted                   # or withdrawn; then move the old status and its day to history
#       since: 2026-01-01
#       history: []                       # - {status: granted, since: 2025-01-01}
`
	if kind == "lotl" {
		services = `# The lists of the network, and who may sign each. The list of lists itself belongs here, too: with the certificates that sign the next one.
pointers: []
# - {to: https://lists.pilot.example/lotl.xml, territory: EU, kind: lotl, signers: [lotl-signer.pem]}
# - {to: https://lists.pilot.example/ee.xml, territory: EE, signers: [ee-signer.pem]}
`
	}
	return fmt.Sprintf(`# A trusted list, to be signed with: viadukt trustlist sign THIS-FILE --key KEY --out list.xml
territory: %s
kind: %s                                 # list, or lotl: a list of lists
name: "%s: trusted list of the pilot"
operator: Operator of the pilot
address: {street: Main Street 1, locality: Town, postalCode: "1000", country: %s, email: operator@pilot.example, web: https://pilot.example/}
information: [https://pilot.example/trusted-list]
rules: [https://pilot.example/rules]
notice: For the use of the pilot.
days: 180                                # until the next list is due
published: []                            # where the list can be fetched
%s`, territory, kind, territory, countryOf(territory), services)
}

func countryOf(territory string) string {
	if len(territory) == 2 {
		return territory
	}
	return "EU"
}
