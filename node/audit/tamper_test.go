package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"

	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

func TestNotOneOctetOfACaseMayChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	if _, err := w.log.Sign(ctx); err != nil {
		t.Fatal(err)
	}
	id := w.sent("a@b")
	if _, err := w.log.Sign(ctx); err != nil {
		t.Fatal(err)
	}
	w.sent("c@d")
	if _, err := w.log.Sign(ctx); err != nil { // and a second head
		t.Fatal(err)
	}
	b := w.make(id, CaseOptions{})
	if r := w.verify(b); !r.Valid || !r.has("consistency", Proven) {
		t.Fatalf("\n%s", r.text())
	}
	files, err := readArchive(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	inFile := func(at int) bool { // what a zip program calls content: a sample of it is enough
		return slices.ContainsFunc(files, func(f stored) bool { return int64(at) >= f.offset && int64(at) < f.offset+f.size })
	}
	step := 61
	if testing.Short() {
		step = 211
	}
	for at := range b {
		if inFile(at) && at%step != 0 {
			continue
		}
		b[at] ^= 1 << (at % 8)
		r := w.verify(b)
		b[at] ^= 1 << (at % 8)
		if r.Valid || r.Trusted {
			t.Fatalf("octet %d of %d changed, and nothing was found:\n%s", at, len(b), r.text())
		}
		if !slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Result == Failed && s.Text != "" }) {
			t.Fatalf("octet %d changed: no step says so", at)
		}
	}
	for _, c := range []struct {
		name  string
		case_ []byte
	}{
		{"nothing", nil}, {"cut off", b[:len(b)-1]}, {"half", b[:len(b)/2]}, {"something behind it", append(slices.Clone(b), 0)}, {"something before it", append([]byte{0}, b...)},
	} {
		if r := w.verify(c.case_); r.Valid || !r.has("archive", Failed) {
			t.Errorf("%s: valid %t", c.name, r.Valid)
		}
	}
}

