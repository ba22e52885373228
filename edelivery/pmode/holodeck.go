package pmode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/as4"
	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/wss"
	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/trust/xmlenc"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// nsHolodeck is the namespace of the P-Mode files of Holodeck B2B, up to version 8 of their schema.
const nsHolodeck = "http://holodeck-b2b.org/schemas/2014/10/pmode"

// holodeck is such a file, which holds one P-Mode.
type holodeck struct {
	id, mep, binding     string
	includeID            bool
	initiator, responder *holodeckParty
	agreement            ebms.Agreement
	legs                 []*holodeckLeg
	place
}

type holodeckParty struct {
	ids     []ebms.PartyID
	role    string
	sign    *holodeckSigning
	encrypt *holodeckEncryption // of messages sent to this party
	place
}

type holodeckSigning struct {
	alias     string
	private   bool // a password: the key is there
	token     wss.TokenForm
	algorithm string
	digest    string
}

type holodeckEncryption struct {
	alias     string
	private   bool
	token     wss.TokenForm
	algorithm string
	agreement bool
	transport [3]string // algorithm, digest, MGF
}

type holodeckLeg struct {
	url, service, serviceType, action, mpc, pullMPC string
	receipt, callback, errorCallback, compress      bool
	lost                                            []string
	unusable                                        []string
	retry                                           as4.Retry
	reply                                           bool
	place
}

// value reads the text of an element.
func (e *element) value(p presence) string {
	e.textual = true
	v := e.n.TrimmedText()
	if v == "" && p == needed {
		e.problem(RuleRequired, "", "is empty")
	}
	return v
}

func (e *element) truth() bool {
	switch v := e.value(needed); v {
	case "true", "1":
		return true
	case "false", "0", "":
	default:
		e.problem(RuleType, "", "%q is neither true nor false", shown(v))
	}
	return false
}

func (e *element) choice(words ...string) string {
	v := e.value(needed)
	if v != "" && !slices.Contains(words, v) {
		e.problem(RuleType, "", "%q is none of %s", shown(v), strings.Join(words, ", "))
	}
	return v
}

// foreign is what only the program that the file was written for needs: how it hands messages over, and how it tells.
func (e *element) foreign() {
	e.textual = true
	for a := range e.n.Attributes() {
		e.seen = append(e.seen, a.Local())
	}
}

func one(name string, least int, read func(*element)) child { return child{name, least, 1, read} }

func readHolodeck(doc *dom.Document, opt Options) (*Set, error) {
	r := &reader{file: opt.File, space: nsHolodeck}
	h := new(holodeck)
	root := r.element(doc.Root())
	h.place = root.at()
	root.bool("useStrictHeaderValidation", maybe, false)
	root.children(false,
		one("id", 1, func(e *element) { h.id, h.includeID = e.value(needed), e.bool("include", maybe, false) }),
		one("mep", 1, func(e *element) { h.mep = e.choice(ebms.MEPOneWay, ebms.MEPTwoWay) }),
		one("mepBinding", 1, func(e *element) {
			h.binding = e.choice(ebms.BindingPush, ebms.BindingPull, ebms.BindingPushAndPush, ebms.BindingPushAndPull, ebms.BindingPullAndPush, ebms.NS+"pullAndPull")
		}),
		one("Initiator", 0, func(e *element) { h.initiator = readHolodeckParty(e) }),
		one("Responder", 0, func(e *element) { h.responder = readHolodeckParty(e) }),
		one("Agreement", 0, func(e *element) {
			e.children(false, one("type", 0, func(e *element) { h.agreement.Type = e.value(empty) }), one("name", 1, func(e *element) { h.agreement.Value = e.value(empty) }))
		}),
		child{"Leg", 1, 2, func(e *element) { h.legs = append(h.legs, readHolodeckLeg(e)) }},
		one("EventHandlers", 0, (*element).foreign),
	)
	root.done()
	if two := h.mep == ebms.MEPTwoWay; h.mep != "" && two != (h.binding != ebms.BindingPush && h.binding != ebms.BindingPull) {
		r.at(h.place, RuleExchange, "PMode mepBinding", "the binding %q does not belong to the pattern %q [ebMS3 2.2]", h.binding, h.mep)
	} else if len(h.legs) == 2 && !two {
		r.at(h.legs[1].place, RuleExchange, "Leg", "a one-way exchange has one leg")
	}
	own := h.own(r, opt)
	if r.refused {
		refusals, _ := r.problems.split()
		return nil, refusals
	}
	return h.resolve(r, own), nil
}

func readHolodeckParty(e *element) *holodeckParty {
	p := &holodeckParty{place: e.at()}
	e.children(false,
		child{"PartyId", 0, 0, func(e *element) {
			p.ids = append(p.ids, ebms.PartyID{Value: e.value(needed), Type: e.uri("type", maybe)})
		}},
		one("Role", 0, func(e *element) { p.role = e.value(needed) }),
		one("SecurityConfiguration", 0, func(e *element) {
			e.children(false,
				child{"UsernameToken", 0, 2, func(e *element) {
					e.foreign()
					e.warn(RuleLost, "", "user names and passwords are not used in eDelivery AS4: certificates decide")
				}},
				one("Signing", 0, func(e *element) { p.sign = readHolodeckSigning(e) }),
				one("Encryption", 0, func(e *element) { p.encrypt = readHolodeckEncryption(e) }),
			)
		}),
	)
	return p
}

