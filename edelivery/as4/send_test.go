package as4_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// respond makes the peer answer by f, which gets what our own receiver would have answered.
func (w *world) respond(f func(rw http.ResponseWriter, receipt []byte)) {
	w.interceptors = append(w.interceptors, func(rw http.ResponseWriter, r *http.Request) bool {
		rec := httptest.NewRecorder()
		w.receiver.ServeHTTP(rec, r)
		f(rw, rec.Body.Bytes())
		return true
	})
}

func write(rw http.ResponseWriter, status int, contentType string, body []byte) {
	if contentType != "" {
		rw.Header().Set("Content-Type", contentType)
	} else {
		rw.Header()["Content-Type"] = nil
	}
	rw.WriteHeader(status)
	rw.Write(body)
}

// signals makes an answer of the peer: signed by id, or unsigned where id is nil.
func (w *world) signals(t testing.TB, id *pki.Identity, signals ...*ebms.Signal) []byte {
	t.Helper()
	for i, s := range signals {
		if s.MessageID == "" {
			s.MessageID = fmt.Sprintf("s%d@b.example", i)
		}
		s.Timestamp = now
	}
	opt := wss.SecureOptions{Suite: wss.SuiteRSA, Sign: id, ID: "answer"}
	sec, err := wss.Secure(wss.NewDraft(&ebms.Messaging{Signals: signals}, "answer"), nil, opt)
	if err != nil {
		t.Error(err)
		return nil
	}
	return sec.Envelope
}

func failure(code ebms.Code, ref string) *ebms.Signal {
	e := code.New("no")
	e.RefToMessageInError = ref
	return &ebms.Signal{RefToMessageID: ref, Errors: []*ebms.Error{e}}
}

// nri is a receipt over the given digests.
func nri(refs []wss.SignedReference) *ebms.Signal {
	r := &ebms.Receipt{}
	for _, s := range refs {
		r.References = append(r.References, ebms.NRReference{URI: s.URI, DigestMethod: "http://www.w3.org/2001/04/xmlenc#sha256", Digest: s.Digest})
	}
	return &ebms.Signal{RefToMessageID: "m1@a.example", Receipt: r}
}

const soapType = ebms.ContentTypeSOAP

