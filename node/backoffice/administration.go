package backoffice

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// PModeFile is a P-Mode file that was uploaded.
type PModeFile struct {
	ID          int64
	Time        time.Time
	User        string
	Description string
}

// UploadError says why a P-Mode file is refused.
type UploadError struct{ Issues []string }

func (e *UploadError) Error() string {
	return "backoffice: the P-Mode file is refused: " + strings.Join(e.Issues, "; ")
}

// uploadMost bounds a P-Mode file or a trust store.
const uploadMost = 16 << 20

// administration are the calls that change agreements and trust. All need an administrator.
func administration(base string) map[string]func(*call, http.ResponseWriter, *http.Request) error {
	out := map[string]func(*call, http.ResponseWriter, *http.Request) error{
		"GET " + base + "pmode/current": (*call).currentPMode,
		"GET " + base + "pmode/{id}":    (*call).pmodeFile,
		"POST " + base + "pmode":        (*call).uploadPMode,
	}
	for path, tls := range map[string]bool{"truststore": false, "tlstruststore": true} {
		out["GET "+base+path+"/download"] = func(c *call, w http.ResponseWriter, r *http.Request) error { return c.downloadTruststore(w, r, tls) }
		out["GET "+base+path+"/entries"] = func(c *call, w http.ResponseWriter, r *http.Request) error { return c.truststore(w, r, tls) }
		out["POST "+base+path] = func(c *call, w http.ResponseWriter, r *http.Request) error { return c.replaceTruststore(w, r, tls) }
		out["POST "+base+path+"/entries"] = func(c *call, w http.ResponseWriter, r *http.Request) error { return c.addTrusted(w, r, tls) }
		out["DELETE "+base+path+"/entries/{alias}"] = func(c *call, w http.ResponseWriter, r *http.Request) error { return c.dropTrusted(w, r, tls) }
	}
	return out
}

// form reads a file and the texts of a form.
func form(r *http.Request) (name string, octets []byte, texts map[string]string, err error) {
	bad := func(format string, args ...any) (string, []byte, map[string]string, error) {
		return "", nil, nil, &restError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return bad("the body is no multipart/form-data: %v", err)
	}
	texts = map[string]string{}
	for {
		p, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return bad("the form is not whole: %v", err)
		}
		b, err := uploaded(p)
		if err != nil {
			return bad("%s: %v", p.FormName(), err)
		}
		if p.FormName() == "file" {
			name, octets = p.FileName(), b
		} else if len(texts) < 20 && len(b) <= 1000 {
			texts[p.FormName()] = string(b)
		}
	}
	if len(octets) == 0 {
		return bad("the form has no file")
	}
	return name, octets, texts, nil
}

func uploaded(p *multipart.Part) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(p, uploadMost+1))
	if err == nil && len(b) > uploadMost {
		err = fmt.Errorf("longer than %d octets", uploadMost)
	}
	return b, err
}

func (c *call) currentPMode(w http.ResponseWriter, r *http.Request) error {
	list, err := c.s.Gateway.PModeFiles(r.Context())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return &restError{http.StatusNotFound, "no P-Mode file was uploaded: the agreements stand in the configuration"}
	}
	f := list[len(list)-1]
	return writeJSON(w, http.StatusOK, map[string]any{"id": f.ID, "current": true, "configurationDate": f.Time.Format("2006-01-02T15:04:05Z07:00"), "username": strings.TrimPrefix(f.User, "back office "), "description": f.Description})
}

func (c *call) pmodeFile(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return &restError{http.StatusBadRequest, "the id is a number"}
	}
	octets, err := c.s.Gateway.PModeFile(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return &restError{http.StatusNotFound, "there is no P-Mode file of this id"}
	}
	if err != nil {
		return err
	}
	return writeXML(w, octets)
}

// uploadPMode takes a file into use, or refuses it whole.
func (c *call) uploadPMode(w http.ResponseWriter, r *http.Request) error {
	type issue struct {
		Level   string `json:"level"`
		Message string `json:"message"`
	}
	type answer struct {
		Message string  `json:"message"`
		Issues  []issue `json:"issues"`
	}
	name, octets, texts, err := form(r)
	if err != nil {
		return err
	}
	warnings, err := c.s.Gateway.UploadPModes(r.Context(), name, texts["description"], octets)
	a := answer{Message: "PMode file has been successfully uploaded", Issues: []issue{}}
	var refused *UploadError
	if errors.As(err, &refused) {
		a.Message = "Failed to upload the PMode file due to: " + refused.Issues[0]
		for _, i := range refused.Issues {
			a.Issues = append(a.Issues, issue{"ERROR", i})
		}
		return writeJSON(w, http.StatusNotAcceptable, a)
	}
	if err != nil {
		return err
	}
	if len(warnings) > 0 {
		a.Message += " but some issues were detected:"
	}
	for _, i := range warnings {
		a.Issues = append(a.Issues, issue{"WARNING", i})
	}
	return writeJSON(w, http.StatusOK, a)
}

