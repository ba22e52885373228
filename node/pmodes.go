package node

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Partner is one access point with a fixed address.
type Partner struct {
	Name         string        `yaml:"name" required:"true" doc:"Short name; P-Modes use it."`
	ID           string        `yaml:"id" required:"true" doc:"Party identifier of the partner."`
	Type         string        `yaml:"type" doc:"Type of the identifier. Default: that of the profile."`
	URL          config.URL    `yaml:"url" doc:"Where the partner receives messages. Without it the partner only sends to us."`
	Certificates []config.Path `yaml:"certificates" required:"true" doc:"PEM files with the partner's signing certificates, the current one first and announced ones after it."`
	Encryption   config.Path   `yaml:"encryption" doc:"PEM file with the certificate to encrypt for, where it is another one."`
	SignToken    string        `yaml:"signToken" enum:"bst,pkipath,ski,issuer-serial,thumbprint" doc:"How our signature names its certificate to this partner."`
	EncryptToken string        `yaml:"encryptToken" enum:"bst,pkipath,ski,issuer-serial,thumbprint,x509-ski" doc:"How our encryption names the partner's certificate."`

	Next *NextCertificate `yaml:"next" doc:"The partner's next certificate, during a change: both are taken."`
}

// NextCertificate is announced by a partner.
type NextCertificate struct {
	Certificate config.Path `yaml:"certificate" required:"true" doc:"PEM file. Messages that it signs are taken from now on."`
	Encryption  config.Path `yaml:"encryption" doc:"PEM file with the next certificate to encrypt for, where it is another one."`
	From        config.Time `yaml:"from" required:"true" doc:"When we begin to encrypt for it."`
	Until       config.Time `yaml:"until" doc:"When the former certificate is not taken any more. Default: it is taken until it ends."`
}

// Check implements config.Checker.
func (c *NextCertificate) Check(report func(key, format string, args ...any)) {
	if !c.Until.IsZero() && c.Until.T().Before(c.From.T()) {
		report("until", "%s is before from, %s: the partner would have no certificate in between", c.Until, c.From)
	}
}

