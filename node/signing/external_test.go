package signing

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

func (w *world) judged(d obj, more obj) obj {
	w.t.Helper()
	in := obj{"signedDocument": d}
	maps.Copy(in, more)
	return w.call("validation/validateSignature", in, 200)["SimpleReport"].(obj)
}

// TestMessagesMadeElsewhere: the message of a PDF signature is made apart from the document, whose digest alone it needs.
func TestMessagesMadeElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	pdf := document("letter.pdf", sheet())
	for _, level := range []string{"B", "T", "LTA"} {
		date := obj{"signingDate": now.UnixMilli()}
		place := obj{"signatureLevel": "PAdES_BASELINE_" + level, "digestAlgorithm": "SHA512", "blevelParams": date}
		digest := w.call("signature/pades-external-cms/getMessageDigest", obj{"parameters": place, "toSignDocument": pdf}, 200)
		if digest["algorithm"] != "SHA512" {
			t.Errorf("%v", digest)
		}
		p := obj{"signatureLevel": "PAdES_BASELINE_" + level, "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": date}
		in := obj{"parameters": p, "messageDigest": digest}
		in["signatureValue"] = w.call("server-signing/sign/seal/SHA512", w.call("signature/external-cms/getDataToSign", in, 200), 200)
		message := w.call("signature/external-cms/signMessageDigest", in, 200)
		signed := w.call("signature/pades-external-cms/signDocument", obj{"parameters": place, "toSignDocument": pdf, "cmsDocument": message}, 200)
		if want := "letter-signed-pades-baseline-" + strings.ToLower(level) + ".pdf"; signed["name"] != want {
			t.Errorf("its name is %v, want %s", signed["name"], want)
		}
		s := w.judged(signed, nil)["signatureOrTimestampOrEvidenceRecord"].([]any)[0].(obj)["Signature"].(obj)
		if s["Indication"] != "TOTAL_PASSED" || s["SignatureFormat"] != "PAdES-BASELINE-"+level {
			t.Errorf("%s: %v %v", level, s["SignatureFormat"], s["Indication"])
		}
		// Over another document, and with another digest than is asked for.
		w.call("signature/pades-external-cms/signDocument", obj{"parameters": place, "toSignDocument": document("b.pdf", append(sheet(), '\n')), "cmsDocument": message}, 422)
		p["digestAlgorithm"] = "SHA256"
		w.call("signature/external-cms/getDataToSign", in, 400)
	}
	p := obj{"signatureLevel": "CAdES_BASELINE_B", "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": obj{"signingDate": now.UnixMilli()}}
	in := obj{"parameters": p, "messageDigest": w.call("signature/pades-external-cms/getMessageDigest", obj{"parameters": obj{"signatureLevel": "PAdES_BASELINE_B", "blevelParams": p["blevelParams"]}, "toSignDocument": pdf}, 200)}
	w.call("signature/external-cms/getDataToSign", in, 200)
	w.call("signature/pades-external-cms/getMessageDigest", obj{"parameters": p, "toSignDocument": pdf}, 400)
}

