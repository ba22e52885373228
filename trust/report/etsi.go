package report

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Namespaces and prefixes of identifiers [TS 119 102-2 B].
const (
	nsReport = "http://uri.etsi.org/19102/v1.4.1#"
	nsDSig   = "http://www.w3.org/2000/09/xmldsig#"

	urn        = "urn:etsi:019102:"
	urnObject  = urn + "validationObject:"
	urnSHA256  = "http://www.w3.org/2001/04/xmlenc#sha256"
	xsDateTime = "2006-01-02T15:04:05Z"

	// noSignature stands where a document holds time-stamps alone: the schema asks for a signature's status, and ETSI has no name for
	// that there is none; other implementations read this one.
	noSignature = "urn:cef:dss:mainindication:noSignatureFound"
)

// etsi writes a report.
type etsi struct {
	*dom.Writer
	v       *Verdict
	objects []object
	seen    map[string]bool
}

// object is something that validation looked at.
type object struct {
	id, kind, token string
	stamp           *validation.TimeStamp
	conclusion      validation.Conclusion
}

// ETSI is the verdict as a signature validation report in XML [TS 119 102-2 4], unsigned. Of a document with neither
// signature nor time-stamp there is none: nil.
func (v *Verdict) ETSI() []byte {
	if len(v.Signatures)+len(v.Result.TimeStamps) == 0 {
		return nil
	}
	e := &etsi{Writer: dom.NewWriter(nil), v: v, seen: map[string]bool{}}
	e.Start("ValidationReport", "xmlns", nsReport, "xmlns:ds", nsDSig)
	for i, r := range v.Signatures {
		e.signature(v.Result.Signatures[i], r)
	}
	if len(v.Signatures) == 0 {
		e.Start("SignatureValidationReport")
		e.Start("SignatureValidationStatus")
		e.Element("MainIndication", noSignature)
		e.End()
		e.End()
	}
	for i, t := range v.Result.TimeStamps {
		e.timeStamp(t, v.TimeStamps[i])
		e.chain(t.Chain)
	}
	if len(e.objects) > 0 {
		e.Start("SignatureValidationObjects")
		for i := 0; i < len(e.objects); i++ { // a time-stamp may bring in further ones
			e.object(e.objects[i])
		}
		e.End()
	}
	e.End()
	return e.Bytes()
}

// digestOf tells the SHA-256 that an ID of package gather is, nil where it is another name.
func digestOf(id string) []byte {
	if b, err := hex.DecodeString(id); err == nil && len(b) == sha256.Size {
		return b
	}
	return nil
}

// name makes an xs:ID of a token's.
func name(prefix, token string) string {
	if digestOf(token) == nil {
		sum := sha256.Sum256([]byte(token))
		token = hex.EncodeToString(sum[:])
	}
	return prefix + strings.ToUpper(token)
}

// token names an object, which the report then describes.
func (e *etsi) token(prefix, kind, token string, stamp *validation.TimeStamp, c validation.Conclusion) string {
	id := name(prefix, token)
	if !e.seen[id] {
		e.seen[id] = true
		e.objects = append(e.objects, object{id, kind, token, stamp, c})
	}
	return id
}

// timeStamp names a time-stamp, and the evidence record that it is of.
func (e *etsi) timeStamp(t *validation.TimeStamp, c validation.Conclusion) string {
	if t.RecordRaw != nil {
		sum := sha256.Sum256(t.RecordRaw)
		e.token("ER-", "evidencerecord", hex.EncodeToString(sum[:]), nil, validation.Conclusion{})
	}
	return e.token("T-", "timestamp", t.ID, t, c)
}

func (e *etsi) certificate(c *validation.Certificate) string {
	return e.token("C-", "certificate", c.ID, nil, validation.Conclusion{})
}

