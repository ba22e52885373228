package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func parse(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return Parse("viadukt.yaml", "/etc/viadukt", []byte(text))
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryProblemIsReportedAtOnceWithItsLine(t *testing.T) {
	t.Parallel()
	_, err := parse(t, read(t, "bad.yaml"))
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got %v", err)
	}
	golden(t, "bad.golden", err.Error()+"\n")
	for _, secret := range []string{"s3cr3t", "MC4CAQ"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the errors repeat %s", secret)
		}
	}
}

func TestGoodConfiguration(t *testing.T) {
	t.Parallel()
	c, err := parse(t, read(t, "good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what      string
		got, want any
	}{
		{"a country that YAML 1.1 reads as false is a text", c.Node.Country, "NO"},
		{"a default path starts at the folder of the file", c.Node.DataDir, Path("/etc/viadukt/data")},
		{"a relative path starts at the folder of the file", c.AS4.Signing.Key, Path("/etc/viadukt/keys/as4.pem")},
		{"a secret file starts there too", c.AS4.Signing.Password.Source(), "file:/etc/viadukt/keys/as4.pass"},
		{"an absolute path stays", c.AS4.Trust[0].File, Path("/etc/trust/ca.pem")},
		{"lists are read", c.AS4.Trust[0].Purposes, []string{"access-point", "smp"}},
		{"a size has a unit", c.Node.MinFree, Size(1 << 30)},
		{"a duration may be days", c.Outbound.MaxPause.D(), 48 * time.Hour},
		{"a duration may have parts", c.Outbound.FirstRetry.D(), 90 * time.Second},
		{"a default stays beside keys that are set", c.Outbound.Factor, 2.0},
		{"a default list is there", c.SMP.Generations, []string{"busdox-1.0", "oasis-1.0", "oasis-2.0"}},
		{"defaults reach sections that are absent", c.AS4.Limits.Parts, 1000},
		{"defaults reach optional sections that are there", c.TLS.MinVersion, "1.2"},
		{"an empty section of a domain makes it active", c.Has("health"), true},
		{"a domain that is not named is not active", c.Has("justice"), false},
	} {
		if !reflect.DeepEqual(x.got, x.want) {
			t.Errorf("%s: got %v, want %v", x.what, x.got, x.want)
		}
	}
	if c2, err := parse(t, "node: {name: a, country: EE}"); err != nil || c2.TLS != nil {
		t.Errorf("an optional section that is absent: %v, %v", c2, err)
	}
}

type retry struct {
	First time.Duration `yaml:"first" default:"1m"`
	Max   int           `yaml:"max"`
}

type party struct {
	ID   string `yaml:"id" required:"true" doc:"Identifier of the party. Any text."`
	Role string
}

type pmode struct {
	ID        string        `yaml:"id"`
	Responder party         `yaml:"responder"`
	Retry     retry         `yaml:"retry"`
	Hidden    func()        `yaml:"-"`
	Pointer   *map[int]bool // no kind that is read: not a key
}

func TestSectionsAreDecodedByTheirOwners(t *testing.T) {
	t.Parallel()
	c, err := parse(t, read(t, "good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var wide struct {
		pmode        `yaml:",inline"`
		Certificates []Path `yaml:"certificates" default:"a.pem"`
	}
	if err := Decode(c.PModes[0], &wide); err != nil {
		t.Fatal(err)
	}
	if wide.ID != "one" || wide.Responder.ID != "cz-gateway" || wide.Retry.First != 10*time.Second || wide.Certificates[0] != "/etc/viadukt/a.pem" {
		t.Errorf("got %+v", wide)
	}
	var p struct {
		ID    string
		Retry struct{ Firts time.Duration }
	}
	err = Decode(c.PModes[0], &p)
	want := "viadukt.yaml:22: pmodes[0].responder: unknown key\n" +
		"viadukt.yaml:24: pmodes[0].retry.first: unknown key (did you mean firts?)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	var d struct {
		Generation int `default:"1" max:"1"`
	}
	if err := c.Section("procurement", &d); err == nil || err.Error() != "viadukt.yaml:27: domains.procurement.generation: 2 is more than the most allowed, 1" {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"health", "absent"} {
		if err := c.Section(name, &d); err != nil || d.Generation != 1 {
			t.Errorf("%s: %v, %+v", name, err, d)
		}
	}
	var missing struct {
		Responder party
	}
	one, err := parse(t, "node: {name: a, country: EE}\npmodes:\n  - responder: {role: x}\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := Decode(one.PModes[0], &missing); err == nil || err.Error() != "viadukt.yaml:3: pmodes[0].responder.id: missing: identifier of the party" {
		t.Errorf("got %v", err)
	}
	if got := c.PModes[0].Problem("retry.first", "too short").Error(); got != "viadukt.yaml:24: pmodes[0].retry.first: too short" {
		t.Error(got)
	}
	if got := c.Problem("tls.key", "does not match").Error(); got != "viadukt.yaml:15: tls.key: does not match" {
		t.Error(got)
	}
}

func TestDomainsNobodyReadsAreReported(t *testing.T) {
	t.Parallel()
	c, err := parse(t, "node: {name: a, country: EE}\ndomains:\n  heatlh: {}\n  justice: {}\n")
	if err != nil {
		t.Fatal(err)
	}
	err = c.CheckDomains("health", "justice")
	if err == nil || err.Error() != "viadukt.yaml:3: domains.heatlh: no such domain (did you mean health?)" {
		t.Errorf("got %v", err)
	}
	if err := c.CheckDomains("heatlh", "justice"); err != nil {
		t.Error(err)
	}
}

func TestWholeFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"an empty file", "", `viadukt.yaml: is empty: "viadukt init" writes one to start from`},
		{"only comments", "# nothing\n", `viadukt.yaml: is empty: "viadukt init" writes one to start from`},
		{"no mapping", "- a\n", "viadukt.yaml:1: a list where keys with values are expected\n" +
			"viadukt.yaml:1: node: missing: who this node is and where it keeps its data"},
		{"two documents", "node: {name: a, country: EE}\n---\nnode: {}\n", "viadukt.yaml:2: more than one YAML document"},
		{"a syntax error", "node:\n  name: a\n   country: EE\n", "viadukt.yaml:3: no YAML: mapping values are not allowed in this context"},
		{"a merge key", "node: {name: a, country: EE}\nlog:\n  <<: {level: info}\n", "viadukt.yaml:3: log: a key must be a word"},
		{"an alias in a section for others", "node: {name: a, country: EE}\ndomains:\n  x: &a [1]\n  y: {z: *a}\n",
			"viadukt.yaml:4: domains.y: anchors and aliases are not used in this file: write the value again"},
		{"a file that is too long", strings.Repeat("#", fileMax+1), "viadukt.yaml: longer than 1MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(t, c.text); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %v", err, c.want)
			}
		})
	}
}

