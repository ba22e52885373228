package node_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

// TestNodesOfEveryProfile makes two nodes of each profile, with keys of its algorithms, and sends a letter.
func TestNodesOfEveryProfile(t *testing.T) {
	t.Parallel()
	for profile, c := range map[string]struct {
		agreement setup.Agreement
		lines     []string
	}{
		"eu-edelivery":     {setup.Agreement{Service: "urn:s", Action: "a"}, nil},
		"eu-edelivery2":    {setup.Agreement{Service: "urn:s", Action: "a"}, nil},
		"eu-edelivery2-ec": {setup.Agreement{Service: "urn:s", Action: "a"}, nil},
		"bdew":             {setup.Agreement{Service: "urn:s", Action: "a"}, []string{"agreement: urn:agreed", "twoCorner: true"}},
		"entsog":           {setup.Agreement{Service: "A06"}, []string{"agreement: urn:agreed"}},
		"ecodex":           {setup.Agreement{Service: "EPO", Action: "Form_A"}, nil},
		"oots":             {setup.Agreement{Action: "ExecuteQueryRequest"}, nil},
		"peppol":           {setup.Agreement{Service: "urn:s", Action: "a"}, nil},
	} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			var made [2]*setup.Result
			for i := range made {
				var err error
				p := setup.Params{Dir: filepath.Join(root, fmt.Sprint("n", i)), Network: filepath.Join(root, "network"), Country: "EE", Profile: profile, Host: loopback(), Inbox: true, Now: time.Now()}
				if made[i], err = setup.Create(p); err != nil {
					t.Fatal(err)
				}
			}
			c.agreement.ID = "letters"
			if err := setup.Agree(made[0], made[1], c.agreement); err != nil {
				t.Fatal(err)
			}
			for _, r := range made {
				amend(t, r, "letters", c.lines...)
			}
			a, b := begin(t, made[0], nil, nil), begin(t, made[1], nil, nil)
			m := a.send(t, letter(text("a", "hello")))
			got := b.until(t, store.In, m.MessageID, store.Delivered)
			a.until(t, store.Out, m.MessageID, store.Acknowledged)
			if got.Profile != profile || profile == "entsog" && got.ConversationID != "" {
				t.Errorf("%+v", got)
			}
		})
	}
}
