package jades

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` { "b" : 1 , "a" : [ true , null ] } `:                     `{"a":[true,null],"b":1}`,
		`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5}`:     "{\"\\r\":2,\"1\":4,\"€\":1,\"😀\":5,\"\ufb33\":3}", // by UTF-16 code units
		`"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"`:           `"€$\u000f\nA'B\"\\\\\"/"`,
		`[333333333.33333329, 1E30, 4.50, 2e-3, 1e-27, -0.0, 1e21]`: `[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21]`,
		`[1e-7, 123456789012345680000, 1e20, 0.000001]`:             `[1e-7,123456789012345680000,100000000000000000000,0.000001]`,
		`"\b\t\f\u0001"`: `"\b\t\f\u0001"`,
	} {
		v, err := parseJSON([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got, err := v.canonical(nil); err != nil || string(got) != want {
			t.Errorf("%s: %s %v, want %s", in, got, err, want)
		}
	}
	v, err := parseJSON([]byte(`1e999`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.canonical(nil); err == nil {
		t.Error("a number that no reader holds has a canonical form")
	}
}

func TestJSONIsReadStrictly(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"nothing": "", "a name twice": `{"a":1,"a":2}`, "a name twice, once escaped": `{"a":1,"\u0061":2}`, "something behind": `{} {}`, "a trailing comma": `[1,]`,
		"a comment": `{/**/}`, "single quotes": `{'a':1}`, "a leading zero": `01`, "a bare point": `1.`, "plus": `+1`, "NaN": `NaN`, "half a surrogate": `"\ud800"`,
		"two first halves": `"\ud800\ud800"`, "no UTF-8": "\"\xff\"", "a control character": "\"\n\"", "an unknown escape": `"\x41"`, "an open string": `"a`, "an open object": `{"a":1`,
		"no value": `{"a":}`, "no name": `{1:1}`, "no colon": `{"a" 1}`, "too deep": strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"too much": "[" + strings.Repeat("1,", maxJSONValues) + "1]", "an open escape": `"\u00`, "a word": `truth`,
	} {
		if _, err := parseJSON([]byte(in)); !errors.Is(err, ErrStructure) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoSignatureIsRefused(t *testing.T) {
	t.Parallel()
	head := encoded.EncodeToString([]byte(`{"alg":"ES256"}`))
	for name, in := range map[string]string{
		"nothing": "", "two parts": "a.b", "a header that is no JSON": "AAAA..AAAA", "a header that is a list": encoded.EncodeToString([]byte(`[]`)) + "..AAAA",
		"no algorithm": encoded.EncodeToString([]byte(`{}`)) + "..AAAA", "an algorithm that is a number": encoded.EncodeToString([]byte(`{"alg":1}`)) + "..AAAA",
		"b64 that is a string": encoded.EncodeToString([]byte(`{"alg":"ES256","b64":"false"}`)) + "..AAAA",
		"four parts":           head + ".a.b.AAAA", "stray bits": head + "..AAB", "a payload out of the alphabet": head + ".+.AAAA",
		"no signatures": `{"signatures":[]}`, "signatures that are none": `{"signatures":[1]}`, "signatures that are no list": `{"signatures":1}`,
		"a value beside signatures": `{"signatures":[{"protected":"` + head + `","signature":"AAAA"}],"signature":"AAAA"}`,
		"a payload that is a list":  `{"payload":[],"protected":"` + head + `","signature":"AAAA"}`,
		"no protected header":       `{"payload":"","header":{"alg":"ES256"},"signature":"AAAA"}`,
		"a header that is a string": `{"protected":"` + head + `","header":"x","signature":"AAAA"}`,
		"an unknown mechanism":      encoded.EncodeToString([]byte(`{"alg":"ES256","sigD":{"mId":"x","pars":["a"]}}`)) + "..AAAA",
		"sigD without names":        encoded.EncodeToString([]byte(`{"alg":"ES256","sigD":{"mId":"`+string(ByURI)+`"}}`)) + "..AAAA",
		"one name twice":            encoded.EncodeToString([]byte(`{"alg":"ES256","sigD":{"mId":"`+string(ByURI)+`","pars":["a","a"]}}`)) + "..AAAA",
		"stray bits of the payload": head + ".AAB.AAAA",
		"a lonely octet":            head + ".AAAAA.AAAA",
		"fewer digests than names":  encoded.EncodeToString([]byte(`{"alg":"ES256","sigD":{"mId":"`+string(ByURIHash)+`","pars":["a","b"],"hashV":["AAAA"]}}`)) + "..AAAA",
	} {
		if m, err := Parse([]byte(in)); err == nil {
			t.Errorf("%s was read: %+v", name, m.Signatures)
		}
	}
}

// TestAlgorithmsThatProveNothing: what a stranger can compute without a key is no signature.
func TestAlgorithmsThatProveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.RSA2048)
	m, err := Parse(w.sign(t, order, Params{}, LevelB))
	if err != nil {
		t.Fatal(err)
	}
	header := string(m.Signatures[0].header.raw)
	for _, alg := range []string{"none", "HS256", "RS1", "ES256", "EdDSA", "rs256"} {
		changed := strings.Replace(header, `"RS256"`, `"`+alg+`"`, 1)
		for _, value := range []string{"", m.Signatures[0].text} {
			if err := problem([]byte(encoded.EncodeToString([]byte(changed))+"."+m.payload+"."+value), CheckOptions{}); err == nil {
				t.Errorf("%s is taken", alg)
			}
		}
	}
}

// TestCritical: what is demanded and not understood makes a signature invalid, however well its value holds.
func TestCritical(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header, unprotected string
		invalid             bool
		faults              int
	}{
		"none":                                {`"alg":"ES256","iat":1`, ``, false, 0},
		"one that is understood":              {`"alg":"ES256","iat":1,"crit":["iat"]`, ``, false, 0},
		"in the unprotected header":           {`"alg":"ES256","iat":1,"crit":["etsiU"]`, `"etsiU":[]`, false, 0},
		"one that is not there":               {`"alg":"ES256","iat":1,"crit":["sigPl"]`, ``, false, 1},
		"one that everybody knows":            {`"alg":"ES256","iat":1,"crit":["alg"]`, ``, false, 1},
		"twice the same":                      {`"alg":"ES256","iat":1,"crit":["iat","iat"]`, ``, false, 1},
		"empty":                               {`"alg":"ES256","iat":1,"crit":[]`, ``, false, 1},
		"unknown":                             {`"alg":"ES256","iat":1,"x":1,"crit":["x"]`, ``, true, 0},
		"unknown, in a text":                  {`"alg":"ES256","iat":1,"x":1,"crit":"x"`, ``, true, 1},
		"unknown, deeper":                     {`"alg":"ES256","iat":1,"x":1,"crit":[["x"]]`, ``, true, 1},
		"a number":                            {`"alg":"ES256","iat":1,"crit":[1]`, ``, true, 1},
		"unencoded and nobody need mind":      {`"alg":"ES256","iat":1,"b64":false`, ``, true, 1},
		"unencoded":                           {`"alg":"ES256","iat":1,"b64":false,"crit":["b64"]`, ``, false, 0},
		"two times":                           {`"alg":"ES256","iat":1,"sigT":"2020-01-01T00:00:00Z"`, ``, false, 1},
		"a time of another form":              {`"alg":"ES256","sigT":"2020-01-01"`, ``, false, 1},
		"no time":                             {`"alg":"ES256"`, ``, false, 1},
		"a time that is no number":            {`"alg":"ES256","iat":"1"`, ``, false, 1},
		"certificates that are one, no list":  {`"alg":"ES256","iat":1,"x5c":"AAAA"`, ``, false, 1},
		"sigD that readers may disregard":     {`"alg":"ES256","iat":1,"sigD":{"mId":"` + string(ByURI) + `","pars":["a"]}`, ``, false, 1},
		"a certificate that cannot be parsed": {`"alg":"ES256","iat":1,"x5c":["AAAA"]`, ``, false, 0},
	} {
		m, err := Parse([]byte(`{"protected":"` + encoded.EncodeToString([]byte("{"+c.header+"}")) + `","header":{` + c.unprotected + `},"signature":"AAAA"}`))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := m.Signatures[0]
		if (s.CriticalErr != nil) != c.invalid || len(s.Faults) != c.faults {
			t.Errorf("%s: %v, %v", name, s.CriticalErr, s.Faults)
		}
		if got := s.Check(CheckOptions{}); c.invalid && !errors.Is(got.ValueErr, s.CriticalErr) {
			t.Errorf("%s: the value is judged all the same: %v", name, got.ValueErr)
		}
	}
}

// TestNestingIsBounded: counter-signatures of counter-signatures end.
func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	head := encoded.EncodeToString([]byte(`{"alg":"ES256"}`))
	in := []byte(`{"protected":"` + head + `","signature":"AAAA"}`)
	for range 12 {
		in = []byte(`{"protected":"` + head + `","header":{"etsiU":["` + encoded.EncodeToString([]byte(`{"cSig":`+string(in)+`}`)) + `"]},"signature":"AAAA"}`)
	}
	m, err := Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for s := m.Signatures; len(s) > 0; s = s[0].CounterSignatures {
		depth++
	}
	if depth > maxCounters+1 {
		t.Errorf("%d levels", depth)
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	w := newWorld(f, pki.P256)
	f.Add(w.sign(f, order, Params{Serialization: General}, LTA))
	f.Add(w.sign(f, order, Params{Detached: true, Mechanism: ByURIHash}, LevelB))
	f.Add([]byte(`{"protected":"eyJhbGciOiJFUzI1NiJ9","header":{"etsiU":[{"cSig":"eyJhbGciOiJFUzI1NiJ9..AAAA"}]},"signature":"AAAA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		Recognise(b)
		m, err := Parse(b)
		if err != nil {
			return
		}
		for _, s := range m.Signatures {
			c := s.Check(CheckOptions{Documents: order})
			s.Level()
			for _, x := range c.TimeStamps {
				c.WriteImprint(bytes.NewBuffer(nil), x)
			}
		}
		out, err := m.Bytes()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := Parse(out)
		if err != nil || len(again.Signatures) != len(m.Signatures) || again.payload != m.payload {
			t.Fatalf("what was written reads as another: %v", err)
		}
		for i, s := range m.Signatures {
			if !bytes.Equal(s.Raw(), again.Signatures[i].Raw()) || len(s.unsigned) != len(again.Signatures[i].unsigned) {
				t.Fatal("a signature changed")
			}
		}
	})
}

// FuzzJSON: what is taken is JSON for others, and its canonical form is that of itself.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"\u20ac\ud83d\ude00",null,true]}`, `"\\\"\/"`, `{"":{}}`, `[1e-7,0.1,1E400]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseJSON(b)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("%q is no JSON", b)
		}
		once, err := v.canonical(nil)
		if err != nil {
			return
		}
		again, err := parseJSON(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := again.canonical(nil); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s and %s", once, twice)
		}
	})
}

// TestWorkIsBounded: many signatures over much content cost no more than a bound.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	one := `{"protected":"` + encoded.EncodeToString([]byte(`{"alg":"ES256"}`)) + `","signature":"AAAA"}`
	in := `{"payload":"` + strings.Repeat("AAAA", 3<<20) + `","signatures":[` + one + strings.Repeat(","+one, maxSignatures-1) + `]}`
	if _, err := Parse([]byte(in)); !errors.Is(err, ErrStructure) {
		t.Errorf("%v", err)
	}
}
