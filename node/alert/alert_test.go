package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// memory is a store that keeps what alerts write, or refuses it.
type memory struct {
	mu    sync.Mutex
	meta  map[string]string
	log   []audit.Entry
	tasks []store.Task
	full  bool
}

type memoryTx struct {
	store.Tx // nothing else is asked
	m        *memory
}

func (m *memory) Write(_ context.Context, f func(store.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full {
		return store.ErrDiskFull
	}
	return f(&memoryTx{m: m})
}

func (m *memory) Meta(_ context.Context, key string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.meta[key]
	if !ok {
		return "", store.ErrNotFound
	}
	return v, nil
}

func (t *memoryTx) SetMeta(key, value string) error { t.m.meta[key] = value; return nil }

func (t *memoryTx) AppendLog(octets []byte) (int64, error) {
	e, err := audit.Parse(octets)
	if err != nil {
		return 0, err
	}
	t.m.log = append(t.m.log, *e)
	return int64(len(t.m.log)), nil
}

func (t *memoryTx) PutTask(k *store.Task) error {
	k.ID = int64(len(t.m.tasks) + 1)
	t.m.tasks = append(t.m.tasks, *k)
	return nil
}

// ear is a channel that keeps what it is told without a task.
type ear struct {
	name  string
	least Severity
	heard []Alert
}

func (e *ear) Name() string    { return e.name }
func (e *ear) Least() Severity { return e.least }
func (e *ear) Tell(_ context.Context, _ string, list []Alert) error {
	e.heard = append(e.heard, list...)
	return nil
}

type bench struct {
	*Center
	t     *testing.T
	store *memory
	now   time.Time
	seen  int // tasks that were looked at
}

var start = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC) // a Saturday

func newBench(t *testing.T, set Settings) *bench {
	t.Helper()
	b := &bench{t: t, store: &memory{meta: map[string]string{}}, now: start}
	b.open(set)
	return b
}

func (b *bench) open(set Settings) {
	b.t.Helper()
	c, err := New(Options{Settings: set, Node: "ee", Country: "EE", Version: "1", Store: b.store, Clock: func() time.Time { return b.now }, Channels: []Channel{&ear{"all", Info, nil}, &ear{"loud", Critical, nil}}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Center = c
}

// round looks after a while and says what changed, and what was told to whom.
func (b *bench) round(after time.Duration, f Facts) (changed, told []string) {
	b.t.Helper()
	b.now = b.now.Add(after)
	entries := len(b.store.log)
	if err := b.Round(context.Background(), &f); err != nil {
		b.t.Fatal(err)
	}
	for _, e := range b.store.log[entries:] {
		changed = append(changed, e.State+" "+e.Subject)
	}
	for ; b.seen < len(b.store.tasks); b.seen++ {
		t := b.store.tasks[b.seen]
		var list []Alert
		if err := json.Unmarshal(t.Body, &list); err != nil {
			b.t.Fatal(err)
		}
		for _, a := range list {
			word := "open"
			if !a.Open() {
				word = "over"
			}
			told = append(told, strings.TrimPrefix(t.Queue, "alert/")+" "+word+" "+a.ID)
		}
	}
	return changed, told
}

func (b *bench) want(what string, got []string, want ...string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func expiring(at time.Time) Facts {
	return Facts{Free: -1, Certificates: []Certificate{{Use: "own", Name: "CN=POP1", Fingerprint: "ab", Expiry: at}}}
}

func TestACertificateIsToldAtEachOfItsDaysAndWhenItIsRenewed(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{})
	end := start.Add(62 * day)
	c, told := b.round(0, expiring(end))
	b.want("62 days before", append(c, told...))
	c, told = b.round(3*day, expiring(end))
	b.want("59 days before", append(c, told...), "opened certificate-own:own ab", "all open certificate-own:own ab")
	c, told = b.round(time.Minute, expiring(end))
	b.want("a minute later", append(c, told...))
	c, told = b.round(30*day, expiring(end))
	b.want("29 days before", append(c, told...), "worse certificate-own:own ab", "all open certificate-own:own ab")
	c, told = b.round(25*day, expiring(end))
	b.want("4 days before it is critical", append(c, told...), "worse certificate-own:own ab", "all open certificate-own:own ab", "loud open certificate-own:own ab")
	_, told = b.round(5*day, expiring(end))
	b.want("after its end", told, "all open certificate-own:own ab", "loud open certificate-own:own ab")
	if a := b.List()[0]; a.Say("en") != "The own certificate CN=POP1 ended on 2027-01-29" || a.Severity != Critical {
		t.Errorf("%s: %s", a.Severity, a.Say("en"))
	}
	c, told = b.round(time.Minute, expiring(end.AddDate(2, 0, 0)))
	b.want("renewed", append(c, told...), "over certificate-own:own ab", "all over certificate-own:own ab", "loud over certificate-own:own ab")
	f := expiring(b.now.Add(day))
	f.Certificates[0].Replaced = true
	c, told = b.round(0, f)
	b.want("one whose successor is installed", append(c, told...))
}

func TestAnAlertThatStaysIsToldAgainAndOnlyOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{Repeat: config.Duration(day)})
	stuck := Facts{Free: -1, Queues: []Queue{{Direction: store.Out, Depth: 3, Oldest: start.Add(-7 * time.Hour)}}}
	_, told := b.round(0, stuck)
	b.want("at first", told, "all open queue-out-age")
	_, told = b.round(23*time.Hour, stuck)
	b.want("before the day is over", told)
	_, told = b.round(2*time.Hour, stuck)
	b.want("a day later", told, "all open queue-out-age")
	_, told = b.round(time.Hour, Facts{Free: -1})
	b.want("once it is over", told, "all over queue-out-age")
	_, told = b.round(time.Hour, Facts{Free: -1})
	b.want("afterwards", told)
}

