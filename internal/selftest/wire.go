package selftest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Exchange is one request that passed the interceptor, with its answer: the octets as each end saw the other's.
type Exchange struct {
	MessageID   string // the first eb:MessageId of the request
	ContentType string
	Body        []byte // nil when it was longer than is kept
	Length      int64

	Status     int
	AnswerType string
	Answer     []byte
	Err        error // no answer came

	// Reply answers in place of the receiver, who sees nothing of the request.
	Reply func(http.ResponseWriter)
	// Hide lets the request pass to nobody and leaves no trace of it: as if it had not been made.
	Hide bool

	genuine []byte // the answer as the receiver made it
	done    chan struct{}
}

// keptBody is the longest request that is kept and can be altered; longer ones stream through.
const keptBody = 64 << 20

// hook looks at an exchange and may change it.
type hook func(*Exchange)

// Wire is the interceptor: a reverse proxy between two access points that records, and that can swallow, repeat, alter and
// answer. Of the hooks those named test stand nearer to the sender on the way there, and on the way back: what they do
// counts as what the ends did.
type Wire struct {
	target func() string // where requests go on to
	path   string
	client *http.Client
	server *http.Server
	addr   string

	mu       sync.Mutex
	log      []*Exchange
	grown    chan struct{}
	request  hook // of the case
	answer   hook
	testSend hook // of a test of the case
	testBack hook
	testLast hook // behind all others, before the sender sees the answer
}

var anyMessageID = regexp.MustCompile(`MessageId[^>]*>\s*([^<\s]*)\s*<`)

// openWire listens on a loopback address.
func openWire(host, path string, target func() string) (*Wire, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	w := &Wire{target: target, path: path, addr: l.Addr().String(), grown: make(chan struct{}), client: &http.Client{
		Transport:     &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 16, ResponseHeaderTimeout: 5 * time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 30 * time.Second}
	go w.server.Serve(l) // ends with close
	return w, nil
}

func (w *Wire) url() string { return "http://" + w.addr + w.path }

// clientFor sends whatever it is given through the interceptor.
func (w *Wire) clientFor() *http.Client {
	return &http.Client{Transport: redirect{w.addr, w.path, &http.Transport{Proxy: nil}}}
}

type redirect struct {
	host, path string
	next       http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host, req.URL.Path, req.Host = "http", r.host, r.path, ""
	return r.next.RoundTrip(req)
}

func (w *Wire) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := w.server.Shutdown(ctx)
	w.client.CloseIdleConnections()
	if errors.Is(err, context.DeadlineExceeded) {
		return w.server.Close()
	}
	return err
}

// reset forgets what passed and what was to be done with it.
func (w *Wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log, w.request, w.answer, w.testSend, w.testBack, w.testLast = nil, nil, nil, nil, nil, nil
}

// on sets what a case does with requests and answers.
func (w *Wire) on(request, answer hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request, w.answer = request, answer
}

func (w *Wire) hooks() (request, answer, testSend, testBack, testLast hook) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.request, w.answer, w.testSend, w.testBack, w.testLast
}

func call(h hook, x *Exchange) {
	if h != nil {
		h(x)
	}
}

// ServeHTTP implements [http.Handler].
func (w *Wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	x := &Exchange{ContentType: r.Header.Get("Content-Type"), Length: r.ContentLength, done: make(chan struct{})}
	request, answer, testSend, testBack, testLast := w.hooks()
	body, rest := io.Reader(r.Body), int64(-1)
	if r.ContentLength > keptBody {
		head := make([]byte, 64<<10)
		n, err := io.ReadFull(r.Body, head)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		x.MessageID = first(anyMessageID, head[:n])
		body, rest = io.MultiReader(bytes.NewReader(head[:n]), r.Body), r.ContentLength
	} else {
		var err error
		if x.Body, err = io.ReadAll(io.LimitReader(r.Body, keptBody+1)); err != nil {
			return // the sender went away
		}
		x.MessageID = first(anyMessageID, x.Body)
		call(testSend, x)
		if x.Hide {
			http.Error(rw, "hidden", http.StatusBadGateway)
			return
		}
	}
	w.add(x)
	defer close(x.done)
	call(request, x)
	if x.Reply != nil {
		rec := &recorder{header: http.Header{}, status: http.StatusOK}
		x.Reply(rec)
		x.Status, x.AnswerType, x.Answer = rec.status, rec.header.Get("Content-Type"), rec.body.Bytes()
	} else {
		if rest < 0 {
			body, rest = bytes.NewReader(x.Body), int64(len(x.Body))
		}
		w.forward(r, x, body, rest)
	}
	x.genuine = x.Answer
	call(testBack, x)
	call(answer, x)
	call(testLast, x)
	if x.Err != nil {
		http.Error(rw, x.Err.Error(), http.StatusBadGateway)
		return
	}
	if x.AnswerType != "" {
		rw.Header().Set("Content-Type", x.AnswerType)
	}
	rw.WriteHeader(x.Status)
	rw.Write(x.Answer)
}

func (w *Wire) forward(r *http.Request, x *Exchange, body io.Reader, length int64) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, w.target(), body)
	if err != nil {
		x.Err = err
		return
	}
	req.ContentLength = length
	if length == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", x.ContentType)
	req.Header.Set("User-Agent", r.UserAgent())
	resp, err := w.client.Do(req)
	if err != nil {
		x.Err = err
		return
	}
	defer resp.Body.Close()
	x.Status, x.AnswerType = resp.StatusCode, resp.Header.Get("Content-Type")
	x.Answer, x.Err = io.ReadAll(io.LimitReader(resp.Body, keptBody))
}

func (w *Wire) add(x *Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, x)
	close(w.grown)
	w.grown = make(chan struct{})
}

// seen is what passed so far with a message id; "" is all.
func (w *Wire) seen(messageID string) (list []*Exchange, grown <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.log {
		if messageID == "" || x.MessageID == messageID {
			list = append(list, x)
		}
	}
	return list, w.grown
}

// await waits for the n-th exchange, from 1, of a message to be over.
func (w *Wire) await(ctx context.Context, messageID string, n int) (*Exchange, error) {
	for {
		list, grown := w.seen(messageID)
		if len(list) >= n {
			select {
			case <-list[n-1].done:
				return list[n-1], nil
			case <-ctx.Done():
				return nil, fail("request %d of message %s was not answered", n, messageID)
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, fail("%d requests with message %s were made, not %d", len(list), messageID, n)
		}
	}
}

// recorder is the answer that a case makes itself.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func first(re *regexp.Regexp, b []byte) string {
	if m := re.FindSubmatch(b); m != nil {
		return string(m[1])
	}
	return ""
}
