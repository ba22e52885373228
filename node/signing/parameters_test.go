package signing

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// sign takes the steps of a signature at a level, with parameters beside the usual ones.
func (w *world) sign(level string, more obj, documents ...obj) obj {
	w.t.Helper()
	p := obj{"signatureLevel": level, "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "digestAlgorithm": "SHA256"}
	maps.Copy(p, more)
	b := obj{"signingDate": now.UnixMilli()}
	if given, ok := more["blevelParams"].(obj); ok {
		maps.Copy(b, given)
	}
	p["blevelParams"] = b
	in, path, first := obj{"parameters": p, "toSignDocument": documents[0]}, "signature/one-document/", "getDataToSign"
	if len(documents) > 1 {
		in, path, first = obj{"parameters": p, "toSignDocuments": documents}, "signature/multiple-documents/", "getDataToSignMultiple"
	}
	in["signatureValue"] = w.call("server-signing/sign/seal/SHA256", w.call(path+first, in, 200), 200)
	return w.call(path+"signDocument", in, 200)
}

func octetsOf(d obj) []byte { return must(base64.StdEncoding.DecodeString(d["bytes"].(string))) }

// signatureOf is the verdict about the first signature of a document.
func (w *world) signatureOf(d, more obj) obj {
	w.t.Helper()
	return w.judged(d, more)["signatureOrTimestampOrEvidenceRecord"].([]any)[0].(obj)["Signature"].(obj)
}

func xadesOf(t *testing.T, b []byte) *xades.Signature {
	t.Helper()
	return must(xades.Parse(xades.Find(must(dom.Parse(bytes.Clone(b), dom.Limits{})))[0]))
}

func TestSignaturePolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	sum := sha256.Sum256([]byte("The policy."))
	b := obj{"policyId": "1.2.3.4", "policyQualifier": "OID_AS_URN", "policyDigestAlgorithm": "SHA256", "policyDigestValue": sum[:], "policySpuri": "https://policy.example/p"}
	described := maps.Clone(b)
	described["policyDescription"] = "How we sign"
	named := maps.Clone(described)
	named["policyId"], named["policyQualifier"] = "urn:oid:1.2.3.4", "OID_AS_URI"
	for _, c := range []struct {
		level    string
		document obj
		policy   obj
		read     func(b []byte) (id, description string, digest []byte, uri string)
	}{
		{"XAdES_BASELINE_B", document("a.xml", []byte("<a/>")), described, func(b []byte) (string, string, []byte, string) {
			p := xadesOf(t, b).Policy
			return p.ID, p.Description, p.Digest, p.URI
		}},
		{"CAdES_BASELINE_B", document("a.txt", []byte("a")), b, func(b []byte) (string, string, []byte, string) {
			p := must(cades.Parse(b))[0].Policy
			return "urn:oid:" + string(p.ID), "", p.Digest, p.URI
		}},
		{"PAdES_BASELINE_B", document("a.pdf", sheet()), b, func(b []byte) (string, string, []byte, string) {
			p := must(pades.Open(bytes.NewReader(b), int64(len(b)))).Signatures[0].CMS.Policy
			return "urn:oid:" + string(p.ID), "", p.Digest, p.URI
		}},
		{"JAdES_BASELINE_B", document("a.json", []byte("{}")), named, func(b []byte) (string, string, []byte, string) {
			p := must(jades.Parse(b)).Signatures[0].Policy
			return p.ID, p.Description, p.Digest, p.URI
		}},
	} {
		signed := w.sign(c.level, obj{"blevelParams": c.policy}, c.document)
		id, description, digest, uri := c.read(octetsOf(signed))
		want, _ := c.policy["policyDescription"].(string)
		if id != "urn:oid:1.2.3.4" || description != want || !bytes.Equal(digest, sum[:]) || uri != "https://policy.example/p" {
			t.Errorf("%s: %s, %q, %x, %s", c.level, id, description, digest, uri)
		}
		if s := w.signatureOf(signed, nil); s["Indication"] != "TOTAL_PASSED" || s["SignatureFormat"] != strings.ReplaceAll(c.level, "_", "-") {
			t.Errorf("%s: %v, %v", c.level, s["Indication"], s["SignatureFormat"])
		}
	}
	for name, odd := range map[string]obj{
		"without a digest":    {"policyId": "1.2.3.4"},
		"a digest too short":  {"policyId": "1.2.3.4", "policyDigestAlgorithm": "SHA256", "policyDigestValue": []byte("x")},
		"without identifier":  {"policyDigestAlgorithm": "SHA256", "policyDigestValue": sum[:]},
		"an odd qualifier":    {"policyId": "1.2.3.4", "policyQualifier": "OID", "policyDigestAlgorithm": "SHA256", "policyDigestValue": sum[:]},
		"a URI in CAdES":      {"policyId": "https://policy.example/p", "policyDigestAlgorithm": "SHA256", "policyDigestValue": sum[:]},
		"described for CAdES": described,
	} {
		odd["signingDate"] = now.UnixMilli()
		p := obj{"signatureLevel": "CAdES_BASELINE_B", "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": odd}
		got := w.call("signature/one-document/getDataToSign", obj{"parameters": p, "toSignDocument": document("a.txt", []byte("a"))}, 400)
		if !strings.Contains(strings.ToLower(got["detail"].(string)), "policy") && name != "without a digest" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFurtherParameters: what a client may ask for beside the usual things.
func TestFurtherParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	passes := func(name string, signed, more obj) []byte {
		t.Helper()
		if s := w.signatureOf(signed, more); s["Indication"] != "TOTAL_PASSED" {
			t.Errorf("%s: %v %v", name, s["Indication"], s["AdESValidationDetails"])
		}
		return octetsOf(signed)
	}
	xml := document("a.xml", []byte(`<a xmlns="urn:a" xmlns:x="urn:x" b="x:c"><x:d/></a>`))
	text := document("a.txt", []byte("a"))
	enveloping := obj{"signaturePackaging": "ENVELOPING", "embedXML": true}
	b := passes("embedded", w.sign("XAdES_BASELINE_B", enveloping, xml), nil)
	if !bytes.Contains(b, []byte(`<a xmlns="urn:a" xmlns:x="urn:x" b="x:c"><x:d></x:d></a>`)) {
		t.Errorf("%s", b)
	}
	var broken []byte
	if broken = bytes.Replace(b, []byte("<x:d>"), []byte("<x:d f=''>"), 1); bytes.Equal(b, broken) {
		t.Fatal("nothing was changed")
	}
	if s := w.signatureOf(document("a.xml", broken), nil); s["SubIndication"] != "HASH_FAILURE" {
		t.Errorf("changed: %v", s)
	}
	w.call("signature/one-document/getDataToSign", obj{"parameters": obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "ENVELOPING", "embedXML": true, "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": obj{"signingDate": 1}}, "toSignDocument": text}, 422)

	sum := sha256.Sum256([]byte("a"))
	manifest := `<ds:Manifest xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="m"><ds:Reference URI="a.txt"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>` + base64.StdEncoding.EncodeToString(sum[:]) + `</ds:DigestValue></ds:Reference></ds:Manifest>`
	signed := w.sign("XAdES_BASELINE_B", obj{"signaturePackaging": "ENVELOPING", "manifestSignature": true}, document("m.xml", []byte(manifest)))
	if b = passes("a manifest", signed, obj{"originalDocuments": []obj{text}}); !bytes.Contains(b, []byte(`Type="http://www.w3.org/2000/09/xmldsig#Manifest" URI="#m"`)) {
		t.Errorf("%s", b)
	}

	assertion := `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1"/>`
	b = passes("an assertion", w.sign("XAdES_BASELINE_B", obj{"blevelParams": obj{"signedAssertions": []string{assertion}}}, xml), nil)
	if !bytes.Contains(b, []byte(`<xades:SignedAssertions><xades:SignedAssertion><saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1"></saml:Assertion>`)) {
		t.Errorf("%s", b)
	}

	b = passes("an address", w.sign("CAdES_BASELINE_B", obj{"blevelParams": obj{"signerLocationPostalAddress": []string{"Long Street 1", "10111 Tallinn"}}}, text), nil)
	if l := must(cades.Parse(b))[0].Location; l == nil || !slices.Equal(l.Postal, []string{"Long Street 1", "10111 Tallinn"}) {
		t.Errorf("%+v", l)
	}

	raw := w.sign("JAdES_BASELINE_B", obj{"base64UrlEncodedPayload": false, "jwsSerializationType": "FLATTENED_JSON_SERIALIZATION"}, document("a.json", []byte(`{"a":1}`)))
	if b = passes("content as it is", raw, nil); !bytes.Contains(b, []byte(`"{\"a\":1}"`)) {
		t.Errorf("%s", b)
	}
	clear := w.call("signature/one-document/extendDocument", obj{"toExtendDocument": raw, "signatureProfile": "BASELINE_LT", "parameters": obj{"base64UrlEncodedEtsiUComponents": false}}, 200)
	if b = passes("in clear", clear, nil); !bytes.Contains(b, []byte(`"sigTst":{`)) {
		t.Errorf("%s", b)
	}
	for mechanism, want := range map[string]jades.Mechanism{"OBJECT_ID_BY_URI": jades.ByURI, "OBJECT_ID_BY_URI_HASH": jades.ByURIHash, "": jades.ByURIHash, "NO_SIG_D": ""} {
		b = passes(mechanism, w.sign("JAdES_BASELINE_B", obj{"signaturePackaging": "DETACHED", "sigDMechanism": mechanism}, text), obj{"originalDocuments": []obj{text}})
		got := jades.Mechanism("")
		if o := must(jades.Parse(b)).Signatures[0].Objects; o != nil {
			got = o.Mechanism
		}
		if got != want {
			t.Errorf("%q: %s, want %s", mechanism, got, want)
		}
	}

	b = passes("digests of detached content", w.sign("JAdES_BASELINE_B", obj{"signaturePackaging": "DETACHED", "referenceDigestAlgorithm": "SHA512"}, text), obj{"originalDocuments": []obj{text}})
	if o := must(jades.Parse(b)).Signatures[0].Objects; o.Hash != crypto.SHA512 {
		t.Errorf("%v", o.Hash)
	}

	container := w.sign("CAdES_BASELINE_B", obj{"asicContainerType": "ASiC_E", "referenceDigestAlgorithm": "SHA512"}, text, xml)
	passes("digests of the manifest", container, nil)
	if d := w.call("validation/validateSignature", obj{"signedDocument": container}, 200)["DiagnosticData"].(obj)["Signature"].([]any)[0].(obj)["DigestMatcher"].([]any); !slices.ContainsFunc(d, func(m any) bool { return m.(obj)["DigestMethod"] == "SHA512" }) {
		t.Errorf("%v", d)
	}

	// Content time-stamps: over the octets in CMS, over what is signed in XML.
	stamp := func(content string) string {
		sum := sha256.Sum256([]byte(content))
		return w.call("timestamp-service/getTimestampResponse", obj{"algorithm": "SHA256", "value": sum[:]}, 200)["binaries"].(string)
	}
	for _, c := range []struct {
		level, over string
		more        obj
		document    obj
	}{
		{"CAdES_BASELINE_B", "a", nil, text},
		{"XAdES_BASELINE_B", "a", obj{"signaturePackaging": "DETACHED"}, text},
		{"XAdES_BASELINE_B", `<b></b>`, nil, document("b.xml", []byte("<b/>"))},
		{"JAdES_BASELINE_B", "YQ", nil, text},
	} {
		token := stamp(c.over)
		more := obj{"contentTimestamps": []obj{{"binaries": token, "canonicalizationMethod": "http://www.w3.org/2001/10/xml-exc-c14n#", "includes": nil, "type": "CONTENT_TIMESTAMP"}}}
		maps.Copy(more, c.more)
		signed := w.sign(c.level, more, c.document)
		s := w.signatureOf(signed, obj{"originalDocuments": []obj{c.document}})
		stamps, _ := s["Timestamps"].(obj)["Timestamp"].([]any)
		if s["Indication"] != "TOTAL_PASSED" || len(stamps) != 1 || stamps[0].(obj)["Indication"] != "PASSED" {
			t.Errorf("%s over %q: %v %v", c.level, c.over, s["Indication"], stamps)
		}
	}
}