func TestSecretsAreReadAndNeverPrinted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pass"), []byte("hunter2\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "long"), make([]byte, secretMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VIADUKT_TEST_SECRET", "hunter3")
	var s struct{ File, Env, Long, Absent, Unset Secret }
	c, err := Parse("viadukt.yaml", dir, []byte("node: {name: a, country: EE}\ndomains:\n  x:\n    file: file:pass\n    env: env:VIADUKT_TEST_SECRET\n    long: file:long\n    unset: env:VIADUKT_TEST_NOTHING\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Section("x", &s); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		secret Secret
		want   string
		ok     bool
	}{{s.File, "hunter2", true}, {s.Env, "hunter3", true}, {s.Absent, "", true}, {s.Long, "", false}, {s.Unset, "", false}} {
		if got, err := x.secret.Read(); got != x.want || (err == nil) != x.ok {
			t.Errorf("%s: %q, %v", x.secret.Source(), got, err)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("read", "secret", s.File, "config", c)
	out := fmt.Sprintf("%v %+v %#v %s %s", s, s, s, c, log.String())
	if strings.Contains(out, "hunter") || strings.Contains(out, dir) || strings.Contains(out, "VIADUKT_TEST") {
		t.Errorf("a secret or its place is printed: %s", out)
	}
}

func TestWrittenFormsOfValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		into    any
		in, out string // out "" is refused
	}{
		{new(Duration), "90s", "1m30s"}, {new(Duration), "2m", "2m"}, {new(Duration), "36h", "36h"}, {new(Duration), "30d", "30d"},
		{new(Duration), "2", ""}, {new(Duration), "-2m", ""}, {new(Duration), "1.5d", ""}, {new(Duration), "", ""}, {new(Duration), "99999d", ""},
		{new(Size), "0", "0"}, {new(Size), "512", "512"}, {new(Size), "16KiB", "16KiB"}, {new(Size), "1024 MiB", "1GiB"},
		{new(Size), "1MB", ""}, {new(Size), "-1", ""}, {new(Size), "9999999999TiB", ""}, {new(Size), "KiB", ""},
		{new(Listen), ":8443", ":8443"}, {new(Listen), "[::1]:0", "[::1]:0"}, {new(Listen), "8443", ""}, {new(Listen), "host:99999", ""}, {new(Listen), "host:http", ""},
		{new(URL), "https://a.example/as4", "https://a.example/as4"}, {new(URL), "a.example/as4", ""}, {new(URL), "ftp://a.example", ""},
		{new(URL), "https://user:pw@a.example", ""}, {new(URL), "https://a.example/#x", ""},
		{new(Path), "keys/a.pem", "keys/a.pem"}, {new(Path), "-----BEGIN CERTIFICATE-----", ""}, {new(Path), "a\x00b", ""},
		{new(Secret), "file:a", "[secret]"}, {new(Secret), "env:A", "[secret]"}, {new(Secret), "hunter2", ""}, {new(Secret), "file:", ""}, {new(Secret), "http:x", ""},
	} {
		err := c.into.(interface{ UnmarshalText([]byte) error }).UnmarshalText([]byte(c.in))
		got := fmt.Sprint(reflect.ValueOf(c.into).Elem())
		if (err == nil) != (c.out != "") || err == nil && got != c.out {
			t.Errorf("%T %q: got %q, %v; want %q", c.into, c.in, got, err, c.out)
		}
	}
}

func TestKeysOfFieldsWithoutATag(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"ID": "id", "URLPath": "urlPath", "Retry": "retry", "MinFree": "minFree", "X": "x", "DNSSEC": "dnssec"} {
		if got := keyOf(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ word, want string }{
		{"maxAttemps", "maxAttempts"}, {"MAXATTEMPTS", "maxAttempts"}, {"factro", "factor"}, {"wokers", "workers"}, {"colour", ""},
	} {
		if got := suggest(c.word, []string{"maxAttempts", "firstRetry", "factor", "workers"}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.word, got, c.want)
		}
	}
}
