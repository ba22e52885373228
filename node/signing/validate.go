package signing

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/report"
	"github.com/viadukt-eu/viadukt/trust/validation"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

type validateRequest struct {
	SignedDocument    *Document  `json:"signedDocument"`
	OriginalDocuments []Document `json:"originalDocuments"`
	policyJSON
	ValidationTime          *epochOrTime `json:"validationTime"`
	EvidenceRecords         []Document   `json:"evidenceRecords"`
	TokenExtractionStrategy string       `json:"tokenExtractionStrategy"`
	SignatureID             string       `json:"signatureId"`

	unheeded []string // constraints of the policy
}

// epochOrTime is a time as milliseconds since 1970 or as text.
type epochOrTime struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *epochOrTime) UnmarshalJSON(b []byte) error {
	var n int64
	if err := json.Unmarshal(b, &n); err == nil {
		t.Time = time.UnixMilli(n).UTC()
		return nil
	}
	return json.Unmarshal(b, &t.Time)
}

// policyJSON is by what a request wants to have judged: constraints, a cryptographic suite in place of theirs, or both.
type policyJSON struct {
	Policy             *Document `json:"policy"`
	CryptographicSuite *Document `json:"cryptographicSuite"`
}

// read returns the policy, nil for the usual one, and the names of constraints that change no verdict.
func (p *policyJSON) read() (out *validation.Policy, unheeded []string, err error) {
	if p.Policy != nil {
		if out, unheeded, err = validation.ReadPolicy(p.Policy.Bytes); err != nil {
			return nil, nil, err
		}
	}
	if p.CryptographicSuite != nil {
		suite, _, err := validation.ReadPolicy(p.CryptographicSuite.Bytes)
		if err != nil {
			return nil, nil, err
		}
		if out == nil {
			return suite, unheeded, nil
		}
		out.Suite = suite.Suite
	}
	return out, unheeded, nil
}

// Judge reads a document and judges it, with documents that stand elsewhere, as of a time.
func (s *Service) Judge(ctx context.Context, name string, r io.ReaderAt, size int64, documents []xades.Document, at time.Time) (*report.Verdict, error) {
	return s.judgeBeside(ctx, name, r, size, documents, nil, nil, at)
}

// judgeBeside is Judge with evidence records that stand beside the document, by a policy; nil is the usual one.
func (s *Service) judgeBeside(ctx context.Context, name string, r io.ReaderAt, size int64, documents []xades.Document, records [][]byte, p *validation.Policy, at time.Time) (*report.Verdict, error) {
	opt := s.opt.Known()
	opt.Documents, opt.Records = documents, records
	g, err := gather.OpenAt(r, size, opt)
	if err != nil {
		return nil, err
	}
	if s.opt.Fetch != nil {
		// What cannot be had is missing in the verdict, which tells so.
		if opt, _ = s.opt.Fetch(ctx, g, opt); ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if g, err = gather.OpenAt(r, size, opt); err != nil {
			return nil, err
		}
	}
	if at.IsZero() {
		at = s.opt.Clock()
	}
	return report.Judge(name, g, p, at), nil
}

func (s *Service) judge(ctx context.Context, d *json.Decoder) (*report.Verdict, *validateRequest, error) {
	r, err := read[validateRequest](d)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case r.SignedDocument == nil:
		return nil, nil, refuse(http.StatusBadRequest, "signedDocument is missing")
	case r.SignedDocument.DigestAlgorithm != nil:
		return nil, nil, refuse(http.StatusBadRequest, "signedDocument must be the document itself, not a digest")
	}
	policy, unheeded, err := r.policyJSON.read()
	if err != nil {
		return nil, nil, err
	}
	r.unheeded = unheeded
	documents, err := documentsOf(r.OriginalDocuments)
	if err != nil {
		return nil, nil, err
	}
	var records [][]byte
	for _, d := range r.EvidenceRecords {
		if d.DigestAlgorithm != nil {
			return nil, nil, refuse(http.StatusBadRequest, "an evidence record must be given itself, not a digest")
		}
		records = append(records, d.Bytes)
	}
	var at time.Time
	if r.ValidationTime != nil {
		at = r.ValidationTime.Time
	}
	b := r.SignedDocument.Bytes
	v, err := s.judgeBeside(ctx, r.SignedDocument.Name, bytes.NewReader(b), int64(len(b)), documents, records, policy, at)
	return v, r, err
}

func (s *Service) validateSignature(ctx context.Context, d *json.Decoder) (any, error) {
	v, r, err := s.judge(ctx, d)
	if err != nil {
		return nil, err
	}
	out, err := extractionOf(r.TokenExtractionStrategy)
	if err != nil {
		return nil, err
	}
	return out.reports(v, r.unheeded), nil
}