func TestWhatLastsOnlyAMomentIsNoAlert(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{Rules: []Rule{{ID: "queue-out-depth", Count: 10}}})
	deep := Facts{Free: -1, Queues: []Queue{{Direction: store.Out, Depth: 10}}}
	c, _ := b.round(0, deep)
	b.want("at first", c)
	c, _ = b.round(time.Minute, Facts{Free: -1})
	b.want("gone", c)
	c, _ = b.round(time.Minute, deep)
	b.want("again", c)
	c, _ = b.round(5*time.Minute, deep)
	b.want("five minutes", c, "opened queue-out-depth")
	c, _ = b.round(time.Minute, Facts{Free: -1})
	b.want("a dip", c)
	c, _ = b.round(time.Minute, deep)
	b.want("after a dip", c)
	c, _ = b.round(6*time.Minute, Facts{Free: -1})
	b.want("five minutes of calm", c, "over queue-out-depth")
}

func TestEventsAreCountedByAgreementInTheirWindow(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{})
	none := Facts{Free: -1}
	b.Note(NoReceipt, "POP2, letters")
	b.Note(NoReceipt, "POP2, letters")
	b.Note(Failed, "POP3, bills")
	for range 19 {
		b.Note(LoginRefused, "console")
	}
	c, told := b.round(time.Minute, none)
	b.want("first", c, "opened no-receipt:POP2, letters", "opened message-failed:POP3, bills")
	b.want("first, told", told, "all open no-receipt:POP2, letters", "all open message-failed:POP3, bills", "loud open no-receipt:POP2, letters")
	if got, want := b.List()[0].Say("de"), "2 Nachrichten blieben ohne rechtzeitige Quittung innerhalb von 1 Stunde: POP2, letters"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Note(LoginRefused, "console")
	c, _ = b.round(time.Minute, none)
	b.want("the twentieth password", c, "opened login-attack:console")
	c, _ = b.round(11*time.Minute, none)
	b.want("eleven minutes", c, "over login-attack:console")
	c, _ = b.round(time.Hour, none)
	b.want("an hour", c, "over no-receipt:POP2, letters", "over message-failed:POP3, bills")
}

