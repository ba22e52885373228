package procurement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/match"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// RejectedByReceiver is the code of an answer that rejects what this node has sent.
const RejectedByReceiver = "REJECTED_BY_RECEIVER"

// answerTo is what a sender is told.
func (d *Domain) answerTo(sender string) response.Kind {
	with := d.settings().Answer
	for _, own := range d.settings().Answers {
		if fits(own.Participant, sender) {
			with = own.Answer
			break
		}
	}
	switch with {
	case "mlr":
		return response.Message
	case "mls":
		return response.Status
	case "invoice-response":
		return response.Invoice
	}
	return ""
}

// fits reports whether a participant is the one that a setting names, or one of those.
func fits(setting, participant string) bool {
	if begin, open := strings.CutSuffix(setting, "*"); open {
		return strings.HasPrefix(participant, begin)
	}
	p, err := ids.ParseParticipant(setting)
	q, err2 := ids.ParseParticipant(participant)
	return err == nil && err2 == nil && p.Equal(q)
}

// Answers implements [node.Answerer]. Answers are never answered, nor are reports to the network, or two nodes would go on
// for ever.
func (d *Domain) Answers(m *store.Message) bool {
	return d.refuses(m) || d.answerKind(m, "") != ""
}

// answerKind is which answer is due to a message, "" for none. That its document breaks rules is told by a status at least,
// that it is not as ordered by an invoice response.
func (d *Domain) answerKind(m *store.Message, refused string) response.Kind {
	kind := d.answerTo(m.Sender)
	invoice := strings.Contains(m.Action, "::Invoice##") || strings.Contains(m.Action, "::CreditNote##")
	switch {
	case refused != "" && strings.Contains(m.Action, "::CrossIndustryInvoice##"):
		return response.Status
	case strings.Contains(m.Action, "::ApplicationResponse##"), !strings.Contains(m.Action, nsUBL):
		return ""
	case refused == NotAsOrdered:
		return response.Invoice
	case refused != "" && (kind == "" || kind == response.Invoice && !invoice):
		return response.Status
	case kind == response.Invoice && !invoice:
		return ""
	}
	return kind
}

// answer judges a document that was delivered or refused, and sends the answer that its sender is to get. The answer has
// a message id that is made of the message's own, so that a second run sends nothing again. Where the directory is silent
// the delivery is tried again; where it says that nobody takes the answer, there is none, but for a status: that is owed
// to the provider who sent the message, and waits until it is registered. Who is refused and takes no such answer is told by a
// status, where its provider takes one. untold says why the sender of a message that is refused was not told; "" when it was.
func (d *Domain) answer(ctx context.Context, m *store.Message, refusal *node.RejectedError, found *match.Result) (untold string, err error) {
	refused := ""
	if refusal != nil {
		refused = refusal.Problem.Code
	}
	kinds := []response.Kind{d.answerKind(m, refused)}
	switch {
	case kinds[0] == "" && refusal == nil:
		return "", nil
	case kinds[0] == "":
		return "there is no answer to documents of this kind", nil
	case kinds[0] != response.Status && refusal != nil:
		kinds = append(kinds, response.Status)
	}
	var why []string
	for i, kind := range kinds {
		r, provider, err := d.answerFor(ctx, m, kind, refusal, found)
		if err != nil {
			return "", err
		}
		if r == nil {
			why = append(why, "nobody is known who could be told")
			continue
		}
		err = d.sendAnswer(ctx, m, r, false)
		if kind == response.Status && node.Unregistered(err) { // the place within the provider that the envelope names may be none
			r.Receiver.ID = provider
			err = d.sendAnswer(ctx, m, r, i == 0)
		}
		switch {
		case err == nil || errors.Is(err, store.ErrDuplicate):
			return "", nil
		case node.Temporary(err):
			return "", fmt.Errorf("procurement: answer to %s: %w", m.MessageID, err)
		case node.Unregistered(err):
			why = append(why, fmt.Sprintf("%s:%s is not registered for %s", r.Receiver.Scheme, r.Receiver.ID, names[kind]))
		default:
			why = append(why, err.Error())
		}
		d.n.Log.LogAttrs(ctx, slog.LevelWarn, "answer not sent", slog.String("msgid", m.MessageID), slog.String("code", string(r.Code)), slog.Any("err", err))
	}
	if refusal == nil {
		return "", nil
	}
	return strings.Join(why, ", and "), nil
}

// names are what answers are called.
var names = map[response.Kind]string{response.Message: "message level responses", response.Status: "message level statuses", response.Invoice: "invoice responses"}

func (d *Domain) sendAnswer(ctx context.Context, m *store.Message, r *response.Response, owed bool) error {
	id := fmt.Sprintf("answer-%x@%s", sha256.Sum256([]byte(m.SenderKey+"\n"+m.MessageID)), d.n.Host())
	octets, sent := r.XML(), false
	_, err := d.submit(ctx, &node.Submission{Domain: Name, MessageID: id, RefToMessageID: m.MessageID, ConversationID: m.ConversationID, Next: func() (*node.SubmissionPart, error) {
		if sent {
			return nil, io.EOF
		}
		sent = true
		return &node.SubmissionPart{Name: "response.xml", MimeType: "application/xml", Body: bytes.NewReader(octets)}, nil
	}}, owed)
	return err
}

