// Package config reads the configuration of a node: one YAML file, read strictly, with every problem
// reported at once by file and line.
//
// The structs in this file are the manual. Their doc tags are what [Describe] prints, what [Template]
// writes into a new configuration, and what an error says about a key that is missing.
//
// # Refused on purpose
//
// Unknown and repeated keys, anchors, aliases and merge keys, several documents in one file, and secrets
// or keys written into the file: those are named with file: or env:.
package config

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Config is a whole configuration file.
type Config struct {
	Node       Node               `yaml:"node" required:"true" doc:"Who this node is and where it keeps its data."`
	API        API                `yaml:"api" doc:"The node's own interface for back offices, the command line and the console."`
	Console    Console            `yaml:"console" doc:"The node in a browser, under /console/ at the address of the API."`
	AS4        AS4                `yaml:"as4" doc:"The gateway: how messages are exchanged with other access points."`
	Revocation Revocation         `yaml:"revocation" doc:"How the node learns that a certificate of a partner or publisher was revoked, beside the lists of as4.crls."`
	TrustLists TrustLists         `yaml:"trustlists" doc:"Trusted lists of states and networks: whose services are trusted for signatures and time-stamps, and what is qualified."`
	TLS        *TLS               `yaml:"tls" doc:"Certificate for the listeners. Without this section they speak plain HTTP, for use behind a proxy that ends TLS."`
	SMP        SMP                `yaml:"smp" doc:"The node's own service metadata publisher; it runs when an address is given."`
	Registry   Registry           `yaml:"registry" doc:"A zone file in which the participants of a closed network are registered, for tests and networks without a registry of their own."`
	Discovery  Discovery          `yaml:"discovery" doc:"How the access point of a receiver is found when no P-Mode says it."`
	Outbound   Outbound           `yaml:"outbound" doc:"How undelivered messages are tried again."`
	Folders    Folders            `yaml:"folders" doc:"Exchange with a back office through folders."`
	Backoffice Section            `yaml:"backoffice" example:"{soap: true}" doc:"Interfaces for back offices that were built for Domibus, notices to back offices, and webhooks."`
	Testbed    Section            `yaml:"testbed" example:"{listen: \"127.0.0.1:8490\", driver: \"http://127.0.0.1:9000/\"}" doc:"Lets a conformance test bed drive this node: for test networks alone, since the interface has no protection of any kind."`
	GITB       Section            `yaml:"gitb" example:"{listen: \"127.0.0.1:8491\", client: \"http://127.0.0.1:8080/itbsrv/MessagingClient\"}" doc:"Lets the Interoperability Test Bed send and receive messages through this node, as its messaging service: for test networks alone, since the interface has no protection of any kind."`
	Validation Section            `yaml:"validation" example:"{listen: \"127.0.0.1:8481\"}" doc:"Rule packs of publishers for business documents, and the services that judge documents for other programs. Without it the packs are in the folder packs beside this file."`
	Signatures Section            `yaml:"signatures" example:"{listen: \"127.0.0.1:8482\"}" doc:"Signatures of documents, made and judged for other programs. Whom the console and this service trust stands in as4.trust, for the purposes document and time."`
	Evidence   Evidence           `yaml:"evidence" doc:"What is kept to prove later what happened to a message."`
	Alerts     Section            `yaml:"alerts" example:"{mail: [{server: \"smtp.example.ee:587\", from: viadukt@example.ee, to: [operations@example.ee]}]}" doc:"Who is told what needs a hand: certificates that end, queues that stand, receipts that do not come, a full disk. Without it alerts stand in the console and the log alone."`
	Retention  Retention          `yaml:"retention" doc:"When what came to its end is deleted. The log of evidence keeps a note of it with the hashes of all that was deleted."`
	Partners   []Section          `yaml:"partners" doc:"Partners with fixed addresses and certificates."`
	PModes     []Section          `yaml:"pmodes" doc:"P-Modes: agreements with partners on one kind of message each."`
	PModeFiles []Path             `yaml:"pmodeFiles" example:"[pmodes.yaml]" doc:"Files with more partners and P-Modes, as \"viadukt pmode import\" writes them. Default: pmodes.yaml beside this file, when it is there."`
	Domains    map[string]Section `yaml:"domains" doc:"Fields of use, each with its own settings; a domain is active when its section is there."`
	Log        Log                `yaml:"log" doc:"What the node writes to standard error."`
	Metrics    Metrics            `yaml:"metrics" doc:"Figures for Prometheus, under /metrics."`
	Telemetry  Telemetry          `yaml:"telemetry" doc:"Traces for OpenTelemetry: what the node did to each message, and how long it took."`

	file, dir string
	root      *yaml.Node
}

