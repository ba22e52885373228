package rules

import (
	"math"
	"strings"
	"testing"
	"time"
)

// Where an element stands twice, or a value has an odd form, rules fire as the published ones do.
func TestRepeatedElementsAndOddForms(t *testing.T) {
	t.Parallel()
	const rate = `<cbc:Percent>24</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:ClassifiedTaxCategory>`
	for _, c := range []struct{ name, from, to, fired string }{
		{"one rate above zero is enough", rate, `<cbc:Percent>0</cbc:Percent>` + rate, ""},
		{"a rate of zero alone", rate, strings.Replace(rate, "24", "0", 1), "BR-S-05:fatal BR-S-08:fatal"},
		{"prices may be doubles", `>25</cbc:PriceAmount>`, `>2.5E1</cbc:PriceAmount>`, "PEPPOL-EN16931-R120:fatal"},
		{"zeros at the end are no digits", `>25</cbc:PriceAmount>`, `>25.` + strings.Repeat("0", 60) + `</cbc:PriceAmount>`, ""},
		{"decimals are counted as characters", `>124.00</cbc:PayableAmount>`, `>１２４.００</cbc:PayableAmount>`, "BR-CO-16:fatal"},
		{"an identifier that begins with a blank", `>EE100137025<`, `> E100137025<`, ""},
		{"a year beyond four digits", `<cbc:DocumentCurrencyCode>`, `<cac:InvoicePeriod><cbc:StartDate>2026-01-01</cbc:StartDate><cbc:EndDate>12026-01-01</cbc:EndDate></cac:InvoicePeriod><cbc:DocumentCurrencyCode>`, "PEPPOL-EN16931-F001:fatal"},
		{"a code with an element in it", `>380</cbc:InvoiceTypeCode>`, `>380<cbc:Note>1</cbc:Note></cbc:InvoiceTypeCode>`, "BR-CL-01:fatal"},
		{"two totals where the published tests need one", `<cbc:PayableAmount`, `<cbc:TaxInclusiveAmount currencyID="EUR">124.00</cbc:TaxInclusiveAmount><cbc:PayableAmount`, "BR-CO-15:fatal BR-CO-16:fatal BR-DEC-14:fatal"},
		{"two identifiers of one tax scheme", `<cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory>`, `<cbc:ID>VAT</cbc:ID><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory>`, "BR-47:fatal BR-48:fatal BR-CO-17:fatal"},
	} {
		if r := judge(t, sample(1, c.from, c.to)); strings.Join(r.Fired(), " ") != c.fired {
			t.Errorf("%s: %s, want %s", c.name, strings.Join(r.Fired(), " "), c.fired)
		}
	}
}

func TestDoubles(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]float64{
		" 1.5\n": 1.5, "+5": 5, "5.": 5, ".5": 0.5, "-0": 0, "1E2": 100, "1e-400": 0, "1e400": math.Inf(1), "INF": math.Inf(1), "-INF": math.Inf(-1),
		"": math.NaN(), "NaN": math.NaN(), "+INF": math.NaN(), "0x1p3": math.NaN(), "1_0": math.NaN(), "Infinity": math.NaN(), "1,5": math.NaN(), "１": math.NaN(), ".": math.NaN(),
	} {
		if got := double(in); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%q is %v, want %v", in, got, want)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	for in, want := range map[string]time.Time{
		"2026-11-28": day(2026, 11, 28), " 2026-11-28Z ": day(2026, 11, 28), "2026-11-28-14:00": day(2026, 11, 28).Add(14 * time.Hour), "12024-02-29": day(12024, 2, 29), "-0044-03-15": day(-44, 3, 15),
	} {
		if got, ok := date(in); !ok || !got.Equal(want) {
			t.Errorf("%q is %v, want %v", in, got, want)
		}
	}
	for _, in := range []string{"", "-", "2026", "2026-02-29", "2026-1-1", "02026-01-01", "-044-03-15", "2026-11-28+14:01", "+12026-01-01", "12025-02-29", "1234567890-01-01", "2026-11-28T00:00:00"} {
		if got, ok := date(in); ok {
			t.Errorf("%q is %v, and no date", in, got)
		}
	}
}
