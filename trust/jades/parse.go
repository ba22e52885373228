package jades

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
	"github.com/viadukt-eu/viadukt/trust/revocation"
	"github.com/viadukt-eu/viadukt/trust/tsp"
)

const (
	maxSignatures   = 1000
	maxCertificates = 1000 // of one signature
	maxTimeStamps   = 1000 // of one signature
	maxCounters     = 8    // counter-signatures of counter-signatures
	maxNames        = 1000 // in sigD
	maxWork         = 8 << 30
)

var (
	strict  = base64.RawURLEncoding.Strict()
	encoded = base64.RawURLEncoding
)

// property is one member of etsiU.
type property struct {
	name  string
	text  string // as it stands there: base64url, or the object in clear
	clear bool
	value value
}

// Recognise tells whether octets look like a JWS in one of its serialisations, without reading all of them.
func Recognise(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	if bytes.HasPrefix(b, []byte("{")) {
		return bytes.Contains(b, []byte(`"signature`)) // or "signatures"
	}
	head, _, ok := bytes.Cut(b, []byte("."))
	if !ok || len(head) > 1<<20 {
		return false
	}
	der, err := strict.DecodeString(string(head[:min(len(head), 1<<10)])) // of a longer one whole groups of four
	return err == nil && bytes.HasPrefix(bytes.TrimLeft(der, " \t\r\n"), []byte("{"))
}

// Parse reads a JWS in any serialisation with its signatures, and counter-signatures within their signatures. It keeps parts of b.
func Parse(b []byte) (*Message, error) { return ParseWith(b, nil) }

// ParseWith is [Parse]; certificates that known remembers are not parsed again.
func ParseWith(b []byte, known *pki.Parsed) (*Message, error) {
	b = bytes.Trim(b, " \t\r\n")
	if !bytes.HasPrefix(b, []byte("{")) {
		return parseCompact(string(b), nil, known)
	}
	v, err := parseJSON(b)
	if err != nil {
		return nil, err
	}
	m, err := parseObject(&v, nil, known)
	if err == nil && m.passes()*len(b) > maxWork {
		return nil, fmt.Errorf("%w: %d signatures and time-stamps over %d octets", ErrStructure, m.passes(), len(b))
	}
	return m, err
}

// passes is how often checking goes over the message: once for each signature and time-stamp.
func (m *Message) passes() (n int) {
	var count func(s *Signature)
	count = func(s *Signature) {
		n += 1 + len(s.TimeStamps)
		for _, c := range s.CounterSignatures {
			count(c)
		}
	}
	for _, s := range m.Signatures {
		count(s)
	}
	return n
}

func parseCompact(b string, parent *Signature, known *pki.Parsed) (*Message, error) {
	first, last := strings.IndexByte(b, '.'), strings.LastIndexByte(b, '.')
	if first < 0 || first == last {
		return nil, fmt.Errorf("%w: a compact JWS has three parts [RFC 7515 7.1]", ErrStructure)
	}
	m := &Message{Serialization: Compact, known: known, payload: b[first+1 : last]}
	m.detached = m.payload == ""
	if strings.IndexByte(m.payload, '.') >= 0 {
		return nil, fmt.Errorf("%w: a payload with a full stop in a compact JWS [RFC 7797 5.2]", ErrStructure)
	}
	if err := m.add(b[:first], b[last+1:], value{}, nil, parent); err != nil {
		return nil, err
	}
	return m, m.checkPayload()
}

// checkPayload holds the payload to base64url, unless all signatures take it as it is.
func (m *Message) checkPayload() error {
	if slices.ContainsFunc(m.Signatures, func(s *Signature) bool { return s.Encoded }) && !isBase64URL(m.payload) {
		return fmt.Errorf("%w: the payload is not in base64url [RFC 7515 2]", ErrStructure)
	}
	return nil
}

