package ebms

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Code is an ebMS error code, "EBMS:0103". It is an error itself, so that errors.Is(err, InvalidHeader) asks
// whether err is an [*Error] of that code.
type Code string

// The codes, in the order of the standards: Core 6.7, AS4 3 and 5, Part 2 2.7, 3.6, 4.7.
const (
	ValueNotRecognized           Code = "EBMS:0001" // unknown agreement, service, action; the MPC of a pull
	FeatureNotSupported          Code = "EBMS:0002"
	ValueInconsistent            Code = "EBMS:0003" // values that contradict each other; two units
	Other                        Code = "EBMS:0004"
	ConnectionFailure            Code = "EBMS:0005" // local
	EmptyMessagePartitionChannel Code = "EBMS:0006" // nothing to pull
	MimeInconsistency            Code = "EBMS:0007"
	FeatureNotSupportedInHeader  Code = "EBMS:0008" // the standard calls both 0002 and 0008 FeatureNotSupported
	InvalidHeader                Code = "EBMS:0009" // not as the schema says
	ProcessingModeMismatch       Code = "EBMS:0010"
	ExternalPayloadError         Code = "EBMS:0011" // a part that the message does not carry

	RoutingFailure            Code = "EBMS:0020"
	MPCCapacityExceeded       Code = "EBMS:0021"
	MessagePersistenceTimeout Code = "EBMS:0022"
	MessageExpired            Code = "EBMS:0023"
	BundlingError             Code = "EBMS:0030"
	RelatedMessageFailed      Code = "EBMS:0031"

	BadFragmentGroup         Code = "EBMS:0040" // the group was rejected already
	DuplicateMessageSize     Code = "EBMS:0041"
	DuplicateFragmentCount   Code = "EBMS:0042"
	DuplicateMessageHeader   Code = "EBMS:0043"
	DuplicateAction          Code = "EBMS:0044"
	DuplicateCompressionInfo Code = "EBMS:0045"
	DuplicateFragment        Code = "EBMS:0046"
	BadFragmentStructure     Code = "EBMS:0047"
	BadFragmentNum           Code = "EBMS:0048"
	BadFragmentCount         Code = "EBMS:0049"
	FragmentSizeExceeded     Code = "EBMS:0050"
	ReceiveIntervalExceeded  Code = "EBMS:0051"
	BadProperties            Code = "EBMS:0052"
	HeaderMismatch           Code = "EBMS:0053"
	OutOfStorageSpace        Code = "EBMS:0054"
	DecompressionError       Code = "EBMS:0055" // the source message of a split

	ResponseUsingAlternateMEP Code = "EBMS:0060"
	InvalidXML                Code = "EBMS:0065" // of one peer, never sent

	FailedAuthentication Code = "EBMS:0101"
	FailedDecryption     Code = "EBMS:0102"
	PolicyNoncompliance  Code = "EBMS:0103"

	DysfunctionalReliability Code = "EBMS:0201"
	DeliveryFailure          Code = "EBMS:0202"

	MissingReceipt       Code = "EBMS:0301" // local at the sender
	InvalidReceipt       Code = "EBMS:0302"
	DecompressionFailure Code = "EBMS:0303"

	DuplicateDetected Code = "EBMS:4001" // of one peer, never sent: in answer to a retry it means "accepted before"
)

// Severity says whether the message was rejected.
type Severity string

const (
	Failure Severity = "failure"
	Warning Severity = "warning"
)

// Categories of errors [ebMS3 6.2.3].
const (
	CategoryContent       = "Content"
	CategoryCommunication = "Communication"
	CategoryUnpackaging   = "Unpackaging"
	CategoryProcessing    = "Processing"
)

// Modules an error comes from [ebMS3 6.2.1].
const (
	OriginEBMS        = "ebMS"
	OriginSecurity    = "security"
	OriginReliability = "reliability"
)

type codeRow struct {
	code     Code
	short    string
	severity Severity
	category string
	standard bool // false: known from one peer only
}

