package main

import (
	"context"
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/ers"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var preserveCommand = &command{
	name: "preserve", summary: "proves for decades that files existed: one evidence record for many files.",
	help: `An evidence record (RFC 4998, or in XML RFC 6283) holds the hashes of files and one time-stamp over all of them. Renew it before the time-stamp's
certificate ends, and hash the files anew before the digest algorithm becomes weak; each file can be proven without the others.`,
	example: "viadukt preserve create archive/*.pdf --out 2026.ers --tsa https://tsa.example.eu\nviadukt preserve check 2026.ers archive/contract.pdf --trust authorities.pem",
	sub: []*command{
		{name: "create", summary: "makes a record over files.", args: "FILE...",
			example: "viadukt preserve create contract.pdf plan.png --out files.ers --tsa https://tsa.example.eu", prepare: preparePreserve},
		{name: "seal", summary: "puts a record into each of many signed files, with one time-stamp.", args: "FILE...",
			help: `Signatures in XML and CMS take the record within, ASiC containers as a further file or in their signature. Nothing may be added to a
signature in CMS afterwards, and it takes records in ASN.1 alone. PDF and JSON take none: make a record beside them.`,
			example: "viadukt preserve seal contract.signed.xml bid.asice --tsa https://tsa.example.eu", prepare: prepareSeal},
		{name: "renew", summary: "adds a time-stamp over the last one.", args: "RECORD",
			example: "viadukt preserve renew files.ers --tsa https://tsa.example.eu", prepare: prepareRenew},
		{name: "rehash", summary: "hashes the files anew, with another algorithm.", args: "RECORD FILE...",
			help:    `All files of the record must be given: those that are left out are proven by the chains before alone.`,
			example: "viadukt preserve rehash files.ers contract.pdf plan.png --digest sha512 --tsa https://tsa.example.eu", prepare: prepareRehash},
		{name: "check", summary: "says since when files are proven to exist.", args: "RECORD FILE...",
			help:    `The exit status is 0 when the record covers every FILE and all its time-stamps are PASSED.`,
			example: "viadukt preserve check files.ers contract.pdf --trust authorities.pem --with authority.crl", prepare: prepareRecordCheck},
	},
}

var recordDigests = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// syntaxFlag reads --format, the form of a record that is made.
func (c *call) syntaxFlag(usual string) func(out string) (ers.Syntax, error) {
	format := c.String("format", "", "asn1 (RFC 4998) or xml (RFC 6283), a `form`; default: "+usual)
	return func(out string) (ers.Syntax, error) {
		switch {
		case *format == "xml", *format == "" && strings.EqualFold(filepath.Ext(out), ".xml"):
			return ers.XML, nil
		case *format == "", *format == "asn1":
			return ers.ASN1, nil
		}
		return 0, usage("--format: there is no %q; there are asn1 and xml", *format)
	}
}

// recordFlags are those of what writes a record: where the time-stamp comes from, and with which digest algorithm.
func (c *call) recordFlags(usual string) func() (tsp.Stamper, crypto.Hash, error) {
	tsa := c.tsaFlag()
	digest := c.String("digest", usual, "`algorithm`: sha256, sha384 or sha512")
	return func() (tsp.Stamper, crypto.Hash, error) {
		stamp, err := tsa()
		if err != nil {
			return nil, 0, err
		}
		if stamp == nil {
			return nil, 0, usage("--tsa is missing: the address of a time-stamping authority")
		}
		h, ok := recordDigests[*digest]
		if !ok {
			return nil, 0, usage("--digest: there is no %q; there are sha256, sha384 and sha512", *digest)
		}
		return stamp, h, nil
	}
}

func documentsOf(files []string) (out []xades.Document, err error) {
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			return nil, usage("%v", err)
		}
		out = append(out, fileDocument(file))
	}
	return out, nil
}

type recordJSON struct {
	File   string    `json:"file"`
	Format string    `json:"format"` // asn1 or xml
	Files  int       `json:"files,omitempty"`
	Since  time.Time `json:"since"`
	Stamps int       `json:"timeStamps"`
}

