package smp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// publisher is an SMP in memory.
func publisher(w *world, list ...Generation) *Publisher {
	return &Publisher{Registry: &Memory{}, Identity: w.smp, PublicURL: "https://smp.example.com/x", Generations: list, Now: clock}
}

func filled(t testing.TB, list ...Generation) *Publisher {
	t.Helper()
	w := theWorld()
	p := publisher(w, list...)
	if _, err := p.PutGroup(t.Context(), &ServiceGroup{Participant: brook}, true); err != nil {
		t.Fatal(err)
	}
	if err := p.PutMetadata(t.Context(), brook, permit, w.metadata(), true); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Publisher) server() *Server {
	return &Server{Registry: p.Registry, Generations: p.Generations, Rules: p.Rules}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func do(t testing.TB, method, url string, body []byte, header ...string) answer {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body)))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp := must(client.Do(req))
	defer resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, must(io.ReadAll(resp.Body))}
}

// TestOurClientAsksOurServer in every generation, at the root and below a prefix.
func TestOurClientAsksOurServer(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, list := range [][]Generation{{Busdox10}, {OASIS10}, {OASIS20}, {Busdox10, OASIS20}} {
		s := filled(t, list...).server()
		for _, prefix := range []string{"", "/deep/smp"} {
			s.Prefix = prefix
			base := serve(t, s)
			for _, g := range list {
				c := w.client()
				c.Generations = []Generation{g}
				a, err := c.Lookup(t.Context(), ask(base+prefix))
				if err != nil || a.Signed.Metadata.Generation != g {
					t.Fatalf("%v, %s, %q: %v", list, g, prefix, err)
				}
				sg, err := c.ServiceGroup(t.Context(), base+prefix, brook)
				if err != nil || len(sg.References) != 1 || sg.References[0].DocumentType != permit {
					t.Errorf("%v, %s, %q: %+v, %v", list, g, prefix, sg, err)
				}
				q := ask(base + prefix)
				q.Participant.Value = "9999:nobody"
				if _, err := c.Lookup(t.Context(), q); !errors.Is(err, ErrNotFound) {
					t.Errorf("unknown participant: %v", err)
				}
			}
		}
	}
}

func TestServerAnswers(t *testing.T) {
	t.Parallel()
	p := filled(t, Busdox10, OASIS20)
	base := serve(t, p.server())
	group, service := base+ids.ParticipantPath(brook), base+ids.ServicePath(brook, permit)
	lower := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(service, "%3A", "%3a"), "Brook", "BROOK"), "%23", "%23")
	for _, c := range []struct {
		name, method, url string
		status            int
	}{
		{"group", "GET", group, 200},
		{"group, HEAD", "HEAD", group, 200},
		{"group with a slash at the end", "GET", group + "/", 200},
		{"metadata", "GET", service, 200},
		{"metadata, lower-case hex, participant in another case", "GET", lower, 200},
		{"metadata, colons as they are", "GET", strings.ReplaceAll(service, "%3A", ":"), 200},
		{"2.0 metadata", "GET", base + pathPrefix20 + ids.ServicePath(brook, permit), 200},
		{"document type in another case", "GET", strings.Replace(service, "Permit", "PERMIT", 1), 404},
		{"unknown document type", "GET", service + "x", 404},
		{"services without document type", "GET", group + "/services", 404},
		{"nothing", "GET", base, 400},
		{"no identifier", "GET", base + "/%3A%3A", 400},
		{"a broken escape", "GET", base + "/a%00b", 400},
		{"more segments", "GET", service + "/x", 400},
		{"another word than services", "GET", group + "/service/x", 400},
		{"2.0 prefix alone", "GET", base + pathPrefix20 + "/", 400},
		{"PUT", "PUT", group, 405},
		{"DELETE", "DELETE", service, 405},
		{"POST", "POST", service, 405},
	} {
		r := do(t, c.method, c.url, nil)
		if r.status != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.name, r.status, c.status, r.body)
		}
		if c.status != 200 {
			continue
		}
		h := r.header
		if h.Get("ETag") == "" || h.Get("Last-Modified") == "" || h.Get("Content-Length") == "" || h.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %v", c.name, h)
		}
		if (c.method == "HEAD") != (len(r.body) == 0) || c.method == "GET" && !bytes.HasPrefix(r.body, []byte(`<?xml version="1.0" encoding="UTF-8"?>`)) {
			t.Errorf("%s: body %.60q", c.name, r.body)
		}
	}
	if got := do(t, "GET", service, nil).header.Get("Content-Type"); got != "text/xml; charset=UTF-8" {
		t.Errorf("content type of generation 1: %s", got)
	}
	if got := do(t, "GET", base+pathPrefix20+ids.ParticipantPath(brook), nil).header.Get("Content-Type"); got != "application/xml; charset=UTF-8" {
		t.Errorf("content type of 2.0: %s", got)
	}
	if !bytes.Contains(do(t, "GET", group, nil).body, []byte(`href="https://smp.example.com/x`+ids.ServicePath(brook, permit)+`"`)) {
		t.Error("the href does not begin with the public address")
	}
}

