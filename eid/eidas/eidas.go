// Package eidas speaks the SAML profile of the eIDAS interoperability framework, which the nodes of the Member States identify
// persons across borders with: message format [eIDAS-MF], attributes [eIDAS-AP] and cryptography [eIDAS-CR], 1.1 to 1.4.
//
// A [Connector] asks on behalf of a service in its country; a [ProxyService] of the person's country answers. Both see
// their peers as a [Party], which is metadata of one of them that somebody trusted has signed. What stands between a node and
// the services and identity providers of its own country is no part of this package.
//
// # State is the caller's
//
// Nothing is remembered here. A connector keeps the [Pending] of each request until the answer comes, and gives it away once;
// both sides refuse what they have seen before. The messages say under which keys.
//
// # Stricter than the reference
//
// Beyond what the reference implementation looks at, an answer is refused whose Destination or Recipient is another
// address, whose confirmation has ended, or one of whose audiences is somebody else; and a signature has to cover the element
// it stands in.
package eidas

import (
	"github.com/viadukt-eu/viadukt/eid/saml"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
)

// Namespace is that of the extensions to SAML.
const Namespace = "http://eidas.europa.eu/saml-extensions"

// Entity attributes of metadata.
const (
	attributeVersion     = "http://eidas.europa.eu/entity-attributes/protocol-version"
	attributeApplication = "http://eidas.europa.eu/entity-attributes/application-identifier"
	attributeLevels      = "urn:oasis:names:tc:SAML:attribute:assurance-certification"
	attributeCategory    = "http://macedir.org/entity-category"

	categoryRequesterID = "http://eidas.europa.eu/entity-attributes/termsofaccess/requesterid"
	categoryHidden      = "http://refeds.org/category/hide-from-discovery"
)

// Kinds of service [eIDAS-MF].
const (
	Public  = "public"
	Private = "private"
)

// Versions of the protocol that this package speaks, newest first.
var Versions = []string{"1.4", "1.3", "1.2", "1.1"}

// algorithms are those that nodes may use [eIDAS-CR]. RSA with PKCS#1 1.5 is not among them.
var algorithms = saml.Algorithms{
	Signatures: []string{xmldsig.RSAPSSSHA256, xmldsig.RSAPSSSHA384, xmldsig.RSAPSSSHA512, xmldsig.ECDSASHA256, xmldsig.ECDSASHA384, xmldsig.ECDSASHA512},
	Digests:    []string{xmldsig.SHA256, xmldsig.SHA384, xmldsig.SHA512},
	Data:       []string{xmlenc.AES128GCM, xmlenc.AES192GCM, xmlenc.AES256GCM},
	Transports: []string{xmlenc.RSAOAEP, xmlenc.RSAOAEPMGF1P, xmlenc.ECDHES},
	MinRSABits: 3072,
	MinECBits:  256,
}
