package rulepack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edocument/rulepack"
)

// TestSeed proves rows of internal/seed.
func TestSeed(t *testing.T) {
	t.Parallel()
	// National rules stand on common ones: the same document is valid for one receiver and invalid for another, and the
	// rule's id names the layer.
	t.Run("ESENS-9", func(t *testing.T) {
		t.Parallel()
		folder := rulepack.Folder(t.TempDir())
		national := `<ves><id><groupId>de.example</groupId><artifactId>ticket</artifactId><version>1.0</version></id>
<requires><id><groupId>eu.example</groupId><artifactId>ticket</artifactId></id></requires><schematron><resource><path>de.sch</path></resource></schematron></ves>`
		rules := strings.NewReplacer("T-1", "DE-1", "T-2", "DE-2", "t:Number", "t:Route").Replace(ticketRules)
		for _, p := range slices.Concat(
			imported(t, files("common-1.0.sch", ticketRules), rulepack.ImportOptions{ID: "eu.example:ticket"}),
			imported(t, files("de.ves", national, "de.sch", rules), rulepack.ImportOptions{}),
		) {
			if err := folder.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		doc := parse(t, ticket("<Number>7</Number>"))
		for receiver, c := range map[string]struct{ pack, packs, verdict string }{
			"Portugal": {"eu.example:ticket", "eu.example:ticket@1.0", "valid"},
			"Germany":  {"de.example:ticket", "eu.example:ticket@1.0 de.example:ticket@1.0", "DE-1:fatal DE-2:warning invalid"},
		} {
			j, err := folder.Open(today, c.pack)
			if err != nil {
				t.Fatal(err)
			}
			r, err := j.Validate(doc)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.Pack, " "); got != c.packs || word(r) != c.verdict {
				t.Errorf("%s: %s by %s", receiver, word(r), got)
			}
		}
	})
}
