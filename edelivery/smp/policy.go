package smp

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Policy says where a client may go. Everything behind discovery is written by others: without it an SMP record could
// make the node ask its own network. The zero value allows https to port 443 of public addresses.
type Policy struct {
	// Schemes allowed; nil is https alone. "http" is for networks whose SMPs offer no TLS.
	Schemes []string
	// Ports allowed; nil is the default port of the scheme; 0 in it is every port.
	Ports []uint16
	// Allow exempts addresses from the refusal of non-public ones: closed networks, demonstrations, tests.
	Allow []netip.Prefix
}

// CheckURL refuses with [ErrURL], or [ErrAddress] for an address literal, what must not be asked.
func (p *Policy) CheckURL(u *url.URL) error {
	schemes := p.Schemes
	if schemes == nil {
		schemes = []string{"https"}
	}
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || !slices.Contains(schemes, u.Scheme):
		return fmt.Errorf("%w: %q: scheme", ErrURL, u.Redacted())
	case u.User != nil:
		return fmt.Errorf("%w: %q: user information", ErrURL, u.Redacted())
	case host == "" || u.Opaque != "":
		return fmt.Errorf("%w: %q: no host", ErrURL, u.Redacted())
	case u.Fragment != "":
		return fmt.Errorf("%w: %q: fragment", ErrURL, u.Redacted())
	case !p.port(u):
		return fmt.Errorf("%w: %q: port", ErrURL, u.Redacted())
	}
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return p.CheckAddr(a)
	}
	return nil
}

func (p *Policy) port(u *url.URL) bool {
	standard := map[string]uint16{"http": 80, "https": 443}[u.Scheme]
	port := standard
	if s := u.Port(); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 {
			return false
		}
		port = uint16(n)
	}
	if p.Ports == nil {
		return port == standard
	}
	return slices.Contains(p.Ports, port) || slices.Contains(p.Ports, 0)
}

// refused are the address blocks that lead nowhere on the public network [RFC 6890].
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("10.0.0.0/8"),      // private
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, metadata services of clouds
	netip.MustParsePrefix("172.16.0.0/12"),   // private
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),  // private
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/3"),     // multicast, reserved, broadcast
	netip.MustParsePrefix("::/8"),            // unspecified, loopback, IPv4-compatible
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local translation
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("3fff::/20"),       // documentation
	netip.MustParsePrefix("5f00::/16"),       // segment routing
	netip.MustParsePrefix("fc00::/7"),        // unique local
	netip.MustParsePrefix("fe80::/10"),       // link-local
	netip.MustParsePrefix("fec0::/10"),       // site-local
	netip.MustParsePrefix("ff00::/8"),        // multicast
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4 = netip.MustParsePrefix("2002::/16")
)

// CheckAddr refuses with [ErrAddress] addresses that are not public, in every spelling: also IPv4 inside IPv6.
func (p *Policy) CheckAddr(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	for _, ok := range p.Allow {
		if ok.Contains(a) {
			return nil
		}
	}
	inner := a
	switch b := a.As16(); {
	case nat64.Contains(a):
		inner = netip.AddrFrom4([4]byte(b[12:]))
	case sixTo4.Contains(a):
		inner = netip.AddrFrom4([4]byte(b[2:6]))
	}
	for _, no := range refused {
		if no.Contains(inner) {
			return fmt.Errorf("%w: %s", ErrAddress, a)
		}
	}
	return nil
}

// Control is a net.Dialer's Control: it sees the address that is really dialled, after the resolution of names, so a
// second answer of DNS cannot slip through.
func (p *Policy) Control(network, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%w: %s %s", ErrAddress, network, address)
	}
	return p.CheckAddr(ap.Addr())
}

// HTTPClient returns a client that obeys the policy at every dial, uses no proxy, keeps no cookies, follows no
// redirect, and gives up connecting after 5 s. Whoever needs a proxy hands the lookup an own client, and leaves the
// policing of addresses to the proxy.
func (p *Policy) HTTPClient() *http.Client {
	d := &net.Dialer{Timeout: 5 * time.Second, Control: p.Control}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            d.DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  10 * time.Second,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConns:           100,
			MaxIdleConnsPerHost:    8,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // the limit of an answer counts octets on the wire and in memory alike
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
