package main

import (
	"context"
	"crypto"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

var (
	signCommand = &command{
		name: "sign", summary: "signs files with your key.", args: "FILE...",
		help: `Makes XAdES, CAdES, JAdES or PAdES signatures of the baseline levels B, and with a time-stamping authority T. XML and PDF are signed
enveloped, so that the signature stands in them; other files enveloping, so that they stand in the signature. --packaging detached
writes the signature alone. PDF gets its signature behind what is there; --visible shows it on a page. --container puts the FILEs and one signature over all of them into an ASiC container: asic-e, or asic-s for one FILE.
XML and PDF are signed again as the first time. With --parallel FILE is a container or a signature in CMS or JSON, and yours is put beside those
that are there; with --counter you sign a signature, and confirm that it was made.`,
		example: "viadukt sign contract.xml --key ada.p12 --password file:ada.pass --role clerk\nviadukt sign offer.pdf plan.png --container asic-e --key ada.p12 --out bid.asice\nviadukt sign scan.pdf --format cades --packaging detached --key ada.pem --tsa https://tsa.example.eu\nviadukt sign permit.pdf --key ada.pem --visible -1:350,40,200,60 --reason Granted\nviadukt sign bid.asice --parallel --key bob.pem",
		prepare: prepareSign,
	}
	extendCommand = &command{
		name: "extend", summary: "lets a signature outlive its certificate: adds time-stamps, certificates and revocation data.", args: "FILE",
		help: `--level t adds a time-stamp over the signature, lt the certificates and revocation data that you give with --with or that
--online fetches, lta a time-stamp over all of it. What is there is never written anew. A level contains those before it.`,
		example: "viadukt extend contract.xml --level lta --tsa https://tsa.example.eu --with authority.crl --with authority.pem",
		prepare: prepareExtend,
	}
	timestampCommand = &command{
		name: "timestamp", summary: "gets a time-stamp over a file: proof that it existed then.", args: "FILE...",
		example: "viadukt timestamp scan.pdf --tsa https://tsa.example.eu",
		prepare: prepareTimestamp,
	}
)

// signaturePolicyFlags read the policy that the signer follows; nil without one.
func (c *call) signaturePolicyFlags() func() (*ades.Policy, error) {
	id := c.String("policy", "", "the signature policy that you follow, an `identifier`: OID, or URI in XAdES and JAdES")
	file := c.String("policy-file", "", "the document of that policy, a `file`: its digest goes into the signature")
	address := c.String("policy-url", "", "where others find the document, a `URL`")
	return func() (*ades.Policy, error) {
		if *id == "" && *file+*address == "" {
			return nil, nil
		}
		if *id == "" || *file == "" {
			return nil, usage("--policy and --policy-file go together: the identifier of a signature policy and its document")
		}
		sum, err := fileDigest(*file, crypto.SHA256)
		if err != nil {
			return nil, usage("--policy-file: %v", err)
		}
		return &ades.Policy{ID: *id, URI: *address, Hash: crypto.SHA256, Digest: sum}, nil
	}
}

// opener opens a file again each time.
func opener(file string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(file) }
}

// stamper reads --tsa.
func (c *call) tsaFlag() func() (tsp.Stamper, error) {
	address := c.String("tsa", "", "`address` of a time-stamping authority")
	return func() (tsp.Stamper, error) {
		if *address == "" {
			return nil, nil
		}
		if !strings.HasPrefix(*address, "http://") && !strings.HasPrefix(*address, "https://") {
			return nil, usage("--tsa: %q is no address such as https://tsa.example.eu", *address)
		}
		return &tsp.Client{URLs: []string{*address}, HTTP: &http.Client{Timeout: time.Minute}}, nil
	}
}

type signedJSON struct {
	File   string `json:"file"`
	Out    string `json:"out"`
	Format string `json:"format"`
	Level  string `json:"level,omitempty"`
	Error  *exit  `json:"error,omitempty"`
}

