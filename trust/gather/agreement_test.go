package gather

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// onWeb answers with what is at each URL.
type onWeb map[string][]byte

func (f onWeb) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &http.Response{StatusCode: http.StatusNotFound, Status: "404 Not Found", Body: http.NoBody, Header: http.Header{}, Request: r}
	if b, ok := f[r.URL.String()]; ok {
		w.StatusCode, w.Status, w.Body = http.StatusOK, "200 OK", io.NopCloser(bytes.NewReader(b))
	}
	return w, nil
}

// theirStatements are those of a certificate that is qualified by the law of another country.
func theirStatements(country string) pki.Extension {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		statement := func(id pki.OID, info func(*cryptobyte.Builder)) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				pki.AddOID(b, id)
				if info != nil {
					b.AddASN1(asn1.SEQUENCE, info)
				}
			})
		}
		statement("0.4.0.1862.1.1", nil)
		statement("0.4.0.1862.1.6", func(b *cryptobyte.Builder) { pki.AddOID(b, pki.QCTypeESign) })
		if country != "" {
			statement("0.4.0.1862.1.7", func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.PrintableString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(country)) })
			})
		}
	})
	return pki.Extension{ID: "1.3.6.1.5.5.7.1.3", Value: b.BytesOrPanic()}
}

// agreed is an agreement: services of type "https://zz.example/CA" are recognised since a time, or not any more.
func agreed(status string, since time.Time) string {
	statements := func(ids ...string) string {
		var b strings.Builder
		for _, id := range ids {
			id, legislation, _ := strings.Cut(id, "/")
			id, kind, _ := strings.Cut(id, ":")
			fmt.Fprintf(&b, `<m:QcStatement><m:QcStatementId><x:Identifier Qualifier="OIDAsURN">urn:oid:%s</x:Identifier></m:QcStatementId>`, id)
			switch {
			case legislation != "":
				fmt.Fprintf(&b, `<m:QcStatementInfo><m:QcCClegislation>%s</m:QcCClegislation></m:QcStatementInfo>`, legislation)
			case kind != "":
				fmt.Fprintf(&b, `<m:QcStatementInfo><m:QcType><x:Identifier Qualifier="OIDAsURN">urn:oid:%s</x:Identifier></m:QcType></m:QcStatementInfo>`, kind)
			}
			b.WriteString(`</m:QcStatement>`)
		}
		return `<q:otherCriteriaList><m:QcStatementSet>` + b.String() + `</m:QcStatementSet></q:otherCriteriaList>`
	}
	content := func(context, theirs string) string {
		return `<m:CertificateContentReferenceEquivalence><m:CertificateContentReferenceEquivalenceContext>http://ec.europa.eu/tools/lotl/mra/` + context +
			`</m:CertificateContentReferenceEquivalenceContext><m:CertificateContentDeclarationPointingParty assert="all"/>` +
			`<m:CertificateContentDeclarationPointedParty assert="all">` + theirs + `</m:CertificateContentDeclarationPointedParty></m:CertificateContentReferenceEquivalence>`
	}
	return `<OtherInformation xmlns="http://uri.etsi.org/02231/v2#"><m:MutualRecognitionAgreementInformation xmlns:m="http://ec.europa.eu/tools/lotl/mra/schema/v2#"
		xmlns:q="http://uri.etsi.org/TrstSvc/SvcInfoExt/eSigDir-1999-93-EC-TrustedList/#" xmlns:x="http://uri.etsi.org/01903/v1.3.2#" technicalType="1" version="1"
		pointingContractingPartyLegislation="https://eu.example/" pointedContractingPartyLegislation="https://zz.example/" MRADepth="1">
		<m:TrustServiceEquivalenceInformation><m:TrustServiceLegalIdentifier>QCForESig</m:TrustServiceLegalIdentifier><m:TrustServiceTSLTypeEquivalenceList>
		<m:TrustServiceTSLTypeListPointingParty><m:TrustServiceTSLType><ServiceTypeIdentifier>http://uri.etsi.org/TrstSvc/Svctype/CA/QC</ServiceTypeIdentifier><AdditionalServiceInformation><URI>http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/ForeSignatures</URI></AdditionalServiceInformation></m:TrustServiceTSLType></m:TrustServiceTSLTypeListPointingParty>
		<m:TrustServiceTSLTypeListPointedParty><m:TrustServiceTSLType><ServiceTypeIdentifier>https://zz.example/CA</ServiceTypeIdentifier></m:TrustServiceTSLType></m:TrustServiceTSLTypeListPointedParty></m:TrustServiceTSLTypeEquivalenceList>
		<m:TrustServiceEquivalenceStatus>http://ec.europa.eu/tools/lotl/mra/` + status + `</m:TrustServiceEquivalenceStatus><m:TrustServiceEquivalenceStatusStartingTime>` + since.Format(time.RFC3339) + `</m:TrustServiceEquivalenceStatusStartingTime>
		<m:TrustServiceTSLStatusEquivalenceList><m:TrustServiceTSLStatusValidEquivalence><m:TrustServiceTSLStatusListPointingParty><ServiceStatus>http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/granted</ServiceStatus></m:TrustServiceTSLStatusListPointingParty><m:TrustServiceTSLStatusListPointedParty><ServiceStatus>https://zz.example/good</ServiceStatus></m:TrustServiceTSLStatusListPointedParty></m:TrustServiceTSLStatusValidEquivalence>
		<m:TrustServiceTSLStatusInvalidEquivalence><m:TrustServiceTSLStatusListPointingParty><ServiceStatus>http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/withdrawn</ServiceStatus></m:TrustServiceTSLStatusListPointingParty><m:TrustServiceTSLStatusListPointedParty><ServiceStatus>https://zz.example/bad</ServiceStatus></m:TrustServiceTSLStatusListPointedParty></m:TrustServiceTSLStatusInvalidEquivalence></m:TrustServiceTSLStatusEquivalenceList>
		<m:CertificateContentReferencesEquivalenceList>` + content("QcCompliance", statements("0.4.0.1862.1.1", "0.4.0.1862.1.7/ZZ")) + content("QcType", statements("0.4.0.1862.1.6:0.4.0.1862.1.6.1")) + `</m:CertificateContentReferencesEquivalenceList>
		<m:TrustServiceTSLQualificationExtensionEquivalenceList><m:QualifierEquivalenceList><m:QualifierEquivalence><m:QualifierPointingParty uri="http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/QCWithQSCD"/><m:QualifierPointedParty uri="https://zz.example/device"/></m:QualifierEquivalence></m:QualifierEquivalenceList></m:TrustServiceTSLQualificationExtensionEquivalenceList>
		</m:TrustServiceEquivalenceInformation></m:MutualRecognitionAgreementInformation></OtherInformation>`
}

