package procurement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// InvalidDocument is the code of a document that breaks business rules: the sender is refused with it, and a message
// that brought such a document is marked with it.
const InvalidDocument = "INVALID_DOCUMENT"

// checksFor is how documents for and from a participant are judged.
func (d *Domain) checksFor(p ids.Participant) Checks {
	c := Checks{Outgoing: d.settings.Outgoing, Incoming: d.settings.Incoming, Packs: d.settings.Packs}
	for _, own := range d.settings.Partners {
		if !fits(own.Participant, p.String()) {
			continue
		}
		c.Outgoing, c.Incoming = cmp.Or(own.Outgoing, c.Outgoing), cmp.Or(own.Incoming, c.Incoming)
		if own.Packs != nil {
			c.Packs = own.Packs
		}
		break
	}
	return c
}

// checkOutgoing refuses a document with fatal findings, or remarks on it. What no rules are known for passes.
func (d *Domain) checkOutgoing(ctx context.Context, doc *dom.Document, receiver ids.Participant) (store.Problem, error) {
	c := d.checksFor(receiver)
	if c.Outgoing == "off" {
		return store.Problem{}, nil
	}
	r, err := d.judge(ctx, doc, c.Packs...)
	p := invalid("", "send a document that has each part as often as its standard says")
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		return store.Problem{}, nil
	case errors.Is(err, rulepack.ErrNotFound):
		return store.Problem{}, fmt.Errorf("procurement: %w", err)
	case err != nil:
		p.Text = "the document cannot be judged: " + err.Error()
	case r.Valid:
		return store.Problem{}, nil
	default:
		p.Text, p.Remedy = broken(r), remedy(r)
	}
	if c.Outgoing == "warn" {
		d.n.Log.LogAttrs(ctx, slog.LevelWarn, "document sent that breaks rules", slog.String("participant", receiver.String()), slog.String("err", p.Text))
		return p, nil
	}
	return store.Problem{}, &node.RefusedError{Code: p.Code, Text: p.Text, Remedy: p.Remedy, Err: err}
}

// checkIncoming says what a document that arrives breaks, and whether it is refused for that. As a rule it is delivered
// all the same: the receiver answers for the business, and the sender has proof that the document arrived.
func (d *Domain) checkIncoming(ctx context.Context, m *sbdh.Message) (p store.Problem, refuse bool) {
	c := d.checksFor(m.Header.Sender())
	if c.Incoming == "off" {
		return store.Problem{}, false
	}
	refuse = c.Incoming == "refuse"
	most := int64(d.settings.MaxDocument)
	octets, err := edocument.ReadLean(m.Payload, most, most)
	switch {
	case errors.Is(err, edocument.ErrSize):
		return invalid(fmt.Sprintf("the document is larger than %s and was not checked", d.settings.MaxDocument), "check it with viadukt validate"), refuse
	case err != nil:
		return invalid(fmt.Sprintf("the document cannot be read: %v", err), "ask the sender for another copy"), refuse
	}
	doc, err := dom.Parse(octets, dom.Limits{Bytes: int(most)})
	if err != nil {
		return invalid(err.Error(), "ask the sender for a well-formed document"), refuse
	}
	r, err := d.judge(ctx, doc, c.Packs...)
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		return store.Problem{}, false
	case errors.Is(err, rulepack.ErrNotFound): // our own fault, and none of the document
		return store.Problem{Code: "NO_PACK", Text: "the document was not checked: " + err.Error(), Remedy: "add the pack, or mend checkPacks"}, false
	case err != nil:
		return invalid("the document cannot be judged: "+err.Error(), "ask the sender for a sound document"), refuse
	case r.Valid:
		return store.Problem{}, false
	}
	return invalid(broken(r), "tell the sender, for example by an invoice response: "+remedy(r)), refuse
}

func invalid(text, remedy string) store.Problem {
	return store.Problem{Code: InvalidDocument, Text: text, Remedy: remedy}
}

// broken names the rules that make a document invalid, each with the first line that breaks it, and explains the first.
func broken(r *edocument.Report) string {
	const most = 20
	var ids []string
	seen := map[string]bool{}
	first, places := "", r.Suppressed
	for _, f := range r.Findings {
		if !f.Severity.Refuses() {
			continue
		}
		if places++; !seen[f.ID] {
			seen[f.ID] = true
			if len(ids) < most {
				ids = append(ids, fmt.Sprintf("%s (line %d)", f.ID, f.Line))
			}
		}
		if first == "" {
			first = f.ID + ": " + f.Text
			if f.Value != "" {
				first += " (" + f.Value + ")"
			}
		}
	}
	more := ""
	if n := len(seen) - len(ids); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("the %s breaks %s%s in %d places, by %s. %s", r.Type, strings.Join(ids, ", "), more, places, strings.Join(r.Pack, ", "), first)
}

// remedy is what to do about the first finding that counts.
func remedy(r *edocument.Report) string {
	for _, f := range r.Findings {
		if f.Severity.Refuses() && f.Remedy != "" {
			return f.Remedy
		}
	}
	return "mend the document; viadukt validate shows every place"
}
