package node_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestANodeSignsAndJudgesForOthers: with its key file, and nobody trusted until the configuration says so.
func TestANodeSignsAndJudgesForOthers(t *testing.T) {
	t.Parallel()
	d, _ := agree(t)
	b, err := os.ReadFile(d.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, "\nsignatures:\n  listen: 127.0.0.1:0\n  keys: [{alias: seal, file: keys/as4.pem}]\n"...)
	if err := os.WriteFile(d.ConfigFile, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ee := begin(t, d, nil, nil)
	base := "http://" + ee.Addr("signatures") + "/services/rest/"
	ask := func(path string, in any) (out map[string]any) {
		t.Helper()
		method, body := "GET", []byte(nil)
		if in != nil {
			method = "POST"
			body, _ = json.Marshal(in)
		}
		req, err := http.NewRequest(method, base+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, text := do(t, req)
		if resp.StatusCode != 200 || json.Unmarshal([]byte(text), &out) != nil {
			t.Fatalf("%s: %s %s", path, resp.Status, text)
		}
		return out
	}
	type m = map[string]any
	key := ask("server-signing/key/seal", nil)
	in := m{"toSignDocument": m{"bytes": []byte("<a/>"), "name": "a.xml"}, "parameters": m{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "ENVELOPED", "signingCertificate": key["certificate"], "blevelParams": m{"signingDate": ee.Clock().UnixMilli()}}}
	in["signatureValue"] = ask("server-signing/sign/seal/SHA256", ask("signature/one-document/getDataToSign", in))
	got := ask("validation/validateSignature", m{"signedDocument": ask("signature/one-document/signDocument", in)})
	text, _ := json.Marshal(got["SimpleReport"])
	if !strings.Contains(string(text), "NO_CERTIFICATE_CHAIN_FOUND") || !strings.Contains(string(text), `"SignaturesCount":1`) {
		t.Errorf("%s", text)
	}
	if _, err := os.Stat(filepath.Join(d.Dir, "keys", "as4.pem")); err != nil {
		t.Error(err)
	}
}
