package gather

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

const (
	maxPool  = 5000 // certificates of one document and its options
	maxDepth = 12   // of a chain
)

// pool is every certificate and all revocation data at hand. Chains are built over all of it, since signers put certificates
// where they like.
type pool struct {
	list    []*pki.Certificate
	signers []*pki.Certificate // of signatures and time-stamps
	known   map[[32]byte]bool
	anchors map[[32]byte]validation.Use // zero: for everything
	crls    []*list
	ocsps   []*answer
	tellers []*pki.Certificate // that may answer, or certify who does, for certificates of other authorities
	seen    map[[32]byte]bool  // revocation data
	ids     map[octets]string  // of what is hashed once
	facts   map[[32]byte]*validation.Certificate
	up      map[[32]byte]*pki.Certificate
	lists   *trustlist.Set // nil: none
	checked *pki.SignatureCache
	parsed  *pki.Parsed
}

// octets are a slice, not what is in it.
type octets struct {
	first *byte
	n     int
}

// list is a CRL with its facts, once its issuer was looked for.
type list struct {
	*pki.CRL
	facts *validation.Revocation
}

// answer is an OCSP response with its facts, by the issuer of the certificates that it is asked about.
type answer struct {
	*pki.OCSPResponse
	facts map[*pki.Certificate]*validation.Revocation
}

func newPool(opt Options) *pool {
	p := &pool{
		known: map[[32]byte]bool{}, anchors: map[[32]byte]validation.Use{}, seen: map[[32]byte]bool{}, ids: map[octets]string{}, facts: map[[32]byte]*validation.Certificate{},
		up: map[[32]byte]*pki.Certificate{}, lists: opt.Lists,
	}
	if p.checked = opt.Signatures; p.checked == nil {
		p.checked = &pki.SignatureCache{}
	}
	p.parsed = p.checked.Parsed()
	for _, c := range opt.Anchors {
		p.anchors[c.Fingerprint()] = 0
	}
	p.add(opt.Anchors...)
	for _, a := range opt.Bound {
		p.bind(a)
	}
	p.add(opt.Certificates...)
	p.takeRevocation(opt.CRLs, opt.OCSPs, p.checked.CRL, p.checked.OCSPResponse)
	return p
}

// uses are the purposes that count here.
var uses = map[pki.Purpose]validation.Use{
	pki.PurposeDocument: validation.UseSignature, pki.PurposeTime: validation.UseTimeStamp, pki.PurposeRevocation: validation.UseRevocation,
}

// bind takes in an anchor for its purposes. One for no purpose that counts here is a certificate as any other.
func (p *pool) bind(a pki.Anchor) {
	p.add(a.Certificate)
	if slices.Contains(a.Purposes, pki.PurposeRevocation) {
		p.tellers = append(p.tellers, a.Certificate)
	}
	f := a.Certificate.Fingerprint()
	use, known := p.anchors[f]
	if known && use == 0 {
		return
	}
	for _, purpose := range a.Purposes {
		use |= uses[purpose]
	}
	if use != 0 {
		p.anchors[f] = use
	}
}

// add takes certificates into the pool. It must be done before the first chain is built.
func (p *pool) add(certs ...*pki.Certificate) {
	for _, c := range certs {
		if c == nil || p.known[c.Fingerprint()] || len(p.list) >= maxPool {
			continue
		}
		p.known[c.Fingerprint()] = true
		p.list = append(p.list, c)
	}
}

// revocation takes revocation data of the document into the pool; what cannot be read is not there.
func (p *pool) revocation(crls, ocsps [][]byte) {
	p.takeRevocation(crls, ocsps, pki.ParseCRL, p.parsed.OCSPResponse)
}

