// Package tsp asks for, issues and verifies time-stamps: Time-Stamp Protocol (RFC 3161, with RFC 5816), as profiled by
// ETSI EN 319 422.
//
// [Client] is the side that asks, [Responder] the authority. [Token.Verify] answers with facts, as package cms does; whether the
// authority is trusted is judged elsewhere.
package tsp

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/viadukt-eu/viadukt/trust/ber"
	"github.com/viadukt-eu/viadukt/trust/cms"
	"github.com/viadukt-eu/viadukt/trust/pki"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// What a time-stamp, a request or an answer can be refused for.
var (
	ErrFormat  = errors.New("tsp: malformed")
	ErrImprint = errors.New("tsp: time-stamp is for something else")
	ErrNonce   = errors.New("tsp: answer to another request")
	ErrPolicy  = errors.New("tsp: time-stamp under another policy")
	ErrSigner  = errors.New("tsp: certificate is not that of the time-stamping authority")
	ErrUsage   = errors.New("tsp: certificate is not for time-stamping")
	ErrHash    = errors.New("tsp: digest algorithm not supported")
)

const (
	maxRequest    = 64 << 10
	maxResponse   = 1 << 20
	maxSerialBits = 160 // [RFC 3161 2.4.2]

	oidQualified pki.OID = "0.4.0.19422.1.1" // esi4-qtstStatement-1 [EN 319 422 9]
	oidQCs       pki.OID = "1.3.6.1.5.5.7.1.3"
)

// Info is what the authority states [RFC 3161 2.4.2].
type Info struct {
	Raw          []byte
	Policy       pki.OID
	HashOID      pki.OID
	Hash         crypto.Hash // 0 where unknown
	Imprint      []byte
	SerialNumber *big.Int
	Time         time.Time
	Accuracy     time.Duration // 0 where not stated
	Ordering     bool
	Nonce        *big.Int // nil where absent
	RawTSA       []byte   // DER of the directory name, nil where absent or of another form
	TSA          pki.Name
	Extensions   []pki.Extension
}

// Qualified reports whether the authority claims a qualified time-stamp.
func (i *Info) Qualified() bool {
	for _, e := range i.Extensions {
		if e.ID != oidQCs {
			continue
		}
		s := cryptobyte.String(e.Value)
		var list, one cryptobyte.String
		if !s.ReadASN1(&list, asn1.SEQUENCE) {
			continue
		}
		for list.ReadASN1(&one, asn1.SEQUENCE) {
			var o pki.OID
			if pki.ReadOID(&one, &o) && o == oidQualified {
				return true
			}
		}
	}
	return false
}

// Token is a time-stamp: a signed message around [Info].
type Token struct {
	Raw     []byte
	Message *cms.SignedData
	Info    *Info
}

// ParseToken reads a TimeStampToken in BER or DER, PEM or base64, or the token of a whole TimeStampResp. It takes ownership of b.
func ParseToken(b []byte) (*Token, error) { return ParseTokenWith(b, nil) }

// ParseTokenWith is [ParseToken]; certificates that known remembers are not parsed again.
func ParseTokenWith(b []byte, known *pki.Parsed) (*Token, error) {
	if r, err := ParseResponse(b); err == nil {
		if r.Token == nil {
			return nil, &StatusError{r}
		}
		return r.Token, nil
	}
	m, err := cms.ParseWith(b, known)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	raw, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	return newToken(raw, m)
}

