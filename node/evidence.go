package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

// loadRecorder reads the rules that say which evidence a message creates.
func loadRecorder(c *config.Config) (*audit.Recorder, error) {
	if c.Evidence.Policy == "" {
		return audit.NewRecorder(audit.DefaultPolicy()), nil
	}
	b, err := readFile(c.Evidence.Policy)
	if err != nil {
		return nil, c.Problem("evidence.policy", "%v", err)
	}
	p, err := audit.ParsePolicy(b)
	if err != nil {
		return nil, c.Problem("evidence.policy", "%s: %v", c.Evidence.Policy, err)
	}
	return audit.NewRecorder(p), nil
}

// openLog continues the log of evidence. Its entry for this start says which program runs under which configuration.
func (n *Node) openLog(ctx context.Context) (*audit.Log, error) {
	started := audit.Entry{Subject: n.Config.Node.Name, Detail: "Viadukt " + Version}
	if b, err := os.ReadFile(n.Config.File()); err == nil { // none in tests that make theirs
		started.Objects = append(started.Objects, store.Object{Kind: "configuration", SHA256: sha256.Sum256(b), Size: int64(len(b))})
	}
	cert := n.Identity().Certificate
	started.Objects = append(started.Objects, store.Object{Kind: "certificate", SHA256: cert.Fingerprint(), Size: int64(len(cert.Raw))})
	return audit.Open(ctx, audit.Options{
		Stamping: n.stamping(n.Config),
		Store:    n.Store, Identity: n.Identity, Rand: n.Rand, Clock: n.Clock, Logger: n.Log,
		HeadEvery: n.Config.Evidence.HeadEvery.D(), HeadAfter: int64(n.Config.Evidence.HeadAfter),
	}, started)
}

// stamping says how a configuration wants the log time-stamped; nil: not at all.
func (n *Node) stamping(c *config.Config) *audit.Stamping {
	t := c.Evidence.Timestamp
	if len(t.TSA) == 0 {
		return nil
	}
	client := &tsp.Client{HTTP: &http.Client{Timeout: time.Minute}}
	for _, u := range t.TSA {
		client.URLs = append(client.URLs, string(u))
	}
	return &audit.Stamping{Stamper: client, Every: t.Every.D(), Before: t.Before.D(), Known: n.knownOfDocuments,
		Fetch: func(ctx context.Context, r *gather.Result, known gather.Options) (gather.Options, error) {
			return gather.Fetch(ctx, &n.trusted.online.client, r, known)
		}}
}

// EvidenceFor says which evidence the policy wants of a message that reaches a state. Domains ask for theirs.
func (n *Node) EvidenceFor(m *store.Message, to store.State) audit.Decision {
	return n.recorder.Policy().Decide(&audit.Facts{Direction: m.Direction, Domain: m.Domain, Service: m.Service, Action: m.Action, Outcome: to.String()})
}

// evidenceOf is what is kept of an attempt that led to a state: the message as it was signed, once it reached the
// partner, and the partner's answer.
func (n *Node) evidenceOf(m *store.Message, to store.State, out *as4.Outgoing, o *as4.Outcome, now time.Time) (list []store.Evidence) {
	d := n.EvidenceFor(m, to)
	switch {
	case o == nil || len(o.Answer) == 0:
	case o.Verdict == as4.Acknowledged && d.Has(audit.KindReceipt):
		list = append(list, store.Evidence{Kind: store.KindReceipt, Time: now, Octets: o.Answer})
	case o.Verdict != as4.Acknowledged && d.Has(audit.KindError):
		list = append(list, store.Evidence{Kind: store.KindError, Time: now, Octets: o.Answer})
	}
	if out == nil || out.Signed == nil || !d.Has(audit.KindOrigin) {
		return list
	}
	switch to {
	case store.Acknowledged, store.Sent, store.AcknowledgedWithoutReceipt:
		list = append(list, store.Evidence{Kind: store.KindNonRepudiation, Time: now, Octets: out.Signed})
	}
	return list
}

// wants says whether a signal that came by itself is kept.
func (n *Node) wants(m *store.Message, to store.State, k store.Kind) bool {
	d := n.EvidenceFor(m, to)
	return d.Has(audit.Kind(k))
}

// recordRefused notes that a message was answered with an error.
func (n *Node) recordRefused(ctx context.Context, um *ebms.UserMessage, peer string, err error) {
	e := audit.Entry{Actor: peer}
	var refusal *ebms.Error
	if errors.As(err, &refusal) {
		e.Code = string(refusal.Code)
	}
	if um != nil {
		e.MessageID, e.From, e.To, e.Service, e.Action = um.MessageID, um.From.ID().Value, um.To.ID().Value, um.Service.Value, um.Action
	}
	n.Evidence.Refused(context.WithoutCancel(ctx), e)
}

// caseOptions are what cases of this node are made with: among the certificates are those of all agreements, so that a
// signer who is only named in a message is found.
func (n *Node) caseOptions() audit.CaseOptions {
	o := audit.CaseOptions{Node: n.Config.Node.Name, Program: "Viadukt " + Version}
	add := func(certs ...*pki.Certificate) {
		for _, c := range certs {
			if c != nil {
				o.Certificates = append(o.Certificates, c)
			}
		}
	}
	trust := n.trust()
	for _, a := range trust.Anchors {
		add(a.Certificate)
	}
	add(trust.Intermediates...)
	k := n.key()
	ids := slices.Clone(k.decrypt)
	for _, s := range k.sign {
		ids = append(ids, s.Identity)
	}
	for _, id := range ids {
		add(id.Certificate)
		add(id.Chain...)
	}
	set := n.pmodes.Load()
	for _, t := range []*as4.Table{set.in, set.out} {
		for _, pm := range t.All() {
			add(pm.Certificates...)
		}
	}
	for _, l := range trust.lists {
		o.CRLs = append(o.CRLs, l.octets)
	}
	return o
}
