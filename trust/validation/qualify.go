package validation

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// QualifiedClaims are what a certificate says of itself [EN 319 412-5 4, EN 319 411-2 5.3].
type QualifiedClaims struct {
	Compliance  bool     // QcCompliance
	SSCD        bool     // QcSSCD: the key is in a qualified device
	Types       []string // of QcType: "esign", "eseal", "web"
	Legislation []string // QcCClegislation: qualified by the law of these countries, not of the Union
	Policies    []string // object identifiers
}

// Policies of directive 1999/93/EC [TS 101 456 5.2].
const (
	policyQCP     = "0.4.0.1456.1.2"
	policyQCPPlus = "0.4.0.1456.1.1"
)

// TrustService is a period of a service of a trusted list that is in the chain of a certificate, with the qualifiers that its
// criteria give to that certificate.
type TrustService struct {
	Territory, Provider, Name string
	Identity                  string // of the certificate by which it was found
	Type, Status              string // URIs [TS 119 612 5.5.1, 5.5.4]
	From, Until               time.Time
	Qualifiers, Additional    []string // URIs
	ListProblem               string   // what is not as it should be with the list in which it stands
	// Foreign: the list is that of another country, and no agreement recognises the service for this time.
	Foreign bool
	// Claims is what the certificate says by an agreement with that country; nil: as it says itself.
	Claims *QualifiedClaims
}

const (
	svctype   = "http://uri.etsi.org/TrstSvc/Svctype/"
	svcstatus = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
	svcinfo   = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
)

// regulation is when Regulation (EU) No 910/2014 took the place of the directive, grace when certificates issued under that
// ceased to be qualified [TS 119 615 4.4, eIDAS 51].
var (
	regulation = time.Date(2016, 6, 30, 22, 0, 0, 0, time.UTC)
	grace      = time.Date(2017, 6, 30, 22, 0, 0, 0, time.UTC)
)

func (s *TrustService) covers(at time.Time) bool {
	return !at.Before(s.From) && (s.Until.IsZero() || at.Before(s.Until))
}

func (s *TrustService) old() bool { return s.From.Before(regulation) }

// granted tells whether the service was qualified [TS 119 612 5.5.4].
func (s *TrustService) granted() bool {
	switch strings.TrimPrefix(s.Status, svcstatus) {
	case "granted":
		return true
	case "undersupervision", "supervisionincessation", "accredited":
		return s.old()
	}
	return false
}

func (s *TrustService) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(s.Qualifiers, svcinfo+n) })
}

// CertificateQualification is what a certificate is, at one time [TS 119 615 4.4].
type CertificateQualification struct {
	Known     bool // a list tells
	Qualified bool
	Type      string // "ESIG", "ESEAL", "WSA", or "UNKNOWN"
	QSCD      bool   // the key is in a qualified device
}

// String names it as the Digital Signature Service does.
func (q CertificateQualification) String() string {
	switch {
	case !q.Known:
		return "NA"
	case !q.Qualified:
		return "CERT_FOR_" + q.Type
	case q.QSCD && q.Type != "WSA":
		return "QCERT_FOR_" + q.Type + "_QSCD"
	}
	return "QCERT_FOR_" + q.Type
}

// inquiry collects checks that decide nothing by failing.
type inquiry struct{ checks []Check }

func (r *inquiry) ask(ok bool, clause, question, answer string) bool {
	x := Check{Question: question, OK: ok, Warning: !ok, Clause: clause}
	if !ok {
		x.Answer = answer
	}
	r.checks = append(r.checks, x)
	return ok
}

// QualifyCertificate tells what a certificate was at a time, by its own words and those of the services in its chain
// [TS 119 615 4.4]. issued is its notBefore.
func QualifyCertificate(c *QualifiedClaims, issued time.Time, services []TrustService, at time.Time) (CertificateQualification, []Check) {
	const clause = "TS 119 615 4.4.4"
	var r inquiry
	if !r.ask(len(services) > 0, clause, fmt.Sprintf("At %s: is a service of a trusted list in its chain?", when(at)), "there is none") {
		return CertificateQualification{}, r.checks
	}
	none := func() (CertificateQualification, []Check) {
		q := CertificateQualification{Known: true, Type: c.kind(issued)}
		return q, r.checks
	}
	list := keep(services, func(s *TrustService) bool { return !s.Foreign })
	if !r.ask(len(list) > 0, clause, "Is it one of the Union, or recognised by an agreement?", "it is of another country, and not recognised") {
		return none()
	}
	list = keep(list, func(s *TrustService) bool { return s.Type == svctype+"CA/QC" })
	if !r.ask(len(list) > 0, clause, "Does one issue qualified certificates?", "none does") {
		return none()
	}
	list = keep(list, func(s *TrustService) bool { return s.covers(at) })
	if !r.ask(len(list) > 0, clause, "Was it listed at "+when(at)+"?", "none was") {
		return none()
	}
	if list[0].Claims != nil {
		c = list[0].Claims
	}
	all := list
	list = keep(list, func(s *TrustService) bool { return s.issuesFor(c, issued) })
	if !r.ask(len(list) > 0, clause, "Does it issue certificates of this type?", "none does: "+all[0].Name) {
		return none()
	}
	for i := range list {
		why := list[i].contradiction()
		r.ask(why == "", "TS 119 612 5.5.9.2.3", list[i].Name+": do its qualifiers agree?", why)
	}
	// Services that say different things decide nothing.
	first, _ := list[0].judge(c, issued)
	same := !slices.ContainsFunc(list[1:], func(s TrustService) bool { q, _ := s.judge(c, issued); return q != first })
	if !r.ask(same, clause, "Do all services say the same?", "they contradict one another") {
		return CertificateQualification{}, r.checks
	}
	if !r.ask(list[0].granted(), clause, "Was the service granted then?", "its status was "+strings.TrimPrefix(list[0].Status, svcstatus)) {
		return none()
	}
	q, checks := list[0].judge(c, issued)
	r.checks = append(r.checks, checks...)
	return q, r.checks
}

func keep(list []TrustService, f func(*TrustService) bool) (out []TrustService) {
	for i := range list {
		if f(&list[i]) {
			out = append(out, list[i])
		}
	}
	return out
}

// qualified is what the certificate says of itself [TS 119 615 4.4.4].
func (c *QualifiedClaims) qualified(issued time.Time) bool {
	if !issued.Before(regulation) {
		return c.Compliance && len(c.Legislation) == 0
	}
	return c.Compliance || slices.Contains(c.Policies, policyQCP) || slices.Contains(c.Policies, policyQCPPlus)
}

func (c *QualifiedClaims) device(issued time.Time) bool {
	return c.SSCD || issued.Before(regulation) && slices.Contains(c.Policies, policyQCPPlus)
}

// kind is the type that the certificate says.
func (c *QualifiedClaims) kind(issued time.Time) string {
	switch {
	case len(c.Types) == 1:
		if k, ok := kindsOfType[c.Types[0]]; ok {
			return k
		}
	case len(c.Types) == 0 && c.qualified(issued):
		return "ESIG"
	}
	return "UNKNOWN"
}

var kindsOfType = map[string]string{"esign": "ESIG", "eseal": "ESEAL", "web": "WSA"}

// overruled is the type that the list says: "" for none, "UNKNOWN" for several.
func (s *TrustService) overruled() string {
	kind := ""
	for _, x := range []struct{ qualifier, kind string }{{"QCForESig", "ESIG"}, {"QCForESeal", "ESEAL"}, {"QCForWSA", "WSA"}} {
		if s.has(x.qualifier) {
			if kind != "" {
				return "UNKNOWN"
			}
			kind = x.kind
		}
	}
	return kind
}

// purposes are the types for which the service is listed; none: it is not said [TS 119 612 5.5.9.4].
func (s *TrustService) purposes() (kinds []string) {
	for _, x := range []struct{ info, kind string }{{"ForeSignatures", "ESIG"}, {"ForeSeals", "ESEAL"}, {"ForWebSiteAuthentication", "WSA"}} {
		if !s.old() && slices.Contains(s.Additional, svcinfo+x.info) {
			kinds = append(kinds, x.kind)
		}
	}
	return kinds
}

// issuesFor tells whether the service is one for certificates of this type, by the certificate's word or the list's.
func (s *TrustService) issuesFor(c *QualifiedClaims, issued time.Time) bool {
	kinds, said, listed := s.purposes(), c.kind(issued), s.overruled()
	switch {
	case len(kinds) == 0:
		return true
	case listed == "" && said == "ESIG" && s.has("QCForLegalPerson"):
		return false // legal persons seal [eIDAS 3]
	}
	return said == "UNKNOWN" || slices.Contains(kinds, said) || slices.Contains(kinds, listed)
}

// contradiction says which qualifiers exclude one another.
func (s *TrustService) contradiction() string {
	known := []string{
		"QCWithSSCD", "QCNoSSCD", "QCSSCDStatusAsInCert", "QCWithQSCD", "QCNoQSCD", "QCQSCDStatusAsInCert", "QCQSCDManagedOnBehalf",
		"QCForLegalPerson", "QCForESig", "QCForESeal", "QCForWSA", "QCStatement", "NotQualified",
	}
	with, without := s.has("QCWithSSCD", "QCWithQSCD", "QCQSCDManagedOnBehalf"), s.has("QCNoSSCD", "QCNoQSCD")
	switch {
	case s.has("QCStatement") && s.has("NotQualified"):
		return "both QCStatement and NotQualified"
	case with && without:
		return "a qualified device, and none"
	case s.has("QCSSCDStatusAsInCert", "QCQSCDStatusAsInCert") && (with || without):
		return "a device as in the certificate, and not as there"
	case s.overruled() == "UNKNOWN":
		return "several types of certificates"
	case s.overruled() != "" && len(s.purposes()) > 0 && !slices.Contains(s.purposes(), s.overruled()):
		return "a type of certificates for which the service is not listed"
	case s.has("QCForLegalPerson") && s.has("QCForESig"):
		return "legal persons, who do not sign, and signatures"
	}
	for _, q := range s.Qualifiers {
		if name, ok := strings.CutPrefix(q, svcinfo); !ok || !slices.Contains(known, name) {
			return q + " is not known"
		}
	}
	return ""
}

// judge is what the certificate is by one granted service: what the list says goes before what the certificate says.
func (s *TrustService) judge(c *QualifiedClaims, issued time.Time) (q CertificateQualification, checks []Check) {
	const clause = "TS 119 615 4.4.4"
	var r inquiry
	q.Known = true
	q.Qualified = c.qualified(issued)
	switch {
	case s.has("NotQualified"):
		q.Qualified = false
	case s.has("QCStatement"):
		q.Qualified = true
	}
	r.ask(q.Qualified, clause, "Is the certificate qualified, by its own word or by the list?", "it is not")
	switch {
	case s.overruled() != "":
		q.Type = s.overruled()
		if kinds := s.purposes(); len(kinds) > 0 && !slices.Contains(kinds, q.Type) {
			q.Type = "UNKNOWN" // the list contradicts itself
		}
	case s.old() && q.Qualified:
		q.Type = "ESIG"
	default:
		q.Type = c.kind(issued)
	}
	r.ask(q.Type != "UNKNOWN", clause, "Is it told whether it is for signatures, for seals or for web sites?", "it is not")
	if !q.Qualified {
		return q, r.checks
	}
	names := [2][]string{{"QCWithQSCD", "QCQSCDManagedOnBehalf", "QCWithSSCD"}, {"QCNoQSCD", "QCNoSSCD"}}
	with, without := s.has(names[0]...), s.has(names[1]...)
	switch {
	case with && !without:
		q.QSCD = true
	case without && !with:
		q.QSCD = false
	case !with:
		q.QSCD = c.device(issued)
	}
	r.ask(!with || !without, clause, "Do the qualifiers agree about the device of the key?", "they do not: it counts as none")
	r.ask(q.QSCD, clause, "Is its key in a qualified device?", "it is not")
	return q, r.checks
}

// Qualification is what a signature or a time-stamp is worth by law.
type Qualification struct {
	Name         string // "QESIG", "ADESIG_QC" and the like [TS 119 615 4.5]; for time-stamps "QTSA" or "TSA"; "NA": no list tells
	AtIssuance   CertificateQualification
	AtSigning    CertificateQualification // at the best signature time
	Checks       []Check
	Certificates CertificateQualification // both times together
}

// askLists says which lists, of those that tell of a certificate, are not as they should be; where none tells, which could not
// be asked [TS 119 615 4.2].
func askLists(services []TrustService, unread []string) []Check {
	const clause = "TS 119 615 4.2"
	var r inquiry
	if len(services) == 0 && len(unread) > 0 {
		r.ask(false, clause, "Could every trusted list be asked?", "not all of them: "+strings.Join(unread, "; "))
	}
	seen := map[string]bool{}
	for _, s := range services {
		if !seen[s.Territory] {
			seen[s.Territory] = true
			r.ask(s.ListProblem == "", clause, fmt.Sprintf("Is the trusted list of %s current?", s.Territory), s.ListProblem)
		}
	}
	return r.checks
}

// QualifySignature tells whether a signature is qualified [TS 119 615 4.5]. unread are lists that could not be asked.
func QualifySignature(r *Report, unread []string) *Qualification {
	c := r.Signature.Signer
	if c == nil {
		return &Qualification{Name: matrix(CertificateQualification{}, r.Indication)}
	}
	q := &Qualification{}
	var issuance, signing []Check
	q.AtIssuance, issuance = QualifyCertificate(&c.Claims, c.NotBefore, c.Services, c.NotBefore)
	best := r.BestTime
	q.AtSigning, signing = QualifyCertificate(&c.Claims, c.NotBefore, c.Services, best)
	q.Checks = slices.Concat(askLists(c.Services, unread), issuance, signing)
	q.Certificates = both(q.AtIssuance, q.AtSigning)
	if q.Certificates.Qualified && c.NotBefore.Before(regulation) && !best.Before(grace) && q.Certificates.Type == "ESEAL" {
		q.Certificates.Qualified = false // seals of the directive are none of the regulation
	}
	q.Name = matrix(q.Certificates, r.Indication)
	return q
}

// both joins what a certificate was when it was issued with what it was when it signed [TS 119 615 4.5.4].
func both(a, b CertificateQualification) CertificateQualification {
	if !a.Known || !b.Known {
		return CertificateQualification{}
	}
	q := CertificateQualification{Known: true, Qualified: a.Qualified && b.Qualified, Type: b.Type}
	if a.Type != b.Type {
		q.Type = "UNKNOWN"
	}
	q.QSCD = q.Qualified && b.QSCD
	return q
}

// matrix joins the certificate with the verdict [TS 119 615 4.5.4].
func matrix(c CertificateQualification, i Indication) string {
	failed := i == TotalFailed || i == Failed
	switch {
	case !c.Known && failed:
		return "NOT_ADES"
	case !c.Known:
		return "NA"
	case c.Type == "WSA":
		return "NOT_ADES"
	case failed && c.Qualified && c.QSCD:
		return "NOT_ADES_QC_QSCD"
	case failed && c.Qualified:
		return "NOT_ADES_QC"
	case failed:
		return "NOT_ADES"
	}
	name := map[string][3]string{ // with a device, qualified, not
		"ESIG": {"QESIG", "ADESIG_QC", "ADESIG"}, "ESEAL": {"QESEAL", "ADESEAL_QC", "ADESEAL"}, "UNKNOWN": {"UNKNOWN_QC_QSCD", "UNKNOWN_QC", "UNKNOWN"},
	}[c.Type]
	k := 2
	if c.Qualified {
		k = 1
		if c.QSCD {
			k = 0
		}
	}
	if i == Indeterminate {
		return "INDETERMINATE_" + name[k]
	}
	return name[k]
}

// QualifyTimeStamp tells whether a time-stamp is qualified: its service was when it was made, and when it is known to have
// existed [TS 119 615 4.6].
func QualifyTimeStamp(t *TimeStamp, exists time.Time) *Qualification {
	const clause = "TS 119 615 4.6.4"
	var r inquiry
	if t.Signer == nil || !r.ask(len(t.Signer.Services) > 0, clause, "Is a service of a trusted list in its chain?", "there is none") {
		return &Qualification{Name: "NA", Checks: r.checks}
	}
	list := keep(t.Signer.Services, func(s *TrustService) bool { return !s.Foreign && s.Type == svctype+"TSA/QTST" })
	name := "TSA"
	if r.ask(len(list) > 0, clause, "Does one make qualified time-stamps?", "none does") {
		at := func(at time.Time) bool {
			return r.ask(slices.ContainsFunc(list, func(s TrustService) bool { return s.covers(at) && s.granted() }), clause,
				fmt.Sprintf("Was it granted at %s?", when(at)), "it was not")
		}
		if made, known := at(t.Time), at(exists); made && known {
			name = "QTSA"
		}
	}
	return &Qualification{Name: name, Checks: r.checks}
}