// Services of a third country count as the agreement with it says, and without one not at all.
func TestAgreementsOfMutualRecognition(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ca, err := pki.NewAuthority(rand.Reader, "CN=Their CA,C=ZZ", pki.P256, now.AddDate(-5, 0, 0), 20)
	must(err)
	operators, err := pki.NewAuthority(rand.Reader, "CN=Scheme CA,C=EU", pki.P256, now.AddDate(-5, 0, 0), 20)
	must(err)
	operator, err := operators.Issue(pki.Template{CommonName: "Operator", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0)})
	must(err)
	crl, err := ca.CRL(nil, now)
	must(err)
	en := func(s string) trustlist.Texts { return trustlist.Texts{{Language: "en", Value: s}} }
	where := trustlist.Address{Postal: []trustlist.PostalAddress{{Language: "en", Street: "Long Street 1", Locality: "Tallinn", Country: "EE"}}, Electronic: trustlist.Texts{{Language: "en", Value: "mailto:lists@scheme.example"}}}
	list := func(territory, kind string) *trustlist.List {
		return &trustlist.List{
			Version: 6, Sequence: 1, Type: kind, Operator: en("Operator"), Address: where, Name: en("List"), Information: en("https://scheme.example/"),
			StatusDetermination: "https://scheme.example/how", Rules: en("https://scheme.example/rules"), Territory: territory, Legal: en("For tests."), HistoryDays: 65535,
			Issued: now.AddDate(0, 0, -1), Next: now.AddDate(0, 5, 0),
		}
	}
	sealed := func(b []byte) []byte {
		t.Helper()
		b, err := xades.Sign(operator.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", b)}, xades.Params{Packaging: xades.Enveloped, Alone: true, Signer: operator.Certificate, Time: now})
		must(err)
		return b
	}
	zz := list("ZZ", "https://zz.example/list")
	provider := &trustlist.Provider{Names: en("Trust & Co"), Address: where, Information: en("https://trust.example/")}
	provider.Services = []*trustlist.Service{{Provider: provider, Periods: []trustlist.Period{{
		Type: "https://zz.example/CA", Names: en("Their CA"), Status: "https://zz.example/good", From: now.AddDate(-4, 0, 0), Identity: trustlist.Identity{Certificates: []*pki.Certificate{ca.Certificate}},
		Qualifications: []trustlist.Qualification{{Qualifiers: []string{"https://zz.example/device"}, Criteria: trustlist.Criteria{Assert: "all", KeyUsage: []trustlist.KeyUsage{{Mask: pki.UseContentCommitment, Value: pki.UseContentCommitment}}}}},
	}}}}
	zz.Providers = []*trustlist.Provider{provider}
	theirs, err := zz.Write()
	must(err)
	for _, c := range []struct {
		name, agreement, country string
		usage                    pki.KeyUsage
		worth                    string
	}{
		{"recognised, with their device", agreed("enacted", now.AddDate(-3, 0, 0)), "ZZ", pki.UseContentCommitment, "QESIG"},
		{"recognised, without a device", agreed("enacted", now.AddDate(-3, 0, 0)), "ZZ", pki.UseDigitalSignature, "ADESIG_QC"},
		{"qualified by the law of yet another country", agreed("enacted", now.AddDate(-3, 0, 0)), "YY", pki.UseContentCommitment, "ADESIG"},
		{"recognised after the certificate was issued", agreed("enacted", now.AddDate(-1, 0, 0)), "ZZ", pki.UseContentCommitment, "ADESIG"},
		{"not recognised any more", agreed("repealed", now.AddDate(-3, 0, 0)), "ZZ", pki.UseContentCommitment, "NA"},
		{"an agreement that cannot be read", `<OtherInformation xmlns="http://uri.etsi.org/02231/v2#"><MutualRecognitionAgreementInformation xmlns="urn:another"/></OtherInformation>`, "ZZ", pki.UseContentCommitment, "NA"},
	} {
		lotl := list("EU", trustlist.TypeListOfLists)
		lotl.Pointers = []trustlist.Pointer{{Location: "https://zz.example/tl.xml", Type: "https://zz.example/list", Territory: "ZZ", MimeType: trustlist.MimeType,
			Operator: en("Operator"), Rules: en("https://scheme.example/rules"), Signers: []trustlist.Identity{{Certificates: []*pki.Certificate{operator.Certificate}}}}}
		ours, err := lotl.Write()
		must(err)
		with := bytes.Replace(ours, []byte("</AdditionalInformation>"), []byte(c.agreement+"</AdditionalInformation>"), 1)
		if bytes.Equal(with, ours) {
			t.Fatal("the pointer has no place for an agreement")
		}
		loader := &trustlist.Loader{
			Sources: []trustlist.Source{{URL: "https://eu.example/lotl.xml", Signers: []*pki.Certificate{operator.Certificate}}}, Now: func() time.Time { return now },
			HTTP: &http.Client{Transport: onWeb{"https://eu.example/lotl.xml": sealed(with), "https://zz.example/tl.xml": sealed(theirs)}},
		}
		var set *trustlist.Set
		for range 2 { // what is known from before counts once
			set, err = loader.Refresh(t.Context())
			must(err)
		}
		signer, err := ca.Issue(pki.Template{CommonName: "Ada", KeyUsage: c.usage, NotBefore: now.AddDate(-2, 0, 0), NotAfter: now.AddDate(1, 0, 0), Extensions: []pki.Extension{theirStatements(c.country)}})
		must(err)
		signed, err := xades.Sign(signer.Key.(crypto.Signer), rand.Reader, []xades.Document{xades.Bytes("", "text/xml", []byte("<a/>"))}, xades.Params{Packaging: xades.Enveloped, Alone: true, Signer: signer.Certificate, Time: now})
		must(err)
		r, err := Open(signed, Options{Lists: set, CRLs: [][]byte{crl}})
		must(err)
		got := validation.Validate(r.Facts, nil, now)[0]
		if got.Qualification.Name != c.worth {
			t.Errorf("%s: %s, want %s: %s %s, %v, %v", c.name, got.Qualification.Name, c.worth, got.Indication, got.Why, set.Problems, got.Qualification.Checks)
		}
		if n := len(set.Lists[1].Services()[0].Periods); n > 2 {
			t.Errorf("%s: %d periods", c.name, n)
		}
	}
}