// Node says who the node is.
type Node struct {
	Name    string `yaml:"name" required:"true" example:"ee-gateway" doc:"Name of this node, for logs and the console. Letters, digits, dots and hyphens."`
	Country string `yaml:"country" required:"true" example:"EE" doc:"Country the node acts for, as two capital letters of ISO 3166-1. Greece is EL in the Union's own lists; both are taken."`
	DataDir Path   `yaml:"dataDir" default:"data" doc:"Folder for messages, payloads and evidence. Only this node may use it."`
	Host    string `yaml:"host" example:"as4.example.ee" doc:"Host name that stands behind the @ in message ids. Default: the host of as4.url, else the node's name."`
	MinFree Size   `yaml:"minFree" default:"256MiB" doc:"Room kept free on the volume; below it new messages are refused instead of stored."`
}

// API is the node's own interface.
type API struct {
	Listen Listen  `yaml:"listen" default:"127.0.0.1:8480" doc:"Address of the API and the console."`
	URL    URL     `yaml:"url" example:"https://api.example.ee" doc:"Address under which others see the API. Default: made from listen."`
	TLS    *TLS    `yaml:"tls" doc:"Certificate of this listener. Without it the API speaks plain HTTP: for this machine, or behind a proxy that ends TLS."`
	Tokens []Token `yaml:"tokens" doc:"Tokens for programs. Every call needs one, unless the caller is known by a certificate."`

	Clients []Client `yaml:"clients" doc:"People and programs that are known by the certificate of their TLS connection to this listener, below api.tls.clientCA: they need no token and no password."`
}

// Check implements [Checker].
func (a *API) Check(report func(key, format string, args ...any)) {
	if len(a.Clients) > 0 && (a.TLS == nil || a.TLS.ClientCA == "") {
		report("clients", "nobody can show a certificate: set api.tls with clientCA")
	}
}

// Client is somebody who is known by a certificate.
type Client struct {
	Name        string   `yaml:"name" required:"true" example:"ada" doc:"Who shows it, for the log; in the console the name of the user."`
	Certificate Path     `yaml:"certificate" example:"trust/ada.pem" doc:"PEM file with exactly this certificate."`
	Subject     string   `yaml:"subject" example:"CN=Ada,O=Office,C=EE" doc:"The same, for every certificate with this subject that api.tls.clientCA vouches for: it may be renewed."`
	Scopes      []string `yaml:"scopes" enum:"messages,participants,admin,metrics,backup,sign" doc:"What it may do over the API, as of a token."`
	Role        string   `yaml:"role" enum:"viewer,operator,administrator" doc:"What it may do in the console. The user is made at the start, without a password. Without role a user of this name, who was made in the console, may log in with the certificate."`
}

// Check implements [Checker].
func (c *Client) Check(report func(key, format string, args ...any)) {
	if (c.Certificate == "") == (c.Subject == "") {
		report("certificate", "write certificate or subject: one of them says who it is")
	}
}

// Token allows a program to use the API.
type Token struct {
	Name   string   `yaml:"name" required:"true" example:"back-office" doc:"Who uses the token, for the log."`
	Secret Secret   `yaml:"secret" required:"true" example:"file:keys/api.token" doc:"Where the token is."`
	Scopes []string `yaml:"scopes" default:"messages" enum:"messages,participants,admin,metrics,backup,sign" doc:"What it allows; backup reads all that is stored, sign signs with keys that name the token, admin allows everything else."`
}