// chain names the certificates of a chain and their revocation data.
func (e *etsi) chain(chain []*validation.Certificate) (ids []string, anchored bool) {
	for _, c := range chain {
		ids = append(ids, e.certificate(c))
		if c.Trusted {
			return ids, true
		}
		for _, s := range c.Revocations {
			kind := "CRL"
			if s.Data.OCSP {
				kind = "OCSPResponse"
			}
			e.token("R-", kind, s.Data.ID, nil, validation.Conclusion{})
		}
	}
	return ids, false
}

func (e *etsi) reference(element, id string) {
	e.Start(element, "VOReference", id)
	e.End()
}

func (e *etsi) time(element string, t time.Time) { e.Element(element, t.UTC().Format(xsDateTime)) }

func (e *etsi) signature(s *gather.Signature, r *validation.Report) {
	e.Start("SignatureValidationReport")
	id := name("S-", s.ID)
	for e.seen[id] { // a copy
		id += "-"
	}
	e.seen[id] = true
	e.Start("SignatureIdentifier", "id", id)
	e.Element("HashOnly", "false")
	e.Element("DocHashOnly", "false")
	e.Element("DAIdentifier", s.ID)
	e.End()
	e.constraints(r.Archival.Checks)
	e.Start("ValidationTimeInfo")
	e.time("ValidationTime", e.v.At)
	e.Start("BestSignatureTime")
	best, proof := r.BestTime, "provided"
	if best.IsZero() || !best.Before(e.v.At) {
		best, proof = e.v.At, "validation"
	}
	e.time("POETime", best)
	e.Element("TypeOfProof", urn+"poetype:"+proof)
	for _, t := range s.TimeStamps {
		if proof == "provided" && t.Time.Equal(best) {
			e.reference("POEObject", e.timeStamp(t, r.TimeStamps[t]))
			break
		}
	}
	e.End()
	e.End()
	e.attributes(s, r)
	if s.Signer != nil {
		e.Start("SignerInformation")
		e.reference("SignerCertificate", e.certificate(s.Signer))
		e.Element("Signer", s.Signer.Subject)
		e.End()
	}
	e.Start("SignatureValidationProcess")
	e.Element("SignatureValidationProcessID", urn+"validationprocess:LTA")
	e.End()
	e.status("SignatureValidationStatus", r.Indication, r.Sub, r.Why, s.Chain)
	e.End()
}

// attributes tells of the signed and unsigned properties that matter to the verdict [TS 119 102-2 A].
func (e *etsi) attributes(s *gather.Signature, r *validation.Report) {
	if s.Claimed.IsZero() && len(s.Certificates) == 0 && len(s.TimeStamps) == 0 {
		return
	}
	e.Start("SignatureAttributes")
	if !s.Claimed.IsZero() {
		e.Start("SigningTime", "Signed", "true")
		e.time("Time", s.Claimed)
		e.End()
	}
	if len(s.Certificates) > 0 {
		e.Start("SigningCertificate", "Signed", "true")
		if s.Signer != nil && s.Certificates[0].Matches {
			e.reference("AttributeObject", e.certificate(s.Signer))
		}
		e.End()
	}
	for _, t := range s.TimeStamps {
		element := "ArchiveTimeStamp"
		switch t.Kind {
		case "CONTENT_TIMESTAMP", "ALL_DATA_OBJECTS_TIMESTAMP":
			element = "AllDataObjectsTimeStamp"
		case "INDIVIDUAL_DATA_OBJECTS_TIMESTAMP":
			element = "IndividualDataObjectsTimeStamp"
		case "SIGNATURE_TIMESTAMP":
			element = "SignatureTimeStamp"
		case "VALIDATION_DATA_TIMESTAMP":
			element = "SigAndRefsTimeStamp"
		case "VALIDATION_DATA_REFSONLY_TIMESTAMP":
			element = "RefsOnlyTimeStamp"
		case "DOCUMENT_TIMESTAMP":
			element = "DocTimeStamp"
		}
		e.Start(element)
		e.reference("AttributeObject", e.timeStamp(t, r.TimeStamps[t]))
		e.time("TimeStampValue", t.Time)
		e.End()
	}
	e.End()
}

