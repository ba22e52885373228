package dom

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viadukt-eu/viadukt/internal/corpus"
)

func TestInternalSubset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc, want string
		err             error
	}{
		{"nothing declared", "<!DOCTYPE a><a/>", "<a></>", nil},
		{"empty subset", "<!DOCTYPE a [ ] ><a/>", "<a></>", nil},
		{"text entity", "<!DOCTYPE a [<!ENTITY e 'x&#65;&lt;'>]><a b='&e;'>&e;</a>", "<a b=[xA<]>[xA<]</>", nil},
		{"entity with markup", "<!DOCTYPE a [<!ENTITY e '<b c=\"1\">&f;</b>'><!ENTITY f 'g'>]><a>&e;&e;</a>", "<a><b c=[1]>[g]</><b c=[1]>[g]</></>", nil},
		{"quotes from an entity stay in the value", `<!DOCTYPE a [<!ENTITY e "&#34;'">]><a b="&e;" c='&e;'/>`, `<a b=["'] c=["']></>`, nil},
		{"entity in a comment, CDATA or processing instruction", "<!DOCTYPE a [<!ENTITY e 'x'>]><a><!--&e;--><![CDATA[&e;]]><?p &e;?></a>", "<a><!--[&e;]-->[&e;]<?p [&e;]?></>", nil},
		{"the first declaration wins", "<!DOCTYPE a [<!ENTITY e 'x'><!ENTITY e 'y'><!ATTLIST a b CDATA '1'><!ATTLIST a b CDATA '2'>]><a>&e;</a>", "<a b=[1]>[x]</>", nil},
		{"default attributes", "<!DOCTYPE a [<!ATTLIST a b CDATA 'x &#10; y' c CDATA #IMPLIED d CDATA #FIXED '&amp;' e CDATA 'no'>]><a e='yes'/>", "<a e=[yes] b=[x \n y] d=[&]></>", nil},
		{"default namespace by default", "<!DOCTYPE a [<!ATTLIST a xmlns CDATA #FIXED 'u' xmlns:p CDATA 'v'>]><a><p:b/></a>", "<{u}a :=u p:=v><{v}b></></>", nil},
		{"token types lose spaces", "<!DOCTYPE a [<!ATTLIST a b NMTOKENS #IMPLIED c CDATA #IMPLIED d (x|y) 'x'>]><a b=' 1\n 2 ' c=' 3 '/>", "<a b=[1 2] c=[ 3 ] d=[x]></>", nil},
		{"comments and instructions in the subset are no nodes", "<!DOCTYPE a [<!-- x --><?p?><!ELEMENT a (#PCDATA)>\n<!NOTATION n SYSTEM '>'>]><a/>", "<a></>", nil},
		{"comments around", "<!--1--><!DOCTYPE a []><!--2--><a/>", "<!--[1]--><!--[2]--><a></>", nil},

		{"external subset", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "", ErrDoctype},
		{"external public subset", "<!DOCTYPE a PUBLIC '-//X' 'http://x/'><a/>", "", ErrDoctype},
		{"external entity", "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>", "", ErrDoctype},
		{"parameter entity", "<!DOCTYPE a [<!ENTITY % e 'x'>]><a/>", "", ErrDoctype},
		{"parameter entity reference", "<!DOCTYPE a [%e;]><a/>", "", ErrDoctype},
		{"two declarations", "<!DOCTYPE a><!DOCTYPE a><a/>", "", ErrSyntax},
		{"after the root", "<a/><!DOCTYPE a>", "", ErrSyntax},
		{"undeclared entity", "<!DOCTYPE a []><a>&e;</a>", "", ErrSyntax},
		{"entity with < in an attribute", "<!DOCTYPE a [<!ENTITY e '<'>]><a b='&e;'/>", "", ErrSyntax},
		{"entity that leaves an element open", "<!DOCTYPE a [<!ENTITY e '<b>'>]><a>&e;</a>", "", ErrSyntax},
		{"entity that contains itself", "<!DOCTYPE a [<!ENTITY e 'x&e;'>]><a>&e;</a>", "", ErrLimit},
		{"entities that contain each other in a value", "<!DOCTYPE a [<!ENTITY e '&f;'><!ENTITY f '&e;'>]><a b='&e;'/>", "", ErrLimit},
		{"billion laughs", strings.NewReplacer("]>", `<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]>`, "&d;</l>", "&e;</l>").Replace(billionLaughs), "", ErrLimit},
		{"billion laughs about nothing", strings.NewReplacer("ha", "", "&d;</l>", "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;</l>").Replace(billionLaughs), "", ErrLimit},
		{"malformed entity", "<!DOCTYPE a [<!ENTITY e>]><a/>", "", ErrSyntax},
		{"malformed character reference in an entity", "<!DOCTYPE a [<!ENTITY e '&#0;'>]><a/>", "", ErrSyntax},
		{"malformed attribute list", "<!DOCTYPE a [<!ATTLIST a b>]><a/>", "", ErrSyntax},
		{"subset that does not end", "<!DOCTYPE a [<!ENTITY e 'x'>", "", ErrSyntax},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse([]byte(c.doc), Limits{InternalSubset: true})
			if !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if err != nil || c.want == "" {
				return
			}
			if got := dump(d); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			checkArena(t, d)
		})
	}
}

func TestInternalSubsetExpandsWithinBytes(t *testing.T) {
	t.Parallel()
	doc := fmt.Sprintf("<!DOCTYPE a [<!ENTITY e '%s'>]><a>%s</a>", strings.Repeat("x", 1000), strings.Repeat("&e;", 200))
	if _, err := Parse([]byte(doc), Limits{InternalSubset: true, Bytes: 100_000}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := Parse([]byte(doc), Limits{InternalSubset: true}); err != nil {
		t.Error(err)
	}
}

func TestInternalSubsetMarksIDs(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte("<!DOCTYPE a [\n<!ATTLIST p:b Id ID #IMPLIED>\n]>\n<a xmlns:p='u'><p:b Id=' x '/><b Id='y'/></a>"), Limits{InternalSubset: true})
	if err != nil {
		t.Fatal(err)
	}
	b := d.Root().FirstElement()
	if id := b.Attribute("", "Id"); !id.IsID() || id.Text() != "x" {
		t.Errorf("Id is %q, marked %v", id.Text(), id.IsID())
	}
	if b.NextElement().Attribute("", "Id").IsID() {
		t.Error("Id of another element is marked")
	}
	if line, _ := b.Pos(); line != 4 {
		t.Errorf("element is at line %d", line)
	}
}

// TestMerlinSubset reads the one signature of the corpus that needs an internal subset.
func TestMerlinSubset(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile(filepath.Join(corpus.Dir(t, "esignature"), "xmlsec", "merlin-xmldsig-twenty-three", "signature.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(src, Limits{}); !errors.Is(err, ErrDoctype) {
		t.Errorf("without the option: %v", err)
	}
	d, err := Parse(src, Limits{InternalSubset: true})
	if err != nil {
		t.Fatal(err)
	}
	ids := 0
	for n := range d.Node().Descendants() {
		for a := range n.Attributes() {
			if a.IsID() && n.Local() == "Notaries" {
				ids++
			}
		}
	}
	if ids != 1 {
		t.Errorf("%d attributes are typed ID", ids)
	}
}
