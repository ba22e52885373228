package node

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// keyName is the kind of a key with its size.
func keyName(pub any) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdh.PublicKey:
		return fmt.Sprint("ECDH ", k.Curve())
	}
	return fmt.Sprintf("%T", pub)
}

// partnerCheck tries everything between here and one partner, step by step.
type partnerCheck struct {
	n        *Node
	ctx      context.Context
	partner  console.Partner
	findings []console.Finding
}

func (k *partnerCheck) add(s console.Severity, c console.Code, args ...string) {
	k.findings = append(k.findings, console.Finding{Severity: s, Code: c, Args: args})
}

// CheckPartner tries everything between here and a partner, and sends it a test message: store.ErrNotFound when there is
// none of that name.
func (n *Node) CheckPartner(ctx context.Context, name string) ([]console.Finding, error) {
	for _, p := range (network{n}).Partners() {
		if p.Name != name {
			continue
		}
		k := &partnerCheck{n: n, ctx: ctx, partner: p}
		k.certificates()
		if p.URL == "" {
			k.add(console.OK, console.NoAddress)
			return k.findings, nil
		}
		if k.line() {
			k.testMessage()
		}
		return k.findings, nil
	}
	return nil, store.ErrNotFound
}

// certificates judges the dates of those that the partner signs and decrypts with.
func (k *partnerCheck) certificates() {
	now := k.n.Clock()
	for _, c := range k.partner.Certificates {
		switch end := date(c.NotAfter); {
		case now.Before(c.NotBefore):
			k.add(console.Failure, console.CertNotYet, c.Subject, date(c.NotBefore))
		case !now.Before(c.NotAfter):
			k.add(console.Failure, console.CertExpired, c.Subject, end)
		case c.NotAfter.Sub(now) < soon:
			k.add(console.Warning, console.CertSoon, c.Subject, end)
		default:
			k.add(console.OK, console.CertGood, c.Subject, end)
		}
	}
}

// line goes from the name to an answer over HTTP; false when it ends on the way.
func (k *partnerCheck) line() bool {
	u, err := url.Parse(k.partner.URL)
	if err != nil {
		k.add(console.Failure, console.NameUnknown, k.partner.URL, err.Error())
		return false
	}
	host, addr := u.Hostname(), hostPort(k.partner.URL)
	ctx, cancel := context.WithTimeout(k.ctx, probeTime)
	defer cancel()
	if net.ParseIP(host) == nil {
		found, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			k.add(console.Failure, console.NameUnknown, host, cause(err))
			return false
		}
		k.add(console.OK, console.NameResolved, host, strings.Join(found, ", "))
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if errors.Is(err, syscall.ECONNREFUSED) {
		k.add(console.Failure, console.Refusing, addr)
		return false
	}
	if err != nil {
		k.add(console.Failure, console.Unreachable, addr, cause(err))
		return false
	}
	defer conn.Close()
	if u.Scheme == "http" {
		k.add(console.Warning, console.PlainHTTP, addr)
	} else if !k.tls(ctx, conn, host) {
		return false
	}
	return k.http()
}

// tls shakes hands as a message would.
func (k *partnerCheck) tls(ctx context.Context, conn net.Conn, host string) bool {
	c := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
	err := c.HandshakeContext(ctx)
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
	case errors.As(err, &unknown):
		k.add(console.Failure, console.TLSUntrusted, cause(err))
		return false
	case errors.As(err, &name):
		k.add(console.Failure, console.TLSWrongName, host, cause(err))
		return false
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		k.add(console.Failure, console.TLSExpired, invalid.Cert.Subject.String(), date(invalid.Cert.NotAfter))
		return false
	default:
		k.add(console.Failure, console.TLSFailed, cause(err))
		return false
	}
	state := c.ConnectionState()
	leaf := state.PeerCertificates[0]
	subject := leaf.Subject.String()
	if parsed, err := pki.ParseCertificate(leaf.Raw); err == nil {
		subject = parsed.Subject.String()
	}
	if leaf.NotAfter.Sub(k.n.Clock()) < soon {
		k.add(console.Warning, console.TLSSoon, subject, date(leaf.NotAfter))
	} else {
		k.add(console.OK, console.TLSGood, tls.VersionName(state.Version), subject, date(leaf.NotAfter))
	}
	return true
}

// http asks for the address: any answer but "not found" will do, since access points take nothing but messages.
func (k *partnerCheck) http() bool {
	ctx, cancel := context.WithTimeout(k.ctx, probeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.partner.URL, nil)
	if err != nil {
		k.add(console.Failure, console.NoAnswer, cause(err))
		return false
	}
	client := as4ClientFor(k.n.Config, k.n.isPartner)
	k.n.trustTLS(client)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		k.add(console.Failure, console.NoAnswer, cause(err))
		return false
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		k.add(console.Failure, console.WrongPath, k.partner.URL)
		return false
	}
	k.add(console.OK, console.Answers, strconv.Itoa(resp.StatusCode))
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if d := k.n.Clock().Sub(t).Round(time.Second).Abs(); d > skew {
			k.add(console.Warning, console.ClockApart, d.String())
		}
	}
	return true
}

// testWait is how long an answer to the test message is waited for.
const testWait = 8 * time.Second

// testMessage sends a message to the partner's test service [ebMS3 5.2.2.8], which reaches nobody behind it.
func (k *partnerCheck) testMessage() {
	pm := k.sending()
	if pm == nil {
		k.add(console.Warning, console.NoAgreement)
		return
	}
	start := time.Now()
	m, err := k.n.Submit(k.ctx, pm, &Submission{Service: ebms.TestService, Action: ebms.TestAction}, nil)
	if err != nil {
		k.add(console.Failure, console.TestFailed, pm.ID, err.Error())
		return
	}
	defer func() { k.findings[len(k.findings)-1].Message = m.ID }()
	ctx, cancel := context.WithTimeout(k.ctx, testWait)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		now, err := k.n.Store.Message(ctx, m.ID)
		switch {
		case err != nil:
			k.add(console.Warning, console.TestPending, pm.ID)
			return
		case now.State == store.Acknowledged, now.State == store.AcknowledgedWithoutReceipt:
			k.add(console.OK, console.TestAcknowledged, pm.ID, strconv.FormatInt(time.Since(start).Milliseconds(), 10))
			return
		case now.State == store.Failed, now.State == store.Rejected, now.State == store.Retrying:
			k.add(console.Failure, console.TestFailed, pm.ID, now.Error.Code+" "+now.Error.Text)
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			k.add(console.Warning, console.TestPending, pm.ID)
			return
		}
	}
}

// sending finds a P-Mode by which messages are sent to the partner's address.
func (k *partnerCheck) sending() *as4.PMode {
	for _, id := range k.partner.Agreements {
		if pm := k.n.PMode(id); pm != nil && pm.URL == k.partner.URL && !pm.Pull {
			return pm
		}
	}
	return nil
}

// cause leaves out what the finding says itself.
func cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return err.Error()
}
