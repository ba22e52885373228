package ades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

type world struct {
	ca     *pki.Authority
	signer *pki.Identity
	tsa    *tsp.Responder
	known  gather.Options
}

func newWorld(t testing.TB, alg pki.KeyAlgorithm) *world {
	t.Helper()
	w := &world{}
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.ca, err = pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-2, 0, 0), 20)
	must(err)
	w.signer, err = w.ca.Issue(pki.Template{CommonName: "Ada Signer", Algorithm: alg, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	must(err)
	id, err := w.ca.Issue(pki.Template{CommonName: "Own TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0)})
	must(err)
	w.tsa = &tsp.Responder{Identity: id, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return now.Add(time.Minute), nil }}
	crl, err := w.ca.CRL(nil, now)
	must(err)
	w.known = gather.Options{Anchors: []*pki.Certificate{w.ca.Certificate}, CRLs: [][]byte{crl}}
	return w
}

var (
	order = xades.Bytes("order.xml", "application/xml", []byte("<order><line n='1'>täglich</line></order>"))
	plan  = xades.Bytes("plan.png", "image/png", []byte("\x89PNG: not really"))
	scan  = xades.Bytes("scan.pdf", "application/pdf", sheet())
)

// sheet is a PDF document.
func sheet() []byte {
	doc := page.New(page.Options{Title: "Plan", Language: "en", Created: now})
	doc.Add(page.Heading{Level: 1, Text: "Plan"})
	b, err := doc.Bytes()
	if err != nil {
		panic(err) // of the tests
	}
	return b
}

type kind struct {
	name      string
	params    Params
	documents []xades.Document
	level     string // as B
}

// kinds are all that can be made.
var kinds = []kind{
	{"XAdES enveloped", Params{Format: XAdES}, []xades.Document{order}, "XAdES-BASELINE-B"},
	{"XAdES enveloping", Params{Format: XAdES}, []xades.Document{plan}, "XAdES-BASELINE-B"},
	{"XAdES detached", Params{Format: XAdES, Packaging: Detached, Hash: crypto.SHA512}, []xades.Document{order, plan}, "XAdES-BASELINE-B"},
	{"CAdES enveloping", Params{Format: CAdES}, []xades.Document{plan}, "CAdES-BASELINE-B"},
	{"CAdES detached", Params{Format: CAdES, Packaging: Detached}, []xades.Document{plan}, "CAdES-BASELINE-B"},
	{"PAdES", Params{Format: PAdES}, []xades.Document{scan}, "PAdES-BASELINE-B"},
	{"JAdES enveloping", Params{Format: JAdES}, []xades.Document{order}, "JAdES-BASELINE-B"},
	{"JAdES detached", Params{Format: JAdES, Packaging: Detached}, []xades.Document{order, plan}, "JAdES-BASELINE-B"},
	{"ASiC-E with XAdES", Params{Format: XAdES, Container: ASiCE}, []xades.Document{order, plan}, "XAdES-BASELINE-B"},
	{"ASiC-S with XAdES", Params{Format: XAdES, Container: ASiCS}, []xades.Document{plan}, "XAdES-BASELINE-B"},
	{"ASiC-E with CAdES", Params{Format: CAdES, Container: ASiCE}, []xades.Document{order, plan}, "CAdES-BASELINE-B"},
	{"ASiC-S with CAdES", Params{Format: CAdES, Container: ASiCS}, []xades.Document{plan}, "CAdES-BASELINE-B"},
}

func (w *world) judge(b []byte, opt gather.Options) (level string, v *validation.Report, err error) {
	r, err := gather.Open(b, opt)
	if err != nil {
		return "", nil, err
	}
	policy := validation.DefaultPolicy()
	policy.Suite.Keys["EdDSA"] = []validation.KeySize{{Bits: 255}} // which the usual one leaves out
	all := validation.Validate(r.Facts, policy, now.Add(time.Hour))
	if len(all) != 1 {
		return "", nil, fmt.Errorf("%d signatures", len(all))
	}
	return r.Signatures[0].Level, all[0], nil
}

func sign(t *testing.T, id *pki.Identity, docs []xades.Document, p Params) ([]byte, error) {
	t.Helper()
	var b bytes.Buffer
	err := Sign(t.Context(), &b, nil, id, docs, p, nil)
	return b.Bytes(), err
}

func TestEveryFormatInTwoStepsAndToEveryLevel(t *testing.T) {
	t.Parallel()
	for _, alg := range []pki.KeyAlgorithm{pki.P256, pki.RSA2048, pki.Ed25519} {
		w := newWorld(t, alg)
		for _, k := range kinds {
			t.Run(fmt.Sprintf("%s/%v", k.name, alg), func(t *testing.T) {
				t.Parallel()
				p := k.params
				p.Signer, p.Chain, p.Time = w.signer.Certificate, w.signer.Chain, now
				p.Roles, p.Place = []string{"clerk"}, xades.Place{City: "Tallinn", Country: "EE"}
				first, err := Prepare(k.documents, p)
				if err != nil {
					t.Fatal(err)
				}
				second, err := Prepare(k.documents, p)
				if err != nil || !bytes.Equal(first.ToBeSigned(), second.ToBeSigned()) {
					t.Fatalf("the second time, other octets are to be signed: %v", err)
				}
				value, err := first.value(nil, w.signer.Key)
				if err != nil {
					t.Fatal(err)
				}
				wrong := bytes.Clone(value)
				wrong[len(wrong)/2] ^= 1
				var out bytes.Buffer
				if err := second.Complete(&out, wrong); err == nil || out.Len() > 0 {
					t.Errorf("a value that does not hold was taken, %d octets written", out.Len())
				}
				if err := second.Complete(&out, value); err != nil {
					t.Fatal(err)
				}
				b := out.Bytes()
				known := w.known
				if p.Packaging == Detached {
					known.Documents = k.documents
				}
				level, v, err := w.judge(b, known)
				if err != nil || level != k.level || v.Indication != validation.TotalPassed {
					t.Fatalf("%s: %v, %+v", level, err, v)
				}
				out.Reset()
				if err := Sign(t.Context(), &out, nil, w.signer, k.documents, p, w.tsa); err != nil {
					t.Fatal(err)
				}
				if level, v, err := w.judge(out.Bytes(), known); err != nil || level != strings.TrimSuffix(k.level, "B")+"T" || v.Indication != validation.TotalPassed {
					t.Errorf("with a time-stamp at once: %s, %v, %+v", level, err, v)
				}
				for _, to := range []Level{LevelT, LevelLT, LTA} {
					x := Extension{Stamper: w.tsa, Known: known}
					more, err := Extend(context.Background(), b, to, x)
					if err != nil {
						t.Errorf("%s: %v", to, err)
						continue
					}
					level, v, err := w.judge(more, gather.Options{Anchors: known.Anchors, CRLs: known.CRLs, Documents: known.Documents})
					if want := strings.TrimSuffix(k.level, "B") + string(to); err != nil || level != want || v.Indication != validation.TotalPassed {
						t.Errorf("%s: %s, %v, %+v", to, level, err, v)
					}
					if to != LTA {
						continue
					}
					// Renewed: with another digest, and with what is fetched.
					fetched := x
					fetched.Known.CRLs = nil
					fetched.Fetch = func(_ context.Context, r *gather.Result, opt gather.Options) (gather.Options, error) {
						if len(r.Signers) != 2 {
							t.Errorf("asked about %d signers", len(r.Signers))
						}
						opt.CRLs = known.CRLs
						return opt, nil
					}
					for _, x := range []Extension{{Stamper: w.tsa, Known: known, Hash: crypto.SHA512}, fetched} {
						if more, err = Extend(context.Background(), more, LTA, x); err != nil {
							t.Fatal(err)
						}
					}
					if level, v, err := w.judge(more, gather.Options{Anchors: known.Anchors, CRLs: known.CRLs, Documents: known.Documents}); err != nil || !strings.HasSuffix(level, "LTA") || v.Indication != validation.TotalPassed {
						t.Errorf("renewed: %s, %v, %+v", level, err, v)
					}
				}
			})
		}
	}
}

func TestWhatDoesNotGoTogetherIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	digest := xades.Document{Name: "away", Digests: map[crypto.Hash][]byte{crypto.SHA256: make([]byte, 32)}}
	for name, c := range map[string]struct {
		p    Params
		docs []xades.Document
	}{
		"no format":          {Params{Format: "pgp"}, []xades.Document{order}},
		"nothing":            {Params{Format: XAdES}, nil},
		"two in CAdES":       {Params{Format: CAdES}, []xades.Document{order, plan}},
		"two in ASiC-S":      {Params{Format: XAdES, Container: ASiCS}, []xades.Document{order, plan}},
		"JAdES in a ZIP":     {Params{Format: JAdES, Container: ASiCE}, []xades.Document{order}},
		"enveloping in ASiC": {Params{Format: XAdES, Container: ASiCE, Packaging: Enveloping}, []xades.Document{order}},
		"enveloped CMS":      {Params{Format: CAdES, Packaging: Enveloped}, []xades.Document{order}},
		"detached PDF":       {Params{Format: PAdES, Packaging: Detached}, []xades.Document{scan}},
		"PDF by digest":      {Params{Format: PAdES}, []xades.Document{digest}},
		"no such container":  {Params{Format: XAdES, Container: "rar"}, []xades.Document{order}},
		"a commitment":       {Params{Format: CAdES, Commitments: []string{"love"}}, []xades.Document{order}},
		"a hash":             {Params{Format: XAdES, Hash: crypto.BLAKE2b_256}, []xades.Document{order}},
	} {
		c.p.Time = now
		if b, err := sign(t, w.signer, c.docs, c.p); !errors.Is(err, ErrParams) {
			t.Errorf("%s: %.40q, %v", name, b, err)
		}
	}
	b, err := sign(t, w.signer, []xades.Document{digest}, Params{Format: CAdES, Packaging: Detached, Time: now})
	if err != nil || len(b) == 0 {
		t.Errorf("by digest: %v", err)
	}
	signed, err := sign(t, w.signer, []xades.Document{order}, Params{Format: XAdES, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Extend(t.Context(), signed, LevelT, Extension{}); !errors.Is(err, ErrNoStamper) {
		t.Errorf("no authority: %v", err)
	}
	broken := bytes.Replace(signed, []byte("täglich"), []byte("niemals"), 1)
	if _, err := Extend(t.Context(), broken, LevelT, Extension{Stamper: w.tsa}); !errors.Is(err, ErrBroken) {
		t.Errorf("broken: %v", err)
	}
	if _, err := Extend(t.Context(), signed, "B", Extension{Stamper: w.tsa}); !errors.Is(err, ErrParams) {
		t.Errorf("to B: %v", err)
	}
}

func TestCounterSignaturesInTwoSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	second, err := w.ca.Issue(pki.Template{CommonName: "Bo Counter", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if k.params.Container != "" || k.params.Packaging == Detached {
			continue
		}
		p := k.params
		p.Time = now
		b, err := sign(t, w.signer, k.documents, p)
		if err != nil {
			t.Fatal(err)
		}
		p.Signer, p.Time = second.Certificate, now.Add(time.Minute)
		q, err := PrepareCounter(b, "", p)
		if p.Format == PAdES {
			if !errors.Is(err, ErrParams) {
				t.Errorf("PAdES: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		value, err := q.value(nil, second.Key)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := q.Complete(&out, value); err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		b = out.Bytes()
		r, err := gather.Open(b, w.known)
		if err != nil {
			t.Fatal(err)
		}
		all := validation.Validate(r.Facts, nil, now.Add(time.Hour))
		counters := 0
		for i, v := range all {
			if v.Indication != validation.TotalPassed {
				t.Errorf("%s: %s %s", k.name, v.Sub, v.Why)
			}
			if r.Signatures[i].Counter != nil {
				counters++
				if r.Signatures[i].Certificate.Subject.String() != "CN=Bo Counter" {
					t.Errorf("%s: by %s", k.name, r.Signatures[i].Certificate.Subject)
				}
			}
		}
		if len(all) != 2 || counters != 1 {
			t.Errorf("%s: %d signatures, %d of them counter", k.name, len(all), counters)
		}
		if _, err := PrepareCounter(b, "nobody", p); !errors.Is(err, ErrParams) {
			t.Errorf("%s, of nobody: %v", k.name, err)
		}
	}
}

// TestAnArchiveGrows: each renewal leaves the archive manifest before it as it is, under another name.
func TestAnArchiveGrows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	b, err := sign(t, w.signer, []xades.Document{order, plan}, Params{Format: CAdES, Container: ASiCE, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	var before []byte
	for n := range 3 {
		if b, err = Extend(t.Context(), b, LTA, Extension{Stamper: w.tsa, Known: w.known}); err != nil {
			t.Fatal(err)
		}
		c, err := asic.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		read := func(name string) []byte {
			f, err := c.File(name)
			if err != nil {
				t.Fatal(err)
			}
			octets, err := f.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			return octets
		}
		if n > 0 && !bytes.Equal(before, read(fmt.Sprintf("META-INF/ASiCArchiveManifest%03d.xml", n))) {
			t.Errorf("renewal %d changed the manifest before it", n)
		}
		before = read("META-INF/ASiCArchiveManifest.xml")
		if bytes.Contains(before, []byte(`Rootfile="true"`)) != (n > 0) {
			t.Errorf("after %d renewals: %s", n, before)
		}
		read(fmt.Sprintf("META-INF/timestamp%03d.tst", n+1))
	}
}

func TestXMLIsToldByItsTypeElseByItsName(t *testing.T) {
	t.Parallel()
	for d, want := range map[[2]string]bool{
		{"a.xml", ""}: true, {"a.XML", ""}: true, {"a.txt", ""}: false, {"a", "text/xml; charset=utf-8"}: true, {"a", "Application/XML"}: true, {"a", "image/svg+xml"}: true,
		{"a.xml", "text/plain"}: false, {"a.xml", "application/pdf; x=/xml"}: false,
	} {
		if got := isXML(&xades.Document{Name: d[0], MimeType: d[1]}); got != want {
			t.Errorf("%v: %v", d, got)
		}
	}
}
