package schematron_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/schematron"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// FuzzSchema compiles schemas of strangers and, where that succeeds, runs them: bounded, without a panic, and twice
// with the same result; the report is well-formed.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{
		schema(`<pattern><rule context="o:line"><assert id="a" test="o:qty &gt; 0" diagnostics="d"><name/></assert></rule></pattern><diagnostics><diagnostic id="d">x</diagnostic></diagnostics>`),
		schema(`<let name="x" value="1"/><pattern abstract="true" id="p"><rule context="$c"><report test="$x = $v"/></rule></pattern><pattern is-a="p"><param name="c" value="*"/><param name="v" value="2"/></pattern>`),
		schema(`<xsl:key name="k" match="o:line" use="@n"/><xsl:function name="f:x"><xsl:param name="a"/><xsl:choose><xsl:when test="$a"><xsl:value-of select="key('k', $a)"/></xsl:when><xsl:otherwise>x</xsl:otherwise></xsl:choose></xsl:function><pattern><rule context="@n"><assert test="f:x(.)"/></rule></pattern>`),
		schema(`<phase id="p"><active pattern="a"/></phase><pattern id="a"><rule abstract="true" id="r"><assert test="."/></rule><rule context="/"><extends rule="r"/></rule></pattern><include href="main.sch"/>`),
		compiled["skeleton"], compiled["schxslt"],
	} {
		f.Add([]byte(s))
	}
	doc := parse(f, orders)
	opt := schematron.ValidateOptions{Limits: xpath.Limits{Work: 50_000, Octet: 1 << 20, Depth: 50}, Trace: true}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		s, err := schematron.Compile(disk(string(b)), "main.sch", schematron.Options{Documents: dom.Limits{Depth: 64}})
		if err != nil {
			return
		}
		r, err := s.Validate(context.Background(), doc, opt)
		if err != nil {
			return
		}
		svrl := r.SVRL(schematron.Skeleton)
		if _, err := dom.Parse(bytes.Clone(svrl), dom.Limits{}); err != nil {
			t.Errorf("the report is not well-formed: %v\n%s", err, svrl)
		}
		again, err := s.Validate(context.Background(), doc, opt)
		if err != nil || !bytes.Equal(svrl, again.SVRL(schematron.Skeleton)) {
			t.Errorf("the second run differs: %v", err)
		}
	})
}
