package node_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// union serves a list of lists and the lists of its states, each with an authority of its own.
type union struct {
	t     testing.TB
	clock func() time.Time
	*httptest.Server
	eu     *pki.Identity
	lotl   *trustlist.List
	states map[string]*state

	mu    sync.Mutex
	files map[string][]byte // by path; none: not found
	whole map[string]int    // how often each was sent
}

// state is a country with its list.
type state struct {
	ca       *pki.Authority
	operator *pki.Identity
	list     *trustlist.List
}

func newUnion(t testing.TB, clock func() time.Time, countries ...string) *union {
	t.Helper()
	u := &union{t: t, clock: clock, states: map[string]*state{}, files: map[string][]byte{}, whole: map[string]int{}}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	u.eu = u.operator("EU")
	u.lotl = u.list("EU")
	u.lotl.Type = trustlist.TypeListOfLists
	u.point("/lotl.xml", "EU", trustlist.TypeListOfLists, u.eu)
	for _, c := range countries {
		ca := u.authority("CN=Authority of " + c + ",C=" + c)
		s := &state{ca: ca, operator: u.operator(c), list: u.list(c)}
		u.states[c] = s
		s.list.Providers = []*trustlist.Provider{{Names: en("Trust of " + c), TradeNames: en("VAT" + c + "-1"), Address: s.list.Address, Information: en("https://trust.example/"), Services: []*trustlist.Service{{
			Periods: []trustlist.Period{{
				Type: trustlist.ServiceCA, Names: en("Signatures of " + c), Status: trustlist.StatusRoot + "granted", From: clock().AddDate(-4, 0, 0).Truncate(time.Second),
				Identity:   trustlist.Identity{Certificates: []*pki.Certificate{ca.Certificate}},
				Additional: []string{trustlist.ExtensionRoot + "ForeSignatures"},
				Qualifications: []trustlist.Qualification{{
					Qualifiers: []string{trustlist.ExtensionRoot + "QCStatement", trustlist.ExtensionRoot + "QCForESig", trustlist.ExtensionRoot + "QCWithQSCD"},
					Criteria:   trustlist.Criteria{Assert: "all", KeyUsage: []trustlist.KeyUsage{{Mask: pki.UseContentCommitment, Value: pki.UseContentCommitment}}},
				}},
			}},
		}}}}
		u.point("/"+c+".xml", c, trustlist.TypeGeneric, s.operator)
		u.publish(c)
	}
	u.publishLOTL(u.eu)
	return u
}

func en(s string) trustlist.Texts { return trustlist.Texts{{Language: "en", Value: s}} }

func (u *union) authority(name string) *pki.Authority {
	u.t.Helper()
	a, err := pki.NewAuthority(rand.Reader, name, pki.P256, u.clock().AddDate(-5, 0, 0), 20)
	if err != nil {
		u.t.Fatal(err)
	}
	return a
}

func (u *union) operator(country string) *pki.Identity {
	u.t.Helper()
	id, err := u.authority("CN=Scheme,C=" + country).Issue(pki.Template{CommonName: "Operator of " + country, NotBefore: u.clock().AddDate(-1, 0, 0), NotAfter: u.clock().AddDate(5, 0, 0)})
	if err != nil {
		u.t.Fatal(err)
	}
	return id
}

func (u *union) list(country string) *trustlist.List {
	now := u.clock().UTC().Truncate(time.Second)
	return &trustlist.List{
		Version: 6, Sequence: 7, Type: trustlist.TypeGeneric, Operator: en("Operator of " + country), Name: en(country + ": list of a test"), Territory: country,
		Address:     trustlist.Address{Postal: []trustlist.PostalAddress{{Language: "en", Street: "Street 1", Locality: "Town", PostalCode: "1", Country: "EE"}}, Electronic: trustlist.Texts{{Language: "en", Value: "mailto:lists@scheme.example"}, {Language: "en", Value: "https://scheme.example/"}}},
		Information: en("https://scheme.example/" + country), StatusDetermination: "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/EUappropriate",
		Rules: en("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/EUcommon"), Legal: en("For tests."), HistoryDays: 65535,
		Issued: now.Add(-time.Hour), Next: now.AddDate(0, 5, 0), DistributionPoints: []string{"https://scheme.example/" + country + ".xml"},
	}
}

