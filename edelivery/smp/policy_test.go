package smp

import (
	"errors"
	"net/netip"
	"net/url"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		addr   string
		public bool
	}{
		{"8.8.8.8", true},
		{"2a00:1450:4001::1", true},
		{"::ffff:8.8.8.8", true},
		{"64:ff9b::8.8.8.8", true},
		{"172.15.255.255", true},
		{"172.32.0.1", true},
		{"0.0.0.0", false},
		{"0.1.2.3", false},
		{"10.1.2.3", false},
		{"100.64.0.1", false},
		{"127.0.0.1", false},
		{"127.255.0.1", false},
		{"169.254.169.254", false},
		{"172.16.0.1", false},
		{"172.31.255.255", false},
		{"192.168.1.1", false},
		{"198.18.0.1", false},
		{"224.0.0.1", false},
		{"240.0.0.1", false},
		{"255.255.255.255", false},
		{"::", false},
		{"::1", false},
		{"::127.0.0.1", false},
		{"::ffff:127.0.0.1", false},
		{"::ffff:169.254.169.254", false},
		{"::ffff:10.0.0.1", false},
		{"64:ff9b::127.0.0.1", false},
		{"64:ff9b::a9fe:a9fe", false},
		{"64:ff9b:1::1", false},
		{"2002:7f00:1::", false},
		{"2002:a9fe:a9fe::", false},
		{"2001::1", false},
		{"2001:db8::1", false},
		{"fc00::1", false},
		{"fd00:ec2::254", false},
		{"fe80::1", false},
		{"fe80::1%eth0", false},
		{"fec0::1", false},
		{"ff02::1", false},
	} {
		err := (&Policy{}).CheckAddr(netip.MustParseAddr(c.addr))
		if c.public && err != nil || !c.public && !errors.Is(err, ErrAddress) {
			t.Errorf("%s: got %v", c.addr, err)
		}
	}
	closed := &Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}}
	if err := closed.CheckAddr(netip.MustParseAddr("::ffff:10.20.1.1")); err != nil {
		t.Errorf("allowed network: %v", err)
	}
	if err := closed.CheckAddr(netip.MustParseAddr("10.21.0.1")); !errors.Is(err, ErrAddress) {
		t.Errorf("beside the allowed network: got %v", err)
	}
}

func TestDialsAreChecked(t *testing.T) {
	t.Parallel()
	p := &Policy{}
	for network, address := range map[string]string{"tcp4": "127.0.0.1:443", "tcp6": "[::1]:443", "unix": "/run/docker.sock", "udp": "8.8.8.8:53"} {
		if err := p.Control(network, address, nil); !errors.Is(err, ErrAddress) {
			t.Errorf("%s %s: got %v", network, address, err)
		}
	}
	if err := p.Control("tcp4", "8.8.8.8:443", nil); err != nil {
		t.Error(err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	open := Policy{Schemes: []string{"http", "https"}}
	every := Policy{Schemes: []string{"http"}, Ports: []uint16{0}}
	some := Policy{Ports: []uint16{443, 8443}}
	for _, c := range []struct {
		name   string
		policy Policy
		url    string
		want   error
	}{
		{"https on its port passes", Policy{}, "https://smp.example.com/x", nil},
		{"the standard port may be written", Policy{}, "https://smp.example.com:443/x", nil},
		{"http needs leave", Policy{}, "http://smp.example.com/", ErrURL},
		{"http with leave passes", open, "http://smp.example.com/", nil},
		{"another port is refused", Policy{}, "https://smp.example.com:8443/", ErrURL},
		{"a listed port passes", some, "https://smp.example.com:8443/", nil},
		{"a port beside the listed ones is refused", some, "https://smp.example.com:22/", ErrURL},
		{"every port passes where 0 is listed", every, "http://smp.example.com:8080/", nil},
		{"port 0 is none", every, "http://smp.example.com:0/", ErrURL},
		{"ftp is refused even when listed", Policy{Schemes: []string{"ftp"}}, "ftp://smp.example.com/", ErrURL},
		{"file is refused", open, "file:///etc/passwd", ErrURL},
		{"user information is refused", Policy{}, "https://admin:secret@smp.example.com/", ErrURL},
		{"no host is refused", Policy{}, "https:///x", ErrURL},
		{"opaque is refused", Policy{}, "https:smp.example.com", ErrURL},
		{"a fragment is refused", Policy{}, "https://smp.example.com/#x", ErrURL},
		{"a loopback literal is refused", Policy{}, "https://127.0.0.1/", ErrAddress},
		{"a bracketed literal is refused", Policy{}, "https://[::1]/", ErrAddress},
		{"a mapped literal is refused", Policy{}, "https://[::ffff:169.254.169.254]/latest/meta-data", ErrAddress},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.policy.CheckURL(u); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}
