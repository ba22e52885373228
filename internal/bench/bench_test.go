package bench

import (
	"bytes"
	"testing"

	"github.com/viadukt-eu/viadukt/domains/procurement"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func TestExchangeIsMeasuredAgainstItsLimit(t *testing.T) {
	t.Parallel()
	domains := func() []node.Domain { return []node.Domain{procurement.New()} }
	got := map[string]Result{}
	err := AS4(t.Context(), AS4Options{Messages: 5, Senders: 2, Payload: 2000, Domains: domains}, func(r Result) { got[r.Name] = r })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"as4/2kB", "as4/2kB/cpu"} {
		if r := got[name]; r.Value <= 0 || r.Limit <= 0 || r.Ratio <= 0 || r.Unit == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestPayloadHasItsSizeAndIsXML(t *testing.T) {
	t.Parallel()
	for _, size := range []int{5_000, 100_000} {
		b := payload(size)
		if len(b) < size || len(b) > size+300 {
			t.Errorf("%d octets, want about %d", len(b), size)
		}
		if _, err := dom.Parse(bytes.Clone(b), dom.Limits{}); err != nil {
			t.Error(err)
		}
	}
}

func TestRatioIsTheShareOfTheLimit(t *testing.T) {
	t.Parallel()
	var got Result
	r := Report(func(x Result) { got = x })
	if r.rate("a", 80, "1/s", 100, "", ""); got.Ratio != 0.8 {
		t.Errorf("rate: %v", got.Ratio)
	}
	if r.cost("a", 125, "ms", 100, "", ""); got.Ratio != 0.8 {
		t.Errorf("cost: %v", got.Ratio)
	}
	if r.rate("a", 80, "1/s", 0, "", ""); got.Ratio != 0 {
		t.Errorf("without limit: %v", got.Ratio)
	}
}
