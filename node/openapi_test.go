package node_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/backoffice"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
	"github.com/viadukt-eu/viadukt/node/store"
)

type apiDocument struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		Summary     string `json:"summary"`
		OperationID string `json:"operationId"`
		Parameters  []struct {
			Name, In, Description string
			Schema                json.RawMessage
		} `json:"parameters"`
		Responses map[string]struct {
			Content map[string]struct{ Schema any } `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

func (g *gateway) document(t *testing.T) apiDocument {
	t.Helper()
	resp, err := http.Get("http://" + g.Addr("api") + "/api/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	return decode[apiDocument](t, b)
}

func TestEveryCallIsDescribed(t *testing.T) {
	t.Parallel()
	made, _ := agree(t)
	doc := begin(t, made, nil, nil).document(t)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %q", doc.OpenAPI)
	}
	described, ids := 0, map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			described++
			if op.Summary == "" || ids[op.OperationID] || op.Responses["default"].Content["application/json"].Schema == nil {
				t.Errorf("%s %s: summary, a name of its own and the refusal are missing: %+v", method, path, op)
			}
			ids[op.OperationID] = true
			for _, p := range op.Parameters {
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") || p.In == "query" && p.Description == "" || len(p.Schema) == 0 {
					t.Errorf("%s %s: parameter %+v", method, path, p)
				}
			}
			if n := strings.Count(path, "{"); n != len(slices.DeleteFunc(op.Parameters, func(p struct {
				Name, In, Description string
				Schema                json.RawMessage
			}) bool {
				return p.In != "path"
			})) {
				t.Errorf("%s %s: not %d parameters in the path", method, path, n)
			}
		}
	}
	for _, r := range routes {
		if strings.HasPrefix(r.path, "/api/") && !slices.ContainsFunc(paths(doc), func(p string) bool { return fits(p, r.method+" "+r.path) }) {
			t.Errorf("%s %s is not described", r.method, r.path)
		}
	}
	if described < len(routes) {
		t.Errorf("only %d calls", described)
	}
}

func paths(doc apiDocument) (out []string) {
	for path, methods := range doc.Paths {
		for method := range methods {
			out = append(out, strings.ToUpper(method)+" "+path)
		}
	}
	return out
}

// fits compares a call with a described one.
func fits(pattern, call string) bool {
	p, c := strings.Split(pattern, "/"), strings.Split(call, "/")
	for i := range p {
		if i >= len(c) || p[i] != c[i] && !strings.HasPrefix(p[i], "{") {
			return false
		}
	}
	return len(p) == len(c)
}

// conforms holds a value to a schema. Keys that the schema does not name are wrong as well: who reads the description
// must find everything in it.
func (d apiDocument) conforms(schema any, v any, at string) error {
	s, _ := schema.(map[string]any)
	if ref, ok := s["$ref"].(string); ok {
		return d.conforms(d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], v, at)
	}
	if any, ok := s["anyOf"].([]any); ok {
		var err error
		for _, one := range any {
			if err = d.conforms(one, v, at); err == nil {
				return nil
			}
		}
		return err
	}
	if all, ok := s["allOf"].([]any); ok {
		return d.conforms(all[0], v, at)
	}
	kind := map[string]bool{}
	switch x := v.(type) {
	case nil:
		kind["null"] = true
	case string:
		kind["string"] = true
		if enum, ok := s["enum"].([]any); ok && !slices.Contains(enum, v) {
			return fmt.Errorf("%s: %q is not one of %v", at, x, enum)
		}
		if s["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, x); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
	case bool:
		kind["boolean"] = true
	case float64:
		kind["number"], kind["integer"] = true, x == float64(int64(x))
	case []any:
		kind["array"] = true
		for i, e := range x {
			if err := d.conforms(s["items"], e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		kind["object"] = true
		properties, _ := s["properties"].(map[string]any)
		for k, e := range x {
			if properties[k] == nil {
				return fmt.Errorf("%s.%s is not described", at, k)
			}
			if err := d.conforms(properties[k], e, at+"."+k); err != nil {
				return err
			}
		}
		required, _ := s["required"].([]any)
		for _, k := range required {
			if _, ok := x[k.(string)]; !ok {
				return fmt.Errorf("%s.%s is missing", at, k)
			}
		}
	}
	if want, _ := s["type"].(string); !kind[want] {
		return fmt.Errorf("%s: %v is no %s", at, v, want)
	}
	return nil
}

func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, nil, nil), begin(t, b, nil, nil)
	doc := ee.document(t)
	sent := ee.send(t, letter(text("a.txt", "hello")))
	ee.until(t, store.Out, sent.MessageID, store.Acknowledged)
	pt.until(t, store.In, sent.MessageID, store.Delivered)
	failed := ee.send(t, letter(text("b.txt", "again")))
	ee.until(t, store.Out, failed.MessageID, store.Acknowledged)
	for _, c := range []struct{ method, path, described, body string }{
		{"GET", "/api/v1/messages", "/api/v1/messages", ""},
		{"GET", "/api/v1/messages?limit=1", "/api/v1/messages", ""},
		{"GET", "/api/v1/messages/" + sent.MessageID, "/api/v1/messages/{id}", ""},
		{"POST", "/api/v1/messages?pmode=letters&sender=urn:id::a&receiver=urn:id::b", "/api/v1/messages", "text"},
		{"POST", "/api/v1/messages?pmode=none", "/api/v1/messages", "text"},
		{"GET", "/api/v1/messages?direction=up", "/api/v1/messages", ""},
		{"GET", "/api/v1/messages/4711", "/api/v1/messages/{id}", ""},
		{"POST", "/api/v1/messages/" + sent.MessageID + "/resend", "/api/v1/messages/{id}/resend", ""},
		{"GET", "/api/v1/participants", "/api/v1/participants", ""},
		{"GET", "/api/v1/lookup?participant=urn:id::nobody", "/api/v1/lookup", ""},
	} {
		resp, body := ee.call(t, c.method, c.path, "text/plain", strings.NewReader(c.body))
		answers := doc.Paths[c.described][strings.ToLower(c.method)].Responses
		described, ok := answers[fmt.Sprint(resp.StatusCode)]
		if !ok {
			if described = answers["default"]; resp.StatusCode < 400 {
				t.Errorf("%s %s: %s is not described", c.method, c.path, resp.Status)
			}
		}
		var v any
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(&v); err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		if err := doc.conforms(described.Content["application/json"].Schema, v, c.method+" "+c.path); err != nil {
			t.Errorf("%v in %s", err, body)
		}
	}
}

// eventStream reads server-sent events.
type eventStream struct {
	resp *http.Response
	next func() (event, id, data string, ok bool)
}

func (g *gateway) stream(t *testing.T, query, last string) *eventStream {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+g.Addr("api")+"/api/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+g.made.Token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(resp.Status)
	}
	buf := ""
	return &eventStream{resp: resp, next: func() (event, id, data string, ok bool) {
		for {
			block, rest, found := strings.Cut(buf, "\n\n")
			if found {
				buf = rest
				for l := range strings.SplitSeq(block, "\n") {
					k, v, _ := strings.Cut(l, ": ")
					switch k {
					case "event":
						event = v
					case "id":
						id = v
					case "data":
						data = v
					}
				}
				return event, id, data, true
			}
			b := make([]byte, 4096)
			n, err := resp.Body.Read(b)
			if n == 0 && err != nil {
				return "", "", "", false
			}
			buf += string(b[:n])
		}
	}}
}

func TestEventsTellStateChangesAndContinueWhereAReaderLeft(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee := begin(t, a, nil, nil)
	begin(t, b, nil, nil)
	s := ee.stream(t, "?direction=out", "")
	if event, id, _, ok := s.next(); !ok || event != "" || id == "" {
		t.Fatal("the stream does not begin with a place to come back to")
	}
	m := ee.send(t, letter(text("a.txt", "hello")))
	var states []string
	var firstID string
	for len(states) == 0 || states[len(states)-1] != "acknowledged" {
		event, id, data, ok := s.next()
		if !ok {
			t.Fatal("the stream ends")
		}
		c := decode[backoffice.Change](t, []byte(data))
		if event != "state" || c.MessageID != m.MessageID || c.Direction != "out" || c.ID != m.ID {
			t.Fatalf("%s %s", event, data)
		}
		if firstID == "" {
			firstID = id
		}
		states = append(states, c.State)
		schema := ee.document(t).Paths["/api/v1/events"]["get"].Responses["200"].Content
		if _, ok := schema["text/event-stream"]; !ok {
			t.Fatal("the stream is not described")
		}
	}
	s.resp.Body.Close()
	again := ee.stream(t, "?direction=out&state=acknowledged", firstID)
	again.next()
	if _, _, data, ok := again.next(); !ok || decode[backoffice.Change](t, []byte(data)).State != "acknowledged" {
		t.Errorf("not continued: %s", data)
	}
	for _, last := range []string{"another-3", "x", firstID + "9999999", firstID[:strings.LastIndexByte(firstID, '-')+1] + "-1"} {
		if event, _, _, ok := ee.stream(t, "", last).next(); !ok || event != "reset" {
			t.Errorf("a reader of %q is not told that it missed something: %q", last, event)
		}
	}
	// A node that stops ends its streams, so that nobody waits for them.
	if err := ee.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for {
		if _, _, _, ok := again.next(); !ok {
			break
		}
	}
}

// a node alone, which nobody answers.
func alone(t *testing.T, change func(*config.Config)) *gateway {
	t.Helper()
	var made *setup.Result
	made, _ = agree(t)
	return begin(t, made, change, nil)
}

func TestEventsRefuseWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	g := alone(t, nil)
	for _, q := range []string{"?state=nothing", "?direction=up"} {
		if resp, body := g.call(t, "GET", "/api/v1/events"+q, "", nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s %s", q, resp.Status, body)
		}
	}
}
