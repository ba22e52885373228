// Package csc signs with keys that a remote service holds: the API of the Cloud Signature Consortium, version 2.
//
// [Client] asks a service, [Key] is one of its keys as everything in package pki takes keys, and [Server] is a small service over own
// keys, for tests and pilots: it keeps its state in memory and its keys in software.
//
// What is not there: the web pages of OAuth 2.0, whose tokens are given from outside, asynchronous operations and signDoc.
package csc

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// ErrFormat says that an answer is not as the API has it. What the service itself refuses is an [*Error].
var ErrFormat = errors.New("csc: answer is not as the API has it")

// ErrSignature says that the service returned something else than a signature of the key asked for.
var ErrSignature = errors.New("csc: the service returned no signature of this key")

// Error is what a service says when it refuses [CSC 11].
type Error struct {
	Method      string // that was called, such as "signatures/signHash"
	Status      int    // of HTTP
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("csc: %s: %d %s: %s", e.Method, e.Status, e.Code, e.Description)
}

// Temporary reports whether asking again may help.
func (e *Error) Temporary() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests
}

// Codes of [Error] that callers meet most.
const (
	InvalidRequest = "invalid_request"
	InvalidToken   = "invalid_token"
	AccessDenied   = "access_denied"
	InvalidPIN     = "invalid_pin"
	InvalidSAD     = "invalid_sad"
	ServerError    = "server_error"
)

// Info is what a service says of itself [CSC 11].
type Info struct {
	Specs       string   `json:"specs"` // edition of the API, such as "2.0.0.0"
	Name        string   `json:"name"`
	Logo        string   `json:"logo,omitempty"`
	Region      string   `json:"region"`
	Lang        string   `json:"lang"`
	Description string   `json:"description"`
	AuthType    []string `json:"authType"` // "basic", "oauth2code" and the like
	OAuth2      string   `json:"oauth2,omitempty"`
	Methods     []string `json:"methods"`
}

// Credential is a key with its certificate, as the service describes it [CSC 11].
type Credential struct {
	ID          string      `json:"credentialID,omitempty"`
	Description string      `json:"description,omitempty"`
	Key         KeyInfo     `json:"key"`
	Cert        Certificate `json:"cert"`
	Auth        Auth        `json:"auth"`
	SCAL        string      `json:"SCAL,omitempty"` // "2": what authorises is bound to the hashes
	MultiSign   int         `json:"multisign"`
	Lang        string      `json:"lang,omitempty"`
}

// KeyInfo describes a key.
type KeyInfo struct {
	Status string    `json:"status"` // "enabled" or "disabled"
	Algo   []pki.OID `json:"algo"`
	Len    int       `json:"len"`
	Curve  pki.OID   `json:"curve,omitempty"`
}

// Certificate holds the certificate of a key with its chain, DER, the signer's first.
type Certificate struct {
	Status       string   `json:"status,omitempty"`
	Certificates [][]byte `json:"certificates,omitempty"`
	IssuerDN     string   `json:"issuerDN,omitempty"`
	SerialNumber string   `json:"serialNumber,omitempty"` // hexadecimal
	SubjectDN    string   `json:"subjectDN,omitempty"`
	ValidFrom    string   `json:"validFrom,omitempty"` // GeneralizedTime
	ValidTo      string   `json:"validTo,omitempty"`
}

// Auth says how the use of a key is authorised.
type Auth struct {
	Mode       string       `json:"mode"` // "implicit", "explicit", "oauth2code" and the like
	Expression string       `json:"expression,omitempty"`
	Objects    []AuthObject `json:"objects,omitempty"`
}

// AuthObject is a secret that "explicit" asks for.
type AuthObject struct {
	Type   string `json:"type"` // "Password" and the like
	ID     string `json:"id"`   // "PIN", "OTP"
	Format string `json:"format,omitempty"`
	Label  string `json:"label,omitempty"`
}

// AuthData is such a secret.
type AuthData struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

type listRequest struct {
	CredentialInfo bool   `json:"credentialInfo,omitempty"`
	Certificates   string `json:"certificates,omitempty"`
	OnlyValid      bool   `json:"onlyValid,omitempty"`
}

type listResponse struct {
	CredentialIDs   []string     `json:"credentialIDs"`
	CredentialInfos []Credential `json:"credentialInfos,omitempty"`
}

type infoRequest struct {
	CredentialID string `json:"credentialID"`
	Certificates string `json:"certificates,omitempty"` // "none", "single", "chain"
	CertInfo     bool   `json:"certInfo,omitempty"`
	AuthInfo     bool   `json:"authInfo,omitempty"`
}

// AuthorizeRequest asks that a key may be used [CSC 11].
type AuthorizeRequest struct {
	CredentialID  string     `json:"credentialID"`
	NumSignatures int        `json:"numSignatures"`
	Hashes        [][]byte   `json:"hashes,omitempty"`
	HashAlgorithm pki.OID    `json:"hashAlgorithmOID,omitempty"`
	AuthData      []AuthData `json:"authData,omitempty"`
	Description   string     `json:"description,omitempty"`
}

type authorizeResponse struct {
	SAD       string `json:"SAD"`
	ExpiresIn int    `json:"expiresIn,omitempty"`
	Handle    string `json:"handle,omitempty"` // of an operation that goes on
}

// SignHashRequest asks for signatures over hashes [CSC 11].
type SignHashRequest struct {
	CredentialID  string   `json:"credentialID"`
	SAD           string   `json:"SAD,omitempty"`
	Hashes        [][]byte `json:"hashes"`
	HashAlgorithm pki.OID  `json:"hashAlgorithmOID,omitempty"`
	SignAlgorithm pki.OID  `json:"signAlgo"`
	Parameters    []byte   `json:"signAlgoParams,omitempty"` // DER
	OperationMode string   `json:"operationMode,omitempty"`
}

type signHashResponse struct {
	Signatures [][]byte `json:"signatures"`
	ResponseID string   `json:"responseID,omitempty"`
}

type loginResponse struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in,omitempty"`
}
