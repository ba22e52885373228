package node

import (
	"context"
	"time"

	"github.com/viadukt-eu/viadukt/node/console"
)

// trustView is whom the node trusts, for the console.
type trustView struct{ *Node }

// Lists implements console.Trust.
func (n trustView) Lists(language string) (out []console.TrustedList, asked time.Time) {
	j := n.trustListsJSON()
	for _, l := range j.Lists {
		x := console.TrustedList{Territory: l.Territory, Operator: l.Operator, URL: l.URL, ListOfLists: l.ListOfLists, State: l.State, Sequence: l.Sequence, Signer: l.Signer, Detail: l.Error}
		for _, t := range []struct{ to, from *time.Time }{{&x.Next, l.Next}, {&x.Fetched, l.Fetched}, {&x.SignersChanged, l.SignersChanged}} {
			if t.from != nil {
				*t.to = *t.from
			}
		}
		if l.Code != "" {
			a := listAlert(l.Code, hostOrFile(l.URL), x.Next)
			x.Problem, x.Remedy = a.Say(language), a.Remedy(language)
		}
		out = append(out, x)
	}
	if j.Refreshed != nil {
		asked = *j.Refreshed
	}
	return out, asked
}

// Anchors implements console.Trust.
func (n trustView) Anchors(ctx context.Context, purpose, from string, at, limit int) (out []console.Anchor, total int, err error) {
	page, err := n.findAnchors(ctx, anchorQuery{purpose, from, at, limit})
	if err != nil {
		return nil, 0, err
	}
	for _, a := range page.Anchors {
		x := console.Anchor{Subject: a.Subject, Fingerprint: a.Fingerprint, Purposes: a.Purposes, Qualified: a.Qualified, From: a.From, Of: a.Of, State: a.State}
		if a.Until != nil {
			x.Until = *a.Until
		}
		out = append(out, x)
	}
	return out, page.Total, nil
}
