package selftest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

const area = "architecture-esens"

// claims says which tests read which folder of the data.
var claims = map[string]string{
	"pmode5":          "edelivery/pmode: all files, their schema and policies; node/agreements",
	"as4-domibus5":    "edelivery/ebms: TestCorpusDomibus5",
	"testbed-backend": "node/testbed: TestCorpusSamplesOfTheBed",
	"conformance-run": "here: TestCorpusLoggedRun",
	"gitb-schemas":    "here: TestCorpusSchemasOfTheTestBed; TestTheTestBedReadsOurReports",
	"gitb-suite":      "here: TestCorpusSuiteOfTheTestBed",
	"ws-plugin":       "here: TestCorpusBackendContracts; node/backoffice answers by them",
}

func TestEveryRowIsClaimed(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, row := range corpus.Index(t, area) {
		dir, _, _ := strings.Cut(row["path"], "/")
		if claims[dir] == "" {
			t.Errorf("nobody runs %s", row["path"])
		}
		used[dir] = true
	}
	for dir := range claims {
		if !used[dir] {
			t.Errorf("%s is claimed, but not in the index", dir)
		}
	}
}

// rows are those of one folder.
func rows(t *testing.T, dir string, atLeast int) (list []corpus.Row) {
	t.Helper()
	for _, row := range corpus.Index(t, area) {
		if strings.HasPrefix(row["path"], dir+"/") {
			list = append(list, row)
		}
	}
	if len(list) < atLeast {
		t.Fatalf("%d rows of %s, at least %d are known", len(list), dir, atLeast)
	}
	return list
}

var (
	loggedUser  = regexp.MustCompile(`header of UserMessage, Service (\S+) Action (\S+) as logged`)
	loggedError = regexp.MustCompile(`header of error signal (EBMS:\d{4}) as logged`)
)

