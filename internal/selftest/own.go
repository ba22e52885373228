package selftest

var ownCases []*Case
