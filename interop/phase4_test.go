package interop

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/node/store"
)

// phase4Profile says what a profile asks of the partners, beside its keys.
type phase4Profile struct {
	peer, ours string // names of the profile
	settings   tree   // of the P-Mode
	receive    []string
	send       []string
}

var phase4Profiles = []phase4Profile{
	{peer: "eu-edelivery", ours: "eu-edelivery"},
	{
		peer: "cef", ours: "eu-edelivery", settings: tree{"signToken": "ski", "encryptToken": "ski"},
		receive: []string{"--sender-cert", phase4.pki("ap1.pem")},
	},
	{peer: "eu-edelivery2", ours: "eu-edelivery2"},
	{peer: "eu-edelivery2-ec", ours: "eu-edelivery2-ec"},
}

func (p phase4Profile) name() string { return "phase4 " + p.peer }

const partyType = "urn:oasis:names:tc:ebcore:partyid-type:unregistered"

// receiver starts "phase4 receive" as POP000002 and returns it with its address and its folder.
func (p phase4Profile) receiver(t *testing.T, env []string, args ...string) (s *server, url, dir string) {
	t.Helper()
	phase4.need(t)
	dir = t.TempDir()
	sign, encrypt := keyNames(p.ours)
	keys := phase4.pki("ap2" + sign + ".p12")
	if sign != encrypt {
		keys += "," + phase4.pki("ap2"+encrypt+".p12")
	}
	args = slices.Concat([]string{"receive", "--port", "0", "--dir", dir, "--profile", p.peer, "--keystore", keys,
		"--truststore", phase4.pki("truststore.p12"), "--crl", phase4.pki("crl.pem")}, p.receive, args)
	s = phase4.serve(t, env, args...)
	return s, fmt.Sprintf("http://127.0.0.1:%.0f/as4", s.ready.number("port")), dir
}

// transmit runs "phase4 send" as POP000002 to the node and returns a result for each message.
func (p phase4Profile) transmit(t *testing.T, g *gateway, env []string, args ...string) []object {
	t.Helper()
	sign, encrypt := keyNames(p.ours)
	keys := phase4.pki("ap2" + sign + ".p12")
	if sign != encrypt {
		keys += "," + phase4.pki("ap2"+encrypt+".p12")
	}
	all := []string{"send", "--to", g.url(), "--profile", p.peer, "--json", "--keystore", keys, "--truststore", phase4.pki("trust.pem"),
		"--from-id", "POP000002", "--to-id", "POP000001", "--original-sender", "scheme::c1", "--final-recipient", "scheme::c4"}
	for option, value := range map[string]string{
		"--receiver-cert": phase4.pki("ap1" + encrypt + ".pem"), "--from-type": partyType, "--to-type": partyType, "--service": "urn:s", "--action": "urn:a",
	} {
		if !slices.Contains(args, option) {
			all = append(all, option, value)
		}
	}
	lines, _ := phase4.call(t, env, slices.Concat(all, p.send, args)...)
	var results []object
	for _, o := range lines {
		if o.at("n") != nil {
			results = append(results, o)
		}
	}
	if len(results) == 0 {
		t.Fatalf("no result in %v", lines)
	}
	return results
}

// kept reads what phase4 stored of a message.
func kept(t *testing.T, dir, messageID string) (object, string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*-"+messageID))
	if err != nil || len(found) != 1 {
		t.Fatalf("phase4 stored %d copies of %s, %v", len(found), messageID, err)
	}
	b, err := os.ReadFile(filepath.Join(found[0], "message.json"))
	if err != nil {
		t.Fatal(err)
	}
	o, ok := parse(b)
	if !ok {
		t.Fatalf("no JSON: %s", b)
	}
	return o, found[0]
}

// The payloads: XML for compression, and octets that are not compressed.
var (
	invoice = []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<Invoice xmlns='urn:invoice'  xmlns:unused=\"urn:u\">\r\n  <ID  b='2' a='1'/>\r\n" +
		strings.Repeat("  <Line>caf\u00e9 &amp; cr\u00e8me</Line><!-- twice -->\r\n", 100) + "</Invoice>\r\n")
	paper = append([]byte("%PDF-1.7\r\n\x00\xff"), bytes.Repeat([]byte{0, '\r', '\n', '\n', '\r', 0x80}, 700)...)
)

