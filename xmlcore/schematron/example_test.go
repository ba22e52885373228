package schematron_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
)

// Rules come from a file system, here one in memory.
func ExampleCompile() {
	rules := fstest.MapFS{"tickets.sch": {Data: []byte(`<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2">
	  <ns prefix="t" uri="urn:example:ticket"/>
	  <pattern>
	    <rule context="t:Ticket">
	      <assert id="T-1" flag="fatal" test="t:Number &gt; 0">A ticket has a number above 0, this one has <value-of select="t:Number"/>.</assert>
	    </rule>
	  </pattern>
	</schema>`)}}
	schema, err := schematron.Compile(rules, "tickets.sch", schematron.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	doc, err := dom.Parse([]byte("<Ticket xmlns='urn:example:ticket'>\n  <Number>-4</Number>\n</Ticket>"), dom.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := schema.Validate(context.Background(), doc, schematron.ValidateOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range result.Findings {
		line, column := f.Pos()
		fmt.Printf("%s %s, line %d, column %d: %s\n", f.Level(), f.ID, line, column, f.Message())
		fmt.Println(f.Location(schematron.EQName))
	}
	fmt.Println("valid:", result.Valid())
	// Output:
	// fatal T-1, line 1, column 1: A ticket has a number above 0, this one has -4.
	// /Q{urn:example:ticket}Ticket[1]
	// valid: false
}