// constraints is one for each clause of the process that was applied: what its first check that failed says, else passed.
func (e *etsi) constraints(checks []validation.Check) {
	if len(checks) == 0 {
		return
	}
	var clauses []string
	failed := map[string]*validation.Check{}
	for i, c := range checks {
		if _, seen := failed[c.Clause]; !seen {
			clauses = append(clauses, c.Clause)
			failed[c.Clause] = nil
		}
		if !c.OK && !c.Warning && failed[c.Clause] == nil {
			failed[c.Clause] = &checks[i]
		}
	}
	e.Start("ValidationConstraintsEvaluationReport")
	for _, clause := range clauses {
		e.Start("ValidationConstraint")
		e.Element("ValidationConstraintIdentifier", "urn:viadukt:clause:"+strings.ReplaceAll(clause, " ", ":"))
		e.Start("ConstraintStatus")
		e.Element("Status", urn+"constraintStatus:applied")
		e.End()
		e.Start("ValidationStatus")
		indication := "passed"
		if failed[clause] != nil {
			indication = "failed"
		}
		e.Element("MainIndication", urn+"mainindication:"+indication)
		if c := failed[clause]; c != nil {
			e.message(c.Question + " " + c.Answer)
		}
		e.End()
		e.End()
	}
	e.End()
}

// message is free text beside a status.
func (e *etsi) message(text string) {
	e.Start("AssociatedValidationReportData")
	e.messageData(text)
	e.End()
}

func (e *etsi) messageData(text string) {
	e.Start("AdditionalValidationReportData")
	e.Start("ReportData")
	e.Element("Type", "urn:viadukt:why")
	e.Element("Value", text)
	e.End()
	e.End()
}

func (e *etsi) status(element string, i validation.Indication, sub validation.Sub, why string, chain []*validation.Certificate) {
	e.Start(element)
	e.Element("MainIndication", urn+"mainindication:"+strings.ToLower(strings.ReplaceAll(string(i), "_", "-")))
	if sub != "" {
		e.Element("SubIndication", urn+"subindication:"+string(sub))
	}
	if ids, anchored := e.chain(chain); len(ids) > 0 || why != "" {
		e.Start("AssociatedValidationReportData")
		last := len(ids) - 1
		if anchored {
			e.reference("TrustAnchor", ids[last])
		}
		if len(ids) > 0 {
			e.Start("CertificateChain")
			e.reference("SigningCertificate", ids[0])
			for n, id := range ids[1:] {
				if !anchored || n+1 < last {
					e.reference("IntermediateCertificate", id)
				}
			}
			if anchored {
				e.reference("TrustAnchor", ids[last])
			}
			e.End()
		}
		if why != "" {
			e.messageData(why)
		}
		e.End()
	}
	e.End()
}

func (e *etsi) object(o object) {
	e.Start("ValidationObject", "id", o.id)
	e.Element("ObjectType", urnObject+o.kind)
	e.Start("ValidationObjectRepresentation")
	if sum := digestOf(o.token); sum != nil {
		e.Start("DigestAlgAndValue")
		e.Start("ds:DigestMethod", "Algorithm", urnSHA256)
		e.End()
		e.Start("ds:DigestValue")
		e.Base64(sum)
		e.End()
		e.End()
	} else {
		e.Element("direct", o.token)
	}
	e.End()
	if t := o.stamp; t != nil {
		e.Start("POE")
		e.time("POETime", e.v.At)
		e.Element("TypeOfProof", urn+"poetype:validation")
		e.End()
		if len(t.Covers) > 0 {
			e.Start("POEProvisioning")
			e.time("POETime", t.Time)
			e.End()
		}
		e.Start("ValidationReport")
		e.constraints(o.conclusion.Checks)
		if t.Signer != nil {
			e.Start("SignerInformation")
			e.reference("SignerCertificate", e.certificate(t.Signer))
			e.Element("Signer", t.Signer.Subject)
			e.End()
		}
		e.status("SignatureValidationStatus", o.conclusion.Indication, o.conclusion.Sub, o.conclusion.Why, t.Chain)
		e.End()
	}
	e.End()
}
