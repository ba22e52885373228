package pmode

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// maxProblems is how many problems of one file are told.
const maxProblems = 200

// reader takes a file apart and notes what is wrong with it.
type reader struct {
	file     string
	space    string // namespace of the elements below the root
	problems Problems
	refused  bool
}

func (r *reader) note(p *Problem) {
	r.refused = r.refused || !p.Warning
	if len(r.problems) == maxProblems {
		p = &Problem{Rule: RuleElement, Text: "there is more: only the first 200 problems are told", Warning: true}
	}
	if len(r.problems) <= maxProblems {
		p.File = r.file
		r.problems = append(r.problems, p)
	}
}

// element is an element with the attributes that were asked for.
type element struct {
	r    *reader
	n    dom.Node
	name string // "legConfiguration pushLeg"
	seen []string
	// textual is set once the text was asked for.
	textual bool
}

func (r *reader) element(n dom.Node) *element {
	e := &element{r: r, n: n, name: n.Local()}
	if name := strings.TrimSpace(n.Attr("name")); name != "" {
		e.name += " " + shown(name)
	}
	return e
}

func (e *element) line() int { line, _ := e.n.Pos(); return line }

func (e *element) at() place { return place{e.line()} }

func (e *element) problem(rule Rule, attr, format string, args ...any) {
	e.r.note(&Problem{Line: e.line(), Where: e.where(attr), Rule: rule, Text: fmt.Sprintf(format, args...)})
}

func (e *element) warn(rule Rule, attr, format string, args ...any) {
	e.r.note(&Problem{Line: e.line(), Where: e.where(attr), Rule: rule, Text: fmt.Sprintf(format, args...), Warning: true})
}

func (e *element) where(attr string) string {
	if attr == "" {
		return e.name
	}
	return e.name + " @" + attr
}

// attr returns an attribute without the white space around it; there is false when it is absent.
func (e *element) attr(name string) (value string, there bool) {
	e.seen = append(e.seen, name)
	a := e.n.Attribute("", name)
	if !a.Valid() {
		return "", false
	}
	v := string(a.Value())
	value = strings.Trim(v, " \t\r\n")
	if v != value {
		e.warn(RuleSpace, name, "%q has white space around it, which does not count", shown(v))
	}
	return value, true
}

// presence says what may be missing.
type presence uint8

const (
	needed   presence = iota // must be there and not empty
	maybe                    // need not be there, but must not be empty
	empty                    // must be there and may be empty
	optional                 // need not be there and may be empty
)

func (e *element) required(name string) {
	e.problem(RuleRequired, name, "the attribute is missing")
}

// text reads a text of at most so many characters.
func (e *element) text(name string, p presence, most int) string {
	v, there := e.attr(name)
	switch {
	case !there && (p == needed || p == empty):
		e.required(name)
	case there && v == "" && (p == needed || p == maybe) && len(e.n.Attribute("", name).Value()) == 0: // white space alone was told of
		e.problem(RuleLength, name, "is empty")
	case most > 0 && utf8.RuneCountInString(v) > most:
		e.problem(RuleLength, name, "has %d characters, %d are allowed", utf8.RuneCountInString(v), most)
	}
	return v
}

// name reads a name, in which markup has no place.
func (e *element) ident(name string, p presence, most int) string {
	v := e.text(name, p, most)
	if strings.ContainsAny(v, "<>") {
		e.problem(RuleCharacter, name, "%q: < and > are not allowed in it", shown(v))
	}
	return v
}

// uri reads a URI reference of at most 1,024 characters.
func (e *element) uri(name string, p presence) string {
	v := e.ident(name, p, 1024)
	if u, err := url.Parse(v); err != nil || strings.HasPrefix(u.Host, ":") || strings.Contains(v, "://") && strings.Contains(u.Path, "://") {
		e.problem(RuleType, name, "%q is no URI", shown(v))
	}
	return v
}

func (e *element) bool(name string, p presence, missing bool) bool {
	v, there := e.attr(name)
	switch {
	case !there:
		if p == needed {
			e.required(name)
		}
		return missing
	case v == "true" || v == "1":
		return true
	case v != "false" && v != "0":
		e.problem(RuleType, name, "%q is neither true nor false", shown(v))
	}
	return false
}

func (e *element) number(name string, p presence, missing int64, bits int) int64 {
	v, there := e.attr(name)
	if !there {
		if p == needed {
			e.required(name)
		}
		return missing
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(v, "+"), 10, bits)
	if err != nil {
		e.problem(RuleType, name, "%q is no whole number of %d bits", shown(v), bits)
	}
	return n
}

