package validation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// role is what a chain is for: it decides what is asked of its certificates.
type role uint8

const (
	ofSignature role = iota
	ofTimeStamp
	ofRevocation
	ofCounterSignature
)

// kind is the role without what only a policy tells apart.
func (as role) kind() role {
	if as == ofCounterSignature {
		return ofSignature
	}
	return as
}

// judge runs the process on one set of facts at one time.
type judge struct {
	policy *Policy
	now    time.Time
	unread []string // trusted lists that could not be asked

	stamped  []*TimeStamp // of all signatures of the document, each once
	existing *proofs      // what they prove; nil: not asked yet

	chains map[chainKey]Conclusion
	stamps map[*TimeStamp]Conclusion // basic validation
	accept map[acceptKey]Conclusion
	within map[*Revocation]bool // being judged: a responder must not vouch for itself
}

type chainKey struct {
	signer *Certificate
	role   role
}

type acceptKey struct {
	data *Revocation
	cert *Certificate
}

func newJudge(p *Policy, at time.Time) *judge {
	return &judge{
		policy: p, now: at, chains: map[chainKey]Conclusion{}, stamps: map[*TimeStamp]Conclusion{}, accept: map[acceptKey]Conclusion{},
		within: map[*Revocation]bool{},
	}
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// format is format checking [EN 319 102-1 5.2.2].
func (j *judge) format(r *run, s *Signature) {
	for _, m := range s.Malformed {
		r.check(false, Failed, FormatFailure, m.Clause, m.Question, m.Answer)
	}
	if f := j.policy.formats; f != nil {
		r.check(slices.Contains(f, s.Format), Failed, FormatFailure, "EN 319 102-1 5.2.2", "Is the format one that the policy takes?", "it is "+s.Format)
	}
	if j.policy.manifest {
		r.check(!s.NoManifest, Failed, FormatFailure, "EN 319 162-1 4.4.3.1", "Does the container list its files, as the policy asks?", "it has no META-INF/manifest.xml")
	}
	if n := len(s.Uncovered); n > 0 {
		const clause, question = "EN 319 162-1 4.4.1", "Does the signature cover every file of the container?"
		answer := "not covered: " + strings.Join(s.Uncovered[:min(n, 10)], ", ")
		if n > 10 {
			answer += ", ..."
		}
		if j.policy.everyFile {
			r.check(false, Failed, FormatFailure, clause, question, answer)
		} else {
			r.warn(false, clause, question, answer)
		}
	}
	for _, m := range s.Doubts {
		r.warn(false, m.Clause, m.Question, m.Answer)
	}
	r.check(!s.Duplicated, Failed, FormatFailure, "EN 319 102-1 5.2.2", "Is the signature the only one of its identity?", "another signature has the same identity")
}

// identify is the identification of the signing certificate [EN 319 102-1 5.2.3].
func (j *judge) identify(r *run, t *Token, refs []SigningCertificate, needed bool) {
	const clause = "EN 319 102-1 5.2.3"
	r.check(t.Signer != nil, Indeterminate, NoSigningCertificateFound, clause, "Is the signing certificate at hand?", "no certificate at hand fits the signature")
	if needed {
		r.warn(len(refs) > 0, clause, "Does the signature name its signing certificate?", "the signature does not say which certificate it was made with")
	}
	if len(refs) == 0 {
		return
	}
	r.check(refs[0].HasDigest, Indeterminate, NoSigningCertificateFound, clause, "Is the signing certificate named by its digest?", "the reference holds no digest")
	r.check(refs[0].Matches, Indeterminate, NoSigningCertificateFound, clause, "Is it the certificate that the signature names?", "the digest in the signature is that of another certificate")
	r.warn(refs[0].IssuerSerial, clause, "Do issuer and serial number agree?", "the signature names another issuer or serial number")
}

// computable asks for algorithms that are known here: of others neither that a signature holds nor that it does not is known
// [EN 319 102-1 5.2.7].
func (j *judge) computable(r *run, t *Token) {
	if t.Unverifiable != "" {
		r.check(false, Indeterminate, CryptoConstraintsFailure, "EN 319 102-1 5.2.7", "Can the signature be verified with its algorithms?", t.Unverifiable)
	}
}

// cryptographic is cryptographic verification [EN 319 102-1 5.2.7].
func (j *judge) cryptographic(r *run, refs []Reference, intact bool) {
	const clause = "EN 319 102-1 5.2.7"
	for _, x := range refs {
		if x.Entry && !x.Found {
			r.warn(false, clause, fmt.Sprintf("Is %s at hand?", x.Name), "an entry of the manifest is not at hand")
			continue
		}
		if x.Unverifiable != "" {
			r.check(false, Indeterminate, CryptoConstraintsFailure, clause, "Can the signature be verified with its algorithms?", x.Unverifiable)
		}
		r.check(x.Found, Indeterminate, SignedDataNotFound, clause, fmt.Sprintf("Is %s at hand?", x.Name), x.Name+" is not at hand")
		r.check(x.Intact, Failed, HashFailure, clause, fmt.Sprintf("Is %s as it was signed?", x.Name), x.Name+" was changed after it was signed")
	}
	r.check(intact, Failed, SigCryptoFailure, clause, "Does the signature value hold?", "the value was not made over this signature with the key of the certificate")
}

// use is what an anchor has to be one for. Who tells of revocations stands below any.
func (as role) use() Use {
	switch as.kind() {
	case ofSignature:
		return UseSignature
	case ofTimeStamp:
		return UseTimeStamp
	}
	return UseSignature | UseTimeStamp | UseRevocation
}

// anchored tells whether a chain ends at a trust anchor, whatever the date.
func anchored(chain []*Certificate, as role) bool {
	return slices.ContainsFunc(chain, func(c *Certificate) bool { return c.AnchorOf(as.use()) })
}

// untrusted says why a chain reaches no trust anchor.
func untrusted(chain []*Certificate) string {
	for _, c := range chain {
		if c.Trusted {
			return c.Subject + " is trusted for something else"
		}
	}
	return "no certificate of the chain is trusted"
}

// chain is X.509 certificate validation [EN 319 102-1 5.2.6].
func (j *judge) chain(t *Token, as role) Conclusion {
	key := chainKey{t.Signer, as}
	if c, ok := j.chains[key]; ok && t.Signer != nil {
		return c
	}
	const clause = "EN 319 102-1 5.2.6"
	var r run
	found := anchored(t.Chain, as)
	if !found && len(j.unread) > 0 {
		r.check(false, Indeterminate, NoCertificateChainFound, clause, "Could every trusted list be asked?", "not all of them: "+strings.Join(j.unread, "; "))
	}
	if r.check(found, Indeterminate, NoCertificateChainFound, clause, "Does the chain of certificates reach a trust anchor?", untrusted(t.Chain)) {
		for i, c := range t.Chain {
			if c.AnchorOf(as.use()) {
				r.check(c.Sunset.IsZero() || j.now.Before(c.Sunset), Indeterminate, NoCertificateChainFoundNoPOE, clause,
					"Is the trust anchor trusted now?", "it was trusted until "+when(c.Sunset))
				break
			}
			j.certificate(&r, c, i, as)
			if r.failed {
				break
			}
		}
	}
	out := r.conclude()
	j.chains[key] = out
	return out
}

// certificate judges the i-th certificate of a chain.
func (j *judge) certificate(r *run, c *Certificate, i int, as role) {
	const clause = "EN 319 102-1 5.2.6"
	name := c.Subject
	r.check(!c.IssuerNameWrong, Indeterminate, ChainGeneralFailure, clause, name+": is its issuer the next of the chain?", "it names another issuer")
	r.check(c.Intact, Indeterminate, ChainGeneralFailure, clause, name+": is it signed by its issuer?", "its signature does not hold")
	if i > 0 {
		r.check(c.CA, Indeterminate, ChainConstraintsFailure, "RFC 5280 6.1.4", name+": may it issue certificates?", "it is not the certificate of a certification authority")
		r.check(c.PathLength < 0 || i-1 <= c.PathLength, Indeterminate, ChainConstraintsFailure, "RFC 5280 6.1.4", name+": may it stand that far up?", fmt.Sprintf("it allows %d certification authorities below it", c.PathLength))
		r.check(!c.HasKeyUsage || slices.Contains(c.KeyUsage, "keyCertSign"), Indeterminate, ChainConstraintsFailure, "RFC 5280 6.1.4", name+": may its key sign certificates?", "its key usage does not say so")
		r.check(c.HasSubjectKeyID, Indeterminate, ChainGeneralFailure, "RFC 5280 4.2.1.2", name+": has it a subject key identifier?", "it has none")
	} else {
		switch as.kind() {
		case ofSignature:
			if ok := slices.Contains(c.KeyUsage, "nonRepudiation"); j.policy.strictUsage {
				r.check(ok, Indeterminate, ChainConstraintsFailure, clause, name+": is its key meant for signatures of persons?", "its key usage does not say so")
			} else {
				r.warn(ok, clause, name+": is its key meant for signatures of persons?", "its key usage does not say so")
			}
			r.check(!c.OCSPNoCheck, Indeterminate, ChainConstraintsFailure, clause, name+": is it no certificate of an OCSP responder?", "it carries ocsp-nocheck")
		case ofTimeStamp:
			r.check(c.TimeStamping, Indeterminate, ChainConstraintsFailure, "RFC 3161 2.3", name+": is it meant for time-stamps?", "its extended key usage does not say so")
		}
	}
	if why := j.policy.Suite.algorithm(c.Algorithm, j.now); why != "" {
		r.check(false, Indeterminate, CryptoConstraintsNoPOE, "EN 319 102-1 5.2.8", name+": was it signed with reliable algorithms?", why)
	}
	used := j.revocation(r, c, i, as)
	if used != nil {
		if why := j.policy.Suite.algorithm(used.Data.Algorithm, j.now); why != "" {
			r.check(false, Indeterminate, CryptoConstraintsNoPOE, "EN 319 102-1 5.2.8", name+": was its revocation data signed with reliable algorithms?", why)
		}
	}
	inside := !j.now.Before(c.NotBefore) && !j.now.After(c.NotAfter)
	sub := OutOfBoundsNoPOE
	inOffice := used != nil && (j.valid(used.Data.Signer) || as == ofCounterSignature && j.policy.counterOffice)
	if inOffice {
		sub = OutOfBoundsNotRevoked // who says so is still in office
	}
	r.check(inside, Indeterminate, sub, clause, name+": is it valid now?", fmt.Sprintf("it is valid from %s to %s", when(c.NotBefore), when(c.NotAfter)))
	if used != nil && as != ofRevocation {
		r.check(inOffice, Indeterminate, RevocationOutOfBoundsNoPOE, clause, name+": is the certificate of who says that it is not revoked valid now?", "it is not")
	}
}

// valid tells whether a certificate is in its period now; anchors always are.
func (j *judge) valid(c *Certificate) bool {
	return c == nil || c.Trusted || !j.now.Before(c.NotBefore) && !j.now.After(c.NotAfter)
}

// exempt tells whether no revocation data is asked for.
func exempt(c *Certificate, i int, as role) bool {
	return c.AnchorOf(as.use()) || c.SelfSigned || c.NoRevocation || c.OCSPNoCheck && as == ofRevocation && i == 0
}

// revocation finds the latest acceptable revocation data for a certificate and what it says [EN 319 102-1 5.2.5].
func (j *judge) revocation(r *run, c *Certificate, i int, as role) *CertificateStatus {
	if r.failed || exempt(c, i, as) {
		return nil
	}
	used, why := j.latest(c)
	if used == nil && !j.policy.revocation[as.kind()][min(i, 1)] {
		r.warn(false, "EN 319 102-1 5.2.6", c.Subject+": is there acceptable revocation data?", why)
		return nil
	}
	if !r.check(used != nil, Indeterminate, ChainGeneralFailure, "EN 319 102-1 5.2.6", c.Subject+": is there acceptable revocation data?", why) {
		return nil
	}
	sub := RevokedNoPOE
	if i > 0 {
		sub = RevokedCANoPOE
	}
	revoked := used.Revoked && !used.Date.After(j.now)
	hold := revoked && used.hold()
	r.check(!revoked || hold, Indeterminate, sub, "EN 319 102-1 5.2.6", c.Subject+": is it not revoked?", fmt.Sprintf("it was revoked at %s (%s)", when(used.Date), used.Reason))
	r.check(!hold, Indeterminate, TryLater, "EN 319 102-1 5.2.6", c.Subject+": is it not suspended?", "it is suspended since "+when(used.Date))
	return used
}

// latest returns the newest acceptable status of a certificate, or why there is none.
func (j *judge) latest(c *Certificate) (used *CertificateStatus, why string) {
	why = "none is at hand"
	for i := range c.Revocations {
		s := &c.Revocations[i]
		if a := j.acceptable(s, c); !a.passed() {
			why = a.Why
			continue
		}
		if used == nil || s.Data.Produced.After(used.Data.Produced) {
			used = s
		}
	}
	return used, why
}

// acceptable judges one piece of revocation data for one certificate [EN 319 102-1 5.2.5].
func (j *judge) acceptable(s *CertificateStatus, c *Certificate) Conclusion {
	key := acceptKey{s.Data, c}
	if a, ok := j.accept[key]; ok {
		return a
	}
	const clause = "EN 319 102-1 5.2.5"
	d := s.Data
	var r run
	if j.within[d] {
		r.check(false, Indeterminate, ChainGeneralFailure, clause, "Does the revocation data not vouch for itself?", "it is needed to judge its own issuer")
		return r.conclude()
	}
	j.within[d] = true
	defer delete(j.within, d)
	r.check(!s.Unknown, Indeterminate, ChainGeneralFailure, clause, "Does the revocation data know the certificate?", "it answers that it does not")
	r.check(!d.ThisUpdate.IsZero(), Indeterminate, ChainGeneralFailure, clause, "Does it say when it was made?", "it does not")
	r.check(d.Signer != nil, Indeterminate, ChainGeneralFailure, clause, "Is its issuer known?", "no certificate at hand fits it")
	r.check(d.Intact, Indeterminate, ChainGeneralFailure, clause, "Does its signature hold?", "it does not")
	r.check(!d.ResponderMismatch, Indeterminate, ChainGeneralFailure, clause, "Was it signed by the responder that it names?", "by another")
	if d.Signer != nil && !d.Signer.Trusted {
		r.check(!d.Produced.Before(d.Signer.NotBefore) && !d.Produced.After(d.Signer.NotAfter), Indeterminate, ChainGeneralFailure, clause,
			"Was its issuer's certificate valid when it was made?", "it was not")
	}
	r.check(!d.ThisUpdate.Before(c.NotBefore), Indeterminate, ChainGeneralFailure, clause, "Is it from after the certificate was issued?", "it is from before")
	informed := !d.ThisUpdate.After(c.NotAfter) || d.CertHash || listed(d.Chain, c) ||
		!d.ExpiredCertsOnCRL.IsZero() && !d.ExpiredCertsOnCRL.After(c.NotAfter) || !d.ArchiveCutOff.IsZero() && !d.ArchiveCutOff.After(c.NotAfter)
	r.check(informed, Indeterminate, ChainGeneralFailure, clause, "Does it still tell of this certificate?", "it is from after the certificate expired")
	if !r.failed {
		if x := j.chain(&d.Token, ofRevocation); !curable(x) {
			r.adopt(x)
		}
	}
	out := r.conclude()
	j.accept[key] = out
	return out
}

// listed tells whether an authority in the chain of revocation data tells of certificates expired so long ago.
func listed(chain []*Certificate, c *Certificate) bool {
	return slices.ContainsFunc(chain, func(a *Certificate) bool { return !a.ExpiredInfo.IsZero() && !a.ExpiredInfo.After(c.NotAfter) })
}

// curable tells the conclusions that proof of existence may yet turn.
func curable(c Conclusion) bool {
	if c.passed() {
		return true
	}
	switch c.Sub {
	case RevokedNoPOE, RevokedCANoPOE, OutOfBoundsNoPOE, OutOfBoundsNotRevoked, CryptoConstraintsNoPOE, RevocationOutOfBoundsNoPOE,
		NoCertificateChainFoundNoPOE, TryLater:
		return c.Indication == Indeterminate
	}
	return false
}

// accepted is signature acceptance validation [EN 319 102-1 5.2.8], but for the algorithms.
func (j *judge) accepted(r *run, s *Signature) {
	const clause = "EN 319 102-1 5.2.8"
	why := ""
	if s.Structure != nil {
		why = s.Structure.Error()
	}
	r.warn(s.Structure == nil, clause, "Is the signature as the schema has it?", why)
	r.check(!s.Claimed.IsZero() || s.Counter != nil && s.Claimed.IsZero(), Indeterminate, SigConstraintsFailure, clause, "Does the signer say when it was signed?", "the signature holds no signing time")
	if c := s.Signer; c != nil && !s.Claimed.IsZero() {
		r.check(!s.Claimed.Before(c.NotBefore) && !s.Claimed.After(c.NotAfter), Indeterminate, SigConstraintsFailure, clause,
			"Was the certificate valid at the claimed time?", "it says "+when(s.Claimed)+", when the certificate was not valid")
	}
	r.check(!s.NeedsProperty || s.HasProperty, Indeterminate, SigConstraintsFailure, clause, "Are the signed properties there?", "they are not")
}

// reliable asks whether the algorithms of a signature were reliable at a time [EN 319 102-1 5.2.8].
func (j *judge) reliable(r *run, s *Signature, at time.Time) {
	why := ""
	if weak := j.weak(s, at); len(weak) > 0 {
		why = weak[0]
	}
	r.check(why == "", Indeterminate, CryptoConstraintsNoPOE, "EN 319 102-1 5.2.8", "Was it signed with algorithms reliable at "+when(at)+"?", why)
}

// weak lists the algorithms of a signature that are not reliable at a time.
func (j *judge) weak(s *Signature, at time.Time) (out []string) {
	add := func(why string) {
		if why != "" {
			out = append(out, why)
		}
	}
	add(j.policy.Suite.algorithm(s.Algorithm, at))
	for _, x := range s.References {
		if x.Digest != "" {
			add(j.policy.Suite.digest(x.Digest, at))
		}
	}
	return out
}

// stamp is the basic validation of a time-stamp [EN 319 102-1 5.4].
func (j *judge) stamp(t *TimeStamp) Conclusion {
	if c, ok := j.stamps[t]; ok {
		return c
	}
	var r run
	for _, m := range t.Malformed {
		r.check(false, Failed, FormatFailure, m.Clause, m.Question, m.Answer)
	}
	j.identify(&r, &t.Token, nil, false)
	j.computable(&r, &t.Token)
	j.cryptographic(&r, append(slices.Clip(t.References), Reference{Name: "what the time-stamp covers", Found: t.ImprintFound, Intact: t.ImprintIntact}), t.Intact)
	if !r.failed {
		r.adopt(j.chain(&t.Token, ofTimeStamp))
	}
	why := j.policy.Suite.algorithm(t.Algorithm, j.now)
	if why == "" {
		why = j.policy.Suite.digest(t.Digest, j.now)
	}
	r.check(why == "", Indeterminate, CryptoConstraintsNoPOE, "EN 319 102-1 5.4", "Was the time-stamp made with reliable algorithms?", why)
	out := r.conclude()
	out.Time = t.Time
	j.stamps[t] = out
	return out
}