func TestAStormOfRetriesIsOneThatOutweighsWhatArrives(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{})
	for range 150 {
		b.Note(Retried, "")
	}
	for range 150 {
		b.Note(Acknowledged, "")
	}
	c, _ := b.round(time.Minute, Facts{Free: -1})
	b.want("as many arrive", c)
	b.Note(Retried, "")
	c, _ = b.round(time.Minute, Facts{Free: -1})
	b.want("one more fails", c, "opened retry-storm")
}

func TestEveryOtherRuleFindsWhatItIsThereFor(t *testing.T) {
	t.Parallel()
	soon := start.Add(5 * day)
	for _, k := range []struct {
		name string
		f    Facts
		want string
		s    Severity
		text string
	}{
		{"little room", Facts{Free: 900 << 20, Least: 256 << 20}, "disk", Warning, "Only 900 MiB are free on the volume of the node; below 256 MiB new messages are refused"},
		{"no room", Facts{Free: 200 << 20, Least: 256 << 20}, "disk", Critical, "New messages are refused: 200 MiB are free on the volume of the node, 256 MiB are the least"},
		{"enough room", Facts{Free: 2 << 30, Least: 256 << 20}, "", "", ""},
		{"unsigned log", Facts{Free: -1, Unsigned: start.Add(-10 * time.Minute), HeadEvery: time.Minute}, "log-unsigned", Critical, "The log of evidence has not been signed for 10 minutes"},
		{"log signed each hour", Facts{Free: -1, Unsigned: start.Add(-2 * time.Hour), HeadEvery: time.Hour}, "", "", ""},
		{"list due", Facts{Free: -1, Lists: []List{{Name: "ca.crl", Due: start}}}, "revocation-list:ca.crl", Warning, "The revocation list ca.crl was to be replaced by 2026-11-28"},
		{"list damaged", Facts{Free: -1, Lists: []List{{Name: "ca.crl", Due: soon, Failed: true}}}, "revocation-list:ca.crl", Warning, "The revocation list ca.crl cannot be read anew; the last good one is in use, until 2026-12-03"},
		{"list good", Facts{Free: -1, Lists: []List{{Name: "ca.crl", Due: soon}}}, "", "", ""},
		{"given up", Facts{Free: -1, GivenUp: []string{"backoffice/push/all"}}, "notices-given-up:backoffice/push/all", Warning, "Notices were given up: backoffice/push/all"},
		{"store", Facts{Free: -1, Trouble: []string{"store"}}, "trouble:store", Critical, "The store does not answer"},
		{"key change", Facts{Free: -1, Planned: []Planned{{"signing", soon}}}, "key-change:signing 2026-12-03", Info, "A change of keys comes on 2026-12-03: the signing key, in 5 days"},
		{"the end of a version", Facts{Free: -1, PhaseOuts: []PhaseOut{{"order:3", soon, "order:4"}}}, "phase-out:order:3", Warning, "order:3 is phased out on 2026-12-03, in 5 days; order:4 takes its place"},
		{"the end of a pack", Facts{Free: -1, PhaseOuts: []PhaseOut{{"eu.peppol:order:2026.5", soon, ""}}}, "phase-out:eu.peppol:order:2026.5", Warning, "eu.peppol:order:2026.5 is phased out on 2026-12-03, in 5 days"},
		{"a version that ended", Facts{Free: -1, PhaseOuts: []PhaseOut{{"order:2", start.Add(-time.Hour), ""}}}, "", "", ""},
		{"key change done", Facts{Free: -1, Planned: []Planned{{"signing", start.Add(-time.Hour)}}}, "", "", ""},
		{"received messages stand", Facts{Free: -1, Queues: []Queue{{Direction: store.In, Depth: 1, Oldest: start.Add(-61 * time.Minute)}}}, "queue-in-age", Warning, "The oldest received message has waited for 61 minutes to be handed over; 1 wait"},
		{"partner", Facts{Free: -1, Certificates: []Certificate{{Use: "partner", Name: "pt", Fingerprint: "cd", Expiry: soon}}}, "certificate-partner:partner cd", Warning, "The certificate of the partner pt ends on 2026-12-03, in 5 days"},
	} {
		b := newBench(t, Settings{})
		b.round(0, k.f)
		list := b.List()
		if k.want == "" {
			if len(list) != 0 {
				t.Errorf("%s: %+v", k.name, list)
			}
			continue
		}
		if len(list) != 1 || list[0].ID != k.want || list[0].Severity != k.s || list[0].Say("en") != k.text {
			t.Errorf("%s: got %+v, want %s %s: %s", k.name, list, k.s, k.want, k.text)
		}
	}
}

