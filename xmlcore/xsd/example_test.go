package xsd_test

import (
	"fmt"
	"testing/fstest"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xsd"
)

// A schema comes from a file system that holds all it needs; os.DirFS, embed.FS and zip.Reader are some.
func Example() {
	files := fstest.MapFS{"parcel.xsd": {Data: []byte(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:element name="parcel"><xs:complexType><xs:sequence>
    <xs:element name="to" type="xs:string"/>
    <xs:element name="weight"><xs:simpleType><xs:restriction base="xs:decimal"><xs:maxInclusive value="30"/></xs:restriction></xs:simpleType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>`)}}
	schema, err := xsd.Compile(files, xsd.Options{}, "parcel.xsd")
	if err != nil {
		fmt.Println(err)
		return
	}
	doc, err := dom.Parse([]byte("<parcel>\n<weight>31.5</weight>\n</parcel>"), dom.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := schema.Validate(doc, xsd.ValidateOptions{})
	if err != nil {
		fmt.Println(err) // the document would cost too much
		return
	}
	for _, f := range result.Findings {
		fmt.Println(f)
	}
	// Output:
	// line 2, parcel/weight: 'weight' is not allowed here; expected is to [cvc-complex-type.2.4.a]
	// line 2, parcel/weight: 'weight': value '31.5' is greater than 30 [cvc-maxInclusive-valid]
}
