package ades

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var stride = flag.Int("attack-stride", 1201, "attack one octet of so many")

// passing are the signatures of a document that pass: who signed, when by the own word, what, and by which time-stamps.
func (w *world) passing(b []byte, opt gather.Options, at time.Time, stamps bool) (out []string) {
	r, err := gather.Open(b, opt)
	if err != nil {
		return nil
	}
	for i, v := range validation.Validate(r.Facts, nil, at) {
		if v.Indication != validation.TotalPassed {
			continue
		}
		s := r.Signatures[i]
		what := fmt.Sprintf("%x %s", sha256.Sum256(s.Certificate.Raw), s.Claimed)
		if list, err := s.Originals(1 << 20); err == nil {
			for _, o := range list {
				what += fmt.Sprintf(" %q", o.Octets)
			}
		} else {
			for _, ref := range s.References {
				what += fmt.Sprintf(" %s %v", ref.Name, ref.Intact)
			}
		}
		if r.PDF != nil {
			what += fmt.Sprintf(" %x", signedOctets(b))
		}
		if stamps {
			for _, x := range s.TimeStamps {
				if v.TimeStamps[x].Indication == validation.Passed {
					what += " " + x.ID
				}
			}
		}
		out = append(out, what)
	}
	return out
}

// signedOctets is the hash of what the first signature of a PDF document is over, in so far as it begins the file.
func signedOctets(b []byte) []byte {
	var at [4]int
	i := bytes.Index(b, []byte("/ByteRange"))
	if i < 0 {
		return nil
	}
	if _, err := fmt.Sscanf(string(b[i:]), "/ByteRange [%d %d %d %d", &at[0], &at[1], &at[2], &at[3]); err != nil || at[2]+at[3] > len(b) {
		return nil
	}
	sum := sha256.Sum256(slices.Concat(b[:at[1]], b[at[2]:at[2]+at[3]]))
	return sum[:]
}

// attacks on one place of a file.
var attacks = map[string]func(b []byte, i int) []byte{
	"bit":     func(b []byte, i int) []byte { b[i] ^= 1; return b },
	"case":    func(b []byte, i int) []byte { b[i] ^= 0x20; return b },
	"zero":    func(b []byte, i int) []byte { b[i] = 0; return b },
	"gone":    func(b []byte, i int) []byte { return slices.Delete(b, i, i+1) },
	"doubled": func(b []byte, i int) []byte { return slices.Insert(b, i, b[i]) },
	"space":   func(b []byte, i int) []byte { return slices.Insert(b, i, ' ') },
}

// Whatever octet of a signed file is changed: no signature passes over something that was not signed so.
func TestNothingPassesThatWasChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	for _, k := range kinds {
		for _, level := range []Level{"B", LTA} {
			t.Run(k.name+"/"+string(level), func(t *testing.T) {
				t.Parallel()
				p := k.params
				p.Time = now
				b, err := sign(t, w.signer, k.documents, p)
				if err != nil {
					t.Fatal(err)
				}
				known := w.known
				if p.Packaging == Detached {
					known.Documents = k.documents
				}
				at := now.Add(time.Hour)
				if level == LTA {
					if b, err = Extend(t.Context(), b, LTA, Extension{Stamper: w.tsa, Known: known}); err != nil {
						t.Fatal(err)
					}
					at = now.AddDate(3, 0, 0) // when the signer's certificate is long over
				}
				want := w.passing(b, known, at, false)
				if len(want) != 1 {
					t.Fatalf("%d signatures pass", len(want))
				}
				for i := 0; i < len(b); i += *stride {
					for name, attack := range attacks {
						attacked := attack(slices.Clone(b), i)
						if bytes.Equal(attacked, b) {
							continue
						}
						for _, got := range w.passing(attacked, known, at, false) {
							if got != want[0] {
								t.Errorf("%s at %d, %.40q: passes as\n%.400s, not\n%.400s", name, i, b[max(i-20, 0):], got, want[0])
							}
						}
					}
				}
			})
		}
	}
}