// originalDocuments returns what the one signature, or the one that is named, covers.
func (s *Service) originalDocuments(ctx context.Context, d *json.Decoder) (any, error) {
	v, r, err := s.judge(ctx, d)
	if err != nil {
		return nil, err
	}
	out := []Document{}
	for _, g := range v.Result.Signatures {
		if r.SignatureID != "" && tokenID("S-", g.ID) != r.SignatureID && g.ID != r.SignatureID {
			continue
		}
		originals, err := g.Originals(s.opt.MaxDocument)
		if err != nil {
			return nil, err
		}
		for _, o := range originals {
			out = append(out, Document{Bytes: o.Octets, Name: o.Name})
		}
		return out, nil
	}
	return nil, refuse(http.StatusUnprocessableEntity, "the document holds no signature %q", r.SignatureID)
}

func (s *Service) validateCertificate(ctx context.Context, d *json.Decoder) (any, error) {
	r, err := read[struct {
		Certificate      *certificateJSON  `json:"certificate"`
		CertificateChain []certificateJSON `json:"certificateChain"`
		ValidationTime   *epochOrTime      `json:"validationTime"`
		policyJSON
		TokenExtractionStrategy string `json:"tokenExtractionStrategy"`
	}](d)
	if err != nil {
		return nil, err
	}
	if r.Certificate == nil {
		return nil, refuse(http.StatusBadRequest, "certificate is missing")
	}
	policy, unheeded, err := r.policyJSON.read()
	if err != nil {
		return nil, err
	}
	out, err := extractionOf(r.TokenExtractionStrategy)
	if err != nil {
		return nil, err
	}
	c, err := pki.ParseCertificate(r.Certificate.EncodedCertificate)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "certificate: %v", err)
	}
	opt := s.opt.Known()
	for i, x := range r.CertificateChain {
		further, err := pki.ParseCertificate(x.EncodedCertificate)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "certificateChain, number %d: %v", i+1, err)
		}
		opt.Certificates = append(opt.Certificates, further)
	}
	at := s.opt.Clock()
	if r.ValidationTime != nil {
		at = r.ValidationTime.Time
	}
	if s.opt.Fetch != nil { // as above
		if opt, _ = s.opt.Fetch(ctx, &gather.Result{Signers: []*pki.Certificate{c}, Certificates: append(opt.Certificates, c)}, opt); ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	facts := gather.CertificateFacts(c, opt)
	return out.certificateReports(c, slices.Concat(opt.Certificates, opt.Anchors), facts, validation.ValidateCertificate(facts, policy, at), opt.Lists, policyOf(policy, unheeded), at), nil
}

func (s *Service) timestampResponse(ctx context.Context, d *json.Decoder) (any, error) {
	r, err := read[struct {
		Algorithm string `json:"algorithm"`
		Value     []byte `json:"value"`
	}](d)
	if err != nil {
		return nil, err
	}
	h, err := hashOf(r.Algorithm)
	if err != nil {
		return nil, err
	}
	if len(r.Value) != h.Size() {
		return nil, refuse(http.StatusBadRequest, "%d octets are no digest of %s", len(r.Value), r.Algorithm)
	}
	if s.opt.Stamper == nil {
		return nil, ades.ErrNoStamper
	}
	t, err := s.opt.Stamper.Stamp(ctx, h, r.Value)
	if err != nil {
		return nil, err
	}
	return struct {
		Binaries []byte `json:"binaries"`
	}{t.Raw}, nil
}

// batch judges many documents of one request, a form with a file each, and answers one line of JSON for each as it is done.
func (s *Service) batch(w http.ResponseWriter, r *http.Request) {
	parts, err := r.MultipartReader()
	if err != nil {
		p := &problem{http.StatusUnsupportedMediaType, "Unsupported Media Type", "a form with files is expected: multipart/form-data"}
		write(w, p.Status, p)
		return
	}
	language := r.URL.Query().Get("language")
	// Verdicts go out while files still come in; without this the server would close the request with the first verdict. Where the
	// protocol has that by itself it is an error, which does no harm.
	http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	s.each(r.Context(), parts, func(name string, v *report.Verdict, err error) {
		line := struct {
			File string `json:"file"`
			*report.Summary
			Error *problem `json:"error,omitempty"`
		}{File: name}
		if err != nil {
			line.Summary, line.Error = &report.Summary{Signatures: []report.Signature{}}, statusOf(err)
		} else {
			line.Summary = v.Summary(language)
		}
		json.NewEncoder(w).Encode(line)
		http.NewResponseController(w).Flush()
	})
}
