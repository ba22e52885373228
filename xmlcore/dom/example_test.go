package dom_test

import (
	"fmt"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

func ExampleParse() {
	d, err := dom.Parse([]byte(`<o:order xmlns:o="urn:example:order"><o:item id="7"> two chairs </o:item></o:order>`), dom.Limits{Depth: 16})
	if err != nil {
		fmt.Println(err)
		return
	}
	item := d.Root().Child("urn:example:order", "item")
	fmt.Println(item.Attr("id"), item.TrimmedText())
	fmt.Println(item.Errorf("%q is out of stock", item.Attr("id")))
	// Output:
	// 7 two chairs
	// line 1, o:order/o:item: "7" is out of stock
}

func ExampleParse_refused() {
	_, err := dom.Parse([]byte("<order>\n <item>\n</order>"), dom.Limits{})
	fmt.Println(err)
	// Output: line 3, order/item: end tag does not match <item> [XML 3]
}

func ExampleWriter() {
	w := dom.NewWriter(nil)
	w.Start("o:order", "xmlns:o", "urn:example:order")
	w.Element("o:item", "chairs & tables", "id", "7")
	w.End()
	fmt.Printf("%s\n", w.Bytes())
	// Output: <o:order xmlns:o="urn:example:order"><o:item id="7">chairs &amp; tables</o:item></o:order>
}