func (p *pool) takeRevocation(crls, ocsps [][]byte, parseCRL func([]byte) (*pki.CRL, error), parseOCSP func([]byte) (*pki.OCSPResponse, error)) {
	fresh := func(raw []byte, sum [32]byte) bool {
		if p.seen[sum] {
			return false
		}
		p.seen[sum] = true
		p.ids[octets{&raw[0], len(raw)}] = hex.EncodeToString(sum[:])
		return true
	}
	for _, b := range crls {
		if c, err := parseCRL(b); err == nil && fresh(c.Raw, c.Fingerprint()) {
			p.crls = append(p.crls, &list{CRL: c})
		}
	}
	for _, b := range ocsps {
		if r, err := parseOCSP(b); err == nil && fresh(r.Raw, r.Fingerprint()) {
			p.ocsps = append(p.ocsps, &answer{OCSPResponse: r, facts: map[*pki.Certificate]*validation.Revocation{}})
			p.add(r.Certificates...)
		}
	}
}

// id is idOf, done once for one slice.
func (p *pool) id(raw []byte) string {
	if len(raw) == 0 {
		return idOf(raw)
	}
	key := octets{&raw[0], len(raw)}
	id, ok := p.ids[key]
	if !ok {
		id = idOf(raw)
		p.ids[key] = id
	}
	return id
}

func idOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// certificateID is idOf(c.Raw).
func certificateID(c *pki.Certificate) string {
	sum := c.Fingerprint()
	return hex.EncodeToString(sum[:])
}

// issuer finds who signed a certificate: of several, one from which an anchor can be reached.
func (p *pool) issuer(c *pki.Certificate) *pki.Certificate {
	f := c.Fingerprint()
	if up, ok := p.up[f]; ok {
		return up
	}
	p.up[f] = nil // a circle ends here
	var found *pki.Certificate
	for _, i := range slices.Concat(p.list, p.lists.Named(c.RawIssuer)) {
		if i.Fingerprint() == f || !bytes.Equal(i.RawSubject, c.RawIssuer) && !i.Subject.Equal(c.Issuer) {
			continue
		}
		if c.AuthorityKeyID != nil && i.SubjectKeyID != nil && !bytes.Equal(c.AuthorityKeyID, i.SubjectKeyID) {
			continue
		}
		if p.checked.CheckSignatureFrom(c, i) != nil {
			continue
		}
		if found == nil {
			found = i
		}
		if p.reaches(i, maxDepth) {
			found = i
			break
		}
	}
	p.up[f] = found
	return found
}

// trusted tells whether a certificate is an anchor, whatever the date, and for what; zero: for everything.
func (p *pool) trusted(c *pki.Certificate) (only validation.Use, ok bool) {
	only, ok = p.anchors[c.Fingerprint()]
	a := p.lists.Anchor(c)
	if a == nil || ok && only == 0 {
		return only, ok
	}
	listed := validation.UseRevocation
	if a.Stamps {
		listed |= validation.UseTimeStamp
	}
	if a.Issues {
		return 0, true
	}
	return only | listed, true
}

// reaches tells whether a chain from c comes to an anchor.
func (p *pool) reaches(c *pki.Certificate, depth int) bool {
	for ; c != nil && depth > 0; depth-- {
		if _, ok := p.trusted(c); ok {
			return true
		}
		c = p.issuer(c)
	}
	return false
}

// path is a certificate with its issuers, up to an anchor for everything or as far as it goes.
func (p *pool) path(c *pki.Certificate) []*pki.Certificate {
	var out []*pki.Certificate
	for ; c != nil && len(out) < maxDepth && !slices.Contains(out, c); c = p.issuer(c) {
		out = append(out, c)
		if only, ok := p.trusted(c); ok && only == 0 {
			break
		}
	}
	return out
}

// chain is the path in facts.
func (p *pool) chain(c *pki.Certificate) (out []*validation.Certificate) {
	for _, x := range p.path(c) {
		out = append(out, p.certificate(x))
	}
	return out
}

var oidShortTerm, oidNoRevocation, oidNoCheck = pki.OID("0.4.0.194121.2.1"), pki.OID("2.5.29.56"), pki.OID("1.3.6.1.5.5.7.48.1.5")

