package signing

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

var now = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

type world struct {
	t      testing.TB
	server *httptest.Server
	ca     *pki.Authority
	key    *pki.Identity
}

// keys are those of all worlds: RSA keys take their time.
type keys struct {
	ca            *pki.Authority
	rsa, ec, unit *pki.Identity
	crl           []byte
}

var theKeys = sync.OnceValue(func() (k keys) {
	k.ca = must(pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-2, 0, 0), 20))
	k.rsa = must(k.ca.Issue(pki.Template{CommonName: "Ada Signer", Country: "EE", Algorithm: pki.RSA2048, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}))
	k.ec = must(k.ca.Issue(pki.Template{CommonName: "Bo Signer", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}))
	k.unit = must(k.ca.Issue(pki.Template{CommonName: "Own TSA", ExtKeyUsage: []pki.OID{pki.EKUTimeStamping}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0)}))
	k.crl = must(k.ca.CRL(nil, now))
	return k
})

func newWorld(t testing.TB, stamper bool) *world {
	t.Helper()
	k := theKeys()
	w := &world{t: t, ca: k.ca, key: k.rsa}
	opt := Options{Keys: []SigningKey{{"seal", k.rsa}, {"curve", k.ec}}, Clock: func() time.Time { return now.Add(time.Hour) }, MaxDocument: 1 << 20,
		Known: func() gather.Options {
			return gather.Options{Anchors: []*pki.Certificate{k.ca.Certificate}, CRLs: [][]byte{k.crl}}
		}}
	if stamper {
		opt.Stamper = &tsp.Responder{Identity: k.unit, Policy: "1.2.3.4", Clock: func() (time.Time, error) { return now.Add(time.Minute), nil }}
	}
	w.server = httptest.NewServer(New(opt).Handler())
	t.Cleanup(w.server.Close)
	return w
}

// call asks and decodes; a GET without a body.
func (w *world) call(path string, in any, status int) map[string]any {
	w.t.Helper()
	b := w.octets(path, in, status)
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		w.t.Fatalf("%s: %v: %s", path, err, b)
	}
	return out
}

func (w *world) octets(path string, in any, status int) []byte {
	w.t.Helper()
	var resp *http.Response
	var err error
	url := w.server.URL + "/services/rest/" + path
	switch x := in.(type) {
	case nil:
		resp, err = http.Get(url)
	case []byte:
		resp, err = http.Post(url, "application/json", bytes.NewReader(x))
	default:
		b, _ := json.Marshal(in)
		resp, err = http.Post(url, "application/json", bytes.NewReader(b))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		w.t.Fatalf("%s: %s %.500s, %v", path, resp.Status, b, err)
	}
	return b
}

// sheet is a PDF document.
func sheet() []byte {
	doc := page.New(page.Options{Title: "Letter", Language: "en", Created: now})
	doc.Add(page.Paragraph{Text: page.Plain("To whom it may concern.")})
	return must(doc.Bytes())
}

func document(name string, b []byte) obj {
	return obj{"bytes": b, "name": name, "digestAlgorithm": nil}
}

