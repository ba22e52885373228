package tsp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
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

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const policy pki.OID = "1.3.6.1.4.1.99999.1"

var authority = sync.OnceValue(func() *pki.Authority {
	a, err := pki.NewAuthority(rand.Reader, "CN=Test Root,O=Tests,C=EU", pki.P256, now.AddDate(-1, 0, 0), 20)
	if err != nil {
		panic(err)
	}
	return a
})

// unit makes the certificate of a time-stamping authority: critical, and for nothing else.
func unit(tb testing.TB, alg pki.KeyAlgorithm) *pki.Identity {
	tb.Helper()
	id, err := authority().Issue(pki.Template{Subject: "CN=Time-stamping unit,O=Tests,C=EU", Algorithm: alg, KeyUsage: pki.UseDigitalSignature,
		Extensions: []pki.Extension{{ID: "2.5.29.37", Critical: true, Value: []byte("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x08")}}})
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func responder(tb testing.TB) *Responder {
	tb.Helper()
	return &Responder{Identity: unit(tb, pki.P256), Policy: policy, Clock: func() (time.Time, error) { return now.Add(123456789), nil },
		Accuracy: 1500 * time.Millisecond, Precision: time.Millisecond}
}

func TestStampAndVerify(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("content"))
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256, pki.P384, pki.Ed25519, pki.BrainpoolP256r1} {
		r := responder(t)
		r.Identity = unit(t, alg)
		r.Qualified, r.Ordering = true, true
		server := httptest.NewServer(r)
		c := &Client{URLs: []string{server.URL}, HTTP: server.Client(), Policy: policy}
		tok, err := c.Stamp(t.Context(), crypto.SHA256, sum[:])
		server.Close()
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		i := tok.Info
		if !i.Time.Equal(now.Add(123*time.Millisecond)) || i.Accuracy != 1500*time.Millisecond || !i.Ordering || !i.Qualified() ||
			i.Policy != policy || i.Nonce == nil || !i.TSA.Equal(r.Identity.Certificate.Subject) {
			t.Errorf("%s: %+v", alg, i)
		}
		f := tok.Verify()
		if err := errors.Join(f.Err(), f.Usage, f.Name); err != nil || !f.Critical || !f.Sole {
			t.Errorf("%s: %v, critical %v, sole %v", alg, err, f.Critical, f.Sole)
		}
		if err := tok.CheckImprint(cms.Bytes([]byte("content"))); err != nil {
			t.Error(err)
		}
		if err := tok.CheckImprint(cms.Bytes([]byte("another"))); !errors.Is(err, ErrImprint) {
			t.Errorf("another content: %v", err)
		}
		again, err := ParseToken(bytes.Clone(tok.Raw))
		if err != nil || again.Verify().Err() != nil {
			t.Errorf("%s: read again: %v", alg, err)
		}
		if e, err := ber.Parse(tok.Raw); err != nil || !e.IsDER() {
			t.Errorf("%s: the token is not DER", alg)
		}
	}
}