func prepareSign(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	signer := c.signerFlags()
	format := c.String("format", "", "`xades`, cades, jades or pades; default: pades for PDF, else xades")
	packaging := c.String("packaging", "", "enveloped, enveloping, detached or, in XML, internally-detached, a `kind`; default: enveloped for XML and PDF, else enveloping")
	container := c.String("container", "", "asic-s or asic-e, a `kind` of container for the files and one signature; default: none")
	out := c.String("out", "", "write to this `file`, with one FILE or a container; default: beside it")
	city := c.String("city", "", "where you sign: `city`")
	country := c.String("country", "", "where you sign: two letters of the `country`")
	commitment := c.String("commitment", "", "what you bind yourself to: an OID or URI, an `identifier`")
	policy := c.signaturePolicyFlags()
	var roles []string
	c.Func("role", "in which `role` you sign; may be given again", func(s string) error { roles = append(roles, s); return nil })
	tsa := c.tsaFlag()
	page := c.pageFlags()
	parallel := c.Bool("parallel", false, "put your signature beside those of FILE, a container or a signature in CMS or JSON; --out is by default FILE itself")
	var detached []string
	c.Func("detached", "with --parallel, the signed `file` that stands beside FILE; may be given again", func(file string) error { detached = append(detached, file); return nil })
	counter := c.Bool("counter", false, "sign the signature of FILE, in XML, CMS or JSON; --out is by default FILE itself")
	away := c.elsewhereFlags()
	of := c.String("of", "", "with --counter, the `identifier` of the signature, where FILE holds several in XML")
	sign := func(id *pki.Identity, at time.Time) error {
		if *out != "" && len(c.values) > 1 && *container == "" {
			return usage("--out is for one FILE, or with --container")
		}
		if further := *parallel || *counter; further && (*parallel && *counter || *packaging != "" || *container != "" || page.given()) {
			return usage("--parallel and --counter go with FILE as it is: without each other, --container, --packaging, and what is for PDF")
		}
		if *of != "" && !*counter || len(detached) > 0 && !*parallel {
			return usage("--of goes with --counter, and --detached with --parallel")
		}
		stamp, err := tsa()
		if err != nil {
			return err
		}
		rules, err := policy()
		if err != nil {
			return err
		}
		s := signing{at: at, page: page, policy: rules, id: id, packaging: *packaging, city: *city, country: *country, commitment: *commitment, roles: roles, stamp: stamp}
		switch *format {
		case "", "xades", "cades", "jades", "pades":
		default:
			return usage("there is no format %q; there are xades, cades, jades and pades", *format)
		}
		if *parallel || *counter {
			for _, file := range c.values {
				to := *out
				if to == "" {
					to = file
				}
				if *parallel {
					err = s.beside(c.p.ctx, file, to, detached)
				} else {
					err = s.counter(file, to, *format, *of)
				}
				if err != nil {
					return err
				}
				if err := s.tell(c, file, to, detached); err != nil {
					return err
				}
			}
			return nil
		}
		if *container != "" {
			if *format == "" {
				*format = "xades"
			}
			if *format == "jades" || *format == "pades" {
				return usage("containers hold XAdES or CAdES: --format xades or cades")
			}
			return s.contain(c, *format, *container, *out)
		}
		for _, file := range c.values {
			format := *format
			if format == "" {
				format = s.formatFor(file)
			}
			if format != "pades" && page.given() {
				return usage("%s: --visible, --text, --image, --reason, --field and --certify are for PDF", file)
			}
			to, level, err := s.sign(c.p.ctx, format, file, *out)
			if err != nil {
				return err
			}
			j := signedJSON{File: file, Out: to, Format: format, Level: level}
			if c.json {
				if err := c.print(j); err != nil {
					return err
				}
				continue
			}
			c.printf("%s: signed, %s, in %s\n", file, j.Level, to)
		}
		return nil
	}
	return func() error {
		at, err := away.time()
		if err != nil {
			return err
		}
		id, err := away.identity()
		if err != nil {
			return err
		}
		if id == nil {
			if id, err = signer(c.p.ctx); err != nil {
				return err
			}
		} else if len(c.values) > 1 && *container == "" {
			return usage("--certificate: one FILE is signed in two steps, or a container")
		}
		if err = sign(id, at); errors.Is(err, errUnsigned) {
			return away.hand(c, id, at)
		}
		if said := new(exit); err != nil && *away.value != "" && !errors.As(err, &said) {
			return usage("--value: %v: is all the rest as it was in the first step?", err)
		}
		return err
	}
}