// TestThreeStepsInEveryFormat signs as clients of DSS do: data to sign from the service, a value from its keys, the signature into
// the document; then raises it, and has it judged.
func TestThreeStepsInEveryFormat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	key := w.call("server-signing/key/seal", nil, 200)
	for name, c := range map[string]struct {
		p      obj
		docs   []obj
		out    string
		detach bool
		to     string
	}{
		"xades enveloping": {obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "ENVELOPING"}, []obj{document("hello.txt", []byte("Hello"))}, "hello-signed-xades-baseline-b.xml", false, "LTA"},
		"xades enveloped":  {obj{"signatureLevel": "XAdES_BASELINE_T", "signaturePackaging": "ENVELOPED"}, []obj{document("a.xml", []byte("<a/>"))}, "a-signed-xades-baseline-t.xml", false, "LT"},
		"xades detached":   {obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "DETACHED"}, []obj{document("a.xml", []byte("<a/>"))}, "a-signed-xades-baseline-b.xml", true, "T"},
		"xades beside":     {obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "INTERNALLY_DETACHED"}, []obj{document("a.xml", []byte("<a/>"))}, "a-signed-xades-baseline-b.xml", false, "LTA"},
		"xades among many": {obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "INTERNALLY_DETACHED"}, []obj{document("a.xml", []byte("<a/>")), document("b.xml", []byte(`<x:b xmlns:x="urn:x" Id="own" y="x:z">b</x:b>`))}, "a-signed-xades-baseline-b.xml", false, "LT"},
		"cades":            {obj{"signatureLevel": "CAdES_BASELINE_B", "signaturePackaging": "ENVELOPING"}, []obj{document("a.bin", []byte{1, 2})}, "a-signed-cades-baseline-b.p7m", false, "LTA"},
		"cades detached":   {obj{"signatureLevel": "CAdES_BASELINE_LT", "signaturePackaging": "DETACHED"}, []obj{document("a.bin", []byte{1, 2})}, "a-signed-cades-baseline-lt.p7s", true, "LTA"},
		"pades":            {obj{"signatureLevel": "PAdES_BASELINE_B", "signaturePackaging": "ENVELOPED"}, []obj{document("a.pdf", sheet())}, "a-signed-pades-baseline-b.pdf", false, "LTA"},
		"jades":            {obj{"signatureLevel": "JAdES_BASELINE_B", "signaturePackaging": "ENVELOPING", "jwsSerializationType": "FLATTENED_JSON_SERIALIZATION"}, []obj{document("a.json", []byte("{}"))}, "a-signed-jades-baseline-b.json", false, "LT"},
		"asic-e xades":     {obj{"signatureLevel": "XAdES_BASELINE_B", "asicContainerType": "ASiC_E"}, []obj{document("a.xml", []byte("<a/>")), document("b.txt", []byte("b"))}, "a-signed-xades-baseline-b.asice", false, "LT"},
		"asic-s cades":     {obj{"signatureLevel": "CAdES_BASELINE_B", "asicContainerType": "ASiC_S"}, []obj{document("b.txt", []byte("b"))}, "b-signed-cades-baseline-b.asics", false, "LTA"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, server: w.server}
			p := maps.Clone(c.p)
			p["signingCertificate"], p["certificateChain"] = key["certificate"], key["certificateChain"]
			p["digestAlgorithm"] = "SHA256"
			p["blevelParams"] = obj{"signingDate": now.UnixMilli() + 738, "trustAnchorBPPolicy": true, "claimedSignerRoles": []string{"clerk"}, "signerLocationLocality": "Tallinn", "signerLocationPostalAddress": []string{}}
			in := obj{"parameters": p, "toSignDocument": c.docs[0]}
			path := "signature/one-document/"
			first := "getDataToSign"
			if len(c.docs) > 1 {
				in = obj{"parameters": p, "toSignDocuments": c.docs}
				path, first = "signature/multiple-documents/", "getDataToSignMultiple"
			}
			data := w.call(path+first, in, 200)
			value := w.call("server-signing/sign/seal/SHA256", data, 200)
			sum := sha256.Sum256(must(base64.StdEncoding.DecodeString(data["bytes"].(string))))
			same := w.call("server-signing/sign-digest/seal", obj{"algorithm": "SHA256", "value": sum[:]}, 200)
			if value["algorithm"] != "RSA_SHA256" || !maps.Equal(value, same) {
				t.Errorf("by octets %v, by digest %v", value, same)
			}
			in["signatureValue"] = value
			signed := w.call(path+"signDocument", in, 200)
			if signed["name"] != c.out {
				t.Errorf("its name is %v", signed["name"])
			}
			extra := obj{}
			var originals []obj
			if c.detach {
				originals = c.docs
				extra["detachedContents"] = c.docs
			}
			extra["signatureTimestampParameters"] = obj{"digestAlgorithm": "SHA512", "canonicalizationMethod": "http://www.w3.org/2001/10/xml-exc-c14n#"}
			if c.to == "LTA" {
				odd := maps.Clone(extra)
				odd["archiveTimestampParameters"] = obj{"digestAlgorithm": "SHA384", "canonicalizationMethod": "http://www.w3.org/2001/10/xml-exc-c14n#"}
				two := w.call(path+"extendDocument", obj{"toExtendDocument": signed, "signatureProfile": "BASELINE_LTA", "parameters": odd}, 200)
				got := w.call("validation/validateSignature", obj{"signedDocument": two, "originalDocuments": originals}, 200)
				stamps := got["DiagnosticData"].(obj)["Timestamp"].([]any)
				for i, want := range []string{"SHA512", "SHA384"} {
					if is := stamps[len(stamps)-2+i].(obj)["DigestMatcher"].([]any)[0].(obj)["DigestMethod"]; is != want && name != "cades detached" { // which has its first time-stamp already
						t.Errorf("time-stamp %d with %v, want %s", i, is, want)
					}
				}
				if w.judged(two, obj{"originalDocuments": originals})["ValidSignaturesCount"] != 1.0 {
					t.Error("with two digest algorithms it does not hold")
				}
			}
			extra["archiveTimestampParameters"] = obj{"digestAlgorithm": "SHA512"}
			more := w.call(path+"extendDocument", obj{"toExtendDocument": signed, "signatureProfile": "BASELINE_" + c.to, "parameters": extra}, 200)
			if want := "-extended-"; !strings.Contains(more["name"].(string), want) {
				t.Errorf("its name is %v", more["name"])
			}
			for _, d := range []obj{signed, more} {
				got := w.call("validation/validateSignature", obj{"signedDocument": d, "originalDocuments": originals, "tokenExtractionStrategy": "NONE", "policy": nil}, 200)
				simple := got["SimpleReport"].(obj)
				s := simple["signatureOrTimestampOrEvidenceRecord"].([]any)[0].(obj)["Signature"].(obj)
				if s["Indication"] != "TOTAL_PASSED" || simple["ValidSignaturesCount"] != 1.0 || s["SignedBy"] != "Ada Signer" {
					t.Errorf("%v", simple)
				}
				xml, err := base64.StdEncoding.DecodeString(got["validationReportDataHandler"].(string))
				if err != nil || !bytes.Contains(xml, []byte("total-passed")) {
					t.Errorf("%.200s, %v", xml, err)
				}
				if stamps := got["DiagnosticData"].(obj)["Timestamp"].([]any); d["name"] == more["name"] && name != "xades enveloped" { // which has its time-stamp already
					if x := stamps[len(stamps)-1].(obj)["DigestMatcher"].([]any)[0].(obj); x["DigestMethod"] != "SHA512" {
						t.Errorf("time-stamped with %v", x["DigestMethod"])
					}
				}
				if d["name"] == more["name"] && !strings.HasSuffix(s["SignatureFormat"].(string), "BASELINE-"+c.to) {
					t.Errorf("level %v, want %s", s["SignatureFormat"], c.to)
				}
			}
			if !c.detach && name != "pades" && name != "xades enveloped" && c.p["signaturePackaging"] != "INTERNALLY_DETACHED" {
				var list []Document
				if err := json.Unmarshal(w.octets("validation/getOriginalDocuments", obj{"signedDocument": more}, 200), &list); err != nil || len(list) != len(c.docs) {
					t.Fatalf("%d originals, %v", len(list), err)
				}
				for i := range list {
					if want := c.docs[i]["bytes"].([]byte); !bytes.Equal(list[i].Bytes, want) {
						t.Errorf("original %q, want %q", list[i].Bytes, want)
					}
				}
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestKeysTimeStampsCertificatesAndCounterSignatures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	var keys []keyJSON
	if err := json.Unmarshal(w.octets("server-signing/keys", nil, 200), &keys); err != nil || len(keys) != 2 || keys[1].Alias != "curve" || keys[1].EncryptionAlgo != "ECDSA" || len(keys[0].CertificateChain) != 2 {
		t.Errorf("%+v, %v", keys, err)
	}
	for path, algorithm := range map[string]string{
		"sign-with-signature-algo/seal/RSA_SHA512": "RSA_SHA512", "sign-with-signature-algo/seal/RSA_SSA_PSS_SHA256_MGF1": "RSA_SSA_PSS_SHA256", "sign/curve/SHA256": "ECDSA_SHA256",
	} {
		if got := w.call("server-signing/"+path, obj{"bytes": []byte("x")}, 200); got["algorithm"] != algorithm {
			t.Errorf("%s: %v", path, got)
		}
	}
	sum := sha256.Sum256([]byte("x"))
	stamp := w.call("timestamp-service/getTimestampResponse", obj{"algorithm": "SHA256", "value": sum[:]}, 200)
	if token, err := tsp.ParseToken(must(base64.StdEncoding.DecodeString(stamp["binaries"].(string)))); err != nil || !bytes.Equal(token.Info.Imprint, sum[:]) {
		t.Errorf("%v, %v", token, err)
	}
	cert := w.call("certificate-validation/validateCertificate", obj{"certificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "tokenExtractionStrategy": "NONE"}, 200)
	if x := cert["simpleCertificateReport"].(obj)["Certificate"].(obj); x["Indication"] != "PASSED" {
		t.Errorf("%v", x)
	}
	p := obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "ENVELOPED", "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": obj{"signingDate": now.UnixMilli()}}
	in := obj{"parameters": p, "toSignDocument": document("a.xml", []byte("<a/>"))}
	in["signatureValue"] = w.call("server-signing/sign/seal/SHA256", w.call("signature/one-document/getDataToSign", in, 200), 200)
	signed := w.call("signature/one-document/signDocument", in, 200)
	counter := obj{"parameters": p, "signatureDocument": signed}
	counter["signatureValue"] = w.call("server-signing/sign/seal/SHA256", w.call("signature/one-document/getDataToBeCounterSigned", counter, 200), 200)
	both := w.call("signature/one-document/counterSignSignature", counter, 200)
	simple := w.call("validation/validateSignature", obj{"signedDocument": both}, 200)["SimpleReport"].(obj)
	if simple["SignaturesCount"] != 2.0 || simple["ValidSignaturesCount"] != 2.0 {
		t.Errorf("%v", simple)
	}
}

func TestWhatIsNotDoneIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	good := func() obj {
		return obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "ENVELOPED", "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": obj{"signingDate": now.UnixMilli()}}
	}
	for key, c := range map[string]struct {
		value  any
		status int
		say    string
	}{
		"embedXML":           {true, 400, "enveloping"},
		"imageParameters":    {obj{"textParameters": obj{"text": "Ada"}}, 400, "PDF"},
		"signatureLevel":     {"PGP", 400, "signatureLevel"},
		"signaturePackaging": {"BESIDE", 400, "INTERNALLY_DETACHED"},
		"signingCertificate": {obj{"encodedCertificate": []byte("x")}, 400, "signingCertificate"},
		"blevelParams":       {obj{}, 400, "signingDate"},
		"digestAlgorithm":    {"WHIRLPOOL", 400, "WHIRLPOOL"},

		"base64UrlEncodedPayload":    {false, 400, "xades"},
		"sigDMechanism":              {"HTTP_HEADERS", 501, "HTTP_HEADERS"},
		"contentTimestamps":          {[]obj{{"type": "INDIVIDUAL_DATA_OBJECTS_TIMESTAMP"}}, 501, "contentTimestamps"},
		"archiveTimestampParameters": {obj{"timestampContainerForm": "PDF"}, 501, "timestampContainerForm"},
	} {
		p := good()
		p[key] = c.value
		got := w.call("signature/one-document/getDataToSign", obj{"parameters": p, "toSignDocument": document("a.xml", []byte("<a/>"))}, c.status)
		if !strings.Contains(got["detail"].(string), c.say) {
			t.Errorf("%s: %v", key, got)
		}
	}
	in := obj{"parameters": good(), "toSignDocument": document("a.xml", []byte("<a/>")), "signatureValue": obj{"algorithm": "RSA_SHA256", "value": make([]byte, 256)}}
	w.call("signature/one-document/signDocument", in, 422)
	p := good()
	p["signatureLevel"] = "XAdES_BASELINE_T"
	data := w.call("signature/one-document/getDataToSign", obj{"parameters": p, "toSignDocument": document("a.xml", []byte("<a/>"))}, 200)
	value := w.call("server-signing/sign/seal/SHA256", data, 200)
	w.call("signature/one-document/signDocument", obj{"parameters": p, "toSignDocument": document("a.xml", []byte("<a/>")), "signatureValue": value}, 501)
	w.call("timestamp-service/getTimestampResponse", obj{"algorithm": "SHA256", "value": make([]byte, 32)}, 501)
	w.call("timestamp-service/getTimestampResponse", obj{"algorithm": "SHA256", "value": make([]byte, 31)}, 400)
	w.call("server-signing/key/none", nil, 404)
	w.call("server-signing/sign/none/SHA256", obj{"bytes": []byte("x")}, 404)
	w.call("signature/one-document/sing", obj{}, 404)
	w.call("validation/validateSignature", obj{}, 400)
	w.call("validation/validateSignature", obj{"signedDocument": document("a", []byte("nothing signed"))}, 422)
	w.call("validation/validateSignature", obj{"signedDocument": document("a", nil), "policy": obj{"bytes": "eA=="}}, 422)
	w.call("validation/validateSignature", obj{"signedDocument": document("a", nil), "tokenExtractionStrategy": "EXTRACT_ALL_OF_IT"}, 422)
	w.call("validation/validateSignature", []byte("{"), 400)
	w.call("validation/validateSignature", []byte("{} {}"), 400)
	w.call("validation/validateSignature", obj{"signedDocument": document("a", make([]byte, 3<<20))}, 413)
}

