package signing

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/trustlist"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

// digestValueJSON is a digest of content that stays elsewhere.
type digestValueJSON struct {
	Algorithm string `json:"algorithm"`
	Value     []byte `json:"value"`
}

type messageRequest struct {
	Parameters     parametersJSON      `json:"parameters"`
	MessageDigest  *digestValueJSON    `json:"messageDigest"`
	SignatureValue *signatureValueJSON `json:"signatureValue"`
}

// message prepares a CMS signature over a digest. Of higher levels the time-stamp at most is made here: what belongs to level LT goes
// into the document that takes the message.
func (s *Service) message(r *messageRequest) (*pending, error) {
	if r.MessageDigest == nil {
		return nil, refuse(http.StatusBadRequest, "messageDigest is missing")
	}
	p, to, err := r.Parameters.params()
	if err != nil {
		return nil, err
	}
	h, err := hashOf(r.MessageDigest.Algorithm)
	if err != nil {
		return nil, err
	}
	if p.Hash != 0 && p.Hash != h {
		return nil, refuse(http.StatusBadRequest, "messageDigest is of %s, and digestAlgorithm asks for %s", r.MessageDigest.Algorithm, r.Parameters.DigestAlgorithm)
	}
	p.Hash = h
	q, err := ades.PrepareMessage(r.MessageDigest.Value, p)
	return &pending{q, r.SignatureValue, func(ctx context.Context, b []byte) (_ Document, err error) {
		if to != "B" {
			b, err = s.extend(ctx, b, "T", &r.Parameters, nil)
		}
		return Document{Bytes: b}, err
	}}, err
}

type pdfRequest struct {
	Parameters     parametersJSON `json:"parameters"`
	ToSignDocument *Document      `json:"toSignDocument"`
	CMSDocument    *Document      `json:"cmsDocument"`
}

// reserve makes a place for a message in the PDF document of a request.
func (s *Service) reserve(d *json.Decoder) (*pdfRequest, *ades.Reserved, ades.Params, string, error) {
	r, err := read[pdfRequest](d)
	if err != nil {
		return nil, nil, ades.Params{}, "", err
	}
	if r.ToSignDocument == nil || r.ToSignDocument.DigestAlgorithm != nil {
		return nil, nil, ades.Params{}, "", refuse(http.StatusBadRequest, "toSignDocument is missing, or a digest alone")
	}
	p, to, err := r.Parameters.place()
	if err != nil {
		return nil, nil, p, "", err
	}
	if p.Format != ades.PAdES {
		return nil, nil, p, "", refuse(http.StatusBadRequest, "signatureLevel %s is none of PAdES", r.Parameters.SignatureLevel)
	}
	if r.Parameters.ImageParameters.given() {
		if p.PDF, err = r.Parameters.ImageParameters.parameters(r.ToSignDocument.Bytes); err != nil {
			return nil, nil, p, "", err
		}
	}
	q, err := ades.ReservePDF(r.ToSignDocument.Bytes, p)
	return r, q, p, to, err
}

func (s *Service) pdfDigest(_ context.Context, d *json.Decoder) (any, error) {
	r, q, p, _, err := s.reserve(d)
	if err != nil {
		return nil, err
	}
	name := r.Parameters.DigestAlgorithm
	if name == "" {
		name = "SHA256"
		p.Hash = hashes[name]
	}
	sum, err := q.Content().Digest(p.Hash)
	if err != nil {
		return nil, err
	}
	return digestValueJSON{name, sum}, nil
}

func (s *Service) signPDF(ctx context.Context, d *json.Decoder) (any, error) {
	r, q, p, to, err := s.reserve(d)
	if err != nil {
		return nil, err
	}
	if r.CMSDocument == nil || r.CMSDocument.DigestAlgorithm != nil {
		return nil, refuse(http.StatusBadRequest, "cmsDocument is missing, or a digest alone")
	}
	b, err := q.Complete(r.CMSDocument.Bytes)
	if err != nil {
		return nil, err
	}
	if to != "B" {
		if b, err = s.extend(ctx, b, to, &r.Parameters, nil); err != nil {
			return nil, err
		}
	}
	return Document{Bytes: b, Name: outName(r.ToSignDocument.Name, "-signed-", r.Parameters.SignatureLevel, p)}, nil
}

type timestampRequest struct {
	ToTimestampDocument  *Document    `json:"toTimestampDocument"`
	ToTimestampDocuments []Document   `json:"toTimestampDocuments"`
	Parameters           stampingJSON `json:"timestampParameters"`
}