// TestPoliciesOfRequests: constraints and cryptographic suites of a request are kept, or refused by name.
func TestPoliciesOfRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	signed := w.sign("XAdES_BASELINE_B", nil, document("a.xml", []byte("<a/>")))
	suite := []byte(`{"SecuritySuitabilityPolicy":{"PolicyName":{"Name":"nothing but SHA-512"},"PolicyIssueDate":"2026-01-01","Algorithm":[
		{"AlgorithmIdentifier":{"Name":"SHA512","ObjectIdentifier":["2.16.840.1.101.3.4.2.3"]},"Evaluation":[{"Validity":{}}]}]}}`)
	constraints := []byte(`<ConstraintsParameters xmlns="http://dss.esig.europa.eu/validation/policy" Name="Long ones alone"><SignatureConstraints><AcceptableFormats Level="FAIL"><Id>XAdES-BASELINE-LTA</Id></AcceptableFormats></SignatureConstraints></ConstraintsParameters>`)
	for name, c := range map[string]struct {
		more     obj
		sub      string
		policies string
	}{
		"none":                 {nil, "", policyName},
		"a suite":              {obj{"cryptographicSuite": document("s.json", suite)}, "CRYPTO_CONSTRAINTS_FAILURE_NO_POE", "nothing but SHA-512"},
		"constraints":          {obj{"policy": document("p.xml", constraints)}, "FORMAT_FAILURE", "Long ones alone"},
		"constraints, a suite": {obj{"policy": document("p.xml", constraints), "cryptographicSuite": document("s.json", suite)}, "FORMAT_FAILURE", "Long ones alone"},
	} {
		got := w.judged(signed, c.more)
		s := got["signatureOrTimestampOrEvidenceRecord"].([]any)[0].(obj)["Signature"].(obj)
		sub, _ := s["SubIndication"].(string)
		if is := got["ValidationPolicy"].(obj)["PolicyName"]; sub != c.sub || is != c.policies {
			t.Errorf("%s: %s by %q, want %s by %q", name, sub, is, c.sub, c.policies)
		}
	}
	odd := bytes.Replace(constraints, []byte("AcceptableFormats"), []byte("NoSuchThing"), -1)
	if got := w.call("validation/validateSignature", obj{"signedDocument": signed, "policy": document("p.xml", odd)}, 422); !strings.Contains(got["detail"].(string), "NoSuchThing") {
		t.Errorf("%v", got)
	}
	cert := obj{"certificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "cryptographicSuite": document("s.json", suite), "tokenExtractionStrategy": "EXTRACT_CERTIFICATES_ONLY"}
	report := w.call("certificate-validation/validateCertificate", cert, 200)
	if x := report["simpleCertificateReport"].(obj); x["Certificate"].(obj)["Indication"] == "PASSED" || x["ValidationPolicy"].(obj)["PolicyName"] != "nothing but SHA-512" {
		t.Errorf("%v", x)
	}
	for _, x := range report["diagnosticData"].(obj)["Certificate"].([]any) {
		if b := x.(obj)["Base64Encoded"]; b != base64.StdEncoding.EncodeToString(w.key.Certificate.Raw) && b != base64.StdEncoding.EncodeToString(w.ca.Certificate.Raw) {
			t.Errorf("%v", x)
		}
	}
}

