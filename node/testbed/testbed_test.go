package testbed

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// sampleEnvelope cuts the envelope out of a sample, which is MIME text with indented headers.
var sampleEnvelope = regexp.MustCompile(`(?s)<(env|soap):Envelope.*</(env|soap):Envelope>`)

// TestCorpusSamplesOfTheBed reads the messages that the guide of the official bed shows.
func TestCorpusSamplesOfTheBed(t *testing.T) {
	t.Parallel()
	type want struct {
		action     string
		properties map[string]string
		parts      []string
	}
	payloads := []string{"xmlpayload@minder application/xml utf-8", "custompayload@minder application/octet-stream "}
	for file, w := range map[string]want{
		"samplesubmission.xml": {Submit, map[string]string{MessageID: "as4message@corner2", ToPartyID: "holodeck-c3", ServiceName: "SRV_SIMPLE_TWOWAY", Action: "ACT_SIMPLE_TWOWAY",
			"originalSender": "urn:oasis:names:tc:ebcore:partyid-type:unregistered:C1"}, payloads},
		"sampleSubmissionC4.xml":     {Submit, map[string]string{MessageID: "as4message@corner3", RefToMessageID: "as4message@corner2", FromPartyRole: ebms.RoleResponder}, payloads},
		"samplesubmissionresult.xml": {SubmitResponse, map[string]string{MessageID: "as4message@corner2"}, nil},
		"sampleDelivery.xml":         {Deliver, map[string]string{MessageID: "as4message@corner2", ConversationID: "1", FromPartyID: "holodeck-c2"}, payloads},
		"sampleDelivery-c1.xml":      {Deliver, map[string]string{MessageID: "as4message@corner3", RefToMessageID: "as4message@corner2"}, payloads},
		"samplenotification.xml":     {Notify, map[string]string{SignalType: SignalReceipt, RefToMessageID: "as4message@corner2"}, nil},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			in, err := Decode(ebms.ContentTypeSOAP, bytes.NewReader(sampleEnvelope.Find(corpus.Read(t, "architecture-esens", "testbed-backend/"+file))))
			if err != nil {
				t.Fatal(err)
			}
			if in.Action != w.action {
				t.Errorf("action %q, want %q", in.Action, w.action)
			}
			for name, value := range w.properties {
				if got := in.Property(name); got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
			var parts []string
			for _, p := range in.Parts {
				parts = append(parts, p.ID+" "+p.Property(ebms.PropertyMimeType)+" "+p.Property(ebms.PropertyCharacterSet))
			}
			if strings.Join(parts, "|") != strings.Join(w.parts, "|") {
				t.Errorf("payloads %q, want %q", parts, w.parts)
			}
		})
	}
	// The two messages between access points are of the wire, not of this interface; the header is what is good of them.
	for file, ref := range map[string]string{"sampleAS4Request.xml": "", "sampleAS4Reply.xml": "as4message@corner2"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			octets := sampleEnvelope.Find(corpus.Read(t, "architecture-esens", "testbed-backend/"+file))
			if _, err := Decode(ebms.ContentTypeSOAP, bytes.NewReader(octets)); !errors.Is(err, ebms.ValueNotRecognized) {
				t.Errorf("taken as a message of the bed: %v", err)
			}
			env, err := ebms.ParseEnvelope(bytes.Clone(octets), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := ebms.ParseMessaging(env.Messaging, ebms.AllQuirks())
			if err != nil {
				t.Fatal(err)
			}
			if um := m.UserMessage(); um.RefToMessageID != ref || um.Service.Value != "SRV_SIMPLE_TWOWAY" || len(um.Parts) != 2 {
				t.Errorf("%+v", um)
			}
		})
	}
	files, err := os.ReadDir(filepath.Join(corpus.Dir(t, "architecture-esens"), "testbed-backend"))
	if err != nil || len(files) != 8 {
		t.Errorf("%d samples, %v: this test knows 8", len(files), err)
	}
}

