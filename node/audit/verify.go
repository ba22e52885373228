package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/node/audit/merkle"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// Result is what became of a step of a verification.
type Result string

const (
	Proven    Result = "proven"
	Failed    Result = "failed"
	Unsettled Result = "open" // could not be asked: something is not in the case, or was not given
)

// Step is one question and its answer.
type Step struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Text   string `json:"text"`
	Where  string `json:"where,omitempty"` // file in the case
}

// Report is what a case proves.
type Report struct {
	Valid    bool      `json:"valid"`   // no step failed
	Trusted  bool      `json:"trusted"` // every certificate leads to one that was given as trusted
	Steps    []Step    `json:"steps"`
	Manifest *Manifest `json:"-"`
	Entries  []*Entry  `json:"-"` // those that are proven
}

// VerifyOptions say what is known beside the case.
type VerifyOptions struct {
	// Trust are the certificates that are known to be true, each for its purposes: authorities, or access points
	// themselves, for [pki.PurposeAccessPoint] or [pki.PurposeEvidence], by which messages, receipts and the log are judged;
	// [pki.PurposeTime] and [pki.PurposeRevocation] for time-stamps. Without any of the former the chains are checked as far as
	// the case brings them, and [Report.Trusted] stays false.
	Trust []pki.Anchor
	Now   time.Time // as of when time-stamps are judged; zero: now
}

// maxInMemory bounds one file of a case other than a payload.
const maxInMemory = MaxEntry

// Verify checks a case with nothing else at hand: no node, no network. Every step is done that can be done, also after
// one failed. An error means that the octets could not be read at all.
func Verify(r io.ReaderAt, size int64, opt VerifyOptions) (*Report, error) {
	v := &verification{r: r, opt: opt, sums: map[string][32]byte{}, byName: map[string]stored{}, report: &Report{Steps: []Step{}}}
	err := v.run(size)
	var read ioError
	if errors.As(err, &read) {
		return nil, read.error
	}
	v.report.Valid = !v.failed && err == nil
	v.report.Trusted = v.report.Valid && len(v.signers()) > 0 && !v.untrusted
	return v.report, nil
}

// ioError is the reader's, not the case's.
type ioError struct{ error }

type verification struct {
	r   io.ReaderAt
	opt VerifyOptions

	files  []stored
	byName map[string]stored
	sums   map[string][32]byte
	man    *Manifest
	node   []*pki.Certificate // of the node and its issuers
	pool   []*pki.Certificate // all that the case brings
	crls   []*pki.CRL
	head   *Head // proven

	report    *Report
	failed    bool
	untrusted bool
}

func (v *verification) say(r Result, name, where, format string, args ...any) {
	v.failed = v.failed || r == Failed
	v.report.Steps = append(v.report.Steps, Step{name, r, fmt.Sprintf(format, args...), where})
}

// check says that something is proven, or why not.
func (v *verification) check(err error, name, where, format string, args ...any) bool {
	if err != nil {
		v.say(Failed, name, where, "%v", err)
		return false
	}
	v.say(Proven, name, where, format, args...)
	return true
}

var errStop = errors.New("audit: no more can be asked")

func (v *verification) run(size int64) error {
	var err error
	if v.files, err = readArchive(readerAt{v.r}, size); err != nil {
		if e := (ioError{}); errors.As(err, &e) {
			return e
		}
		v.say(Failed, "archive", "", "%v", err)
		return errStop
	}
	for _, f := range v.files {
		v.byName[f.name] = f
		if err := v.sum(f); err != nil {
			return err
		}
	}
	if err := v.sheet(); err != nil {
		return err
	}
	if err := v.certificates(); err != nil {
		return err
	}
	v.seal()
	if err := v.log(); err != nil {
		return err
	}
	return v.message()
}

// readerAt marks errors of the medium.
type readerAt struct{ r io.ReaderAt }

func (r readerAt) ReadAt(b []byte, at int64) (int, error) {
	n, err := r.r.ReadAt(b, at)
	if err != nil && err != io.EOF {
		err = ioError{err}
	}
	return n, err
}