// keyReference are the forms in which a certificate is named.
func (e *element) keyReference(path bool) wss.TokenForm {
	form := map[string]wss.TokenForm{"BSTReference": wss.TokenBST, "IssuerSerial": wss.TokenIssuerSerial, "KeyIdentifier": wss.TokenSKI}[e.choice("BSTReference", "IssuerSerial", "KeyIdentifier")]
	if form == wss.TokenBST && path {
		form = wss.TokenPKIPath
	}
	return form
}

func (e *element) alias() (alias string, private bool) {
	private = e.text("password", optional, 0) != ""
	return e.value(needed), private
}

func readHolodeckSigning(e *element) *holodeckSigning {
	s := &holodeckSigning{token: wss.TokenIssuerSerial, algorithm: xmldsig.RSASHA256, digest: xmldsig.SHA256}
	path := false
	e.children(false,
		one("KeystoreAlias", 0, func(e *element) { s.alias, s.private = e.alias() }),
		one("KeyReferenceMethod", 0, func(e *element) { s.token = e.keyReference(false) }),
		one("IncludeCertificatePath", 0, func(e *element) { path = e.truth() }),
		one("Algorithm", 0, func(e *element) { s.algorithm = e.value(needed) }),
		one("HashFunction", 0, func(e *element) { s.digest = e.value(needed) }),
	)
	if path && s.token == wss.TokenBST {
		s.token = wss.TokenPKIPath
	}
	return s
}

func readHolodeckEncryption(e *element) *holodeckEncryption {
	c := &holodeckEncryption{token: wss.TokenIssuerSerial, algorithm: xmlenc.AES128GCM}
	rsa := xmlenc.TransportRSAOAEP256
	c.transport = [3]string{rsa.Algorithm, rsa.Digest, rsa.MGF}
	e.children(false,
		one("KeystoreAlias", 1, func(e *element) { c.alias, c.private = e.alias() }),
		one("Algorithm", 0, func(e *element) { c.algorithm = e.value(needed) }),
		one("KeyTransport", 0, func(e *element) {
			e.children(false,
				one("Algorithm", 0, func(e *element) { c.transport[0] = e.value(needed) }),
				one("MGFAlgorithm", 0, func(e *element) { c.transport[2] = e.value(needed) }),
				one("DigestAlgorithm", 0, func(e *element) { c.transport[1] = e.value(needed) }),
				one("KeyReferenceMethod", 0, func(e *element) { c.token = e.keyReference(false) }),
			)
		}),
		one("KeyAgreement", 0, func(e *element) { e.foreign(); c.agreement = true }),
	)
	return c
}

func readHolodeckLeg(e *element) *holodeckLeg {
	l := &holodeckLeg{place: e.at(), retry: as4.Retry{Max: 1}}
	l.reply = e.word("label", maybe, "REQUEST", "REPLY") == "REPLY"
	lose := func(format string, args ...any) { l.lost = append(l.lost, fmt.Sprintf(format, args...)) }
	aware := false
	e.children(false,
		one("Protocol", 0, l.readProtocol),
		one("Receipt", 0, func(e *element) {
			l.receipt = true
			e.children(false,
				one("ReplyPattern", 0, func(e *element) { l.callback = e.choice("RESPONSE", "CALLBACK") == "CALLBACK" }),
				one("To", 0, func(e *element) { e.value(empty) }),
				one("NotifyReceiptToBusinessApplication", 0, func(e *element) { e.truth() }),
				one("ReceiptDelivery", 0, (*element).foreign),
			)
		}),
		one("ReceptionAwareness", 0, func(e *element) { aware = true; l.readAwareness(e) }),
		one("DefaultDelivery", 0, (*element).foreign),
		child{"PullRequestFlow", 0, 0, func(e *element) {
			e.children(false, one("Mpc", 1, func(e *element) { l.pullMPC = e.value(needed) }), one("ErrorHandling", 0, (*element).foreign), one("SecurityConfiguration", 0, (*element).foreign))
		}},
		one("UserMessageFlow", 0, func(e *element) {
			e.children(false,
				one("BusinessInfo", 0, func(e *element) {
					e.children(false,
						one("Action", 0, func(e *element) { l.action = e.value(needed) }),
						one("Mpc", 0, func(e *element) { l.mpc = e.value(needed) }),
						one("Service", 0, func(e *element) {
							e.children(false, one("name", 0, func(e *element) { l.service = e.value(needed) }), one("type", 0, func(e *element) { l.serviceType = e.value(needed) }))
						}),
						child{"Property", 0, 0, func(e *element) {
							name := ""
							e.children(false, one("name", 1, func(e *element) { name = e.value(needed) }), one("value", 1, func(e *element) { e.value(empty) }), one("type", 0, func(e *element) { e.value(empty) }))
							lose("the message property %s is not added by itself: whoever submits must give it", name)
						}},
					)
				}),
				one("ErrorHandling", 0, l.readErrors),
				one("PayloadProfile", 0, func(e *element) {
					e.children(false, one("UseAS4Compression", 0, func(e *element) { l.compress = e.truth() }))
				}),
				one("CustomValidation", 0, (*element).foreign),
			)
		}),
		one("EventHandlers", 0, (*element).foreign),
	)
	if aware && !l.receipt {
		e.problem(RuleElement, "", "ReceptionAwareness without Receipt: there is nothing to wait for [AS4 3.2]")
	}
	return l
}

