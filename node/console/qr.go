package console

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// qrMargin is the quiet zone in modules [ISO 18004 9.1].
const qrMargin = 4

// qrCode is a QR code as one SVG path in a square of Size units.
type qrCode struct {
	Size int
	Path string
}

func newQR(text string) (*qrCode, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			run := 0
			for x+run < c.Size && c.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+qrMargin, y+qrMargin, run, run)
				x += run
			}
		}
	}
	return &qrCode{Size: c.Size + 2*qrMargin, Path: b.String()}, nil
}
