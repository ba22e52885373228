package interop

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/eid/eidas"
	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// samlPeer is a connector and a proxy service in Python: signatures and decryption by libxmlsec, key agreement by cryptography,
// and a second opinion by pysaml2.
var samlPeer = peer{"peers/saml", "saml"}

// eidSide is a node of ours: its keys, and an address at which its metadata are.
type eidSide struct {
	description eidas.Description
	signing     *pki.Identity
	encryption  *pki.Identity
	anchor      *pki.Authority
	metadata    *httptest.Server
}

func newEIDSide(t *testing.T, country string, alg pki.KeyAlgorithm) *eidSide {
	t.Helper()
	now := time.Now()
	ca, err := pki.NewAuthority(nil, "C="+country+",CN=Anchor "+country, pki.P256, now.Add(-time.Hour), 5)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name string, alg pki.KeyAlgorithm) *pki.Identity {
		id, err := ca.Issue(pki.Template{CommonName: name, Country: country, Algorithm: alg})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	s := &eidSide{signing: issue("sign", alg), encryption: issue("encrypt", alg), anchor: ca}
	meta := issue("metadata", pki.P256)
	s.metadata = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b, err := s.description.Entity("_m").Marshal(saml.Signing{Identity: meta})
		if err != nil {
			t.Error(err)
		}
		w.Write(b)
	}))
	t.Cleanup(s.metadata.Close)
	s.description = eidas.Description{EntityID: s.metadata.URL + "/metadata", Country: country, ValidUntil: now.Add(24 * time.Hour), Application: "Viadukt",
		Signing: []*pki.Certificate{s.signing.Certificate}, Encryption: []*pki.Certificate{s.encryption.Certificate}}
	return s
}

// party reads metadata of the side as a peer would.
func (s *eidSide) party(t *testing.T) *eidas.Party {
	t.Helper()
	return fetchParty(t, s.metadata.URL, s.anchor.Certificate)
}

