package node_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// authority is what the nodes of the test network trust.
func (g *gateway) authority(t *testing.T) []*pki.Certificate {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(g.made.Dir, "trust", "access-points.pem"))
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pki.ParsePEMCertificates(b)
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

// caseOf asks for the case of a message.
func (g *gateway) caseOf(t *testing.T, id string) []byte {
	t.Helper()
	resp, b := g.call(t, "GET", "/api/v1/messages/"+id+"/case", "", nil)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/zip" {
		t.Fatalf("%s: %.300s", resp.Status, b)
	}
	return b
}

func check(t *testing.T, b []byte, trust []*pki.Certificate) *audit.Report {
	t.Helper()
	r, err := audit.Verify(bytes.NewReader(b), int64(len(b)), audit.VerifyOptions{Trust: pki.Bind(trust, pki.PurposeAccessPoint)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func step(r *audit.Report, name string) (out audit.Step) {
	for _, s := range r.Steps {
		if s.Name == name {
			return s
		}
	}
	return out
}

// aDeliveredCaseProvesItself: who sent what to whom and when, and one octet changed is found and named.
func aDeliveredCaseProvesItself(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	m := ee.send(t, letter(text("letter.txt", "Sehr geehrte Damen und Herren"), node.SubmissionPart{Name: "a.xml", MimeType: "application/xml", Body: bytes.NewReader(bytes.Repeat([]byte("<a>b</a>"), 4000))}))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	pt.until(t, store.In, m.MessageID, store.Delivered)
	for _, g := range []*gateway{ee, pt} {
		octets := g.caseOf(t, m.MessageID)
		r := check(t, octets, g.authority(t))
		if !r.Valid || !r.Trusted {
			t.Fatalf("%+v", r.Steps)
		}
		for _, name := range []string{"message", "receipt", "receipt: digests", "payload 1", "payload 2", "head of the log"} {
			if s := step(r, name); s.Result != audit.Proven {
				t.Errorf("%s: %+v", name, s)
			}
		}
		for _, at := range []int{len(octets) / 3, len(octets) / 2, len(octets) - 3} {
			octets[at] ^= 1
			r := check(t, octets, g.authority(t))
			octets[at] ^= 1
			if r.Valid || !slices.ContainsFunc(r.Steps, func(s audit.Step) bool { return s.Result == audit.Failed && s.Text != "" }) {
				t.Errorf("octet %d changed: valid %t, %+v", at, r.Valid, r.Steps)
			}
		}
	}
}

// thePolicyDecides: other rules, other evidence for the same message, and the log says which rule fired.
func thePolicyDecides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, policy string
		rule         string
		out, in      []string // kinds of evidence, and of what the log names
		logged       []string
	}{
		{"everything, by default", "", "default", []string{"receipt", "nonrepudiation"}, []string{"receipt"}, []string{"header", "payload", "receipt"}},
		{"receipts of letters", "rules: [{name: other, service: 'urn:other*', creates: [header]}, {name: letters, service: 'urn:test:*', creates: [receipt]}]", "letters",
			[]string{"receipt"}, []string{"receipt"}, []string{"receipt"}},
		{"nothing at corner two", "rules: [{name: quiet, direction: out, creates: []}, {name: loud, creates: [receipt, header]}]", "loud",
			nil, []string{"receipt"}, []string{"header", "receipt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := agree(t)
			change := func(cfg *config.Config) {
				if c.policy == "" {
					return
				}
				file := filepath.Join(t.TempDir(), "evidence.yaml")
				if err := os.WriteFile(file, []byte(c.policy), 0o600); err != nil {
					t.Fatal(err)
				}
				cfg.Evidence.Policy = config.Path(file)
			}
			ee, pt := begin(t, a, change, nil), begin(t, b, change, nil)
			m := ee.send(t, letter(text("a.txt", "text")))
			ee.until(t, store.Out, m.MessageID, store.Acknowledged)
			in := pt.until(t, store.In, m.MessageID, store.Delivered)
			for g, want := range map[*gateway][]string{ee: c.out, pt: c.in} {
				id := m.ID
				if g == pt {
					id = in.ID
				}
				evidence, err := g.Store.Evidence(context.Background(), id)
				var got []string
				for _, e := range evidence {
					got = append(got, string(e.Kind))
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("evidence %v, want %v, %v", got, want, err)
				}
			}
			resp, body := pt.call(t, "GET", "/api/v1/messages/"+m.MessageID+"/proof", "", nil)
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("%s %s", resp.Status, body)
			}
			p := decode[node.ProofJSON](t, body)
			first, err := audit.Parse([]byte(p.Entries[0].Octets))
			if err != nil || first.Type != audit.ReceiptSent && !slices.Contains(c.logged, "receipt") || first.Rule != c.rule {
				t.Errorf("%+v %v, want rule %s", first, err, c.rule)
			}
			var logged []string
			for _, o := range first.Objects {
				logged = append(logged, o.Kind)
			}
			if !slices.Equal(logged, c.logged) {
				t.Errorf("the log names %v, want %v", logged, c.logged)
			}
			if r := check(t, ee.caseOf(t, m.MessageID), ee.authority(t)); !r.Valid {
				t.Errorf("%+v", r.Steps)
			}
		})
	}
}

