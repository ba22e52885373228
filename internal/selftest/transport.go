package selftest

var transportCases []*Case
