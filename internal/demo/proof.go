package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/internal/selftest"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// proof takes out what proves the messages of before, checks it with nothing but the authority's certificate, lets the
// policy decide, and has the program judge itself.
func proof(w *world) error {
	ee, pt, err := w.pair()
	if err != nil {
		return err
	}
	if err := pt.register("invoice", sample.Supplier, sample.Buyer); err != nil {
		return err
	}
	doc, _, err := w.document("invoice", sample.Supplier, sample.Buyer)
	if err != nil {
		return err
	}
	m, err := w.carry("", "invoice", ee, pt, doc)
	if err != nil {
		return err
	}
	if err := w.cases(ee, m.MessageID); err != nil {
		w.fail("GEN-4", "cases", err)
	}
	if err := w.policies(ee, pt); err != nil {
		w.fail("ESENS-16", "policy", err)
	}
	return w.judgeItself()
}

// cases exports what proves each message that is acknowledged, and checks the files offline. One octet is then changed.
func (w *world) cases(ee *country, last string) error {
	b, err := os.ReadFile(filepath.Join(ee.made.Dir, "trust", "access-points.pem"))
	if err != nil {
		return err
	}
	trust, err := pki.ParsePEMCertificates(b)
	if err != nil {
		return err
	}
	start := time.Now()
	if b, err = ee.call(http.MethodGet, "/messages?direction=out&state=acknowledged&limit=1000", "", nil); err != nil {
		return err
	}
	var list node.MessageListJSON
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	folder := filepath.Join(w.dir, "cases")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	proven, steps := 0, 0
	var newest []byte
	for _, m := range list.Messages {
		file, err := ee.call(http.MethodGet, fmt.Sprintf("/messages/%d/case", m.ID), "", nil)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("case-%d.zip", m.ID)), file, 0o644); err != nil {
			return err
		}
		r, err := audit.Verify(bytes.NewReader(file), int64(len(file)), audit.VerifyOptions{Trust: pki.Bind(trust, pki.PurposeAccessPoint)})
		if err != nil {
			return err
		}
		if bad := failures(r); !r.Valid || !r.Trusted {
			return fmt.Errorf("message %d is not proven: %s", m.ID, strings.Join(bad, "; "))
		}
		for _, s := range r.Steps {
			if s.Result == audit.Proven {
				steps++
			}
		}
		if proven++; m.MessageID == last {
			newest = file
		}
	}
	if newest == nil {
		return errors.New("the newest message is not among those that are acknowledged")
	}
	where := ""
	if w.o.Dir != "" || !w.o.Once {
		where = "; the cases are in " + folder
	}
	w.step("", "cases", "EE", start, "who sent what to whom and when: %d messages proven in %d steps, with the authority's certificate and nothing else%s", proven, steps, where)
	start = time.Now()
	newest[len(newest)/2] ^= 1
	r, err := audit.Verify(bytes.NewReader(newest), int64(len(newest)), audit.VerifyOptions{Trust: pki.Bind(trust, pki.PurposeAccessPoint)})
	if err != nil {
		return err
	}
	bad := failures(r)
	if r.Valid || len(bad) == 0 {
		return errors.New("an octet was changed, and nobody noticed")
	}
	w.step("GEN-4", "one octet", "EE", start, "changed in the middle of a case: refused, %s", bad[0])
	return nil
}

// failures names the steps that failed, with the reason.
func failures(r *audit.Report) (out []string) {
	for _, s := range r.Steps {
		if s.Result == audit.Failed {
			out = append(out, s.Name+": "+s.Text)
		}
	}
	return out
}

// policies sends the same invoice under other rules: other evidence is made, and the log says which rule it was.
func (w *world) policies(ee, pt *country) (err error) {
	start := time.Now()
	file := filepath.Join(ee.made.Dir, "evidence.yaml")
	rule := "rules:\n  - name: receipts-of-orders-and-invoices\n    service: urn:fdc:peppol.eu:*\n    creates: [receipt]\n"
	if err := os.WriteFile(file, []byte(rule), 0o644); err != nil {
		return err
	}
	before := ee.tune
	if err := ee.restart(func(c *config.Config) { c.Evidence.Policy = config.Path(file) }); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ee.restart(before)) }()
	doc, _, err := w.document("invoice", sample.Supplier, sample.Buyer)
	if err != nil {
		return err
	}
	m, err := ee.submit(doc)
	if err != nil {
		return err
	}
	if m, err = ee.await(m.MessageID, "acknowledged"); err != nil {
		return err
	}
	if _, err := pt.await(m.MessageID, "delivered", "confirmed"); err != nil {
		return err
	}
	b, err := ee.call(http.MethodGet, "/messages/"+m.MessageID+"/proof", "", nil)
	if err != nil {
		return err
	}
	var p node.ProofJSON
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	var rules []string
	for _, e := range p.Entries {
		entry, err := audit.Parse([]byte(e.Octets))
		if err != nil {
			return err
		}
		if entry.Rule != "" && !slices.Contains(rules, entry.Rule) {
			rules = append(rules, entry.Rule)
		}
	}
	if len(m.Evidence) != 1 || !slices.Equal(rules, []string{"receipts-of-orders-and-invoices"}) {
		return fmt.Errorf("%d pieces of evidence by the rules %s", len(m.Evidence), rules)
	}
	w.step("ESENS-16", "policy", "EE", start, "another file of rules, and the same invoice leaves its receipt alone; the log names the rule %q", rules[0])
	return nil
}

// restart stops the node and runs it again, with a change of its configuration.
func (c *country) restart(tune func(*config.Config)) error {
	if err := c.node.Stop(c.w.ctx); err != nil {
		return err
	}
	c.tune = tune
	return c.run()
}

// judgeItself runs the official assertions between two nodes of their own.
func (w *world) judgeItself() error {
	start := time.Now()
	counts := map[selftest.Verdict]int{}
	r, err := selftest.Run(w.ctx, selftest.Options{Only: []string{"AS4_"}, Large: 4 << 20}, func(r *selftest.Result) { counts[r.Verdict]++ })
	if err != nil {
		return err
	}
	if !r.OK() {
		for _, x := range r.Results {
			if x.Verdict == selftest.Fail || x.Verdict == selftest.Broken {
				w.fail("", x.ID, errors.New(x.Seen))
			}
		}
		w.fail("ESENS-17", "selftest", fmt.Errorf("%d assertions failed, %d could not be run", counts[selftest.Fail], counts[selftest.Broken]))
		w.fail("ESENS-10", "selftest", errors.New("the exchange does not conform"))
		return nil
	}
	four := 0
	for _, x := range r.Results {
		if x.Verdict == selftest.Pass && x.Module == "four corner topology" {
			four++
		}
	}
	w.step("ESENS-17", "selftest", "", start, "%d assertions of the official list pass between two new nodes, driven over the interface of the official test bed; %d more nobody can test. \"viadukt selftest\" has more",
		counts[selftest.Pass], counts[selftest.NotTestable])
	w.step("ESENS-10", "four corners", "", start, "among them %d about four corners: sent, received, refused, repeated and receipted as the profile says", four)
	return nil
}
