package audit

import (
	"sync/atomic"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Recorder writes entries for what happens in a store. Its policy may be changed at any time.
type Recorder struct {
	policy atomic.Pointer[Policy]
	entry  Entry // used again: the store calls Record from one goroutine at a time
}

// NewRecorder makes a recorder with a policy.
func NewRecorder(p *Policy) *Recorder {
	r := &Recorder{}
	r.policy.Store(p)
	return r
}

// SetPolicy changes the policy for what happens from now on.
func (r *Recorder) SetPolicy(p *Policy) { r.policy.Store(p) }

// Policy is the policy in force.
func (r *Recorder) Policy() *Policy { return r.policy.Load() }

// Record implements store.Recorder.
func (r *Recorder) Record(dst []byte, h *store.Happening) []byte {
	e := &r.entry
	*e = Entry{Time: h.Time, Actor: h.Actor, Detail: h.Detail, Subject: h.Subject, Objects: e.Objects[:0]}
	switch h.What {
	case store.OfMessage, store.PayloadsGone, store.MessageGone:
		if h.MessageID == "" {
			return dst // the function went on after an error: nothing happened
		}
		r.message(e, h)
	case store.OfDirectory:
		e.Type, e.Objects = Participant, append(e.Objects, h.Objects...)
	case store.OfToken:
		e.Type = Token
	case store.OfUser:
		e.Type = User
	}
	return e.Append(dst)
}

// message fills in what is told of a message, as far as the policy wants it recorded.
func (r *Recorder) message(e *Entry, h *store.Happening) {
	e.Message, e.Direction, e.MessageID, e.Domain, e.PMode = h.ID, h.Direction, h.MessageID, h.Domain, h.PMode
	e.From, e.To, e.Service, e.Action, e.Attempt, e.Code = h.From, h.To, h.Service, h.Action, h.Attempt, h.Code
	e.State = h.State.String()
	if h.Before != 0 {
		e.Before = h.Before.String()
	}
	facts := Facts{h.Direction, h.Domain, h.Service, h.Action, e.State}
	switch h.What {
	case store.PayloadsGone:
		e.Type, e.Before, facts.Outcome = PayloadsDeleted, "", string(PayloadsDeleted)
	case store.MessageGone:
		e.Type, e.Before, facts.Outcome = MessageDeleted, "", string(MessageDeleted)
	default:
		e.Type = typeOf(h)
	}
	d := r.policy.Load().Decide(&facts)
	e.Rule, e.Creates = d.Rule, d.text
	for i := range h.Objects {
		// What was deleted is named whatever the policy says: the note is all that is left.
		if o := &h.Objects[i]; h.What != store.OfMessage || d.records(o.Kind) {
			e.Objects = append(e.Objects, *o)
		}
	}
}

func typeOf(h *store.Happening) Type {
	in := h.Direction == store.In
	for i := range h.Objects {
		switch k := store.Kind(h.Objects[i].Kind); {
		case k == store.KindReceipt && in:
			return ReceiptSent
		case k == store.KindReceipt:
			return ReceiptReceived
		case k == store.KindError && in:
			return ErrorSent
		case k == store.KindError:
			return ErrorReceived
		}
	}
	switch {
	case h.Before == 0 && in:
		return MessageReceived
	case h.Before == 0:
		return MessageAccepted
	case h.Before == h.State && len(h.Objects) > 0:
		return EvidenceAdded
	}
	return StateChanged
}

// records says whether the hash of an object enters the log.
func (d *Decision) records(kind string) bool {
	switch kind {
	case "header":
		return d.Has(KindHeader)
	case "payload":
		return d.Has(KindPayload)
	case string(store.KindReceipt):
		return d.Has(KindReceipt)
	case string(store.KindError):
		return d.Has(KindError)
	}
	return true // what else was kept was kept because somebody wanted it
}
