package as4

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// PartyRef names one party of a P-Mode. An empty ID matches any party (dynamic sender or receiver).
type PartyRef struct {
	ID   string
	Type string
	Role string
}

// PMode is the agreement of two parties on one kind of message, from one's own side [ebMS3 D]. Empty fields match
// anything on receipt and must be supplied by the message on sending; what the profile says is the default.
type PMode struct {
	ID            string
	ProfileName   string
	Agreement     string
	AgreementType string
	Initiator     PartyRef
	Responder     PartyRef
	Service       string
	ServiceType   string
	Action        string
	MPC           string
	URL           string // where the responder listens

	SignToken    wss.TokenForm // bst, pkipath, ski, issuer-serial, thumbprint
	EncryptToken wss.TokenForm // the same and x509-ski
	Unsigned     bool
	Unencrypted  bool

	NoReceiptProof  bool // receipts repeat the UserMessage instead of digests
	NoCompression   bool
	MaxSize         int64
	ContentID       string // of the first payload, where the partner's payload profile asks for one
	Retry           Retry
	TwoCorner       bool        // originalSender and finalRecipient are not required
	FaultOnError    bool        // answer errors with HTTP 500 and a S12:Fault beside
	Quirks          ebms.Quirks // zero: ebms.DefaultQuirks
	DuplicateIs0004 bool        // the partner answers a duplicate with EBMS:0004

	Pull          bool   // the receiver fetches the messages, by pull requests for MPC or a sub-channel of it [EU-AS4 1.5.5]
	SubChannel    string // the part of MPC that this receiver fetches from; messages keep the MPC [AS4 3.5]
	AsyncReceipts bool   // the partner may send receipts by requests of its own [ebMS3 5.2.3.3]
	Response      bool   // second leg of a two-way exchange: RefToMessageId is required [EU-AS4 1.4.4.2]

	MultiHop  bool       // the partner is reached through intermediaries: headers are addressed to the next MSH [AS4 4]
	Splitting *Splitting // large messages travel in pieces [EU-AS4 1.5.6]; nil: whole, and pieces are refused

	Profile *Profile
	// Certificates of the partner, current and announced. As recipient the first encrypts; as signer one of them must
	// have signed. Without any, the chain decides and the subject must name the party.
	Certificates []*pki.Certificate
	// Policies are certificate policies, of which the signer's certificate must have one [EU-AS4 1.5.3]; none: any will do.
	Policies []pki.OID
	// EncryptionCertificate encrypts where it is not the one that signs (X25519).
	EncryptionCertificate *pki.Certificate
}

// Retry is the schedule of attempts [AS4 3.2]. The zero value means the defaults.
type Retry struct {
	Max    int           // attempts in all, the first included; default 10
	First  time.Duration // pause before the second attempt; default 1m
	Factor float64       // every further pause is longer by this; default 2
	Limit  time.Duration // no pause is longer; default 6h
	// Window, when it is not zero, counts from the acceptance of the message and not from the attempt before: the k-th
	// retry is due at the next multiple of First*Factor^(k-1), and none is when Window has passed. Limit means nothing
	// then. So do the schedules of Domibus.
	Window time.Duration
}

// Next says when the attempt after the given number of made ones is due, for a message just accepted; ok is false when
// none is left.
func (r Retry) Next(made int, now time.Time) (at time.Time, ok bool) { return r.Due(made, now, now) }

// Due is Next for a message accepted some time ago.
func (r Retry) Due(made int, accepted, now time.Time) (at time.Time, ok bool) {
	if made >= cmp.Or(r.Max, 10) {
		return time.Time{}, false
	}
	pause, factor, limit := float64(cmp.Or(r.First, time.Minute)), cmp.Or(r.Factor, 2), float64(cmp.Or(r.Limit, 6*time.Hour))
	if r.Window > 0 {
		limit = float64(r.Window)
	}
	for i := 1; i < made && pause < limit; i++ {
		pause *= factor
	}
	if r.Window <= 0 {
		return now.Add(time.Duration(min(pause, limit))), true
	}
	if pause > limit || pause < 1 {
		return time.Time{}, false
	}
	step := time.Duration(pause)
	at = accepted.Add(step)
	if late := now.Sub(at); late >= 0 {
		at = at.Add((late/step + 1) * step)
	}
	return at, !at.After(accepted.Add(r.Window))
}

// Or fills what r leaves open from another schedule. A window is not inherited: it belongs to its own First.
func (r Retry) Or(d Retry) Retry {
	return Retry{Max: cmp.Or(r.Max, d.Max), First: cmp.Or(r.First, d.First), Factor: cmp.Or(r.Factor, d.Factor), Limit: cmp.Or(r.Limit, d.Limit), Window: r.Window}
}

