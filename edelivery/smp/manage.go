package smp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// What Management.Authorize answers: nobody, or the wrong one.
var (
	ErrUnauthenticated = errors.New("smp: credentials needed")
	ErrForbidden       = errors.New("smp: not the owner")
)

// Management is the writing side in the form that clients of the field use; no text of a standard defines it. Mount it on
// a listener of its own, behind authentication:
//
//	PUT    /{p}[?create-in-sml=false]     ServiceGroup
//	DELETE /{p}[?delete-in-sml=false]
//	PUT    /{p}/services/{d}              ServiceMetadata, unsigned; merged: see [Merge]
//	DELETE /{p}/services/{d}
//	DELETE /{p}/services/{d}/{process}
//	DELETE /{p}/services
//	GET    /complete/{p}                  CompleteServiceGroup; generation 1
//
// The same paths below /bdxr-smp-2: clients of OASIS 2.0 write there, servers of the field take it without.
type Management struct {
	Publisher *Publisher
	Prefix    string
	// Authorize says whether the request may change the participant: nil, [ErrUnauthenticated], [ErrForbidden]. A nil
	// function allows whatever came past the handlers in front.
	Authorize func(r *http.Request, p ids.Participant) error
	// Failed, when set, is told of errors whose cause the caller does not see.
	Failed func(r *http.Request, err error)
}

// ServeHTTP implements [http.Handler].
func (m *Management) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := m.serve(w, r)
	if err == nil {
		if body == nil {
			w.WriteHeader(http.StatusOK)
			return
		}
		w.Header().Set("Content-Type", contentType(Busdox10))
		_, _ = w.Write(body)
		return
	}
	code, text := m.problem(err)
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="smp", charset="UTF-8"`)
	}
	if code == http.StatusInternalServerError && m.Failed != nil {
		m.Failed(r, err)
	}
	http.Error(w, text, code)
}

var errMethod = errors.New("smp: no such operation")

func (m *Management) problem(err error) (code int, text string) {
	var id *ids.Error
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return http.StatusUnauthorized, "credentials needed"
	case errors.Is(err, ErrForbidden):
		return http.StatusForbidden, "not the owner"
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, "not registered"
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed, "no such operation"
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, ErrSyntax), errors.Is(err, ErrRoot), errors.Is(err, ErrWrongParticipant), errors.Is(err, ErrWrongDocument), errors.As(err, &id):
		return http.StatusBadRequest, err.Error()
	}
	return http.StatusInternalServerError, "internal error"
}

func (m *Management) serve(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), m.Prefix)
	if !ok {
		return nil, ErrNotFound
	}
	if rest, two := strings.CutPrefix(path, pathPrefix20); two && strings.HasPrefix(rest, "/") {
		path = rest
	}
	complete := false
	if rest, ok := strings.CutPrefix(path, "/complete/"); ok && r.Method == http.MethodGet {
		path, complete = "/"+rest, true
	}
	path, proc, err := cutProcess(path)
	if err != nil {
		return nil, err
	}
	at, err := ids.ParsePath(path)
	if err != nil {
		return nil, err
	}
	if m.Authorize != nil {
		if err := m.Authorize(r, at.Participant); err != nil {
			return nil, err
		}
	}
	switch {
	case complete && !at.Services:
		return m.complete(r.Context(), at.Participant)
	case r.Method == http.MethodPut && proc.IsZero() && at.Services == !at.DocumentType.IsZero():
		return nil, m.put(w, r, at)
	case r.Method == http.MethodDelete:
		return nil, m.delete(r, at, proc)
	}
	return nil, errMethod
}

// cutProcess takes the fourth segment off.
func cutProcess(path string) (string, ids.Process, error) {
	if strings.Count(path, "/") < 4 {
		return path, ids.Process{}, nil
	}
	i := strings.LastIndexByte(path, '/')
	s, err := ids.UnescapeSegment(path[i+1:])
	if err != nil || s == "" { // a slash at the end
		return path, ids.Process{}, err
	}
	p, err := ids.ParseProcess(s)
	return path[:i], p, err
}

func (m *Management) put(w http.ResponseWriter, r *http.Request, at ids.Path) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBytes))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return ErrTooLarge
		}
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if !at.Services {
		return m.putGroup(r, at.Participant, body)
	}
	md, err := ParseServiceMetadata(body)
	if err != nil {
		return err
	}
	o := VerifyOptions{Participant: at.Participant, DocumentType: at.DocumentType, Rules: m.Publisher.Rules}
	if !md.Participant.IsZero() { // a redirect of generation 1 names nobody; its href is the business of the other SMP
		if err := o.compare(md); err != nil {
			return err
		}
		at.DocumentType = md.DocumentType // in the spelling of the document
	}
	return m.Publisher.PutMetadata(r.Context(), at.Participant, at.DocumentType, md, true)
}

func (m *Management) putGroup(r *http.Request, p ids.Participant, body []byte) error {
	sg, err := ParseServiceGroup(body)
	if err != nil {
		return err
	}
	if !m.Publisher.Rules.SameParticipant(sg.Participant, p) {
		return fmt.Errorf("%w: %q in the body, %q in the path", ErrWrongParticipant, sg.Participant, p)
	}
	_, err = m.Publisher.PutGroup(r.Context(), sg, r.URL.Query().Get("create-in-sml") != "false")
	return err
}

func (m *Management) delete(r *http.Request, at ids.Path, proc ids.Process) error {
	ctx, p := r.Context(), m.Publisher
	switch {
	case !at.Services:
		return p.DeleteGroup(ctx, at.Participant, r.URL.Query().Get("delete-in-sml") != "false")
	case at.DocumentType.IsZero():
		return p.DeleteAllMetadata(ctx, at.Participant)
	case !proc.IsZero():
		return p.DeleteProcess(ctx, at.Participant, at.DocumentType, proc)
	}
	return p.DeleteMetadata(ctx, at.Participant, at.DocumentType)
}

// complete writes the group and all its metadata in one document.
func (m *Management) complete(ctx context.Context, who ids.Participant) ([]byte, error) {
	g := m.Publisher.Generations[0]
	space := map[Generation]string{Busdox10: NamespaceBusdox, OASIS10: NamespaceOASIS10}[g]
	if space == "" {
		return nil, errMethod
	}
	sg, err := m.Publisher.Group(ctx, who)
	if err != nil {
		return nil, err
	}
	w := dom.NewWriter([]byte(declaration))
	w.Start("smp:CompleteServiceGroup", "xmlns:smp", space)
	part, err := WriteServiceGroup(sg, g, m.Publisher.PublicURL)
	if err != nil {
		return nil, err
	}
	w.Raw(part[len(declaration):])
	for _, ref := range sg.References {
		md, err := m.Publisher.Metadata(ctx, who, ref.DocumentType)
		if err != nil {
			return nil, err
		}
		if part, err = WriteServiceMetadata(md, g); err != nil {
			return nil, err
		}
		w.Raw(part[len(declaration):])
	}
	w.End()
	return w.Bytes(), nil
}
