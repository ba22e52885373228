package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var verifyCommand = &command{
	name: "verify", summary: "says who signed a document, whether that holds, and why.", args: "FILE...",
	help: `Reads XAdES in XML, CAdES in CMS, and both in ASiC containers, and judges by ETSI EN 319 102-1. What a signature does not bring along, certificates, revocation lists and OCSP responses,
is given with --with, or fetched with --online. Without --trust nobody is trusted, and the best verdict is INDETERMINATE.
The exit status is 0 when every signature of every file is TOTAL_PASSED, and every time-stamp over a container holds.`,
	example: "viadukt verify contract.xml --trust authorities.pem\nviadukt verify contract.p7s --detached contract.pdf --trust authorities.pem --explain",
	prepare: prepareVerdict,
}

// material collects files of certificates, CRLs and OCSP responses.
type material struct {
	certs       []*pki.Certificate
	crls, ocsps [][]byte
}

func (m *material) load(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if certs, err := pki.LoadCertificates(b, ""); err == nil {
		m.certs = append(m.certs, certs...)
		return nil
	}
	if c, err := pki.ParseCRL(b); err == nil {
		m.crls = append(m.crls, c.Raw)
		return nil
	}
	if r, err := pki.ParseOCSPResponse(b); err == nil {
		m.ocsps = append(m.ocsps, r.Raw)
		return nil
	}
	return fmt.Errorf("%s: neither certificates nor a CRL nor an OCSP response", file)
}

// evidenceFlags are what is known beside a document; the files are read when the command runs.
func (c *call) evidenceFlags() func() (gather.Options, error) {
	var trust, with, detached []string
	several := func(name, usage string, to *[]string) {
		c.Func(name, usage, func(file string) error { *to = append(*to, file); return nil })
	}
	several("trust", "PEM or DER `file` with the certificates of authorities that you trust; may be given again", &trust)
	several("with", "`file` with further certificates, a CRL or an OCSP response; may be given again", &with)
	several("detached", "signed `file` that stands beside the signature; may be given again", &detached)
	return func() (o gather.Options, err error) {
		for _, file := range trust {
			certs, err := readTrust(file)
			if err != nil {
				return o, err
			}
			o.Anchors = append(o.Anchors, certs...)
		}
		var m material
		for _, file := range with {
			if err := m.load(file); err != nil {
				return o, usage("--with: %v", err)
			}
		}
		o.Certificates, o.CRLs, o.OCSPs = m.certs, m.crls, m.ocsps
		for _, file := range detached {
			if _, err := os.Stat(file); err != nil {
				return o, usage("--detached: %v", err)
			}
			o.Documents = append(o.Documents, fileDocument(file))
		}
		return o, nil
	}
}

type verifyJSON struct {
	File       string          `json:"file"`
	Valid      bool            `json:"valid"`
	Format     string          `json:"format,omitempty"`
	Packaging  string          `json:"packaging,omitempty"`
	Signatures []signatureJSON `json:"signatures"`
	TimeStamps []stampJSON     `json:"timeStamps,omitempty"` // over a container
	Error      *exit           `json:"error,omitempty"`
}

type signatureJSON struct {
	ID            string      `json:"id"`
	Level         string      `json:"level"`
	Indication    string      `json:"indication"`
	SubIndication string      `json:"subIndication,omitempty"`
	Why           string      `json:"why,omitempty"`
	Remedy        string      `json:"remedy,omitempty"`
	Signer        string      `json:"signer,omitempty"`
	SigningTime   *time.Time  `json:"signingTime,omitempty"`
	BestTime      *time.Time  `json:"bestTime,omitempty"`
	Qualified     string      `json:"qualified,omitempty"`
	Counter       bool        `json:"counterSignature,omitempty"`
	TimeStamps    []stampJSON `json:"timeStamps,omitempty"`
	Checks        []checkJSON `json:"checks"`
}

type stampJSON struct {
	Kind          string    `json:"kind"`
	Time          time.Time `json:"time"`
	Authority     string    `json:"authority,omitempty"`
	Indication    string    `json:"indication"`
	SubIndication string    `json:"subIndication,omitempty"`
	Why           string    `json:"why,omitempty"`
}