var codeTable = [...]codeRow{
	{ValueNotRecognized, "ValueNotRecognized", Failure, CategoryContent, true},
	{FeatureNotSupported, "FeatureNotSupported", Warning, CategoryContent, true},
	{ValueInconsistent, "ValueInconsistent", Failure, CategoryContent, true},
	{Other, "Other", Failure, CategoryContent, true},
	{ConnectionFailure, "ConnectionFailure", Failure, CategoryCommunication, true},
	{EmptyMessagePartitionChannel, "EmptyMessagePartitionChannel", Warning, CategoryCommunication, true},
	{MimeInconsistency, "MimeInconsistency", Failure, CategoryUnpackaging, true},
	{FeatureNotSupportedInHeader, "FeatureNotSupported", Failure, CategoryUnpackaging, true},
	{InvalidHeader, "InvalidHeader", Failure, CategoryUnpackaging, true},
	{ProcessingModeMismatch, "ProcessingModeMismatch", Failure, CategoryProcessing, true},
	{ExternalPayloadError, "ExternalPayloadError", Failure, CategoryContent, true},
	{RoutingFailure, "RoutingFailure", Failure, CategoryProcessing, true},
	{MPCCapacityExceeded, "MPCCapacityExceeded", Failure, CategoryProcessing, true},
	{MessagePersistenceTimeout, "MessagePersistenceTimeout", Failure, CategoryProcessing, true},
	{MessageExpired, "MessageExpired", Warning, CategoryProcessing, true},
	{BundlingError, "BundlingError", Failure, CategoryContent, true},
	{RelatedMessageFailed, "RelatedMessageFailed", Failure, CategoryProcessing, true},
	{BadFragmentGroup, "BadFragmentGroup", Failure, CategoryContent, true},
	{DuplicateMessageSize, "DuplicateMessageSize", Failure, CategoryContent, true},
	{DuplicateFragmentCount, "DuplicateFragmentCount", Failure, CategoryContent, true},
	{DuplicateMessageHeader, "DuplicateMessageHeader", Failure, CategoryContent, true},
	{DuplicateAction, "DuplicateAction", Failure, CategoryContent, true},
	{DuplicateCompressionInfo, "DuplicateCompressionInfo", Failure, CategoryContent, true},
	{DuplicateFragment, "DuplicateFragment", Failure, CategoryContent, true},
	{BadFragmentStructure, "BadFragmentStructure", Failure, CategoryUnpackaging, true},
	{BadFragmentNum, "BadFragmentNum", Failure, CategoryContent, true},
	{BadFragmentCount, "BadFragmentCount", Failure, CategoryContent, true},
	{FragmentSizeExceeded, "FragmentSizeExceeded", Warning, CategoryUnpackaging, true},
	{ReceiveIntervalExceeded, "ReceiveIntervalExceeded", Failure, CategoryUnpackaging, true},
	{BadProperties, "BadProperties", Warning, CategoryUnpackaging, true},
	{HeaderMismatch, "HeaderMismatch", Failure, CategoryUnpackaging, true},
	{OutOfStorageSpace, "OutOfStorageSpace", Failure, CategoryUnpackaging, true},
	{DecompressionError, "DecompressionError", Failure, CategoryProcessing, true},
	{ResponseUsingAlternateMEP, "ResponseUsingAlternateMEP", Warning, CategoryProcessing, true},
	{InvalidXML, "Invalid Xml", Failure, CategoryProcessing, false},
	{FailedAuthentication, "FailedAuthentication", Failure, CategoryProcessing, true},
	{FailedDecryption, "FailedDecryption", Failure, CategoryProcessing, true},
	{PolicyNoncompliance, "PolicyNoncompliance", Failure, CategoryProcessing, true},
	{DysfunctionalReliability, "DysfunctionalReliability", Failure, CategoryProcessing, true},
	{DeliveryFailure, "DeliveryFailure", Failure, CategoryCommunication, true},
	{MissingReceipt, "MissingReceipt", Failure, CategoryCommunication, true},
	{InvalidReceipt, "InvalidReceipt", Failure, CategoryCommunication, true},
	{DecompressionFailure, "DecompressionFailure", Failure, CategoryCommunication, true},
	{DuplicateDetected, "DuplicateDetected", Failure, CategoryContent, false},
}

func (c Code) row() *codeRow {
	for i := range codeTable {
		if codeTable[i].code == c {
			return &codeTable[i]
		}
	}
	return nil
}

// Codes lists the known codes in the order of the table.
func Codes() []Code {
	codes := make([]Code, len(codeTable))
	for i := range codeTable {
		codes[i] = codeTable[i].code
	}
	return codes
}

// Known reports whether the code is in the table.
func (c Code) Known() bool { return c.row() != nil }

// Standard reports whether a standard defines the code. A peer may fail on any other, so none is ever sent.
func (c Code) Standard() bool { r := c.row(); return r != nil && r.standard }

// Name is the short description of the table, "InvalidHeader"; empty for an unknown code.
func (c Code) Name() string {
	if r := c.row(); r != nil {
		return r.short
	}
	return ""
}

