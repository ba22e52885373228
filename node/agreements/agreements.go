// Package agreements turns what was agreed elsewhere into partners and P-Modes of a node's configuration, and back: an
// import becomes a file that people read, compare and keep under version control, and what a node has configured
// becomes the file or the page that its partner needs.
package agreements

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

// File is a file of partners and P-Modes.
type File struct {
	Partners []node.Partner
	PModes   []node.PModeSettings

	Source string              // where it comes from, for the comment at its head
	Lost   map[string][]string // what is agreed and not kept, by P-Mode id
	Left   []*pmode.Mode       // what this program cannot serve
	Needs  []Need
}

// Need is a certificate that must be put into place.
type Need struct {
	Partner string `json:"partner"` // also the alias in the key store of the program that the file comes from
	File    string `json:"file"`
}

// Options are what a set does not tell.
type Options struct {
	Party ebms.PartyID // of this node: as4.party of its configuration
	// Certificate finds the file with the certificate of a partner, "" when there is none.
	Certificate func(partner string) string
	// Missing names the file in which a certificate that was not found is expected.
	Missing func(partner string) string
}

// FromSet makes the file of a set.
func FromSet(s *pmode.Set, opt Options) *File {
	f := &File{Lost: map[string][]string{}}
	used := map[string]bool{}
	for _, m := range s.Modes {
		if !m.Usable() {
			f.Left = append(f.Left, m)
			continue
		}
		used[strings.ToLower(m.Partner)] = true
		f.mode(s, m, opt)
	}
	own := s.Own
	for i := range s.Partners {
		if p := &s.Partners[i]; used[strings.ToLower(p.Name)] {
			f.partner(p, opt)
			used[strings.ToLower(p.Name)] = false
		}
	}
	if used[strings.ToLower(own.Name)] { // a party that exchanges with itself
		f.partner(&own, opt)
	}
	return f
}

func (f *File) partner(p *pmode.Party, opt Options) {
	out := node.Partner{Name: p.Name, URL: config.URL(p.URL)}
	if len(p.IDs) > 0 {
		out.ID, out.Type = p.IDs[0].Value, p.IDs[0].Type
	}
	file := ""
	if opt.Certificate != nil {
		file = opt.Certificate(p.Name)
	}
	if file == "" {
		file = opt.Missing(p.Name)
		f.Needs = append(f.Needs, Need{p.Name, file})
	}
	out.Certificates = []config.Path{config.Path(file)}
	f.Partners = append(f.Partners, out)
}

// mode adds a P-Mode, or the partner to one that is the same but for it.
func (f *File) mode(s *pmode.Set, m *pmode.Mode, opt Options) {
	send, receive := s.PModes(m)
	pm := cmp.Or(send, receive)
	set := node.PModeSettings{
		ID: m.ID, Profile: pm.ProfileName, Partner: m.Partner, Direction: m.Direction.String(), Agreement: pm.Agreement, AgreementType: pm.AgreementType,
		Service: pm.Service, ServiceType: pm.ServiceType, Action: pm.Action, MPC: pm.MPC, SignToken: string(pm.SignToken), EncryptToken: string(pm.EncryptToken),
		Unencrypted: pm.Unencrypted, ContentID: pm.ContentID, MaxSize: config.Size(pm.MaxSize), NoCompression: pm.NoCompression, TwoCorner: pm.TwoCorner,
		PlainReceipt: pm.NoReceiptProof, DuplicateIs0004: pm.DuplicateIs0004, AsyncReceipts: pm.AsyncReceipts, Response: pm.Response, ReplyWith: m.ReplyWith,
		MaxAttempts: pm.Retry.Max, FirstRetry: config.Duration(pm.Retry.First), RetryFactor: pm.Retry.Factor, MaxPause: config.Duration(pm.Retry.Limit), RetryWindow: config.Duration(pm.Retry.Window),
	}
	if m.SenderRole != ebms.RoleInitiator {
		set.SenderRole = m.SenderRole
	}
	if m.ReceiverRole != ebms.RoleResponder {
		set.ReceiverRole = m.ReceiverRole
	}
	if len(s.Own.IDs) > 0 && s.Own.IDs[0] != opt.Party {
		set.OurID, set.OurIDType = s.Own.IDs[0].Value, s.Own.IDs[0].Type
	}
	if pm.Pull {
		set.Pull = defaults[node.PullSettings]()
	}
	if sp := pm.Splitting; sp != nil {
		set.Splitting = defaults[node.SplitSettings]()
		set.Splitting.FragmentSize, set.Splitting.Compression = config.Size(sp.FragmentSize), sp.Compress
		set.Splitting.JoinInterval, set.Splitting.Dialect = config.Duration(sp.JoinInterval), string(sp.Dialect)
	}
	base := strings.TrimSuffix(m.ID, "/"+m.Partner)
	if base == m.ID || m.Partner == "" {
		f.add(set, m)
		return
	}
	set.ID, set.Partner, set.Partners = base, "", nil
	i := slices.IndexFunc(f.PModes, func(o node.PModeSettings) bool { return o.ID == base })
	switch {
	case i < 0:
		set.Partners = []string{m.Partner}
		f.add(set, m)
	case same(f.PModes[i], set):
		f.PModes[i].Partners = append(f.PModes[i].Partners, m.Partner)
	default: // the same leg in another direction
		set.ID, set.Partner = m.ID, m.Partner
		f.add(set, m)
	}
}

