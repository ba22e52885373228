package console

import (
	"bytes"
	"context"
	"html/template"
	"net/http"

	"github.com/viadukt-eu/viadukt/trust/report"
)

// Verifier judges the signatures of documents that people bring.
type Verifier interface {
	// Verify judges a document; what it signs may be given beside it. An error says that no signature could be read.
	Verify(ctx context.Context, name string, document []byte, detachedName string, detached []byte) (*report.Verdict, error)
}

type verifyData struct {
	Problem string // key
	Err     error
	Report  template.HTML
}

func (c *Console) verifyPage(x *call) error {
	return c.showSignatures(x, http.StatusOK, "", verifyData{})
}

func (c *Console) showSignatures(x *call, status int, name string, d verifyData) error {
	if c.opt.Verifier == nil {
		return errNotFound
	}
	return x.show(status, "verify", view{Title: "nav.verify", Name: name, Data: d})
}

// fileName is the name that a browser gives to an uploaded file, "" where there is none.
func (x *call) fileName(field string) string {
	_, h, err := x.r.FormFile(field)
	if err != nil {
		return ""
	}
	return clip(fileName(h.Filename), 100)
}

// handOut lets the browser save something.
func (x *call) handOut(kind, name string, b []byte) error {
	h := x.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", attachment(name))
	_, err := x.w.Write(b)
	return err
}

// verify judges an uploaded document and shows the verdict, or hands it out. Nothing of it is kept.
func (c *Console) verify(x *call) error {
	if c.opt.Verifier == nil {
		return errNotFound
	}
	document, err := x.upload("document")
	if err != nil {
		return err
	}
	detached, err := x.upload("detached")
	if err != nil {
		return err
	}
	name := x.fileName("document")
	if len(document) == 0 {
		return c.showSignatures(x, http.StatusUnprocessableEntity, "", verifyData{Problem: "validate.no-file"})
	}
	v, err := c.opt.Verifier.Verify(x.r.Context(), name, document, x.fileName("detached"), detached)
	if err != nil {
		return c.showSignatures(x, http.StatusOK, name, verifyData{Err: err})
	}
	var b bytes.Buffer
	switch x.value("as") {
	case "html":
		if err := v.WriteHTML(&b, x.look.Language); err != nil {
			return err
		}
		return x.handOut("text/html; charset=utf-8", name+".report.html", b.Bytes())
	case "pdf":
		pdf, err := v.PDF(x.look.Language)
		if err != nil {
			return err
		}
		return x.handOut("application/pdf", name+".report.pdf", pdf)
	case "etsi":
		if xml := v.ETSI(); xml != nil {
			return x.handOut("application/xml", name+".report.xml", xml)
		}
	}
	if err := v.Fragment(&b, x.look.Language); err != nil {
		return err
	}
	return c.showSignatures(x, http.StatusOK, name, verifyData{Report: template.HTML(b.String())}) // escaped by package report
}
