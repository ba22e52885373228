package console

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Messages is what the console does to messages.
type Messages interface {
	// Resend lets an outgoing message be sent, or an incoming one delivered, once more.
	Resend(ctx context.Context, id int64, who string) error
	// Confirm says for the back office that it has the message.
	Confirm(ctx context.Context, id int64, who string) error
	// OpenDocument gives the n-th payload out of its envelope, with a file name.
	OpenDocument(ctx context.Context, m *store.Message, n int) (body io.ReadCloser, name string, err error)
}

// Network is what the console knows of others.
type Network interface {
	Partners() []Partner
	// CheckPartner tries everything between here and a partner; store.ErrNotFound when there is none of that name.
	CheckPartner(ctx context.Context, name string) ([]Finding, error)
	Certificates() []Certificate
	Agreements() []Agreement
}

// Publisher is the node's own metadata publisher.
type Publisher interface {
	// Participants returns those greater than after, in order.
	Participants(ctx context.Context, after string, limit int) ([]Participant, error)
	// Recognise finds out who would receive a document, as what.
	Recognise(document []byte) (Registration, error)
	Register(ctx context.Context, r Registration) error
	// Unregister removes one document type, or with an empty one the participant.
	Unregister(ctx context.Context, participant, documentType string) error
}

// Partner is an access point with a fixed address.
type Partner struct {
	Name         string
	ID, Type     string
	URL          string // "" where it only sends to us
	Certificates []Certificate
	Agreements   []string // P-Modes with it
}

// Certificate is one certificate with what it is for.
type Certificate struct {
	Use         Use
	Of          string // the partner, or the file of an authority
	Subject     string
	Issuer      string
	Serial      string
	Key         string // "RSA 2048"
	Fingerprint string // SHA-256, hexadecimal
	NotBefore   time.Time
	NotAfter    time.Time
	// Publish and Activate are when one that comes next is named to others, and takes over.
	Publish, Activate time.Time
}

// Use is what a certificate is for.
type Use string

// Uses of certificates.
const (
	UseSigning    Use = "signing"
	UseEncryption Use = "encryption"
	UseNext       Use = "next"   // takes over at its time
	UseFormer     Use = "former" // decrypts what partners still encrypt for it
	UsePublisher  Use = "publisher"
	UseTLS        Use = "tls"
	UsePartner    Use = "partner"
	UseAuthority  Use = "authority"
)

// Agreement is a P-Mode in one direction.
type Agreement struct {
	ID        string
	Direction store.Direction
	Partner   string // "" for everybody whom the directory names
	Profile   string
	Service   string
	Action    string
	Domain    string
	Details   []Detail
}

// Detail is one setting. Key names its text: "agreement.KEY" for those of DetailKeys.
type Detail struct{ Key, Value string }

// DetailKeys are the settings of an agreement that have a text.
var DetailKeys = []string{
	"agreement", "initiator", "responder", "mpc", "address", "sign-token", "encrypt-token", "compression", "receipt", "max-size", "retry", "corners", "certificates",
}

// Participant of the own publisher.
type Participant struct {
	ID            string
	DocumentTypes []string
}

// Registration makes a participant known for a kind of document.
type Registration struct{ Participant, DocumentType, Process string }

// Refused is a problem that a person can mend; it is shown as it is.
type Refused struct{ store.Problem }

func (r *Refused) Error() string { return r.Code + ": " + r.Text }

// Finding is one result of a check. Its texts are "check.CODE" and, where there is something to do,
// "check.CODE.remedy"; {0} and so on stand for Args.
type Finding struct {
	Severity Severity
	Code     Code
	Args     []string
	Message  int64 // the test message, where there is one
}

// Texts are what a finding says in a language, "" for the first of [Languages], and what there is to do.
func (f Finding) Texts(language string) (text, remedy string, err error) {
	if language == "" {
		language = Languages[0]
	}
	if !slices.Contains(Languages, language) {
		return "", "", fmt.Errorf("there is no %.10q; there are %s", language, strings.Join(Languages, ", "))
	}
	t, err := loadTexts(language)
	if err != nil {
		return "", "", err
	}
	key, args := "check."+string(f.Code), anys(f.Args)
	if t.has(key + ".remedy") {
		remedy = t.text(key+".remedy", args...)
	}
	return t.text(key, args...), remedy, nil
}

// Severity of a finding.
type Severity string

// Severities.
const (
	OK      Severity = "ok"
	Warning Severity = "warning"
	Failure Severity = "failure"
)

// Code names a finding.
type Code string

// Findings about a partner, in the order in which they are looked at.
const (
	NoAddress        Code = "no-address"        // it only sends to us
	NameResolved     Code = "name-resolved"     // host, addresses
	NameUnknown      Code = "name-unknown"      // host, error
	Unreachable      Code = "unreachable"       // address, error
	Refusing         Code = "refusing"          // address
	PlainHTTP        Code = "plain-http"        // address
	TLSGood          Code = "tls-good"          // version, subject, end
	TLSUntrusted     Code = "tls-untrusted"     // error
	TLSExpired       Code = "tls-expired"       // subject, end
	TLSSoon          Code = "tls-soon"          // subject, end
	TLSWrongName     Code = "tls-wrong-name"    // host, error
	TLSFailed        Code = "tls-failed"        // error
	Answers          Code = "answers"           // status
	WrongPath        Code = "wrong-path"        // URL
	NoAnswer         Code = "no-answer"         // error
	ClockApart       Code = "clock-apart"       // duration
	CertGood         Code = "cert-good"         // subject, end
	CertSoon         Code = "cert-soon"         // subject, end
	CertExpired      Code = "cert-expired"      // subject, end
	CertNotYet       Code = "cert-not-yet"      // subject, start
	NoAgreement      Code = "no-agreement"      // nothing to send by
	TestAcknowledged Code = "test-acknowledged" // P-Mode, milliseconds
	TestFailed       Code = "test-failed"       // P-Mode, error
	TestPending      Code = "test-pending"      // P-Mode
)

// codes are all of them, so that each is known to have its texts.
var codes = []Code{
	NoAddress, NameResolved, NameUnknown, Unreachable, Refusing, PlainHTTP, TLSGood, TLSUntrusted, TLSExpired, TLSSoon, TLSWrongName, TLSFailed,
	Answers, WrongPath, NoAnswer, ClockApart, CertGood, CertSoon, CertExpired, CertNotYet, NoAgreement, TestAcknowledged, TestFailed, TestPending,
}