// PModeSettings is one P-Mode in the configuration.
type PModeSettings struct {
	ID              string          `yaml:"id" required:"true" doc:"Name of the agreement."`
	Profile         string          `yaml:"profile" doc:"Message profile. Default: as4.profile."`
	Partner         string          `yaml:"partner" doc:"Name of the partner. Without one, and without partners: whoever discovery finds, and whoever is trusted."`
	Partners        []string        `yaml:"partners" doc:"Names of several partners with one agreement: it becomes a P-Mode for each, whose name is id/partner."`
	Direction       string          `yaml:"direction" default:"both" enum:"send,receive,both" doc:"Who sends: we, the partner, or both."`
	Agreement       string          `yaml:"agreement" doc:"Value of eb:AgreementRef."`
	AgreementType   string          `yaml:"agreementType" doc:"Its type."`
	Service         string          `yaml:"service" doc:"eb:Service. Empty: every service."`
	ServiceType     string          `yaml:"serviceType" doc:"Its type."`
	Action          string          `yaml:"action" doc:"eb:Action. Empty: every action."`
	MPC             string          `yaml:"mpc" doc:"Message partition channel."`
	OurID           string          `yaml:"ourId" doc:"Party identifier of this node towards this partner. Default: as4.party."`
	OurIDType       string          `yaml:"ourIdType" doc:"Type of ourId."`
	OurRole         string          `yaml:"ourRole" doc:"eb:Role of this node. Default: initiator when sending, responder when receiving."`
	PartnerRole     string          `yaml:"partnerRole" doc:"eb:Role of the partner."`
	SenderRole      string          `yaml:"senderRole" doc:"eb:Role of whoever sends, instead of ourRole and partnerRole where both sides do."`
	ReceiverRole    string          `yaml:"receiverRole" doc:"eb:Role of whoever receives."`
	SignToken       string          `yaml:"signToken" enum:"bst,pkipath,ski,issuer-serial,thumbprint" doc:"How our signature names its certificate. Default: as for the partner."`
	EncryptToken    string          `yaml:"encryptToken" enum:"bst,pkipath,ski,issuer-serial,thumbprint,x509-ski" doc:"How our encryption names the partner's certificate. Default: as for the partner."`
	Unencrypted     bool            `yaml:"unencrypted" doc:"Payloads are signed and not encrypted. Only the profile bilateral allows it."`
	Policies        []string        `yaml:"policies" doc:"Certificate policies, as dotted numbers: the certificate of the partner must have one of them. Default: any will do."`
	ContentID       string          `yaml:"contentId" doc:"Content id of the first payload, where the partner asks for one."`
	MaxSize         config.Size     `yaml:"maxSize" doc:"Octets of one payload after decompression."`
	NoCompression   bool            `yaml:"noCompression" doc:"Send payloads as they are."`
	TwoCorner       bool            `yaml:"twoCorner" doc:"Do without originalSender and finalRecipient."`
	PlainReceipt    bool            `yaml:"receiptWithoutProof" doc:"Receipts repeat the message header instead of the digests."`
	MaxAttempts     int             `yaml:"maxAttempts" doc:"Attempts for one message. Default: outbound.maxAttempts."`
	FirstRetry      config.Duration `yaml:"firstRetry" doc:"Pause before the second attempt. Default: outbound.firstRetry."`
	RetryFactor     float64         `yaml:"retryFactor" min:"0" max:"100" doc:"Every further pause is longer by this factor. Default: outbound.factor."`
	MaxPause        config.Duration `yaml:"maxPause" doc:"No pause is longer. Default: outbound.maxPause."`
	RetryWindow     config.Duration `yaml:"retryWindow" doc:"Counts the pauses from the acceptance of the message and not from the attempt before, and ends the retries when this time is over, as Domibus does. maxPause means nothing then."`
	DuplicateIs0004 bool            `yaml:"duplicateIs0004" doc:"The partner answers a duplicate with EBMS:0004: in answer to a retry it then means that the message arrived."`
	Tolerate        []string        `yaml:"tolerate" doc:"Deviations of the partner that are accepted besides the usual ones, by name: see docs/edelivery.md."`
	Strict          []string        `yaml:"strict" doc:"Deviations that are refused although usually accepted."`
	Pull            *PullSettings   `yaml:"pull" doc:"The receiver fetches the messages from mpc instead of having them sent."`
	Splitting       *SplitSettings  `yaml:"splitting" doc:"Large messages travel in pieces. Payloads are not compressed one by one then."`
	MultiHop        bool            `yaml:"multiHop" doc:"The partner is reached through intermediaries."`
	AsyncReceipts   bool            `yaml:"asyncReceipts" doc:"The partner may answer with nothing and send the receipt in a request of its own."`
	Response        bool            `yaml:"response" doc:"The messages are answers: each names its request."`
	ReplyWith       string          `yaml:"replyWith" doc:"P-Mode by which received messages are answered. Default: this one."`
	Domain          string          `yaml:"domain" doc:"Domain that handles the messages. Default: none, they wait in the inbox."`
}

// Check implements config.Checker.
func (p *PModeSettings) Check(report func(key, format string, args ...any)) {
	if p.Partner != "" && len(p.Partners) > 0 {
		report("partners", "stands beside partner: name all in partners, or one in partner")
	}
	if p.RetryWindow > 0 && p.FirstRetry == 0 {
		report("retryWindow", "needs firstRetry: its pauses are multiples of it")
	}
	for _, o := range p.Policies {
		if _, ok := pki.ParseOID(o); !ok {
			report("policies", "%.100q is no object identifier", o)
		}
	}
	if p.OurIDType != "" && p.OurID == "" {
		report("ourIdType", "is the type of ourId, which is missing")
	}
}

// PullSettings say how messages are fetched.
type PullSettings struct {
	Interval   config.Duration `yaml:"interval" default:"1m" min:"1s" doc:"Pause between two looks into a channel that was empty. For the receiving side."`
	Parallel   int             `yaml:"parallel" default:"4" min:"1" max:"64" doc:"Messages fetched at once from a channel that is not empty. For the receiving side."`
	SubChannel string          `yaml:"subChannel" doc:"Part of the channel that is this receiver's."`
}

// SplitSettings say how large messages are split.
type SplitSettings struct {
	FragmentSize config.Size     `yaml:"fragmentSize" default:"20MiB" min:"64KiB" doc:"Octets of one piece, and the most that is accepted of the partner."`
	Threshold    config.Size     `yaml:"threshold" default:"100MiB" doc:"Octets of all payloads from which a message is split. A Domibus splits every message."`
	Compression  bool            `yaml:"compression" doc:"Compress the whole before it is split."`
	JoinInterval config.Duration `yaml:"joinInterval" default:"1d" min:"1s" doc:"How long after its first piece a message may become whole. As long we wait for the receipt of the whole."`
	Dialect      string          `yaml:"dialect" default:"standard" enum:"standard,domibus" doc:"Whose reading of the standard the partner follows."`
}