// truststore lists the certificates that are trusted.
func (c *call) truststore(w http.ResponseWriter, r *http.Request, tls bool) error {
	type entry struct {
		Name         string    `json:"name"`
		Subject      string    `json:"subject"`
		Issuer       string    `json:"issuer"`
		ValidFrom    time.Time `json:"validFrom"`
		ValidUntil   time.Time `json:"validUntil"`
		Fingerprints string    `json:"fingerprints"`
	}
	trusted, err := c.s.Gateway.Trusted(r.Context(), tls)
	if err != nil {
		return err
	}
	list := []entry{}
	for _, t := range trusted {
		k := t.Certificate
		list = append(list, entry{t.Name, k.Subject.String(), k.Issuer.String(), k.NotBefore, k.NotAfter, fmt.Sprintf("%x", k.Fingerprint())})
	}
	return writeJSON(w, http.StatusOK, list)
}

// storePassword is that of Java's own trust stores: the certificates are public, and the file is no secret.
const storePassword = "changeit"

// downloadTruststore gives all certificates that are trusted as one PKCS #12 file, by their aliases.
func (c *call) downloadTruststore(w http.ResponseWriter, r *http.Request, tls bool) error {
	trusted, err := c.s.Gateway.Trusted(r.Context(), tls)
	if err != nil {
		return err
	}
	var list []pkcs12.TrustStoreEntry
	taken := map[string]bool{}
	for _, t := range trusted {
		alias := t.Name
		for i := 2; alias == "" || taken[strings.ToLower(alias)]; i++ {
			alias = strings.TrimSpace(t.Name + " " + strconv.Itoa(i))
		}
		taken[strings.ToLower(alias)] = true
		list = append(list, pkcs12.TrustStoreEntry{FriendlyName: alias, Cert: &x509.Certificate{Raw: t.Certificate.Raw}})
	}
	b, err := pkcs12.Modern.EncodeTrustStoreEntries(list, storePassword)
	if err != nil {
		return err
	}
	name := "truststore.p12"
	if tls {
		name = "tlstruststore.p12"
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, err = w.Write(b)
	return err
}

func (c *call) addTrusted(w http.ResponseWriter, r *http.Request, tls bool) error {
	_, octets, texts, err := form(r)
	if err != nil {
		return err
	}
	alias := texts["alias"]
	if alias == "" {
		alias = r.URL.Query().Get("alias")
	}
	if alias == "" {
		return &restError{http.StatusBadRequest, "the form has no alias"}
	}
	certs, err := pki.LoadCertificates(octets, "")
	if err != nil || len(certs) == 0 {
		return &restError{http.StatusBadRequest, "the file holds no certificate"}
	}
	existing, err := c.s.Gateway.Trusted(r.Context(), tls)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(existing, func(t Trusted) bool { return strings.EqualFold(t.Name, alias) && t.Certificate.Equal(certs[0]) }) {
		return &restError{http.StatusConflict, "the certificate is there under this alias already"}
	}
	if err := c.s.Gateway.Trust(r.Context(), tls, Trusted{alias, certs[0]}); err != nil {
		return err
	}
	return writeText(w, "Certificate ["+alias+"] has been successfully added to the trust store.")
}

func (c *call) dropTrusted(w http.ResponseWriter, r *http.Request, tls bool) error {
	alias := r.PathValue("alias")
	err := c.s.Gateway.Distrust(r.Context(), tls, alias)
	if errors.Is(err, store.ErrNotFound) {
		return &restError{http.StatusNotFound, "there is no certificate of this alias that was added here: those of the configuration are changed there"}
	}
	if err != nil {
		return err
	}
	return writeText(w, "Certificate ["+alias+"] has been successfully removed from the trust store.")
}

// replaceTruststore takes all certificates of a key store, by their aliases.
func (c *call) replaceTruststore(w http.ResponseWriter, r *http.Request, tls bool) error {
	_, octets, texts, err := form(r)
	if err != nil {
		return err
	}
	list, err := entries(octets, texts["password"])
	if err != nil || len(list) == 0 {
		return &restError{http.StatusBadRequest, "the file is no trust store that opens with the password"}
	}
	if err := c.s.Gateway.TrustOnly(r.Context(), tls, list); err != nil {
		return err
	}
	return writeText(w, "Trust store has been successfully replaced: "+strconv.Itoa(len(list))+" certificates.")
}

// entries reads a key store; where it has no aliases, the common names take their place.
func entries(octets []byte, password string) (list []Trusted, err error) {
	stored, err := pki.LoadTrustStore(octets, password)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for i, k := range stored {
		alias := k.Alias
		if alias == "" {
			alias = strings.ToLower(k.Certificate.Subject.CommonName())
		}
		if alias == "" || taken[alias] {
			alias = strings.TrimSpace(alias + " " + strconv.Itoa(i+1))
		}
		taken[alias] = true
		list = append(list, Trusted{alias, k.Certificate})
	}
	return list, nil
}

func writeText(w http.ResponseWriter, s string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, err := io.WriteString(w, s)
	return err
}
