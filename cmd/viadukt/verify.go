package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var verifyCommand = &command{
	name: "verify", summary: "says who signed a document, whether that holds, and why.", args: "FILE...",
	help: `Reads XAdES in XML, CAdES in CMS, both in ASiC containers, PAdES in PDF, and JAdES in JSON, and judges by ETSI EN 319 102-1. What a signature does not bring along, certificates, revocation lists and OCSP responses,
is given with --with, or fetched with --online. Without --trust and --trustlist nobody is trusted, and the best verdict is INDETERMINATE.
--trustlist also tells what is qualified, by ETSI TS 119 615.
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
	var trust, responders, with, detached []string
	several := func(name, usage string, to *[]string) {
		c.Func(name, usage, func(file string) error { *to = append(*to, file); return nil })
	}
	several("trust", "PEM or DER `file` with the certificates of authorities that you trust; may be given again", &trust)
	several("responders", "PEM or DER `file` with certificates of OCSP responders, or of who certifies them, that may answer for other authorities; may be given again", &responders)
	several("with", "`file` with further certificates, a CRL or an OCSP response; may be given again", &with)
	several("detached", "signed `file` that stands beside the signature; may be given again", &detached)
	message := c.String("http", "", "`file` with the HTTP message whose fields a JSON signature covers, as it was on the wire")
	lists := c.trustlistFlag()
	return func() (o gather.Options, err error) {
		o.Signatures = &pki.SignatureCache{}
		if o.Lists, err = lists(); err != nil {
			return o, err
		}
		if *message != "" {
			b, err := os.ReadFile(*message)
			if err == nil {
				o.HTTP, err = jades.ReadHTTP(b)
			}
			if err != nil {
				return o, usage("--http: %v", err)
			}
		}
		for _, file := range trust {
			certs, err := readTrust(file)
			if err != nil {
				return o, err
			}
			o.Anchors = append(o.Anchors, certs...)
		}
		var answering, m material
		for _, file := range responders {
			if err := answering.load(file); err != nil {
				return o, usage("--responders: %v", err)
			}
		}
		if len(answering.crls)+len(answering.ocsps) > 0 {
			return o, usage("--responders takes certificates; what they say is for --with")
		}
		for _, x := range answering.certs {
			o.Bound = append(o.Bound, pki.Anchor{Certificate: x, Purposes: []pki.Purpose{pki.PurposeRevocation}})
		}
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
	File string `json:"file"`
	report.Summary
	Error *exit `json:"error,omitempty"`

	full *report.Verdict // where it is asked for
}

func prepareVerdict(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	known := c.evidenceFlags()
	var records []string
	c.Func("record", "`file` with an evidence record over FILE; may be given again", func(file string) error { records = append(records, file); return nil })
	online := c.onlineFlag()
	at := c.String("at", "", "judge as of this `time`, such as 2026-05-04T09:30:00Z; default: now")
	explain := c.Bool("explain", false, "show every question that was asked")
	html := c.Bool("html", false, "write the report as a page of HTML, of one FILE")
	pdf := c.Bool("pdf", false, "write the report as PDF, of one FILE")
	etsi := c.Bool("etsi", false, "write the report as XML of ETSI TS 119 102-2, of one FILE")
	policy := c.policyFlag()
	language := c.String("language", "en", "`language` of the report: "+strings.Join(report.Languages, ", "))
	return func() error {
		if !slices.Contains(report.Languages, *language) {
			return usage("--language: there is no %q; there are %s", *language, strings.Join(report.Languages, ", "))
		}
		asked := 0
		for _, on := range []bool{*html, *pdf, *etsi, c.json} {
			if on {
				asked++
			}
		}
		if asked > 1 || asked == 1 && !c.json && len(c.values) > 1 {
			return usage("--html, --pdf and --etsi write one report, of one FILE")
		}
		opt, err := known()
		if err != nil {
			return err
		}
		for _, file := range records {
			b, err := readRecord(file)
			if err != nil {
				return err
			}
			opt.Records = append(opt.Records, b)
		}
		now := time.Now()
		if *at != "" {
			if now, err = time.Parse(time.RFC3339, *at); err != nil {
				return usage("--at: %q is no time such as 2026-05-04T09:30:00Z", *at)
			}
		}
		rules, err := policy()
		if err != nil {
			return err
		}
		fetch := online()
		judge := func(file string) *verifyJSON {
			opt := opt
			if fetch != nil {
				if r, err := gatherFile(file, opt); err == nil { // what is wrong with the file is told with its verdict
					if opt, err = fetch(c.p.ctx, r, opt); err != nil {
						for _, line := range strings.Split(err.Error(), "\n") {
							fmt.Fprintf(c.p.err, "%s: not fetched: %s\n", file, line)
						}
					}
				}
			}
			j := verifyFile(file, opt, rules, now, *language)
			if asked == 0 || c.json {
				j.full = nil // it holds the document
			}
			return j
		}
		atOnce := 1
		if fetch == nil {
			atOnce = runtime.GOMAXPROCS(0)
		}
		if len(c.values) > 100 {
			// Much is made for a verdict and nothing kept. Garbage is collected each time that the heap has grown fivefold: with
			// some octets that count and are never touched, a third as often.
			ballast := make([]byte, 8<<20)
			defer runtime.KeepAlive(ballast)
		}
		return judgeEach(c, c.values, atOnce, judge, func(j *verifyJSON) {
			switch {
			case j.Error != nil:
				c.printf("%s: %s\n", j.File, j.Error.Text)
			case *html:
				j.full.WriteHTML(c.p.out, *language)
			case *pdf:
				b, err := j.full.PDF(*language)
				if err != nil {
					j.Error = &exit{status: statusFailed, Code: "NO_REPORT", Text: err.Error()}
				}
				c.p.out.Write(b)
			case *etsi:
				c.p.out.Write(j.full.ETSI())
			default:
				var text bytes.Buffer
				describeVerdict(&text, j, *explain, *language)
				c.p.out.Write(text.Bytes())
			}
		})
	}
}

// policyFlag reads --policy; nil without it.
func (c *call) policyFlag() func() (*validation.Policy, error) {
	file := c.String("policy", "", "`file` with a validation policy: constraints in XML as the Digital Signature Service has them, or a cryptographic suite in JSON (TS 119 322)")
	return func() (*validation.Policy, error) {
		if *file == "" {
			return nil, nil
		}
		b, err := os.ReadFile(*file)
		if err != nil {
			return nil, usage("--policy: %v", err)
		}
		p, unheeded, err := validation.ReadPolicy(b)
		if err != nil {
			return nil, usage("--policy: %s: %v", *file, err)
		}
		if len(unheeded) > 0 {
			fmt.Fprintf(c.p.err, "%s: these constraints only warn, and are not looked at: %s\n", *file, strings.Join(unheeded, ", "))
		}
		return p, nil
	}
}

func (j *verifyJSON) verdict() (bool, *exit) { return j.Valid, j.Error }

func verifyFile(file string, opt gather.Options, rules *validation.Policy, at time.Time, language string) *verifyJSON {
	j := &verifyJSON{File: file, Summary: report.Summary{Signatures: []report.Signature{}}}
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
	j.full = report.Judge(filepath.Base(file), r, rules, at)
	j.Summary = *j.full.Summary(language)
	return j
}

// gatherFile reads a signed file; what is signed may stand beside it.
func gatherFile(file string, opt gather.Options) (*gather.Result, error) {
	f, size, err := openSized(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, _, err := gatherBeside(f, size, opt)
	return r, err
}

func openSized(file string) (*os.File, int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// gatherBeside reads a signed file. Content that it signs and that is neither within nor given is looked for in its folder; the
// options come back with what was found.
func gatherBeside(f *os.File, size int64, opt gather.Options) (*gather.Result, gather.Options, error) {
	given := len(opt.Documents) > 0
	if !given {
		opt.Documents = original(f)
	}
	r, err := gather.OpenAt(f, size, opt)
	if given || err != nil || r.Container != nil {
		return r, opt, err
	}
	// Most files lack nothing, and a folder of thousands takes longer to list than a signature to judge.
	for _, look := range []func(file string, missing []string) []xades.Document{named, neighbours} {
		missing := missingContent(r)
		if len(missing) == 0 {
			break
		}
		documents := look(f.Name(), missing)
		if len(documents) == 0 {
			continue
		}
		opt.Documents = documents
		if r, err = gather.OpenAt(f, size, opt); err != nil {
			break
		}
	}
	return r, opt, err
}

// missingContent is what a file names as signed and what is not at hand.
func missingContent(r *gather.Result) (names []string) {
	for _, s := range r.Signatures {
		for _, x := range s.References {
			if !x.Found {
				names = append(names, x.Name)
			}
		}
	}
	return names
}

// flagsFor are those with which what a verdict lacks can be given.
var flagsFor = map[validation.Sub]string{
	validation.NoCertificateChainFound:    " (--trust, --with)",
	validation.SignedDataNotFound:         " (--detached)",
	validation.ChainGeneralFailure:        " (--with, --online)",
	validation.RevocationOutOfBoundsNoPOE: " (--with, --online)",
	validation.NoSigningCertificateFound:  " (--with)",
}

// describeVerdict writes a verdict for people.
func describeVerdict(w io.Writer, j *verifyJSON, explain bool, language string) {
	t := func(key string, args ...string) string { return report.Text(language, key, args...) }
	fmt.Fprintf(w, "%s: %s\n", j.File, strings.TrimSuffix(j.Format+", "+j.Packaging, ", "))
	for _, s := range j.Signatures {
		who := s.Signer
		if who == "" {
			who = t("unknown.signer")
		}
		key, when := "line.signed", t("line.unclaimed")
		if s.Counter {
			key = "line.countersigned"
		}
		if s.SigningTime != nil {
			when = t("line.claimed", second(*s.SigningTime))
		}
		fmt.Fprintf(w, "  %s\n", t(key, who, when))
		if s.Qualified != "" {
			fmt.Fprintf(w, "    %s\n", report.Worth(s.Qualified, language))
		}
		verdict := s.Indication
		if s.SubIndication != "" {
			verdict += " " + s.SubIndication
		}
		fmt.Fprintf(w, "    %s, %s", verdict, s.Level)
		if proven := s.Proven(); proven != nil {
			fmt.Fprintf(w, ", %s", t("line.proven", second(*proven)))
		}
		fmt.Fprintf(w, "\n")
		if s.Why != "" {
			fmt.Fprintf(w, "    %s\n", s.Why)
		}
		if s.Remedy != "" {
			fmt.Fprintf(w, "    %s%s\n", s.Remedy, flagsFor[validation.Sub(s.SubIndication)])
		}
		describeStamps(w, s.TimeStamps, language)
		for _, name := range s.Uncovered {
			fmt.Fprintf(w, "    %s\n", t("line.uncovered", name))
		}
		for _, x := range s.Changes {
			key := "line.change"
			if x.Page > 0 {
				key = "line.change.page"
			}
			fmt.Fprintf(w, "    %s\n", t(key, x.Kind, x.What, strconv.Itoa(x.Page)))
		}
		if !explain {
			continue
		}
		for _, x := range s.Checks {
			mark := t("yes")
			switch {
			case x.Warning:
				mark = t("no.warning") + ": " + x.Answer
			case !x.OK:
				mark = strings.ToUpper(t("no")) + ": " + x.Answer
			}
			fmt.Fprintf(w, "      %s %s [%s]\n", x.Question, mark, x.Clause)
		}
	}
	if len(j.TimeStamps) > 0 {
		fmt.Fprintf(w, "  %s\n", t("line.alone"))
		describeStamps(w, j.TimeStamps, language)
	}
}

func second(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func describeStamps(w io.Writer, stamps []report.TimeStamp, language string) {
	for _, t := range stamps {
		key := "line.stamp"
		if t.Record != "" {
			key = "line.stamp.record"
		}
		fmt.Fprintf(w, "    %s: %s\n", report.Text(language, key, second(t.Time), t.Authority, t.Record),
			strings.Join(strings.Fields(t.Qualified+" "+t.Indication+" "+t.SubIndication+" "+t.Why), " "))
	}
}

// fileDocument is a file as signed content.
func fileDocument(file string) xades.Document {
	return xades.Document{Name: filepath.Base(file), Open: opener(file)}
}

// original is the file that a CMS message or a time-stamp is over if it is detached: the one whose name theirs goes on from, as
// contract.pdf.p7s from contract.pdf.
func original(f *os.File) []xades.Document {
	var head [64]byte
	n, _ := f.ReadAt(head[:], 0)
	text := bytes.TrimSpace(head[:n])
	if head[0] != 0x30 && !bytes.HasPrefix(text, []byte("MI")) && !bytes.HasPrefix(text, []byte("-----BEGIN")) {
		return nil
	}
	content := strings.TrimSuffix(f.Name(), filepath.Ext(f.Name()))
	if content == f.Name() || !isRegular(content) {
		return nil
	}
	return []xades.Document{fileDocument(content)}
}

func isRegular(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular()
}

// named are the files beside a signature that it names.
func named(file string, missing []string) (out []xades.Document) {
	for _, uri := range missing {
		name := uri
		if plain, err := url.PathUnescape(uri); err == nil {
			name = plain
		}
		name = strings.TrimPrefix(name, "./")
		beside := filepath.Join(filepath.Dir(file), name)
		if name == filepath.Base(name) && filepath.IsLocal(name) && name != filepath.Base(file) && len(out) < maxBeside && isRegular(beside) {
			out = append(out, fileDocument(beside))
		}
	}
	return out
}

// neighbours are the other files of the folder, for a signature that knows its content by digest or alone.
func neighbours(file string, _ []string) (out []xades.Document) {
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != filepath.Base(file) && len(out) < maxBeside {
			out = append(out, fileDocument(filepath.Join(filepath.Dir(file), e.Name())))
		}
	}
	return out
}

const maxBeside = 1000 // files that are taken for content of one signature
