package zone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
)

const file = `$TTL 60
@        SOA ns1 hostmaster 1 3600 600 86400 30
@        NS  ns1
ns1      A   192.0.2.1
a        NAPTR 10 10 "U" "Meta:SMP" "!.*!https://a.example!" .
b        CNAME a
out      CNAME other.example.
loop     CNAME loop
x.y.z    A   192.0.2.2
*.wild   A   192.0.2.3
not.wild A   192.0.2.4
sub      NS  ns.sub
ns.sub   A   192.0.2.5
moved    DNAME y.z
long     DNAME abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.example.
child    SOA ns1.child hostmaster 1 3600 600 86400 30
child    NS  ns1.child
p.child  A   192.0.2.6
`

func load(t *testing.T) *Zone {
	t.Helper()
	z := &Zone{}
	if err := z.Load(strings.NewReader(file), "example.org"); err != nil {
		t.Fatal(err)
	}
	return z
}

// text is the sections of a response, without the names' common end.
func text(m *dns.Msg) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s aa=%v", dns.RcodeToString[m.Rcode], m.Authoritative)
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, rr := range section {
			if rr.Header().Rrtype == dns.TypeOPT {
				continue
			}
			fields := strings.Fields(rr.String())
			fmt.Fprintf(&b, " %s%s %s %s", []string{"", "ns:", "x:"}[i], strings.TrimSuffix(fields[0], ".example.org."), fields[3], fields[4])
		}
	}
	return b.String()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	z := load(t)
	const soa = "ns:example.org. SOA ns1.example.org."
	for _, c := range []struct {
		name, q string
		qtype   uint16
		want    string
	}{
		{"a record", "a", dns.TypeNAPTR, "NOERROR aa=true a NAPTR 10"},
		{"a name in another case", "A", dns.TypeNAPTR, "NOERROR aa=true a NAPTR 10"},
		{"another type", "a", dns.TypeA, "NOERROR aa=true " + soa},
		{"no name", "none", dns.TypeA, "NXDOMAIN aa=true " + soa},
		{"a name that only has names below", "y.z", dns.TypeA, "NOERROR aa=true " + soa},
		{"an alias", "b", dns.TypeNAPTR, "NOERROR aa=true b CNAME a.example.org. a NAPTR 10"},
		{"an alias itself", "b", dns.TypeCNAME, "NOERROR aa=true b CNAME a.example.org."},
		{"an alias to another zone", "out", dns.TypeNAPTR, "NOERROR aa=true out CNAME other.example."},
		{"a wildcard", "q.r.wild", dns.TypeA, "NOERROR aa=true q.r.wild A 192.0.2.3"},
		{"a name beside a wildcard", "not.wild", dns.TypeA, "NOERROR aa=true not.wild A 192.0.2.4"},
		{"a name below one beside a wildcard", "x.not.wild", dns.TypeA, "NXDOMAIN aa=true " + soa},
		{"a delegation", "deep.sub", dns.TypeNAPTR, "NOERROR aa=false ns:sub NS ns.sub.example.org. x:ns.sub A 192.0.2.5"},
		{"a zone inside that is ours", "p.child", dns.TypeA, "NOERROR aa=true p.child A 192.0.2.6"},
		{"no name in the zone inside", "q.child", dns.TypeA, "NXDOMAIN aa=true ns:child SOA ns1.child.example.org."},
		{"a redirected name", "x.moved", dns.TypeA, "NOERROR aa=true moved DNAME y.z.example.org. x.moved CNAME x.y.z.example.org. x.y.z A 192.0.2.2"},
		{"the redirection itself", "moved", dns.TypeDNAME, "NOERROR aa=true moved DNAME y.z.example.org."},
	} {
		q := new(dns.Msg).SetQuestion(c.q+".example.org.", c.qtype)
		if got := text(z.Answer(q)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if got := z.Answer(new(dns.Msg).SetQuestion("loop.example.org.", dns.TypeA)); len(got.Answer) > 20 {
		t.Errorf("a ring of aliases gives %d records", len(got.Answer))
	}
	if got := z.Answer(new(dns.Msg).SetQuestion(strings.Repeat("a.", 60)+"long.example.org.", dns.TypeA)); got.Rcode != dns.RcodeYXDomain {
		t.Errorf("a redirection to too long a name: %s", text(got))
	}
}

func TestRefusedQuestions(t *testing.T) {
	t.Parallel()
	z := load(t)
	query := func(name string, qtype uint16, change func(*dns.Msg)) *dns.Msg {
		q := new(dns.Msg).SetQuestion(name, qtype)
		if change != nil {
			change(q)
		}
		return z.Answer(q)
	}
	for name, c := range map[string]struct {
		m    *dns.Msg
		want int
	}{
		"another zone":  {query("example.net.", dns.TypeA, nil), dns.RcodeRefused},
		"a transfer":    {query("example.org.", dns.TypeAXFR, nil), dns.RcodeRefused},
		"everything":    {query("example.org.", dns.TypeANY, nil), dns.RcodeRefused},
		"another class": {query("example.org.", dns.TypeA, func(q *dns.Msg) { q.Question[0].Qclass = dns.ClassCHAOS }), dns.RcodeRefused},
		"two questions": {query("example.org.", dns.TypeA, func(q *dns.Msg) { q.Question = append(q.Question, q.Question[0]) }), dns.RcodeFormatError},
		"an update":     {query("example.org.", dns.TypeSOA, func(q *dns.Msg) { q.Opcode = dns.OpcodeUpdate }), dns.RcodeNotImplemented},
		"a newer EDNS":  {query("example.org.", dns.TypeA, func(q *dns.Msg) { q.SetEdns0(1232, false); q.IsEdns0().SetVersion(1) }), dns.RcodeBadVers},
	} {
		if c.m.Rcode != c.want {
			t.Errorf("%s: got %s", name, text(c.m))
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	z, err := New("example.org", 30)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string, qtype uint16) string { return text(z.Answer(new(dns.Msg).SetQuestion(name, qtype))) }
	must(t, z.AddText(`a.example.org. 60 IN A 192.0.2.1
a.example.org. 60 IN A 192.0.2.2
a.example.org. 90 IN A 192.0.2.1`))
	if got := ask("a.example.org.", dns.TypeA); got != "NOERROR aa=true a A 192.0.2.1 a A 192.0.2.2" {
		t.Errorf("an equal record is added twice: %s", got)
	}
	for name, line := range map[string]string{
		"an alias beside an address": "a.example.org. 60 IN CNAME b.example.org.",
		"another class":              "a.example.org. 60 CH A 192.0.2.1",
		"what is no record":          "a.example.org. 60 IN NAPTR x",
		"another file":               "$INCLUDE /etc/passwd",
	} {
		if err := z.AddText(line); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, z.AddText("c.example.org. 60 IN CNAME a.example.org."))
	must(t, z.AddText("c.example.org. 90 IN CNAME a.example.org."))
	if err := z.AddText("c.example.org. 60 IN CNAME b.example.org."); !errors.Is(err, ErrRecord) {
		t.Errorf("a second alias: %v", err)
	}
	if err := z.AddText("c.example.org. 60 IN A 192.0.2.1"); !errors.Is(err, ErrRecord) {
		t.Errorf("an address beside an alias: %v", err)
	}
	must(t, z.SetURL("C.example.org", "Meta:SMP", `https://h/a!b`, 60))
	if got := z.Answer(new(dns.Msg).SetQuestion("c.example.org.", dns.TypeNAPTR)).Answer; len(got) != 1 || got[0].(*dns.NAPTR).Regexp != "#.*#https://h/a!b#" {
		t.Errorf("an address instead of an alias: %v", got)
	}
	must(t, z.SetURL("c.example.org", "Meta:SMP", `https://h/"\`, 60))
	if got := z.Answer(new(dns.Msg).SetQuestion("c.example.org.", dns.TypeNAPTR)).Answer; len(got) != 1 || got[0].(*dns.NAPTR).Regexp != `!.*!https://h/\"\\\\!` {
		t.Errorf("quotes and backslashes: %v", got)
	}
	for _, url := range []string{"https://h/!#", strings.Repeat("x", 241)} {
		if err := z.SetURL("c.example.org", "Meta:SMP", url, 60); !errors.Is(err, ErrRecord) {
			t.Errorf("%.20s: %v", url, err)
		}
	}
	z.Remove("a.example.org", dns.TypeNS)
	z.Remove("nothing.example.org")
	if got := ask("a.example.org.", dns.TypeA); !strings.HasPrefix(got, "NOERROR aa=true a A") {
		t.Errorf("removing another type: %s", got)
	}
	must(t, z.AddText("x.y.example.org. 60 IN A 192.0.2.1"))
	z.Remove("x.y.example.org")
	if got := ask("y.example.org.", dns.TypeA); !strings.HasPrefix(got, "NXDOMAIN") {
		t.Errorf("a name with nothing below stays: %s", got)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	z := load(t)
	for i := range 200 {
		must(t, z.AddText(fmt.Sprintf(`many.example.org. 60 IN NAPTR %d 10 "U" "Meta:SMP" "!.*!https://a.example/%d!" .`, i, i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	addr, err := z.Serve(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(network string, edns uint16) *dns.Msg {
		t.Helper()
		q := new(dns.Msg).SetQuestion("many.example.org.", dns.TypeNAPTR)
		if edns > 0 {
			q.SetEdns0(edns, false)
		}
		m, _, err := (&dns.Client{Net: network, UDPSize: 65535}).Exchange(q, addr)
		if err != nil {
			t.Fatal(err)
		}
		m.Compress = true // so that Len is what was sent
		return m
	}
	if m := ask("udp", 0); !m.Truncated || m.Len() > 512 {
		t.Errorf("UDP: truncated %v, %d octets", m.Truncated, m.Len())
	}
	if m := ask("udp", 1232); !m.Truncated || m.Len() > 1232 || m.IsEdns0() == nil {
		t.Errorf("UDP with EDNS: truncated %v, %d octets", m.Truncated, m.Len())
	}
	if m := ask("tcp", 0); m.Truncated || len(m.Answer) != 200 {
		t.Errorf("TCP: truncated %v, %d records", m.Truncated, len(m.Answer))
	}
	if _, err := z.Serve(ctx, "256.0.0.1:0"); err == nil {
		t.Error("an address that is none")
	}
	if _, err := z.Serve(ctx, addr); err == nil {
		t.Error("an address in use")
	}
	cancel()
}

func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	z := load(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprintf("p%d.example.org.", i%3)
			for range 200 {
				if err := z.SetURL(name, "Meta:SMP", "https://a.example", 60); err != nil {
					t.Error(err)
				}
				if m := z.Answer(new(dns.Msg).SetQuestion(name, dns.TypeNAPTR)); !slices.Contains([]int{dns.RcodeSuccess, dns.RcodeNameError}, m.Rcode) {
					t.Error(text(m))
				}
				z.Remove(name)
			}
		})
	}
	wg.Wait()
}

func TestReplace(t *testing.T) {
	t.Parallel()
	z, o := load(t), &Zone{}
	must(t, o.AddText("example.net. 60 IN SOA ns. h. 1 1 1 1 60\np.example.net. 60 IN A 192.0.2.1"))
	z.Replace(o)
	z.Replace(z)
	var refreshed atomic.Int32
	z.Refresh = func() { refreshed.Add(1) }
	ask := func(z *Zone, name string) string { return text(z.Answer(new(dns.Msg).SetQuestion(name, dns.TypeA))) }
	if got := ask(z, "p.example.net."); !strings.HasPrefix(got, "NOERROR aa=true p.example.net. A") {
		t.Errorf("the new records: %s", got)
	}
	if got := ask(z, "ns1.example.org."); !strings.HasPrefix(got, "REFUSED") {
		t.Errorf("the old records: %s", got)
	}
	must(t, o.AddText("q.example.net. 60 IN A 192.0.2.1"))
	if got := ask(z, "q.example.net."); !strings.HasPrefix(got, "NXDOMAIN") {
		t.Errorf("a record of the other zone: %s", got)
	}
	addr, err := z.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := new(dns.Client).Exchange(new(dns.Msg).SetQuestion("p.example.net.", dns.TypeA), addr); err != nil || refreshed.Load() != 1 {
		t.Errorf("refreshed %d times, %v", refreshed.Load(), err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
