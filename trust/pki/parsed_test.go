package pki

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"
	"time"
)

func TestParsedReturnsTheSameCertificateForEqualOctets(t *testing.T) {
	t.Parallel()
	a, err := NewAuthority(nil, "CN=Test", P256, time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var p Parsed
	given := bytes.Clone(a.Certificate.Raw)
	first, err := p.Certificate(given)
	if err != nil {
		t.Fatal(err)
	}
	clear(given) // what it was given is not kept
	again, err := p.Certificate(append([]byte(nil), a.Certificate.Raw...))
	if err != nil || again != first || !bytes.Equal(first.Raw, a.Certificate.Raw) {
		t.Errorf("%p, %p, %v", first, again, err)
	}
	if _, err := p.Certificate([]byte("no certificate")); err == nil {
		t.Error("accepted octets that are none")
	}
	var none *Parsed
	if c, err := none.Certificate(a.Certificate.Raw); err != nil || c == first {
		t.Errorf("%p, %v from nothing", c, err)
	}
}

// A certificate whose hash is that of another one is another one all the same.
func TestParsedComparesOctets(t *testing.T) {
	t.Parallel()
	a := mustAuthority(t, "CN=Test", P256)
	b := a.mustIssue(t, Template{CommonName: "Ada"}).Certificate
	for _, old := range []bool{false, true} {
		var p Parsed
		if _, err := p.Certificate(a.Certificate.Raw); err != nil {
			t.Fatal(err)
		}
		for key := range p.young.certs {
			p.young.certs[key] = b
		}
		if old {
			p.old, p.young = p.young, generation{}
		}
		if c, err := p.Certificate(a.Certificate.Raw); err != nil || !c.Equal(a.Certificate) {
			t.Errorf("old %v: %v, %v", old, c.Subject, err)
		}
	}
}

// variant is a certificate with another signature, which is as good as another certificate here.
func variant(c *Certificate, i int) []byte {
	der := bytes.Clone(c.Raw)
	binary.BigEndian.PutUint32(der[len(der)-4:], uint32(i))
	return der
}

// 100,000 certificates pass through; what is asked for again and again stays.
func TestParsedIsBounded(t *testing.T) {
	t.Parallel()
	c := mustAuthority(t, "CN=Test", P256).Certificate
	var p Parsed
	often, err := p.Certificate(c.Raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 {
		if _, err := p.Certificate(variant(c, i)); err != nil {
			t.Fatal(err)
		}
		if n := len(p.young.certs) + len(p.old.certs); n > 2*maxYoung {
			t.Fatalf("%d certificates kept", n)
		}
		if i%100 == 0 {
			if again, err := p.Certificate(c.Raw); err != nil || again != often {
				t.Fatalf("forgotten after %d others: %v", i, err)
			}
		}
	}
	if p.old.held != len(c.Raw)*len(p.old.certs) {
		t.Errorf("%d octets counted for %d certificates of %d", p.old.held, len(p.old.certs), len(c.Raw))
	}
}

// Large certificates take the place of many, and those that are too large are not kept.
func TestParsedCountsOctets(t *testing.T) {
	t.Parallel()
	a := mustAuthority(t, "CN=Test", P256)
	sized := func(names int) *Certificate {
		var dns []string
		for range names {
			dns = append(dns, "a.long.name.of.a.machine.example.org")
		}
		return a.mustIssue(t, Template{DNSNames: dns}).Certificate
	}
	large, larger := sized(300), sized(600)
	if n := len(large.Raw); n > maxRemembered || n*maxYoung < 2*maxYoungHeld {
		t.Fatalf("%d octets", n)
	}
	if len(larger.Raw) <= maxRemembered {
		t.Fatalf("%d octets", len(larger.Raw))
	}
	var p Parsed
	if c, err := p.Certificate(larger.Raw); err != nil || !c.Equal(larger) || len(p.young.certs) != 0 {
		t.Errorf("%v, %d kept", err, len(p.young.certs))
	}
	for i := range 2 * maxYoung {
		if _, err := p.Certificate(variant(large, i)); err != nil {
			t.Fatal(err)
		}
		if n := p.young.held + p.old.held; n > 2*maxYoungHeld {
			t.Fatalf("%d octets kept", n)
		}
	}
}

func TestParsedIsForManyGoroutines(t *testing.T) {
	t.Parallel()
	c := mustAuthority(t, "CN=Test", P256).Certificate
	var p Parsed
	const workers, most = 4, 50
	var got [workers][most]*Certificate
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range most {
				got[w][i], _ = p.Certificate(variant(c, i))
			}
		})
	}
	wg.Wait()
	for w := range workers {
		for i, x := range got[w] {
			if x == nil || x != got[0][i] || !bytes.Equal(x.Raw, variant(c, i)) {
				t.Errorf("goroutine %d, certificate %d: %p, want %p", w, i, x, got[0][i])
			}
		}
	}
}

func TestParsedKnowsTheCertificatesOfOCSPResponses(t *testing.T) {
	t.Parallel()
	der := ocspSeed(t, mustAuthority(t, "CN=Own CA", P256))
	var p Parsed
	r, err1 := p.OCSPResponse(der)
	again, err2 := p.OCSPResponse(bytes.Clone(der))
	if err1 != nil || err2 != nil || len(r.Certificates) == 0 || r.Fingerprint() != again.Fingerprint() {
		t.Fatalf("%v, %v", err1, err2)
	}
	for i, c := range r.Certificates {
		if c != again.Certificates[i] {
			t.Errorf("certificate %d was parsed again", i)
		}
	}
	if _, err := p.OCSPResponse(der[:len(der)-1]); err == nil {
		t.Error("accepted a part of a response")
	}
}

func BenchmarkParsed(b *testing.B) {
	c := mustAuthority(b, "CN=Test,O=Viadukt,C=EE", RSA2048).Certificate
	var p Parsed
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Certificate(c.Raw); err != nil {
			b.Fatal(err)
		}
	}
}