// TestTokensAreHandedOut where the request asks for them, and are digests elsewhere.
func TestTokensAreHandedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	signed := w.sign("XAdES_BASELINE_LT", nil, document("a.xml", []byte("<a/>")))
	record := must(ers.Create(t.Context(), serviceStamper{w}, ers.XML, crypto.SHA256, []xades.Document{xades.Bytes("", "", octetsOf(signed))}))
	for strategy, want := range map[string]extraction{
		"": {}, "NONE": {}, "EXTRACT_ALL": {true, true, true, true}, "EXTRACT_CERTIFICATES_ONLY": {certificates: true}, "EXTRACT_EVIDENCE_RECORDS_ONLY": {records: true},
		"EXTRACT_TIMESTAMPS_AND_REVOCATION_DATA": {stamps: true, revocations: true}, "EXTRACT_REVOCATION_DATA_AND_EVIDENCE_RECORDS": {revocations: true, records: true},
	} {
		data := w.call("validation/validateSignature", obj{"signedDocument": signed, "tokenExtractionStrategy": strategy, "evidenceRecords": []obj{document("a.xml", record)}}, 200)["DiagnosticData"].(obj)
		for kind, extracted := range map[string]bool{"Certificate": want.certificates, "Timestamp": want.stamps, "Revocation": want.revocations, "EvidenceRecord": want.records} {
			list := data[kind].([]any)
			if len(list) == 0 {
				t.Errorf("%s: no %s", strategy, kind)
			}
			for _, x := range list {
				whole, hasWhole := x.(obj)["Base64Encoded"]
				digest, hasDigest := x.(obj)["DigestAlgoAndValue"].(obj)
				if hasWhole != extracted || hasDigest == extracted {
					t.Errorf("%s: %s %v", strategy, kind, x)
				}
				if hasWhole {
					sum := sha256.Sum256(must(base64.StdEncoding.DecodeString(whole.(string))))
					if !strings.HasSuffix(x.(obj)["Id"].(string), strings.ToUpper(hex.EncodeToString(sum[:]))) {
						t.Errorf("%s: %s is not %v", strategy, kind, x.(obj)["Id"])
					}
				} else if digest["DigestMethod"] != "SHA256" {
					t.Errorf("%v", digest)
				}
			}
		}
	}
	if _, err := tsp.ParseToken(must(base64.StdEncoding.DecodeString(func() string {
		data := w.call("validation/validateSignature", obj{"signedDocument": signed, "tokenExtractionStrategy": "EXTRACT_TIMESTAMPS_ONLY"}, 200)["DiagnosticData"].(obj)
		return data["Timestamp"].([]any)[0].(obj)["Base64Encoded"].(string)
	}()))); err != nil {
		t.Error(err)
	}
}