func newToken(raw []byte, m *cms.SignedData) (*Token, error) {
	if m.ContentType != cms.ContentTSTInfo || m.Content() == nil {
		return nil, fmt.Errorf("%w: token with content of type %s [RFC 3161 2.4.2]", ErrFormat, m.ContentType)
	}
	var b bytes.Buffer
	if _, err := m.Content().WriteTo(&b); err != nil {
		return nil, err
	}
	info, err := ParseInfo(b.Bytes())
	if err != nil {
		return nil, err
	}
	return &Token{Raw: raw, Message: m, Info: info}, nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// ParseInfo reads TSTInfo.
func ParseInfo(b []byte) (*Info, error) {
	e, err := ber.Parse(b)
	if err != nil {
		return nil, malformed("TSTInfo: %v", err)
	}
	der, err := e.DER()
	if err != nil {
		return nil, malformed("TSTInfo: %v", err)
	}
	i := &Info{Raw: b, SerialNumber: new(big.Int)}
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	var version int
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1Integer(&version) || !pki.ReadOID(&seq, &i.Policy) {
		return nil, malformed("TSTInfo: version and policy")
	}
	if version != 1 {
		return nil, malformed("TSTInfo of version %d", version)
	}
	if i.HashOID, i.Imprint, err = readImprint(&seq); err != nil {
		return nil, err
	}
	i.Hash = pki.HashByOID(i.HashOID)
	if !seq.ReadASN1Integer(i.SerialNumber) {
		return nil, malformed("serial number")
	}
	if !seq.PeekASN1Tag(asn1.GeneralizedTime) || !pki.ReadTime(&seq, &i.Time) {
		return nil, malformed("genTime")
	}
	if seq.PeekASN1Tag(asn1.SEQUENCE) && !i.readAccuracy(&seq) {
		return nil, malformed("accuracy")
	}
	if seq.PeekASN1Tag(asn1.BOOLEAN) && !seq.ReadASN1Boolean(&i.Ordering) {
		return nil, malformed("ordering")
	}
	if seq.PeekASN1Tag(asn1.INTEGER) {
		i.Nonce = new(big.Int)
		if !seq.ReadASN1Integer(i.Nonce) {
			return nil, malformed("nonce")
		}
	}
	var field cryptobyte.String
	var present bool
	if !seq.ReadOptionalASN1(&field, &present, asn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, malformed("name of the authority")
	}
	if present {
		var dir, name cryptobyte.String
		if field.ReadASN1(&dir, asn1.Tag(4).ContextSpecific().Constructed()) && dir.ReadASN1Element(&name, asn1.SEQUENCE) {
			i.RawTSA = name
			i.TSA, _ = pki.ParseNameDER(name)
		}
	}
	if !seq.ReadOptionalASN1(&field, &present, asn1.Tag(1).ContextSpecific().Constructed()) || !seq.Empty() {
		return nil, malformed("something after the name of the authority")
	}
	if present {
		s := cryptobyte.String(ber.Append(nil, asn1.SEQUENCE, field))
		if i.Extensions, err = pki.ReadExtensions(&s); err != nil {
			return nil, malformed("extensions: %v", err)
		}
	}
	return i, nil
}

func readImprint(s *cryptobyte.String) (o pki.OID, imprint []byte, err error) {
	var mi, alg, sum cryptobyte.String
	if !s.ReadASN1(&mi, asn1.SEQUENCE) || !mi.ReadASN1(&alg, asn1.SEQUENCE) || !pki.ReadOID(&alg, &o) ||
		!mi.ReadASN1(&sum, asn1.OCTET_STRING) || !mi.Empty() {
		return "", nil, malformed("messageImprint")
	}
	return o, sum, nil
}

func (i *Info) readAccuracy(s *cryptobyte.String) bool {
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, asn1.SEQUENCE) {
		return false
	}
	if seq.PeekASN1Tag(asn1.INTEGER) {
		var n int64
		if !seq.ReadASN1Integer(&n) || n < 0 || n > 1<<30 {
			return false
		}
		i.Accuracy = time.Duration(n) * time.Second
	}
	for tag, unit := range []time.Duration{time.Millisecond, time.Microsecond} {
		var v cryptobyte.String
		var present bool
		if !seq.ReadOptionalASN1(&v, &present, asn1.Tag(tag).ContextSpecific()) || present && (len(v) == 0 || len(v) > 2) {
			return false
		}
		n := 0
		for _, b := range v {
			n = n<<8 | int(b)
		}
		i.Accuracy += time.Duration(n) * unit
	}
	return seq.Empty()
}

// CheckImprint reports whether the time-stamp is for this content: nil, [ErrImprint], [ErrHash], or why there is no content.
func (t *Token) CheckImprint(content cms.Content) error {
	if !t.Info.Hash.Available() {
		return fmt.Errorf("%w: %s", ErrHash, t.Info.HashOID)
	}
	sum, err := content.Digest(t.Info.Hash)
	if err != nil {
		return err
	}
	if !bytes.Equal(sum, t.Info.Imprint) {
		return fmt.Errorf("%w: %s digest is %x, time-stamped was %x", ErrImprint, t.Info.Hash, sum, t.Info.Imprint)
	}
	return nil
}

// Facts is what holds of a token, whoever trusts its authority.
type Facts struct {
	*cms.Facts // of the signature

	// Signer is nil where the signed attributes name the certificate by its digest [RFC 3161 2.4.2], and there is one signer.
	Signer error
	// Usage is nil where the certificate is for time-stamping; Critical and Sole say whether that is marked as it must be
	// [RFC 3161 2.3].
	Usage          error
	Critical, Sole bool
	// Name is nil where the name of the authority, if it states one, is the subject of its certificate.
	Name error
}

// Err is nil where the signature holds, and its certificate is the one named. Usage and Name are for policies to judge.
func (f *Facts) Err() error { return errors.Join(f.Facts.Err(), f.Signer) }

// Verify checks the signature of the token. Further certificates are candidates for the authority's, for tokens that came without.
func (t *Token) Verify(more ...*pki.Certificate) *Facts {
	if len(t.Message.Signers) != 1 {
		err := malformed("token with %d signers [RFC 3161 2.4.2]", len(t.Message.Signers))
		return &Facts{Facts: &cms.Facts{Content: err, Signature: err, Attributes: err}, Signer: err, Usage: ErrUsage}
	}
	f := &Facts{Facts: t.Message.Signers[0].Verify(nil, more...)}
	c := f.Certificate
	switch {
	case c == nil:
		f.Signer = fmt.Errorf("%w: there is none", ErrSigner)
	case f.NameError != nil:
		f.Signer = fmt.Errorf("%w: %w", ErrSigner, f.NameError)
	case !f.NamesCertificate():
		f.Signer = fmt.Errorf("%w: the signed attributes do not name it [RFC 3161 2.4.2]", ErrSigner)
	}
	f.Usage = ErrUsage
	if c == nil {
		return f
	}
	for _, o := range c.ExtKeyUsage {
		if o == pki.EKUTimeStamping {
			f.Usage = nil
		}
	}
	f.Sole = f.Usage == nil && len(c.ExtKeyUsage) == 1
	for _, e := range c.Extensions {
		if e.ID == "2.5.29.37" {
			f.Critical = e.Critical
		}
	}
	if t.Info.RawTSA != nil && !bytes.Equal(t.Info.RawTSA, c.RawSubject) && !t.Info.TSA.Equal(c.Subject) {
		f.Name = fmt.Errorf("%w: it names %q, the certificate %q", ErrSigner, t.Info.TSA, c.Subject)
	}
	return f
}
