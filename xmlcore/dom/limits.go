package dom

import "math"

// Limits bounds what a document may cost. A zero field takes its default, so the zero value is safe.
type Limits struct {
	Bytes                int // octets, before and after transcoding; default 64 MiB
	Depth                int // nested elements; default 256
	Nodes                int // nodes of all kinds; default 10,000,000
	Attributes           int // attributes and namespace declarations of the document; default 1,000,000
	AttributesPerElement int // the same per element; default 1,000, at most 65,535
	NameBytes            int // octets of one name; default 1,024

	// InternalSubset admits a document type declaration without external parts. Its entities are expanded, at
	// most 10,000 times, 16 levels deep and within Bytes; its attribute defaults and types apply; Source shows
	// the document after that. It is for reading old signed documents of known origin, never for messages.
	InternalSubset bool
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, def, most int) {
		if *p <= 0 {
			*p = def
		}
		*p = min(*p, most)
	}
	set(&l.Bytes, 64<<20, math.MaxInt32)
	set(&l.Depth, 256, math.MaxInt32)
	set(&l.Nodes, 10_000_000, math.MaxInt32)
	set(&l.Attributes, 1_000_000, math.MaxInt32)
	set(&l.AttributesPerElement, 1000, math.MaxUint16)
	set(&l.NameBytes, 1024, math.MaxInt32)
	return l
}