func parseObject(v *value, parent *Signature, known *pki.Parsed) (*Message, error) {
	m := &Message{Serialization: General, known: known, detached: true}
	signatures, several := v.get("signatures")
	var one value // the members of the only signature of the flattened form
	one.kind = object
	for _, x := range v.members {
		switch x.name {
		case "payload":
			if err := x.value.want("payload", text); err != nil {
				return nil, err
			}
			m.payload, m.detached = x.value.text, x.value.text == ""
		case "signatures":
		case "protected", "signature", "header":
			if several {
				return nil, fmt.Errorf("%w: %s beside signatures [RFC 7515 7.2.2]", ErrStructure, x.name)
			}
			one.members = append(one.members, x)
		default:
			m.further = append(m.further, x)
		}
	}
	if !several {
		m.Serialization = Flattened
		if err := m.addObject(&one, parent); err != nil {
			return nil, err
		}
		return m, m.checkPayload()
	}
	if err := signatures.want("signatures", array); err != nil {
		return nil, err
	}
	if n := len(signatures.items); n == 0 || n > maxSignatures {
		return nil, fmt.Errorf("%w: %d signatures", ErrStructure, n)
	}
	for i := range signatures.items {
		if err := signatures.items[i].want("a signature", object); err != nil {
			return nil, err
		}
		if err := m.addObject(&signatures.items[i], parent); err != nil {
			return nil, err
		}
	}
	return m, m.checkPayload()
}

func (m *Message) addObject(v *value, parent *Signature) error {
	protected, has := v.get("protected")
	signature, signed := v.get("signature")
	if !has || !signed {
		return fmt.Errorf("%w: a signature without protected header or value [RFC 7515 7.2]", ErrStructure)
	}
	if err := protected.want("protected", text); err != nil {
		return err
	}
	if err := signature.want("signature", text); err != nil {
		return err
	}
	header, _ := v.get("header")
	var further []member
	for _, x := range v.members {
		if x.name != "protected" && x.name != "signature" && x.name != "header" {
			further = append(further, x)
		}
	}
	return m.add(protected.text, signature.text, header, further, parent)
}

// add reads one signature.
func (m *Message) add(protected, signature string, header value, further []member, parent *Signature) error {
	s := &Signature{Message: m, Parent: parent, Encoded: true, protected: protected, text: signature, further: further, counts: map[string]int{}}
	octets, err := strict.DecodeString(protected)
	if err != nil {
		return fmt.Errorf("%w: the protected header is not in base64url: %w", ErrStructure, err)
	}
	if s.value, err = strict.DecodeString(signature); err != nil {
		return fmt.Errorf("%w: the signature value is not in base64url: %w", ErrStructure, err)
	}
	if s.header, err = parseJSON(octets); err != nil {
		return fmt.Errorf("protected header: %w", err)
	}
	if err := s.header.want("the protected header", object); err != nil {
		return err
	}
	if err := s.readHeader(); err != nil {
		return err
	}
	if header.kind != null && header.kind != object {
		return header.want("header", object)
	}
	for _, x := range header.members {
		if _, twice := s.header.get(x.name); twice {
			return fmt.Errorf("%w: %q stands in both headers [RFC 7515 4]", ErrStructure, x.name)
		}
		if x.name == "crit" || x.name == "b64" {
			return fmt.Errorf("%w: %q stands in the header that is not signed [RFC 7515 4.1.11] [RFC 7797 3]", ErrStructure, x.name)
		}
		if x.name != "etsiU" || x.value.kind != array {
			if x.name == "etsiU" {
				s.unreadable(x.value.want("etsiU", array))
			}
			s.unprotected = append(s.unprotected, x)
			continue
		}
		for i := range x.value.items {
			if err := s.addProperty(&x.value.items[i]); err != nil {
				s.unreadable(err)
			}
		}
	}
	s.checkCritical(header)
	if s.Objects != nil && !m.detached {
		return fmt.Errorf("%w: sigD beside a payload: two contents for one signature [TS 119 182-1 5.2.8]", ErrStructure)
	}
	if parent != nil {
		s.own = !m.detached
	}
	m.Signatures = append(m.Signatures, s)
	return nil
}

