// Package wss writes and reads the WS-Security header of AS4 messages: SOAP Message Security 1.1.1 with the X.509
// Token Profile and the SOAP with Attachments Profile, as eDelivery AS4 1.15 and 2.0 restrict them.
//
// [Secure] signs eb:Messaging, the SOAP Body and every attachment, then encrypts the attachments [AS4 5.1.4, 5.1.5].
// [Open] goes the other way in one pass over the MIME parts: the signature value and its signer are judged before a
// single octet of payload is read and before the private key is used, then each part is decrypted, digested and
// written to its sink while it arrives. What Open returns is what was signed.
//
// # Refused on purpose
//
// More than one signature, transforms other than exclusive C14N and the attachment content transform, references to
// anything that is not a header block, the Body or an attachment, RSA PKCS#1 1.5 encryption, CBC, SHA-1.
package wss

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"errors"

	"github.com/viadukt-eu/viadukt/trust/pki/brainpool"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// Namespaces and identifiers of the standards.
const (
	NamespaceWSSE   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	NamespaceWSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
	NamespaceWSU    = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

	nsDS   = "http://www.w3.org/2000/09/xmldsig#"
	nsXEnc = "http://www.w3.org/2001/04/xmlenc#"
	nsS12  = "http://www.w3.org/2003/05/soap-envelope"

	x509Profile = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0"
	smsProfile  = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"
	sms11       = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1"
	swaProfile  = "http://docs.oasis-open.org/wss/oasis-wss-SwAProfile-1.1"

	base64Binary         = smsProfile + "#Base64Binary"
	contentOnly          = swaProfile + "#Attachment-Content-Only"
	ciphertextTransform  = swaProfile + "#Attachment-Ciphertext-Transform"
	encryptedKeyTokenURI = sms11 + "#EncryptedKey"
)

// TokenForm says how a certificate is named in a wsse:SecurityTokenReference [EU-AS4 1.4.2.6].
type TokenForm string

// The forms. All are read; all but the last are written.
const (
	TokenBST          TokenForm = "bst"           // BinarySecurityToken, #X509v3
	TokenPKIPath      TokenForm = "pkipath"       // BinarySecurityToken, #X509PKIPathv1
	TokenSKI          TokenForm = "ski"           // KeyIdentifier, #X509SubjectKeyIdentifier
	TokenIssuerSerial TokenForm = "issuer-serial" // X509Data/X509IssuerSerial
	TokenThumbprint   TokenForm = "thumbprint"    // KeyIdentifier, #ThumbprintSHA1
	TokenX509SKI      TokenForm = "x509-ski"      // X509Data/X509SKI without SecurityTokenReference (BDEW, encryption only)
	TokenX509Data     TokenForm = "x509-data"     // X509Data/X509Certificate: no token of its own
)

// Suite is one set of algorithms: what is written, and what alone is accepted.
type Suite struct {
	Name            string
	SignatureMethod string           // XML Signature URI
	DigestMethod    string           // XML Signature URI
	Transport       xmlenc.Transport // how the session key reaches the recipient
	Data            string           // content encryption URI, an AES-GCM
	SignToken       TokenForm
	EncryptToken    TokenForm

	AcceptSignatures []string // further signature methods accepted on receipt
	AcceptData       []string // further content encryption accepted on receipt
}

// The suites of the profiles.
var (
	SuiteRSA = Suite{ // [EU-AS4 1.4.2.6]
		Name: "rsa", SignatureMethod: xmldsig.RSASHA256, DigestMethod: xmldsig.SHA256,
		Transport: xmlenc.TransportRSAOAEP256, Data: xmlenc.AES128GCM, SignToken: TokenBST, EncryptToken: TokenBST,
		AcceptSignatures: []string{xmldsig.RSASHA384, xmldsig.RSASHA512},
		AcceptData:       []string{xmlenc.AES192GCM, xmlenc.AES256GCM},
	}
	SuiteEdDSA = Suite{ // [EU-AS4-2 common usage]
		Name: "eddsa", SignatureMethod: xmldsig.Ed25519, DigestMethod: xmldsig.SHA256,
		Transport: xmlenc.TransportX25519, Data: xmlenc.AES128GCM, SignToken: TokenBST, EncryptToken: TokenBST,
	}
	SuiteECDSA = Suite{ // [EU-AS4-2 alternative algorithms]
		Name: "ecdsa", SignatureMethod: xmldsig.ECDSASHA256, DigestMethod: xmldsig.SHA256,
		Transport: xmlenc.TransportECDHHKDF, Data: xmlenc.AES128GCM, SignToken: TokenBST, EncryptToken: TokenBST,
	}
)

// SuiteBrainpool is that of German market communication [BDEW].
var SuiteBrainpool = Suite{
	Name: "brainpool", SignatureMethod: xmldsig.ECDSASHA256, DigestMethod: xmldsig.SHA256,
	Transport: xmlenc.TransportECDHConcat, Data: xmlenc.AES128GCM, SignToken: TokenPKIPath, EncryptToken: TokenX509SKI,
}

// SuiteFor is the suite that a key signs in, for messages before a P-Mode is known.
func SuiteFor(key crypto.PublicKey) Suite {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return SuiteEdDSA
	case *ecdsa.PublicKey:
		if brainpool.Is(k.Curve) {
			return SuiteBrainpool
		}
		return SuiteECDSA
	}
	return SuiteRSA
}

// Errors by which a caller chooses the ebMS code. Everything else that Open returns is a policy or structure error.
var (
	ErrAuthentication = errors.New("wss: signature or signer not accepted")    // EBMS:0101
	ErrDecryption     = errors.New("wss: cannot be decrypted")                 // EBMS:0102
	ErrPolicy         = errors.New("wss: does not follow the security policy") // EBMS:0103
	ErrPart           = errors.New("wss: parts and header do not agree")       // EBMS:0011
	ErrSize           = errors.New("wss: larger than agreed")                  // EBMS:0010
	ErrDecompression  = errors.New("wss: cannot be decompressed")              // EBMS:0303
)