// TestNoWebPageSigns: what a browser sends on behalf of a page of somebody else's is refused.
func TestNoWebPageSigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for name, c := range map[string]struct {
		header map[string]string
		status int
	}{
		"a form":         {map[string]string{"Content-Type": "text/plain"}, 415},
		"another origin": {map[string]string{"Content-Type": "application/json", "Origin": "https://evil.example"}, 403},
		"cross-site":     {map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403},
		"a program":      {map[string]string{"Content-Type": "application/json; charset=UTF-8"}, 200},
	} {
		req, err := http.NewRequest("POST", w.server.URL+"/services/rest/server-signing/sign/seal/SHA256", strings.NewReader(`{"bytes":"eA=="}`))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
}

func TestABatchOfFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	p := obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "ENVELOPED", "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": obj{"signingDate": now.UnixMilli()}}
	in := obj{"parameters": p, "toSignDocument": document("a.xml", []byte("<a/>"))}
	in["signatureValue"] = w.call("server-signing/sign/seal/SHA256", w.call("signature/one-document/getDataToSign", in, 200), 200)
	signed := must(base64.StdEncoding.DecodeString(w.call("signature/one-document/signDocument", in, 200)["bytes"].(string)))
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := range 40 {
		f, _ := form.CreateFormFile("file", fmt.Sprint(i, ".xml"))
		if i%4 == 3 {
			f.Write([]byte("<unsigned/>"))
		} else {
			f.Write(signed)
		}
	}
	f, _ := form.CreateFormFile("file", "large")
	f.Write(make([]byte, 2<<20))
	form.Close()
	resp, err := http.Post(w.server.URL+"/services/rest/batch/validate?language=de", form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	seen, valid, failed := map[string]bool{}, 0, 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var line struct {
			File  string
			Valid bool
			Error *problem
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		seen[line.File] = true
		if line.Valid {
			valid++
		}
		if line.Error != nil {
			failed++
		}
	}
	if len(seen) != 41 || valid != 30 || failed != 11 {
		t.Errorf("%d files, %d valid, %d failed", len(seen), valid, failed)
	}
}

