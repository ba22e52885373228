package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
)

// Purposes of anchors beside those of package pki.
const (
	purposeListSigner = "list-signer" // signs trusted lists
	purposeTLSClient  = "tls-client"  // who may connect to the node's listeners
)

// AnchorPurposes are all that an anchor may be for.
var AnchorPurposes = []string{
	string(pki.PurposeAccessPoint), string(pki.PurposeSMP), string(pki.PurposeTLS), purposeTLSClient, string(pki.PurposeDocument), string(pki.PurposeTime),
	purposeListSigner, string(pki.PurposeRevocation), string(pki.PurposeToken), string(pki.PurposeEvidence),
}

// Where an anchor comes from.
const (
	fromConfiguration = "configuration"
	fromPartner       = "partner" // a certificate that is agreed with a partner
	fromTrustStore    = "store"   // added while the node ran
	fromTrustedList   = "list"
)

// AnchorSources are all places that an anchor may come from.
var AnchorSources = []string{fromConfiguration, fromPartner, fromTrustStore, fromTrustedList}

// AnchorJSON is a certificate that the node trusts, with what for: for nothing else.
type AnchorJSON struct {
	Subject     string     `json:"subject"`
	Fingerprint string     `json:"fingerprint" doc:"SHA-256 of the certificate, in hexadecimal."`
	Purposes    []string   `json:"purposes" doc:"access-point, smp, tls, tls-client, document, time, list-signer, revocation, token, evidence."`
	Qualified   bool       `json:"qualified,omitempty" doc:"By a trusted list, its service is a qualified one."`
	From        string     `json:"from" doc:"configuration, partner, store, list."`
	Of          string     `json:"of" doc:"The file, the partner, the name in the store, or the list with its provider."`
	Since       *time.Time `json:"since,omitempty" doc:"From when it is trusted."`
	Until       *time.Time `json:"until,omitempty" doc:"When the certificate, or the trust of the list, ends."`
	State       string     `json:"state" doc:"valid, ended, not-yet."`
}

// AnchorListJSON is a page of anchors.
type AnchorListJSON struct {
	Anchors []AnchorJSON `json:"anchors"`
	Total   int          `json:"total" doc:"Anchors that the question fits."`
}