func (u *union) point(path, country, kind string, signers ...*pki.Identity) {
	p := trustlist.Pointer{Location: u.URL + path, Type: kind, Territory: country, MimeType: trustlist.MimeType}
	for _, s := range signers {
		p.Signers = append(p.Signers, trustlist.Identity{Certificates: []*pki.Certificate{s.Certificate}})
	}
	u.lotl.Pointers = append(slices.DeleteFunc(u.lotl.Pointers, func(x trustlist.Pointer) bool { return x.Location == p.Location }), p)
}

func (u *union) sign(l *trustlist.List, by *pki.Identity) []byte {
	u.t.Helper()
	b, err := l.Sign(by.Key.(crypto.Signer), rand.Reader, by.Certificate, u.clock())
	if err != nil {
		u.t.Fatal(err)
	}
	return b
}

func (u *union) put(path string, b []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.files[path] = b; b == nil {
		delete(u.files, path)
	}
}

func (u *union) publish(country string) {
	s := u.states[country]
	u.put("/"+country+".xml", u.sign(s.list, s.operator))
}

func (u *union) publishLOTL(by *pki.Identity) { u.put("/lotl.xml", u.sign(u.lotl, by)) }

func (u *union) sent(path string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.whole[path]
}

func (u *union) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b, ok := u.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(b))
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	u.whole[r.URL.Path]++
	w.Write(b)
}

// signed is a document with a signature of somebody in a country.
func (u *union) signed(country string) []byte {
	u.t.Helper()
	return u.signedAs(country, ades.Params{Format: ades.XAdES}, xades.Bytes("letter.xml", "text/xml", []byte("<letter/>")))
}

// signer is somebody in a country, whose authority says where its revocation list is.
func (u *union) signer(country string, ca *pki.Authority) *pki.Identity {
	u.t.Helper()
	id, err := ca.Issue(pki.Template{CommonName: "Ada of " + country, Country: country, KeyUsage: pki.UseContentCommitment, NotBefore: u.clock().AddDate(-1, 0, 0), NotAfter: u.clock().AddDate(1, 0, 0), CRLDistributionPoints: []string{u.URL + "/" + country + ".crl"}})
	if err != nil {
		u.t.Fatal(err)
	}
	crl, err := ca.CRL(nil, u.clock())
	if err != nil {
		u.t.Fatal(err)
	}
	u.put("/"+country+".crl", crl)
	return id
}

func (u *union) signedAs(country string, p ades.Params, documents ...xades.Document) []byte {
	u.t.Helper()
	p.Time = u.clock()
	var b bytes.Buffer
	if err := ades.Sign(u.t.Context(), &b, rand.Reader, u.signer(country, u.states[country].ca), documents, p, nil); err != nil {
		u.t.Fatal(err)
	}
	return b.Bytes()
}

// configured writes the lists, and signatures that are judged, into a node's configuration.
func (u *union) configured(d *setup.Result, more string) {
	u.t.Helper()
	b, err := os.ReadFile(d.ConfigFile)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.Dir, "lotl.pem"), pki.MarshalPEM(u.eu.Certificate), 0o600)
	}
	if err == nil {
		err = os.WriteFile(d.ConfigFile, append(withSources(b, "{url: \""+u.URL+"/lotl.xml\", signers: [lotl.pem], territory: EU}"), "\nsignatures:\n  listen: 127.0.0.1:0\n  fetch: true\n"+more...), 0o600)
	}
	if err != nil {
		u.t.Fatal(err)
	}
}

// withSources puts lists into the configuration that a set-up wrote.
func withSources(b []byte, sources string) []byte {
	return bytes.Replace(b, []byte("\ntrustlists:\n"), []byte("\ntrustlists:\n  sources: ["+sources+"]\n"), 1)
}

// verdict is what the service says about the one signature of a document: its simple report.
func (g *gateway) verdict(t *testing.T, document []byte) (simple map[string]any, whole string) {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"signedDocument": map[string]any{"bytes": document, "name": "letter.xml"}})
	req, err := http.NewRequest("POST", "http://"+g.Addr("signatures")+"/services/rest/validation/validateSignature", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, text := do(t, req)
	var out struct {
		SimpleReport struct {
			Tokens []struct{ Signature map[string]any } `json:"signatureOrTimestampOrEvidenceRecord"`
		}
	}
	if resp.StatusCode != 200 || json.Unmarshal([]byte(text), &out) != nil || len(out.SimpleReport.Tokens) != 1 {
		t.Fatalf("%s %s", resp.Status, text)
	}
	return out.SimpleReport.Tokens[0].Signature, string(text)
}

