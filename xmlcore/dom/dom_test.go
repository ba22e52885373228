package dom

import (
	"testing"
)

const sample = `<?xml version="1.0" encoding="UTF-8"?>
<!-- before -->
<a:root xmlns:a="urn:a" xmlns="urn:d" x="1" a:y="t&#10;wo">
  <item xml:lang="en">one<![CDATA[ & ]]>two</item>
  <item xmlns=""><?go on?>three &lt; four</item>
  <b:item xmlns:b="urn:a" b:z='"'/>
</a:root>
`

func parse(tb testing.TB, s string) *Document {
	tb.Helper()
	d, err := Parse([]byte(s), Limits{})
	if err != nil {
		tb.Fatalf("%s: %v", s, err)
	}
	return d
}

func TestNavigation(t *testing.T) {
	t.Parallel()
	d := parse(t, sample)
	root := d.Root()
	if !root.Is("urn:a", "root") || root.Prefix() != "a" || root.QName() != "a:root" {
		t.Errorf("root is %q %q %q", root.Space(), root.Local(), root.Prefix())
	}
	if v, ok := root.AttrNS("urn:a", "y"); v != "t\nwo" || !ok || root.Attr("x") != "1" {
		t.Errorf("attributes are %q %q", v, root.Attr("x"))
	}
	items := 0
	for range root.Elements() {
		items++
	}
	if items != 3 {
		t.Errorf("%d elements", items)
	}
	first := root.Child("urn:d", "item")
	if got := first.Text(); got != "one & two" {
		t.Errorf("text is %q", got)
	}
	if second := root.Child("", "item"); second.Text() != "three < four" || second.Path() != "a:root/item[2]" {
		t.Errorf("second is %q at %s", second.Text(), second.Path())
	}
}