type answers struct {
	pmode   func(*as4.PMode)
	attempt int
	respond func(w *world, rw http.ResponseWriter, receipt []byte)
	verdict as4.Verdict
	code    ebms.Code // of Err; empty: none
	signed  bool
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const id = "m1@a.example"
	always := func(status int, contentType, body string) func(*world, http.ResponseWriter, []byte) {
		return func(_ *world, rw http.ResponseWriter, _ []byte) { write(rw, status, contentType, []byte(body)) }
	}
	sig := func(t *testing.T, status int, by int, s ...*ebms.Signal) func(*world, http.ResponseWriter, []byte) {
		return func(w *world, rw http.ResponseWriter, _ []byte) {
			var who *pki.Identity
			if by >= 0 {
				who = w.sign[by]
			}
			list := make([]*ebms.Signal, len(s))
			for i := range s {
				c := *s[i]
				list[i] = &c
			}
			write(rw, status, soapType, w.signals(t, who, list...))
		}
	}
	warning := failure(ebms.FeatureNotSupported, id)
	const fault = `<S:Envelope xmlns:S="http://www.w3.org/2003/05/soap-envelope"><S:Body><S:Fault><S:Code><S:Value>S:Receiver</S:Value></S:Code><S:Reason><S:Text xml:lang="en">no</S:Text></S:Reason></S:Fault></S:Body></S:Envelope>`
	for name, c := range map[string]answers{
		"a receipt with 200": {respond: func(_ *world, rw http.ResponseWriter, b []byte) { write(rw, 200, soapType, b) }, verdict: as4.Acknowledged, signed: true},
		"a receipt with 202": {respond: func(_ *world, rw http.ResponseWriter, b []byte) { write(rw, 202, soapType, b) }, verdict: as4.Acknowledged, signed: true},
		"a receipt with 500": {respond: func(_ *world, rw http.ResponseWriter, b []byte) { write(rw, 500, soapType, b) }, verdict: as4.Acknowledged, signed: true},
		"a receipt with 400": {respond: func(_ *world, rw http.ResponseWriter, b []byte) { write(rw, 400, "application/soap+xml", b) }, verdict: as4.Acknowledged, signed: true},
		"a receipt as multipart with one part": {respond: func(_ *world, rw http.ResponseWriter, b []byte) {
			write(rw, 200, `multipart/related; boundary=x; type="application/soap+xml"`, []byte("--x\r\nContent-Type: application/soap+xml\r\n\r\n"+string(b)+"\r\n--x--\r\n"))
		}, verdict: as4.Acknowledged, signed: true},
		"a receipt as multipart with a part that nothing names": {respond: func(_ *world, rw http.ResponseWriter, b []byte) {
			write(rw, 200, `multipart/related; boundary=x`, []byte("--x\r\nContent-Type: application/soap+xml\r\n\r\n"+string(b)+"\r\n--x\r\nContent-ID: <y@y>\r\n\r\nz\r\n--x--\r\n"))
		}, verdict: as4.RetryLater, code: ebms.InvalidReceipt},
		"a receipt behind a BOM": {respond: func(_ *world, rw http.ResponseWriter, b []byte) {
			write(rw, 200, soapType, append([]byte("\xEF\xBB\xBF"), b...))
		}, verdict: as4.Acknowledged, signed: true},
		"a receipt with an octet changed": {respond: func(_ *world, rw http.ResponseWriter, b []byte) {
			write(rw, 200, soapType, bytes.Replace(b, []byte("10:00:00.000Z"), []byte("10:00:01.000Z"), 1))
		}, verdict: as4.RetryLater, code: ebms.InvalidReceipt},
		"a receipt that is cut": {respond: func(_ *world, rw http.ResponseWriter, b []byte) { write(rw, 200, soapType, b[:len(b)-1]) }, verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"a receipt called HTML": {respond: func(_ *world, rw http.ResponseWriter, b []byte) { write(rw, 200, "text/html", b) }, verdict: as4.RetryLater, code: ebms.MissingReceipt},

		"nothing, 200":         {respond: always(200, "", ""), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"nothing, 204":         {respond: always(204, "", ""), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"nothing, called SOAP": {respond: always(200, soapType, ""), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"a page":               {respond: always(502, "text/html", "<html>Bad gateway"), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"a redirection": {respond: func(w *world, rw http.ResponseWriter, _ []byte) {
			rw.Header().Set("Location", w.server.URL+"/elsewhere")
			write(rw, 302, "", nil)
		}, verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"a redirection that keeps the method": {respond: func(w *world, rw http.ResponseWriter, _ []byte) {
			rw.Header().Set("Location", w.server.URL+"/elsewhere")
			write(rw, 307, "", nil)
		}, verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"a fault without signal":   {respond: always(500, soapType, fault), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"SOAP 1.1":                 {respond: always(200, soapType, strings.Replace(fault, "http://www.w3.org/2003/05/soap-envelope", ebms.NSSOAP11, 1)), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"a document type":          {respond: always(200, soapType, "<!DOCTYPE a>"+fault), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"an answer of 5 MB":        {respond: always(200, soapType, strings.Repeat(" ", 5<<20)), verdict: as4.RetryLater, code: ebms.MissingReceipt},
		"a connection that breaks": {respond: func(_ *world, rw http.ResponseWriter, _ []byte) { panic(http.ErrAbortHandler) }, verdict: as4.RetryLater, code: ebms.ConnectionFailure},
		"an empty Messaging":       {respond: always(200, soapType, string(soap(`<eb:Messaging S12:mustUnderstand="true"/>`, "").body)), verdict: as4.RetryLater, code: ebms.InvalidReceipt},

		"a permanent error, signed":                      {respond: sig(t, 200, 1, failure(ebms.ProcessingModeMismatch, id)), verdict: as4.Failed, code: ebms.ProcessingModeMismatch, signed: true},
		"a permanent error, signed, with 500":            {respond: sig(t, 500, 1, failure(ebms.FailedDecryption, id)), verdict: as4.Failed, code: ebms.FailedDecryption, signed: true},
		"a permanent error, unsigned":                    {respond: sig(t, 200, -1, failure(ebms.ProcessingModeMismatch, id)), verdict: as4.RetryLater, code: ebms.ProcessingModeMismatch},
		"a permanent error, signed by us":                {respond: sig(t, 200, 0, failure(ebms.ProcessingModeMismatch, id)), verdict: as4.RetryLater, code: ebms.ProcessingModeMismatch},
		"a permanent error about another message":        {respond: sig(t, 200, 1, failure(ebms.ProcessingModeMismatch, "m0@a.example")), verdict: as4.RetryLater, code: ebms.ProcessingModeMismatch, signed: true},
		"a permanent error about no message":             {respond: sig(t, 200, 1, failure(ebms.ProcessingModeMismatch, "")), verdict: as4.RetryLater, code: ebms.ProcessingModeMismatch, signed: true},
		"a transient error, signed":                      {respond: sig(t, 200, 1, failure(ebms.Other, id)), verdict: as4.RetryLater, code: ebms.Other, signed: true},
		"a delivery failure, signed":                     {respond: sig(t, 200, 1, failure(ebms.DeliveryFailure, id)), verdict: as4.RetryLater, code: ebms.DeliveryFailure, signed: true},
		"a code that nobody knows":                       {respond: sig(t, 200, 1, failure("X:1234", id)), verdict: as4.RetryLater, code: "X:1234", signed: true},
		"a warning alone":                                {respond: sig(t, 200, 1, warning), verdict: as4.RetryLater, code: ebms.MissingReceipt, signed: true},
		"a duplicate on the first attempt":               {respond: sig(t, 200, 1, failure(ebms.DuplicateDetected, id)), verdict: as4.RetryLater, code: ebms.DuplicateDetected, signed: true},
		"a duplicate on a retry":                         {attempt: 2, respond: sig(t, 200, 1, failure(ebms.DuplicateDetected, id)), verdict: as4.AcknowledgedWithoutReceipt, code: ebms.DuplicateDetected, signed: true},
		"another error on a retry":                       {attempt: 2, respond: sig(t, 200, 1, failure(ebms.Other, id)), verdict: as4.RetryLater, code: ebms.Other, signed: true},
		"an error on a retry to who calls duplicates so": {attempt: 2, pmode: func(p *as4.PMode) { p.DuplicateIs0004 = true }, respond: sig(t, 200, 1, failure(ebms.Other, id)), verdict: as4.AcknowledgedWithoutReceipt, code: ebms.Other, signed: true},
		"an error first to who calls duplicates so":      {pmode: func(p *as4.PMode) { p.DuplicateIs0004 = true }, respond: sig(t, 200, 1, failure(ebms.Other, id)), verdict: as4.RetryLater, code: ebms.Other, signed: true},
		"a receipt and a failure":                        {respond: sig(t, 200, 1, nri(nil), failure(ebms.Other, id)), verdict: as4.RetryLater, code: ebms.Other, signed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", c.pmode)
			var requests atomic.Int64
			w.respond(func(rw http.ResponseWriter, b []byte) { requests.Add(1); c.respond(w, rw, b) })
			msg := w.message(t, id, xmlPayload)
			msg.Attempt = max(c.attempt, 1)
			o := w.sender.Send(t.Context(), msg)
			if o.Verdict != c.verdict || o.Signed != c.signed || c.code == "" && o.Err != nil || c.code != "" && !errors.Is(o.Err, c.code) {
				t.Errorf("verdict %d, signed %v, %v; want %d, %v, %s", o.Verdict, o.Signed, o.Err, c.verdict, c.signed, c.code)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
			if o.Verdict == as4.Acknowledged && (o.Receipt == nil || len(o.Answer) == 0) {
				t.Error("acknowledged without evidence")
			}
		})
	}
}

// TestReceipts compares receipts with what was signed.
func TestReceipts(t *testing.T) {
	t.Parallel()
	type refs = []wss.SignedReference
	other := func(r wss.SignedReference) wss.SignedReference {
		return wss.SignedReference{URI: r.URI, Digest: bytes.Repeat([]byte{1}, 32)}
	}
	noProof := func(p *as4.PMode) { p.NoReceiptProof = true }
	for name, c := range map[string]struct {
		pmode   func(*as4.PMode)
		receipt func(sent refs) *ebms.Signal
		by      func(w *world) *pki.Identity // default the peer; nil result: unsigned
		edit    func([]byte) []byte
		ok      bool
	}{
		"all references":                  {receipt: nri, ok: true},
		"all references in another order": {receipt: func(s refs) *ebms.Signal { return nri(refs{s[2], s[0], s[1]}) }, ok: true},
		"a reference missing":             {receipt: func(s refs) *ebms.Signal { return nri(s[:2]) }},
		"the attachment only":             {receipt: func(s refs) *ebms.Signal { return nri(s[2:]) }},
		"a reference more": {receipt: func(s refs) *ebms.Signal {
			return nri(append(s[:3:3], wss.SignedReference{URI: "cid:x@y", Digest: s[0].Digest}))
		}},
		"a reference twice":                     {receipt: func(s refs) *ebms.Signal { return nri(append(s[:3:3], s[0])) }},
		"a reference twice in another's place":  {receipt: func(s refs) *ebms.Signal { return nri(refs{s[0], s[1], s[1]}) }},
		"another digest":                        {receipt: func(s refs) *ebms.Signal { return nri(refs{s[0], s[1], other(s[2])}) }},
		"a digest that is cut":                  {receipt: func(s refs) *ebms.Signal { return nri(refs{s[0], s[1], {URI: s[2].URI, Digest: s[2].Digest[:31]}}) }},
		"no reference":                          {receipt: func(refs) *ebms.Signal { return nri(nil) }},
		"for another message":                   {receipt: func(s refs) *ebms.Signal { r := nri(s); r.RefToMessageID = "m0@a.example"; return r }},
		"another namespace":                     {receipt: nri, edit: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(ebms.NSSignals), []byte("urn:nri")) }, by: nobody},
		"unsigned":                              {receipt: nri, by: nobody},
		"unsigned, where no proof is wanted":    {pmode: noProof, receipt: nri, by: nobody},
		"signed by ourselves":                   {receipt: nri, by: func(w *world) *pki.Identity { return w.sign[0] }},
		"signed by another valid certificate":   {receipt: nri, by: func(w *world) *pki.Identity { return w.member("POP000002") }},
		"signed by the peer's expired one":      {receipt: nri, by: func(w *world) *pki.Identity { return w.stale() }},
		"the message, where proof is wanted":    {receipt: copied},
		"the message, where none is wanted":     {pmode: noProof, receipt: copied, ok: true},
		"another message, where none is wanted": {pmode: noProof, receipt: func(s refs) *ebms.Signal { r := copied(s); r.Receipt.UserMessage.MessageID = "m0@a.example"; return r }},
		"digests, where none are wanted":        {pmode: noProof, receipt: nri, ok: true},
		"wrong digests, where none are wanted":  {pmode: noProof, receipt: func(s refs) *ebms.Signal { return nri(refs{s[0], s[1], other(s[2])}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", c.pmode)
			msg := w.message(t, "m1@a.example", xmlPayload)
			sent := w.references(t, msg)
			who := w.sign[1]
			if c.by != nil {
				who = c.by(w)
			}
			w.respond(func(rw http.ResponseWriter, _ []byte) {
				b := w.signals(t, who, c.receipt(sent))
				if c.edit != nil {
					b = c.edit(b)
				}
				write(rw, 200, soapType, b)
			})
			o := w.sender.Send(t.Context(), msg)
			if c.ok && o.Verdict == as4.Acknowledged {
				return
			}
			if c.ok || o.Verdict != as4.RetryLater || !errors.Is(o.Err, ebms.InvalidReceipt) {
				t.Errorf("verdict %d: %v", o.Verdict, o.Err)
			}
		})
	}
}

func nobody(*world) *pki.Identity { return nil }

func copied([]wss.SignedReference) *ebms.Signal {
	um := &ebms.UserMessage{MessageID: "m1@a.example", Timestamp: now, ConversationID: "c", Service: ebms.Service{Value: "urn:s"}, Action: "urn:a",
		From: ebms.Party{IDs: []ebms.PartyID{{Value: "urn:a"}}, Role: "urn:r"}, To: ebms.Party{IDs: []ebms.PartyID{{Value: "urn:b"}}, Role: "urn:r"}}
	return &ebms.Signal{RefToMessageID: "m1@a.example", Receipt: &ebms.Receipt{UserMessage: um}}
}

// stale is the peer's certificate of last year, for the same key, which the P-Mode still lists.
func (w *world) stale() *pki.Identity {
	id, err := w.ca.Issue(pki.Template{CommonName: "POP000002", Key: w.sign[1].Key, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, 0, -1)})
	if err != nil {
		panic(err)
	}
	w.pmode.Certificates = append(w.pmode.Certificates, id.Certificate)
	return id
}

// references are the digests that a message is signed with, taken from its receipt by our own receiver.
func (w *world) references(t testing.TB, msg *as4.Outgoing) []wss.SignedReference {
	t.Helper()
	a := w.post(t, w.record(t, msg))
	if a.signal == nil {
		t.Fatalf("no receipt: %s", a.body)
	}
	um := msg.Message
	var refs []wss.SignedReference
	if r := a.signal.Receipt; r != nil && len(r.References) > 0 {
		for _, x := range r.References {
			refs = append(refs, wss.SignedReference{URI: x.URI, Digest: x.Digest})
		}
		return refs
	}
	// where the P-Mode wants no proof: sign once more and look
	sec, err := wss.Secure(wss.NewDraft(&ebms.Messaging{UserMessages: []*ebms.UserMessage{um}}, suffixOf(t, w.record(t, msg))), msg.Contents,
		wss.SecureOptions{Suite: wss.SuiteRSA, Sign: w.sign[0], ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return sec.References
}

// suffixOf finds the tail of the ids in a request.
func suffixOf(t testing.TB, r *request) string {
	t.Helper()
	_, rest, ok := strings.Cut(string(r.body), `wsu:Id="msg-`)
	if !ok {
		t.Fatal("no id of Messaging")
	}
	s, _, _ := strings.Cut(rest, `"`)
	return s
}

// TestAFailureTellsWhatCame looks at what people read when no receipt came.
func TestAFailureTellsWhatCame(t *testing.T) {
	t.Parallel()
	const id = "m1@a.example"
	for name, c := range map[string]struct {
		respond func(w *world, rw http.ResponseWriter)
		want    string
	}{
		"the status of a page": {func(_ *world, rw http.ResponseWriter) { write(rw, 503, "text/html", []byte("busy")) }, "HTTP status 503"},
		"a warning": {func(w *world, rw http.ResponseWriter) {
			write(rw, 200, soapType, w.signals(t, w.sign[1], failure(ebms.FeatureNotSupported, id)))
		}, "EBMS:0002"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", nil)
			w.respond(func(rw http.ResponseWriter, _ []byte) { c.respond(w, rw) })
			o := w.sender.Send(t.Context(), w.message(t, id, xmlPayload))
			if !errors.Is(o.Err, ebms.MissingReceipt) || !strings.Contains(o.Err.Error(), c.want) {
				t.Errorf("%v, want %s", o.Err, c.want)
			}
		})
	}
}

func TestAWarningBesideAReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	msg := w.message(t, "m1@a.example", xmlPayload)
	sent := w.references(t, msg)
	w.respond(func(rw http.ResponseWriter, _ []byte) {
		write(rw, 200, soapType, w.signals(t, w.sign[1], nri(sent), failure(ebms.FeatureNotSupported, "m1@a.example")))
	})
	o := w.sender.Send(t.Context(), msg)
	if o.Verdict != as4.Acknowledged || len(o.Warnings) != 1 || o.Warnings[0].Code != ebms.FeatureNotSupported {
		t.Errorf("%+v", o)
	}
}

func TestATricklingAnswerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	w.interceptors = append(w.interceptors, func(rw http.ResponseWriter, r *http.Request) bool {
		defer close(done)
		io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", soapType)
		io.WriteString(rw, "<S12:Envelope")
		rw.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
		return true
	})
	o := w.sender.Send(ctx, w.message(t, "m1@a.example", xmlPayload))
	if o.Verdict != as4.RetryLater || !errors.Is(o.Err, context.Canceled) {
		t.Errorf("verdict %d: %v", o.Verdict, o.Err)
	}
	<-done
}

func TestWhatIsNotEvenTried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		code   ebms.Code
	}{
		"the receiver's certificate has expired": {func(w *world) {
			w.pmode.EncryptionCertificate = w.stale().Certificate
		}, ebms.FailedAuthentication},
		"the receiver's certificate is not valid yet": {func(w *world) {
			w.sender.Trust.Clock = func() time.Time { return now.AddDate(-3, 0, 0) } // as after a clock that went back
		}, ebms.Other},
		"nobody says whether it is revoked": {func(w *world) { w.sender.Trust.RequireRevocation = true }, ebms.Other},
		"the receiver's certificate is of a foreign authority": {func(w *world) {
			ca, err := pki.NewAuthority(nil, "CN=Foreign", pki.P256, now.AddDate(-1, 0, 0), 10)
			if err != nil {
				panic(err)
			}
			id, err := ca.Issue(pki.Template{CommonName: "POP000002", Key: w.sign[1].Key})
			if err != nil {
				panic(err)
			}
			w.pmode.EncryptionCertificate = id.Certificate
		}, ebms.FailedAuthentication},
		"the receiver's certificate is not known": {func(w *world) { w.pmode.Certificates, w.pmode.EncryptionCertificate = nil, nil }, ebms.ProcessingModeMismatch},
		"there is no key to sign with":            {func(w *world) { w.sender.Identity = func(*as4.PMode) *pki.Identity { return nil } }, ebms.ProcessingModeMismatch},
		"the address is empty":                    {func(w *world) { w.pmode.URL = "" }, ebms.ProcessingModeMismatch},
		"the address is no URL":                   {func(w *world) { w.pmode.URL = "http://a b/" }, ebms.ProcessingModeMismatch},
		"the address is a file":                   {func(w *world) { w.pmode.URL = "file:///etc/passwd" }, ebms.ProcessingModeMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", nil)
			w.interceptors = append(w.interceptors, func(http.ResponseWriter, *http.Request) bool { t.Error("something was sent"); return false })
			c.change(w)
			o := w.sender.Send(t.Context(), w.message(t, "m1@a.example", xmlPayload))
			want := as4.Failed
			if c.code == ebms.Other { // it may pass by itself
				want = as4.RetryLater
			}
			if o.Verdict != want || !errors.Is(o.Err, c.code) {
				t.Errorf("verdict %d: %v", o.Verdict, o.Err)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "eu-edelivery", nil)
		w.server.Close()
		if o := w.sender.Send(t.Context(), w.message(t, "m1@a.example", xmlPayload)); o.Verdict != as4.RetryLater || !errors.Is(o.Err, ebms.ConnectionFailure) {
			t.Errorf("verdict %d: %v", o.Verdict, o.Err)
		}
	})
}

// TestRequests reads requests with the standard library's readers.
func TestRequests(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	for name, payloads := range map[string][][]byte{
		"no payload": nil, "one payload": {xmlPayload}, "several payloads": {xmlPayload, []byte("octets"), {}}, "a payload that streams": {large},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "eu-edelivery", nil)
			r := w.record(t, w.message(t, "m1@a.example", payloads...))
			if r.length != int64(len(r.body)) {
				t.Errorf("Content-Length %d, %d octets", r.length, len(r.body))
			}
			media, params, err := mime.ParseMediaType(r.contentType)
			if err != nil {
				t.Fatal(err)
			}
			if len(payloads) == 0 {
				if r.contentType != "application/soap+xml; charset=UTF-8" {
					t.Errorf("Content-Type %q", r.contentType)
				}
				return
			}
			if media != "multipart/related" || params["type"] != "application/soap+xml" {
				t.Errorf("Content-Type %q", r.contentType)
			}
			mr := multipart.NewReader(bytes.NewReader(r.body), params["boundary"])
			for i := 0; ; i++ {
				p, err := mr.NextRawPart()
				if err == io.EOF {
					if i != 1+len(payloads) {
						t.Errorf("%d parts", i)
					}
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(p)
				if err != nil {
					t.Fatal(err)
				}
				id, ctype := p.Header.Get("Content-ID"), p.Header.Get("Content-Type")
				wantID, wantType := params["start"], "application/soap+xml; charset=UTF-8"
				if i > 0 {
					wantID, wantType = fmt.Sprintf("<p%d@a.example>", i), "application/octet-stream"
					if len(b) < 28 {
						t.Errorf("part %d has %d octets", i, len(b))
					}
				}
				if id != wantID || ctype != wantType || p.Header.Get("Content-Transfer-Encoding") != "binary" || len(p.Header) != 3 {
					t.Errorf("part %d: %v", i, p.Header)
				}
			}
		})
	}
}

// TestAttemptsRepeatTheirDigests, though each encrypts anew [AS4 3.2].
func TestAttemptsRepeatTheirDigests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "eu-edelivery", nil)
	var first, second []wss.SignedReference
	var bodies [2][]byte
	for i, refs := range []*[]wss.SignedReference{&first, &second} {
		msg := w.message(t, "m1@a.example", xmlPayload, []byte("octets"))
		msg.Attempt = i + 1
		bodies[i] = w.record(t, msg).body
		w.intake.messages = map[string]*stored{}
		*refs = w.references(t, msg)
	}
	if bytes.Equal(bodies[0], bodies[1]) {
		t.Error("the session key was used twice")
	}
	if len(first) != 4 {
		t.Fatalf("%d references", len(first))
	}
	for i := range first {
		if first[i].URI != second[i].URI || !bytes.Equal(first[i].Digest, second[i].Digest) {
			t.Errorf("%v, %v", first[i], second[i])
		}
	}
}

func TestRetrySchedule(t *testing.T) {
	t.Parallel()
	minutes := func(m ...float64) []time.Duration {
		list := make([]time.Duration, len(m))
		for i := range m {
			list[i] = time.Duration(m[i] * float64(time.Minute))
		}
		return list
	}
	for name, c := range map[string]struct {
		retry  as4.Retry
		pauses []time.Duration // after attempt 1, 2, ...; then none is left
	}{
		"the default":                         {as4.Retry{}, minutes(1, 2, 4, 8, 16, 32, 64, 128, 256)},
		"once only":                           {as4.Retry{Max: 1}, nil},
		"constant":                            {as4.Retry{Max: 4, First: time.Minute, Factor: 1}, minutes(1, 1, 1)},
		"no pause beyond the limit":           {as4.Retry{Max: 5, First: time.Minute, Factor: 10, Limit: 30 * time.Minute}, minutes(1, 10, 30, 30)},
		"a first pause beyond the limit":      {as4.Retry{Max: 2, First: time.Hour, Limit: time.Minute}, minutes(1)},
		"a factor that is no whole number":    {as4.Retry{Max: 4, First: 2 * time.Minute, Factor: 1.5}, minutes(2, 3, 4.5)},
		"a factor that leaves every calendar": {as4.Retry{Max: 4, Factor: 1e300}, minutes(1, 360, 360)},
	} {
		for i, want := range c.pauses {
			if at, ok := c.retry.Next(i+1, now); !ok || at.Sub(now) != want {
				t.Errorf("%s: pause %d is %v, %v; want %v", name, i+1, at.Sub(now), ok, want)
			}
		}
		if at, ok := c.retry.Next(len(c.pauses)+1, now); ok {
			t.Errorf("%s: one more attempt at %v", name, at)
		}
	}
	if r := (as4.Retry{Max: 3}).Or(as4.Retry{Max: 9, First: time.Second}); r.Max != 3 || r.First != time.Second {
		t.Errorf("%+v", r)
	}
}

func TestPModesThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, p := range map[string]*as4.PMode{
		"unknown profile":                {ProfileName: "none"},
		"unknown token form":             {ProfileName: "eu-edelivery", SignToken: "x"},
		"does not allow unsigned":        {ProfileName: "eu-edelivery", Unsigned: true},
		"does not allow unencrypted":     {ProfileName: "eu-edelivery", Unencrypted: true},
		`wants the signer's certificate`: {ProfileName: "peppol", SignToken: wss.TokenSKI},
	} {
		if err := p.Complete(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := as4.NewTable(p); err == nil {
			t.Errorf("%s: a table", text)
		}
	}
}
