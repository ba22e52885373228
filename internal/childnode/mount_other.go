//go:build !linux

package childnode

import (
	"errors"
	"syscall"
)

func ownMounts() *syscall.SysProcAttr { return nil }

func mount(string, string) error { return errors.ErrUnsupported }
