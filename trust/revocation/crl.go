package revocation

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Entry is one line of a list.
type Entry struct {
	SerialNumber *big.Int
	RevokedAt    time.Time
	Reason       pki.Reason
}

// List is a certificate revocation list to be made [RFC 5280 5].
type List struct {
	Number                 *big.Int // greater than that of the list before
	ThisUpdate, NextUpdate time.Time
	Entries                []Entry
	// ExpiredFrom says since when certificates stay on the list after they expired (the extension ExpiredCertsOnCRL of X.509); zero where they do not.
	ExpiredFrom time.Time
	// DistributionPoint is where the list is published, where only a part of all certificates is on it; "" for all.
	DistributionPoint string
}

// Sign makes the list in DER. hash 0 is SHA-256; random nil is crypto/rand.
func (l *List) Sign(random io.Reader, issuer *pki.Identity, hash crypto.Hash) ([]byte, error) {
	if hash == 0 {
		hash = crypto.SHA256
	}
	c := issuer.Certificate
	if c.HasKeyUsage && c.KeyUsage&pki.UseCRLSign == 0 {
		return nil, fmt.Errorf("%w: %q may not sign lists [RFC 5280 4.2.1.3]", pki.ErrKeyUsage, c.Subject)
	}
	if l.Number == nil || l.Number.Sign() < 0 || !l.NextUpdate.After(l.ThisUpdate) {
		return nil, malformed("a list needs a number and an update after this one")
	}
	alg, err := pki.SigningAlgorithm(c.PublicKey, hash, false)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddBytes(alg.Raw)
		b.AddBytes(c.RawSubject)
		addTime(b, l.ThisUpdate)
		addTime(b, l.NextUpdate)
		if len(l.Entries) > 0 {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, e := range l.Entries {
					e.add(b)
				}
			})
		}
		b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, l.addExtensions(c))
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	signature, err := alg.Sign(random, issuer.Key, tbs)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg.Raw)
		b.AddASN1BitString(signature)
	})
	return out.Bytes()
}

func addTime(b *cryptobyte.Builder, t time.Time) {
	t = t.UTC().Truncate(time.Second)
	if y := t.Year(); 1950 <= y && y < 2050 { // [RFC 5280 5.1.2.4]
		b.AddASN1UTCTime(t)
		return
	}
	b.AddASN1GeneralizedTime(t)
}

func extension(b *cryptobyte.Builder, o pki.OID, critical bool, value cryptobyte.BuilderContinuation) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		pki.AddOID(b, o)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(asn1.OCTET_STRING, value)
	})
}

func (e *Entry) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(e.SerialNumber)
		addTime(b, e.RevokedAt)
		if e.Reason != pki.ReasonUnspecified { // an absent reason means it [RFC 5280 5.3.1]
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				extension(b, "2.5.29.21", false, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(e.Reason)) })
			})
		}
	})
}

func (l *List) addExtensions(issuer *pki.Certificate) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		key := issuer.SubjectKeyID
		if len(key) == 0 {
			key = issuer.HashKey(crypto.SHA1)
		}
		extension(b, "2.5.29.35", false, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(key) })
			})
		})
		extension(b, "2.5.29.20", false, func(b *cryptobyte.Builder) { b.AddASN1BigInt(l.Number) })
		if l.DistributionPoint != "" {
			extension(b, "2.5.29.28", true, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
							b.AddASN1(asn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(l.DistributionPoint)) })
						})
					})
				})
			})
		}
		if !l.ExpiredFrom.IsZero() {
			extension(b, "2.5.29.60", false, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(l.ExpiredFrom.UTC().Truncate(time.Second)) })
		}
	}
}

// Publisher gives out the current list of an authority.
type Publisher struct {
	Current func(ctx context.Context) ([]byte, error) // in DER
	Clock   func() time.Time                          // default time.Now
}

// ServeHTTP answers GET and HEAD [RFC 2585 4.1]; caches may keep the list until the next one is due.
func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "lists are fetched by GET", http.StatusMethodNotAllowed)
		return
	}
	der, err := p.Current(r.Context())
	if err == nil {
		var l *pki.CRL
		if l, err = pki.ParseCRL(bytes.Clone(der)); err == nil {
			now := time.Now()
			if p.Clock != nil {
				now = p.Clock()
			}
			sum := sha256.Sum256(der)
			h := w.Header()
			h.Set("Content-Type", "application/pkix-crl")
			h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
			h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", max(0, int(l.NextUpdate.Sub(now).Seconds()))))
			http.ServeContent(w, r, "", l.ThisUpdate, bytes.NewReader(der))
			return
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "the list cannot be given now", http.StatusServiceUnavailable)
}
