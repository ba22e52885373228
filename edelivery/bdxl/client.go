package bdxl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	ednsSize       = 1232 // octets of a UDP answer that no path fragments
	defaultTimeout = 2 * time.Second
)

// Dialer opens connections to DNS servers, "udp" and "tcp". *net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// ask puts one question to the servers: each in turn, at least two attempts altogether. An answer is what
// says yes or no; every other response lets the next attempt run.
func (r *Resolver) ask(ctx context.Context, servers []string, name string, qtype uint16) (*dns.Msg, string, error) {
	if len(servers) == 0 {
		return nil, "", &Error{Name: name, Err: ErrDNS, Detail: "no DNS servers configured"}
	}
	var last error
	for i := range max(2, len(servers)) {
		server := withPort(servers[i%len(servers)])
		m, err := r.exchange(ctx, server, name, qtype)
		switch {
		case ctx.Err() != nil:
			return nil, server, &Error{Name: name, Err: ErrDNS, Detail: server + ": " + ctx.Err().Error(), Cause: ctx.Err(), Retry: true}
		case err != nil:
			last = &Error{Name: name, Err: ErrDNS, Detail: fmt.Sprintf("%s: %v", server, err), Cause: err, Retry: true}
		case m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError:
			return m, server, nil
		default:
			last = &Error{Name: name, Err: ErrDNS, Detail: server + " answers " + dns.RcodeToString[m.Rcode], Retry: true}
		}
	}
	return nil, "", last
}

// exchange asks one server: over UDP, without EDNS when the server does not know it, over TCP when the answer
// is truncated or too long.
func (r *Resolver) exchange(ctx context.Context, server, name string, qtype uint16) (*dns.Msg, error) {
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.AuthenticatedData = r.DNSSEC != DNSSECOff // asks for the verdict, not for the signatures [RFC 6840 5.7]
	q.SetEdns0(ednsSize, false)
	m, err := r.once(ctx, "udp", server, q)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) && m.IsEdns0() == nil {
		q.Extra = nil
		m, err = r.once(ctx, "udp", server, q)
	}
	if err == nil && m.Truncated || errors.Is(err, dns.ErrBuf) || isFormat(err) {
		m, err = r.once(ctx, "tcp", server, q)
	}
	return m, err
}

// isFormat reports an answer that could not be unpacked, for example because it was longer than it may be.
func isFormat(err error) bool {
	var e *dns.Error
	return errors.As(err, &e)
}

func (r *Resolver) once(ctx context.Context, network, server string, q *dns.Msg) (*dns.Msg, error) {
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d Dialer = &net.Dialer{}
	if r.Dialer != nil {
		d = r.Dialer
	}
	conn, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	client := dns.Client{Net: network, Timeout: timeout}
	m, _, err := client.ExchangeWithConnContext(ctx, q, &dns.Conn{Conn: conn})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("no answer over %s in %v", network, timeout)
	case err != nil:
		return nil, err
	case !m.Response || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1 ||
		m.Question[0].Qtype != q.Question[0].Qtype || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name):
		return nil, errors.New("the response answers another question")
	}
	return m, nil
}

// withPort adds port 53 to a server's address that has none.
func withPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "53")
}

// ReadServers reads the addresses of DNS servers from a file like /etc/resolv.conf.
func ReadServers(path string) ([]string, error) {
	c, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("bdxl: DNS servers: %w", err)
	}
	servers := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		servers[i] = net.JoinHostPort(s, c.Port)
	}
	return servers, nil
}
