// Package signing makes, extends and judges signatures for other programs, with the paths and the JSON of the web services of
// the Digital Signature Service [DSS-REST], so that a client that was built for those works unchanged.
//
// The service remembers nothing between two requests, and logs no content. What a request asks for and the service does not do
// is refused by name, never left out in silence.
package signing

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// Settings is the section signatures of the configuration.
type Settings struct {
	Listen      config.Listen `yaml:"listen" example:"127.0.0.1:8482" doc:"Address on which other programs may have documents signed, extended and judged, as the web services of DSS do. It asks for no token, and signs with the keys below for whoever reaches it: for this machine, or behind a proxy that asks. Default: not served."`
	Keys        []Key         `yaml:"keys" doc:"Keys with which the service signs."`
	TSA         config.URL    `yaml:"tsa" example:"https://tsa.example.eu" doc:"Address of the time-stamping authority, for the levels above B."`
	Fetch       bool          `yaml:"fetch" doc:"Fetch missing certificates, revocation lists and OCSP responses from where certificates say they are."`
	Remote      []RemoteKey   `yaml:"remote" doc:"Keys with which persons sign from elsewhere, by the API of the Cloud Signature Consortium, below /csc/v2 of the API's listener. Default: not served."`
	MaxDocument config.Size   `yaml:"maxDocument" default:"100MiB" min:"1KiB" max:"1GiB" doc:"Largest document that the service and the console take."`
}

// Key is one with which the service signs.
type Key struct {
	Alias       string        `yaml:"alias" required:"true" example:"seal" doc:"Name by which programs ask for the key."`
	File        config.Path   `yaml:"file" required:"true" example:"keys/seal.p12" doc:"PEM or PKCS#12 file with private key, certificate and chain."`
	Password    config.Secret `yaml:"password" example:"file:keys/seal.pass" doc:"Password of the file."`
	Certificate config.Path   `yaml:"certificate" doc:"Certificate and chain where the key file has none."`
}

// RemoteKey is one with which persons sign from elsewhere.
type RemoteKey struct {
	ID          string        `yaml:"id" required:"true" example:"ada" doc:"Name of the credential."`
	File        config.Path   `yaml:"file" required:"true" example:"keys/ada.p12" doc:"PEM or PKCS#12 file with private key, certificate and chain."`
	Password    config.Secret `yaml:"password" example:"file:keys/ada.pass" doc:"Password of the file."`
	Certificate config.Path   `yaml:"certificate" doc:"Certificate and chain where the key file has none."`
	PIN         config.Secret `yaml:"pin" example:"file:keys/ada.pin" doc:"What its owner gives before each use; after five wrong ones in a row the key is closed until the node is started again. Default: the token alone is enough."`
	Unbound     bool          `yaml:"unbound" doc:"One PIN allows as many signatures as were asked for, whatever they are over. Default: over the hashes that were named with it, and no others (sole control, SCAL2)."`
	Tokens      []string      `yaml:"tokens" required:"true" example:"[ada]" doc:"Names of the tokens that may use it; they need the scope sign as well."`
}

// SigningKey is a key that is at hand.
type SigningKey struct {
	Alias string
	*pki.Identity
}

// Options of a Service.
type Options struct {
	Keys    []SigningKey
	Stamper tsp.Stamper           // nil: no level above B
	Known   func() gather.Options // whom the node trusts, and revocation data; nil: nobody
	// Fetch adds to what is known what a document still needs; nil: nothing is fetched.
	Fetch       func(context.Context, *gather.Result, gather.Options) (gather.Options, error)
	Clock       func() time.Time // nil: time.Now
	MaxDocument int64            // default 100 MiB
	Concurrent  int              // requests worked on at a time; default 2 for each processor
	Longest     time.Duration    // for one request; default 1 minute
}

// Service signs and judges.
type Service struct {
	opt   Options
	slots chan struct{}
}

