package rules

func newCoreCII() *Set        { return nil }
func newBillingUBL(bool) *Set { return nil }
func newBillingCII() *Set     { return nil }