func TestDocumentTypesWithSlashes(t *testing.T) {
	t.Parallel()
	w := theWorld()
	p := filled(t, Busdox10)
	d := ids.DocumentType{Scheme: ids.SchemeQNS, Value: "http://example.com//a/../permit::Permit##http://example.com/c?x=1&y=%2F+::1.0"}
	if err := p.PutMetadata(t.Context(), brook, d, &ServiceMetadata{Processes: w.metadata().Processes}, false); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.server()) // a mux cleans paths, but not escaped slashes
	q := ask(serve(t, mux))
	q.DocumentType = d
	if _, err := w.client().Lookup(t.Context(), q); err != nil {
		t.Error(err)
	}
	sg, err := w.client().ServiceGroup(t.Context(), q.Base, brook)
	if err != nil || len(sg.References) != 2 || sg.References[1].DocumentType != d {
		t.Errorf("%+v, %v", sg, err)
	}
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	base := serve(t, filled(t, Busdox10).server())
	service := base + ids.ServicePath(brook, permit)
	tag := do(t, "GET", service, nil).header.Get("ETag")
	other := do(t, "GET", base+ids.ParticipantPath(brook), nil).header.Get("ETag")
	if tag == other || !strings.HasPrefix(tag, `"`) {
		t.Errorf("tags %s and %s", tag, other)
	}
	at := func(d time.Duration) string { return noon.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"the same tag", []string{"If-None-Match", tag}, 304},
		{"the same tag, weak", []string{"If-None-Match", "W/" + tag}, 304},
		{"one of several", []string{"If-None-Match", `"x", ` + tag}, 304},
		{"any", []string{"If-None-Match", "*"}, 304},
		{"another tag", []string{"If-None-Match", other}, 200},
		{"unchanged since", []string{"If-Modified-Since", at(0)}, 304},
		{"changed since", []string{"If-Modified-Since", at(-time.Second)}, 200},
		{"the tag outranks the date", []string{"If-None-Match", other, "If-Modified-Since", at(time.Hour)}, 200},
		{"a date that is none", []string{"If-Modified-Since", "yesterday"}, 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			r := do(t, method, service, nil, c.header...)
			if r.status != c.status || r.header.Get("ETag") != tag || c.status == 304 && len(r.body) > 0 {
				t.Errorf("%s, %s: status %d, want %d", c.name, method, r.status, c.status)
			}
		}
	}
}

func TestSchemesMayBeLeftOut(t *testing.T) {
	t.Parallel()
	s := filled(t, OASIS10).server()
	s.ParticipantScheme, s.DocumentScheme = ids.SchemeActor, ids.SchemeQNS
	base := serve(t, s)
	for name, path := range map[string]string{
		"both":            "/" + ids.EscapeSegment(brook.Value) + "/services/" + ids.EscapeSegment(permit.Value),
		"the participant": "/" + ids.EscapeSegment(brook.Value),
		"the document":    ids.ParticipantPath(brook) + "/services/" + ids.EscapeSegment(permit.Value),
		"none":            ids.ServicePath(brook, permit),
	} {
		if r := do(t, "GET", base+path, nil); r.status != 200 {
			t.Errorf("%s: status %d", name, r.status)
		}
	}
}

func TestFoldedKeysAnswerInTheOriginalSpelling(t *testing.T) {
	t.Parallel()
	w := theWorld()
	p := publisher(w, OASIS10)
	p.Rules = ids.Rules{FoldDocumentType: true, FoldScheme: true}
	if _, err := p.PutGroup(t.Context(), &ServiceGroup{Participant: brook}, true); err != nil {
		t.Fatal(err)
	}
	if err := p.PutMetadata(t.Context(), brook, permit, w.metadata(), true); err != nil {
		t.Fatal(err)
	}
	base := serve(t, p.server())
	r := do(t, "GET", base+strings.ToUpper(ids.ServicePath(brook, permit)[:40])+ids.ServicePath(brook, permit)[40:], nil)
	if r.status != 200 {
		t.Errorf("status %d", r.status)
	}
	shouted := ids.DocumentType{Scheme: permit.Scheme, Value: strings.ToUpper(permit.Value)}
	r = do(t, "GET", base+ids.ServicePath(brook, shouted), nil)
	if r.status != 200 || !bytes.Contains(r.body, []byte(">"+permit.Value+"<")) || !bytes.Contains(r.body, []byte(">"+brook.Value+"<")) {
		t.Errorf("status %d: %s", r.status, r.body)
	}
}

// failing is a registry whose disk is gone.
type failing struct{ Registry }

func (failing) Get(context.Context, Key) (Record, error) {
	return Record{}, errors.New("disk /var/lib/secret is gone")
}

func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	var told error
	s := &Server{Registry: failing{}, Generations: []Generation{Busdox10}, Failed: func(_ *http.Request, err error) { told = err }}
	r := do(t, "GET", serve(t, s)+ids.ParticipantPath(brook), nil)
	if r.status != 500 || bytes.Contains(r.body, []byte("secret")) || told == nil {
		t.Errorf("status %d, %s, told %v", r.status, r.body, told)
	}
}
