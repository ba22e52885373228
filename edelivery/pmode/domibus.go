package pmode

// nsDomibus is the namespace of the root; everything below it has none.
const nsDomibus = "http://domibus.eu/configuration"

// Domibus is a P-Mode file of Domibus 4 or 5 as it stands: lists of named things, and processes that refer to them by
// name. Names compare ignoring case, as in Domibus.
type Domibus struct {
	Party              string // name of the party whose file it is
	MPCs               []MPC
	Roles              []Named
	PartyIDTypes       []Named
	Parties            []DomibusParty
	MEPs               []MEP
	Bindings           []Named
	Properties         []Property
	PropertySets       []Group
	Payloads           []Payload
	PayloadProfiles    []DomibusPayloads
	Securities         []DomibusSecurity
	ErrorHandlings     []ErrorHandling
	Agreements         []Typed
	Services           []Typed
	Actions            []Named
	ReceptionAwareness []ReceptionAwareness
	Reliabilities      []Reliability
	Splittings         []Splitting
	Legs               []DomibusLeg
	Processes          []DomibusProcess
}

// place is where something stands in a file.
type place struct{ line int }

// Named is a value with a name.
type Named struct {
	Name, Value string
	place
}

// Typed is a value with a type and a name.
type Typed struct {
	Name, Value, Type string
	place
}

// Group is a list of references with a name.
type Group struct {
	Name    string
	Members []string
	place
}

// MPC is a message partition channel with the minutes for which its messages are kept: -1 for ever, 0 not at all.
type MPC struct {
	Name, QualifiedName   string
	Default, Enabled      bool
	RetentionDownloaded   int
	RetentionUndownloaded int
	RetentionSent         int // -1 when the file does not say
	RetentionMetadata     int // minutes by which metadata outlive payloads
	DeleteMetadata        bool
	MaxBatchDelete        int // -1 when the file does not say
	place
}

// DomibusParty is a party of a Domibus file.
type DomibusParty struct {
	Name, Endpoint string
	Identifiers    []Identifier
	place
}

// Identifier is a party identifier; its type is the name of a party id type, or empty.
type Identifier struct {
	ID, Type string
	place
}

// MEP is a message exchange pattern.
type MEP struct {
	Name, Value string
	Legs        int
	place
}

// Property is a message property that is agreed.
type Property struct {
	Name     string // in the file
	Key      string // on the wire
	Datatype string // "string", "int", "boolean"
	Required bool
	place
}

// Payload is a part that is agreed.
type Payload struct {
	Name      string
	ContentID string // as in the file, usually with "cid:"; may be empty
	MimeType  string
	InBody    string
	Schema    string
	MaxSize   int64 // octets; 0: not told
	Required  bool
	place
}

// DomibusPayloads is a payload profile of a Domibus file.
type DomibusPayloads struct {
	Name     string
	MaxSize  int64
	Payloads []string
	place
}

// PayloadProfile is the agreement on the parts of a message.
type PayloadProfile struct {
	Name     string
	MaxSize  int64 // octets of one part, expanded
	Payloads []Payload
}

// DomibusSecurity names a policy file.
type DomibusSecurity struct {
	Name, Policy    string
	SignatureMethod string // not read by Domibus 5
	Profile         string // "RSA", "ECC" or empty
	place
}

// ErrorHandling says who is told of errors.
type ErrorHandling struct {
	Name                          string
	AsResponse                    bool
	BusinessErrorNotifyProducer   bool
	BusinessErrorNotifyConsumer   bool
	DeliveryFailureNotifyProducer bool
	place
}

// ReceptionAwareness says how a message is tried again.
type ReceptionAwareness struct {
	Name, Retry        string
	DuplicateDetection bool
	place
}

// Reliability says which receipts are sent.
type Reliability struct {
	Name           string
	ReplyPattern   string // "response", "callback"
	NonRepudiation bool
	place
}

// Splitting is the agreement on large messages [ebMS3-2 4].
type Splitting struct {
	Name         string
	FragmentSize int // MiB
	JoinInterval int // minutes
	Compression  bool
	Algorithm    string
	place
}

// DomibusLeg is one kind of message.
type DomibusLeg struct {
	Name, Service, Action, Security, MPC, ReceptionAwareness, Reliability, ErrorHandling string
	PropertySet, PayloadProfile, Splitting                                               string // may be empty
	Compress                                                                             bool
	place
}

// DomibusProcess says who exchanges which legs. A side without a list is found by discovery.
type DomibusProcess struct {
	Name, MEP, Binding, InitiatorRole, ResponderRole, Agreement string
	Initiators, Responders                                      []string // nil: no list in the file
	Legs                                                        []string
	place
}
