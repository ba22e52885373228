package selftest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/setup"
)

var transportCases = []*Case{
	{ID: "AS4_CP_TA39", Level: Mandatory, Module: commonProfile,
		Predicate: "versions and cipher suites of TLS follow the configuration", run: tlsIsConfigured},
	{ID: "AS4_CP_TA40", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a receiver at TLS 1.2 makes no connection with a sender at TLS 1.0 or 1.1", run: oldTLSIsRefused},
	{ID: "AS4_CP_TA41", Level: Mandatory, Module: commonProfile, Peer: true,
		Predicate: "a sender at SSL 2 or 3 gets no connection", run: sslIsRefused},
	{ID: "AS4_CP_TA42", Level: Mandatory, Module: commonProfile,
		Predicate: "a sender with none of the configured cipher suites gets no connection", run: otherSuiteIsRefused},
	{ID: "AS4_CP_TA43", Level: Mandatory, Module: commonProfile,
		Predicate: "a sender with a configured cipher suite is answered with a 2xx status", run: agreedSuiteIsTaken},
	{ID: "AS4_CP_TA44", Level: Permitted, Module: commonProfile, Peer: true,
		Predicate: "part properties are taken with and without type", run: partPropertyTypes},
	{ID: "AS4_CP_TA45", Level: Mandatory, Module: commonProfile,
		Predicate: "payloads are named in the order of the submission, and delivered in it", run: orderIsKept},
	{ID: "AS4_CP_TA46", Level: Mandatory, Module: commonProfile, // the official list calls it not testable; from the same machine it is
		Predicate: "the endpoint is reached over IPv4 and IPv6", run: bothInternets},
}

// The cipher suite that the listener of these cases is configured with, and one that it is not.
const (
	agreedSuite = tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	otherSuite  = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
)

// lonely starts a node that agreed with nobody and returns where it listens.
func (r *run) lonely(name string, tune func(*config.Config)) (n *node.Node, err error) {
	dir := filepath.Join(r.dir, name)
	if err := os.RemoveAll(dir); err != nil { // from a case before
		return nil, err
	}
	made, err := setup.Create(setup.Params{Dir: filepath.Join(dir, "c3"), Country: "EE", Profile: "eu-edelivery", Now: time.Now()})
	if err != nil {
		return nil, err
	}
	c, err := config.Load(made.ConfigFile)
	if err != nil {
		return nil, err
	}
	c.Domains, c.Console.Off = nil, true
	tune(c)
	return begin(r.parent, c, r.driver.URL("lonely"), node.Options{})
}

// secured starts a node with TLS of this version and these suites.
func (r *run) secured(version string, suites ...string) (*node.Node, error) {
	cert, key, err := tlsFiles(r.dir)
	if err != nil {
		return nil, err
	}
	return r.lonely("tls", func(c *config.Config) {
		c.TLS = &config.TLS{Certificate: config.Path(cert), Key: config.Path(key), MinVersion: version, CipherSuites: suites}
	})
}

// handshake tries one connection and asks for the endpoint: nil when it was answered with a 2xx status.
func (r *run) handshake(address string, c *tls.Config) error {
	c.InsecureSkipVerify = true // who it is has been settled: the case is about versions and suites
	client := &http.Client{Transport: &http.Transport{Proxy: nil, TLSClientConfig: c, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if r.peer == nil && resp.StatusCode/100 != 2 { // a peer need not answer this question

		return fail("HTTP status %d", resp.StatusCode)
	}
	return nil
}

// alerted says whether a handshake ended because the other end refused it.
func alerted(err error) bool {
	var alert tls.AlertError
	return errors.As(err, &alert) || strings.Contains(err.Error(), "remote error") || errors.Is(err, io.EOF) || strings.Contains(err.Error(), "connection reset")
}

// refusedBy checks that no connection comes about, and that it is the other end that does not want it.
func (r *run) refusedBy(address string, c *tls.Config, what string) error {
	err := r.handshake(address, c)
	switch {
	case err == nil:
		return fail("a connection with %s came about", what)
	case !alerted(err):
		return fail("no connection with %s, but for another reason: %v", what, err)
	}
	return nil
}

// tlsTarget is the address of the receiver: of a node of our own with TLS, or of the peer.
func (r *run) tlsTarget(version string, suites ...string) (address string, end func(), err error) {
	if r.peer != nil {
		if u, err := url.Parse(r.Peer); err != nil || u.Scheme != "https" {
			return "", nil, errNotApplicable("the peer is reached without TLS")
		}
		return r.Peer, func() {}, nil
	}
	n, err := r.secured(version, suites...)
	if err != nil {
		return "", nil, err
	}
	address = "https://" + n.Addr("as4") + "/as4"
	if r.target != nil {
		address = r.target(address)
	}
	return address, func() { n.Stop(context.Background()) }, nil
}

func only(version uint16, suites ...uint16) *tls.Config {
	return &tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: suites}
}

func tlsIsConfigured(r *run) error {
	address, end, err := r.tlsTarget("1.3")
	if err != nil {
		return err
	}
	defer func() { end() }()
	if err := r.refusedBy(address, only(tls.VersionTLS12), "TLS 1.2, where 1.3 is configured,"); err != nil {
		return err
	}
	if err := r.handshake(address, only(tls.VersionTLS13)); err != nil {
		return fail("no connection with TLS 1.3, where it is configured: %v", err)
	}
	end()
	if address, end, err = r.tlsTarget("1.2", tls.CipherSuiteName(otherSuite)); err != nil {
		return err
	}
	if err := r.refusedBy(address, only(tls.VersionTLS12, agreedSuite), "a suite that is not configured"); err != nil {
		return err
	}
	if err := r.handshake(address, only(tls.VersionTLS12, otherSuite)); err != nil {
		return fail("no connection with the suite that is configured: %v", err)
	}
	return nil
}

func oldTLSIsRefused(r *run) error {
	address, end, err := r.tlsTarget("1.2")
	if err != nil {
		return err
	}
	defer end()
	if err := r.handshake(address, &tls.Config{MinVersion: tls.VersionTLS12}); err != nil {
		return fail("no connection with TLS 1.2: %v", err)
	}
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if err := r.refusedBy(address, only(v), tls.VersionName(v)); err != nil {
			return err
		}
	}
	return nil
}

// sslIsRefused speaks as far as the first message, which is all that the standard library does not.
func sslIsRefused(r *run) error {
	address, end, err := r.tlsTarget("1.2")
	if err != nil {
		return err
	}
	defer end()
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	random := bytes.Repeat([]byte{0x5a}, 32)
	suites := []byte{0x00, 0x35, 0x00, 0x2f, 0x00, 0x0a}
	hello := append(append([]byte{3, 0}, random...), 0, 0, byte(len(suites)))
	hello = append(append(hello, suites...), 1, 0)
	ssl3 := append([]byte{0x16, 3, 0, 0, byte(len(hello) + 4), 1, 0, 0, byte(len(hello))}, hello...)
	v2 := append([]byte{1, 0, 2, 0, 3, 0, 0, 0, 16, 7, 0, 0xc0}, random[:16]...)
	ssl2 := append([]byte{0x80, byte(len(v2))}, v2...)
	for name, first := range map[string][]byte{"SSL 3": ssl3, "SSL 2": ssl2} {
		var d net.Dialer
		conn, err := d.DialContext(r.ctx, "tcp", host)
		if err != nil {
			return err
		}
		deadline, _ := r.ctx.Deadline()
		conn.SetDeadline(deadline)
		if _, err := conn.Write(first); err != nil {
			conn.Close()
			return err
		}
		answer, err := io.ReadAll(io.LimitReader(conn, 7))
		conn.Close()
		var timeout net.Error
		switch {
		case errors.As(err, &timeout) && timeout.Timeout():
			return fail("the connection with %s stays open", name)
		case len(answer) > 0 && answer[0] != 0x15 && !bytes.HasPrefix(answer, []byte("HTTP/")): // an alert, or a proxy that says what it wants
			return fail("%s was answered with % x", name, answer)
		}
	}
	return nil
}

func otherSuiteIsRefused(r *run) error {
	address, end, err := r.tlsTarget("1.2", tls.CipherSuiteName(agreedSuite))
	if err != nil {
		return err
	}
	defer end()
	return r.refusedBy(address, only(tls.VersionTLS12, otherSuite), "a suite that is not configured")
}

func agreedSuiteIsTaken(r *run) error {
	address, end, err := r.tlsTarget("1.2", tls.CipherSuiteName(agreedSuite))
	if err != nil {
		return err
	}
	defer end()
	if err := r.handshake(address, only(tls.VersionTLS12, agreedSuite)); err != nil {
		return fail("no connection with the suite that is configured: %v", err)
	}
	return nil
}

func partPropertyTypes(r *run) error {
	for _, kind := range []string{"", "urn:test:type"} {
		x, err := r.posted(forgery{parts: []forgedPart{compressed("xmlpayload@minder", "application/xml", []byte(xmlDocument), ebms.Property{Name: "Colour", Value: "green", Type: kind})}})
		if err != nil {
			return err
		}
		if _, _, err := x.receipt(); err != nil {
			return fail("part property with type %q: %v", kind, err)
		}
		t, err := r.delivered(x.MessageID, []byte(xmlDocument))
		if err != nil {
			return err
		}
		if t != nil && t.Parts[0].Property("Colour") != "green" {
			return fail("the part property with type %q was not delivered", kind)
		}
	}
	return nil
}

func orderIsKept(r *run) error {
	second := Payload{ID: "second@minder", Type: "application/xml", Size: int64(len(xmlDocument)), Body: strings.NewReader(xmlDocument)}
	a := Payload{ID: "a.third@minder", Type: "text/plain", Size: 5, Body: strings.NewReader("third")} // its name comes first
	x, v, err := r.simple(xmlPayload(), second, a, octetPayload())
	if err != nil {
		return err
	}
	want := []string{"xmlpayload@minder", "second@minder", "a.third@minder", "custompayload@minder"}
	for i, w := range want {
		if i >= len(v.um.Parts) {
			return fail("%d eb:PartInfo for %d payloads", len(v.um.Parts), len(want))
		}
		if got, _ := v.um.Parts[i].ContentID(); got != w {
			return fail("eb:PartInfo %d is %q, submitted was %q", i+1, got, w)
		}
	}
	t, err := r.delivered(x.MessageID, []byte(xmlDocument), []byte(xmlDocument), []byte("third"), octets)
	if err != nil {
		return err
	}
	for i, w := range want {
		if t.Parts[i].ID != w {
			return fail("payload %d was delivered as %q, submitted was %q", i+1, t.Parts[i].ID, w)
		}
	}
	return nil
}

func bothInternets(r *run) error {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return errNotApplicable("this machine has no IPv6: " + err.Error())
	}
	l.Close()
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		n, err := r.lonely("internet", func(c *config.Config) { c.AS4.Listen = config.Listen(host + ":0") })
		if err != nil {
			return err
		}
		address := "http://" + n.Addr("as4") + "/as4"
		if r.target != nil {
			address = r.target(address)
		}
		err = r.handshake(address, &tls.Config{})
		if stop := n.Stop(context.Background()); err == nil {
			err = stop
		}
		if err != nil {
			return fail("%s: %v", host, err)
		}
	}
	return nil
}
