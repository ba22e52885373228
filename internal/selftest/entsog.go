package selftest

var entsogCases []*Case
