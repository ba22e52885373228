package pmode

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// own says whether the file is the initiator's (0) or the responder's (1): by the identifiers of the node that reads, by
// the private key, or by who has an address to send to.
func (h *holodeck) own(r *reader, opt Options) int {
	parties := [2]*holodeckParty{h.initiator, h.responder}
	is := func(p *holodeckParty) bool {
		return p != nil && slices.ContainsFunc(p.ids, func(id ebms.PartyID) bool {
			return slices.ContainsFunc(opt.Own, func(o ebms.PartyID) bool {
				return strings.EqualFold(o.Value, id.Value) && (o.Type == "" || id.Type == "" || strings.EqualFold(o.Type, id.Type))
			})
		})
	}
	private := func(p *holodeckParty) bool {
		return p != nil && (p.sign != nil && p.sign.private || p.encrypt != nil && p.encrypt.private)
	}
	for _, test := range []func(*holodeckParty) bool{is, private} {
		switch a, b := test(parties[0]), test(parties[1]); {
		case a && !b:
			return 0
		case b && !a:
			return 1
		}
	}
	if len(h.legs) > 0 { // whoever opens connections on the first leg is told where to
		if h.legs[0].url != "" {
			return 0
		}
		if h.legs[0].receipt {
			return 1
		}
	}
	r.at(h.place, RuleOwn, "PMode", "neither a private key nor an address tells whose side of the exchange the file is for")
	return 0
}

func (p *holodeckParty) party() Party {
	if p == nil {
		return Party{}
	}
	out := Party{IDs: p.ids, line: p.line}
	if p.sign != nil {
		out.Name = p.sign.alias
	}
	if out.Name == "" && p.encrypt != nil {
		out.Name = p.encrypt.alias
	}
	if len(p.ids) > 0 {
		out.Name = cmp.Or(out.Name, p.ids[0].Value)
	}
	return out
}

// resolve makes a mode of each leg: a two-way exchange is two one-way ones.
func (h *holodeck) resolve(r *reader, own int) *Set {
	parties := [2]*holodeckParty{h.initiator, h.responder}
	s := &Set{Format: "holodeck", Own: parties[own].party()}
	partner := parties[1-own].party()
	if len(s.Own.IDs) == 0 {
		r.warnAt(h.place, RuleOwn, "PMode", "our own party identifier is not in the file: that of the node is used")
	}
	if h.includeID {
		r.warnAt(h.place, RuleLost, "PMode id", "the id is agreed to stand in eb:AgreementRef, where it is not written and not asked for")
	}
	legs := h.legs
	if len(legs) == 2 && legs[0].reply && !legs[1].reply {
		legs = []*holodeckLeg{legs[1], legs[0]}
	}
	pulled := map[string][2]bool{ebms.BindingPull: {true}, ebms.BindingPushAndPull: {false, true}, ebms.BindingPullAndPush: {true, false}, ebms.NS + "pullAndPull": {true, true}}[h.binding]
	for i, l := range legs {
		sender := i // of the user message: the initiator sends the first
		if h.mep == ebms.MEPOneWay && pulled[0] || h.binding == ebms.BindingPullAndPush || h.binding == ebms.NS+"pullAndPull" {
			sender = 1 - i // and pulls the first
		}
		m := h.mode(l, parties[sender], parties[1-sender], sender == own)
		if m.Direction = Receive; sender == own {
			m.Direction = Send
		}
		if l.url != "" && (sender == own) != pulled[i] { // we open the connections
			partner.URL = l.url
		}
		switch {
		case i > 0:
			m.ID, m.Response = m.ID+"/reply", true
		case len(legs) == 2:
			m.ReplyWith = m.ID + "/reply"
		}
		if pulled[i] {
			m.Binding, m.MPC = ebms.BindingPull, cmp.Or(l.pullMPC, l.mpc)
		} else {
			m.Binding = ebms.BindingPush
		}
		if len(partner.IDs) > 0 {
			m.reach(cmp.Or(l.url, partner.URL))
		} else if m.Pull() {
			m.unusable("messages are pulled, and the file does not name the partner")
		}
		if len(partner.IDs) > 0 {
			m.Partner = partner.Name
		}
		m.judge()
		if m.Direction == Send && !m.Receipt {
			m.unusable("no receipt is agreed, by which delivery would be known [AS4 3.2]")
		}
		s.Modes = append(s.Modes, m)
	}
	if len(partner.IDs) > 0 {
		s.Partners = []Party{partner}
		if len(partner.IDs) > 1 {
			r.warnAt(place{partner.line}, RuleLost, "PartyId", "only the first of %d identifiers is used", len(partner.IDs))
		}
	}
	_, s.Warnings = r.problems.split()
	return s
}

