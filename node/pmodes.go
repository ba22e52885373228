package node

import (
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node/config"
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
}

// PModeSettings is one P-Mode in the configuration.
type PModeSettings struct {
	ID              string          `yaml:"id" required:"true" doc:"Name of the agreement."`
	Profile         string          `yaml:"profile" doc:"Message profile. Default: as4.profile."`
	Partner         string          `yaml:"partner" required:"true" doc:"Name of the partner."`
	Direction       string          `yaml:"direction" default:"both" enum:"send,receive,both" doc:"Who sends: we, the partner, or both."`
	Agreement       string          `yaml:"agreement" doc:"Value of eb:AgreementRef."`
	AgreementType   string          `yaml:"agreementType" doc:"Its type."`
	Service         string          `yaml:"service" doc:"eb:Service. Empty: every service."`
	ServiceType     string          `yaml:"serviceType" doc:"Its type."`
	Action          string          `yaml:"action" doc:"eb:Action. Empty: every action."`
	MPC             string          `yaml:"mpc" doc:"Message partition channel."`
	OurRole         string          `yaml:"ourRole" doc:"eb:Role of this node. Default: initiator when sending, responder when receiving."`
	PartnerRole     string          `yaml:"partnerRole" doc:"eb:Role of the partner."`
	ContentID       string          `yaml:"contentId" doc:"Content id of the first payload, where the partner asks for one."`
	MaxSize         config.Size     `yaml:"maxSize" doc:"Octets of one payload after decompression."`
	NoCompression   bool            `yaml:"noCompression" doc:"Send payloads as they are."`
	TwoCorner       bool            `yaml:"twoCorner" doc:"Do without originalSender and finalRecipient."`
	PlainReceipt    bool            `yaml:"receiptWithoutProof" doc:"Receipts repeat the message header instead of the digests."`
	MaxAttempts     int             `yaml:"maxAttempts" doc:"Attempts for one message. Default: outbound.maxAttempts."`
	FirstRetry      config.Duration `yaml:"firstRetry" doc:"Pause before the second attempt. Default: outbound.firstRetry."`
	DuplicateIs0004 bool            `yaml:"duplicateIs0004" doc:"The partner answers a duplicate with EBMS:0004: in answer to a retry it then means that the message arrived."`
	Tolerate        []string        `yaml:"tolerate" doc:"Deviations of the partner that are accepted besides the usual ones, by name: see docs/edelivery.md."`
	Strict          []string        `yaml:"strict" doc:"Deviations that are refused although usually accepted."`
	Pull            *PullSettings   `yaml:"pull" doc:"The receiver fetches the messages from mpc instead of having them sent."`
	AsyncReceipts   bool            `yaml:"asyncReceipts" doc:"The partner may answer with nothing and send the receipt in a request of its own."`
	Response        bool            `yaml:"response" doc:"The messages are answers: each names its request."`
	ReplyWith       string          `yaml:"replyWith" doc:"P-Mode by which received messages are answered. Default: this one."`
	Domain          string          `yaml:"domain" doc:"Domain that handles the messages. Default: none, they wait in the inbox."`
}

// PullSettings say how messages are fetched.
type PullSettings struct {
	Interval   config.Duration `yaml:"interval" default:"1m" min:"1s" doc:"Pause between two looks into a channel that was empty. For the receiving side."`
	Parallel   int             `yaml:"parallel" default:"4" min:"1" max:"64" doc:"Messages fetched at once from a channel that is not empty. For the receiving side."`
	SubChannel string          `yaml:"subChannel" doc:"Part of the channel that is this receiver's."`
}

// pmodeSet is what is agreed: for receiving, matched by content, and for sending, found by name.
type pmodeSet struct {
	in, out *as4.Table
	domain  map[string]string // by P-Mode id
	reply   map[string]string // P-Mode for answers, by P-Mode id of the request
	fetch   []fetching        // channels that we fetch from
	offered map[string]bool   // channels that partners fetch from
}

// ByID finds a P-Mode for sending.
func (s *pmodeSet) ByID(id string) *as4.PMode { return s.out.ByID(id) }