type checkJSON struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
	OK       bool   `json:"ok"`
	Warning  bool   `json:"warning,omitempty"`
	Clause   string `json:"clause"`
}

func prepareVerdict(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	known := c.evidenceFlags()
	online := c.onlineFlag()
	at := c.String("at", "", "judge as of this `time`, such as 2026-05-04T09:30:00Z; default: now")
	explain := c.Bool("explain", false, "show every question that was asked")
	return func() error {
		opt, err := known()
		if err != nil {
			return err
		}
		now := time.Now()
		if *at != "" {
			if now, err = time.Parse(time.RFC3339, *at); err != nil {
				return usage("--at: %q is no time such as 2026-05-04T09:30:00Z", *at)
			}
		}
		fetch := online()
		judge := func(file string) *verifyJSON {
			opt := opt
			if fetch != nil {
				if r, err := gatherFile(file, opt); err == nil { // what is wrong with the file is told with its verdict
					var missing []error
					opt, missing = fetch(c.p.ctx, r, opt)
					for _, err := range missing {
						fmt.Fprintf(c.p.err, "%s: not fetched: %v\n", file, err)
					}
				}
			}
			return verifyFile(file, opt, now)
		}
		return judgeEach(c, c.values, judge, func(j *verifyJSON) { c.describeVerdict(j, *explain) })
	}
}

func (j *verifyJSON) verdict() (bool, *exit) { return j.Valid, j.Error }

func verifyFile(file string, opt gather.Options, at time.Time) *verifyJSON {
	j := &verifyJSON{File: file, Signatures: []signatureJSON{}}
	r, err := gatherFile(file, opt)
	if missing := new(fs.PathError); errors.As(err, &missing) {
		status := statusFailed
		if errors.Is(err, fs.ErrNotExist) {
			status = statusUsage
		}
		j.Error = &exit{status: status, Code: "NO_FILE", Text: err.Error()}
		return j
	}
	if err != nil {
		j.Error = &exit{status: statusInvalid, Code: "NOT_SIGNED", Text: err.Error(), Remedy: "give the signed file, or the file with the signature and the content with --detached"}
		return j
	}
	j.Format = r.Format
	j.Valid = true
	for i, v := range validation.Validate(r.Facts, nil, at) {
		s := r.Signatures[i]
		if i == 0 {
			j.Packaging = s.Packaging
		}
		j.Valid = j.Valid && v.Indication == validation.TotalPassed
		j.Signatures = append(j.Signatures, describe(s, v))
	}
	for _, t := range r.TimeStamps {
		x := validation.ValidateTimeStamp(t, nil, at)
		j.Valid = j.Valid && x.Indication == validation.Passed
		j.TimeStamps = append(j.TimeStamps, describeStamp(t, x))
	}
	return j
}

// gatherFile reads a signed file; what is signed may stand beside it.
func gatherFile(file string, opt gather.Options) (*gather.Result, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if len(opt.Documents) == 0 {
		head := make([]byte, 4096)
		n, _ := f.ReadAt(head, 0)
		opt.Documents = neighbours(file, head[:n])
	}
	return gather.OpenAt(f, info.Size(), opt)
}

func describeStamp(t *validation.TimeStamp, c validation.Conclusion) stampJSON {
	x := stampJSON{Kind: t.Kind, Time: t.Time, Indication: string(c.Indication), SubIndication: string(c.Sub), Why: c.Why}
	if t.Signer != nil {
		x.Authority = t.Signer.Subject
	}
	return x
}

func describe(s *gather.Signature, v *validation.Report) signatureJSON {
	j := signatureJSON{
		ID: s.ID, Level: s.Level, Indication: string(v.Indication), SubIndication: string(v.Sub), Why: v.Why, Remedy: remedies[v.Sub],
		Counter: s.Counter != nil, Checks: []checkJSON{},
	}
	if s.Certificate != nil {
		j.Signer = s.Certificate.Subject.String()
	}
	if !s.Claimed.IsZero() {
		j.SigningTime = &s.Claimed
	}
	if best := v.BestTime; !best.IsZero() {
		best = best.UTC()
		j.BestTime = &best
	}
	for _, t := range s.TimeStamps {
		j.TimeStamps = append(j.TimeStamps, describeStamp(t, v.TimeStamps[t]))
	}
	for _, c := range v.Archival.Checks {
		answer := c.Answer
		if c.OK {
			answer = "yes"
		}
		j.Checks = append(j.Checks, checkJSON{c.Question, answer, c.OK, c.Warning, c.Clause})
	}
	return j
}