// timestampDocument proves that documents exist.
func (s *Service) timestampDocument(ctx context.Context, d *json.Decoder) (any, error) {
	r, err := read[timestampRequest](d)
	if err != nil {
		return nil, err
	}
	all := r.ToTimestampDocuments
	if r.ToTimestampDocument != nil {
		all = append(all, *r.ToTimestampDocument)
	}
	if len(all) == 0 {
		return nil, refuse(http.StatusBadRequest, "toTimestampDocument is missing")
	}
	documents, err := documentsOf(all)
	if err != nil {
		return nil, err
	}
	p := ades.Params{Time: s.opt.Clock()}
	switch r.Parameters.TimestampContainerForm {
	case "ASiC_S":
		p.Container = ades.ASiCS
	case "ASiC_E":
		p.Container = ades.ASiCE
	case "PDF", "":
		if !gather.IsPDF(all[0].Bytes) {
			return nil, refuse(http.StatusBadRequest, "%s is no PDF: timestampContainerForm ASiC_S or ASiC_E takes it", all[0].Name)
		}
	default:
		return nil, refuse(http.StatusBadRequest, "timestampContainerForm %q is none of PDF, ASiC_S and ASiC_E", r.Parameters.TimestampContainerForm)
	}
	if r.Parameters.DigestAlgorithm != "" {
		if p.Hash, err = hashOf(r.Parameters.DigestAlgorithm); err != nil {
			return nil, err
		}
	}
	b, err := ades.Timestamp(ctx, s.opt.Stamper, p.Hash, documents, p)
	if err != nil {
		return nil, err
	}
	return Document{Bytes: b, Name: outName(all[0].Name, "-timestamped", "", p)}, nil
}

type listRequest struct {
	TrustedList *Document `json:"trustedList"`
	Parameters  struct {
		SigningCertificate       *certificateJSON `json:"signingCertificate"`
		EncryptionAlgorithm      string           `json:"encryptionAlgorithm"`
		DigestAlgorithm          string           `json:"digestAlgorithm"`
		ReferenceID              string           `json:"referenceId"`
		ReferenceDigestAlgorithm string           `json:"referenceDigestAlgorithm"`
		TLVersion                string           `json:"tlVersion"`
		BLevel                   bLevelJSON       `json:"blevelParameters"`
	} `json:"parameters"`
	SignatureValue *signatureValueJSON `json:"signatureValue"`
}

// list prepares the signature of a trusted list: enveloped, over the whole list, with the certificate of the signer alone
// [TS 119 612 5.7.1, B].
func (s *Service) list(r *listRequest) (*pending, error) {
	if r.TrustedList == nil || r.TrustedList.DigestAlgorithm != nil {
		return nil, refuse(http.StatusBadRequest, "trustedList is missing, or a digest alone")
	}
	p := parametersJSON{
		SigningCertificate: r.Parameters.SigningCertificate, EncryptionAlgorithm: r.Parameters.EncryptionAlgorithm, DigestAlgorithm: r.Parameters.DigestAlgorithm,
		SignatureLevel: "XAdES_BASELINE_B", SignaturePackaging: "ENVELOPED", BLevel: r.Parameters.BLevel,
	}
	if p.DigestAlgorithm == "" {
		p.DigestAlgorithm = "SHA512"
	}
	out, _, err := p.params()
	if err != nil {
		return nil, err
	}
	l, err := trustlist.Parse(r.TrustedList.Bytes)
	if err != nil {
		return nil, err
	}
	if _, err := gather.Open(r.TrustedList.Bytes, gather.Options{}); !errors.Is(err, gather.ErrNoSignature) {
		return nil, refuse(http.StatusUnprocessableEntity, "the list is signed already: a trusted list has one signature")
	}
	if v := r.Parameters.TLVersion; v != "" && v != strconv.Itoa(l.Version) {
		return nil, refuse(http.StatusBadRequest, "tlVersion is %s, and the list is of version %d", v, l.Version)
	}
	out.ReferenceID, out.Alone = r.Parameters.ReferenceID, true
	if name := r.Parameters.ReferenceDigestAlgorithm; name != "" {
		if out.ReferenceHash, err = hashOf(name); err != nil {
			return nil, err
		}
	}
	q, err := ades.Prepare([]xades.Document{xades.Bytes(r.TrustedList.Name, "text/xml", r.TrustedList.Bytes)}, out)
	return &pending{q, r.SignatureValue, func(_ context.Context, b []byte) (Document, error) {
		return Document{Bytes: b, Name: outName(r.TrustedList.Name, "-signed-", "XAdES_BASELINE_B", ades.Params{Format: ades.XAdES})}, nil
	}}, err
}