func (f *File) add(p node.PModeSettings, m *pmode.Mode) {
	f.PModes = append(f.PModes, p)
	f.Lost[p.ID] = m.Lost
}

// Keep adds what another file has and this one does not name.
func (f *File) Keep(old *File) {
	for _, p := range old.Partners {
		if !slices.ContainsFunc(f.Partners, func(o node.Partner) bool { return o.Name == p.Name }) {
			f.Partners = append(f.Partners, p)
		}
	}
	for _, m := range old.PModes {
		if !slices.ContainsFunc(f.PModes, func(o node.PModeSettings) bool { return o.ID == m.ID }) {
			f.PModes = append(f.PModes, m)
		}
	}
}

// same compares two P-Modes but for their partners.
func same(a, b node.PModeSettings) bool {
	a.Partners, b.Partners = nil, nil
	return slices.Equal(config.Settings(a, ""), config.Settings(b, ""))
}

// defaults is a section as it is when it is there without keys.
func defaults[T any]() *T {
	v := new(T)
	if err := config.Decode(config.Section{}, v); err != nil {
		panic(fmt.Sprintf("agreements: %v", err)) // the defaults are the program's own
	}
	return v
}

// Items puts partners and P-Modes into words, for [pmode.Diff]: each key as it is written. dir is where paths start.
func Items(partners []node.Partner, modes []node.PModeSettings, dir string) []pmode.Item {
	items := make([]pmode.Item, 0, len(partners)+len(modes))
	add := func(kind, name string, v any) {
		it := pmode.Item{Kind: kind, Name: name}
		for _, s := range config.Settings(v, dir) {
			if s.Key != "name" && s.Key != "id" || kind == "partner" && s.Key == "id" {
				it.Fields = append(it.Fields, pmode.Field{Name: s.Key, Value: s.Value})
			}
		}
		items = append(items, it)
	}
	for _, p := range partners {
		add("partner", p.Name, p)
	}
	for _, m := range modes {
		add("P-Mode", m.ID, m)
	}
	return items
}

// Decode reads partners and P-Modes of a configuration, or of a file that it includes. Every problem is reported.
func Decode(partners, modes []config.Section) ([]node.Partner, []node.PModeSettings, error) {
	var problems config.Problems
	ps, ms := make([]node.Partner, 0, len(partners)), make([]node.PModeSettings, 0, len(modes))
	note := func(s config.Section, err error) {
		if list, ok := err.(config.Problems); ok {
			problems = append(problems, list...)
		} else {
			problems = append(problems, s.Problem("", "%v", err))
		}
	}
	for _, s := range partners {
		var p node.Partner
		if err := config.Decode(s, &p); err != nil {
			note(s, err)
			continue
		}
		ps = append(ps, p)
	}
	for _, s := range modes {
		var m node.PModeSettings
		if err := config.Decode(s, &m); err != nil {
			note(s, err)
			continue
		}
		ms = append(ms, m)
	}
	if len(problems) > 0 {
		return nil, nil, problems
	}
	return ps, ms, nil
}

// profileOf completes a P-Mode with what its profile gives.
func profileOf(p node.PModeSettings, c *config.Config) (*as4.Profile, error) {
	name := cmp.Or(p.Profile, c.AS4.Profile)
	if pr := as4.Profiles[name]; pr != nil {
		return pr, nil
	}
	return nil, fmt.Errorf("P-Mode %q: unknown profile %q", p.ID, name)
}
