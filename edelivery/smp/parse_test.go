package smp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func sample(t *testing.T, name string) []byte {
	t.Helper()
	return must(os.ReadFile(filepath.Join("testdata", name)))
}

func TestLenientReading(t *testing.T) {
	t.Parallel()
	md, err := ParseServiceMetadata(sample(t, "busdox-metadata.xml"))
	if err != nil {
		t.Fatal(err)
	}
	want := &ServiceMetadata{
		Generation:   Busdox10,
		Participant:  ids.Participant{Scheme: ids.SchemeActor, Value: "9999:brook-water-board"},
		DocumentType: permit,
		Processes: []Process{{Process: ids.Process{Scheme: "example-procid", Value: "urn:example:permits"}, Endpoints: []Endpoint{{
			TransportProfile: "example-as4", URL: "https://ap.example.com/as4", RequireBusinessSignature: true, MinimumAuthenticationLevel: "2",
			Activation: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Expiration: time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC),
			Information: "https://example.com/help",
			Extensions:  []Extension{{Busdox10, []byte(`<y xmlns="urn:y" xmlns:i="http://busdox.org/transport/identifiers/1.0/" a="b">kept</y>`)}},
		}}}},
		Extensions: []Extension{{Busdox10, []byte(`<plain xmlns="http://busdox.org/serviceMetadata/publishing/1.0/" xmlns:i="http://busdox.org/transport/identifiers/1.0/">no namespace</plain>`)}},
	}
	if d := cmp.Diff(want, md); d != "" {
		t.Error(d)
	}
}

func TestGroupReferencesOfAllAges(t *testing.T) {
	t.Parallel()
	sg, err := ParseServiceGroup(sample(t, "busdox-group.xml"))
	if err != nil {
		t.Fatal(err)
	}
	want := []ids.DocumentType{permit, {Scheme: ids.SchemeQNS, Value: "http://example.com/permit::Permit##urn:example:short::1.0"}, {}}
	for i, d := range want {
		if sg.References[i].DocumentType != d {
			t.Errorf("reference %d: got %q, want %q", i+1, sg.References[i].DocumentType, d)
		}
	}
}