// sum hashes a file once.
func (v *verification) sum(f stored) error {
	h, c := sha256.New(), crc32.NewIEEE()
	if _, err := io.Copy(io.MultiWriter(h, c), v.section(f)); err != nil {
		return err
	}
	v.sums[f.name] = [32]byte(h.Sum(nil))
	if c.Sum32() != f.crc {
		v.say(Failed, "archive", f.name, "the file was changed: its CRC-32 is another")
	}
	return nil
}

func (v *verification) section(f stored) io.Reader {
	return io.NewSectionReader(readerAt{v.r}, f.offset, f.size)
}

// read brings a file into memory.
func (v *verification) read(name string) ([]byte, error) {
	f, ok := v.byName[name]
	if !ok {
		return nil, fmt.Errorf("%s is not in the case", name)
	}
	if f.size > maxInMemory {
		return nil, fmt.Errorf("%s has %d octets", name, f.size)
	}
	b := make([]byte, f.size)
	if _, err := io.ReadFull(v.section(f), b); err != nil {
		return nil, err
	}
	return b, nil
}

// sheet compares the files with the cover sheet.
func (v *verification) sheet() error {
	b, err := v.read(manifestFile)
	if err == nil {
		v.man, err = parseManifest(b)
	}
	if err != nil {
		if e := (ioError{}); errors.As(err, &e) {
			return e
		}
		v.say(Failed, "cover sheet", manifestFile, "%v", err)
		return errStop
	}
	v.report.Manifest = v.man
	bad := false
	listed := map[string]bool{manifestFile: true, signatureFile: true}
	for _, f := range v.man.Files {
		sum, ok := v.sums[f.Name]
		switch {
		case listed[f.Name]:
			err = errors.New("the cover sheet names it twice")
		case !ok:
			err = errors.New("the cover sheet names it, and it is not in the case")
		case hexOf(sum) != f.SHA256:
			err = fmt.Errorf("its SHA-256 is %x and not %s as on the cover sheet", sum, f.SHA256)
		case v.byName[f.Name].size != f.Size:
			err = errors.New("its size is another than on the cover sheet")
		default:
			err = nil
		}
		listed[f.Name] = true
		if err != nil {
			bad = true
			v.say(Failed, "files", f.Name, "%v", err)
		}
	}
	for _, f := range v.files {
		if !listed[f.name] {
			bad = true
			v.say(Failed, "files", f.name, "the cover sheet does not name it")
		}
	}
	if !bad {
		v.say(Proven, "files", "", "%d files are as the cover sheet says", len(v.man.Files))
	}
	return nil
}

// role returns the files of a role, in order.
func (v *verification) role(r Role) (out []CaseFile) {
	for _, f := range v.man.Files {
		if _, ok := v.byName[f.Name]; ok && f.Role == r {
			out = append(out, f)
		}
	}
	return out
}

// certificates reads what the case brings. They are candidates, not trusted.
func (v *verification) certificates() error {
	for _, r := range []Role{RoleNode, RoleCertificate} {
		for _, f := range v.role(r) {
			b, err := v.read(f.Name)
			var certs []*pki.Certificate
			if err == nil {
				certs, err = pki.ParsePEMCertificates(b)
			}
			if err != nil {
				if e := (ioError{}); errors.As(err, &e) {
					return e
				}
				v.say(Failed, "certificates", f.Name, "%v", err)
				continue
			}
			if r == RoleNode {
				v.node = append(v.node, certs...)
			}
			v.pool = append(v.pool, certs...)
		}
	}
	for _, a := range v.opt.Trust {
		v.pool = append(v.pool, a.Certificate)
	}
	v.pool = distinct(v.pool)
	for _, f := range v.role(RoleRevocation) {
		b, err := v.read(f.Name)
		if err == nil {
			var list *pki.CRL
			if list, err = pki.ParseCRL(b); err == nil {
				v.crls = append(v.crls, list)
			}
		}
		if err != nil {
			if e := (ioError{}); errors.As(err, &e) {
				return e
			}
			v.say(Failed, "certificates", f.Name, "%v", err)
		}
	}
	return nil
}

