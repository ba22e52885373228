package bdxl

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// Kind is a function from participants to domain names.
type Kind uint8

// The label functions in use. hash() is SHA-256 in base32 without padding, in lower case; a scheme is lower-cased.
const (
	// Automatic hashes ebCore parties and those without scheme as WholeIdentifier, others as SchemeLabel [EU-BDXL 1.5].
	Automatic Kind = iota
	// SchemeLabel is hash(lower(value)).scheme.zone [EU-BDXL 1.5.2].
	SchemeLabel
	// WholeIdentifier is hash(lower(identifier)).zone [EU-BDXL 1.5.1].
	WholeIdentifier
	// WholeQualified is hash(lower(scheme::value)).zone, also for ebCore parties.
	WholeQualified
	// SchemeLabelExact is hash(value).scheme.zone: the value is not lower-cased.
	SchemeLabelExact
	// Partitioned has one more label, so that zones can be delegated by ICD: hash(lower(value)).icd.scheme.zone, and for
	// ebCore parties hash(lower(identifier)).icd.catalog.zone.
	Partitioned
	// LegacyCNAME is B-md5(lower(value)).scheme.zone, an alias of a plain-text publisher. For closed networks that never changed.
	LegacyCNAME
)

var kindNames = [...]string{"automatic", "scheme-label", "whole-identifier", "whole-qualified", "scheme-label-exact", "partitioned", "legacy-cname"}

// String is the name for configuration.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind reads the name of a label function.
func ParseKind(s string) (Kind, error) {
	for k, name := range kindNames {
		if s == name {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("bdxl: no label function %q; there are %s", s, strings.Join(kindNames[:], ", "))
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Label is the labels that stand before the zone, without a dot at the end.
func Label(k Kind, p ids.Participant) (string, error) {
	b, err := appendLabel(make([]byte, 0, 64), k, p)
	return string(b), err
}

func appendLabel(dst []byte, k Kind, p ids.Participant) ([]byte, error) {
	if p.Value == "" {
		return nil, fmt.Errorf("%w: empty value", ErrLabel)
	}
	if k == Automatic {
		k = SchemeLabel
		if p.Scheme == "" || p.IsPartyID() {
			k = WholeIdentifier
		}
	}
	switch k {
	case SchemeLabel:
		return appendScheme(appendHash(dst, p.Value, true), p)
	case WholeIdentifier:
		return appendHash(dst, p.String(), true), nil
	case WholeQualified:
		return appendHash(dst, p.Scheme+"::"+p.Value, true), nil
	case SchemeLabelExact:
		return appendScheme(appendHash(dst, p.Value, false), p)
	case Partitioned:
		icd := p.ICD()
		if !isLabel(icd) {
			return nil, fmt.Errorf("%w: %s has no ICD", ErrLabel, p)
		}
		if p.IsPartyID() {
			return append(appendHash(dst, p.String(), true), "."+strings.ToLower(icd)+".iso6523"...), nil
		}
		return appendScheme(append(appendHash(dst, p.Value, true), "."+icd...), p)
	case LegacyCNAME:
		sum := md5.Sum(lowered(p.Value))
		return appendScheme(hex.AppendEncode(append(dst, "B-"...), sum[:]), p)
	}
	return nil, fmt.Errorf("%w: unknown label function %s", ErrLabel, k)
}

func appendHash(dst []byte, s string, fold bool) []byte {
	b := []byte(s)
	if fold {
		b = lowered(s)
	}
	sum := sha256.Sum256(b)
	return encoding.AppendEncode(dst, sum[:])
}

// lowered folds ASCII only, as identifiers are compared.
func lowered(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

func appendScheme(dst []byte, p ids.Participant) ([]byte, error) {
	if !isLabel(p.Scheme) {
		return nil, fmt.Errorf("%w: scheme %q is no DNS label", ErrLabel, p.Scheme)
	}
	return append(append(dst, '.'), lowered(p.Scheme)...), nil
}

// isLabel reports letters, digits and inner hyphens, at most 63.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; !('a' <= c && c <= 'z' || '0' <= s[i] && s[i] <= '9' || s[i] == '-') {
			return false
		}
	}
	return true
}

// Name is the absolute domain name of the participant in the zone, which may be written with or without one
// dot at its end.
func Name(k Kind, p ids.Participant, zone string) (string, error) {
	zone = strings.TrimSuffix(zone, ".")
	b, err := appendLabel(make([]byte, 0, 128), k, p)
	if err != nil {
		return "", err
	}
	for rest, more := zone, true; more; {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		if !isLabel(strings.ReplaceAll(label, "_", "x")) {
			return "", fmt.Errorf("%w: zone %q", ErrLabel, zone)
		}
	}
	b = append(append(append(b, '.'), zone...), '.')
	if len(b) > 254 {
		return "", fmt.Errorf("%w: %d characters are too long", ErrLabel, len(b))
	}
	return string(b), nil
}
