package console

import (
	"fmt"
	"strings"
	"testing"

	"rsc.io/qr"
)

func TestThePathOfAQRCodeIsItsBlackModules(t *testing.T) {
	t.Parallel()
	const text = "otpauth://totp/Viadukt%20ee:ada?secret=GEZDGNBVGY3TQOJQ&issuer=Viadukt+ee"
	got, err := newQR(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	black := map[[2]int]bool{}
	for _, run := range strings.SplitAfter(got.Path, "z") {
		if run == "" {
			continue
		}
		var x, y, w, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%dz", &x, &y, &w, &back); err != nil || back != w {
			t.Fatalf("%q: %v", run, err)
		}
		for i := range w {
			black[[2]int{x + i - qrMargin, y - qrMargin}] = true
		}
	}
	for y := -qrMargin; y < want.Size+qrMargin; y++ {
		for x := -qrMargin; x < want.Size+qrMargin; x++ {
			if black[[2]int{x, y}] != want.Black(x, y) {
				t.Fatalf("module %d, %d differs", x, y)
			}
		}
	}
	if got.Size != want.Size+2*qrMargin {
		t.Errorf("size %d, the code has %d modules", got.Size, want.Size)
	}
}