// word reads one of some words, whatever their case.
func (e *element) word(name string, p presence, words ...string) string {
	v := e.text(name, p, 255)
	for _, w := range words {
		if strings.EqualFold(v, w) {
			if v != w {
				e.warn(RuleType, name, "%q is written %s in the file's own schema", v, w)
			}
			return w
		}
	}
	if v != "" {
		e.problem(RuleType, name, "%q is none of %s", shown(v), strings.Join(words, ", "))
	}
	return v
}

// done refuses attributes that nobody asked for and text.
func (e *element) done() {
	for a := range e.n.Attributes() {
		if a.Space() != "" {
			continue // xsi:schemaLocation and the like
		}
		if name := a.Local(); !slices.Contains(e.seen, name) {
			if e.n.Local() == "mpc" && strings.HasPrefix(name, "retention_") {
				e.warn(RuleUnknown, name, "a later version's attribute, which is not read")
				continue
			}
			e.problem(RuleUnknown, name, "there is no such attribute")
		}
	}
	if e.textual || e.n.Local() == "businessProcesses" { // mixed content is allowed there
		return
	}
	for c := range e.n.Children() {
		if c.Kind() == dom.TextNode && strings.Trim(string(c.Value()), " \t\r\n") != "" {
			line, _ := c.Pos()
			e.r.note(&Problem{Line: line, Where: e.name, Rule: RuleElement, Text: fmt.Sprintf("the text %q has no place here", shown(strings.TrimSpace(string(c.Value()))))})
		}
	}
}

// child is a place for child elements: so many of a name, and what reads them.
type child struct {
	name        string
	least, most int // most 0: any number
	read        func(*element)
}

// children reads the child elements in the order of the places; anyOrder allows every order.
func (e *element) children(anyOrder bool, places ...child) {
	counts, last := make([]int, len(places)), 0
	for n := range e.n.Elements() {
		i := slices.IndexFunc(places, func(c child) bool { return n.Is(e.r.space, c.name) })
		sub := e.r.element(n)
		switch {
		case i < 0:
			sub.problem(RuleElement, "", "has no place in %s", e.name)
			continue
		case i < last && !anyOrder:
			sub.problem(RuleElement, "", "stands after %s, must stand before it", places[last].name)
		case places[i].most > 0 && counts[i] == places[i].most:
			sub.problem(RuleElement, "", "stands twice in %s", e.name)
		}
		counts[i]++
		last = max(last, i)
		places[i].read(sub)
		sub.done()
	}
	for i, c := range places {
		if counts[i] < c.least {
			e.problem(RuleElement, "", "%s is missing in it", c.name)
		}
	}
}

// shown cuts a value to a length fit for an error.
func shown(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}

// readDomibus reads the file and checks it against the schema of 5.1, with what the schema of 4.0 allows besides and
// what real files have.
func readDomibus(doc *dom.Document, file string) (*Domibus, *reader) {
	d, r := new(Domibus), &reader{file: file}
	root := r.element(doc.Root())
	d.Party = root.ident("party", needed, 0)
	root.children(true,
		child{"mpcs", 1, 1, func(e *element) { e.children(true, child{"mpc", 1, 0, d.readMPC}) }},
		child{"businessProcesses", 1, 1, d.readProcesses},
	)
	root.done()
	return d, r
}

func (d *Domibus) readMPC(e *element) {
	m := MPC{Name: e.ident("name", needed, 255), QualifiedName: e.text("qualifiedName", needed, 255), place: e.at()}
	m.Default, m.Enabled = e.bool("default", needed, false), e.bool("enabled", needed, true)
	m.RetentionDownloaded, m.RetentionUndownloaded = int(e.number("retention_downloaded", needed, 0, 32)), int(e.number("retention_undownloaded", needed, 0, 32))
	m.RetentionSent, m.RetentionMetadata = int(e.number("retention_sent", maybe, -1, 32)), int(e.number("retention_metadata_offset", maybe, 0, 32))
	m.DeleteMetadata = e.bool("delete_message_metadata", maybe, false)
	m.MaxBatchDelete = int(e.number("max_batch_delete", maybe, -1, 32))
	if m.MaxBatchDelete < -1 || m.MaxBatchDelete > 10000 {
		e.problem(RuleType, "max_batch_delete", "%d is not between -1 and 10000", m.MaxBatchDelete)
	}
	d.MPCs = append(d.MPCs, m)
}

