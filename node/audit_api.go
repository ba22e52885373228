package node

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/ers"
)

// evidenceTable lists the calls that prove what happened.
func (a api) evidenceTable() []route {
	messages := []string{scopeMessages}
	return []route{
		{Method: "GET", Path: "/api/v1/messages/{id}/proof", Summary: "The log's entries about a message, each with its path to a signed head of the log. A deleted message is named by its row", Scopes: messages, Status: http.StatusOK, Answer: ProofJSON{}, handler: a.proof},
		{Method: "GET", Path: "/api/v1/messages/{id}/case", Summary: "Everything that proves what became of a message, as one zip file that is checked offline", Scopes: messages, Status: http.StatusOK, Media: "application/zip", handler: a.caseFile,
			Query: []queryParam{textParam("payloads", "all, none, or the most octets of all payloads together. Default 268435456.")}},
		{Method: "GET", Path: "/api/v1/log/head", Summary: "The newest signed head of the log", Scopes: messages, Status: http.StatusOK, Answer: HeadJSON{}, handler: a.logHead,
			Query: []queryParam{textParam("fresh", "When present: sign what was added since.")}},
		{Method: "GET", Path: "/api/v1/log/timestamp", Summary: "A signed head of the log that an authority outside time-stamped, with the evidence record over it", Scopes: messages, Status: http.StatusOK, Answer: LogStampJSON{}, handler: a.logStamp,
			Query: []queryParam{{Name: "size", Doc: "The first that covers this many entries. Default: the newest.", Schema: int64(0)}}},
		{Method: "GET", Path: "/api/v1/log/consistency", Summary: "Proof that the log of one size begins with that of another", Scopes: messages, Status: http.StatusOK, Answer: ConsistencyJSON{}, handler: a.logConsistency,
			Query: []queryParam{{Name: "from", Doc: "Number of entries of the earlier log.", Schema: int64(0)}, {Name: "to", Doc: "Number of entries of the later one. Default: that of the newest head.", Schema: int64(0)}}},
	}
}

// HeadJSON is a signed head of the log. Octets is the signed text, whose last lines name certificate and algorithm.
type HeadJSON struct {
	Log         string    `json:"log"`
	Size        int64     `json:"size"`
	Root        string    `json:"root"`
	Time        time.Time `json:"time"`
	Certificate string    `json:"certificate"` // its SHA-256
	Octets      string    `json:"octets"`
}

// LogStampJSON is a time-stamped head.
type LogStampJSON struct {
	Head      HeadJSON   `json:"head"`
	Time      time.Time  `json:"time" doc:"When the log was so, by the first time-stamp."`
	Authority string     `json:"authority" doc:"Who time-stamped it first."`
	Stamps    int        `json:"timeStamps" doc:"Time-stamps in the record; more than one after it was renewed."`
	Due       time.Time  `json:"due" doc:"When it is to be renewed."`
	Record    string     `json:"record" doc:"Evidence record of RFC 4998 over the octets of the head, in base64."`
	Failing   *time.Time `json:"failing,omitempty" doc:"Since when the authority cannot be had."`
}

// ProofJSON is what the log says about a message.
type ProofJSON struct {
	Head    HeadJSON         `json:"head"`
	Entries []ProofEntryJSON `json:"entries"`
}

// ProofEntryJSON is one entry with its path: hashes in hexadecimal, from the leaf to the root.
type ProofEntryJSON struct {
	Index  int64     `json:"index"`
	Type   string    `json:"type"`
	Time   time.Time `json:"time"`
	Octets string    `json:"octets"`
	Path   []string  `json:"path"`
}

// ConsistencyJSON proves that the second log begins with the first.
type ConsistencyJSON struct {
	From int64    `json:"from"`
	To   int64    `json:"to"`
	Path []string `json:"path"`
}

func headJSON(h *audit.Head) HeadJSON {
	return HeadJSON{fmt.Sprintf("%x", h.Log), h.Size, fmt.Sprintf("%x", h.Root), h.Time, fmt.Sprintf("%x", h.Certificate), string(h.Octets)}
}

func pathJSON(hashes []merkle.Hash) []string {
	out := make([]string, len(hashes))
	for i := range hashes {
		out[i] = fmt.Sprintf("%x", hashes[i])
	}
	return out
}

// row is the number of a message that is stored, or was.
func (a api) row(r *http.Request) (int64, error) {
	m, err := a.find(r)
	if err == nil {
		return m.ID, nil
	}
	if row, perr := strconv.ParseInt(r.PathValue("id"), 10, 64); perr == nil && errors.Is(err, store.ErrNotFound) {
		return row, nil
	}
	return 0, err
}