func TestPhase4Receives(t *testing.T) {
	t.Parallel()
	for _, p := range phase4Profiles {
		t.Run(p.peer, func(t *testing.T) {
			t.Parallel()
			s, url, dir := p.receiver(t, nil)
			settings := tree{}
			for k, v := range p.settings {
				settings[k] = v
			}
			g := start(t, p.ours, func(_ string, c tree) {
				partner(c, p.ours, url, settings)
				plain := tree{}
				for k, v := range c["pmodes"].([]any)[0].(tree) {
					plain[k] = v
				}
				plain["id"], plain["noCompression"], plain["action"] = "plain", true, "urn:plain"
				c["pmodes"] = append(c["pmodes"].([]any), plain)
			})
			for _, c := range []struct {
				name       string
				pmode      string
				test       bool
				parts      []part
				compressed []bool
			}{
				{"an XML document, compressed", "bilateral", false, []part{octets("application/xml", invoice)}, []bool{true}},
				{"octets as they are", "bilateral", false, []part{octets("application/pdf", paper)}, []bool{false}},
				{"an XML document, not compressed", "plain", false, []part{octets("application/xml", invoice)}, []bool{false}},
				{"text, not compressed", "plain", false, []part{octets("text/plain", []byte("a\nb\r\nc\rd\n"))}, []bool{false}},
				{"three payloads", "bilateral", false, []part{octets("application/xml", invoice), octets("application/pdf", paper), octets("text/xml", invoice)}, []bool{true, false, true}},
				{"one megabyte of octets, compressed", "bilateral", false, []part{octets("application/octet-stream", bytes.Repeat(paper, 240))}, []bool{true}},
				{"the test service", "bilateral", true, nil, nil},
			} {
				t.Run(c.name, func(t *testing.T) {
					r := entry(t, p.name(), sent, took)
					m := tree{"pmode": c.pmode, "sender": "scheme::c1", "receiver": "scheme::c4"}
					if c.test {
						m["service"], m["action"] = ebmsService, ebmsTest
					}
					id := g.submit(t, m, c.parts...)
					msg := g.until(t, store.Out, id, store.Acknowledged)
					r.detail = msg.State.String()
					if e := g.evidence(t, msg); len(e[store.KindReceipt]) != 1 {
						t.Errorf("evidence: %v", e)
					}
					if c.test {
						if s.count("refused") > 0 {
							t.Error("refused")
						}
						return
					}
					o, folder := kept(t, dir, id)
					if !o.is("signature", "verified") || !o.is("encryption", "decrypted") || o.text("from", "role") == "" {
						t.Errorf("%v", o)
					}
					parts := o.list("parts")
					if len(parts) != len(c.parts) {
						t.Fatalf("%d parts: %v", len(parts), parts)
					}
					for i, want := range c.parts {
						part := object(parts[i].(map[string]any))
						h := sha256.New()
						if _, err := io.Copy(h, want.open()); err != nil {
							t.Fatal(err)
						}
						if part.text("sha256") != hex.EncodeToString(h.Sum(nil)) || part.is("compressed") != c.compressed[i] || part.text("mimeType") != want.mimeType {
							t.Errorf("part %d, in %s: %v", i, folder, part)
						}
					}
				})
			}
		})
	}
}

// The test service [ebMS3 5.2.2].
const (
	ebmsService = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/service"
	ebmsTest    = "http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/test"
)

func TestPhase4Sends(t *testing.T) {
	t.Parallel()
	phase4.need(t)
	dir := t.TempDir()
	files := map[string][]byte{"invoice.xml": invoice, "paper.pdf": paper, "large": bytes.Repeat(paper, 240)}
	path := map[string]string{}
	for name, b := range files {
		path[name] = filepath.Join(dir, name)
		if err := os.WriteFile(path[name], b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range phase4Profiles {
		t.Run(p.peer, func(t *testing.T) {
			t.Parallel()
			g := start(t, p.ours, func(_ string, c tree) { partner(c, p.ours, "", p.settings) })
			q := p
			if p.peer == "cef" {
				q.receive, q.send = nil, []string{"--key-ref", "ski"}
			}
			for _, c := range []struct {
				name  string
				args  []string
				files []string
				test  bool
			}{
				{"an XML document, compressed", []string{"--compress"}, []string{"invoice.xml"}, false},
				{"an XML document, not compressed", nil, []string{"invoice.xml"}, false},
				{"octets as they are", []string{"--mime", "application/pdf"}, []string{"paper.pdf"}, false},
				{"three payloads", []string{"--compress"}, []string{"invoice.xml", "invoice.xml", "invoice.xml"}, false},
				{"one megabyte of octets", []string{"--mime", "application/octet-stream"}, []string{"large"}, false},
				{"the test service", []string{"--service", ebmsService, "--action", ebmsTest}, []string{"invoice.xml"}, true},
				{"certificates named by issuer and serial number", []string{"--compress", "--key-ref", "issuer-serial"}, []string{"invoice.xml"}, false},
				{"certificates named by thumbprint", []string{"--compress", "--key-ref", "thumbprint"}, []string{"invoice.xml"}, false},
			} {
				t.Run(c.name, func(t *testing.T) {
					r := entry(t, p.name(), received, took)
					args := slices.Clone(c.args)
					for _, f := range c.files {
						args = append(args, "--payload", path[f])
					}
					result := q.transmit(t, g, nil, args...)[0]
					if !result.is("ok") {
						t.Fatalf("phase4 does not accept the receipt: %v", result)
					}
					if c.test {
						m := g.until(t, store.In, result.text("messageId"), store.Confirmed)
						r.detail = m.State.String()
						return
					}
					m := g.until(t, store.In, result.text("messageId"), store.Received, store.Delivered)
					r.detail = m.State.String()
					if len(m.Payloads) != len(c.files) || m.Sender != "scheme::c1" || m.Receiver != "scheme::c4" {
						t.Fatalf("%+v", m)
					}
					for i, f := range c.files {
						if !bytes.Equal(g.payload(t, m, i), files[f]) {
							t.Errorf("payload %d differs", i)
						}
					}
				})
			}
		})
	}
}
