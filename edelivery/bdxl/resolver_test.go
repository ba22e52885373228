package bdxl

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl/zone"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

const testZone = "sml.example.org"

var alice = ids.Participant{Scheme: ids.SchemeActor, Value: "0088:alice"}

func name(t testing.TB, p ids.Participant) string {
	t.Helper()
	n, err := Name(Automatic, p, testZone)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// testServer serves the zone with what fill puts into it.
func testServer(t testing.TB, fill string) (*zone.Zone, string) {
	t.Helper()
	z, err := zone.New(testZone, 300)
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Load(strings.NewReader(fill), testZone); err != nil {
		t.Fatal(err)
	}
	addr, err := z.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return z, addr
}

// handler serves a function over UDP and, with the same answers, TCP.
func handler(t *testing.T, answer func(q *dns.Msg, tcp bool) *dns.Msg) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: pc}, {Listener: l}} {
		tcp := s.Listener != nil
		s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
			if m := answer(q, tcp); m != nil {
				w.WriteMsg(m)
			}
		})
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
	}
	return l.Addr().String()
}

func reply(q *dns.Msg, lines ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	for _, l := range lines {
		rr, err := dns.NewRR(strings.ReplaceAll(l, "QUESTION", q.Question[0].Name))
		if err != nil {
			panic(err)
		}
		if rr.Header().Rrtype == dns.TypeSOA {
			m.Ns = append(m.Ns, rr)
		} else {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

const goodRecord = `QUESTION 60 IN NAPTR 100 10 "U" "Meta:SMP" "!.*!https://smp.example.com/!" .`

func TestLookup(t *testing.T) {
	t.Parallel()
	z, addr := testServer(t, "")
	if err := z.SetURL(name(t, alice), "Meta:SMP", "https://smp.example.com/x", 60); err != nil {
		t.Fatal(err)
	}
	r := &Resolver{Zone: testZone + ".", Servers: []string{addr}, Clock: clock}
	res, err := r.Lookup(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	if res.URL != "https://smp.example.com/x" || res.Name != name(t, alice) || res.TTL != time.Minute || res.Cached || res.AD || len(res.Records) != 1 || res.Records[0].Verdict != "chosen" {
		t.Errorf("got %+v", res)
	}
	if got := steps(res); !strings.HasPrefix(got, "name "+name(t, alice)+"\ndns ") || !strings.Contains(got, "naptr https://smp.example.com/x") {
		t.Errorf("steps:\n%s", got)
	}
}

func TestClassification(t *testing.T) {
	t.Parallel()
	soa := "example.org. 300 IN SOA ns. h. 1 1 1 1 600"
	rcode := func(code int) func(*dns.Msg, bool) *dns.Msg {
		return func(q *dns.Msg, _ bool) *dns.Msg { m := reply(q, soa); m.Rcode = code; return m }
	}
	answers := func(lines ...string) func(*dns.Msg, bool) *dns.Msg {
		return func(q *dns.Msg, _ bool) *dns.Msg { return reply(q, lines...) }
	}
	for _, c := range []struct {
		name      string
		answer    func(*dns.Msg, bool) *dns.Msg
		want      error
		temporary bool
	}{
		{"the name does not exist", rcode(dns.RcodeNameError), ErrNotRegistered, false},
		{"the name has no NAPTR record", answers(soa), ErrNotRegistered, false},
		{"the name has an empty answer", answers(), ErrNotRegistered, false},
		{"a record for another service", answers(`QUESTION 60 IN NAPTR 1 1 "U" "meta:cppa3" "!.*!https://a.example!" .`), ErrNoService, false},
		{"a record that is broken", answers(`QUESTION 60 IN NAPTR 1 1 "U" "meta:smp" "!.*!https://a.example" .`), ErrRecord, false},
		{"the server fails", rcode(dns.RcodeServerFailure), ErrDNS, true},
		{"the server refuses", rcode(dns.RcodeRefused), ErrDNS, true},
		{"the server does not answer", func(*dns.Msg, bool) *dns.Msg { return nil }, ErrDNS, true},
		{"the server answers another question", func(q *dns.Msg, _ bool) *dns.Msg {
			m := reply(q, goodRecord)
			m.Question[0].Name = "other."
			return m
		}, ErrDNS, true},
		{"the server sends the question back", func(q *dns.Msg, _ bool) *dns.Msg { return q }, ErrDNS, true},
		{"records of another name do not count", answers(strings.Replace(goodRecord, "QUESTION", "other.", 1)), ErrNotRegistered, false},
		{"an alias of itself", answers("QUESTION 60 IN CNAME QUESTION"), ErrDNS, true},
		{"aliases in a ring", answers("QUESTION 60 IN CNAME a.example.", "a.example. 60 IN CNAME QUESTION"), ErrDNS, true},
		{"aliases without end", func(q *dns.Msg, _ bool) *dns.Msg {
			return reply(q, "QUESTION 60 IN CNAME a"+q.Question[0].Name)
		}, ErrDNS, true},
		{"a DNAME that makes the name longer and longer", answers("example.org. 60 IN DNAME a.a.a.a.example.org."), ErrDNS, true},
		{"records that lead on for ever", answers(`QUESTION 60 IN NAPTR 1 1 "" "Meta:SMP" "" QUESTION`), ErrRecord, false},
		{"a server that only refers to others", func(q *dns.Msg, _ bool) *dns.Msg {
			m := reply(q)
			m.RecursionAvailable = false
			ns, _ := dns.NewRR("example.org. 60 IN NS ns.example.org.")
			m.Ns = append(m.Ns, ns)
			return m
		}, ErrDNS, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			addr := handler(t, func(q *dns.Msg, tcp bool) *dns.Msg { asked.Add(1); return c.answer(q, tcp) })
			r := &Resolver{Zone: testZone, Servers: []string{addr}, Clock: clock, Timeout: time.Minute}
			if c.want == ErrDNS { // some of them by silence
				r.Timeout = 200 * time.Millisecond
			}
			res, err := r.Lookup(t.Context(), alice)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			var temporary interface{ Temporary() bool }
			if !errors.As(err, &temporary) || temporary.Temporary() != c.temporary {
				t.Errorf("temporary: %v", err)
			}
			if res == nil || res.Name != name(t, alice) || len(res.Steps) < 2 || res.URL != "" {
				t.Errorf("result %+v", res)
			}
			if asked.Load() > 40 {
				t.Errorf("asked %d times", asked.Load())
			}
		})
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	once := handler(t, func(q *dns.Msg, _ bool) *dns.Msg {
		if asked.Add(1) == 1 {
			m := reply(q)
			m.Rcode = dns.RcodeServerFailure
			return m
		}
		return reply(q, goodRecord)
	})
	good := handler(t, func(q *dns.Msg, _ bool) *dns.Msg { return reply(q, goodRecord) })
	dead := handler(t, func(*dns.Msg, bool) *dns.Msg { return nil })
	for how, servers := range map[string][]string{"the same server again": {once}, "a server that is not there": {"127.0.0.1:1", good}} {
		r := &Resolver{Zone: testZone, Servers: servers, Timeout: time.Minute}
		if res, err := r.Lookup(t.Context(), alice); err != nil || res.URL != "https://smp.example.com/" {
			t.Errorf("%s: %v", how, err)
		}
	}
	for wait := 50 * time.Millisecond; ; wait *= 2 { // a busy machine may need longer for the good one
		r := &Resolver{Zone: testZone, Servers: []string{dead, good}, Timeout: wait}
		res, err := r.Lookup(t.Context(), alice)
		if err == nil && res.URL == "https://smp.example.com/" {
			break
		}
		if err == nil || wait > 10*time.Second {
			t.Fatalf("the next server: %+v, %v", res, err)
		}
	}
	r := &Resolver{Zone: testZone}
	if _, err := r.Lookup(t.Context(), alice); !errors.Is(err, ErrDNS) || err.(*Error).Temporary() {
		t.Errorf("no servers: %v", err)
	}
}

func TestTransport(t *testing.T) {
	t.Parallel()
	var size atomic.Int32
	large := func(q *dns.Msg) *dns.Msg {
		m := reply(q, goodRecord)
		for i := range 100 {
			m.Answer = append(m.Answer, &dns.NAPTR{
				Hdr:   dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeNAPTR, Class: dns.ClassINET, Ttl: 60},
				Order: uint16(i + 200), Flags: "U", Service: "x", Regexp: "!.*!" + strings.Repeat("y", 200) + "!", Replacement: ".",
			})
		}
		return m
	}
	for how, answer := range map[string]func(*dns.Msg, bool) *dns.Msg{
		"an answer that is cut off comes again over TCP": func(q *dns.Msg, tcp bool) *dns.Msg {
			if opt := q.IsEdns0(); opt != nil && !tcp {
				size.Store(int32(opt.UDPSize()))
			}
			m := large(q)
			if !tcp {
				m.Answer, m.Truncated = nil, true
			}
			return m
		},
		"an answer longer than allowed comes again over TCP": func(q *dns.Msg, tcp bool) *dns.Msg { return large(q) },
		"a server without EDNS is asked without": func(q *dns.Msg, tcp bool) *dns.Msg {
			if q.IsEdns0() != nil {
				m := new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
				return m
			}
			return reply(q, goodRecord)
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := &Resolver{Zone: testZone, Servers: []string{handler(t, answer)}}
			res, err := r.Lookup(t.Context(), alice)
			if err != nil || res.URL != "https://smp.example.com/" {
				t.Fatalf("%v\n%s", err, steps(res))
			}
		})
	}
	t.Cleanup(func() {
		if size.Load() != 1232 {
			t.Errorf("UDP size %d", size.Load())
		}
	})
}

func TestNonTerminalRecords(t *testing.T) {
	t.Parallel()
	label, _ := Label(Automatic, alice)
	_, addr := testServer(t, label+` 60 IN NAPTR 10 10 "" "Meta:SMP" "" next.example.net.
`+label+` 60 IN NAPTR 20 10 "A" "Meta:SMP" "" never
$ORIGIN example.net.
@ 60 IN SOA ns h 1 1 1 1 60
next 30 IN NAPTR 10 10 "" "" "" last
last 60 IN NAPTR 10 10 "u" "meta:smp" "!^(.*)$!https://smp.example.com/\\1!" .
`)
	r := &Resolver{Zone: testZone, Servers: []string{addr}}
	res, err := r.Lookup(t.Context(), alice)
	if err != nil || res.URL != "https://smp.example.com/"+alice.String() || len(res.Records) != 4 || res.TTL != 30*time.Second {
		t.Errorf("%v\n%+v\n%s", err, res, steps(res))
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	now := clock()
	var mu sync.Mutex
	z, addr := testServer(t, "")
	r := &Resolver{Zone: testZone, Servers: []string{addr}, Clock: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }}
	later := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	look := func(want string, cached bool, why string) {
		t.Helper()
		res, err := r.Lookup(t.Context(), alice)
		if res.URL != want || res.Cached != cached || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, cached %v, %v", why, res.URL, res.Cached, err)
		}
	}
	look("", false, "not registered")
	must(t, z.SetURL(name(t, alice), "Meta:SMP", "https://a.example", 7200))
	look("", true, "absence is kept")
	later(59 * time.Second)
	look("", true, "for a minute, though the zone says five")
	later(time.Second)
	look("https://a.example", false, "and not longer")
	must(t, z.SetURL(name(t, alice), "Meta:SMP", "https://b.example", 60))
	look("https://a.example", true, "presence is kept")
	later(time.Hour - time.Second)
	look("https://a.example", true, "for an hour, though the record says two")
	later(time.Second)
	look("https://b.example", false, "and not longer")
	must(t, z.SetURL(name(t, alice), "Meta:SMP", "https://c.example", 60))
	r.Flush(ids.Participant{Scheme: ids.SchemeActor, Value: "0088:ALICE"})
	look("https://c.example", false, "unless it is forgotten")
	later(61 * time.Second)
	z.Remove(name(t, alice))
	look("", false, "removal is seen when the TTL has passed")

	off := &Resolver{Zone: testZone, Servers: []string{addr}, CacheSize: -1}
	for range 2 {
		if res, _ := off.Lookup(t.Context(), alice); res.Cached {
			t.Error("without cache nothing comes from it")
		}
	}
	small := &Resolver{Zone: testZone, Servers: []string{addr}, CacheSize: 3, Clock: clock}
	for i := range 20 {
		small.Lookup(t.Context(), ids.Participant{Scheme: ids.SchemeActor, Value: "0088:" + string(rune('a'+i))})
	}
	if n := len(small.cache.entries); n > 3 {
		t.Errorf("%d entries in a cache of 3", n)
	}
	other := &Resolver{Zone: testZone, Servers: []string{addr}, Clock: clock, Services: []string{ServiceCPPA, ServiceSMP}}
	must(t, z.SetURL(name(t, alice), "META:CPPA3", "https://cpa.example", 60))
	for _, cached := range []bool{false, true} {
		if res, err := other.Lookup(t.Context(), alice); err != nil || res.URL != "https://cpa.example" || res.Cached != cached {
			t.Errorf("other services: %v", err)
		}
	}
	other.Flush(alice)
	if len(other.cache.entries) != 0 {
		t.Error("an entry for other services is not forgotten")
	}
}

func TestTroubleIsNotCached(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	addr := handler(t, func(q *dns.Msg, _ bool) *dns.Msg {
		m := reply(q, goodRecord)
		if broken.Load() {
			m.Rcode, m.Answer = dns.RcodeServerFailure, nil
		}
		return m
	})
	r := &Resolver{Zone: testZone, Servers: []string{addr}, Clock: clock}
	if _, err := r.Lookup(t.Context(), alice); !errors.Is(err, ErrDNS) {
		t.Fatal(err)
	}
	broken.Store(false)
	if res, err := r.Lookup(t.Context(), alice); err != nil || res.Cached {
		t.Errorf("got %v", err)
	}
}

func TestEqualLookupsAreMadeOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	release := make(chan struct{})
	first := make(chan struct{})
	addr := handler(t, func(q *dns.Msg, _ bool) *dns.Msg {
		if asked.Add(1) == 1 {
			close(first)
		}
		<-release
		return reply(q, goodRecord)
	})
	r := &Resolver{Zone: testZone, Servers: []string{addr}, Clock: clock}
	var wg sync.WaitGroup
	look := func() {
		if res, err := r.Lookup(t.Context(), alice); err != nil || res.URL == "" {
			t.Errorf("got %v", err)
		}
	}
	wg.Go(look)
	<-first
	for range 20 {
		wg.Go(look)
	}
	close(release)
	wg.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestContextEndsLookup(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	addr := handler(t, func(*dns.Msg, bool) *dns.Msg { asked <- struct{}{}; return nil })
	r := &Resolver{Zone: testZone, Servers: []string{addr}, Timeout: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := r.Lookup(ctx, alice); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrDNS) || !err.(*Error).Temporary() {
		t.Errorf("got %v", err)
	}
}

func TestDNSSEC(t *testing.T) {
	t.Parallel()
	var wants atomic.Bool
	signed := handler(t, func(q *dns.Msg, _ bool) *dns.Msg {
		wants.Store(q.AuthenticatedData)
		m := reply(q, goodRecord)
		m.AuthenticatedData = true
		return m
	})
	unsigned := handler(t, func(q *dns.Msg, _ bool) *dns.Msg { return reply(q, goodRecord) })
	for _, c := range []struct {
		name   string
		policy DNSSEC
		server string
		ad     bool
		err    error
	}{
		{"off says nothing", DNSSECOff, signed, false, nil},
		{"prefer records an authenticated answer", DNSSECPrefer, signed, true, nil},
		{"prefer takes another", DNSSECPrefer, unsigned, false, nil},
		{"require takes an authenticated answer", DNSSECRequire, signed, true, nil},
		{"require refuses another", DNSSECRequire, unsigned, false, ErrInsecure},
	} {
		r := &Resolver{Zone: testZone, Servers: []string{c.server}, DNSSEC: c.policy, Clock: clock}
		res, err := r.Lookup(t.Context(), alice)
		if !errors.Is(err, c.err) || res.AD != c.ad {
			t.Errorf("%s: %v, AD %v", c.name, err, res.AD)
		}
		if c.server == signed && wants.Load() != (c.policy != DNSSECOff) {
			t.Errorf("%s: asked for authentication: %v", c.name, wants.Load())
		}
	}
}

func TestLegacy(t *testing.T) {
	t.Parallel()
	label, _ := Label(LegacyCNAME, alice)
	_, addr := testServer(t, label+` 60 IN CNAME smp.publisher
smp.publisher 60 IN A 127.0.0.9
`)
	r := &Resolver{Zone: testZone, Kind: LegacyCNAME, Servers: []string{addr}, URI: URIRules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	res, err := r.Lookup(t.Context(), alice)
	if err != nil || res.URL != "http://"+label+"."+testZone {
		t.Errorf("got %+v, %v", res, err)
	}
	if _, err := r.Lookup(t.Context(), ids.Participant{Scheme: ids.SchemeActor, Value: "0088:bob"}); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("got %v", err)
	}
	r = &Resolver{Zone: testZone, Kind: LegacyCNAME, Servers: []string{addr}}
	if _, err := r.Lookup(t.Context(), alice); !errors.Is(err, ErrRecord) {
		t.Errorf("an address that is not public: %v", err)
	}
	r = &Resolver{Zone: testZone, Servers: []string{addr}}
	if _, err := r.Lookup(t.Context(), alice); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("an alias is no registration today: %v", err)
	}
}

