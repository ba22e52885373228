package alert

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Rule says what is worth an alert. A zero number keeps what the rule of that id has.
type Rule struct {
	ID        string          `yaml:"id" required:"true" example:"queue-out-depth" doc:"Which rule: one of the built-in ones, or a new name with a kind."`
	Kind      string          `yaml:"kind" enum:"certificate,planned,phase-out,queue-depth,queue-age,retries,events,disk,log,log-timestamp,revocation-list,trust-list,given-up,trouble" doc:"What is looked at. Only for a rule of your own."`
	Off       bool            `yaml:"off" doc:"Do not look."`
	Severity  string          `yaml:"severity" enum:"info,warning,critical" doc:"How much it hurts."`
	Uses      []string        `yaml:"uses" enum:"own,partner,tls,authority" doc:"Whose certificates."`
	Days      []int           `yaml:"days" doc:"Days before an end at which it is told, each once."`
	Critical  int             `yaml:"critical" doc:"Days before an end from which it is critical."`
	Direction string          `yaml:"direction" enum:"in,out" doc:"Which queue."`
	Event     string          `yaml:"event" enum:"failed,no-receipt,undelivered,untold,refused,login" doc:"What is counted."`
	Count     int             `yaml:"count" min:"0" doc:"How many are too many."`
	Window    config.Duration `yaml:"window" doc:"Time in which they are counted."`
	Age       config.Duration `yaml:"age" doc:"How old is too old."`
	Times     float64         `yaml:"times" min:"0" doc:"Free room, as a multiple of node.minFree; or the age of unsigned entries, as a multiple of evidence.headEvery."`
	For       config.Duration `yaml:"for" doc:"How long it has to last before it is told."`
	Clear     config.Duration `yaml:"clear" doc:"How long it has to be over before that is told."`
}

//go:embed rules.yaml
var builtin []byte

// DefaultRules are those of a node whose configuration says nothing.
func DefaultRules() []Rule {
	var rules []Rule
	d := yaml.NewDecoder(bytes.NewReader(builtin))
	d.KnownFields(true)
	if err := d.Decode(&rules); err != nil {
		panic(err) // they are part of the program
	}
	return rules
}

// kinds are what a rule of each kind cannot do without.
var kinds = map[string]func(*Rule) string{
	"certificate": func(r *Rule) string { return need(len(r.Uses) > 0 && len(r.Days) > 0, "uses and days") },
	"planned":     func(r *Rule) string { return need(len(r.Days) > 0, "days") },
	"phase-out":   func(r *Rule) string { return need(len(r.Days) > 0, "days") },
	"queue-depth": func(r *Rule) string { return need(r.Direction != "" && r.Count > 0, "direction and count") },
	"queue-age":   func(r *Rule) string { return need(r.Direction != "" && r.Age > 0, "direction and age") },
	"retries":     func(r *Rule) string { return need(r.Count > 0 && r.Window > 0, "count and window") },
	"events": func(r *Rule) string {
		return need(r.Event != "" && r.Count > 0 && r.Window > 0, "event, count and window")
	},
	"disk": func(r *Rule) string { return need(r.Times >= 1, "times of at least 1") },
	"log":  func(r *Rule) string { return need(r.Times >= 1, "times of at least 1") },

	"revocation-list": func(*Rule) string { return "" },
	"log-timestamp":   func(*Rule) string { return "" },
	"trust-list":      func(*Rule) string { return "" },
	"given-up":        func(*Rule) string { return "" },
	"trouble":         func(*Rule) string { return "" },
}

func need(there bool, what string) string {
	if there {
		return ""
	}
	return "needs " + what
}

// merge lays the configuration's rules over the built-in ones. Its error names the rule.
func merge(over []Rule) ([]Rule, error) {
	rules := DefaultRules()
	seen := map[string]bool{}
	for _, o := range over {
		if seen[o.ID] {
			return nil, fmt.Errorf("two rules are named %q", o.ID)
		}
		seen[o.ID] = true
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == o.ID })
		if i < 0 {
			if o.Kind == "" {
				var names []string
				for _, r := range rules {
					names = append(names, r.ID)
				}
				return nil, fmt.Errorf("there is no rule %q%s: a new one has a kind", o.ID, config.DidYouMean(o.ID, names))
			}
			if o.Severity == "" {
				o.Severity = string(Warning)
			}
			rules, i = append(rules, o), len(rules)
		} else if o.Kind != "" && o.Kind != rules[i].Kind {
			return nil, fmt.Errorf("rule %q is of the kind %s", o.ID, rules[i].Kind)
		} else {
			rules[i].over(&o)
		}
		if what := kinds[rules[i].Kind](&rules[i]); what != "" {
			return nil, fmt.Errorf("rule %q %s", o.ID, what)
		}
	}
	for i := range rules {
		slices.Sort(rules[i].Days)
		slices.Reverse(rules[i].Days)
	}
	return slices.DeleteFunc(rules, func(r Rule) bool { return r.Off }), nil
}

func (r *Rule) over(o *Rule) {
	r.Off = o.Off
	set(&r.Severity, o.Severity)
	set(&r.Direction, o.Direction)
	set(&r.Event, o.Event)
	set(&r.Critical, o.Critical)
	set(&r.Count, o.Count)
	set(&r.Window, o.Window)
	set(&r.Age, o.Age)
	set(&r.Times, o.Times)
	set(&r.For, o.For)
	set(&r.Clear, o.Clear)
	if len(o.Uses) > 0 {
		r.Uses = o.Uses
	}
	if len(o.Days) > 0 {
		r.Days = o.Days
	}
}

func set[T comparable](into *T, v T) {
	var zero T
	if v != zero {
		*into = v
	}
}