// New makes a service.
func New(opt Options) *Service {
	if opt.Known == nil {
		opt.Known = func() gather.Options { return gather.Options{} }
	}
	known, signatures := opt.Known, &pki.SignatureCache{}
	opt.Known = func() gather.Options {
		o := known()
		o.Signatures = signatures
		return o
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.MaxDocument == 0 {
		opt.MaxDocument = 100 << 20
	}
	if opt.Concurrent == 0 {
		opt.Concurrent = 2 * runtime.GOMAXPROCS(0)
	}
	if opt.Longest == 0 {
		opt.Longest = time.Minute
	}
	if opt.Stamper != nil {
		opt.Stamper = upstream{opt.Stamper}
	}
	return &Service{opt: opt, slots: make(chan struct{}, opt.Concurrent)}
}

// problem is an answer that refuses.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string { return p.Detail }

func refuse(status int, format string, args ...any) error {
	return &problem{status, http.StatusText(status), fmt.Sprintf(format, args...)}
}

// statusOf is how an error of the packages below is answered.
func statusOf(err error) *problem {
	var p *problem
	var large *http.MaxBytesError
	status := http.StatusUnprocessableEntity
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
		err = fmt.Errorf("the request is larger than %d octets", large.Limit)
	case errors.Is(err, ades.ErrParams):
		status = http.StatusBadRequest
	case errors.Is(err, ades.ErrNoStamper):
		status = http.StatusNotImplemented
		err = errors.New("levels above B and time-stamps need a time-stamping authority: signatures.tsa in the configuration")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		status = http.StatusServiceUnavailable
		err = errors.New("the time for one request is over")
	}
	return &problem{status, http.StatusText(status), err.Error()}
}

// Handler serves everything below /services/rest.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	documentData, documentSign := twoSteps(s.document)
	counterData, counterSign := twoSteps(s.counter)
	messageData, messageSign := twoSteps(s.message)
	listData, listSign := twoSteps(s.list)
	for path, h := range map[string]operation{
		"signature/one-document/getDataToSign":               documentData,
		"signature/one-document/signDocument":                documentSign,
		"signature/one-document/extendDocument":              s.extendDocument,
		"signature/one-document/getDataToBeCounterSigned":    counterData,
		"signature/one-document/counterSignSignature":        counterSign,
		"signature/multiple-documents/getDataToSign":         documentData,
		"signature/multiple-documents/getDataToSignMultiple": documentData,
		"signature/multiple-documents/signDocument":          documentSign,
		"signature/multiple-documents/extendDocument":        s.extendDocument,
		"signature/one-document/timestampDocument":           s.timestampDocument,
		"signature/multiple-documents/timestampDocument":     s.timestampDocument,
		"signature/external-cms/getDataToSign":               messageData,
		"signature/external-cms/signMessageDigest":           messageSign,
		"signature/pades-external-cms/getMessageDigest":      s.pdfDigest,
		"signature/pades-external-cms/signDocument":          s.signPDF,
		"signature/trusted-list/getDataToSign":               listData,
		"signature/trusted-list/signDocument":                listSign,
		"validation/validateSignature":                       s.validateSignature,
		"validation/getOriginalDocuments":                    s.originalDocuments,
		"certificate-validation/validateCertificate":         s.validateCertificate,
		"timestamp-service/getTimestampResponse":             s.timestampResponse,
	} {
		mux.HandleFunc("POST /services/rest/"+path, s.answer(func(r *http.Request) (any, error) {
			return h(r.Context(), json.NewDecoder(r.Body))
		}))
	}
	mux.HandleFunc("GET /services/rest/server-signing/keys", s.answer(s.keys))
	mux.HandleFunc("GET /services/rest/server-signing/key/{alias}", s.answer(s.key))
	for _, path := range []string{"sign/{alias}/{digest}", "sign-with-signature-algo/{alias}/{algorithm}", "sign-digest/{alias}", "sign-digest-with-signature-algo/{alias}/{algorithm}"} {
		mux.HandleFunc("POST /services/rest/server-signing/"+path, s.answer(s.serverSign))
	}
	mux.HandleFunc("POST /services/rest/batch/validate", s.batch)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		write(w, http.StatusNotFound, &problem{http.StatusNotFound, "Not Found", r.Method + " " + r.URL.Path + " is no operation of this service"})
	})
	// Nobody's web page may have things signed by a service on the machine of who looks at it.
	return http.NewCrossOriginProtection().Handler(mux)
}