// Severity is that of the table; an unknown code is a failure.
func (c Code) Severity() Severity {
	if r := c.row(); r != nil {
		return r.severity
	}
	return Failure
}

// Category is that of the table; empty for an unknown code.
func (c Code) Category() string {
	if r := c.row(); r != nil {
		return r.category
	}
	return ""
}

// Origin is the module that the code belongs to.
func (c Code) Origin() string {
	switch c {
	case FailedAuthentication, FailedDecryption, PolicyNoncompliance:
		return OriginSecurity
	case DysfunctionalReliability, DeliveryFailure:
		return OriginReliability
	}
	return OriginEBMS
}

// Error makes a code usable as a target of errors.Is.
func (c Code) Error() string { return "ebms: " + string(c) + " " + c.Name() }

// New returns an error of this code with the values of the table. detail is for the peer.
func (c Code) New(detail string) *Error { return c.Wrap(nil, detail) }

// Newf is New with a format.
func (c Code) Newf(format string, args ...any) *Error { return c.New(fmt.Sprintf(format, args...)) }

// Wrap is New with a cause, which goes to our log and never to the peer.
func (c Code) Wrap(cause error, detail string) *Error {
	return &Error{Code: c, Severity: c.Severity(), Category: c.Category(), Origin: c.Origin(),
		ShortDescription: c.Name(), Detail: detail, Err: cause}
}

// Error is one eb:Error of a signal message [ebMS3 6.2]: one that was received, or one that is to be sent.
// Everything the peer may see is in it and nothing else.
type Error struct {
	Code                Code
	Severity            Severity
	Category            string
	Origin              string
	ShortDescription    string
	Description         string // for people; eb:Description
	Lang                string // its xml:lang
	Detail              string // eb:ErrorDetail, cut at 255 characters when written: no paths, no hosts, no key identifiers
	RefToMessageInError string // eb:MessageId of the message in error
	Err                 error  // for our log only; errors.Is and errors.As look through it
}

// Error names the cause where there is one, since that carries the position, and else what the peer is told.
func (e *Error) Error() string {
	s := "ebms: " + string(e.Code)
	if name := e.Code.Name(); name != "" {
		s += " " + name
	}
	switch {
	case e.Err != nil:
		return s + ": " + e.Err.Error()
	case e.Detail != "":
		return s + ": " + e.Detail
	case e.Description != "":
		return s + ": " + e.Description
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the code of e.
func (e *Error) Is(target error) bool { c, ok := target.(Code); return ok && c == e.Code }

// contentRefused begins the detail of an EBMS:0004 by which a receiver says that it judged the content by rules, and will
// judge it so again. The standard has no code for that, and peers that do not know the word read the rest.
const contentRefused = "CONTENT_REFUSED"

// Refuse returns the error of a receiver that will never take this content. cause goes to our log and never to the peer.
func Refuse(cause error, reason string) *Error {
	return Other.Wrap(cause, contentRefused+": "+reason)
}

// Refused reports whether the receiver says that it will never take this content.
func (e *Error) Refused() bool {
	return e.Code == Other && strings.HasPrefix(e.Detail, contentRefused+":")
}

// Temporary reports whether the same message may succeed later. A code that is neither temporary nor permanent is
// for the caller's policy.
func (e *Error) Temporary() bool {
	switch e.Code {
	case Other:
		return !e.Refused()
	case ConnectionFailure, DeliveryFailure:
		return true
	}
	return false
}

// Permanent reports whether sending the same message again is useless.
func (e *Error) Permanent() bool {
	if e.Severity == Warning {
		return false
	}
	switch e.Code {
	case ValueNotRecognized, ValueInconsistent, MimeInconsistency, FeatureNotSupportedInHeader, InvalidHeader,
		ProcessingModeMismatch, ExternalPayloadError, FailedAuthentication, FailedDecryption, PolicyNoncompliance,
		DecompressionFailure,
		FeatureNotSupported, BadFragmentGroup, DuplicateMessageSize, DuplicateFragmentCount, DuplicateMessageHeader, DuplicateAction,
		DuplicateCompressionInfo, DuplicateFragment, BadFragmentStructure, BadFragmentNum, BadFragmentCount, FragmentSizeExceeded,
		ReceiveIntervalExceeded, HeaderMismatch, DecompressionError:
		return true
	}
	return e.Refused()
}

// token makes s fit for an xs:token: printable, single spaces, at most max characters.
func token(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError || r >= 0xfffe && r <= 0xffff {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	n := 0
	for i := range s {
		if n == max-1 {
			return strings.TrimRight(s[:i], " ") + "…"
		}
		n++
	}
	return s
}