// forge takes a case apart, lets change what is in it, and makes it whole again as somebody would who has the node's key:
// hashes, cover sheet and signatures are right.
func (w *world) forge(b []byte, change func(m *Manifest, files map[string][]byte)) []byte {
	w.t.Helper()
	list, err := readArchive(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		w.t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range list {
		files[f.name] = slices.Clone(b[f.offset : f.offset+f.size])
	}
	m, err := parseManifest(files[manifestFile])
	if err != nil {
		w.t.Fatal(err)
	}
	change(m, files)
	kept := m.Files[:0]
	for _, f := range m.Files {
		if octets, ok := files[f.Name]; ok {
			f.SHA256, f.Size = hexOf(sha256.Sum256(octets)), int64(len(octets))
			kept = append(kept, f)
		}
	}
	m.Files = kept
	sheet, err := json.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	seal, err := seal(sealText(sha256.Sum256(sheet), m.Log, m.Made), w.node, rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	var out bytes.Buffer
	a := &archive{w: &out}
	for _, f := range m.Files {
		if err := a.addOctets(f.Name, files[f.Name]); err != nil {
			w.t.Fatal(err)
		}
	}
	for name, octets := range map[string][]byte{manifestFile: sheet, signatureFile: seal} {
		if err := a.addOctets(name, octets); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := a.close(); err != nil {
		w.t.Fatal(err)
	}
	return out.Bytes()
}

// file is the name of the only file of a role.
func file(m *Manifest, r Role) string {
	i := slices.IndexFunc(m.Files, func(f CaseFile) bool { return f.Role == r })
	return m.Files[i].Name
}

func TestWhoHasTheNodesKeyCannotForgeACase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	if _, err := w.log.Sign(ctx); err != nil {
		t.Fatal(err)
	}
	sent, other := w.sent("a@b"), w.sent("x@y")
	if _, err := w.log.Sign(ctx); err != nil {
		t.Fatal(err)
	}
	received := w.received("c@d", true)
	out, in := w.make(sent, CaseOptions{}), w.make(received, CaseOptions{})
	if r := w.verify(w.forge(out, func(*Manifest, map[string][]byte) {})); !r.Valid {
		t.Fatalf("unchanged:\n%s", r.text())
	}
	foreign := map[string][]byte{}
	w.forge(w.make(other, CaseOptions{}), func(m *Manifest, files map[string][]byte) { foreign = files })
	replace := func(role Role, f func(old []byte) []byte) func(*Manifest, map[string][]byte) {
		return func(m *Manifest, files map[string][]byte) { files[file(m, role)] = f(files[file(m, role)]) }
	}
	swap := func(a, b string) func([]byte) []byte {
		return func(old []byte) []byte {
			if !bytes.Contains(old, []byte(a)) {
				t.Errorf("%q is not there", a)
			}
			return bytes.Replace(old, []byte(a), []byte(b), 1)
		}
	}
	for _, c := range []struct {
		name, step string
		case_      []byte
		change     func(*Manifest, map[string][]byte)
	}{
		{"a payload was exchanged", "message", out, replace(RolePayload, func([]byte) []byte { return compress(t, []byte("<other/>"), false) })},
		{"a payload that was received compressed was exchanged", "payload 1: record", in, replace(RolePayload, func([]byte) []byte { return []byte("<other/>") })},
		{"the message was changed", "message", out, replace(RoleOrigin, swap("urn:p:b", "urn:p:z"))},
		{"the message was changed and signed anew", "message: record", out, replace(RoleOrigin, func([]byte) []byte {
			um := w.userMessage("a@b")
			um.Action = "other"
			return w.signed(um, w.node, compress(t, []byte(document), false))
		})},
		{"the message was changed and signed anew, but the receipt was not", "receipt: digests", out, replace(RoleOrigin, func([]byte) []byte {
			um := w.userMessage("a@b")
			um.Action = "other"
			return w.signed(um, w.node, compress(t, []byte(document), false))
		})},
		{"a receipt was made by the node itself", "receipt: record", out, func(m *Manifest, files map[string][]byte) {
			files[file(m, RoleReceipt)] = w.receipt(files[file(m, RoleOrigin)], w.node)
		}},
		{"a receipt was changed", "receipt", out, replace(RoleReceipt, swap("a@b", "a@c"))},
		{"a receipt is that of another message", "receipt", out, replace(RoleReceipt, func([]byte) []byte { return w.receipt(foreign["message/signed.xml"], w.partner) })},
		{"a signal message is no receipt", "receipt", out, replace(RoleReceipt, func([]byte) []byte { return w.errorSignal("a@b", w.partner) })},
		{"a receipt is no XML", "receipt", out, replace(RoleReceipt, func([]byte) []byte { return []byte("receipt") })},
		{"an error was changed", "error: record", out, replace(RoleError, swap("EBMS:0004", "EBMS:0001"))},
		{"an entry was changed", "entry 1", out, replace(RoleEntry, swap("queued", "sent"))},
		{"an entry got another form", "entry 1", out, replace(RoleEntry, func(old []byte) []byte { return append(old, '\n') })},
		{"an entry of another message", "entry 6", out, func(m *Manifest, files map[string][]byte) {
			i := int64(6)
			m.Files = append(m.Files, CaseFile{Name: "log/6.txt", Role: RoleEntry, Index: &i}, CaseFile{Name: "log/6.proof", Role: RoleProof, Index: &i})
			files["log/6.txt"], files["log/6.proof"] = foreign["log/6.txt"], foreign["log/6.proof"]
		}},
		{"an entry has another place", "entry 2", out, func(m *Manifest, files map[string][]byte) {
			files["log/1.txt"], files["log/2.txt"] = files["log/2.txt"], files["log/1.txt"]
		}},
		{"a path is missing", "entry 1", out, func(m *Manifest, files map[string][]byte) { delete(files, "log/1.proof") }},
		{"all entries are missing", "entries", out, func(m *Manifest, files map[string][]byte) {
			for _, f := range m.Files {
				if f.Role == RoleEntry {
					delete(files, f.Name)
				}
			}
		}},
		{"the head is missing", "head of the log", out, func(m *Manifest, files map[string][]byte) { delete(files, "log/head.txt") }},
		{"the head was changed", "head of the log", out, replace(RoleHead, swap("size ", "size 1"))},
		{"the head has another root", "entry 1", out, replace(RoleHead, func(old []byte) []byte {
			h, err := ParseHead(old)
			if err != nil {
				t.Fatal(err)
			}
			h, err = SignHead(h.Log, h.Size, merkle.Leaf([]byte("other")), h.Time, w.node, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return h.Octets
		})},
		{"the head is of another log", "head of the log", out, replace(RoleHead, func(old []byte) []byte {
			h, err := SignHead(merkle.Leaf([]byte("other")), 1, merkle.Leaf([]byte("other")), start, w.node, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return h.Octets
		})},
		{"the first head is of a rewritten past", "consistency", in, replace(RoleFirstHead, func(old []byte) []byte {
			h, err := ParseHead(old)
			if err != nil {
				t.Fatal(err)
			}
			h, err = SignHead(h.Log, h.Size, merkle.Leaf([]byte("other")), h.Time, w.node, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return h.Octets
		})},
		{"the proof between the heads is missing", "consistency", in, func(m *Manifest, files map[string][]byte) { delete(files, file(m, RoleConsistency)) }},
		{"the case says that it is about another message", "message", out, func(m *Manifest, _ map[string][]byte) { m.Message.MessageID = "x@y" }},
		{"the case says that it is about another row", "entry 1", out, func(m *Manifest, _ map[string][]byte) { m.Message.Number++ }},
		{"a payload that the message does not have", "payload 3", out, func(m *Manifest, files map[string][]byte) {
			m.Files = append(m.Files, CaseFile{Name: "payload/3.bin", Role: RolePayload, ContentID: "more@a", Form: FormSigned})
			files["payload/3.bin"] = []byte("more")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "the first head is of a rewritten past" || strings.HasPrefix(c.name, "the proof between") {
				w.write(touch(received))
				if _, err := w.log.Sign(ctx); err != nil {
					t.Fatal(err)
				}
				c.case_ = w.make(received, CaseOptions{})
			}
			r := w.verify(w.forge(c.case_, c.change))
			if r.Valid || !r.has(c.step, Failed) {
				t.Errorf("%q did not fail:\n%s", c.step, r.text())
			}
		})
	}
}

func TestAnAnswerThatProvesNothingSpoilsNoCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	stranger, err := pki.NewAuthority(rand.Reader, "CN=Stranger", pki.Ed25519, start, 1)
	if err != nil {
		t.Fatal(err)
	}
	id := w.sent("a@b")
	for name, answer := range map[string][]byte{
		"no XML": []byte("<html>"), "no SOAP": []byte("<a/>"), "about another message": w.errorSignal("x@y", w.partner),
		"signed by a stranger": w.errorSignal("a@b", &stranger.Identity),
		"not signed":           []byte(`<S12:Envelope xmlns:S12="` + ebms.NSSOAP + `"><S12:Header><eb:Messaging xmlns:eb="` + ebms.NS + `" S12:mustUnderstand="true"><eb:SignalMessage><eb:MessageInfo><eb:Timestamp>2026-05-04T09:30:00Z</eb:Timestamp><eb:MessageId>e@b</eb:MessageId></eb:MessageInfo><eb:Error errorCode="EBMS:0004" severity="failure"/></eb:SignalMessage></eb:Messaging></S12:Header><S12:Body/></S12:Envelope>`),
	} {
		w.write(putError(id, answer))
		r := w.verify(w.make(id, CaseOptions{}))
		if !r.Valid || !r.has("error", Unsettled) {
			t.Errorf("%s:\n%s", name, r.text())
		}
	}
}

func TestAReceiptForOneselfBindsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.Ed25519)
	w.partner = w.node
	r := w.verify(w.make(w.sent("a@b"), CaseOptions{}))
	if !r.Valid || !r.has("receipt: parties", Unsettled) {
		t.Errorf("\n%s", r.text())
	}
}