func TestAWrongPolicyKeepsTheNodeFromStarting(t *testing.T) {
	t.Parallel()
	a, _ := agree(t)
	c, err := config.Load(a.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "evidence.yaml")
	if err := os.WriteFile(file, []byte("rules: [{name: x, creates: [recipt]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: `"recipt"`, file + ".not": "no such file"} {
		c.Evidence.Policy = config.Path(path)
		if _, err := node.New(context.Background(), c, node.Options{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "evidence.policy") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestTheLogTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	head := func() node.HeadJSON {
		t.Helper()
		resp, body := pt.call(t, "GET", "/api/v1/log/head?fresh", "", nil)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", resp.Status, body)
		}
		return decode[node.HeadJSON](t, body)
	}
	before := head()
	m := ee.send(t, letter(text("a.txt", "text")))
	pt.until(t, store.In, m.MessageID, store.Delivered)
	if resp, body := pt.call(t, "POST", "/api/v1/messages/"+m.MessageID+"/confirm", "", nil); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", resp.Status, body)
	}
	// What strangers send is refused, and that too is told.
	resp, err := http.Post("http://"+pt.Addr("as4")+"/as4", "application/soap+xml", strings.NewReader("<x/>"))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	after := head()
	entries, err := pt.Store.LogEntries(context.Background(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range entries {
		p, err := audit.Parse(e.Octets)
		if err != nil {
			t.Fatal(err)
		}
		who := p.Actor
		if host, _, ok := strings.Cut(who, ":"); ok && host != "token" {
			who = "peer"
		}
		told = append(told, strings.TrimSpace(string(p.Type)+" "+p.State+" "+who))
	}
	want := []string{"node-started", "token", "token", "token", "user", "receipt-sent received", "state delivered", "state confirmed token back-office", "error-sent  peer"}
	if !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
	resp, body := pt.call(t, "GET", "/api/v1/log/consistency?from="+fmt.Sprint(before.Size)+"&to="+fmt.Sprint(after.Size), "", nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", resp.Status, body)
	}
	path, err := audit.ParseHashes(decode[node.ConsistencyJSON](t, body).Path)
	older, err1 := audit.ParseHead([]byte(before.Octets))
	newer, err2 := audit.ParseHead([]byte(after.Octets))
	if err != nil || err1 != nil || err2 != nil {
		t.Fatal(err, err1, err2)
	}
	if err := merkle.VerifyConsistency(older.Size, newer.Size, path, older.Root, newer.Root); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"/api/v1/log/consistency", "/api/v1/log/consistency?from=x", "/api/v1/log/consistency?from=9&to=3", "/api/v1/log/consistency?from=1&to=9999"} {
		if resp, body := pt.call(t, "GET", bad, "", nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s %s", bad, resp.Status, body)
		}
	}
}

func TestADeletedMessageIsStillProven(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee := begin(t, a, nil, nil)
	begin(t, b, nil, nil)
	m := ee.send(t, letter(text("a.txt", "text")))
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	if err := ee.Store.Write(context.Background(), func(tx store.Tx) error { return tx.Delete(m.ID) }); err != nil {
		t.Fatal(err)
	}
	if resp, body := ee.call(t, "GET", "/api/v1/messages/"+m.MessageID+"/case", "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("by its message id: %s %s", resp.Status, body)
	}
	r := check(t, ee.caseOf(t, fmt.Sprint(m.ID)), ee.authority(t))
	if last := r.Entries[len(r.Entries)-1]; !r.Valid || last.Type != audit.MessageDeleted || len(last.Objects) != 4 {
		t.Errorf("%+v\n%+v", last, r.Steps)
	}
	if resp, body := ee.call(t, "GET", "/api/v1/messages/4711/proof", "", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a message that never was: %s %s", resp.Status, body)
	}
}
