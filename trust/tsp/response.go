package tsp

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Status is PKIStatus [RFC 3161 2.4.2].
type Status int

// The values of Status.
const (
	Granted Status = iota
	GrantedWithMods
	Rejection
	Waiting
	RevocationWarning
	RevocationNotification
)

// Failure is PKIFailureInfo [RFC 3161 2.4.2], the number of its bit; -1 is none.
type Failure int

// The values of Failure.
const (
	NoFailure           Failure = -1
	BadAlgorithm        Failure = 0
	BadRequest          Failure = 2
	BadDataFormat       Failure = 5
	TimeNotAvailable    Failure = 14
	UnacceptedPolicy    Failure = 15
	UnacceptedExtension Failure = 16
	AddInfoNotAvailable Failure = 17
	SystemFailure       Failure = 25
)

func (f Failure) String() string {
	switch f {
	case NoFailure:
		return "no failure"
	case BadAlgorithm:
		return "algorithm not supported"
	case BadRequest:
		return "request not permitted or supported"
	case BadDataFormat:
		return "data in the wrong format"
	case TimeNotAvailable:
		return "time source not available"
	case UnacceptedPolicy:
		return "policy not supported"
	case UnacceptedExtension:
		return "extension not supported"
	case AddInfoNotAvailable:
		return "additional information not available"
	case SystemFailure:
		return "system failure"
	}
	return fmt.Sprintf("failure %d", int(f))
}

// Response is the answer of an authority.
type Response struct {
	Raw     []byte
	Status  Status
	Text    []string
	Failure Failure
	Token   *Token // nil where refused
}

// StatusError is an answer without a time-stamp.
type StatusError struct{ Response *Response }

func (e *StatusError) Error() string {
	s := fmt.Sprintf("tsp: refused with status %d, %s", e.Response.Status, e.Response.Failure)
	if len(e.Response.Text) > 0 {
		s += ": " + strings.Join(e.Response.Text, "; ")
	}
	return s
}

// Temporary reports whether asking again may help.
func (e *StatusError) Temporary() bool {
	return e.Response.Status == Waiting || e.Response.Failure == TimeNotAvailable || e.Response.Failure == SystemFailure
}

// ParseResponse reads TimeStampResp. It takes ownership of b.
func ParseResponse(b []byte) (*Response, error) {
	e, err := ber.Parse(b)
	if err != nil {
		return nil, malformed("response: %v", err)
	}
	r := e.Children()
	info, err := r.Read(asn1.SEQUENCE, "status")
	if err != nil || e.Tag != asn1.SEQUENCE {
		return nil, malformed("response: %v", err)
	}
	out := &Response{Raw: b, Failure: NoFailure}
	if err := out.parseStatus(info); err != nil {
		return nil, err
	}
	if r.Empty() {
		return out, nil
	}
	t, err := r.Next()
	if err != nil || !r.Empty() {
		return nil, malformed("response: token %v", err)
	}
	m, err := cms.ParseElement(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	out.Token, err = newToken(t.Raw, m)
	return out, err
}

func (r *Response) parseStatus(e ber.Element) error {
	in := e.Children()
	s, err := in.Read(asn1.INTEGER, "status")
	if err != nil || len(s.Content) != 1 {
		return malformed("status")
	}
	r.Status = Status(s.Content[0])
	if in.Is(asn1.SEQUENCE) {
		list, err := in.Next()
		if err != nil {
			return malformed("status: %v", err)
		}
		for l := list.Children(); !l.Empty(); {
			t, err := l.Next()
			if err != nil || len(r.Text) == 100 {
				return malformed("status text: %v", err)
			}
			b, err := t.Bytes()
			if err != nil {
				return malformed("status text: %v", err)
			}
			r.Text = append(r.Text, strings.ToValidUTF8(string(b), "?"))
		}
	}
	if !in.Empty() {
		f, err := in.Read(asn1.BIT_STRING, "failure")
		if err != nil || !in.Empty() || len(f.Content) == 0 {
			return malformed("failure: %v", err)
		}
		for i, b := range f.Content[1:] {
			if b != 0 {
				r.Failure = Failure(8*i + bits.LeadingZeros8(b))
				break
			}
		}
	}
	return nil
}

// Check holds an answer against its request [RFC 3161 2.4.2]: granted, the same imprint, nonce and policy, signed by the
// certificate that it names, and that is for time-stamping.
func (r *Response) Check(q *Request) (*Token, error) {
	if r.Token == nil || r.Status != Granted && r.Status != GrantedWithMods {
		return nil, &StatusError{r}
	}
	i := r.Token.Info
	switch {
	case i.HashOID != q.HashOID && i.Hash != q.Hash || !bytes.Equal(i.Imprint, q.Imprint):
		return nil, fmt.Errorf("%w: %s %x, asked for %x", ErrImprint, i.HashOID, i.Imprint, q.Imprint)
	case q.Nonce != nil && (i.Nonce == nil || i.Nonce.Cmp(q.Nonce) != 0):
		return nil, fmt.Errorf("%w: its nonce is not ours", ErrNonce)
	case q.Policy != "" && i.Policy != q.Policy:
		return nil, fmt.Errorf("%w: %s, asked for %s", ErrPolicy, i.Policy, q.Policy)
	}
	return r.Token, nil
}

// marshal writes an answer around a token in DER; nil refuses.
func (r *Response) marshal(token []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(int64(r.Status))
			if len(r.Text) > 0 {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, t := range r.Text {
						b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(t)) })
					}
				})
			}
			if r.Failure >= 0 {
				n := int(r.Failure)/8 + 1
				v := make([]byte, n+1)
				v[0] = byte(7 - int(r.Failure)%8) // DER cuts trailing zero bits of named bits
				v[n] = 0x80 >> (int(r.Failure) % 8)
				b.AddASN1(asn1.BIT_STRING, func(b *cryptobyte.Builder) { b.AddBytes(v) })
			}
		})
		b.AddBytes(token)
	})
	return b.BytesOrPanic() // made of parts that are encoded already
}
