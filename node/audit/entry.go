package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Type says what an entry is about.
type Type string

const (
	MessageAccepted Type = "message-accepted" // a back office handed a message over
	MessageReceived Type = "message-received" // a message arrived and was stored, without a receipt
	ReceiptSent     Type = "receipt-sent"     // a message arrived, was stored, and this receipt may leave
	ReceiptReceived Type = "receipt-received" // the partner's receipt arrived
	ErrorReceived   Type = "error-received"   // the partner answered with an error
	ErrorSent       Type = "error-sent"       // a message was refused with an error; nothing of it is stored
	ErrorsSent      Type = "errors-sent"      // so many more messages were refused that they are only counted
	StateChanged    Type = "state"            // a message changed its state
	EvidenceAdded   Type = "evidence"         // a message got evidence of another kind
	PayloadsDeleted Type = "payloads-deleted" // the octets of a message's payloads were deleted
	MessageDeleted  Type = "deleted"          // a message was deleted with its evidence
	Participant     Type = "participant"      // a document of the node's publisher was put or withdrawn
	Token           Type = "token"            // an API token was set or removed
	User            Type = "user"             // somebody who may open the console was set or removed
	Administration  Type = "administration"   // any other administrative act
	Alert           Type = "alert"            // something needed a hand, got worse, or is over
	NodeStarted     Type = "node-started"     // also the first entry of each log
)

var types = map[Type]bool{
	MessageAccepted: true, MessageReceived: true, ReceiptSent: true, ReceiptReceived: true, ErrorReceived: true, ErrorSent: true, ErrorsSent: true,
	StateChanged: true, EvidenceAdded: true, PayloadsDeleted: true, MessageDeleted: true, Participant: true, Token: true, User: true,
	Administration: true, Alert: true, NodeStarted: true,
}

// Entry is one entry of the log. Its octets are text, one line a fact, so that a person can read what was recorded:
//
//	viadukt log entry 1
//	type receipt-sent
//	time 2026-05-04T09:30:00.000Z
//	message 17
//	...
//	object receipt 9f86d081...0f00a08 6113
//
// The lines follow the order of the fields below, each once, absent where the value is empty or zero, "object" once for
// each. A line is the name, a space, the value and LF; there is no other white space. In values, backslashes, octets
// below 0x20, 0x7f, and octets that are not UTF-8 are written as \x and two small hexadecimal digits. So an entry has
// one form only, and [Parse] takes no other. Times are UTC with three decimals. An object is its kind, the SHA-256, the
// number of octets and, where it has one, its name.
//
// Persons are not named: the parties are access points, and who stands behind them is in the message, whose hash is here.
type Entry struct {
	Type      Type
	Time      time.Time
	Actor     string // who caused it; empty: the node by itself
	Message   int64  // number of the message in its node
	Direction store.Direction
	MessageID string // eb:MessageId
	Before    string // state before
	State     string
	Attempt   int
	Code      string // error
	Domain    string
	PMode     string
	From, To  string // access points
	Service   string
	Action    string
	Subject   string // of an administrative act
	Detail    string
	Rule      string // of the policy that decided which evidence this creates
	Creates   string // what the rule says, with spaces between
	Objects   []store.Object
}

const entryTitle = "viadukt log entry 1\n"

// MaxEntry bounds an entry in octets.
const MaxEntry = 32 << 20

const timeForm = "2006-01-02T15:04:05.000Z"

// Append writes the entry's octets to dst.
func (e *Entry) Append(dst []byte) []byte {
	dst = append(dst, entryTitle...)
	dst = appendLine(dst, "type", string(e.Type))
	dst = append(dst, "time "...)
	dst = e.Time.UTC().AppendFormat(dst, timeForm)
	dst = append(dst, '\n')
	dst = appendLine(dst, "actor", e.Actor)
	dst = appendNumber(dst, "message", e.Message)
	if e.Direction != 0 {
		dst = appendLine(dst, "direction", e.Direction.String())
	}
	dst = appendLine(dst, "message-id", e.MessageID)
	dst = appendLine(dst, "before", e.Before)
	dst = appendLine(dst, "state", e.State)
	dst = appendNumber(dst, "attempt", int64(e.Attempt))
	dst = appendLine(dst, "code", e.Code)
	dst = appendLine(dst, "domain", e.Domain)
	dst = appendLine(dst, "pmode", e.PMode)
	dst = appendLine(dst, "from", e.From)
	dst = appendLine(dst, "to", e.To)
	dst = appendLine(dst, "service", e.Service)
	dst = appendLine(dst, "action", e.Action)
	dst = appendLine(dst, "subject", e.Subject)
	dst = appendLine(dst, "detail", e.Detail)
	dst = appendLine(dst, "rule", e.Rule)
	dst = appendLine(dst, "creates", e.Creates)
	for i := range e.Objects {
		o := &e.Objects[i]
		dst = append(dst, "object "...)
		dst = append(dst, o.Kind...)
		dst = append(dst, ' ')
		dst = hex.AppendEncode(dst, o.SHA256[:])
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, o.Size, 10)
		if o.Name != "" {
			dst = append(dst, ' ')
			dst = appendValue(dst, o.Name)
		}
		dst = append(dst, '\n')
	}
	return dst
}

