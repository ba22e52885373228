package bench

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/pdf/page"
	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// Sign measures signatures at level B over small documents, on one core, against the private key alone: processor time, in turns
// of both, of which the middle is taken.
func Sign(ctx context.Context, report Report) error {
	now := time.Now()
	invoice, err := sample.Make("invoice", "1", sample.Supplier, sample.Buyer, now)
	if err != nil {
		return err
	}
	sheet := page.New(page.Options{Title: "Letter", Language: "en", Created: now})
	sheet.Add(page.Paragraph{Text: page.Plain("To whom it may concern.")})
	letter, err := sheet.Bytes()
	if err != nil {
		return err
	}
	ca, err := pki.NewAuthority(rand.Reader, "CN=Own CA,C=EU", pki.P256, now.AddDate(-1, 0, 0), 10)
	if err != nil {
		return err
	}
	for _, alg := range []pki.KeyAlgorithm{pki.RSA2048, pki.RSA4096, pki.P256, pki.Ed25519} {
		id, err := ca.Issue(pki.Template{CommonName: "Own signer", Algorithm: alg, KeyUsage: pki.UseContentCommitment})
		if err != nil {
			return err
		}
		for _, format := range []ades.Format{ades.XAdES, ades.CAdES, ades.PAdES, ades.JAdES} {
			document := xades.Bytes("invoice.xml", "application/xml", invoice)
			if format == ades.PAdES {
				document = xades.Bytes("letter.pdf", "application/pdf", letter)
			}
			if err := signOne(ctx, format, alg, id, document, now, report); err != nil {
				return err
			}
		}
	}
	return nil
}

func signOne(ctx context.Context, format ades.Format, alg pki.KeyAlgorithm, id *pki.Identity, document xades.Document, now time.Time, report Report) error {
	var err error
	digest := sha256.Sum256(nil)
	signer, opts := id.Key.(crypto.Signer), crypto.SignerOpts(crypto.SHA256)
	message := digest[:]
	if alg == pki.Ed25519 {
		opts = crypto.Hash(0)
	}
	key := func() {
		if _, e := signer.Sign(rand.Reader, message, opts); e != nil {
			err = e
		}
	}
	whole := func() {
		if e := ades.Sign(ctx, io.Discard, nil, id, []xades.Document{document}, ades.Params{Format: format, Time: now}, nil); e != nil {
			err = e
		}
	}
	var alone, all []float64
	const turns = 15
	for range turns {
		alone = append(alone, microseconds(ctx, key))
		all = append(all, microseconds(ctx, whole))
	}
	slices.Sort(alone)
	slices.Sort(all)
	if err != nil {
		return err
	}
	report.cost("sign/"+string(format)+"/"+string(alg), all[turns/2], "µs", alone[turns/2], "the private key alone", "processor time, one core")
	return ctx.Err()
}

// microseconds of processor time that one of many calls takes, measured for about 20 ms.
func microseconds(ctx context.Context, f func()) float64 {
	f()
	n, before, used := 0, cpu(), time.Duration(0)
	for used < 20*time.Millisecond && ctx.Err() == nil {
		for range max(1, n) { // twice as many each time, so that the clock costs nothing
			f()
			n++
		}
		used = cpu() - before
	}
	return float64(used.Nanoseconds()) / 1000 / float64(max(n, 1))
}
