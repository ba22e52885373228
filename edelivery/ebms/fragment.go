package ebms

import (
	"math"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Fragment is mf:MessageFragment: which piece of a larger message an envelope carries, and in what it says of the whole
// [ebMS3-2 4.4]. What is said of the whole may come in every piece or in one.
type Fragment struct {
	Href    string // "cid:" and the content id of the piece
	GroupID string
	Num     int // from 1
	Count   int // 0: not said

	MessageSize int64           // octets of the whole, before compression; 0: not said
	Header      *FragmentHeader // nil: not said
	Action      string

	Compression    string // "" is none, or not said
	CompressedSize int64  // octets of the whole as it was cut

	ID   string   // wsu:Id; for writing
	Node dom.Node // what was read; zero when built
}

// FragmentHeader is mf:MessageHeader: the MIME header of the whole, without which it cannot be read.
type FragmentHeader struct {
	ContentType string // "Multipart/Related"
	Boundary    string
	Type        string // type parameter: "application/soap+xml"; Domibus knows "text/xml" alone
	Start       string // without angle brackets
	StartInfo   string
	Description string
}

// Compression algorithms of a whole message: what the eDelivery profile names, and what Domibus writes.
const (
	FragmentGzip        = "gzip"
	FragmentGzipDomibus = CompressionGzip
)

// MaxFragments bounds mf:FragmentCount.
const MaxFragments = 65_535

// Append writes mf:MessageFragment in its own exclusive canonical form.
func (f *Fragment) Append(w *dom.Writer) {
	var buf [12]string
	attrs := append(buf[:0], "xmlns:S12", NSSOAP, "xmlns:mf", NSFragment)
	if f.ID != "" {
		attrs = append(attrs, "xmlns:wsu", NSUtility)
	}
	attrs = append(attrs, "href", f.Href)
	if f.ID != "" {
		attrs = append(attrs, "wsu:Id", f.ID)
	}
	w.Start("mf:MessageFragment", append(attrs, "S12:mustUnderstand", "true")...)
	number := func(name string, n int64) {
		if n != 0 {
			w.Element(name, strconv.FormatInt(n, 10))
		}
	}
	w.Element("mf:GroupId", f.GroupID)
	number("mf:MessageSize", f.MessageSize)
	number("mf:FragmentCount", int64(f.Count))
	number("mf:FragmentNum", int64(f.Num))
	if h := f.Header; h != nil {
		w.Start("mf:MessageHeader")
		for _, e := range [...][2]string{{"mf:Content-Type", h.ContentType}, {"mf:Boundary", h.Boundary}, {"mf:Type", h.Type}, {"mf:Start", h.Start},
			{"mf:StartInfo", h.StartInfo}, {"mf:Content-Description", h.Description}} {
			if e[1] != "" {
				w.Element(e[0], e[1])
			}
		}
		w.End()
	}
	if f.Action != "" {
		w.Element("mf:Action", f.Action)
	}
	if f.Compression != "" {
		w.Element("mf:CompressionAlgorithm", f.Compression)
		number("mf:CompressedMessageSize", f.CompressedSize)
	}
	w.End()
}

// ParseFragment reads mf:MessageFragment by the order and cardinality of its schema. The error is an [*Error]:
// BadFragmentStructure for what is not as the schema says, BadFragmentNum and BadFragmentCount for numbers that cannot
// be, BadFragmentGroup for a group without name.
func ParseFragment(n dom.Node) (*Fragment, error) {
	if !n.Is(NSFragment, "MessageFragment") {
		return nil, fail(n, BadFragmentStructure, "mf:MessageFragment expected")
	}
	f := &Fragment{Node: n, Href: trimXML(n.Attr("href"))}
	f.ID, _ = n.AttrNS(NSUtility, "Id")
	var err *Error
	rank := -1
	for e := range n.Elements() {
		i := fragmentOrder(e)
		if i < 0 {
			return nil, fail(e, BadFragmentStructure, "is no part of mf:MessageFragment [ebMS3-2 4.4]")
		}
		if i <= rank {
			return nil, fail(e, BadFragmentStructure, "is there twice or in the wrong place [ebMS3-2 4.4]")
		}
		rank = i
		text := e.TrimmedText()
		if len(text) > MaxValue {
			return nil, fail(e, BadFragmentStructure, "longer than %d characters", MaxValue)
		}
		switch e.Local() {
		case "GroupId":
			if f.GroupID = text; text == "" || !printable(text) {
				return nil, fail(e, BadFragmentGroup, "no group [ebMS3-2 4.4]")
			}
		case "MessageSize":
			f.MessageSize, err = fragmentNumber(e, BadFragmentStructure, math.MaxInt64)
		case "FragmentCount":
			var c int64
			c, err = fragmentNumber(e, BadFragmentCount, MaxFragments)
			f.Count = int(c)
		case "FragmentNum":
			var c int64
			c, err = fragmentNumber(e, BadFragmentNum, MaxFragments)
			f.Num = int(c)
		case "MessageHeader":
			f.Header, err = fragmentHeader(e)
		case "Action":
			f.Action = text
		case "CompressionAlgorithm":
			f.Compression = text
		case "CompressedMessageSize":
			f.CompressedSize, err = fragmentNumber(e, BadFragmentStructure, math.MaxInt64)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case f.GroupID == "":
		return nil, fail(n, BadFragmentGroup, "no group [ebMS3-2 4.4]")
	case f.Num == 0:
		return nil, fail(n, BadFragmentNum, "no number [ebMS3-2 4.4]")
	case f.Count != 0 && f.Num > f.Count:
		return nil, fail(n, BadFragmentNum, "number %d of %d", f.Num, f.Count)
	case f.Compression != "" && !strings.EqualFold(f.Compression, FragmentGzip) && !strings.EqualFold(f.Compression, FragmentGzipDomibus):
		return nil, fail(n, BadFragmentStructure, "unknown compression %q", f.Compression)
	}
	if _, ok := ContentIDFromURL(f.Href); !ok {
		return nil, fail(n, BadFragmentStructure, "href %q names no attachment [EU-AS4 1.5.6]", f.Href)
	}
	return f, nil
}

var fragmentElements = [...]string{"GroupId", "MessageSize", "FragmentCount", "FragmentNum", "MessageHeader", "Action", "CompressionAlgorithm", "CompressedMessageSize"}

func fragmentOrder(e dom.Node) int {
	for i, name := range fragmentElements {
		if e.Is(NSFragment, name) {
			return i
		}
	}
	return -1
}

func fragmentNumber(n dom.Node, code Code, most int64) (int64, *Error) {
	v, err := strconv.ParseInt(n.TrimmedText(), 10, 64)
	if err != nil || v < 1 || v > most {
		return 0, fail(n, code, "%.40q is no number from 1 to %d", n.TrimmedText(), most)
	}
	return v, nil
}

// fragmentHeader reads mf:MessageHeader. The order of its children is left open: their names are enough.
func fragmentHeader(n dom.Node) (*FragmentHeader, *Error) {
	h := &FragmentHeader{}
	for e := range n.Elements() {
		to := map[string]*string{"Content-Type": &h.ContentType, "Boundary": &h.Boundary, "Type": &h.Type, "Start": &h.Start, "StartInfo": &h.StartInfo, "Content-Description": &h.Description}[e.Local()]
		text := e.TrimmedText()
		switch {
		case to == nil || e.Space() != NSFragment:
			return nil, fail(e, BadFragmentStructure, "is no part of mf:MessageHeader [ebMS3-2 4.4]")
		case *to != "":
			return nil, fail(e, BadFragmentStructure, "is there twice")
		case !headerText(text):
			return nil, fail(e, BadFragmentStructure, "does not fit into a MIME header")
		}
		*to = text
	}
	if !strings.EqualFold(h.ContentType, "multipart/related") || h.Boundary == "" {
		return nil, fail(n, BadFragmentStructure, "the whole is no Multipart/Related with a boundary [ebMS3-2 4.4]")
	}
	h.Start = trimBrackets(h.Start)
	return h, nil
}

// MediaType is the Content-Type of the whole. mf:Type is left out: one peer puts there what is not so.
func (h *FragmentHeader) MediaType() string {
	s := `multipart/related; type="` + soapType + `"; boundary=` + quote(h.Boundary)
	if h.Start != "" {
		s += `; start=` + quote("<"+h.Start+">")
	}
	return s
}
