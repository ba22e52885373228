package validation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// NamespacePolicy is that of constraint files of the Digital Signature Service.
const NamespacePolicy = "http://dss.esig.europa.eu/validation/policy"

// ErrPolicy says that a policy file asks for what is not done here, or is none; the constraints are named.
var ErrPolicy = errors.New("validation: the policy cannot be kept")

// ReadPolicy reads a constraint file of the Digital Signature Service, or a cryptographic suite in JSON [TS 119 322 6], which
// takes the place of the usual one. Every constraint is kept, or the file is refused with the names of those that are not.
// Constraints that only warn or inform, and that are not looked at here, are returned as unheeded: they change no verdict.
func ReadPolicy(b []byte) (p *Policy, unheeded []string, err error) {
	if t := strings.TrimLeft(strings.TrimPrefix(string(b[:min(len(b), 100)]), "\ufeff"), " \t\r\n"); strings.HasPrefix(t, "{") {
		p, err = readSuite(b)
		return p, nil, err
	}
	doc, err := dom.Parse(slices.Clone(b), dom.Limits{Bytes: 4 << 20, Depth: 32, Nodes: 200_000})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	root := doc.Root()
	if !root.Is(NamespacePolicy, "ConstraintsParameters") {
		return nil, nil, fmt.Errorf("%w: %w", ErrPolicy, root.Errorf("no ConstraintsParameters of %s", NamespacePolicy))
	}
	p = DefaultPolicy()
	r := &policyReader{policy: p}
	p.Name = root.Attr("Name")
	for e := range root.Elements() {
		r.section(e, e.Local(), "")
	}
	r.revocation()
	if len(r.refused) > 0 {
		return nil, r.unheeded, fmt.Errorf("%w: %w", ErrPolicy, errors.Join(r.refused...))
	}
	return p, r.unheeded, nil
}

type policyReader struct {
	policy   *Policy
	unheeded []string
	refused  []error
	asked    []askedFor
}

// askedFor is a constraint about revocation data.
type askedFor struct {
	node      dom.Node
	code      string
	as        role
	authority bool
	fails     bool
}

// revocation joins the constraints about revocation data: with one of them left, it decides. Signatures and
// counter-signatures are judged alike.
func (r *policyReader) revocation() {
	type place struct {
		as        role
		authority bool
	}
	by := map[place]map[string]bool{}
	for _, a := range r.asked {
		p := place{a.as, a.authority}
		if by[p] == nil {
			by[p] = map[string]bool{}
		}
		by[p][a.code] = by[p][a.code] || a.fails
	}
	for _, a := range r.asked {
		p := place{a.as, a.authority}
		i := 0
		if a.authority {
			i = 1
		}
		r.policy.revocation[a.as][i] = by[p][a.code]
		if s, ok := by[p]["S"]; ok && a.code == "C" && s != by[p]["C"] {
			r.refuse(a.node, "revocation data is asked for otherwise than of signatures: both are judged alike here")
		}
	}
}

func (r *policyReader) refuse(n dom.Node, format string, args ...any) {
	r.refused = append(r.refused, n.Errorf(format, args...))
}