// formatFor is the format of a file for which none was asked.
func (s *signing) formatFor(file string) string {
	if strings.EqualFold(filepath.Ext(file), ".pdf") && (s.packaging == "" || s.packaging == "enveloped") {
		return "pades"
	}
	return "xades"
}

// sign signs a file and says where the signature is, and its level.
func (s *signing) sign(ctx context.Context, format, file, out string) (to, level string, err error) {
	if format == "pades" {
		to, err = s.pades(ctx, file, out)
	} else {
		doc := fileDocument(file)
		doc.MimeType = mediatype.Of(file)
		if to = out; to == "" {
			to = s.place(format, file)
		}
		err = s.write(ctx, to, ades.Params{Format: ades.Format(format), Packaging: ades.Packaging(s.packaging)}, doc)
	}
	if err != nil {
		return "", "", err
	}
	r, err := gatherFile(to, gather.Options{Documents: []xades.Document{fileDocument(file)}})
	if err != nil {
		return "", "", err
	}
	return to, r.Signatures[len(r.Signatures)-1].Level, nil
}

// place is where a signature goes when nobody says it.
func (s *signing) place(format, file string) string {
	detached := s.packaging == "detached"
	switch {
	case format == "jades":
		return file + ".jws"
	case format == "cades" && detached:
		return file + ".p7s"
	case format == "cades":
		return file + ".p7m"
	case detached:
		return file + ".xades.xml"
	}
	return strings.TrimSuffix(file, filepath.Ext(file)) + ".signed.xml"
}

// signing is what sign was asked for.
type signing struct {
	at                       time.Time
	page                     *pageFlags
	policy                   *ades.Policy
	id                       *pki.Identity
	packaging, city, country string
	commitment               string
	roles                    []string
	stamp                    tsp.Stamper
}

// beside puts a signature beside those of a file.
func (s *signing) beside(ctx context.Context, file, to string, detached []string) error {
	f, size, err := openSized(file)
	if err != nil {
		return usage("%v", err)
	}
	defer f.Close()
	r, opt, err := gatherBeside(f, size, gather.Options{Documents: fileDocuments(detached)})
	if err != nil {
		return adesProblem(err)
	}
	if r.Format == "XAdES" || r.PDF != nil {
		return usage("%s: XML and PDF are signed again without --parallel", file)
	}
	return adesProblem(writeFile(to, func(w io.Writer) error {
		return ades.SignParallel(ctx, w, nil, s.id, f, size, opt.Documents, s.params(ades.Params{}), s.stamp)
	}))
}

// counter signs a signature of a file.
func (s *signing) counter(file, to, format, of string) error {
	if s.stamp != nil {
		return usage("--tsa: counter-signatures are made at level B")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return usage("%v", err)
	}
	p := s.params(ades.Params{})
	if p.Format = ades.Format(format); format == "" {
		r, err := gatherFile(file, gather.Options{})
		if err != nil {
			return adesProblem(err)
		}
		p.Format = ades.Format(strings.ToLower(r.Format))
	}
	return adesProblem(writeFile(to, func(w io.Writer) error { return ades.SignCounter(w, nil, s.id, b, of, p) }))
}

// tell says what signatures a file has now.
func (s *signing) tell(c *call, file, to string, detached []string) error {
	r, err := gatherFile(to, gather.Options{Documents: fileDocuments(detached)})
	if err != nil {
		return err
	}
	level := ""
	for _, x := range r.Signatures {
		if x.Certificate != nil && x.Certificate.Equal(s.id.Certificate) {
			level = x.Level
		}
	}
	if c.json {
		return c.print(signedJSON{File: file, Out: to, Format: strings.ToLower(r.Format), Level: level})
	}
	c.printf("%s: signed, %s, %d signatures in %s\n", file, level, len(r.Signatures), to)
	return nil
}