func (a api) proof(w http.ResponseWriter, r *http.Request) error {
	row, err := a.row(r)
	if err != nil {
		return err
	}
	p, err := a.n.Evidence.Of(r.Context(), row)
	if err != nil {
		return err
	}
	j := ProofJSON{Head: headJSON(p.Head), Entries: []ProofEntryJSON{}}
	for _, e := range p.Entries {
		entry, err := audit.Parse(e.Octets)
		if err != nil {
			return err
		}
		j.Entries = append(j.Entries, ProofEntryJSON{e.Index, string(entry.Type), entry.Time, string(e.Octets), pathJSON(e.Path.Hashes)})
	}
	return writeJSON(w, http.StatusOK, j)
}

func (a api) caseFile(w http.ResponseWriter, r *http.Request) error {
	row, err := a.row(r)
	if err != nil {
		return err
	}
	o := a.n.caseOptions()
	switch s := r.URL.Query().Get("payloads"); s {
	case "":
	case "all":
		o.MaxPayloads = 1 << 40
	case "none":
		o.MaxPayloads = -1
	default:
		if o.MaxPayloads, err = strconv.ParseInt(s, 10, 64); err != nil || o.MaxPayloads <= 0 {
			return badRequest("payloads: all, none, or a number of octets, not %.40q", s)
		}
	}
	// Headers go out with the first octet: what cannot be made is an error until then.
	out := &lateHeader{w: w, name: fmt.Sprintf("case-%d.zip", row)}
	err = a.n.Evidence.WriteCase(r.Context(), out, a.n.Store, row, o)
	if err != nil && out.begun {
		panic(http.ErrAbortHandler) // the client must not take half a file for whole
	}
	if err == nil {
		a.n.recordBy(r.Context(), store.Actor(r.Context()), "case.read", strconv.FormatInt(row, 10))
	}
	return err
}

// lateHeader writes the headers of a zip file with its first octet.
type lateHeader struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (l *lateHeader) Write(b []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/zip")
		l.w.Header().Set("X-Content-Type-Options", "nosniff")
		l.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": l.name}))
	}
	return l.w.Write(b)
}

func (a api) logHead(w http.ResponseWriter, r *http.Request) error {
	var h *audit.Head
	var err error
	if r.URL.Query().Has("fresh") {
		h, err = a.n.Evidence.Sign(r.Context())
	} else {
		h, err = a.n.Evidence.Head(r.Context(), 0)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, headJSON(h))
}

// stampedHead is the first time-stamped head that covers so many entries, or the newest.
func (n *Node) stampedHead(ctx context.Context, size int64) (*LogStampJSON, error) {
	s, err := n.Store.LogStamp(ctx, size)
	if err != nil {
		return nil, err
	}
	h, err := audit.ParseHead(s.Head)
	if err != nil {
		return nil, err
	}
	r, err := ers.Parse(s.Record)
	if err != nil {
		return nil, err
	}
	first := r.Chains[0].Stamps[0].Token
	if first == nil {
		return nil, r.Chains[0].Stamps[0].Err
	}
	j := &LogStampJSON{Head: headJSON(h), Time: first.Info.Time.UTC(), Due: s.Due, Record: base64.StdEncoding.EncodeToString(s.Record)}
	if signer := first.Verify().Certificate; signer != nil {
		j.Authority = signer.Subject.String()
	}
	for _, c := range r.Chains {
		j.Stamps += len(c.Stamps)
	}
	if at := n.Evidence.StampState().Failing; !at.IsZero() {
		j.Failing = &at
	}
	return j, nil
}

func (a api) logStamp(w http.ResponseWriter, r *http.Request) error {
	var size int64
	if s := r.URL.Query().Get("size"); s != "" {
		var err error
		if size, err = strconv.ParseInt(s, 10, 64); err != nil || size < 1 {
			return badRequest("size: a number of entries, not %.40q", s)
		}
	}
	j, err := a.n.stampedHead(r.Context(), size)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, j)
}

func (a api) logConsistency(w http.ResponseWriter, r *http.Request) error {
	size := func(name string) (int64, error) {
		s := r.URL.Query().Get(name)
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || v < 0 {
			return 0, badRequest("%s: a number of entries, not %.40q", name, s)
		}
		return v, nil
	}
	from, err := size("from")
	if err != nil {
		return err
	}
	var to int64
	if r.URL.Query().Has("to") {
		to, err = size("to")
	} else {
		var h *audit.Head
		if h, err = a.n.Evidence.Head(r.Context(), 0); err == nil {
			to = h.Size
		}
	}
	if err != nil {
		return err
	}
	p, err := a.n.Evidence.Consistency(r.Context(), from, to)
	if errors.Is(err, merkle.ErrRange) {
		return badRequest("from, to: the log has not so many entries, or from is greater than to")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, ConsistencyJSON{p.First, p.Second, pathJSON(p.Hashes)})
}
