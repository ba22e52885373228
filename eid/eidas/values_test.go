package eidas_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/eid/eidas"
	"github.com/viadukt-eu/viadukt/eid/light"
	"github.com/viadukt-eu/viadukt/internal/corpus"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	whole := eidas.Address{AddressID: "1", PoBox: "2", LocatorDesignator: "22", LocatorName: "Arcacia <Avenue>", CvaddressArea: "Étterbeek", Thoroughfare: "Arcacia", PostName: "London",
		AdminunitFirstline: "GB", AdminunitSecondline: "London", PostCode: "SW1A 1AA", FullCvaddress: "all"}
	if got, err := eidas.ParseAddress(whole.Encode()); err != nil || got != whole {
		t.Errorf("%+v %v", got, err)
	}
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	want := eidas.Address{LocatorDesignator: "22", AdminunitFirstline: "GB"}
	for name, value := range map[string]string{
		"another prefix":    encode("<x:LocatorDesignator>22</x:LocatorDesignator>\n<x:AdminUnitFirstLine> GB </x:AdminUnitFirstLine>"),
		"no prefix":         encode("<LocatorDesignator>22</LocatorDesignator><adminunitFirstline>GB</adminunitFirstline>"),
		"base64 in columns": encode("<LocatorDesignator>22</LocatorDesignator><AdminunitFirstline>GB</AdminunitFirstline>")[:20] + "\r\n " + encode("<LocatorDesignator>22</LocatorDesignator><AdminunitFirstline>GB</AdminunitFirstline>")[20:],
	} {
		if got, err := eidas.ParseAddress(value); err != nil || got != want {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	for name, value := range map[string]string{
		"no base64":         "%",
		"no XML":            encode("<a"),
		"an unknown part":   encode("<Galaxy>Milky Way</Galaxy>"),
		"a document type":   encode("<!DOCTYPE x><PoBox>1</PoBox>"),
		"elements in parts": encode("<PoBox>" + strings.Repeat("<a>", 10) + strings.Repeat("</a>", 10) + "</PoBox>"),
	} {
		if got, err := eidas.ParseAddress(value); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAddressOfANode: as the reference writes it.
func TestAddressOfANode(t *testing.T) {
	t.Parallel()
	a, err := light.ParseResponse(corpus.Read(t, "eid", "light/lightResponse.xml"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, attr := range a.Attributes {
		if strings.HasSuffix(attr.Name, "/CurrentAddress") {
			got, err := eidas.ParseAddress(attr.Values[0])
			if found = true; err != nil || got.PostCode != "postCode" || got.AdminunitFirstline != "adminUnitFirstLine" {
				t.Errorf("%+v %v", got, err)
			}
		}
	}
	if !found {
		t.Error("there is no address")
	}
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"ES/AT/02635542Y", "EL/EE/a/b/c", "DE/PT/" + strings.Repeat("x", 256)} {
		if id, err := eidas.ParseIdentifier(good); err != nil || id.String() != good {
			t.Errorf("%s: %+v %v", good, id, err)
		}
	}
	for _, bad := range []string{"", "ES/AT/", "es/AT/1", "ES/AT/1 2", "ESP/AT/1", "ES/AT", "ES/AT/" + strings.Repeat("x", 257), "ES/AT/1\n"} {
		if id, err := eidas.ParseIdentifier(bad); err == nil {
			t.Errorf("%q: %+v", bad, id)
		}
	}
	if !eidas.SameCountry("GR", "EL") || !eidas.SameCountry("UK", "gb") || eidas.SameCountry("EE", "LV") || eidas.SameCountry("", "") {
		t.Error("countries")
	}
}

// TestLevels: what may be asked for, and what meets it [eIDAS-MF].
func TestLevels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want      eidas.Wanted
		published []string
		servable  bool
	}{
		{eidas.AtLeast(eidas.Low), []string{eidas.High}, true}, // who notified high alone serves everybody
		{eidas.AtLeast(eidas.High), []string{eidas.Low, eidas.Substantial}, false},
		{eidas.Wanted{Exact: []string{"urn:x", eidas.High}}, []string{eidas.High}, true},
		{eidas.Wanted{Exact: []string{"urn:x"}}, []string{"urn:x", eidas.Low}, true},
		{eidas.Wanted{Exact: []string{"urn:x"}}, []string{eidas.High}, false},
		{eidas.Wanted{}, []string{eidas.High}, false},
		{eidas.AtLeast("urn:x"), []string{eidas.High}, false},
	} {
		if got := tt.want.Servable(tt.published); got != tt.servable {
			t.Errorf("%+v of %v: %t", tt.want, tt.published, got)
		}
	}
	if !eidas.Notified(eidas.Low) || eidas.Notified("http://eidas.europa.eu/LoA/none") {
		t.Error("notified levels")
	}
}

func TestLatin(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"Ana": true, "Müller-Łukaszewicz, 3º": true, "Ωνάσης": false, "Иван": false, "Ana Ж": false, "": true, "1980": true, "Nguyễn": true} {
		if eidas.Latin(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

// FuzzValues: whatever is taken as an address or an identifier comes out as it was.
func FuzzValues(f *testing.F) {
	f.Add("ES/AT/1")
	f.Add(eidas.Address{PoBox: "1"}.Encode())
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := eidas.ParseIdentifier(s); err == nil && id.String() != s {
			t.Fatalf("%q becomes %q", s, id)
		}
		if a, err := eidas.ParseAddress(s); err == nil {
			if again, err := eidas.ParseAddress(a.Encode()); err != nil || again != a {
				t.Fatalf("%+v becomes %+v %v", a, again, err)
			}
		}
	})
}
