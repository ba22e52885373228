// Package pmode reads and writes agreements between access points: the P-Mode files of Domibus 4 and 5 with their
// WS-SecurityPolicy files, and those of Holodeck B2B. They are resolved to what one party has to know [ebMS3 D]: whom it
// exchanges which messages with, in which direction, and how.
//
// [Read] returns a [Set] or says why not: every problem at once, each with its line and its rule. What is in a file but
// cannot be kept here is told as a warning; a mode that cannot be used at all stays in the set with the reason.
// [Diff] compares two sets, [Set.ForPartner] turns one into the file that the other side needs, and [Set.Agreement]
// describes it for people.
//
// # Refused on purpose
//
// Document types, files above 8 MiB, references that lead nowhere, and whatever the program that the file was written
// for refuses as well.
package pmode

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Rule says what a problem is about.
type Rule string

// The rules. The first seven are those of the file's schema, the others those of its meaning.
const (
	RuleSyntax   Rule = "syntax"   // no XML, or no P-Mode file
	RuleElement  Rule = "element"  // unknown, missing, repeated or misplaced
	RuleRequired Rule = "required" // a missing attribute or value
	RuleUnknown  Rule = "unknown"  // an attribute that nobody knows
	RuleType     Rule = "type"     // no number, no boolean, no URI, none of the allowed words
	RuleLength   Rule = "length"
	RuleUnique   Rule = "unique"

	RuleSpace     Rule = "space"     // white space around a value
	RuleReference Rule = "reference" // a name that leads nowhere
	RuleOwn       Rule = "own"       // the party whose file it is
	RuleCharacter Rule = "character" // < or > in a name
	RuleRetry     Rule = "retry"
	RuleSize      Rule = "size"
	RuleRole      Rule = "role"
	RuleExchange  Rule = "exchange" // pattern and binding
	RuleURI       Rule = "uri"      // an identifier without type that is no URI
	RuleEndpoint  Rule = "endpoint"
	RuleSecurity  Rule = "security"
	RuleLost      Rule = "lost" // not kept here
)

// Problem is one thing about a file.
type Problem struct {
	File    string
	Line    int    // counted from 1; 0: the file as a whole
	Where   string // element and attribute: "legConfiguration pushLeg @security"
	Rule    Rule
	Text    string
	Warning bool
}

func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Where != "" {
		b.WriteString(p.Where + ": ")
	}
	fmt.Fprintf(&b, "%s [%s]", p.Text, p.Rule)
	return b.String()
}

// Problems is why a file was refused.
type Problems []*Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As each problem.
func (ps Problems) Unwrap() []error {
	out := make([]error, len(ps))
	for i, p := range ps {
		out[i] = p
	}
	return out
}

// split parts what refuses a file from what is only told, each in the order of the file.
func (ps Problems) split() (refusals, warnings Problems) {
	slices.SortStableFunc(ps, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	for _, p := range ps {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			refusals = append(refusals, p)
		}
	}
	return refusals, warnings
}

// Set is what one party agreed with others.
type Set struct {
	Format   string // "domibus", "holodeck"
	Own      Party
	Partners []Party // in the order of the file, only those with whom there is a mode
	Modes    []*Mode
	Channels []MPC // message partition channels, where the file tells of them
	Warnings Problems
}

// Party is an access point.
type Party struct {
	Name string // also the alias of its certificate
	IDs  []ebms.PartyID
	URL  string // where it receives; empty when it is not told
	line int
}

// Direction says who sends the user messages of a mode. The zero value is nobody.
type Direction uint8

// The directions, from the view of the set's own party.
const (
	Send Direction = 1 << iota
	Receive
	Both = Send | Receive
)

func (d Direction) String() string {
	return [...]string{"none", "send", "receive", "both"}[d&Both]
}

// Mode is the agreement on one kind of message with one partner, or with whoever discovery finds.
type Mode struct {
	ID        string
	Process   string // names in the file, for people
	Leg       string
	Partner   string // name of a party; empty: any, found by discovery [EU-AS4 1.5.4]
	Direction Direction
	MEP       string // URI [ebMS3 2.2]
	Binding   string // URI [ebMS3 2.2]
	MPC       string // URI; empty: the default channel

	SenderRole   string // eb:Role of whoever sends the user message
	ReceiverRole string
	Agreement    ebms.Agreement
	Service      ebms.Service
	Action       string

	Security           Security
	Retry              as4.Retry
	DuplicateDetection bool
	Receipt            bool // receipts are sent
	NonRepudiation     bool // receipts repeat the digests
	Callback           bool // receipts come by a request of their own
	Compress           bool
	ErrorAsResponse    bool
	Properties         []Property // message properties; empty: not agreed
	Payloads           *PayloadProfile
	Splitting          *Splitting
	Response           bool   // second leg of a two-way exchange: it names its request
	ReplyWith          string // id of the mode of that leg

	// Unusable says why this program cannot serve the mode; empty when it can.
	Unusable []string
	// Lost says what is agreed and not kept by this program, which serves the mode all the same.
	Lost []string

	line int
}

// Security is what is done to the messages of a mode.
type Security struct {
	Name         string // in the file
	Policy       string // file name
	Sign         bool
	Encrypt      bool
	EncryptBody  bool
	SignFragment bool          // mf:MessageFragment is signed
	SignToken    wss.TokenForm // empty: not told
	EncryptToken wss.TokenForm
	Suite        string // "rsa", "ecc"
	Assumed      bool   // the policy file was not seen and its name is not known
	Unknown      string // what the policy file asks for and nobody can do; nothing else is known then
}

// Profile is the message profile with the algorithms, which leaves all else to the P-Mode.
func (s Security) Profile() string {
	if s.Suite == "ecc" {
		return "eu-edelivery2-ec"
	}
	return "bilateral"
}

