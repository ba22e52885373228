package ades

import (
	"bytes"
	"crypto"
	"errors"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// A second and a third person sign what the first one did: all signatures hold, and those that were there keep their level.
func TestSignaturesBesideEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	others := make([]*pki.Identity, 2)
	for i := range others {
		var err error
		if others[i], err = w.ca.Issue(pki.Template{CommonName: []string{"Bo", "Cy"}[i], NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			p := k.params
			p.Time = now
			b, err := sign(t, w.signer, k.documents, p)
			if err != nil {
				t.Fatal(err)
			}
			known := w.known
			if p.Packaging == Detached {
				known.Documents = k.documents
			}
			if b, err = Extend(t.Context(), b, LTA, Extension{Stamper: w.tsa, Known: known}); err != nil {
				t.Fatal(err)
			}
			again := p.Format == PAdES || p.Packaging == "" && k.name == "XAdES enveloped" // signed as the first time
			for i, id := range others {
				q := p
				q.Time = now.Add(time.Duration(i+2) * time.Minute)
				stamper := []tsp.Stamper{nil, w.tsa}[i]
				if again {
					stamper = nil
				}
				var out bytes.Buffer
				switch {
				case p.Format == XAdES && !again && p.Container == "": // such a file is one signature
					if err := SignParallel(t.Context(), &out, nil, id, bytes.NewReader(b), int64(len(b)), known.Documents, Params{Time: q.Time}, stamper); err == nil {
						t.Error("beside XAdES")
					}
					return
				case again:
					err = Sign(t.Context(), &out, nil, id, []xades.Document{xades.Bytes(k.documents[0].Name, k.documents[0].MimeType, b)}, q, stamper)
				default:
					err = SignParallel(t.Context(), &out, nil, id, bytes.NewReader(b), int64(len(b)), known.Documents, Params{Time: q.Time}, stamper)
				}
				if err != nil {
					t.Fatal(err)
				}
				b = out.Bytes()
			}
			r, err := gather.Open(b, known)
			if err != nil {
				t.Fatal(err)
			}
			all := validation.Validate(r.Facts, nil, now.Add(time.Hour))
			levels := map[string]string{}
			for i, v := range all {
				if v.Indication != validation.TotalPassed {
					t.Errorf("%s: %s %s", r.Signatures[i].Certificate.Subject, v.Sub, v.Why)
				}
				levels[r.Signatures[i].Certificate.Subject.CommonName()] = r.Signatures[i].Level[len(string(p.Format))+len("-BASELINE-"):]
			}
			last := "T"
			switch {
			case again:
				last = "B"
			case p.Format == CAdES && p.Container != ASiCE:
				last = "LT" // with what the message holds already
			}
			if len(all) != 3 || levels["Ada Signer"] != "LTA" || levels["Bo"] != "B" || levels["Cy"] != last {
				t.Errorf("%d signatures, %v", len(all), levels)
			}
			if v := validation.Validate(r.Facts, nil, now.AddDate(3, 0, 0))[0]; v.Indication != validation.TotalPassed {
				t.Errorf("the first one, years later: %s %s", v.Sub, v.Why)
			}
		})
	}
}

func TestWhatCannotBeSignedBeside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pki.P256)
	beside := func(b []byte, documents ...xades.Document) error {
		return SignParallel(t.Context(), &bytes.Buffer{}, nil, w.signer, bytes.NewReader(b), int64(len(b)), documents, Params{Time: now}, nil)
	}
	b, err := sign(t, w.signer, []xades.Document{plan}, Params{Format: CAdES, Packaging: Detached, Time: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := beside(b); !errors.Is(err, ErrParams) {
		t.Errorf("without the document: %v", err)
	}
	if err := beside(b, order); !errors.Is(err, ErrBroken) {
		t.Errorf("with another document: %v", err)
	}
	sealed, err := Preserve(t.Context(), w.tsa, ers.ASN1, crypto.SHA256, []Signed{{Octets: b, Documents: []xades.Document{plan}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := beside(sealed[0], plan); !errors.Is(err, cms.ErrCovered) {
		t.Errorf("under an evidence record: %v", err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte("hello"), "a container of none": []byte("PK\x03\x04")} {
		if err := beside(b); err == nil {
			t.Errorf("beside %s", name)
		}
	}
}