// A container, or a message with its content, that comes to be signed is signed beside those who signed it before.
func TestSignaturesBesideEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	for level, more := range map[string]obj{
		"XAdES_BASELINE_B":  {"asicContainerType": "ASiC_E"},
		"CAdES_BASELINE_B":  {"asicContainerType": "ASiC_E"},
		"CAdES_BASELINE_T":  {"asicContainerType": "ASiC_S"},
		"CAdES_BASELINE_LT": {"signaturePackaging": "ENVELOPING"},
	} {
		d := w.sign(level, more, document("note.txt", []byte("note")))
		for n := 1; n <= 2; n++ {
			found := w.judged(d, obj{})["signatureOrTimestampOrEvidenceRecord"].([]any)
			if len(found) != n {
				t.Fatalf("%s: %d signatures, not %d", level, len(found), n)
			}
			for _, x := range found {
				if s := x.(obj)["Signature"].(obj); s["Indication"] != "TOTAL_PASSED" {
					t.Errorf("%s: %v %v", level, s["Indication"], s["SubIndication"])
				}
			}
			if n == 1 {
				again := maps.Clone(more)
				again["blevelParams"] = obj{"signingDate": now.UnixMilli() + 60_000}
				d = w.sign(level, again, document(d["name"].(string), octetsOf(d)))
			}
		}
	}
}
