package smp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

func TestManagement(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, g := range generations {
		p := publisher(w, g)
		base := serve(t, &Management{Publisher: p})
		read := serve(t, p.server())
		prefix := ""
		if g == OASIS20 {
			prefix = pathPrefix20
		}
		group := must(WriteServiceGroup(&ServiceGroup{Participant: brook}, g, ""))
		metadata := must(WriteServiceMetadata(w.metadata(), g))
		gp, sp := ids.ParticipantPath(brook), ids.ServicePath(brook, permit)
		creek := ids.Participant{Scheme: brook.Scheme, Value: "9999:creek"}
		for _, c := range []struct {
			name, method, path string
			body               []byte
			status             int
		}{
			{"metadata before the group", "PUT", sp, metadata, 404},
			{"group", "PUT", gp, group, 200},
			{"group again", "PUT", gp, group, 200},
			{"group below the prefix of 2.0", "PUT", pathPrefix20 + gp, group, 200},
			{"group of another participant", "PUT", ids.ParticipantPath(creek), group, 400},
			{"metadata as group", "PUT", gp, metadata, 400},
			{"no XML", "PUT", gp, []byte("{}"), 400},
			{"nothing", "PUT", gp, nil, 400},
			{"metadata", "PUT", sp, metadata, 200},
			{"metadata again", "PUT", sp, metadata, 200},
			{"metadata under another document type", "PUT", sp + "x", metadata, 400},
			{"metadata under another participant", "PUT", ids.ServicePath(creek, permit), metadata, 400},
			{"metadata too large", "PUT", sp, bytes.Repeat([]byte(" "), MaxBytes+1), 413},
			{"no document type", "PUT", gp + "/services", metadata, 405},
			{"POST", "POST", gp, group, 405},
			{"GET is not for here", "GET", gp, nil, 405},
			{"unknown document type", "DELETE", sp + "x", nil, 404},
			{"unknown process", "DELETE", sp + "/" + ids.EscapeSegment("p::x"), nil, 404},
			{"unknown participant", "DELETE", ids.ParticipantPath(creek), nil, 404},
			{"no identifier", "DELETE", "/%3A%3A", nil, 400},
		} {
			if r := do(t, c.method, base+c.path, c.body); r.status != c.status {
				t.Errorf("%s, %s: status %d, want %d: %s", g, c.name, r.status, c.status, r.body)
			}
		}
		if r := do(t, "GET", read+prefix+sp, nil); r.status != 200 {
			t.Errorf("%s: not published: %d", g, r.status)
		}
		for _, c := range []struct{ name, path, gone, stays string }{
			{"the only process", sp + "/" + ids.EscapeSegment(permits.String()), sp, gp},
			{"the document type", sp, sp, gp},
			{"all document types", gp + "/services", sp, gp},
			{"the group", gp, gp, ""},
		} {
			if c.name != "the group" {
				if r := do(t, "PUT", base+sp, metadata); r.status != 200 {
					t.Fatalf("%s: %d %s", g, r.status, r.body)
				}
			}
			if r := do(t, "DELETE", base+c.path, nil); r.status != 200 {
				t.Errorf("%s, %s: status %d: %s", g, c.name, r.status, r.body)
			}
			if r := do(t, "GET", read+prefix+c.gone, nil); r.status != 404 {
				t.Errorf("%s, %s: still there", g, c.name)
			}
			if c.stays != "" {
				if r := do(t, "GET", read+prefix+c.stays, nil); r.status != 200 || bytes.Contains(r.body, []byte("Permit")) {
					t.Errorf("%s, %s: group %d %s", g, c.name, r.status, r.body)
				}
			}
		}
	}
}

func TestManagementAsksWhoMay(t *testing.T) {
	t.Parallel()
	w := theWorld()
	m := &Management{Publisher: publisher(w, Busdox10), Authorize: func(r *http.Request, p ids.Participant) error {
		switch user, _, ok := r.BasicAuth(); {
		case !ok:
			return ErrUnauthenticated
		case user != "brook" || !p.Equal(brook):
			return ErrForbidden
		}
		return nil
	}}
	base := serve(t, m)
	group := must(WriteServiceGroup(&ServiceGroup{Participant: brook}, Busdox10, ""))
	if r := do(t, "PUT", base+ids.ParticipantPath(brook), group); r.status != 401 || r.header.Get("WWW-Authenticate") == "" {
		t.Errorf("nobody: status %d", r.status)
	}
	if r := do(t, "PUT", base+ids.ParticipantPath(brook), group, "Authorization", "Basic Y3JlZWs6"); r.status != 403 {
		t.Errorf("creek: status %d", r.status)
	}
	if r := do(t, "PUT", base+ids.ParticipantPath(brook), group, "Authorization", "Basic YnJvb2s6"); r.status != 200 {
		t.Errorf("brook: status %d", r.status)
	}
}

