// Package hsm signs with keys in hardware security modules and smart cards: PKCS #11 (OASIS Cryptographic Token Interface, version 2.40).
//
// The library of the device is loaded into the process, for which Go needs cgo: the package does its work in programs built with
// the tag pkcs11 and CGO_ENABLED=1. In others [Open] returns [ErrNotBuilt].
package hsm

import "errors"

var (
	// ErrNotBuilt says that this program was built without PKCS #11.
	ErrNotBuilt = errors.New("hsm: this program was built without PKCS #11: build it with -tags pkcs11 and CGO_ENABLED=1")
	// ErrPIN says that the device refuses the PIN. It is not tried again, since devices lock after a few.
	ErrPIN = errors.New("hsm: the device refuses the PIN")
	// ErrNotFound says that there is no such token, or no such key or certificate on it.
	ErrNotFound = errors.New("hsm: not found")
)

// Options say which token is opened, and how.
type Options struct {
	Module   string // path of the device's PKCS #11 library
	Token    string // label; "" for the only token
	PIN      string
	Sessions int // that sign at the same time; default 4
}
