package main

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A publisher has a release of two packs; later other rules under the same version, and then a newer version.
func TestPackUpdateTellsWhatPublishersChange(t *testing.T) {
	t.Parallel()
	pack := func(kind, version, flag string) (name, text string) {
		return "tickets-" + version + "/" + kind + ".sch", `<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><ns prefix="t" uri="urn:example:` + kind + `"/>
			<pattern><rule context="t:Ticket"><assert id="T-1" flag="` + flag + `" test="t:Number">A ticket has a number.</assert></rule></pattern></schema>`
	}
	release := func(version, flag string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, kind := range []string{"bus", "train"} {
			name, text := pack(kind, version, flag)
			w, err := z.Create(name)
			if err == nil {
				_, err = w.Write([]byte(text))
			}
			if err != nil {
				t.Fatal(err)
			}
			flag = "fatal" // of the first alone it is another
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var served atomic.Pointer[[]byte]
	var asked atomic.Int32
	serve := func(b []byte) { served.Store(&b) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Write(*served.Load())
	}))
	t.Cleanup(server.Close)
	folder, address := t.TempDir(), server.URL+"/tickets.zip"
	viadukt := func(args ...string) (string, int) {
		var out bytes.Buffer
		status := (&program{ctx: t.Context(), in: strings.NewReader(""), out: &out, err: &out}).dispatch(root, nil, append([]string{"pack"}, append(args, "--packs", folder)...))
		return out.String(), status
	}
	serve(release("1.0", "fatal"))
	for _, step := range []struct {
		serve   []byte
		args    []string
		asked   int32
		wanted  []string
		without []string
	}{
		{nil, []string{"add", address}, 1, []string{"local:bus:1.0 added", "local:train:1.0 added"}, nil},
		{nil, []string{"update"}, 1, []string{"local:bus:1.0 is the newest", "local:train:1.0 is the newest"}, nil},
		{release("1.0", "warning"), []string{"update"}, 1, []string{"local:bus:1.0: its publisher has other rules by now", "severity: fatal\n              → warning", "viadukt pack remove local:bus:1.0, then pack add " + address, "local:train:1.0 is the newest"}, []string{"local:bus:1.0 is the newest"}},
		{nil, []string{"update", "--json"}, 1, []string{`"pack":"local:bus:1.0","url":"` + address + `","newer":[],"added":false,"replaced":true`, `"pack":"local:train:1.0","url":"` + address + `","newer":[],"added":false,"replaced":false`}, nil},
		{nil, []string{"update", "--add"}, 1, []string{"other rules by now"}, []string{"local:train:1.0 added"}},
		{release("1.1", "warning"), []string{"update", "--add", "local:bus"}, 1, []string{"local:bus:1.0 → local:bus:1.1: 0 added, 0 removed, 1 changed"}, []string{"train", "by now"}},
		{nil, []string{"list"}, 0, []string{"local:bus:1.1", "local:bus:1.0", "local:train:1.0"}, []string{"local:train:1.1"}},
	} {
		if step.serve != nil {
			serve(step.serve)
		}
		asked.Store(0)
		out, status := viadukt(step.args...)
		if n := asked.Load(); status != statusDone || n != step.asked {
			t.Errorf("%v: status %d, asked %d times, want %d\n%s", step.args, status, n, step.asked, out)
		}
		for _, w := range step.wanted {
			if !strings.Contains(out, w) {
				t.Errorf("%v lacks %q:\n%s", step.args, w, out)
			}
		}
		for _, w := range step.without {
			if strings.Contains(out, w) {
				t.Errorf("%v has %q:\n%s", step.args, w, out)
			}
		}
	}
}
