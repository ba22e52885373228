// Package stork speaks the SAML profile of STORK and STORK 2.0, as the gateways of the pilots did: requests with a quality of
// authentication from 1 to 4, attributes with a status of their own, queries to attribute providers, several assertions in one
// answer, mandates [STORK]. What is written today is signed as [eIDAS-CR] asks; what is read may be as old as the profile.
//
// A name in the assertion says nothing: the person is known by attributes.
package stork

import (
	"errors"

	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// Namespaces; STORK 2.0 keeps them.
const (
	NamespaceAssertion = "urn:eu:stork:names:tc:STORK:1.0:assertion"
	NamespaceProtocol  = "urn:eu:stork:names:tc:STORK:1.0:protocol"
)

// Base is what the names of attributes begin with.
const Base = "http://www.stork.gov.eu/1.0/"

// StatusQAANotSupported is a second status code.
const StatusQAANotSupported = "http://www.stork.gov.eu/saml20/statusCodes/QAANotSupported"

// ErrProfile: a message is not as the profile says.
var ErrProfile = errors.New("stork: not as the profile says")

// Algorithms of the gateways from release 1.3.1 on. Before it, digests by SHA-1 were in use: old also takes these, to read what was kept.
func Algorithms(old bool) saml.Algorithms {
	a := saml.Algorithms{
		Signatures: []string{xmldsig.RSASHA256, xmldsig.RSASHA384, xmldsig.RSASHA512, xmldsig.RSAPSSSHA256, xmldsig.RSAPSSSHA512, xmldsig.ECDSASHA256, xmldsig.ECDSASHA384, xmldsig.ECDSASHA512},
		Digests:    []string{xmldsig.SHA256, xmldsig.SHA384, xmldsig.SHA512},
		Data:       []string{xmlenc.AES128GCM, xmlenc.AES192GCM, xmlenc.AES256GCM},
		MinRSABits: 2048,
	}
	if old {
		a.Digests, a.AllowSHA1, a.MinRSABits = append(a.Digests, xmldsig.SHA1), true, 1024
	}
	return a
}

// Level is the eIDAS level of assurance of a quality of authentication [STORK], "" for 1, which is below all.
func Level(qaa int) string {
	return map[int]string{2: "http://eidas.europa.eu/LoA/low", 3: "http://eidas.europa.eu/LoA/substantial", 4: "http://eidas.europa.eu/LoA/high"}[qaa]
}

// QAA is the quality of authentication of an eIDAS level, 1 for everything else.
func QAA(level string) int {
	for qaa := 2; qaa <= 4; qaa++ {
		if Level(qaa) == level {
			return qaa
		}
	}
	return 1
}
