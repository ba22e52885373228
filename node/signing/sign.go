package signing

import (
	"context"
	"crypto"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xades"
	"github.com/viadukt-eu/viadukt/xmlcore/c14n"
)

type certificateJSON struct {
	EncodedCertificate []byte `json:"encodedCertificate"`
}

// parametersJSON are the parameters of a signature. What is not honoured is *json.RawMessage and refused when it says something.
type parametersJSON struct {
	SigningCertificate            *certificateJSON  `json:"signingCertificate"`
	CertificateChain              []certificateJSON `json:"certificateChain"`
	DetachedContents              []Document        `json:"detachedContents"`
	AsicContainerType             string            `json:"asicContainerType"`
	SignatureLevel                string            `json:"signatureLevel"`
	SignaturePackaging            string            `json:"signaturePackaging"`
	JWSSerializationType          string            `json:"jwsSerializationType"`
	SigDMechanism                 string            `json:"sigDMechanism"`
	DigestAlgorithm               string            `json:"digestAlgorithm"`
	EncryptionAlgorithm           string            `json:"encryptionAlgorithm"`
	MaskGenerationFunction        *string           `json:"maskGenerationFunction"` // of older clients: there it meant RSA-PSS
	SignatureAlgorithm            string            `json:"signatureAlgorithm"`     // of older clients
	SignatureIDToCounterSign      string            `json:"signatureIdToCounterSign"`
	BLevel                        bLevelJSON        `json:"blevelParams"`
	ReferenceDigestAlgorithm      string            `json:"referenceDigestAlgorithm"`
	EmbedXML                      bool              `json:"embedXML"`
	ManifestSignature             bool              `json:"manifestSignature"`
	GenerateTBSWithoutCertificate bool              `json:"generateTBSWithoutCertificate"`
	ContentTimestamps             []json.RawMessage `json:"contentTimestamps"`
	ImageParameters               *json.RawMessage  `json:"imageParameters"`
	Base64UrlEncodedPayload       *bool             `json:"base64UrlEncodedPayload"`
	Base64UrlEncodedEtsiU         *bool             `json:"base64UrlEncodedEtsiUComponents"`
	SignatureTimestampParameters  stampingJSON      `json:"signatureTimestampParameters"`
	ArchiveTimestampParameters    stampingJSON      `json:"archiveTimestampParameters"`
}

// stampingJSON asks how time-stamps are made. Clients send their defaults here, always.
type stampingJSON struct {
	DigestAlgorithm        string `json:"digestAlgorithm"`
	CanonicalizationMethod string `json:"canonicalizationMethod"`
	TimestampContainerForm string `json:"timestampContainerForm"`
}

// stamping is the digest algorithm of time-stamps up to a level, 0 for the usual one. All of one request are made with the same.
func (p *parametersJSON) stamping(to string) (crypto.Hash, error) {
	asked := p.SignatureTimestampParameters
	if to == "LTA" && p.ArchiveTimestampParameters.DigestAlgorithm != asked.DigestAlgorithm {
		return 0, refuse(http.StatusNotImplemented, "archiveTimestampParameters.digestAlgorithm other than that of signatureTimestampParameters is not done by this service")
	}
	for _, s := range []stampingJSON{asked, p.ArchiveTimestampParameters} {
		if s.CanonicalizationMethod != "" && s.CanonicalizationMethod != c14n.Exclusive10 {
			return 0, refuse(http.StatusNotImplemented, "canonicalizationMethod of time-stamps other than %s is not done by this service", c14n.Exclusive10)
		}
	}
	if asked.DigestAlgorithm == "" {
		return 0, nil
	}
	return hashOf(asked.DigestAlgorithm)
}

type bLevelJSON struct {
	SigningDate                   int64    `json:"signingDate"` // milliseconds since 1970
	ClaimedSignerRoles            []string `json:"claimedSignerRoles"`
	SignedAssertions              []string `json:"signedAssertions"`
	PolicyID                      string   `json:"policyId"`
	CommitmentTypeIndications     []string `json:"commitmentTypeIndications"`
	SignerLocationPostalAddress   []string `json:"signerLocationPostalAddress"`
	SignerLocationPostalCode      string   `json:"signerLocationPostalCode"`
	SignerLocationLocality        string   `json:"signerLocationLocality"`
	SignerLocationStateOrProvince string   `json:"signerLocationStateOrProvince"`
	SignerLocationCountry         string   `json:"signerLocationCountry"`
	SignerLocationStreet          string   `json:"signerLocationStreet"`
}

