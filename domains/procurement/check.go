package procurement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/match"
	"github.com/viadukt-eu/viadukt/edocument/rulepack"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// InvalidDocument is the code of a document that breaks business rules: the sender is refused with it, and a message
// that brought such a document is marked with it.
const InvalidDocument = "INVALID_DOCUMENT"

// checksFor is how documents for and from a participant are judged.
func (d *Domain) checksFor(participant string) Checks {
	c := Checks{Outgoing: d.settings().Outgoing, Incoming: d.settings().Incoming, Match: d.settings().Match, Packs: d.settings().Packs}
	for _, own := range d.settings().Partners {
		if !fits(own.Participant, participant) {
			continue
		}
		c.Outgoing, c.Incoming, c.Match = cmp.Or(own.Outgoing, c.Outgoing), cmp.Or(own.Incoming, c.Incoming), cmp.Or(own.Match, c.Match)
		if own.Packs != nil {
			c.Packs = own.Packs
		}
		break
	}
	return c
}

// verdict judges a document by its rules, and a container of dossiers by what it should hold.
func (d *Domain) verdict(ctx context.Context, c *carried, packs []string) (*edocument.Report, error) {
	if c.dossiers != nil {
		return c.dossiers.Check(), nil
	}
	return d.judge(ctx, c.doc, packs...)
}

// checkOutgoing refuses a document with fatal findings, or remarks on it. What no rules are known for passes.
func (d *Domain) checkOutgoing(ctx context.Context, content *carried, receiver ids.Participant) (store.Problem, error) {
	c := d.checksFor(receiver.String())
	if c.Outgoing == "off" {
		return store.Problem{}, nil
	}
	r, err := d.verdict(ctx, content, c.Packs)
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
		p.Text, p.Remedy = breaks(r), remedy(r)
	}
	if c.Outgoing == "warn" {
		d.n.Log.LogAttrs(ctx, slog.LevelWarn, "document sent that breaks rules", slog.String("participant", receiver.String()), slog.String("err", p.Text))
		return p, nil
	}
	return store.Problem{}, &node.RefusedError{Code: p.Code, Text: p.Text, Remedy: p.Remedy, Err: err}
}

// checkIncoming says what a document that arrives breaks. As a rule it is delivered all the same: the receiver answers for
// the business, and the sender has proof that the document arrived. readErr says why it could not be read.
func (d *Domain) checkIncoming(ctx context.Context, sender string, content *carried, readErr error) store.Problem {
	c := d.checksFor(sender)
	if c.Incoming == "off" {
		return store.Problem{}
	}
	var broken *dom.Error
	switch {
	case errors.Is(readErr, edocument.ErrSize):
		return invalid(fmt.Sprintf("the document is larger than %s and was not checked", d.settings().MaxDocument), "check it with viadukt validate")
	case errors.As(readErr, &broken):
		return invalid(broken.Error(), "ask the sender for a well-formed document")
	case readErr != nil:
		return invalid(fmt.Sprintf("the document cannot be read: %v", readErr), "ask the sender for another copy")
	}
	r, err := d.verdict(ctx, content, c.Packs)
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		return store.Problem{}
	case errors.Is(err, rulepack.ErrNotFound): // our own fault, and none of the document
		return store.Problem{Code: "NO_PACK", Text: "the document was not checked: " + err.Error(), Remedy: "add the pack, or mend checkPacks"}
	case err != nil:
		return invalid("the document cannot be judged: "+err.Error(), "ask the sender for a sound document")
	case r.Valid:
		return store.Problem{}
	}
	return invalid(breaks(r), "tell the sender, for example by an invoice response: "+remedy(r))
}

// refuses reports whether a message is not delivered for what its document breaks.
func (d *Domain) refuses(m *store.Message) bool {
	c := d.checksFor(m.Sender)
	return m.Error.Code == VersionPhasedOut || m.Error.Code == InvalidDocument && c.Incoming == "refuse" || m.Error.Code == NotAsOrdered && c.Match == "refuse"
}

// receiptFirst reports whether the network wants a receipt for a message whose content is refused: in Peppol the sender
// learns of that by a message level status [MLS 3].
func (d *Domain) receiptFirst() bool { return d.settings().Profile == "peppol" }

// refusal says why a message that has its receipt is not delivered; nil for one that is. It is found out anew, since
// what an earlier attempt to deliver came to may stand at the message. found is how an invoice differs from its order.
func (d *Domain) refusal(ctx context.Context, m *store.Message) (_ *node.RejectedError, found *match.Result, _ error) {
	if p := d.checkVersion(customizationOf(m.Action)); p.Code == VersionPhasedOut {
		return &node.RejectedError{Problem: p}, nil, nil
	}
	c := d.checksFor(m.Sender)
	if c.Incoming != "refuse" && c.Match != "refuse" || len(m.Payloads) == 0 {
		return nil, nil, nil
	}
	_, content, err := d.stored(ctx, m)
	if err != nil && !unreadable(err) {
		return nil, nil, err
	}
	p := store.Problem{}
	if c.Incoming == "refuse" {
		p = d.checkIncoming(ctx, m.Sender, content, err)
	}
	if p.Code != InvalidDocument && c.Match == "refuse" && err == nil {
		if p, found, err = d.checkMatch(ctx, content.doc, m.Sender, m.Receiver); err != nil {
			return nil, nil, err
		}
	}
	if p.Code != InvalidDocument && p.Code != NotAsOrdered {
		return nil, nil, nil
	}
	return &node.RejectedError{Problem: p}, found, nil
}

// content reads what an envelope holds: a business document, without what is attached to it, or a container of dossiers.
func (d *Domain) content(m *sbdh.Message) (*carried, error) {
	most := int64(d.settings().MaxDocument)
	if m.Instance.MIME == vcd.MediaType {
		octets, err := io.ReadAll(io.LimitReader(m.Payload, most+1))
		switch {
		case err != nil:
			return nil, err
		case int64(len(octets)) > most:
			return nil, edocument.ErrSize
		}
		return read(octets, dom.Limits{Bytes: int(most)})
	}
	octets, err := edocument.ReadLean(m.Payload, most, most)
	if err != nil {
		return nil, err
	}
	doc, err := dom.Parse(octets, dom.Limits{Bytes: int(most)})
	return &carried{doc: doc}, err
}

// stored reads what a stored message carries, with its envelope, which there is too where the content is unreadable.
func (d *Domain) stored(ctx context.Context, m *store.Message) (*sbdh.Message, *carried, error) {
	body, err := d.n.OpenDocument(ctx, &m.Payloads[0])
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	envelope, err := sbdh.Read(body, sbdh.Limits{})
	if err != nil {
		return nil, nil, err
	}
	c, err := d.content(envelope)
	return envelope, c, err
}

// unreadable reports whether the document itself is why it could not be read.
func unreadable(err error) bool {
	var broken *dom.Error
	return errors.Is(err, edocument.ErrSize) || errors.Is(err, errContainer) || errors.As(err, &broken)
}

func invalid(text, remedy string) store.Problem {
	return store.Problem{Code: InvalidDocument, Text: text, Remedy: remedy}
}

// breaks names the rules that make a document invalid, each with the first line that breaks it, and explains the first.
func breaks(r *edocument.Report) string {
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
				ids = append(ids, fmt.Sprintf("%s (%s)", f.ID, place(&f)))
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

// place is the line of a finding, or of one in a container the entry.
func place(f *edocument.Finding) string {
	if f.Line == 0 {
		return f.Location
	}
	return fmt.Sprintf("line %d", f.Line)
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
