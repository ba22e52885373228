package pdf_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/viadukt-eu/viadukt/pdf"
)

// Files that qpdf encrypted are read and added to, and qpdf reads what was added.
func TestEncryptedFiles(t *testing.T) {
	t.Parallel()
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		t.Skip("qpdf is not installed")
	}
	for name, how := range map[string][]string{
		"RC4 with 40 bits":        {"", "owner", "40", "--"},
		"RC4 with 128 bits":       {"", "owner", "128", "--use-aes=n", "--"},
		"AES with 128 bits":       {"", "owner", "128", "--use-aes=y", "--"},
		"AES, metadata in clear":  {"", "owner", "128", "--use-aes=y", "--cleartext-metadata", "--"},
		"AES with 256 bits":       {"", "owner", "256", "--"},
		"AES of a draft":          {"", "owner", "256", "--force-R5", "--"},
		"a password to be opened": {"user", "owner", "256", "--"},
	} {
		for _, objects := range []string{"disable", "generate"} {
			dir := t.TempDir()
			plain, sealed, added := filepath.Join(dir, "plain.pdf"), filepath.Join(dir, "sealed.pdf"), filepath.Join(dir, "added.pdf")
			if err := os.WriteFile(plain, simple(t), 0o600); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"--allow-weak-crypto", "--object-streams=" + objects, "--encrypt"}, how...)
			if out, err := exec.Command(qpdf, append(args, plain, sealed)...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			b, err := os.ReadFile(sealed)
			if err != nil {
				t.Fatal(err)
			}
			d, err := pdf.Open(bytes.NewReader(b), int64(len(b)))
			if how[0] != "" {
				if !errors.Is(err, pdf.ErrEncrypted) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			files, err := d.Files()
			if err != nil || len(files) != 1 || files[0].Name != "fäctur-x.xml" || !d.Encrypted {
				t.Errorf("%s: %v %v", name, files, err)
				continue
			}
			r, err := files[0].Open()
			if got, err2 := io.ReadAll(r); err != nil || err2 != nil || string(got) != "<a/>" {
				t.Errorf("%s: %q %v %v", name, got, err, err2)
			}
			r, err = d.Metadata()
			if got, err2 := io.ReadAll(r); err != nil || err2 != nil || string(got) != "<x:xmpmeta/>" {
				t.Errorf("%s: %q %v %v", name, got, err, err2)
			}
			u, err := d.Update()
			if err != nil {
				t.Fatal(err)
			}
			text, stream := u.Add(pdf.Dict{"S": pdf.String("secret")}), u.Add(pdf.Compress(nil, []byte("contents")))
			catalog, _ := d.Catalog()
			catalog = catalog.Clone()
			catalog["Text"], catalog["Stream"] = text, stream
			u.Set(d.Trailer["Root"].(pdf.Ref), catalog)
			a, err := u.Append()
			if err != nil || bytes.Contains(a.Octets, []byte("secret")) {
				t.Fatalf("%s: %q %v", name, a.Octets, err)
			}
			b = append(b, a.Octets...)
			if err := os.WriteFile(added, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(qpdf, "--check", added).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
			out, err := exec.Command(qpdf, "--decrypt", "--qdf", added, "-").Output()
			if err != nil || !bytes.Contains(out, []byte("(secret)")) || !bytes.Contains(out, []byte("contents")) {
				t.Errorf("%s: qpdf does not find what was added: %v", name, err)
			}
		}
	}
}
