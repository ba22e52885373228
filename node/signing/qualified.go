package signing

import (
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/validation"
)

// notApplicable is what DSS says where no list tells.
const notApplicable = "N/A"

// worth is a qualification of a signature or a time-stamp in the words of DSS.
func worth(q *validation.Qualification) obj {
	if q == nil {
		return obj{"value": notApplicable}
	}
	name, cut := strings.CutPrefix(q.Name, "INDETERMINATE_")
	for _, w := range []struct{ name, words string }{
		{"NA", notApplicable}, {"NOT_ADES_QC_QSCD", "Not AdES but QC with QSCD"}, {"NOT_ADES_QC", "Not AdES but QC"}, {"NOT_ADES", "Not AdES"},
		{"QESIG", "QESig"}, {"QESEAL", "QESeal"}, {"UNKNOWN_QC_QSCD", "Unknown-QC-QSCD"}, {"ADESIG_QC", "AdESig-QC"}, {"ADESEAL_QC", "AdESeal-QC"},
		{"UNKNOWN_QC", "Unknown-QC"}, {"ADESIG", "AdESig"}, {"ADESEAL", "AdESeal"}, {"UNKNOWN", "Unknown"},
	} {
		if w.name == name {
			name = w.words
			break
		}
	}
	if cut {
		name = "Indeterminate " + name
	}
	return obj{"value": name}
}

// certificateLevel is what a certificate is, in the words of DSS.
func certificateLevel(q validation.CertificateQualification) string {
	if !q.Known {
		return notApplicable
	}
	kind := map[string]string{"ESIG": "eSig", "ESEAL": "eSeal", "WSA": "WSA"}[q.Type]
	if kind == "" {
		kind = "unknown type"
	}
	switch {
	case !q.Qualified:
		return "Cert for " + kind
	case q.QSCD && q.Type != "WSA":
		return "QC for " + kind + " with QSCD"
	}
	return "QC for " + kind
}

// qualification is the process of the detailed report by which lists judge a signature.
func qualification(s *validation.Certificate, q *validation.Qualification) obj {
	c := validation.Conclusion{Indication: validation.Passed, Checks: q.Checks}
	x := obj{"Title": "Signature Qualification", "Constraint": constraints(q.Checks), "Conclusion": conclusion(c), "SignatureQualification": worth(q)["value"]}
	if s == nil {
		return x
	}
	one := func(when string, at validation.CertificateQualification) obj {
		return obj{"Id": tokenID("C-", s.ID), "ValidationTime": when, "CertificateQualification": certificateLevel(at), "Title": "Certificate Qualification", "Constraint": []obj{}, "Conclusion": conclusion(validation.Conclusion{Indication: validation.Passed})}
	}
	x["ValidationCertificateQualification"] = []obj{one("CERTIFICATE_ISSUANCE_TIME", q.AtIssuance), one("BEST_SIGNATURE_TIME", q.AtSigning)}
	return x
}

// territoriesOf are those whose lists tell of a certificate.
func territoriesOf(c *validation.Certificate) (out []string) {
	if c == nil {
		return nil
	}
	for _, s := range c.Services {
		if !slices.Contains(out, s.Territory) {
			out = append(out, s.Territory)
		}
	}
	return out
}

// territories are those whose lists tell of the signers of a document.
func territories(v *report.Verdict) (out []string) {
	add := func(c *validation.Certificate) { out = append(out, territoriesOf(c)...) }
	for _, s := range v.Result.Signatures {
		add(s.Signer)
		for _, t := range s.TimeStamps {
			add(t.Signer)
		}
	}
	for _, t := range v.Result.TimeStamps {
		add(t.Signer)
	}
	return out
}

// used are the lists that tell of a document, with the lists of lists that point at them, and the reason why those that do not
// count do not.
func used(set *trustlist.Set, of []string) (lists []*trustlist.Listed, missing []trustlist.Problem) {
	if set == nil {
		return nil, nil
	}
	via := map[string]bool{}
	for _, l := range set.Lists {
		if slices.Contains(of, l.Territory) {
			via[l.Via] = true
		}
	}
	for _, l := range set.Lists {
		if slices.Contains(of, l.Territory) || l.ListOfLists() && via[l.URL] {
			lists = append(lists, l)
		}
	}
	return lists, set.Missing()
}

// listAnalysis is what the detailed report says of lists.
func listAnalysis(set *trustlist.Set, of []string) []obj {
	const clause = "TS 119 615 4.2"
	out := []obj{}
	add := func(url, territory string, why error) {
		c := validation.Conclusion{Indication: validation.Passed, Checks: []validation.Check{{Question: "Is the trusted list current?", OK: why == nil, Warning: true, Clause: clause}}}
		if why != nil {
			c.Checks[0].Answer = why.Error()
		}
		out = append(out, obj{"Id": tokenID("TL-", url), "URL": url, "CountryCode": territory, "Title": "Trusted List", "Constraint": constraints(c.Checks), "Conclusion": conclusion(c)})
	}
	lists, missing := used(set, of)
	for _, l := range lists {
		add(l.URL, l.Territory, l.Kept)
	}
	for _, p := range missing {
		add(p.URL, p.Territory, p.Err)
	}
	return out
}

// listData is what diagnostic data says of lists.
func listData(set *trustlist.Set, of []string) []obj {
	out := []obj{}
	lists, missing := used(set, of)
	for _, l := range lists {
		x := obj{"Id": tokenID("TL-", l.URL), "Url": l.URL, "CountryCode": l.Territory, "TSLType": l.Type, "SequenceNumber": l.Sequence, "Version": l.Version, "LastLoading": stampTime(l.Fetched),
			"IssueDate": stampTime(l.Issued), "WellSigned": true, "LOTL": l.ListOfLists()}
		if !l.Next.IsZero() {
			x["NextUpdate"] = stampTime(l.Next)
		}
		if l.Via != "" {
			x["parent"] = tokenID("TL-", l.Via)
		}
		out = append(out, x)
	}
	for _, p := range missing {
		out = append(out, obj{"Id": tokenID("TL-", p.URL), "Url": p.URL, "CountryCode": p.Territory, "WellSigned": false, "LOTL": false})
	}
	return out
}

// qualifyCertificate adds to the report about a certificate what lists make of it.
func qualifyCertificate(item obj, c *validation.Certificate, set *trustlist.Set, at time.Time) {
	if set == nil || c == nil {
		return
	}
	for _, x := range []struct {
		key string
		at  time.Time
	}{{"AtIssuance", c.NotBefore}, {"AtValidation", at}} {
		q, checks := validation.QualifyCertificate(&c.Claims, c.NotBefore, c.Services, x.at)
		item["qualification"+x.key], item["qualificationDetails"+x.key] = certificateLevel(q), details(checks)
	}
}
