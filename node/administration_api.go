package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/node/audit"
	"github.com/viadukt-eu/viadukt/node/console"
	"github.com/viadukt-eu/viadukt/node/store"
)

// administrationTable lists the calls for what administrators and operators do in the console, too.
func (a api) administrationTable() []route {
	messages, admin := []string{scopeMessages}, []string{scopeAdmin}
	language := textParam("language", "Language of the texts: en, de, fr, it. Default: en.")
	return []route{
		{Method: "GET", Path: "/api/v1/partners", Summary: "Partners with fixed addresses", Scopes: messages, Status: http.StatusOK, Answer: PartnerListJSON{}, handler: a.partners},
		{Method: "POST", Path: "/api/v1/partners/{name}/check", Summary: "Try everything between here and a partner, up to a test message", Scopes: messages, Status: http.StatusOK, Answer: PartnerCheckJSON{}, handler: a.checkPartner,
			Query: []queryParam{language}},
		{Method: "PUT", Path: "/api/v1/users/{name}/role", Summary: "Change what a user may do", Scopes: admin, Status: http.StatusNoContent, Body: RoleJSON{}, handler: a.setRole},
		{Method: "POST", Path: "/api/v1/pmodes", Summary: "Take a P-Mode file of Domibus or Holodeck into use", Scopes: admin, Status: http.StatusOK, Answer: PModeImportJSON{}, handler: a.importPModes,
			Upload: "The file as it is.",
			Query:  []queryParam{textParam("name", "Its name, for messages and the log. Default: upload.xml."), textParam("description", "Kept beside it."), textParam("plan", "When present: say what would change, and change nothing.")}},
		{Method: "GET", Path: "/api/v1/truststores/{store}", Summary: "Certificates that were added to a trust store while the node ran: as4 for messages, tls for partners' servers", Scopes: admin, Status: http.StatusOK, Answer: TrustedListJSON{}, handler: a.trusted},
		{Method: "PUT", Path: "/api/v1/truststores/{store}/{alias}", Summary: "Trust a certificate, in place of the one of this alias", Scopes: admin, Status: http.StatusNoContent, Upload: "The certificate, as PEM or DER.", handler: a.trustCertificate},
		{Method: "DELETE", Path: "/api/v1/truststores/{store}/{alias}", Summary: "Trust a certificate no more", Scopes: admin, Status: http.StatusNoContent, handler: a.distrust},
	}
}

// PartnerListJSON lists partners.
type PartnerListJSON struct {
	Partners []PartnerJSON `json:"partners"`
}

// PartnerJSON is an access point with a fixed address.
type PartnerJSON struct {
	Name   string   `json:"name"`
	ID     string   `json:"id,omitempty" doc:"Party identifier."`
	Type   string   `json:"type,omitempty" doc:"Type of the identifier."`
	URL    string   `json:"url,omitempty" doc:"Where its messages go; absent where it only sends to this node."`
	PModes []string `json:"pmodes"`
}

// PartnerCheckJSON is what came of a check.
type PartnerCheckJSON struct {
	Partner  string             `json:"partner"`
	OK       bool               `json:"ok"`
	Findings []PartnerCheckStep `json:"findings"`
}

// PartnerCheckStep is one thing that was looked at.
type PartnerCheckStep struct {
	Severity string   `json:"severity" doc:"ok, warning or failure."`
	Code     string   `json:"code"`
	Args     []string `json:"args,omitempty"`
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy,omitempty"`
	Message  int64    `json:"message,omitempty" doc:"Row of the test message."`
}