func (d *Domibus) readProcesses(e *element) {
	list := func(name string, places ...child) child {
		return child{name, 1, 1, func(e *element) { e.children(false, places...) }}
	}
	may := func(c child) child { c.least = 0; return c }
	e.children(false,
		list("roles", child{"role", 1, 0, func(e *element) { d.Roles = append(d.Roles, e.named()) }}),
		list("parties",
			child{"partyIdTypes", 1, 1, func(e *element) {
				e.children(false, child{"partyIdType", 1, 0, func(e *element) {
					d.PartyIDTypes = append(d.PartyIDTypes, Named{e.ident("name", empty, 255), e.uri("value", empty), e.at()})
				}})
			}},
			child{"party", 1, 0, d.readParty}),
		list("meps",
			child{"mep", 1, 0, func(e *element) {
				d.MEPs = append(d.MEPs, MEP{e.ident("name", needed, 255), e.uri("value", empty), int(e.number("legs", maybe, 1, 32)), e.at()})
			}},
			child{"binding", 1, 0, func(e *element) {
				d.Bindings = append(d.Bindings, Named{e.ident("name", needed, 255), e.uri("value", empty), e.at()})
			}}),
		list("properties", child{"property", 1, 0, d.readProperty}, child{"propertySet", 1, 0, func(e *element) {
			d.PropertySets = append(d.PropertySets, e.group("propertyRef", "property"))
		}}),
		may(list("payloadProfiles", child{"payload", 0, 0, d.readPayload}, child{"payloadProfile", 0, 0, func(e *element) {
			size := e.number("maxSize", needed, 0, 64)
			g := e.group("attachment", "name")
			d.PayloadProfiles = append(d.PayloadProfiles, DomibusPayloads{g.Name, size, g.Members, g.place})
		}})),
		list("securities", child{"security", 1, 0, d.readSecurity}),
		list("errorHandlings", child{"errorHandling", 1, 0, func(e *element) {
			d.ErrorHandlings = append(d.ErrorHandlings, ErrorHandling{e.ident("name", needed, 255), e.bool("errorAsResponse", needed, true),
				e.bool("businessErrorNotifyProducer", needed, false), e.bool("businessErrorNotifyConsumer", needed, false), e.bool("deliveryFailureNotifyProducer", needed, false), e.at()})
		}}),
		list("agreements", child{"agreement", 1, 0, func(e *element) {
			d.Agreements = append(d.Agreements, Typed{e.ident("name", needed, 255), e.text("value", empty, 255), e.text("type", optional, 255), e.at()})
		}}),
		list("services", child{"service", 1, 0, func(e *element) {
			d.Services = append(d.Services, Typed{e.ident("name", needed, 255), e.text("value", needed, 255), e.text("type", maybe, 255), e.at()})
		}}),
		list("actions", child{"action", 1, 0, func(e *element) { d.Actions = append(d.Actions, e.named()) }}),
		list("as4", child{"receptionAwareness", 1, 0, func(e *element) {
			d.ReceptionAwareness = append(d.ReceptionAwareness, ReceptionAwareness{e.ident("name", needed, 255), e.text("retry", maybe, 255), e.bool("duplicateDetection", maybe, false), e.at()})
		}}, child{"reliability", 1, 0, func(e *element) {
			d.Reliabilities = append(d.Reliabilities, Reliability{e.ident("name", needed, 255), e.word("replyPattern", needed, "response", "callback"), e.bool("nonRepudiation", needed, false), e.at()})
		}}),
		may(list("splittingConfigurations", child{"splitting", 1, 0, func(e *element) {
			d.Splittings = append(d.Splittings, Splitting{e.ident("name", needed, 255), int(e.number("fragmentSize", needed, 0, 32)), int(e.number("joinInterval", needed, 0, 32)),
				e.bool("compression", needed, false), e.text("compressionAlgorithm", maybe, 255), e.at()})
		}})),
		list("legConfigurations", child{"legConfiguration", 1, 0, d.readLeg}),
		child{"process", 1, 0, d.readProcess},
	)
}

func (e *element) named() Named {
	return Named{e.ident("name", needed, 255), e.text("value", needed, 255), e.at()}
}

// group reads a named list of references.
func (e *element) group(name, attr string) Group {
	g := Group{Name: e.ident("name", needed, 255), place: e.at()}
	e.children(false, child{name, 1, 0, func(e *element) { g.Members = append(g.Members, e.ident(attr, needed, 255)) }})
	return g
}

func (d *Domibus) readParty(e *element) {
	p := DomibusParty{Name: e.ident("name", empty, 0), Endpoint: e.uri("endpoint", empty), place: e.at()}
	e.text("userName", maybe, 255) // of basic authentication, which AS4 gateways do without
	e.text("password", maybe, 255)
	e.text("allowChunking", optional, 0) // "not supported yet", says the schema
	e.children(false, child{"identifier", 1, 0, func(e *element) {
		p.Identifiers = append(p.Identifiers, Identifier{e.ident("partyId", needed, 255), e.text("partyIdType", optional, 255), e.at()})
	}})
	d.Parties = append(d.Parties, p)
}