// Complete fills in what the profile gives and checks the rest. All problems are reported, joined.
func (p *PMode) Complete() error {
	if p.Profile == nil {
		p.Profile = Profiles[p.ProfileName]
	}
	if p.Profile == nil {
		return fmt.Errorf("as4: P-Mode %q: unknown profile %q (there are %s)", p.ID, p.ProfileName, strings.Join(ProfileNames(), ", "))
	}
	pr := p.Profile
	p.ProfileName = pr.Name
	if p.Quirks == (ebms.Quirks{}) {
		p.Quirks = ebms.DefaultQuirks()
	}
	if p.Agreement == "" {
		p.Agreement, p.AgreementType = pr.Agreement.Value, pr.Agreement.Type
	}
	asks, answers := pr.InitiatorRole, pr.ResponderRole
	if p.Response { // each party keeps its role when the direction turns
		asks, answers = answers, asks
	}
	p.Initiator.Role, p.Responder.Role = cmp.Or(p.Initiator.Role, asks), cmp.Or(p.Responder.Role, answers)
	if p.Initiator.ID != "" {
		p.Initiator.Type = cmp.Or(p.Initiator.Type, pr.PartyType)
	}
	if p.Responder.ID != "" {
		p.Responder.Type = cmp.Or(p.Responder.Type, pr.PartyType)
	}
	p.SignToken = cmp.Or(p.SignToken, pr.RequireToken, pr.Suites[0].SignToken)
	p.EncryptToken = cmp.Or(p.EncryptToken, pr.Suites[0].EncryptToken)
	p.Service, p.Action = cmp.Or(p.Service, pr.Service.Value), cmp.Or(p.Action, pr.Action)
	if p.Service != ebms.TestService {
		p.ServiceType = cmp.Or(p.ServiceType, pr.Service.Type)
	}
	p.MaxSize = cmp.Or(p.MaxSize, pr.MaxSize, DefaultMaxSize)
	switch {
	case p.Pull && (p.MPC == "" || p.MPC == ebms.DefaultMPC):
		return fmt.Errorf("as4: P-Mode %q: the default MPC is not pulled from: give it one of its own [EU-AS4 1.5.5]", p.ID)
	case p.Pull && len(p.Certificates) == 0:
		return fmt.Errorf("as4: P-Mode %q: pull needs a partner whose certificate is known", p.ID)
	case p.Pull && p.Unsigned:
		return fmt.Errorf("as4: P-Mode %q: pull requests are authorised by their signature, unsigned ones cannot be", p.ID)
	case p.SubChannel != "" && !p.Pull:
		return fmt.Errorf("as4: P-Mode %q: a sub-channel is for pull alone", p.ID)
	case p.Splitting != nil && (p.Pull || p.Unsigned || pr.MaxParts > 0):
		return fmt.Errorf("as4: P-Mode %q: only signed messages that are pushed can be split, and not in profile %s with one payload", p.ID, pr.Name)
	}
	if p.Splitting != nil {
		full := p.Splitting.withDefaults()
		p.Splitting = &full
	}
	for _, f := range []wss.TokenForm{p.SignToken, p.EncryptToken} {
		switch f {
		case wss.TokenBST, wss.TokenPKIPath, wss.TokenSKI, wss.TokenIssuerSerial, wss.TokenThumbprint, wss.TokenX509SKI:
		default:
			return fmt.Errorf("as4: P-Mode %q: unknown token form %q (bst, pkipath, ski, issuer-serial, thumbprint, x509-ski)", p.ID, f)
		}
	}
	if pr.RequireToken != "" && p.SignToken != pr.RequireToken {
		return fmt.Errorf("as4: P-Mode %q: profile %s wants the signer's certificate as %q, not %q", p.ID, pr.Name, pr.RequireToken, p.SignToken)
	}
	if p.Unsigned && !pr.Unsigned {
		return fmt.Errorf("as4: P-Mode %q: profile %s does not allow unsigned messages", p.ID, pr.Name)
	}
	if p.Unencrypted && !pr.Unencrypted {
		return fmt.Errorf("as4: P-Mode %q: profile %s does not allow unencrypted messages", p.ID, pr.Name)
	}
	return nil
}

// suites are the profile's with the tokens of this P-Mode in the one that is written.
func (p *PMode) suites() []wss.Suite {
	s := append([]wss.Suite(nil), p.Profile.Suites...)
	s[0].SignToken, s[0].EncryptToken = p.SignToken, p.EncryptToken
	return s
}

// Table is an immutable set of P-Modes. The order is the order of preference among equally good matches.
type Table struct {
	modes    []*PMode
	byID     map[string]*PMode
	byAction map[string][]*PMode // in lower case; those without an action are in every list and under ""
}