func TestQuietTimesHoldBackWhatCanWait(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{TimeZone: "UTC", Quiet: []Quiet{{From: "22:00", To: "06:00"}, {Days: []string{"sun"}, From: "00:00", To: "24:00"}}})
	low, gone := Facts{Free: 900, Least: 256}, Facts{Free: 2000, Least: 256}
	_, told := b.round(13*time.Hour, low) // Saturday, 23:00
	b.want("at night", told)
	c, _ := b.round(10*time.Minute, gone)
	b.want("in between", c, "over disk")
	_, told = b.round(0, Facts{Free: 100, Least: 256})
	b.want("what is critical", told, "all open disk", "loud open disk")
	_, told = b.round(9*time.Hour, gone) // Sunday, 08:10
	b.want("it is critical, over as well", told, "all over disk", "loud over disk")
	_, told = b.round(0, low)
	b.want("on a Sunday", told)
	_, told = b.round(22*time.Hour+time.Minute, low) // Monday, 06:11
	b.want("on Monday", told, "all open disk")
	if n := len(b.store.log); n != 5 {
		t.Errorf("the log has %d entries, want all 5", n)
	}
}

func TestQuietHours(t *testing.T) {
	t.Parallel()
	night, weekend := Quiet{Days: []string{"fri"}, From: "22:00", To: "06:00"}, Quiet{Days: []string{"sat", "sun"}, From: "00:00", To: "24:00"}
	for _, k := range []struct {
		q    Quiet
		at   string
		want bool
	}{
		{night, "2026-11-27 21:59", false}, {night, "2026-11-27 22:00", true}, {night, "2026-11-28 05:59", true}, {night, "2026-11-28 06:00", false},
		{night, "2026-11-28 22:30", false}, {night, "2026-11-27 05:00", false}, {weekend, "2026-11-29 23:59", true}, {weekend, "2026-11-30 00:00", false},
	} {
		at, err := time.Parse("2006-01-02 15:04", k.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.q.holds(at); got != k.want {
			t.Errorf("%+v at %s: %t", k.q, k.at, got)
		}
	}
}

func TestAStartTellsNothingTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{})
	b.Note(Failed, "POP3, bills")
	stuck := Facts{Free: -1, GivenUp: []string{"q"}}
	_, told := b.round(time.Minute, stuck)
	b.want("before", told, "all open message-failed:POP3, bills", "all open notices-given-up:q")
	b.open(Settings{})
	c, told := b.round(time.Minute, stuck)
	b.want("after the start", append(c, told...))
	c, told = b.round(50*time.Minute, stuck)
	b.want("within the window of what was counted before", append(c, told...))
	_, told = b.round(20*time.Minute, stuck)
	b.want("when the window is over", told, "all over message-failed:POP3, bills")
}

func TestAStoreThatTakesNothingDoesNotSilenceAlerts(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{})
	b.store.full = true
	full := Facts{Free: 0, Least: 256}
	if err := b.Round(context.Background(), &full); !errors.Is(err, store.ErrDiskFull) {
		t.Fatal(err)
	}
	heard := b.Channels[1].(*ear)
	if len(heard.heard) != 1 || heard.heard[0].ID != "disk" {
		t.Fatalf("heard %+v", heard.heard)
	}
	for range 3 {
		if err := b.Round(context.Background(), &full); err != nil {
			t.Fatal(err)
		}
	}
	if len(heard.heard) != 1 {
		t.Errorf("heard %d times", len(heard.heard))
	}
	b.store.full = false
	c, told := b.round(time.Hour, Facts{Free: 2000, Least: 256})
	b.want("when it takes again", append(c, told...), "over disk", "all over disk", "loud over disk")
}