// Console is the node in a browser.
type Console struct {
	Off           bool     `yaml:"off" doc:"Serve no console."`
	Idle          Duration `yaml:"idle" default:"30m" min:"1m" doc:"A login ends when nothing was asked for this long."`
	Longest       Duration `yaml:"longest" default:"12h" min:"1m" doc:"A login ends after this time at any rate."`
	Key           Path     `yaml:"key" default:"keys/console.key" doc:"File with the key that encrypts second factors in the store, in base64. Made at the first start. Whoever loses it removes the second factors with viadukt user reset."`
	FirstPassword Path     `yaml:"firstPassword" default:"keys/console.password" doc:"File with the password of the user admin, who is made at the first start when there are no users. It is removed once another password is chosen."`
	Proxies       []string `yaml:"proxies" example:"[10.0.0.5]" doc:"Addresses or networks of proxies in front of the console. What they say in X-Forwarded-For counts as the browser's address, from which too many wrong passwords are refused."`
}

// AS4 is the gateway.
type AS4 struct {
	Listen     Listen     `yaml:"listen" default:":8443" doc:"Address on which messages arrive."`
	URL        URL        `yaml:"url" example:"https://as4.example.ee/as4" doc:"Address under which partners reach this node, as published for them."`
	Path       string     `yaml:"path" default:"/as4" doc:"Path of the endpoint on the listener."`
	Profile    string     `yaml:"profile" default:"eu-edelivery" doc:"Message profile where no P-Mode names another."`
	Party      Party      `yaml:"party" doc:"Identifier of this node as a party; partners name it in their P-Modes."`
	Signing    Identity   `yaml:"signing" doc:"Key that signs messages and receipts."`
	Encryption Identity   `yaml:"encryption" doc:"Key for which partners encrypt. Default: the signing key."`
	FormerKeys []Identity `yaml:"formerKeys" doc:"Keys for which partners may still encrypt, during a change of keys."`
	Rollover   Path       `yaml:"rollover" default:"rollover.yaml" doc:"File with the next keys and when they take over, as \"viadukt cert renew\" writes it. It need not be there."`
	Trust      []Anchor   `yaml:"trust" doc:"Authorities whose certificates are trusted, each for named purposes only."`
	CRLs       []Path     `yaml:"crls" example:"[trust/ca.crl]" doc:"PEM or DER files with revocation lists of these authorities. They are read anew when they change, and at a reload; the last good ones stay in use."`
	Limits     AS4Limits  `yaml:"limits" doc:"Bounds on what arrives; more is refused."`
}

// Party identifies a gateway.
type Party struct {
	ID   string `yaml:"id" example:"ee-gw" doc:"Party identifier."`
	Type string `yaml:"type" example:"urn:oasis:names:tc:ebcore:partyid-type:unregistered" doc:"Type of the identifier; may be left out when the identifier is a URI."`
}

// Identity is a key with its certificate.
type Identity struct {
	Key         Path   `yaml:"key" example:"keys/as4.pem" doc:"PEM or PKCS#12 file with private key, certificate and chain."`
	Password    Secret `yaml:"password" example:"file:keys/as4.pass" doc:"Password of the file."`
	Certificate Path   `yaml:"certificate" doc:"Certificate and chain where the key file has none."`
}

// Anchor is a trusted authority.
type Anchor struct {
	File     Path     `yaml:"file" required:"true" example:"trust/ca.pem" doc:"PEM or DER file with one or more certificates."`
	Purposes []string `yaml:"purposes" required:"true" enum:"access-point,smp,tls,document,token,evidence,time,revocation" example:"[access-point]" doc:"What certificates below it may be used for."`
}