// kept is what the process does, constraint by constraint: the parts of a policy in which it stands (S signatures, C
// counter-signatures, T time-stamps, R revocation data, A containers, E evidence records, Q trusted lists), the kind of part, its name, the level
// that is asked here, and where the constraint lists values, these.
const kept = `
A . AcceptableContainerTypes FAIL ASiC-S ASiC-E
A . SignedFilesPresent FAIL
S . AcceptablePolicies FAIL ANY_POLICY NO_POLICY
SCTR basic ReferenceDataExistence FAIL
SCTR basic ReferenceDataIntact FAIL
SCT basic ManifestEntryObjectIntact FAIL
SCTR basic SignatureIntact FAIL
SC basic SignatureDuplicated FAIL
SCTR basic ProspectiveCertificateChain FAIL
SC basic SignerInformationStore FAIL
ST basic ByteRange FAIL
ST basic PdfSignatureDictionary FAIL
ST basic PdfPageDifference FAIL
SCTR signing Recognition FAIL
SCTR signing,ca Signature FAIL
SCTR signing,ca NotExpired FAIL
SCTR signing,ca SunsetDate FAIL
SCTR signing,ca IssuerName FAIL
SCTR signing,ca NotRevoked FAIL
SCTR signing,ca NotOnHold FAIL
SC signing ForbiddenExtensions FAIL 1.3.6.1.5.5.7.48.1.5
S signing RevocationIssuerNotExpired FAIL
T signing ForbiddenExtensions FAIL 1.3.6.1.5.5.7.48.1.5
T signing ExtendedKeyUsage FAIL timeStamping
SCTR ca CA FAIL
SCTR ca MaxPathLength FAIL
SCTR ca KeyUsage FAIL keyCertSign
SCTR ca SubjectKeyIdentifierPresent FAIL
SCTR ca ForbiddenExtensions FAIL 1.3.6.1.5.5.7.48.1.5 2.5.29.56
SC signed CertDigestPresent FAIL
SC signed CertDigestMatch FAIL
SC signed SigningTime FAIL
SC signed SigningTimeInCertRange FAIL
SC signed MessageDigestOrSignedPropertiesPresent FAIL
T . RevocationTimeAgainstBestSignatureTime FAIL
T . BestSignatureTimeBeforeExpirationDateOfSigningCertificate FAIL
T . ContainerSignedAndTimestampedFilesCovered FAIL
R . UnknownStatus FAIL
R . ThisUpdatePresent FAIL
R . RevocationIssuerKnown FAIL
R . RevocationIssuerValidAtProductionTime FAIL
R . RevocationAfterCertificateIssuance FAIL
R . RevocationHasInformationAboutCertificate FAIL
R . OCSPResponderIdMatch FAIL
E . DataObjectExistence FAIL
E . DataObjectIntact FAIL
E . DataObjectFound FAIL
E . HashTreeRenewal FAIL
Q . TLVersion FAIL 5 6
Q . TLWellSigned FAIL
Q . TLNotExpired FAIL
`

type keptLine struct {
	parts  string
	kinds  []string
	level  string
	values []string
}

var keptByName = func() map[string][]keptLine {
	out := map[string][]keptLine{}
	for line := range strings.Lines(strings.TrimSpace(kept)) {
		f := strings.Fields(line)
		out[f[2]] = append(out[f[2]], keptLine{f[0], strings.Split(f[1], ","), f[3], f[4:]})
	}
	return out
}()

var policyParts = map[string]string{
	"ContainerConstraints": "A", "SignatureConstraints": "S", "CounterSignatureConstraints": "C", "Timestamp": "T", "Revocation": "R", "eIDAS": "Q",
	"EvidenceRecord": "E", "PDFAConstraints": "P",
}

var policyKinds = map[string]string{
	"BasicSignatureConstraints": "basic", "SigningCertificate": "signing", "CACertificate": "ca", "SignedAttributes": "signed", "UnsignedAttributes": "unsigned",
}

// section reads one part of a policy.
func (r *policyReader) section(n dom.Node, part, kind string) {
	code := policyParts[part]
	switch {
	case n.Local() == "Description":
		return
	case n.Local() == "Model":
		if v := n.Attr("Value"); v != "SHELL" {
			r.refuse(n, "the validity model %q: chains are judged by the shell model", v)
		}
		return
	case n.Local() == "Cryptographic":
		r.cryptographic(n, part)
		return
	case code == "":
		r.refuse(n, "a part of an unknown kind")
		return
	}
	if code == "C" && kind == "signing" { // until it is asked for, below
		r.policy.counterOffice = true
	}
	for e := range n.Elements() {
		if k, ok := policyKinds[e.Local()]; ok {
			r.section(e, part, k)
			continue
		}
		if e.Local() == "Cryptographic" {
			r.cryptographic(e, part)
			continue
		}
		r.constraint(e, part, code, kind)
	}
}

// rank orders levels.
var rank = map[string]int{"": 0, "IGNORE": 0, "INFORM": 1, "WARN": 2, "FAIL": 3}

