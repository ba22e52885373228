package validation

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

// The DiagnosticData of the Digital Signature Service is a set of facts that somebody else gathered. What follows reads as
// much of it as the process asks for.

type xmlBasic struct {
	Encryption string `xml:"EncryptionAlgoUsedToSignThisToken"`
	Bits       string `xml:"KeyLengthUsedToSignThisToken"`
	Digest     string `xml:"DigestAlgoUsedToSignThisToken"`
	Intact     bool   `xml:"SignatureIntact"`
	Valid      bool   `xml:"SignatureValid"`
}

type xmlRef struct {
	ID string `xml:"Certificate,attr"`
}

type xmlToken struct {
	Basic  xmlBasic `xml:"BasicSignature"`
	Signer *xmlRef  `xml:"SigningCertificate"`
	Chain  []xmlRef `xml:"CertificateChain>ChainItem"`
}

type xmlMatcher struct {
	Type   string `xml:"type,attr"`
	Twice  bool   `xml:"duplicated,attr"`
	Method string `xml:"DigestMethod"`
	Found  bool   `xml:"DataFound"`
	Intact bool   `xml:"DataIntact"`
}

// diagnostic is the set of facts, with every certificate of it.
type diagnostic struct {
	*Facts
	certs map[string]*Certificate
}

func (d *diagnostic) certificate(id string) *Certificate { return d.certs[id] }