// signers are the anchors for who signs messages, receipts and the log.
func (v *verification) signers() (out []pki.Anchor) {
	for _, a := range v.opt.Trust {
		if slices.Contains(a.Purposes, pki.PurposeAccessPoint) || slices.Contains(a.Purposes, pki.PurposeEvidence) {
			a.Purposes = []pki.Purpose{pki.PurposeEvidence}
			out = append(out, a)
		}
	}
	return out
}

// signer finds the node's certificate that a sealed text names.
func (v *verification) signer(sum [32]byte) (*pki.Certificate, error) {
	for _, c := range v.node {
		if c.Fingerprint() == sum {
			return c, nil
		}
	}
	for _, a := range v.signers() {
		if a.Certificate.Fingerprint() == sum {
			return a.Certificate, nil
		}
	}
	return nil, fmt.Errorf("the certificate %x is not in the case", sum)
}

// seal checks the signature over the cover sheet.
func (v *verification) seal() {
	const name = "cover sheet"
	b, err := v.read(signatureFile)
	if err != nil {
		v.say(Failed, name, signatureFile, "%v", err)
		return
	}
	s, err := openSealed(b)
	if err == nil && !bytes.Equal(s.text, sealText(v.sums[manifestFile], v.man.Log, v.man.Made)) {
		err = errors.New("it is about another cover sheet")
	}
	var c *pki.Certificate
	if err == nil {
		c, err = v.signer(s.certificate)
	}
	if err == nil {
		err = s.verify(c)
	}
	if v.check(err, name, signatureFile, "signed by %s with %s", signerName(c), s.algorithm) {
		v.chain(c, nil, v.man.Made, name, signatureFile)
	}
}

func signerName(c *pki.Certificate) string {
	if c == nil {
		return "nobody"
	}
	return c.Subject.String()
}

// chain judges a signer's certificate at the time of signing.
func (v *verification) chain(leaf *pki.Certificate, extra []*pki.Certificate, at time.Time, name, where string) {
	r, text := v.judge(leaf, extra, at)
	v.untrusted = v.untrusted || r != Proven
	v.say(r, name+": certificate", where, "%s", text)
}

func (v *verification) judge(leaf *pki.Certificate, extra []*pki.Certificate, at time.Time) (Result, string) {
	pool := append(append([]*pki.Certificate{}, extra...), v.pool...)
	anchors := v.signers()
	given := len(anchors) > 0
	if !given {
		for _, c := range append(issuersOf(leaf, pool), leaf) {
			if c.SelfIssued() {
				anchors = append(anchors, pki.Bind([]*pki.Certificate{c}, pki.PurposeEvidence)...)
			}
		}
	}
	alone := len(anchors) == 0 // no authority at all: the certificate stands for itself
	if alone {
		anchors = pki.Bind([]*pki.Certificate{leaf}, pki.PurposeEvidence)
	}
	lists := &listed{lists: v.crls}
	verifier := &pki.Verifier{Anchors: anchors, Intermediates: pool, CacheTTL: -1, Revocation: lists}
	path, err := verifier.VerifyAt(context.Background(), leaf, extra, pki.PurposeEvidence, at)
	if err != nil {
		return Failed, fmt.Sprintf("%s at %s: %v", signerName(leaf), at.Format(timeForm), err)
	}
	text := fmt.Sprintf("valid at %s, ", at.Format(timeForm))
	if lists.asked {
		text += "not revoked then, "
	} else {
		text += "no revocation list about it in the case, "
	}
	top := path[len(path)-1]
	switch {
	case given:
		return Proven, text + "below the trusted " + signerName(top)
	case alone:
		return Unsettled, text + fmt.Sprintf("its authority is not in the case: compare its SHA-256 %x with what you know, or give --trust", leaf.Fingerprint())
	}
	return Unsettled, text + fmt.Sprintf("below %s, which the case itself brings: compare its SHA-256 %x with what you know, or give --trust", signerName(top), top.Fingerprint())
}

// listed answers from revocation lists of any date: what counts is when a certificate was revoked, and a list that came
// later knows that.
type listed struct {
	lists []*pki.CRL
	asked bool
}