// wrote says what stands in a record that was written.
func (c *call) wrote(file string, b []byte, files int) error {
	if err := writeWhole(file, b); err != nil {
		return err
	}
	r, err := ers.Parse(b)
	if err != nil {
		return err
	}
	j := recordJSON{File: file, Format: "asn1", Files: files, Since: r.Chains[0].Stamps[0].Token.Info.Time.UTC()}
	if r.XML {
		j.Format = "xml"
	}
	for _, chain := range r.Chains {
		j.Stamps += len(chain.Stamps)
	}
	if c.json {
		return c.print(j)
	}
	if files > 0 {
		c.printf("%s: %s, proven to exist since %s\n", file, plural(files, "file"), j.Since.Format("2006-01-02 15:04:05Z"))
		return nil
	}
	c.printf("%s: renewed, %d time-stamps, the first of %s\n", file, j.Stamps, j.Since.Format("2006-01-02 15:04:05Z"))
	return nil
}

func preparePreserve(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	out := c.String("out", "", "write the record to this `file`")
	syntax := c.syntaxFlag("xml where --out ends so, else asn1")
	how := c.recordFlags("sha256")
	return func() error {
		if *out == "" {
			return usage("--out is missing: where the record goes, such as files.ers")
		}
		stamp, h, err := how()
		if err != nil {
			return err
		}
		x, err := syntax(*out)
		if err != nil {
			return err
		}
		docs, err := documentsOf(c.values)
		if err != nil {
			return err
		}
		b, err := ers.Create(c.p.ctx, stamp, x, h, docs)
		if err != nil {
			return err
		}
		return c.wrote(*out, b, len(docs))
	}
}

// readRecord reads a record; what is none is invalid.
func readRecord(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, usage("%v", err)
	}
	return b, nil
}

func recordProblem(file string, err error) error {
	if errors.Is(err, ers.ErrFormat) || errors.Is(err, ers.ErrDigest) || errors.Is(err, ers.ErrAlgorithm) {
		return &exit{status: statusInvalid, Code: "RECORD", Text: err.Error(), Where: file}
	}
	return err
}

type sealedJSON struct {
	File string `json:"file"`
}

