package light_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/viadukt-eu/viadukt/eid/light"
	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// TestCorpus: each object of others is taken or not as its source says, and comes out of a round trip as it was.
func TestCorpus(t *testing.T) {
	t.Parallel()
	cases := 0
	for _, row := range corpus.Index(t, "eid") {
		if !strings.HasSuffix(row["file"], ".xml") || !strings.HasPrefix(row["file"], "light/") {
			continue
		}
		cases++
		t.Run(row["file"], func(t *testing.T) {
			t.Parallel()
			b := corpus.Read(t, "eid", row["file"])
			bad := strings.HasPrefix(row["expected"], "reject")
			if strings.Contains(string(b), "<lightRequest") || strings.Contains(string(b), ":lightRequest") {
				q, err := light.ParseRequest(b)
				if (err != nil) != bad {
					t.Fatalf("%v, expected is %s", err, row["expected"])
				}
				if err == nil {
					again, err := light.ParseRequest(q.Marshal())
					if d := cmp.Diff(q, again); d != "" || err != nil {
						t.Error(err, d)
					}
				}
				return
			}
			a, err := light.ParseResponse(b)
			if (err != nil) != bad {
				t.Fatalf("%v, expected is %s", err, row["expected"])
			}
			if err == nil {
				again, err := light.ParseResponse(a.Marshal())
				if d := cmp.Diff(a, again); d != "" || err != nil {
					t.Error(err, d)
				}
			}
		})
	}
	if cases < 14 {
		t.Errorf("only %d objects: is the corpus there?", cases)
	}
}

var at = time.Date(2017, 12, 11, 14, 12, 5, 148e6, time.UTC)

// TestToken: the vector of the reference node's guide.
func TestToken(t *testing.T) {
	t.Parallel()
	x := light.Exchange{Issuer: "specificCommunicationDefinitionConnectorRequest", Secret: "mySecretConnectorRequest"}
	const id = "852a64c0-8ac1-445f-b0e1-992ada493033"
	value := x.Encode(id, at)
	plain, err := base64.StdEncoding.DecodeString(value)
	if err != nil || !strings.HasSuffix(string(plain), "|2017-12-11 14:12:05 148|7M8p+uP8CKXuMi2IqSda1tg452WlRvcOSwu0dcisSYE=") {
		t.Errorf("%s %v", plain, err)
	}
	got, err := x.Decode(value, at.Add(time.Minute))
	if want := (light.Token{Issuer: x.Issuer, ID: id, Time: at}); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	other := light.Exchange{Issuer: x.Issuer, Secret: "other"}
	stranger := light.Exchange{Issuer: "other", Secret: x.Secret}
	for name, tt := range map[string]struct {
		value string
		now   time.Time
	}{
		"too old":                {value, at.Add(8 * time.Minute)},
		"of tomorrow":            {value, at.AddDate(0, 0, -1)},
		"with another secret":    {other.Encode(id, at), at},
		"of another issuer":      {stranger.Encode(id, at), at},
		"of another object":      {encode(strings.Replace(string(plain), id, "another", 1)), at},
		"with three parts":       {encode("a|b|c"), at},
		"with five parts":        {encode(string(plain) + "|"), at},
		"that is no base64":      {"%", at},
		"that goes on and on":    {strings.Repeat("A", 1028), at},
		"with nothing in it":     {"", at},
		"with a time of its own": {encode("specificCommunicationDefinitionConnectorRequest|x|now|y"), at},
	} {
		if got, err := x.Decode(tt.value, tt.now); !errors.Is(err, light.ErrToken) {
			t.Errorf("a token %s: %+v %v", name, got, err)
		}
	}
}

func TestObjectsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := string((&light.Response{ID: "1", InResponseTo: "2", Issuer: "x", Subject: "s", SubjectFormat: saml.FormatPersistent, Level: "http://eidas.europa.eu/LoA/low",
		Status: saml.Status{Code: saml.StatusSuccess}, Attributes: []light.Attribute{{Name: "a", Values: []string{"v"}}}}).Marshal())
	for name, change := range map[string][2]string{
		"a document type":          {"<lightResponse", "<!DOCTYPE x [<!ENTITY y 'z'>]><lightResponse"},
		"a success of nobody":      {"<subject>s</subject>", ""},
		"another order":            {"<id>1</id><inResponseToId>2</inResponseToId>", "<inResponseToId>2</inResponseToId><id>1</id>"},
		"an attribute without one": {"<value>v</value>", ""},
		"an unknown element":       {"<status>", "<surprise/><status>"},
		"another status":           {saml.StatusSuccess, "urn:x"},
		"another format":           {saml.FormatPersistent, "urn:x"},
		"another namespace":        {light.NamespaceResponse, "urn:x"},
		"more at the end":          {"</attributes>", "</attributes><x/>"},
	} {
		src := strings.ReplaceAll(good, change[0], change[1])
		if src == good {
			t.Errorf("%s changes nothing", name)
		}
		if _, err := light.ParseResponse([]byte(src)); !errors.Is(err, light.ErrSyntax) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("<lightRequest xmlns='" + light.NamespaceRequest + "'/>"))
	f.Add((&light.Request{Country: "PT", ID: "1", Issuer: "x", Levels: []light.Level{{URI: "urn:x", NonNotified: true}}, Attributes: []light.Attribute{{Name: "a"}}}).Marshal())
	f.Add((&light.Response{ID: "1", InResponseTo: "2", Issuer: "x", Failure: true, Status: saml.Status{Code: saml.StatusResponder}}).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := light.ParseRequest(append([]byte(nil), b...)); err == nil {
			if again, err := light.ParseRequest(q.Marshal()); err != nil || !cmp.Equal(q, again) {
				t.Fatalf("%+v comes out as %+v %v", q, again, err)
			}
		}
		if a, err := light.ParseResponse(append([]byte(nil), b...)); err == nil {
			if again, err := light.ParseResponse(a.Marshal()); err != nil || !cmp.Equal(a, again) {
				t.Fatalf("%+v comes out as %+v %v", a, again, err)
			}
		}
		x := light.Exchange{Issuer: "a", Secret: "b"}
		if tok, err := x.Decode(string(b), at); err == nil {
			t.Fatalf("a token without the secret: %+v", tok)
		}
	})
}
