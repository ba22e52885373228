package eidas

import (
	"errors"
	"fmt"

	"github.com/viadukt-eu/viadukt/eid/saml"
)

// Error is a reason not to identify somebody, with the code that the nodes of the network tell each other.
type Error struct {
	Code string // six digits
	Text string // for the peer and the person
	Err  error  // for the log only
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("eidas: %s %s: %v", e.Code, e.Text, e.Err)
	}
	return "eidas: " + e.Code + " " + e.Text
}

func (e *Error) Unwrap() error { return e.Err }

// Message is what stands in the StatusMessage of an answer.
func (e *Error) Message() string { return e.Code + " - " + e.Text }

// codes of the network that arise here, with the status of an answer; "" where none is sent, because who asked is not known or the question
// could not be read.
var codes = map[string]struct{ text, status, sub string }{
	"003002": {"authentication failed", saml.StatusResponder, saml.StatusAuthnFailed},
	"003006": {"the metadata of the sender are not valid", "", ""},
	"003009": {"the metadata of the sender cannot be had", "", ""},
	"200006": {"the request was seen before", "", ""},
	"200015": {"the answer comes from another country than was asked", "", ""},
	"200016": {"a private service has to be named to this country", "", ""},
	"201005": {"no request is known that this answers", "", ""},
	"202001": {"the message is addressed to another node", saml.StatusRequester, ""},
	"202002": {"the request cannot be taken", "", ""},
	"202003": {"the answer cannot be taken", "", ""},
	"202005": {"an attribute that is required is not known here", saml.StatusRequester, saml.StatusInvalidAttrNameOrValue},
	"202010": {"an attribute that is required is missing", saml.StatusResponder, ""},
	"202015": {"the level of assurance cannot be served", saml.StatusRequester, ""},
	"202016": {"the kind of service stands in the request and in the metadata", saml.StatusRequester, ""},
	"202017": {"the kind of service is missing", saml.StatusRequester, ""},
	"202018": {"the message has another format than agreed", saml.StatusRequester, ""},
	"202019": {"the level of assurance is lower than asked for", saml.StatusResponder, ""},
	"202020": {"a private service has to be named to this country", saml.StatusRequester, ""},
	"202021": {"the level of assurance is not one that this country publishes", saml.StatusResponder, ""},
	"202022": {"the format of the name is not offered", saml.StatusRequester, saml.StatusInvalidNameIDPolicy},
	"203007": {"the message is not as its schema and profile say", "", ""},
	"203008": {"the value of an attribute is not valid", saml.StatusResponder, saml.StatusInvalidAttrNameOrValue},
	"203015": {"the algorithm is not allowed", "", ""},
	"203018": {"the signature is not of a known key", "", ""},
	"203021": {"the minimum data set is not complete", saml.StatusRequester, saml.StatusInvalidAttrNameOrValue},
	"203023": {"the answer is not encrypted, or does not decrypt", "", ""},
	"203024": {"attributes of representatives cannot be asked for", saml.StatusRequester, saml.StatusInvalidAttrNameOrValue},
	"203027": {"there is no version that both nodes speak", "", ""},
	"203028": {"the answer is meant for somebody else", "", ""},
}

// fail makes the Error of a code.
func fail(code string, format string, args ...any) *Error {
	e := &Error{Code: code, Text: codes[code].text}
	if format != "" {
		e.Err = fmt.Errorf(format, args...)
	}
	return e
}

// Status is that of an answer to an authenticated request, ok false where none may be sent.
func (e *Error) Status() (s saml.Status, ok bool) {
	c := codes[e.Code]
	return saml.Status{Code: c.status, SubCode: c.sub, Message: e.Message()}, c.status != ""
}

// Refusal is an answer that identifies nobody: what the other node says.
type Refusal struct {
	saml.Status
	Code string // of the error, "" where it does not say
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("eidas: the other node refuses: %s %s %q", r.Status.Code, r.SubCode, r.Message)
}

// received gives an error of package saml the code of the network; other is what it is without a better one.
func received(err error, other string) *Error {
	code := other
	for _, c := range []struct {
		err  error
		code string
	}{{saml.ErrSyntax, "203007"}, {saml.ErrTooLarge, "203007"}, {saml.ErrAlgorithm, "203015"}, {saml.ErrSignature, "203018"}, {saml.ErrDecrypt, "203023"},
		{saml.ErrUnsolicited, "201005"}, {saml.ErrAudience, "203028"}, {saml.ErrDestination, "202001"}} {
		if errors.Is(err, c.err) {
			code = c.code
			break
		}
	}
	return fail(code, "%w", err)
}