// Usable reports whether this program can serve the mode.
func (m *Mode) Usable() bool { return len(m.Unusable) == 0 }

// Partner finds a party by its name, the own one included.
func (s *Set) Partner(name string) *Party {
	for i := range s.Partners {
		if strings.EqualFold(s.Partners[i].Name, name) {
			return &s.Partners[i]
		}
	}
	if strings.EqualFold(s.Own.Name, name) {
		return &s.Own
	}
	return nil
}

// Needs names the parties whose certificates must be supplied: files refer to them by alias, and the alias is the name of
// the party.
func (s *Set) Needs() []string {
	var out []string
	for i := range s.Partners {
		out = append(out, s.Partners[i].Name)
	}
	return out
}

// FourCorner reports whether the mode asks for originalSender and finalRecipient. A mode without agreed properties does
// not.
func (m *Mode) FourCorner() bool {
	has := func(key string) bool {
		return slices.ContainsFunc(m.Properties, func(p Property) bool { return p.Required && strings.EqualFold(p.Key, key) })
	}
	return has(ebms.PropertyOriginalSender) && has(ebms.PropertyFinalRecipient)
}

// PModes makes the processing modes of a usable mode for the sending and the receiving role; nil where it has none.
// Certificates are left to the caller.
func (s *Set) PModes(m *Mode) (send, receive *as4.PMode) {
	if !m.Usable() {
		return nil, nil
	}
	p := as4.PMode{
		ID: m.ID, ProfileName: m.Security.Profile(), Agreement: m.Agreement.Value, AgreementType: m.Agreement.Type,
		Service: m.Service.Value, ServiceType: m.Service.Type, Action: m.Action, MPC: m.MPC,
		SignToken: m.Security.SignToken, EncryptToken: m.Security.EncryptToken, Unencrypted: !m.Security.Encrypt,
		NoReceiptProof: !m.NonRepudiation, NoCompression: !m.Compress, TwoCorner: !m.FourCorner(),
		Retry: m.Retry, DuplicateIs0004: !m.DuplicateDetection, Pull: m.Pull(), AsyncReceipts: m.Callback && !m.Pull(), Response: m.Response,
	}
	if m.Payloads != nil {
		p.MaxSize, p.ContentID = m.Payloads.MaxSize, m.Payloads.firstContentID()
	}
	if sp := m.Splitting; sp != nil && !m.Pull() {
		p.Splitting = &as4.Splitting{FragmentSize: int64(sp.FragmentSize) << 20, Compress: sp.Compression, JoinInterval: time.Duration(sp.JoinInterval) * time.Minute, Dialect: as4.DialectDomibus}
	}
	us, them, url := partyRef(s.Own), as4.PartyRef{}, ""
	if partner := s.Partner(m.Partner); m.Partner != "" && partner != nil {
		them, url = partyRef(*partner), partner.URL
	}
	role := func(ref as4.PartyRef, role string) as4.PartyRef { ref.Role = role; return ref }
	if m.Direction&Send != 0 {
		out := p
		out.Initiator, out.Responder, out.URL = role(us, m.SenderRole), role(them, m.ReceiverRole), url
		send = own(&out)
	}
	if m.Direction&Receive != 0 {
		in := p
		in.Initiator, in.Responder = role(them, m.SenderRole), role(us, m.ReceiverRole)
		receive = own(&in)
	}
	return send, receive
}

// own gives a P-Mode a splitting of its own, which is completed.
func own(p *as4.PMode) *as4.PMode {
	if p.Splitting != nil {
		c := *p.Splitting
		p.Splitting = &c
	}
	return p
}

func partyRef(p Party) as4.PartyRef {
	if len(p.IDs) == 0 {
		return as4.PartyRef{}
	}
	return as4.PartyRef{ID: p.IDs[0].Value, Type: p.IDs[0].Type}
}

// Options are what a file does not tell.
type Options struct {
	File string // its name, for problems
	// Policy returns a WS-SecurityPolicy file by its name, nil when there is none. Without it the published ones are known
	// by name.
	Policy func(name string) []byte
	// Own are the identifiers of the node that reads: they decide whose side of a Holodeck file is meant.
	Own []ebms.PartyID
}

// limits bound a P-Mode file: the largest known has 130 KB.
var limits = dom.Limits{Bytes: 8 << 20, Depth: 64}

// Read reads a P-Mode file of any known kind. The error is [Problems]. It takes ownership of the octets.
func Read(octets []byte, opt Options) (*Set, error) {
	doc, err := parse(octets, opt.File)
	if err != nil {
		return nil, err
	}
	switch root := doc.Root(); {
	case root.Is(nsDomibus, "configuration"):
		d, problems := readDomibus(doc, opt.File)
		return d.resolve(opt, problems)
	case root.Is(nsHolodeck, "PMode"):
		return readHolodeck(doc, opt)
	default:
		line, _ := root.Pos()
		return nil, Problems{{File: opt.File, Line: line, Where: root.QName(), Rule: RuleSyntax, Text: fmt.Sprintf("the root is {%s}%s: neither a Domibus configuration (%s) nor a Holodeck PMode (%s)", root.Space(), root.Local(), nsDomibus, nsHolodeck)}}
	}
}

func parse(octets []byte, file string) (*dom.Document, error) {
	doc, err := dom.Parse(octets, limits)
	if err == nil {
		return doc, nil
	}
	p := &Problem{File: file, Rule: RuleSyntax, Text: err.Error()}
	var e *dom.Error
	if errors.As(err, &e) {
		p.Line, p.Text = e.Line, e.Msg
		if e.Path != "" {
			p.Where = e.Path
		}
	}
	return nil, Problems{p}
}
