package jades

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// request is a request whose body the field Digest is about.
func request(body string) *HTTPMessage {
	h := crypto.SHA256.New()
	h.Write([]byte(body))
	return &HTTPMessage{
		Method: "POST", Target: "/orders?id=1",
		Header: http.Header{"Content-Type": {" application/json "}, "X-Trace": {"a", "b"}, "Digest": {"SHA-256=" + base64.StdEncoding.EncodeToString(h.Sum(nil))}},
		Body:   xades.Bytes("", "", []byte(body)),
	}
}

func TestEveryFormAtEveryLevel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	two := append(order[:1:1], xades.Bytes("a plan.txt", "", []byte("plan")))
	for name, c := range map[string]struct {
		documents []xades.Document
		params    Params
	}{
		"compact":                          {order, Params{}},
		"flattened":                        {order, Params{Serialization: Flattened}},
		"general":                          {order, Params{Serialization: General}},
		"unencoded":                        {order, Params{Serialization: General, Raw: true}},
		"claimed by sigT":                  {order, Params{SigT: true}},
		"detached, nobody says from what":  {order, Params{Detached: true}},
		"by URI":                           {two, Params{Detached: true, Mechanism: ByURI}},
		"by URI, unencoded":                {two, Params{Detached: true, Mechanism: ByURI, Raw: true}},
		"by URI and hash":                  {two, Params{Detached: true, Mechanism: ByURIHash}},
		"by URI and hash, unencoded":       {two, Params{Detached: true, Mechanism: ByURIHash, Raw: true}},
		"fields of HTTP":                   {nil, Params{Detached: true, Mechanism: HTTPHeaders, Raw: true, HTTP: request("x"), Fields: []string{"(request-target)", "content-type", "X-Trace", "Digest"}}},
		"fields of HTTP, encoded, no body": {nil, Params{Detached: true, Mechanism: HTTPHeaders, HTTP: request("x"), Fields: []string{"X-Trace"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, level := range []Level{LevelB, LevelT, LevelLT, LTA} {
				b := w.sign(t, c.documents, c.params, level)
				opt := CheckOptions{Documents: c.documents, HTTP: c.params.HTTP}
				if err := problem(b, opt); err != nil {
					t.Fatalf("%s: %v\n%s", level, err, b)
				}
				m, err := Parse(b)
				if err != nil {
					t.Fatal(err)
				}
				want := level
				if c.params.SigT {
					want = NotETSI // since July 2025
				}
				if got := m.Signatures[0].Level(); got != want {
					t.Errorf("level %s, want %s", got, want)
				}
				if !m.Signatures[0].SigningTime.Equal(now) {
					t.Errorf("signed at %s", m.Signatures[0].SigningTime)
				}
				again, err := m.Bytes()
				if err != nil || !bytes.Equal(b, again) {
					t.Errorf("written again it is another: %v", err)
				}
			}
		})
	}
}

