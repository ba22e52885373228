package as4_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// request is an HTTP request as the sender made it, open to manipulation.
type request struct {
	contentType string
	body        []byte
	length      int64
	chunked     bool
}

var errRecorded = errors.New("recorded")

type recorder struct{ got *request }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.got = &request{contentType: req.Header.Get("Content-Type"), body: b, length: req.ContentLength}
	return nil, errRecorded
}

// record makes the request of a message without sending it.
func (w *world) record(t testing.TB, msg *as4.Outgoing) *request {
	t.Helper()
	r := &recorder{}
	s := &as4.Sender{Client: &http.Client{Transport: r}, Identity: w.sender.Identity, Trust: w.sender.Trust, Clock: w.sender.Clock}
	if o := s.Send(context.Background(), msg); r.got == nil {
		t.Fatalf("no request: %v", o.Err)
	}
	return r.got
}

func (r *request) replace(t testing.TB, old, new string) *request {
	t.Helper()
	if !bytes.Contains(r.body, []byte(old)) {
		t.Fatalf("%q is not in the request:\n%.3000s", old, r.body)
	}
	r.body = bytes.Replace(r.body, []byte(old), []byte(new), 1)
	return r
}

// reply is the receiver's answer, read and verified.
type reply struct {
	status int
	header http.Header
	body   []byte
	codes  []ebms.Code
	errs   []*ebms.Error
	signal *ebms.Signal
	fault  *ebms.Fault
	signed bool
}

func (w *world) post(t testing.TB, r *request) *reply {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/as4", bytes.NewReader(r.body))
	req.Header.Set("Content-Type", r.contentType)
	if r.chunked {
		req.ContentLength = -1
	}
	if r.contentType == "" {
		req.Header.Del("Content-Type")
	}
	return w.serve(t, req)
}

func (w *world) serve(t testing.TB, req *http.Request) *reply {
	t.Helper()
	rec := httptest.NewRecorder()
	w.receiver.ServeHTTP(rec, req)
	a := &reply{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	if !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/soap+xml") {
		return a
	}
	env, err := ebms.ParseEnvelope(bytes.Clone(a.body), dom.Limits{})
	if err != nil {
		if f, ok := ebms.IsFault(err); ok {
			t.Fatalf("the answer is no SOAP: %v", f)
		}
		t.Fatalf("the answer cannot be read: %v\n%s", err, a.body)
	}
	a.fault = env.Fault
	if !env.Messaging.Valid() {
		return a
	}
	m, err := ebms.ParseMessaging(env.Messaging, ebms.Quirks{NoErrorRef: true, ReceiptCopy: true, PlainMessageID: true, EmptyLists: true}) // as what is answered has it
	if err != nil {
		t.Fatalf("the answer deviates: %v", err)
	}
	a.signal = m.Signals[0]
	a.errs = a.signal.Errors
	for _, e := range a.errs {
		a.codes = append(a.codes, e.Code)
	}
	opened, err := wss.Open(context.Background(), env, nil, wss.OpenOptions{
		Suites: []wss.Suite{wss.SuiteRSA, wss.SuiteEdDSA, wss.SuiteECDSA},
		Known:  func(wss.TokenRef) []*pki.Certificate { return []*pki.Certificate{w.sign[1].Certificate} },
		Trust: func(leaf *pki.Certificate, path []*pki.Certificate, _ wss.TokenForm) error {
			_, err := w.trust.Verify(leaf, path, pki.PurposeAccessPoint)
			return err
		},
	})
	if err != nil {
		t.Fatalf("the answer's signature: %v", err)
	}
	a.signed = opened.Signer != nil && opened.Signer.Equal(w.sign[1].Certificate)
	return a
}

func (a *reply) code() ebms.Code {
	if len(a.codes) != 1 {
		return ""
	}
	return a.codes[0]
}

// expect checks a refusal: status 200, one signed error of that code, which names the message.
func (a *reply) expect(t *testing.T, code ebms.Code) {
	t.Helper()
	if a.status != http.StatusOK || a.code() != code || !a.signed || a.fault != nil {
		t.Errorf("status %d, codes %v, signed %v, fault %v; want %s", a.status, a.codes, a.signed, a.fault, code)
	}
}
