package csc

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	maxRequest   = 1 << 20
	maxHashes    = 100
	maxGrants    = 10_000 // access tokens and activation data at one time
	maxWrongPINs = 5      // in a row: then the key stays closed
	tokenTime    = time.Hour
	sadTime      = 5 * time.Minute
)

// ServedKey is a key that a [Server] signs with.
type ServedKey struct {
	ID       string
	Identity *pki.Identity
	PIN      string   // that authorises its use; "": the access token alone does
	Bound    bool     // SCAL 2: activation data are for the hashes that were named, and no others
	Users    []string // who may use it; nil: everybody who is logged in
}

// Server answers the API under any prefix: it looks at the last two steps of the path, as credentials/info. Its fields are set before
// the first request. What it grants is kept in memory and gone when it ends.
type Server struct {
	Name, Description string
	Keys              []*ServedKey
	// Login tells whether a user's password is right. Access tokens that come from elsewhere are known to User.
	Login func(user, password string) bool
	// User returns whose access token of OAuth 2.0 it is; nil: only those from logging in are known.
	User func(r *http.Request, token string) (user string, ok bool)
	// Signed records what a key signs for a user; nothing leaves when it cannot. WrongPIN is told of each wrong PIN. nil: nobody is told.
	Signed   func(ctx context.Context, user, key string, hashes [][]byte) error
	WrongPIN func(key string)

	Clock func() time.Time // default time.Now
	Rand  io.Reader        // default crypto/rand

	mu     sync.Mutex
	grants map[[sha256.Size]byte]*grant
	wrong  map[string]int // PINs in a row, by key
}

// grant is an access token or signature activation data.
type grant struct {
	user   string
	until  time.Time
	key    string // of activation data
	left   int    // signatures
	hashes [][]byte
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := s.serve(w, r)
	status := http.StatusOK
	if err != nil {
		status = err.Status
		out = map[string]string{"error": err.Code, "error_description": err.Description}
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // who went away has no answer
}

func refuse(status int, code, format string, a ...any) *Error {
	return &Error{Status: status, Code: code, Description: fmt.Sprintf(format, a...)}
}

func bad(format string, a ...any) *Error {
	return refuse(http.StatusBadRequest, InvalidRequest, format, a...)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) (any, *Error) {
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, InvalidRequest, "POST is what is answered")
	}
	steps := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	method := steps[len(steps)-1]
	if method == "info" && (len(steps) == 1 || steps[len(steps)-2] != "credentials") {
		return s.info(), nil
	}
	if len(steps) > 1 {
		method = steps[len(steps)-2] + "/" + method
	}
	if method == "auth/login" {
		return s.login(r)
	}
	user, err := s.user(r)
	if err != nil {
		return nil, err
	}
	read := func(to any) *Error {
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
			return bad("the request is not application/json")
		}
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		if err := d.Decode(to); err != nil {
			return bad("the request is no JSON of this method")
		}
		return nil
	}
	switch method {
	case "credentials/list":
		var q listRequest
		if err := read(&q); err != nil {
			return nil, err
		}
		return s.list(user, &q), nil
	case "credentials/info":
		var q infoRequest
		if err := read(&q); err != nil {
			return nil, err
		}
		k, err := s.key(user, q.CredentialID)
		if err != nil {
			return nil, err
		}
		return s.describe(k, q.Certificates), nil
	case "credentials/authorize":
		var q AuthorizeRequest
		if err := read(&q); err != nil {
			return nil, err
		}
		return s.authorize(user, &q)
	case "signatures/signHash":
		var q SignHashRequest
		if err := read(&q); err != nil {
			return nil, err
		}
		return s.sign(r.Context(), user, &q)
	}
	return nil, refuse(http.StatusNotFound, InvalidRequest, "there is no method %s", method)
}

func (s *Server) now() time.Time {
	if s.Clock != nil {
		return s.Clock()
	}
	return time.Now()
}