// TestCorpusExchanges sends what a client of DSS sent and holds the shape of the answer against the captured one.
func TestCorpusExchanges(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "rest")
	w := newWorld(t, true)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*-http-request.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	known := corpus.Known(t, "testdata/known.tsv")
	agreed := 0
	for _, file := range files {
		name, _ := filepath.Rel(dir, file)
		method, path, body := exchange(t, file)
		path = strings.Replace(strings.TrimPrefix(path, "/services/rest/"), "/certificate", "/seal", 1)
		req, err := http.NewRequestWithContext(context.Background(), method, w.server.URL+"/services/rest/"+strings.Replace(path, "seal-validation", "certificate-validation", 1), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var want any
		answer := strings.Replace(file, "request", "response", 1)
		if _, err := os.Stat(answer); err == nil {
			_, _, b := exchange(t, answer)
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(name, err)
			}
		}
		var is any
		json.Unmarshal(got, &is)
		reason, listed := known[name]
		why := ""
		if resp.StatusCode != 200 {
			why = fmt.Sprintf("%s %.300s", resp.Status, got)
		} else if want != nil {
			why = strange(is, want, "")
		}
		switch {
		case why == "":
			agreed++
			if listed {
				t.Errorf("%s agrees now, but is listed: %s", name, reason)
			}
		case !listed:
			t.Errorf("%s: %s", name, why)
		}
	}
	t.Logf("%d of %d exchanges as captured", agreed, len(files))
}

// exchange reads a captured message.
func exchange(t *testing.T, file string) (method, path string, body []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "----\n")
	text, _, _ = strings.Cut(text, "\n----")
	head, rest, _ := strings.Cut(text, "\n\n")
	f := strings.Fields(head)
	return f[0], f[1], []byte(rest)
}

// strange tells where an answer has a key that the captured one does not know, or another kind of value.
func strange(got, want any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is no object", at)
		}
		for _, key := range slices.Sorted(maps.Keys(g)) {
			x, known := w[key]
			if !known {
				return fmt.Sprintf("%s has the key %s", at, key)
			}
			if why := strange(g[key], x, at+"/"+key); why != "" && x != nil {
				return why
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			return fmt.Sprintf("%s is no list", at)
		}
		if len(w) > 0 {
			for _, x := range g {
				if why := strange(x, w[0], at+"[]"); why != "" {
					return why
				}
			}
		}
	case string:
		if _, ok := got.(string); !ok {
			return fmt.Sprintf("%s is no text", at)
		}
	case float64:
		if _, ok := got.(float64); !ok {
			return fmt.Sprintf("%s is no number", at)
		}
	}
	return ""
}
