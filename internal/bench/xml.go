package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// XML measures the XML core on one core: parsing against copying the same octets while looking at each once, and
// canonicalising into a hash against hashing the canonical octets alone.
func XML(ctx context.Context, report Report) error {
	invoice, err := sample.Make("invoice", "1", sample.Supplier, sample.Buyer, time.Now())
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		doc  []byte
	}{{"invoice", invoice}, {"5MB", payload(5_000_000)}} {
		if err := xmlOne(ctx, c.name, c.doc, report); err != nil {
			return err
		}
	}
	return nil
}

func xmlOne(ctx context.Context, name string, doc []byte, report Report) error {
	size := fmt.Sprintf("%d octets, one core", len(doc))
	work := bytes.Clone(doc)
	scan1 := repeat(ctx, func() { scan(work, doc) })
	var perr error
	parse := repeat(ctx, func() {
		copy(work, doc) // Parse takes its input over
		if _, err := dom.Parse(work, dom.Limits{}); err != nil {
			perr = err
		}
	})
	if perr != nil {
		return perr
	}
	report.rate("xml/parse/"+name, megabytes(parse, len(doc)), "MB/s", megabytes((scan1+repeat(ctx, func() { scan(work, doc) }))/2, len(doc)), "a copy, and one look at each octet", size)
	d, err := dom.Parse(bytes.Clone(doc), dom.Limits{})
	if err != nil {
		return err
	}
	for _, m := range []struct{ name, algorithm string }{{"c14n", c14n.Inclusive10}, {"exc-c14n", c14n.Exclusive10}} {
		method := c14n.Method{Algorithm: m.algorithm}
		canonical, err := c14n.Append(nil, method, d.Node())
		if err != nil {
			return err
		}
		h := sha256.New()
		hash1 := repeat(ctx, func() { h.Reset(); h.Write(canonical) })
		var cerr error
		rate := repeat(ctx, func() { h.Reset(); cerr = method.Write(h, d.Node()) })
		if cerr != nil {
			return cerr
		}
		report.rate("xml/"+m.name+"/"+name, megabytes(rate, len(canonical)), "MB/s", megabytes((hash1+repeat(ctx, func() { h.Reset(); h.Write(canonical) }))/2, len(canonical)), "SHA-256 of the canonical octets alone", size)
	}
	return nil
}

// scan looks at each octet once: less no parser can do.
func scan(dst, src []byte) (n int) {
	copy(dst, src)
	for _, b := range dst {
		if b == '<' {
			n++
		}
	}
	return n
}

// repeat returns how often f can be done in a second.
func repeat(ctx context.Context, f func()) float64 {
	f()
	start, n := time.Now(), 0
	for n == 0 || time.Since(start) < 300*time.Millisecond && ctx.Err() == nil {
		f()
		n++
	}
	return float64(n) / time.Since(start).Seconds()
}

func megabytes(perSecond float64, octets int) float64 { return perSecond * float64(octets) / 1e6 }