// isBase64URL tells what strict decodes, without decoding it.
func isBase64URL(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	_, err := strict.DecodeString(s[len(s)-len(s)%4:])
	return err == nil
}

func (s *Signature) unreadable(err error) {
	if err != nil {
		s.Unreadable = append(s.Unreadable, err)
	}
}

func (s *Signature) fault(format string, a ...any) {
	s.Faults = append(s.Faults, fmt.Errorf("%w: "+format, append([]any{ErrStructure}, a...)...))
}

// readHeader reads the protected header [TS 119 182-1 5.1, 5.2].
func (s *Signature) readHeader() error {
	h := &s.header
	for _, name := range []string{"alg", "typ", "cty", "kid"} {
		if x, ok := h.get(name); ok && x.kind != text {
			return x.want(name, text)
		}
	}
	s.Algorithm, s.Type, s.ContentType, s.KeyID = h.string("alg"), h.string("typ"), h.string("cty"), h.string("kid")
	if s.Algorithm == "" {
		return fmt.Errorf("%w: the protected header names no algorithm [RFC 7515 4.1.1]", ErrStructure)
	}
	if x, ok := h.get("b64"); ok {
		if err := x.want("b64", boolean); err != nil {
			return err
		}
		s.Encoded = x.yes
	}
	s.readTime()
	if x, ok := h.get("exp"); ok {
		if seconds, ok := x.float(); ok && math.Abs(seconds) <= 1e12 {
			s.Expires = time.Unix(int64(seconds), 0).UTC()
		}
	}
	s.readCertificates()
	s.readClaims()
	if x, ok := h.get("sigD"); ok {
		return s.readObjects(&x)
	}
	return nil
}

// readTime reads iat or sigT; both together say nothing [TS 119 182-1 5.1.11, 5.2.1].
func (s *Signature) readTime() {
	iat, issued := s.header.get("iat")
	sigT, signed := s.header.get("sigT")
	switch {
	case issued && signed:
		s.fault("both iat and sigT")
	case issued:
		seconds, ok := iat.float()
		if !ok || math.Abs(seconds) > 1e12 {
			s.fault("iat is no number of seconds")
			return
		}
		s.SigningTime = time.Unix(int64(seconds), 0).UTC()
	case signed:
		t, err := time.Parse("2006-01-02T15:04:05Z", sigT.text)
		if err != nil {
			s.fault("sigT %q is no time", sigT.text)
			return
		}
		s.SigningTime = t
	default:
		s.fault("neither iat nor sigT")
	}
}

func (s *Signature) readCertificates() {
	if x, ok := s.header.get("x5c"); ok {
		if x.kind != array {
			s.unreadable(x.want("x5c", array))
			s.fault("x5c is %s", kindNames[x.kind])
		}
		for i := range x.items {
			der, err := base64.StdEncoding.DecodeString(x.items[i].text)
			if err == nil && i < maxCertificates {
				var c *pki.Certificate
				if c, err = s.Message.known.Certificate(der); err == nil {
					s.Certificates = append(s.Certificates, c)
				}
			}
			s.unreadable(err)
		}
	}
	if x, ok := s.header.get("x5t#S256"); ok {
		s.Named = append(s.Named, CertificateReference{"S256", crypto.SHA256, digestValue(x.text)})
	}
	other := func(x value) {
		alg := x.string("digAlg")
		s.Named = append(s.Named, CertificateReference{alg, hashByName(alg), digestValue(x.string("digVal"))})
	}
	if x, ok := s.header.get("x5t#o"); ok {
		other(x)
	}
	for _, x := range s.header.list("sigX5ts") {
		other(x)
	}
}

// digestValue reads base64url, and what some write in its place, base64.
func digestValue(text string) []byte {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	b, err := encoded.DecodeString(text)
	if err != nil {
		return nil
	}
	return b
}