// AS4Limits bound what arrives.
type AS4Limits struct {
	Message     Size     `yaml:"message" default:"2GiB" doc:"Octets of a whole request."`
	Payload     Size     `yaml:"payload" default:"2GiB" doc:"Octets of one payload after decompression."`
	Header      Size     `yaml:"header" default:"1MiB" min:"16KiB" max:"64MiB" doc:"Octets of the SOAP envelope."`
	Parts       int      `yaml:"parts" default:"1000" min:"1" max:"100000" doc:"Payloads in a message."`
	Connections int      `yaml:"connections" default:"1000" min:"1" doc:"Requests at work at the same time."`
	Timeout     Duration `yaml:"timeout" default:"10m" min:"1s" doc:"Time for a whole request to arrive and be answered."`
}

// Revocation says how one learns that certificates are revoked.
type Revocation struct {
	Check   string   `yaml:"check" default:"ocsp+crl" enum:"off,crl,ocsp+crl" doc:"Where to ask: ocsp+crl, at the responder that a certificate names, else in the list that it names; crl, in the list alone; off, nobody. The answer is kept and renewed in the background, at half of its time."`
	Unknown string   `yaml:"unknown" default:"accept" enum:"accept,refuse" doc:"What counts while nobody says whether a certificate is revoked: accept it, or refuse it until somebody does. With refuse, certificates that name neither responder nor list are refused, unless a list of as4.crls covers them."`
	Timeout Duration `yaml:"timeout" default:"5s" min:"100ms" max:"1m" doc:"How long the first question about a certificate may hold up its message."`
	Keep    Duration `yaml:"keep" default:"1d" doc:"How long an answer stands in after its time, while there is no newer one."`
}

// TrustLists says whose trusted lists count.
type TrustLists struct {
	Sources     []TrustList `yaml:"sources" doc:"Lists, and lists of lists, with all that they point at."`
	Territories []string    `yaml:"territories" example:"[EE, LV]" doc:"Of what a list of lists points at, only the lists of these countries. Default: all."`
	Dir         Path        `yaml:"dir" default:"trustlists" doc:"Folder in which the last good copy of each list is kept, for a start without network. viadukt verify --trustlist reads it, too."`
	Refresh     Duration    `yaml:"refresh" default:"6h" min:"1m" doc:"How often it is asked what changed. After a failure it is asked again after 15 minutes."`
	Grace       Duration    `yaml:"grace" doc:"For how long a list still counts after its next update was due; verdicts tell it. Default: not at all."`
	Timeout     Duration    `yaml:"timeout" default:"1m" min:"1s" max:"10m" doc:"Time for one list to arrive."`
	MaxList     Size        `yaml:"maxList" default:"32MiB" min:"64KiB" max:"256MiB" doc:"Octets of one list."`
}

// TrustList is a list that is trusted by configuration.
type TrustList struct {
	URL          URL    `yaml:"url" example:"https://ec.europa.eu/tools/lotl/eu-lotl.xml" doc:"Where the list is."`
	File         Path   `yaml:"file" example:"trust/pilot.xml" doc:"The same, for a list in a file. It is read again at each refresh."`
	Signers      []Path `yaml:"signers" required:"true" example:"[trust/lotl-signers.pem]" doc:"PEM or DER files with the certificates of who may sign the list. For the list of lists of the Union: as announced in the Official Journal."`
	Territory    string `yaml:"territory" example:"EU" doc:"Whose list it must be. Default: anybody's."`
	Announcement URL    `yaml:"announcement" doc:"Address at which the signers were announced. When the list names another one, an alert says that it is time to take the signers from there. Default: not asked."`
}

// Check implements [Checker].
func (t *TrustList) Check(report func(key, format string, args ...any)) {
	if (t.URL == "") == (t.File == "") {
		report("url", "write url or file: one of them says where the list is")
	}
}

// TLS is the certificate of the listeners.
type TLS struct {
	Certificate  Path     `yaml:"certificate" required:"true" example:"keys/tls.crt" doc:"PEM file with certificate and chain."`
	Key          Path     `yaml:"key" required:"true" example:"keys/tls.key" doc:"PEM file with the private key."`
	Password     Secret   `yaml:"password" doc:"Password of the key file."`
	MinVersion   string   `yaml:"minVersion" default:"1.2" enum:"1.2,1.3" doc:"Oldest version of TLS that is spoken."`
	CipherSuites []string `yaml:"cipherSuites" example:"[TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]" doc:"Cipher suites of TLS 1.2 by their IANA names. Default: all that are safe. Those of TLS 1.3 cannot be chosen: all are safe."`
	ClientCA     Path     `yaml:"clientCA" doc:"PEM file with authorities; whoever connects must then show a certificate below one of them."`

	ClientOptional bool `yaml:"clientOptional" doc:"With clientCA: whoever shows no certificate is let in all the same. One that is shown must be below an authority."`
}

