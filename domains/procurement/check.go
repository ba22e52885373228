package procurement

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// InvalidDocument is the code of a document that breaks business rules: the sender is refused with it, and a message
// that brought such a document is marked with it.
const InvalidDocument = "INVALID_DOCUMENT"

// checkOutgoing refuses a document with fatal findings. What no rules are known for passes.
func (d *Domain) checkOutgoing(doc *dom.Document) error {
	if d.settings.Outgoing == "off" {
		return nil
	}
	r, err := d.judge.Validate(doc)
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		return nil
	case err != nil:
		return &node.RefusedError{Code: InvalidDocument, Text: "the document cannot be judged: " + err.Error(), Remedy: "send a document that has each part as often as its standard says", Err: err}
	case r.Valid:
		return nil
	}
	return &node.RefusedError{Code: InvalidDocument, Text: broken(r), Remedy: remedy(r)}
}

// checkIncoming says what a document that arrives breaks. It is delivered all the same: the receiver answers for the
// business, and the sender has proof that the document arrived.
func (d *Domain) checkIncoming(m *sbdh.Message) store.Problem {
	if d.settings.Incoming == "off" || m.Instance.Local != "Invoice" && m.Instance.Local != "CreditNote" {
		return store.Problem{}
	}
	octets, err := io.ReadAll(io.LimitReader(m.Payload, int64(d.settings.MaxDocument)+1))
	if err != nil {
		return invalid(fmt.Sprintf("the document cannot be read: %v", err), "ask the sender for another copy")
	}
	if len(octets) > int(d.settings.MaxDocument) {
		return invalid(fmt.Sprintf("the document is larger than %s and was not checked", d.settings.MaxDocument), "check it with viadukt validate")
	}
	doc, err := dom.Parse(octets, dom.Limits{Bytes: int(d.settings.MaxDocument)})
	if err != nil {
		return invalid(err.Error(), "ask the sender for a well-formed document")
	}
	r, err := d.judge.Validate(doc)
	switch {
	case errors.Is(err, edocument.ErrUnknownType):
		return store.Problem{}
	case err != nil:
		return invalid("the document cannot be judged: "+err.Error(), "ask the sender for a sound document")
	case r.Valid:
		return store.Problem{}
	}
	return invalid(broken(r), "tell the sender, for example by an invoice response: "+remedy(r))
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
