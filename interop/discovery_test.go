package interop

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/domains/procurement/sample"
	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// generations are the modes of phoss SMP, with what the node must serve for each and the path of its documents.
var generations = []struct{ mode, setting, prefix string }{
	{"peppol", "busdox-1.0", "/"},
	{"oasis-bdxr-v1", "oasis-1.0", "/"},
	{"oasis-bdxr-v2", "oasis-2.0", "/bdxr-smp-2/"},
}

const as4Transport = "peppol-transport-as4-v2_0"

// business is a document of the procurement domain and what it says.
type business struct {
	octets                       []byte
	sender, receiver             ids.Participant
	docType                      ids.DocumentType
	process                      ids.Process
	participant, doctype, procid string // as the peers write them
	when                         time.Time
}

func makeBusiness(t *testing.T) *business {
	t.Helper()
	now := time.Now()
	b, err := sample.Make("invoice", "2026-17", sample.Supplier, sample.Buyer, now)
	if err != nil {
		t.Fatal(err)
	}
	d, err := procurement.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return &business{b, d.Sender, d.Receiver, d.Type, d.Process, d.Receiver.String(), d.Type.String(), d.Process.String(), now}
}

// register makes the node serve the receiver of the document.
func (g *gateway) register(t *testing.T, b *business) {
	t.Helper()
	path := "/api/v1/participants/" + ids.EscapeSegment(b.participant) + "/services/" + ids.EscapeSegment(b.doctype)
	if status, body := g.call(t, "PUT", path, "application/json", strings.NewReader(`{"process":"`+b.procid+`"}`)); status != http.StatusNoContent {
		t.Fatalf("registration: %d %s", status, body)
	}
}

// publisher starts phoss SMP with one endpoint of the receiver.
func publisher(t *testing.T, mode string, b *business, endpoint, certificate string) (address string) {
	t.Helper()
	s := discovery.serve(t, nil, "smp-serve", "--port", "0", "--dir", t.TempDir(), "--mode", mode,
		"--keystore", discovery.pki("smp1.p12"), "--truststore", discovery.pki("trust.p12"))
	address = s.ready.text("url")
	out, status := discovery.call(t, nil, "smp-put", "--smp", address, "--participant", b.participant, "--mode", mode, "--truststore", discovery.pki("trust-smp.p12"),
		"--all", "--doctype", b.doctype, "--process", b.procid, "--url", endpoint, "--certificate", certificate, "--profile", as4Transport)
	if status != 0 {
		t.Fatalf("%v", out)
	}
	return address
}