func write(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(answer)
}

// enter waits for a slot.
func (s *Service) enter(ctx context.Context) (leave func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer bounds a request in time and octets and writes what becomes of it.
func (s *Service) answer(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.opt.Longest)
		defer cancel()
		r = r.WithContext(ctx)
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && kind != "application/json" {
			p := &problem{http.StatusUnsupportedMediaType, "Unsupported Media Type", "content of type application/json expected"}
			write(w, p.Status, p)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, s.opt.MaxDocument/3*4+1<<20) // base64, and what stands around it
		leave, err := s.enter(ctx)
		var out any
		if err == nil {
			defer leave()
			out, err = do(r)
		}
		if err != nil {
			p := statusOf(err)
			write(w, p.Status, p)
			return
		}
		write(w, http.StatusOK, out)
	}
}

// read decodes a request. Keys that it does not know are no error: clients of later versions send them with null.
func read[T any](d *json.Decoder) (*T, error) {
	var in T
	if err := d.Decode(&in); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		return nil, refuse(http.StatusBadRequest, "the request is not the JSON that is expected: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(http.StatusBadRequest, "there is more behind the JSON of the request")
	}
	return &in, nil
}

// Document is content that travels in JSON.
type Document struct {
	Bytes           []byte  `json:"bytes"`
	DigestAlgorithm *string `json:"digestAlgorithm"` // set: bytes are the digest of content that stays elsewhere
	Name            string  `json:"name"`
}

// Bytes is a name for octets that DSS wraps.
type octets struct {
	Bytes []byte `json:"bytes"`
}

func (d *Document) document() (xades.Document, error) {
	if d.DigestAlgorithm == nil {
		x := xades.Bytes(d.Name, typeOf(d.Name, d.Bytes), d.Bytes)
		return x, nil
	}
	h, err := hashOf(*d.DigestAlgorithm)
	if err != nil {
		return xades.Document{}, err
	}
	if len(d.Bytes) != h.Size() {
		return xades.Document{}, refuse(http.StatusBadRequest, "%s: %d octets are no digest of %s", d.Name, len(d.Bytes), *d.DigestAlgorithm)
	}
	return xades.Document{Name: d.Name, MimeType: mediatype.Of(d.Name), Digests: map[crypto.Hash][]byte{h: d.Bytes}}, nil
}

// typeOf a document: XML is known by how it begins, whatever its name.
func typeOf(name string, b []byte) string {
	if strings.HasPrefix(strings.TrimLeft(string(b[:min(len(b), 64)]), "\ufeff \t\r\n"), "<") {
		return "application/xml"
	}
	return mediatype.Of(name)
}

var hashes = map[string]crypto.Hash{
	"SHA1": crypto.SHA1, "SHA224": crypto.SHA224, "SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512,
	"SHA3-224": crypto.SHA3_224, "SHA3-256": crypto.SHA3_256, "SHA3-384": crypto.SHA3_384, "SHA3-512": crypto.SHA3_512,
	"SHA3_224": crypto.SHA3_224, "SHA3_256": crypto.SHA3_256, "SHA3_384": crypto.SHA3_384, "SHA3_512": crypto.SHA3_512,
}

func hashOf(name string) (crypto.Hash, error) {
	h, ok := hashes[name]
	if !ok || !h.Available() {
		return 0, refuse(http.StatusBadRequest, "there is no digest algorithm %q here", name)
	}
	return h, nil
}

// upstream tells that it was the authority that failed.
type upstream struct{ tsp.Stamper }

// Stamp implements tsp.Stamper.
func (u upstream) Stamp(ctx context.Context, h crypto.Hash, sum []byte) (*tsp.Token, error) {
	t, err := u.Stamper.Stamp(ctx, h, sum)
	if err != nil && ctx.Err() == nil {
		err = refuse(http.StatusBadGateway, "the time-stamping authority: %v", err)
	}
	return t, err
}