// fetchParty reads what a node publishes, signed by somebody whose certificate leads to an anchor.
func fetchParty(t *testing.T, address string, anchor *pki.Certificate) *eidas.Party {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	v := &pki.Verifier{Anchors: pki.Bind([]*pki.Certificate{anchor}, pki.PurposeToken)}
	es, err := eidas.ReadMetadata(b, eidas.Trusted(v, time.Now), false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := eidas.ReadParty(es[0], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p peer) anchor(t *testing.T, s *server) *pki.Certificate {
	t.Helper()
	file := s.ready.text("anchor")
	if !filepath.IsAbs(file) {
		file = filepath.Join(p.dir, file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pki.ParsePEMCertificates(b)
	if err != nil {
		t.Fatal(err)
	}
	return certs[0]
}

// formOf reads a form that submits itself, as a browser sees it.
func formOf(t *testing.T, resp *http.Response, err error) (action string, fields url.Values, status int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	fields = url.Values{}
	for _, m := range regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(string(b), -1) {
		fields.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	if m := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(string(b)); m != nil {
		action = html.UnescapeString(m[1])
	} else {
		fields.Set("", string(b))
	}
	return action, fields, resp.StatusCode
}

// abroad is a connector of ours beside a proxy service of others.
type abroad struct {
	side      *eidSide
	idp       *server
	proxy     *eidas.Party
	connector *eidas.Connector
}

func askAbroad(t *testing.T, alg pki.KeyAlgorithm, args ...string) *abroad {
	t.Helper()
	a := &abroad{side: newEIDSide(t, "EE", alg)}
	a.side.description.ACS = a.side.metadata.URL + "/acs"
	a.idp = samlPeer.serve(t, nil, append([]string{"idp", "--port", "0", "--dir", t.TempDir(), "--country", "ES", "--peer-metadata", a.side.metadata.URL}, args...)...)
	a.proxy = fetchParty(t, a.idp.ready.text("metadata"), samlPeer.anchor(t, a.idp))
	a.connector = &eidas.Connector{Self: a.side.party(t), Identity: a.side.signing, Keys: []pki.Key{a.side.encryption.Key}, ACS: a.side.description.ACS, Clock: time.Now,
		Peer: func(id string) (*eidas.Party, error) {
			if id != a.proxy.EntityID {
				return nil, errors.New("not a member")
			}
			return a.proxy, nil
		}}
	return a
}

// ask carries a request there and the answer back, as the browser of a person does; fields go along with the request.
func (a *abroad) ask(t *testing.T, attributes []eidas.RequestedAttribute, fields url.Values) ([]byte, *eidas.Pending) {
	t.Helper()
	pending, address, request, err := a.connector.Ask(a.proxy, eidas.Question{SPType: eidas.Public, ProviderName: "Tax & Customs", Level: eidas.AtLeast(eidas.Substantial), Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{saml.ParameterRequest: {base64.StdEncoding.EncodeToString(request)}, saml.ParameterRelay: {"relay"}}
	maps.Copy(form, fields)
	resp, err := http.PostForm(address, form)
	action, answer, _ := formOf(t, resp, err)
	if action != a.side.description.ACS || answer.Get(saml.ParameterRelay) != "relay" {
		t.Fatalf("the answer goes to %q: %v", action, answer)
	}
	octets, err := saml.DecodePOST(answer.Get(saml.ParameterResponse))
	if err != nil {
		t.Fatal(err)
	}
	return octets, pending
}

// login asks and opens the answer.
func (a *abroad) login(t *testing.T, attributes []eidas.RequestedAttribute, fields url.Values) (*eidas.Person, error) {
	t.Helper()
	octets, pending := a.ask(t, attributes, fields)
	return a.connector.Open(octets, pending)
}

// TestEIDConnector: we ask a proxy service of others, with each kind of key; and none of its misbehaviour gets through.
func TestEIDConnector(t *testing.T) {
	t.Parallel()
	needPeers(t, filepath.Join(samlPeer.dir, ".build/venv/requirements.done"))
	natural := append(eidas.MinimumDataSet(eidas.NamespaceNatural), eidas.RequestedAttribute{Name: eidas.NamespaceNatural + "/PlaceOfBirth"})
	for alg, sign := range map[pki.KeyAlgorithm]string{pki.P256: "ec256", pki.P384: "ec384", pki.P521: "ec521", pki.RSA3072: "rsa3072", pki.BrainpoolP256r1: "bp256", pki.BrainpoolP384r1: "bp384"} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			a := askAbroad(t, alg, "--sign-key", sign)
			p, err := a.login(t, natural, nil)
			if err != nil {
				t.Fatal(err)
			}
			if p.Country != "ES" || !strings.HasPrefix(p.Identifier, "ES/EE/") || p.Attributes.Get(eidas.NamespaceNatural+"/CurrentFamilyName") == "" || p.Level != eidas.Substantial {
				t.Errorf("known is %+v", p)
			}
			if o := a.idp.await(t, func(o object) bool { return o.text("event") == "request" }); !o.is("accepted") || !o.is("pysaml2", "accepted") {
				t.Errorf("what we ask is not taken: %v", o)
			}
		})
	}
	for _, person := range []string{"legal", "representative", "natural-representative", "both"} {
		t.Run(person, func(t *testing.T) {
			t.Parallel()
			attributes := natural
			if !strings.HasPrefix(person, "natural") {
				attributes = eidas.MinimumDataSet(eidas.NamespaceLegal)
			}
			p, err := askAbroad(t, pki.P256, "--person", person).login(t, attributes, nil)
			if err != nil {
				t.Fatal(err)
			}
			if acts := p.Attributes.Get(eidas.NamespaceRepresentativeNatural + "/PersonIdentifier"); (acts != "") != strings.Contains(person, "representative") {
				t.Errorf("who acts is %q: %+v", acts, p)
			}
		})
	}
	t.Run("misbehaviour", func(t *testing.T) {
		t.Parallel()
		ec, rsa := askAbroad(t, pki.P256), askAbroad(t, pki.RSA3072, "--sign-key", "rsa3072")
		refused := func(name string, fields url.Values) {
			t.Run(name, func(t *testing.T) {
				a := ec
				if strings.HasPrefix(name, "rsa15") {
					a = rsa
				}
				octets, pending := a.ask(t, natural, fields)
				if name == "replay" { // the second time it sends the first answer
					octets, pending = a.ask(t, natural, fields)
				}
				p, err := a.connector.Open(octets, pending)
				if err == nil {
					t.Fatalf("it is taken: %+v", p)
				}
				t.Log(err)
				var no *eidas.Refusal
				if errors.As(err, &no) != (name == "error") {
					t.Errorf("a refusal of the other country: %v", err)
				}
			})
		}
		for _, bad := range []string{"expired", "not-yet-valid", "wrong-audience", "wrong-inresponseto", "wrong-destination", "wrong-recipient", "wrong-issuer", "unsigned", "sha1",
			"rsa15-signature", "untrusted-key", "no-encryption", "plain-assertion", "cbc", "rsa15-key-transport", "lower-loa", "missing-mds", "bad-identifier", "replay", "two-assertions", "extra-transform",
			"doctype", "error"} {
			refused(bad, url.Values{"bad": {bad}})
		}
		for _, wrap := range []string{"XSW1", "XSW2", "XSW3", "XSW4", "XSW5", "XSW6", "XSW7", "XSW8"} {
			for _, how := range []string{"", "resign", "no-encryption"} {
				refused(wrap+" "+how, url.Values{"wrap": {wrap}, "bad": {how}})
			}
		}
		t.Run("a comment within the identifier", func(t *testing.T) {
			p, err := ec.login(t, natural, url.Values{"wrap": {""}, "bad": {"comment-in-nameid"}})
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`^ES/EE/\S{4,}$`).MatchString(p.Identifier) {
				t.Errorf("the identifier is cut at the comment: %q", p.Identifier)
			}
		})
	})
}

// asker is a connector of others beside a proxy service of ours.
type asker struct {
	sp        *server
	connector *eidas.Party
	proxy     *eidas.ProxyService
}

func askedFrom(t *testing.T, alg pki.KeyAlgorithm, args ...string) *asker {
	t.Helper()
	side := newEIDSide(t, "PT", alg)
	side.description.SSO, side.description.Levels = side.metadata.URL+"/sso", []string{eidas.Substantial, eidas.High}
	side.description.Attributes = eidas.Definitions()
	a := &asker{sp: samlPeer.serve(t, nil, append([]string{"sp", "--port", "0", "--dir", t.TempDir(), "--country", "EE", "--peer-metadata", side.metadata.URL}, args...)...)}
	a.connector = fetchParty(t, a.sp.ready.text("metadata"), samlPeer.anchor(t, a.sp))
	a.proxy = &eidas.ProxyService{Self: side.party(t), Endpoint: side.description.SSO, Identity: side.signing, PrivateServices: true, Clock: time.Now,
		Peer: func(id string) (*eidas.Party, error) {
			if id != a.connector.EntityID {
				return nil, errors.New("not a member")
			}
			return a.connector, nil
		}}
	return a
}

// answer lets the peer ask, answers, and returns what the peer says of the answer; refused is why the question was refused.
func (a *asker) answer(t *testing.T, attributes eidas.Attributes, bad string) (result object, refused error) {
	t.Helper()
	noRedirect := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := noRedirect.Get(a.sp.ready.text("start") + "?bad=" + bad)
	if err != nil {
		t.Fatal(err)
	}
	var query url.Values
	if to := resp.Header.Get("Location"); to != "" {
		resp.Body.Close()
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		query = u.Query()
	} else {
		_, query, _ = formOf(t, resp, nil)
	}
	octets, err := saml.DecodeRedirect(query.Get(saml.ParameterRequest)) // which takes what is not deflated, too
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.proxy.Read(octets)
	var answer []byte
	if err != nil {
		var why *eidas.Error
		if !errors.As(err, &why) {
			t.Fatal(err)
		}
		refused = err
		var ok bool
		if answer, ok, err = a.proxy.Refuse(r, why); err != nil {
			t.Fatal(err)
		} else if !ok {
			return nil, refused
		}
	} else if answer, err = a.proxy.Respond(r, eidas.Answer{Level: eidas.High, Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
	resp, err = http.PostForm(a.connector.SP.DefaultACS().Location, url.Values{saml.ParameterResponse: {base64.StdEncoding.EncodeToString(answer)}, saml.ParameterRelay: {"peer-relay"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	result, ok := parse(b)
	if !ok {
		t.Fatalf("%s", b)
	}
	return result, refused
}

// TestEIDProxyService: a connector of others asks us.
func TestEIDProxyService(t *testing.T) {
	t.Parallel()
	needPeers(t, filepath.Join(samlPeer.dir, ".build/venv/requirements.done"))
	asked := func(t *testing.T, alg pki.KeyAlgorithm, attributes eidas.Attributes, args ...string) (object, error) {
		t.Helper()
		return askedFrom(t, alg, args...).answer(t, attributes, "")
	}
	const n = eidas.NamespaceNatural + "/"
	say := func(pairs ...string) (out eidas.Attributes) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, eidas.Attribute{Name: pairs[i], Values: []eidas.Value{{Text: pairs[i+1]}}})
		}
		return out
	}
	ana := say(n+"PersonIdentifier", "12345", n+"CurrentFamilyName", "Silva & <Sá>", n+"CurrentGivenName", "Ana", n+"DateOfBirth", "1980-02-29", n+"Gender", "Female",
		n+"CurrentAddress", eidas.Address{Thoroughfare: "Rua Áurea", LocatorDesignator: "7", PostName: "Lisboa", AdminunitFirstline: "PT", PostCode: "1100-060"}.Encode())
	taken := func(t *testing.T, o object, err error) {
		t.Helper()
		if err != nil || !o.is("accepted") {
			t.Errorf("our answer is not taken: %v %v", err, o)
		}
		if second := o.at("pysaml2"); second != nil && !o.is("pysaml2", "accepted") {
			t.Errorf("the second opinion: %v", second)
		}
	}
	for alg, encrypt := range map[pki.KeyAlgorithm]string{pki.P256: "ec256", pki.P384: "ec384", pki.P521: "ec521", pki.RSA3072: "rsa3072", pki.BrainpoolP256r1: "bp256", pki.BrainpoolP384r1: "bp384"} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			o, err := asked(t, alg, ana, "--enc-key", encrypt)
			taken(t, o, err)
			if !strings.Contains(fmt.Sprint(o), "PT/EE/12345") {
				t.Errorf("the identifier is not there: %v", o)
			}
		})
	}
	for _, how := range [][]string{{"--binding", "redirect"}, {"--binding", "eidas-get"}, {"--acs-in-request"}, {"--sp-type-in", "metadata"}, {"--sp-type", "private", "--requester-id", "urn:x"},
		{"--comparison", "exact", "--loa", "urn:national:loa,low,substantial,high"}} {
		t.Run(strings.Join(how, " "), func(t *testing.T) {
			t.Parallel()
			o, err := asked(t, pki.P256, ana, how...)
			taken(t, o, err)
		})
	}
	t.Run("a company", func(t *testing.T) {
		t.Parallel()
		const l, r = eidas.NamespaceLegal + "/", eidas.NamespaceRepresentativeNatural + "/"
		o, err := asked(t, pki.P256, say(l+"LegalPersonIdentifier", "500", l+"LegalName", "Padaria Lda", r+"PersonIdentifier", "PT/EE/7", r+"CurrentFamilyName", "Sá", r+"CurrentGivenName", "Eva",
			r+"DateOfBirth", "1970-01-01"), "--attributes", "legal")
		taken(t, o, err)
	})
	t.Run("misbehaviour", func(t *testing.T) {
		t.Parallel()
		ec, rsa := askedFrom(t, pki.P256), askedFrom(t, pki.P256, "--sign-key", "rsa3072")
		for bad, answered := range map[string]bool{"unsigned": false, "sha1": false, "untrusted-key": false, "rsa15-signature": false, "no-forceauthn": false, "passive": false, "wrong-destination": true, "wrong-acs": true,
			"missing-mds": true, "representative": true, "unknown-required": true, "unknown-extension": false, "loa-none": false, "loa-better": false, "loa-exact-notified": false,
			"sptype-missing": true, "nameid-format": true, "doctype": false, "modified": false, "stale": false, "wrap": false} {
			t.Run(bad, func(t *testing.T) {
				a := ec
				if bad == "rsa15-signature" {
					a = rsa
				}
				o, err := a.answer(t, ana, bad)
				if err == nil {
					t.Fatalf("it is taken: %v", o)
				}
				t.Log(err)
				if (o != nil) != answered {
					t.Errorf("answered %t: %v", o != nil, err)
				}
				if o != nil && (o.is("accepted") || len(o.list("status")) == 0) {
					t.Errorf("the peer does not understand the refusal: %v", o)
				}
			})
		}
	})
	t.Run("the kind of service twice", func(t *testing.T) {
		t.Parallel()
		if _, err := asked(t, pki.P256, ana, "--bad", "sptype-twice"); err == nil {
			t.Error("it is taken")
		}
	})
}
