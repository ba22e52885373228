package audit

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/viadukt-eu/viadukt/node/store"
)

// Kind is a piece of evidence that a message can create.
type Kind string

const (
	// KindReceipt keeps the partner's receipt of a message that was sent. The node's own receipt of a message that
	// arrived is kept always, since a second copy is answered with it; the kind says whether its hash enters the log.
	KindReceipt Kind = "receipt"
	KindError   Kind = "error"    // the partner's error
	KindOrigin  Kind = "origin"   // the signed message as it was sent, without payloads: what the receipt's digests are compared with
	KindHeader  Kind = "header"   // the hash of the message: of the signed envelope that arrived, of the header that was handed over
	KindPayload Kind = "payloads" // the hash of each payload
)

// builtin are the kinds that the node makes by itself. Others, with the prefix "rem-", are for domains that make ETSI
// REM evidence or the like: they ask [Policy.Decide].
var builtin = []Kind{KindReceipt, KindError, KindOrigin, KindHeader, KindPayload}

var otherKind = regexp.MustCompile(`^rem-[a-z0-9-]{1,60}$`)

// Facts are what a rule looks at.
type Facts struct {
	Direction store.Direction // out: corner 2, the sending access point; in: corner 3, the receiving one
	Domain    string
	Service   string
	Action    string
	Outcome   string // the state that was reached, or "deleted", "payloads-deleted", "refused"
}

// Rule is one line of the table. An empty field matches everything; a text may end in "*".
type Rule struct {
	Name      string   `yaml:"name"`
	Direction string   `yaml:"direction"`
	Domain    string   `yaml:"domain"`
	Service   string   `yaml:"service"`
	Action    string   `yaml:"action"`
	Outcome   []string `yaml:"outcome"`
	Creates   []Kind   `yaml:"creates"`

	direction store.Direction
	creates   string
}

// Policy is the table of rules. The first that matches decides; where none does, nothing is created but the entry of the
// log itself. A policy is immutable.
type Policy struct{ rules []Rule }

//go:embed policy.yaml
var defaultPolicy []byte

// DefaultPolicy keeps everything.
func DefaultPolicy() *Policy {
	p, err := ParsePolicy(defaultPolicy)
	if err != nil {
		panic(err) // it is part of the program
	}
	return p
}

// Decision is what a policy says about one happening.
type Decision struct {
	Rule    string // name of the rule that fired; "" when none did
	Creates []Kind
	text    string
}

// Has reports whether the decision is for a kind.
func (d *Decision) Has(k Kind) bool { return slices.Contains(d.Creates, k) }

var none = Decision{Rule: "none"}

// Decide finds the first rule that matches.
func (p *Policy) Decide(f *Facts) Decision {
	for i := range p.rules {
		if r := &p.rules[i]; r.matches(f) {
			return Decision{r.Name, r.Creates, r.creates}
		}
	}
	return none
}

func (r *Rule) matches(f *Facts) bool {
	return (r.direction == 0 || r.direction == f.Direction) && like(r.Domain, f.Domain) && like(r.Service, f.Service) && like(r.Action, f.Action) &&
		(len(r.Outcome) == 0 || slices.Contains(r.Outcome, f.Outcome))
}

func like(pattern, s string) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, start)
	}
	return pattern == "" || pattern == s
}

var ruleName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,60}$`)

// ParsePolicy reads a table of rules from YAML. All problems are reported, joined.
func ParsePolicy(b []byte) (*Policy, error) {
	var file struct {
		Rules []Rule `yaml:"rules"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, fmt.Errorf("evidence policy: %w", err)
	}
	var problems []error
	bad := func(i int, format string, args ...any) {
		problems = append(problems, fmt.Errorf("evidence policy: rule %d: "+format, append([]any{i + 1}, args...)...))
	}
	outcomes := []string{"deleted", "payloads-deleted", "refused"}
	for _, s := range store.States() {
		outcomes = append(outcomes, s.String())
	}
	for i := range file.Rules {
		r := &file.Rules[i]
		if !ruleName.MatchString(r.Name) {
			bad(i, "name: letters, digits, dots and hyphens, not %q", r.Name)
		}
		if slices.ContainsFunc(file.Rules[:i], func(o Rule) bool { return o.Name == r.Name }) {
			bad(i, "name: %q stands twice", r.Name)
		}
		if r.Direction != "" {
			var err error
			if r.direction, err = store.ParseDirection(r.Direction); err != nil {
				bad(i, "direction: in or out, not %q", r.Direction)
			}
		}
		for _, o := range r.Outcome {
			if !slices.Contains(outcomes, o) {
				bad(i, "outcome: %q is none of %s", o, strings.Join(outcomes, ", "))
			}
		}
		for j, k := range r.Creates {
			if !slices.Contains(builtin, k) && !otherKind.MatchString(string(k)) {
				bad(i, "creates: %q is none of receipt, error, origin, header, payloads, rem-...", k)
			}
			if slices.Contains(r.Creates[:j], k) {
				bad(i, "creates: %q stands twice", k)
			}
		}
		names := make([]string, len(r.Creates))
		for j, k := range r.Creates {
			names[j] = string(k)
		}
		r.creates = strings.Join(names, " ")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return &Policy{file.Rules}, nil
}

// Rules returns the table.
func (p *Policy) Rules() []Rule { return p.rules }