func (b *bLevelJSON) commitments() (out []string) {
	oids := map[string]pki.OID{
		"ProofOfOrigin": cades.ProofOfOrigin, "ProofOfReceipt": cades.ProofOfReceipt, "ProofOfDelivery": cades.ProofOfDelivery,
		"ProofOfSender": cades.ProofOfSender, "ProofOfApproval": cades.ProofOfApproval, "ProofOfCreation": cades.ProofOfCreation,
	}
	for _, name := range b.CommitmentTypeIndications {
		if oid, ok := oids[name]; ok {
			name = string(oid)
		}
		out = append(out, name)
	}
	return out
}

// unsupported names what is asked for and not done.
func (p *parametersJSON) unsupported() string {
	for name, asked := range map[string]bool{
		"embedXML": p.EmbedXML, "manifestSignature": p.ManifestSignature, "generateTBSWithoutCertificate": p.GenerateTBSWithoutCertificate,
		"contentTimestamps": len(p.ContentTimestamps) > 0, "imageParameters": p.ImageParameters != nil && string(*p.ImageParameters) != "null",
		"blevelParams.signedAssertions": len(p.BLevel.SignedAssertions) > 0, "blevelParams.policyId": p.BLevel.PolicyID != "",
		"blevelParams.signerLocationPostalAddress": len(p.BLevel.SignerLocationPostalAddress) > 0,
		"base64UrlEncodedPayload":                  p.Base64UrlEncodedPayload != nil && !*p.Base64UrlEncodedPayload,
		"base64UrlEncodedEtsiUComponents":          p.Base64UrlEncodedEtsiU != nil && !*p.Base64UrlEncodedEtsiU,
		"timestampContainerForm":                   p.SignatureTimestampParameters.TimestampContainerForm+p.ArchiveTimestampParameters.TimestampContainerForm != "",
		"referenceDigestAlgorithm":                 p.ReferenceDigestAlgorithm != "" && p.ReferenceDigestAlgorithm != p.DigestAlgorithm && !strings.HasPrefix(p.SignatureLevel, "XAdES"),
		"sigDMechanism":                            p.SigDMechanism != "" && p.SigDMechanism != "OBJECT_ID_BY_URI_HASH" && p.SigDMechanism != "NO_SIG_D",
	} {
		if asked {
			return name
		}
	}
	return ""
}

// formats by the beginning of a signature level, and the ending of a file.
var formats = map[string]struct {
	format ades.Format
	ending string
}{"XAdES": {ades.XAdES, ".xml"}, "CAdES": {ades.CAdES, ".p7m"}, "PAdES": {ades.PAdES, ".pdf"}, "JAdES": {ades.JAdES, ".json"}}

// level splits "XAdES_BASELINE_LTA".
func level(name string) (format, level string, err error) {
	format, level, ok := strings.Cut(name, "_BASELINE_")
	if _, known := formats[format]; !ok || !known || !slices.Contains([]string{"B", "T", "LT", "LTA"}, level) {
		return "", "", refuse(http.StatusBadRequest, "signatureLevel %q is none of XAdES, CAdES, PAdES or JAdES_BASELINE_B, T, LT or LTA", name)
	}
	return format, level, nil
}

// params is what is to be made at level B, and to which level it is to be extended.
func (p *parametersJSON) params() (out ades.Params, to string, err error) {
	if out, to, err = p.place(); err == nil && out.Signer == nil {
		err = refuse(http.StatusBadRequest, "signingCertificate is missing")
	}
	return out, to, err
}