// pmodeSet is what is agreed: for receiving, matched by content, and for sending, found by name.
type pmodeSet struct {
	in, out *as4.Table
	domain  map[string]string // by P-Mode id
	reply   map[string]string // P-Mode for answers, by P-Mode id of the request
	fetch   []fetching        // channels that we fetch from
	offered map[string]bool   // channels that partners fetch from

	partners, pmodes []config.Section    // what it was made from
	addresses        map[string]bool     // host:port of the partners
	partner          map[string]string   // its name, by P-Mode id
	agreed           map[string][]string // P-Mode ids by the name of the partner
	added            []addedPMode        // by domains, beside the configuration
	next             time.Time           // when a certificate of a partner takes over or ends; zero: never
}

// addedPMode is an agreement that a domain made with everybody.
type addedPMode struct {
	domain        string
	send, receive *as4.PMode
}

// ByID finds a P-Mode for sending.
func (s *pmodeSet) ByID(id string) *as4.PMode { return s.out.ByID(id) }

// loadPModes reads partners and P-Modes. Every problem is reported.
func (n *Node) loadPModes(c *config.Config) (*pmodeSet, error) {
	l := pmodeLoader{n: n, set: &pmodeSet{domain: map[string]string{}, reply: map[string]string{}, offered: map[string]bool{}, partners: c.Partners, pmodes: c.PModes, addresses: map[string]bool{}, partner: map[string]string{}, agreed: map[string][]string{}}}
	partners := l.partners(c.Partners)
	ids := map[string]int{}
	for _, s := range c.PModes {
		var p PModeSettings
		if err := config.Decode(s, &p); err != nil {
			l.problems = append(l.problems, asProblems(s, err)...)
			continue
		}
		if line, twice := ids[p.ID]; twice {
			l.problems = append(l.problems, s.Problem("id", "the P-Mode %q stands in line %d already", p.ID, line))
			continue
		}
		ids[p.ID] = s.Line()
		names := p.Partners
		if len(names) == 0 {
			names = []string{p.Partner}
		}
		for _, name := range names {
			one, partner := p, partners[name]
			if len(p.Partners) > 0 {
				one.ID += "/" + name
			}
			if name == "" {
				partner = &anybody
			}
			if partner == nil {
				l.problems = append(l.problems, s.Problem("partner", "no partner is named %q", name))
				continue
			}
			l.set.partner[one.ID], l.set.agreed[name] = name, append(l.set.agreed[name], one.ID)
			l.mode(s, &one, partner)
		}
	}
	return l.finish()
}

// anybody is the partner of P-Modes without one.
var anybody partner

// pmodeLoader collects what one configuration says.
type pmodeLoader struct {
	n        *Node
	set      *pmodeSet
	in, out  []*as4.PMode
	problems config.Problems
}

func (l *pmodeLoader) partners(sections []config.Section) map[string]*partner {
	partners, lines := map[string]*partner{}, map[string]int{}
	for _, s := range sections {
		var p Partner
		if err := config.Decode(s, &p); err != nil {
			l.problems = append(l.problems, asProblems(s, err)...)
			continue
		}
		if line, twice := lines[p.Name]; twice {
			l.problems = append(l.problems, s.Problem("name", "the partner %q stands in line %d already", p.Name, line))
			continue
		}
		lines[p.Name] = s.Line()
		loaded, err := loadPartner(&p)
		if err == nil {
			err = loaded.follow(&p, l.n.Clock(), &l.set.next)
		}
		if err != nil {
			l.problems = append(l.problems, s.Problem("", "%v", err))
			loaded = &partner{Partner: p} // so that its P-Modes are not complained of as well
		}
		partners[p.Name] = loaded
		l.set.addresses[hostPort(string(p.URL))] = true
	}
	return partners
}