// TestTimestampDocument: PDF by itself, other documents in containers.
func TestTimestampDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	text, more := document("a.txt", []byte("a")), document("b.txt", []byte("b"))
	for _, c := range []struct {
		path, form, name string
		in               obj
	}{
		{"one-document", "PDF", "letter-timestamped.pdf", obj{"toTimestampDocument": document("letter.pdf", sheet())}},
		{"one-document", "ASiC_S", "a-timestamped.asics", obj{"toTimestampDocument": text}},
		{"one-document", "ASiC_E", "a-timestamped.asice", obj{"toTimestampDocument": text}},
		{"multiple-documents", "ASiC_E", "a-timestamped.asice", obj{"toTimestampDocuments": []obj{text, more}}},
	} {
		c.in["timestampParameters"] = obj{"digestAlgorithm": "SHA512", "timestampContainerForm": c.form, "canonicalizationMethod": "http://www.w3.org/2001/10/xml-exc-c14n#"}
		got := w.call("signature/"+c.path+"/timestampDocument", c.in, 200)
		if got["name"] != c.name {
			t.Errorf("its name is %v, want %s", got["name"], c.name)
		}
		r, err := gather.Open(must(base64.StdEncoding.DecodeString(got["bytes"].(string))), gather.Options{})
		if c.form == "PDF" && err == nil && len(r.TimeStamps) == 1 && r.TimeStamps[0].ImprintIntact && r.TimeStamps[0].Digest == "SHA512" {
			continue
		}
		if err != nil || len(r.TimeStamps) != 1 || !r.TimeStamps[0].ImprintIntact || r.TimeStamps[0].Digest != "SHA512" || len(r.TimeStamps[0].Malformed) > 0 {
			t.Errorf("%s: %v, %+v", c.form, err, r)
		}
		s := w.judged(got, nil)["signatureOrTimestampOrEvidenceRecord"].([]any)[0].(obj)["Timestamp"].(obj)
		if s["Indication"] != "PASSED" {
			t.Errorf("%s: %v", c.form, s)
		}
	}
	two := []obj{text, more}
	w.call("signature/multiple-documents/timestampDocument", obj{"toTimestampDocuments": two, "timestampParameters": obj{"timestampContainerForm": "ASiC_S"}}, 400)
	w.call("signature/one-document/timestampDocument", obj{"toTimestampDocument": text, "timestampParameters": obj{"timestampContainerForm": "PDF"}}, 400)
	w.call("signature/one-document/timestampDocument", obj{"toTimestampDocument": text, "timestampParameters": obj{"timestampContainerForm": "ZIP"}}, 400)
	w.call("signature/one-document/timestampDocument", obj{"timestampParameters": obj{}}, 400)
}

// TestARecordBesideADocument counts as proof, and one of something else does not.
func TestARecordBesideADocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	p := obj{"signatureLevel": "XAdES_BASELINE_B", "signaturePackaging": "ENVELOPED", "signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "blevelParams": obj{"signingDate": now.UnixMilli()}, "referenceDigestAlgorithm": "SHA512"}
	in := obj{"parameters": p, "toSignDocument": document("a.xml", []byte("<a/>"))}
	in["signatureValue"] = w.call("server-signing/sign/seal/SHA256", w.call("signature/one-document/getDataToSign", in, 200), 200)
	signed := w.call("signature/one-document/signDocument", in, 200)
	octets := must(base64.StdEncoding.DecodeString(signed["bytes"].(string)))
	if !bytes.Contains(octets, []byte("xmlenc#sha512")) {
		t.Error("referenceDigestAlgorithm was not honoured")
	}
	for _, x := range []ers.Syntax{ers.ASN1, ers.XML} {
		record := must(ers.Create(t.Context(), serviceStamper{w}, x, crypto.SHA256, []xades.Document{xades.Bytes("", "", octets)}))
		record = must(ers.Renew(t.Context(), serviceStamper{w}, record))
		got := w.call("validation/validateSignature", obj{"signedDocument": signed, "evidenceRecords": []obj{document("a.ers", record)}}, 200)
		s := got["SimpleReport"].(obj)["signatureOrTimestampOrEvidenceRecord"].([]any)[0].(obj)["Signature"].(obj)
		records, _ := s["EvidenceRecords"].(obj)["EvidenceRecord"].([]any)
		if len(records) != 1 || s["Timestamps"] != nil {
			t.Fatalf("%v", s)
		}
		e := records[0].(obj)
		stamps := e["Timestamps"].(obj)["Timestamp"].([]any)
		if len(stamps) != 2 || e["Indication"] != "PASSED" || stamps[1].(obj)["Indication"] != "PASSED" || e["POETime"] != stamps[0].(obj)["ProductionTime"] ||
			s["BestSignatureTime"] != e["POETime"] || e["ParentId"] != s["Id"] || e["Embedded"] != false {
			t.Errorf("%v", e)
		}
		data := got["DiagnosticData"].(obj)["EvidenceRecord"].([]any)[0].(obj)
		if data["Id"] != e["Id"] || data["Origin"] != "EXTERNAL" || data["Type"] != []string{"ASN.1 Evidence Record", "XML Evidence Record"}[x] || len(data["FoundTimestamp"].([]any)) != 2 || len(data["DigestMatcher"].([]any)) != 1 {
			t.Errorf("%v", data)
		}
		detailed := got["DetailedReport"].(obj)["signatureOrTimestampOrEvidenceRecord"].([]any)[0].(obj)["Signature"].(obj)["EvidenceRecord"].([]any)[0].(obj)
		if detailed["Id"] != e["Id"] || len(detailed["Timestamp"].([]any)) != 2 || detailed["Conclusion"].(obj)["Indication"] != "PASSED" {
			t.Errorf("%v", detailed)
		}
	}
	other := must(ers.Create(t.Context(), serviceStamper{w}, ers.XML, crypto.SHA256, []xades.Document{xades.Bytes("", "", []byte("other"))}))
	s := w.signatureOf(signed, obj{"evidenceRecords": []obj{document("a.ers", other), document("b.ers", []byte("nothing"))}})
	records := s["EvidenceRecords"].(obj)["EvidenceRecord"].([]any)
	if len(records) != 1 || records[0].(obj)["SubIndication"] != "HASH_FAILURE" || records[0].(obj)["POETime"] != nil || s["BestSignatureTime"] == records[0].(obj)["Timestamps"].(obj)["Timestamp"].([]any)[0].(obj)["ProductionTime"] {
		t.Errorf("%v", s)
	}
	// One that cannot be read is told of by itself.
	tokens := w.judged(signed, obj{"evidenceRecords": []obj{document("b.ers", []byte("nothing"))}})["signatureOrTimestampOrEvidenceRecord"].([]any)
	if len(tokens) != 2 || tokens[1].(obj)["EvidenceRecord"].(obj)["Indication"] == "PASSED" {
		t.Errorf("%v", tokens)
	}
}

