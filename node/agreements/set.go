package agreements

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
)

// ToSet is what a configuration agrees on with one partner, with the defaults of profiles and node in it; with an empty
// name it is all there is. party is the node's own identifier.
func ToSet(c *config.Config, party ebms.PartyID, partners []node.Partner, modes []node.PModeSettings, only string) (*pmode.Set, error) {
	s := &pmode.Set{Format: "viadukt", Own: pmode.Party{Name: c.Node.Name, IDs: []ebms.PartyID{party}, URL: string(c.AS4.URL)}}
	byName := map[string]node.Partner{}
	for _, p := range partners {
		byName[p.Name] = p
	}
	var errs []error
	types := map[string]string{} // of party identifiers, where only the profile tells
	for _, p := range modes {
		names := p.Partners
		if len(names) == 0 {
			names = []string{p.Partner}
		}
		for _, name := range names {
			if only != "" && !strings.EqualFold(name, only) {
				continue
			}
			partner, there := byName[name]
			if !there && name != "" {
				errs = append(errs, fmt.Errorf("P-Mode %q: no partner is named %q", p.ID, name))
				continue
			}
			pr, err := profileOf(p, c)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			m := mode(c, pr, p, partner, len(p.Partners) > 0)
			types[name] = cmp.Or(types[name], pr.PartyType)
			us := ebms.PartyID{Value: p.OurID, Type: p.OurIDType}
			switch {
			case us.Value == "":
				us = party
			case len(s.Modes) == 0:
				s.Own.IDs[0] = us
			}
			if us != s.Own.IDs[0] && only != "" {
				errs = append(errs, fmt.Errorf("P-Mode %q: this node has two identifiers towards %s, %q and %q", p.ID, name, s.Own.IDs[0].Value, us.Value))
			}
			s.Modes = append(s.Modes, m)
		}
	}
	for _, p := range partners {
		s.Partners = append(s.Partners, pmode.Party{Name: p.Name, URL: string(p.URL), IDs: []ebms.PartyID{{Value: p.ID, Type: cmp.Or(p.Type, types[p.Name])}}})
	}
	return s, errors.Join(errs...)
}

// mode puts one P-Mode with one partner into the words of the set.
func mode(c *config.Config, pr *as4.Profile, p node.PModeSettings, partner node.Partner, several bool) *pmode.Mode {
	m := &pmode.Mode{
		ID: p.ID, Leg: p.ID, Partner: partner.Name, MEP: ebms.MEPOneWay, Binding: ebms.BindingPush, MPC: p.MPC,
		SenderRole: p.SenderRole, ReceiverRole: p.ReceiverRole, Agreement: ebms.Agreement{Value: p.Agreement, Type: p.AgreementType},
		Service: ebms.Service{Value: p.Service, Type: p.ServiceType}, Action: p.Action,
		DuplicateDetection: !p.DuplicateIs0004, Receipt: true, NonRepudiation: !p.PlainReceipt, Callback: p.AsyncReceipts, Compress: pr.Compress && !p.NoCompression, ErrorAsResponse: true,
		Response: p.Response, ReplyWith: p.ReplyWith,
	}
	if several {
		m.ID += "/" + partner.Name
	}
	m.Direction = map[string]pmode.Direction{"send": pmode.Send, "receive": pmode.Receive, "both": pmode.Both}[p.Direction]
	sender, receiver := p.OurRole, p.PartnerRole
	if m.Direction == pmode.Receive {
		sender, receiver = receiver, sender
	}
	m.SenderRole, m.ReceiverRole = cmp.Or(sender, m.SenderRole, pr.InitiatorRole), cmp.Or(receiver, m.ReceiverRole, pr.ResponderRole)
	if p.Agreement == "" {
		m.Agreement = pr.Agreement
	}
	if p.Pull != nil {
		m.Binding = ebms.BindingPull
	}
	suite := pr.Suites[0]
	m.Security = pmode.Security{
		Sign: true, Encrypt: !p.Unencrypted, Suite: map[string]string{"rsa": "rsa", "ecdsa": "ecc"}[suite.Name],
		SignToken:    cmp.Or(wss.TokenForm(p.SignToken), wss.TokenForm(partner.SignToken), pr.RequireToken, suite.SignToken),
		EncryptToken: cmp.Or(wss.TokenForm(p.EncryptToken), wss.TokenForm(partner.EncryptToken), pr.RequireToken, suite.EncryptToken),
	}
	if m.Security.Suite == "" {
		m.Security.Suite = suite.Name
	}
	if p.Unencrypted {
		m.Security.EncryptToken = ""
	}
	o := c.Outbound
	m.Retry = as4.Retry{Max: p.MaxAttempts, First: p.FirstRetry.D(), Factor: p.RetryFactor, Limit: p.MaxPause.D(), Window: p.RetryWindow.D()}.
		Or(as4.Retry{Max: o.MaxAttempts, First: o.FirstRetry.D(), Factor: o.Factor, Limit: o.MaxPause.D()})
	if pr.FourCorner && !p.TwoCorner {
		for _, key := range []string{ebms.PropertyOriginalSender, ebms.PropertyFinalRecipient} {
			m.Properties = append(m.Properties, pmode.Property{Key: key, Datatype: "string", Required: true})
		}
	}
	if size := cmp.Or(int64(p.MaxSize), pr.MaxSize); size > 0 || p.ContentID != "" {
		m.Payloads = &pmode.PayloadProfile{MaxSize: cmp.Or(size, as4.DefaultMaxSize)}
		if p.ContentID != "" {
			m.Payloads.Payloads = []pmode.Payload{{Name: p.ContentID, ContentID: "cid:" + p.ContentID, Required: true}}
		}
	}
	if sp := p.Splitting; sp != nil {
		m.Splitting = &pmode.Splitting{Name: "splitting", FragmentSize: int(max(sp.FragmentSize>>20, 1)), JoinInterval: int(sp.JoinInterval.D() / time.Minute), Compression: sp.Compression}
	}
	return m
}