// mode makes a P-Mode for each direction in which there is one.
func (l *pmodeLoader) mode(s config.Section, p *PModeSettings, partner *partner) {
	found := partner == &anybody && l.n.directory != nil // an address is found when it is needed
	for _, dir := range []string{"send", "receive"} {
		if p.Direction != "both" && p.Direction != dir {
			continue
		}
		if opens := (dir == "send") == (p.Pull == nil); opens && partner.URL == "" && !found {
			if p.Direction == dir {
				switch {
				case partner == &anybody:
					l.problems = append(l.problems, s.Problem("direction", "without a partner messages are sent to whom discovery finds: set discovery.zone"))
				case dir == "send":
					l.problems = append(l.problems, s.Problem("partner", "partner %q has no url to send to", partner.Name))
				default:
					l.problems = append(l.problems, s.Problem("partner", "partner %q has no url to fetch messages from", partner.Name))
				}
			}
			continue
		}
		pm := l.n.pmode(p, partner, dir == "send")
		pm.Quirks = ebms.DefaultQuirks()
		for key, names := range map[string][]string{"tolerate": p.Tolerate, "strict": p.Strict} {
			for _, name := range names {
				if !pm.Quirks.Set(name, key == "tolerate") {
					l.problems = append(l.problems, s.Problem(key, "no deviation is named %q; there are %s", name, strings.Join(ebms.QuirkNames(), ", ")))
				}
			}
		}
		if err := pm.Complete(); err != nil {
			l.problems = append(l.problems, s.Problem("", "%v", err))
			continue
		}
		l.set.domain[pm.ID], l.set.reply[pm.ID] = p.Domain, p.ReplyWith
		if dir == "send" {
			l.out = append(l.out, pm)
		} else {
			l.in = append(l.in, pm)
			l.set.fetches(pm, p.Pull)
		}
	}
}

func (l *pmodeLoader) finish() (*pmodeSet, error) {
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	l.n.bound(l.in)
	var err error
	if l.set.in, err = as4.NewTable(l.in...); err != nil {
		return nil, err
	}
	if l.set.out, err = as4.NewTable(l.out...); err != nil {
		return nil, err
	}
	for _, pm := range l.out {
		if pm.Pull {
			l.set.offered[pm.Channel()] = true
		}
	}
	return l.set, nil
}

// bound keeps what is received below the limit of the node, whatever profile and P-Mode allow.
func (n *Node) bound(modes []*as4.PMode) {
	for _, m := range modes {
		if limit := int64(n.Config.AS4.Limits.Payload); m.MaxSize == 0 || m.MaxSize > limit {
			m.MaxSize = limit
		}
	}
}

func asProblems(s config.Section, err error) config.Problems {
	if ps, ok := err.(config.Problems); ok {
		return ps
	}
	return config.Problems{s.Problem("", "%v", err)}
}

// partner is a Partner with its certificates.
type partner struct {
	Partner
	template as4.PMode // certificates and tokens
}

func loadPartner(p *Partner) (*partner, error) {
	out := &partner{Partner: *p}
	for _, f := range p.Certificates {
		b, err := readFile(f)
		if err != nil {
			return nil, err
		}
		certs, err := parseCertificates(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		out.template.Certificates = append(out.template.Certificates, certs[0])
	}
	if p.Encryption != "" {
		b, err := readFile(p.Encryption)
		if err != nil {
			return nil, err
		}
		certs, err := parseCertificates(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Encryption, err)
		}
		out.template.EncryptionCertificate = certs[0]
	}
	out.template.SignToken, out.template.EncryptToken = wss.TokenForm(p.SignToken), wss.TokenForm(p.EncryptToken)
	return out, nil
}

// follow brings a partner's next certificate in, as it holds at a time; next is brought forward to when that changes.
func (p *partner) follow(set *Partner, now time.Time, next *time.Time) error {
	if set.Next == nil {
		return nil
	}
	one := *set
	one.Certificates, one.Encryption, one.Next = []config.Path{set.Next.Certificate}, set.Next.Encryption, nil
	coming, err := loadPartner(&one)
	if err != nil {
		return err
	}
	for _, at := range []time.Time{set.Next.From.T(), set.Next.Until.T()} {
		if !at.IsZero() && now.Before(at) && (next.IsZero() || at.Before(*next)) {
			*next = at
		}
	}
	t := &p.template
	if now.Before(set.Next.From.T()) {
		t.Certificates = append(t.Certificates, coming.template.Certificates...)
		return nil
	}
	t.EncryptionCertificate = coming.template.EncryptionCertificate
	if until := set.Next.Until.T(); !until.IsZero() && !now.Before(until) {
		t.Certificates = nil
	}
	t.Certificates = append(slices.Clone(coming.template.Certificates), t.Certificates...)
	return nil
}