func TestReferralsStayPublic(t *testing.T) {
	t.Parallel()
	addr := handler(t, func(q *dns.Msg, _ bool) *dns.Msg {
		m := reply(q)
		m.RecursionAvailable = false
		ns, _ := dns.NewRR("example.org. 60 IN NS ns.example.org.")
		glue, _ := dns.NewRR("ns.example.org. 60 IN A 169.254.169.254")
		m.Ns, m.Extra = append(m.Ns, ns), append(m.Extra, glue)
		return m
	})
	r := &Resolver{Zone: testZone, Servers: []string{addr}, Referrals: true}
	if res, err := r.Lookup(t.Context(), alice); !errors.Is(err, ErrDNS) || strings.Contains(steps(res), "169.254") {
		t.Errorf("got %v\n%s", err, steps(res))
	}
}

func TestLookupOfNoName(t *testing.T) {
	t.Parallel()
	r := &Resolver{Zone: testZone, Kind: SchemeLabel}
	res, err := r.Lookup(t.Context(), ids.Participant{Scheme: "a b", Value: "x"})
	if !errors.Is(err, ErrLabel) || len(res.Steps) != 1 || res.Steps[0].OK {
		t.Errorf("got %+v, %v", res, err)
	}
}

func TestReadServers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(path, []byte("nameserver 192.0.2.1\nnameserver 2001:db8::1\n"), 0o600))
	got, err := ReadServers(path)
	if err != nil || strings.Join(got, " ") != "192.0.2.1:53 [2001:db8::1]:53" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := ReadServers(path + "x"); err == nil {
		t.Error("a file that is not there")
	}
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1:53", "2001:db8::1": "[2001:db8::1]:53", "[::1]": "[::1]:53", "h:5353": "h:5353"} {
		if got := withPort(in); got != want {
			t.Errorf("%s: got %s", in, got)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
