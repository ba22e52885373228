package validation

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

func readFile(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCorpusPolicies(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpus.Dir(t, "esignature"), "process/policy")
	p, unheeded, err := ReadPolicy(readFile(t, dir, "constraint.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := DefaultPolicy(); !reflect.DeepEqual(p.Suite, want.Suite) || p.revocation != [3][2]bool{{true, true}, {true, false}, {true, false}} || p.formats != nil || p.strictUsage {
		t.Errorf("read %+v\nwant %+v", p, want)
	}
	if len(unheeded) == 0 || len(unheeded) > 120 {
		t.Errorf("unheeded: %q", unheeded)
	}
	if p, _, err = ReadPolicy(readFile(t, dir, "dss-crypto-suite.json")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a  Algorithm
		at string
		ok bool
	}{
		{Algorithm{"RSA", 2048, "SHA256"}, "2024-01-01", true},
		{Algorithm{"RSA", 1024, "SHA256"}, "2019-09-30", true},
		{Algorithm{"RSA", 1024, "SHA256"}, "2019-10-01", false},
		{Algorithm{"RSA", 2048, "SHA1"}, "2012-08-01", false},
		{Algorithm{"ECDSA", 256, "SHA512"}, "2040-01-01", true},
		{Algorithm{"ECDSA", 224, "SHA256"}, "2022-01-01", false},
		{Algorithm{"PLAIN-ECDSA", 256, "SHA256"}, "2022-01-01", true},
		{Algorithm{"DSA", 1024, "SHA256"}, "2016-01-01", false},
	} {
		at, _ := time.Parse(time.DateOnly, c.at)
		if why := p.Suite.algorithm(c.a, at); (why == "") != c.ok {
			t.Errorf("%v at %s: %q", c.a, c.at, why)
		}
	}
	for file, want := range map[string]string{"tsl-constraint.xml": "FullScope", "certificate-constraint.xml": "", "qwac-constraint.xml": ""} {
		_, _, err := ReadPolicy(readFile(t, dir, file))
		t.Logf("%s: %v", file, err)
		if want != "" && (!errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestConstraintsAreKeptOrRefusedByName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, xml, refused string }{
		{"a constraint that is kept", `<SignatureConstraints><BasicSignatureConstraints><SignatureIntact Level="FAIL"/></BasicSignatureConstraints></SignatureConstraints>`, ""},
		{"one that cannot be turned off", `<SignatureConstraints><BasicSignatureConstraints><SignatureIntact Level="WARN"/></BasicSignatureConstraints></SignatureConstraints>`, "SignatureConstraints/basic/SignatureIntact at level WARN"},
		{"one that is not looked at", `<SignatureConstraints><SignedAttributes><SignerLocation Level="FAIL"/></SignedAttributes></SignatureConstraints>`, "SignerLocation at level FAIL"},
		{"the same as a warning", `<SignatureConstraints><SignedAttributes><SignerLocation Level="WARN"/></SignedAttributes></SignatureConstraints>`, ""},
		{"one with other values", `<SignatureConstraints><AcceptablePolicies Level="FAIL"><Id>1.2.3</Id></AcceptablePolicies></SignatureConstraints>`, "AcceptablePolicies with the values 1.2.3"},
		{"evidence records that only warn", `<EvidenceRecord><DataObjectIntact Level="WARN"/></EvidenceRecord>`, "EvidenceRecord/DataObjectIntact at level WARN"},
		{"evidence records as they are judged", `<EvidenceRecord><DataObjectIntact Level="FAIL"/><HashTreeRenewal Level="FAIL"/><SignedFilesCovered Level="WARN"/></EvidenceRecord>`, ""},
		{"another model", `<Model Value="CHAIN"/>`, `"CHAIN"`},
		{"an unknown part", `<Weather/>`, "unknown kind"},
		{"an unknown level", `<Timestamp><Coherence Level="LOUD"/></Timestamp>`, `"LOUD"`},
		{"algorithms of one part", `<Timestamp><BasicSignatureConstraints><Cryptographic><AcceptableDigestAlgo><Algo>SHA256</Algo></AcceptableDigestAlgo></Cryptographic></BasicSignatureConstraints></Timestamp>`, "Timestamp/Cryptographic with algorithms of its own"},
		{"algorithms that only warn", `<Cryptographic Level="WARN"><AcceptableDigestAlgo><Algo>SHA256</Algo></AcceptableDigestAlgo></Cryptographic>`, "Cryptographic at level WARN"},
	} {
		_, _, err := ReadPolicy([]byte(`<ConstraintsParameters Name="p" xmlns="` + NamespacePolicy + `">` + c.xml + `</ConstraintsParameters>`))
		if c.refused == "" && err != nil || c.refused != "" && (!errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestWhatAPolicySets(t *testing.T) {
	t.Parallel()
	policy := func(xml string) *Policy {
		p, _, err := ReadPolicy([]byte(`<ConstraintsParameters Name="p" xmlns="` + NamespacePolicy + `">` + xml + `</ConstraintsParameters>`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	now := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	rsa := Algorithm{"RSA", 3072, "SHA256"}
	ca := &Certificate{Token: Token{ID: "ca"}, Trusted: true}
	facts := func() *Facts {
		c := &Certificate{Token: Token{ID: "c", Algorithm: rsa, Intact: true, Signer: ca}, Subject: "Ada", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), KeyUsage: []string{"digitalSignature"}, HasKeyUsage: true}
		c.Chain = []*Certificate{c, ca}
		return &Facts{Signatures: []*Signature{{
			Token: Token{ID: "s", Algorithm: rsa, Intact: true, Signer: c, Chain: c.Chain}, Format: "XAdES-BASELINE-B", Claimed: now, HasProperty: true, NoManifest: true, Uncovered: []string{"more.txt"},
			References: []Reference{{Name: "a", Digest: "SHA256", Found: true, Intact: true}},
		}}}
	}
	for _, c := range []struct {
		name, xml string
		want      Indication
		sub       Sub
	}{
		{"without revocation data by default", ``, Indeterminate, ChainGeneralFailure},
		{"where it is not asked for", `<SignatureConstraints><BasicSignatureConstraints><SigningCertificate><RevocationDataAvailable Level="WARN"/><AcceptableRevocationDataFound Level="IGNORE"/></SigningCertificate></BasicSignatureConstraints></SignatureConstraints>`, TotalPassed, ""},
		{"where one of the two still asks", `<SignatureConstraints><BasicSignatureConstraints><SigningCertificate><RevocationDataAvailable Level="FAIL"/><AcceptableRevocationDataFound Level="IGNORE"/></SigningCertificate></BasicSignatureConstraints></SignatureConstraints>`, Indeterminate, ChainGeneralFailure},
		{"keys for signatures of persons", `<SignatureConstraints><BasicSignatureConstraints><SigningCertificate><KeyUsage Level="FAIL"><Id>nonRepudiation</Id></KeyUsage></SigningCertificate></BasicSignatureConstraints></SignatureConstraints>`, Indeterminate, ChainConstraintsFailure},
		{"containers with a manifest", `<ContainerConstraints><ManifestFilePresent Level="FAIL"/></ContainerConstraints>`, TotalFailed, FormatFailure},
		{"containers, and a word about a manifest", `<ContainerConstraints><ManifestFilePresent Level="WARN"/></ContainerConstraints>`, Indeterminate, ChainGeneralFailure},
		{"containers that are covered whole", `<ContainerConstraints><AllFilesSigned Level="FAIL"/></ContainerConstraints>`, TotalFailed, FormatFailure},
		{"containers, and a word about what is not covered", `<ContainerConstraints><AllFilesSigned Level="WARN"/></ContainerConstraints>`, Indeterminate, ChainGeneralFailure},
		{"other formats", `<SignatureConstraints><AcceptableFormats Level="FAIL"><Id>XAdES-BASELINE-T</Id></AcceptableFormats></SignatureConstraints>`, TotalFailed, FormatFailure},
		{"larger keys", `<Cryptographic><AcceptableEncryptionAlgo><Algo>RSA</Algo></AcceptableEncryptionAlgo><MiniPublicKeySize><Algo Size="4096">RSA</Algo></MiniPublicKeySize><AcceptableDigestAlgo><Algo>SHA256</Algo></AcceptableDigestAlgo></Cryptographic>`, Indeterminate, CryptoConstraintsNoPOE},
	} {
		r := Validate(facts(), policy(c.xml), now)[0]
		if r.Indication != c.want || r.Sub != c.sub {
			t.Errorf("%s: %s %s %s, want %s %s", c.name, r.Indication, r.Sub, r.Why, c.want, c.sub)
		}
	}
}

// Whether who tells of revocations must be in office still can be left open of counter-signatures, and of them alone.
func TestRespondersOfCounterSignatures(t *testing.T) {
	t.Parallel()
	now := day(2026, 5, 4)
	rsa := Algorithm{"RSA", 3072, "SHA256"}
	ca := &Certificate{Token: Token{ID: "ca"}, Trusted: true}
	responder := &Certificate{Token: Token{ID: "r", Algorithm: rsa, Intact: true, Signer: ca}, NotBefore: now.AddDate(-3, 0, 0), NotAfter: now.AddDate(0, -1, 0), OCSPNoCheck: true, PathLength: -1}
	responder.Chain = []*Certificate{responder, ca}
	at := now.AddDate(0, -2, 0)
	c := &Certificate{
		Token: Token{ID: "c", Algorithm: rsa, Intact: true, Signer: ca}, Subject: "Ada", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), PathLength: -1,
		Revocations: []CertificateStatus{{Data: &Revocation{OCSP: true, Token: Token{ID: "o", Algorithm: rsa, Intact: true, Signer: responder, Chain: responder.Chain}, Produced: at, ThisUpdate: at}}},
	}
	c.Chain = []*Certificate{c, ca}
	signature := func() *Signature {
		return &Signature{
			Token: Token{ID: "s", Algorithm: rsa, Intact: true, Signer: c, Chain: c.Chain}, Format: "XAdES-BASELINE-B", Claimed: now, HasProperty: true,
			References: []Reference{{Name: "a", Digest: "SHA256", Found: true, Intact: true}},
		}
	}
	first, counter := signature(), signature()
	counter.Counter = first
	part := func(constraint string) string {
		return `<CounterSignatureConstraints><BasicSignatureConstraints><SigningCertificate>` + constraint + `</SigningCertificate></BasicSignatureConstraints></CounterSignatureConstraints>`
	}
	for _, x := range []struct {
		name, xml string
		passes    bool // the counter-signature
	}{
		{"by default", "", false},
		{"where it is asked", part(`<RevocationIssuerNotExpired Level="FAIL"/>`), false},
		{"where it is not asked", part(`<Recognition Level="FAIL"/>`), true},
		{"where it only warns", part(`<RevocationIssuerNotExpired Level="WARN"/>`), true},
	} {
		p, _, err := ReadPolicy([]byte(`<ConstraintsParameters Name="p" xmlns="` + NamespacePolicy + `">` + x.xml + `</ConstraintsParameters>`))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range Validate(&Facts{Signatures: []*Signature{first, counter}}, p, now) {
			passes := x.passes && r.Signature == counter
			if (r.Indication == TotalPassed) != passes || !passes && r.Sub != RevocationOutOfBoundsNoPOE {
				t.Errorf("%s, counter-signature %v: %s %s: %s", x.name, r.Signature == counter, r.Indication, r.Sub, r.Why)
			}
		}
	}
}

func FuzzReadPolicy(f *testing.F) {
	f.Add([]byte(`<ConstraintsParameters xmlns="` + NamespacePolicy + `"><Cryptographic><AcceptableEncryptionAlgo><Algo>RSA</Algo></AcceptableEncryptionAlgo><AlgoExpirationDate Format="yyyy" UpdateDate="2024" LevelAfterUpdate="WARN"><Algo Size="1024" Date="2019">RSA</Algo></AlgoExpirationDate></Cryptographic></ConstraintsParameters>`))
	f.Add([]byte(`{"SecuritySuitabilityPolicy":{"PolicyIssueDate":"2024-10-13","Algorithm":[{"AlgorithmIdentifier":{"Name":"ECDSA with SHA-256"},"Evaluation":[{"Parameter":[{"Min":256,"name":"plength"}],"Validity":{}}]}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, _, err := ReadPolicy(b)
		if (p == nil) == (err == nil) {
			t.Fatalf("policy %v, error %v", p, err)
		}
		if p != nil {
			p.Suite.algorithm(Algorithm{"RSA", 2048, "SHA256"}, time.Time{})
		}
	})
}