// Owed implements [node.Debtor]: a status is queued until its receiver is registered [MLS 5]; rule MLS-4 of the network policy.
func (d *Domain) Owed(m *store.Message) (remedy string, owed bool) {
	if !strings.Contains(m.Action, "##"+response.Status.Type().Customization+"::") {
		return "", false
	}
	return "the service provider must register " + m.Receiver + " for message level statuses: tell it; when the attempts are over, viadukt message resend starts anew", true
}

// answerFor makes the answer to a message; nil where none is due. provider is who sent the message, for a status. refusal is
// why the document is refused, found what was found where an invoice is not as ordered.
func (d *Domain) answerFor(ctx context.Context, m *store.Message, kind response.Kind, refusal *node.RejectedError, found *match.Result) (_ *response.Response, provider string, _ error) {
	if len(m.Payloads) == 0 {
		return nil, "", nil
	}
	envelope, content, err := d.stored(ctx, m)
	if err != nil && !unreadable(err) {
		return nil, "", err
	}
	var report *edocument.Report
	var doc *dom.Document
	if err == nil {
		doc = content.doc
		report, err = d.verdict(ctx, content, d.checksFor(m.Sender).Packs)
		switch {
		case errors.Is(err, rulepack.ErrNotFound): // our own fault
			return nil, "", nil
		case errors.Is(err, edocument.ErrUnknownType):
			report, err = &edocument.Report{Type: "document", Valid: true}, nil
		}
	}
	switch {
	case refusal != nil && refusal.Problem.Code == VersionPhasedOut:
		p := refusal.Problem
		report, err = &edocument.Report{Type: "document", Pack: []string{"the versions in use"}, Findings: []edocument.Finding{{ID: p.Code, Severity: edocument.Fatal, Text: p.Text + ": " + p.Remedy}}}, nil
	case found != nil:
		report, err = &edocument.Report{Type: "invoice", Pack: []string{"comparison with order " + found.Order}, Findings: found.Findings, Suppressed: found.Suppressed}, nil
	}
	ref := response.Reference{ID: envelope.Header.InstanceID}
	if doc != nil && kind != response.Status {
		ref = response.About(doc.Root())
	}
	r := response.Judged(kind, report, err, ref, d.n.Clock())
	instance := sha256.Sum256([]byte(m.MessageID))
	r.ID = fmt.Sprintf("%x", instance[:16])
	if kind == response.Status {
		if r.Code != response.Rejected && envelope.Header.Value(sbdh.ScopeStatusType) != "ALWAYS_SEND" {
			return nil, "", nil
		}
		own, theirs := spid(m.To), spid(m.From)
		if own == "" || theirs == "" {
			return nil, "", nil // not a network of service providers
		}
		r.Sender, r.Receiver = response.Party{Scheme: "0242", ID: own}, response.Party{Scheme: "0242", ID: statusTo(envelope.Header, theirs)}
		return r, theirs, nil
	}
	r.Sender, r.Receiver = partyOf(envelope.Header.Receiver()), partyOf(envelope.Header.Sender())
	if doc != nil {
		from, to := response.Parties(doc.Root())
		r.Sender.Name, r.Receiver.Name = to.Name, from.Name
	}
	return r, "", nil
}

func partyOf(p ids.Participant) response.Party {
	scheme, id, _ := strings.Cut(p.Value, ":")
	return response.Party{Scheme: scheme, ID: id, Name: p.Value}
}

var seat = regexp.MustCompile(`^P[A-Z]{2}([0-9]{6})$`)

// spid is the identifier of a service provider, from its seat; "" when that is none. The profile holds the party of a
// message to the certificate that signed it.
func spid(party string) string {
	if m := seat.FindStringSubmatch(party); m != nil {
		return m[1]
	}
	return ""
}

var spidOf = regexp.MustCompile(`(?i)^0242:([0-9]{6})(-[0-9A-Z_]{3,12}(\.[0-9A-Z\-._~]{3,24})?)?$`)

// statusTo is where a status goes: to the service provider that sent the message, or to the place within it that the
// envelope names. Another provider cannot be named.
func statusTo(h *sbdh.Header, provider string) string {
	to := h.Value(sbdh.ScopeStatusTo)
	if m := spidOf.FindStringSubmatch(to); m != nil && m[1] == provider {
		return strings.TrimPrefix(to, "0242:")
	}
	return provider
}

// linkAnswer finds out which message an answer is about, and marks an answer that rejects it.
func (d *Domain) linkAnswer(ctx context.Context, stored *store.Message, doc *dom.Document, b bonds) error {
	r, err := response.Read(doc)
	if err != nil {
		return nil // no answer
	}
	about := []string{label(labelEnvelope, r.Document.ID)}
	for _, l := range b.about {
		about = append(about, labelSelf+l)
	}
	for _, l := range about {
		if stored.RefToMessageID != "" || r.Document.ID == "" {
			break
		}
		list, err := d.n.Store.Labelled(ctx, l, 1)
		if err != nil {
			return err
		}
		for _, id := range list {
			if m, err := d.n.Store.Message(ctx, id); err == nil && m.Direction == store.Out {
				stored.RefToMessageID = m.MessageID
			} else if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
	}
	if r.Code == response.Rejected && stored.Error.IsZero() {
		stored.Error = store.Problem{Code: RejectedByReceiver, Text: r.Document.ID + " is " + r.Summary(), Remedy: "mend the document and send it again under a new number"}
	}
	return nil
}
