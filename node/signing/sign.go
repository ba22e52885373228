package signing

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ades"
	"github.com/viadukt-eu/viadukt/trust/asic"
	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/gather"
	"github.com/viadukt-eu/viadukt/trust/jades"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/tsp"
	"github.com/viadukt-eu/viadukt/trust/xades"
)

type certificateJSON struct {
	EncodedCertificate []byte `json:"encodedCertificate"`
}

// parametersJSON are the parameters of a signature. What is not honoured is *json.RawMessage and refused when it says something.
type parametersJSON struct {
	SigningCertificate            *certificateJSON   `json:"signingCertificate"`
	CertificateChain              []certificateJSON  `json:"certificateChain"`
	DetachedContents              []Document         `json:"detachedContents"`
	AsicContainerType             string             `json:"asicContainerType"`
	SignatureLevel                string             `json:"signatureLevel"`
	SignaturePackaging            string             `json:"signaturePackaging"`
	JWSSerializationType          string             `json:"jwsSerializationType"`
	SigDMechanism                 string             `json:"sigDMechanism"`
	DigestAlgorithm               string             `json:"digestAlgorithm"`
	EncryptionAlgorithm           string             `json:"encryptionAlgorithm"`
	MaskGenerationFunction        *string            `json:"maskGenerationFunction"` // of older clients: there it meant RSA-PSS
	SignatureAlgorithm            string             `json:"signatureAlgorithm"`     // of older clients
	SignatureIDToCounterSign      string             `json:"signatureIdToCounterSign"`
	BLevel                        bLevelJSON         `json:"blevelParams"`
	ReferenceDigestAlgorithm      string             `json:"referenceDigestAlgorithm"`
	EmbedXML                      bool               `json:"embedXML"`
	ManifestSignature             bool               `json:"manifestSignature"`
	GenerateTBSWithoutCertificate bool               `json:"generateTBSWithoutCertificate"`
	ContentTimestamps             []contentStampJSON `json:"contentTimestamps"`
	ImageParameters               *imageJSON         `json:"imageParameters"`
	Base64UrlEncodedPayload       *bool              `json:"base64UrlEncodedPayload"`
	Base64UrlEncodedEtsiU         *bool              `json:"base64UrlEncodedEtsiUComponents"`
	SignatureTimestampParameters  stampingJSON       `json:"signatureTimestampParameters"`
	ArchiveTimestampParameters    stampingJSON       `json:"archiveTimestampParameters"`
}

// stampingJSON asks how time-stamps are made. Clients send their defaults here, always.
type stampingJSON struct {
	DigestAlgorithm        string `json:"digestAlgorithm"`
	CanonicalizationMethod string `json:"canonicalizationMethod"`
	TimestampContainerForm string `json:"timestampContainerForm"`
}

// contentStampJSON is a time-stamp over what is to be signed.
type contentStampJSON struct {
	Binaries               []byte            `json:"binaries"`
	CanonicalizationMethod string            `json:"canonicalizationMethod"`
	Includes               []json.RawMessage `json:"includes"`
	Type                   string            `json:"type"`
}

func (p *parametersJSON) contentStamps() (out []ades.ContentStamp, err error) {
	for i, s := range p.ContentTimestamps {
		if s.Type == "INDIVIDUAL_DATA_OBJECTS_TIMESTAMP" || len(s.Includes) > 0 {
			return nil, refuse(http.StatusNotImplemented, "contentTimestamps, number %d: a time-stamp over some of the objects is not done by this service; one over all of them is", i+1)
		}
		t, err := tsp.ParseToken(s.Binaries)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "contentTimestamps, number %d: %v", i+1, err)
		}
		out = append(out, ades.ContentStamp{Token: t, Canonicalization: s.CanonicalizationMethod})
	}
	return out, nil
}

