package selftest

import "github.com/viadukt-eu/viadukt/edelivery/ids"

var documentType = ids.DocumentType{Scheme: "urn:viadukt:selftest", Value: "letter"}

var discoveryCases []*Case