// certificate gathers the facts about a certificate, once.
func (p *pool) certificate(c *pki.Certificate) *validation.Certificate {
	f := c.Fingerprint()
	if v := p.facts[f]; v != nil {
		return v
	}
	v := &validation.Certificate{}
	p.facts[f] = v // a responder's certificate may be judged with data that it signed
	up := p.issuer(c)
	self := c.SelfIssued() && p.checked.CheckSignatureFrom(c, c) == nil
	signer := up
	if self {
		signer = c
	}
	only, trusted := p.trusted(c)
	has := func(id pki.OID) bool { _, ok := c.Extension(id); return ok }
	*v = validation.Certificate{
		Token:   validation.Token{ID: certificateID(c), Algorithm: algorithmOf(c.SignatureAlgorithm, signer), Intact: signer != nil},
		Subject: name(c), NotBefore: c.NotBefore, NotAfter: c.NotAfter, Trusted: trusted, Only: only, SelfSigned: self,
		CA: c.BasicConstraints.CA, PathLength: c.BasicConstraints.MaxPathLen, HasKeyUsage: c.HasKeyUsage, KeyUsage: usage(c.KeyUsage),
		HasSubjectKeyID: c.SubjectKeyID != nil, TimeStamping: slices.Contains(c.ExtKeyUsage, pki.EKUTimeStamping),
		OCSPNoCheck: has(oidNoCheck), NoRevocation: has(oidShortTerm) || has(oidNoRevocation),
	}
	if _, configured := p.anchors[f]; !configured && p.lists.Anchor(c) != nil {
		a := p.lists.Anchor(c)
		v.TrustedFrom, v.Sunset, v.ExpiredInfo = a.From, a.Until, a.ExpiredCerts
	}
	if signer != nil {
		v.Signer = v
		if signer != c {
			v.Signer = p.certificate(signer)
		}
	}
	if !c.BasicConstraints.CA {
		v.PathLength = -1
	}
	v.Chain = p.chain(c)
	if up != nil && (!v.Trusted || v.Only != 0) {
		v.Revocations = p.statuses(c, up)
	}
	return v
}

var qcTypes = map[pki.OID]string{pki.QCTypeESign: "esign", pki.QCTypeESeal: "eseal", pki.QCTypeWeb: "web"}

// listed notes what a signer's certificate says of itself and what trusted lists say of the first service in its chain.
func (p *pool) listed(c *pki.Certificate) {
	v := p.certificate(c)
	if p.lists == nil || v.Services != nil {
		return
	}
	// What cannot be read was not said.
	q, _ := c.QCStatements()
	v.Claims = claims(q, c.Policies)
	for _, x := range p.path(c) {
		services := p.lists.Services(x)
		for _, s := range services {
			problem := ""
			if l := p.lists.Listed(s); l != nil && l.Kept != nil {
				problem = l.Kept.Error()
			}
			for i := range s.Periods {
				t := &s.Periods[i]
				var recognised *validation.QualifiedClaims
				if t.Equivalence != nil {
					as := claims(t.Equivalence.Claims(c), c.Policies)
					recognised = &as
				}
				v.Services = append(v.Services, validation.TrustService{
					Territory: s.Provider.List.Territory, Provider: s.Provider.Names.In("en"), Name: t.Names.In("en"), Identity: certificateID(x),
					Type: t.Type, Status: t.Status, From: t.From, Until: t.Until, Qualifiers: t.Qualifiers(c), Additional: t.Additional,
					ListProblem: problem, Foreign: t.Foreign, Claims: recognised,
				})
			}
		}
		if len(services) > 0 {
			return
		}
	}
}

// claims are statements of a certificate with its policies.
func claims(q pki.QCStatements, policies []pki.OID) validation.QualifiedClaims {
	out := validation.QualifiedClaims{Compliance: q.Compliance, SSCD: q.SSCD, Legislation: q.Legislation}
	for _, t := range q.Types {
		out.Types = append(out.Types, qcTypes[t])
	}
	for _, o := range policies {
		out.Policies = append(out.Policies, string(o))
	}
	return out
}

func name(c *pki.Certificate) string {
	if n := c.Subject.CommonName(); n != "" {
		return n
	}
	return c.Subject.String()
}

