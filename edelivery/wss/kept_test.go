package wss_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestAnEnvelopeThatWasKeptProvesWhatWasSigned(t *testing.T) {
	t.Parallel()
	p := cast()
	plain := payload{"doc@a.example", "application/xml", xmlDoc, false}
	text := payload{"text@a.example", "text/plain", []byte("one\ntwo\r\nthree\rfour"), false}
	opt := wss.SecureOptions{Suite: wss.SuiteRSA, Sign: p.alice, Recipient: p.bob.Certificate}
	sealed := seal(t, opt, plain, text).envelope
	at := func(octets map[string][]byte) wss.KeptDigests {
		return func(cid, method string) ([][]byte, error) {
			b, ok := octets[cid]
			if !ok {
				return nil, nil
			}
			mime := plain.mime
			if cid == text.cid {
				mime = text.mime
			}
			d, err := wss.NewDigests(mime, method)
			if err != nil {
				return nil, err
			}
			d.Write(b)
			return d.Sums(), nil
		}
	}
	whole := map[string][]byte{plain.cid: plain.content, text.cid: text.content}
	swap := func(a, b string) string {
		if !strings.Contains(sealed, a) {
			t.Fatalf("%q is not in the envelope", a)
		}
		return strings.Replace(sealed, a, b, 1)
	}
	unsigned := string(seal(t, wss.SecureOptions{Suite: wss.SuiteRSA}, plain, text).envelope)
	for _, c := range []struct {
		name, envelope string
		octets         map[string][]byte
		targets        []string
		want           error
	}{
		{"with its attachments", sealed, whole, []string{plain.cid, text.cid}, nil},
		{"with one of them", sealed, map[string][]byte{text.cid: text.content}, []string{plain.cid, text.cid}, nil},
		{"without attachments", sealed, nil, []string{plain.cid, text.cid}, nil},
		{"with text whose line ends were changed", sealed, map[string][]byte{text.cid: []byte("one\r\ntwo\nthree\nfour")}, []string{plain.cid, text.cid}, nil},
		{"with a changed attachment", sealed, map[string][]byte{plain.cid: []byte("<other/>")}, []string{plain.cid, text.cid}, wss.ErrAuthentication},
		{"with an attachment that the header does not name", sealed, whole, []string{plain.cid}, wss.ErrPart},
		{"with one that is not signed", sealed, whole, []string{plain.cid, text.cid, "third@a.example"}, wss.ErrPolicy},
		{"changed in its header", swap("</eb:MessageId>", "x</eb:MessageId>"), whole, []string{plain.cid, text.cid}, wss.ErrAuthentication},
		{"not signed", unsigned, whole, []string{plain.cid, text.cid}, wss.ErrPolicy},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env, err := ebms.ParseEnvelope([]byte(c.envelope), dom.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			o := strict()
			for _, cid := range c.targets {
				o.Targets = append(o.Targets, wss.Target{ContentID: cid})
			}
			opened, err := wss.OpenKept(env, o, at(c.octets))
			if c.want != nil {
				if !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				return
			}
			if err != nil || !opened.Signer.Equal(p.alice.Certificate) || len(opened.References) != 4 {
				t.Errorf("%+v %v", opened, err)
			}
		})
	}
}
