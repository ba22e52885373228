package smp

import "strings"

// use of a certificate of an OASIS 2.0 endpoint.
type use uint8

const (
	useAny use = iota
	useSigning
	useEncryption
)

// TypeCodes that this package writes. The values are those of servers in the field; [SMP2 4.3.6] leaves them open.
const (
	TypeCodeAny        = "bdxr-as4-signing-encryption"
	TypeCodeSigning    = "bdxr-as4-signing"
	TypeCodeEncryption = "bdxr-as4-encryption"
)

// useOf reads a TypeCode. Absent, or naming both uses, or saying nothing that is known: both.
func useOf(code string) use {
	code = strings.ToLower(code)
	sign, encrypt := strings.Contains(code, "sign"), strings.Contains(code, "encr")
	switch {
	case sign && !encrypt:
		return useSigning
	case encrypt && !sign:
		return useEncryption
	}
	return useAny
}

// pathPrefix20 stands before the paths of OASIS SMP 2.0 [SMP2 5.2].
const pathPrefix20 = "/bdxr-smp-2"

// contentType of a generation's documents [PSMP 5.2, SMP1 3.4, SMP2 5.4].
func contentType(g Generation) string {
	if g == OASIS20 {
		return "application/xml; charset=UTF-8"
	}
	return "text/xml; charset=UTF-8"
}