type xmlDiagnostic struct {
	Date       time.Time `xml:"ValidationDate"`
	Signatures []struct {
		ID      string `xml:"Id,attr"`
		Counter string `xml:"CounterSignature,attr"`
		Parent  *struct {
			ID string `xml:"Signature,attr"`
		} `xml:"Parent"`
		Duplicated bool       `xml:"Duplicated,attr"`
		Claimed    *time.Time `xml:"ClaimedSigningTime"`
		Format     string     `xml:"SignatureFormat"`
		Structure  *struct {
			Valid bool `xml:"valid,attr"`
		} `xml:"StructuralValidation"`
		Matchers []xmlMatcher `xml:"DigestMatchers>DigestMatcher"`
		xmlToken
		Found []struct {
			Certificate string `xml:"Certificate,attr"`
			Refs        []struct {
				Origin string `xml:"Origin"`
				Digest *struct {
					Match  string `xml:"match,attr"`
					Method string `xml:"DigestMethod"`
				} `xml:"DigestAlgoAndValue"`
				Serial *struct {
					Match bool `xml:"match,attr"`
				} `xml:"IssuerSerial"`
			} `xml:"CertificateRef"`
		} `xml:"FoundCertificates>RelatedCertificate"`
		Orphans []struct {
			Refs []struct {
				Origin string `xml:"Origin"`
				Digest *struct {
					Match string `xml:"match,attr"`
				} `xml:"DigestAlgoAndValue"`
			} `xml:"CertificateRef"`
		} `xml:"FoundCertificates>OrphanCertificate"`
		Stamps []struct {
			ID string `xml:"Timestamp,attr"`
		} `xml:"FoundTimestamps>FoundTimestamp"`
		Dictionary *struct {
			Consistent string `xml:"consistent,attr"`
			Range      *struct {
				Valid bool `xml:"valid,attr"`
			} `xml:"SignatureByteRange"`
		} `xml:"PDFRevision>PDFSignatureDictionary"`
		Infos []struct{} `xml:"SignerInformationStore>SignerInfo"`
	} `xml:"Signatures>Signature"`
	Certificates []struct {
		ID        string    `xml:"Id,attr"`
		Subject   string    `xml:"CommonName"`
		NotBefore time.Time `xml:"NotBefore"`
		NotAfter  time.Time `xml:"NotAfter"`
		Trusted   struct {
			Value bool       `xml:",chardata"`
			Start *time.Time `xml:"startDate,attr"`
			End   *time.Time `xml:"sunsetDate,attr"`
		} `xml:"Trusted"`
		SelfSigned bool `xml:"SelfSigned"`
		xmlToken
		Issuer *struct {
			Key  string `xml:"key,attr"`
			Name string `xml:"subjectName,attr"`
		} `xml:"IssuerEntityKey"`
		CA *struct {
			CA     bool `xml:"CA,attr"`
			Length *int `xml:"PathLenConstraint"`
		} `xml:"CertificateExtensions>BasicConstraints"`
		Usage  []string  `xml:"CertificateExtensions>KeyUsages>keyUsageBit"`
		SKI    []string  `xml:"CertificateExtensions>SubjectKeyIdentifier>ski"`
		EKU    []string  `xml:"CertificateExtensions>ExtendedKeyUsages>extendedKeyUsageOid"`
		NoChk  *struct{} `xml:"CertificateExtensions>IdPkixOcspNoCheck"`
		Short  *struct{} `xml:"CertificateExtensions>ValAssuredShortTermCertificate"`
		NoRev  *struct{} `xml:"CertificateExtensions>NoRevAvail"`
		Claims struct {
			Compliance struct {
				Present bool `xml:"present,attr"`
			} `xml:"QcCompliance"`
			SSCD struct {
				Present bool `xml:"present,attr"`
			} `xml:"QcSSCD"`
			Types       []string `xml:"QcTypes>QcType"`
			Legislation []string `xml:"QcCClegislation>CountryName"`
		} `xml:"CertificateExtensions>QcStatements"`
		Policies  []string `xml:"CertificateExtensions>CertificatePolicies>certificatePolicy"`
		Providers []struct {
			List     string   `xml:"TL,attr"`
			Above    string   `xml:"LOTL,attr"`
			Names    []string `xml:"TSPNames>TSPName"`
			Services []struct {
				Identity   string     `xml:"ServiceDigitalIdentifier,attr"`
				Names      []string   `xml:"ServiceNames>ServiceName"`
				Type       string     `xml:"ServiceType"`
				Status     string     `xml:"Status"`
				From       time.Time  `xml:"StartDate"`
				Until      *time.Time `xml:"EndDate"`
				Qualifiers []string   `xml:"CapturedQualifiers>Qualifier"`
				Additional []string   `xml:"AdditionalServiceInfoUris>AdditionalServiceInfoUri"`
				Expired    *time.Time `xml:"ExpiredCertsRevocationInfo"`
				Enacted    bool       `xml:"enactedMRA,attr"`
				Recognised time.Time  `xml:"MRATrustServiceMapping>EquivalenceStatusStartingTime"`
			} `xml:"TrustServices>TrustService"`
		} `xml:"TrustServiceProviders>TrustServiceProvider"`
		Status []struct {
			Data   string     `xml:"Revocation,attr"`
			Status string     `xml:"Status"`
			Date   *time.Time `xml:"RevocationDate"`
			Reason string     `xml:"Reason"`
		} `xml:"Revocations>CertificateRevocation"`
	} `xml:"UsedCertificates>Certificate"`
	Revocations []struct {
		ID       string     `xml:"Id,attr"`
		Type     string     `xml:"Type"`
		Produced *time.Time `xml:"ProductionDate"`
		This     *time.Time `xml:"ThisUpdate"`
		Next     *time.Time `xml:"NextUpdate"`
		Expired  *time.Time `xml:"ExpiredCertsOnCRL"`
		CutOff   *time.Time `xml:"ArchiveCutOff"`
		Hash     bool       `xml:"CertHashExtensionMatch"`
		xmlToken
	} `xml:"UsedRevocations>Revocation"`
	Stamps []struct {
		ID       string       `xml:"Id,attr"`
		Type     string       `xml:"Type,attr"`
		Time     time.Time    `xml:"ProductionTime"`
		Matchers []xmlMatcher `xml:"DigestMatcher"`
		xmlToken
		Covers []struct {
			Token string `xml:"Token,attr"`
		} `xml:"TimestampedObjects>TimestampedObject"`
	} `xml:"UsedTimestamps>Timestamp"`
	Lists []struct {
		MRA        bool   `xml:"mra,attr"`
		ID         string `xml:"Id,attr"`
		Territory  string `xml:"CountryCode"`
		WellSigned bool   `xml:"WellSigned"`
	} `xml:"TrustedLists>TrustedList"`
	Container *struct {
		Type string `xml:"ContainerType"`
	} `xml:"ContainerInfo"`
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

var sizes = regexp.MustCompile(`\d+`)

func (x *xmlToken) token(id string, certs map[string]*Certificate) Token {
	bits, _ := strconv.Atoi(sizes.FindString(x.Basic.Bits))
	t := Token{ID: id, Algorithm: Algorithm{x.Basic.Encryption, bits, x.Basic.Digest}, Intact: x.Basic.Intact && x.Basic.Valid}
	if x.Signer != nil {
		t.Signer = certs[x.Signer.ID]
	}
	for _, c := range x.Chain {
		if certs[c.ID] != nil {
			t.Chain = append(t.Chain, certs[c.ID])
		}
	}
	return t
}

func factsOf(t *testing.T, dir, name string) (*diagnostic, time.Time, *xmlDiagnostic) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	var x xmlDiagnostic
	if err := xml.Unmarshal(b, &x); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	certs, data := map[string]*Certificate{}, map[string]*Revocation{}
	for i := range x.Certificates {
		certs[x.Certificates[i].ID] = &Certificate{}
	}
	for i := range x.Revocations {
		r := &x.Revocations[i]
		data[r.ID] = &Revocation{
			Token: r.token(r.ID, certs), OCSP: r.Type == "OCSP", Produced: at(r.Produced), ThisUpdate: at(r.This), NextUpdate: at(r.Next),
			ExpiredCertsOnCRL: at(r.Expired), ArchiveCutOff: at(r.CutOff), CertHash: r.Hash,
		}
	}
	for i := range x.Certificates {
		c := &x.Certificates[i]
		out := certs[c.ID]
		*out = Certificate{
			Token: c.token(c.ID, certs), Subject: c.Subject, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
			Trusted: c.Trusted.Value, TrustedFrom: at(c.Trusted.Start), Sunset: at(c.Trusted.End), SelfSigned: c.SelfSigned, PathLength: -1,
			KeyUsage: c.Usage, HasKeyUsage: len(c.Usage) > 0, HasSubjectKeyID: len(c.SKI) > 0, OCSPNoCheck: c.NoChk != nil, NoRevocation: c.Short != nil || c.NoRev != nil,
			IssuerNameWrong: c.Issuer != nil && c.Issuer.Name == "false" && c.Issuer.Key == "true",
		}
		if c.CA != nil {
			out.CA = c.CA.CA
			if c.CA.Length != nil {
				out.PathLength = *c.CA.Length
			}
		}
		out.Claims = QualifiedClaims{Compliance: c.Claims.Compliance.Present, SSCD: c.Claims.SSCD.Present, Legislation: c.Claims.Legislation, Policies: c.Policies}
		for _, q := range c.Claims.Types {
			out.Claims.Types = append(out.Claims.Types, map[string]string{"0.4.0.1862.1.6.1": "esign", "0.4.0.1862.1.6.2": "eseal", "0.4.0.1862.1.6.3": "web"}[q])
		}
		for _, p := range c.Providers {
			counts, foreign := true, false
			for _, l := range x.Lists {
				if (l.ID == p.List || l.ID == p.Above) && !l.WellSigned {
					counts = false
				}
				foreign = foreign || l.ID == p.List && l.MRA
			}
			for _, s := range p.Services {
				if s.Expired != nil {
					out.ExpiredInfo = *s.Expired
				}
				if counts {
					out.Services = append(out.Services, TrustService{
						Provider: strings.Join(p.Names, "/"), Name: strings.Join(s.Names, "/"), Identity: s.Identity, Type: s.Type, Status: s.Status, From: s.From,
						Until: at(s.Until), Qualifiers: s.Qualifiers, Additional: s.Additional, Foreign: foreign && !s.Enacted,
					})
					if t := &out.Services[len(out.Services)-1]; foreign && s.Recognised.After(t.From) {
						t.From = s.Recognised
					}
				}
			}
		}
		for _, e := range c.EKU {
			out.TimeStamping = out.TimeStamping || e == "1.3.6.1.5.5.7.3.8"
		}
		for _, s := range c.Status {
			if data[s.Data] == nil {
				continue
			}
			out.Revocations = append(out.Revocations, CertificateStatus{Data: data[s.Data], Revoked: s.Status == "REVOKED", Unknown: s.Status == "UNKNOWN", Date: at(s.Date), Reason: s.Reason})
		}
	}
	f := &diagnostic{&Facts{}, certs}
	stamps := map[string]*TimeStamp{}
	for i := range x.Stamps {
		s := &x.Stamps[i]
		ts := &TimeStamp{Token: s.token(s.ID, certs), Kind: s.Type, Time: s.Time, ImprintFound: true, ImprintIntact: true}
		for _, m := range s.Matchers {
			if m.Type == "MESSAGE_IMPRINT" || m.Type == "" {
				ts.Digest = m.Method
			}
			ts.ImprintFound, ts.ImprintIntact = ts.ImprintFound && m.Found, ts.ImprintIntact && m.Intact
		}
		for _, c := range s.Covers {
			ts.Covers = append(ts.Covers, c.Token)
		}
		stamps[s.ID] = ts
		f.TimeStamps = append(f.TimeStamps, ts)
	}
	byID := map[string]*Signature{}
	for i := range x.Signatures {
		s := &x.Signatures[i]
		out := &Signature{Token: s.token(s.ID, certs), Format: s.Format, Claimed: at(s.Claimed), Duplicated: s.Duplicated}
		if s.Structure != nil && !s.Structure.Valid {
			out.Structure = errors.New("not as the schema has it")
		}
		out.NeedsProperty = strings.HasPrefix(s.Format, "XAdES") || strings.HasPrefix(s.Format, "CAdES") || strings.HasPrefix(s.Format, "PAdES")
		for _, m := range s.Matchers {
			if m.Twice {
				out.Malformed = append(out.Malformed, Malformed{"Is each reference to one element?", "two elements have the ID of one", "XMLDSIG 4.4.3.2"})
			}
			out.HasProperty = out.HasProperty || m.Type == "SIGNED_PROPERTIES" || m.Type == "MESSAGE_DIGEST"
			out.References = append(out.References, Reference{Name: m.Type, Digest: m.Method, Found: m.Found, Intact: m.Intact, Entry: m.Type == "MANIFEST_ENTRY"})
		}
		for _, c := range s.Found {
			for _, r := range c.Refs {
				if r.Origin != "SIGNING_CERTIFICATE" {
					continue
				}
				ref := SigningCertificate{IssuerSerial: r.Serial == nil || r.Serial.Match}
				if r.Digest != nil {
					ref.HasDigest, ref.Matches, ref.Digest = true, r.Digest.Match != "false" && s.Signer != nil && c.Certificate == s.Signer.ID, r.Digest.Method
				}
				if ref.Matches || len(out.Certificates) == 0 {
					out.Certificates = append([]SigningCertificate{ref}, out.Certificates...)
				}
			}
		}
		if s.Dictionary != nil && s.Dictionary.Range != nil && !s.Dictionary.Range.Valid {
			out.Malformed = append(out.Malformed, Malformed{"Is the byte range of the PDF right?", "it is not", "ISO 32000-2 12.8.1"})
		}
		if s.Dictionary != nil && s.Dictionary.Consistent == "false" {
			out.Malformed = append(out.Malformed, Malformed{"Is the signature dictionary the same in all revisions?", "it is not", "ISO 32000-2 12.8.1"})
		}
		if len(s.Infos) > 1 && strings.HasPrefix(s.Format, "PAdES") {
			out.Malformed = append(out.Malformed, Malformed{"Is there one signer in the PDF's signature?", "there are several", "EN 319 142-1 6.3"})
		}
		for _, ts := range s.Stamps {
			if stamps[ts.ID] != nil {
				out.TimeStamps = append(out.TimeStamps, stamps[ts.ID])
			}
		}
		byID[s.ID] = out
		f.Signatures = append(f.Signatures, out)
	}
	for i := range x.Signatures {
		if p := x.Signatures[i].Parent; p != nil {
			f.Signatures[i].Counter = byID[p.ID]
		}
	}
	return f, x.Date, &x
}