// Check implements [Checker].
func (t *TLS) Check(report func(key, format string, args ...any)) {
	for _, name := range t.CipherSuites {
		if _, ok := CipherSuite(name); !ok {
			report("cipherSuites", "%q is no safe cipher suite of TLS 1.2%s", shown(name), DidYouMean(name, cipherSuites()))
		}
	}
}

// CipherSuite finds a safe cipher suite of TLS 1.2 by its name.
func CipherSuite(name string) (id uint16, ok bool) {
	for _, s := range tls.CipherSuites() {
		if s.Name == name && slices.Contains(s.SupportedVersions, tls.VersionTLS12) && strings.Contains(name, "_ECDHE_") {
			return s.ID, true
		}
	}
	return 0, false
}

func cipherSuites() (names []string) {
	for _, s := range tls.CipherSuites() {
		if _, ok := CipherSuite(s.Name); ok {
			names = append(names, s.Name)
		}
	}
	return names
}

// SMP is the node's own service metadata publisher.
type SMP struct {
	Listen      Listen   `yaml:"listen" example:":8081" doc:"Address on which metadata are served. Without it the publisher is off."`
	URL         URL      `yaml:"url" example:"http://smp.example.ee" doc:"Address under which others see it."`
	Generations []string `yaml:"generations" default:"busdox-1.0,oasis-1.0,oasis-2.0" enum:"busdox-1.0,oasis-1.0,oasis-2.0" doc:"Document formats it serves."`
	Signing     Identity `yaml:"signing" doc:"Key that signs the metadata. Default: the signing key of as4."`
}

// Registry is the zone file of a closed network.
type Registry struct {
	File   Path   `yaml:"file" example:"../network/participants.zone" doc:"Zone file that the nodes of the network share; participants are written into it."`
	Listen Listen `yaml:"listen" example:"127.0.0.1:8053" doc:"Address on which this node answers DNS queries for the zone, over UDP and TCP. One node of the network does."`
}

// Discovery finds access points.
type Discovery struct {
	Zone                  string   `yaml:"zone" example:"participant.sml.example.eu" doc:"DNS zone in which receivers are registered. Without it receivers are found by P-Modes alone."`
	Servers               []string `yaml:"servers" example:"[192.0.2.53]" doc:"DNS servers as address or address:port. Default: those of the machine."`
	Label                 string   `yaml:"label" default:"automatic" enum:"automatic,scheme-label,whole-identifier,whole-qualified,scheme-label-exact,partitioned,legacy-cname" doc:"How a participant becomes a DNS name."`
	DNSSEC                string   `yaml:"dnssec" default:"prefer" enum:"off,prefer,require" doc:"What to do about signed DNS answers."`
	Services              []string `yaml:"services" default:"meta:smp" doc:"Services of NAPTR records that are followed."`
	AllowHTTP             bool     `yaml:"allowHTTP" doc:"Follow records that lead to a publisher without TLS; its documents are signed all the same."`
	AllowPrivateAddresses bool     `yaml:"allowPrivateAddresses" doc:"Allow publishers and access points in private networks, and what tells of revoked certificates. For tests and closed networks: in the open, a record could lead the node to your inner servers."`
	Schemes               []string `yaml:"schemes" doc:"Identifier schemes whose participants are looked up. Default: all."`
	Cache                 Duration `yaml:"cache" default:"1h" doc:"Longest time an answer is used again."`
}

