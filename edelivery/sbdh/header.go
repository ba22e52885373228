package sbdh

import (
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// ParseHeader reads a StandardBusinessDocumentHeader element by its schema. The error is an *Error.
func ParseHeader(n dom.Node) (*Header, error) {
	if !n.Is(Namespace, "StandardBusinessDocumentHeader") {
		return nil, errorf(MissingHeader, "%s is no StandardBusinessDocumentHeader", n.QName())
	}
	h := &Header{}
	c := walk(n)
	h.Version = c.one("HeaderVersion").TrimmedText()
	h.Senders = c.partners("Sender")
	h.Receivers = c.partners("Receiver")
	h.identification(c, c.one("DocumentIdentification"))
	h.Manifest = c.optional("Manifest").Valid()
	if scope := c.optional("BusinessScope"); scope.Valid() {
		h.HasScopes = true
		in := c.into(scope)
		for s := in.optional("Scope"); s.Valid(); s = in.optional("Scope") {
			fields := in.into(s)
			h.Scopes = append(h.Scopes, Scope{
				Type:               fields.one("Type").TrimmedText(),
				InstanceIdentifier: fields.one("InstanceIdentifier").TrimmedText(),
				Identifier:         fields.optional("Identifier").TrimmedText(),
			})
			// Scope information of any kind may follow [SBDH].
		}
		in.end()
	}
	c.end()
	if *c.err != nil {
		return nil, xmlError(*c.err)
	}
	return h, nil
}

func (h *Header) identification(c *cursor, n dom.Node) {
	d := c.into(n)
	h.Standard = d.one("Standard").TrimmedText()
	h.TypeVersion = d.one("TypeVersion").TrimmedText()
	h.InstanceID = d.one("InstanceIdentifier").TrimmedText()
	h.Type = d.one("Type").TrimmedText()
	if m := d.optional("MultipleType"); m.Valid() {
		switch m.TrimmedText() {
		case "true", "1":
			h.MultipleType = "true"
		case "false", "0":
			h.MultipleType = "false"
		default:
			d.fail(m.Errorf("%q is no xs:boolean", m.TrimmedText()))
		}
	}
	created := d.one("CreationDateAndTime")
	var ok bool
	if h.Created, h.NoZone, ok = parseDateTime(created.TrimmedText()); !ok && created.Valid() {
		d.fail(created.Errorf("%q is no xs:dateTime", created.TrimmedText()))
	}
	d.end()
}

// cursor goes through the child elements of a sequence. The first error stays.
type cursor struct {
	parent, next dom.Node
	err          *error
}

func walk(n dom.Node) *cursor {
	c := &cursor{parent: n, err: new(error)}
	c.begin()
	return c
}

func (c *cursor) into(n dom.Node) *cursor {
	in := &cursor{parent: n, err: c.err}
	in.begin()
	return in
}

func (c *cursor) begin() {
	if !c.parent.Valid() {
		return
	}
	c.next = c.parent.FirstElement()
	if t := strayText(c.parent); t.Valid() {
		c.fail(t.Errorf("text between elements"))
	}
}

// strayText finds a text child that is not white space only.
func strayText(n dom.Node) dom.Node {
	for t := range n.Children() {
		if t.Kind() == dom.TextNode && t.TrimmedText() != "" {
			return t
		}
	}
	return dom.Node{}
}

func (c *cursor) fail(err error) {
	if *c.err == nil {
		*c.err = err
	}
}

func (c *cursor) optional(local string) dom.Node {
	if n := c.next; n.Valid() && n.Is(Namespace, local) {
		c.next = n.NextElement()
		return n
	}
	return dom.Node{}
}

func (c *cursor) one(local string) dom.Node {
	n := c.optional(local)
	if !n.Valid() && c.parent.Valid() {
		if c.next.Valid() {
			c.fail(c.next.Errorf("%s expected [SBDH]", local))
		} else {
			c.fail(c.parent.Errorf("%s missing [SBDH]", local))
		}
	}
	return n
}

func (c *cursor) end() {
	if c.next.Valid() {
		c.fail(c.next.Errorf("not expected here [SBDH]"))
	}
}

func (c *cursor) partners(local string) []ids.Participant {
	var all []ids.Participant
	for n := c.one(local); n.Valid(); n = c.optional(local) {
		in := c.into(n)
		id := in.one("Identifier")
		for in.optional("ContactInformation").Valid() {
		}
		in.end()
		all = append(all, ids.Participant{Scheme: strings.TrimSpace(id.Attr("Authority")), Value: id.TrimmedText()})
	}
	return all
}

// parseDateTime reads an xs:dateTime; without zone it is taken as UTC.
func parseDateTime(s string) (t time.Time, noZone, ok bool) {
	if len(s) < 19 || s[10] != 'T' || s[13] != ':' || s[16] != ':' || strings.IndexByte(s, ',') >= 0 {
		return time.Time{}, false, false
	}
	s, midnight := endOfDay(s)
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			if midnight {
				t = t.AddDate(0, 0, 1)
			}
			_, offset := t.Zone()
			return t, len(layout) == 19, offset >= -14*3600 && offset <= 14*3600
		}
	}
	return time.Time{}, false, false
}

// endOfDay turns 24:00:00, the end of a day, into its beginning.
func endOfDay(s string) (string, bool) {
	if s[11:19] != "24:00:00" {
		return s, false
	}
	return s[:11] + "00:00:00" + s[19:], true
}

// AppendHeader appends the header element, in the namespace that the surrounding element declares as default.
func (h *Header) AppendHeader(w *dom.Writer) error {
	switch {
	case len(h.Senders) == 0 || len(h.Receivers) == 0:
		return errorf(InvalidXML, "no sender or no receiver")
	case h.Created.IsZero():
		return errorf(InvalidXML, "no creation time")
	}
	version := h.Version
	if version == "" {
		version = "1.0"
	}
	w.Start("StandardBusinessDocumentHeader")
	w.Element("HeaderVersion", version)
	appendPartners(w, "Sender", h.Senders)
	appendPartners(w, "Receiver", h.Receivers)
	w.Start("DocumentIdentification")
	w.Element("Standard", h.Standard)
	w.Element("TypeVersion", h.TypeVersion)
	w.Element("InstanceIdentifier", h.InstanceID)
	w.Element("Type", h.Type)
	if h.MultipleType != "" {
		w.Element("MultipleType", h.MultipleType)
	}
	w.Element("CreationDateAndTime", h.Created.Format("2006-01-02T15:04:05.999Z07:00"))
	w.End()
	if len(h.Scopes) > 0 || h.HasScopes {
		w.Start("BusinessScope")
		for _, s := range h.Scopes {
			w.Start("Scope")
			w.Element("Type", s.Type)
			w.Element("InstanceIdentifier", s.InstanceIdentifier)
			if s.Identifier != "" {
				w.Element("Identifier", s.Identifier)
			}
			w.End()
		}
		w.End()
	}
	w.End()
	return nil
}

func appendPartners(w *dom.Writer, name string, all []ids.Participant) {
	for _, p := range all {
		w.Start(name)
		w.Element("Identifier", p.Value, "Authority", p.Scheme)
		w.End()
	}
}