// condition is one thing that a rule found.
type condition struct {
	key      string
	severity Severity
	step     int
	text     string
	args     []string
}

const day = 24 * time.Hour

// judge applies a rule.
func (c *Center) judge(r *Rule, f *Facts, now time.Time) (out []condition) {
	severity := Severity(r.Severity)
	add := func(key, text string, step int, s Severity, args ...string) {
		out = append(out, condition{key, s, step, text, args})
	}
	switch r.Kind {
	case "certificate":
		for _, k := range f.Certificates {
			if !slices.Contains(r.Uses, k.Use) || k.Replaced && now.Before(k.Expiry) {
				continue
			}
			step, left := before(r.Days, k.Expiry, now)
			if step == 0 {
				continue
			}
			s, text := severity, "certificate-soon"
			if left <= time.Duration(r.Critical)*day {
				s = Critical
			}
			if left <= 0 {
				text = "certificate-expired"
			}
			add(k.Use+" "+k.Fingerprint, text, step, s, "use."+k.Use, k.Name, date(k.Expiry), days(left))
		}
	case "planned":
		for _, p := range f.Planned {
			if step, left := before(r.Days, p.At, now); step > 0 && left > 0 {
				what := p.Use
				if what == "signing" || what == "encryption" {
					what = "use." + what
				}
				add(p.Use+" "+date(p.At), "key-change", step, severity, what, date(p.At), days(left))
			}
		}
	case "phase-out":
		for _, p := range f.PhaseOuts {
			if step, left := before(r.Days, p.At, now); step > 0 && left > 0 {
				text, args := "phase-out", []string{p.What, date(p.At), days(left)}
				if p.Next != "" {
					text, args = "phase-out-next", append(args, p.Next)
				}
				add(p.What, text, step, severity, args...)
			}
		}
	case "queue-depth":
		for _, q := range f.Queues {
			if q.Direction.String() == r.Direction && q.Depth >= int64(r.Count) {
				add("", "queue-depth-"+r.Direction, 1, severity, number(q.Depth))
			}
		}
	case "queue-age":
		for _, q := range f.Queues {
			if q.Direction.String() == r.Direction && !q.Oldest.IsZero() && now.Sub(q.Oldest) >= r.Age.D() {
				add("", "queue-age-"+r.Direction, 1, severity, span(now.Sub(q.Oldest)), number(q.Depth))
			}
		}
	case "retries":
		retries, arrived := c.counts.sum(Retried, r.Window.D(), now), c.counts.sum(Acknowledged, r.Window.D(), now)
		if n := total(retries); n >= int64(r.Count) && n > total(arrived) {
			add("", "retries", 1, severity, number(n), span(r.Window.D()), number(total(arrived)))
		}
	case "events":
		for key, n := range c.counts.sum(Event(r.Event), r.Window.D(), now) {
			if n >= int64(r.Count) {
				add(key, "events-"+r.Event, 1, severity, number(n), span(r.Window.D()), key)
			}
		}
	case "disk":
		switch {
		case f.Free < 0:
		case f.Free < f.Least:
			add("", "disk-full", 2, Critical, mebi(f.Free), mebi(f.Least))
		case float64(f.Free) < r.Times*float64(f.Least):
			add("", "disk-low", 1, severity, mebi(f.Free), mebi(f.Least))
		}
	case "log":
		limit := max(time.Duration(r.Times*float64(f.HeadEvery)), r.Age.D())
		if !f.Unsigned.IsZero() && now.Sub(f.Unsigned) >= limit {
			add("", "log-unsigned", 1, severity, span(now.Sub(f.Unsigned)))
		}
	case "log-timestamp":
		if !f.Unstamped.IsZero() && now.Sub(f.Unstamped) >= r.Age.D() {
			add("", "log-timestamp", 1, severity, span(now.Sub(f.Unstamped)))
		}
	case "revocation-list":
		for _, l := range f.Lists {
			switch {
			case l.Unreached:
				add(l.Name, "list-unreached", 1, severity, l.Name)
			case l.Failed:
				add(l.Name, "list-failed", 1, severity, l.Name, date(l.Due))
			case !l.Due.IsZero() && !now.Before(l.Due):
				add(l.Name, "list-due", 1, severity, l.Name, date(l.Due))
			}
		}
	case "trust-list":
		for _, l := range f.TrustLists {
			s, step := severity, 1
			if l.Missing {
				s, step = Critical, 2
			}
			a := OfTrustList(&l)
			add(l.Code+" "+l.Name, a.Text, step, s, a.Args...)
		}
	case "given-up":
		for _, q := range f.GivenUp {
			add(q, "given-up", 1, severity, q)
		}
	case "trouble":
		for _, what := range f.Trouble {
			add(what, "trouble-"+what, 1, severity)
		}
	}
	return out
}

// OfTrustList is an alert with the words about a trusted list alone.
func OfTrustList(l *TrustList) *Alert {
	return &Alert{Text: "trust-list-" + l.Code, Args: []string{l.Name, date(l.Due)}}
}

// before says how many of the days before an end have begun, and how long it is until then.
func before(list []int, end, now time.Time) (step int, left time.Duration) {
	left = end.Sub(now)
	for _, d := range list {
		if left <= time.Duration(d)*day {
			step++
		}
	}
	if left <= 0 && step > 0 {
		step++
	}
	return step, left
}

// Waiting are the states of messages that wait in a queue.
func Waiting(d store.Direction) []store.State {
	if d == store.In {
		return []store.State{store.Received, store.Retrying}
	}
	return []store.State{store.Accepted, store.Queued, store.Sending, store.Sent, store.Retrying}
}