// serviceStamper has the service make time-stamps.
type serviceStamper struct{ w *world }

func (s serviceStamper) Stamp(_ context.Context, _ crypto.Hash, sum []byte) (*tsp.Token, error) {
	stamp := s.w.call("timestamp-service/getTimestampResponse", obj{"algorithm": "SHA256", "value": sum}, 200)
	b, err := base64.StdEncoding.DecodeString(stamp["binaries"].(string))
	if err != nil {
		return nil, err
	}
	return tsp.ParseToken(b)
}

// TestTrustedLists are signed as a whole, once.
func TestTrustedLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	en := func(s string) trustlist.Texts { return trustlist.Texts{{Language: "en", Value: s}} }
	l := &trustlist.List{
		Version: 6, Sequence: 1, Type: trustlist.TypeGeneric, Operator: en("Authority"), Name: en("A list"), Information: en("https://scheme.example/"),
		Address: trustlist.Address{Postal: []trustlist.PostalAddress{{Language: "en", Street: "Long Street 1", Locality: "Tallinn", Country: "EE"}},
			Electronic: trustlist.Texts{{Language: "en", Value: "mailto:lists@scheme.example"}}},
		StatusDetermination: "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/EUappropriate", Rules: en("http://uri.etsi.org/TrstSvc/TrustedList/schemerules/EUcommon"),
		Territory: "EE", Legal: en("For tests."), HistoryDays: 65535, Issued: now, Next: now.AddDate(0, 5, 0),
	}
	b := must(l.Write())
	p := obj{"signingCertificate": obj{"encodedCertificate": w.key.Certificate.Raw}, "referenceId": "list", "referenceDigestAlgorithm": "SHA256", "tlVersion": "6", "blevelParameters": obj{"signingDate": now.UnixMilli()}}
	in := obj{"parameters": p, "trustedList": document("tl.xml", b)}
	in["signatureValue"] = w.call("server-signing/sign/seal/SHA512", w.call("signature/trusted-list/getDataToSign", in, 200), 200)
	signed := w.call("signature/trusted-list/signDocument", in, 200)
	if signed["name"] != "tl-signed-xades-baseline-b.xml" {
		t.Errorf("its name is %v", signed["name"])
	}
	octets := must(base64.StdEncoding.DecodeString(signed["bytes"].(string)))
	if !bytes.Contains(octets, []byte(`Id="list"`)) || !bytes.Contains(octets, []byte("rsa-sha512")) {
		t.Errorf("%s", octets[len(octets)-4000:])
	}
	if _, err := trustlist.Check(octets, trustlist.CheckOptions{Signers: []*pki.Certificate{w.key.Certificate}}); err != nil {
		t.Error(err)
	}
	in["trustedList"] = signed
	w.call("signature/trusted-list/getDataToSign", in, 422)
	in["trustedList"] = document("tl.xml", []byte("<a/>"))
	w.call("signature/trusted-list/getDataToSign", in, 422)
	p["tlVersion"] = "5"
	in["trustedList"] = document("tl.xml", b)
	w.call("signature/trusted-list/getDataToSign", in, 400)
}
