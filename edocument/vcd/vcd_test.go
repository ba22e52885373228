package vcd_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/espd"
	"github.com/viadukt-eu/viadukt/edocument/vcd"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

var now = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

func content(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// harbour is a package of two companies that tender together.
func harbour() *vcd.Package {
	register := vcd.Party{Name: "Äriregister", ID: "70000310", Country: "EE"}
	return &vcd.Package{
		ID: "2026-17", Folder: "PN-4711", Authority: vcd.Party{Name: "Câmara Municipal de Porto Novo", ID: "502011378", Scheme: "PT:VAT", Endpoint: "PT502011378", EndpointScheme: "9946", Country: "PT"},
		Dossiers: []*vcd.Dossier{
			{ID: "1", Operators: []vcd.Party{{Name: "Rannavärav Tarkvara OÜ", ID: "10137025", Endpoint: "10137025", EndpointScheme: "0191", Country: "EE"}},
				Criteria: []*vcd.Criterion{
					{Code: "socsec-pay", Name: "Social security", Legislation: "45(2)(e)", Evidences: []string{"E-1"}},
					{ID: "trade", Name: "Trade register", Evidences: []string{"E-1", "E-2"}},
					{ID: "iso", Name: "Quality", Legislation: "Art. 49"},
				},
				Evidences: []*vcd.Evidence{
					{ID: "E-1", Type: "register", Description: "Extract of the register", Issuer: register, IssueDate: "2026-11-02", ExpiryDate: "2027-02-02", Files: []*vcd.Attachment{{Name: "old/extract 1.pdf", MIME: "application/pdf", Open: content("extract")}}},
					{ID: "E-2", Description: "Entry on the web", URI: "https://register.example/10137025"},
				}},
			{ID: "2", Operators: []vcd.Party{{Name: "Tuletorn OÜ"}}, Evidences: []*vcd.Evidence{{ID: "E-1", Files: []*vcd.Attachment{{Name: "tax.xml", Open: content("<tax/>")}}}}},
		},
	}
}

func written(t testing.TB, p *vcd.Package) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := vcd.Write(&b, p, now); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func opened(t testing.TB, b []byte) *vcd.Package {
	t.Helper()
	p, err := vcd.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// archive makes a ZIP file of names and contents.
func archive(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.Create(pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, pairs[i+1])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// changed rewrites an archive: an entry with other content, or without it where that is "-".
func changed(t testing.TB, b []byte, entry, other string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		c, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == entry && other == "-" {
			continue
		} else if f.Name == entry {
			c = []byte(other)
		}
		pairs = append(pairs, f.Name, string(c))
	}
	return archive(t, pairs...)
}

func fired(p *vcd.Package) string {
	r := p.Check()
	out := strings.Join(r.Fired(), " ")
	if r.Valid {
		return strings.TrimSpace(out + " valid")
	}
	return out + " invalid"
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	want := harbour()
	b := written(t, want)
	got := opened(t, b)
	if got.Entry != "VCDPackage_2026-17.xml" || got.ID != want.ID || got.Folder != want.Folder || got.IssueDate != "2026-11-28" || got.Authority != want.Authority {
		t.Errorf("%+v", got)
	}
	if got.Sender() != want.Dossiers[0].Operators[0] || len(got.Operators) != 2 || len(got.Dossiers) != 2 {
		t.Errorf("operators %+v, %d dossiers", got.Operators, len(got.Dossiers))
	}
	d := got.Dossiers[0]
	if d.Entry != "VCD_1/VCD_1.xml" || d.ID != "1" || len(d.Criteria) != 3 || len(d.Evidences) != 2 {
		t.Fatalf("%+v", d)
	}
	if c := d.Criteria[0]; c.Code != "socsec-pay" || c.Name != "Social security" || c.Legislation != "45(2)(e)" || !slices.Equal(c.Evidences, []string{"E-1"}) {
		t.Errorf("%+v", c)
	}
	if c := d.Criteria[1]; !slices.Equal(c.Evidences, []string{"E-1", "E-2"}) {
		t.Errorf("%+v", c)
	}
	e := d.Evidences[0]
	if e.ID != "E-1" || e.Type != "register" || e.Description != "Extract of the register" || e.Issuer != want.Dossiers[0].Evidences[0].Issuer || e.IssueDate != "2026-11-02" || e.ExpiryDate != "2027-02-02" || len(e.Files) != 1 {
		t.Fatalf("%+v", e)
	}
	a := e.Files[0]
	if a.Name != "extract_1.pdf" || a.Entry != "VCD_1/extract_1.pdf" || a.State != vcd.Present || a.MIME != "application/pdf" || a.Size != 7 || len(a.Digest) != 32 {
		t.Errorf("%+v", a)
	}
	r, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if c, err := io.ReadAll(r); err != nil || string(c) != "extract" {
		t.Errorf("%q %v", c, err)
	}
	if d.Evidences[1].URI != "https://register.example/10137025" {
		t.Errorf("%+v", d.Evidences[1])
	}
	if f := fired(got); f != "VCD-CRITERION:warning valid" {
		t.Error(f)
	}
	if !bytes.Equal(b, written(t, harbour())) {
		t.Error("equal packages make other octets")
	}
}

func TestWhatIsMissingOrChangedIsNamed(t *testing.T) {
	t.Parallel()
	b := written(t, harbour())
	for name, c := range map[string]struct {
		container []byte
		fired     string
		said      string
	}{
		"the file of a proof":     {changed(t, b, "VCD_1/extract_1.pdf", "-"), "VCD-CRITERION:warning VCD-FILE:error invalid", "extract_1.pdf of the evidence E-1 (Extract of the register) is not there"},
		"a file that was changed": {changed(t, b, "VCD_1/extract_1.pdf", "another"), "VCD-CRITERION:warning VCD-DIGEST:error invalid", "not the one whose digest"},
		"a dossier":               {changed(t, b, "VCD_2/VCD_2.xml", "-"), "VCD-CRITERION:warning VCD-DOSSIER:error VCD-UNREFERENCED:warning invalid", "VCD_2/VCD_2.xml"},
		"the package document":    {changed(t, b, "VCDPackage_2026-17.xml", "-"), "VCD-CRITERION:warning VCD-PACKAGE:error invalid", "no package document"},
	} {
		p := opened(t, c.container)
		if got := fired(p); got != c.fired {
			t.Errorf("%s: %s, want %s", name, got, c.fired)
		}
		if !slices.ContainsFunc(p.Check().Findings, func(f edocument.Finding) bool { return strings.Contains(f.Text, c.said) }) {
			t.Errorf("%s: nothing says %q: %+v", name, c.said, p.Check().Findings)
		}
	}
	extra := opened(t, archive(t, "VCD_9/VCD_9.xml", `<VirtualCompanyDossier xmlns="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossier-1"/>`, "VCD_9/other.pdf", "x", "META-INF/signatures.xml", "<s/>"))
	if got := extra.Unreferenced(); !slices.Equal(got, []string{"VCD_9/other.pdf"}) {
		t.Error(got)
	}
}

// What the pilot's documents looked like inside is not known: names are looked for wherever they stand, in any namespace.
func TestNamesAreFoundWhereverTheyStand(t *testing.T) {
	t.Parallel()
	const dossier = `<v:VirtualCompanyDossier xmlns:v="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossier-1" xmlns:a="urn:example:a" xmlns:cbc="urn:example:b">
<cbc:ID>7</cbc:ID><a:Head><a:ContractingAuthorityParty><cbc:EndpointID>0201:ABC123</cbc:EndpointID></a:ContractingAuthorityParty>
<a:EconomicOperatorParty><a:Party><a:PartyLegalEntity><cbc:RegistrationName>Faro Srl</cbc:RegistrationName><cbc:CompanyID schemeID="IT:VAT">IT1</cbc:CompanyID></a:PartyLegalEntity></a:Party></a:EconomicOperatorParty></a:Head>
<a:Groups><a:SelectionCriterion><cbc:ID>C-1</cbc:ID><cbc:Name>Taxes</cbc:Name><a:Inner><a:ProvingEvidence><cbc:ID>P-1</cbc:ID><a:Source><a:IssuingBodyParty><a:PartyName><cbc:Name>Agenzia</cbc:Name></a:PartyName></a:IssuingBodyParty></a:Source><a:File><cbc:FileName>visura camerale.pdf</cbc:FileName></a:File></a:ProvingEvidence></a:Inner></a:SelectionCriterion>
<a:ExclusionCriterion><cbc:ID>C-2</cbc:ID><cbc:Name>Convictions</cbc:Name></a:ExclusionCriterion></a:Groups>
<a:CriterionResponse><cbc:CriterionID>C-2</cbc:CriterionID><a:EvidenceSupplied><cbc:ID>P-2</cbc:ID></a:EvidenceSupplied></a:CriterionResponse>
<a:EvidenceDocument><cbc:ID>P-2</cbc:ID><cbc:DocumentHash>bKE4IwkC4qB1ocHgy52bpTnl1tQ=</cbc:DocumentHash><cbc:FileName>b.pdf</cbc:FileName></a:EvidenceDocument>
<a:Annex><a:DocumentReference><cbc:ID>P-3</cbc:ID><a:Attachment><cbc:FileName>root.pdf</cbc:FileName></a:Attachment></a:DocumentReference></a:Annex>
</v:VirtualCompanyDossier>`
	p := opened(t, archive(t, "VCDPackage_1.xml", `<p:VirtualCompanyDossierPackage xmlns:p="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossierPackage-1"/>`, "VCD_7/VCD_7.xml", dossier, "VCD_7/visuracamerale.pdf", "x", "VCD_7/b.pdf", "b", "root.pdf", "r"))
	d := p.Dossiers[0]
	if p.Authority != (vcd.Party{Endpoint: "ABC123", EndpointScheme: "0201"}) || p.Sender() != (vcd.Party{Name: "Faro Srl", ID: "IT1", Scheme: "IT:VAT"}) {
		t.Errorf("%+v %+v", p.Authority, p.Sender())
	}
	if len(d.Criteria) != 2 || !slices.Equal(d.Criteria[0].Evidences, []string{"P-1"}) || !slices.Equal(d.Criteria[1].Evidences, []string{"P-2"}) {
		t.Errorf("%+v", d.Criteria)
	}
	if len(d.Evidences) != 3 || d.Evidences[0].Issuer.Name != "Agenzia" || d.Evidences[0].Files[0].Entry != "VCD_7/visuracamerale.pdf" || d.Evidences[2].ID != "P-3" || d.Evidences[2].Files[0].Entry != "root.pdf" {
		t.Errorf("%+v", d.Evidences)
	}
	if got := fired(p); got != "VCD-DIGEST:error invalid" { // the stated digest is that of other content
		t.Error(got)
	}
}

func TestWhatIsNoContainerIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		octets []byte
		err    error
	}{
		"no ZIP file":           {[]byte("%PDF-1.7"), edocument.ErrUnknownType},
		"a ZIP file of others":  {archive(t, "a.xml", "<Invoice/>"), edocument.ErrUnknownType},
		"a name that leads out": {archive(t, "../VCD_1.xml", "x"), asic.ErrName},
		"two files of one name": {archive(t, "a", "x", "a", "y"), asic.ErrTwice},
		"a bomb":                {archive(t, "VCD_1/VCD_1.xml", `<VirtualCompanyDossier xmlns="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossier-1"><FileName>z</FileName><x>`+strings.Repeat(" ", 3<<20)+`</x></VirtualCompanyDossier>`), asic.ErrLimit},
	} {
		_, err := vcd.Open(bytes.NewReader(c.octets), int64(len(c.octets)))
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := vcd.Read(parse(t, "<VirtualCompanyDossier/>")); !errors.Is(err, edocument.ErrUnknownType) {
		t.Error(err)
	}
}

func TestWhatCannotBeWrittenIsNamed(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(p *vcd.Package){
		"no identifier":            func(p *vcd.Package) { p.ID = "" },
		"no contracting authority": func(p *vcd.Package) { p.Authority = vcd.Party{} },
		"no dossier":               func(p *vcd.Package) { p.Dossiers = nil },
		"two dossiers are 1":       func(p *vcd.Package) { p.Dossiers[1].ID = "1" },
		"names no company":         func(p *vcd.Package) { p.Dossiers[1].Operators = nil },
		"that of another":          func(p *vcd.Package) { p.Dossiers[0].Evidences[1].ID = "E-1" },
		"which is no evidence":     func(p *vcd.Package) { p.Dossiers[0].Criteria[0].Evidences = []string{"E-9"} },
		"two files are": func(p *vcd.Package) {
			p.Dossiers[0].Evidences[1].Files = []*vcd.Attachment{{Name: "new/extract 1.pdf", Open: content("")}}
		},
		"changed while it was read": func(p *vcd.Package) {
			n := 0
			p.Dossiers[0].Evidences[0].Files[0].Open = func() (io.ReadCloser, error) {
				n++
				return io.NopCloser(strings.NewReader(strings.Repeat("x", n))), nil
			}
		},
	} {
		p := harbour()
		spoil(p)
		if err := vcd.Write(io.Discard, p, now); !errors.Is(err, vcd.ErrWrite) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func parse(t testing.TB, s string) *dom.Document {
	t.Helper()
	d, err := dom.Parse([]byte(s), dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEvidencesGoIntoAResponseOfTheESPD(t *testing.T) {
	t.Parallel()
	criterion := func(id, code, property string) *espd.Criterion {
		return &espd.Criterion{ID: id, Code: code, Groups: []*espd.Group{{ID: "g" + code, When: espd.Always, Properties: []*espd.Property{{ID: property, Kind: "QUESTION", Type: "EVIDENCE_IDENTIFIER"}}}}}
	}
	response := &espd.Document{Response: true, Folder: "PN-4711", Criteria: []*espd.Criterion{criterion("u-1", "socsec-pay", "q-1"), criterion("u-2", "qu-certif-indep", "q-2")}}
	p := opened(t, written(t, harbour()))
	merged, left, err := p.Evidence(response)
	if err != nil {
		t.Fatal(err)
	}
	if len(merged.Evidences) != 1 || merged.Evidences[0].ID != "1/E-1" || merged.Evidences[0].URI != "VCD_1/extract_1.pdf" || merged.Evidences[0].Issuer != "Äriregister" {
		t.Errorf("%+v", merged.Evidences)
	}
	if len(merged.Answers) != 1 || merged.Answers[0].Property != "q-1" || !slices.Equal(merged.Answers[0].Evidence, []string{"1/E-1"}) {
		t.Errorf("%+v", merged.Answers)
	}
	if !slices.Equal(left, []string{"trade (Trade register)"}) {
		t.Error(left)
	}
	again, _, err := p.Evidence(merged)
	if err != nil || len(again.Answers) != 1 || len(again.Evidences) != 1 {
		t.Errorf("%v %+v", err, again)
	}
	// An article of the directive before stands for the criterion that took its place.
	h := harbour()
	h.Dossiers[0].Criteria = []*vcd.Criterion{{ID: "old-9", Legislation: "Directive 2004/18/EC, Article 49", Evidences: []string{"E-1"}}}
	merged, left, err = opened(t, written(t, h)).Evidence(response)
	if err != nil || left != nil || len(merged.Answers) != 1 || merged.Answers[0].Property != "q-2" {
		t.Errorf("%v %v %+v", err, left, merged)
	}
	response.Folder = "another"
	if _, _, err := p.Evidence(response); !errors.Is(err, espd.ErrConflict) {
		t.Error(err)
	}
}

// overlay is a folder with one file more.
type overlay struct {
	fs.FS
	dossier string
}

func (o overlay) Open(name string) (fs.File, error) {
	if name == "dossier.xsd" {
		return fstest.MapFS{name: {Data: []byte(o.dossier)}}.Open(name)
	}
	return o.FS.Open(name)
}

// TestComponentsAreThoseOfUBL validates what is written by the library of UBL 2.1: all that stands in the documents of the
// project but the authority, whose name is the project's own.
func TestComponentsAreThoseOfUBL(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "edocuments"), "xsd", "ubl21")
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	const schema = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2" targetNamespace="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossier-1" elementFormDefault="qualified">
<xs:import namespace="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" schemaLocation="common/UBL-CommonAggregateComponents-2.1.xsd"/>
<xs:import namespace="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2" schemaLocation="common/UBL-CommonBasicComponents-2.1.xsd"/>
<xs:element name="VirtualCompanyDossier"><xs:complexType><xs:sequence><xs:element ref="cbc:CustomizationID"/><xs:element ref="cbc:ID"/><xs:element ref="cbc:ContractFolderID"/><xs:element ref="cbc:IssueDate"/>
<xs:element ref="cac:TendererParty" maxOccurs="unbounded"/><xs:element ref="cac:TendererRequirement" minOccurs="0" maxOccurs="unbounded"/><xs:element ref="cac:Evidence" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element></xs:schema>`
	s, err := xsd.Compile(overlay{os.DirFS(dir), schema}, xsd.Options{}, "dossier.xsd")
	if err != nil {
		t.Fatal(err)
	}
	b := written(t, harbour())
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range z.File {
		if !strings.HasPrefix(filepath.Base(f.Name), "VCD_") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		c, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		doc := parse(t, strings.ReplaceAll(string(c), "cac:EconomicOperatorParty", "cac:TendererParty")) // UBL 2.1 has no other name for it
		x, err := s.Validate(doc, xsd.ValidateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range x.Findings {
			t.Errorf("line %d: %s %s", f.Line, f.Rule, f.Text)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d dossiers", n)
	}
}

// FuzzOpen reads containers and documents of strangers: bounded, without a panic. What is read is checked and, where it is
// complete, written and read again.
func FuzzOpen(f *testing.F) {
	f.Add(written(f, harbour()))
	f.Add(archive(f, "VCD_1/VCD_1.xml", `<VirtualCompanyDossier xmlns="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossier-1"><Evidence><FileName>a</FileName></Evidence></VirtualCompanyDossier>`, "VCD_1/a", "x"))
	f.Add([]byte(`<VirtualCompanyDossierPackage xmlns="urn:www.peppol.eu:schema:xsd:VirtualCompanyDossierPackage-1"><FileName>VCD_1.xml</FileName></VirtualCompanyDossierPackage>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		if bytes.HasPrefix(b, []byte("<")) {
			packed := archive(t, "VCD_1/VCD_1.xml", string(b), "VCD_1/a", "x")
			if p, err := vcd.Open(bytes.NewReader(packed), int64(len(packed))); err == nil {
				p.Check()
			}
		}
		p, err := vcd.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			doc, err := dom.Parse(slices.Clone(b), dom.Limits{})
			if err != nil {
				return
			}
			if p, err = vcd.Read(doc); err != nil {
				return
			}
		}
		p.Check()
		p.Sender()
		var out bytes.Buffer
		if vcd.Write(&out, p, now) != nil {
			return
		}
		again := opened(t, out.Bytes())
		if len(again.Dossiers) != len(p.Dossiers) || again.ID != p.ID {
			t.Errorf("%d dossiers of %q became %d of %q", len(p.Dossiers), p.ID, len(again.Dossiers), again.ID)
		}
	})
}

// TestSeed proves rows of internal/seed.
func TestSeed(t *testing.T) {
	t.Parallel()
	// A company packs its proofs; the authority's side, which has the container alone, lists criteria, proofs and issuers, and names
	// a proof that got lost on the way.
	t.Run("SPOCS-5", func(t *testing.T) {
		t.Parallel()
		b := written(t, harbour())
		p := opened(t, b)
		if r := p.Check(); !r.Valid || len(p.Dossiers) != 2 || len(p.Dossiers[0].Criteria) != 3 || p.Dossiers[0].Evidences[0].Issuer.Name != "Äriregister" {
			t.Errorf("%+v %+v", r, p)
		}
		r := opened(t, changed(t, b, "VCD_1/extract_1.pdf", "-")).Check()
		if r.Valid || !slices.ContainsFunc(r.Findings, func(f edocument.Finding) bool { return strings.Contains(f.Text, "extract_1.pdf") }) {
			t.Errorf("%+v", r.Findings)
		}
	})
}
