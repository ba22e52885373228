// Package acceptance says of a document that arrived whether an office can take it as it is: whether its format is known and what its
// name and type claim, whether it obeys the rules for such documents, whether its signatures hold, and whether somebody whom the node trusts
// vouches for who signed. Each answer that is not good comes with what to ask the sender for.
package acceptance

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/facturx"
	edreport "github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// Outcome of a check and of a document, the worse the later.
type Outcome string

const (
	None     Outcome = "none"     // there is nothing to say
	Good     Outcome = "good"     // can be taken as it is
	Doubtful Outcome = "doubtful" // a person has to decide
	Bad      Outcome = "bad"      // should not be taken
)

// Outcomes are all there are, from best to worst.
var Outcomes = []Outcome{None, Good, Doubtful, Bad}

func (o Outcome) worse(than Outcome) bool {
	return slices.Index(Outcomes, o) > slices.Index(Outcomes, than)
}

// Subjects that are looked at, in this order.
const (
	Format    = "format"
	Rules     = "rules"
	Signature = "signature"
	Issuer    = "issuer"
)

// Subjects are all there are.
var Subjects = []string{Format, Rules, Signature, Issuer}

// Check is one answer, in the language that was asked for.
type Check struct {
	Subject string
	Outcome Outcome
	Text    string
	Ask     string // what to ask the sender for, or to do; "" where nothing is to be done
}

// Report is what there is to say of one document.
type Report struct {
	Name    string
	Outcome Outcome // the worst of the checks
	Checks  []Check
}

// Worst outcome of several reports.
func Worst(reports []*Report) Outcome {
	worst := None
	for _, r := range reports {
		if r.Outcome.worse(worst) {
			worst = r.Outcome
		}
	}
	return worst
}

// Document is one document as it arrived.
type Document struct {
	Name      string // as the sender calls it, "" where he does not
	MediaType string // as the sender calls it
	Size      int64  // octets, as far as they are known; 0 where they are not
	Gone      bool   // its octets were deleted
	Arrived   time.Time
	// Open gives the octets, out of what they travelled in, and the name of the document where that is known better.
	Open func() (io.ReadCloser, string, error)
}

// Judges are asked about documents.
type Judges struct {
	// Rules judges XML by the rules that are meant for it.
	Rules func(ctx context.Context, name string, body io.Reader, packs ...string) (*edreport.Document, error)
	// Signatures judges all signatures of a document as of a time. [gather.ErrNoSignature] and [gather.ErrFormat]: there is none.
	Signatures  func(ctx context.Context, name string, document []byte, at time.Time) (*report.Verdict, error)
	MaxDocument int64 // octets; larger documents are not judged
}