func appendLine(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, ' ')
	dst = appendValue(dst, value)
	return append(dst, '\n')
}

func appendNumber(dst []byte, name string, n int64) []byte {
	if n == 0 {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, '\n')
}

func appendValue(dst []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= 0x20 && s[i] < 0x7f && s[i] != '\\'
	}
	if plain {
		return append(dst, s...)
	}
	const digits = "0123456789abcdef"
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r < 0x20 || r == 0x7f || r == '\\' || r == utf8.RuneError && n == 1 {
			dst = append(dst, '\\', 'x', digits[s[0]>>4], digits[s[0]&15])
		} else {
			dst = append(dst, s[:n]...)
		}
		s = s[n:]
	}
	return dst
}

// ErrEntry says that octets are not an entry in its one form.
var ErrEntry = errors.New("audit: not an entry of the log")

func entryError(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrEntry}, args...)...)
}

// Parse reads an entry.
func Parse(b []byte) (*Entry, error) {
	if len(b) > MaxEntry {
		return nil, entryError("longer than %d octets", MaxEntry)
	}
	text, ok := strings.CutPrefix(string(b), entryTitle)
	if !ok {
		return nil, entryError("it does not begin with %q", strings.TrimSpace(entryTitle))
	}
	e := &Entry{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if err := e.set(name, value); err != nil {
			return nil, err
		}
	}
	if !types[e.Type] {
		return nil, entryError("unknown type %q", e.Type)
	}
	if !bytes.Equal(e.Append(make([]byte, 0, len(b))), b) {
		return nil, entryError("its lines are not in their one form and order")
	}
	return e, nil
}

// set takes one line. Order and repetition are judged by writing the entry again.
func (e *Entry) set(name, raw string) (err error) {
	var text *string
	switch name {
	case "type":
		text = (*string)(&e.Type)
	case "actor":
		text = &e.Actor
	case "message-id":
		text = &e.MessageID
	case "before":
		text = &e.Before
	case "state":
		text = &e.State
	case "code":
		text = &e.Code
	case "domain":
		text = &e.Domain
	case "pmode":
		text = &e.PMode
	case "from":
		text = &e.From
	case "to":
		text = &e.To
	case "service":
		text = &e.Service
	case "action":
		text = &e.Action
	case "subject":
		text = &e.Subject
	case "detail":
		text = &e.Detail
	case "rule":
		text = &e.Rule
	case "creates":
		text = &e.Creates
	case "time":
		e.Time, err = time.Parse(timeForm, raw)
	case "message":
		e.Message, err = strconv.ParseInt(raw, 10, 64)
	case "attempt":
		e.Attempt, err = strconv.Atoi(raw)
	case "direction":
		e.Direction, err = store.ParseDirection(raw)
	case "object":
		err = e.addObject(raw)
	default:
		return entryError("unknown line %q", name)
	}
	if text != nil {
		*text, err = unescape(raw)
	}
	if err != nil {
		return entryError("%s: %v", name, err)
	}
	return nil
}

func (e *Entry) addObject(raw string) (err error) {
	f := strings.SplitN(raw, " ", 4)
	if len(f) < 3 || len(f[1]) != 64 {
		return errors.New("kind, SHA-256 and size are wanted")
	}
	o := store.Object{Kind: f[0]}
	if _, err := hex.Decode(o.SHA256[:], []byte(f[1])); err != nil {
		return err
	}
	if o.Size, err = strconv.ParseInt(f[2], 10, 64); err != nil {
		return err
	}
	if len(f) == 4 {
		if o.Name, err = unescape(f[3]); err != nil {
			return err
		}
	}
	e.Objects = append(e.Objects, o)
	return nil
}

func unescape(s string) (string, error) {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s, nil
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		if len(s) < i+4 || s[i+1] != 'x' {
			return "", errors.New("a backslash is not followed by x and two digits")
		}
		v, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			return "", err
		}
		b.WriteByte(byte(v))
		s = s[i+4:]
	}
	b.WriteString(s)
	return b.String(), nil
}

// Object finds the entry's object with this hash.
func (e *Entry) Object(kind string, sum [32]byte) bool {
	for _, o := range e.Objects {
		if o.Kind == kind && o.SHA256 == sum {
			return true
		}
	}
	return false
}