func fileDocuments(files []string) (out []xades.Document) {
	for _, file := range files {
		out = append(out, fileDocument(file))
	}
	return out
}

// params completes what says where a signature stands by what it says.
func (s *signing) params(p ades.Params) ades.Params {
	p.Time, p.Roles, p.Place, p.Policy = s.at, s.roles, xades.Place{City: s.city, Country: s.country}, s.policy
	if s.commitment != "" {
		p.Commitments = []string{s.commitment}
	}
	return p
}

// write signs documents into a file, with a time-stamp where there is an authority.
func (s *signing) write(ctx context.Context, to string, p ades.Params, docs ...xades.Document) error {
	p = s.params(p)
	if s.stamp != nil {
		p.JSON = jades.Flattened // which has room for the time-stamp
	}
	return adesProblem(writeFile(to, func(w io.Writer) error { return ades.Sign(ctx, w, nil, s.id, docs, p, s.stamp) }))
}

// adesProblem tells what can be done about an error of package ades.
func adesProblem(err error) error {
	switch {
	case errors.Is(err, ades.ErrParams):
		return usage("%s", strings.TrimPrefix(err.Error(), ades.ErrParams.Error()+": "))
	case errors.Is(err, ades.ErrNoStamper):
		return usage("--tsa is missing: a time-stamp is needed")
	case errors.Is(err, ades.ErrBroken):
		return &exit{status: statusInvalid, Code: "BROKEN", Text: err.Error(), Remedy: "viadukt verify tells more"}
	case errors.Is(err, xades.ErrNeighbour):
		return &exit{status: statusInvalid, Code: "ALONE", Text: err.Error(), Remedy: "sign it in another way, such as with --packaging detached or --container asic-e"}
	case errors.Is(err, ades.ErrCovered), errors.Is(err, cms.ErrCovered):
		return &exit{status: statusInvalid, Code: "COVERED", Text: err.Error()}
	case errors.Is(err, pdf.ErrFormat):
		return &exit{status: statusInvalid, Code: "NOT_READ", Text: err.Error()}
	case errors.Is(err, gather.ErrFormat), errors.Is(err, gather.ErrNoSignature):
		return &exit{status: statusInvalid, Code: "NOT_SIGNED", Text: err.Error()}
	}
	return err
}

// contain writes a container with the files and one signature over them.
func (s *signing) contain(c *call, format, kind, out string) error {
	if out == "" {
		out = c.values[0] + "." + strings.ReplaceAll(kind, "-", "")
	}
	docs := make([]xades.Document, len(c.values))
	for i, file := range c.values {
		if _, err := os.Stat(file); err != nil {
			return usage("%v", err)
		}
		docs[i] = fileDocument(file)
		docs[i].MimeType = mediatype.Of(file)
	}
	err := s.write(c.p.ctx, out, ades.Params{Format: ades.Format(format), Packaging: ades.Packaging(s.packaging), Container: ades.Container(kind)}, docs...)
	if err != nil {
		return err
	}
	r, err := gatherFile(out, gather.Options{})
	if err != nil {
		return err
	}
	level := r.Signatures[0].Level
	for _, file := range c.values {
		if c.json {
			if err := c.print(signedJSON{File: file, Out: out, Format: kind, Level: level}); err != nil {
				return err
			}
			continue
		}
		c.printf("%s: signed, %s, in %s\n", file, level, out)
	}
	return nil
}

