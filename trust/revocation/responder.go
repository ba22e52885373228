package revocation

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Authority is one issuer that a responder answers for.
type Authority struct {
	Issuer *pki.Certificate
	// Identity signs: the issuer itself, or a responder that it certified for this, with the extended key usage OCSPSigning and the
	// extension [OCSPNoCheck].
	Identity *pki.Identity
	Source   Source
}

// Responder answers questions about certificates [RFC 6960]. As a handler it must see the path as it was sent: an
// http.ServeMux before it makes one slash of two, and a question asked by GET may hold two.
type Responder struct {
	Authorities []Authority
	Clock       func() time.Time // default time.Now
	Validity    time.Duration    // until the next answer; default one hour
	MaxList     int              // questions in one request; default 16
	Hash        crypto.Hash      // of the signature; default SHA-256
	Rand        io.Reader        // nil is crypto/rand
}

// Answers that are no answers [RFC 6960 4.2.1].
const (
	statusMalformed    = 1
	statusInternal     = 2
	statusTryLater     = 3
	statusUnauthorized = 6
)

// ErrTryLater is what a [Source] returns that cannot answer now; other errors are internal ones.
var ErrTryLater = errors.New("revocation: try later")

type refused struct {
	status uint8
	cause  error
}

func (r *refused) Error() string {
	return fmt.Sprintf("revocation: refused with status %d: %v", r.status, r.cause)
}
func (r *refused) Unwrap() error { return r.cause }

// Respond answers a request in DER. The answer always is an OCSPResponse; the error says, for the authority's own records, why it is
// none about certificates.
func (r *Responder) Respond(ctx context.Context, request []byte) ([]byte, error) {
	answer, _, err := r.respond(ctx, request)
	return answer, err
}

func (r *Responder) respond(ctx context.Context, request []byte) (answer []byte, until time.Time, err error) {
	q, err := ParseRequest(request)
	limit := r.MaxList
	if limit <= 0 {
		limit = 16
	}
	if err == nil && (len(q.Certificates) > limit || len(q.Nonce) > maxNonce) {
		err = malformed("too many certificates, or too long a nonce")
	}
	if err != nil {
		err = &refused{statusMalformed, err}
	} else {
		answer, until, err = r.answer(ctx, q)
	}
	if err == nil {
		return answer, until, nil
	}
	no := &refused{statusInternal, err}
	errors.As(err, &no)
	if no.status == statusInternal && errors.Is(err, ErrTryLater) {
		no.status = statusTryLater
	}
	return []byte{0x30, 3, 0x0a, 1, no.status}, time.Time{}, err
}

func (r *Responder) authority(id CertID) *Authority {
	for i := range r.Authorities {
		if id.By(r.Authorities[i].Issuer) {
			return &r.Authorities[i]
		}
	}
	return nil
}

func (r *Responder) answer(ctx context.Context, q *Request) ([]byte, time.Time, error) {
	now := time.Now()
	if r.Clock != nil {
		now = r.Clock()
	}
	now = now.UTC().Truncate(time.Second)
	validity := r.Validity
	if validity <= 0 {
		validity = time.Hour
	}
	until := now.Add(validity)
	var who *Authority
	statuses := make([]Status, len(q.Certificates))
	for i, id := range q.Certificates {
		a := r.authority(id)
		if a == nil || who != nil && a.Identity != who.Identity {
			continue // unknown: another responder answers for it
		}
		who = a
		var err error
		if statuses[i], err = a.Source.Status(ctx, id.SerialNumber); err != nil {
			return nil, until, err
		}
	}
	if who == nil {
		return nil, until, &refused{statusUnauthorized, errors.New("none of the certificates is of an authority served here")}
	}
	hash := r.Hash
	if hash == 0 {
		hash = crypto.SHA256
	}
	signer := who.Identity
	alg, err := pki.SigningAlgorithm(signer.Certificate.PublicKey, hash, false)
	if err != nil {
		return nil, until, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // ResponseData
		b.AddASN1(asn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(signer.Certificate.HashKey(crypto.SHA1))
		})
		b.AddASN1GeneralizedTime(now)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for i, id := range q.Certificates {
				addSingle(b, id, statuses[i], now, until)
			}
		})
		if q.Nonce != nil {
			b.AddASN1(asn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						pki.AddOID(b, oidNonce)
						b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(q.Nonce) })
					})
				})
			})
		}
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, until, err
	}
	signature, err := alg.Sign(r.Rand, signer.Key, tbs)
	if err != nil {
		return nil, until, err
	}
	return marshalResponse(tbs, alg.Raw, signature, signer.Certificate, who.Issuer), until, nil
}

