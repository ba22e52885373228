package bdxl

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl/zone"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/internal/corpus"
)

const area = "edelivery-discovery"

func table(t *testing.T, name string, least int) []corpus.Row {
	t.Helper()
	rows := corpus.Table(t, filepath.Join(corpus.Dir(t, area), name))
	if len(rows) < least {
		t.Fatalf("%s: only %d rows", name, len(rows))
	}
	return rows
}

func TestCorpusLabels(t *testing.T) {
	t.Parallel()
	kinds := map[string][]Kind{
		"naptr-scheme-zone": {SchemeLabel, Automatic},
		"naptr-whole-urn":   {WholeIdentifier, Automatic},
		"cname-md5":         {LegacyCNAME},
	}
	for _, row := range table(t, "bdxl-labels.tsv", 25) {
		p, err := ids.NewParticipant(row["scheme"], row["value"])
		if err != nil {
			t.Fatal(err)
		}
		_, zone, _ := strings.Cut(row["dns_name"], ".")
		if row["scheme"] != "" {
			zone = strings.TrimPrefix(zone, row["scheme"]+".")
		}
		if len(kinds[row["style"]]) == 0 {
			t.Errorf("unknown style %s", row["style"])
		}
		for _, k := range kinds[row["style"]] {
			for _, dot := range []string{"", "."} {
				if got, err := Name(k, p, zone+dot); err != nil || got != row["dns_name"]+"." {
					t.Errorf("%s %s: got %s, %v, want %s", k, p, got, err, row["dns_name"])
				}
			}
		}
	}
}