type bLevelJSON struct {
	SigningDate                   int64    `json:"signingDate"` // milliseconds since 1970
	ClaimedSignerRoles            []string `json:"claimedSignerRoles"`
	SignedAssertions              []string `json:"signedAssertions"`
	PolicyID                      string   `json:"policyId"`
	PolicyQualifier               string   `json:"policyQualifier"` // the form of policyId, which is known by what it is
	PolicyDescription             string   `json:"policyDescription"`
	PolicyDigestAlgorithm         string   `json:"policyDigestAlgorithm"`
	PolicyDigestValue             []byte   `json:"policyDigestValue"`
	PolicySPURI                   string   `json:"policySpuri"`
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

// policy is the signature policy that is asked for; nil for none.
func (b *bLevelJSON) policy() (*ades.Policy, error) {
	if b.PolicyID == "" {
		if b.PolicyDescription+b.PolicyDigestAlgorithm+b.PolicySPURI != "" || len(b.PolicyDigestValue) > 0 {
			return nil, refuse(http.StatusBadRequest, "blevelParams.policyId is missing beside what else is said of a policy")
		}
		return nil, nil
	}
	switch b.PolicyQualifier {
	case "", "OID_AS_URI", "OID_AS_URN":
	default:
		return nil, refuse(http.StatusBadRequest, "blevelParams.policyQualifier %q is neither OID_AS_URI nor OID_AS_URN", b.PolicyQualifier)
	}
	h, err := hashOf(b.PolicyDigestAlgorithm)
	if err != nil {
		return nil, err
	}
	return &ades.Policy{ID: b.PolicyID, Description: b.PolicyDescription, URI: b.PolicySPURI, Hash: h, Digest: b.PolicyDigestValue}, nil
}

// unsupported names what is asked for and not done.
func (p *parametersJSON) unsupported() string {
	for name, asked := range map[string]bool{
		"generateTBSWithoutCertificate without signingCertificate": p.GenerateTBSWithoutCertificate && p.SigningCertificate == nil, // no baseline signature
		"timestampContainerForm":                                   p.SignatureTimestampParameters.TimestampContainerForm+p.ArchiveTimestampParameters.TimestampContainerForm != "",
		"referenceDigestAlgorithm": p.ReferenceDigestAlgorithm != "" && p.ReferenceDigestAlgorithm != p.DigestAlgorithm && !strings.HasPrefix(p.SignatureLevel, "XAdES") && !strings.HasPrefix(p.SignatureLevel, "JAdES") &&
			!(strings.HasPrefix(p.SignatureLevel, "CAdES") && p.AsicContainerType == "ASiC_E"),
		"sigDMechanism HTTP_HEADERS": p.SigDMechanism == "HTTP_HEADERS",
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
	for _, a := range p.BLevel.SignedAssertions {
		out.Assertions = append(out.Assertions, []byte(a))
	}
	if out.Policy, err = p.BLevel.policy(); err != nil {
		return out, "", err
	}
	if out.ContentStamps, err = p.contentStamps(); err != nil {
		return out, "", err
	}
	out.EmbedXML, out.Manifest, out.PostalAddress = p.EmbedXML, p.ManifestSignature, p.BLevel.SignerLocationPostalAddress
	out.RawJSON = p.Base64UrlEncodedPayload != nil && !*p.Base64UrlEncodedPayload
	out.Place = xades.Place{City: p.BLevel.SignerLocationLocality, Street: p.BLevel.SignerLocationStreet, State: p.BLevel.SignerLocationStateOrProvince,
		PostalCode: p.BLevel.SignerLocationPostalCode, Country: p.BLevel.SignerLocationCountry}
	switch p.SignaturePackaging {
	case "":
	case "ENVELOPED", "ENVELOPING", "DETACHED", "INTERNALLY_DETACHED":
		out.Packaging = ades.Packaging(strings.ToLower(strings.ReplaceAll(p.SignaturePackaging, "_", "-")))
	default:
		return out, "", refuse(http.StatusBadRequest, "signaturePackaging %q is none of ENVELOPED, ENVELOPING, DETACHED and INTERNALLY_DETACHED", p.SignaturePackaging)
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
	if out.Format == ades.JAdES && out.Packaging == ades.Detached {
		mechanism, known := map[string]jades.Mechanism{"": "", "OBJECT_ID_BY_URI_HASH": jades.ByURIHash, "OBJECT_ID_BY_URI": jades.ByURI, "NO_SIG_D": ades.Unnamed}[p.SigDMechanism]
		if !known {
			return out, "", refuse(http.StatusBadRequest, "there is no sigDMechanism %q", p.SigDMechanism)
		}
		out.Mechanism = mechanism
	}
	if p.DigestAlgorithm != "" {
		if out.Hash, err = hashOf(p.DigestAlgorithm); err != nil {
			return out, "", err
		}
	}
	if p.ReferenceDigestAlgorithm != "" {
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

// document prepares the signature of a document, or of several.
func (s *Service) document(r *signRequest) (*pending, error) {
	p, to, err := r.Parameters.params()
	if err != nil {
		return nil, err
	}
	documents, err := r.documents()
	if err != nil {
		return nil, err
	}
	if r.Parameters.ImageParameters.given() {
		if p.Format != ades.PAdES || r.ToSignDocument == nil {
			return nil, refuse(http.StatusBadRequest, "imageParameters are for one PDF document")
		}
		if p.PDF, err = r.Parameters.ImageParameters.parameters(r.ToSignDocument.Bytes); err != nil {
			return nil, err
		}
	}
	q, err := prepare(r.ToSignDocument, documents, p)
	return &pending{q, r.SignatureValue, func(ctx context.Context, b []byte) (Document, error) {
		if to != "B" {
			if b, err = s.extend(ctx, b, to, &r.Parameters, documents); err != nil {
				return Document{}, err
			}
		}
		first := r.ToSignDocument
		if first == nil {
			first = &r.ToSignDocuments[0]
		}
		return Document{Bytes: b, Name: outName(first.Name, "-signed-", r.Parameters.SignatureLevel, p)}, nil
	}}, err
}

// prepare signs beside those who signed before, where the one document is a container of the kind asked for, or a message with
// its content, and an enveloping signature is asked for.
func prepare(one *Document, documents []xades.Document, p ades.Params) (*ades.Pending, error) {
	if one == nil || len(one.Bytes) == 0 {
		return ades.Prepare(documents, p)
	}
	r, size := bytes.NewReader(one.Bytes), int64(len(one.Bytes))
	switch {
	case p.Container != "":
		c, err := asic.Open(r, size)
		if err != nil || !strings.EqualFold(string(c.Type), string(p.Container)) {
			return ades.Prepare(documents, p)
		}
	case p.Format == ades.CAdES && p.Packaging == ades.Enveloping:
		if all, err := cades.Parse(one.Bytes); err != nil || len(all) == 0 || all[0].Message.Detached {
			return ades.Prepare(documents, p)
		}
	default:
		return ades.Prepare(documents, p)
	}
	return ades.PrepareParallel(r, size, nil, p)
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

// extend raises a document to a level. Time-stamps over signatures and over archives may hash otherwise.
func (s *Service) extend(ctx context.Context, b []byte, to string, p *parametersJSON, documents []xades.Document) ([]byte, error) {
	signature, archive := &p.SignatureTimestampParameters, &p.ArchiveTimestampParameters
	x := ades.Extension{Stamper: s.opt.Stamper, Known: s.opt.Known(), Fetch: s.opt.Fetch, ClearJSON: p.Base64UrlEncodedEtsiU != nil && !*p.Base64UrlEncodedEtsiU}
	x.Known.Documents = documents
	if to == "LTA" && *signature != *archive {
		if err := signature.apply(&x); err != nil {
			return nil, err
		}
		more, err := ades.Extend(ctx, b, ades.LevelLT, x)
		switch {
		case errors.Is(err, ades.ErrCovered): // it has that level, and an archive time-stamp over it
		case err != nil:
			return nil, err
		default:
			b = more
		}
		signature = archive
	}
	if err := signature.apply(&x); err != nil {
		return nil, err
	}
	return ades.Extend(ctx, b, ades.Level(to), x)
}

// apply says how time-stamps are made from here on.
func (p *stampingJSON) apply(x *ades.Extension) (err error) {
	x.Canonicalization, x.Hash = p.CanonicalizationMethod, 0
	if p.DigestAlgorithm != "" {
		x.Hash, err = hashOf(p.DigestAlgorithm)
	}
	return err
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
func (s *Service) counter(r *counterRequest) (*pending, error) {
	if r.SignatureDocument == nil || r.SignatureDocument.DigestAlgorithm != nil {
		return nil, refuse(http.StatusBadRequest, "signatureDocument is missing, or a digest alone")
	}
	p, to, err := r.Parameters.params()
	if err != nil {
		return nil, err
	}
	if to != "B" {
		return nil, refuse(http.StatusNotImplemented, "counter-signatures are made at level B")
	}
	q, err := ades.PrepareCounter(r.SignatureDocument.Bytes, r.Parameters.SignatureIDToCounterSign, p)
	return &pending{q, r.SignatureValue, func(_ context.Context, b []byte) (Document, error) {
		return Document{Bytes: b, Name: outName(r.SignatureDocument.Name, "-counter-signed-", r.Parameters.SignatureLevel, ades.Params{})}, nil
	}}, err
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
