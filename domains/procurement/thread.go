package procurement

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/edocument/match"
	"github.com/viadukt-eu/viadukt/edocument/response"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/thread"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// NotAsOrdered is the code of an invoice that differs from what was ordered or delivered.
const NotAsOrdered = "NOT_AS_ORDERED"

// Documents of one process are found by labels of their messages: each is labelled with what it is and with what it refers
// to. Numbers are unique between two participants only, so that both go into the label.
const (
	labelSelf      = "doc:"
	labelAbout     = "ref:"
	labelProcedure = "folder:"
	labelEnvelope  = "envelope:"
)

func label(kind string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return fmt.Sprintf("%s%x", kind, sum[:16])
}

// pair names two participants, whichever sends.
func pair(a, b string) string {
	if a, b = strings.ToLower(a), strings.ToLower(b); b < a {
		a, b = b, a
	}
	return a + "\n" + b
}

// bonds are the labels of one document.
type bonds struct {
	self, about []string
	procedure   string // "" where it names none
}

func bondsOf(root dom.Node, sender, receiver string) bonds {
	p, between := edocument.ProcessOf(root), pair(sender, receiver)
	var b bonds
	for _, r := range p.Self {
		b.self = append(b.self, label("", string(r.Subject), between, r.Number))
	}
	for _, r := range p.About {
		if r.Subject == edocument.SubjectProcedure {
			p.Procedure = cmp.Or(p.Procedure, r.Number)
			continue
		}
		b.about = append(b.about, label("", string(r.Subject), between, r.Number))
	}
	if p.Procedure != "" {
		b.procedure = label("", p.Procedure)
	}
	return b
}

// labels are those of a message with the document of an envelope.
func (b bonds) labels(instance string) []string {
	out := []string{label(labelEnvelope, instance)}
	for _, s := range b.self {
		out = append(out, labelSelf+s)
	}
	for _, s := range b.about {
		out = append(out, labelAbout+s)
	}
	if b.procedure != "" {
		out = append(out, labelProcedure+b.procedure)
	}
	return out
}

// mostDocuments bounds a thread.
const mostDocuments = 100

// member is one document of a thread.
type member struct {
	m    *store.Message
	doc  *dom.Document
	bond bonds
	up   bool // was looked for what it refers to
	down bool // was looked for what refers to it
}

// gatherer follows references through the store.
type gatherer struct {
	d       *Domain
	members map[int64]*member
	partial bool
}