// twins are two documents of one signer that differ in content alone, and their signatures in layout not at all.
func (w *world) twins(t *testing.T, k int, level Level) (a, b []byte, known gather.Options) {
	t.Helper()
	p := kinds[k].params
	p.Time = now
	known = w.known
	var documents [2][]xades.Document
	for i, sum := range []string{"100", "999"} {
		for _, d := range kinds[k].documents {
			content := "<order><sum>" + sum + "</sum></order>"
			if p.Format == PAdES {
				content = string(sheet()) // of which the streams are packed
				content = strings.Replace(content, "/Lang (en)", "/Lang ("+sum[:2]+")", 1)
			}
			documents[i] = append(documents[i], xades.Bytes(d.Name, d.MimeType, []byte(content)))
		}
	}
	for range 100 { // numbers in DER may be an octet shorter
		var out [2][]byte
		for i := range out {
			var err error
			if out[i], err = sign(t, w.signer, documents[i], p); err != nil {
				t.Fatal(err)
			}
			if level != "B" {
				if p.Packaging == Detached {
					known.Documents = documents[i]
				}
				if out[i], err = Extend(t.Context(), out[i], level, Extension{Stamper: w.tsa, Known: known}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if p.Packaging == Detached {
			known.Documents = documents[0]
		}
		if len(out[0]) == len(out[1]) || p.Container != "" {
			return out[0], out[1], known
		}
	}
	t.Fatal("two signatures never have one length")
	return nil, nil, known
}

// parts are what differs between two files of one layout: pairs of begin and end. What is nearer than a few octets is one.
func parts(a, b []byte) (out [][2]int) {
	for i := range a {
		switch n := len(out); {
		case a[i] == b[i]:
		case n > 0 && i-out[n-1][1] < 12:
			out[n-1][1] = i + 1
		default:
			out = append(out, [2]int{i, i + 1})
		}
	}
	return out
}

// Of two documents that one person signed no third can be put together: not with the signature, a digest, a time-stamp, a
// manifest or validation material of the other.
func TestNothingPassesThatIsPutTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.RSA2048)
	id, err := w.ca.Issue(pki.Template{CommonName: "Own TSA", Algorithm: pki.RSA2048, ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	w.tsa.Identity = id
	for k := range kinds {
		for _, level := range []Level{"B", LevelLT} {
			t.Run(kinds[k].name+"/"+string(level), func(t *testing.T) {
				t.Parallel()
				a, b, known := w.twins(t, k, level)
				times := []time.Time{now.Add(time.Hour)}
				if level != "B" {
					times = append(times, now.AddDate(3, 0, 0)) // when only time-stamps help
				}
				for _, at := range times {
					genuine := slices.Concat(w.passing(a, known, at, at != times[0]), w.passing(b, known, at, at != times[0]))
					if n := len(genuine); n == 0 {
						t.Fatalf("at %s none passes", at)
					}
					try := func(name string, mixed []byte) {
						for _, got := range w.passing(mixed, known, at, at != times[0]) {
							if !slices.Contains(genuine, got) {
								t.Errorf("%s, at %s: passes as %.400s", name, at, got)
							}
						}
					}
					if kinds[k].params.Container != "" {
						mixContainers(t, a, b, try)
					} else {
						runs := parts(a, b)
						for _, set := range subsets(len(runs)) {
							mixed := bytes.Clone(a)
							for i, r := range runs {
								if set>>i&1 == 1 {
									copy(mixed[r[0]:r[1]], b[r[0]:r[1]])
								}
							}
							try(fmt.Sprintf("%b of %d", set, len(runs)), mixed)
						}
					}
				}
			})
		}
	}
}

// subsets are all sets of a few, as bits, and of many those that hold or lack one, and the first of them.
func subsets(n int) (out []int) {
	if n <= 5 {
		for set := range 1 << n {
			out = append(out, set)
		}
		return out
	}
	for i := range n {
		out = append(out, 1<<i, 1<<n-1-1<<i, 1<<i-1)
	}
	return out
}

// mixContainers takes each file of one or of the other container.
func mixContainers(t *testing.T, a, b []byte, try func(name string, mixed []byte)) {
	t.Helper()
	open := func(b []byte) *asic.Container {
		c, err := asic.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	x, y := open(a), open(b)
	for set := range 1 << len(x.Files) {
		e := asic.Edit{Replace: map[string][]byte{}}
		for i, f := range x.Files {
			if set>>i&1 == 0 || f.Name == "mimetype" {
				continue
			}
			other, err := y.File(f.Name)
			if err != nil {
				continue
			}
			if e.Replace[f.Name], err = other.Bytes(); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		if err := x.Edit(&out, e); err != nil {
			t.Fatal(err)
		}
		try(fmt.Sprintf("%b", set), out.Bytes())
	}
}

// Games that are played with each format, each by its name: none makes a signature pass over something else.
func TestGamesWithEveryFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	same, err := w.ca.Issue(pki.Template{CommonName: "Ada Signer", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) func(b []byte) []byte {
		return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
	}
	before := func(mark, add string) func(b []byte) []byte { return replace(mark, add+mark) }
	// element is the first element of a name, whole.
	element := func(b []byte, name string) string {
		i := bytes.Index(b, []byte("<"+name))
		end := []byte("</" + name + ">")
		return string(b[i : i+bytes.Index(b[i:], end)+len(end)])
	}
	// member is the text of a member of a JSON object.
	member := func(b []byte, name string) string {
		_, text, _ := strings.Cut(string(b), `"`+name+`":"`)
		text, _, _ = strings.Cut(text, `"`)
		return text
	}
	base64url := base64.RawURLEncoding.EncodeToString
	flattened := func(b []byte) []byte { // of the compact form
		p := strings.Split(string(b), ".")
		return fmt.Appendf(nil, `{"payload":"%s","protected":"%s","signature":"%s"}`, p[1], p[0], p[2])
	}
	file := func(name, text string) func(b []byte) []byte {
		return edited(t, func(c *asic.Container) asic.Edit {
			return asic.Edit{Add: []asic.Small{{Name: name, Octets: []byte(text)}}}
		})
	}
	inFile := func(name string, change func(b []byte) []byte) func(b []byte) []byte {
		return edited(t, func(c *asic.Container) asic.Edit {
			f, err := c.File(name)
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			return asic.Edit{Replace: map[string][]byte{name: change(b)}}
		})
	}
	renamed := func(from, to string) func(b []byte) []byte {
		return edited(t, func(c *asic.Container) asic.Edit { return asic.Edit{Rename: map[string]string{from: to}} })
	}
	const cadesFile, xadesFile, manifest = "META-INF/signature.p7s", "META-INF/signatures.xml", "META-INF/ASiCManifest.xml"
	sha256OID, sha512OID := []byte{0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1}, []byte{0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3}
	for _, c := range []struct {
		kind, name string
		attack     func(b []byte) []byte
	}{
		{"XAdES enveloped", "the document stands in another", func(b []byte) []byte { return slices.Concat([]byte("<evil><sum>999</sum>"), b, []byte("</evil>")) }},
		{"XAdES enveloped", "an element before the root's first", before("<line", "<sum>999</sum>")},
		{"XAdES enveloped", "an element within the signature's root", before("</order>", "<sum>999</sum>")},
		{"XAdES enveloped", "an attribute of the root", replace("<order>", `<order sum="999">`)},
		{"XAdES enveloped", "a processing instruction", before("<line", "<?sum 999?>")},
		{"XAdES enveloped", "content in a second signature element", before("</order>", `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><sum>999</sum></ds:Signature>`)},
		{"XAdES enveloped", "the signature twice", func(b []byte) []byte { s := element(b, "ds:Signature "); return before("</order>", s)(b) }},
		{"XAdES enveloped", "its properties twice, the second with another time", func(b []byte) []byte {
			p := element(b, "xades:QualifyingProperties")
			return before("</ds:Object>", strings.Replace(p, "09:30", "09:31", 1))(b)
		}},
		{"XAdES enveloped", "its properties in a second object, before", func(b []byte) []byte {
			p := element(b, "xades:QualifyingProperties")
			return before("<ds:Object>", "<ds:Object>"+strings.Replace(p, "09:30", "09:31", 1)+"</ds:Object>")(b)
		}},
		{"XAdES enveloped", "the expression takes the content out", replace("not(ancestor-or-self::ds:Signature)", "not(ancestor-or-self::order)")},
		{"XAdES enveloped", "one more transform", before("</ds:Transforms>", `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`)},
		{"XAdES enveloped", "another digest", replace("2001/04/xmlenc#sha256", "2001/04/xmlenc#sha512")},
		{"XAdES enveloped", "another signature method", replace("ecdsa-sha256", "ecdsa-sha512")},
		{"XAdES enveloped", "HMAC with the public key", replace("xmldsig-more#ecdsa-sha256", "xmldsig-more#hmac-sha256")},
		{"XAdES enveloped", "another certificate", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(base64.StdEncoding.EncodeToString(w.signer.Certificate.Raw)), []byte(base64.StdEncoding.EncodeToString(same.Certificate.Raw)))
		}},
		{"XAdES enveloping", "the object twice", func(b []byte) []byte {
			o := element(b[bytes.LastIndex(b, []byte("<ds:Object")):], "ds:Object")
			return before("<ds:Object", strings.Replace(o, ">", ">AAAA", 1))(b)
		}},
		{"XAdES enveloping", "the object in the place of another", func(b []byte) []byte {
			at := bytes.LastIndex(b, []byte("<ds:Object"))
			o := element(b[at:], "ds:Object")
			return slices.Concat(b[:at], []byte(strings.Replace(o, ">", ">AAAA", 1)), []byte("<ds:Object>"+o+"</ds:Object>"), b[at+len(o):])
		}},

		{"CAdES enveloping", "another content", replace("not really", "NOT REALLY")},
		{"CAdES enveloping", "another digest algorithm of the message", func(b []byte) []byte { return bytes.Replace(b, sha256OID, sha512OID, 1) }},
		{"CAdES enveloping", "another digest algorithm of the signer", func(b []byte) []byte {
			at := bytes.LastIndex(b, sha256OID)
			return slices.Concat(b[:at], sha512OID, b[at+len(sha256OID):])
		}},
		{"CAdES enveloping", "another serial number of the signer", func(b []byte) []byte {
			n := w.signer.Certificate.SerialNumber.Bytes()
			at := bytes.LastIndex(b, n)
			return slices.Concat(b[:at], same.Certificate.SerialNumber.FillBytes(make([]byte, len(n))), b[at+len(n):])
		}},
		{"CAdES enveloping", "another message behind it", func(b []byte) []byte { return slices.Concat(b, b) }},
		{"CAdES enveloping", "without its signed attributes", func(b []byte) []byte { return bytes.Replace(b, []byte{0xa0, 0x81}, []byte{0xa1, 0x81}, 1) }},

		{"JAdES enveloping", "another payload", func(b []byte) []byte {
			p := strings.Split(string(b), ".")
			return []byte(p[0] + "." + base64url([]byte("<order><line n='1'>999</line></order>")) + "." + p[2])
		}},
		{"JAdES enveloping", "a payload that stands twice", func(b []byte) []byte {
			return bytes.Replace(flattened(b), []byte(`{"payload"`), []byte(`{"payload":"`+base64url([]byte("999"))+`","payload"`), 1)
		}},
		{"JAdES enveloping", "a payload that stands twice, in other letters", func(b []byte) []byte {
			return bytes.Replace(flattened(b), []byte(`{"payload"`), []byte(`{"p\u0061yload":"`+base64url([]byte("999"))+`","payload"`), 1)
		}},
		{"JAdES enveloping", "a protected header that stands twice", func(b []byte) []byte {
			return bytes.Replace(flattened(b), []byte(`"protected"`), []byte(`"protected":"e30","protected"`), 1)
		}},
		{"JAdES enveloping", "a time that is not signed", func(b []byte) []byte {
			return bytes.Replace(flattened(b), []byte(`"signature"`), []byte(`"header":{"iat":1,"sigT":"2020-01-01T00:00:00Z"},"signature"`), 1)
		}},
		{"JAdES enveloping", "an algorithm that is not signed", func(b []byte) []byte {
			return bytes.Replace(flattened(b), []byte(`"signature"`), []byte(`"header":{"alg":"none"},"signature"`), 1)
		}},
		{"JAdES enveloping", "no algorithm", func(b []byte) []byte {
			p := strings.Split(string(b), ".")
			return []byte(base64url([]byte(`{"alg":"none"}`)) + "." + p[1] + ".")
		}},
		{"JAdES enveloping", "content as it is, by a header of another's", func(b []byte) []byte {
			return bytes.Replace(flattened(b), []byte(`"signature"`), []byte(`"header":{"b64":false,"crit":["b64"]},"signature"`), 1)
		}},
		{"JAdES enveloping", "one signature and another in one object", func(b []byte) []byte {
			f := flattened(b)
			return fmt.Appendf(nil, `{"payload":"%s","signatures":[{"protected":"%s","signature":"%s"}],"protected":"e30","signature":"AAAA"}`, member(f, "payload"), member(f, "protected"), member(f, "signature"))
		}},
		{"JAdES enveloping", "a part more", func(b []byte) []byte { return append(bytes.Clone(b), ".AAAA"...) }},

		{"ASiC-S with XAdES", "a second file", file("evil.txt", "999")},
		{"ASiC-S with CAdES", "a second file", file("evil.txt", "999")},
		{"ASiC-S with CAdES", "the file under a folder's name", renamed("plan.png", "evil/plan.png")},
		{"ASiC-S with XAdES", "the file under another name", renamed("plan.png", "evil.png")},
		{"ASiC-E with XAdES", "files under each other's names", edited(t, func(*asic.Container) asic.Edit {
			return asic.Edit{Rename: map[string]string{"order.xml": "plan.png", "plan.png": "order.xml"}}
		})},
		{"ASiC-E with CAdES", "files under each other's names", edited(t, func(*asic.Container) asic.Edit {
			return asic.Edit{Rename: map[string]string{"order.xml": "plan.png", "plan.png": "order.xml"}}
		})},
		{"ASiC-E with CAdES", "a file that is not there any more", renamed("order.xml", "META-INF/order.xml")},
		{"ASiC-E with CAdES", "an entry less in the manifest", inFile(manifest, func(b []byte) []byte {
			return []byte(strings.Replace(string(b), element(b, "asic:DataObjectReference"), "", 1))
		})},
		{"ASiC-E with CAdES", "an entry moved into an extension", inFile(manifest, func(b []byte) []byte {
			e := element(b, "asic:DataObjectReference")
			s := strings.Replace(string(b), e, "", 1)
			return []byte(strings.Replace(s, "</asic:ASiCManifest>", "<asic:ASiCManifestExtensions><asic:Extension>"+e+"</asic:Extension></asic:ASiCManifestExtensions></asic:ASiCManifest>", 1))
		})},
		{"ASiC-E with CAdES", "a second manifest for the signature, before", edited(t, func(c *asic.Container) asic.Edit {
			f, _ := c.File(manifest)
			b, _ := f.Bytes()
			return asic.Edit{Rename: map[string]string{manifest: "META-INF/ASiCManifest9.xml"}, Add: []asic.Small{{Name: manifest, Octets: bytes.Replace(b, []byte("order.xml"), []byte("evil.xml"), 1)}, {Name: "evil.xml", Octets: []byte("<evil/>")}}}
		})},
		{"ASiC-E with CAdES", "the signature under a name that no manifest has", renamed(cadesFile, "META-INF/signature9.p7s")},
		{"ASiC-E with XAdES", "content in the folder of signatures", renamed("plan.png", "META-INF/plan.png")},
		{"ASiC-E with XAdES", "a second file of the same signatures, which counts as two", edited(t, func(c *asic.Container) asic.Edit {
			f, _ := c.File(xadesFile)
			b, _ := f.Bytes()
			return asic.Edit{Add: []asic.Small{{Name: "META-INF/signatures2.xml", Octets: b}}}
		})},
	} {
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == c.kind })
		p := kinds[i].params
		p.Time = now
		good, err := sign(t, w.signer, kinds[i].documents, p)
		if err != nil {
			t.Fatal(err)
		}
		want := w.passing(good, w.known, now.Add(time.Hour), false)
		bad := c.attack(bytes.Clone(good))
		if len(want) != 1 || bytes.Equal(bad, good) {
			t.Fatalf("%s, %s: no attack: %d pass", c.kind, c.name, len(want))
		}
		known := w.known
		known.Certificates = []*pki.Certificate{same.Certificate}
		for _, got := range w.passing(bad, known, now.Add(time.Hour), false) {
			if got != want[0] {
				t.Errorf("%s, %s: passes as %.300s", c.kind, c.name, got)
			}
		}
	}
}

// edited makes an attack of a change of the files of a container.
func edited(t *testing.T, change func(c *asic.Container) asic.Edit) func(b []byte) []byte {
	return func(b []byte) []byte {
		t.Helper()
		c, err := asic.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := c.Edit(&out, change(c)); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
}

// A file that was put beside those that are signed is told, and never handed out as signed.
func TestFilesThatAreNotSignedAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	for _, f := range []Format{XAdES, CAdES} {
		b, err := sign(t, w.signer, []xades.Document{order, xades.Bytes("größe 1.txt", "", []byte("1"))}, Params{Format: f, Container: ASiCE, Time: now})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			b    []byte
			want []string
		}{{b, nil}, {edited(t, func(*asic.Container) asic.Edit {
			return asic.Edit{Add: []asic.Small{{Name: "evil.txt", Octets: []byte("999")}}}
		})(b), []string{"evil.txt"}}} {
			r, err := gather.Open(c.b, w.known)
			if err != nil {
				t.Fatal(err)
			}
			v := validation.Validate(r.Facts, nil, now.Add(time.Hour))[0]
			warned := slices.ContainsFunc(v.Basic.Checks, func(x validation.Check) bool { return x.Warning && strings.Contains(x.Answer, "evil.txt") })
			if v.Indication != validation.TotalPassed || !slices.Equal(v.Signature.Uncovered, c.want) || warned != (c.want != nil) {
				t.Errorf("%s: %s, not covered %q, warned %v", f, v.Indication, v.Signature.Uncovered, warned)
			}
			if list, err := r.Signatures[0].Originals(1 << 20); err != nil || len(list) != 2 || list[0].Name != "order.xml" || list[1].Name != "größe 1.txt" {
				t.Errorf("%s: %v, %v", f, list, err)
			}
		}
	}
}
