package interop

import (
	"bufio"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"software.sslmate.com/src/go-pkcs12"
)

// services are an authority with all that it offers on the network: time-stamps, OCSP, lists, its certificates.
type services struct {
	root, ca *pki.Authority
	url      string
	mu       sync.Mutex
	asked    map[string]int
}

func newServices(t *testing.T) *services {
	t.Helper()
	s := &services{asked: map[string]int{}}
	mux := http.NewServeMux()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now().AddDate(-1, 0, 0)
	var err error
	s.root, err = pki.NewAuthority(rand.Reader, "CN=Services Root,C=EU", pki.P384, start, 10)
	must(err)
	id, err := s.root.Issue(pki.Template{Subject: "CN=Services CA,C=EU", Algorithm: pki.P256, CA: true, KeyUsage: pki.UseCertSign | pki.UseCRLSign, NotAfter: start.AddDate(8, 0, 0),
		CRLDistributionPoints: []string{s.url + "/root.crl"}, CAIssuers: []string{s.url + "/root.crt"}})
	must(err)
	s.ca, err = pki.OpenAuthority(id, rand.Reader, start)
	must(err)
	critical := pki.Extension{ID: "2.5.29.37", Critical: true, Value: []byte("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08")}
	unit, err := s.ca.Issue(s.template("Time unit", pki.Template{KeyUsage: pki.UseDigitalSignature, Extensions: []pki.Extension{critical}}))
	must(err)
	ocsp, err := s.ca.Issue(pki.Template{Subject: "CN=Responder,C=EU", ExtKeyUsage: []pki.OID{pki.EKUOCSPSigning}, Extensions: []pki.Extension{{ID: revocation.OCSPNoCheck, Value: []byte{5, 0}}}})
	must(err)
	good := revocation.SourceFunc(func(context.Context, *big.Int) (revocation.Status, error) {
		return revocation.Status{State: pki.RevocationGood}, nil
	})
	mux.Handle("/tsa", &tsp.Responder{Identity: unit, Policy: "2.999.1.7"})
	mux.Handle("/ocsp", &revocation.Responder{Authorities: []revocation.Authority{{Issuer: s.ca.Certificate, Identity: ocsp, Source: good}}})
	mux.Handle("/root.crl", &revocation.Publisher{Current: func(context.Context) ([]byte, error) {
		l := revocation.List{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
		return l.Sign(nil, &s.root.Identity, crypto.SHA384)
	}})
	for name, c := range map[string]*pki.Certificate{"/root.crt": s.root.Certificate, "/ca.crt": s.ca.Certificate} {
		mux.HandleFunc(name, func(w http.ResponseWriter, _ *http.Request) { w.Write(c.Raw) })
	}
	return s
}

// template is a certificate about which OCSP is asked.
func (s *services) template(name string, t pki.Template) pki.Template {
	t.Subject = "CN=" + name + ",C=EU"
	t.OCSPServers, t.CAIssuers = []string{s.url + "/ocsp"}, []string{s.url + "/ca.crt"}
	return t
}

// TestDSSUsesOurServices: the peer signs at level LTA with our time-stamps, OCSP answers and lists, found on the network
// alone, and both of us judge the result good.
func TestDSSUsesOurServices(t *testing.T) {
	t.Parallel()
	needDSS(t)
	s := newServices(t)
	dir := t.TempDir()
	signer, err := s.ca.Issue(s.template("Ada Signer", pki.Template{Algorithm: pki.RSA2048, KeyUsage: pki.UseContentCommitment}))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := signer.Certificate.X509()
	if err != nil {
		t.Fatal(err)
	}
	p12, err := pkcs12.Modern.Encode(signer.Key, leaf, []*x509.Certificate{}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	in, key, root := file("letter.xml", []byte(letterXML)), file("ada.p12", p12), file("root.crt", s.root.Certificate.Raw)
	for _, format := range []string{"cades", "xades", "jades"} {
		t.Run(format+" with our time-stamps, OCSP and lists", func(t *testing.T) {
			e := entry(t, "dss", received, took)
			out := filepath.Join(dir, format)
			cmd := dssCommand("sign", "--tsa", s.url+"/tsa", "--online", "--trust", root, "--p12", key, "--format", format, "--level", "LTA", "--out", out, in)
			if b, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			for _, v := range dss(t, "verify", "--json", "--trust", root, out) {
				for _, x := range v.Tokens {
					if e.detail = x.Format + ", " + x.Indication; x.Indication != "TOTAL_PASSED" {
						t.Errorf("%s %s %v", x.Indication, x.SubIndication, x.Errors)
					}
				}
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			r, err := gather.Open(b, gather.Options{Anchors: []*pki.Certificate{s.root.Certificate}})
			if err != nil {
				t.Fatal(err)
			}
			if v := validation.Validate(r.Facts, nil, time.Now())[0]; v.Indication != validation.TotalPassed || !strings.HasSuffix(r.Signatures[0].Level, "LTA") {
				t.Errorf("here: %s %s: %s, level %s", v.Indication, v.Sub, v.Why, r.Signatures[0].Level)
			}
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, path := range []string{"/tsa", "/ocsp", "/root.crl"} {
		if s.asked[path] == 0 {
			t.Errorf("%s was not asked for: %v", path, s.asked)
		}
	}
}

// TestWeUseServicesOfDSS: we sign at level LTA with the peer's time-stamps, OCSP answers and lists, and it judges the result good.
func TestWeUseServicesOfDSS(t *testing.T) {
	t.Parallel()
	needDSS(t)
	dir := filepath.Join(t.TempDir(), "pki")
	port := fmt.Sprint(ports(t, 1))
	cmd := exec.CommandContext(t.Context(), dssPeer, "serve-pki", "--dir", dir, "--port", port)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	ready := bufio.NewScanner(stdout)
	for ready.Scan() && !strings.HasPrefix(ready.Text(), "serving ") {
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	root, err := pki.ParseCertificate(read("root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.LoadIdentity(read("signer-rsa.p12"), "secret")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://localhost:" + port
	collector := &revocation.Collector{Client: &revocation.Client{Nonce: true}, Anchors: []*pki.Certificate{root}}
	for name, detached := range map[string]bool{"attached": false, "detached": true} {
		t.Run(name+" with its time-stamps, OCSP and lists", func(t *testing.T) {
			e := entry(t, "dss", sent, took)
			s, err := cades.Sign(nil, &pki.Identity{Key: id.Key, Certificate: id.Certificate}, []byte(letterXML), detached, cades.Parameters{SigningTime: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Extend(t.Context(), cades.LTA, cades.Extension{
				Stamper: &tsp.Client{URLs: []string{base + "/tsa"}, Policy: "2.999.1.1"}, Content: cms.Bytes([]byte(letterXML)),
				Collect: func(ctx context.Context, certs, known []*pki.Certificate) (cades.Material, error) {
					m, err := collector.Collect(ctx, certs, known)
					return cades.Material(m), err
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.Message.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(dir, name+".p7m")
			in := filepath.Join(dir, "letter.xml")
			for path, b := range map[string][]byte{out: b, in: []byte(letterXML)} {
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"verify", "--json", "--trust", filepath.Join(dir, "root.crt"), out}
			if detached {
				args = append(args[:4:4], "--detached", in, out)
			}
			tokens := 0
			for _, v := range dss(t, args...) {
				for _, x := range v.Tokens {
					tokens++
					if e.detail = x.Format + ", " + x.Indication; x.Indication != "TOTAL_PASSED" || x.Format != "CAdES-BASELINE-LTA" {
						t.Errorf("%s %s %s %v", x.Format, x.Indication, x.SubIndication, x.Errors)
					}
				}
			}
			r, err := gather.Open(b, gather.Options{Anchors: []*pki.Certificate{root}, Documents: []xades.Document{xades.Bytes("letter.xml", "", []byte(letterXML))}})
			if err != nil {
				t.Fatal(err)
			}
			if v := validation.Validate(r.Facts, nil, time.Now())[0]; v.Indication != validation.TotalPassed || tokens != 1 {
				t.Errorf("here: %s %s: %s, %d tokens there", v.Indication, v.Sub, v.Why, tokens)
			}
		})
	}
}