func (h *holodeck) mode(l *holodeckLeg, from, to *holodeckParty, send bool) *Mode {
	m := &Mode{
		ID: h.id, Process: h.id, MEP: h.mep, Binding: h.binding, MPC: l.mpc, Agreement: h.agreement, Action: l.action,
		Service: ebms.Service{Value: l.service, Type: l.serviceType}, Retry: l.retry, DuplicateDetection: true,
		Receipt: l.receipt, NonRepudiation: true, Callback: l.callback, ErrorAsResponse: !l.errorCallback, Compress: l.compress,
		Unusable: l.unusable, Lost: l.lost, line: l.line,
	}
	if m.MPC == ebms.DefaultMPC {
		m.MPC = ""
	}
	if from != nil {
		m.SenderRole = from.role
	}
	if to != nil {
		m.ReceiverRole = to.role
	}
	m.Security = Security{Suite: "rsa"}
	switch sec := &m.Security; {
	case from != nil && from.sign != nil:
		sec.Sign, sec.SignToken = true, from.sign.token
		m.signing(from.sign, send)
	case !send:
		sec.Sign = true
		m.lose("the file does not tell how the partner signs: messages without a signature are refused")
	}
	if to != nil && to.encrypt != nil {
		m.Security.Encrypt, m.Security.EncryptToken = true, to.encrypt.token
		m.encryption(to.encrypt, send)
	}
	return m
}

// signing compares algorithms with those of the suites.
func (m *Mode) signing(s *holodeckSigning, send bool) {
	switch s.algorithm {
	case xmldsig.RSASHA256:
	case xmldsig.RSASHA384, xmldsig.RSASHA512:
		if send {
			m.lose("messages are signed with %s, not with %s", xmldsig.RSASHA256, s.algorithm)
		}
	case xmldsig.ECDSASHA256:
		m.Security.Suite = "ecc"
	default:
		m.unusable("the signature algorithm %s is not used in eDelivery AS4", s.algorithm)
	}
	if s.digest != xmldsig.SHA256 {
		if send {
			m.lose("digests are %s, not %s", xmldsig.SHA256, s.digest)
		} else {
			m.unusable("the digest algorithm %s is not used in eDelivery AS4", s.digest)
		}
	}
}

func (m *Mode) encryption(c *holodeckEncryption, send bool) {
	rsa := xmlenc.TransportRSAOAEP256
	switch {
	case c.agreement:
		m.unusable("keys are agreed with ECDH-ES and ConcatKDF, for which there is no profile")
	case c.transport != [3]string{rsa.Algorithm, rsa.Digest, rsa.MGF}:
		m.unusable("the key transport %s is not that of eDelivery AS4", strings.Join(c.transport[:], ", "))
	case c.algorithm == xmlenc.AES192GCM || c.algorithm == xmlenc.AES256GCM:
		if send {
			m.lose("payloads are encrypted with %s, not with %s", xmlenc.AES128GCM, c.algorithm)
		}
	case c.algorithm != xmlenc.AES128GCM:
		m.unusable("the encryption algorithm %s is not used in eDelivery AS4", c.algorithm)
	}
}

// Merge joins sets that were read from several files for the same party: partners with the same identifier are one.
func Merge(sets ...*Set) (*Set, error) {
	if len(sets) == 0 {
		return nil, fmt.Errorf("pmode: no set")
	}
	out := *sets[0]
	out.Partners, out.Modes, out.Warnings = slices.Clone(out.Partners), slices.Clone(out.Modes), slices.Clone(out.Warnings)
	for _, s := range sets[1:] {
		if len(out.Own.IDs) == 0 {
			out.Own = s.Own
		}
		if a, b := partyRef(out.Own), partyRef(s.Own); b != (as4.PartyRef{}) && a != b {
			return nil, fmt.Errorf("pmode: one file is for the party %q, another for %q", a.ID, b.ID)
		}
		names := map[string]string{} // in s, to out
		for _, p := range s.Partners {
			i := slices.IndexFunc(out.Partners, func(o Party) bool { return partyRef(o) == partyRef(p) })
			switch {
			case i < 0 && out.Partner(p.Name) != nil:
				return nil, fmt.Errorf("pmode: the party name %q stands for two parties, %q and %q", p.Name, partyRef(*out.Partner(p.Name)).ID, partyRef(p).ID)
			case i < 0:
				out.Partners = append(out.Partners, p)
			case out.Partners[i].URL == "":
				out.Partners[i].URL = p.URL
			case p.URL != "" && out.Partners[i].URL != p.URL:
				return nil, fmt.Errorf("pmode: two addresses for the party %q: %s and %s", p.Name, out.Partners[i].URL, p.URL)
			}
			if i >= 0 {
				names[p.Name] = out.Partners[i].Name
			}
		}
		for _, m := range s.Modes {
			if slices.ContainsFunc(out.Modes, func(o *Mode) bool { return o.ID == m.ID }) {
				return nil, fmt.Errorf("pmode: the P-Mode %q stands in two files", m.ID)
			}
			c := *m
			c.Partner = cmp.Or(names[m.Partner], m.Partner)
			out.Modes = append(out.Modes, &c)
		}
		out.Channels, out.Warnings = append(out.Channels[:len(out.Channels):len(out.Channels)], s.Channels...), append(out.Warnings, s.Warnings...)
	}
	return &out, nil
}