var (
	wantIndication = regexp.MustCompile(`report\.indication\((sig1|firstSigId)\) = (\w+)`)
	wantSub        = regexp.MustCompile(`report\.subIndication\((?:sig1|firstSigId)\) = (\w+)`)
	wantBasic      = regexp.MustCompile(`detailedReport\.basicValidationIndication\(sig1\) = (\w+)`)
	wantBasicSub   = regexp.MustCompile(`detailedReport\.basicValidationSubIndication\(sig1\) = (\w+)`)
	wantLong       = regexp.MustCompile(`detailedReport\.longTermValidationIndication\(sig1\) = (\w+)`)
	wantLongSub    = regexp.MustCompile(`detailedReport\.longTermValidationSubIndication\(sig1\) = (\w+)`)
)

func TestCorpusProcess(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known.tsv")
	rows, agree := 0, 0
	for _, row := range corpus.Index(t, "esignature") {
		m := wantIndication.FindStringSubmatch(row["expected"])
		if row["format"] != "PROCESS" || m == nil {
			continue
		}
		if !strings.Contains(row["inputs"], "policy: default") || !strings.Contains(row["inputs"], "time: the file's ValidationDate") {
			continue
		}
		rows++
		f, date, _ := factsOf(t, dir, row["file"])
		reports := Validate(f.Facts, nil, date)
		if len(reports) == 0 {
			t.Errorf("%s: no signature", row["file"])
			continue
		}
		r := reports[0]
		var problems []string
		compare := func(what string, got, want string) {
			if got != want {
				problems = append(problems, what+" "+got+", want "+want)
			}
		}
		first := func(re *regexp.Regexp) string {
			if m := re.FindStringSubmatch(row["expected"]); m != nil {
				return m[1]
			}
			return ""
		}
		compare("indication", string(r.Indication), m[2])
		if want := first(wantSub); want != "" || m[2] == string(TotalPassed) {
			compare("sub", string(r.Sub), want)
		}
		if want := first(wantBasic); want != "" {
			compare("basic", string(r.Basic.Indication)+" "+string(r.Basic.Sub), want+" "+first(wantBasicSub))
		}
		if want := first(wantLong); want != "" {
			compare("long-term", string(r.LongTerm.Indication)+" "+string(r.LongTerm.Sub), want+" "+first(wantLongSub))
		}
		name := row["file"]
		if reason, listed := known[name]; listed {
			known[name] = reason
			if len(problems) == 0 {
				t.Errorf("%s agrees now, but is listed", name)
			}
			continue
		}
		if len(problems) > 0 {
			t.Errorf("%s: %s (basic %s %s: %s; long %s %s; %s)", name, strings.Join(problems, "; "), r.Basic.Indication, r.Basic.Sub, r.Basic.Why, r.LongTerm.Indication, r.LongTerm.Sub, r.Why)
			continue
		}
		agree++
	}
	t.Logf("%d of %d rows agree", agree, rows)
}

