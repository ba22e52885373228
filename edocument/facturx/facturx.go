// Package facturx reads and writes invoices that are two things at once: a PDF for people and, attached to it, the same
// invoice in CII for programs. Factur-X in France and ZUGFeRD in Germany are one standard from their versions 1.0 and 2.1
// on; ZUGFeRD 1.0 and 2.0 and Order-X are recognised.
//
// [Open] finds the invoice and compares what the PDF says of it with what it is: where they disagree the invoice prevails,
// and the disagreement is a finding. [Write] makes a PDF/A-3 with the invoice laid out and attached. [Attach]
// puts an invoice into a PDF/A-3 that somebody else laid out.
package facturx

import (
	"errors"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/pdf"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Pack names in reports what is said of the PDF, beside what rules say of the invoice.
const Pack = "factur-x"

// ErrNone says that a PDF holds no invoice for programs.
var ErrNone = errors.New("facturx: no invoice is attached to this PDF")

// Profile is how much of an invoice the attached one can say, in the words of the metadata.
type Profile string

// The profiles, from the least. Minimum and BasicWL have no lines: they accompany an invoice and are none.
const (
	Minimum   Profile = "MINIMUM"
	BasicWL   Profile = "BASIC WL"
	Basic     Profile = "BASIC"
	EN16931   Profile = "EN 16931"
	Extended  Profile = "EXTENDED"
	XRechnung Profile = "XRECHNUNG"
	Comfort   Profile = "COMFORT" // of ZUGFeRD 1.0
)

const en16931 = "urn:cen.eu:en16931:2017"

// profiles by the specification identifier (BT-24) of the invoice.
var profiles = map[string]Profile{
	"urn:factur-x.eu:1p0:minimum":                    Minimum,
	"urn:factur-x.eu:1p0:basicwl":                    BasicWL,
	en16931 + "#compliant#urn:factur-x.eu:1p0:basic": Basic,
	en16931: EN16931,
	en16931 + "#conformant#urn:factur-x.eu:1p0:extended": Extended,

	"urn:zugferd.de:2p0:minimum":                        Minimum,
	"urn:zugferd.de:2p0:basicwl":                        BasicWL,
	en16931 + "#compliant#urn:zugferd.de:2p0:basic":     Basic,
	en16931 + "#conformant#urn:zugferd.de:2p0:extended": Extended,

	"urn:ferd:CrossIndustryDocument:invoice:1p0:basic":    Basic,
	"urn:ferd:CrossIndustryDocument:invoice:1p0:comfort":  Comfort,
	"urn:ferd:CrossIndustryDocument:invoice:1p0:extended": Extended,
}

// ProfileOf returns the profile of an invoice by its specification identifier (BT-24): that of a narrower specification, such
// as Peppol's, is the profile that includes it. It is "" where the identifier says nothing of a profile.
func ProfileOf(specification string) Profile {
	switch p, ok := profiles[specification]; {
	case ok:
		return p
	case strings.Contains(specification, ":xrechnung_"):
		return XRechnung
	case strings.HasPrefix(specification, en16931+"#compliant#"):
		return EN16931
	}
	return ""
}

// identifiers of the profiles as they are written.
var identifiers = map[Profile]string{
	Minimum: "urn:factur-x.eu:1p0:minimum", BasicWL: "urn:factur-x.eu:1p0:basicwl", Basic: en16931 + "#compliant#urn:factur-x.eu:1p0:basic",
	EN16931: en16931, Extended: en16931 + "#conformant#urn:factur-x.eu:1p0:extended",
}

// Names of the attached file, the newest first.
var names = []string{"factur-x.xml", "xrechnung.xml", "zugferd-invoice.xml", "ZUGFeRD-invoice.xml", "order-x.xml"}

// Claim is what the metadata of a PDF say of the attached invoice. Its fields are empty where they say nothing.
type Claim struct {
	Namespace string
	Type      string // INVOICE, ORDER ...
	File      string
	Version   string
	Profile   Profile
}

// namespaces of the metadata, by the standard that has them.
var namespaces = []string{
	nsMetadata,
	"urn:zugferd:pdfa:CrossIndustryDocument:invoice:2p0#",
	"urn:ferd:pdfa:CrossIndustryDocument:invoice:1p0#",
	"urn:factur-x:pdfa:CrossIndustryDocument:1p0#", // Order-X
}

const nsMetadata = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"

// Hybrid is the invoice of a PDF.
type Hybrid struct {
	Name         string // of the attached file
	Relationship pdf.Name
	Document     *dom.Document // the invoice; Document.Source has its octets
	Profile      Profile       // by its specification identifier; "" where that is not known
	Claim        Claim
	PDFA         string // the level of PDF/A that the metadata claim: "3B", or ""

	// Findings say where the PDF and the invoice disagree, and what the standard forbids in how they are joined. They are
	// about the envelope: rules of invoices are judged elsewhere.
	Findings []edocument.Finding
}

// The findings, by their identifiers.
const (
	FindingProfile      = "VFX-PROFILE"      // metadata and invoice name different profiles
	FindingMetadata     = "VFX-METADATA"     // the metadata say nothing of an invoice, or not what they must
	FindingName         = "VFX-NAME"         // the attached file has another name than the metadata say
	FindingAssociated   = "VFX-ASSOCIATED"   // the attached file is not associated with the document, or not in the tree of names
	FindingRelationship = "VFX-RELATIONSHIP" // the relationship is not one that the profile has
	FindingArchive      = "VFX-ARCHIVE"      // the PDF does not claim to be PDF/A-3
	FindingSeveral      = "VFX-SEVERAL"      // more than one invoice is attached
)

// rank orders the names of attached invoices; those that are none come last.
func rank(name string) int {
	if i := slices.Index(names, name); i >= 0 {
		return i
	}
	for i, n := range names {
		if strings.EqualFold(n, name) {
			return len(names) + i
		}
	}
	return 2 * len(names)
}

func isInvoice(name string) bool { return rank(name) < 2*len(names) }