func writeWhole(file string, b []byte) error {
	return writeFile(file, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// writeFile writes a file that is there wholly or not at all.
func writeFile(file string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".viadukt-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = write(f)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func prepareExtend(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	level := c.String("level", "t", "`t`, lt or lta")
	vri := c.Bool("vri", false, "in PDF, say for each signature, too, which validation material is its own: for older readers")
	out := c.String("out", "", "write to this `file`; default: FILE itself")
	known := c.evidenceFlags()
	online := c.onlineFlag()
	tsa := c.tsaFlag()
	return func() error {
		opt, err := known()
		if err != nil {
			return err
		}
		stamp, err := tsa()
		if err != nil {
			return err
		}
		switch *level {
		case "t", "lt", "lta":
		default:
			return usage("there is no level %q; there are t, lt and lta", *level)
		}
		file := c.values[0]
		to := file
		if *out != "" {
			to = *out
		}
		x := ades.Extension{Stamper: stamp, Known: opt, VRI: *vri}
		if fetch := online(); fetch != nil {
			x.Fetch = func(ctx context.Context, r *gather.Result, opt gather.Options) (gather.Options, error) {
				opt, err := fetch(ctx, r, opt)
				if err != nil {
					err = &exit{status: statusFailed, Code: "NOT_FETCHED", Text: err.Error(), Where: file, Remedy: "what is missing now may be missing for good; give it with --with, or try again"}
				}
				return opt, err
			}
		}
		if err := extendFile(c.p.ctx, file, to, ades.Level(strings.ToUpper(*level)), x); err != nil {
			return adesProblem(err)
		}
		r, err := gatherFile(to, opt)
		if err != nil {
			return err
		}
		j := signedJSON{File: file, Out: to, Format: strings.ToLower(r.Format), Level: r.Signatures[len(r.Signatures)-1].Level}
		if c.json {
			return c.print(j)
		}
		c.printf("%s: %s, in %s\n", file, j.Level, to)
		return nil
	}
}

// extendFile extends a PDF document where it stands, and others in memory.
func extendFile(ctx context.Context, file, to string, level ades.Level, x ades.Extension) error {
	f, size, err := openSized(file)
	if err != nil {
		return usage("%v", err)
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, _ := f.ReadAt(head, 0)
	if gather.IsPDF(head[:n]) {
		more, err := ades.ExtendPDF(ctx, f, size, level, x)
		if err != nil {
			return err
		}
		return writeBehind(f, more, to)
	}
	if _, x.Known, err = gatherBeside(f, size, x.Known); err != nil {
		return err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	if b, err = ades.Extend(ctx, b, level, x); err != nil {
		return err
	}
	return writeWhole(to, b)
}

func prepareTimestamp(c *call) func() error {
	c.least, c.most = 1, -1
	c.jsonFlag()
	out := c.String("out", "", "write to this `file`, with one FILE; default: FILE.tst")
	tsa := c.tsaFlag()
	return func() error {
		stamp, err := tsa()
		if err != nil {
			return err
		}
		if stamp == nil {
			return usage("--tsa is missing: the address of a time-stamping authority")
		}
		if *out != "" && len(c.values) > 1 {
			return usage("--out is for one FILE")
		}
		for _, file := range c.values {
			t, err := stampFile(c.p.ctx, stamp, file)
			if err != nil {
				return err
			}
			to := *out
			if to == "" {
				to = file + ".tst"
			}
			if err := writeWhole(to, t.Raw); err != nil {
				return err
			}
			if c.json {
				err = c.print(struct {
					File string    `json:"file"`
					Out  string    `json:"out"`
					Time time.Time `json:"time"`
				}{file, to, t.Info.Time.UTC()})
			} else {
				c.printf("%s: existed at %s, in %s\n", file, t.Info.Time.UTC().Format("2006-01-02 15:04:05Z"), to)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func stampFile(ctx context.Context, stamp tsp.Stamper, file string) (*tsp.Token, error) {
	sum, err := fileDigest(file, crypto.SHA256)
	if err != nil {
		return nil, usage("%v", err)
	}
	return stamp.Stamp(ctx, crypto.SHA256, sum)
}

func fileDigest(file string, h crypto.Hash) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := h.New()
	_, err = io.Copy(sum, f)
	return sum.Sum(nil), err
}
