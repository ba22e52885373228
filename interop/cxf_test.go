package interop

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/setup"
)

// cxf makes clients of contracts.
var cxf = peer{"peers/cxf", "cxf"}

func needCXF(t *testing.T) string {
	t.Helper()
	if os.Getenv("VIADUKT_PEERS") != "1" {
		t.Skip("without VIADUKT_PEERS=1 no peers are run")
	}
	lib, err := filepath.Abs(filepath.Join(cxf.dir, ".build/lib"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lib); err != nil {
		t.Fatalf("%s is not built: interop/run does it: %v", cxf.program, err)
	}
	return filepath.Join(lib, "*")
}

// TestCXF makes a client of each contract that a node serves, compiles it, and works with two nodes through it.
func TestCXF(t *testing.T) {
	t.Parallel()
	lib := needCXF(t)
	root := t.TempDir()
	var made []*setup.Result
	for _, name := range []string{"blue", "red"} {
		r, err := setup.Create(setup.Params{Dir: filepath.Join(root, name), Network: filepath.Join(root, "network"), Country: "EE", Profile: "eu-edelivery", Now: time.Now(), Base: ports(t, 4)})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, r)
	}
	if err := setup.Agree(made[0], made[1], setup.Agreement{ID: "tc1", Service: "bdx:noprocess", ServiceType: "tc1", Action: "TC1Leg1"}); err != nil {
		t.Fatal(err)
	}
	for i, r := range made {
		f, err := os.OpenFile(r.ConfigFile, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "\nbackoffice: {soap: true, mtom: %v}\n", i == 1)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		run(t, r.ConfigFile, r.Token, "eu-edelivery")
	}
	const header = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"
	for _, c := range []struct{ name, path, space, pkg, main string }{
		{"client made of the current contract", "wsplugin", "http://eu.domibus.wsplugin/", "plugin", "Plugin"},
		{"client made of the old contract", "backend", "http://org.ecodex.backend/1_1/", "old", "Old"},
	} {
		dir := filepath.Join(root, c.pkg)
		download(t, made[0].API+"/domibus/services/"+c.path+"?wsdl", filepath.Join(dir, "classes", c.pkg+".wsdl"))
		tool(t, "java", "-cp", lib, "org.apache.cxf.tools.wsdlto.WSDLToJava", "-d", dir, "-p", c.space+"=gen."+c.pkg, "-p", header+"=gen."+c.pkg+".header", filepath.Join(dir, "classes", c.pkg+".wsdl"))
		sources, err := filepath.Glob(filepath.Join(dir, "gen", c.pkg, "*.java"))
		if err != nil {
			t.Fatal(err)
		}
		more, err := filepath.Glob(filepath.Join(dir, "gen", c.pkg, "header", "*.java"))
		if err != nil || len(sources) < 15 || len(more) < 10 {
			t.Fatalf("%d and %d classes, %v", len(sources), len(more), err)
		}
		args := append([]string{"-nowarn", "-d", filepath.Join(dir, "classes"), "-cp", lib, filepath.Join(cxf.dir, "src", c.main+".java")}, append(sources, more...)...)
		tool(t, "javac", args...)
		for _, how := range []string{"base64", "mtom"} {
			t.Run(c.name+", payloads by "+how, func(t *testing.T) {
				entry(t, "CXF", served, took).detail = "submit, status, list, retrieve, errors, fault"
				out := tool(t, "java", "-cp", filepath.Join(dir, "classes")+string(os.PathListSeparator)+lib, c.main, made[0].API, made[1].API, made[0].Party, made[1].Party, how)
				if steps := bytes.Count(out, []byte(`"ok":true`)); steps < 8 {
					t.Errorf("%d steps: %s", steps, out)
				}
			})
		}
	}
}

func download(t *testing.T, url, file string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tool runs a program of the JDK to its end.
func tool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, &out, &errs)
	}
	return out.Bytes()
}
