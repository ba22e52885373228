package procurement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Version is one version of a kind of document, and when it is used. Between the beginning of the next one and its own end
// both are: the migration period.
type Version struct {
	Customization string      `yaml:"customization" required:"true" example:"urn:fdc:peppol.eu:poacc:trns:order:3" doc:"Customization identifier of the documents. A value that ends with * stands for all that begin so."`
	From          config.Time `yaml:"from" example:"2027-05-03T00:00:00Z" doc:"When it comes into use: before, such documents are not sent, and what is published of them says when that is. Default: it is in use."`
	Until         config.Time `yaml:"until" example:"2027-08-02T00:00:00Z" doc:"When it is phased out: from then on such documents are refused, on the way out and on the way in. Alerts announce it. Default: never."`
	Next          string      `yaml:"next" example:"urn:fdc:peppol.eu:poacc:trns:order:4" doc:"Customization identifier of the version that takes its place."`
}

// Check implements [config.Checker].
func (v *Version) Check(report func(key, format string, args ...any)) {
	if !v.Until.IsZero() && !v.From.T().Before(v.Until.T()) {
		report("until", "is not after from: documents of this version would never be taken")
	}
}

// Codes of documents whose version is not in use.
const (
	VersionPhasedOut = "VERSION_PHASED_OUT"
	VersionNotInUse  = "VERSION_NOT_IN_USE"
)

// versionOf finds the version of a document type, and its place in the configuration; -1 where it is not listed.
func (d *Domain) versionOf(customization string) (*Version, int) {
	versions := d.settings().Versions
	for i := range versions {
		v := &versions[i]
		if begin, open := strings.CutSuffix(v.Customization, "*"); open && strings.HasPrefix(customization, begin) || v.Customization == customization {
			return v, i
		}
	}
	return nil, -1
}

// checkVersion says why documents of a version are not taken now.
func (d *Domain) checkVersion(customization string) store.Problem {
	v, i := d.versionOf(customization)
	if v == nil {
		return store.Problem{}
	}
	now, rule := d.n.Clock(), fmt.Sprintf("domains.%s.versions[%d]", Name, i)
	switch until, from := v.Until.T(), v.From.T(); {
	case !until.IsZero() && !now.Before(until):
		remedy := "ask the receiver which version it takes: viadukt lookup PARTICIPANT"
		if v.Next != "" {
			remedy = "send the document by " + v.Next
		}
		return store.Problem{Code: VersionPhasedOut, Text: fmt.Sprintf("%s was phased out on %s, by %s", customization, until.UTC().Format(time.DateOnly), rule), Remedy: remedy}
	case now.Before(from):
		return store.Problem{Code: VersionNotInUse, Text: fmt.Sprintf("%s comes into use on %s, by %s", customization, from.UTC().Format(time.DateOnly), rule), Remedy: "send the document by the version that is in use until then"}
	}
	return store.Problem{}
}

// customizationOf is the customization in the value of a document type: what stands between "##" and the version of the syntax.
func customizationOf(documentType string) string {
	_, rest, _ := strings.Cut(documentType, "##")
	if i := strings.LastIndex(rest, "::"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// newest orders versions of one document, those that came into use last first.
func (d *Domain) newest(list []*candidate) {
	since := func(c *candidate) time.Time {
		if v, _ := d.versionOf(c.customization); v != nil {
			return v.From.T()
		}
		return time.Time{}
	}
	slices.SortStableFunc(list, func(a, b *candidate) int { return since(b).Compare(since(a)) })
}

// Life implements [node.Phased]: what is published of a document type says when it is in use.
func (d *Domain) Life(t ids.DocumentType) (from, until time.Time) {
	if v, _ := d.versionOf(customizationOf(t.Value)); v != nil {
		return v.From.T(), v.Until.T()
	}
	return
}

// Lives implements [node.Phased].
func (d *Domain) Lives() (out []node.Life) {
	for _, v := range d.settings().Versions {
		out = append(out, node.Life{What: v.Customization, From: v.From.T(), Until: v.Until.T(), Next: v.Next})
	}
	return out
}
