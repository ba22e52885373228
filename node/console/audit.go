package console

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Audit is the node's log of evidence.
type Audit interface {
	// Entries returns up to limit entries below an index, newest first, and how many there are; before 0 is the end.
	Entries(ctx context.Context, before int64, limit int) (list []AuditEntry, size int64, err error)
	// EntriesOf returns the entries about one message, oldest first.
	EntriesOf(ctx context.Context, message int64) ([]AuditEntry, error)
	// Head is the newest signed head.
	Head(ctx context.Context) (*audit.Head, error)
	// Stamped is the newest time-stamped head; nil where heads are not time-stamped.
	Stamped(ctx context.Context) (*Stamped, error)
	// WriteCase writes a message with all of its evidence as a file that can be checked without the node.
	WriteCase(ctx context.Context, w io.Writer, message int64, documents bool) error
}

// Stamped is a head that an authority outside time-stamped.
type Stamped struct {
	Size      int64     // entries that it is over; 0: none was time-stamped yet
	Time      time.Time // of the first time-stamp
	Authority string
	Failing   time.Time // since when no authority answers; zero: one does
}

// AuditEntry is one entry with its place.
type AuditEntry struct {
	Index int64
	*audit.Entry
}

// auditTypes are those that have a text.
var auditTypes = []audit.Type{
	audit.MessageAccepted, audit.MessageReceived, audit.ReceiptSent, audit.ReceiptReceived, audit.ErrorReceived, audit.ErrorSent, audit.ErrorsSent,
	audit.StateChanged, audit.EvidenceAdded, audit.PayloadsDeleted, audit.MessageDeleted, audit.Participant, audit.Token, audit.User,
	audit.Administration, audit.Alert, audit.NodeStarted,
}

type auditData struct {
	Rows    []AuditEntry
	Size    int64
	Before  int64 // of this page; 0: the newest
	Next    int64 // Before of the next page; 0: none
	Message int64 // whose entries are shown; 0: all
	Head    *audit.Head
	Stamped *Stamped
	Root    string
	Log     string
}

func (c *Console) auditPage(x *call) error {
	if c.opt.Audit == nil {
		return errNotFound
	}
	q, ctx := x.r.URL.Query(), x.r.Context()
	d := &auditData{}
	d.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	d.Message, _ = strconv.ParseInt(q.Get("message"), 10, 64)
	var err error
	if d.Message > 0 {
		d.Rows, err = c.opt.Audit.EntriesOf(ctx, d.Message)
	} else {
		d.Before = max(d.Before, 0)
		if d.Rows, d.Size, err = c.opt.Audit.Entries(ctx, d.Before, pageSize); err == nil && len(d.Rows) > 0 {
			d.Next = d.Rows[len(d.Rows)-1].Index
		}
	}
	if err != nil {
		return err
	}
	d.Head, err = c.opt.Audit.Head(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if d.Stamped, err = c.opt.Audit.Stamped(ctx); err != nil {
		return err
	}
	if d.Head != nil {
		d.Root, d.Log = hex.EncodeToString(d.Head.Root[:]), hex.EncodeToString(d.Head.Log[:])
	}
	return x.show(http.StatusOK, "audit", view{Title: "nav.audit", Data: d})
}

// caseFile gives a message with its evidence. Documents go to those who may open them.
func (c *Console) caseFile(x *call) error {
	id, err := x.row()
	if err != nil || c.opt.Audit == nil {
		return errNotFound
	}
	documents := x.role().May(Operator)
	out := &lateDownload{w: x.w, name: fmt.Sprintf("case-%d.zip", id)}
	err = c.opt.Audit.WriteCase(x.r.Context(), out, id, documents)
	if err != nil && out.begun {
		panic(http.ErrAbortHandler) // half a file must not be taken for whole
	}
	if err == nil {
		x.act("case.read", strconv.FormatInt(id, 10))
	}
	return err
}

// lateDownload sends its headers with the first octet: until then an error can still be shown.
type lateDownload struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (l *lateDownload) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/zip")
		l.w.Header().Set("Content-Disposition", attachment(l.name))
	}
	return l.w.Write(b)
}
