package node

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/node/store/sqlite"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Recogniser is a [Domain] that knows documents: who would receive one, as what.
type Recogniser interface {
	Recognise(octets []byte) (receiver ids.Participant, d ids.DocumentType, process ids.Process, err error)
}

// firstUser is who logs in first, with the password that was made with the configuration.
const firstUser = "admin"

// serveConsole puts the console on a listener; end closes its streams. Without users, the first one is made.
func (n *Node) serveConsole(ctx context.Context, mux *http.ServeMux) (end func(), err error) {
	c := n.Config.Console
	if c.Off {
		return func() {}, nil
	}
	if err := n.putFirstUser(ctx); err != nil {
		return nil, err
	}
	if err := n.putClients(ctx); err != nil {
		return nil, err
	}
	key, err := n.consoleKey()
	if err != nil {
		return nil, err
	}
	opt := console.Options{
		Key:   key,
		About: n.about(), Store: n.Store, Network: network{n}, Messages: messages{n}, Audit: evidenceLog{n}, Clock: n.Clock, Rand: n.Rand, Log: n.Log,
		Secure: strings.HasPrefix(string(n.Config.API.URL), "https://"), Idle: c.Idle.D(), Longest: c.Longest.D(), Acted: n.acted,
		Validator: documents{n}, Threads: n, Verifier: signedDocuments{n}, Acceptance: n, Post: post{n}, Tokens: tokens{n}, TrustStores: trustStores{n},
		Reload: func(ctx context.Context) ([]string, error) {
			done, err := n.Reload(ctx)
			if err != nil {
				return nil, err
			}
			return done.Restart, nil
		},
		Certified: func(r *http.Request) string {
			if k := n.clientOf(r); k != nil {
				return k.Name
			}
			return ""
		},
		Refused: func() { n.alerts.note(alert.LoginRefused, "console") }, Alerts: n.openAlerts,
	}
	opt.Trust = trustView{n}
	opt.RefreshTrustLists = func(ctx context.Context) { n.RefreshTrustLists(ctx) }
	if n.imports.read != nil {
		opt.Imports = imports{n}
	}
	if n.publisher != nil {
		opt.Publisher = ownPublisher{n}
	}
	for _, s := range c.Proxies {
		p, err := parseNetwork(s)
		if err != nil {
			return nil, n.Config.Problem("console.proxies", "%v", err)
		}
		opt.Proxies = append(opt.Proxies, p)
	}
	con, err := console.New(opt)
	if err != nil {
		return nil, err
	}
	mux.Handle(console.Root, con)
	mux.Handle("GET /{$}", http.RedirectHandler(console.Root, http.StatusFound))
	return con.Close, nil
}

// parseNetwork reads an address or a network in CIDR form.
func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(s)
}

func (n *Node) about() console.About {
	a := console.About{
		Name: n.Config.Node.Name, Country: n.Config.Node.Country, Version: Version, Party: n.partyID().Value, URL: string(n.Config.AS4.URL),
		Profile: n.Config.AS4.Profile, Zone: n.Config.Discovery.Zone, Started: n.Clock(),
	}
	if n.publisher != nil {
		a.Publisher = string(n.Config.SMP.URL)
	}
	return a
}

