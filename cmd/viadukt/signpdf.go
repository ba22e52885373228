package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/cades"
	"github.com/viadukt-eu/viadukt/trust/pades"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// pageFlags are what sign can be asked for with PDF alone.
type pageFlags struct {
	visible, text, picture *string
	reason, field          *string
	certify                *int
}

func (c *call) pageFlags() *pageFlags {
	return &pageFlags{
		visible: c.String("visible", "", "show the signature in PDF: `PAGE:LEFT,BOTTOM,WIDTH,HEIGHT` in points, page -1 is the last"),
		text:    c.String("text", "", "the `text` of a visible signature; default: who signed and when"),
		picture: c.String("image", "", "PNG, JPEG or GIF `file` in a visible signature"),
		reason:  c.String("reason", "", "why you sign a PDF, a `text`"),
		field:   c.String("field", "", "the empty field of a PDF that is signed, or a new one of this `name`"),
		certify: c.Int("certify", 0, "certify a PDF: 1 nothing may change, 2 fields may be filled in and signed, 3 annotated too, a `number`"),
	}
}

// given tells whether one of them was.
func (f *pageFlags) given() bool {
	return *f.visible != "" || *f.text != "" || *f.picture != "" || *f.reason != "" || *f.field != "" || *f.certify != 0
}

// appearance is what --visible, --text and --image ask for; nil for nothing.
func (f *pageFlags) appearance(signer string, at time.Time) (*pades.Appearance, error) {
	if *f.visible == "" {
		if *f.text != "" || *f.picture != "" {
			return nil, usage("--text and --image are for visible signatures: say where with --visible")
		}
		return nil, nil
	}
	a := &pades.Appearance{Text: *f.text}
	var w, h float64
	if n, err := fmt.Sscanf(*f.visible, "%d:%g,%g,%g,%g", &a.Page, &a.Rect[0], &a.Rect[1], &w, &h); err != nil || n != 5 || w <= 0 || h <= 0 {
		return nil, usage("--visible: %q is no place such as 1:50,50,200,60", *f.visible)
	}
	a.Rect[2], a.Rect[3] = a.Rect[0]+w, a.Rect[1]+h
	if *f.picture != "" {
		b, err := os.ReadFile(*f.picture)
		if err != nil {
			return nil, usage("--image: %v", err)
		}
		if a.Image, err = pades.DecodeImage(b); err != nil {
			return nil, usage("--image: %s: %v", *f.picture, err)
		}
	}
	if a.Text == "" && a.Image == nil {
		a.Text = signer + "\n" + at.UTC().Format("2006-01-02 15:04:05Z")
	}
	return a, nil
}

// openPDF opens a file for reading where it stands.
func openPDF(file string) (*os.File, *pades.Document, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	info, err := f.Stat()
	if err == nil {
		var d *pades.Document
		if d, err = pades.Open(f, info.Size()); err == nil {
			return f, d, nil
		}
	}
	f.Close()
	return nil, nil, &exit{status: statusInvalid, Code: "NOT_READ", Text: err.Error(), Where: file}
}

// writeBehind writes a file with octets behind it, to another place or in its own.
func writeBehind(f *os.File, more []byte, to string) error {
	return writeFile(to, func(w io.Writer) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(w, f)
		if err == nil {
			_, err = w.Write(more)
		}
		return err
	})
}

// pades signs a PDF file and says where it is.
func (s *signing) pades(ctx context.Context, file, out string) (string, error) {
	if s.packaging != "" && s.packaging != "enveloped" {
		return "", usage("signatures of PDF stand in it: leave --packaging away, or take --format cades")
	}
	f, d, err := openPDF(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	p := pades.Parameters{
		Time: s.at, Reason: *s.page.reason, Location: strings.Trim(s.city+", "+s.country, ", "), Field: *s.page.field, Permission: *s.page.certify,
	}
	if p.Visible, err = s.page.appearance(s.id.Certificate.Subject.CommonName(), p.Time); err != nil {
		return "", err
	}
	if p.CMS.Policy, err = s.policy.CMS(); err != nil {
		return "", adesProblem(err)
	}
	if s.commitment != "" {
		oid, ok := pki.ParseOID(s.commitment)
		if !ok {
			return "", usage("--commitment: PDF names commitments by OID, such as %s", cades.ProofOfApproval)
		}
		p.CMS.Commitments = []cades.Commitment{{ID: oid}}
	}
	if len(s.roles) > 0 {
		p.CMS.Claimed = []cades.ClaimedAttribute{{Type: cades.RoleAttribute, Values: s.roles}}
	}
	more, err := pades.Sign(ctx, rand.Reader, s.id, d, p, s.stamp)
	if errors.Is(err, pades.ErrField) || errors.Is(err, pades.ErrForbidden) || errors.Is(err, pades.ErrDictionary) {
		return "", usage("%v", err)
	}
	if err != nil {
		return "", err
	}
	if out == "" {
		out = strings.TrimSuffix(file, filepath.Ext(file)) + ".signed.pdf"
	}
	return out, writeBehind(f, more, out)
}