// TestGenTimeHasNoTrailingZeros: whole seconds have no fraction at all.
func TestGenTimeHasNoTrailingZeros(t *testing.T) {
	t.Parallel()
	for nanos, want := range map[int]string{0: "20260301120000Z", 100_000_000: "20260301120000.1Z", 120_300_000: "20260301120000.1203Z", 5_000: "20260301120000.000005Z"} {
		r := responder(t)
		r.Precision, r.Clock = time.Microsecond, func() (time.Time, error) { return now.Add(time.Duration(nanos)), nil }
		tok, err := r.Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(tok.Info.Raw, append([]byte{0x18, byte(len(want))}, want...)) {
			t.Errorf("%d: %q is not in %x", nanos, want, tok.Info.Raw)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	good := Request{Hash: crypto.SHA256, Imprint: make([]byte, 32)}
	for name, c := range map[string]struct {
		request func(*Request)
		change  func(*Responder)
		want    Failure
	}{
		"SHA-1":                 {func(q *Request) { q.Hash, q.Imprint = crypto.SHA1, make([]byte, 20) }, nil, BadAlgorithm},
		"an unknown digest":     {func(q *Request) { q.Hash, q.HashOID = 0, "1.2.3" }, nil, BadAlgorithm},
		"a digest cut off":      {func(q *Request) { q.Hash, q.HashOID, q.Imprint = 0, pki.OIDByHash(crypto.SHA256), make([]byte, 31) }, nil, BadDataFormat},
		"another policy":        {func(q *Request) { q.Policy = "1.2.3" }, nil, UnacceptedPolicy},
		"an extension":          {func(q *Request) { q.Extensions = []pki.Extension{{ID: "1.2.3", Critical: true, Value: []byte{5, 0}}} }, nil, UnacceptedExtension},
		"a clock nobody trusts": {nil, func(r *Responder) { r.Clock = func() (time.Time, error) { return now, errors.New("drifts") } }, TimeNotAvailable},
		"no serial number":      {nil, func(r *Responder) { r.Serial = func() (*big.Int, error) { return nil, errors.New("disk") } }, SystemFailure},
		"a serial number too big": {nil, func(r *Responder) {
			r.Serial = func() (*big.Int, error) { return new(big.Int).Lsh(big.NewInt(1), 160), nil }
		}, SystemFailure},
		"an audit that fails": {nil, func(r *Responder) { r.Issued = func(context.Context, *Token) error { return errors.New("disk") } }, SystemFailure},
	} {
		q := good
		r := responder(t)
		if c.request != nil {
			c.request(&q)
		}
		if c.change != nil {
			c.change(r)
		}
		der, err := q.Marshal()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		answer, cause := r.Respond(t.Context(), der)
		a, err := ParseResponse(answer)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if cause == nil || a.Status != Rejection || a.Failure != c.want || a.Token != nil || len(a.Text) != 1 {
			t.Errorf("%s: %v, status %d, failure %d %v, want %d", name, cause, a.Status, a.Failure, a.Text, c.want)
		}
		if strings.Contains(strings.Join(a.Text, ""), "disk") {
			t.Errorf("%s: what is wrong inside goes out: %v", name, a.Text)
		}
		_, err = a.Check(&q)
		var status *StatusError
		if !errors.As(err, &status) || status.Temporary() != (c.want == TimeNotAvailable || c.want == SystemFailure) {
			t.Errorf("%s: %v", name, err)
		}
	}
	answer, _ := responder(t).Respond(t.Context(), []byte("no request"))
	if a, err := ParseResponse(answer); err != nil || a.Failure != BadDataFormat {
		t.Errorf("no request: %v", err)
	}
}

// TestCertificatesOnlyWhenAskedFor also takes one of the further policies, echoes the nonce and uses the serial numbers given.
func TestCertificatesOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	r := responder(t)
	r.Further = []pki.OID{"1.2.3.4"}
	r.Serial = func() (*big.Int, error) { return big.NewInt(4711), nil }
	q := Request{Hash: crypto.SHA512, Imprint: make([]byte, 64), Policy: "1.2.3.4", Nonce: big.NewInt(99)}
	der, err := q.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.Respond(t.Context(), der)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := a.Check(&q)
	if err != nil {
		t.Fatal(err)
	}
	if len(tok.Message.Certificates) != 0 || tok.Info.Policy != "1.2.3.4" || tok.Info.Nonce.Int64() != 99 || tok.Info.SerialNumber.Int64() != 4711 {
		t.Errorf("%d certificates, %+v", len(tok.Message.Certificates), tok.Info)
	}
	if f := tok.Verify(); !errors.Is(f.Signature, cms.ErrSigner) || f.Err() == nil {
		t.Errorf("without the certificate: %v", f.Err())
	}
	if f := tok.Verify(r.Identity.Certificate); f.Err() != nil {
		t.Errorf("with the certificate: %v", f.Err())
	}
	for name, change := range map[string]func(q *Request){
		"nonce":   func(q *Request) { q.Nonce = big.NewInt(98) },
		"imprint": func(q *Request) { q.Imprint = bytes.Repeat([]byte{1}, 64) },
		"policy":  func(q *Request) { q.Policy = "1.2.3.5" },
	} {
		o := q
		change(&o)
		if _, err := a.Check(&o); err == nil {
			t.Errorf("an answer to another %s was taken", name)
		}
	}
}

func TestClientRefuses(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("content"))
	r := responder(t)
	old, err := r.Stamp(t.Context(), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	stale := (&Response{Status: Granted, Failure: NoFailure}).marshal(old.Raw)
	reply := func(kind string, code int, b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			w.Write(b)
		}
	}
	notForTime := responder(t)
	if notForTime.Identity, err = authority().Issue(pki.Template{Subject: "CN=Somebody"}); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]http.Handler{
		"an answer to another request":         reply("application/timestamp-reply", 200, stale),
		"a page":                               reply("text/html", 200, []byte("<html>")),
		"a server that is ill":                 reply("application/timestamp-reply", 503, nil),
		"an endless answer":                    reply("application/timestamp-reply", 200, make([]byte, maxResponse+10)),
		"an answer cut off":                    reply("application/timestamp-reply", 200, stale[:len(stale)/2]),
		"a certificate that is not for stamps": notForTime,
	} {
		server := httptest.NewServer(h)
		_, err := (&Client{URLs: []string{server.URL}, HTTP: server.Client()}).Stamp(t.Context(), crypto.SHA256, sum[:])
		server.Close()
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	// the first authority fails, the second grants
	ill := httptest.NewServer(reply("text/plain", 500, nil))
	defer ill.Close()
	good := httptest.NewServer(r)
	defer good.Close()
	if _, err := (&Client{URLs: []string{ill.URL, good.URL}, HTTP: good.Client(), NoNonce: true}).Stamp(t.Context(), crypto.SHA256, sum[:]); err != nil {
		t.Errorf("the second authority was not asked: %v", err)
	}
}