// NewTable completes the P-Modes and makes a table of them.
func NewTable(modes ...*PMode) (*Table, error) {
	for _, m := range modes {
		if err := m.Complete(); err != nil {
			return nil, err
		}
	}
	return tableOf(modes)
}

// With is the table with further P-Modes, which are complete. Those of the table may be in use meanwhile.
func (t *Table) With(added ...*PMode) (*Table, error) {
	return tableOf(slices.Concat(t.modes, added))
}

func tableOf(modes []*PMode) (*Table, error) {
	for i, m := range modes {
		for _, o := range modes[:i] {
			if m.Pull && o.Pull && m.Channel() == o.Channel() && m.Initiator.ID == o.Initiator.ID && m.Responder.ID != o.Responder.ID {
				return nil, fmt.Errorf("as4: P-Modes %q and %q: the channel %q belongs to one receiver [EU-AS4 1.5.5]", o.ID, m.ID, m.Channel())
			}
		}
	}
	t := &Table{modes: modes, byID: make(map[string]*PMode, len(modes)), byAction: map[string][]*PMode{"": nil}}
	for _, m := range modes {
		if t.byID[m.ID] == nil {
			t.byID[m.ID] = m
		}
		t.byAction[fold(m.Action)] = nil
	}
	for _, m := range modes {
		if m.Action != "" {
			t.byAction[fold(m.Action)] = append(t.byAction[fold(m.Action)], m)
			continue
		}
		for action := range t.byAction {
			t.byAction[action] = append(t.byAction[action], m)
		}
	}
	return t, nil
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Channel is what a pull request for this P-Mode asks for: the MPC, or a sub-channel of it [AS4 3.5].
func (p *PMode) Channel() string {
	if p.SubChannel == "" {
		return p.MPC
	}
	return p.MPC + "/" + p.SubChannel
}

// All returns the P-Modes in order.
func (t *Table) All() []*PMode { return t.modes }

// ByID finds a P-Mode by its id.
func (t *Table) ByID(id string) *PMode { return t.byID[id] }

// Match finds the P-Mode of a received message [EU-AS4 1.4.2.2]. Values compare ignoring case, an empty type
// equals an absent one. The error tells what was not recognised: EBMS:0001 agreement, service or action, EBMS:0003 a
// party, EBMS:0010 all known but not together. Every P-Mode serves the test service of its parties as well.
func (t *Table) Match(um *ebms.UserMessage) (*PMode, error) {
	if !um.IsTest() { // few of many P-Modes have the action; what they do not match is told apart by all
		candidates, known := t.byAction[fold(um.Action)]
		if !known {
			candidates = t.byAction[""]
		}
		if m, err := match(candidates, um); err == nil {
			return m, nil
		}
	}
	return match(t.modes, um)
}

func match(modes []*PMode, um *ebms.UserMessage) (*PMode, error) {
	test := um.IsTest()
	var agreement, service, action, parties bool
	var best *PMode
	bestScore := -1
	for _, m := range modes {
		a := um.Agreement == nil || m.Agreement == "" || um.Agreement != nil && same(m.Agreement, um.Agreement.Value) && (m.AgreementType == "" || um.Agreement.Type == "" || same(m.AgreementType, um.Agreement.Type))
		s := test || m.Service == "" || same(m.Service, um.Service.Value) && same(m.ServiceType, um.Service.Type)
		c := test || m.Action == "" || same(m.Action, um.Action)
		p := matchParty(m.Initiator, um.From) && matchParty(m.Responder, um.To)
		agreement, service, action, parties = agreement || a, service || s, action || c, parties || p
		if a && s && c && p {
			if score := m.specificity(); score > bestScore {
				best, bestScore = m, score
			}
		}
	}
	switch {
	case best != nil:
		return best, nil
	case !agreement:
		return nil, ebms.ValueNotRecognized.New("unknown agreement")
	case !parties:
		return nil, ebms.ValueInconsistent.New("unknown party or role")
	case !service:
		return nil, ebms.ValueNotRecognized.New("unknown service")
	case !action:
		return nil, ebms.ValueNotRecognized.New("unknown action")
	}
	return nil, ebms.ProcessingModeMismatch.New("no agreement for this combination of parties, service and action")
}

func (p *PMode) specificity() int {
	n := 0
	for _, s := range []string{p.Initiator.ID, p.Responder.ID, p.Service, p.Action, p.Agreement} {
		if s != "" {
			n++
		}
	}
	return n
}

func matchParty(ref PartyRef, p ebms.Party) bool {
	if ref.Role != "" && !same(ref.Role, p.Role) {
		return false
	}
	if ref.ID == "" {
		return true
	}
	for _, id := range p.IDs {
		if same(ref.ID, id.Value) && same(ref.Type, id.Type) {
			return true
		}
	}
	return false
}

func same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }
