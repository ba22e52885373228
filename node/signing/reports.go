package signing

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// obj is an object of JSON in the reports of DSS. What is not known is left out.
type obj = map[string]any

// policyName is how reports name the policy by which is judged.
const policyName = "ETSI EN 319 102-1"

func stampTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// tokenID makes an identifier as those of DSS look.
func tokenID(prefix, id string) string {
	if !isDigest(id) {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:])
	}
	return prefix + strings.ToUpper(id)
}

// isDigest tells whether an identifier is a SHA-256 in hexadecimal digits already.
func isDigest(id string) bool {
	var b [sha256.Size]byte
	if len(id) != 2*len(b) {
		return false
	}
	_, err := hex.Decode(b[:], []byte(id))
	return err == nil
}

// policyOf is how reports name the policy by which is judged; nil is the usual one.
func policyOf(p *validation.Policy, unheeded []string) obj {
	if p == nil {
		return obj{"PolicyName": policyName, "PolicyDescription": "The process of EN 319 102-1 with the algorithms of TS 119 312."}
	}
	out := obj{"PolicyName": p.Name, "PolicyDescription": "The process of EN 319 102-1 with the constraints of the request."}
	if len(unheeded) > 0 {
		out["PolicyDescription"] = out["PolicyDescription"].(string) + " Not looked at, since they only warn: " + strings.Join(unheeded, ", ") + "."
	}
	return out
}

// extraction says which tokens stand in the diagnostic data themselves, not by their digests.
type extraction struct{ certificates, stamps, revocations, records bool }

func extractionOf(strategy string) (out extraction, err error) {
	if strategy == "" || strategy == "NONE" {
		return out, nil
	}
	kinds, ok := strings.CutPrefix(strings.TrimSuffix(strategy, "_ONLY"), "EXTRACT_")
	for _, kind := range strings.Split(kinds, "_AND_") {
		switch kind {
		case "ALL":
			out = extraction{true, true, true, true}
		case "CERTIFICATES":
			out.certificates = true
		case "TIMESTAMPS":
			out.stamps = true
		case "REVOCATION_DATA":
			out.revocations = true
		case "EVIDENCE_RECORDS":
			out.records = true
		default:
			ok = false
		}
	}
	if !ok {
		err = refuse(http.StatusBadRequest, "there is no tokenExtractionStrategy %q", strategy)
	}
	return out, err
}

// Reports are the four of a validation, in the form in which they go into JSON.
func Reports(v *report.Verdict) map[string]any { return extraction{}.reports(v, nil) }

// reports are [Reports] with tokens in them; unheeded are constraints of the policy.
func (e extraction) reports(v *report.Verdict, unheeded []string) map[string]any {
	return obj{
		"SimpleReport": simple(v, unheeded), "DetailedReport": detailed(v), "DiagnosticData": e.diagnostic(v),
		"validationReportDataHandler": v.ETSI(),
	}
}

// What a report has many of has a type of its own: a map for each would be half of the work of a request.
type (
	messageJSON struct {
		Key   string
		Value string `json:"value"`
	}
	constraintJSON struct {
		Name           messageJSON
		Status         string
		Warning, Error *messageJSON `json:",omitempty"`
	}
	conclusionJSON struct {
		Indication              validation.Indication
		SubIndication           validation.Sub `json:",omitempty"`
		Errors, Warnings, Infos []messageJSON
	}
	itemJSON struct{ Certificate string }
)

// details sorts checks that did not hold.
func details(checks []validation.Check) obj {
	errs, warnings := faults(checks)
	return obj{"Error": errs, "Warning": warnings, "Info": []messageJSON{}}
}

func faults(checks []validation.Check) (errs, warnings []messageJSON) {
	errs, warnings = []messageJSON{}, []messageJSON{}
	for _, c := range checks {
		switch {
		case c.OK:
		case c.Warning:
			warnings = append(warnings, messageJSON{c.Clause, c.Question + " " + c.Answer})
		default:
			errs = append(errs, messageJSON{c.Clause, c.Question + " " + c.Answer})
		}
	}
	return errs, warnings
}

func chainJSON(chain []*validation.Certificate) []obj {
	out := []obj{}
	for _, c := range chain {
		x := obj{"Id": tokenID("C-", c.ID), "QualifiedName": c.Subject, "trusted": c.Trusted}
		out = append(out, x)
		if c.Trusted {
			break
		}
	}
	return out
}

func sub(o obj, s validation.Sub) obj {
	if s != "" {
		o["SubIndication"] = string(s)
	}
	return o
}

func simple(v *report.Verdict, unheeded []string) obj {
	tokens := []obj{}
	passed := 0
	for i, r := range v.Signatures {
		s := v.Result.Signatures[i]
		if r.Indication == validation.TotalPassed {
			passed++
		}
		scopes := []obj{}
		for _, x := range s.References {
			if strings.HasPrefix(x.Kind, "http://uri.etsi.org/") { // the signer's own properties
				continue
			}
			scopes = append(scopes, obj{"Id": tokenID("D-", x.Name), "name": x.Name, "scope": "FULL", "value": "Full document"})
		}
		x := sub(obj{
			"Id": tokenID("S-", s.ID), "SignatureFormat": s.Level, "Indication": string(r.Indication), "SignedBy": nameOf(s),
			"BestSignatureTime": stampTime(r.BestTime), "CertificateChain": obj{"Certificate": chainJSON(s.Chain)},
			"AdESValidationDetails": details(r.Archival.Checks), "SignatureLevel": worth(r.Qualification), "SignatureScope": scopes,
			"CounterSignature": s.Counter != nil,
		}, r.Sub)
		if v.Name != "" {
			x["Filename"] = v.Name
		}
		if r.Qualification != nil {
			x["QualificationDetails"] = details(r.Qualification.Checks)
		}
		if !s.Claimed.IsZero() {
			x["SigningTime"] = stampTime(s.Claimed)
		}
		if s.Counter != nil {
			x["ParentId"] = tokenID("S-", s.Counter.ID)
		}
		own, evidence := partedByRecord(s.TimeStamps)
		var stamps, records []obj
		for _, t := range own {
			stamps = append(stamps, stampJSON(t, r.TimeStamps[t], r.TimeStampsByLists[t]))
		}
		for _, of := range evidence {
			records = append(records, of.simple(tokenID("S-", s.ID), r.TimeStamps, r.TimeStampsByLists))
		}
		if len(stamps) > 0 {
			x["Timestamps"] = obj{"Timestamp": stamps}
		}
		if len(records) > 0 {
			x["EvidenceRecords"] = obj{"EvidenceRecord": records}
		}
		tokens = append(tokens, obj{"Signature": x})
	}
	conclusions, qualified := byTimeStamp(v)
	own, evidence := partedByRecord(v.Result.TimeStamps)
	for _, t := range own {
		tokens = append(tokens, obj{"Timestamp": stampJSON(t, conclusions[t], qualified[t])})
	}
	for _, of := range evidence {
		tokens = append(tokens, obj{"EvidenceRecord": of.simple("", conclusions, qualified)})
	}
	out := obj{
		"ValidationPolicy": policyOf(v.Policy, unheeded),
		"ValidationTime":   stampTime(v.At), "DocumentName": v.Name, "ValidSignaturesCount": passed, "SignaturesCount": len(v.Signatures),
		"signatureOrTimestampOrEvidenceRecord": tokens,
	}
	if f := v.Result.Format; f == "ASiC-S" || f == "ASiC-E" {
		out["ContainerType"] = strings.ReplaceAll(f, "-", "_")
	}
	return out
}

// nameOf is the common name of a signer, else the whole name.
func nameOf(s *gather.Signature) string {
	if s.Certificate == nil {
		return ""
	}
	return commonName(s.Certificate)
}

func commonName(c *pki.Certificate) string {
	if cn := c.Subject.CommonName(); cn != "" {
		return cn
	}
	return c.Subject.String()
}

func stampJSON(t *validation.TimeStamp, c validation.Conclusion, q *validation.Qualification) obj {
	x := sub(obj{
		"Id": tokenID("T-", t.ID), "Indication": string(c.Indication), "ProductionTime": stampTime(t.Time), "CertificateChain": obj{"Certificate": chainJSON(t.Chain)},
		"AdESValidationDetails": details(c.Checks), "TimestampLevel": worth(q), "TimestampScope": []obj{},
	}, c.Sub)
	if t.Signer != nil {
		x["ProducedBy"] = t.Signer.Subject
	}
	return x
}

// constraints are checks as the detailed report has them.
func constraints(checks []validation.Check) []constraintJSON {
	out := make([]constraintJSON, 0, len(checks))
	for _, c := range checks {
		x := constraintJSON{Name: messageJSON{c.Clause, c.Question}, Status: "OK"}
		switch {
		case c.OK:
		case c.Warning:
			x.Status, x.Warning = "WARNING", &messageJSON{c.Clause, c.Answer}
		default:
			x.Status, x.Error = "NOT OK", &messageJSON{c.Clause, c.Answer}
		}
		out = append(out, x)
	}
	return out
}

func conclusion(c validation.Conclusion) conclusionJSON {
	out := conclusionJSON{Indication: c.Indication, SubIndication: c.Sub, Errors: []messageJSON{}, Infos: []messageJSON{}}
	if c.Why != "" {
		out.Errors = append(out.Errors, messageJSON{string(c.Sub), c.Why})
	}
	_, out.Warnings = faults(c.Checks)
	return out
}

func process(title string, c validation.Conclusion) obj {
	x := obj{"Title": title, "Constraint": constraints(c.Checks), "Conclusion": conclusion(c)}
	if !c.Time.IsZero() {
		x["ProofOfExistence"] = obj{"Time": stampTime(c.Time)}
	}
	return x
}

// blocks are the basic building blocks by the clauses in which they stand [EN 319 102-1 5.2].
var blocks = []struct{ name, title, clause string }{
	{"FC", "Format Checking", "EN 319 102-1 5.2.2"}, {"ISC", "Identification of the Signing Certificate", "EN 319 102-1 5.2.3"},
	{"CV", "Cryptographic Verification", "EN 319 102-1 5.2.7"}, {"SAV", "Signature Acceptance Validation", "EN 319 102-1 5.2.8"},
	{"XCV", "X509 Certificate Validation", "EN 319 102-1 5.2.6"},
}

func blocksJSON(id, kind string, chain []*validation.Certificate, c validation.Conclusion) obj {
	out := obj{"Id": id, "Type": kind, "Conclusion": conclusion(c)}
	for _, block := range blocks {
		var part validation.Conclusion
		part.Indication = validation.Passed
		for _, x := range c.Checks {
			if x.Clause != block.clause {
				continue
			}
			part.Checks = append(part.Checks, x)
			if !x.OK && !x.Warning {
				part.Indication, part.Sub, part.Why = c.Indication, c.Sub, x.Question+" "+x.Answer
			}
		}
		if len(part.Checks) == 0 {
			continue
		}
		x := obj{"Title": block.title, "Constraint": constraints(part.Checks), "Conclusion": conclusion(part)}
		if block.name == "ISC" {
			items := []obj{}
			for _, c := range chainJSON(chain) {
				items = append(items, obj{"Id": c["Id"], "Source": "SIGNATURE"})
			}
			x["CertificateChain"] = obj{"ChainItem": items}
		}
		out[block.name] = x
	}
	return out
}

func total(r *validation.Report) validation.Conclusion {
	return validation.Conclusion{Indication: r.Indication, Sub: r.Sub, Why: r.Why}
}

func detailed(v *report.Verdict) obj {
	tokens, parts := []obj{}, []obj{}
	stamp := func(t *validation.TimeStamp, c validation.Conclusion) obj {
		id := tokenID("T-", t.ID)
		parts = append(parts, blocksJSON(id, "TIMESTAMP", t.Chain, c))
		basic := process("Validation Process for Time-stamps", c)
		delete(basic, "ProofOfExistence")
		basic["Type"], basic["ProductionTime"] = t.Kind, stampTime(t.Time)
		return obj{"Id": id, "ValidationProcessBasicTimestamp": basic, "Conclusion": conclusion(c)}
	}
	for i, r := range v.Signatures {
		s := v.Result.Signatures[i]
		id := tokenID("S-", s.ID)
		own, evidence := partedByRecord(s.TimeStamps)
		stamps, records := []obj{}, []obj{}
		for _, t := range own {
			stamps = append(stamps, stamp(t, r.TimeStamps[t]))
		}
		for _, of := range evidence {
			records = append(records, of.detailed(r.TimeStamps, stamp))
		}
		kind := "SIGNATURE"
		if s.Counter != nil {
			kind = "COUNTER_SIGNATURE"
		}
		parts = append(parts, blocksJSON(id, kind, s.Chain, r.Basic))
		x := obj{
			"Id": id, "CounterSignature": s.Counter != nil, "Timestamp": stamps, "EvidenceRecord": records,
			"ValidationProcessBasicSignature": process("Validation Process for Basic Signatures", r.Basic),
			"ValidationProcessLongTermData":   process("Validation Process for Signatures with Time and Signatures with Long-Term Validation Data", r.LongTerm),
			"ValidationProcessArchivalData":   process("Validation Process for Signatures with Archival Data", r.Archival),
			"Conclusion":                      conclusion(total(r)),
		}
		if r.Qualification != nil {
			x["ValidationSignatureQualification"] = qualification(s.Signer, r.Qualification)
		}
		tokens = append(tokens, obj{"Signature": x})
	}
	conclusions, _ := byTimeStamp(v)
	own, evidence := partedByRecord(v.Result.TimeStamps)
	for _, t := range own {
		tokens = append(tokens, obj{"Timestamp": stamp(t, conclusions[t])})
	}
	for _, of := range evidence {
		tokens = append(tokens, obj{"EvidenceRecord": of.detailed(conclusions, stamp)})
	}
	return obj{"ValidationTime": stampTime(v.At), "signatureOrTimestampOrEvidenceRecord": tokens, "BasicBuildingBlocks": parts, "TLAnalysis": listAnalysis(v.Result.Lists, territories(v))}
}

func basicSignature(t *validation.Token) obj {
	return obj{"EncryptionAlgoUsedToSignThisToken": t.Algorithm.Encryption, "KeyLengthUsedToSignThisToken": bits(t.Algorithm.Bits), "DigestAlgoUsedToSignThisToken": t.Algorithm.Digest,
		"SignatureIntact": t.Intact, "SignatureValid": t.Intact}
}

func bits(n int) string {
	if n == 0 {
		return "?"
	}
	return strconv.Itoa(n)
}

// facts collects the tokens of diagnostic data, each once.
type facts struct {
	extraction
	certificateData, revocationData, stampData, recordData []obj
	seen                                                   map[string]bool
	known                                                  map[string]*pki.Certificate
}

func newFacts(e extraction, all []*pki.Certificate) *facts {
	f := &facts{extraction: e, certificateData: []obj{}, revocationData: []obj{}, stampData: []obj{}, recordData: []obj{}, seen: map[string]bool{}, known: map[string]*pki.Certificate{}}
	for _, c := range all {
		sum := c.Fingerprint()
		f.known[tokenID("C-", hex.EncodeToString(sum[:]))] = c
	}
	return f
}

func (f *facts) items(chain []*validation.Certificate) []itemJSON {
	out := []itemJSON{}
	for _, c := range chain {
		out = append(out, itemJSON{tokenID("C-", c.ID)})
		if c.Trusted {
			break
		}
	}
	return out
}

func (f *facts) add(chain []*validation.Certificate) {
	for i, c := range chain {
		id := tokenID("C-", c.ID)
		if f.seen[id] {
			continue
		}
		f.seen[id] = true
		x := obj{
			"Id": id, "NotBefore": stampTime(c.NotBefore), "NotAfter": stampTime(c.NotAfter), "BasicSignature": basicSignature(&c.Token),
			"SelfSigned": c.SelfSigned, "Trusted": obj{"value": c.Trusted}, "ChainItem": f.items(chain[i+1:]), "Source": []string{"SIGNATURE"},
			"SubjectDistinguishedName": []obj{{"Format": "RFC2253", "value": c.Subject}},
		}
		if p := f.known[id]; p != nil {
			x["SerialNumber"] = p.SerialNumber
			x["CommonName"] = commonName(p)
			x["IssuerDistinguishedName"] = []obj{{"Format": "RFC2253", "value": p.Issuer.String()}}
			x["PublicKeyEncryptionAlgo"], x["PublicKeySize"] = encryption(p.PublicKey, false), pki.KeyBits(p.PublicKey)
			setRaw(x, f.certificates, p.Raw)
		}
		if i+1 < len(chain) && !c.Trusted {
			x["SigningCertificate"] = obj{"Certificate": tokenID("C-", chain[i+1].ID)}
		}
		statuses := []obj{}
		for _, s := range c.Revocations {
			state := "GOOD"
			switch {
			case s.Revoked:
				state = "REVOKED"
			case s.Unknown:
				state = "UNKNOWN"
			}
			o := obj{"Revocation": tokenID("R-", s.Data.ID), "Status": state}
			if s.Revoked {
				o["RevocationDate"] = stampTime(s.Date)
			}
			statuses = append(statuses, o)
			f.revocation(s.Data)
		}
		x["CertificateRevocation"] = statuses
		f.certificateData = append(f.certificateData, x)
		if c.Trusted {
			break
		}
	}
}

// setRaw puts a token into what is told of it, or its digest.
func setRaw(x obj, extract bool, b []byte) {
	switch {
	case b == nil:
	case extract:
		x["Base64Encoded"] = b
	default:
		x["DigestAlgoAndValue"] = digestJSON(b)
	}
}

func digestJSON(b []byte) obj {
	sum := sha256.Sum256(b)
	return obj{"DigestMethod": "SHA256", "DigestValue": sum[:]}
}

func (f *facts) revocation(r *validation.Revocation) {
	id := tokenID("R-", r.ID)
	if f.seen[id] {
		return
	}
	f.seen[id] = true
	kind := "CRL"
	if r.OCSP {
		kind = "OCSP"
	}
	x := obj{"Id": id, "Type": kind, "ProductionDate": stampTime(r.Produced), "ThisUpdate": stampTime(r.ThisUpdate), "BasicSignature": basicSignature(&r.Token), "ChainItem": f.items(r.Chain)}
	setRaw(x, f.revocations, r.Raw)
	if !r.NextUpdate.IsZero() {
		x["NextUpdate"] = stampTime(r.NextUpdate)
	}
	if len(r.Chain) > 0 {
		x["SigningCertificate"] = obj{"Certificate": tokenID("C-", r.Chain[0].ID)}
	}
	f.revocationData = append(f.revocationData, x)
	f.add(r.Chain)
}

func (f *facts) stamp(t *validation.TimeStamp) string {
	id := tokenID("T-", t.ID)
	if f.seen[id] {
		return id
	}
	f.seen[id] = true
	x := obj{"Id": id, "Type": t.Kind, "ProductionTime": stampTime(t.Time), "BasicSignature": basicSignature(&t.Token), "ChainItem": f.items(t.Chain),
		"DigestMatcher": []obj{{"type": "MESSAGE_IMPRINT", "DigestMethod": t.Digest, "DataFound": t.ImprintFound, "DataIntact": t.ImprintIntact}}}
	setRaw(x, f.stamps, t.Raw)
	if len(t.Chain) > 0 {
		x["SigningCertificate"] = obj{"Certificate": tokenID("C-", t.Chain[0].ID)}
	}
	f.stampData = append(f.stampData, x)
	f.add(t.Chain)
	return id
}

