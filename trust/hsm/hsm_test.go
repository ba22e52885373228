//go:build !pkcs11

package hsm

import (
	"errors"
	"testing"
)

func TestWithoutTheBuildTag(t *testing.T) {
	t.Parallel()
	if _, err := Open(Options{Module: "/usr/lib/softhsm/libsofthsm2.so"}); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("%v", err)
	}
}
