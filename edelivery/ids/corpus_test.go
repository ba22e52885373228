package ids

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

func table(t *testing.T, name string, least int) []corpus.Row {
	t.Helper()
	rows := corpus.Table(t, filepath.Join(corpus.Dir(t, "edelivery-discovery"), name))
	if len(rows) < least {
		t.Fatalf("%s: only %d rows", name, len(rows))
	}
	return rows
}

// known fails for a listed row that now agrees, and returns whether a disagreement is listed.
func known(t *testing.T, key string, agrees bool) bool {
	reason, listed := corpus.Known(t, "testdata/known.tsv")[key]
	if listed && agrees {
		t.Errorf("%s is listed as known disagreement (%s) but agrees", key, reason)
	}
	return listed
}

func TestCorpusIdentifiers(t *testing.T) {
	t.Parallel()
	strict := StrictRules()
	for _, row := range table(t, "identifiers.tsv", 30) {
		t.Run(row["kind"]+"/"+row["note"], func(t *testing.T) {
			t.Parallel()
			want := row["result"] == "valid"
			whole := row["scheme"] + "::" + row["value"]
			var err error
			var normal, segment, again string
			switch row["kind"] {
			case "participant":
				var p Participant
				if p, err = ParseParticipant(whole); err == nil {
					err = strict.CheckParticipant(p)
				}
				q, e := NewParticipant(" "+row["scheme"]+"\n", "\t"+row["value"]+" ")
				if e == nil && q != p {
					t.Errorf("made of attribute and text: %v, parsed %v", q, p)
				}
				normal, segment, again = p.Normalized().String(), ParticipantPath(p)[1:], p.String()
			case "doctype":
				var d DocumentType
				if d, err = ParseDocumentType(whole); err == nil {
					err = strict.CheckDocumentType(d)
				}
				normal, segment, again = d.String(), EscapeSegment(d.String()), d.String()
				if p, e := d.Parts(); e == nil && p.String() != d.Value {
					t.Errorf("parts %#v make %q", p, p.String())
				}
			default:
				t.Fatalf("unknown kind %q", row["kind"])
			}
			if agrees := (err == nil) == want; !agrees && !known(t, "identifiers.tsv:"+whole, agrees) {
				t.Fatalf("got %v, want %s", err, row["result"])
			}
			if !want {
				return
			}
			if normal != row["normalised"] {
				t.Errorf("normalised %q, want %q", normal, row["normalised"])
			}
			if segment != row["url_segment"] {
				t.Errorf("segment %q, want %q", segment, row["url_segment"])
			}
			if s, err := UnescapeSegment(row["url_segment"]); err != nil || s != again {
				t.Errorf("segment decodes to %q, %v", s, err)
			}
		})
	}
}

func TestCorpusWildcard(t *testing.T) {
	t.Parallel()
	for _, row := range table(t, "wildcard-match.tsv", 10) {
		var offered []DocumentType
		for s := range strings.SplitSeq(row["offered (separated by |)"], "|") {
			offered = append(offered, mustDocumentType(t, s))
		}
		m, ok, err := Match(offered, mustDocumentType(t, row["wanted"]))
		got := "none"
		switch {
		case err != nil:
			got = "error"
		case ok:
			got = m.String()
		}
		if got != row["match"] {
			t.Errorf("offered %v, wanted %s: got %s, want %s", offered, row["wanted"], got, row["match"])
		}
	}
}

func TestCorpusServiceProviders(t *testing.T) {
	t.Parallel()
	for _, row := range table(t, "spid.tsv", 10) {
		p, err := ParseSPID(row["spid"])
		if (err == nil) != (row["result"] == "valid") || p.Main != row["main_id"] {
			t.Errorf("%s: got %v, %v, want %s %s", row["spid"], p, err, row["result"], row["main_id"])
		}
		if err == nil {
			if q, err := SPIDOf(p.Participant()); err != nil || q != p || p.String() != row["spid"] {
				t.Errorf("%s: comes back as %v, %v", row["spid"], q, err)
			}
		}
	}
}

func mustDocumentType(t *testing.T, s string) DocumentType {
	t.Helper()
	d, err := ParseDocumentType(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
