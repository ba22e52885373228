package smp

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Question is what a sender wants to know.
type Question struct {
	Base         string // address of the SMP, as discovery found it
	Participant  ids.Participant
	DocumentType ids.DocumentType
	// Process and TransportProfiles choose the endpoint: see [Choice].
	Process           ids.Process
	TransportProfiles []string
}

// Answer is what a lookup found, as far as it came; Steps are there also when it failed.
type Answer struct {
	// DocumentType is the registered one, which may be a wildcard; the message names the one of the question.
	DocumentType ids.DocumentType
	Signed       *Signed // the answer that counts: after a redirect, that of the target
	Endpoint     *Endpoint
	URL          string // where Signed came from
	Redirected   bool
	Steps        []Step
}

// Step is one thing that a lookup did.
type Step struct {
	Name   string // "group", "match", "metadata", "redirect", "select", "address", "certificate"
	OK     bool
	Took   time.Duration
	Detail string
}

// Lookup finds the endpoint for a question: the registered document type through the ServiceGroup where the scheme has
// wildcards, its metadata, at most one redirect to another SMP, and the endpoint by process, transport profile and time.
// The answer is never nil; its Steps tell what happened.
func (c *Client) Lookup(ctx context.Context, q Question) (*Answer, error) {
	l := lookup{c: c, q: q, a: &Answer{DocumentType: q.DocumentType}, last: c.now()}
	return l.a, l.run(ctx)
}

type lookup struct {
	c    *Client
	q    Question
	a    *Answer
	last time.Time
}

func (l *lookup) run(ctx context.Context) error {
	if l.q.DocumentType.Scheme == ids.SchemeWildcard {
		if err := l.match(ctx); err != nil {
			return err
		}
	}
	r, err := l.c.metadata(ctx, l.q.Base, l.q.Participant, l.a.DocumentType)
	if err = l.answered("metadata", r, err); err != nil {
		return err
	}
	choice := Choice{Process: l.q.Process, TransportProfiles: l.q.TransportProfiles, Now: l.c.now(), Rules: l.c.Rules}
	if rd := redirectFor(r.signed.Metadata, choice); rd != nil {
		if r, err = l.follow(ctx, r.url, rd, choice); err != nil {
			return err
		}
	}
	l.a.Endpoint, err = Select(r.signed.Metadata, choice)
	if err != nil {
		return l.step("select", "", err)
	}
	_ = l.step("select", l.a.Endpoint.TransportProfile, nil)
	return l.judge(ctx)
}

// match finds the registered document type that stands for the wanted one.
func (l *lookup) match(ctx context.Context) error {
	sg, err := l.c.ServiceGroup(ctx, l.q.Base, l.q.Participant)
	if err != nil {
		return l.step("group", "", err)
	}
	_ = l.step("group", fmt.Sprintf("%d document types", len(sg.References)), nil)
	offered := make([]ids.DocumentType, 0, len(sg.References))
	for _, ref := range sg.References {
		if !ref.DocumentType.IsZero() {
			offered = append(offered, ref.DocumentType)
		}
	}
	d, ok, err := l.c.Rules.Match(offered, l.q.DocumentType)
	if err == nil && !ok {
		err = fmt.Errorf("%w: none of %d document types stands for %q", ErrNotFound, len(offered), l.q.DocumentType)
	}
	if err != nil {
		return l.step("match", "", err)
	}
	l.a.DocumentType = d
	return l.step("match", d.String(), nil)
}

// follow asks the other SMP, once [PSMP 4.3, SMP2 4.3.7].
func (l *lookup) follow(ctx context.Context, from string, rd *Redirect, choice Choice) (*resource, error) {
	old := l.a.Signed.Metadata
	l.a.Signed, l.a.Redirected = nil, true
	r, err := l.target(ctx, from, rd, old.Generation)
	if err == nil {
		err = checkSigner(rd, r.signed.Signer)
	}
	if err == nil && redirectFor(r.signed.Metadata, choice) != nil {
		err = fmt.Errorf("%w: from %s", ErrRedirectLoop, r.url)
	}
	if err = l.answered("redirect", r, err); err != nil {
		return nil, err
	}
	return r, nil
}

