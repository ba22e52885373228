package config

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// eachField visits all keys, also those of optional sections and of entries of lists.
func eachField(t reflect.Type, path string, do func(path string, f field)) {
	for _, f := range fields(t) {
		p := join(path, f.key)
		do(p, f)
		if sub, subPath := part(f, p); sub != nil {
			eachField(sub, subPath, do)
		}
	}
}

func TestEveryKeyIsExplained(t *testing.T) {
	t.Parallel()
	n := 0
	eachField(reflect.TypeFor[Config](), "", func(path string, f field) {
		n++
		if doc := f.tag.Get("doc"); doc == "" || !strings.HasSuffix(doc, ".") {
			t.Errorf("%s: explained by %q, not a sentence", path, doc)
		}
	})
	if n < 80 {
		t.Errorf("only %d keys were looked at", n)
	}
	var b bytes.Buffer
	if err := Describe(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "describe.golden", b.String())
}

func TestTemplateIsAConfiguration(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Template(&b, map[string]string{
		"node.name": "pt-gateway", "node.country": "PT", "tls.certificate": "tls.crt",
		"as4.trust": "[{file: ca.pem, purposes: [access-point]}]",
	}); err != nil {
		t.Fatal(err)
	}
	golden(t, "template.golden", b.String())
	c, err := parse(t, b.String())
	if err != nil {
		t.Fatal(err)
	}
	if c.Node.Country != "PT" || c.TLS.Certificate != "/etc/viadukt/tls.crt" || c.AS4.Trust[0].Purposes[0] != "access-point" {
		t.Errorf("values did not arrive: %+v", c)
	}
}

// TestEveryCommentedKeyIsRight uncomments each key of the template in turn.
func TestEveryCommentedKeyIsRight(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Template(&b, nil); err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`^( *)# (\w+: .+)$`)
	known := make(map[string]bool)
	eachField(reflect.TypeFor[Config](), "", func(_ string, f field) { known[f.key] = true })
	lines := strings.Split(b.String(), "\n")
	n := 0
	for i, line := range lines {
		m := key.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if name, value, _ := strings.Cut(m[2], ":"); !known[name] || value == ` ""` {
			continue // a comment that looks like a key, or one without an example
		}
		n++
		one := append(append(append([]string{}, lines[:i]...), m[1]+m[2]), lines[i+1:]...)
		if _, err := parse(t, strings.Join(one, "\n")); err != nil && !strings.Contains(m[2], "listen: \":8081\"") {
			t.Errorf("%s: %v", m[2], err)
		}
	}
	if n < 40 {
		t.Errorf("only %d keys were tried", n)
	}
}

func TestChoicesAreThoseOfThePackagesThatReadThem(t *testing.T) {
	t.Parallel()
	enums := make(map[string][]string)
	eachField(reflect.TypeFor[Config](), "", func(path string, f field) {
		if e := f.tag.Get("enum"); e != "" {
			enums[path] = strings.Split(e, ",")
		}
	})
	for i, label := range enums["discovery.label"] {
		if k, err := bdxl.ParseKind(label); err != nil || int(k) != i {
			t.Errorf("label %s: %v, %v", label, k, err)
		}
	}
	if _, err := bdxl.ParseKind(bdxl.Kind(len(enums["discovery.label"])).String()); err == nil {
		t.Error("there is a label function that cannot be configured")
	}
	want := []string{
		string(pki.PurposeAccessPoint), string(pki.PurposeSMP), string(pki.PurposeTLS), string(pki.PurposeDocument),
		string(pki.PurposeToken), string(pki.PurposeEvidence), string(pki.PurposeTime), string(pki.PurposeRevocation),
	}
	if got := enums["as4.trust[].purposes"]; !reflect.DeepEqual(got, want) {
		t.Errorf("purposes: got %v, want %v", got, want)
	}
}