// TestCorpusLoggedRun reads the headers of an official run by the parser that the cases read with, and judges them by what
// the assertion that each belongs to says of a header.
func TestCorpusLoggedRun(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, c := range Cases {
		known[c.ID] = true
	}
	for _, row := range rows(t, "conformance-run", 56) {
		t.Run(filepath.Base(row["path"]), func(t *testing.T) {
			t.Parallel()
			id, what, _ := strings.Cut(row["what"], ": ")
			if !known[id] {
				t.Errorf("%s is no assertion of ours", id)
			}
			doc, err := dom.Parse(corpus.Read(t, area, row["path"]), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := ebms.ParseMessaging(doc.Root(), ebms.AllQuirks())
			if err != nil {
				t.Fatal(err)
			}
			um := m.UserMessage()
			switch user, wrong := loggedUser.FindStringSubmatch(what), loggedError.FindStringSubmatch(what); {
			case user != nil:
				if um == nil || um.Service.Value != user[1] || um.Action != user[2] {
					t.Fatalf("%+v, want %s %s", um, user[1], user[2])
				}
				if len(um.From.IDs) != 1 || len(um.To.IDs) != 1 { // TA03
					t.Errorf("%d and %d party identifiers", len(um.From.IDs), len(um.To.IDs))
				}
				if um.ConversationID == "" { // TA18
					t.Error("no conversation")
				}
				for _, name := range []string{ebms.PropertyOriginalSender, ebms.PropertyFinalRecipient} { // 4CT_TA01
					if _, ok := um.Property(name); !ok && !um.IsTest() {
						t.Errorf("no %s", name)
					}
				}
				if um.IsTest() != (id == "AS4_CP_TA16" || id == "AS4_CP_TA17") {
					t.Error("only the pings are for the test service")
				}
			case wrong != nil:
				if len(m.Signals) != 1 || len(m.Signals[0].Errors) != 1 || string(m.Signals[0].Errors[0].Code) != wrong[1] {
					t.Errorf("%+v, want %s", m.Signals, wrong[1])
				}
			case strings.Contains(what, "receipt signal"):
				if len(m.Signals) != 1 || m.Signals[0].Receipt == nil || m.Signals[0].RefToMessageID == "" {
					t.Errorf("%+v", m.Signals)
				}
			default:
				t.Errorf("no test for %q", what)
			}
		})
	}
}

// needed are elements that every document of the suite has.
var needed = regexp.MustCompile(`(</?)(?:metadata|steps)\b`)

// compiled is a schema of the data.
func compiled(t *testing.T, dir string, entry ...string) *xsd.Schema {
	t.Helper()
	s, err := xsd.Compile(os.DirFS(filepath.Join(corpus.Dir(t, area), filepath.FromSlash(dir))), xsd.Options{}, entry...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func findings(t *testing.T, s *xsd.Schema, octets []byte) []xsd.Finding {
	t.Helper()
	doc, err := dom.Parse(octets, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Validate(doc, xsd.ValidateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Findings
}

func TestCorpusSchemasOfTheTestBed(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, "gitb-schemas", 12) {
		name := filepath.Base(row["path"])
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.HasSuffix(name, ".xsd") {
				compiled(t, "gitb-schemas", name)
				return
			}
			wsdl(t, corpus.Read(t, area, row["path"]))
		})
	}
}

// wsdl reads a contract: it must be one, with operations.
func wsdl(t *testing.T, octets []byte) {
	t.Helper()
	doc, err := dom.Parse(octets, dom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !doc.Root().Is("http://schemas.xmlsoap.org/wsdl/", "definitions") || len(find(doc.Root(), "http://schemas.xmlsoap.org/wsdl/", "operation")) == 0 {
		t.Errorf("%s is no contract with operations", doc.Root().QName())
	}
}

func TestCorpusBackendContracts(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, "ws-plugin", 12) {
		t.Run(strings.ReplaceAll(row["path"], "/", " "), func(t *testing.T) {
			t.Parallel()
			octets := corpus.Read(t, area, row["path"])
			if strings.HasSuffix(row["path"], ".wsdl") {
				wsdl(t, octets)
				return
			}
			doc, err := dom.Parse(octets, dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if !doc.Root().Is(xsd.Namespace, "schema") {
				t.Errorf("%s is no schema", doc.Root().QName())
			}
		})
	}
}

// TestCorpusSuiteOfTheTestBed validates the suite against the schema of its language, and its sample of a wrong order
// against the order's.
func TestCorpusSuiteOfTheTestBed(t *testing.T) {
	t.Parallel()
	suite, order := compiled(t, "gitb-schemas", "gitb_tdl.xsd"), compiled(t, "gitb-suite/testSuite1/resources", "PurchaseOrder.xsd")
	for _, row := range rows(t, "gitb-suite", 14) {
		t.Run(strings.ReplaceAll(row["path"], "/", " "), func(t *testing.T) {
			t.Parallel()
			octets := corpus.Read(t, area, row["path"])
			switch expected := row["expected"]; {
			case strings.HasPrefix(expected, "valid against gitb_tdl.xsd"):
				if f := findings(t, suite, octets); len(f) > 0 {
					t.Errorf("%v", f)
				}
				if f := findings(t, suite, needed.ReplaceAll(octets, []byte("${1}nothing"))); len(f) == 0 {
					t.Error("the schema takes everything")
				}
			case strings.HasPrefix(expected, "invalid against PurchaseOrder.xsd"):
				if len(findings(t, order, octets)) == 0 {
					t.Error("valid")
				}
			case expected == "support file" && strings.HasSuffix(row["path"], "samplePO.xml"):
				if f := findings(t, order, octets); len(f) > 0 {
					t.Errorf("%v", f)
				}
			case expected == "support file":
				if len(octets) == 0 {
					t.Error("empty")
				}
			default:
				t.Errorf("no test for %q", expected)
			}
		})
	}
}