// zone writes a zone in which the participant's record leads to the address, and serves it with dnspython.
func zone(t *testing.T, b *business, address string, more ...string) (server, name string) {
	t.Helper()
	out, _ := discovery.call(t, nil, "label", "--participant", b.participant, "--zone", "sml.test", "--mode", "naptr")
	name = out[0].text("name")
	lines := append([]string{"$TTL 60", "@ SOA ns hostmaster 1 600 60 86400 60", "@ NS ns", "ns A 127.0.0.1",
		name + `. NAPTR 100 10 "U" "Meta:SMP" "!.*!` + address + `!" .`, ""}, more...)
	file := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server = "127.0.0.1:" + strconv.Itoa(ports(t, 1))
	_, port, _ := strings.Cut(server, ":")
	discovery.serve(t, nil, "dns-serve", "--zone", "sml.test="+file, "--port", port)
	return server, name
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// client trusts the peers' PKI, each authority in its role, and may go to this machine.
func client(t *testing.T) *smp.Client {
	t.Helper()
	return &smp.Client{
		Policy: smp.Policy{Schemes: []string{"http", "https"}, Ports: []uint16{0}, Allow: loopback()},
		Trust:  verifier(t, discovery.pki("smp-ca.pem"), pki.PurposeSMP), EndpointTrust: verifier(t, discovery.pki("ap-ca.pem"), pki.PurposeAccessPoint),
		Timeout: patience,
	}
}

func verifier(t *testing.T, file string, purpose pki.Purpose) *pki.Verifier {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pki.ParsePEMCertificates(b)
	if err != nil {
		t.Fatal(err)
	}
	v := &pki.Verifier{}
	for _, c := range certs {
		v.Anchors = append(v.Anchors, pki.Anchor{Certificate: c, Purposes: []pki.Purpose{purpose}})
	}
	return v
}

func TestPeppolClientReadsOurPublisher(t *testing.T) {
	t.Parallel()
	discovery.need(t)
	phase4.need(t)
	b := makeBusiness(t)
	for _, gen := range generations {
		t.Run(gen.mode, func(t *testing.T) {
			t.Parallel()
			trust := discovery.pki("trust-smp.p12")
			g := start(t, "peppol", func(_ string, c tree) {
				s := c["smp"].(tree)
				s["generations"] = []string{gen.setting}
				s["signing"] = tree{"key": discovery.pki("smp1.p12"), "password": "env:VIADUKT_INTEROP_PASSWORD"}
			})
			g.register(t, b)
			address := "http://" + g.Addr("smp")
			get := func(t *testing.T, participant string, args ...string) (object, int) {
				t.Helper()
				out, status := discovery.call(t, nil, append([]string{"smp-get", "--smp", address, "--participant", participant, "--mode", gen.mode, "--truststore", trust}, args...)...)
				if len(out) == 0 {
					t.Fatal("no answer")
				}
				return out[len(out)-1], status
			}
			t.Run("group lists the document type, "+gen.setting, func(t *testing.T) {
				entry(t, "peppol-smp-client", served, took)
				if o, status := get(t, b.participant); status != 0 || !strings.Contains(fmt.Sprint(o), b.docType.Value) {
					t.Errorf("%v", o)
				}
			})
			t.Run("metadata, signature and certificates, "+gen.setting, func(t *testing.T) {
				entry(t, "peppol-smp-client", served, took)
				o, status := get(t, b.participant, "--doctype", b.doctype, "--process", b.procid, "--ap-truststore", phase4.pki("trust.pem"))
				if status != 0 || !o.is("ok") || !o.is("signature", "core") || o.text("signature", "chain") != "ok" || len(o.list("signature", "findings")) != 0 {
					t.Errorf("%v", o)
				}
				endpoints := o.list("endpoints")
				if len(endpoints) != 1 {
					t.Fatalf("%v", o)
				}
				if e := object(endpoints[0].(map[string]any)); e.text("url") != string(g.Config.AS4.URL) || e.text("certificateChain") != "ok" {
					t.Errorf("%v", e)
				}
			})
			t.Run("unknown participant, "+gen.setting, func(t *testing.T) {
				r := entry(t, "peppol-smp-client", served, refused)
				o, status := get(t, "iso6523-actorid-upis::9915:nobody")
				if r.detail = fmt.Sprintf("HTTP %.0f", o.number("http")); status != 1 || o.number("http") != http.StatusNotFound {
					t.Errorf("%v", o)
				}
			})
			t.Run("schemas and form of the signed files, "+gen.setting, func(t *testing.T) {
				entry(t, "phoss SMP xml-check", served, took)
				dir := t.TempDir()
				var files []string
				for i, path := range []string{ids.EscapeSegment(b.participant), ids.EscapeSegment(b.participant) + "/services/" + ids.EscapeSegment(b.doctype)} {
					file := filepath.Join(dir, strconv.Itoa(i)+".xml")
					if err := os.WriteFile(file, fetch(t, address+gen.prefix+path), 0o600); err != nil {
						t.Fatal(err)
					}
					files = append(files, file)
				}
				out, status := discovery.call(t, nil, append(append([]string{"xml-check"}, files...), "--truststore", trust)...)
				if status != 0 || len(out) != 2 {
					t.Errorf("status %d, %v", status, out)
				}
			})
			t.Run("DNS and publisher in one lookup, "+gen.setting, func(t *testing.T) {
				entry(t, "ph-dns and peppol-smp-client", served, took)
				out, status := discovery.call(t, nil, "lookup", "--participant", b.participant, "--zone", g.Config.Discovery.Zone, "--dns", g.Config.Discovery.Servers[0],
					"--smp-mode", gen.mode, "--doctype", b.doctype, "--process", b.procid, "--truststore", trust)
				if status != 0 || !strings.Contains(fmt.Sprint(out), string(g.Config.AS4.URL)) {
					t.Errorf("%v", out)
				}
			})
		})
	}
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", url, resp.StatusCode, err)
	}
	return b
}