func TestProcessesOf20(t *testing.T) {
	t.Parallel()
	md, err := ParseServiceMetadata(sample(t, "oasis20-metadata.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(md.Processes) != 4 {
		t.Fatalf("%+v", md.Processes)
	}
	one, two, three, every := md.Processes[0], md.Processes[1], md.Processes[2], md.Processes[3]
	if one.Process.Value != "one" || strings.Join(one.Roles, " ") != "buyer seller" || two.Process.Value != "two" || len(two.Endpoints) != 1 {
		t.Errorf("%+v, %+v", one, two)
	}
	if three.Redirect == nil || three.Redirect.Href != "https://other.example.com/smp" || len(three.Endpoints) != 0 {
		t.Errorf("%+v", three)
	}
	if !every.Process.IsZero() || every.Endpoints[0].URL != "" {
		t.Errorf("%+v", every)
	}
	if md.Participant != (ids.Participant{Scheme: "urn:oasis:names:tc:ebcore:partyid-type:iso6523:9999", Value: "brook"}) {
		t.Errorf("%+v", md.Participant)
	}
	ten, err := ParseServiceMetadata(sample(t, "oasis10-metadata.xml"))
	if err != nil || ten.Participant != md.Participant {
		t.Errorf("the double colon of an ebCore party: %+v, %v", ten, err)
	}
}

func TestStrictReading(t *testing.T) {
	t.Parallel()
	busdox, ten, two := string(sample(t, "busdox-metadata.xml")), string(sample(t, "oasis10-metadata.xml")), string(sample(t, "oasis20-metadata.xml"))
	for _, c := range []struct{ name, in, old, with string }{
		{"an unknown element", busdox, "<Certificate/>", "<Certificate/><Colour/>"},
		{"an element out of order", busdox, "<RequireBusinessLevelSignature>1</RequireBusinessLevelSignature>", ""},
		{"no certificate element", busdox, "<Certificate/>", ""},
		{"no address", busdox, "<Address> https://ap.example.com/as4 </Address>", ""},
		{"a boolean that is none", busdox, ">1<", ">yes<"},
		{"a date that is none", busdox, "2035-01-01T01:00:00+01:00", "2035-01-01"},
		{"a certificate that is none", busdox, "<Certificate/>", "<Certificate>AAAA</Certificate>"},
		{"a certificate that is no base64", busdox, "<Certificate/>", "<Certificate>(%)</Certificate>"},
		{"an empty document type", ten, "urn:example:permit::Permit", ""},
		{"an empty process", ten, "bdx:noprocess", " "},
		{"no transport profile", ten, ` transportProfile="example-as4"`, ""},
		{"no process", ten, "<Process>", "<Extension/><Process>"},
		{"another version", two, "2.0<", "2.1<"},
		{"no version", two, "<b:SMPVersionID>2.0</b:SMPVersionID>", ""},
		{"endpoint and redirect", two, "<a:Redirect>", "<a:Endpoint><b:TransportProfileID>x</b:TransportProfileID></a:Endpoint><a:Redirect>"},
		{"neither endpoint nor redirect", two, "<a:Endpoint><b:TransportProfileID>example-mail</b:TransportProfileID></a:Endpoint>", ""},
		{"an extension at the end", two, "</ServiceMetadata>", "<e:SMPExtensions/></ServiceMetadata>"},
		{"a date with a time", two, "2035-01-01", "2035-01-01T00:00:00Z"},
	} {
		// The required child is not there: what follows it is named as unexpected.
		in := strings.Replace(c.in, c.old, c.with, 1)
		if c.name == "an element out of order" {
			in = strings.Replace(in, "<Certificate/>", "<Certificate/>"+c.old, 1)
		}
		if in == c.in {
			t.Fatalf("%s: nothing replaced", c.name)
		}
		_, err := ParseServiceMetadata([]byte(in))
		var at *dom.Error
		if !errors.Is(err, ErrSyntax) || !errors.As(err, &at) || at.Line == 0 || at.Path == "" {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	for name, in := range map[string]string{
		"a redirect without href":           `<s:ServiceMetadata xmlns:s="` + NamespaceBusdox + `"><s:Redirect><s:CertificateUID>x</s:CertificateUID></s:Redirect></s:ServiceMetadata>`,
		"a redirect that announces nobody":  `<s:ServiceMetadata xmlns:s="` + NamespaceBusdox + `"><s:Redirect href="https://x"><s:CertificateUID/></s:Redirect></s:ServiceMetadata>`,
		"nothing inside":                    `<s:ServiceMetadata xmlns:s="` + NamespaceBusdox + `"/>`,
		"two answers under one signature":   `<s:SignedServiceMetadata xmlns:s="` + NamespaceBusdox + `"><s:ServiceMetadata/><s:ServiceMetadata/></s:SignedServiceMetadata>`,
		"an end tag alone":                  `</>`,
		"nothing":                           ``,
		"the identifiers' namespace missed": strings.Replace(busdox, "transport/identifiers", "transport/identity", 1),
	} {
		if _, err := ParseServiceMetadata([]byte(in)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestWriting: every generation says what it can, reads back, and refuses what it cannot say.
func TestWriting(t *testing.T) {
	t.Parallel()
	w := theWorld()
	for _, g := range generations {
		md := w.metadata()
		md.Generation = g
		md.Processes[0].Endpoints[0].Extensions = []Extension{{g, []byte(`<own xmlns="">x</own>`)}, {g%3 + 1, []byte("<foreign/>")}}
		got, err := ParseServiceMetadata(must(WriteServiceMetadata(md, g)))
		if err != nil {
			t.Fatalf("%s: %v", g, err)
		}
		x := got.Processes[0].Endpoints[0].Extensions
		if len(x) != 1 || !bytes.HasPrefix(x[0].Content, []byte("<own")) || bytes.Contains(x[0].Content, []byte(`xmlns="http`)) {
			t.Errorf("%s: extensions %s", g, x)
		}
		if d := cmp.Diff(md, got, sameModel); d != "" {
			t.Errorf("%s: %s", g, d)
		}
	}
	both := func(md *ServiceMetadata) {
		md.Processes[0].Endpoints[0].SigningCertificate = w.smp.Certificate
		md.Processes[0].Endpoints[0].EncryptionCertificate = w.ap.Certificate
		md.Processes[0].Endpoints[0].Certificate = nil
	}
	for _, c := range []struct {
		name    string
		change  func(md *ServiceMetadata)
		refused []Generation
	}{
		{"neither processes nor redirect", func(md *ServiceMetadata) { md.Processes = nil }, generations},
		{"processes and redirect", func(md *ServiceMetadata) { md.Redirect = &Redirect{Href: "https://x", CertificateUID: "x"} }, generations},
		{"no participant", func(md *ServiceMetadata) { md.Participant = ids.Participant{} }, generations},
		{"no endpoint", func(md *ServiceMetadata) { md.Processes[0].Endpoints = nil }, generations},
		{"no transport profile", func(md *ServiceMetadata) { md.Processes[0].Endpoints[0].TransportProfile = "" }, generations},
		{"it ends before it begins", func(md *ServiceMetadata) { md.Processes[0].Endpoints[0].Expiration = noon.AddDate(-1, 0, 0) }, generations},
		{"no address", func(md *ServiceMetadata) { md.Processes[0].Endpoints[0].URL = "" }, generations[:2]},
		{"every process", func(md *ServiceMetadata) { md.Processes[0].Process = ids.Process{} }, generations[:2]},
		{"two certificates", both, generations[:2]},
		{"a redirect of one process", func(md *ServiceMetadata) {
			md.Processes[0].Endpoints, md.Processes[0].Redirect = nil, &Redirect{Href: "https://x"}
		}, generations[:2]},
		{"less than a day", func(md *ServiceMetadata) {
			md.Processes[0].Endpoints[0].Activation, md.Processes[0].Endpoints[0].Expiration = noon, noon.Add(time.Hour)
		}, generations[2:]},
		{"two extensions", func(md *ServiceMetadata) {
			md.Extensions = []Extension{{Busdox10, []byte("<a/>")}, {Busdox10, []byte("<b/>")}}
		}, generations[:1]},
		{"an extension of two elements", func(md *ServiceMetadata) { md.Extensions = []Extension{{Busdox10, []byte("<a/><b/>")}} }, generations[:1]},
		{"an extension that closes what it did not open", func(md *ServiceMetadata) {
			md.Extensions = []Extension{{Busdox10, []byte("</x><x>")}, {OASIS10, []byte("</x>")}, {OASIS20, []byte("<x>")}}
		}, generations},
	} {
		for _, g := range generations {
			md := w.metadata()
			c.change(md)
			_, err := WriteServiceMetadata(md, g)
			refuse := false
			for _, r := range c.refused {
				refuse = refuse || r == g
			}
			if refuse != errors.Is(err, ErrSyntax) || !refuse && err != nil {
				t.Errorf("%s, %s: got %v", c.name, g, err)
			}
		}
	}
	md := w.metadata()
	both(md)
	got, err := ParseServiceMetadata(must(WriteServiceMetadata(md, OASIS20)))
	if err != nil {
		t.Fatal(err)
	}
	e := got.Processes[0].Endpoints[0]
	if !e.Signing().Equal(w.smp.Certificate) || !e.Encryption().Equal(w.ap.Certificate) {
		t.Errorf("%+v", e)
	}
}

// TestTwoCertificatesForOneUse: the newer one counts, wherever it stands.
func TestTwoCertificatesForOneUse(t *testing.T) {
	t.Parallel()
	w := theWorld()
	old, young := w.expired.Certificate, w.smp.Certificate
	md := w.metadata()
	md.Processes[0].Endpoints[0].Certificate = nil
	src := string(must(WriteServiceMetadata(md, OASIS20)))
	one := func(c *pki.Certificate) string {
		return "<sma:Certificate><smb:ContentBinaryObject>" + base64.StdEncoding.EncodeToString(c.Raw) + "</smb:ContentBinaryObject></sma:Certificate>"
	}
	for _, both := range []string{one(old) + one(young), one(young) + one(old)} {
		got, err := ParseServiceMetadata([]byte(strings.Replace(src, "</sma:Endpoint>", both+"</sma:Endpoint>", 1)))
		if err != nil || !got.Processes[0].Endpoints[0].Encryption().Equal(young) {
			t.Errorf("%v", err)
		}
	}
}

func TestCertificatesInTheWild(t *testing.T) {
	t.Parallel()
	w := theWorld()
	src := must(WriteServiceMetadata(w.metadata(), Busdox10))
	b64, _, _ := bytes.Cut(src[bytes.Index(src, []byte("<smp:Certificate>"))+17:], []byte("<"))
	broken := string(b64[:64]) + "\n  " + string(b64[64:100]) + " \t" + string(b64[100:])
	for name, text := range map[string]string{
		"line breaks and blanks": broken,
		"PEM armour":             "\n-----BEGIN CERTIFICATE-----\n" + broken + "\n-----END CERTIFICATE-----\n",
		"PEM armour on one line": "-----BEGIN CERTIFICATE-----" + string(b64) + "-----END CERTIFICATE-----",
	} {
		md, err := ParseServiceMetadata(bytes.Replace(bytes.Clone(src), b64, []byte(text), 1))
		if err != nil || !md.Processes[0].Endpoints[0].Certificate.Equal(w.ap.Certificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