func (r *policyReader) constraint(n dom.Node, part, code, kind string) {
	name, level := n.Local(), n.Attr("Level")
	want, ok := rank[level]
	if !ok {
		r.refuse(n, "the level %q does not exist", level)
		return
	}
	where := part + "/" + name
	if kind == "" {
		kind = "."
	} else {
		where = part + "/" + kind + "/" + name
	}
	var values []string
	for e := range n.Elements() {
		if e.Local() == "Id" {
			values = append(values, e.TrimmedText())
		}
	}
	if r.adjustable(n, code, kind, want, values) {
		return
	}
	for _, k := range keptByName[name] {
		if !strings.Contains(k.parts, code) || !slices.Contains(k.kinds, kind) {
			continue
		}
		switch {
		case want < rank[k.level] && code != "Q": // a list that does not count never counts, whatever is asked
			r.refuse(n, "%s at level %s: it always decides here", where, level)
		case want < rank[k.level]:
			r.unheeded = append(r.unheeded, where+": such lists do not count")
		case !same(values, k.values):
			r.refuse(n, "%s with the values %s: here they are %s", where, strings.Join(values, ", "), strings.Join(k.values, ", "))
		}
		return
	}
	switch {
	case want == rank["FAIL"]:
		r.refuse(n, "%s at level FAIL: that is not asked here", where)
	case want > 0:
		r.unheeded = append(r.unheeded, where)
	}
}

