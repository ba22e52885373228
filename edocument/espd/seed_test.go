package espd

import (
	"net/url"
	"testing"
)

// TestSeed proves what the whole must do, row by row.
func TestSeed(t *testing.T) {
	t.Parallel()
	t.Run("PEPPOL-12", func(t *testing.T) {
		t.Parallel()
		suppliersProofs(t)
	})
}

// suppliersProofs: a supplier answers each criterion of a request once, names its proofs, and adds those that come later.
func suppliersProofs(t *testing.T) {
	req := request("ESPD-EDMv4.1.0", "2.3")
	d, wrong := filled(t, req, nil)
	if wrong != nil {
		t.Fatal(wrong)
	}
	later, _ := filled(t, req, func(v url.Values) {
		for _, code := range mandatoryCodes {
			v.Set("a:"+code+"/EV:uri", "https://court.example/"+code)
			v.Set("a:"+code+"/EV:issuer", "Court")
		}
	})
	m, err := Merge(read(t, d.XML()), read(t, later.XML()))
	if err != nil {
		t.Fatal(err)
	}
	b := m.XML()
	if r := judged(t, b); !r.Valid || len(r.Findings) > 0 {
		t.Fatalf("%+v", r.Findings)
	}
	e := read(t, b)
	answers := e.AnswersTo()
	for _, c := range e.Criteria {
		if len(answers[c.Code+"/Q"]) != 1 || len(answers[c.Code+"/EV"]) != 1 || len(e.Open(c)) != 0 {
			t.Errorf("%s: %d answers, %d proofs", c.Code, len(answers[c.Code+"/Q"]), len(answers[c.Code+"/EV"]))
		}
	}
	if len(e.Evidences) != len(e.Criteria) {
		t.Errorf("%d proofs of %d criteria", len(e.Evidences), len(e.Criteria))
	}
}