// Judge judges a document as it stood when it arrived, and says so in a language of [Languages]. What is wrong with the document is in the
// report; errors are those of reading it.
func (j *Judges) Judge(ctx context.Context, d *Document, language string) (*Report, error) {
	w := &writer{language: language, r: &Report{Name: d.Name, Outcome: None}}
	switch {
	case d.Gone:
		w.say(Format, Doubtful, "format.gone")
		return w.r, nil
	case d.Size > j.MaxDocument:
		w.say(Format, Doubtful, "format.large", mebi(d.Size), mebi(j.MaxDocument))
		return w.r, nil
	}
	body, name, err := d.Open()
	if err != nil {
		return nil, err
	}
	octets, err := io.ReadAll(io.LimitReader(body, j.MaxDocument+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	w.r.Name = cmp.Or(name, d.Name)
	switch {
	case int64(len(octets)) > j.MaxDocument:
		w.say(Format, Doubtful, "format.large", "> "+mebi(j.MaxDocument), mebi(j.MaxDocument))
		return w.r, nil
	case len(octets) == 0:
		w.say(Format, Bad, "format.empty")
		return w.r, nil
	}
	found := mediatype.Content(octets)
	known := w.format(d, found)
	if !known {
		return w.r, nil
	}
	business := false
	if found == "application/xml" || found == "application/pdf" {
		if business, err = j.rules(ctx, w, octets); err != nil {
			return nil, err
		}
	}
	return w.r, j.signatures(ctx, w, octets, d.Arrived, business)
}

// format says what the octets are, and reports whether it makes sense to look into them.
func (w *writer) format(d *Document, found string) bool {
	byName := mediatype.Of(w.r.Name)
	switch {
	case found == mediatype.Program, mediatype.Runs(w.r.Name):
		w.say(Format, Bad, "format.program")
		return false
	case !mediatype.Agrees(byName, found):
		w.say(Format, Bad, "format.differs", w.kind(byName), w.kind(found))
	case !mediatype.Agrees(d.MediaType, found):
		w.say(Format, Bad, "format.differs", w.kind(d.MediaType), w.kind(found))
	case found == mediatype.Unknown:
		w.say(Format, Doubtful, "format.unknown")
	default:
		w.say(Format, Good, "format.known", w.kind(found))
	}
	return true
}

// rules judges XML, or the invoice that is attached to a PDF, and reports whether it is a business document, of which rules are at hand.
func (j *Judges) rules(ctx context.Context, w *writer, octets []byte) (business bool, err error) {
	d, err := j.Rules(ctx, w.r.Name, bytes.NewReader(octets))
	switch {
	case errors.Is(err, edocument.ErrSize):
		w.say(Rules, Doubtful, "rules.large")
		return false, nil
	case err != nil:
		return false, err
	case errors.Is(d.Err, facturx.ErrNone): // a PDF for people alone
	case d.NotXML:
		w.say(Rules, Bad, "rules.unread", d.Err.Error())
	case errors.Is(d.Err, edocument.ErrUnknownType):
		w.say(Rules, None, "rules.none")
	case d.Err != nil:
		w.say(Rules, Doubtful, "rules.failed", d.Err.Error())
	case d.Valid():
		w.say(Rules, Good, "rules.hold", cmp.Or(d.Report.Type, "XML"), strings.Join(d.Report.Pack, ", "))
	default:
		n, first := 0, -1
		for i := range d.Report.Findings {
			if d.Report.Findings[i].Severity.Refuses() {
				if n++; first < 0 {
					first = i
				}
			}
		}
		f := &d.Report.Findings[first]
		w.say(Rules, Bad, "rules.broken", cmp.Or(d.Report.Type, "XML"), strconv.Itoa(n), f.ID, f.Text)
	}
	return d.Err == nil, nil
}

// signatures judges who signed. A business document needs no signature: the message proves who sent it.
func (j *Judges) signatures(ctx context.Context, w *writer, octets []byte, at time.Time, business bool) error {
	v, err := j.Signatures(ctx, w.r.Name, octets, at)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, gather.ErrNoSignature), errors.Is(err, gather.ErrFormat), err == nil && len(v.Signatures) == 0:
		if business {
			w.say(Signature, None, "signature.unneeded")
		} else {
			w.say(Signature, Doubtful, "signature.none")
		}
		return nil
	case err != nil:
		w.say(Signature, Doubtful, "signature.unread", err.Error())
		return nil
	}
	for _, s := range v.Summary(w.language).Signatures {
		who := cmp.Or(s.SignerName, s.Signer, w.word("signer.unknown"))
		trusted := slices.IndexFunc(s.Chain, func(c report.Certificate) bool { return c.Trusted })
		// Validation asks for the chain first [EN 319 102-1 5.3.4]; that a document was changed is worse, whoever signed it.
		changed := slices.ContainsFunc(s.Signed, func(x report.Signed) bool { return x.Found && !x.Intact })
		switch i := validation.Indication(s.Indication); {
		case changed:
			w.say(Signature, Bad, "signature.changed", who)
		case i == validation.TotalPassed, i == validation.Passed:
			proven := at // the node has had it since
			if s.BestTime != nil {
				proven = *s.BestTime
			}
			w.say(Signature, Good, "signature.holds", who, proven.UTC().Format(time.DateOnly))
		case i == validation.TotalFailed, i == validation.Failed:
			w.say(Signature, Bad, "signature.broken", who, cmp.Or(s.Why, s.SubIndication))
		default:
			w.say(Signature, Doubtful, "signature.doubtful", who, cmp.Or(s.Why, s.SubIndication))
			if trusted < 0 {
				w.last().Ask = "" // what to do about the issuer is to be done
			}
		}
		switch {
		case trusted < 0:
			w.say(Issuer, Doubtful, "issuer.unknown", who)
		case s.Qualified != "" && s.Qualified != "NA":
			w.say(Issuer, Good, "issuer.listed", s.Chain[trusted].Subject, report.Worth(s.Qualified, w.language))
		default:
			w.say(Issuer, Good, "issuer.trusted", s.Chain[trusted].Subject)
		}
	}
	return nil
}

func mebi(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// writer gathers what is said in a language.
type writer struct {
	language string
	r        *Report
}

func (w *writer) last() *Check { return &w.r.Checks[len(w.r.Checks)-1] }

// say adds a check. What it says is the text of the key, what to ask for that of key.ask where there is one.
func (w *writer) say(subject string, o Outcome, key string, args ...string) {
	c := Check{Subject: subject, Outcome: o, Text: fill(w.word(key), args)}
	if ask, ok := words(w.language)[key+".ask"]; ok {
		c.Ask = fill(ask, args)
	}
	w.r.Checks = append(w.r.Checks, c)
	if o.worse(w.r.Outcome) {
		w.r.Outcome = o
	}
}

func (w *writer) word(key string) string { return cmp.Or(words(w.language)[key], key) }

// kind calls a media type as people do; types without a word of their own go by their name.
func (w *writer) kind(mediaType string) string {
	t, _, _ := strings.Cut(mediaType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if k, ok := words(w.language)["kind."+t]; ok {
		return k
	}
	if k, ok := words(w.language)["kind."+path.Dir(t)]; ok && path.Dir(t) != "application" {
		return k + " (" + path.Base(t) + ")"
	}
	return t
}

// fill puts arguments in the place of {0}, {1} and so on, in one pass: an argument is never read as a text.
func fill(text string, args []string) string {
	var with []string
	for i, a := range args {
		with = append(with, "{"+strconv.Itoa(i)+"}", a)
	}
	return strings.NewReplacer(with...).Replace(text)
}

// Languages are those that reports are written in.
var Languages = report.Languages

//go:embed text/*.json
var textFiles embed.FS

var allWords = sync.OnceValue(func() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, l := range Languages {
		b, err := textFiles.ReadFile("text/" + l + ".json")
		m := map[string]string{}
		if err = errors.Join(err, json.Unmarshal(b, &m)); err != nil {
			panic(fmt.Sprintf("acceptance: text/%s.json: %v", l, err)) // it is part of the program
		}
		out[l] = m
	}
	return out
})

// words of a language, English where there is no such.
func words(language string) map[string]string {
	if m := allWords()[language]; m != nil {
		return m
	}
	return allWords()["en"]
}
