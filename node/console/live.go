package console

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// streams bounds how many browsers watch at once: each costs a connection and a look into the store now and then.
type streams struct {
	mu  sync.Mutex
	all int
	by  map[string]int
}

const (
	streamsMost    = 200
	streamsPerUser = 12
)

func newStreams() *streams { return &streams{by: map[string]int{}} }

func (s *streams) begin(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= streamsMost || s.by[user] >= streamsPerUser {
		return false
	}
	s.all++
	s.by[user]++
	return true
}

func (s *streams) end(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.by[user]--; s.by[user] == 0 {
		delete(s.by, user)
	}
}

// liveEvery is the pause between two looks.
const liveEvery = 2 * time.Second

// live sends the changing part of the overview whenever it changed, as server-sent events. To watch does not keep a
// session alive.
func (c *Console) live(x *call) error {
	user := x.who.User
	if !c.streams.begin(user) {
		return errBusy
	}
	defer c.streams.end(user)
	ctl := http.NewResponseController(x.w)
	h := x.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	x.w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprint(x.w, "retry: 5000\n\n"); err != nil || ctl.Flush() != nil {
		return nil
	}
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var last [sha256.Size]byte
	for n := 0; ; n++ {
		if s, err := c.lookUp(x.r.Context(), x.who.token); err != nil || s == nil || s.Stage != stageIn {
			return nil
		}
		d, err := c.overviewData(x.r.Context(), x.page, x.r.URL.Query().Get("span"))
		if err != nil {
			return nil // the browser comes again
		}
		f := x.frame("overview", view{Data: d})
		f.Here = Root
		b, err := x.page.part("overview", "live", f)
		if err != nil {
			c.opt.Log.Error("console template failed", "page", "live", "err", err)
			return nil
		}
		sum := sha256.Sum256(b)
		if sum != last || n%10 == 0 { // at times also without news, so that a dead connection is noticed
			last = sum
			if !send(x.w, ctl, b) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-x.r.Context().Done():
			return nil
		case <-c.closing:
			return nil
		}
	}
}

// send writes one event, within ten seconds.
func send(w http.ResponseWriter, ctl *http.ResponseController, data []byte) bool {
	ctl.SetWriteDeadline(time.Now().Add(10 * time.Second)) // not every writer can; the loop then ends with the request
	var b bytes.Buffer
	b.WriteString("event: overview\n")
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err == nil && ctl.Flush() == nil
}
