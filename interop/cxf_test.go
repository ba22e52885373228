package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/node/setup"
)

// cxf makes clients of contracts.
var cxf = peer{"peers/cxf", "cxf"}

func needCXF(t *testing.T) string {
	t.Helper()
	lib, err := filepath.Abs(filepath.Join(cxf.dir, ".build/lib"))
	if err != nil {
		t.Fatal(err)
	}
	needPeers(t, lib)
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

// tool runs a program of the JDK to its end: soon over, most of it is the start of the JVM.
func tool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	args = append([]string{map[string]string{"java": "", "javac": "-J"}[name] + "-XX:TieredStopAtLevel=1"}, args...)
	c := exec.CommandContext(t.Context(), name, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", name, err, &out, &errs)
	}
	return out.Bytes()
}

// TestCXFIsTold makes a server of the contract by which a back office is told, and lets two nodes tell it. It judges what
// it gets by the schema, and has the first attempt at a message fail.
func TestCXFIsTold(t *testing.T) {
	t.Parallel()
	lib := needCXF(t)
	contract := filepath.Join(corpus.Dir(t, "architecture-esens"), "ws-plugin")
	entry(t, "CXF", served, took).detail = "push: message, receipt, status, failure"
	dir := t.TempDir()
	classes := filepath.Join(dir, "classes")
	if err := os.CopyFS(classes, os.DirFS(contract)); err != nil {
		t.Fatal(err)
	}
	tool(t, "java", "-cp", lib, "org.apache.cxf.tools.wsdlto.WSDLToJava", "-d", dir, "-p", "eu.domibus=gen.push", filepath.Join(classes, "BackendService.wsdl"))
	sources, err := filepath.Glob(filepath.Join(dir, "gen", "push", "*.java"))
	if err != nil || len(sources) < 20 {
		t.Fatalf("%d classes, %v", len(sources), err)
	}
	tool(t, "javac", append([]string{"-nowarn", "-d", classes, "-cp", lib, filepath.Join(cxf.dir, "src", "Office.java")}, sources...)...)

	endpoint := fmt.Sprintf("http://127.0.0.1:%d/office", ports(t, 1))
	office := exec.CommandContext(t.Context(), "java", "-cp", classes+string(os.PathListSeparator)+lib, "Office", endpoint)
	stdin, err := office.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := office.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	office.Stderr = t.Output()
	if err := office.Start(); err != nil {
		t.Fatal(err)
	}
	calls := make(chan object, 1000)
	go func() {
		defer close(calls)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var o object
			if json.Unmarshal(lines.Bytes(), &o) == nil {
				calls <- o
			}
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		office.Wait()
	})
	var heard []object
	await := func(call, id, also string) object {
		t.Helper()
		for {
			for i, o := range heard {
				if o.text("call") == call && (id == "" || o.text("id") == id) && (also == "" || o.text("status") == also) {
					heard = append(heard[:i], heard[i+1:]...)
					return o
				}
			}
			select {
			case o, ok := <-calls:
				if !ok {
					t.Fatalf("the office is gone before it heard %s of %s", call, id)
				}
				heard = append(heard, o)
			case <-time.After(patience):
				t.Fatalf("no %s of %s %s; heard %v", call, id, also, heard)
			}
		}
	}
	await("ready", "", "")

	var made []*setup.Result
	for _, name := range []string{"blue", "red"} {
		r, err := setup.Create(setup.Params{Dir: filepath.Join(dir, name), Network: filepath.Join(dir, "network"), Country: "EE", Profile: "eu-edelivery", Now: time.Now(), Base: ports(t, 4)})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, r)
	}
	if err := setup.Agree(made[0], made[1], setup.Agreement{ID: "tc1", Service: "bdx:noprocess", ServiceType: "tc1", Action: "TC1Leg1", MaxAttempts: 1}); err != nil {
		t.Fatal(err)
	}
	var nodes []*gateway
	for _, r := range made {
		f, err := os.OpenFile(r.ConfigFile, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "\nbackoffice:\n  push:\n  - {name: office, endpoint: %q, retry: \"1;60;CONSTANT\", types: [SUBMIT_MESSAGE, RECEIVE_SUCCESS, RECEIVE_FAIL, SEND_SUCCESS, SEND_FAILURE, MESSAGE_STATUS_CHANGE, DELETED, DELETED_BATCH]}\n", endpoint)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, run(t, r.ConfigFile, r.Token, "eu-edelivery"))
	}
	const party = "urn:oasis:names:tc:ebcore:partyid-type:unregistered"
	submit := func(id string) {
		t.Helper()
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for _, p := range [][2]string{{"first.xml", "<first>größer</first>"}, {"second.txt", "second"}} {
			h := textproto.MIMEHeader{}
			h.Set("Content-Disposition", `form-data; name="payload"; filename="`+p[0]+`"`)
			h.Set("Content-Type", map[bool]string{true: "application/xml", false: "text/plain"}[strings.HasSuffix(p[0], ".xml")])
			part, err := w.CreatePart(h)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(part, p[1])
		}
		w.Close()
		req, err := http.NewRequestWithContext(t.Context(), "POST", made[0].API+"/api/v1/messages?pmode=tc1&messageId="+id+"&sender="+party+"::C1&receiver="+party+"::C4", &b)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+made[0].Token)
		req.Header.Set("Content-Type", w.FormDataContentType())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%s %s", resp.Status, answer)
		}
	}
	submit("told@example.eu")
	await("fault", "told@example.eu", "")
	got := await("submitRequest", "told@example.eu", "")
	for field, want := range map[string]string{"action": "TC1Leg1", "from": made[0].Party, "parts": "2"} {
		if s := got.text(field); s != want {
			t.Errorf("%s is %q, want %q", field, s, want)
		}
	}
	if s := got.text("properties"); !strings.Contains(s, "originalSender=C1;") || !strings.Contains(s, "finalRecipient=C4;") {
		t.Errorf("properties %q", s)
	}
	if s := got.text("payloads"); !strings.Contains(s, "|application/xml|first.xml|<first>größer</first>;") || !strings.Contains(s, "|text/plain|second.txt|second;") {
		t.Errorf("payloads %q", s)
	}
	await("sendSuccess", "told@example.eu", "")
	await("receiveSuccess", "told@example.eu", "")
	await("messageStatusChange", "told@example.eu", "ACKNOWLEDGED")
	if err := nodes[1].Unlisten(t.Context(), "as4"); err != nil {
		t.Fatal(err)
	}
	submit("lost@example.eu")
	await("sendFailure", "lost@example.eu", "")
	await("messageStatusChange", "lost@example.eu", "SEND_FAILURE")
}