// anchors are all that the node trusts: those of its configuration, its partners, its stores and the trusted lists. What is
// signed with the node's own keys needs none.
func (n *Node) anchors(ctx context.Context) ([]AnchorJSON, error) {
	out := []AnchorJSON{}
	now := n.Clock()
	add := func(from, of string, c *pki.Certificate, since, until time.Time, purposes ...string) *AnchorJSON {
		sum := c.Fingerprint()
		a := AnchorJSON{Subject: c.Subject.String(), Fingerprint: hex.EncodeToString(sum[:]), Purposes: purposes, From: from, Of: of, State: "valid"}
		if !since.IsZero() {
			a.Since = &since
			if now.Before(since) {
				a.State = "not-yet"
			}
		}
		if !until.IsZero() {
			a.Until = &until
			if !now.Before(until) {
				a.State = "ended"
			}
		}
		out = append(out, a)
		return &out[len(out)-1]
	}
	whole := func(from, of string, c *pki.Certificate, purposes ...string) {
		add(from, of, c, c.NotBefore.UTC(), c.NotAfter.UTC(), purposes...)
	}
	file := func(f config.Path, purposes ...string) {
		if f == "" {
			return
		}
		b, err := readFile(f)
		if err != nil {
			return // trouble with files is an alert
		}
		certs, _ := parseCertificates(b)
		for _, c := range certs {
			whole(fromConfiguration, filepath.Base(string(f)), c, purposes...)
		}
	}
	for _, a := range n.trust().anchors {
		file(a.File, a.Purposes...)
	}
	live := n.live.Load()
	for _, t := range []*config.TLS{live.TLS, live.API.TLS} {
		if t != nil {
			file(t.ClientCA, purposeTLSClient)
		}
	}
	for _, s := range []TrustStore{TrustMessages, TrustTLS} {
		list, err := n.TrustEntries(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			whole(fromTrustStore, e.Alias, e.Certificate, string(s.purpose()))
		}
	}
	for _, s := range n.pmodes.Load().partners {
		var p Partner
		if config.Decode(s, &p) != nil {
			continue // the node would not have started
		}
		certs, err := PartnerCertificates(&p)
		if err != nil {
			continue
		}
		seen := map[[32]byte]bool{}
		for _, c := range certs {
			if !seen[c.Fingerprint()] {
				seen[c.Fingerprint()] = true
				whole(fromPartner, p.Name, c, string(pki.PurposeAccessPoint))
			}
		}
	}
	follows, set := n.trustLists.following.Load(), n.trustLists.current(now)
	if follows == nil || set == nil {
		return out, nil
	}
	for _, s := range follows.Sources {
		for _, f := range s.Signers {
			file(f, purposeListSigner)
		}
	}
	for _, l := range set.Lists {
		if l.Via == "" && !l.ListOfLists() {
			continue // its signers are those of the configuration
		}
		for _, c := range l.Signers {
			if from := cmp.Or(l.Via, l.URL); !slices.ContainsFunc(follows.loader.Sources, func(s trustlist.Source) bool { return s.URL == l.URL && slices.ContainsFunc(s.Signers, c.Equal) }) {
				whole(fromTrustedList, hostOrFile(from)+", "+l.Territory, c, purposeListSigner)
			}
		}
	}
	seen := map[string]bool{}
	for _, l := range set.Lists {
		for _, s := range l.Services() {
			for i := range s.Periods {
				for _, c := range s.Periods[i].Certificates {
					t := set.Anchor(c)
					of := l.Territory + ", " + s.Provider.Names.In("en")
					sum := c.Fingerprint()
					if t == nil || seen[of+string(sum[:])] {
						continue
					}
					seen[of+string(sum[:])] = true
					var purposes []string
					if t.Issues {
						purposes = append(purposes, string(pki.PurposeDocument))
					}
					if t.Issues || t.Stamps {
						purposes = append(purposes, string(pki.PurposeTime))
					}
					purposes = append(purposes, string(pki.PurposeRevocation))
					a := add(fromTrustedList, of, c, t.From.UTC(), t.Until.UTC(), purposes...)
					a.Qualified = t.Qualified
					if a.Until == nil { // the list says when it ends, not the certificate
						end := c.NotAfter.UTC()
						a.Until = &end
					}
				}
			}
		}
	}
	return out, nil
}

// anchorQuery says which anchors are asked for.
type anchorQuery struct {
	purpose, from string
	at, limit     int
}

func (n *Node) findAnchors(ctx context.Context, q anchorQuery) (AnchorListJSON, error) {
	all, err := n.anchors(ctx)
	if err != nil {
		return AnchorListJSON{}, err
	}
	all = slices.DeleteFunc(all, func(a AnchorJSON) bool {
		return q.purpose != "" && !slices.Contains(a.Purposes, q.purpose) || q.from != "" && a.From != q.from
	})
	out := AnchorListJSON{Total: len(all)}
	out.Anchors = all[min(q.at, len(all)):min(q.at+q.limit, len(all))]
	return out, nil
}

func (a api) listAnchors(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	q := anchorQuery{purpose: v.Get("purpose"), from: v.Get("from"), limit: 1000}
	if q.purpose != "" && !slices.Contains(AnchorPurposes, q.purpose) {
		return badRequest("purpose: one of %s, not %.40q", strings.Join(AnchorPurposes, ", "), q.purpose)
	}
	if q.from != "" && !slices.Contains(AnchorSources, q.from) {
		return badRequest("from: one of %s, not %.40q", strings.Join(AnchorSources, ", "), q.from)
	}
	for _, x := range []struct {
		name string
		to   *int
		most int
	}{{"at", &q.at, 1 << 20}, {"limit", &q.limit, 10_000}} {
		if s := v.Get(x.name); s != "" {
			i, err := strconv.Atoi(s)
			if err != nil || i < 0 || i > x.most {
				return badRequest("%s: a number up to %d, not %.40q", x.name, x.most, s)
			}
			*x.to = i
		}
	}
	out, err := a.n.findAnchors(r.Context(), q)
	if err != nil {
		return fmt.Errorf("node: anchors: %w", err)
	}
	return writeJSON(w, http.StatusOK, out)
}