// sample is a message with everything.
func sample() *Message {
	return &Message{MessageID: "m1@bed.example", RefToMessageID: "m0@bed.example", Action: Submit,
		Properties: []ebms.Property{{Name: ServiceName, Value: "s"}, {Name: Action, Value: "a"}, {Name: "originalSender", Value: "C1 & <x>", Type: "urn:t"}},
		Parts:      []Part{{ID: "one@bed", Size: 3, Body: strings.NewReader("eins"[:3]), Properties: []ebms.Property{{Name: ebms.PropertyMimeType, Value: "text/plain"}}}, {ID: "two@bed", Size: 5, Body: strings.NewReader("\r\n--x")}},
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	m := sample()
	contentType, length, write := m.Encode(Ends{Driver: "minder", SUT: "sut", FromDriver: true}, time.Now())
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != length {
		t.Errorf("%d octets, announced were %d", b.Len(), length)
	}
	in, err := Decode(contentType, &b)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for {
		i, body, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		octets, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, in.Parts[i].ID+" "+string(octets))
	}
	if got := strings.Join(bodies, "|"); got != "one@bed ein|two@bed \r\n--x" {
		t.Errorf("payloads %q", got)
	}
	if in.MessageID != m.MessageID || in.RefToMessageID != m.RefToMessageID || in.Action != Submit || len(in.Properties) != 3 || in.Properties[2] != m.Properties[2] {
		t.Errorf("%+v", in.Message)
	}
	um := in.Header()
	if um.Service.Value != "s" || um.Action != "a" || len(um.Properties) != 1 || len(um.Parts) != 2 || um.Parts[0].Href != "cid:one@bed" {
		t.Errorf("%+v", um)
	}
}

func TestPayloadsAndHeaderMustAgree(t *testing.T) {
	t.Parallel()
	m := sample()
	contentType, _, write := m.Encode(Ends{Driver: "minder", SUT: "sut"}, time.Now())
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new string }{
		"a payload that no eb:PartInfo names": {"Content-ID: <two@bed>", "Content-ID: <three@bed>"},
		"a payload that comes twice":          {"Content-ID: <two@bed>", "Content-ID: <one@bed>"},
		"a payload that is named and missing": {`href="two@bed"`, `href="three@bed"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(b.String(), c.old, c.new, 1)
			if text == b.String() {
				t.Fatal("nothing was changed")
			}
			in, err := Decode(contentType, strings.NewReader(text))
			for err == nil {
				_, _, err = in.Next()
			}
			if !errors.Is(err, ebms.ExternalPayloadError) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestWhatIsToldTwiceHasOneID is what a bed knows a message by that it took when the node, or its answer, got lost.
func TestWhatIsToldTwiceHasOneID(t *testing.T) {
	t.Parallel()
	var ids []string
	bed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := Decode(r.Header.Get("Content-Type"), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		ids = append(ids, in.MessageID)
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(bed.Close)
	b := &Bed{Settings: Settings{Driver: config.URL(bed.URL), Party: "sut", DriverParty: "minder"}, Client: bed.Client(), Clock: time.Now, Host: "c2.example"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, id := range []int64{7, 7, 8} {
		if err := b.Tell(t.Context(), &store.Task{ID: id, Created: at, Body: []byte(`{"action":"Notify","ref":"m@x","signal":"Receipt"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) != 3 || ids[0] != ids[1] || ids[1] == ids[2] || !ebms.ValidMessageID(ids[0]) {
		t.Errorf("%q", ids)
	}
}

// TestWhatTheBedRefusesIsToldAgain also where it refuses in a message of its own.
func TestWhatTheBedRefusesIsToldAgain(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"by status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"by signal": func(w http.ResponseWriter) {
			x := dom.NewWriter(nil)
			ebms.WriteEnvelope(x, &ebms.Messaging{Signals: []*ebms.Signal{ebms.NewErrorSignal("e@bed", "m@x", time.Now(), ebms.Other.New("not now"))}}, ebms.EnvelopeIDs{}, nil)
			w.Header().Set("Content-Type", ebms.ContentTypeSOAP)
			w.Write(x.Bytes())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
			t.Cleanup(bed.Close)
			b := &Bed{Settings: Settings{Driver: config.URL(bed.URL), Party: "sut", DriverParty: "minder"}, Client: bed.Client(), Clock: time.Now, Host: "c2.example"}
			if err := b.Tell(t.Context(), &store.Task{ID: 1, Body: []byte(`{"action":"Notify","ref":"m@x","signal":"Receipt"}`)}); err == nil {
				t.Error("counts as told")
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	contentType, _, write := sample().Encode(Ends{Driver: "minder", SUT: "sut"}, time.Now())
	var b bytes.Buffer
	if err := write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(contentType, b.Bytes())
	m := sample()
	m.Parts = nil
	contentType, _, write = m.Encode(Ends{Driver: "minder", SUT: "sut"}, time.Now())
	b.Reset()
	if err := write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(contentType, b.Bytes())
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		in, err := Decode(contentType, bytes.NewReader(body))
		if err != nil {
			return
		}
		in.Header()
		for n := 0; ; n++ {
			_, part, err := in.Next()
			if err != nil {
				return
			}
			if n >= len(in.Parts) {
				t.Fatal("more payloads than the header names")
			}
			if _, err := io.Copy(io.Discard, part); err != nil {
				return
			}
		}
	})
}
