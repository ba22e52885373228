package agreements_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/agreements"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
)

// world is a node with a folder into which sets are imported. The certificate of every partner is that of its authority.
type world struct {
	*node.Node
	made  *setup.Result
	party ebms.PartyID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	made, err := setup.Create(setup.Params{Dir: filepath.Join(root, "ee"), Network: filepath.Join(root, "network"), Country: "EE", Profile: "eu-edelivery", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(made.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	party, certs, err := node.Own(c)
	if err != nil || party.Value != made.Party || len(certs) != 1 {
		t.Fatalf("own party %v with %d certificates: %v", party, len(certs), err)
	}
	n, err := node.New(context.Background(), c, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	return &world{n, made, party}
}

func (w *world) options() agreements.Options {
	certificate := filepath.Join(w.made.Dir, "trust", "access-points.pem")
	return agreements.Options{Party: w.party, Certificate: func(string) string { return certificate }}
}

func (w *world) write(t *testing.T, f *agreements.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, w.made.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.Config.PModeFile(), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestANodeDoesWhatTheFileOfAnotherProgramSays imports files of the corpus into a node and compares its P-Modes with
// those that were read.
func TestANodeDoesWhatTheFileOfAnotherProgramSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	compared := 0
	for _, name := range []struct{ area, file string }{
		{"edelivery-as4", "pmode-domibus/domibus-configuration-valid.xml"}, {"edelivery-as4", "pmode-holodeck/ex-pm-2way-push-init.xml"}, {"edelivery-as4", "pmode-holodeck/ex-pm-push-nrr-resp.xml"},
		{"ejustice-ecodex", "pmode/example-pmodes-1.xml"}, {"procedures-spocs", "oots/pmode-domibus-oots.xml"},
		{"architecture-esens", "pmode5/Default__blue__domibus-pmode-blue.xml"}, {"architecture-esens", "pmode5/SpecialTests__splitandjoin__red__domibus-pmode-red.xml"},
		{"architecture-esens", "pmode5/SpecialTests__taxud__cesop__uumdsServer__C3__PMode-sti-taxud.xml"}, {"architecture-esens", "pmode5/SpecialTests__pullMultipleLegs__C3__domibus-pmode-red.xml"},
	} {
		set, err := pmode.Read(corpus.Read(t, name.area, name.file), pmode.Options{File: name.file})
		if err != nil {
			t.Fatal(err)
		}
		f := agreements.FromSet(set, w.options())
		text := w.write(t, f)
		if _, err := w.Reload(context.Background()); err != nil {
			t.Errorf("%s: %v", name.file, err)
			continue
		}
		for _, m := range set.Modes {
			want, _ := set.PModes(m)
			got := w.PMode(m.ID)
			if want == nil || want.URL == "" && !want.Pull {
				if got != nil {
					t.Errorf("%s: %s is sent, and must not be", name.file, m.ID)
				}
				continue
			}
			if got == nil {
				t.Errorf("%s: %s is not there for sending", name.file, m.ID)
				continue
			}
			want.Certificates = got.Certificates
			if err := want.Complete(); err != nil {
				t.Fatal(err)
			}
			if want.Pull { // the address is not used: the partner comes
				want.URL = got.URL
			}
			compared++
			if !reflect.DeepEqual(want, got) {
				t.Errorf("%s: %s:\ngot  %+v\nwant %+v", name.file, m.ID, got, want)
			}
		}
		again(t, name.file, w, f, text)
	}
	if compared < 400 {
		t.Errorf("only %d P-Modes compared", compared)
	}
}

// again reads the file that was written and writes it: nothing may differ.
func again(t *testing.T, name string, w *world, f *agreements.File, text []byte) {
	t.Helper()
	partners, modes, err := config.LoadAgreements(w.Config.PModeFile())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	read := &agreements.File{Lost: f.Lost, Left: f.Left}
	if read.Partners, read.PModes, err = agreements.Decode(partners, modes); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if d := pmode.Diff(agreements.Items(f.Partners, f.PModes, w.made.Dir), agreements.Items(read.Partners, read.PModes, w.made.Dir)); len(d) != 0 {
		t.Errorf("%s: differs when it is read: %+v", name, d)
	}
	var b bytes.Buffer
	if err := read.Write(&b, w.made.Dir); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), text) {
		t.Errorf("%s: written differently the second time", name)
	}
}

// TestWhatWasImportedIsExported turns a file into configuration, that into the partner's file, and reads this.
func TestWhatWasImportedIsExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set, err := pmode.Read(corpus.Read(t, "ejustice-ecodex", "pmode/example-pmodes-1.xml"), pmode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := agreements.FromSet(set, w.options())
	partner := set.Partners[2].Name
	back, err := agreements.ToSet(w.Config, w.party, f.Partners, f.PModes, partner)
	if err != nil {
		t.Fatal(err)
	}
	d, warnings, err := back.ForPartner(partner)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v: %v", err, warnings)
	}
	theirs, err := pmode.Read(d.Bytes(), pmode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if theirs.Own.Name != partner || theirs.Partners[0].Name != w.Config.Node.Name || !reflect.DeepEqual(theirs.Partners[0].IDs, set.Own.IDs) {
		t.Errorf("for %q, with %+v", theirs.Own.Name, theirs.Partners)
	}
	ours := map[string]*pmode.Mode{}
	for _, m := range set.Modes {
		if m.Partner == partner {
			ours[fmt.Sprint(m.Service, m.Action, m.SenderRole, m.ReceiverRole, m.Agreement)] = m
		}
	}
	if len(theirs.Modes) != len(ours) || len(ours) < 30 {
		t.Errorf("%d modes, want %d", len(theirs.Modes), len(ours))
	}
	for _, m := range theirs.Modes {
		o := ours[fmt.Sprint(m.Service, m.Action, m.SenderRole, m.ReceiverRole, m.Agreement)]
		if o == nil || o.Retry != m.Retry || o.Direction != m.Direction || o.Security.Encrypt != m.Security.Encrypt || o.NonRepudiation != m.NonRepudiation {
			t.Errorf("%s: %+v, ours is %+v", m.ID, m, o)
		}
	}
}

func TestDefaultsOfTheNodeAreExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	partners := []node.Partner{{Name: "pt", ID: "pt-gw", URL: "https://pt.example/", SignToken: "ski"}}
	modes := []node.PModeSettings{
		{ID: "letters", Partner: "pt", Direction: "receive", OurRole: "reader", PartnerRole: "writer"},
		{ID: "invoices", Partner: "pt", Direction: "send", Profile: "peppol", Service: "s", Action: "a"},
	}
	s, err := agreements.ToSet(w.Config, w.party, partners, modes, "")
	if err != nil {
		t.Fatal(err)
	}
	a, b := s.Modes[0], s.Modes[1]
	if a.SenderRole != "writer" || a.ReceiverRole != "reader" || !a.FourCorner() || a.Security.SignToken != "ski" || a.Retry.Max != w.Config.Outbound.MaxAttempts || !a.Compress {
		t.Errorf("%+v", a)
	}
	pr := as4.Profiles["peppol"]
	if b.Agreement != pr.Agreement || b.SenderRole != pr.InitiatorRole || b.Payloads.MaxSize != pr.MaxSize || b.Direction != pmode.Send {
		t.Errorf("%+v", b)
	}
	if s.Partners[0].IDs[0].Type == "" {
		t.Error("the type of the identifier is that of the profile")
	}
	for _, c := range []struct {
		name string
		mode node.PModeSettings
		want string
	}{
		{"a partner nobody knows", node.PModeSettings{ID: "x", Partner: "lv"}, `no partner is named "lv"`},
		{"a profile nobody knows", node.PModeSettings{ID: "x", Partner: "pt", Profile: "none"}, `unknown profile "none"`},
	} {
		if _, err := agreements.ToSet(w.Config, w.party, partners, []node.PModeSettings{c.mode}, ""); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	two := []node.PModeSettings{{ID: "a", Partner: "pt", OurID: "one"}, {ID: "b", Partner: "pt", OurID: "two"}}
	if _, err := agreements.ToSet(w.Config, w.party, partners, two, "pt"); err == nil || !strings.Contains(err.Error(), "two identifiers towards pt") {
		t.Errorf("two identifiers: %v", err)
	}
}

func TestCommentsEndWhereTheyEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := &agreements.File{Source: "a\nnode: {name: x}", Left: []*pmode.Mode{{ID: "x\u2028pmodes: 3", Unusable: []string{"y\r\nz: 1"}}}}
	w.write(t, f)
	if _, _, err := config.LoadAgreements(w.Config.PModeFile()); err != nil {
		t.Error(err)
	}
	if _, err := w.Reload(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestKeepingWhatIsThere(t *testing.T) {
	t.Parallel()
	f := &agreements.File{Partners: []node.Partner{{Name: "pt", ID: "new"}}, PModes: []node.PModeSettings{{ID: "a", Action: "new"}}}
	f.Keep(&agreements.File{Partners: []node.Partner{{Name: "pt", ID: "old"}, {Name: "lv"}}, PModes: []node.PModeSettings{{ID: "b"}, {ID: "a", Action: "old"}}})
	if len(f.Partners) != 2 || f.Partners[0].ID != "new" || f.Partners[1].Name != "lv" || len(f.PModes) != 2 || f.PModes[0].Action != "new" || f.PModes[1].ID != "b" {
		t.Errorf("%+v", f)
	}
}