// find adds the messages with a label, and returns all of them that are members.
func (g *gatherer) find(ctx context.Context, label string) (out []*member, err error) {
	list, err := g.d.n.Store.Labelled(ctx, label, mostDocuments+1)
	if err != nil {
		return nil, err
	}
	if len(list) > mostDocuments {
		list, g.partial = list[:mostDocuments], true
	}
	for _, id := range list {
		if e := g.members[id]; e != nil {
			out = append(out, e)
			continue
		}
		if len(g.members) >= mostDocuments {
			g.partial = true
			break
		}
		m, err := g.d.n.Store.Message(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		e, err := g.open(ctx, m)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// open reads the document of a message. One whose payload was deleted stays a member without a document.
func (g *gatherer) open(ctx context.Context, m *store.Message) (*member, error) {
	e := &member{m: m}
	if len(m.Payloads) > 0 && !m.Payloads[0].Gone {
		_, c, err := g.d.stored(ctx, m)
		switch {
		case err == nil:
			e.doc, e.bond = c.doc, bondsOf(c.doc.Root(), m.Sender, m.Receiver)
		case !unreadable(err) && !errors.Is(err, store.ErrGone):
			return nil, err
		}
	}
	g.members[m.ID] = e
	return e, nil
}

// above follows what a document refers to, and what that refers to.
func (g *gatherer) above(ctx context.Context, e *member) error {
	if e.up {
		return nil
	}
	e.up = true
	for _, l := range e.bond.about {
		list, err := g.find(ctx, labelSelf+l)
		if err != nil {
			return err
		}
		for _, a := range list {
			if err := g.above(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// below follows what refers to a document, and what refers to that.
func (g *gatherer) below(ctx context.Context, e *member) error {
	if e.down {
		return nil
	}
	e.down = true
	for _, l := range e.bond.self {
		list, err := g.find(ctx, labelAbout+l)
		if err != nil {
			return err
		}
		for _, a := range list {
			if err := g.below(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// thread gathers what belongs to a document: what it refers to, all that refers to that, and the procedure. What refers to a
// catalogue is another process, unless the catalogue itself is asked about.
func (g *gatherer) thread(ctx context.Context, start *member) error {
	if err := g.above(ctx, start); err != nil {
		return err
	}
	for _, e := range g.ordered() {
		if e.doc != nil && e.doc.Root().Local() == "Catalogue" && e != start {
			continue
		}
		if err := g.below(ctx, e); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, e := range g.ordered() {
		if p := e.bond.procedure; p != "" && !seen[p] {
			seen[p] = true
			if _, err := g.find(ctx, labelProcedure+p); err != nil {
				return err
			}
		}
	}
	return nil
}

// ordered are the members in the order in which the node got them.
func (g *gatherer) ordered() []*member {
	out := make([]*member, 0, len(g.members))
	for _, e := range g.members {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *member) int { return cmp.Compare(a.m.ID, b.m.ID) })
	return out
}

// Thread implements [node.Threader].
func (d *Domain) Thread(ctx context.Context, m *store.Message) (*thread.Thread, error) {
	g := &gatherer{d: d, members: map[int64]*member{}}
	start, err := g.open(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := g.thread(ctx, start); err != nil {
		return nil, err
	}
	t := &thread.Thread{Partial: g.partial}
	list := g.ordered()
	names := map[string]string{} // by label
	for _, e := range list {
		for _, l := range e.bond.self {
			names[l] = nameOf(e.doc.Root())
		}
	}
	var before []*dom.Document
	for _, e := range list {
		doc := describe(e)
		for _, l := range e.bond.about {
			if name := names[l]; name != "" {
				doc.About = append(doc.About, name)
			}
		}
		if e.doc != nil {
			if i, err := invoice.Read(e.doc); err == nil {
				if len(list) > 1 || d.matches(m.Sender) != "off" {
					doc.Findings = match.Invoice(i, before).Findings
				}
			}
			if !e.m.State.Dead() {
				before = append(before, e.doc)
			}
		}
		t.Documents = append(t.Documents, doc)
	}
	return t, nil
}

func typeName(root dom.Node) string {
	if t := edocument.RecogniseType(root); t != nil {
		return t.Name
	}
	return root.Local()
}

func nameOf(root dom.Node) string { return strings.TrimSpace(typeName(root) + " " + text(root, "ID")) }

func describe(e *member) thread.Document {
	t := thread.Document{Message: e.m, From: e.m.Sender, To: e.m.Receiver}
	if e.doc == nil {
		return t
	}
	root := e.doc.Root()
	t.Type, t.Number, t.Issued = typeName(root), text(root, "ID"), text(root, "IssueDate")
	from, to := response.Parties(root)
	t.From, t.To = cmp.Or(from.Name, t.From), cmp.Or(to.Name, t.To)
	if r, err := response.Read(e.doc); err == nil {
		t.Says = r.Summary()
	} else if code := text(root, "OrderResponseCode"); code != "" {
		t.Says = response.Code(code).String()
	}
	for _, total := range []string{"LegalMonetaryTotal", "AnticipatedMonetaryTotal"} {
		if a := root.Child(nsCAC, total).Child(nsCBC, "PayableAmount"); a.Valid() {
			t.Amount = strings.TrimSpace(a.TrimmedText() + " " + a.Attr("currencyID"))
		}
	}
	return t
}

// matches says what happens to an invoice of a sender that is not as ordered.
func (d *Domain) matches(sender string) string { return d.checksFor(sender).Match }

// matchInvoice holds an invoice that arrives against the order and the other documents of its process that are here; nil for
// what is no invoice.
func (d *Domain) matchInvoice(ctx context.Context, doc *dom.Document, sender, receiver string) (*match.Result, error) {
	i, err := invoice.Read(doc)
	if err != nil {
		return nil, nil
	}
	g := &gatherer{d: d, members: map[int64]*member{}}
	start := &member{m: &store.Message{}, doc: doc, bond: bondsOf(doc.Root(), sender, receiver)}
	if err := g.thread(ctx, start); err != nil {
		return nil, err
	}
	var with []*dom.Document
	for _, e := range g.ordered() {
		if e.doc != nil && !e.m.State.Dead() {
			with = append(with, e.doc)
		}
	}
	return match.Invoice(i, with), nil
}

// checkMatch says how an invoice that arrives differs from what was ordered, where the configuration asks.
func (d *Domain) checkMatch(ctx context.Context, doc *dom.Document, sender, receiver string) (store.Problem, *match.Result, error) {
	if d.matches(sender) == "off" {
		return store.Problem{}, nil, nil
	}
	r, err := d.matchInvoice(ctx, doc, sender, receiver)
	if err != nil || r == nil || r.Agrees() {
		return store.Problem{}, r, err
	}
	return notAsOrdered(r), r, nil
}

func notAsOrdered(r *match.Result) store.Problem {
	const most = 5
	var said []string
	n := r.Suppressed
	remedy := ""
	for _, f := range r.Findings {
		if !f.Severity.Refuses() {
			continue
		}
		if n++; len(said) < most {
			said = append(said, fmt.Sprintf("%s (line %d): %s", f.ID, f.Line, f.Text))
		}
		remedy = cmp.Or(remedy, f.Remedy)
	}
	more := ""
	if n > len(said) {
		more = fmt.Sprintf(" And %d more.", n-len(said))
	}
	return store.Problem{Code: NotAsOrdered, Text: strings.Join(said, " ") + more, Remedy: remedy}
}

// conversation is that of the newest document here that a document refers to, so that a process is one conversation; ""
// where there is none.
func (d *Domain) conversation(ctx context.Context, b bonds) (string, error) {
	for _, l := range b.about {
		list, err := d.n.Store.Labelled(ctx, labelSelf+l, 1)
		if err != nil {
			return "", err
		}
		for _, id := range list {
			m, err := d.n.Store.Message(ctx, id)
			if err == nil && m.ConversationID != "" {
				return m.ConversationID, nil
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return "", err
			}
		}
	}
	return "", nil
}

var _ node.Threader = (*Domain)(nil)