func TestHandlerTakesRequestsOnly(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(responder(t))
	defer server.Close()
	get, err := server.Client().Get(server.URL)
	if err != nil || get.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v %v", get.StatusCode, err)
	}
	for kind, want := range map[string]int{"text/plain": http.StatusUnsupportedMediaType, "application/timestamp-query": http.StatusRequestEntityTooLarge} {
		resp, err := server.Client().Post(server.URL, kind, bytes.NewReader(make([]byte, maxRequest+1)))
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v %v", kind, resp.StatusCode, err)
		}
	}
}

// TestTokenMustNameItsCertificate: without the attribute, or with that of another certificate, a token does not hold.
func TestTokenMustNameItsCertificate(t *testing.T) {
	t.Parallel()
	r := responder(t)
	tok, err := r.Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, named := range map[string]*pki.Certificate{"nothing": nil, "another": authority().Certificate} {
		tpl := cms.Template{Certificate: r.Identity.Certificate}
		if named != nil {
			a, err := cms.SigningCertificate(crypto.SHA256, named)
			if err != nil {
				t.Fatal(err)
			}
			tpl.Attributes = []cms.Attribute{a}
		}
		p, err := tpl.Prepare(cms.ContentTSTInfo, cms.Bytes(tok.Info.Raw))
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Sign(nil, r.Identity.Key)
		if err != nil {
			t.Fatal(err)
		}
		m, err := cms.New(cms.ContentTSTInfo, tok.Info.Raw)
		if err != nil {
			t.Fatal(err)
		}
		m.AddSigner(s)
		m.AddCertificates(r.Identity.Certificate)
		b, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		bad, err := ParseToken(b)
		if err != nil {
			t.Fatal(err)
		}
		if f := bad.Verify(); f.Facts.Err() != nil || !errors.Is(f.Signer, ErrSigner) || f.Err() == nil {
			t.Errorf("names %s: %v", name, f.Err())
		}
	}
	if _, err := ParseToken(must(cms.Sign(r.Identity, []byte("x"), false, cms.Template{}))); !errors.Is(err, ErrFormat) {
		t.Errorf("a signature that is no time-stamp: %v", err)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	good := must((&Request{Hash: crypto.SHA256, Imprint: make([]byte, 32), Policy: policy, Nonce: big.NewInt(5), Certificates: true}).Marshal())
	if q, err := ParseRequest(good); err != nil || q.Policy != policy || q.Nonce.Int64() != 5 || !q.Certificates || q.Hash != crypto.SHA256 {
		t.Fatalf("%+v %v", q, err)
	}
	for n := range good {
		if _, err := ParseRequest(good[:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("request of %d octets: %v", n, err)
		}
	}
	tok, err := responder(t).Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for n := range tok.Raw {
		if _, err := ParseToken(tok.Raw[:n:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("token of %d octets: %v", n, err)
		}
	}
	for n := range tok.Info.Raw {
		if _, err := ParseInfo(tok.Info.Raw[:n:n]); !errors.Is(err, ErrFormat) {
			t.Fatalf("info of %d octets: %v", n, err)
		}
	}
	v2 := bytes.Clone(good)
	v2[4] = 2
	if _, err := ParseRequest(v2); !errors.Is(err, ErrFormat) {
		t.Errorf("version 2: %v", err)
	}
}

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestOpenSSL: it verifies our answer to its request, and we verify its answer to ours.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	save := func(name string, b []byte) {
		if err := os.WriteFile(in(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save("content", []byte("content"))
	save("root.pem", pki.MarshalPEM(authority().Certificate))
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		r := responder(t)
		r.Identity = unit(t, alg)
		openssl(t, "ts", "-query", "-data", in("content"), "-sha512", "-cert", "-out", in("q.tsq"))
		q, err := os.ReadFile(in("q.tsq"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := r.Respond(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		save("a.tsr", answer)
		if out := openssl(t, "ts", "-verify", "-queryfile", in("q.tsq"), "-in", in("a.tsr"), "-CAfile", in("root.pem"), "-attime", "1772366400"); !strings.Contains(out, "OK") {
			t.Error(out)
		}
		if out := openssl(t, "ts", "-reply", "-in", in("a.tsr"), "-text"); !strings.Contains(out, "Mar  1 12:00:00.123 2026 GMT") || !strings.Contains(out, "0x01 seconds, 0x01F4 millis") {
			t.Error(out)
		}

		pem, err := r.Identity.MarshalPEM()
		if err != nil {
			t.Fatal(err)
		}
		save("tsa.pem", pem)
		save("serial", []byte("0A\n"))
		save("ts.cnf", fmt.Appendf(nil, "[tsa]\ndefault_tsa=t\n[t]\nserial=%s\nsigner_cert=%s\nsigner_key=%s\nsigner_digest=sha256\ndefault_policy=1.2.3\ndigests=sha256\naccuracy=secs:1,millisecs:500,microsecs:100\nclock_precision_digits=3\nordering=yes\ntsa_name=yes\ness_cert_id_alg=sha256\n",
			in("serial"), in("tsa.pem"), in("tsa.pem")))
		sum := sha256.Sum256([]byte("content"))
		ours := &Request{Hash: crypto.SHA256, HashOID: pki.OIDByHash(crypto.SHA256), Imprint: sum[:], Nonce: big.NewInt(12345), Certificates: true}
		save("ours.tsq", must(ours.Marshal()))
		openssl(t, "ts", "-reply", "-config", in("ts.cnf"), "-queryfile", in("ours.tsq"), "-out", in("theirs.tsr"))
		theirs, err := os.ReadFile(in("theirs.tsr"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := ParseResponse(theirs)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := a.Check(ours)
		if err != nil {
			t.Fatal(err)
		}
		f := tok.Verify()
		if err := errors.Join(f.Err(), f.Usage, f.Name); err != nil || tok.Info.Accuracy != 1500100*time.Microsecond || !tok.Info.Ordering || tok.Info.SerialNumber.Int64() != 11 {
			t.Errorf("%v %+v", err, tok.Info)
		}
	}
}

// TestCorpus reads the tokens of others that stand alone.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for file, c := range map[string]struct {
		certificates, named int
	}{
		"dss/cades/validation/d-trust.tsr":     {3, 3},
		"dss/dss-spi/disig.tst":                {2, 2},
		"dss/dss-spi/tst_with_broken_ocsp.tst": {-1, 1},
	} {
		tok, err := ParseToken(corpus.Read(t, "esignature", file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		f := tok.Verify()
		if err := errors.Join(f.Err(), f.Usage); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if c.certificates >= 0 && len(tok.Message.Certificates) != c.certificates || len(f.Named) != c.named || tok.Info.Time.IsZero() {
			t.Errorf("%s: %d certificates, %d named", file, len(tok.Message.Certificates), len(f.Named))
		}
	}
}

func TestAccuracy(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{0, time.Microsecond, 999 * time.Microsecond, time.Millisecond, 128 * time.Millisecond, 1001 * time.Millisecond, time.Minute + 7*time.Microsecond} {
		r := responder(t)
		r.Accuracy = d
		tok, err := r.Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		if tok.Info.Accuracy != d {
			t.Errorf("%v came back as %v", d, tok.Info.Accuracy)
		}
	}
}

func FuzzToken(f *testing.F) {
	r := responder(f)
	tok, err := r.Stamp(f.Context(), crypto.SHA256, make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok.Raw)
	f.Add((&Response{Status: Granted, Failure: NoFailure}).marshal(tok.Raw))
	f.Add((&Response{Status: Rejection, Failure: SystemFailure, Text: []string{"x"}}).marshal(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := ParseToken(bytes.Clone(b))
		if err != nil {
			return
		}
		if f := tok.Verify(); f.Err() == nil && (f.Certificate == nil || len(tok.Message.Signers) != 1) {
			t.Fatal("holds without a certificate")
		}
		tok.Info.Qualified()
		if _, err := ParseToken(bytes.Clone(tok.Raw)); err != nil {
			t.Fatalf("its own octets: %v", err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add(must((&Request{Hash: crypto.SHA256, Imprint: make([]byte, 32), Policy: policy, Nonce: big.NewInt(5), Certificates: true}).Marshal()))
	f.Add(ber.Append(nil, asn1.SEQUENCE, []byte{2, 1, 1}))
	r := responder(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := r.Respond(t.Context(), b)
		a, e := ParseResponse(answer)
		if e != nil || (err == nil) != (a.Token != nil) {
			t.Fatalf("%v: %v", err, e)
		}
		q, err := ParseRequest(b)
		if err != nil {
			return
		}
		again, err := q.Marshal()
		if err != nil {
			return
		}
		if p, err := ParseRequest(again); err != nil || p.Policy != q.Policy || !bytes.Equal(p.Imprint, q.Imprint) || p.Certificates != q.Certificates {
			t.Fatalf("written again: %v", err)
		}
	})
}

// BenchmarkStamp issues a time-stamp; most of it is the key.
func BenchmarkStamp(b *testing.B) {
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.P256} {
		b.Run(string(alg), func(b *testing.B) {
			r := responder(b)
			r.Identity = unit(b, alg)
			q := must((&Request{Hash: crypto.SHA256, Imprint: make([]byte, 32), Nonce: big.NewInt(5), Certificates: true}).Marshal())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Respond(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	r := responder(b)
	r.Identity = unit(b, pki.RSA2048)
	tok, err := r.Stamp(b.Context(), crypto.SHA256, make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		t, err := ParseToken(tok.Raw)
		if err != nil {
			b.Fatal(err)
		}
		if err := t.Verify().Err(); err != nil {
			b.Fatal(err)
		}
	}
}