func TestCorpusRecords(t *testing.T) {
	t.Parallel()
	participant := ids.Participant{Scheme: ids.SchemeActor, Value: "0010:5798000000001"}
	for _, row := range table(t, "naptr.tsv", 15) {
		text, want := row["rdata (zone file text)"], row["expected URI or result"]
		rr, err := dns.NewRR("x.example.com. 60 IN NAPTR " + text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		records := []Record{NewRecord(rr.(*dns.NAPTR))}
		urls, err := Select(records, participant.String(), []string{ServiceSMP}, URIRules{HTTP: true})
		got := records[0].Verdict
		if err == nil {
			got = urls[0]
		}
		want = strings.ReplaceAll(want, "{whole identifier}", participant.String())
		if got != want && !strings.HasPrefix(got, want+":") {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		if _, ok := strings.CutPrefix(want, "http"); !ok && !errors.Is(err, map[bool]error{true: ErrNoService, false: ErrRecord}[want == "no matching service"]) {
			t.Errorf("%s: got error %v", text, err)
		}
	}
}

// loadZones reads corpus zone files into one server.
func loadZones(t *testing.T, origins ...string) *zone.Zone {
	t.Helper()
	z := &zone.Zone{}
	for _, origin := range origins {
		b := corpus.Read(t, area, "dns/db."+origin)
		if err := z.Load(bytes.NewReader(b), origin); err != nil {
			t.Fatalf("%s: %v", origin, err)
		}
	}
	return z
}

func serve(t *testing.T, z *zone.Zone) string {
	t.Helper()
	addr, err := z.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// mapped dials other addresses than asked for: name servers of zone files live at addresses of their own.
type mapped map[string]string

func (m mapped) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if to, ok := m[address]; ok {
		address = to
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

var closedNetwork = URIRules{HTTP: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("172.20.0.0/16")}}

const githubSMP = "https://raw.githubusercontent.com/ec-edelivery/dynamic-discovery-federated-infrastructure/refs/heads/main/uc02-dynamic-discovery-client/smp-resources/"

// federated are the paths of the federated proof of concept: by which zone and label function which participant is found where.
var federated = []struct {
	name, participant, zone string
	kind                    Kind
	url                     string
	step                    string // must occur in the steps
}{
	{"NAPTR at the name itself", "iso6523-actorid-upis::0088:test01", "0088.iso6523.participants.ecosystem.org", SchemeLabel, githubSMP, "NOERROR, 1 records"},
	{"a participant behind a CNAME, labels with ICD", "iso6523-actorid-upis::0088:test01", "participant.ecosystem.org", Partitioned, "https://172.20.0.201/", "CNAME smp-test-01.publisher.participant.ecosystem.org"},
	{"another participant behind a CNAME, labels with ICD", "iso6523-actorid-upis::0088:test02", "participant.ecosystem.org", Partitioned, "https://172.20.0.202/", "CNAME smp-test-02"},
	{"NAPTR behind a CNAME", "iso6523-actorid-upis::0088:test02", "0088.iso6523.participants.ecosystem.org", SchemeLabel, githubSMP, "CNAME github-smp.publisher"},
	{"an ebCore party, NAPTR at the name itself", ids.PartyIDPrefix + "iso6523:0088:test01", "participants.ecosystem.org", Partitioned, githubSMP, "1 records"},
	{"an ebCore party behind a CNAME", ids.PartyIDPrefix + "iso6523:0088:test02", "participants.ecosystem.org", Partitioned, githubSMP, "CNAME github-smp.publisher"},
	{"an ebCore party in a delegated zone", ids.PartyIDPrefix + "iso6523:0195:test01", "participants.ecosystem.org", Partitioned, githubSMP, "1 records"},
	{"an ebCore party behind a CNAME in a delegated zone", ids.PartyIDPrefix + "iso6523:0195:test02", "participants.ecosystem.org", Partitioned, githubSMP, "CNAME github-smp.publisher.0195"},
	{"a participant in a delegated zone", "iso6523-actorid-upis::0195:test01", "0195.iso6523.participants.ecosystem.org", SchemeLabel, githubSMP, "1 records"},
	{"a participant behind a CNAME in a delegated zone", "iso6523-actorid-upis::0195:test02", "0195.iso6523.participants.ecosystem.org", SchemeLabel, githubSMP, "CNAME github-smp"},
	{"an ebCore party behind a DNAME", ids.PartyIDPrefix + "iso6523:9914:test01", "participants.ecosystem.org", Partitioned, githubSMP, "9914.iso6523.g2b.at"},
	{"an ebCore party behind a DNAME and a CNAME", ids.PartyIDPrefix + "iso6523:9914:test02", "participants.ecosystem.org", Partitioned, githubSMP, "CNAME github-smp.publisher.9914.iso6523.g2b.at"},
	{"a participant behind a DNAME", "iso6523-actorid-upis::9914:test01", "9914.iso6523.participants.ecosystem.org", SchemeLabel, githubSMP, "9914.iso6523.g2b.at"},
	{"a participant behind a DNAME and a CNAME", "iso6523-actorid-upis::9914:test02", "9914.iso6523.participants.ecosystem.org", SchemeLabel, githubSMP, "CNAME github-smp"},
}

// plainNames are the records of the zone files whose labels are no hashes.
var plainNames = map[string]string{
	"UC1XABCD.0088.iso6523.participants.ecosystem.org.":                                                                  "http://127.0.0.1:8080/smp-uc1/",
	"UC1AXABCD.0088.iso6523.participants.ecosystem.org.":                                                                 "http://127.0.0.1:8080/smp-uc1a/",
	"UC2XABCD.0195.iso6523.participants.ecosystem.org.":                                                                  "http://127.0.0.1:8080/smp-uc2/",
	"UC2AXABCD.0195.iso6523.participants.ecosystem.org.":                                                                 "http://127.0.0.1:8080/smp-uc2a/",
	"UC3XABCD.9914.iso6523.participants.ecosystem.org.":                                                                  "http://127.0.0.1:8080/smp-uc3/",
	"UC3AXABCD.9914.iso6523.participants.ecosystem.org.":                                                                 "http://127.0.0.1:8080/smp-uc3a/",
	"smp-test-01.publisher.participant.ecosystem.org.":                                                                   "https://172.20.0.201/",
	"IDUC1ABCD.iso6523-actorid-upis.edelivery.tech.ec.europa.eu.":                                                        "http://127.0.0.1:8080/smp-inc-uc-01/",
	"iduc4abcg.iso6523-actorid-upis.edelivery.tech.ec.europa.eu.":                                                        "http://127.0.0.1:8080/smp-inc-uc-04/",
	"ryatfmwwqqhey4t7vppcxy7z36t2fol6qyxrgyf3v7s5lgjuah2q.iso6523-actorid-upis.0195.iso6523.participants.ecosystem.org.": githubSMP,
}

func TestCorpusZones(t *testing.T) {
	t.Parallel()
	origins := []string{
		"ecosystem.org", "0195.iso6523.participants.ecosystem.org", "0195.iso6523-actorid-upis.participants.ecosystem.org",
		"9914.iso6523.g2b.at", "edelivery.tech.ec.europa.eu", "test.edelivery.internal",
	}
	one := serve(t, loadZones(t, origins...))
	apart := mapped{}
	for addr, zones := range map[string][]string{
		"172.20.0.2:53":   {"ecosystem.org"},
		"172.20.0.101:53": origins[1:3],
		"172.20.0.102:53": {"9914.iso6523.g2b.at"},
		"172.20.0.201:53": {"edelivery.tech.ec.europa.eu"},
	} {
		apart[addr] = serve(t, loadZones(t, zones...))
	}
	servers := map[string]*Resolver{
		"one server for all zones":         {Servers: []string{one}},
		"each zone on a server of its own": {Servers: []string{"172.20.0.2", "172.20.0.102"}, Dialer: apart, Referrals: true},
	}
	for how, base := range servers {
		for _, c := range federated {
			t.Run(how+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				p, err := ids.ParseParticipant(c.participant)
				if err != nil {
					t.Fatal(err)
				}
				r := &Resolver{Zone: c.zone, Kind: c.kind, Servers: base.Servers, Dialer: base.Dialer, Referrals: base.Referrals, URI: closedNetwork}
				res, err := r.Lookup(t.Context(), p)
				if err != nil {
					t.Fatalf("%v\n%v", err, res.Steps)
				}
				if res.URL != c.url {
					t.Errorf("got %s, want %s", res.URL, c.url)
				}
				if all := steps(res); !strings.Contains(all, c.step) {
					t.Errorf("%q is not in the steps:\n%s", c.step, all)
				}
			})
		}
	}
	t.Run("names that are no hashes", func(t *testing.T) {
		t.Parallel()
		for name, want := range plainNames {
			r := &Resolver{Servers: []string{one}, URI: closedNetwork}
			res := &Result{Name: name, TTL: maxTTL}
			err := r.lookupNAPTR(t.Context(), &trace{now: clock}, ids.Participant{Value: "x"}, res, defaultServices)
			if err != nil || res.URL != want {
				t.Errorf("%s: got %s, %v, want %s", name, res.URL, err, want)
			}
		}
	})
	t.Run("a CNAME to a name that the zone file misspells", func(t *testing.T) {
		t.Parallel()
		r := &Resolver{Zone: "participants.ecosystem.org", Kind: Partitioned, Servers: []string{one}}
		res, err := r.Lookup(t.Context(), ids.Participant{Scheme: ids.SchemeActor, Value: "0195:test01"})
		if !errors.Is(err, ErrNotRegistered) || !strings.Contains(steps(res), "CNAME smp-test-01.publisher.participants.ecosystem.org") {
			t.Errorf("got %v\n%s", err, steps(res))
		}
	})
	t.Run("a zone without participants", func(t *testing.T) {
		t.Parallel()
		r := &Resolver{Zone: "test.edelivery.internal", Servers: []string{one}}
		if _, err := r.Lookup(t.Context(), ids.Participant{Scheme: ids.SchemeActor, Value: "0088:1"}); !errors.Is(err, ErrNotRegistered) {
			t.Errorf("got %v", err)
		}
	})
}

func steps(r *Result) string {
	var b strings.Builder
	for _, s := range r.Steps {
		b.WriteString(s.Name + " " + s.Detail + "\n")
	}
	return b.String()
}