func TestCompleteGroup(t *testing.T) {
	t.Parallel()
	p := filled(t, Busdox10)
	base := serve(t, &Management{Publisher: p})
	r := do(t, "GET", base+"/complete"+ids.ParticipantPath(brook), nil)
	doc, err := parseXML(r.body)
	if r.status != 200 || err != nil || !doc.Root().Is(NamespaceBusdox, "CompleteServiceGroup") {
		t.Fatalf("status %d, %v: %s", r.status, err, r.body)
	}
	if !doc.Root().Child(NamespaceBusdox, "ServiceGroup").Valid() || !doc.Root().Child(NamespaceBusdox, "ServiceMetadata").Valid() {
		t.Errorf("%s", r.body)
	}
}

func TestTheLocatorIsToldInOrder(t *testing.T) {
	t.Parallel()
	w := theWorld()
	var told []string
	refuse := errors.New("locator: refused")
	var answer error
	p := publisher(w, Busdox10, OASIS20)
	p.Register = func(_ context.Context, who ids.Participant) error {
		told = append(told, "+"+who.Value)
		return answer
	}
	p.Unregister = func(_ context.Context, who ids.Participant) error {
		told = append(told, "-"+who.Value)
		return answer
	}
	sg := &ServiceGroup{Participant: brook}
	answer = refuse
	if _, err := p.PutGroup(t.Context(), sg, true); !errors.Is(err, refuse) {
		t.Fatal(err)
	}
	if _, err := p.Group(t.Context(), brook); !errors.Is(err, ErrNotFound) {
		t.Errorf("the group stayed although the locator refused: %v", err)
	}
	answer = nil
	for range 2 {
		if _, err := p.PutGroup(t.Context(), sg, true); err != nil {
			t.Fatal(err)
		}
	}
	answer = refuse
	if err := p.DeleteGroup(t.Context(), brook, true); !errors.Is(err, refuse) {
		t.Fatal(err)
	}
	if _, err := p.Group(t.Context(), brook); err != nil {
		t.Errorf("the group went although the locator refused: %v", err)
	}
	if err := p.DeleteGroup(t.Context(), brook, false); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(told, " "); got != "+9999:Brook +9999:Brook -9999:Brook" {
		t.Errorf("told %s", got)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := theWorld()
	ep := func(profile, url string, from, to int) Endpoint {
		return Endpoint{TransportProfile: profile, URL: url, Activation: noon.AddDate(0, from, 0), Expiration: noon.AddDate(0, to, 0)}
	}
	md := func(p ids.Process, list ...Endpoint) *ServiceMetadata {
		return &ServiceMetadata{Participant: brook, DocumentType: permit, Processes: []Process{{Process: p, Endpoints: list}}}
	}
	redirect := &ServiceMetadata{Redirect: &Redirect{Href: "https://other.example.com" + ids.ServicePath(brook, permit), CertificateUID: "CN=X"}}
	other := ids.Process{Scheme: "p", Value: "other"}
	p := publisher(w, Busdox10)
	if _, err := p.PutGroup(t.Context(), &ServiceGroup{Participant: brook}, true); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		put  *ServiceMetadata
		want string // process:url url; "" refused
	}{
		{"first", md(permits, ep("as4", "a", 0, 12)), "permits:a"},
		{"the same period replaces", md(permits, ep("as4", "b", 0, 12)), "permits:b"},
		{"another profile is added", md(permits, ep("as2", "c", 0, 12)), "permits:c,b"},
		{"an adjoining period is added", md(permits, ep("as4", "d", 12, 24)), "permits:d,c,b"},
		{"an overlapping one is refused", md(permits, ep("as4", "e", 6, 18)), ""},
		{"two overlapping ones in one body are refused", md(other, ep("x", "f", 0, 2), ep("x", "g", 1, 3)), ""},
		{"another process is added", md(other, ep("as4", "h", 0, 1)), "other:h permits:d,c,b"},
		{"a redirect replaces everything", redirect, "redirect"},
		{"and is replaced", md(permits, ep("as4", "i", 0, 1)), "permits:i"},
	} {
		err := p.PutMetadata(t.Context(), brook, permit, c.put, true)
		if c.want == "" {
			if !errors.Is(err, ErrSyntax) {
				t.Errorf("%s: got %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := must(p.Metadata(t.Context(), brook, permit))
		var s []string
		for _, proc := range got.Processes {
			var urls []string
			for _, e := range proc.Endpoints {
				urls = append(urls, e.URL)
			}
			s = append(s, strings.TrimPrefix(proc.Process.Value, "urn:example:")+":"+strings.Join(urls, ","))
		}
		if got.Redirect != nil {
			s = append(s, "redirect")
		}
		if strings.Join(s, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.name, s, c.want)
		}
	}
}

// TestRedirectsInBothGenerations: the whole URL here, the base there.
func TestRedirectsInBothGenerations(t *testing.T) {
	t.Parallel()
	w := theWorld()
	p := filled(t, Busdox10, OASIS20)
	rd := &ServiceMetadata{Redirect: &Redirect{Href: "https://other.example.com/y" + ids.ServicePath(brook, permit), CertificateUID: w.other.Certificate.Subject.String()}}
	if err := p.PutMetadata(t.Context(), brook, permit, rd, true); err != nil {
		t.Fatal(err)
	}
	for g, want := range map[Generation]string{Busdox10: rd.Redirect.Href, OASIS20: "https://other.example.com/y"} {
		rec := must(p.Registry.Get(t.Context(), keyOf(g, brook, permit, p.Rules)))
		md := must(ParseServiceMetadata(bytes.Clone(rec.Octets)))
		if md.Redirect == nil || md.Redirect.Href != want {
			t.Errorf("%s: %+v", g, md.Redirect)
		}
	}
}

// TestResign: a new certificate and a new address reach every document.
func TestResign(t *testing.T) {
	t.Parallel()
	w := theWorld()
	p := filled(t, Busdox10, OASIS20)
	for i := range 150 { // more than a page
		who := ids.Participant{Scheme: ids.SchemeActor, Value: fmt.Sprintf("9999:%03d", i)}
		if _, err := p.PutGroup(t.Context(), &ServiceGroup{Participant: who}, true); err != nil {
			t.Fatal(err)
		}
	}
	p.Identity, p.PublicURL = w.other, "https://new.example.com"
	if err := p.Resign(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, g := range p.Generations {
		s, err := verify(t, must(p.Registry.Get(t.Context(), keyOf(g, brook, permit, p.Rules))).Octets, w.question())
		if err != nil || !s.Signer.Equal(w.other.Certificate) {
			t.Errorf("%s: %v", g, err)
		}
		sg := must(ParseServiceGroup(bytes.Clone(must(p.Registry.Get(t.Context(), keyOf(g, brook, ids.DocumentType{}, p.Rules))).Octets)))
		if len(sg.References) != 1 || g != OASIS20 && !strings.HasPrefix(sg.References[0].Href, "https://new.example.com/") || g == OASIS20 && len(sg.References[0].Processes) != 1 {
			t.Errorf("%s: %+v", g, sg)
		}
	}
}

// TestPublishingAtOnce: no reference is lost when many write the same group.
func TestPublishingAtOnce(t *testing.T) {
	t.Parallel()
	w := theWorld()
	p := filled(t, Busdox10)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			d := ids.DocumentType{Scheme: permit.Scheme, Value: fmt.Sprintf("urn:example:d%d::D##c::1", i)}
			if err := p.PutMetadata(t.Context(), brook, d, &ServiceMetadata{Processes: w.metadata().Processes}, true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if sg := must(p.Group(t.Context(), brook)); len(sg.References) != 11 {
		t.Errorf("%d references", len(sg.References))
	}
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	from := func(a, b int) Endpoint {
		e := Endpoint{TransportProfile: "as4"}
		if a != 0 {
			e.Activation = noon.Add(time.Duration(a) * time.Hour)
		}
		if b != 0 {
			e.Expiration = noon.Add(time.Duration(b) * time.Hour)
		}
		return e
	}
	for _, c := range []struct {
		name    string
		a, b    Endpoint
		overlap bool
	}{
		{"both unbounded", from(0, 0), from(0, 0), true},
		{"one within the other", from(1, 9), from(2, 3), true},
		{"one ends where the other begins", from(1, 2), from(2, 3), false},
		{"open end before open beginning", from(0, 2), from(2, 0), false},
		{"open ends", from(1, 0), from(5, 0), true},
	} {
		for _, pair := range [][]Endpoint{{c.a, c.b}, {c.b, c.a}} {
			if err := checkPeriods(&Process{Endpoints: pair}); (err != nil) != c.overlap {
				t.Errorf("%s: got %v", c.name, err)
			}
		}
	}
}
