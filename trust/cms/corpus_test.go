package cms

import (
	"bytes"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// TestCertificateFiles: messages without signers, in which authorities hand out their certificates.
func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]int{
		"dss/dss-spi/AdobeCA.p7c": 1, "dss/dss-spi/certchain.p7c": 3, "dss/dss-spi/zz-certChain.p7c": 3, "trust/7a5de7fe56be24e0.der": 1,
	} {
		b := corpus.Read(t, "esignature", file)
		m, err := Parse(bytes.Clone(b))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(m.X509()) != want || len(m.Certificates) != want || len(m.Signers) != 0 || len(m.Verify(nil)) != 0 {
			t.Errorf("%s: %d certificates of %d, %d signers", file, len(m.X509()), len(m.Certificates), len(m.Signers))
		}
	}
}