// loadPModes reads partners and P-Modes. Every problem is reported.
func (n *Node) loadPModes() (*pmodeSet, error) {
	partners, problems := map[string]*partner{}, config.Problems{}
	for _, s := range n.Config.Partners {
		var p Partner
		if err := config.Decode(s, &p); err != nil {
			problems = append(problems, asProblems(s, err)...)
			continue
		}
		loaded, err := loadPartner(&p)
		if err != nil {
			problems = append(problems, s.Problem("", "%v", err))
			continue
		}
		partners[p.Name] = loaded
	}
	var in, out []*as4.PMode
	set := &pmodeSet{domain: map[string]string{}, reply: map[string]string{}, offered: map[string]bool{}}
	for _, s := range n.Config.PModes {
		var p PModeSettings
		if err := config.Decode(s, &p); err != nil {
			problems = append(problems, asProblems(s, err)...)
			continue
		}
		partner := partners[p.Partner]
		if partner == nil {
			problems = append(problems, s.Problem("partner", "no partner is named %q", p.Partner))
			continue
		}
		for _, dir := range []string{"send", "receive"} {
			if p.Direction != "both" && p.Direction != dir {
				continue
			}
			if dir == "receive" && p.Pull != nil && partner.URL == "" {
				if p.Direction == "receive" {
					problems = append(problems, s.Problem("partner", "partner %q has no url to fetch messages from", p.Partner))
				}
				continue
			}
			if dir == "send" && p.Pull == nil && partner.URL == "" {
				if p.Direction == "send" {
					problems = append(problems, s.Problem("partner", "partner %q has no url to send to", p.Partner))
				}
				continue
			}
			pm := n.pmode(&p, partner, dir == "send")
			pm.Quirks = ebms.DefaultQuirks()
			for key, names := range map[string][]string{"tolerate": p.Tolerate, "strict": p.Strict} {
				for _, name := range names {
					if !pm.Quirks.Set(name, key == "tolerate") {
						problems = append(problems, s.Problem(key, "no deviation is named %q; there are %s", name, strings.Join(ebms.QuirkNames(), ", ")))
					}
				}
			}
			if err := pm.Complete(); err != nil {
				problems = append(problems, s.Problem("", "%v", err))
				continue
			}
			set.domain[pm.ID], set.reply[pm.ID] = p.Domain, p.ReplyWith
			if dir == "send" {
				out = append(out, pm)
			} else {
				in = append(in, pm)
				set.fetches(pm, p.Pull)
			}
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	n.bound(in)
	var err error
	if set.in, err = as4.NewTable(in...); err != nil {
		return nil, err
	}
	if set.out, err = as4.NewTable(out...); err != nil {
		return nil, err
	}
	for _, pm := range out {
		if pm.Pull {
			set.offered[pm.Channel()] = true
		}
	}
	return set, nil
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
	pm.Retry = as4.Retry{Max: p.MaxAttempts, First: p.FirstRetry.D()}
	pm.AsyncReceipts, pm.Response, pm.URL = p.AsyncReceipts, p.Response, string(partner.URL)
	if p.Pull != nil {
		pm.Pull, pm.SubChannel = true, p.Pull.SubChannel
	}
	us, them := as4.PartyRef{ID: n.partyID().Value, Type: n.partyID().Type, Role: p.OurRole}, as4.PartyRef{ID: partner.ID, Type: partner.Type, Role: p.PartnerRole}
	if send {
		pm.Initiator, pm.Responder = us, them
	} else {
		pm.Initiator, pm.Responder = them, us
	}
	return &pm
}

// partyID names this node: by configuration, else by the common name of its certificate, as networks with their own
// authority do.
func (n *Node) partyID() ebms.PartyID {
	id := ebms.PartyID{Value: n.Config.AS4.Party.ID, Type: n.Config.AS4.Party.Type}
	if id.Value == "" {
		id.Value = n.keys.sign.Certificate.Subject.CommonName()
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
	old := n.pmodes.Load()
	us := n.partyID()
	send.Initiator.ID, receive.Responder.ID = us.Value, us.Value
	if us.Type != "" {
		send.Initiator.Type, receive.Responder.Type = us.Type, us.Type
	}
	n.bound([]*as4.PMode{receive})
	set := &pmodeSet{domain: map[string]string{send.ID: domain, receive.ID: domain}, reply: old.reply, fetch: old.fetch, offered: old.offered}
	for id, d := range old.domain {
		set.domain[id] = d
	}
	var err error
	if set.out, err = as4.NewTable(append(append([]*as4.PMode(nil), old.out.All()...), send)...); err != nil {
		return err
	}
	if set.in, err = as4.NewTable(append(append([]*as4.PMode(nil), old.in.All()...), receive)...); err != nil {
		return err
	}
	n.pmodes.Store(set)
	return nil
}

// PMode finds a P-Mode for sending by its name.
func (n *Node) PMode(id string) *as4.PMode { return n.pmodes.Load().ByID(id) }
