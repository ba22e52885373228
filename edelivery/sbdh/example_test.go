package sbdh_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/edelivery/sbdh"
)

// A document is put into an envelope and taken out again, both as streams.
func Example() {
	parse := func(s string) ids.Participant {
		p, err := ids.ParseParticipant(s)
		if err != nil {
			panic(err)
		}
		return p
	}
	doc, err := ids.ParseDocumentType("busdox-docid-qns::urn:example:permit::Permit##urn:example:full::1.0")
	if err != nil {
		panic(err)
	}
	process, err := ids.ParseProcess("cenbii-procid-ubl::urn:example:permits")
	if err != nil {
		panic(err)
	}
	h, err := sbdh.NewHeader(parse("iso6523-actorid-upis::9915:builder"), parse("iso6523-actorid-upis::9915:city"), doc, process, "EE",
		"fac44407-64f9-458d-80c0-08545ce02d3a", time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	var wire bytes.Buffer
	if err := sbdh.Write(&wire, h, strings.NewReader(`<?xml version="1.0"?><Permit xmlns="urn:example:permit">bridge</Permit>`)); err != nil {
		panic(err)
	}

	m, err := sbdh.Read(&wire, sbdh.Limits{})
	if err != nil {
		panic(err)
	}
	rules, _ := sbdh.Named("peppol-2.0.2")
	fmt.Println(m.Header.Sender(), "to", m.Header.Receiver(), rules.Check(m).Err())
	payload, err := io.ReadAll(m.Payload)
	fmt.Println(string(payload), err)
	// Output:
	// iso6523-actorid-upis::9915:builder to iso6523-actorid-upis::9915:city <nil>
	// <Permit xmlns="urn:example:permit">bridge</Permit> <nil>
}
