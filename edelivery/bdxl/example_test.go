package bdxl_test

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/edelivery/bdxl"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// The name under which a participant is registered, and the publisher that a record found there leads to.
func Example() {
	p, err := ids.ParseParticipant("iso6523-actorid-upis::9946:PT502011378")
	if err != nil {
		fmt.Println(err)
		return
	}
	name, err := bdxl.Name(bdxl.Automatic, p, "participants.example")
	fmt.Println(name, err)

	records := []bdxl.Record{
		{Order: 100, Preference: 20, Flags: "U", Service: "Meta:SMP", Regexp: "!.*!https://second.example!"},
		{Order: 100, Preference: 10, Flags: "U", Service: "Meta:SMP", Regexp: "!.*!https://smp.example!"},
		{Order: 100, Preference: 10, Flags: "U", Service: "something:else", Regexp: "!.*!https://other.example!"},
	}
	urls, err := bdxl.Select(records, p.Value, []string{bdxl.ServiceSMP}, bdxl.URIRules{})
	fmt.Println(urls, err)
	// Output:
	// ig26xlrvqmc3dx4brsrtm2w5tggsdklur2ka6uyxetbse6hgpziq.iso6523-actorid-upis.participants.example. <nil>
	// [https://smp.example https://second.example] <nil>
}
