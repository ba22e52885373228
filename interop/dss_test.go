package interop

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// dssPeer signs and verifies with another implementation of the AdES formats; see peers/dss.
const dssPeer = "peers/dss/dss"

func needDSS(t *testing.T) {
	t.Helper()
	needPeers(t, "peers/dss/.build")
}

// dssToken is what the peer says of a signature.
type dssToken struct {
	Kind, Indication, SubIndication, Format string
	Intact                                  bool
	References                              []string
	Timestamps                              []struct {
		Type                                         string
		ImprintFound, ImprintIntact, SignatureIntact bool
	}
	Errors []string
}

type dssVerdict struct {
	File   string
	Tokens []dssToken
	Error  any
}

// dssCommand is a run of the peer that is not measured.
func dssCommand(args ...string) *exec.Cmd {
	c := exec.Command(dssPeer, args...)
	c.Env = append(os.Environ(), quickJVM)
	return c
}

// dss runs the peer and reads its lines of JSON.
func dss(t *testing.T, args ...string) []dssVerdict {
	t.Helper()
	c := dssCommand(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil && c.ProcessState.ExitCode() != 1 {
		t.Fatalf("dss %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	var all []dssVerdict
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var v dssVerdict
		if err := json.Unmarshal(lines.Bytes(), &v); err == nil && v.File != "" {
			all = append(all, v)
		}
	}
	return all
}

// scribe signs with our own authority, revocation list and time.
type scribe struct {
	ca  *pki.Authority
	tsa *tsp.Responder
	crl []byte
}

func newScribe(t *testing.T) *scribe {
	t.Helper()
	now := time.Now()
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,O=Own test,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	if err != nil {
		t.Fatal(err)
	}
	id, err := ca.Issue(pki.Template{CommonName: "Own TSA", Algorithm: pki.RSA2048, ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, Extensions: []pki.Extension{}})
	if err != nil {
		t.Fatal(err)
	}
	crl, err := ca.CRL(nil, now.Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return &scribe{ca, &tsp.Responder{Identity: id, Policy: "2.999.1.7"}, crl}
}

const letterXML = `<?xml version="1.0" encoding="UTF-8"?>
<letter xmlns="urn:own:letter" xmlns:x="urn:own:unused"><to x:kind="office">Põhja–Süd</to>
	<text>line &amp; line</text><!-- remark --></letter>
`

func (s *scribe) xades(t *testing.T, id *pki.Identity, p xades.Packaging, level string) []byte {
	t.Helper()
	doc := xades.Bytes("letter.xml", "application/xml", []byte(letterXML))
	b, err := xades.Sign(id.Key.(crypto.Signer), rand.Reader, []xades.Document{doc}, xades.Params{
		Packaging: p, Signer: id.Certificate, Time: time.Now(), Roles: []string{"clerk"}, Place: &xades.Place{City: "Tallinn", Country: "EE"},
		Commitments: []xades.Commitment{{ID: "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	steps := []func(*xades.Extend) ([]byte, error){
		(*xades.Extend).SignatureTimeStamp,
		func(e *xades.Extend) ([]byte, error) {
			return e.Values(xades.Material{Certificates: []*pki.Certificate{s.ca.Certificate, s.tsa.Identity.Certificate}, CRLs: [][]byte{s.crl}})
		},
		(*xades.Extend).ArchiveTimeStamp,
	}
	for _, step := range steps[:slices.Index([]string{"B", "T", "LT", "LTA"}, level)] {
		d, err := dom.Parse(bytes.Clone(b), dom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		sig, err := xades.Parse(xades.Find(d)[0])
		if err != nil {
			t.Fatal(err)
		}
		c, err := sig.Check(xades.CheckOptions{Documents: []xades.Document{doc}})
		if err != nil {
			t.Fatal(err)
		}
		b, err = step(&xades.Extend{Checked: c, Stamp: func(h crypto.Hash, sum []byte) ([]byte, error) {
			token, err := s.tsa.Stamp(context.Background(), h, sum)
			if err != nil {
				return nil, err
			}
			return token.Raw, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (s *scribe) cades(t *testing.T, id *pki.Identity, content []byte, detached bool, level string) []byte {
	t.Helper()
	sig, err := cades.Sign(rand.Reader, id, content, detached, cades.Parameters{
		Certificate: id.Certificate, SigningTime: time.Now(), Location: &cades.Location{Locality: "Tallinn", Country: "EE"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if to := map[string]cades.Level{"T": cades.LevelT, "LT": cades.LevelLT, "LTA": cades.LTA}[level]; to != "" {
		err := sig.Extend(context.Background(), to, cades.Extension{
			Stamper: s.tsa, Content: cms.Bytes(content),
			Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (cades.Material, error) {
				return cades.Material{Certificates: []*pki.Certificate{s.ca.Certificate}, CRLs: [][]byte{s.crl}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := sig.Message.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// container puts the letter, and for ASiC-E a remark, into a container with a signature.
func (s *scribe) container(t *testing.T, id *pki.Identity, kind asic.Type, xml bool, level string) []byte {
	t.Helper()
	open := func(b []byte) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	}
	content := []asic.Content{{Name: "letter.xml", MimeType: "application/xml", Open: open([]byte(letterXML))}}
	var manifest, signature *asic.Small
	switch {
	case xml:
		if kind == asic.E {
			manifest = &asic.Small{Name: "META-INF/manifest.xml", Octets: asic.WriteFiles(content)}
		}
		signature = &asic.Small{Name: "META-INF/signatures.xml", Octets: asic.WrapXAdES(s.xades(t, id, xades.Detached, level))}
	case kind == asic.S:
		signature = &asic.Small{Name: "META-INF/signature.p7s", Octets: s.cades(t, id, []byte(letterXML), true, level)}
	default:
		content = append(content, asic.Content{Name: "Märk mõte.txt", MimeType: "text/plain", Open: open([]byte("yes"))})
		b, err := asic.WriteManifest("META-INF/signature.p7s", "application/pkcs7-signature", content, xmldsig.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		manifest = &asic.Small{Name: "META-INF/ASiCManifest.xml", Octets: b}
		signature = &asic.Small{Name: "META-INF/signature.p7s", Octets: s.cades(t, id, b, true, level)}
	}
	var out bytes.Buffer
	if err := asic.Write(&out, kind, time.Now(), content, manifest, signature); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var levels = []string{"B", "T", "LT", "LTA"}

func TestDSSAcceptsOurSignatures(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	s := newScribe(t)
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("letter.xml", []byte(letterXML))
	write("ca.crt", s.ca.Certificate.Raw)
	var list strings.Builder
	want := map[string]string{}
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		id, err := s.ca.Issue(pki.Template{CommonName: "Ada Signer", Algorithm: alg, KeyUsage: pki.UseContentCommitment})
		if err != nil {
			t.Fatal(err)
		}
		for _, level := range levels {
			for _, p := range []xades.Packaging{xades.Enveloped, xades.Enveloping, xades.Detached} {
				name := fmt.Sprintf("%s-%s-%s.xml", p, alg, level)
				write(name, s.xades(t, id, p, level))
				want[name] = "XAdES-BASELINE-" + level
				inputs := "-"
				if p == xades.Detached {
					inputs = "letter.xml"
				}
				fmt.Fprintf(&list, "%s\t%s\tca.crt\n", name, inputs)
			}
			for _, detached := range []bool{false, true} {
				name, inputs := fmt.Sprintf("attached-%s-%s.p7m", alg, level), "-"
				if detached {
					name, inputs = fmt.Sprintf("detached-%s-%s.p7s", alg, level), "letter.xml"
				}
				write(name, s.cades(t, id, []byte(letterXML), detached, level))
				want[name] = "CAdES-BASELINE-" + level
				fmt.Fprintf(&list, "%s\t%s\tca.crt\n", name, inputs)
			}
			for _, kind := range []asic.Type{asic.S, asic.E} {
				if level == "LTA" { // ASiC-E with CAdES has archive manifests, which are not written
					continue
				}
				for _, form := range []string{"XAdES", "CAdES"} {
					name := fmt.Sprintf("%s-%s-%s-%s.%s", kind, form, alg, level, map[asic.Type]string{asic.S: "asics", asic.E: "asice"}[kind])
					write(name, s.container(t, id, kind, form == "XAdES", level))
					want[name] = form + "-BASELINE-" + level
					fmt.Fprintf(&list, "%s\t-\tca.crt\n", name)
				}
			}
		}
	}
	write("list", []byte(list.String()))
	verdicts := dss(t, "verify", "--json", "--list", filepath.Join(dir, "list"), "--base", dir)
	if len(verdicts) != len(want) {
		t.Fatalf("%d verdicts for %d files", len(verdicts), len(want))
	}
	for _, v := range verdicts {
		name := filepath.Base(v.File)
		t.Run(name, func(t *testing.T) {
			e := entry(t, "dss", sent, took)
			if len(v.Tokens) != 1 {
				t.Fatalf("%d signatures, %v", len(v.Tokens), v.Error)
			}
			x := v.Tokens[0]
			e.detail = strings.TrimSpace(x.Format + ", " + x.Indication + " " + x.SubIndication)
			broken := slices.ContainsFunc(x.References, func(r string) bool { return !strings.HasSuffix(r, ":ok") })
			if !x.Intact || broken || x.Format != want[name] {
				t.Errorf("intact %v, references %v, format %s, want %s", x.Intact, x.References, x.Format, want[name])
			}
			for _, ts := range x.Timestamps {
				if !ts.ImprintFound || !ts.ImprintIntact || !ts.SignatureIntact {
					t.Errorf("time-stamp %+v", ts)
				}
			}
			// Levels B and T bring no revocation data along, and the peer has none of our authority.
			lasting := strings.HasSuffix(want[name], "LT") || strings.HasSuffix(want[name], "LTA")
			if lasting && x.Indication != "TOTAL_PASSED" || !lasting && x.SubIndication != "CERTIFICATE_CHAIN_GENERAL_FAILURE" {
				t.Errorf("%s %s: %v", x.Indication, x.SubIndication, x.Errors)
			}
		})
	}
}

func TestWeAcceptSignaturesOfDSS(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := t.TempDir()
	in := filepath.Join(dir, "letter.xml")
	if err := os.WriteFile(in, []byte(letterXML), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(dir, "pki")
	if out, err := dssCommand("pki", "--dir", ours).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := os.ReadFile(filepath.Join(ours, "root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := pki.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	// A signature beside its content in one document refers to an ID.
	withID := filepath.Join(dir, "with-id.xml")
	if err := os.WriteFile(withID, []byte(strings.Replace(letterXML, "<letter ", `<letter Id="letter" `, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format, packaging, key, in string
		levels                     []string
	}{
		{"xades", "enveloped", "signer-rsa", in, levels[1:]},
		{"xades", "enveloping", "signer-ec", in, levels[3:]},
		{"xades", "detached", "signer-pss", in, levels[3:]},
		{"xades", "internally-detached", "signer-rsa", withID, levels[3:]},
		{"cades", "enveloping", "signer-ec", in, levels[3:]},
		{"cades", "detached", "signer-rsa", in, levels[3:]},
	} {
		for _, level := range c.levels {
			name := fmt.Sprintf("%s-%s-%s-%s", c.format, c.packaging, c.key, level)
			t.Run(name, func(t *testing.T) {
				e := entry(t, "dss", received, took)
				out := filepath.Join(dir, name)
				cmd := dssCommand("sign", "--pki", ours, "--p12", filepath.Join(ours, c.key+".p12"), "--format", c.format, "--packaging", c.packaging, "--level", level, "--out", out, c.in)
				if b, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, b)
				}
				b, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				r, err := gather.Open(b, gather.Options{Anchors: []*pki.Certificate{anchor}, Documents: []xades.Document{xades.Bytes("letter.xml", "", []byte(letterXML))}})
				if err != nil {
					t.Fatal(err)
				}
				v := validation.Validate(r.Facts, nil, time.Now())[0]
				e.detail = strings.TrimSpace(fmt.Sprintf("%s, %s %s", r.Signatures[0].Level, v.Indication, v.Sub))
				if want := strings.ToUpper(c.format[:1]) + "AdES-BASELINE-" + level; r.Signatures[0].Level != want {
					t.Errorf("level %s, want %s", r.Signatures[0].Level, want)
				}
				if level == "T" { // it brings no revocation data along
					if v.Sub != validation.ChainGeneralFailure {
						t.Errorf("%s %s: %s", v.Indication, v.Sub, v.Why)
					}
					return
				}
				if v.Indication != validation.TotalPassed {
					t.Errorf("%s %s: %s", v.Indication, v.Sub, v.Why)
				}
			})
		}
	}
}
