package as4

import (
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
}

// DefaultMaxSize bounds one expanded payload where neither profile nor P-Mode says otherwise: 2 GiB.
const DefaultMaxSize = 2 << 30

// partyUnregistered is the ebCore type of identifiers that no scheme issues.
const partyUnregistered = "urn:oasis:names:tc:ebcore:partyid-type:unregistered"

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