// Outbound says how undelivered messages are tried again.
type Outbound struct {
	MaxAttempts int      `yaml:"maxAttempts" default:"10" min:"1" max:"1000" doc:"Deliveries of one message that are tried, the first included; 1 disables retries."`
	FirstRetry  Duration `yaml:"firstRetry" default:"2m" min:"1s" doc:"Pause before the second attempt."`
	Factor      float64  `yaml:"factor" default:"2" min:"1" max:"100" doc:"Every further pause is longer by this factor."`
	MaxPause    Duration `yaml:"maxPause" default:"6h" min:"1s" doc:"No pause is longer."`
	PerPeer     int      `yaml:"perPeer" default:"8" min:"1" doc:"Messages on their way to one access point at the same time."`
	Workers     int      `yaml:"workers" default:"16" min:"1" max:"10000" doc:"Messages on their way at the same time."`
	Timeout     Duration `yaml:"timeout" default:"2m" min:"1s" doc:"How long an answer may take to begin after the message is sent, and then to come to its end; a large one gets a second more for each 16 KiB. Sending itself is given up when the partner takes nothing for 30 seconds."`
}

// Check implements [Checker].
func (o *Outbound) Check(report func(key, format string, args ...any)) {
	if o.MaxPause < o.FirstRetry {
		report("maxPause", "%s is shorter than firstRetry, %s", o.MaxPause, o.FirstRetry)
	}
}

// Evidence is what is kept to prove later what happened.
type Evidence struct {
	Policy    Path     `yaml:"policy" example:"policy/evidence.yaml" doc:"YAML file with rules that say which evidence a message creates. Default: everything."`
	HeadEvery Duration `yaml:"headEvery" default:"1m" min:"1s" doc:"The longest time after which the log of evidence is signed anew when something was added to it."`
	HeadAfter int      `yaml:"headAfter" default:"10000" min:"1" doc:"Number of new entries after which it is signed earlier."`

	Timestamp Timestamp `yaml:"timestamp" doc:"Time-stamps of an authority outside over the signed heads of the log, for whoever does not take the node's word for the time. The authority must be trusted for the purpose time, by as4.trust or a trusted list."`
}

// Timestamp says who time-stamps the log.
type Timestamp struct {
	TSA    []URL    `yaml:"tsa" example:"[\"https://tsa.example.eu\"]" doc:"Addresses of time-stamping authorities, asked in turn until one answers. Without any, heads are not time-stamped."`
	Every  Duration `yaml:"every" default:"1h" min:"1m" doc:"How often the newest head is time-stamped, when something was added."`
	Before Duration `yaml:"before" default:"60d" min:"1d" doc:"How long before the end of the authority's certificate, or of an algorithm, a time-stamp is renewed."`
}

// Folders exchange messages with a back office.
type Folders struct {
	Outbox Path     `yaml:"outbox" example:"outbox" doc:"Files and folders put here are sent."`
	Inbox  Path     `yaml:"inbox" example:"inbox" doc:"What arrives is written here, a folder for each message."`
	Poll   Duration `yaml:"poll" default:"2s" min:"100ms" doc:"How often the outbox is looked at."`
}

// Check implements [Checker].
func (f *Folders) Check(report func(key, format string, args ...any)) {
	if f.Inbox != "" && f.Inbox == f.Outbox {
		report("inbox", "is the same folder as outbox: what arrives would be sent again")
	}
}

// Log says what is written to standard error.
type Log struct {
	Level  string `yaml:"level" default:"info" enum:"debug,info,warn,error" doc:"Least important lines that are written."`
	Format string `yaml:"format" default:"text" enum:"text,json" doc:"Form of the lines."`
}

// Metrics says where figures are served.
type Metrics struct {
	Listen Listen `yaml:"listen" example:"127.0.0.1:9480" doc:"Address of its own for /metrics. Default: the API's listener, for tokens with the scope metrics."`
}

// Telemetry says where traces go.
type Telemetry struct {
	Traces        URL     `yaml:"traces" example:"http://127.0.0.1:4318" doc:"Address of a collector that takes OTLP over HTTP. Without it nothing is recorded."`
	Sample        float64 `yaml:"sample" default:"1" min:"0" max:"1" doc:"Share of messages and calls that are recorded."`
	Authorization Secret  `yaml:"authorization" doc:"Where the value of the header Authorization for the collector is."`
}