// readClaims reads what the signer says of itself and of the signature. What cannot be read is not said.
func (s *Signature) readClaims() {
	h := &s.header
	for _, x := range h.list("srCms") {
		id, _ := x.get("commId")
		s.Commitments = append(s.Commitments, Commitment{id.string("id"), id.string("desc")})
	}
	if x, ok := h.get("sigPl"); ok {
		s.Place = &Place{
			Street: x.string("streetAddress"), City: x.string("addressLocality"), Region: x.string("addressRegion"),
			PostalCode: x.string("postalCode"), PostBox: x.string("postOfficeBoxNumber"), Country: x.string("addressCountry"),
		}
	}
	if x, ok := h.get("srAts"); ok {
		for _, c := range x.list("claimed") {
			for _, v := range c.list("qVals") {
				if v.kind == text {
					s.Roles = append(s.Roles, v.text)
				}
			}
		}
		for _, c := range x.list("certified") {
			cert, _ := c.get("x509AttrCert")
			if der, err := base64.StdEncoding.DecodeString(cert.string("val")); err == nil && len(der) > 0 {
				s.Certified = append(s.Certified, der)
			}
		}
	}
	if x, ok := h.get("sigPId"); ok {
		id, _ := x.get("id")
		s.Policy = &Policy{ID: id.string("id"), Description: id.string("desc"), Algorithm: x.string("digAlg"), Digest: digestValue(x.string("digVal"))}
		if s.Policy.Algorithm == "" {
			s.Policy.Digest = nil
		}
		for _, q := range x.list("sigPQuals") {
			if uri := q.string("spURI"); uri != "" {
				s.Policy.URI = uri
			}
			if n, ok := q.get("spUserNotice"); ok {
				s.Policy.Notice = n.string("explText")
			}
			if d, ok := q.get("spDSpec"); ok {
				s.Policy.Specification = d.string("id")
			}
		}
	}
	if x, ok := h.get("adoTst"); ok {
		s.addTimeStamps(&x, ContentTimeStamp, -1)
	}
}

// readObjects reads sigD [TS 119 182-1 5.2.8].
func (s *Signature) readObjects(x *value) error {
	texts := func(name string) (out []string) {
		for _, v := range x.list(name) {
			out = append(out, v.text)
		}
		return out
	}
	o := &Objects{Mechanism: Mechanism(x.string("mId")), Names: texts("pars"), Algorithm: x.string("hashM"), ContentTypes: texts("ctys")}
	o.Hash = hashByName(o.Algorithm)
	for _, d := range texts("hashV") {
		o.Digests = append(o.Digests, digestValue(d))
	}
	switch o.Mechanism {
	case HTTPHeaders, ByURI, ByURIHash:
	default:
		return fmt.Errorf("%w: sigD mechanism %q", ErrAlgorithm, o.Mechanism)
	}
	if len(o.Names) == 0 || len(o.Names) > maxNames {
		return fmt.Errorf("%w: sigD names %d objects", ErrStructure, len(o.Names))
	}
	if sorted := slices.Sorted(slices.Values(o.Names)); len(slices.Compact(sorted)) < len(o.Names) {
		return fmt.Errorf("%w: sigD names an object twice", ErrStructure)
	}
	if (o.Mechanism == ByURIHash) != (len(o.Digests) > 0) || len(o.Digests) > 0 && len(o.Digests) != len(o.Names) {
		return fmt.Errorf("%w: sigD with %d names and %d digests", ErrStructure, len(o.Names), len(o.Digests))
	}
	s.Objects = o
	return nil
}

// Headers that may be critical since they are understood, and those that never are [RFC 7515 4.1.11].
var (
	understood = []string{"sigT", "x5t#o", "sigX5ts", "srCms", "sigPl", "srAts", "adoTst", "sigPId", "sigD", "iat", "exp", "b64", "etsiU"}
	plain      = []string{"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", "enc", "zip"}
)

