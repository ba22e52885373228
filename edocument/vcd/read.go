package vcd

import (
	"cmp"
	"crypto"
	_ "crypto/sha1" // digests of the pilot's time
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/trust/xmldsig"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// Document elements and namespaces [PCL T991, T992].
const (
	rootDossier = "VirtualCompanyDossier"
	rootPackage = "VirtualCompanyDossierPackage"
	nsDossier   = "urn:www.peppol.eu:schema:xsd:VirtualCompanyDossier-1"
	nsPackage   = "urn:www.peppol.eu:schema:xsd:VirtualCompanyDossierPackage-1"
)

func known(root dom.Node) bool {
	return root.Is(nsDossier, rootDossier) || root.Is(nsPackage, rootPackage)
}

func (p *Package) read(entry string, doc *dom.Document) error {
	root := doc.Root()
	p.Entry, p.doc = entry, doc
	p.ID, p.IssueDate, p.Folder = leaf(root, "ID"), leaf(root, "IssueDate"), leaf(root, "ContractFolderID")
	for n := range root.Descendants() {
		switch {
		case n.Kind() != dom.ElementNode:
		case n.Local() == "FileName":
			p.names = append(p.names, n.TrimmedText())
		case authority(n) && p.Authority == (Party{}):
			p.Authority = party(n)
		case operator(n):
			p.Operators = append(p.Operators, party(n))
		}
		if len(p.names)+len(p.Operators) > mostEvidences {
			return ErrLimit
		}
	}
	return nil
}

func (p *Package) dossier(entry string, root dom.Node) error {
	if len(p.Dossiers) == mostDossiers {
		return ErrLimit
	}
	d := &Dossier{Entry: entry, ID: leaf(root, "ID"), IssueDate: leaf(root, "IssueDate")}
	p.Dossiers = append(p.Dossiers, d)
	p.Folder = cmp.Or(p.Folder, leaf(root, "ContractFolderID"))
	var criteria, evidences []dom.Node
	var around dom.Node // the evidence that the walk is in
	for n := range root.Descendants() {
		if n.Kind() != dom.ElementNode {
			continue
		}
		within := around.Valid() && around.Contains(n)
		switch {
		case isCriterion(n):
			criteria = append(criteria, n)
			d.Criteria = append(d.Criteria, criterion(n))
		case !within && isEvidence(n):
			around = n
			evidences = append(evidences, n)
			d.Evidences = append(d.Evidences, evidence(n))
		case !within && n.Local() == "FileName": // a file that stands outside of what is called evidence
			around = n.Parent()
			for m := around; m.Index() != root.Index(); m = m.Parent() {
				if strings.Contains(m.Local(), "Document") {
					around = m
					break
				}
			}
			if around.Index() == root.Index() {
				around = n
			}
			evidences = append(evidences, around)
			d.Evidences = append(d.Evidences, evidence(around))
		case within:
		case authority(n) && p.Authority == (Party{}):
			p.Authority = party(n)
		case operator(n):
			d.Operators = append(d.Operators, party(n))
		}
		if len(d.Criteria)+len(d.Evidences)+len(d.Operators) > mostEvidences {
			return fmt.Errorf("%w: %s", ErrLimit, entry)
		}
	}
	d.link(root, criteria, evidences)
	return nil
}

// isEvidence tells an evidence from what only refers to one: an identifier, or a party.
func isEvidence(n dom.Node) bool {
	name := n.Local()
	if !strings.Contains(name, "Evidence") || strings.HasSuffix(name, "Party") {
		return false
	}
	for c := range n.Elements() {
		if c.Local() != "ID" {
			return true
		}
	}
	return false
}

// isCriterion tells a criterion by its name and its parts.
func isCriterion(n dom.Node) bool {
	name := n.Local()
	if !strings.Contains(name, "Criterion") && !strings.HasSuffix(name, "TendererRequirement") || strings.Contains(name, "Property") || strings.HasSuffix(name, "Response") {
		return false
	}
	return child(n, "ID", "Name", "CriterionTypeCode", "TendererRequirementTypeCode").Valid()
}

func criterion(n dom.Node) *Criterion {
	c := &Criterion{ID: leaf(n, "ID"), Code: leaf(n, "CriterionTypeCode", "TendererRequirementTypeCode"), Name: leaf(n, "Name"), Description: leaf(n, "Description"), Legislation: leaf(n, "LegalReference")}
	if c.Legislation == "" {
		c.Legislation = deep(n, "Article").TrimmedText()
	}
	return c
}

func evidence(n dom.Node) *Evidence {
	e := &Evidence{ID: leaf(n, "ID"), Type: leaf(n, "EvidenceTypeCode", "DocumentTypeCode"), Description: leaf(n, "Description", "DocumentDescription", "Name", "DocumentType")}
	if e.Description == "" {
		e.Description = deep(n, "DocumentDescription", "Description").TrimmedText()
	}
	if e.Type == "" {
		e.Type = deep(n, "DocumentTypeCode", "EvidenceTypeCode").TrimmedText()
	}
	e.IssueDate, e.ExpiryDate = deep(n, "IssueDate").TrimmedText(), deep(n, "ExpiryDate", "EndDate").TrimmedText()
	e.URI = deep(n, "URI").TrimmedText()
	if e.ID == "" {
		e.ID = deep(n, "ID").TrimmedText()
	}
	if n.Local() == "FileName" {
		e.Files = append(e.Files, attachment(n))
		return e
	}
	for m := range n.Descendants() {
		switch {
		case m.Kind() != dom.ElementNode:
		case m.Local() == "FileName":
			e.Files = append(e.Files, attachment(m))
		case strings.HasSuffix(m.Local(), "Party") && strings.Contains(m.Local(), "Issu") && e.Issuer == (Party{}):
			e.Issuer = party(m)
		}
		if len(e.Files) > mostEvidences {
			break
		}
	}
	return e
}

// attachment reads what stands around the name of a file.
func attachment(name dom.Node) *Attachment {
	n := name.Parent()
	a := &Attachment{Name: name.TrimmedText(), MIME: leaf(n, "MimeCode", "MIMEType"), Method: leaf(n, "HashAlgorithmMethod")}
	a.Digest = digest(leaf(n, "DocumentHash"))
	if d := child(n, "DigestValue"); a.Digest == nil && d.Valid() {
		a.Digest, a.Method = digest(d.TrimmedText()), child(n, "DigestMethod").Attr("Algorithm")
	}
	return a
}

// digest reads hexadecimal digits or base64.
func digest(s string) []byte {
	if b, err := hex.DecodeString(s); err == nil && len(b) >= 20 {
		return b
	}
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil || len(b) < 20 {
		return nil
	}
	return b
}

func hashOf(method string) (crypto.Hash, bool) { return xmldsig.DigestHash(method) }

func authority(n dom.Node) bool {
	return strings.HasSuffix(n.Local(), "Party") && strings.HasPrefix(n.Local(), "Contracting")
}

func operator(n dom.Node) bool {
	name := n.Local()
	return strings.HasSuffix(name, "Party") && (strings.HasPrefix(name, "EconomicOperator") || strings.HasPrefix(name, "Tenderer"))
}

// party reads a party that stands directly in its role, or in an element Party of it.
func party(n dom.Node) Party {
	if inner := child(n, "Party"); inner.Valid() {
		n = inner
	}
	p := Party{Name: deep(child(n, "PartyName", "PartyLegalEntity"), "RegistrationName", "Name").TrimmedText()}
	id := deep(child(n, "PartyIdentification", "PartyLegalEntity"), "ID", "CompanyID")
	p.ID, p.Scheme = id.TrimmedText(), id.Attr("schemeID")
	e := child(n, "EndpointID")
	p.Endpoint, p.EndpointScheme = e.TrimmedText(), e.Attr("schemeID")
	if before, after, ok := strings.Cut(p.Endpoint, ":"); ok && p.EndpointScheme == "" {
		p.EndpointScheme, p.Endpoint = before, after
	}
	p.Country = deep(child(n, "PostalAddress", "RegistrationAddress"), "IdentificationCode").TrimmedText()
	return p
}

// child returns the first child element with one of some local names, the first of these first.
func child(n dom.Node, names ...string) dom.Node {
	if !n.Valid() {
		return dom.Node{}
	}
	for _, name := range names {
		for c := range n.Elements() {
			if c.Local() == name {
				return c
			}
		}
	}
	return dom.Node{}
}

// deep returns the first element below with one of some local names.
func deep(n dom.Node, names ...string) dom.Node {
	if !n.Valid() {
		return dom.Node{}
	}
	for m := range n.Descendants() {
		if m.Kind() == dom.ElementNode && slices.Contains(names, m.Local()) {
			return m
		}
	}
	return dom.Node{}
}

func leaf(n dom.Node, names ...string) string { return child(n, names...).TrimmedText() }

// link finds out which evidence proves which criterion: one stands within the other, one names the identifier of the other, or
// a response names both.
func (d *Dossier) link(root dom.Node, criteria, evidences []dom.Node) {
	byID := map[string][]int{}
	for i, c := range d.Criteria {
		for _, id := range []string{c.ID, c.Code} {
			if id != "" {
				byID[id] = append(byID[id], i)
			}
		}
	}
	evidenceIDs := map[string]bool{}
	for _, e := range d.Evidences {
		evidenceIDs[e.ID] = e.ID != ""
	}
	prove := func(c int, id string) {
		if l := &d.Criteria[c].Evidences; id != "" && !slices.Contains(*l, id) {
			*l = append(*l, id)
		}
	}
	criterionAt, evidenceAt := map[int]int{}, map[int]int{}
	for i, n := range criteria {
		criterionAt[n.Index()] = i
	}
	for i, n := range evidences {
		evidenceAt[n.Index()] = i
	}
	// One walk, with what it is in.
	var walk func(n dom.Node, c, e int, response *both)
	walk = func(n dom.Node, c, e int, response *both) {
		own := -1
		if i, ok := criterionAt[n.Index()]; ok {
			c, own = i, i
			if e >= 0 {
				prove(c, d.Evidences[e].ID)
			}
		}
		if i, ok := evidenceAt[n.Index()]; ok {
			e = i
			if c >= 0 {
				prove(c, d.Evidences[e].ID)
			}
		}
		if own < 0 && strings.HasSuffix(n.Local(), "Response") {
			response = &both{}
			defer func() {
				for _, c := range response.criteria {
					for _, id := range response.evidences {
						prove(c, id)
					}
				}
			}()
		}
		if !n.FirstElement().Valid() {
			id := n.TrimmedText()
			switch {
			case !strings.HasSuffix(n.Local(), "ID") && !strings.HasSuffix(n.Local(), "Code"):
			case c >= 0 && evidenceIDs[id]:
				prove(c, id)
			case e >= 0 && c < 0:
				for _, i := range byID[id] {
					prove(i, d.Evidences[e].ID)
				}
			case response != nil && evidenceIDs[id]:
				response.evidences = append(response.evidences, id)
			case response != nil:
				response.criteria = append(response.criteria, byID[id]...)
			}
			return
		}
		for k := range n.Elements() {
			walk(k, c, e, response)
		}
	}
	walk(root, -1, -1, nil)
}

// both is what a response names.
type both struct {
	criteria  []int
	evidences []string
}

// base is the name of a file without its folders.
func base(name string) string { return path.Base(strings.ReplaceAll(name, `\`, "/")) }
