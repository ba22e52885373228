package bdxl

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Check refuses an address that a record must not lead to. Its errors say why.
func (r URIRules) Check(uri string) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{errRefused}, args...)...)
	}
	if len(uri) > maxURI {
		return refuse("address of more than %d octets", maxURI)
	}
	for i := 0; i < len(uri); i++ {
		if c := uri[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' {
			return refuse("%q in the address", c)
		}
	}
	if strings.ContainsAny(uri, "?#") {
		return refuse("query or fragment in the address")
	}
	u, err := url.Parse(uri)
	if err != nil {
		return refuse("no address")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("scheme %q", u.Scheme)
	case u.Scheme == "http" && !r.HTTP:
		return refuse("http without TLS [EU-BDXL 1.4.3]")
	case u.Opaque != "" || u.Hostname() == "":
		return refuse("no host in the address")
	case u.User != nil:
		return refuse("user in the address")
	}
	if err := r.checkPort(u); err != nil {
		return refuse("%v", err)
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return refuse("dots as path segment")
		}
	}
	if err := r.checkHost(u.Hostname()); err != nil {
		return refuse("%v", err)
	}
	return nil
}

func (r URIRules) checkPort(u *url.URL) error {
	port := 443
	if u.Scheme == "http" {
		port = 80
	}
	if s := u.Port(); s != "" {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("port %q", s)
		}
		port = int(n)
	} else if strings.HasSuffix(u.Host, ":") {
		return fmt.Errorf("empty port")
	}
	if r.Ports != nil && !slices.Contains(r.Ports, port) {
		return fmt.Errorf("port %d is not allowed", port)
	}
	return nil
}

func (r URIRules) checkHost(host string) error {
	if strings.Contains(host, ":") {
		a, err := netip.ParseAddr(host)
		if err != nil {
			return fmt.Errorf("host %q is no address", host)
		}
		return r.CheckAddr(a)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last != "" && (isDigit(last[0]) || strings.HasPrefix(last, "0x")) {
		// Everything whose last label begins with a digit is an address to some library: only the plain form is read.
		a, err := netip.ParseAddr(host)
		if err != nil {
			return fmt.Errorf("host %q is neither name nor address", host)
		}
		return r.CheckAddr(a)
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return r.CheckAddr(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(strings.ReplaceAll(label, "_", "x")) {
			return fmt.Errorf("host %q is no domain name", host)
		}
	}
	if len(host) > 253 {
		return fmt.Errorf("host of %d characters", len(host))
	}
	return nil
}

// special are the networks that are not public beyond those netip knows [RFC 6890].
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// CheckAddr refuses addresses that are not public, except in the allowed networks. It is meant for the dialer
// too, which sees what a host name has become.
func (r URIRules) CheckAddr(a netip.Addr) error {
	if a.Zone() != "" {
		return fmt.Errorf("address %s has a zone", a)
	}
	a = a.Unmap()
	for _, p := range r.Allow {
		if p.Contains(a) {
			return nil
		}
	}
	if a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return nil
	}
	return fmt.Errorf("address %s is not public", a)
}
