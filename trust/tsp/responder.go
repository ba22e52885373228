package tsp

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Responder is a time-stamping authority [RFC 3161 2, EN 319 422 5]. It keeps no state: uniqueness of serial numbers over restarts
// is that of the source given.
type Responder struct {
	Identity *pki.Identity // a certificate for time-stamping alone
	Policy   pki.OID       // under which time-stamps are issued
	Further  []pki.OID     // policies that may be asked for besides

	// Hashes are the digests taken; nil is SHA-256, 384, 512 and their SHA-3 kin [TS 119 312].
	Hashes    []crypto.Hash
	Accuracy  time.Duration // stated where above 0, in whole microseconds
	Precision time.Duration // of the time stated; default one second
	Ordering  bool          // time-stamps can be ordered whatever their accuracy; the Clock must see to it
	Qualified bool          // states that they are qualified [EN 319 422 9]
	NoName    bool          // leaves out the name of the authority

	// Clock tells the time, or that it is not known well enough: then nothing is issued. nil is the time of the machine.
	Clock func() (time.Time, error)
	// Serial gives a number that was never given before, of at most 160 bits. nil gives 127 random bits.
	Serial func() (*big.Int, error)
	// Issued is told of each time-stamp before it is given away; an error withholds it.
	Issued func(ctx context.Context, t *Token) error

	Hash crypto.Hash // of the signature; default that of [cms.Template]
	PSS  bool
	Rand io.Reader // nil is crypto/rand
}

// refusal is an answer without a time-stamp.
type refusal struct {
	failure Failure
	text    string
	cause   error // for the authority, not for who asks
}

func (r *refusal) Error() string { return "tsp: " + r.text }
func (r *refusal) Unwrap() error { return r.cause }

// Respond answers a request in DER. The answer always is a TimeStampResp; the error says, for the authority's own records, why it
// is a refusal.
func (r *Responder) Respond(ctx context.Context, request []byte) ([]byte, error) {
	q, err := ParseRequest(request)
	if err != nil {
		err = &refusal{BadDataFormat, "the request cannot be read", err}
	}
	var t *Token
	if err == nil {
		t, err = r.issue(ctx, q)
	}
	if err == nil {
		return (&Response{Status: Granted, Failure: NoFailure}).marshal(t.Raw), nil
	}
	no := &refusal{SystemFailure, "the authority cannot answer now", err}
	errors.As(err, &no)
	return (&Response{Status: Rejection, Failure: no.failure, Text: []string{no.text}}).marshal(nil), err
}

// Stamp makes a time-stamp without a request, for use within the program.
func (r *Responder) Stamp(ctx context.Context, hash crypto.Hash, imprint []byte) (*Token, error) {
	return r.issue(ctx, &Request{HashOID: pki.OIDByHash(hash), Hash: hash, Imprint: imprint, Certificates: true})
}

var defaultHashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512}