// checkCritical reads crit. What is listed and not understood makes the signature invalid; a list that is otherwise wrong is a fault.
func (s *Signature) checkCritical(header value) {
	fault := func(format string, a ...any) {
		s.criticalFaults++
		s.fault(format, a...)
	}
	x, ok := s.header.get("crit")
	var names []string
	var collect func(v value)
	collect = func(v value) {
		switch v.kind {
		case text:
			names = append(names, v.text)
		case array:
			for _, i := range v.items {
				collect(i)
			}
		default:
			names = append(names, string(v.raw))
		}
	}
	if ok {
		collect(x)
		switch {
		case x.kind != array:
			fault("crit is %s [RFC 7515 4.1.11]", kindNames[x.kind])
		case len(x.items) == 0:
			fault("crit is empty [RFC 7515 4.1.11]")
		case slices.ContainsFunc(x.items, func(v value) bool { return v.kind != text }):
			fault("crit holds something else than names [RFC 7515 4.1.11]")
		}
	}
	s.Critical = names
	seen := map[string]bool{}
	for _, n := range names {
		_, protected := s.header.get(n)
		_, unprotected := header.get(n)
		switch {
		case slices.Contains(plain, n):
			fault("crit lists %s, which everybody understands [RFC 7515 4.1.11]", n)
		case !slices.Contains(understood, n):
			if s.CriticalErr == nil {
				s.CriticalErr = fmt.Errorf("%w: %q [RFC 7515 4.1.11]", ErrCritical, n)
			}
		case !protected && !unprotected:
			fault("crit lists %s, which is not there [RFC 7515 4.1.11]", n)
		case seen[n]:
			fault("crit lists %s twice [RFC 7515 4.1.11]", n)
		}
		seen[n] = true
	}
	for _, n := range []string{"b64", "sigD"} {
		if _, there := s.header.get(n); there && !seen[n] {
			fault("crit does not list %s [TS 119 182-1 5.1.9]", n)
			if n == "b64" && !s.Encoded {
				s.CriticalErr = fmt.Errorf("%w: b64 is false, but not critical [RFC 7797 6]", ErrStructure)
			}
		}
	}
}

// addProperty reads one member of etsiU [TS 119 182-1 5.3.1].
func (s *Signature) addProperty(item *value) error {
	p := property{text: string(item.raw), clear: true}
	v := *item
	if item.kind == text {
		p.text, p.clear = item.text, false
		octets, err := strict.DecodeString(item.text)
		if err == nil {
			v, err = parseJSON(octets)
		}
		if err != nil {
			s.unsigned = append(s.unsigned, p)
			return fmt.Errorf("%w: a component of etsiU: %w", ErrStructure, err)
		}
	}
	if v.kind != object || len(v.members) != 1 {
		s.unsigned = append(s.unsigned, p)
		return fmt.Errorf("%w: a component of etsiU is no object of one member [TS 119 182-1 5.3.1]", ErrStructure)
	}
	p.name, p.value = v.members[0].name, v.members[0].value
	s.unsigned = append(s.unsigned, p)
	s.counts[p.name]++
	return s.readProperty(len(s.unsigned) - 1)
}

func (s *Signature) readProperty(i int) error {
	p := &s.unsigned[i]
	switch p.name {
	case string(SignatureTimeStamp), string(SigAndRefs), string(RefsOnly), string(Archive):
		return s.addTimeStamps(&p.value, Kind(p.name), i)
	case "cSig":
		return s.addCounter(&p.value)
	case "sigPSt":
		spec, _ := p.value.get("spDSpec")
		s.PolicyStore = &PolicyStore{URI: p.value.string("sigPolLocalURI"), Specification: spec.string("id")}
		var err error
		s.PolicyStore.Document, err = base64.StdEncoding.DecodeString(p.value.string("sigPolDoc"))
		return err
	}
	s.Material = p.material(s.Material, s.Message.known, s.unreadable)
	return nil
}