// fileMax bounds a configuration file.
const fileMax = 1 << 20

// Load reads a file.
func Load(file string) (*Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(file, dir, b)
	if err != nil {
		return nil, err
	}
	return c, c.include()
}

// Parse reads a configuration. file is for problems; relative paths start at dir.
func Parse(file, dir string, text []byte) (*Config, error) {
	root, err := parseYAML(file, text, fileMax)
	if err != nil {
		return nil, err
	}
	c := &Config{file: file, dir: dir, root: root}
	if err := Decode(Section{File: file, Dir: dir, node: root}, c); err != nil {
		return nil, err
	}
	return c, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parseYAML reads exactly one document, whose root must be a mapping.
func parseYAML(file string, text []byte, most int) (*yaml.Node, error) {
	whole := func(line int, format string, args ...any) error {
		return Problems{{File: file, Line: line, Text: fmt.Sprintf(format, args...)}}
	}
	if len(text) > most {
		return nil, whole(0, "longer than %s", Size(most))
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, whole(0, "is empty: \"viadukt init\" writes one to start from")
		}
		line, m := 0, yamlLine.FindStringSubmatch(err.Error())
		if m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return nil, whole(line, "no YAML: %s", yamlLine.ReplaceAllString(err.Error(), ""))
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, whole(more.Line, "more than one YAML document")
	}
	if len(doc.Content) != 1 {
		return nil, whole(0, "is empty: \"viadukt init\" writes one to start from")
	}
	return doc.Content[0], nil
}

var (
	nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	country  = regexp.MustCompile(`^[A-Z]{2}$`)
)

// Check implements [Checker].
func (n *Node) Check(report func(key, format string, args ...any)) {
	if !nodeName.MatchString(n.Name) || len(n.Name) > 63 {
		report("name", "%q: only letters, digits, dots and hyphens, at most 63", shown(n.Name))
	}
	if !country.MatchString(n.Country) {
		report("country", "%q is not two capital letters", shown(n.Country))
	}
	if n.Host != "" && (!nodeName.MatchString(n.Host) || len(n.Host) > 253) {
		report("host", "%q is no host name", shown(n.Host))
	}
}

// Check implements [Checker].
func (a *AS4) Check(report func(key, format string, args ...any)) {
	if !strings.HasPrefix(a.Path, "/") {
		report("path", "%q does not start with /", shown(a.Path))
	}
}

// Check implements [Checker].
func (s *SMP) Check(report func(key, format string, args ...any)) {
	if s.Listen != "" && s.URL == "" {
		report("url", "missing: others must know where the publisher is")
	}
}

// File returns the name of the file as given to Load.
func (c *Config) File() string { return c.file }

// Section decodes the settings of a domain; see [Decode]. An absent one gives the defaults.
func (c *Config) Section(name string, into any) error {
	s, ok := c.Domains[name]
	if !ok {
		s = Section{File: c.file, Dir: c.dir, Path: "domains." + name}
	}
	return Decode(s, into)
}

// Has reports whether there is a section for a domain.
func (c *Config) Has(domain string) bool { _, ok := c.Domains[domain]; return ok }

// CheckDomains reports sections that no domain will read.
func (c *Config) CheckDomains(known ...string) error {
	var ps Problems
	for _, name := range sortedKeys(c.Domains) {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if !found {
			ps = append(ps, c.Problem("domains."+name, "no such domain%s", DidYouMean(name, known)))
		}
	}
	return ps.err()
}

// Problem makes an error that points at a key of the file, for checks that need more than the file.
func (c *Config) Problem(path, format string, args ...any) *Problem {
	return Section{File: c.file, node: c.root}.Problem(path, format, args...)
}

// LogValue tells which configuration this is and nothing of what is in it.
func (c *Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("file", c.file), slog.String("node", c.Node.Name))
}

func (c *Config) String() string { return fmt.Sprintf("configuration of %s (%s)", c.Node.Name, c.file) }