func (d *Domibus) readProperty(e *element) {
	p := Property{Name: e.ident("name", needed, 255), Key: e.text("key", needed, 255), Required: e.bool("required", needed, false), place: e.at()}
	p.Datatype = e.text("datatype", needed, 255)
	if !slices.Contains([]string{"string", "int", "integer", "boolean", ""}, strings.ToLower(p.Datatype)) {
		e.warn(RuleType, "datatype", "%q is none of string, int, boolean: values are not checked", shown(p.Datatype))
	}
	d.Properties = append(d.Properties, p)
}

func (d *Domibus) readPayload(e *element) {
	p := Payload{Name: e.ident("name", needed, 255), ContentID: e.text("cid", empty, 255), MimeType: e.text("mimeType", maybe, 255), InBody: e.text("inBody", optional, 0),
		Schema: e.uri("schemaFile", optional), MaxSize: e.number("maxSize", maybe, 0, 32), Required: e.bool("required", needed, false), place: e.at()}
	d.Payloads = append(d.Payloads, p)
}

func (d *Domibus) readSecurity(e *element) {
	s := DomibusSecurity{Name: e.ident("name", needed, 255), SignatureMethod: e.text("signatureMethod", optional, 0), place: e.at()}
	if _, there := e.attr("profile"); there {
		s.Profile = e.word("profile", maybe, "RSA", "ECC")
	}
	policy := needed
	if s.Profile != "" && !e.n.Attribute("", "policy").Valid() { // a later version's file
		policy = optional
		e.warn(RuleRequired, "policy", "is missing, as in files of later versions: the profile %s stands for it", s.Profile)
	}
	s.Policy = e.text("policy", policy, 255)
	d.Securities = append(d.Securities, s)
}

func (d *Domibus) readLeg(e *element) {
	l := DomibusLeg{place: e.at()}
	for _, a := range []struct {
		to   *string
		name string
		p    presence
	}{
		{&l.Name, "name", needed}, {&l.Service, "service", needed}, {&l.Action, "action", needed}, {&l.Security, "security", needed}, {&l.MPC, "defaultMpc", needed},
		{&l.ReceptionAwareness, "receptionAwareness", needed}, {&l.Reliability, "reliability", needed}, {&l.ErrorHandling, "errorHandling", needed},
		{&l.PropertySet, "propertySet", maybe}, {&l.PayloadProfile, "payloadProfile", maybe}, {&l.Splitting, "splitting", maybe},
	} {
		*a.to = e.ident(a.name, a.p, 255)
	}
	l.Compress = e.bool("compressPayloads", needed, false)
	d.Legs = append(d.Legs, l)
}

func (d *Domibus) readProcess(e *element) {
	p := DomibusProcess{Name: e.ident("name", needed, 255), place: e.at()}
	p.MEP, p.Binding = e.text("mep", empty, 0), e.text("binding", empty, 0)
	p.InitiatorRole, p.ResponderRole, p.Agreement = e.text("initiatorRole", empty, 0), e.text("responderRole", empty, 0), e.text("agreement", optional, 0)
	refs := func(to *[]string, name string) func(*element) {
		return func(e *element) {
			*to = make([]string, 0, 8)
			e.children(false, child{name, 1, 0, func(e *element) { *to = append(*to, e.ident("name", needed, 255)) }})
		}
	}
	e.children(false,
		child{"initiatorParties", 0, 1, refs(&p.Initiators, "initiatorParty")},
		child{"responderParties", 0, 1, refs(&p.Responders, "responderParty")},
		child{"legs", 1, 1, refs(&p.Legs, "leg")},
	)
	d.Processes = append(d.Processes, p)
}

// unique reports a value that stands twice.
func unique[T any](r *reader, what string, list []T, key func(T) (value string, at int)) {
	first := map[string]int{}
	for _, x := range list {
		v, line := key(x)
		if at, twice := first[v]; twice {
			r.note(&Problem{Line: line, Where: what, Rule: RuleUnique, Text: fmt.Sprintf("%q stands in line %d already", shown(v), at)})
			continue
		}
		first[v] = line
	}
}

// index finds the entries of a list by name: exactly, else ignoring case.
type index struct{ exact, folded map[string]int }

func indexOf[T any](list []T, name func(*T) string) index {
	x := index{make(map[string]int, len(list)), make(map[string]int, len(list))}
	for i := range list {
		for m, k := range map[*map[string]int]string{&x.exact: name(&list[i]), &x.folded: strings.ToLower(name(&list[i]))} {
			if _, taken := (*m)[k]; !taken {
				(*m)[k] = i
			}
		}
	}
	return x
}

// find returns the place in the list, -1 when there is none.
func (x index) find(name string) (i int, exact bool) {
	if i, ok := x.exact[name]; ok {
		return i, true
	}
	if i, ok := x.folded[strings.ToLower(name)]; ok {
		return i, false
	}
	return -1, false
}