func TestWeReadPhossSMP(t *testing.T) {
	t.Parallel()
	discovery.need(t)
	b := makeBusiness(t)
	for _, gen := range generations {
		t.Run(gen.mode, func(t *testing.T) {
			t.Parallel()
			const endpoint = "http://127.0.0.1:1/as4"
			address := publisher(t, gen.mode, b, endpoint, discovery.pki("ap1.pem"))
			c := client(t)
			t.Run("group lists the document type, "+gen.mode, func(t *testing.T) {
				entry(t, "phoss SMP", asked, took)
				sg, err := c.ServiceGroup(t.Context(), address, b.receiver)
				if err != nil || len(sg.References) != 1 || !sg.References[0].DocumentType.Equal(b.docType) {
					t.Errorf("%+v, %v", sg, err)
				}
			})
			t.Run("endpoint and certificate, "+gen.mode, func(t *testing.T) {
				entry(t, "phoss SMP", asked, took)
				a, err := c.Lookup(t.Context(), smp.Question{Base: address, Participant: b.receiver, DocumentType: b.docType, Process: b.process, TransportProfiles: []string{as4Transport}})
				if err != nil {
					t.Fatal(err)
				}
				want, err := os.ReadFile(discovery.pki("ap1.pem"))
				if err != nil {
					t.Fatal(err)
				}
				block, _ := pem.Decode(want)
				if a.Endpoint.URL != endpoint || !bytes.Equal(a.Endpoint.Signing().Raw, block.Bytes) {
					t.Errorf("%+v", a.Endpoint)
				}
			})
			for what, c := range map[string]struct {
				change func(q *smp.Question)
				want   error
			}{
				"unknown participant": {func(q *smp.Question) { q.Participant.Value = "9915:nobody" }, smp.ErrNotFound},
				"unknown document":    {func(q *smp.Question) { q.DocumentType.Value += "9" }, smp.ErrNotFound},
				"unknown process":     {func(q *smp.Question) { q.Process.Value = "other" }, smp.ErrNoProcess},
				"unknown transport":   {func(q *smp.Question) { q.TransportProfiles = []string{"other"} }, smp.ErrNoTransport},
			} {
				t.Run(what+", "+gen.mode, func(t *testing.T) {
					r := entry(t, "phoss SMP", asked, refused)
					q := smp.Question{Base: address, Participant: b.receiver, DocumentType: b.docType, Process: b.process, TransportProfiles: []string{as4Transport}}
					c.change(&q)
					_, err := client(t).Lookup(t.Context(), q)
					if !errors.Is(err, c.want) {
						t.Errorf("%v", err)
					}
					r.detail = c.want.Error()
				})
			}
			t.Run("an access point's certificate trusted for publishers, "+gen.mode, func(t *testing.T) {
				r := entry(t, "phoss SMP", asked, refused)
				c := client(t)
				c.Trust = verifier(t, discovery.pki("ap-ca.pem"), pki.PurposeSMP)
				_, err := c.Lookup(t.Context(), smp.Question{Base: address, Participant: b.receiver, DocumentType: b.docType, Process: b.process})
				if !errors.Is(err, smp.ErrUntrusted) {
					t.Errorf("%v", err)
				}
				r.detail = smp.ErrUntrusted.Error()
			})
		})
	}
}