func addSingle(b *cryptobyte.Builder, id CertID, s Status, now, until time.Time) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(id.raw)
		switch s.State {
		case pki.RevocationGood:
			b.AddASN1(asn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
		case pki.RevocationRevoked:
			b.AddASN1(asn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(s.RevokedAt.UTC().Truncate(time.Second))
				if s.Reason != pki.ReasonUnspecified {
					b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(s.Reason)) })
				}
			})
		default:
			b.AddASN1(asn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
		}
		b.AddASN1GeneralizedTime(now)
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(until) })
	})
}

func marshalResponse(tbs, alg, signature []byte, signer, issuer *pki.Certificate) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				pki.AddOID(b, oidBasic)
				b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddBytes(tbs)
						b.AddBytes(alg)
						b.AddASN1BitString(signature)
						if !signer.Equal(issuer) { // a delegated responder must show itself
							b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
								b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(signer.Raw) })
							})
						}
					})
				})
			})
		})
	})
	return b.BytesOrPanic() // made of parts that are encoded already
}

// ServeHTTP answers by POST, and by GET with the request in the path [RFC 6960 A.1]. Answers to GET may be kept by caches until the
// next one is due [RFC 5019 6].
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var der []byte
	var err error
	switch req.Method {
	case http.MethodPost:
		if kind := req.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/ocsp-request") {
			http.Error(w, "content of type application/ocsp-request expected", http.StatusUnsupportedMediaType)
			return
		}
		if der, err = io.ReadAll(http.MaxBytesReader(w, req.Body, maxRequest)); err != nil {
			http.Error(w, "request is cut off or too large", http.StatusRequestEntityTooLarge)
			return
		}
	case http.MethodGet, http.MethodHead:
		der = fromPath(req.URL)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "certificates are asked about by POST or GET", http.StatusMethodNotAllowed)
		return
	}
	answer, until, err := r.respond(req.Context(), der)
	h := w.Header()
	h.Set("Content-Type", "application/ocsp-response")
	if err == nil && req.Method != http.MethodPost {
		tag := sha256.Sum256(answer)
		now := time.Now()
		if r.Clock != nil {
			now = r.Clock()
		}
		h.Set("ETag", `"`+hex.EncodeToString(tag[:16])+`"`)
		h.Set("Last-Modified", now.UTC().Format(http.TimeFormat))
		h.Set("Expires", until.UTC().Format(http.TimeFormat))
		h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", int(until.Sub(now).Seconds())))
	} else {
		h.Set("Cache-Control", "no-store")
	}
	w.Write(answer)
}

// fromPath takes the last part of the path, in base64 that may hold slashes; empty where there is none. Clients differ in how
// they escape.
func fromPath(u *url.URL) []byte {
	path := strings.TrimLeft(u.Path, "/")
	for {
		s := strings.ReplaceAll(path, " ", "+")
		if b, err := base64.StdEncoding.DecodeString(s); err == nil && len(b) > 0 && b[0] == byte(asn1.SEQUENCE) {
			return b
		}
		_, rest, ok := strings.Cut(path, "/")
		if !ok {
			return nil
		}
		path = rest
	}
}