func TestSignedFieldsOfHTTPAreAsTheDraftHasThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	m := request("body")
	q, err := Prepare(nil, Params{Signer: w.signer.Certificate, Time: now, Detached: true, Mechanism: HTTPHeaders, Raw: true, HTTP: m, Fields: []string{"(request-target)", "Content-Type", "X-Trace"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := q.ToBeSigned()
	if err != nil {
		t.Fatal(err)
	}
	_, payload, _ := strings.Cut(string(b), ".")
	if want := "(request-target): post /orders?id=1\ncontent-type: application/json\nx-trace: a, b"; payload != want {
		t.Errorf("%q, want %q", payload, want)
	}
	b = w.sign(t, nil, Params{Detached: true, Mechanism: HTTPHeaders, Raw: true, HTTP: m, Fields: []string{"Digest"}}, LevelB)
	other := *m
	other.Body = xades.Bytes("", "", []byte("other"))
	if err := problem(b, CheckOptions{HTTP: &other}); !errors.Is(err, ErrDigest) {
		t.Errorf("another body: %v", err)
	}
	other.Body = xades.Document{}
	if err := problem(b, CheckOptions{HTTP: &other}); !errors.Is(err, ErrContent) {
		t.Errorf("no body: %v", err)
	}
	if err := problem(b, CheckOptions{}); !errors.Is(err, ErrContent) {
		t.Errorf("no message: %v", err)
	}
}

func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key    pki.KeyAlgorithm
		params Params
	}{
		"RS256": {pki.RSA2048, Params{}}, "RS384": {pki.RSA2048, Params{Hash: crypto.SHA384}}, "RS512": {pki.RSA2048, Params{Hash: crypto.SHA512}},
		"PS256": {pki.RSA2048, Params{PSS: true}}, "PS384": {pki.RSA2048, Params{PSS: true, Hash: crypto.SHA384}}, "PS512": {pki.RSA2048, Params{PSS: true, Hash: crypto.SHA512}},
		"ES256": {pki.P256, Params{}}, "ES384": {pki.P384, Params{}}, "ES512": {pki.P521, Params{}}, "EdDSA": {pki.Ed25519, Params{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.key)
			b := w.sign(t, order, c.params, LevelB)
			m, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.Signatures[0].Algorithm != name {
				t.Errorf("alg %s", m.Signatures[0].Algorithm)
			}
			if err := problem(b, CheckOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	for name, p := range map[string]Params{"a curve with another hash": {Hash: crypto.SHA512}, "SHA-1": {Hash: crypto.SHA1}} {
		w := newWorld(t, pki.P256)
		p.Time = now
		if _, err := Sign(nil, w.signer, order, p); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := newWorld(t, pki.BrainpoolP256r1)
	if _, err := Sign(nil, w.signer, order, Params{Time: now}); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("a curve without a name: %v", err)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	p := Params{
		ContentType: "json", Roles: []string{"clerk", `"chief"`}, Commitments: []Commitment{{"urn:oid:2.999.1", "approval"}},
		Place: &Place{Street: "Toompea 1", City: "Tallinn", Region: "Harju", PostalCode: "10130", PostBox: "7", Country: "EE"},
		Policy: &Policy{
			ID: "urn:oid:2.999.2", Description: "own", Algorithm: "S256", Digest: []byte{1, 2, 3}, URI: "http://policy.example", Notice: "read me", Specification: "urn:oid:2.999.3",
		},
	}
	stamp, err := StampContent(t.Context(), w.tsa, crypto.SHA384, order, Params{Signer: w.signer.Certificate, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	p.TimeStamps = []*tsp.Token{stamp}
	b := w.sign(t, order, p, LTA)
	if err := problem(b, CheckOptions{}); err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Signatures[0]
	if *s.Place != *p.Place || len(s.Roles) != 2 || s.Roles[1] != `"chief"` || s.Commitments[0] != p.Commitments[0] || s.ContentType != "json" {
		t.Errorf("%+v %q %+v", s.Place, s.Roles, s.Commitments)
	}
	if x := s.Policy; x.ID != p.Policy.ID || !bytes.Equal(x.Digest, p.Policy.Digest) || x.URI != p.Policy.URI || x.Notice != p.Policy.Notice || x.Specification != p.Policy.Specification {
		t.Errorf("%+v", x)
	}
	if !s.Has(ContentTimeStamp) || !s.Has(Archive) || s.Has(RefsOnly) {
		t.Errorf("%+v", s.TimeStamps)
	}
}

func TestSeveralSignersAndACounterSignatureSurviveExtending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	first, err := Parse(w.sign(t, order, Params{}, LevelT))
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.ca.Issue(pki.Template{CommonName: "Bob", Algorithm: pki.Ed25519})
	if err != nil {
		t.Fatal(err)
	}
	join := func(q *Pending, err error, add func(*Pending, []byte) error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		value, err := q.Value(nil, other.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := add(q, value); err != nil {
			t.Fatal(err)
		}
	}
	q, err := Prepare(order, Params{Signer: other.Certificate, Time: now, Serialization: General})
	join(q, err, func(q *Pending, value []byte) error { return q.Add(first, value) })
	q, err = PrepareCounter(first.Signatures[0], Params{Signer: other.Certificate, Time: now})
	join(q, err, (*Pending).AddCounter)
	for _, s := range first.Signatures {
		if err := s.Extend(t.Context(), LTA, w.extension(nil)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := first.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := problem(b, CheckOptions{}); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Signatures) != 2 || len(m.Signatures[0].CounterSignatures) != 1 || m.Signatures[0].CounterSignatures[0].Level() != LevelB {
		t.Errorf("%s", b)
	}
	// A renewal leaves every octet of what is there.
	before := component(t, b, 3)
	if err := m.Signatures[0].Extend(t.Context(), LTA, w.extension(nil)); err != nil {
		t.Fatal(err)
	}
	if b, err = m.Bytes(); err != nil {
		t.Fatal(err)
	}
	if err := problem(b, CheckOptions{}); err != nil || component(t, b, 3) != before {
		t.Errorf("after a renewal: %v", err)
	}
	q, err = Prepare([]xades.Document{xades.Bytes("", "", []byte("other"))}, Params{Signer: other.Certificate, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Add(m, nil); !errors.Is(err, ErrContent) {
		t.Errorf("a signature over something else was added: %v", err)
	}
}

func TestClearComponents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	m, err := Parse(w.sign(t, order, Params{}, LevelB))
	if err != nil {
		t.Fatal(err)
	}
	x := w.extension(nil)
	x.Clear = true
	if err := m.Signatures[0].Extend(t.Context(), LTA, x); err != nil {
		t.Fatal(err)
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`{"arcTst":{"canonAlg":`)) {
		t.Fatalf("%s", b)
	}
	if err := problem(b, CheckOptions{}); err != nil {
		t.Fatal(err)
	}
	// What is over the canonical form does not care about white space, nor about the order of members.
	spaced := bytes.Replace(b, []byte(`{"rVals":{`), []byte("{ \"rVals\" :\n{ "), 1)
	if err := problem(spaced, CheckOptions{}); err != nil || bytes.Equal(b, spaced) {
		t.Errorf("with white space: %v", err)
	}
}

func TestWhatDoesNotHoldIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	b := w.sign(t, order, Params{Serialization: Flattened}, LTA)
	detached := w.sign(t, order, Params{Detached: true, Mechanism: ByURIHash, Serialization: Flattened}, LevelB)
	byURI := w.sign(t, order, Params{Detached: true, Mechanism: ByURI}, LevelB)
	bare := w.sign(t, order, Params{Detached: true}, LevelB)
	other := []xades.Document{xades.Bytes("order.json", "", []byte("other"))}
	change := func(b []byte, old, new string) []byte {
		out := bytes.Replace(b, []byte(old), []byte(new), 1)
		if bytes.Equal(out, b) {
			t.Fatalf("%q is not there", old)
		}
		return out
	}
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"item":"täglich"}`))
	for name, c := range map[string]struct {
		b         []byte
		documents []xades.Document
		want      error
	}{
		"another payload":                      {change(b, payload, encoded.EncodeToString([]byte("other"))), nil, ErrSignature},
		"content at hand is another":           {detached, other, ErrDigest},
		"content at hand is another, by URI":   {byURI, other, ErrSignature},
		"content at hand is another, bare":     {bare, other, ErrSignature},
		"content is not at hand":               {detached, nil, ErrContent},
		"content is not at hand, by URI":       {byURI, nil, ErrContent},
		"content is not at hand, bare":         {bare, nil, ErrContent},
		"content is under another name":        {byURI, []xades.Document{xades.Bytes("else.json", "", []byte(`{"item":"täglich"}`))}, ErrContent},
		"a component taken out of etsiU":       {change(b, `,"`+component(t, b, 1)+`"`, ""), nil, ErrDigest},
		"a payload beside sigD":                {change(detached, `{`, `{"payload":"AAAA",`), order, ErrStructure},
		"a component that is no object":        {change(b, component(t, b, 0), "AAAA"), nil, ErrStructure},
		"a header on both sides":               {change(b, `"header":{`, `"header":{"alg":"none",`), nil, ErrStructure},
		"etsiU that is no array":               {change(detached, `"signature"`, `"header":{"etsiU":"x"},"signature"`), order, ErrStructure},
		"a value cut short":                    {change(b, `"signature":"`, `"signature":"AAAA`), nil, ErrSignature},
		"padding":                              {change(b, `","header`, `=","header`), nil, ErrStructure},
		"a counter-signature of something":     {change(detached, `"signature"`, `"header":{"etsiU":["`+encoded.EncodeToString([]byte(`{"cSig":"`+string(bare)+`"}`))+`"]},"signature"`), order, ErrSignature},
		"a counter-signature with own payload": {change(detached, `"signature"`, `"header":{"etsiU":["`+encoded.EncodeToString([]byte(`{"cSig":"`+string(w.sign(t, order, Params{}, LevelB))+`"}`))+`"]},"signature"`), order, ErrDigest},
	} {
		if err := problem(c.b, CheckOptions{Documents: c.documents}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, p := range []Params{{}, {Mechanism: ByURI}, {Mechanism: HTTPHeaders, Detached: true}, {Raw: true}} {
		documents := order
		if p.Mechanism == "" && !p.Raw {
			documents = nil
		}
		p.Time = now
		if _, err := Sign(nil, w.signer, documents, p); err == nil {
			t.Errorf("signed with %+v and %d documents", p, len(documents))
		}
	}
}

// component is the i-th member of etsiU of the first signature, as text.
func component(t *testing.T, b []byte, i int) string {
	t.Helper()
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m.Signatures[0].unsigned[i].text
}

func TestTwoStepsNeedNoState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.RSA2048)
	p := Params{Signer: w.signer.Certificate, Time: now, PSS: true, Hash: crypto.SHA512}
	first, err := Prepare(order, p)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Prepare(order, p)
	if err != nil {
		t.Fatal(err)
	}
	sum, hash, err := first.Digest()
	octets, err2 := second.ToBeSigned()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	h := hash.New()
	h.Write(octets)
	if !bytes.Equal(sum, h.Sum(nil)) {
		t.Fatal("two preparations differ")
	}
	value, err := first.Value(nil, w.signer.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Complete(value); err != nil {
		t.Error(err)
	}
	value[0] ^= 1
	if _, err := second.Complete(value); !errors.Is(err, ErrSignature) {
		t.Errorf("another value was taken: %v", err)
	}
}

func TestWhatCannotBeExtended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	m, err := Parse(w.sign(t, order, Params{Serialization: Flattened}, LevelB))
	if err != nil {
		t.Fatal(err)
	}
	s := m.Signatures[0]
	if err := s.Extend(t.Context(), "X", w.extension(nil)); !errors.Is(err, ErrLevel) {
		t.Errorf("level X: %v", err)
	}
	if err := s.addUnsigned("xRefs", []byte(`[]`), false); err != nil {
		t.Fatal(err)
	}
	if err := s.Extend(t.Context(), LevelLT, w.extension(nil)); !errors.Is(err, ErrLevel) {
		t.Errorf("with references: %v", err)
	}
	detached, err := Parse(w.sign(t, order, Params{Detached: true, Mechanism: ByURI}, LevelT))
	if err != nil {
		t.Fatal(err)
	}
	if err := detached.Signatures[0].Extend(t.Context(), LTA, w.extension(nil)); !errors.Is(err, ErrContent) {
		t.Errorf("without its content: %v", err)
	}
}

func TestMessagesOfHTTPAreReadFromTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	wire := "POST /orders?id=1 HTTP/1.1\r\nHost: api.example.eu\r\nDigest: SHA-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\r\nContent-Length: 5\r\n\r\nhello"
	m, err := ReadHTTP([]byte(wire))
	if err != nil {
		t.Fatal(err)
	}
	b := w.sign(t, nil, Params{Detached: true, Mechanism: HTTPHeaders, Raw: true, HTTP: m, Fields: []string{"(request-target)", "host", "digest"}}, LTA)
	for name, c := range map[string]struct {
		wire string
		want error
	}{
		"as it was":       {wire, nil},
		"another body":    {strings.Replace(wire, "hello", "Hello", 1), ErrDigest},
		"another target":  {strings.Replace(wire, "id=1", "id=2", 1), ErrSignature},
		"another host":    {strings.Replace(wire, "api", "app", 1), ErrSignature},
		"without a field": {strings.Replace(wire, "Digest", "X", 1), ErrContent},
		"a response":      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ErrContent},
	} {
		m, err := ReadHTTP([]byte(c.wire))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := problem(b, CheckOptions{HTTP: m}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, wire := range []string{"", "hello", "HTTP/1.1", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort"} {
		if _, err := ReadHTTP([]byte(wire)); !errors.Is(err, ErrContent) {
			t.Errorf("%q: %v", wire, err)
		}
	}
}