func (e extraction) diagnostic(v *report.Verdict) obj {
	f := newFacts(e, v.Result.Certificates)
	signatures := []obj{}
	for _, s := range v.Result.Signatures {
		matchers, found := []obj{}, []obj{}
		for _, r := range s.References {
			kind := "REFERENCE"
			switch {
			case strings.HasPrefix(r.Kind, "http://uri.etsi.org/"):
				kind = "SIGNED_PROPERTIES"
			case slices.Contains([]string{"MESSAGE_DIGEST", "JWS_SIGNING_INPUT_DIGEST", "SIG_D_ENTRY"}, r.Kind):
				kind = r.Kind
			case r.Entry:
				kind = "MANIFEST_ENTRY"
			}
			m := obj{"type": kind, "uri": r.Name, "DataFound": r.Found, "DataIntact": r.Intact}
			if r.Digest != "" {
				m["DigestMethod"] = r.Digest
			}
			matchers = append(matchers, m)
		}
		own, evidence := partedByRecord(s.TimeStamps)
		records := []obj{}
		for _, t := range own {
			found = append(found, obj{"Timestamp": f.stamp(t)})
		}
		for _, of := range evidence {
			records = append(records, obj{"EvidenceRecord": f.record(of)})
		}
		x := obj{"Id": tokenID("S-", s.ID), "DAIdentifier": s.ID, "SignatureFilename": v.Name, "SignatureFormat": s.Level, "BasicSignature": basicSignature(&s.Token),
			"ChainItem": f.items(s.Chain), "DigestMatcher": matchers, "FoundTimestamp": found, "FoundEvidenceRecord": records, "StructuralValidation": obj{"valid": s.Structure == nil && len(s.Malformed) == 0}}
		if !s.Claimed.IsZero() {
			x["ClaimedSigningTime"] = stampTime(s.Claimed)
		}
		if len(s.Chain) > 0 {
			x["SigningCertificate"] = obj{"Certificate": tokenID("C-", s.Chain[0].ID)}
		}
		if s.Counter != nil {
			x["CounterSignature"], x["Parent"] = true, tokenID("S-", s.Counter.ID)
		}
		signatures = append(signatures, x)
		f.add(s.Chain)
	}
	own, evidence := partedByRecord(v.Result.TimeStamps)
	for _, t := range own {
		f.stamp(t)
	}
	for _, of := range evidence {
		f.record(of)
	}
	return obj{"DocumentName": v.Name, "ValidationDate": stampTime(v.At), "Signature": signatures, "Certificate": f.certificateData, "Revocation": f.revocationData, "Timestamp": f.stampData, "EvidenceRecord": f.recordData, "TrustedList": listData(v.Result.Lists, territories(v))}
}

// certificateReports are those of one certificate; known are others of its chain.
func (e extraction) certificateReports(c *pki.Certificate, known []*pki.Certificate, t *validation.Token, x validation.Conclusion, set *trustlist.Set, policy obj, at time.Time) obj {
	f := newFacts(e, append(known, c))
	f.add(t.Chain)
	id := tokenID("C-", t.ID)
	item := sub(obj{
		"Id": id, "notBefore": stampTime(c.NotBefore), "notAfter": stampTime(c.NotAfter), "subject": obj{"commonName": commonName(c)}, "Indication": string(x.Indication),
		"X509ValidationDetails": details(x.Checks), "qualificationAtIssuance": notApplicable, "qualificationAtValidation": notApplicable,
	}, x.Sub)
	qualifyCertificate(item, t.Signer, set, at)
	of := territoriesOf(t.Signer)
	return obj{
		"diagnosticData":          obj{"ValidationDate": stampTime(at), "Certificate": f.certificateData, "Revocation": f.revocationData, "TrustedList": listData(set, of)},
		"simpleCertificateReport": obj{"ValidationTime": stampTime(at), "ValidationPolicy": policy, "Certificate": item},
		"detailedReport":          obj{"ValidationTime": stampTime(at), "signatureOrTimestampOrEvidenceRecord": []obj{}, "BasicBuildingBlocks": []obj{blocksJSON(id, "CERTIFICATE", t.Chain, x)}, "TLAnalysis": listAnalysis(set, of)},
	}
}
