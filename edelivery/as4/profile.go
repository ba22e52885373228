package as4

import (
	"regexp"
	"slices"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
)

// Profile is the rule set of a community as data. Two profiles may be active for one receiver.
type Profile struct {
	Name   string
	Title  string      // the specification and its edition
	Suites []wss.Suite // the first is written, all are accepted

	Unsigned    bool // messages need not be signed
	Unencrypted bool // attachments need not be encrypted

	Agreement     ebms.Agreement // default of the P-Modes
	PartyType     string         // default @type of party identifiers
	InitiatorRole string
	ResponderRole string

	FourCorner          bool          // originalSender and finalRecipient required [EU-AS4 1.5.1]
	TypedProperties     bool          // ... with @type
	ForbiddenProperties []string      // message properties that must not occur
	RequireToken        wss.TokenForm // the only form in which the signer may name its certificate
	MinParts            int           // payloads that a message must have
	MaxParts            int           // 0: no limit of the profile's own
	MaxSize             int64         // octets of one expanded payload; 0: DefaultMaxSize
	NotServicedDetail   string        // eb:ErrorDetail that tells an unserved receiver
	TransportProfile    string        // identifier of the endpoint in service metadata
	Compress            bool          // compress what gains by it
	NoFileNames         bool          // file names of payloads are not told to the receiver
	NeedAgreement       bool          // messages name their agreement
	NoConversation      bool          // eb:ConversationId is there and empty
	Service             ebms.Service  // default of the P-Modes; the type alone is one too
	Services            []string      // the only values of eb:Service
	Action              string        // default of the P-Modes
	OneAction           bool          // Action is the only one
	PartyPattern        *regexp.Regexp
	RolePattern         *regexp.Regexp // of roles other than those above
}

// DefaultMaxSize bounds one expanded payload where neither profile nor P-Mode says otherwise: 2 GiB.
const DefaultMaxSize = 2 << 30

// partyUnregistered is the ebCore type of identifiers that no scheme issues.
const partyUnregistered = "urn:oasis:names:tc:ebcore:partyid-type:unregistered"

const ootsGateway = "http://sdg.europa.eu/edelivery/gateway"

var edigasServices = []string{"A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A09", "A10", "A11"}

func withSignToken(s wss.Suite, f wss.TokenForm) wss.Suite {
	s.SignToken = f
	return s
}

func withTokens(s wss.Suite, f wss.TokenForm) wss.Suite {
	s.SignToken, s.EncryptToken = f, f
	return s
}