// place is params, where the certificate of the signer may be missing since the signature is made elsewhere.
func (p *parametersJSON) place() (out ades.Params, to string, err error) {
	if name := p.unsupported(); name != "" {
		return out, "", refuse(http.StatusNotImplemented, "%s is not done by this service", name)
	}
	format, to, err := level(p.SignatureLevel)
	if err != nil {
		return out, "", err
	}
	out.Format = formats[format].format
	if p.SigningCertificate != nil {
		if out.Signer, err = pki.ParseCertificate(p.SigningCertificate.EncodedCertificate); err != nil {
			return out, "", refuse(http.StatusBadRequest, "signingCertificate: %v", err)
		}
	}
	for i, c := range p.CertificateChain {
		x, err := pki.ParseCertificate(c.EncodedCertificate)
		if err != nil {
			return out, "", refuse(http.StatusBadRequest, "certificateChain, number %d: %v", i+1, err)
		}
		if out.Signer == nil || !x.Equal(out.Signer) {
			out.Chain = append(out.Chain, x)
		}
	}
	if p.BLevel.SigningDate <= 0 {
		return out, "", refuse(http.StatusBadRequest, "blevelParams.signingDate is missing: both steps need the same")
	}
	out.Time = time.UnixMilli(p.BLevel.SigningDate).UTC().Truncate(time.Second)
	out.Roles, out.Commitments = p.BLevel.ClaimedSignerRoles, p.BLevel.commitments()
	out.Place = xades.Place{City: p.BLevel.SignerLocationLocality, Street: p.BLevel.SignerLocationStreet, State: p.BLevel.SignerLocationStateOrProvince,
		PostalCode: p.BLevel.SignerLocationPostalCode, Country: p.BLevel.SignerLocationCountry}
	switch p.SignaturePackaging {
	case "":
	case "ENVELOPED", "ENVELOPING", "DETACHED":
		out.Packaging = ades.Packaging(strings.ToLower(p.SignaturePackaging))
	default:
		return out, "", refuse(http.StatusNotImplemented, "signaturePackaging %s is not done by this service; ENVELOPED, ENVELOPING and DETACHED are", p.SignaturePackaging)
	}
	switch p.AsicContainerType {
	case "":
	case "ASiC_S":
		out.Container, out.Packaging = ades.ASiCS, ades.Detached
	case "ASiC_E":
		out.Container, out.Packaging = ades.ASiCE, ades.Detached
	default:
		return out, "", refuse(http.StatusBadRequest, "asicContainerType %q is neither ASiC_S nor ASiC_E", p.AsicContainerType)
	}
	switch p.JWSSerializationType {
	case "", "COMPACT_SERIALIZATION":
	case "FLATTENED_JSON_SERIALIZATION":
		out.JSON = jades.Flattened
	case "JSON_SERIALIZATION":
		out.JSON = jades.General
	default:
		return out, "", refuse(http.StatusBadRequest, "there is no jwsSerializationType %q", p.JWSSerializationType)
	}
	if p.DigestAlgorithm != "" {
		if out.Hash, err = hashOf(p.DigestAlgorithm); err != nil {
			return out, "", err
		}
	}
	if p.ReferenceDigestAlgorithm != "" && out.Format == ades.XAdES {
		if out.ReferenceHash, err = hashOf(p.ReferenceDigestAlgorithm); err != nil {
			return out, "", err
		}
	}
	out.PSS = p.EncryptionAlgorithm == "RSASSA_PSS" || p.EncryptionAlgorithm == "RSASSA-PSS" || p.MaskGenerationFunction != nil || strings.Contains(p.SignatureAlgorithm, "_MGF1") || strings.Contains(p.SignatureAlgorithm, "SSA_PSS")
	return out, to, nil
}

type signatureValueJSON struct {
	Algorithm string `json:"algorithm"`
	Value     []byte `json:"value"`
}

type signRequest struct {
	Parameters      parametersJSON      `json:"parameters"`
	SignatureValue  *signatureValueJSON `json:"signatureValue"`
	ToSignDocument  *Document           `json:"toSignDocument"`
	ToSignDocuments []Document          `json:"toSignDocuments"`
}