// grant keeps what is granted and returns the secret that stands for it; only its hash is kept.
func (s *Server) grant(g *grant) (string, *Error) {
	random := s.Rand
	if random == nil {
		random = rand.Reader
	}
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", refuse(http.StatusInternalServerError, ServerError, "no randomness")
	}
	secret := base64.RawURLEncoding.EncodeToString(b[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grants == nil {
		s.grants = map[[sha256.Size]byte]*grant{}
	}
	if len(s.grants) >= maxGrants {
		now := s.now()
		for k, g := range s.grants {
			if now.After(g.until) {
				delete(s.grants, k)
			}
		}
		if len(s.grants) >= maxGrants {
			return "", refuse(http.StatusTooManyRequests, ServerError, "too much is granted at one time")
		}
	}
	s.grants[sha256.Sum256([]byte(secret))] = g
	return secret, nil
}

// granted finds what a secret stands for. The caller holds the lock.
func (s *Server) granted(secret string) *grant {
	g := s.grants[sha256.Sum256([]byte(secret))]
	if g == nil || s.now().After(g.until) {
		return nil
	}
	return g
}

func (s *Server) info() *Info {
	out := &Info{
		Specs: "2.0.0.0", Name: s.Name, Region: "EU", Lang: "en", Description: s.Description, AuthType: []string{},
		Methods: []string{"info", "credentials/list", "credentials/info", "credentials/authorize", "signatures/signHash"},
	}
	if s.Login != nil {
		out.AuthType = append(out.AuthType, "basic")
		out.Methods = append(out.Methods, "auth/login")
	}
	if s.User != nil {
		out.AuthType = append(out.AuthType, "external")
	}
	return out
}

func (s *Server) login(r *http.Request) (any, *Error) {
	user, password, ok := r.BasicAuth()
	if !ok || s.Login == nil || !s.Login(user, password) {
		return nil, refuse(http.StatusUnauthorized, "authentication_error", "user or password is wrong")
	}
	token, err := s.grant(&grant{user: user, until: s.now().Add(tokenTime)})
	if err != nil {
		return nil, err
	}
	return loginResponse{token, int(tokenTime / time.Second)}, nil
}

func (s *Server) user(r *http.Request) (string, *Error) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(kind, "Bearer") && token != "" {
		s.mu.Lock()
		g := s.granted(token)
		s.mu.Unlock()
		if g != nil && g.key == "" {
			return g.user, nil
		}
		if s.User != nil {
			if user, ok := s.User(r, token); ok {
				return user, nil
			}
		}
	}
	return "", refuse(http.StatusUnauthorized, InvalidToken, "the access token is missing, unknown or too old")
}

func (k *ServedKey) allows(user string) bool { return k.Users == nil || slices.Contains(k.Users, user) }

// key finds a key; one that the user may not use is as unknown as one that does not exist.
func (s *Server) key(user, id string) (*ServedKey, *Error) {
	for _, k := range s.Keys {
		if k.ID == id && k.allows(user) {
			return k, nil
		}
	}
	return nil, bad("credentialID is not known")
}

func (s *Server) list(user string, q *listRequest) listResponse {
	out := listResponse{CredentialIDs: []string{}}
	for _, k := range s.Keys {
		if !k.allows(user) {
			continue
		}
		out.CredentialIDs = append(out.CredentialIDs, k.ID)
		if q.CredentialInfo {
			c := s.describe(k, q.Certificates)
			c.ID = k.ID
			out.CredentialInfos = append(out.CredentialInfos, *c)
		}
	}
	return out
}

func (s *Server) closed(k *ServedKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong[k.ID] >= maxWrongPINs
}

