package node

import (
	"context"
	"errors"
	"io"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
)

// evidenceLog is the log of evidence for the console.
type evidenceLog struct{ *Node }

func (n evidenceLog) Entries(ctx context.Context, before int64, limit int) ([]console.AuditEntry, int64, error) {
	size, _, err := n.Store.LogState(ctx)
	if err != nil {
		return nil, 0, err
	}
	if before <= 0 || before > size {
		before = size
	}
	from := max(0, before-int64(limit))
	list, err := n.Store.LogEntries(ctx, from, int(before-from))
	if err != nil {
		return nil, 0, err
	}
	out, err := parseEntries(list)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, size, err
}

func (n evidenceLog) EntriesOf(ctx context.Context, message int64) ([]console.AuditEntry, error) {
	list, err := n.Store.LogOf(ctx, message)
	if err != nil {
		return nil, err
	}
	return parseEntries(list)
}

func parseEntries(list []store.LogEntry) (out []console.AuditEntry, err error) {
	for _, e := range list {
		entry, err := audit.Parse(e.Octets)
		if err != nil {
			return nil, err
		}
		out = append(out, console.AuditEntry{Index: e.Index, Entry: entry})
	}
	return out, nil
}

func (n evidenceLog) Head(ctx context.Context) (*audit.Head, error) { return n.Evidence.Head(ctx, 0) }

func (n evidenceLog) Stamped(ctx context.Context) (*console.Stamped, error) {
	if !n.Evidence.Stamped() {
		return nil, nil
	}
	out := &console.Stamped{Failing: n.Evidence.StampState().Failing}
	j, err := n.stampedHead(ctx, 0)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.Size, out.Time, out.Authority = j.Head.Size, j.Time, j.Authority
	return out, nil
}

func (n evidenceLog) WriteCase(ctx context.Context, w io.Writer, message int64, documents bool) error {
	o := n.caseOptions()
	if !documents {
		o.MaxPayloads = -1
	}
	return n.Evidence.WriteCase(ctx, w, n.Store, message, o)
}

// recorded are the acts that change something in the store, which records them by itself.
var recorded = map[string]bool{
	"message.resend": true, "message.confirm": true, "participant.add": true, "participant.remove": true, "password.change": true,
	"factor.add": true, "factor.remove": true, "user.add": true, "pmode.import": true, "partner.trust": true, "user.role": true, "user.reset": true, "user.remove": true,
	"message.send": true, "message.reply": true, "token.add": true, "token.remove": true, "truststore.put": true, "truststore.remove": true, "agreements.reload": true,
}

// recordAct enters an act into the log of evidence.
func (n *Node) recordAct(ctx context.Context, a console.Act) {
	if recorded[a.What] {
		return
	}
	n.recordBy(ctx, console.Actor(a.User), a.What, a.Subject)
}
