package validation

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/edocument/report"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

const daemonNamespace = "http://www.xoev.de/de/validator/framework/1/daemon"

// KoSIT answers as the daemon of the KoSIT validator: a document is posted to any path, whose last part names it, and
// the report comes back with 200 where the document is acceptable, 406 where it is not, 422 where it could not be judged.
// GET /server/health tells that the service is there, GET /server/config which rules it has.
func (s *Service) KoSIT() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /server/health", s.health)
	mux.HandleFunc("GET /server/config", s.rules)
	var counter atomic.Int64
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart") {
			refuse(w, http.StatusBadRequest, "No content supplied")
			return
		}
		name := path.Base(r.URL.Path)
		if r.URL.Path == "/" {
			name = fmt.Sprintf("supplied_instance_%d", counter.Add(1))
		}
		d, err := s.Judge(r.Context(), name, r.Body)
		switch {
		case errors.Is(err, errEmpty):
			refuse(w, http.StatusBadRequest, "No content supplied")
			return
		case errors.Is(err, edocument.ErrSize):
			refuse(w, http.StatusRequestEntityTooLarge, err.Error())
			return
		case err != nil:
			refuse(w, http.StatusInternalServerError, "Internal error: the document could not be read")
			return
		}
		status := http.StatusNotAcceptable
		switch {
		case d.Valid():
			status = http.StatusOK
		case d.Err != nil && !d.NotXML && !errors.Is(d.Err, edocument.ErrUnknownType):
			status = http.StatusUnprocessableEntity
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		w.Write(report.KoSIT(d))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, "Method "+r.Method+" not supported")
	})
	return mux
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write([]byte(text))
}

// health is what supervisors ask for.
func (s *Service) health(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	x := dom.NewWriter(nil)
	x.Start("health", "xmlns", daemonNamespace)
	x.Element("status", "UP")
	x.Start("application")
	x.Element("name", report.Engine)
	x.Element("version", s.opt.Version)
	x.Element("build", s.opt.Version)
	x.End()
	x.Start("memory")
	x.Element("freeMemory", strconv.FormatUint(m.HeapIdle, 10))
	x.Element("maxMemory", strconv.FormatUint(m.Sys, 10))
	x.Element("totalMemory", strconv.FormatUint(m.HeapSys, 10))
	x.End()
	x.End()
	w.Header().Set("Content-Type", "application/xml")
	w.Write(x.Bytes())
}

// rules names the packs, as scenarios.
func (s *Service) rules(w http.ResponseWriter, _ *http.Request) {
	x := dom.NewWriter(nil)
	x.Start("scenarios", "xmlns", "http://www.xoev.de/de/validator/framework/1/scenarios", "frameworkVersion", "1.0.0")
	x.Element("name", report.Engine)
	x.Element("date", s.opt.Clock().Format("2006-01-02"))
	x.Start("description")
	for _, p := range s.opt.Packs() {
		x.Element("p", p)
	}
	x.Element("p", "rules of EN 16931 and of Peppol BIS Billing that the program brings along")
	x.End()
	x.End()
	w.Header().Set("Content-Type", "application/xml")
	w.Write(x.Bytes())
}
