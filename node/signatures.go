package node

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/signing"
	"github.com/viadukt-eu/viadukt/trust/csc"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// signatures is what the node does with signatures of documents.
type signatures struct {
	settings signing.Settings
	service  *signing.Service
	remote   *csc.Server // nil: nobody signs from elsewhere
}

// loadSignatures reads the section signatures. Without it the console still judges signatures, and nothing is served.
func (n *Node) loadSignatures() error {
	s := &n.signatures
	if err := config.Decode(n.Config.Signatures, &s.settings); err != nil {
		return err
	}
	opt := signing.Options{Known: n.knownOfDocuments, Clock: n.Clock, MaxDocument: int64(s.settings.MaxDocument)}
	for i, k := range s.settings.Keys {
		id, err := loadIdentity(n.Config, fmt.Sprintf("signatures.keys[%d]", i), config.Identity{Key: k.File, Password: k.Password, Certificate: k.Certificate})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(opt.Keys, func(o signing.SigningKey) bool { return o.Alias == k.Alias }) {
			return n.Config.Signatures.Problem("keys", "[%d]: there is another key %q", i, k.Alias)
		}
		opt.Keys = append(opt.Keys, signing.SigningKey{Alias: k.Alias, Identity: id})
	}
	if s.settings.TSA != "" {
		opt.Stamper = &tsp.Client{URLs: []string{string(s.settings.TSA)}, HTTP: &http.Client{Timeout: time.Minute}}
	}
	if s.settings.Fetch {
		opt.Fetch = func(ctx context.Context, r *gather.Result, known gather.Options) (gather.Options, error) {
			return gather.Fetch(ctx, &n.trusted.online.client, r, known)
		}
	}
	s.service = signing.New(opt)
	return n.loadRemoteKeys()
}

// knownOfDocuments are the authorities that the node trusts, each for its purposes, the trusted lists, and
// the revocation lists from files.
func (n *Node) knownOfDocuments() (out gather.Options) {
	t := n.trust()
	out.Bound, out.Lists = t.Anchors, n.trustLists.current(n.Clock())
	for _, f := range t.lists {
		for _, l := range f.lists {
			out.CRLs = append(out.CRLs, l.Raw)
		}
	}
	return out
}

// signedDocuments judges what people bring to the console.
type signedDocuments struct{ *Node }

func (n signedDocuments) Verify(ctx context.Context, name string, document []byte, detachedName string, detached []byte) (*report.Verdict, error) {
	var documents []xades.Document
	if detached != nil {
		documents = append(documents, xades.Bytes(detachedName, "", detached))
	}
	return n.signatures.service.Judge(ctx, name, bytes.NewReader(document), int64(len(document)), documents, time.Time{})
}
