package console

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/match"
	"github.com/viadukt-eu/viadukt/node/acceptance"
	"github.com/viadukt-eu/viadukt/node/store"
)

// families are keys that are put together from a fixed beginning and a value: all that can come.
func families() map[string]bool {
	out := map[string]bool{}
	add := func(prefix string, values ...string) {
		for _, v := range values {
			out[prefix+v] = true
		}
	}
	for _, s := range store.States() {
		add("state.", s.String())
	}
	for _, c := range codes {
		add("check.", string(c), string(c)+".remedy")
	}
	for _, a := range auditTypes {
		add("audit.type.", string(a))
	}
	for _, g := range stateGroups {
		add("group.", g.Name)
	}
	for _, s := range spans {
		add("span.", s.Name)
	}
	for _, s := range []edocument.Severity{edocument.Fatal, edocument.Error, edocument.Warning, edocument.Info} {
		add("validate.severity.", string(s))
	}
	for _, id := range []string{match.OrderUnknown, match.OrderRefused, match.Seller, match.Buyer, match.Currency, match.LineUnknown, match.ItemDiffers, match.UnitDiffers,
		match.Quantity, match.Price, match.Amount, match.Total, match.Undelivered, match.Despatch, match.Credited, match.Open} {
		add("thread.", id)
		switch id {
		case match.Open:
		case match.Despatch:
			add("thread.do.", id+".warning")
		case match.Price:
			add("thread.do.", id+".error", id+".warning")
		default:
			add("thread.do.", id+".error")
		}
	}
	for _, r := range Roles {
		add("role.", string(r))
	}
	add("trust.store.", TrustStoreNames...)
	add("trustlists.state.", TrustedListStates...)
	add("anchors.purpose.", AnchorPurposes...)
	add("anchors.from.", AnchorSources...)
	add("anchors.state.", AnchorStates...)
	add("language.", Languages...)
	for _, o := range acceptance.Outcomes {
		add("acceptance.outcome.", string(o))
	}
	add("acceptance.", acceptance.Subjects...)
	add("direction.", "in", "out")
	add("queue.", "in", "out")
	add("severity.", "ok", "info", "warning", "failure", "critical")
	add("check.worst.", "ok", "warning", "failure")
	add("import.", "added", "removed", "changed")
	add("evidence.", string(store.KindReceipt), string(store.KindError), string(store.KindNonRepudiation), string(store.KindREM))
	for _, u := range []Use{UseSigning, UseEncryption, UseNext, UseFormer, UsePublisher, UseTLS, UsePartner, UseAuthority} {
		add("use.", string(u))
	}
	add("concern.", "out-failed", "in-failed") // those of tiles with failures
	for _, k := range DetailKeys {
		add("agreement.", k)
	}
	return out
}

// sources are the templates and the code, where keys are written out.
func sources(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, pattern := range []string{"*.go", "pages/*.html"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if strings.HasSuffix(n, "_test.go") {
				continue
			}
			text, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(text)
		}
	}
	return b.String()
}

func TestEveryTextIsThereInEveryLanguageAndUsed(t *testing.T) {
	t.Parallel()
	all := map[string]*texts{}
	for _, l := range Languages {
		var err error
		if all[l], err = loadTexts(l); err != nil {
			t.Fatal(err)
		}
	}
	en := all["en"]
	if len(en.m) < 300 {
		t.Fatalf("only %d texts", len(en.m))
	}
	hole := regexp.MustCompile(`\{\d\}`)
	for key, text := range en.m {
		want := hole.FindAllString(text, -1)
		slices.Sort(want)
		for _, l := range Languages {
			other, ok := all[l].m[key]
			if !ok || strings.TrimSpace(other) == "" {
				t.Errorf("%s: %s is missing", l, key)
				continue
			}
			got := hole.FindAllString(other, -1)
			slices.Sort(got)
			if !slices.Equal(slices.Compact(got), slices.Compact(slices.Clone(want))) {
				t.Errorf("%s: %s has other arguments than in English: %q, %q", l, key, other, text)
			}
		}
	}
	for _, l := range Languages {
		for key := range all[l].m {
			if !en.has(key) {
				t.Errorf("%s: %s is not in English", l, key)
			}
		}
	}
	code, made := sources(t), families()
	used := func(key string) bool {
		return strings.Contains(code, `"`+key+`"`) || made[key] || strings.HasPrefix(key, "remedy.")
	}
	for key := range en.m {
		base := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		if !used(key) && !used(base) {
			t.Errorf("%s is not used", key)
		}
	}
	for key := range made {
		if !en.has(key) && !en.has(key+".other") && !strings.HasSuffix(key, ".remedy") {
			t.Errorf("%s is used and has no text", key)
		}
	}
	for _, m := range regexp.MustCompile(`\b(t|tn) "([^"]+)"`).FindAllStringSubmatch(code, -1) {
		key := m[2]
		if m[1] == "tn" {
			key += ".other"
		}
		if !en.has(key) {
			t.Errorf("%s stands in a page and has no text", key)
		}
	}
}

func TestNumbersAndTimesAreWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language               string
		number, size, duration string
	}{
		{"en", "1,234,567", "1.5 MB", "3 hours"},
		{"de", "1.234.567", "1,5 MB", "3 Stunden"},
		{"fr", "1\u202f234\u202f567", "1,5 MB", "3 heures"},
		{"it", "1.234.567", "1,5 MB", "3 ore"},
	} {
		x, err := loadTexts(c.language)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.number(1234567); got != c.number {
			t.Errorf("%s: %q", c.language, got)
		}
		if got := x.size(1_500_000); got != c.size {
			t.Errorf("%s: %q", c.language, got)
		}
		if got := x.duration(3*time.Hour + 59*time.Minute); got != c.duration {
			t.Errorf("%s: %q", c.language, got)
		}
	}
	en, err := loadTexts("en")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want string }{
		{en.number(-1234), "-1,234"}, {en.number(999), "999"}, {en.number(0), "0"}, {en.size(1), "1 byte"}, {en.size(999), "999 bytes"}, {en.size(1000), "1.0 kB"},
		{en.duration(59 * time.Second), "59 seconds"}, {en.duration(time.Minute), "1 minute"}, {en.duration(47 * time.Hour), "47 hours"}, {en.duration(48 * time.Hour), "2 days"},
		{en.gap(42 * time.Millisecond), "42 ms"}, {en.gap(1500 * time.Millisecond), "1.5 s"}, {en.text("message.attempt", "{0}{1}"), "attempt {0}{1}"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestTheLanguageIsThatOfTheBrowser(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, header, want string }{
		{"none is asked for", "", "en"},
		{"the first of those there are", "pt-PT,pt;q=0.9,it;q=0.8,en;q=0.7", "it"},
		{"a region does not matter", "de-AT", "de"},
		{"the weight decides", "en;q=0.5, fr;q=0.9", "fr"},
		{"one that is not wanted is not taken", "de;q=0", "en"},
		{"what cannot be read is passed over", "de;q=x, it;q=0.1, ;;;", "it"},
	} {
		if got := accepted(c.header); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
