package xhe

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const area = "edelivery-discovery"

func parse(b []byte) (*Envelope, error) {
	d, err := dom.Parse(b, dom.Limits{})
	if err != nil {
		return nil, err
	}
	return Parse(d)
}

func TestCorpus(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, row := range corpus.Index(t, area) {
		if !strings.HasPrefix(row["path"], "xhe/") || strings.HasPrefix(row["path"], "xhe/xsd/") {
			continue
		}
		seen++
		e, err := parse(corpus.Read(t, area, row["path"]))
		switch row["expected"] {
		case "valid":
			if err != nil || e.ID == "" || len(e.To) == 0 || e.Created.IsZero() {
				t.Errorf("%s: %+v, %v", row["path"], e, err)
			}
		case "refused by the XSD":
			if !errors.Is(err, ErrEnvelope) {
				t.Errorf("%s: %v", row["path"], err)
			}
		default:
			t.Errorf("%s: what is %q?", row["path"], row["expected"])
		}
	}
	if seen < 7 {
		t.Fatalf("only %d files", seen)
	}
}

func sample() *Envelope {
	at := time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)
	return &Envelope{
		CustomizationID: "c", ProfileID: "p", ProfileExecutionID: "x", ID: "1", UUID: "u", Created: at,
		Scope:      []Criterion{{"key", "value & more"}},
		References: []Reference{{ID: "urn:r", Start: at, End: at.Add(time.Hour)}},
		From:       Party{{Scheme: "a-b-c", Value: "from"}},
		To:         []Party{{{Value: "to"}, {Scheme: ids.SchemeActor, Value: "0088:1"}}, {{Value: "another"}}},
		Payloads: []Payload{
			{ID: "i", Descriptions: []string{"d", "e"}, DocumentType: "t", ContentType: "text/xml", CustomizationID: "c", ProfileID: "p", ProfileExecutionID: "x",
				HandlingServiceID: "h", ValidationType: "v", ValidationVersion: "w", HashValue: "#", Relevant: []Reference{{ID: "r"}}, XML: []byte(`<a xmlns="urn:a">1</a>`)},
			{ContentType: "text/plain", Text: "a < b"},
			{Encrypted: true, EncryptionMethod: "m", DecryptionInformation: &Reference{ID: "di"}, DecryptionKey: &Reference{ID: "dk"}, External: &Reference{ID: "https://h/x"}},
		},
	}
}

func write(e *Envelope) []byte {
	w := dom.NewWriter(nil)
	e.Append(w)
	return w.Bytes()
}

func TestWriteIsRead(t *testing.T) {
	t.Parallel()
	want := sample()
	got, err := parse(write(want))
	if err != nil {
		t.Fatal(err)
	}
	if d := got.Payloads[0].Document(); !d.Is("urn:a", "a") || string(d.Raw()) != string(want.Payloads[0].XML) {
		t.Errorf("document %s", d.Raw())
	}
	if got.Payloads[1].Content.Text() != "a < b" || got.Payloads[1].Document().Valid() {
		t.Errorf("text %q", got.Payloads[1].Content.Text())
	}
	for i := range got.Payloads {
		got.Payloads[i].Content, want.Payloads[i].XML, want.Payloads[i].Text = dom.Node{}, nil, ""
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b dom.Node) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedEnvelopes(t *testing.T) {
	t.Parallel()
	good := string(write(sample()))
	for name, in := range map[string]string{
		"another root":               "<a/>",
		"another version":            strings.Replace(good, ">1.0<", ">2.0<", 1),
		"no header":                  strings.Replace(good, "xha:Header", "xha:Heading", 2),
		"no receiver":                strings.ReplaceAll(good, "xha:ToParty", "xha:FromParty"),
		"a time that is none":        strings.Replace(good, "2026-11-28T01:02:03Z", "yesterday", 1),
		"text between elements":      strings.Replace(good, "<xha:Header>", "<xha:Header>x", 1),
		"two documents in a payload": strings.Replace(good, "</a>", "</a><b/>", 1),
		"text beside a document":     strings.Replace(good, "</a>", "</a>x", 1),
		"a boolean that is none":     strings.Replace(good, ">true<", ">yes<", 1),
		"an unknown element":         strings.Replace(good, "<xha:Payloads>", "<x/><xha:Payloads>", 1),
		"an unknown element behind":  strings.Replace(good, "</XHE>", "<x/></XHE>", 1),
		"content and a reference":    strings.Replace(good, "</xha:PayloadExternalReference>", "</xha:PayloadExternalReference><xha:PayloadContent>x</xha:PayloadContent>", 1),
		"no payload in payloads":     good[:strings.Index(good, "<xha:Payload>")] + "</xha:Payloads></XHE>",
	} {
		var place *dom.Error
		if _, err := parse([]byte(in)); !errors.Is(err, ErrEnvelope) || !errors.As(err, &place) || place.Line == 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(write(sample()))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parse(bytes.Clone(b))
		if err != nil {
			return
		}
		for i, p := range e.Payloads {
			e.Payloads[i].Text = p.Content.Text()
		}
		if e.Created.Year() < 1 || e.Created.Year() > 9999 {
			return
		}
		again, err := parse(write(e))
		if err != nil || again.ID != e.ID || len(again.To) != len(e.To) || len(again.Payloads) != len(e.Payloads) {
			t.Fatalf("%v\n%s", err, write(e))
		}
	})
}