func (r *signRequest) documents() (out []xades.Document, err error) {
	all := r.ToSignDocuments
	if r.ToSignDocument != nil {
		all = append(all, *r.ToSignDocument)
	}
	if len(all) == 0 {
		return nil, refuse(http.StatusBadRequest, "toSignDocument is missing")
	}
	for i := range all {
		d, err := all[i].document()
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (r *signRequest) prepare() (*ades.Pending, ades.Params, string, error) {
	p, to, err := r.Parameters.params()
	if err != nil {
		return nil, p, "", err
	}
	documents, err := r.documents()
	if err != nil {
		return nil, p, "", err
	}
	q, err := ades.Prepare(documents, p)
	return q, p, to, err
}

func (s *Service) dataToSign(_ context.Context, d *json.Decoder) (any, error) {
	r, err := read[signRequest](d)
	if err != nil {
		return nil, err
	}
	q, _, _, err := r.prepare()
	if err != nil {
		return nil, err
	}
	return octets{q.ToBeSigned()}, nil
}

func (s *Service) signDocument(ctx context.Context, d *json.Decoder) (any, error) {
	r, err := read[signRequest](d)
	if err != nil {
		return nil, err
	}
	q, p, to, err := r.prepare()
	if err != nil {
		return nil, err
	}
	b, err := complete(q, r.SignatureValue)
	if err != nil {
		return nil, err
	}
	if to != "B" {
		documents, err := r.documents()
		if err != nil {
			return nil, err
		}
		if b, err = s.extend(ctx, b, to, &r.Parameters, documents); err != nil {
			return nil, err
		}
	}
	first := r.ToSignDocument
	if first == nil {
		first = &r.ToSignDocuments[0]
	}
	return Document{Bytes: b, Name: outName(first.Name, "-signed-", r.Parameters.SignatureLevel, p)}, nil
}

// outName names a signed document as DSS does.
func outName(name, how, signatureLevel string, p ades.Params) string {
	if name == "" {
		name = "RemoteDocument"
	}
	dot := strings.LastIndexByte(name, '.')
	ending := ""
	if dot > 0 {
		name, ending = name[:dot], name[dot:]
	}
	format, _, _ := strings.Cut(signatureLevel, "_")
	switch {
	case p.Container == ades.ASiCS:
		ending = ".asics"
	case p.Container == ades.ASiCE:
		ending = ".asice"
	case p.Format == ades.CAdES && p.Packaging == ades.Detached:
		ending = ".p7s"
	case p.Format != "":
		ending = formats[format].ending
	}
	return name + how + strings.ToLower(strings.ReplaceAll(signatureLevel, "_", "-")) + ending
}

func (s *Service) extend(ctx context.Context, b []byte, to string, p *parametersJSON, documents []xades.Document) ([]byte, error) {
	h, err := p.stamping(to)
	if err != nil {
		return nil, err
	}
	x := ades.Extension{Stamper: s.opt.Stamper, Hash: h, Known: s.opt.Known(), Fetch: s.opt.Fetch}
	x.Known.Documents = documents
	return ades.Extend(ctx, b, ades.Level(to), x)
}

type extendRequest struct {
	ToExtendDocument *Document      `json:"toExtendDocument"`
	SignatureProfile string         `json:"signatureProfile"` // "BASELINE_T"
	Parameters       parametersJSON `json:"parameters"`
}

func (s *Service) extendDocument(ctx context.Context, d *json.Decoder) (any, error) {
	r, err := read[extendRequest](d)
	if err != nil {
		return nil, err
	}
	if r.ToExtendDocument == nil || r.ToExtendDocument.DigestAlgorithm != nil {
		return nil, refuse(http.StatusBadRequest, "toExtendDocument is missing, or a digest alone")
	}
	profile := r.SignatureProfile
	if profile == "" { // older clients name the level whole
		_, profile, _ = strings.Cut(r.Parameters.SignatureLevel, "_")
	}
	to, ok := strings.CutPrefix(profile, "BASELINE_")
	if !ok || !slices.Contains([]string{"T", "LT", "LTA"}, to) {
		return nil, refuse(http.StatusBadRequest, "signatureProfile %q is none of BASELINE_T, BASELINE_LT and BASELINE_LTA", profile)
	}
	documents, err := documentsOf(r.Parameters.DetachedContents)
	if err != nil {
		return nil, err
	}
	b, err := s.extend(ctx, r.ToExtendDocument.Bytes, to, &r.Parameters, documents)
	if err != nil {
		return nil, err
	}
	g, err := gather.Open(b, gather.Options{Documents: documents})
	if err != nil {
		return nil, err
	}
	format, _, _ := strings.Cut(g.Signatures[0].Level, "-")
	return Document{Bytes: b, Name: outName(r.ToExtendDocument.Name, "-extended-", format+"_BASELINE_"+to, ades.Params{})}, nil
}

func documentsOf(all []Document) (out []xades.Document, err error) {
	for i := range all {
		d, err := all[i].document()
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

type counterRequest struct {
	Parameters        parametersJSON      `json:"parameters"`
	SignatureValue    *signatureValueJSON `json:"signatureValue"`
	SignatureDocument *Document           `json:"signatureDocument"`
}

// counter prepares a counter-signature of the one signature that the request names.
func (s *Service) counter(d *json.Decoder) (*counterRequest, *ades.Pending, error) {
	r, err := read[counterRequest](d)
	if err != nil {
		return nil, nil, err
	}
	if r.SignatureDocument == nil || r.SignatureDocument.DigestAlgorithm != nil {
		return nil, nil, refuse(http.StatusBadRequest, "signatureDocument is missing, or a digest alone")
	}
	p, to, err := r.Parameters.params()
	if err != nil {
		return nil, nil, err
	}
	if to != "B" {
		return nil, nil, refuse(http.StatusNotImplemented, "counter-signatures are made at level B")
	}
	q, err := ades.PrepareCounter(r.SignatureDocument.Bytes, r.Parameters.SignatureIDToCounterSign, p)
	return r, q, err
}

func (s *Service) dataToCounterSign(_ context.Context, d *json.Decoder) (any, error) {
	_, q, err := s.counter(d)
	if err != nil {
		return nil, err
	}
	return octets{q.ToBeSigned()}, nil
}

func (s *Service) counterSign(_ context.Context, d *json.Decoder) (any, error) {
	r, q, err := s.counter(d)
	if err != nil {
		return nil, err
	}
	b, err := complete(q, r.SignatureValue)
	if err != nil {
		return nil, err
	}
	return Document{Bytes: b, Name: outName(r.SignatureDocument.Name, "-counter-signed-", r.Parameters.SignatureLevel, ades.Params{})}, nil
}

// keyJSON describes a key of the service.
type keyJSON struct {
	Alias            string            `json:"alias"`
	EncryptionAlgo   string            `json:"encryptionAlgo"`
	Certificate      certificateJSON   `json:"certificate"`
	CertificateChain []certificateJSON `json:"certificateChain"`
}

func (k *SigningKey) json() keyJSON {
	out := keyJSON{Alias: k.Alias, EncryptionAlgo: encryption(k.Certificate.PublicKey, false), Certificate: certificateJSON{k.Certificate.Raw}, CertificateChain: []certificateJSON{{k.Certificate.Raw}}}
	for _, c := range k.Chain {
		out.CertificateChain = append(out.CertificateChain, certificateJSON{c.Raw})
	}
	return out
}

func (s *Service) keys(*http.Request) (any, error) {
	out := []keyJSON{}
	for i := range s.opt.Keys {
		out = append(out, s.opt.Keys[i].json())
	}
	return out, nil
}

func (s *Service) find(alias string) (*SigningKey, error) {
	i := slices.IndexFunc(s.opt.Keys, func(k SigningKey) bool { return k.Alias == alias })
	if i < 0 {
		return nil, refuse(http.StatusNotFound, "there is no key %q", alias)
	}
	return &s.opt.Keys[i], nil
}

func (s *Service) key(r *http.Request) (any, error) {
	k, err := s.find(r.PathValue("alias"))
	if err != nil {
		return nil, err
	}
	return k.json(), nil
}

// serverSign makes a signature value over octets, or over a digest.
func (s *Service) serverSign(r *http.Request) (any, error) {
	k, err := s.find(r.PathValue("alias"))
	if err != nil {
		return nil, err
	}
	in, err := read[struct {
		Bytes     []byte `json:"bytes"`
		Algorithm string `json:"algorithm"`
		Value     []byte `json:"value"`
	}](json.NewDecoder(r.Body))
	if err != nil {
		return nil, err
	}
	byDigest := strings.Contains(r.URL.Path, "/sign-digest")
	name := r.PathValue("digest")
	pss := false
	if algorithm := r.PathValue("algorithm"); algorithm != "" {
		var of string
		if of, name, _ = strings.Cut(algorithm, "_SHA"); name != "" {
			name = "SHA" + name
		}
		pss = of == "RSA_SSA_PSS" || strings.HasSuffix(name, "_MGF1")
		name = strings.TrimSuffix(name, "_MGF1")
		if of == "ED25519" || algorithm == "ED25519" {
			name = "SHA512"
		}
	} else if byDigest {
		name = in.Algorithm
	}
	h, err := hashOf(name)
	if err != nil {
		return nil, err
	}
	if byDigest && len(in.Value) != h.Size() {
		return nil, refuse(http.StatusBadRequest, "%d octets are no digest of %s", len(in.Value), name)
	}
	alg, err := pki.SigningAlgorithm(k.Certificate.PublicKey, h, pss)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the key %q does not sign with %s: %v", k.Alias, name, err)
	}
	signer, ok := k.Key.(crypto.Signer)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "the key %q cannot sign", k.Alias)
	}
	var value []byte
	if byDigest {
		value, err = alg.SignDigest(nil, signer, in.Value)
	} else {
		value, err = alg.Sign(nil, signer, in.Bytes)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the key %q: %v", k.Alias, err)
	}
	return signatureValueJSON{encryption(k.Certificate.PublicKey, pss) + "_" + name, value}, nil
}

// encryption names the algorithm of a key.
func encryption(key crypto.PublicKey, pss bool) string {
	switch name := strings.TrimPrefix(reflect.TypeOf(key).String(), "*"); {
	case strings.HasPrefix(name, "rsa.") && pss:
		return "RSA_SSA_PSS"
	case strings.HasPrefix(name, "rsa."):
		return "RSA"
	case strings.HasPrefix(name, "ed25519."):
		return "ED25519"
	}
	return "ECDSA"
}
