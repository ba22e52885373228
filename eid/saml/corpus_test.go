package saml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/internal/corpus"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// beyondSignatures are the files whose signature, if any, is as it should be, and that are refused all the same, or fall
// short of what is asked for here.
var beyondSignatures = map[string]error{
	"sp-authnrequest/sp-unsupported-signature-method.xml":                   saml.ErrAlgorithm,
	"sp-authnrequest/sp-invalid-saml-version.xml":                           saml.ErrSyntax,
	"sp-authnrequest/sp-missing-id.xml":                                     saml.ErrSyntax,
	"sp-authnrequest/sp-invalid-schema-invalid-attribute.xml":               saml.ErrSyntax,
	"sp-metadata/sp-missing-assertion-consumer.xml":                         saml.ErrSyntax,
	"sp-metadata/sp-missing-assertion-consumer-binding.xml":                 saml.ErrSyntax,
	"middleware-request/EidasSamlRequestWithoutProviderName.xml":            saml.ErrAlgorithm, // SHA-1 digests of 2017
	"middleware-request/EidasSamlRequestWithProviderNameAndRequesterId.xml": saml.ErrAlgorithm,
	"middleware-request/EidasSamlRequestWithOnlyRequesterId.xml":            saml.ErrAlgorithm,
	"node-metadata/ServiceMetadataWithTwoSigningKeys.xml":                   saml.ErrSyntax, // "..." stands where elements were left out
	"node-response/saml_response_plain.xml":                                 saml.ErrSyntax, // a template: status Fail is none
	"node-encryption/saml_response.xml":                                     saml.ErrSignature,
	"node-encryption/saml_rsa_rsa-oaep_encrypted_response.xml":              saml.ErrSignature,
	"node-encryption/saml_rsa_rsa-oaep-mgf1p_encrypted_response.xml":        saml.ErrSignature,
	"node-encryption/saml_ec_NistCurve_kw-aes256_encrypted_response.xml":    saml.ErrSignature,
	"node-metadata/EntitiesDescriptor-aggregate.xml":                        saml.ErrAlgorithm, // signed with 1024 bits
	"stork/pepsmetadata-ed.xml":                                             saml.ErrSyntax,    // endpoints without index
	"stork/AuthnRequestTagDelete.xml":                                       saml.ErrSignature,
	"sp-authnrequest/sp-invalid-schema-missing-signature.xml":               saml.ErrSignature,
	"sp-authnrequest/sp-invalid-schema-missing-required-element.xml":        saml.ErrSignature,
}

// TestCorpus: every message and metadata file of others, with the key that it shows as the one that is known. What the core check of
// its signature said is what comes out here.
func TestCorpus(t *testing.T) {
	t.Parallel()
	store, err := pki.LoadIdentities(corpus.Read(t, "eid", "node-encryption/keystore-test.p12"), "local-demo")
	if err != nil {
		t.Fatal(err)
	}
	var keys []pki.Key
	for _, id := range store {
		keys = append(keys, id.Key)
	}
	cases := 0
	for _, row := range corpus.Index(t, "eid") {
		if !strings.HasSuffix(row["file"], ".xml") || !strings.Contains(row["expected"], "[XML-DSig core check") || strings.Contains(row["file"], "Light") {
			continue
		}
		cases++
		t.Run(row["file"], func(t *testing.T) {
			t.Parallel()
			octets := corpus.Read(t, "eid", row["file"])
			var certs []*pki.Certificate
			root := ""
			if doc, err := dom.Parse(corpus.Read(t, "eid", row["file"]), dom.Limits{}); err == nil {
				root = doc.Root().Local()
				if info := doc.Root().Child(xmldsig.Namespace, "Signature").Child(xmldsig.Namespace, "KeyInfo"); info.Valid() {
					if certs, err = xmldsig.CertificatesFromInfo(info, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			alg := saml.Algorithms{MinRSABits: 2048}
			var signer *pki.Certificate
			var err error
			switch root {
			case "AuthnRequest":
				var r *saml.AuthnRequest
				if r, err = saml.ParseAuthnRequest(octets, certs, alg); err == nil {
					signer = r.Signer
				}
			case "Response":
				var r *saml.Response
				if r, err = saml.ParseResponse(octets, saml.Opening{Certificates: certs, Keys: keys, Algorithms: alg, Clear: true}); err == nil {
					signer = r.Signer
				}
			default:
				trust := saml.MetadataSigner(func([]*pki.Certificate) error { return nil })
				if strings.Contains(row["expected"], "carries no signature") {
					trust = nil
				}
				var e []*saml.Entity
				if e, err = saml.ParseMetadata(octets, trust, alg); err == nil {
					signer = e[0].Signer
				}
			}
			want, named := beyondSignatures[row["file"]]
			switch {
			case named:
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v (%s)", err, want, row["expected"])
				}
			case strings.Contains(row["expected"], "carries no signature"):
				if err != nil || signer != nil {
					t.Errorf("a file without signature: %v, signed by %v", err, signer)
				}
			case strings.Contains(row["expected"], "embedded certificate: valid"):
				if err != nil || signer == nil {
					t.Errorf("its signature holds: %v", err)
				}
			default:
				if !errors.Is(err, saml.ErrSignature) && !errors.Is(err, saml.ErrSyntax) {
					t.Errorf("its signature does not hold: %v (%s)", err, row["expected"])
				}
			}
		})
	}
	if cases < 60 {
		t.Errorf("only %d files: is the corpus there?", cases)
	}
}