func prepareSeal(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	var detached []string
	c.Func("detached", "signed `file` that stands beside a signature; may be given again", func(file string) error { detached = append(detached, file); return nil })
	syntax := c.syntaxFlag("asn1")
	how := c.recordFlags("sha256")
	return func() error {
		stamp, h, err := how()
		if err != nil {
			return err
		}
		x, err := syntax("")
		if err != nil {
			return err
		}
		beside, err := documentsOf(detached)
		if err != nil {
			return err
		}
		var list []ades.Signed
		for _, file := range c.values {
			b, err := os.ReadFile(file)
			if err != nil {
				return usage("%v", err)
			}
			list = append(list, ades.Signed{Octets: b, Documents: beside})
		}
		out, err := ades.Preserve(c.p.ctx, stamp, x, h, list)
		switch {
		case errors.Is(err, ades.ErrParams):
			return usage("%v", err)
		case errors.Is(err, ades.ErrBroken), errors.Is(err, gather.ErrFormat), errors.Is(err, gather.ErrNoSignature):
			return &exit{status: statusInvalid, Code: "SIGNATURE", Text: err.Error()}
		case err != nil:
			return err
		}
		for i, file := range c.values {
			if err := writeWhole(file, out[i]); err != nil {
				return err
			}
			if c.json {
				err = c.print(sealedJSON{file})
			} else {
				c.printf("%s: holds an evidence record\n", file)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func prepareRenew(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	how := c.recordFlags("sha256")
	return func() error {
		stamp, _, err := how()
		if err != nil {
			return err
		}
		b, err := readRecord(c.values[0])
		if err != nil {
			return err
		}
		if b, err = ers.Renew(c.p.ctx, stamp, b); err != nil {
			return recordProblem(c.values[0], err)
		}
		return c.wrote(c.values[0], b, 0)
	}
}

func prepareRehash(c *call) func() error {
	c.least, c.most = 2, -1
	c.jsonFlag()
	how := c.recordFlags("sha512")
	return func() error {
		stamp, h, err := how()
		if err != nil {
			return err
		}
		b, err := readRecord(c.values[0])
		if err != nil {
			return err
		}
		docs, err := documentsOf(c.values[1:])
		if err != nil {
			return err
		}
		if b, err = ers.Rehash(c.p.ctx, stamp, h, b, docs); err != nil {
			return recordProblem(c.values[0], err)
		}
		return c.wrote(c.values[0], b, 0)
	}
}

type provenJSON struct {
	File       string            `json:"file"`
	Record     string            `json:"record"`
	Valid      bool              `json:"valid"`
	Since      *time.Time        `json:"since,omitempty"`
	TimeStamps []recordStampJSON `json:"timeStamps"`
	Why        string            `json:"why,omitempty"`
}

type recordStampJSON struct {
	Time          time.Time `json:"time"`
	Indication    string    `json:"indication"`
	SubIndication string    `json:"subIndication,omitempty"`
	Why           string    `json:"why,omitempty"`
}

func prepareRecordCheck(c *call) func() error {
	c.least, c.most = 2, -1
	c.jsonFlag()
	known := c.evidenceFlags()
	online := c.onlineFlag()
	return func() error {
		opt, err := known()
		if err != nil {
			return err
		}
		b, err := readRecord(c.values[0])
		if err != nil {
			return err
		}
		r, err := ers.Parse(b)
		if err != nil {
			return recordProblem(c.values[0], err)
		}
		docs, err := documentsOf(c.values[1:])
		if err != nil {
			return err
		}
		opt.Certificates = append(opt.Certificates, r.Certificates...)
		opt.CRLs, opt.OCSPs = append(opt.CRLs, r.CRLs...), append(opt.OCSPs, r.OCSPs...)
		fetch := online()
		good := true
		for _, d := range docs {
			j := c.proven(c.p.ctx, r, d, opt, fetch)
			j.Record = c.values[0]
			good = good && j.Valid
			if c.json {
				err = c.print(j)
			} else if j.Valid {
				c.printf("%s existed at %s\n", j.File, j.Since.Format("2006-01-02 15:04:05Z"))
			} else {
				c.printf("%s is not proven: %s\n", j.File, j.Why)
			}
			if err != nil {
				return err
			}
		}
		if !good {
			return &exit{status: statusInvalid, silent: true}
		}
		return nil
	}
}

// proven judges a record for one document.
func (c *call) proven(ctx context.Context, r *ers.Record, d xades.Document, opt gather.Options, fetch fetcher) *provenJSON {
	if fetch != nil {
		for _, chain := range r.Chains {
			for _, s := range chain.Stamps {
				if s.Token != nil { // what cannot be had is missing in the verdict, which tells so
					opt, _ = fetch(ctx, &gather.Result{Signers: s.Token.Message.X509(), Certificates: s.Token.Message.X509()}, opt)
				}
			}
		}
	}
	v := report.JudgeRecord(r, d, opt, nil, time.Now())
	j := &provenJSON{File: d.Name, Valid: true, TimeStamps: []recordStampJSON{}}
	var why []string
	if v.Err != nil {
		why = append(why, v.Err.Error())
	}
	for _, s := range v.Stamps {
		if s.TimeStamp == nil {
			why = append(why, s.Err.Error())
			continue
		}
		stamp := recordStampJSON{Time: s.Time(), Indication: string(s.Indication), SubIndication: string(s.Sub), Why: s.Why}
		if s.Err != nil {
			stamp.Why = s.Err.Error()
		}
		if s.Indication != validation.Passed {
			why = append(why, "time-stamp of "+s.Time().Format("2006-01-02 15:04:05Z")+": "+stamp.Why)
		}
		j.TimeStamps = append(j.TimeStamps, stamp)
	}
	if since := v.Since(); !since.IsZero() {
		j.Since = &since
	}
	if len(why) > 0 {
		j.Valid, j.Since, j.Why = false, nil, strings.Join(why, "; ")
	}
	return j
}
