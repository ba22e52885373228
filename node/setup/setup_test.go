package setup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/node/config"
)

func TestEveryProfileMakesAConfigurationThatLoads(t *testing.T) {
	t.Parallel()
	for _, profile := range as4.ProfileNames() {
		for _, inbox := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s folders %v", profile, inbox), func(t *testing.T) {
				t.Parallel()
				r, err := Create(Params{Dir: filepath.Join(t.TempDir(), "ee"), Country: "EE", Profile: profile, Inbox: inbox, Now: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				c, err := config.Load(r.ConfigFile)
				if err != nil {
					t.Fatal(err)
				}
				if string(c.AS4.URL) != r.URL || c.AS4.Party.ID != r.Party || c.AS4.Party.Type != r.PartyType || (c.Folders.Inbox != "") != inbox {
					t.Errorf("%+v and %+v differ", c.AS4, r)
				}
			})
		}
	}
}

func TestNumberedPortsStayTheSameAndDoNotClash(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for i, want := range []string{"http://127.0.0.1:8440/as4", "http://127.0.0.1:8450/as4", "http://127.0.0.1:8460/as4"} {
		r, err := Create(Params{Dir: filepath.Join(root, fmt.Sprint("n", i)), Country: "EE", Profile: "eu-edelivery", Base: Numbered, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if r.URL != want || r.First != (i == 0) || r.DNS != "127.0.0.1:8443" {
			t.Errorf("node %d: %+v", i, r)
		}
	}
	_, err := Create(Params{Dir: filepath.Join(root, "far"), Country: "EE", Profile: "eu-edelivery", Base: 65533, Now: time.Now()})
	if err == nil {
		t.Error("ports beyond 65535 were taken")
	}
}

func TestAFolderWithANodeIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := Params{Dir: filepath.Join(t.TempDir(), "ee"), Country: "EE", Profile: "eu-edelivery", Now: time.Now()}
	r, err := Create(p)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(r.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(p); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	if after, _ := os.ReadFile(r.ConfigFile); string(after) != string(before) {
		t.Error("the configuration was changed")
	}
}

func TestAgreementsWithSeveralPartnersStandInOneFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var made []*Result
	for _, name := range []string{"ee", "pt", "at"} {
		r, err := Create(Params{Dir: filepath.Join(root, name), Country: "EE", Profile: "eu-edelivery2", Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, r)
	}
	for i, o := range made[1:] {
		x := Agreement{ID: fmt.Sprint("letters-", i), Service: "urn:s", Action: "a", FirstRetry: "2s", MaxAttempts: 3}
		if err := Agree(made[0], o, x, Agreement{ID: fmt.Sprint("answers-", i), Service: "urn:t", Action: "b"}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int{2, 1, 1} {
		c, err := config.Load(made[i].ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Partners) != want || len(c.PModes) != 2*want {
			t.Errorf("%s: %d partners, %d P-Modes", made[i].Name, len(c.Partners), len(c.PModes))
		}
	}
}
