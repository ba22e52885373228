// Package interop holds tests that run a whole node against independent implementations: phase4 for AS4, phoss SMP,
// peppol-commons and dnspython for discovery, clients made by CXF for back offices, Xerces for schemas. The peers are in peers/, driven as programs; run builds them, runs the
// tests and prints what was sent, received and refused.
//
// Without VIADUKT_PEERS=1 every test skips. With it a peer that is missing is a failure.
package interop
