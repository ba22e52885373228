package pmode

import (
	"bytes"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// placeholder is what policy files of Domibus 5 have for the algorithm suite, which the profile decides. It is no XML
// name.
const placeholder = "${algorithmSuitePlaceholder}"

// Algorithm suites by what they come to.
var suites = map[string]string{
	"Basic128GCMSha256MgfSha256": "rsa", "Basic128GCMSha256": "rsa",
	"AlgorithmSuitePlaceholder": "",
}

// published are the policy files that come with Domibus, by name, for a P-Mode file that comes without them.
var published = map[string]Security{
	"eDeliveryAS4Policy.xml":                   {Sign: true, Encrypt: true, SignFragment: true, SignToken: wss.TokenSKI, EncryptToken: wss.TokenSKI},
	"eDeliveryAS4Policy_BST.xml":               {Sign: true, Encrypt: true, SignToken: wss.TokenBST, EncryptToken: wss.TokenBST},
	"eDeliveryAS4Policy_BST_PKIP.xml":          {Sign: true, Encrypt: true, SignToken: wss.TokenPKIPath, EncryptToken: wss.TokenPKIPath},
	"eDeliveryAS4Policy_IS.xml":                {Sign: true, Encrypt: true, SignToken: wss.TokenIssuerSerial, EncryptToken: wss.TokenIssuerSerial},
	"eDeliveryAS4Policy_BST_PKIP_signOnly.xml": {Sign: true, SignToken: wss.TokenPKIPath},
	"eDeliveryPolicy.xml":                      {Sign: true, Encrypt: true},
	"eSensPolicy.v2.0.xml":                     {Sign: true, Encrypt: true},
	"signOnly.xml":                             {Sign: true, SignToken: wss.TokenBST},
	"doNothingPolicy.xml":                      {},
}

// ReadPolicy reads a WS-SecurityPolicy file and says what it comes to for AS4 [EU-AS4 1.4.2.6]. What it asks for and the
// security layer cannot do is an error. Suite is empty where the P-Mode's profile decides.
func ReadPolicy(octets []byte) (Security, error) {
	var s Security
	doc, err := dom.Parse(bytes.ReplaceAll(octets, []byte(placeholder), []byte("AlgorithmSuitePlaceholder")), dom.Limits{Bytes: 1 << 20, Depth: 64})
	if err != nil {
		return s, err
	}
	root := doc.Root()
	if root.Local() != "Policy" || !strings.Contains(root.Space(), "policy") {
		return s, root.Errorf("is no WS-Policy")
	}
	var refused error
	refuse := func(n dom.Node, format string, args ...any) {
		if refused == nil {
			refused = n.Errorf(format, args...)
		}
	}
	alternatives := 0
	for n := range root.Descendants() {
		if n.Kind() != dom.ElementNode {
			continue
		}
		security := isSecurityPolicy(n.Space())
		switch name := n.Local(); {
		case name == "All" && n.Parent().Local() == "ExactlyOne":
			if n.Parent().Parent() == root {
				if alternatives++; alternatives == 2 {
					refuse(n, "the policy has alternatives, of which an agreement has to choose one")
				}
			}
		case !security:
		case name == "SignedParts":
			signedParts(&s, n, refuse)
		case name == "EncryptedParts":
			for p := range n.Elements() {
				switch p.Local() {
				case "Attachments":
					s.Encrypt = true
				case "Body":
					s.EncryptBody = true
				default:
					refuse(p, "%s cannot be encrypted in AS4", p.Local())
				}
			}
		case name == "InitiatorToken":
			s.SignToken = tokenForm(n, refuse)
		case name == "RecipientToken":
			s.EncryptToken = tokenForm(n, refuse)
		case name == "AlgorithmSuite":
			s.Suite = algorithmSuite(n, refuse)
		case slices.Contains([]string{"EncryptBeforeSigning", "EncryptSignature", "SymmetricBinding", "TransportBinding", "UsernameToken", "IncludeTimestamp", "SignedElements", "EncryptedElements", "SupportingTokens", "SignedSupportingTokens", "EndorsingSupportingTokens"}, name):
			refuse(n, "%s is not part of AS4 as eDelivery restricts it", name)
		}
	}
	if refused != nil {
		return s, refused
	}
	if !s.Sign {
		s.SignToken = ""
	}
	if !s.Encrypt {
		s.EncryptToken = ""
	}
	return s, nil
}

// isSecurityPolicy knows the namespaces of all editions, and that of the algorithm suites of Domibus.
func isSecurityPolicy(space string) bool {
	return strings.Contains(space, "/securitypolicy") || strings.Contains(space, "/ws-securitypolicy/") || strings.Contains(space, "/custom/security-policy")
}

func signedParts(s *Security, n dom.Node, refuse func(dom.Node, string, ...any)) {
	var body, header, attachments bool
	for p := range n.Elements() {
		switch {
		case p.Local() == "Body":
			body = true
		case p.Local() == "Header" && p.Attr("Name") == "Messaging":
			header = true
		case p.Local() == "Header" && p.Attr("Name") == "MessageFragment":
			s.SignFragment = true
		case p.Local() == "Attachments":
			attachments = true
			for t := range p.Elements() {
				if t.Local() == "AttachmentCompleteSignatureTransform" {
					refuse(t, "the attachment complete transform is not allowed in AS4 [AS4 5.1.5]")
				}
			}
		}
	}
	if s.Sign = body && header && attachments; !s.Sign && (body || header || attachments) {
		refuse(n, "eb:Messaging, Body and attachments are signed together or not at all [AS4 5.1.5]")
	}
}

// tokenForm says how a token is named in messages.
func tokenForm(n dom.Node, refuse func(dom.Node, string, ...any)) wss.TokenForm {
	form, include := wss.TokenForm(""), ""
	for t := range n.Descendants() {
		if t.Kind() != dom.ElementNode {
			continue
		}
		switch t.Local() {
		case "X509Token":
			form = wss.TokenSKI
			for a := range t.Attributes() {
				if a.Local() == "IncludeToken" {
					include = string(a.Value())
				}
			}
			if !strings.HasSuffix(include, "/Never") {
				form = wss.TokenBST
			}
		case "WssX509PkiPathV1Token10", "WssX509PkiPathV1Token11":
			if form == wss.TokenBST {
				form = wss.TokenPKIPath
			}
		case "RequireIssuerSerialReference":
			if form == wss.TokenSKI {
				form = wss.TokenIssuerSerial
			}
		case "RequireThumbprintReference":
			if form == wss.TokenSKI {
				form = wss.TokenThumbprint
			}
		}
	}
	if form == "" {
		refuse(n, "no X.509 token")
	}
	return form
}

func algorithmSuite(n dom.Node, refuse func(dom.Node, string, ...any)) string {
	for p := range n.Elements() {
		for e := range p.Elements() {
			suite, known := suites[e.Local()]
			if !known {
				refuse(e, "the algorithm suite %s is not that of eDelivery AS4 (Basic128GCMSha256MgfSha256)", e.Local())
			}
			return suite
		}
	}
	refuse(n, "names no algorithm suite")
	return ""
}

// security resolves one security of a Domibus file: by the policy file, by its published name, else as the strongest.
func (d *Domibus) security(r *reader, s *DomibusSecurity, policy func(string) []byte) Security {
	where := "security " + shown(s.Name)
	out, known := published[s.Policy]
	if policy != nil && s.Policy != "" {
		if b := policy(s.Policy); b != nil {
			read, err := ReadPolicy(b)
			if err != nil {
				r.warnAt(s.place, RuleSecurity, where, "policy %s: %v", shown(s.Policy), err)
				read = Security{Unknown: err.Error()}
			}
			out, known = read, true
		}
	}
	if !known {
		out = Security{Sign: true, Encrypt: true, Assumed: s.Policy != ""}
		if s.Policy != "" {
			r.warnAt(s.place, RuleSecurity, where, "the policy %s is not there and not known by its name: signed and encrypted is assumed", shown(s.Policy))
		}
	}
	out.Name, out.Policy = s.Name, s.Policy
	switch {
	case s.Profile == "ECC":
		out.Suite = "ecc"
		r.warnAt(s.place, RuleSecurity, where, "the profile ECC has no algorithms in Domibus 5.1: those of eDelivery AS4 2.0 are taken, ECDSA and ECDH-ES")
	case out.Suite == "":
		out.Suite = "rsa"
	}
	return out
}

var tokenWords = map[wss.TokenForm]string{
	wss.TokenBST: "a token in the message", wss.TokenPKIPath: "a token with the whole path", wss.TokenSKI: "the subject key identifier",
	wss.TokenIssuerSerial: "issuer and serial number", wss.TokenThumbprint: "the thumbprint", wss.TokenX509SKI: "the subject key identifier",
}

// String says in words what is done to messages.
func (s Security) String() string {
	how := "neither signed nor encrypted"
	switch {
	case s.Sign && s.Encrypt:
		how = "signed and encrypted"
	case s.Sign:
		how = "signed"
	case s.Encrypt:
		how = "encrypted"
	}
	if s.EncryptBody {
		how += ", the Body too"
	}
	if s.Sign && s.SignToken != "" {
		how += ", certificates named by " + tokenWords[s.SignToken]
		if s.Encrypt && s.EncryptToken != s.SignToken && s.EncryptToken != "" {
			how += ", for encryption by " + tokenWords[s.EncryptToken]
		}
	}
	return how + " (" + s.Suite + ")"
}
