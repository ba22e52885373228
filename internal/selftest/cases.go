package selftest

import "slices"

// The modules of the official list. Conformant is who passes all mandatory assertions of the common profile; each other
// module is claimed by itself.
const (
	commonProfile   = "common profile"
	fourCorners     = "four corner topology"
	envelopeModule  = "business document header"
	dynamicReceiver = "dynamic receiver"
	dynamicSender   = "dynamic sender"
	gasNetworks     = "ENTSOG usage profile"
	ourOwn          = "our own cases"
)

// Cases are all assertions, in the order of the official list, then ours.
var Cases = slices.Concat(exchangeCases, payloadCases, compressionCases, transportCases, cornerCases, envelopeCases, discoveryCases, entsogCases, ownCases)
