package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const minimal = "node:\n  name: ee\n  country: EE\n"

// write puts files into a new folder and returns the first one's name.
func write(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, files[0])
}

func TestPartnersAndPModesStandInFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	const partner, pmode = "partners:\n  - name: pt\n    id: pt-gw\n", "pmodes:\n  - id: letters\n    partner: pt\n"
	for _, c := range []struct {
		name             string
		files            []string
		partners, pmodes int
		want             string
	}{
		{"none is needed", []string{"v.yaml", minimal}, 0, 0, ""},
		{"the usual file is read when it is there", []string{"v.yaml", minimal, "pmodes.yaml", partner + pmode}, 1, 1, ""},
		{"what stands in the configuration stays", []string{"v.yaml", minimal + partner, "pmodes.yaml", pmode}, 1, 1, ""},
		{"other files take the place of the usual one", []string{"v.yaml", minimal + "pmodeFiles: [a.yaml, b.yaml]\n", "a.yaml", partner, "b.yaml", pmode + "  - id: notes\n    partner: pt\n", "pmodes.yaml", partner}, 1, 2, ""},
		{"a file that is named must be there", []string{"v.yaml", minimal + "pmodeFiles: [a.yaml]\n"}, 0, 0, "v.yaml:4: pmodeFiles: open "},
		{"nothing else may stand in them", []string{"v.yaml", minimal, "pmodes.yaml", "node:\n  name: pt\n"}, 0, 0, "pmodes.yaml:1: node: unknown key"},
		{"a file that is no YAML", []string{"v.yaml", minimal, "pmodes.yaml", "partners: ]\n"}, 0, 0, "pmodes.yaml: no YAML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Load(write(t, c.files...))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Partners) != c.partners || len(got.PModes) != c.pmodes {
				t.Errorf("%d partners, %d P-Modes", len(got.Partners), len(got.PModes))
			}
			for _, s := range append(got.Partners, got.PModes...) {
				if s.Line() == 0 || s.File == "" || s.Dir != got.Dir() {
					t.Errorf("without its place: %+v", s)
				}
			}
		})
	}
}

func TestSettingsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	type inner struct {
		Every Duration `yaml:"every" default:"1m"`
		Name  string   `yaml:"name"`
	}
	type outer struct {
		Word   string        `yaml:"word"`
		Hard   string        `yaml:"hard"`
		Usual  string        `yaml:"usual" default:"usual"`
		Empty  string        `yaml:"empty" default:"something"`
		File   Path          `yaml:"file"`
		Files  []Path        `yaml:"files"`
		Away   Path          `yaml:"away"`
		Size   Size          `yaml:"size"`
		Pause  Duration      `yaml:"pause"`
		Plain  time.Duration `yaml:"plain"`
		Factor float64       `yaml:"factor"`
		Yes    bool          `yaml:"yes"`
		Count  int           `yaml:"count"`
		URL    URL           `yaml:"url"`
		Words  []string      `yaml:"words"`
		Inner  *inner        `yaml:"inner"`
		None   *inner        `yaml:"none"`
		Secret Secret        `yaml:"secret"`
	}
	in := outer{
		Word: "plain", Hard: "null: [\"a\", {b}]\t#é\u2028", Usual: "usual", File: "/etc/viadukt/a b.pem", Files: []Path{"/etc/viadukt/x/y.pem", "/z.pem"}, Away: "/srv/c.pem",
		Size: 5 << 20, Pause: Duration(90 * time.Second), Plain: 1500 * time.Millisecond, Factor: 1.5, Yes: true, Count: -3, URL: "https://x.example/?a=b", Words: []string{"true", "x, y", ""},
		Inner: &inner{Every: Duration(time.Minute)},
	}
	var b strings.Builder
	got := Settings(in, "/etc/viadukt")
	for _, s := range got {
		b.WriteString(s.Key + ": " + s.Value + "\n")
	}
	if strings.Contains(b.String(), "usual:") || strings.Contains(b.String(), "none:") || strings.Contains(b.String(), "/etc/viadukt") {
		t.Errorf("defaults or paths of this machine:\n%s", b.String())
	}
	root, err := parseYAML("f", []byte(b.String()), fileMax)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	var out outer
	if err := Decode(Section{File: "f", Dir: "/etc/viadukt", node: root}, &out); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if !reflect.DeepEqual(in, out) {
		t.Errorf("wrote\n%+v\nread\n%+v\n%s", in, out, b.String())
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("plain")
	f.Add("~")
	f.Add("1e5")
	f.Add("a: b # c")
	f.Add("é\x7f\u0085\ufeff")
	f.Fuzz(func(t *testing.T, s string) {
		type one struct {
			Text string   `yaml:"text"`
			List []string `yaml:"list"`
		}
		in := one{s, []string{s, "x"}}
		if strings.ToValidUTF8(s, "") != s {
			return // no text
		}
		text := ""
		for _, s := range Settings(in, "/") {
			text += s.Key + ": " + s.Value + "\n"
		}
		root, err := parseYAML("f", []byte(text), fileMax)
		if err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		var out one
		if err := Decode(Section{node: root}, &out); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		if !reflect.DeepEqual(in, out) {
			t.Fatalf("%q became %q by %q", in, out, text)
		}
	})
}
