package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

var (
	signCommand = &command{
		name: "sign", summary: "signs files with your key.", args: "FILE...",
		help: `Makes XAdES, CAdES, JAdES or PAdES signatures of the baseline levels B, and with a time-stamping authority T. XML and PDF are signed
enveloped, so that the signature stands in them; other files enveloping, so that they stand in the signature. --packaging detached
writes the signature alone. PDF gets its signature behind what is there; --visible shows it on a page. --container puts the FILEs and one signature over all of them into an ASiC container: asic-e, or asic-s for one FILE.`,
		example: "viadukt sign contract.xml --key ada.p12 --password file:ada.pass --role clerk\nviadukt sign offer.pdf plan.png --container asic-e --key ada.p12 --out bid.asice\nviadukt sign scan.pdf --format cades --packaging detached --key ada.pem --tsa https://tsa.example.eu\nviadukt sign permit.pdf --key ada.pem --visible -1:350,40,200,60 --reason Granted",
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
	packaging := c.String("packaging", "", "enveloped, enveloping or detached, a `kind`; default: enveloped for XML and PDF, else enveloping")
	container := c.String("container", "", "asic-s or asic-e, a `kind` of container for the files and one signature; default: none")
	out := c.String("out", "", "write to this `file`, with one FILE or a container; default: beside it")
	city := c.String("city", "", "where you sign: `city`")
	country := c.String("country", "", "where you sign: two letters of the `country`")
	commitment := c.String("commitment", "", "what you bind yourself to: an OID or URI, an `identifier`")
	var roles []string
	c.Func("role", "in which `role` you sign; may be given again", func(s string) error { roles = append(roles, s); return nil })
	tsa := c.tsaFlag()
	page := c.pageFlags()
	return func() error {
		if *out != "" && len(c.values) > 1 && *container == "" {
			return usage("--out is for one FILE, or with --container")
		}
		id, err := signer(c.p.ctx)
		if err != nil {
			return err
		}
		stamp, err := tsa()
		if err != nil {
			return err
		}
		s := signing{page: page, id: id, packaging: *packaging, city: *city, country: *country, commitment: *commitment, roles: roles, stamp: stamp}
		switch *format {
		case "", "xades", "cades", "jades", "pades":
		default:
			return usage("there is no format %q; there are xades, cades, jades and pades", *format)
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
		if to, err = s.pades(ctx, file, out); err != nil {
			return "", "", err
		}
		r, err := gatherFile(to, gather.Options{})
		if err != nil {
			return "", "", err
		}
		return to, r.Signatures[len(r.Signatures)-1].Level, nil
	}
	do := map[string]func(context.Context, string, string) (string, []byte, error){"xades": s.xades, "cades": s.cades, "jades": s.jades}[format]
	to, b, err := do(ctx, file, out)
	if err != nil {
		return "", "", err
	}
	return to, levelOf(b, file), writeWhole(to, b)
}

// signing is what sign was asked for.
type signing struct {
	page                     *pageFlags
	id                       *pki.Identity
	packaging, city, country string
	commitment               string
	roles                    []string
	stamp                    tsp.Stamper
}

func (s *signing) xadesParams(packaging xades.Packaging) xades.Params {
	p := xades.Params{Packaging: packaging, Signer: s.id.Certificate, Chain: s.id.Chain, Time: time.Now(), Roles: s.roles}
	if s.city != "" || s.country != "" {
		p.Place = &xades.Place{City: s.city, Country: s.country}
	}
	if s.commitment != "" {
		p.Commitments = []xades.Commitment{{ID: s.commitment}}
	}
	return p
}

// xadesOver signs documents, with a time-stamp where there is an authority.
func (s *signing) xadesOver(ctx context.Context, docs []xades.Document, packaging xades.Packaging) ([]byte, error) {
	b, err := xades.Sign(s.id.Key.(crypto.Signer), rand.Reader, docs, s.xadesParams(packaging))
	if err != nil || s.stamp == nil {
		return b, err
	}
	return extendXML(ctx, b, "t", s.stamp, gather.Options{Documents: docs})
}

func (s *signing) xades(ctx context.Context, file, out string) (string, []byte, error) {
	packaging := xades.Packaging(s.packaging)
	isXML := strings.EqualFold(filepath.Ext(file), ".xml")
	if packaging == "" {
		packaging = xades.Enveloping
		if isXML {
			packaging = xades.Enveloped
		}
	}
	doc := fileDocument(file)
	if isXML {
		doc.MimeType = "application/xml"
	}
	if out == "" {
		out = strings.TrimSuffix(file, filepath.Ext(file)) + ".signed.xml"
		if packaging == xades.Detached {
			out = file + ".xades.xml"
		}
	}
	b, err := s.xadesOver(ctx, []xades.Document{doc}, packaging)
	return out, b, err
}

// cadesOver signs content, with a time-stamp where there is an authority.
func (s *signing) cadesOver(ctx context.Context, content []byte, detached bool) ([]byte, error) {
	p := cades.Parameters{Certificate: s.id.Certificate, Chain: s.id.Chain, SigningTime: time.Now()}
	if s.city != "" || s.country != "" {
		p.Location = &cades.Location{Locality: s.city, Country: s.country}
	}
	if s.commitment != "" {
		oid, ok := pki.ParseOID(s.commitment)
		if !ok {
			return nil, usage("--commitment: CAdES names commitments by OID, such as 1.2.840.113549.1.9.16.6.5")
		}
		p.Commitments = []cades.Commitment{{ID: oid}}
	}
	if len(s.roles) > 0 {
		p.Claimed = []cades.ClaimedAttribute{{Type: "2.5.4.72", Values: s.roles}}
	}
	sig, err := cades.Sign(rand.Reader, s.id, content, detached, p)
	if err != nil {
		return nil, err
	}
	if s.stamp != nil {
		if err := sig.Extend(ctx, cades.LevelT, cades.Extension{Stamper: s.stamp, Content: cms.Bytes(content)}); err != nil {
			return nil, err
		}
	}
	return sig.Message.Bytes()
}

func (s *signing) cades(ctx context.Context, file, out string) (string, []byte, error) {
	detached := false
	switch s.packaging {
	case "", "enveloping":
	case "detached":
		detached = true
	default:
		return "", nil, usage("CAdES is enveloping or detached, not %s", s.packaging)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", nil, err
	}
	if out == "" {
		out = file + ".p7m"
		if detached {
			out = file + ".p7s"
		}
	}
	b, err := s.cadesOver(ctx, content, detached)
	return out, b, err
}

// jades signs a file as JWS: compact, with a time-stamp flattened.
func (s *signing) jades(ctx context.Context, file, out string) (string, []byte, error) {
	p := jades.Params{Time: time.Now(), Roles: s.roles}
	switch s.packaging {
	case "", "enveloping":
	case "detached":
		p.Detached, p.Mechanism = true, jades.ByURIHash
	default:
		return "", nil, usage("JAdES is enveloping or detached, not %s", s.packaging)
	}
	if s.stamp != nil {
		p.Serialization = jades.Flattened
	}
	if s.city != "" || s.country != "" {
		p.Place = &jades.Place{City: s.city, Country: s.country}
	}
	if s.commitment != "" {
		p.Commitments = []jades.Commitment{{ID: s.commitment}}
	}
	doc := fileDocument(file)
	doc.MimeType = mime.TypeByExtension(filepath.Ext(file))
	if !p.Detached {
		p.ContentType = doc.MimeType
	}
	if out == "" {
		out = file + ".jws"
	}
	m, err := jades.Sign(rand.Reader, s.id, []xades.Document{doc}, p)
	if err != nil {
		return out, nil, err
	}
	if s.stamp != nil {
		if err := m.Signatures[0].Extend(ctx, jades.LevelT, jades.Extension{Stamper: s.stamp, Documents: []xades.Document{doc}}); err != nil {
			return out, nil, err
		}
	}
	b, err := m.Bytes()
	return out, b, err
}

// contain writes a container with the files and one signature over them.
func (s *signing) contain(c *call, format, kind, out string) error {
	var t asic.Type
	switch kind {
	case "asic-e":
		t = asic.E
	case "asic-s":
		if t = asic.S; len(c.values) != 1 {
			return usage("an ASiC-S container holds one file, not %d: --container asic-e holds more", len(c.values))
		}
	default:
		return usage("there is no container %q; there are asic-s and asic-e", kind)
	}
	if s.packaging != "" && s.packaging != "detached" {
		return usage("signatures in containers are detached: leave --packaging away")
	}
	if out == "" {
		out = c.values[0] + "." + strings.ReplaceAll(kind, "-", "")
	}
	content := make([]asic.Content, len(c.values))
	for i, file := range c.values {
		if _, err := os.Stat(file); err != nil {
			return usage("%v", err)
		}
		d := fileDocument(file)
		content[i] = asic.Content{Name: d.Name, MimeType: mime.TypeByExtension(filepath.Ext(file)), Open: d.Open}
	}
	signature, manifest, err := s.detached(c.p.ctx, t, format, content)
	if err != nil {
		return err
	}
	err = writeFile(out, func(f io.Writer) error { return asic.Write(f, t, time.Now(), content, manifest, signature) })
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

// detached signs the content of a container: each file, or for CMS the one file of ASiC-S and else a manifest that lists them.
func (s *signing) detached(ctx context.Context, t asic.Type, format string, content []asic.Content) (signature, manifest *asic.Small, err error) {
	if format == "xades" {
		var docs []xades.Document
		for _, x := range content {
			docs = append(docs, xades.Document{Name: x.Name, MimeType: x.MimeType, Open: x.Open})
		}
		if t == asic.E {
			manifest = &asic.Small{Name: "META-INF/manifest.xml", Octets: asic.WriteFiles(content)}
		}
		b, err := s.xadesOver(ctx, docs, xades.Detached)
		return &asic.Small{Name: "META-INF/signatures.xml", Octets: asic.WrapXAdES(b)}, manifest, err
	}
	signature = &asic.Small{Name: "META-INF/signature.p7s"}
	var signed []byte
	if t == asic.E {
		manifest = &asic.Small{Name: "META-INF/ASiCManifest.xml"}
		manifest.Octets, err = asic.WriteManifest(signature.Name, "application/pkcs7-signature", content, xmldsig.SHA256)
		signed = manifest.Octets
	} else {
		signed, err = readAll(content[0].Open)
	}
	if err != nil {
		return nil, nil, err
	}
	signature.Octets, err = s.cadesOver(ctx, signed, true)
	return signature, manifest, err
}

// levelOf reads back what was made.
func levelOf(b []byte, file string) string {
	r, err := gather.Open(b, gather.Options{Documents: []xades.Document{fileDocument(file)}})
	if err != nil || len(r.Signatures) == 0 {
		return ""
	}
	return r.Signatures[len(r.Signatures)-1].Level
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

func readAll(open func() (io.ReadCloser, error)) ([]byte, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func prepareExtend(c *call) func() error {
	c.least, c.most = 1, 1
	c.jsonFlag()
	level := c.String("level", "t", "`t`, lt or lta")
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
		done := func(r *gather.Result) error {
			j := signedJSON{File: file, Out: to, Format: strings.ToLower(r.Format), Level: r.Signatures[len(r.Signatures)-1].Level}
			if c.json {
				return c.print(j)
			}
			c.printf("%s: %s, in %s\n", file, j.Level, to)
			return nil
		}
		if r, err := gatherFile(file, opt); err == nil && r.PDF != nil {
			if err := extendPDF(c.p.ctx, file, to, *level, stamp, opt, online()); err != nil {
				return err
			}
			if r, err = gatherFile(to, opt); err != nil {
				return err
			}
			return done(r)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return usage("%v", err)
		}
		if len(opt.Documents) == 0 {
			opt.Documents = neighbours(file, b)
		}
		if fetch := online(); fetch != nil && *level != "t" {
			if b, err = extendAny(c.p.ctx, b, "t", stamp, opt); err != nil { // whose authority is to be asked about, too
				return err
			}
			r, err := gather.Open(b, opt)
			if err != nil {
				return err
			}
			var missing []error
			if opt, missing = fetch(c.p.ctx, r, opt); len(missing) > 0 {
				return notFetched(file, missing)
			}
		}
		if b, err = extendAny(c.p.ctx, b, *level, stamp, opt); err != nil {
			return err
		}
		if err := writeWhole(to, b); err != nil {
			return err
		}
		r, err := gather.Open(b, opt)
		if err != nil {
			return err
		}
		return done(r)
	}
}

func notFetched(file string, missing []error) *exit {
	return &exit{status: statusFailed, Code: "NOT_FETCHED", Text: errors.Join(missing...).Error(), Where: file, Remedy: "what is missing now may be missing for good; give it with --with, or try again"}
}

func extendAny(ctx context.Context, b []byte, level string, stamp tsp.Stamper, opt gather.Options) ([]byte, error) {
	r, err := gather.Open(b, opt)
	if err != nil {
		return nil, &exit{status: statusInvalid, Code: "NOT_SIGNED", Text: err.Error()}
	}
	switch {
	case r.Container != nil:
		return extendContainer(ctx, r.Container, level, stamp, opt)
	case r.Format == "XAdES":
		return extendXML(ctx, b, level, stamp, opt)
	case r.Format == "JAdES":
		return extendJWS(ctx, b, level, stamp, opt)
	}
	return extendCMS(ctx, b, level, stamp, opt)
}

// extendJWS brings every signature of a JWS to a level.
func extendJWS(ctx context.Context, b []byte, level string, stamp tsp.Stamper, opt gather.Options) ([]byte, error) {
	m, err := jades.Parse(b)
	if err != nil {
		return nil, err
	}
	if stamp == nil {
		return nil, usage("--tsa is missing: a time-stamp is needed")
	}
	x := jades.Extension{Stamper: stamp, Documents: opt.Documents, Collect: func(context.Context, []*pki.Certificate, []*pki.Certificate) (revocation.Material, error) {
		return revocation.Material{Certificates: append(append([]*pki.Certificate{}, opt.Certificates...), opt.Anchors...), CRLs: opt.CRLs, OCSPs: opt.OCSPs}, nil
	}}
	to := map[string]jades.Level{"t": jades.LevelT, "lt": jades.LevelLT, "lta": jades.LTA}[level]
	for i, s := range m.Signatures {
		if err := s.Check(jades.CheckOptions{Documents: opt.Documents, Certificates: opt.Certificates}).ValueErr; err != nil {
			return nil, &exit{status: statusInvalid, Code: "BROKEN", Text: fmt.Sprintf("signature %d does not hold: %v", i+1, err), Remedy: "viadukt verify tells more"}
		}
		if err := s.Extend(ctx, to, x); err != nil {
			return nil, err
		}
	}
	return m.Bytes()
}

// extendContainer brings every signature in a container to a level.
func extendContainer(ctx context.Context, c *asic.Container, level string, stamp tsp.Stamper, opt gather.Options) ([]byte, error) {
	manifests, unreadable := c.Manifests()
	if len(unreadable) > 0 {
		return nil, &exit{status: statusInvalid, Code: "BROKEN", Text: errors.Join(unreadable...).Error()}
	}
	changed := map[string][]byte{}
	for _, f := range c.Files {
		if !f.Signature() {
			continue
		}
		for _, m := range manifests {
			if slices.ContainsFunc(m.Objects, func(o asic.Object) bool { return o.Name == f.Name }) {
				return nil, &exit{status: statusInvalid, Code: "COVERED", Text: fmt.Sprintf("%s is covered by %s: what is added to it would break that", f.Name, m.Signature)}
			}
			if m.Signature == f.Name && level == "lta" {
				return nil, usage("level LTA of CAdES in ASiC-E needs an archive manifest, which is not written: --level lt, or sign with XAdES")
			}
		}
		b, err := f.Bytes()
		if err != nil {
			return nil, err
		}
		o := opt
		o.Documents = gather.Documents(c, f, manifests)
		extend := extendCMS
		if f.XML() {
			extend = extendXML
		}
		if changed[f.Name], err = extend(ctx, b, level, stamp, o); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	err := c.Replace(&out, changed)
	return out.Bytes(), err
}

// extendCMS brings every signature of a CMS message to a level.
func extendCMS(ctx context.Context, b []byte, level string, stamp tsp.Stamper, opt gather.Options) ([]byte, error) {
	all, err := cades.Parse(b)
	if err != nil {
		return nil, err
	}
	if stamp == nil {
		return nil, usage("--tsa is missing: a time-stamp is needed")
	}
	x := cades.Extension{Stamper: stamp, Collect: given(opt)}
	if all[0].Message.Detached && len(opt.Documents) > 0 {
		content, err := readAll(opt.Documents[0].Open)
		if err != nil {
			return nil, err
		}
		x.Content = cms.Bytes(content)
	}
	to := map[string]cades.Level{"t": cades.LevelT, "lt": cades.LevelLT, "lta": cades.LTA}[level]
	for _, s := range all {
		if err := s.Extend(ctx, to, x); err != nil {
			return nil, err
		}
	}
	return all[0].Message.Bytes()
}

// extendXML brings every signature of an XML document to a level, step by step, on the document as it is after each.
func extendXML(ctx context.Context, b []byte, level string, stamp tsp.Stamper, opt gather.Options) ([]byte, error) {
	count := 1
	for i := 0; i < count; i++ {
		steps := []func(e *xades.Extend) ([]byte, error){(*xades.Extend).SignatureTimeStamp}
		values := func(e *xades.Extend) ([]byte, error) {
			return e.Values(xades.Material{Certificates: append(append([]*pki.Certificate{}, opt.Certificates...), opt.Anchors...), CRLs: opt.CRLs, OCSPs: opt.OCSPs})
		}
		if level != "t" {
			steps = append(steps, values)
		}
		if level == "lta" {
			steps = append(steps, (*xades.Extend).ArchiveTimeStamp)
		}
		for k, step := range steps {
			doc, err := dom.Parse(append([]byte(nil), b...), dom.Limits{})
			if err != nil {
				return nil, err
			}
			found := xades.Find(doc)
			if count = len(found); count == 0 {
				return nil, &exit{status: statusInvalid, Code: "NOT_SIGNED", Text: "the document holds no signature"}
			}
			s, err := xades.Parse(found[i])
			if err != nil {
				return nil, err
			}
			checked, err := s.Check(xades.CheckOptions{Documents: opt.Documents})
			if err != nil {
				return nil, err
			}
			if !checked.Intact() {
				return nil, &exit{status: statusInvalid, Code: "BROKEN", Text: fmt.Sprintf("signature %d does not hold: %v", i+1, errors.Join(append(checked.Errs, checked.ValueErr)...)), Remedy: "viadukt verify tells more"}
			}
			if k == 0 && s.Has(xades.SignatureTimeStamp) {
				continue
			}
			needsStamp := k != 1
			if needsStamp && stamp == nil {
				return nil, usage("--tsa is missing: a time-stamp is needed")
			}
			e := &xades.Extend{Checked: checked, Stamp: func(h crypto.Hash, sum []byte) ([]byte, error) {
				t, err := stamp.Stamp(ctx, h, sum)
				if err != nil {
					return nil, err
				}
				return t.Raw, nil
			}}
			if b, err = step(e); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
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
	f, err := os.Open(file)
	if err != nil {
		return nil, usage("%v", err)
	}
	defer f.Close()
	h := crypto.SHA256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return stamp.Stamp(ctx, crypto.SHA256, h.Sum(nil))
}