func TestConfiguredRules(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		name string
		over []Rule
		want string // error
	}{
		{"a number of a rule", []Rule{{ID: "disk", Times: 10}}, ""},
		{"a rule that is off", []Rule{{ID: "disk", Off: true}}, ""},
		{"a rule of one's own", []Rule{{ID: "many", Kind: "events", Event: "failed", Count: 100, Window: config.Duration(time.Hour), Severity: "critical"}}, ""},
		{"a rule that is not there", []Rule{{ID: "disc"}}, `there is no rule "disc" (did you mean disk?): a new one has a kind`},
		{"another kind", []Rule{{ID: "disk", Kind: "log"}}, `rule "disk" is of the kind disk`},
		{"too little", []Rule{{ID: "mine", Kind: "queue-age"}}, `rule "mine" needs direction and age`},
		{"twice", []Rule{{ID: "disk"}, {ID: "disk"}}, `two rules are named "disk"`},
	} {
		got, err := merge(k.over)
		if fmt.Sprint(err) != k.want && (err != nil || k.want != "") {
			t.Errorf("%s: got %v, want %q", k.name, err, k.want)
		}
		if err == nil && k.over[0].Off == slices.ContainsFunc(got, func(r Rule) bool { return r.ID == k.over[0].ID }) {
			t.Errorf("%s: off is %t", k.name, k.over[0].Off)
		}
	}
	for _, r := range DefaultRules() {
		if what := kinds[r.Kind](&r); what != "" {
			t.Errorf("built-in rule %s %s", r.ID, what)
		}
	}
}

// TestEveryLanguageSaysTheSame: keys and arguments are those of the English texts.
func TestEveryLanguageSaysTheSame(t *testing.T) {
	t.Parallel()
	args := regexp.MustCompile(`\{\d\}`)
	en := words()["en"]
	for _, l := range Languages {
		m := words()[l]
		if a, b := slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(m)); !slices.Equal(a, b) {
			t.Errorf("%s has other keys", l)
		}
		for k, s := range en {
			a, b := args.FindAllString(s, -1), args.FindAllString(m[k], -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(a, b) {
				t.Errorf("%s: %s has %v, want %v", l, k, b, a)
			}
		}
	}
}

func TestMemoryOfEventsIsBounded(t *testing.T) {
	t.Parallel()
	c := counts{m: map[counted]*minutes{}}
	for i := range 3 * countedMost {
		c.add(Failed, fmt.Sprint(i), start)
	}
	if len(c.m) > countedMost+1 {
		t.Errorf("%d keys", len(c.m))
	}
	if n := total(c.sum(Failed, time.Hour, start)); n != 3*countedMost {
		t.Errorf("%d were counted", n)
	}
	for i := range 3 * 24 * 60 {
		c.add(Failed, "0", start.Add(time.Duration(i)*time.Minute))
	}
	if n := len(c.m[counted{Failed, "0"}].list); n > countedAge+2 {
		t.Errorf("%d minutes are kept", n)
	}
	if got := c.sum(Failed, time.Hour, start.Add(3*day-time.Minute))["0"]; got != 60 {
		t.Errorf("%d within an hour", got)
	}
}

func TestListPutsOpenAndWorstFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t, Settings{})
	b.round(0, Facts{Free: -1, GivenUp: []string{"a"}})
	b.round(time.Minute, Facts{Free: -1, GivenUp: []string{"b"}, Trouble: []string{"store"}})
	var got []string
	for _, a := range b.List() {
		got = append(got, a.ID)
	}
	if want := []string{"trouble:store", "notices-given-up:b", "notices-given-up:a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
