package ebms

import (
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// compared leaves out what differs between two documents that say the same.
var compared = cmp.Options{
	cmp.Comparer(func(a, b dom.Node) bool { return true }),
	cmpopts.IgnoreFields(Messaging{}, "ID", "Role", "Order", "Deviations"),
	cmpopts.IgnoreFields(NRReference{}, "Raw"),
	cmpopts.IgnoreFields(Receipt{}, "Children"),
	cmpopts.IgnoreFields(Error{}, "Category", "Origin", "ShortDescription", "Description", "Lang", "Detail", "RefToMessageInError"),
	cmpopts.EquateEmpty(),
}

// equalMessaging compares all that the two say; eb:Timestamp is written in milliseconds, error texts are shortened.
func equalMessaging(t interface {
	Helper()
	Errorf(string, ...any)
}, want, got *Messaging) {
	t.Helper()
	if d := cmp.Diff(normal(want), normal(got), compared); d != "" {
		t.Errorf("written and read again (-want +got):\n%s", d)
	}
}

func normal(m *Messaging) *Messaging {
	c := &Messaging{}
	for _, u := range m.UserMessages {
		c.UserMessages = append(c.UserMessages, normalUser(u))
	}
	for _, s := range m.Signals {
		x := *s
		x.Timestamp = x.Timestamp.Truncate(1e6)
		if s.Receipt != nil {
			r := *s.Receipt
			x.Receipt = &r
			if len(r.References) != 0 {
				x.Receipt.UserMessage = nil // only one of the two is written
			} else if r.UserMessage != nil {
				x.Receipt.UserMessage = normalUser(r.UserMessage)
			}
		}
		c.Signals = append(c.Signals, &x)
	}
	return c
}

func normalUser(u *UserMessage) *UserMessage {
	x := *u
	x.Timestamp = x.Timestamp.Truncate(1e6)
	x.Parts = append([]PartInfo(nil), u.Parts...)
	for i := range x.Parts {
		switch p := &x.Parts[i]; {
		case p.Description == "":
			p.Lang = ""
		case p.Lang == "":
			p.Lang = "en" // the schema requires one, so it is written
		}
	}
	return &x
}