// pmode is one direction of a configured P-Mode.
func (n *Node) pmode(p *PModeSettings, partner *partner, send bool) *as4.PMode {
	pm := partner.template
	pm.ID, pm.ProfileName = p.ID, p.Profile
	if pm.ProfileName == "" {
		pm.ProfileName = n.Config.AS4.Profile
	}
	pm.Agreement, pm.AgreementType, pm.Service, pm.ServiceType, pm.Action, pm.MPC = p.Agreement, p.AgreementType, p.Service, p.ServiceType, p.Action, p.MPC
	pm.ContentID, pm.MaxSize, pm.NoCompression, pm.TwoCorner, pm.NoReceiptProof = p.ContentID, int64(p.MaxSize), p.NoCompression, p.TwoCorner, p.PlainReceipt
	pm.DuplicateIs0004 = p.DuplicateIs0004
	pm.Retry = as4.Retry{Max: p.MaxAttempts, First: p.FirstRetry.D(), Factor: p.RetryFactor, Limit: p.MaxPause.D(), Window: p.RetryWindow.D()}
	pm.Unencrypted = p.Unencrypted
	for _, o := range p.Policies {
		pm.Policies = append(pm.Policies, pki.OID(o))
	}
	pm.SignToken, pm.EncryptToken = cmp.Or(wss.TokenForm(p.SignToken), pm.SignToken), cmp.Or(wss.TokenForm(p.EncryptToken), pm.EncryptToken)
	pm.MultiHop, pm.AsyncReceipts, pm.Response, pm.URL = p.MultiHop, p.AsyncReceipts, p.Response, string(partner.URL)
	if c := p.Splitting; c != nil {
		pm.Splitting = &as4.Splitting{FragmentSize: int64(c.FragmentSize), Threshold: max(1, int64(c.Threshold)), Compress: c.Compression, JoinInterval: c.JoinInterval.D(), Dialect: as4.Dialect(c.Dialect)}
	}
	if p.Pull != nil {
		pm.Pull, pm.SubChannel = true, p.Pull.SubChannel
	}
	us, them := as4.PartyRef{ID: n.partyID().Value, Type: n.partyID().Type, Role: p.OurRole}, as4.PartyRef{ID: partner.ID, Type: partner.Type, Role: p.PartnerRole}
	if p.OurID != "" {
		us.ID, us.Type = p.OurID, p.OurIDType
	}
	if send {
		pm.Initiator, pm.Responder = us, them
	} else {
		pm.Initiator, pm.Responder = them, us
	}
	pm.Initiator.Role, pm.Responder.Role = cmp.Or(pm.Initiator.Role, p.SenderRole), cmp.Or(pm.Responder.Role, p.ReceiverRole)
	return &pm
}

// partyID names this node: by configuration, else by the common name of its certificate, as networks with their own
// authority do.
func (n *Node) partyID() ebms.PartyID {
	id := ebms.PartyID{Value: n.Config.AS4.Party.ID, Type: n.Config.AS4.Party.Type}
	if id.Value == "" {
		id.Value = n.key().sign[0].Certificate.Subject.CommonName()
	}
	if id.Type == "" {
		if p := as4.Profiles[n.Config.AS4.Profile]; p != nil {
			id.Type = p.PartyType
		}
	}
	return id
}

// AddPMode lets a domain agree with everybody who is found by discovery: one P-Mode for sending and one for receiving.
func (n *Node) AddPMode(domain string, send, receive *as4.PMode) error {
	us := n.partyID()
	send.Initiator.ID, receive.Responder.ID = us.Value, us.Value
	if us.Type != "" {
		send.Initiator.Type, receive.Responder.Type = us.Type, us.Type
	}
	for _, m := range []*as4.PMode{send, receive} {
		if err := m.Complete(); err != nil {
			return err
		}
	}
	n.bound([]*as4.PMode{receive})
	n.agreeing.Lock()
	defer n.agreeing.Unlock()
	set, err := n.pmodes.Load().with(addedPMode{domain, send, receive})
	if err == nil {
		n.pmodes.Store(set)
	}
	return err
}

// with is the set with further agreements of domains.
func (s *pmodeSet) with(added ...addedPMode) (*pmodeSet, error) {
	set := *s
	set.domain, set.added = maps.Clone(s.domain), append(slices.Clone(s.added), added...)
	var in, out []*as4.PMode
	for _, a := range added {
		set.domain[a.send.ID], set.domain[a.receive.ID] = a.domain, a.domain
		in, out = append(in, a.receive), append(out, a.send)
	}
	var err error
	if set.out, err = s.out.With(out...); err != nil {
		return nil, err
	}
	set.in, err = s.in.With(in...)
	return &set, err
}

// isPartner reports whether the operator wrote down an address, as host:port.
func (n *Node) isPartner(addr string) bool { return n.pmodes.Load().addresses[addr] }

// PMode finds a P-Mode for sending by its name.
func (n *Node) PMode(id string) *as4.PMode { return n.pmodes.Load().ByID(id) }