// material adds the certificates and revocation data that a property holds.
func (p *property) material(m revocation.Material, known *pki.Parsed, note func(error)) revocation.Material {
	certificates := func(v value) {
		for _, x := range v.items {
			cert, _ := x.get("x509Cert")
			der, err := base64.StdEncoding.DecodeString(cert.string("val"))
			if err == nil && len(m.Certificates) < maxCertificates {
				var c *pki.Certificate
				if c, err = known.Certificate(der); err == nil {
					m.Certificates = append(m.Certificates, c)
				}
			}
			note(err)
		}
	}
	revocations := func(v value) {
		for name, to := range map[string]*[][]byte{"crlVals": &m.CRLs, "ocspVals": &m.OCSPs} {
			for _, x := range v.list(name) {
				der, err := base64.StdEncoding.DecodeString(x.string("val"))
				if err == nil {
					*to = append(*to, der)
				}
				note(err)
			}
		}
	}
	switch p.name {
	case "xVals", "axVals":
		certificates(p.value)
	case "rVals", "arVals":
		revocations(p.value)
	case "tstVD", "anyValData":
		if v, ok := p.value.get("xVals"); ok {
			certificates(v)
		}
		if v, ok := p.value.get("rVals"); ok {
			revocations(v)
		}
	}
	return m
}

// addTimeStamps reads a tstContainer [TS 119 182-1 5.4.3.3].
func (s *Signature) addTimeStamps(v *value, k Kind, i int) error {
	tokens := v.list("tstTokens")
	if len(s.TimeStamps)+len(tokens) > maxTimeStamps {
		return fmt.Errorf("%w: more than %d time-stamps", ErrStructure, maxTimeStamps)
	}
	if len(tokens) == 0 {
		return fmt.Errorf("%w: %s without a token", ErrStructure, k)
	}
	for _, x := range tokens {
		t := &TimeStamp{Kind: k, Property: i, canonical: v.string("canonAlg")}
		der, err := base64.StdEncoding.DecodeString(x.string("val"))
		if err == nil {
			t.Token, err = tsp.ParseTokenWith(der, s.Message.known)
		}
		if t.Err = err; err != nil {
			t.Token = nil
		}
		s.TimeStamps = append(s.TimeStamps, t)
	}
	return nil
}

// addCounter reads cSig: a JWS whose payload is the value of the signature that it stands in [TS 119 182-1 5.3.2].
func (s *Signature) addCounter(v *value) error {
	depth := 0
	for p := s.Parent; p != nil; p = p.Parent {
		depth++
	}
	if depth >= maxCounters || len(s.CounterSignatures) >= maxSignatures {
		return fmt.Errorf("%w: too many counter-signatures", ErrStructure)
	}
	var m *Message
	var err error
	switch v.kind {
	case text:
		m, err = parseCompact(v.text, s, s.Message.known)
	case object:
		m, err = parseObject(v, s, s.Message.known)
	default:
		err = v.want("cSig", object)
	}
	if err != nil {
		return fmt.Errorf("counter-signature: %w", err)
	}
	s.CounterSignatures = append(s.CounterSignatures, m.Signatures...)
	return nil
}

// MaterialBefore returns the material of the unsigned properties that stand before a time-stamp: what it covers of it.
func (s *Signature) MaterialBefore(t *TimeStamp) (m revocation.Material) {
	for i := 0; i < t.Property; i++ {
		m = s.unsigned[i].material(m, s.Message.known, func(error) {})
	}
	return m
}

// Has tells whether there is a time-stamp of a kind.
func (s *Signature) Has(k Kind) bool {
	return slices.ContainsFunc(s.TimeStamps, func(t *TimeStamp) bool { return t.Kind == k })
}

// Raw is the protected header and the value as they stand in the message: what tells one signature from another.
func (s *Signature) Raw() []byte { return []byte(s.protected + "." + s.text) }
