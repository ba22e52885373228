package node_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/facturx"
	"github.com/viadukt-eu/viadukt/edocument/invoice"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/acceptance"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// papers are an invoice, the same attached to a PDF, and a PDF with nothing attached.
func papers(t *testing.T) (bill, hybrid, scan []byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	bill, err := sample.Make("invoice", "2026-11", sample.Supplier, sample.Buyer, time.Now())
	must(err)
	doc, err := dom.Parse(bill, dom.Limits{})
	must(err)
	i, err := invoice.Read(doc)
	must(err)
	h, err := facturx.Write(i, facturx.Options{Created: time.Now()})
	must(err)
	paper := page.New(page.Options{Title: "Scan", Language: "en", Created: time.Now()})
	paper.Add(page.Paragraph{Text: page.Plain("To whom it may concern.")})
	scan, err = paper.Bytes()
	must(err)
	return bill, h.PDF, scan
}

// whatArrivesIsJudged: each document of a message that arrived, by its format, its rules, its signature and who vouches for the signer;
// by program and in the console, with what to ask the applicant for.
func whatArrivesIsJudged(t *testing.T) {
	t.Parallel()
	u := newUnion(t, time.Now, "EE", "PT")
	from, to := agree(t)
	u.configured(to, "")
	ee, pt := begin(t, from, nil, nil), begin(t, to, nil, nil)
	pt.lists(t)

	permit := xades.Bytes("permit.xml", "text/xml", []byte("<permit><floors>2</floors></permit>"))
	signed := u.signedAs("EE", ades.Params{Format: ades.XAdES}, permit)
	changed := bytes.Replace(signed, []byte("<floors>2"), []byte("<floors>9"), 1)
	var stranger bytes.Buffer
	if err := ades.Sign(t.Context(), &stranger, rand.Reader, u.signer("XX", u.authority("CN=Nobody,C=XX")), []xades.Document{permit}, ades.Params{Format: ades.XAdES, Time: time.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	bill, hybrid, scan := papers(t)
	wrong := bytes.Replace(bill, []byte(`<cbc:PayableAmount currencyID="EUR">`), []byte(`<cbc:PayableAmount currencyID="EUR">1`), 1)
	if bytes.Equal(signed, changed) || bytes.Equal(bill, wrong) {
		t.Fatal("nothing was changed")
	}
	documents := []struct {
		name, mediaType string
		content         []byte
		want            acceptance.Outcome
		says, ask       string // of the check that decides, or the last that is good
	}{
		{"permit.xml", "application/xml", signed, acceptance.Good, "vouches for who signed and is on the trusted lists. By law the signature is worth: QESIG", ""},
		{"changed.xml", "application/xml", changed, acceptance.Bad, "It was changed after Ada of EE, ", "Do not take it. Ask for the document anew"},
		{"stranger.xml", "application/xml", stranger.Bytes(), acceptance.Doubtful, "Nobody whom this node trusts vouches for", "Ask for a signature with a certificate of a service on the trusted lists"},
		{"invoice.xml", "application/xml", bill, acceptance.Good, "It obeys the rules for such documents (", ""},
		{"wrong.xml", "application/xml", wrong, acceptance.Bad, "BR-CO-16", "Ask the sender to correct it."},
		{"hybrid.pdf", "application/pdf", hybrid, acceptance.Good, "It obeys the rules for such documents (", ""},
		{"scan.pdf", "application/pdf", scan, acceptance.Doubtful, "Nobody signed it.", "Ask for a signed document"},
		{"torn.pdf", "application/pdf", []byte("%PDF-1.4\n%%EOF\n"), acceptance.Bad, "It cannot be read:", "Ask for a whole copy."},
		{"letter.pdf", "application/pdf", []byte("PK\x03\x04 no PDF at all"), acceptance.Bad, "It claims to be a PDF document, and is an archive (ZIP).", "Do not open it."},
		{"tool.pdf", "application/octet-stream", []byte("MZ\x90\x00"), acceptance.Bad, "It is a program", "Do not open it."},
		{"note.txt", "text/plain", []byte("To whom it may concern."), acceptance.Doubtful, "Nobody signed it.", "Ask for a signed document"},
	}
	var list []node.SubmissionPart
	for _, d := range documents {
		list = append(list, node.SubmissionPart{Name: d.name, MimeType: d.mediaType, Body: bytes.NewReader(d.content)})
	}
	sent := ee.send(t, letter(list...))
	m := pt.until(t, store.In, sent.MessageID, store.Delivered)

	path := fmt.Sprintf("/api/v1/messages/%d/acceptance", m.ID)
	resp, b := pt.call(t, "GET", path, "", nil)
	if resp.StatusCode != 200 {
		t.Fatalf("%s: %s", resp.Status, b)
	}
	got := decode[node.AcceptanceJSON](t, b)
	if got.Outcome != acceptance.Bad || len(got.Documents) != len(documents) {
		t.Fatalf("%d documents, %s", len(got.Documents), got.Outcome)
	}
	for i, want := range documents {
		d := got.Documents[i]
		found := want.says == ""
		for _, c := range d.Checks {
			found = found || c.Outcome == want.want && strings.Contains(c.Text, want.says) && strings.Contains(c.Ask, want.ask)
		}
		if d.Name != want.name || d.Outcome != want.want || !found {
			t.Errorf("%s: %s, want %s with %q: %+v", want.name, d.Outcome, want.want, want.says, d)
		}
	}
	if _, b := pt.call(t, "GET", path+"?language=de", "", nil); !strings.Contains(string(b), "Nehmen Sie es nicht an.") {
		t.Errorf("not in German: %s", b)
	}

	v := pt.visit(t)
	v.enter(to.Password)
	_, page := v.get(fmt.Sprintf("/console/messages/%d/acceptance", m.ID))
	for _, text := range []string{"permit.xml", "can be taken", "to be decided", "should not be taken", "QESIG: a qualified electronic signature", "Do not take it."} {
		if !strings.Contains(page, text) {
			t.Errorf("the console does not say %q", text)
		}
	}
	if _, page := v.get(fmt.Sprintf("/console/messages/%d", m.ID)); !strings.Contains(page, fmt.Sprintf("/console/messages/%d/acceptance", m.ID)) {
		t.Error("the message does not lead there")
	}

	// When the octets are gone, that is what there is to say.
	if err := pt.Store.Write(context.Background(), func(tx store.Tx) error { return tx.DeletePayloads(m.ID) }); err != nil {
		t.Fatal(err)
	}
	_, b = pt.call(t, "GET", path, "", nil)
	if got := decode[node.AcceptanceJSON](t, b); got.Outcome != acceptance.Doubtful || !strings.Contains(string(b), "was deleted from this node") {
		t.Errorf("%s", b)
	}
}