var (
	wantSignature  = regexp.MustCompile(`report\.signatureQualification\((sig1|firstSigId)\) = (\w+)`)
	wantIssuance   = regexp.MustCompile(`(?:report\.qualificationAtCertificateIssuance|detailedReport\.certificateQualificationAtIssuance\("certId"\)) = (\w+)`)
	wantValidation = regexp.MustCompile(`(?:report\.qualificationAtValidationTime|detailedReport\.certificateQualificationAtValidation\("certId"\)) = (\w+)`)
	wantStamp      = regexp.MustCompile(`(?:report|detailedReport)\.timestampQualification\((?:tst1|xmlTimestamp\.id|timestampIds?\.get\(0\))\) = (\w+)`)
	certificateID  = regexp.MustCompile(`certificate (C-[0-9A-F]+)`)
)

func TestCorpusQualification(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t, "esignature")
	known := corpus.Known(t, "testdata/known.tsv")
	rows, agree := 0, 0
	for _, row := range corpus.Index(t, "esignature") {
		if row["format"] != "PROCESS" || !strings.Contains(row["inputs"], "time: the file's ValidationDate") {
			continue
		}
		first := func(re *regexp.Regexp) string {
			if m := re.FindStringSubmatch(row["expected"]); m != nil {
				return m[len(m)-1]
			}
			return ""
		}
		signature, issuance, validation, stamp := first(wantSignature), first(wantIssuance), first(wantValidation), first(wantStamp)
		if signature+issuance+validation+stamp == "" {
			continue
		}
		rows++
		f, date, _ := factsOf(t, dir, row["file"])
		var problems []string
		compare := func(what, got, want string, checks []Check) {
			if want == "" || got == want {
				return
			}
			p := what + " " + got + ", want " + want
			for _, c := range checks {
				if !c.OK {
					p += "; " + c.Question + " " + c.Answer
				}
			}
			problems = append(problems, p)
		}
		if signature != "" {
			q := QualifySignature(Validate(f.Facts, nil, date)[0], nil)
			compare("signature", q.Name, signature, q.Checks)
		}
		if issuance+validation != "" {
			m := certificateID.FindStringSubmatch(row["inputs"])
			if m == nil {
				rows-- // it does not say of which certificate
				continue
			}
			c := f.certificate(m[1])
			if c == nil {
				t.Errorf("%s: no certificate", row["file"])
				continue
			}
			q, checks := QualifyCertificate(&c.Claims, c.NotBefore, c.Services, c.NotBefore)
			compare("at issuance", q.String(), issuance, checks)
			q, checks = QualifyCertificate(&c.Claims, c.NotBefore, c.Services, date)
			compare("at validation", q.String(), validation, checks)
		}
		if stamp != "" {
			q := QualifyTimeStamp(f.TimeStamps[0], date)
			compare("time-stamp", q.Name, stamp, q.Checks)
		}
		if reason, listed := known[row["file"]+"#qualification"]; listed {
			if len(problems) == 0 {
				t.Errorf("%s agrees now, but is listed: %s", row["file"], reason)
			}
			continue
		}
		if len(problems) > 0 {
			t.Errorf("%s: %s", row["file"], strings.Join(problems, "\n  "))
			continue
		}
		agree++
	}
	t.Logf("%d of %d rows agree", agree, rows)
}
