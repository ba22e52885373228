package page

import "math"

// sRGB writes the colour profile of sRGB: ICC version 4, three primaries adapted to D50 and the curve of IEC 61966-2-1.
func sRGB() []byte {
	fixed := func(b []byte, v ...float64) []byte {
		for _, x := range v {
			b = be.AppendUint32(b, uint32(int32(math.Round(x*65536))))
		}
		return b
	}
	typed := func(kind string) []byte { return append([]byte(kind), 0, 0, 0, 0) }
	text := func(s string) []byte {
		b := typed("mluc")
		for _, v := range [...]uint32{1, 12} {
			b = be.AppendUint32(b, v)
		}
		b = append(b, "enUS"...)
		b = be.AppendUint32(be.AppendUint32(b, uint32(2*len(s))), 28)
		for _, c := range []byte(s) {
			b = append(b, 0, c)
		}
		return b
	}
	xyz := func(x, y, z float64) []byte { return fixed(typed("XYZ "), x, y, z) }
	curve := fixed(append(typed("para"), 0, 3, 0, 0), 2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045)
	adaptation := fixed(typed("sf32"), 1.04788, 0.02292, -0.05022, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168)
	tags := []struct {
		names []string
		data  []byte
	}{
		{[]string{"desc"}, text("sRGB")}, {[]string{"cprt"}, text("No copyright, use freely")}, {[]string{"wtpt"}, xyz(0.96420, 1, 0.82491)}, {[]string{"chad"}, adaptation},
		{[]string{"rXYZ"}, xyz(0.43607, 0.22249, 0.01392)}, {[]string{"gXYZ"}, xyz(0.38515, 0.71687, 0.09708)}, {[]string{"bXYZ"}, xyz(0.14307, 0.06061, 0.71410)},
		{[]string{"rTRC", "gTRC", "bTRC"}, curve},
	}
	count := 0
	for _, t := range tags {
		count += len(t.names)
	}
	table, body := be.AppendUint32(nil, uint32(count)), []byte(nil)
	for _, t := range tags {
		for _, name := range t.names {
			table = append(table, name...)
			table = be.AppendUint32(table, uint32(128+4+12*count+len(body)))
			table = be.AppendUint32(table, uint32(len(t.data)))
		}
		body = append(body, t.data...)
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
	}
	head := make([]byte, 128)
	be.PutUint32(head, uint32(128+len(table)+len(body)))
	be.PutUint32(head[8:], 0x04200000)
	copy(head[12:], "mntrRGB XYZ ")
	for i, v := range [...]uint16{2026, 1, 1, 0, 0, 0} {
		be.PutUint16(head[24+2*i:], v)
	}
	copy(head[36:], "acsp")
	copy(head[68:], fixed(nil, 0.9642, 1, 0.8249))
	return append(append(head, table...), body...)
}