func usage(u pki.KeyUsage) (out []string) {
	for _, x := range []struct {
		bit  pki.KeyUsage
		name string
	}{{pki.UseDigitalSignature, "digitalSignature"}, {pki.UseContentCommitment, "nonRepudiation"}, {pki.UseCertSign, "keyCertSign"}, {pki.UseCRLSign, "crlSign"}} {
		if u&x.bit != 0 {
			out = append(out, x.name)
		}
	}
	return out
}

// statuses is what all revocation data at hand says about a certificate.
func (p *pool) statuses(c, issuer *pki.Certificate) (out []validation.CertificateStatus) {
	for _, l := range p.crls {
		if !bytes.Equal(l.RawIssuer, c.RawIssuer) || !l.Covers(c) {
			continue
		}
		d := p.listFacts(l)
		s := validation.CertificateStatus{Data: d}
		if e, ok := l.Find(c.SerialNumber, l.ThisUpdate); ok {
			s.Revoked, s.Date, s.Reason = true, e.RevokedAt, e.Reason.String()
		}
		out = append(out, s)
	}
	for _, a := range p.ocsps {
		r, ok := a.Find(c, issuer)
		if !ok {
			continue
		}
		d := p.answerFacts(a, issuer)
		one := *d // each single answer has its own dates
		one.ThisUpdate, one.NextUpdate = r.ThisUpdate, r.NextUpdate
		out = append(out, validation.CertificateStatus{
			Data: &one, Revoked: r.State == pki.RevocationRevoked, Unknown: r.State == pki.RevocationUnknown, Date: r.RevokedAt, Reason: r.Reason.String(),
		})
	}
	return out
}

func (p *pool) listFacts(l *list) *validation.Revocation {
	if l.facts != nil {
		return l.facts
	}
	l.facts = &validation.Revocation{Token: validation.Token{ID: p.id(l.Raw), Raw: l.Raw}, Produced: l.ThisUpdate, ThisUpdate: l.ThisUpdate, NextUpdate: l.NextUpdate}
	for _, i := range slices.Concat(p.list, p.lists.Named(l.RawIssuer)) {
		if bytes.Equal(i.RawSubject, l.RawIssuer) && p.checked.VerifyCRL(l.CRL, i) == nil {
			l.facts.Intact = true
			l.facts.Algorithm = algorithmOf(l.SignatureAlgorithm, i)
			l.facts.Signer, l.facts.Chain = p.certificate(i), p.chain(i)
			if p.reaches(i, maxDepth) {
				break
			}
		}
	}
	return l.facts
}

func (p *pool) answerFacts(a *answer, issuer *pki.Certificate) *validation.Revocation {
	if f := a.facts[issuer]; f != nil {
		return f
	}
	f := &validation.Revocation{Token: validation.Token{ID: p.id(a.Raw), Raw: a.Raw}, OCSP: true, Produced: a.ProducedAt}
	a.facts[issuer] = f
	if by, err := p.checked.VerifyOCSP(a.OCSPResponse, issuer, a.ProducedAt, p.responders(issuer)...); err == nil {
		f.Intact = true
		f.Algorithm = algorithmOf(a.SignatureAlgorithm, by)
		f.Signer, f.Chain = p.certificate(by), p.chain(by)
	}
	return f
}

// responders are those who may answer in place of an issuer, or certify who does: whom configuration or a trusted list names
// [RFC 6960 4.2.2.2].
func (p *pool) responders(issuer *pki.Certificate) []*pki.Certificate {
	return slices.Concat(p.tellers, p.lists.Responders(p.path(issuer)))
}

func digestName(h crypto.Hash) string {
	switch h {
	case crypto.MD5:
		return "MD5"
	case crypto.SHA1:
		return "SHA1"
	case crypto.SHA224:
		return "SHA224"
	case crypto.SHA256:
		return "SHA256"
	case crypto.SHA384:
		return "SHA384"
	case crypto.SHA512:
		return "SHA512"
	case crypto.SHA3_224:
		return "SHA3-224"
	case crypto.SHA3_256:
		return "SHA3-256"
	case crypto.SHA3_384:
		return "SHA3-384"
	case crypto.SHA3_512:
		return "SHA3-512"
	case crypto.RIPEMD160:
		return "RIPEMD160"
	}
	return "unknown"
}