func TestPublishersThatLie(t *testing.T) {
	t.Parallel()
	discovery.need(t)
	b := makeBusiness(t)
	cert, err := os.ReadFile(discovery.pki("ap1.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(cert)
	const ns = `xmlns="http://busdox.org/transport/identifiers/1.0/"`
	file := filepath.Join(t.TempDir(), "metadata.xml")
	metadata := fmt.Sprintf(`<ServiceMetadata xmlns="http://busdox.org/serviceMetadata/publishing/1.0/"><ServiceInformation><ParticipantIdentifier %[1]s scheme="%[2]s">%[3]s</ParticipantIdentifier>`+
		`<DocumentIdentifier %[1]s scheme="%[4]s">%[5]s</DocumentIdentifier><ProcessList><Process><ProcessIdentifier %[1]s scheme="%[6]s">%[7]s</ProcessIdentifier><ServiceEndpointList>`+
		`<Endpoint transportProfile="peppol-transport-as4-v2_0"><EndpointReference xmlns="http://www.w3.org/2005/08/addressing"><Address>http://127.0.0.1:1/as4</Address></EndpointReference>`+
		`<RequireBusinessLevelSignature>false</RequireBusinessLevelSignature><Certificate>%[8]s</Certificate><ServiceDescription>d</ServiceDescription><TechnicalContactUrl>mailto:a@example.com</TechnicalContactUrl>`+
		`</Endpoint></ServiceEndpointList></Process></ProcessList></ServiceInformation></ServiceMetadata>`,
		ns, b.receiver.Scheme, b.receiver.Value, b.docType.Scheme, b.docType.Value, b.process.Scheme, b.process.Value, base64.StdEncoding.EncodeToString(block.Bytes))
	if err := os.WriteFile(file, []byte(metadata), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, kind, keys string
		want             error
		change           func(*smp.Question)
	}{
		{"a good answer", "no", "smp1", nil, nil},
		{"no signature", "unsigned", "smp1", smp.ErrUnsigned, nil},
		{"signed with SHA-1", "sha1", "smp1", smp.ErrAlgorithm, nil},
		{"exclusive canonicalisation", "exclusive", "smp1", smp.ErrAlgorithm, nil},
		{"two signatures", "two", "smp1", smp.ErrSignatureCount, nil},
		{"a good signature over something else", "partial", "smp1", smp.ErrCoverage, nil},
		{"a signature inside", "nested", "smp1", smp.ErrSignaturePlace, nil},
		{"altered after signing", "tampered", "smp1", smp.ErrSignature, nil},
		{"a document type declaration", "doctype", "smp1", smp.ErrSyntax, nil},
		{"20 MiB", "large", "smp1", smp.ErrTooLarge, nil},
		{"an answer that is cut", "truncated", "smp1", smp.ErrUnavailable, nil},
		{"a page", "html", "smp1", smp.ErrRoot, nil},
		{"an HTTP redirection", "http-redirect", "smp1", smp.ErrHTTPRedirect, nil},
		{"no answer", "hang-up", "smp1", smp.ErrUnavailable, nil},
		{"an answer that is late", "slow", "smp1", smp.ErrUnavailable, nil},
		{"HTTP 500", "status-500", "smp1", smp.ErrUnavailable, nil},
		{"an expired signer", "no", "smp-expired", smp.ErrUntrusted, nil},
		{"a signer of a strange authority with a known name", "no", "smp-foreign", smp.ErrUntrusted, nil},
		{"signed by an access point", "no", "ap1", smp.ErrUntrusted, nil},
		{"an answer about another participant", "no", "smp1", smp.ErrWrongParticipant, func(q *smp.Question) { q.Participant.Value = "9915:other" }},
		{"an answer about another document", "no", "smp1", smp.ErrWrongDocument, func(q *smp.Question) { q.DocumentType.Value += "9" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			outcome := refused
			if c.want == nil {
				outcome = took
			}
			r := entry(t, "SMP that lies", asked, outcome)
			s := discovery.serve(t, nil, "smp-fake", "--port", "0", "--file", file, "--keystore", discovery.pki(c.keys+".p12"), "--bad", c.kind)
			q := smp.Question{Base: s.ready.text("url"), Participant: b.receiver, DocumentType: b.docType, Process: b.process, TransportProfiles: []string{as4Transport}}
			if c.change != nil {
				c.change(&q)
			}
			asking := client(t)
			if c.kind == "slow" {
				asking.Timeout = 3 * time.Second
			}
			a, err := asking.Lookup(t.Context(), q)
			if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.want != nil {
				r.detail = c.want.Error()
				if a != nil && a.Endpoint != nil {
					t.Errorf("an endpoint all the same: %+v", a.Endpoint)
				}
			}
		})
	}
}

func TestWeAskDnspython(t *testing.T) {
	t.Parallel()
	discovery.need(t)
	b := makeBusiness(t)
	const address = "http://127.0.0.1:1/smp"
	name, err := bdxl.Name(bdxl.Automatic, b.receiver, "sml.test")
	if err != nil {
		t.Fatal(err)
	}
	label := strings.TrimSuffix(strings.TrimSuffix(name, "."), ".sml.test")
	ask := func(t *testing.T, server, zone string, p ids.Participant, timeout time.Duration) (string, error) {
		r := &bdxl.Resolver{Zone: zone, Servers: []string{server}, URI: bdxl.URIRules{HTTP: true, Allow: loopback()}, Timeout: timeout}
		found, err := r.Lookup(t.Context(), p)
		if found == nil {
			return "", err
		}
		return found.URL, err
	}
	server, theirs := zone(t, b, address, label+".alias CNAME "+label, "moved DNAME sml.test.", label+`.other NAPTR 100 10 "U" "meta:cppa3" "!.*!http://127.0.0.1:1/x!" .`)
	if theirs != strings.TrimSuffix(name, ".") {
		t.Errorf("peppol-commons calls it %s, we %s", theirs, name)
	}
	for what, c := range map[string]struct {
		zone string
		p    ids.Participant
		want error
	}{
		"a record":                      {"sml.test", b.receiver, nil},
		"an alias of one name":          {"alias.sml.test", b.receiver, nil},
		"an alias of a subtree":         {"moved.sml.test", b.receiver, nil},
		"not registered":                {"sml.test", b.sender, bdxl.ErrNotRegistered},
		"registered for something else": {"other.sml.test", b.receiver, bdxl.ErrNoService},
	} {
		t.Run(what, func(t *testing.T) {
			r := entry(t, "dnspython", asked, outcomeOf(c.want))
			url, err := ask(t, server, c.zone, c.p, patience)
			if !errors.Is(err, c.want) || c.want == nil && url != address {
				t.Errorf("%s, %v", url, err)
			}
			if c.want != nil {
				r.detail = c.want.Error()
			}
		})
	}
	for kind, want := range map[string]error{"servfail": bdxl.ErrDNS, "refused": bdxl.ErrDNS, "timeout": bdxl.ErrDNS, "timeout-first": nil, "truncate": nil} {
		t.Run("a server that misbehaves, "+kind, func(t *testing.T) {
			t.Parallel()
			r := entry(t, "dnspython", asked, outcomeOf(want))
			file := filepath.Join(t.TempDir(), "zone")
			text := "$TTL 60\n@ SOA ns hostmaster 1 600 60 86400 60\n@ NS ns\nns A 127.0.0.1\n" + label + ` NAPTR 100 10 "U" "Meta:SMP" "!.*!` + address + `!" .` + "\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			port := strconv.Itoa(ports(t, 1))
			discovery.serve(t, nil, "dns-serve", "--zone", "sml.test="+file, "--port", port, "--misbehave", kind)
			timeout := patience
			switch kind {
			case "timeout":
				timeout = time.Second
			case "timeout-first": // the second attempt has it, too
				timeout = 5 * time.Second
			}
			url, err := ask(t, "127.0.0.1:"+port, "sml.test", b.receiver, timeout)
			if !errors.Is(err, want) || want == nil && url != address {
				t.Errorf("%s, %v", url, err)
			}
			if want != nil {
				r.detail = want.Error()
			}
		})
	}
}

func outcomeOf(want error) string {
	if want != nil {
		return refused
	}
	return took
}

func TestDnspythonAsksUs(t *testing.T) {
	t.Parallel()
	discovery.need(t)
	phase4.need(t)
	b := makeBusiness(t)
	g := start(t, "peppol", nil)
	g.register(t, b)
	server, zone := g.Config.Discovery.Servers[0], g.Config.Discovery.Zone
	name, err := bdxl.Name(bdxl.Automatic, b.receiver, zone)
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := bdxl.Name(bdxl.Automatic, b.sender, zone)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"a record over UDP":   {[]string{"--name", name}, 0, "http://" + g.Addr("smp")},
		"a record over TCP":   {[]string{"--name", name, "--tcp"}, 0, "http://" + g.Addr("smp")},
		"not registered":      {[]string{"--name", nobody}, 1, "NXDOMAIN"},
		"another record type": {[]string{"--name", name, "--type", "A"}, 1, "NOERROR"},
		"another zone":        {[]string{"--name", "elsewhere.example"}, 3, "REFUSED"},
	} {
		t.Run(what, func(t *testing.T) {
			outcome := took
			if c.status != 0 {
				outcome = refused
			}
			r := entry(t, "dnspython", served, outcome)
			out, status := discovery.try(t, nil, append([]string{"dns-check", "--dns", server}, c.args...)...)
			if status != c.status || !strings.Contains(fmt.Sprint(out), c.says) {
				t.Errorf("status %d, %v", status, out)
			}
			r.detail = c.says
		})
	}
}
