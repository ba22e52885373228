package decimal

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "+1.50": "1.50", " 12.3\n": "12.3", ".5": "0.5", "5.": "5", "-.25": "-0.25", "007": "7",
		"99999999999999999999999999999999999999": "99999999999999999999999999999999999999", "0.000001": "0.000001",
		"": "NaN", "-": "NaN", ".": "NaN", "1e3": "NaN", "1,5": "NaN", "1.2.3": "NaN", "--1": "NaN", "1 2": "NaN",
		"999999999999999999999999999999999999999": "NaN", "0." + strings.Repeat("0", 60): "0." + strings.Repeat("0", 38),
		"0." + strings.Repeat("3", 60): "0." + strings.Repeat("3", 38), "7." + strings.Repeat("5", 60): "7." + strings.Repeat("5", 36) + "6",
	} {
		if got := Read(in).String(); got != want {
			t.Errorf("%q reads as %s, want %s", in, got, want)
		}
	}
}

func TestRoundGoesUpAtAHalf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"1.005": "1.01", "1.0049": "1.00", "-1446.375": "-1446.37", "-1446.3751": "-1446.38", "-0.005": "0.00", "2.5": "2.5", "0.995": "1.00",
	} {
		if got := Read(in).Round(2).String(); got != want {
			t.Errorf("%s rounds to %s, want %s", in, got, want)
		}
	}
}

func TestQuo(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"1", "3", "0.333333333333333333"}, {"10", "4", "2.5"}, {"-7", "2", "-3.5"}, {"100", "0.1", "1000"}, {"1", "0", "NaN"}, {"0", "5", "0"},
	} {
		if got := Read(c[0]).Quo(Read(c[1])).Normal().String(); got != c[2] {
			t.Errorf("%s / %s = %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestNaNIsEqualToNothing(t *testing.T) {
	t.Parallel()
	one := New(1, 0)
	if NaN.Equal(NaN) || NaN.Less(one) || one.Less(NaN) || one.LessEqual(NaN) || !one.Add(NaN).IsNaN() || !NaN.Mul(one).IsNaN() {
		t.Error("NaN takes part in a comparison")
	}
}

// The arithmetic agrees with rational numbers wherever it gives an answer.
func TestArithmeticIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`-?[0-9]{1,14}(\.[0-9]{1,6})?`)
		as, bs := number.Draw(t, "a"), number.Draw(t, "b")
		a, b := Read(as), Read(bs)
		ra, _ := new(big.Rat).SetString(as)
		rb, _ := new(big.Rat).SetString(bs)
		check := func(op string, got Decimal, want *big.Rat) {
			r, ok := new(big.Rat).SetString(got.String())
			if !ok || r.Cmp(want) != 0 {
				t.Fatalf("%s %s %s = %s, want %s", as, op, bs, got, want.FloatString(20))
			}
		}
		check("+", a.Add(b), new(big.Rat).Add(ra, rb))
		check("-", a.Sub(b), new(big.Rat).Sub(ra, rb))
		if new(big.Int).Mul(coefficient(as), coefficient(bs)).BitLen() <= 128 {
			check("*", a.Mul(b), new(big.Rat).Mul(ra, rb))
		}
		if c, ok := a.Cmp(b); !ok || c != ra.Cmp(rb) {
			t.Fatalf("%s against %s: %d", as, bs, c)
		}
		if back := Read(a.String()); !back.Equal(a) || back.Scale() != a.Scale() {
			t.Fatalf("%s is written %s", as, a)
		}
		hundred := new(big.Rat).Mul(ra, big.NewRat(100, 1))
		hundred.Add(hundred, big.NewRat(1, 2))
		floor := new(big.Int).Div(hundred.Num(), hundred.Denom())
		check("round", a.Round(2), new(big.Rat).SetFrac(floor, big.NewInt(100)))
		if !rb.Num().IsInt64() || rb.Sign() != 0 {
			q := a.Quo(b)
			diff := new(big.Rat).Sub(new(big.Rat).Quo(ra, rb), ratOf(q))
			if q.IsNaN() || diff.Abs(diff).Cmp(big.NewRat(1, 1_000_000_000_000_000_000)) > 0 {
				t.Fatalf("%s / %s = %s", as, bs, q)
			}
		}
	})
}

// Numbers that are too long are cut off so that sums, differences and products of them round as they would, and compare
// with shorter numbers as they would.
func TestLongFractions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		long := rapid.StringMatching(`-?[0-9]{1,9}\.[0-9]{0,4}[05]{0,60}[0-9]{0,3}`)
		as, bs := long.Draw(t, "a"), long.Draw(t, "b")
		a, b := Read(as), Read(bs)
		ra, _ := new(big.Rat).SetString(as)
		rb, _ := new(big.Rat).SetString(bs)
		rounded := func(r *big.Rat) *big.Rat {
			r = new(big.Rat).Mul(r, big.NewRat(100, 1))
			r.Add(r, big.NewRat(1, 2))
			return new(big.Rat).SetFrac(new(big.Int).Div(r.Num(), r.Denom()), big.NewInt(100))
		}
		for _, c := range []struct {
			op   string
			got  Decimal
			want *big.Rat
		}{{"first", a, ra}, {"+", a.Add(b), new(big.Rat).Add(ra, rb)}, {"*", a.Mul(b), new(big.Rat).Mul(ra, rb)}} {
			if got := ratOf(c.got.Round(2)); c.got.IsNaN() || got.Cmp(rounded(c.want)) != 0 {
				t.Fatalf("%s %s %s is %s, rounds to %s and not %s", as, c.op, bs, c.got, got.FloatString(2), rounded(c.want).FloatString(2))
			}
		}
		short := New(rapid.Int64Range(-1e12, 1e12).Draw(t, "c"), 3)
		if got, ok := a.Cmp(short); !ok || got != ra.Cmp(ratOf(short)) {
			t.Fatalf("%s against %s: %d", as, short, got)
		}
	})
}

// coefficient is what the digits are without the point.
func coefficient(s string) *big.Int {
	c, _ := new(big.Int).SetString(strings.Replace(s, ".", "", 1), 10)
	return c
}

func ratOf(d Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		return new(big.Rat)
	}
	return r
}

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if Read("-12345.67").Sign() >= 0 {
			b.Fatal("sign")
		}
	}
}

func TestDivisorsBeyond64Bits(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"0", "20000000000000.000001", "0"},
		{"40000000000000.000002", "-20000000000000.000001", "-2"},
		{"1", "40000000000000000000", "0"},
		{"20000000000000.000001", "20000000000000.000001", "1"},
	} {
		if got := Read(c[0]).Quo(Read(c[1])); !got.Equal(Read(c[2])) {
			t.Errorf("%s / %s = %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
