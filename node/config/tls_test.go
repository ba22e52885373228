package config

import (
	"strings"
	"testing"
)

func TestOnlySafeCipherSuitesCanBeChosen(t *testing.T) {
	t.Parallel()
	for suite, wrong := range map[string]string{
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384":       "",
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256":   "",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA385":       "did you mean TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
		"TLS_RSA_WITH_AES_128_CBC_SHA":                  "is no safe cipher suite",
		"TLS_AES_128_GCM_SHA256":                        "is no safe cipher suite",
		"TLS_ECDHE_RSA_WITH_RC4_128_SHA":                "is no safe cipher suite",
		"tls_ecdhe_ecdsa_with_aes_256_gcm_sha384, more": "is no safe cipher suite",
	} {
		_, err := Parse("viadukt.yaml", ".", []byte("node: {name: a, country: EE}\ntls: {certificate: a.crt, key: a.key, cipherSuites: [\""+suite+"\"]}\n"))
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%s: %v, want %q", suite, err, wrong)
		}
	}
}