// Profiles are the built-in ones, by name.
var Profiles = map[string]*Profile{
	"eu-edelivery": {
		Name: "eu-edelivery", Title: "eDelivery AS4 1.15", Suites: []wss.Suite{wss.SuiteRSA},
		InitiatorRole: ebms.RoleInitiator, ResponderRole: ebms.RoleResponder, FourCorner: true, Compress: true, PartyType: partyUnregistered,
		TransportProfile: "bdxr-transport-ebms3-as4-v1p0",
	},
	"eu-edelivery2": {
		Name: "eu-edelivery2", Title: "eDelivery AS4 2.0, common usage profile", Suites: []wss.Suite{wss.SuiteEdDSA},
		InitiatorRole: ebms.RoleInitiator, ResponderRole: ebms.RoleResponder, FourCorner: true, Compress: true, PartyType: partyUnregistered,
		TransportProfile: "bdxr-transport-ebms3-as4-v2p0",
	},
	"eu-edelivery2-ec": {
		Name: "eu-edelivery2-ec", Title: "eDelivery AS4 2.0, alternative algorithms", Suites: []wss.Suite{wss.SuiteECDSA},
		InitiatorRole: ebms.RoleInitiator, ResponderRole: ebms.RoleResponder, FourCorner: true, Compress: true, PartyType: partyUnregistered,
		TransportProfile: "bdxr-transport-ebms3-as4-v2p0",
	},
	"bilateral": {
		Name: "bilateral", Title: "eDelivery AS4 1.15 algorithms, all else by P-Mode", Suites: []wss.Suite{wss.SuiteRSA}, Unencrypted: true,
		InitiatorRole: ebms.RoleInitiator, ResponderRole: ebms.RoleResponder, FourCorner: true, Compress: true,
		TransportProfile: "bdxr-transport-ebms3-as4-v1p0",
	},
	"peppol": {
		Name: "peppol", Title: "Peppol AS4 Profile 2.0.3", Suites: []wss.Suite{wss.SuiteRSA},
		Agreement: ebms.Agreement{Value: "urn:fdc:peppol.eu:2017:agreements:tia:ap_provider"},
		PartyType: "urn:fdc:peppol.eu:2017:identifiers:ap", InitiatorRole: ebms.RoleInitiator, ResponderRole: ebms.RoleResponder,
		FourCorner: true, TypedProperties: true, ForbiddenProperties: []string{ebms.PropertyTrackingID},
		RequireToken: wss.TokenBST, MinParts: 1, MaxParts: 1, MaxSize: 100 << 20,
		NotServicedDetail: "PEPPOL:NOT_SERVICED", TransportProfile: "peppol-transport-as4-v2_0", Compress: true, NoFileNames: true,
	},
	"bdew": { // [BDEW]
		Name: "bdew", Title: "BDEW AS4 profile 1.1", Suites: []wss.Suite{wss.SuiteBrainpool}, RequireToken: wss.TokenPKIPath,
		InitiatorRole: ebms.RoleInitiator, ResponderRole: ebms.RoleResponder, Compress: true,
	},
	"entsog": { // [ENTSOG4 2.3]
		Name: "entsog", Title: "ENTSOG AS4 profile 4.0, public review of 2025-01-27", Suites: []wss.Suite{withSignToken(wss.SuiteEdDSA, wss.TokenPKIPath)},
		InitiatorRole: ebms.RoleInitiator, ResponderRole: ebms.RoleResponder, RolePattern: regexp.MustCompile(`^[A-Z]{2,3}$`), Compress: true,
		PartyType: "http://www.entsoe.eu/eic-codes/eic-party-codes-x", PartyPattern: regexp.MustCompile(`^[0-9]{2}[A-Z][A-Z0-9-]{12}[A-Z0-9]$`),
		Service: ebms.Service{Type: "http://edigas.org/service"}, Services: edigasServices, Action: ebms.DefaultAction, OneAction: true,
		NeedAgreement: true, NoConversation: true, MaxSize: 10 << 20,
	},
	"ecodex": { // as the P-Mode files of its members have it
		Name: "ecodex", Title: "e-CODEX over eDelivery AS4 1.x", Suites: []wss.Suite{withTokens(wss.SuiteRSA, wss.TokenSKI)},
		InitiatorRole: "GW", ResponderRole: "GW", FourCorner: true, PartyType: partyUnregistered, Service: ebms.Service{Type: "urn:e-codex:services:"},
		TransportProfile: "bdxr-transport-ebms3-as4-v1p0",
	},
	"oots": { // [TDD 4.7]
		Name: "oots", Title: "Once-Only Technical System over eDelivery AS4 1.x", Suites: []wss.Suite{wss.SuiteRSA},
		InitiatorRole: ootsGateway, ResponderRole: ootsGateway, FourCorner: true, TypedProperties: true, Compress: true, PartyType: partyUnregistered + ":oots",
		Service:          ebms.Service{Value: "QueryManager", Type: "urn:oasis:names:tc:ebcore:ebrs:ebms:binding:1.0"},
		TransportProfile: "bdxr-transport-ebms3-as4-v1p0",
	},
}

// ProfileNames lists the built-in profiles in order.
func ProfileNames() []string {
	names := make([]string, 0, len(Profiles))
	for n := range Profiles {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