func (r *Responder) issue(ctx context.Context, q *Request) (*Token, error) {
	hashes := r.Hashes
	if hashes == nil {
		hashes = defaultHashes
	}
	policy := r.Policy
	switch {
	case q.Hash == 0 || !slices.Contains(hashes, q.Hash):
		return nil, &refusal{BadAlgorithm, fmt.Sprintf("digest %s is not taken here", q.HashOID), ErrHash}
	case len(q.Imprint) != q.Hash.Size():
		return nil, &refusal{BadDataFormat, fmt.Sprintf("a %s digest has %d octets, not %d", q.Hash, q.Hash.Size(), len(q.Imprint)), ErrHash}
	case q.Policy != "" && q.Policy != r.Policy && !slices.Contains(r.Further, q.Policy):
		return nil, &refusal{UnacceptedPolicy, fmt.Sprintf("policy %s is not served here", q.Policy), ErrPolicy}
	case q.Policy != "":
		policy = q.Policy
	}
	if len(q.Extensions) > 0 { // none is known, and one that is not served must be refused [RFC 3161 2.4.1]
		return nil, &refusal{UnacceptedExtension, fmt.Sprintf("extension %s is not served here", q.Extensions[0].ID), nil}
	}
	now, err := time.Now(), error(nil)
	if r.Clock != nil {
		now, err = r.Clock()
	}
	if err != nil {
		return nil, &refusal{TimeNotAvailable, "the time is not known well enough", err}
	}
	serial, err := r.serial()
	if err != nil {
		return nil, err
	}
	info, err := r.info(q, policy, serial, now)
	if err != nil {
		return nil, err
	}
	t, err := r.sign(info, q.Certificates)
	if err != nil {
		return nil, err
	}
	if r.Issued != nil {
		if err := r.Issued(ctx, t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (r *Responder) serial() (*big.Int, error) {
	if r.Serial == nil {
		random := r.Rand
		if random == nil {
			random = rand.Reader
		}
		var b [16]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, err
		}
		b[0] = b[0]&0x7f | 0x40
		return new(big.Int).SetBytes(b[:]), nil
	}
	n, err := r.Serial()
	if err == nil && (n == nil || n.Sign() < 0 || n.BitLen() > maxSerialBits) {
		err = errors.New("tsp: serial number is negative or above 160 bits")
	}
	return n, err
}

// info writes TSTInfo in DER.
func (r *Responder) info(q *Request, policy pki.OID, serial *big.Int, now time.Time) ([]byte, error) {
	precision := r.Precision
	if precision <= 0 {
		precision = time.Second
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		pki.AddOID(b, policy)
		addImprint(b, q.HashOID, q.Imprint)
		b.AddASN1BigInt(serial)
		b.AddASN1(asn1.GeneralizedTime, func(b *cryptobyte.Builder) {
			s := now.UTC().Truncate(precision).Format("20060102150405.000000000")
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".") // no trailing zeros of the fraction [RFC 3161 2.4.2]
			b.AddBytes([]byte(s + "Z"))
		})
		if us := r.Accuracy.Microseconds(); us > 0 {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if s := us / 1e6; s > 0 {
					b.AddASN1Int64(s)
				}
				for tag, n := range []int64{us / 1000 % 1000, us % 1000} {
					if n > 0 {
						b.AddASN1Int64WithTag(n, asn1.Tag(tag).ContextSpecific())
					}
				}
			})
		}
		if r.Ordering {
			b.AddASN1Boolean(true)
		}
		if q.Nonce != nil {
			b.AddASN1BigInt(q.Nonce)
		}
		if !r.NoName {
			b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
					b.AddBytes(r.Identity.Certificate.RawSubject)
				})
			})
		}
		if r.Qualified {
			var v cryptobyte.Builder
			v.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { pki.AddOID(b, oidQualified) })
			})
			addExtensions(b, asn1.Tag(1).ContextSpecific().Constructed(), []pki.Extension{{ID: oidQCs, Value: v.BytesOrPanic()}})
		}
	})
	return b.Bytes()
}

func (r *Responder) sign(info []byte, certificates bool) (*Token, error) {
	h := r.Hash
	if h == 0 {
		h = crypto.SHA256
	}
	named, err := cms.SigningCertificate(h, r.Identity.Certificate)
	if err != nil {
		return nil, err
	}
	p, err := cms.Template{Certificate: r.Identity.Certificate, Hash: r.Hash, PSS: r.PSS, Attributes: []cms.Attribute{named}}.
		Prepare(cms.ContentTSTInfo, cms.Bytes(info))
	if err != nil {
		return nil, err
	}
	s, err := p.Sign(r.Rand, r.Identity.Key)
	if err != nil {
		return nil, err
	}
	m, err := cms.New(cms.ContentTSTInfo, info)
	if err != nil {
		return nil, err
	}
	if certificates {
		m.AddCertificates(append([]*pki.Certificate{r.Identity.Certificate}, r.Identity.Chain...)...)
	}
	m.AddSigner(s)
	raw, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	i, err := ParseInfo(info)
	if err != nil {
		return nil, err
	}
	return &Token{Raw: raw, Message: m, Info: i}, nil
}

// ServeHTTP answers requests by POST [RFC 3161 3.4].
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "time-stamps are asked for by POST", http.StatusMethodNotAllowed)
		return
	}
	if kind := req.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/timestamp-query") {
		http.Error(w, "content of type application/timestamp-query expected", http.StatusUnsupportedMediaType)
		return
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxRequest))
	if err != nil {
		http.Error(w, "request is cut off or too large", http.StatusRequestEntityTooLarge)
		return
	}
	answer, _ := r.Respond(req.Context(), b)
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(answer)
}