// Status implements pki.RevocationSource.
func (l *listed) Status(_ context.Context, cert, issuer *pki.Certificate, at time.Time) (st pki.RevocationStatus, err error) {
	for _, list := range l.lists {
		if !list.Issuer.Equal(cert.Issuer) || list.Verify(issuer) != nil || list.Scope.Indirect {
			continue
		}
		if e, ok := list.Find(cert.SerialNumber, at); ok && e.Reason != pki.ReasonRemoveFromCRL {
			l.asked = true
			return pki.RevocationStatus{State: pki.RevocationRevoked, RevokedAt: e.RevokedAt, Reason: e.Reason, ThisUpdate: list.ThisUpdate}, nil
		}
		if !list.NextUpdate.IsZero() && at.After(list.NextUpdate) {
			continue // it ended before
		}
		l.asked = true
		st = pki.RevocationStatus{State: pki.RevocationGood, ThisUpdate: list.ThisUpdate}
	}
	return st, nil
}

// log checks the heads, that the later continues the earlier, and each entry.
func (v *verification) log() error {
	head := v.readHead(RoleHead, "head of the log")
	if head == nil {
		v.say(Failed, "entries", "", "without a head of the log no entry can be proven")
		return nil
	}
	v.head = head
	if first := v.readHead(RoleFirstHead, "first head"); first != nil {
		v.continued(first, head, RoleConsistency, "consistency")
	}
	paths := map[int64]string{}
	for _, f := range v.role(RoleProof) {
		if f.Index != nil {
			paths[*f.Index] = f.Name
		}
	}
	n := 0
	for _, f := range v.role(RoleEntry) {
		n++
		if err := v.entry(f, paths); err != nil {
			return err
		}
	}
	if n == 0 {
		v.say(Failed, "entries", "", "the case has no entry of the log")
	}
	v.stamp()
	return nil
}

func (v *verification) readHead(r Role, name string) *Head {
	files := v.role(r)
	if len(files) != 1 {
		if r == RoleHead || len(files) > 1 {
			v.say(Failed, name, "", "the case has %d", len(files))
		}
		return nil
	}
	where := files[0].Name
	b, err := v.read(where)
	var h *Head
	if err == nil {
		h, err = ParseHead(b)
	}
	if err == nil && hexOf(h.Log) != v.man.Log {
		err = errors.New("it is of another log")
	}
	var c *pki.Certificate
	if err == nil {
		c, err = v.signer(h.Certificate)
	}
	if err == nil {
		err = h.Verify(c)
	}
	if err != nil {
		v.say(Failed, name, where, "%v", err)
		return nil
	}
	v.say(Proven, name, where, "%d entries at %s, signed by %s with %s", h.Size, h.Time.Format(timeForm), signerName(c), h.sealed.algorithm)
	v.chain(c, nil, h.Time, name, where)
	return h
}

// continued proves that nothing was rewritten between two heads.
func (v *verification) continued(first, head *Head, r Role, name string) bool {
	files := v.role(r)
	if len(files) != 1 {
		v.say(Failed, name, "", "the case has %d proofs between its two heads", len(files))
		return false
	}
	where := files[0].Name
	b, err := v.read(where)
	var p *Consistency
	if err == nil {
		p, err = ParseConsistency(b)
	}
	if err == nil && (p.First != first.Size || p.Second != head.Size) {
		err = errors.New("it is about other heads")
	}
	if err == nil {
		err = merkle.VerifyConsistency(p.First, p.Second, p.Hashes, first.Root, head.Root)
	}
	ok := v.check(err, name, where, "the log of %d entries is the beginning of that of %d", first.Size, head.Size)
	if first.Time.After(head.Time) {
		v.say(Unsettled, "clock", where, "the node's clock went back between its heads, from %s to %s or more: the order of entries holds, their times may be wrong by so much",
			first.Time.Format(timeForm), head.Time.Format(timeForm))
	}
	return ok
}