func same(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// adjustable takes over the constraints that a policy can set.
func (r *policyReader) adjustable(n dom.Node, code, kind string, level int, values []string) bool {
	p, as := r.policy, map[string]role{"S": ofSignature, "C": ofSignature, "T": ofTimeStamp, "R": ofRevocation}
	switch name := n.Local(); {
	case name == "RevocationDataAvailable" || name == "AcceptableRevocationDataFound":
		if kind != "signing" && kind != "ca" {
			return false
		}
		r.asked = append(r.asked, askedFor{n, code, as[code], kind == "ca", level == rank["FAIL"]})
		return true
	case name == "KeyUsage" && kind == "signing" && (code == "S" || code == "C"):
		if !same(values, []string{"nonRepudiation"}) {
			return false
		}
		p.strictUsage = level == rank["FAIL"]
		return true
	case name == "AcceptableFormats" && code == "S":
		p.formats = values
		if level < rank["FAIL"] || slices.Contains(values, "*") {
			p.formats = nil
		}
		return true
	case name == "RevocationIssuerNotExpired" && code == "C" && kind == "signing":
		p.counterOffice = level < rank["FAIL"]
		return true
	case name == "ManifestFilePresent" && code == "A":
		p.manifest = level == rank["FAIL"]
		return p.manifest
	case name == "AllFilesSigned" && code == "A":
		p.everyFile = level == rank["FAIL"]
		return true
	case name == "RevocationDataSkip":
		return true // what it lists is what the process skips, where it is one of these
	}
	return false
}

// cryptographic reads the table of algorithms; those of single parts must be that of the whole.
func (r *policyReader) cryptographic(n dom.Node, part string) {
	if !n.FirstElement().Valid() {
		if l := n.Attr("Level"); l != "" && l != "FAIL" {
			r.refuse(n, "%s/Cryptographic at level %s: algorithms always decide here", part, l)
		}
		return
	}
	if part != "Cryptographic" {
		r.refuse(n, "%s/Cryptographic with algorithms of its own: there is one table for all", part)
		return
	}
	if l := n.Attr("Level"); l != "" && l != "FAIL" {
		r.refuse(n, "Cryptographic at level %s: algorithms always decide here", l)
	}
	s := Suite{Digests: map[string]time.Time{}, Keys: map[string][]KeySize{}}
	least, dates := map[string]int{}, map[string][]KeySize{}
	size := func(e dom.Node) int {
		k, err := strconv.Atoi(e.Attr("Size"))
		if e.Attr("Size") != "" && err != nil {
			r.refuse(e, "%q is no size", e.Attr("Size"))
		}
		return k
	}
	var accepted []string
	var expiry dom.Node
	for e := range n.Elements() {
		switch e.Local() {
		case "AcceptableEncryptionAlgo":
			for a := range e.Elements() {
				accepted = append(accepted, algorithmName(a.TrimmedText()))
			}
		case "MiniPublicKeySize":
			for a := range e.Elements() {
				least[algorithmName(a.TrimmedText())] = size(a)
			}
		case "AcceptableDigestAlgo":
			for a := range e.Elements() {
				s.Digests[a.TrimmedText()] = time.Time{}
			}
		case "AlgoExpirationDate":
			expiry = e
		default:
			r.refuse(e, "Cryptographic/%s is not known", e.Local())
		}
		if l := e.Attr("Level"); l != "" && l != "FAIL" {
			r.refuse(e, "Cryptographic/%s at level %s: algorithms always decide here", e.Local(), l)
		}
	}
	if expiry.Valid() {
		if f := expiry.Attr("Format"); f != "" && f != "yyyy-MM-dd" && f != "yyyy" {
			r.refuse(expiry, "Cryptographic/AlgoExpirationDate in the format %q", f)
		}
		s.Updated = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // every end counts
		if u := expiry.Attr("UpdateDate"); u != "" {
			switch expiry.Attr("LevelAfterUpdate") {
			case "WARN", "INFORM", "IGNORE":
				s.Updated = r.date(expiry, u)
			}
		}
		for a := range expiry.Elements() {
			name := algorithmName(a.TrimmedText())
			var until time.Time
			if d := a.Attr("Date"); d != "" {
				until = r.date(a, d)
			}
			if _, digest := s.Digests[a.TrimmedText()]; digest {
				s.Digests[a.TrimmedText()] = until
			} else {
				dates[name] = append(dates[name], KeySize{size(a), until})
			}
		}
	}
	for _, name := range accepted {
		sizes := slices.DeleteFunc(slices.Clone(dates[name]), func(k KeySize) bool { return k.Bits < least[name] })
		if !slices.ContainsFunc(sizes, func(k KeySize) bool { return k.Bits <= least[name] }) && (len(dates[name]) == 0 || least[name] > 0) {
			// From the least size on, the date of the greatest size below it counts.
			first := KeySize{Bits: least[name]}
			for _, k := range dates[name] {
				if k.Bits <= least[name] {
					first.Until = k.Until
				}
			}
			if len(dates[name]) == 0 || first.Until != (time.Time{}) {
				sizes = append(sizes, first)
			}
		}
		slices.SortFunc(sizes, func(a, b KeySize) int { return a.Bits - b.Bits })
		s.Keys[name] = sizes
	}
	r.policy.Suite = s
}

func (r *policyReader) date(n dom.Node, s string) time.Time {
	for _, layout := range []string{time.DateOnly, "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	r.refuse(n, "%q is no date", s)
	return time.Time{}
}

func algorithmName(s string) string {
	switch s {
	case "PLAIN_ECDSA", "PLAIN-ECDSA":
		return "PLAIN-ECDSA"
	case "EDDSA", "X25519", "X448":
		return "EdDSA"
	}
	return s
}

// readSuite reads a suite in JSON [TS 119 322 6].
func readSuite(b []byte) (*Policy, error) {
	type evaluation struct {
		Parameter []struct {
			Min  int    `json:"Min"`
			Name string `json:"name"`
		}
		Validity struct{ Start, End string }
	}
	var file struct {
		Policy struct {
			PolicyName struct{ Name string }
			Issued     string `json:"PolicyIssueDate"`
			Algorithm  []struct {
				ID struct {
					Name string
				} `json:"AlgorithmIdentifier"`
				Evaluation []evaluation
			}
		} `json:"SecuritySuitabilityPolicy"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	f := &file.Policy
	if len(f.Algorithm) == 0 || len(f.Issued) < 10 {
		return nil, fmt.Errorf("%w: no SecuritySuitabilityPolicy with a PolicyIssueDate and algorithms [TS 119 322 6]", ErrPolicy)
	}
	p := DefaultPolicy()
	p.Name = f.PolicyName.Name
	s := Suite{Digests: map[string]time.Time{}, Keys: map[string][]KeySize{}}
	var errs []error
	day := func(name, v string) time.Time {
		if v == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.DateOnly, v[:min(len(v), 10)])
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is no date", name, v))
		}
		return t
	}
	s.Updated = day("PolicyIssueDate", f.Issued)
	type combination struct {
		name, family, digest string
		KeySize
	}
	var all []combination
	for _, a := range f.Algorithm {
		family, digest := familyOf(a.ID.Name)
		for _, e := range a.Evaluation {
			if e.Validity.Start != "" {
				errs = append(errs, fmt.Errorf("%s: it is reliable only from %s: a beginning is not looked at here", a.ID.Name, e.Validity.Start))
			}
			until := day(a.ID.Name, e.Validity.End)
			switch {
			case family != "":
				k := KeySize{Until: until}
				for _, x := range e.Parameter {
					switch x.Name {
					case "moduluslength", "plength":
						k.Bits = x.Min
					case "qlength": // follows from the curve, or the other length
					default:
						errs = append(errs, fmt.Errorf("%s: the parameter %s is not looked at here", a.ID.Name, x.Name))
					}
				}
				all = append(all, combination{a.ID.Name, family, digest, k})
			case digest != "":
				s.Digests[digest] = until
			}
		}
	}
	for _, c := range all { // of a key, the latest end of all its combinations
		sizes := s.Keys[c.family]
		i := slices.IndexFunc(sizes, func(k KeySize) bool { return k.Bits == c.Bits })
		switch {
		case i < 0:
			sizes = append(sizes, c.KeySize)
		case c.Until.IsZero() || !sizes[i].Until.IsZero() && c.Until.After(sizes[i].Until):
			sizes[i].Until = c.Until
		}
		slices.SortFunc(sizes, func(a, b KeySize) int { return a.Bits - b.Bits })
		s.Keys[c.family] = sizes
	}
	for _, c := range all { // a combination that ends before both its key and its digest cannot be told
		ends := func(t time.Time) bool { return !t.IsZero() && !t.After(c.Until) }
		sizes := s.Keys[c.family]
		k := sizes[slices.IndexFunc(sizes, func(k KeySize) bool { return k.Bits == c.Bits })]
		if d, ok := s.Digests[c.digest]; !c.Until.IsZero() && !c.Until.After(s.Updated) && !ends(k.Until) && ok && !ends(d) {
			errs = append(errs, fmt.Errorf("%s with keys of %d bits ends on %s, before its digest and before other signatures with such keys", c.name, c.Bits, c.Until.Format(time.DateOnly)))
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, errors.Join(errs...))
	}
	p.Suite = s
	return p, nil
}

// familyOf splits the name of an algorithm into key and digest. Curves and what is used for other things are neither.
func familyOf(name string) (family, digest string) {
	u := strings.ToUpper(strings.ReplaceAll(name, "_", "-"))
	for _, d := range []string{"SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512", "SHA224", "SHA256", "SHA384", "SHA512", "SHA1", "MD5", "RIPEMD160", "WHIRLPOOL"} {
		if strings.Contains(u, d) || strings.HasPrefix(d, "SHA") && !strings.Contains(d, "-") && strings.Contains(u, strings.Replace(d, "SHA", "SHA-", 1)) {
			digest = d
			break
		}
	}
	switch {
	case strings.Contains(u, "RIPEDM160"): // as it is written there
		digest = "RIPEMD160"
	}
	switch {
	case strings.Contains(u, "PSS"):
		return "RSASSA-PSS", digest
	case strings.Contains(u, "RSA"):
		return "RSA", digest
	case strings.HasPrefix(u, "PLAIN-ECDSA"):
		return "PLAIN-ECDSA", digest
	case strings.Contains(u, "ECDSA"):
		return "ECDSA", digest
	case strings.Contains(u, "EDDSA"), strings.HasPrefix(u, "ED25519"), strings.HasPrefix(u, "ED448"):
		return "EdDSA", digest
	case strings.Contains(u, "DSA"):
		return "DSA", digest
	}
	return "", digest
}
