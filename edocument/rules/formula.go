package rules

import "github.com/viadukt-eu/viadukt/edocument/decimal"

// equal compares a stated amount with what it should be, and explains the difference with its numbers.
func (x *eval) equal(stated decimal.Decimal, name string, computed decimal.Decimal, terms string) bool {
	if stated.Equal(computed) {
		return true
	}
	return x.explain(stated, name, computed, terms)
}

// explain writes "BT-112 = 1234.00, BT-109 + BT-110 = 1234.50, difference 0.50" and what to set. It returns false.
func (x *eval) explain(stated decimal.Decimal, name string, computed decimal.Decimal, terms string) bool {
	switch {
	case computed.IsNaN():
		x.note = terms + " cannot be computed: an amount is missing or is no number"
		x.fix = "Give every amount in " + terms + " as a plain decimal number."
	case stated.IsNaN():
		x.note = name + " is missing or no number, " + terms + " = " + computed.String()
		x.fix = "Set " + name + " to " + computed.String() + "."
	default:
		x.note = name + " = " + stated.String() + ", " + terms + " = " + computed.String() + ", difference " + computed.Sub(stated).Abs().String()
		x.fix = "Set " + name + " to " + computed.String() + ", or correct the amounts it is computed from."
	}
	return false
}