// stamp judges the evidence record over an earlier head: what that is over existed at the time of the first time-stamp.
func (v *verification) stamp() {
	const name = "time-stamp"
	files := v.role(RoleStamp)
	if len(files) == 0 {
		return
	}
	head := v.readHead(RoleStamped, "time-stamped head")
	if len(files) != 1 || head == nil {
		v.say(Failed, name, "", "the case has %d time-stamps, and no head that they are over", len(files))
		return
	}
	if !v.continued(head, v.head, RoleStampedWay, "time-stamped head: consistency") {
		return
	}
	where := files[0].Name
	b, err := v.read(where)
	var x *report.RecordVerdict
	if err == nil {
		known := gather.Options{Bound: v.opt.Trust, Certificates: v.pool}
		for _, l := range v.crls {
			known.CRLs = append(known.CRLs, l.Raw)
		}
		now := v.opt.Now
		if now.IsZero() {
			now = time.Now()
		}
		x, err = judgeStamp(b, head.Octets, known, nil, now)
	}
	if err == nil {
		err = x.Err
	}
	if err != nil {
		v.say(Failed, name, where, "%v", err)
		return
	}
	covered := 0
	for _, e := range v.role(RoleEntry) {
		if e.Index != nil && *e.Index < head.Size {
			covered++
		}
	}
	for i, s := range x.Stamps {
		what := fmt.Sprintf("the log of %d entries, %d of those here, existed", head.Size, covered)
		if i > 0 {
			what = "the time-stamp before it existed"
		}
		switch {
		case s.Err != nil:
			v.say(Failed, name, where, "%v", s.Err)
		case s.Indication == validation.Passed:
			v.say(Proven, name, where, "%s at %s, by %s", what, s.Time().Format(timeForm), s.Signer.Subject)
		case s.Indication == validation.Failed:
			v.say(Failed, name, where, "%s: %s", s.Sub, s.Why)
		default:
			v.untrusted = true
			text := s.Why
			if !slices.ContainsFunc(v.opt.Trust, func(a pki.Anchor) bool { return slices.Contains(a.Purposes, pki.PurposeTime) }) {
				text += "; no authority for time was given: --trust-time"
			}
			v.say(Unsettled, name, where, "of %s: %s", s.Time().Format(timeForm), text)
		}
	}
}

// entry proves one entry under the head.
func (v *verification) entry(f CaseFile, paths map[int64]string) error {
	if f.Index == nil {
		v.say(Failed, "entry", f.Name, "the cover sheet does not say which entry it is")
		return nil
	}
	name := fmt.Sprintf("entry %d", *f.Index)
	octets, err := v.read(f.Name)
	var e *Entry
	if err == nil {
		e, err = Parse(octets)
	}
	if err != nil {
		if x := (ioError{}); errors.As(err, &x) {
			return x
		}
		v.say(Failed, name, f.Name, "%v", err)
		return nil
	}
	where, ok := paths[*f.Index]
	if !ok {
		v.say(Failed, name, f.Name, "the case has no path for it")
		return nil
	}
	b, err := v.read(where)
	var p *Inclusion
	if err == nil {
		p, err = ParseInclusion(b)
	}
	if err == nil && (p.Index != *f.Index || p.Size != v.head.Size) {
		err = errors.New("the path is of another entry or another head")
	}
	if err == nil {
		err = merkle.VerifyInclusion(merkle.Leaf(octets), p.Index, p.Size, p.Hashes, v.head.Root)
	}
	if err == nil && e.MessageID != v.man.Message.MessageID {
		err = fmt.Errorf("it is about message %.200q", e.MessageID)
	}
	if err == nil && (e.Message != v.man.Message.Number || e.Direction.String() != v.man.Message.Direction) {
		err = errors.New("it is about another message of the node")
	}
	if v.check(err, name, f.Name, "%s at %s%s", e.Type, e.Time.Format(timeForm), ruleText(e)) {
		v.report.Entries = append(v.report.Entries, e)
	}
	return nil
}

func ruleText(e *Entry) string {
	s := ""
	if e.State != "" {
		s = ": " + e.State
	}
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Rule != "" {
		s += fmt.Sprintf(" (policy rule %s: %s)", e.Rule, e.Creates)
	}
	return s
}

// recorded finds when the log took note of an object: the entry's time.
func (v *verification) recorded(kind string, sum [32]byte) (time.Time, bool) {
	for _, e := range v.report.Entries {
		if e.Type != MessageDeleted && e.Type != PayloadsDeleted && e.Object(kind, sum) {
			return e.Time, true
		}
	}
	return time.Time{}, false
}
