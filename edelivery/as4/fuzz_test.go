package as4_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// FuzzReceive posts whole requests. Every one gets an answer that HTTP, SOAP or ebMS knows, and nothing is stored but
// what the agreed party signed.
func FuzzReceive(f *testing.F) {
	w := newWorld(f, "eu-edelivery", nil)
	for _, m := range []*as4.Outgoing{w.message(f, "m1@a.example", xmlPayload, []byte("octets")), w.message(f, "m2@a.example")} {
		r := w.record(f, m)
		f.Add(r.contentType, r.body)
		for _, old := range []string{"wsu:Id=\"msg-", "cid:p1", "<eb:To>", "Content-ID", "--b-", "<ds:Reference"} {
			f.Add(r.contentType, bytes.Replace(r.body, []byte(old), nil, 1))
		}
	}
	f.Add(ebms.ContentTypeSOAP, soap(strings.Replace(receiptSignal, "%s", `<eb:PullRequest/>`, 1), "").body)
	f.Add("text/xml", []byte("<x/>"))
	f.Add("multipart/related; boundary=b", []byte("--b\r\n\r\n\r\n--b--"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "/as4", bytes.NewReader(body))
		req.Header["Content-Type"] = []string{contentType}
		rec := httptest.NewRecorder()
		w.receiver.ServeHTTP(rec, req)
		answer := rec.Body.Bytes()
		switch rec.Code {
		case http.StatusBadRequest:
			return
		case http.StatusAccepted:
			if len(answer) != 0 {
				t.Errorf("202 with %q", answer)
			}
			return
		case http.StatusOK, http.StatusInternalServerError:
		default:
			t.Fatalf("status %d", rec.Code)
		}
		env, err := ebms.ParseEnvelope(bytes.Clone(answer), dom.Limits{})
		if err != nil {
			t.Fatalf("the answer is no envelope: %v\n%s", err, answer)
		}
		if (rec.Code == http.StatusInternalServerError) != (env.Fault != nil) || env.Fault == nil && !env.Messaging.Valid() {
			t.Errorf("status %d with\n%s", rec.Code, answer)
		}
		w.intake.mu.Lock()
		defer w.intake.mu.Unlock()
		for _, s := range w.intake.messages {
			if id := s.Message.MessageID; !s.Signer.Equal(w.sign[0].Certificate) || id != "m1@a.example" && id != "m2@a.example" {
				t.Errorf("stored %s of %v", id, s.Signer.Subject)
			}
		}
	})
}

// FuzzJudge gives answers of strangers to a sender that waits for a receipt: only the one that the peer signed counts, and
// only an error that the peer signed is final.
func FuzzJudge(f *testing.F) {
	w := newWorld(f, "eu-edelivery", nil)
	msg := func(tb testing.TB) *as4.Outgoing { return w.message(tb, "m1@a.example", xmlPayload) }
	genuine := w.post(f, w.record(f, msg(f)))
	denial := w.signals(f, w.sign[1], failure(ebms.ValueInconsistent, "m1@a.example"))
	for _, b := range [][]byte{genuine.body, denial, w.signals(f, nil, failure(ebms.DuplicateDetected, "m1@a.example")), w.signals(f, w.sign[0], failure(ebms.Other, "")), []byte("<html>")} {
		f.Add(uint16(200), ebms.ContentTypeSOAP, b)
		f.Add(uint16(500), ebms.ContentTypeSOAP, bytes.Replace(b, []byte("m1@"), []byte("m2@"), 1))
	}
	f.Add(uint16(200), "multipart/related; boundary=x", []byte("--x\r\n\r\n"+string(genuine.body)+"\r\n--x--"))
	f.Fuzz(func(t *testing.T, status uint16, contentType string, body []byte) {
		s := &as4.Sender{Identity: w.sender.Identity, Trust: w.trust, Clock: w.sender.Clock, Client: &http.Client{Transport: replying{int(status), contentType, body}}}
		o := s.Send(t.Context(), msg(t))
		switch o.Verdict {
		case as4.Acknowledged:
			if !o.Signed || o.Receipt == nil || o.Receipt.MessageID != genuine.signal.MessageID {
				t.Errorf("acknowledged by\n%s", body)
			}
		case as4.Failed:
			if e, ok := o.Err.(*ebms.Error); !o.Signed || !ok || e.Code != ebms.ValueInconsistent {
				t.Errorf("failed by %v", o.Err)
			}
		case as4.RetryLater:
			if o.Err == nil {
				t.Error("tried again for no reason")
			}
		default:
			t.Errorf("verdict %d on a first attempt", o.Verdict)
		}
	})
}

// replying is a peer that always says the same.
type replying struct {
	status      int
	contentType string
	body        []byte
}

func (r replying) RoundTrip(req *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, req.Body)
	req.Body.Close()
	return &http.Response{StatusCode: r.status, Header: http.Header{"Content-Type": {r.contentType}}, Body: io.NopCloser(bytes.NewReader(r.body)),
		ContentLength: int64(len(r.body)), Request: req}, nil
}