func (l *holodeckLeg) readProtocol(e *element) {
	e.children(false,
		one("Address", 0, func(e *element) {
			l.url = e.value(needed)
			if !strings.HasPrefix(l.url, "http://") && !strings.HasPrefix(l.url, "https://") {
				e.problem(RuleEndpoint, "", "%q is no http or https address", shown(l.url))
			}
		}),
		one("ConnectionTimeout", 0, func(e *element) { e.value(needed) }),
		one("ReadTimeout", 0, func(e *element) { e.value(needed) }),
		one("TLSConfiguration", 0, func(e *element) {
			e.foreign()
			l.lost = append(l.lost, "TLS settings of the partner are those of the node")
		}),
		one("AddActorOrRoleAttribute", 0, func(e *element) {
			if e.truth() {
				l.unusable = append(l.unusable, "messages go through an intermediary, which this program cannot do yet")
			}
		}),
		one("SoapVersion", 0, func(e *element) {
			if e.choice("1.1", "1.2") == "1.1" {
				l.unusable = append(l.unusable, "SOAP 1.1, which is not allowed in AS4 [AS4 2.1]")
			}
		}),
		one("UseChunking", 0, func(e *element) { e.truth() }),
		one("UseHTTPCompression", 0, func(e *element) {
			if e.truth() {
				l.lost = append(l.lost, "HTTP bodies are not compressed")
			}
		}),
	)
}

func (l *holodeckLeg) readErrors(e *element) {
	e.children(false,
		one("ReplyPattern", 0, func(e *element) { l.errorCallback = e.choice("RESPONSE", "CALLBACK") == "CALLBACK" }),
		one("ReceiverErrorsTo", 0, func(e *element) { e.value(needed) }),
		one("AddSOAPFault", 0, func(e *element) { e.truth() }),
		one("ReportErrorOnError", 0, func(e *element) { e.truth() }),
		one("ReportErrorOnReceipt", 0, func(e *element) { e.truth() }),
		one("NotifyErrorToBusinessApplication", 0, func(e *element) { e.truth() }),
		one("ErrorDelivery", 0, (*element).foreign),
	)
}

// readAwareness reads a schedule: as many seconds' pauses as attempts, the last to wait for a late receipt.
func (l *holodeckLeg) readAwareness(e *element) {
	number := func(e *element) int64 {
		v := e.value(needed)
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			e.problem(RuleRetry, "", "%q is no number of retries or seconds", shown(v))
		}
		return max(n, 0)
	}
	retries, pause := int64(-1), int64(0)
	e.children(false,
		one("MaxRetries", 0, func(e *element) {
			if retries = number(e); retries > maxRetries {
				e.problem(RuleRetry, "", "more than %d retries", maxRetries)
			}
		}),
		one("RetryInterval", 0, func(e *element) { pause = number(e) }),
		one("WaitIntervals", 0, func(e *element) { l.readIntervals(e) }),
		one("UseDuplicateElimination", 0, func(e *element) {
			if !e.truth() {
				l.lost = append(l.lost, "a message that comes twice is delivered once all the same")
			}
		}),
	)
	if retries > 0 {
		step := time.Duration(max(pause, 1)) * time.Second
		l.retry = as4.Retry{Max: int(retries) + 1, First: step, Factor: 1, Limit: step}
	}
}

func (l *holodeckLeg) readIntervals(e *element) {
	var pauses []time.Duration
	for s := range strings.SplitSeq(e.value(needed), ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32)
		if err != nil || n < 0 || len(pauses) == maxRetries {
			e.problem(RuleRetry, "", "%q is no list of seconds", shown(e.n.TrimmedText()))
			return
		}
		pauses = append(pauses, time.Duration(max(n, 1))*time.Second)
	}
	r := as4.Retry{Max: len(pauses), First: pauses[0], Factor: 1, Limit: slices.Max(pauses)}
	if len(pauses) > 2 {
		r.Factor = max(float64(pauses[1])/float64(pauses[0]), 1)
	}
	var at time.Time
	for i := 1; i < len(pauses); i++ {
		if next, _ := r.Next(i, at); next.Sub(at) != pauses[i-1] {
			l.lost = append(l.lost, fmt.Sprintf("the pauses between attempts are %s, growing by %g, and not those of the list", r.First, r.Factor))
			break
		}
	}
	l.retry = r
}
