package node

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/node/config"
)

func TestClientGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("a partner that does not answer", func(t *testing.T) {
		t.Parallel()
		done := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
		t.Cleanup(s.Close)
		t.Cleanup(func() { close(done) })
		c := &config.Config{}
		c.Outbound.Timeout = config.Duration(20 * time.Millisecond)
		c.Discovery.AllowPrivateAddresses = true
		resp, err := as4Client(c).Post(s.URL, "text/plain", strings.NewReader("message"))
		var timeout net.Error
		if err == nil {
			resp.Body.Close()
		}
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v", err)
		}
	})
	t.Run("a partner that takes no more octets", func(t *testing.T) {
		t.Parallel()
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		c := &stallConn{ours, 20 * time.Millisecond}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Write([]byte("message")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