func worth(simple map[string]any) string {
	level, _ := simple["SignatureLevel"].(map[string]any)
	return fmt.Sprint(simple["Indication"], " ", level["value"])
}

// lists are the states of a node's lists by country, after a refresh.
func (g *gateway) lists(t *testing.T) string {
	t.Helper()
	admin := &gateway{g.Node, &setup.Result{Token: g.made.AdminToken}}
	resp, body := admin.call(t, "POST", "/api/v1/trustlists/refresh", "", nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	var out []string
	for _, l := range decode[node.TrustListsJSON](t, body).Lists {
		s := fmt.Sprintf("%s%d %s", l.Territory, l.Sequence, l.State)
		if l.Code != "" {
			s += " " + l.Code
			if l.Error == "" || l.Remedy == "" {
				t.Errorf("%s: no reason, or no remedy: %+v", s, l)
			}
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestTrustedListsAreKeptFresh(t *testing.T) {
	t.Parallel()
	clock := &movingClock{at: time.Now()}
	u := newUnion(t, clock.now, "EE", "LV")
	d, _ := agree(t)
	document := u.signed("EE")
	u.configured(d, "")
	g := beginAt(t, d, clock.now, nil)
	is := func(what, want string, alerts ...string) {
		t.Helper()
		if got := g.lists(t); got != want {
			t.Fatalf("%s: lists %q, want %q", what, got, want)
		}
		var got []string
		for _, a := range g.alerts(t, "?state=open") {
			if strings.HasPrefix(a, "open trust-list:") {
				got = append(got, strings.TrimPrefix(a, "open trust-list:"))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, alerts) {
			t.Errorf("%s: alerts %q, want %q", what, got, alerts)
		}
	}
	host := strings.TrimPrefix(u.URL, "http://")
	is("at first", "EU7 current, EE7 current, LV7 current")
	if n := u.sent("/EE.xml"); n != 1 {
		t.Errorf("the list was sent %d times", n)
	}

	// A newer list is taken, an older one is refused, and told.
	old := u.files["/EE.xml"]
	u.states["EE"].list.Sequence = 8
	u.publish("EE")
	is("a newer one", "EU7 current, EE8 current, LV7 current")
	u.put("/EE.xml", old)
	is("an older one", "EU7 current, EE8 kept older, LV7 current", "older EE "+host)
	u.put("/EE.xml", nil)
	is("its server away", "EU7 current, EE8 kept unreachable, LV7 current", "unreachable EE "+host)
	u.put("/EE.xml", u.sign(u.states["EE"].list, u.states["LV"].operator))
	is("of a stranger", "EU7 current, EE8 kept signer, LV7 current", "signer EE "+host)
	if v, text := g.verdict(t, document); worth(v) != "TOTAL_PASSED QESig" || !strings.Contains(text, "Is the trusted list of EE current? trustlist: signed by somebody who may not") || !strings.Contains(fmt.Sprint(v["QualificationDetails"]), "Is the trusted list of EE current?") {
		t.Errorf("kept: %v", v)
	}
	u.publish("EE")
	is("good again", "EU7 current, EE8 current, LV7 current")

	// It comes to its end between two refreshes, too: nothing of it counts from then on.
	clock.move(u.states["EE"].list.Next.Add(-time.Hour).Sub(clock.now()))
	u.states["LV"].list.Sequence, u.states["LV"].list.Next = 8, clock.now().AddDate(0, 5, 0).UTC().Truncate(time.Second)
	u.publish("LV")
	u.lotl.Sequence, u.lotl.Next = 8, u.states["LV"].list.Next
	u.publishLOTL(u.eu)
	is("before its end", "EU8 current, EE8 current, LV8 current")
	clock.move(u.states["EE"].list.Next.Add(time.Second).Sub(clock.now()))
	v, text := g.verdict(t, document)
	if worth(v) != "INDETERMINATE N/A" || v["SubIndication"] != "NO_CERTIFICATE_CHAIN_FOUND" || !strings.Contains(text, "Could every trusted list be asked?") || !strings.Contains(text, "past its next update") {
		t.Errorf("expired: %v", v)
	}
	is("after its end", "EU8 current, LV8 current, EE0 missing expired", "expired EE "+host)

	// A node that starts without network has what was there, and no more.
	u.states["EE"].list.Sequence, u.states["EE"].list.Next = 9, u.states["LV"].list.Next
	u.publish("EE")
	is("mended", "EU8 current, EE9 current, LV8 current")
	u.CloseClientConnections()
	u.Close()
	if err := g.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	g = beginAt(t, d, clock.now, nil)
	is("without network", "EU8 kept unreachable, EE9 kept unreachable, LV8 kept unreachable", "unreachable EE "+host, "unreachable EU "+host, "unreachable LV "+host)
}

// A pivot tells who signs next: the node follows it, tells it, and writes it down.
func TestSignersOfListsRollOver(t *testing.T) {
	t.Parallel()
	clock := &movingClock{at: time.Now()}
	u := newUnion(t, clock.now, "EE")
	d, _ := agree(t)
	u.configured(d, "")
	g := beginAt(t, d, clock.now, nil)
	if got := g.lists(t); got != "EU7 current, EE7 current" {
		t.Fatal(got)
	}
	next := u.operator("EU")
	u.point("/lotl.xml", "EU", trustlist.TypeListOfLists, next)
	u.lotl.Sequence++
	u.put("/pivot-8.xml", u.sign(u.lotl, u.eu))
	u.lotl.Information = trustlist.Texts{{Language: "en", Value: u.URL + "/pivot-8.xml"}, {Language: "en", Value: "https://oj.example/announcement"}}
	u.lotl.Sequence++
	u.publishLOTL(next)
	clock.move(clock.now().Add(time.Hour).Sub(clock.now()))
	if got := g.lists(t); got != "EU9 current, EE7 current" {
		t.Fatal(got)
	}
	told := func() bool {
		return slices.ContainsFunc(g.alerts(t, "?state=open"), func(s string) bool { return strings.HasPrefix(s, "open trust-list:new-signers ") })
	}
	if !told() {
		t.Error("nobody is told of the new signers")
	}
	written := func() (n int) {
		size, _, err := g.Store.LogState(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list, err := g.Store.LogEntries(t.Context(), 0, int(size))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			if e, err := audit.Parse(k.Octets); err == nil && e.Detail == "trustlists.signers" {
				if len(e.Objects) != 1 || e.Objects[0].SHA256 != next.Certificate.Fingerprint() {
					t.Errorf("%s", k.Octets)
				}
				n++
			}
		}
		return n
	}
	g.lists(t)
	if n := written(); n != 1 {
		t.Errorf("%d entries", n)
	}
	resp, body := g.call(t, "GET", "/api/v1/trustlists", "", nil)
	if l := decode[node.TrustListsJSON](t, body).Lists; resp.StatusCode != 200 || l[0].SignersChanged == nil || l[1].SignersChanged != nil || !strings.Contains(l[0].Signer, "Operator of EU") {
		t.Errorf("%s", body)
	}
	clock.move(clock.now().AddDate(0, 0, 15).Sub(clock.now()))
	if told() {
		t.Error("it is told for ever")
	}

	// What a pivot of a stranger names counts for nothing.
	stranger := u.operator("EU")
	u.point("/lotl.xml", "EU", trustlist.TypeListOfLists, stranger)
	u.lotl.Sequence++
	u.put("/pivot-10.xml", u.sign(u.lotl, stranger))
	u.lotl.Information = append(trustlist.Texts{{Language: "en", Value: u.URL + "/pivot-10.xml"}}, u.lotl.Information...)
	u.lotl.Sequence++
	u.publishLOTL(stranger)
	if got := g.lists(t); got != "EU9 kept signer, EE7 current" {
		t.Error(got)
	}
	if n := written(); n != 1 {
		t.Errorf("%d entries", n)
	}
}

func TestConfigurationOfTrustedLists(t *testing.T) {
	t.Parallel()
	u := newUnion(t, time.Now, "EE")
	for name, c := range map[string]struct{ sources, want string }{
		"no place":             {"{signers: [lotl.pem]}", "url or file"},
		"two places":           {"{url: \"https://x.example/a.xml\", file: a.xml, signers: [lotl.pem]}", "url or file"},
		"nobody may sign":      {"{url: \"https://x.example/a.xml\"}", "signers"},
		"a file that is away":  {"{url: \"https://x.example/a.xml\", signers: [away.pem]}", "away.pem"},
		"no certificate in it": {"{url: \"https://x.example/a.xml\", signers: [viadukt.yaml]}", "viadukt.yaml"},
		"twice the same":       {"{url: \"https://x.example/a.xml\", signers: [lotl.pem]}, {url: \"https://x.example/a.xml\", signers: [lotl.pem]}", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := agree(t)
			b, err := os.ReadFile(d.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(d.Dir, "lotl.pem"), pki.MarshalPEM(u.eu.Certificate), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(d.ConfigFile, withSources(b, c.sources), 0o600); err != nil {
				t.Fatal(err)
			}
			conf, err := config.Load(d.ConfigFile)
			if err == nil {
				var n *node.Node
				if n, err = node.New(t.Context(), conf, node.Options{}); err == nil {
					n.Stop(t.Context())
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	// A list in a file, and what config check says of it.
	d, _ := agree(t)
	b, err := os.ReadFile(d.ConfigFile)
	if err == nil {
		err = os.WriteFile(filepath.Join(d.Dir, "ee.xml"), u.files["/EE.xml"], 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(d.Dir, "ee.pem"), pki.MarshalPEM(u.states["EE"].operator.Certificate), 0o600)
	}
	if err == nil {
		err = os.WriteFile(d.ConfigFile, withSources(b, "{file: ee.xml, signers: [ee.pem], territory: EE}"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	conf, err := config.Load(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	found := func() (out []string) {
		for _, f := range node.Check(t.Context(), conf, nil) {
			if strings.HasPrefix(f.What, "trusted list") {
				out = append(out, f.Severity+" "+f.Text)
			}
		}
		return out
	}
	if got := found(); len(got) != 1 || !strings.HasPrefix(got[0], "ok 1 lists, 1 certificates") {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(d.Dir, "trustlists")); err == nil {
		t.Error("the check wrote a mirror")
	}
	if err := os.Remove(filepath.Join(d.Dir, "ee.xml")); err != nil {
		t.Fatal(err)
	}
	if got := found(); len(got) != 1 || !strings.HasPrefix(got[0], "error ") {
		t.Errorf("%q", got)
	}
}

// A list that does not come, or is too large, or stands in the inner network, keeps nothing else up.
func TestListsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	u := newUnion(t, time.Now, "EE", "LV", "PT")
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	u.lotl.Pointers = slices.DeleteFunc(u.lotl.Pointers, func(p trustlist.Pointer) bool { return strings.HasSuffix(p.Location, "/LV.xml") })
	u.lotl.Pointers = append(u.lotl.Pointers, trustlist.Pointer{Location: slow.URL + "/LV.xml", Type: trustlist.TypeGeneric, Territory: "LV", MimeType: trustlist.MimeType, Signers: u.lotl.Pointers[0].Signers})
	u.publishLOTL(u.eu)
	u.put("/PT.xml", make([]byte, 2<<20))
	d, _ := agree(t)
	u.configured(d, "")
	g := begin(t, d, func(c *config.Config) {
		c.TrustLists.MaxList = 1 << 20
		c.TrustLists.Timeout = config.Duration(time.Second)
	}, nil)
	eventually(t, "all but the slow and the large one", func() bool { // a busy machine may need more than one refresh for the others
		return g.lists(t) == "EU7 current, EE7 current, LV0 missing unreachable, PT0 missing unreachable"
	})
}

// What a list points at may lead into the inner network only where that is allowed; the lists of the configuration stand where they do.
func TestListsOfTheInnerNetwork(t *testing.T) {
	t.Parallel()
	u, inner := newUnion(t, time.Now, "EE"), newUnion(t, time.Now, "LV")
	lv := inner.states["LV"]
	u.lotl.Pointers = append(u.lotl.Pointers, trustlist.Pointer{Location: inner.URL + "/LV.xml", Type: trustlist.TypeGeneric, Territory: "LV", MimeType: trustlist.MimeType,
		Signers: []trustlist.Identity{{Certificates: []*pki.Certificate{lv.operator.Certificate}}}})
	u.publishLOTL(u.eu)
	d, _ := agree(t)
	u.configured(d, "")
	for allowed, want := range map[bool]string{true: "EU7 current, EE7 current, LV7 current", false: "EU7 current, EE7 current, LV0 missing unreachable"} {
		g := begin(t, d, func(c *config.Config) {
			c.Discovery.AllowPrivateAddresses = allowed
			c.TrustLists.Dir = config.Path(t.TempDir())
		}, nil)
		if got := g.lists(t); got != want {
			t.Errorf("allowed %t: %s", allowed, got)
		}
		if err := g.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !allowed && inner.sent("/LV.xml") > 1 {
			t.Error("it was asked for all the same")
		}
	}
}