// consoleKey reads the key of second factors, or makes it.
func (n *Node) consoleKey() ([]byte, error) {
	file := n.Config.Console.Key
	b, err := readFile(file)
	if errors.Is(err, os.ErrNotExist) {
		key := console.NewKey()
		return key, writeNew(string(file), base64.StdEncoding.EncodeToString(key)+"\n")
	}
	if err != nil {
		return nil, n.Config.Problem("console.key", "%v", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != console.KeySize {
		return nil, n.Config.Problem("console.key", "%s holds no key: want %d octets in base64", file, console.KeySize)
	}
	return key, nil
}

// writeNew writes a secret file that must not be there yet, through to the disk.
func writeNew(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func (n *Node) putFirstUser(ctx context.Context) error {
	users, err := n.Store.ListUsers(ctx)
	if err != nil || len(users) > 0 {
		return err
	}
	b, err := readFile(n.Config.Console.FirstPassword)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	password := strings.TrimSpace(string(b))
	if len(password) < console.PasswordLeast {
		return fmt.Errorf("node: %s: the first password of the console has at least %d characters", n.Config.Console.FirstPassword, console.PasswordLeast)
	}
	hash := console.HashPassword(password)
	return n.Store.Write(ctx, func(tx store.Tx) error { return console.AddUser(tx, firstUser, console.Administrator, hash) })
}

// acted records what somebody did, and removes the file of the first password once there is another one.
func (n *Node) acted(ctx context.Context, a console.Act) {
	n.recordAct(ctx, a)
	if a.What != "password.change" || a.User != firstUser {
		return
	}
	if err := os.Remove(string(n.Config.Console.FirstPassword)); err != nil && !errors.Is(err, os.ErrNotExist) {
		n.Log.LogAttrs(ctx, slog.LevelWarn, "used password file not removed", slog.Any("err", err))
	}
}

// messages are what the console does to them.
type messages struct{ *Node }

func (n messages) Resend(ctx context.Context, id int64, who string) error {
	return n.Store.Write(ctx, func(tx store.Tx) error {
		m, err := tx.Message(id)
		if err != nil {
			return err
		}
		to, detail := store.Queued, "resent by "+who
		if m.Direction == store.In {
			to, detail = store.Received, "delivered again by "+who
		}
		return tx.Transition(id, to, store.Change{Time: n.Clock(), Detail: detail, ResetAttempts: true})
	})
}

func (n messages) Confirm(ctx context.Context, id int64, who string) error {
	return n.Store.Write(ctx, func(tx store.Tx) error {
		return tx.Transition(id, store.Confirmed, store.Change{Time: n.Clock(), Detail: "confirmed by " + who})
	})
}

func (n messages) OpenDocument(ctx context.Context, m *store.Message, i int) (io.ReadCloser, string, error) {
	return n.handlerOf(m).Open(ctx, m, &m.Payloads[i])
}

// ownPublisher is the node's own publisher for the console.
type ownPublisher struct{ *Node }

func (n ownPublisher) Participants(ctx context.Context, after string, limit int) (out []console.Participant, err error) {
	names, err := n.Store.Participants(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		p, err := ids.ParseParticipant(name)
		if err != nil {
			return nil, err
		}
		sg, err := n.publisher.pub.Group(ctx, p)
		if errors.Is(err, smp.ErrNotFound) { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		row := console.Participant{ID: name}
		for _, r := range sg.References {
			row.DocumentTypes = append(row.DocumentTypes, r.DocumentType.String())
		}
		out = append(out, row)
	}
	return out, nil
}

func refused(code string, err error) error {
	return &console.Refused{Problem: store.Problem{Code: code, Text: err.Error()}}
}

func (n ownPublisher) Recognise(document []byte) (r console.Registration, err error) {
	err = errors.New("no domain of this node knows documents")
	for _, d := range n.domains {
		known, ok := d.(Recogniser)
		if !ok {
			continue
		}
		var p ids.Participant
		var doc ids.DocumentType
		var process ids.Process
		if p, doc, process, err = known.Recognise(document); err == nil {
			return console.Registration{Participant: p.String(), DocumentType: doc.String(), Process: process.String()}, nil
		}
	}
	return r, refused("NOT_RECOGNISED", err)
}

func (n ownPublisher) Register(ctx context.Context, r console.Registration) error {
	p, err := ids.ParseParticipant(r.Participant)
	if err != nil {
		return refused("BAD_REQUEST", err)
	}
	d, err := ids.ParseDocumentType(r.DocumentType)
	if err != nil {
		return refused("BAD_REQUEST", err)
	}
	process, err := ids.ParseProcess(r.Process)
	if err != nil {
		return refused("BAD_REQUEST", err)
	}
	return n.Node.Register(ctx, p, d, process, as4.Profiles[n.Config.AS4.Profile])
}

func (n ownPublisher) Unregister(ctx context.Context, participant, documentType string) error {
	p, err := ids.ParseParticipant(participant)
	if err != nil {
		return refused("BAD_REQUEST", err)
	}
	var d ids.DocumentType
	if documentType != "" {
		if d, err = ids.ParseDocumentType(documentType); err != nil {
			return refused("BAD_REQUEST", err)
		}
	}
	return n.Node.Unregister(ctx, p, d)
}

// imports takes P-Mode files for the console.
type imports struct{ *Node }

func (n imports) Plan(_ context.Context, name string, octets []byte) (*console.ImportPlan, error) {
	plan, err := n.PlanPModes(name, octets)
	if issues := importIssues(err); issues != nil {
		return nil, &console.ImportRefused{Issues: issues}
	}
	if err != nil {
		return nil, err
	}
	out := &console.ImportPlan{Format: plan.Format, Partners: plan.Partners, PModes: plan.PModes, Warnings: plan.Warnings, NotServed: plan.NotServed, Needs: plan.Needs}
	for _, c := range plan.Changes {
		ch := console.ImportChange{Op: c.Op, Kind: c.Kind, Name: c.Name}
		for _, f := range c.Fields {
			ch.Fields = append(ch.Fields, console.ImportField(f))
		}
		out.Changes = append(out.Changes, ch)
	}
	return out, nil
}

func (n imports) Import(ctx context.Context, name string, octets []byte) error {
	_, _, err := n.ImportPModes(ctx, name, "", octets)
	if issues := importIssues(err); issues != nil {
		return &console.ImportRefused{Issues: issues}
	}
	return err
}

func (n imports) Trust(ctx context.Context, partner string, certificate []byte) error {
	certs, err := pki.LoadCertificates(certificate, "")
	if err != nil || len(certs) == 0 || partner == "" {
		return &console.ImportRefused{Issues: []string{partner}}
	}
	err = n.PutTrust(ctx, TrustMessages, partner, certs[0])
	if errors.Is(err, ErrImport) {
		return &console.ImportRefused{Issues: []string{err.Error()}}
	}
	return err
}

// network is what the console shows of others.
type network struct{ *Node }

func (n network) Partners() (out []console.Partner) {
	set := n.pmodes.Load()
	for _, s := range set.partners {
		var p Partner
		if config.Decode(s, &p) != nil {
			continue // the node would not have started
		}
		row := console.Partner{Name: p.Name, ID: p.ID, Type: p.Type, URL: string(p.URL)}
		if loaded, err := loadPartner(&p); err == nil && loaded.follow(&p, n.Clock(), new(time.Time)) == nil {
			for _, c := range append(loaded.template.Certificates, loaded.template.EncryptionCertificate) {
				if c != nil {
					row.Certificates = append(row.Certificates, certificate(console.UsePartner, p.Name, c))
				}
			}
		}
		row.Agreements = set.agreed[p.Name]
		out = append(out, row)
	}
	return out
}

// Certificates are all that the node works with.
func (n network) Certificates() (out []console.Certificate) {
	add := func(use console.Use, of string, c *pki.Certificate) {
		if c != nil {
			out = append(out, certificate(use, of, c))
		}
	}
	k := n.key()
	out = append(out, k.certificates(n.Clock())...)
	if n.publisher != nil && k.smp != k.sign[0].Identity {
		add(console.UsePublisher, "", k.smp.Certificate)
	}
	seen := map[config.Path]bool{}
	for _, t := range []*config.TLS{n.live.Load().TLS, n.live.Load().API.TLS} {
		if t == nil || seen[t.Certificate] {
			continue
		}
		seen[t.Certificate] = true
		if b, err := readFile(t.Certificate); err == nil {
			if certs, err := parseCertificates(b); err == nil {
				add(console.UseTLS, "", certs[0])
			}
		}
	}
	for _, p := range n.Partners() {
		out = append(out, p.Certificates...)
	}
	for _, a := range n.trust().anchors {
		if b, err := readFile(a.File); err == nil {
			certs, _ := parseCertificates(b)
			for _, c := range certs {
				add(console.UseAuthority, filepath.Base(string(a.File)), c)
			}
		}
	}
	return out
}

// certificates are those of the own keys, with what each is for at a time.
func (k *keys) certificates(now time.Time) (out []console.Certificate) {
	list := func(list []timedKey, use console.Use, inUse *pki.Identity) {
		former := true
		for _, s := range list {
			c := certificate(use, "", s.Certificate)
			switch {
			case s.Identity == inUse:
				former = false
			case former:
				c.Use = console.UseFormer
			default:
				c.Use, c.Publish, c.Activate = console.UseNext, s.publish, s.activate
			}
			out = append(out, c)
		}
	}
	list(k.sign, console.UseSigning, k.signing(now))
	if !k.single {
		list(k.encrypt, console.UseEncryption, last(k.encrypt, now, false))
	}
	for _, id := range k.former {
		out = append(out, certificate(console.UseFormer, "", id.Certificate))
	}
	return out
}

func certificate(use console.Use, of string, c *pki.Certificate) console.Certificate {
	sum := c.Fingerprint()
	return console.Certificate{
		Use: use, Of: of, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: c.SerialNumber.String(), Key: keyName(c.PublicKey),
		Fingerprint: hex.EncodeToString(sum[:]), NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}
}

// Agreements are the P-Modes in force, those for sending first.
func (n network) Agreements() (out []console.Agreement) {
	set := n.pmodes.Load()
	for _, t := range []struct {
		dir   store.Direction
		modes []*as4.PMode
	}{{store.Out, set.out.All()}, {store.In, set.in.All()}} {
		for _, pm := range t.modes {
			out = append(out, console.Agreement{
				ID: pm.ID, Direction: t.dir, Partner: set.partner[pm.ID], Profile: pm.ProfileName, Service: pm.Service, Action: pm.Action,
				Domain: set.domain[pm.ID], Details: n.details(pm, t.dir),
			})
		}
	}
	return out
}

func (n network) details(pm *as4.PMode, dir store.Direction) []console.Detail {
	party := func(p as4.PartyRef) string {
		return strings.TrimSpace(strings.Join([]string{p.ID, p.Type, p.Role}, "\n"))
	}
	which := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	var names []string
	for _, c := range pm.Certificates {
		names = append(names, c.Subject.String())
	}
	out := []console.Detail{
		{Key: "agreement", Value: pm.Agreement}, {Key: "initiator", Value: party(pm.Initiator)}, {Key: "responder", Value: party(pm.Responder)}, {Key: "mpc", Value: pm.MPC},
		{Key: "sign-token", Value: string(pm.SignToken)}, {Key: "encrypt-token", Value: string(pm.EncryptToken)},
		{Key: "compression", Value: which(pm.Profile.Compress && !pm.NoCompression, "gzip", "")},
		{Key: "receipt", Value: which(pm.NoReceiptProof, "eb:UserMessage", "ebbp:NonRepudiationInformation")},
		{Key: "max-size", Value: config.Size(pm.MaxSize).String()}, {Key: "corners", Value: which(pm.Profile.FourCorner && !pm.TwoCorner, "4", "2")},
		{Key: "certificates", Value: strings.Join(names, "\n")},
	}
	if dir == store.Out {
		r := pm.Retry.Or(n.retry)
		out = append(out, console.Detail{Key: "address", Value: pm.URL}, console.Detail{Key: "retry", Value: fmt.Sprintf("%d, %s × %g ≤ %s", r.Max, config.Duration(r.First), r.Factor, config.Duration(r.Limit))})
	}
	return out
}

// WithUsers runs f on the store of a node that is not running, on behalf of an actor: sqlite.ErrLocked when it is.
func WithUsers(ctx context.Context, c *config.Config, actor string, f func(tx store.Tx) error) error {
	recorder, err := loadRecorder(c)
	if err != nil {
		return err
	}
	st, err := sqlite.Open(string(c.Node.DataDir), sqlite.Options{MinFree: int64(c.Node.MinFree), Recorder: recorder})
	if err != nil {
		return err
	}
	return errors.Join(st.Write(store.WithActor(ctx, actor), f), st.Close())
}

// OwnCertificates are those of the node's own keys, with what each is for now.
func (n *Node) OwnCertificates() []console.Certificate { return n.key().certificates(n.Clock()) }
