package smp

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
)

// Server answers GET and HEAD for the documents of a registry, for everybody:
//
//	/{participant}                                      ServiceGroup
//	/{participant}/services/{document type}             SignedServiceMetadata
//	/bdxr-smp-2/{participant}[/services/{document type}]  the same of OASIS SMP 2.0
//
// 400 for what is no identifier, 404 for unknown, 500 when the registry fails; the body says no more than that.
type Server struct {
	Registry Registry
	// Generations that are served, at most one of generation 1: the two share their paths.
	Generations []Generation
	// Prefix of all paths, "" or "/smp"; cut off before the path is read.
	Prefix string
	// Rules of comparison; must be those of the Publisher.
	Rules ids.Rules
	// ParticipantScheme and DocumentScheme answer for identifiers that come without scheme [SMP1 2.4]; "" for none.
	ParticipantScheme, DocumentScheme string
	// Failed, when set, is told of errors of the registry, which the asker does not see.
	Failed func(r *http.Request, err error)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	g, path, ok := route(r, s.Prefix, s.Generations)
	if !ok {
		http.NotFound(w, r)
		return
	}
	at, err := ids.ParsePath(path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if at.Services && at.DocumentType.IsZero() {
		http.NotFound(w, r)
		return
	}
	rec, err := s.find(r, g, at)
	switch {
	case errors.Is(err, ErrNotFound):
		http.Error(w, "not registered", http.StatusNotFound)
	case err != nil:
		if s.Failed != nil {
			s.Failed(r, err)
		}
		http.Error(w, "internal error", http.StatusInternalServerError)
	default:
		reply(w, r, &rec)
	}
}

// route cuts the prefixes off the escaped path: it must be split before it is decoded [SMP2 3.3].
func route(r *http.Request, prefix string, served []Generation) (g Generation, path string, ok bool) {
	path, ok = strings.CutPrefix(r.URL.EscapedPath(), prefix)
	if !ok {
		return 0, "", false
	}
	if rest, two := strings.CutPrefix(path, pathPrefix20); two && strings.HasPrefix(rest, "/") {
		return OASIS20, rest, slices.Contains(served, OASIS20)
	}
	for _, g := range served {
		if g != OASIS20 {
			return g, path, true
		}
	}
	return 0, "", false
}

// find looks under the identifiers as they are, then under the schemes that may be left out.
func (s *Server) find(r *http.Request, g Generation, at ids.Path) (Record, error) {
	p, d := at.Participant, at.DocumentType
	rec, err := s.Registry.Get(r.Context(), keyOf(g, p, d, s.Rules))
	if !errors.Is(err, ErrNotFound) || s.ParticipantScheme == "" && s.DocumentScheme == "" {
		return rec, err
	}
	if s.ParticipantScheme != "" && p.Scheme == "" {
		p.Scheme = s.ParticipantScheme
	}
	if rec, err = s.Registry.Get(r.Context(), keyOf(g, p, d, s.Rules)); !errors.Is(err, ErrNotFound) || s.DocumentScheme == "" || d.IsZero() {
		return rec, err
	}
	// A value without scheme may hold "::" itself, and was then cut in two.
	d = ids.DocumentType{Scheme: s.DocumentScheme, Value: d.String()}
	return s.Registry.Get(r.Context(), keyOf(g, p, d, s.Rules))
}

// reply writes a stored document, or 304 to one who has it.
func reply(w http.ResponseWriter, r *http.Request, rec *Record) {
	h := w.Header()
	h["Content-Type"] = contentTypes[rec.Generation]
	h["Etag"] = []string{rec.ETag}
	h["Cache-Control"] = noCache
	h["X-Content-Type-Options"] = noSniff
	if !rec.Updated.IsZero() {
		h["Last-Modified"] = []string{rec.Updated.UTC().Format(http.TimeFormat)}
	}
	if unchanged(r, rec) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Length"] = []string{strconv.Itoa(len(rec.Octets))}
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(rec.Octets)
}

// Header values that never change, made once.
var (
	noCache      = []string{"no-cache"} // keep it, but ask before each use
	noSniff      = []string{"nosniff"}
	contentTypes = map[Generation][]string{
		Busdox10: {contentType(Busdox10)}, OASIS10: {contentType(OASIS10)}, OASIS20: {contentType(OASIS20)},
	}
)

// unchanged evaluates the conditional headers; If-None-Match outranks the date [RFC 9110 13.2.2].
func unchanged(r *http.Request, rec *Record) bool {
	if values := r.Header["If-None-Match"]; len(values) > 0 {
		for _, v := range values {
			for tag := range strings.SplitSeq(v, ",") {
				tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
				if tag == "*" || tag == rec.ETag {
					return true
				}
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !rec.Updated.IsZero() && !rec.Updated.Truncate(time.Second).After(since)
}
