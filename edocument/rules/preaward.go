package rules

import (
	"cmp"
	_ "embed" // the rules are a file
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

//go:embed data/preaward.txt
var preAwardText string

// preAwardEdition is the edition of the rules for documents before award. A document of another edition is not judged by them.
const preAwardEdition = "1.1"

// preAward are the sets for what contracting authorities and companies exchange before award: the call for tenders, the tender,
// the receipt for it, the qualification, and the answers to notices and to messages of tendering.
var preAward = []transaction{preAwardSet("t004"), preAwardSet("t005"), preAwardSet("t006"), preAwardSet("t016"), preAwardSet("t018"), preAwardSet("t019")}

// preAwardSetFor returns the set for a document of a type before award; nil when there is none for its edition.
func preAwardSetFor(id, customization string) *Set {
	own, _, _ := strings.Cut(customization, "#")
	if !strings.HasSuffix(own, ":"+preAwardEdition) {
		return nil
	}
	for _, t := range preAward {
		if t.id == id {
			return t.set()
		}
	}
	return nil
}

// preAwardSet makes the set of a transaction of its lines in the table, whose beginning says how they are written.
func preAwardSet(id string) transaction {
	return transaction{id, sync.OnceValue(func() *Set {
		var u *preAwardVocabulary
		var s *Set
		for line := range strings.Lines(preAwardText) {
			line = strings.TrimRight(line, "\n")
			where, what, rule := strings.Cut(line, "\t")
			switch {
			case line == "" || line[0] == '#':
			case line == "--":
				if u != nil {
					s.patterns = append(s.patterns, &pattern{})
				}
			case !rule:
				f := strings.Fields(line)
				if u = nil; f[0] == id {
					u = &preAwardVocabulary{newPostAwardVocabulary(f[1]), f[3]}
					u.spaces[nsEXT] = ""
					s = &Set{id: f[2], version: preAwardEdition, v: u.vocabulary, patterns: []*pattern{{}}}
				}
			case u != nil:
				p := s.patterns[len(s.patterns)-1]
				p.contexts = append(p.contexts, u.context(where, strings.Fields(what)))
			}
		}
		return s.seal()
	})}
}

// preAwardVocabulary is that of one transaction, with what its rules are called in.
type preAwardVocabulary struct {
	*vocabulary
	prefix string
}

// context reads a line.
func (u *preAwardVocabulary) context(where string, tokens []string) *context {
	var c *context
	if !strings.HasSuffix(where, "*") {
		c = u.on(where)
	}
	name := where[strings.LastIndexAny(where, "/|")+1:]
	name, _, _ = strings.Cut(name, "[")
	every := func(string) bool { return true }
	switch parent, children := strings.CutSuffix(where, "/*"); {
	case where == "*":
		c, name = named(every), "An element"
	case where == "/":
		name = "The document"
	case children: // whatever they are called
		of := u.on(cmp.Or(parent, "/")).matches[0]
		c = named(every).where(func(x *eval) bool {
			n := x.n.Parent()
			return of.holds(x, n) && of.conditions(x, n)
		})
	}
	for _, t := range tokens {
		if around, ok := strings.CutPrefix(t, "within:"); ok {
			c.when = u.within(around)
			continue
		}
		id, what, _ := strings.Cut(t, ":")
		flag := edocument.Fatal
		if id[0] == 'S' {
			flag = edocument.Warning
		}
		switch id[len(id)-1] {
		case '!':
			id, flag = id[:len(id)-1], edocument.Fatal
		case '?':
			id, flag = id[:len(id)-1], edocument.Warning
		}
		if !strings.Contains(id, "-") {
			id = u.prefix + id
		}
		holds, words := u.test(name, what)
		c.asserts = append(c.asserts, assert{id: id, flag: flag, holds: holds, rule: &Rule{Text: words.text, Remedy: words.remedy}})
	}
	return c
}

func (u *preAwardVocabulary) within(name string) test {
	code := u.code(name)
	return func(x *eval) bool {
		for n := x.n.Parent(); n.Valid() && n.Kind() == dom.ElementNode; n = n.Parent() {
			if x.code(n) == code {
				return true
			}
		}
		return false
	}
}

var counted = regexp.MustCompile(`^(\w+)([=<>])(\d+)$`)

// test reads what holds somewhere, and words it.
func (u *preAwardVocabulary) test(name, what string) (test, words) {
	if own, ok := preAwardTests[what]; ok {
		return own.test(u), own.words
	}
	if m := counted.FindStringSubmatch(what); m != nil {
		k, err := strconv.Atoi(m[3])
		if err != nil {
			panic(err) // a number of the file
		}
		switch m[2] {
		case "=":
			return u.exactly(k, m[1]), words{name + " has exactly one " + m[1] + ".", "Write one " + m[1] + "."}
		case "<":
			return u.atMost(k-1, m[1]), words{name + " has fewer than " + m[3] + " " + m[1] + ".", "Leave the others out."}
		}
		return not(u.atMost(k, m[1])), words{name + " has more than " + m[3] + " " + m[1] + ".", "Add " + m[1] + "."}
	}
	rest := what[1:]
	switch {
	case what == "@":
		return attributes(), words{name + " has no attributes.", "Leave the attributes out."}
	case strings.HasPrefix(what, "in:"):
		list := what[3:]
		codes := codeList(list)
		label := strings.ReplaceAll(list, "-", " ")
		return func(x *eval) bool { return codes[normalize(x.n.Text())] }, words{name + " is a code of the list: " + label + ".", "Use a code of that list."}
	case strings.HasPrefix(what, "begins:"):
		list := what[7:]
		codes := codeList(list)
		return func(x *eval) bool { return beginsWithOne(normalize(x.n.Text()), codes) }, words{name + " is a code of the list: " + strings.ReplaceAll(list, "-", " ") + ".", "Use a code of that list."}
	case strings.HasPrefix(what, "distinct:"):
		return u.distinct(what[9:]), words{"No two " + what[9:] + " are equal.", "Number them, each differently."}
	case what[0] == '+' && rest[0] == '@':
		return u.has(rest), words{name + " has the attribute " + rest[1:] + ".", "Add the attribute " + rest[1:] + "."}
	case what[0] == '+' && strings.Contains(rest, "&"):
		a, b, _ := strings.Cut(rest, "&")
		return all(u.has(a), u.has(b)), words{name + " has " + a + " and " + b + ".", "Add what is missing."}
	case what[0] == '+' && strings.Contains(rest, "|"):
		a, b, _ := strings.Cut(rest, "|")
		return either(u.has(a), u.has(b)), words{name + " has " + a + " or " + b + ".", "Add one of them."}
	case what[0] == '+':
		return u.has(rest), words{name + " has the element " + rest + ".", "Add the element " + rest + "."}
	case what[0] == '-':
		return u.hasNot(rest), words{name + " has no element " + rest + ".", "Leave " + rest + " out."}
	case what[0] == '\'':
		return u.reads(".", rest), words{name + " is " + rest + ".", "Write " + rest + "."}
	case what[0] == '"':
		return func(x *eval) bool { return normalize(ownText(x.n)) == rest }, words{name + " is " + rest + ".", "Write " + rest + "."}
	case what[0] == '{':
		names := strings.Split(strings.Trim(what, "{}"), ",")
		return u.only(names), words{name + " holds nothing but " + strings.Join(names, ", ") + ".", "Leave the other elements out."}
	case what[0] == '@' && strings.Contains(rest, "'"):
		a, value, _ := strings.Cut(rest, "'")
		return u.reads("@"+a, value), words{"The attribute " + a + " of " + name + " is " + value + ".", "Write " + value + "."}
	case what[0] == '@' && strings.Contains(rest, "^"):
		a, list, _ := strings.Cut(rest, "^")
		return beginsWith(a, codeList(list)), words{"The attribute " + a + " of " + name + " is a scheme of electronic addresses.", "Use a scheme of the list of the network."}
	case what[0] == '@':
		return attributes(rest), words{name + " has no attribute but " + rest + ".", "Leave the other attributes out."}
	}
	panic("rules: " + what)
}

// ownText is the text of an element without that of its children.
func ownText(n dom.Node) string {
	var b strings.Builder
	for c := range n.Children() {
		if c.Kind() == dom.TextNode {
			b.WriteString(c.Text())
		}
	}
	return b.String()
}

// attributes: the context node has none but these.
func attributes(names ...string) test {
	return func(x *eval) bool {
		for a := range x.n.Attributes() {
			if !among(a.QName(), names) {
				return false
			}
		}
		return true
	}
}

// only: the context node has no children but those of these names.
func (u *preAwardVocabulary) only(names []string) test {
	codes := map[uint16]bool{}
	for _, n := range names {
		codes[u.code(n)] = true
	}
	return func(x *eval) bool {
		for c := x.n.FirstElement(); c.Valid(); c = c.NextElement() {
			if code := x.code(c); code == 0 || !codes[code] {
				return false
			}
		}
		return true
	}
}

func (u *preAwardVocabulary) distinct(p string) test {
	q := u.path(p)
	return func(x *eval) bool {
		seen := map[string]bool{}
		return !q.walk(x, x.n, func(n dom.Node) bool {
			twice := seen[n.Text()]
			seen[n.Text()] = true
			return twice
		})
	}
}

func beginsWith(attr string, codes map[string]bool) test {
	return func(x *eval) bool {
		s, _ := x.n.AttrNS("", attr)
		return beginsWithOne(normalize(s), codes)
	}
}

func beginsWithOne(s string, codes map[string]bool) bool {
	for c := range codes {
		if strings.HasPrefix(s, c) {
			return true
		}
	}
	return false
}

// like: the context node, apart from white space around it, has a form.
func like(form string) func(*preAwardVocabulary) test {
	re := regexp.MustCompile(form)
	return func(*preAwardVocabulary) test {
		return func(x *eval) bool { return re.MatchString(normalize(x.n.Text())) }
	}
}

var issuingAgent = regexp.MustCompile(`^0(00[3-9]|0[1-9]\p{Nd}|1\p{Nd}{2}|20\p{Nd}|21[0-3])$`)

// preAwardTests are those that the table names by a word.
var preAwardTests = map[string]struct {
	test func(*preAwardVocabulary) test
	words
}{
	"empty": {func(*preAwardVocabulary) test {
		return func(x *eval) bool { return x.n.FirstElement().Valid() || !blank(x.n.Text()) }
	}, words{"No element is empty.", "Fill the element, or leave it out."}},
	"uuid":    {like(`^[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}$`), words{"The identifier is a UUID.", "Write a UUID, such as 3f2b6c1e-5d0a-4a7b-9c8d-1e2f3a4b5c6d."}},
	"seconds": {like(`^(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]|24:00:00)(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))?$`), words{"The time has hours, minutes and whole seconds.", "Write it as HH:MM:SS, with its zone."}},
	"zone":    {like(`^(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?|24:00:00(\.0+)?)(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))$`), words{"The time has a zone.", "Add the zone, such as +01:00 or Z."}},
	"sha256":  {like(`^[a-fA-F0-9]{64}$`), words{"The digest is SHA-256 in hexadecimal digits.", "Write 64 hexadecimal digits."}},
	"short":   {like(`^[0-9]{1,2}$`), words{"The version is a number of one or two digits.", "Number the versions from 1."}},
	"date": {func(*preAwardVocabulary) test {
		return func(x *eval) bool { s := x.n.Text(); return len(s) == 10 && isDate(s) }
	}, words{"A date is written YYYY-MM-DD.", "Write it so, without a zone."}},
	"located": {func(*preAwardVocabulary) test {
		return func(x *eval) bool { return !anyAttribute(x.n, "schemaLocation") }
	}, words{"The document names no schema location.", "Leave the attribute schemaLocation out."}},
	"never": {func(*preAwardVocabulary) test { return never }, words{"The elements are those of the data model.", "Leave the element out, or write it where the model has it."}},
	"numbered": {func(u *preAwardVocabulary) test {
		uuids, numbers := u.path("DocumentReference/UUID"), u.path("DocumentReference/ID")
		return func(x *eval) bool {
			own := map[string]bool{}
			uuids.walk(x, x.n, func(n dom.Node) bool { own[n.Text()] = true; return false })
			return len(own) == numbers.count(x, x.n)
		}
	}, words{"Each document that is referred to has an identifier of its own.", "Give each a UUID, and a number."}},
	"digits": {like(`^\p{Nd}+$`), words{"The value is a whole number.", "Write digits alone."}},
	"tender": {like(`^310|13`), words{"The document that is referred to is a tender (310), or evidence of its arrival (13).", "Write 310 or 13."}},
	"identifier": {func(*preAwardVocabulary) test {
		return func(x *eval) bool { return issuingAgent.MatchString(normalize(x.n.Attr("schemeID"))) }
	}, words{"The scheme of a party's identifier is one of ISO 6523 that the network knows.", "Use a scheme from 0003 to 0213."}},
	"required": {func(u *preAwardVocabulary) test { return not(u.reads("DocumentStatusCode", "NR")) }, words{"A document that is asked for has another status than NR.", "Write which signature is asked for."}},
	"lot": {func(u *preAwardVocabulary) test {
		lots := u.path("/ProcurementProjectLot/ID")
		return func(x *eval) bool {
			want := normalize(x.n.Text())
			return lots.walk(x, x.n, func(n dom.Node) bool { return n.Text() == want })
		}
	}, words{"The description of a document that is provided names a lot.", "Write the identifier of a lot, or leave the description out."}},
	"novariants": {func(u *preAwardVocabulary) test {
		const most = "/TenderingTerms/MaximumVariantQuantity"
		return either(u.hasNot(most), u.reads(most, "0"))
	}, words{"Where variants are not allowed, their greatest number is 0 or not stated.", "Leave MaximumVariantQuantity out."}},
	"variants": {func(u *preAwardVocabulary) test {
		most := u.path("/TenderingTerms/MaximumVariantQuantity")
		return func(x *eval) bool { return double(most.string(x, x.n)) > 0 }
	}, words{"Where variants are allowed, their greatest number is above 0.", "Write MaximumVariantQuantity."}},
	"postal": {func(u *preAwardVocabulary) test { return u.reads("/TenderingProcess/SubmissionMethodCode", "POSTAL") }, words{"The number of copies is stated only for tenders by post.", "Leave Note out."}},
	"participation": {func(u *preAwardVocabulary) test {
		procedure := u.path("ProcedureCode")
		another := func(x *eval) bool {
			return procedure.walk(x, x.n, func(n dom.Node) bool { return n.Text() != "1" })
		}
		return either(all(u.is("ProcedureCode", "1"), u.hasNot("ParticipationRequestReceptionPeriod")), another)
	}, words{"A procedure without a call for participation has no period for requests to participate.", "Leave ParticipationRequestReceptionPeriod out."}},
}
