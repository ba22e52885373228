package zone

import (
	"context"
	"fmt"
	"net"

	"github.com/miekg/dns"
)

// Serve answers queries over UDP and TCP on addr, host:port, until ctx is done. Port 0 takes a free one. It
// returns the address once both listen; two goroutines go on after it and end with ctx.
func (z *Zone) Serve(ctx context.Context, addr string) (string, error) {
	l, pc, err := listen(ctx, addr)
	if err != nil {
		return "", fmt.Errorf("zone: %w", err)
	}
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: z, UDPSize: maxUDP}, {Listener: l, Handler: z}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe()
		<-started
		context.AfterFunc(ctx, func() { s.Shutdown() })
	}
	return l.Addr().String(), nil
}

// listen takes the same port for both; a free port for one can be taken for the other, so it tries some.
func listen(ctx context.Context, addr string) (l net.Listener, pc net.PacketConn, err error) {
	var lc net.ListenConfig
	for range 20 {
		if l, err = lc.Listen(ctx, "tcp", addr); err != nil {
			return nil, nil, err
		}
		if pc, err = lc.ListenPacket(ctx, "udp", l.Addr().String()); err == nil {
			return l, pc, nil
		}
		l.Close()
	}
	return nil, nil, err
}

// ServeDNS makes a Zone a handler of the DNS library's server.
func (z *Zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if z.Refresh != nil {
		z.Refresh()
	}
	m := z.Answer(q)
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = min(max(size, int(opt.UDPSize())), maxUDP)
		}
		m.Truncate(size)
	} else {
		m.Truncate(dns.MaxMsgSize)
	}
	w.WriteMsg(m)
}