// remedies is what one can do about a verdict.
var remedies = map[validation.Sub]string{
	validation.NoCertificateChainFound:    "name the authority with --trust if you trust it, and missing certificates with --with",
	validation.SignedDataNotFound:         "give the signed file with --detached",
	validation.ChainGeneralFailure:        "give a CRL or an OCSP response of the authority with --with",
	validation.OutOfBoundsNoPOE:           "the certificate has expired: only a time-stamp from before proves that the signature is older",
	validation.OutOfBoundsNotRevoked:      "the certificate has expired: only a time-stamp from before proves that the signature is older",
	validation.RevokedNoPOE:               "the certificate was revoked: only a time-stamp from before proves that the signature is older",
	validation.CryptoConstraintsNoPOE:     "the algorithm is no longer reliable: only a time-stamp from before that proves that the signature is older",
	validation.RevocationOutOfBoundsNoPOE: "give newer revocation data with --with",
	validation.HashFailure:                "ask the signer for the document as it was signed",
	validation.SigCryptoFailure:           "the signature was changed or is none of this certificate: ask the signer",
	validation.NoSigningCertificateFound:  "give the signer's certificate with --with",
	validation.TryLater:                   "the certificate is suspended: ask again later",
}

func (c *call) describeVerdict(j *verifyJSON, explain bool) {
	if j.Error != nil {
		c.printf("%s: %s\n", j.File, j.Error.Text)
		return
	}
	c.printf("%s: %s\n", j.File, strings.TrimSuffix(j.Format+", "+j.Packaging, ", "))
	for _, s := range j.Signatures {
		who := s.Signer
		if who == "" {
			who = "somebody whose certificate is not at hand"
		}
		kind := "signed"
		if s.Counter {
			kind = "counter-signed"
		}
		when := "at a time that is not claimed"
		if s.SigningTime != nil {
			when = "at " + s.SigningTime.UTC().Format("2006-01-02 15:04:05Z") + " by the own word"
		}
		c.printf("  %s %s %s\n", who, kind, when)
		verdict := s.Indication
		if s.SubIndication != "" {
			verdict += " " + s.SubIndication
		}
		c.printf("    %s, %s", verdict, s.Level)
		if s.BestTime != nil && len(s.TimeStamps) > 0 {
			c.printf(", proven to exist since %s", s.BestTime.Format("2006-01-02 15:04:05Z"))
		}
		c.printf("\n")
		if s.Why != "" {
			c.printf("    %s\n", s.Why)
		}
		if s.Remedy != "" {
			c.printf("    %s\n", s.Remedy)
		}
		c.describeStamps(s.TimeStamps)
		if !explain {
			continue
		}
		for _, x := range s.Checks {
			mark := "yes"
			switch {
			case x.Warning:
				mark = "no, a warning: " + x.Answer
			case !x.OK:
				mark = "NO: " + x.Answer
			}
			c.printf("      %s %s [%s]\n", x.Question, mark, x.Clause)
		}
	}
	if len(j.TimeStamps) > 0 {
		c.printf("  over the container\n")
		c.describeStamps(j.TimeStamps)
	}
}

func (c *call) describeStamps(stamps []stampJSON) {
	for _, t := range stamps {
		c.printf("    time-stamp of %s by %s: %s\n", t.Time.Format("2006-01-02 15:04:05Z"), t.Authority, strings.TrimSpace(t.Indication+" "+t.SubIndication+" "+t.Why))
	}
}

// fileDocument is a file as signed content.
func fileDocument(file string) xades.Document {
	return xades.Document{Name: filepath.Base(file), Open: opener(file)}
}

// neighbours are the files beside a detached XML signature that it may name.
func neighbours(file string, b []byte) []xades.Document {
	if !strings.Contains(string(b[:min(len(b), 4096)]), "<") {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		return nil
	}
	var out []xades.Document
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != filepath.Base(file) && len(out) < 1000 {
			out = append(out, fileDocument(filepath.Join(filepath.Dir(file), e.Name())))
		}
	}
	return out
}