func (l *lookup) target(ctx context.Context, from string, rd *Redirect, g Generation) (*resource, error) {
	if g == OASIS20 { // a base address
		if same(rd.Href, l.q.Base) {
			return nil, fmt.Errorf("%w: to itself", ErrRedirectLoop)
		}
		return l.c.metadata(ctx, rd.Href, l.q.Participant, l.a.DocumentType)
	}
	// The whole address of a resource; nothing else of that host is asked than what the question was.
	d, err := ids.ParseReference(rd.Href, l.q.Participant)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w: %w", ErrRedirect, ErrWrongParticipant, err)
	case !l.c.Rules.SameDocumentType(d, l.a.DocumentType):
		return nil, fmt.Errorf("%w: %w: %q", ErrRedirect, ErrWrongDocument, d)
	case same(rd.Href, from):
		return nil, fmt.Errorf("%w: to itself", ErrRedirectLoop)
	}
	return l.c.metadataAt(ctx, rd.Href, l.q.Participant, l.a.DocumentType)
}

// same compares two addresses as far as it is certain that they are one resource.
func same(a, b string) bool {
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	if err1 != nil || err2 != nil {
		return a == b
	}
	return strings.EqualFold(x.Host, y.Host) && x.Scheme == y.Scheme && strings.EqualFold(strings.TrimRight(x.Path, "/"), strings.TrimRight(y.Path, "/"))
}

// checkSigner compares the signer at the target with the one announced.
func checkSigner(rd *Redirect, signer *pki.Certificate) error {
	switch {
	case rd.Certificate != nil:
		if !rd.Certificate.Equal(signer) {
			return fmt.Errorf("%w: %s", ErrRedirectSigner, signer.Subject)
		}
		return nil
	case rd.CertificateUID == "":
		return nil // 2.0 may leave it open [SMP2 4.3.7]; generation 1 never comes here without
	case matchesUID(rd.CertificateUID, signer.Subject):
		return nil
	}
	return fmt.Errorf("%w: %s instead of %s", ErrRedirectSigner, signer.Subject, rd.CertificateUID)
}

// matchesUID compares a CertificateUID with a subject: as names where it is one, whatever the order of their parts, which
// tools disagree about; otherwise with the common name and the subject's serial number, which occur too [PSMP 4.3].
func matchesUID(uid string, subject pki.Name) bool {
	if strings.Contains(uid, "=") {
		name, err := pki.ParseName(uid)
		return err == nil && pki.Name{flat(name)}.Equal(pki.Name{flat(subject)})
	}
	return strings.EqualFold(uid, subject.CommonName()) || strings.EqualFold(uid, subject.Get("2.5.4.5"))
}

// flat makes one level of a name: within one, order means nothing.
func flat(n pki.Name) (all pki.RDN) {
	for _, rdn := range n {
		all = append(all, rdn...)
	}
	return all
}

// judge looks at the chosen endpoint before anybody uses it.
func (l *lookup) judge(ctx context.Context) error {
	e := l.a.Endpoint
	policy := l.c.EndpointPolicy
	if policy == nil {
		policy = &l.c.Policy
	}
	if err := l.step("address", e.URL, checkAddress(policy, e.URL)); err != nil {
		return err
	}
	detail, err := l.certificates(ctx, e)
	return l.step("certificate", detail, err)
}

func checkAddress(policy *Policy, raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrURL, err)
	}
	return policy.CheckURL(u)
}

func (l *lookup) certificates(ctx context.Context, e *Endpoint) (detail string, err error) {
	sign, encrypt, trust := e.Signing(), e.Encryption(), l.c.EndpointTrust
	switch {
	case encrypt == nil:
		return "", fmt.Errorf("%w: none to encrypt to", ErrCertificate)
	case trust == nil:
		return encrypt.Subject.String() + " (not judged)", nil
	}
	if sign != nil {
		_, err = trust.VerifyContext(ctx, sign, nil, pki.PurposeAccessPoint)
	}
	if err == nil {
		_, err = trust.VerifyRecipient(ctx, encrypt, nil, pki.PurposeAccessPoint)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrCertificate, encrypt.Subject, err)
	}
	return encrypt.Subject.String(), nil
}

// answered records what an SMP said.
func (l *lookup) answered(name string, r *resource, err error) error {
	if err != nil {
		return l.step(name, "", err)
	}
	l.a.Signed, l.a.URL = r.signed, r.url
	detail := fmt.Sprintf("%s, signed by %s", r.url, r.signed.Signer.Subject)
	if r.cached {
		detail += " (cached)"
	}
	return l.step(name, detail, nil)
}

// step records one step and returns its error in the words of the lookup.
func (l *lookup) step(name, detail string, err error) error {
	now := l.c.now()
	s := Step{Name: name, OK: err == nil, Took: now.Sub(l.last), Detail: detail}
	l.last = now
	if err != nil {
		s.Detail = err.Error()
		err = fmt.Errorf("lookup of %s: %s: %w", l.q.Participant, name, err)
	}
	l.a.Steps = append(l.a.Steps, s)
	return err
}