func (s *Server) describe(k *ServedKey, certificates string) *Credential {
	cert := k.Identity.Certificate
	out := &Credential{
		Key:  KeyInfo{Status: "enabled", Len: pki.KeyBits(cert.PublicKey)},
		Auth: Auth{Mode: "implicit"}, SCAL: "1", MultiSign: maxHashes,
		Cert: Certificate{
			Status: "valid", IssuerDN: cert.Issuer.String(), SubjectDN: cert.Subject.String(), SerialNumber: fmt.Sprintf("%X", cert.SerialNumber),
			ValidFrom: cert.NotBefore.UTC().Format("20060102150405Z"), ValidTo: cert.NotAfter.UTC().Format("20060102150405Z"),
		},
	}
	switch now := s.now(); {
	case s.closed(k):
		out.Key.Status = "disabled"
	case now.After(cert.NotAfter):
		out.Cert.Status = "expired"
	}
	switch cert.PublicKey.(type) {
	case *rsa.PublicKey:
		out.Key.Algo = []pki.OID{oidRSA, "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13", oidPSS}
	case *ecdsa.PublicKey:
		out.Key.Algo = []pki.OID{oidEC, "1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4"}
	}
	if k.Bound {
		out.SCAL = "2"
	}
	if k.PIN != "" {
		out.Auth = Auth{Mode: "explicit", Expression: "PIN", Objects: []AuthObject{{Type: "Password", ID: "PIN", Format: "A", Label: "PIN"}}}
	}
	switch certificates {
	case "none":
	case "chain":
		for _, c := range k.Identity.Chain {
			out.Cert.Certificates = append(out.Cert.Certificates, c.Raw)
		}
		fallthrough
	default:
		out.Cert.Certificates = append([][]byte{cert.Raw}, out.Cert.Certificates...)
	}
	return out
}

const oidPSS pki.OID = "1.2.840.113549.1.1.10"

func (s *Server) authorize(user string, q *AuthorizeRequest) (any, *Error) {
	k, err := s.key(user, q.CredentialID)
	switch {
	case err != nil:
		return nil, err
	case q.NumSignatures < 1 || q.NumSignatures > maxHashes:
		return nil, bad("numSignatures is from 1 to %d", maxHashes)
	case len(q.Hashes) > q.NumSignatures:
		return nil, bad("more hashes than numSignatures")
	case k.Bound && len(q.Hashes) == 0:
		return nil, bad("this key is authorised for hashes, and none is named")
	}
	if err := s.checkPIN(k, q.AuthData); err != nil {
		return nil, err
	}
	g := &grant{user: user, until: s.now().Add(sadTime), key: k.ID, left: q.NumSignatures}
	if k.Bound {
		g.hashes = q.Hashes
	}
	sad, err := s.grant(g)
	if err != nil {
		return nil, err
	}
	return authorizeResponse{SAD: sad, ExpiresIn: int(sadTime / time.Second)}, nil
}

