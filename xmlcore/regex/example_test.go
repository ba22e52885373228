package regex_test

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/xmlcore/regex"
)

// Small letters of Basic Latin: a class with a subtraction, and a count that others do not take.
func Example() {
	r, err := regex.Compile(`[\p{IsBasicLatin}-[^a-z]]{1,2000}`, regex.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Match("viadukt"))
	fmt.Println(r.Match("Viadukt"))
	_, err = regex.Compile(`[z-a]`, regex.Options{})
	fmt.Println(err)
	// Output:
	// true <nil>
	// false <nil>
	// regular expression "[z-a]", offset 4: range z-a runs backwards
}
