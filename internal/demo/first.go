package demo

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
)

// firstMessage goes from nothing to a message, from folder to folder, and on without the directory.
func firstMessage(w *world) error {
	ee, pt, err := w.pair()
	if err != nil {
		return err
	}
	if err := pt.register("invoice", sample.Supplier, sample.Buyer); err != nil {
		return err
	}
	doc, _, err := w.document("invoice", sample.Supplier, sample.Buyer)
	if err != nil {
		return err
	}
	if _, err := w.carry("", "invoice", ee, pt, doc); err != nil {
		w.fail("GEN-8", "first message", err)
		return nil
	}
	if took := time.Since(w.begin); took < 5*time.Minute {
		w.step("GEN-8", "first message", "", w.begin, "from nothing to the first acknowledged message: init, serve, send, and no service beside them")
	} else {
		w.fail("GEN-8", "first message", fmt.Errorf("it took %s", took))
	}
	if err := w.folders(pt, ee); err != nil {
		w.fail("GEN-10", "folders", err)
	}
	if err := w.withoutDirectory(ee, pt, doc); err != nil {
		w.fail("GEN-9", "without directory", err)
	}
	return nil
}

// folders drops two files at one node and finds them at the other.
func (w *world) folders(from, to *country) error {
	files := map[string][]byte{
		"letter.xml": []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<letter xmlns=\"urn:demo\"><subject>Õ, ã and € stay what they are</subject></letter>"),
		"annex.pdf":  append([]byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), bytes.Repeat([]byte{0, 13, 10, 255, 26}, 4000)...),
		"message.yaml": fmt.Appendf(nil, "pmode: %s\nsender: %q\nreceiver: %q\nmessageId: %q\n", letters.ID,
			sample.Buyer.Participant(), sample.Supplier.Participant(), fmt.Sprintf("letter-%d@%s.example", time.Now().UnixNano(), from.made.Name)),
	}
	start := time.Now()
	outbox := string(from.node.Config.Folders.Outbox)
	temp := filepath.Join(outbox, ".letter") // the node takes no notice of it until it is complete
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(temp, name), b, 0o644); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("letter-%d", start.UnixNano())
	if err := os.Rename(temp, filepath.Join(outbox, name)); err != nil {
		return err
	}
	w.step("", "drop", from.code, start, "letter.xml and annex.pdf into %s", filepath.Join(outbox, name))
	pattern := filepath.Join(string(to.node.Config.Folders.Inbox), "*", "[^.]*", "letter.xml") // what is not complete begins with a dot
	end := start.Add(patience)
	for {
		for _, hit := range matches(pattern, start) {
			dir := filepath.Dir(hit)
			for _, f := range []string{"letter.xml", "annex.pdf"} {
				b, err := os.ReadFile(filepath.Join(dir, f))
				if err != nil {
					return err
				}
				if !bytes.Equal(b, files[f]) {
					return fmt.Errorf("%s has other octets than the one that was sent", filepath.Join(dir, f))
				}
			}
			w.step("GEN-10", "folders", from.code+"→"+to.code, start, "the same octets of both files lie in %s", dir)
			return nil
		}
		if reason, err := os.ReadFile(filepath.Join(outbox, "failed", name+".error.txt")); err == nil {
			return fmt.Errorf("refused: %s", bytes.ReplaceAll(bytes.TrimSpace(reason), []byte("\n"), []byte("; ")))
		}
		if time.Now().After(end) {
			return fmt.Errorf("nothing arrived in %s", to.node.Config.Folders.Inbox)
		}
		if err := pause(w.ctx); err != nil {
			return err
		}
	}
}

// matches are the files that are not older than a time.
func matches(pattern string, since time.Time) (out []string) {
	hits, _ := filepath.Glob(pattern) // the pattern is ours
	for _, h := range hits {
		if info, err := os.Stat(h); err == nil && info.ModTime().After(since.Add(-time.Second)) {
			out = append(out, h)
		}
	}
	return out
}

// withoutDirectory stops everything but the two access points: what was looked up once is enough.
func (w *world) withoutDirectory(ee, pt *country, doc []byte) (err error) {
	start := time.Now()
	w.directory.close()
	for _, c := range []*country{ee, pt} {
		ctx, cancel := context.WithTimeout(w.ctx, patience)
		err := c.node.Unlisten(ctx, "smp")
		cancel()
		if err != nil {
			return err
		}
	}
	w.step("", "stop", "", start, "the DNS zone and both metadata publishers are off")
	if err := w.off(pt); err != nil {
		return err
	}
	_, carried := w.carry("GEN-9", "without directory", ee, pt, doc)
	start = time.Now()
	if err := w.directory.serve(); err != nil {
		return err
	}
	for _, c := range []*country{ee, pt} {
		if err := c.node.Stop(context.Background()); err != nil {
			return err
		}
		if err := c.run(); err != nil {
			return err
		}
	}
	if carried == nil {
		w.step("", "restart", "", start, "everything is on again; both nodes were restarted on their stores")
	}
	return carried
}

// off waits until the directory and the node's publisher answer nobody.
func (w *world) off(c *country) error {
	end := time.Now().Add(patience)
	smp := strings.TrimPrefix(string(c.node.Config.SMP.URL), "http://")
	for _, addr := range []string{w.directory.addr, smp} {
		for {
			conn, err := net.DialTimeout("tcp", addr, time.Second)
			if err != nil {
				break
			}
			conn.Close()
			if time.Now().After(end) {
				return fmt.Errorf("%s still answers", addr)
			}
			if err := pause(w.ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
