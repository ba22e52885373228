package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Trust is whom the node trusts.
type Trust interface {
	// Lists says how each trusted list stands, in a language, and when they were last asked for; zero: not yet.
	Lists(language string) (lists []TrustedList, asked time.Time)
	// Anchors returns up to limit certificates for a purpose and from a place, "" for all, and how many there are.
	Anchors(ctx context.Context, purpose, from string, at, limit int) (list []Anchor, total int, err error)
}

// TrustedList is how a list stands.
type TrustedList struct {
	Territory, Operator, URL string
	ListOfLists              bool
	State                    string // one of TrustedListStates
	Sequence                 uint64 // 0: none counts
	Next, Fetched            time.Time
	Signer                   string
	SignersChanged           time.Time // zero: they did not
	Problem, Remedy          string    // in words; "" where nothing is wrong
	Detail                   string    // of the problem, in English
}

// TrustedListStates are those that a list may be in.
var TrustedListStates = []string{"current", "kept", "missing"}

// Anchor is a certificate that is trusted.
type Anchor struct {
	Subject, Fingerprint string
	Purposes             []string // of AnchorPurposes
	Qualified            bool
	From                 string // one of AnchorSources
	Of                   string // the file, the partner, the name in the store, or the list
	Until                time.Time
	State                string // one of AnchorStates
}

// What anchors are for, where they come from, and whether they count now.
var (
	AnchorPurposes = []string{"access-point", "smp", "tls", "tls-client", "document", "time", "list-signer", "revocation", "token", "evidence"}
	AnchorSources  = []string{"configuration", "partner", "store", "list"}
	AnchorStates   = []string{"valid", "ended", "not-yet"}
)

type trustData struct {
	Lists   []TrustedList
	Asked   time.Time
	Follows bool // trusted lists are followed
	Anchors []Anchor
	Total   int
	Purpose string
	From    string
	Next    string // query of the next page; "": none
	First   string // of the first one; "": this is it
}

// trustPage is the one view of trust: each anchor with its purposes, from where, until when; and how the trusted lists stand.
func (c *Console) trustPage(x *call) error {
	if c.opt.Trust == nil {
		return errNotFound
	}
	q := x.r.URL.Query()
	d := &trustData{Purpose: clip(q.Get("purpose"), 40), From: clip(q.Get("from"), 40)}
	at, err := strconv.Atoi(q.Get("at"))
	if err != nil || at < 0 {
		at = 0
	}
	if d.Anchors, d.Total, err = c.opt.Trust.Anchors(x.r.Context(), d.Purpose, d.From, at, pageSize); err != nil {
		return err
	}
	d.Lists, d.Asked = c.opt.Trust.Lists(x.look.Language)
	d.Follows = len(d.Lists) > 0 && c.opt.RefreshTrustLists != nil
	page := func(at int) string {
		v := url.Values{"purpose": {d.Purpose}, "from": {d.From}}
		if at > 0 {
			v.Set("at", strconv.Itoa(at))
		}
		return v.Encode()
	}
	if at+len(d.Anchors) < d.Total {
		d.Next = page(at + len(d.Anchors))
	}
	if at > 0 {
		d.First = page(0)
	}
	return x.show(http.StatusOK, "trust", view{Title: "nav.trust", Data: d})
}