func (s *Server) checkPIN(k *ServedKey, data []AuthData) *Error {
	if k.PIN == "" {
		return nil
	}
	given := ""
	for _, d := range data {
		if d.ID == "PIN" {
			given = d.Value
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrong == nil {
		s.wrong = map[string]int{}
	}
	if s.wrong[k.ID] >= maxWrongPINs {
		return refuse(http.StatusBadRequest, AccessDenied, "too many wrong PINs: the key is closed")
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(k.PIN)) != 1 {
		s.wrong[k.ID]++
		if s.WrongPIN != nil {
			s.WrongPIN(k.ID)
		}
		return refuse(http.StatusBadRequest, InvalidPIN, "the PIN is wrong")
	}
	s.wrong[k.ID] = 0
	return nil
}

// use takes signatures out of what activation data grant.
func (s *Server) use(user string, k *ServedKey, q *SignHashRequest) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.granted(q.SAD)
	if g == nil || g.key != k.ID || g.user != user || g.left < len(q.Hashes) {
		return refuse(http.StatusBadRequest, InvalidSAD, "SAD is unknown, too old, used up or for another key")
	}
	if k.Bound {
		rest := slices.Clone(g.hashes)
		for _, h := range q.Hashes {
			i := slices.IndexFunc(rest, func(x []byte) bool { return subtle.ConstantTimeCompare(x, h) == 1 })
			if i < 0 {
				return refuse(http.StatusBadRequest, InvalidSAD, "a hash that was not authorised")
			}
			rest = slices.Delete(rest, i, i+1)
		}
		g.hashes = rest
	}
	if g.left -= len(q.Hashes); g.left == 0 {
		delete(s.grants, sha256.Sum256([]byte(q.SAD)))
	}
	return nil
}

func (s *Server) sign(ctx context.Context, user string, q *SignHashRequest) (any, *Error) {
	k, err := s.key(user, q.CredentialID)
	switch {
	case err != nil:
		return nil, err
	case len(q.Hashes) == 0 || len(q.Hashes) > maxHashes:
		return nil, bad("hashes are from 1 to %d", maxHashes)
	case q.OperationMode != "" && q.OperationMode != "S":
		return nil, bad("operationMode S is the only one")
	}
	alg, err := k.algorithm(q)
	if err != nil {
		return nil, err
	}
	for _, h := range q.Hashes {
		if len(h) != alg.Hash.Size() {
			return nil, bad("a hash of %d octets where %s has %d", len(h), alg.Hash, alg.Hash.Size())
		}
	}
	if err := s.use(user, k, q); err != nil {
		return nil, err
	}
	out := signHashResponse{}
	for _, h := range q.Hashes {
		value, err := alg.SignDigest(s.Rand, k.Identity.Key, h)
		if err != nil {
			return nil, refuse(http.StatusInternalServerError, ServerError, "the key does not sign")
		}
		out.Signatures = append(out.Signatures, value)
	}
	if s.Signed != nil {
		if err := s.Signed(ctx, user, k.ID, q.Hashes); err != nil {
			return nil, refuse(http.StatusInternalServerError, ServerError, "what is signed cannot be recorded")
		}
	}
	return out, nil
}

// algorithm is what signAlgo, signAlgoParams and hashAlgorithmOID say together, held against the key.
func (k *ServedKey) algorithm(q *SignHashRequest) (pki.SignatureAlgorithm, *Error) {
	hash := pki.HashByOID(q.HashAlgorithm)
	pss := q.SignAlgorithm == oidPSS
	if q.SignAlgorithm != oidRSA && q.SignAlgorithm != oidEC {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			pki.AddOID(b, q.SignAlgorithm)
			b.AddBytes(q.Parameters)
		})
		der, err := b.Bytes()
		if err != nil {
			return pki.SignatureAlgorithm{}, bad("signAlgo is no OID")
		}
		named, err := pki.ParseSignatureAlgorithm(der)
		if err != nil || named.Hash == 0 || hash != 0 && hash != named.Hash {
			return named, bad("signAlgo is not known, or it has another hash than hashAlgorithmOID")
		}
		if hash = named.Hash; pss && (named.MGFHash != hash || named.SaltLength != hash.Size()) {
			return named, bad("of RSA-PSS only MGF1 with the same hash and a salt as long as it is made")
		}
	}
	if hash == 0 {
		return pki.SignatureAlgorithm{}, bad("the hash is not known")
	}
	alg, err := pki.SigningAlgorithm(k.Identity.Certificate.PublicKey, hash, pss)
	if err != nil || q.SignAlgorithm != alg.OID && q.SignAlgorithm != bareOID(alg) {
		return alg, bad("the key does not sign with signAlgo")
	}
	return alg, nil
}

// bareOID is the identifier of the key beside which the hash is named.
func bareOID(alg pki.SignatureAlgorithm) pki.OID {
	switch alg.Scheme {
	case pki.SchemeRSA:
		return oidRSA
	case pki.SchemeECDSA:
		return oidEC
	}
	return alg.OID
}
