package standards

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/alert"
	"github.com/viadukt-eu/viadukt/node/backoffice"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/signing"
	"github.com/viadukt-eu/viadukt/node/testbed"
	"github.com/viadukt-eu/viadukt/node/validation"
)

var update = flag.Bool("update", false, "write the documents that are made from the code")

const configurationIntro = `# Configuration

A node reads one YAML file, strictly: unknown and repeated keys are errors with line and suggestion, and every problem is reported at
once. ` + "`viadukt init`" + ` writes a file with all of this as comments, ` + "`viadukt config check`" + ` says what is wrong with one, and
` + "`viadukt config describe`" + ` prints the first part of this page.

Relative paths start at the folder of the file. Durations are written as in 90s, 2m, 1h30m or 30d, sizes as in 512, 16KiB, 100MiB or
2GiB. A secret is never written into the file: it is ` + "`file:PATH` or `env:NAME`" + `.

This page is made from the code: ` + "`go test ./standards -update`" + `.
`

// TestConfigurationGuideIsUpToDate holds docs/configuration.md to the comments of the structs that are read.
func TestConfigurationGuideIsUpToDate(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString(configurationIntro)
	for _, s := range []struct {
		title, prefix string
		settings      any
	}{
		{"The file", "", config.Config{}},
		{"An entry of partners", "partners[]", node.Partner{}},
		{"An entry of pmodes", "pmodes[]", node.PModeSettings{}},
		{"The section backoffice", "backoffice", backoffice.Settings{}},
		{"The section validation", "validation", validation.Settings{}},
		{"The section signatures", "signatures", signing.Settings{}},
		{"The section alerts", "alerts", alert.Settings{}},
		{"The section testbed", "testbed", testbed.Settings{}},
		{"The section gitb", "gitb", testbed.MessagingSettings{}},
		{"The section domains.procurement", "domains.procurement", procurement.Settings{}},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n```\n", s.title)
		var text bytes.Buffer
		if err := config.DescribeStruct(&text, s.prefix, s.settings); err != nil {
			t.Fatal(err)
		}
		b.Write(bytes.TrimSpace(text.Bytes()))
		b.WriteString("\n```\n")
	}
	file := filepath.Join(root, "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Error("docs/configuration.md is not what the code says: go test ./standards -update")
	}
}
