package procurement_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/store"
)

// dossiers makes a container of the supplier's proofs for the buyer.
func dossiers(t *testing.T) []byte {
	t.Helper()
	party := func(p sample.Party) vcd.Party {
		return vcd.Party{Name: p.Name, Endpoint: p.ID, EndpointScheme: p.Scheme, Country: p.Country}
	}
	var b bytes.Buffer
	err := vcd.Write(&b, &vcd.Package{ID: "17", Folder: "PN-4711", Authority: party(sample.Buyer), Dossiers: []*vcd.Dossier{{
		ID: "1", Operators: []vcd.Party{party(sample.Supplier)}, Criteria: []*vcd.Criterion{{ID: "tax-pay", Evidences: []string{"E-1"}}},
		Evidences: []*vcd.Evidence{{ID: "E-1", Files: []*vcd.Attachment{{Name: "tax.pdf", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("paid")), nil }}}}}}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// without takes an entry out of a ZIP file.
func without(t *testing.T, octets []byte, entry string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(octets), int64(len(octets)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		if f.Name != entry {
			if err := out.Copy(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDossiersCrossTheBorder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := start(t, root, "ee", "EE", "peppol"), start(t, root, "pt", "PT", "peppol")
	container := dossiers(t)
	d, err := procurement.Parse(container)
	if err != nil {
		t.Fatal(err)
	}
	if d.Type.Value != "urn:www.peppol.eu:schema:xsd:VirtualCompanyDossierPackage-1::VirtualCompanyDossierPackage##urn:www.cenbii.eu:transaction:biicoretrdm992:ver0.1:#urn:www.peppol.eu:bis:peppol992a:ver1.0::0.1" || d.Process.Value != "none" {
		t.Errorf("%+v", d)
	}
	pt.register(t, d)
	status, body := ee.call(t, "POST", "/api/v1/messages", "application/zip", container)
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	var m node.MessageJSON
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	ee.until(t, store.Out, m.MessageID, store.Acknowledged)
	in := pt.until(t, store.In, m.MessageID, store.Delivered)
	if !in.Error.IsZero() {
		t.Errorf("%+v", in.Error)
	}
	if status, got := pt.call(t, "GET", "/api/v1/messages/"+m.MessageID+"/payloads/0", "", nil); status != http.StatusOK || !bytes.Equal(got, container) {
		t.Errorf("%d, %d octets of %d", status, len(got), len(container))
	}
	for want, octets := range map[string][]byte{
		"VCD-FILE (VCD_1/VCD_1.xml)": without(t, container, "VCD_1/tax.pdf"),
		"no package document":        without(t, container, "VCDPackage_17.xml"),
	} {
		if status, body := ee.call(t, "POST", "/api/v1/messages", "application/zip", octets); status != http.StatusUnprocessableEntity || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", want, status, body)
		}
	}
}

func TestDossiersThatArriveAreLookedThrough(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	ee, pt := startSetting(t, root, "ee", "EE", "checkOutgoing: off"), start(t, root, "pt", "PT", "peppol")
	container := dossiers(t)
	d, err := procurement.Parse(container)
	if err != nil {
		t.Fatal(err)
	}
	pt.register(t, d)
	status, body := ee.call(t, "POST", "/api/v1/messages", "application/zip", without(t, container, "VCD_1/tax.pdf"))
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	var m node.MessageJSON
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	in := pt.until(t, store.In, m.MessageID, store.Delivered)
	if in.Error.Code != procurement.InvalidDocument || !strings.Contains(in.Error.Text, "tax.pdf") {
		t.Errorf("%+v", in.Error)
	}
}