func (a api) partners(w http.ResponseWriter, _ *http.Request) error {
	out := PartnerListJSON{Partners: []PartnerJSON{}}
	for _, p := range (network{a.n}).Partners() {
		out.Partners = append(out.Partners, PartnerJSON{p.Name, p.ID, p.Type, p.URL, append([]string{}, p.Agreements...)})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (a api) checkPartner(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	findings, err := a.n.CheckPartner(r.Context(), name)
	if err != nil {
		return err
	}
	a.n.recordBy(r.Context(), store.Actor(r.Context()), "partner.check", name)
	out := PartnerCheckJSON{Partner: name, OK: true, Findings: []PartnerCheckStep{}}
	for _, f := range findings {
		s := PartnerCheckStep{Severity: string(f.Severity), Code: string(f.Code), Args: f.Args, Message: f.Message}
		if s.Text, s.Remedy, err = f.Texts(r.URL.Query().Get("language")); err != nil {
			return badRequest("language: %v", err)
		}
		out.OK = out.OK && f.Severity != console.Failure
		out.Findings = append(out.Findings, s)
	}
	return writeJSON(w, http.StatusOK, out)
}

// RoleJSON is what a user may do.
type RoleJSON struct {
	Role string `json:"role" doc:"viewer, operator or administrator."`
}

func (a api) setRole(w http.ResponseWriter, r *http.Request) error {
	var body RoleJSON
	if err := readBody(r, &body); err != nil {
		return err
	}
	err := a.n.Store.Write(r.Context(), func(tx store.Tx) error {
		return console.SetRole(tx, r.PathValue("name"), console.Role(body.Role))
	})
	if err != nil {
		return userProblem(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// PModeImportJSON is what an import changed, or would change.
type PModeImportJSON struct {
	Format    string         `json:"format" doc:"domibus or holodeck."`
	Partners  int            `json:"partners"`
	PModes    int            `json:"pmodes"`
	Changes   []pmode.Change `json:"changes"`
	Warnings  []string       `json:"warnings,omitempty"`
	NotServed []string       `json:"notServed,omitempty" doc:"P-Modes that this node cannot serve, with the reason."`
	Needs     []string       `json:"needs,omitempty" doc:"Partners whose certificate is missing."`
	InUse     bool           `json:"inUse"`
}

// octetsMost bounds what is uploaded here.
const octetsMost = 16 << 20

func upload(r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, octetsMost+1))
	if err != nil {
		return nil, badRequest("body: %v", err)
	}
	if len(b) > octetsMost {
		return nil, badRequest("body: longer than %d octets", octetsMost)
	}
	return b, nil
}

func (a api) importPModes(w http.ResponseWriter, r *http.Request) error {
	octets, err := upload(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	name, dry := q.Get("name"), q.Has("plan")
	if name == "" {
		name = "upload.xml"
	}
	var plan *PModeImport
	if dry {
		plan, err = a.n.PlanPModes(name, octets)
	} else {
		plan, _, err = a.n.ImportPModes(r.Context(), name, q.Get("description"), octets)
	}
	if issues := importIssues(err); issues != nil {
		return &apiError{Status: http.StatusUnprocessableEntity, Code: "PMODE", Text: strings.Join(issues, "; "), Remedy: "correct the file; with ?plan nothing is changed"}
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, PModeImportJSON{plan.Format, plan.Partners, plan.PModes, append([]pmode.Change{}, plan.Changes...), plan.Warnings, plan.NotServed, plan.Needs, !dry})
}

// TrustedListJSON lists certificates of a trust store.
type TrustedListJSON struct {
	Certificates []TrustedJSON `json:"certificates"`
}

// TrustedJSON is a certificate of a trust store.
type TrustedJSON struct {
	Alias     string    `json:"alias"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	SHA256    string    `json:"sha256"`
}

func (a api) trusted(w http.ResponseWriter, r *http.Request) error {
	s := TrustStore(r.PathValue("store"))
	if s != TrustMessages && s != TrustTLS {
		return store.ErrNotFound
	}
	list, err := a.n.TrustEntries(r.Context(), s)
	if err != nil {
		return err
	}
	out := TrustedListJSON{Certificates: []TrustedJSON{}}
	for _, e := range list {
		c := e.Certificate
		out.Certificates = append(out.Certificates, TrustedJSON{e.Alias, c.Subject.String(), c.Issuer.String(), c.NotBefore, c.NotAfter, fmt.Sprintf("%x", c.Fingerprint())})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (a api) trustCertificate(w http.ResponseWriter, r *http.Request) error {
	octets, err := upload(r)
	if err != nil {
		return err
	}
	err = a.n.trustAs(r.Context(), r.PathValue("store"), r.PathValue("alias"), octets)
	if errors.Is(err, ErrImport) {
		return badRequest("%v", err)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a api) distrust(w http.ResponseWriter, r *http.Request) error {
	if err := a.n.DropTrust(r.Context(), TrustStore(r.PathValue("store")), r.PathValue("alias")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// recordBy enters an act into the log of evidence that changes nothing in the store.
func (n *Node) recordBy(ctx context.Context, actor, act, subject string) {
	e := audit.Entry{Type: audit.Administration, Actor: actor, Subject: subject, Detail: act}
	if err := n.Evidence.Append(context.WithoutCancel(ctx), e); err != nil {
		n.Log.LogAttrs(ctx, slog.LevelError, "act not recorded", slog.String("actor", actor), slog.String("act", act), slog.Any("err", err))
	}
}
