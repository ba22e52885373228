package console

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// call is one request: who asks, and how they want to see the answer.
type call struct {
	con  *Console
	w    http.ResponseWriter
	r    *http.Request
	who  *session // nil before the login
	form string   // secret of the forms before the login
	look look
	page *pageSet
}

// problem is an answer other than the page that was asked for.
type problem struct {
	status int
	key    string // of its text
	args   []any
	detail string // in English, from the node
	remedy string
}

func (p *problem) Error() string { return p.key }

var (
	errNotFound  = &problem{status: http.StatusNotFound, key: "error.not-found"}
	errForbidden = &problem{status: http.StatusForbidden, key: "error.forbidden"}
	errForm      = &problem{status: http.StatusForbidden, key: "error.form"}
	errTooLarge  = &problem{status: http.StatusRequestEntityTooLarge, key: "error.too-large"}
)

// bodyMost bounds a form; one with a document may be larger.
const (
	bodyMost     = 64 << 10
	documentMost = 10 << 20
)

// ServeHTTP implements [http.Handler].
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	// Nothing but files of the console itself, and forms that go back to it.
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if c.secure(r) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	c.mux.ServeHTTP(w, r)
}

// open serves a page that needs no login.
func (c *Console) open(pattern string, h func(*call) error) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, h) })
}

// page serves a page to users who have at least a role.
func (c *Console) page(pattern string, need Role, h func(*call) error) {
	c.open(pattern, func(x *call) error {
		switch {
		case x.who == nil || x.who.Stage != stageIn:
			return x.toLogin()
		case x.who.user.OneTime && !strings.HasPrefix(x.r.URL.Path, "/console/account"):
			return x.redirect("account")
		case !Role(x.who.user.Role).May(need):
			return errForbidden
		}
		return h(x)
	})
}

// serve is around every page: it finds out who asks, refuses forged forms, and shows what went wrong.
func (c *Console) serve(w http.ResponseWriter, r *http.Request, h func(*call) error) {
	x := &call{con: c, w: w, r: r}
	x.look = c.readLook(r)
	x.page = c.pages[x.look.Language]
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler {
				panic(v)
			}
			c.opt.Log.Error("console page failed", slog.String("path", r.URL.Path), slog.Any("err", v), slog.String("stack", string(debug.Stack())))
			x.fail(errors.New("panic"))
		}
	}()
	err := x.identify()
	if err == nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
		err = x.checkForm()
	}
	if err == nil {
		err = h(x)
	}
	if err != nil {
		x.fail(err)
	}
}

func (x *call) identify() (err error) {
	if x.who, err = x.con.current(x.r); err != nil {
		return err
	}
	if x.who != nil {
		x.con.touch(x.r.Context(), x.who)
		x.r = x.r.WithContext(store.WithActor(x.r.Context(), Actor(x.who.User)))
		return nil
	}
	if x.form = x.con.cookie(x.r, cookieForm); x.form == "" && x.r.Method == http.MethodGet {
		if x.form, err = x.con.newToken(); err != nil {
			return err
		}
		x.con.setCookie(x.w, x.r, cookieForm, x.form, 0)
	}
	return nil
}

// Actor names a person in the log of evidence.
func Actor(user string) string { return "console:" + user }

// csrf is what every form of the page carries.
func (x *call) csrf() string {
	if x.who != nil {
		return x.who.csrf()
	}
	if x.form == "" {
		return ""
	}
	return formToken(x.form)
}

// checkForm reads a form and refuses one that is not from a page of this session.
func (x *call) checkForm() error {
	if err := x.con.origins.Check(x.r); err != nil {
		return errForm
	}
	most := int64(bodyMost)
	multipart := strings.HasPrefix(x.r.Header.Get("Content-Type"), "multipart/form-data")
	if multipart && x.who != nil && x.who.Stage == stageIn {
		most = documentMost
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, most)
	var err error
	if multipart {
		err = x.r.ParseMultipartForm(most)
	} else {
		err = x.r.ParseForm()
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case err != nil:
		return &problem{status: http.StatusBadRequest, key: "error.request"}
	}
	if !same(x.csrf(), x.r.PostFormValue("csrf")) {
		return errForm
	}
	return nil
}

// role of who asks, "" before the login.
func (x *call) role() Role {
	if x.who == nil || x.who.Stage != stageIn {
		return ""
	}
	return Role(x.who.user.Role)
}

func (x *call) now() time.Time { return x.con.opt.Clock() }

// value is a field of the form, without white space around it.
func (x *call) value(name string) string { return strings.TrimSpace(x.r.PostFormValue(name)) }

// redirect leads to a page of the console after an act. path may carry a query.
func (x *call) redirect(path string) error {
	http.Redirect(x.w, x.r, Root+path, http.StatusSeeOther)
	return nil
}

// done leads to a page that says that something was done.
func (x *call) done(path, key string) error {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	return x.redirect(path + sep + "done=" + url.QueryEscape(key))
}

func (x *call) toLogin() error {
	if x.r.Method == http.MethodGet && x.r.URL.Path != "/console/live" {
		return x.redirect("login?next=" + url.QueryEscape(x.r.URL.RequestURI()))
	}
	if x.r.URL.Path == "/console/live" {
		x.w.WriteHeader(http.StatusNoContent) // tells the browser not to ask again
		return nil
	}
	return x.redirect("login")
}

// act records what somebody did.
func (x *call) act(what, subject string) {
	a := Act{What: what, Subject: subject, Address: x.con.address(x.r)}
	if x.who != nil {
		a.User = x.who.User
	}
	x.con.acted(x.r, a)
}

func (c *Console) acted(r *http.Request, a Act) {
	c.opt.Log.LogAttrs(r.Context(), slog.LevelInfo, "console act", slog.String("user", a.User), slog.String("act", a.What),
		slog.String("subject", a.Subject), slog.String("address", a.Address))
	c.opt.Acted(r.Context(), a)
}

// fail shows an error. What nobody foresaw is logged and not shown.
func (x *call) fail(err error) {
	var p *problem
	var refused *Refused
	switch {
	case errors.As(err, &p):
	case errors.As(err, &refused):
		p = &problem{status: http.StatusUnprocessableEntity, key: "error.refused", detail: refused.Text, remedy: refused.Remedy}
	case errors.Is(err, store.ErrNotFound):
		p = errNotFound
	case errors.Is(err, store.ErrTransition), errors.Is(err, store.ErrDuplicate):
		p = &problem{status: http.StatusConflict, key: "error.state"}
	case errors.Is(err, store.ErrGone):
		p = &problem{status: http.StatusGone, key: "error.gone"}
	case errors.Is(err, store.ErrDiskFull):
		p = &problem{status: http.StatusInsufficientStorage, key: "error.disk-full"}
	case errors.Is(err, errBusy):
		p = &problem{status: http.StatusServiceUnavailable, key: "error.busy"}
		x.w.Header().Set("Retry-After", "5")
	default:
		if x.r.Context().Err() != nil {
			return
		}
		x.con.opt.Log.Error("console page failed", slog.String("path", x.r.URL.Path), slog.Any("err", err))
		p = &problem{status: http.StatusInternalServerError, key: "error.internal"}
	}
	x.show(p.status, "error", view{Title: "error.title", Data: map[string]any{
		"Status": p.status, "Text": x.page.text(p.key, p.args...), "Detail": p.detail, "Remedy": p.remedy,
	}})
}

// view is what a template is given beside what every page has.
type view struct {
	Title string // key of its text, or the title itself
	Name  string // what the page is about: stands before the title
	Data  any
}

// frame is what the layout needs.
type frame struct {
	view
	About     About
	Page      string // its template
	User      string
	Role      Role
	CSRF      string
	Look      look
	Here      string // path and query, to come back to
	Done      string // key of what was done
	Audit     bool   // there is a log of evidence
	Validates bool   // documents are judged
	Verifies  bool   // signatures are
	Trusts    bool   // whom the node trusts is shown
	Insecure  bool   // the connection is not encrypted and leaves the machine
	OneTime   bool
}

func (x *call) frame(name string, v view) frame {
	f := frame{view: v, About: x.con.opt.About, Page: name, Role: x.role(), CSRF: x.csrf(), Look: x.look, Here: x.r.URL.RequestURI(), Audit: x.con.opt.Audit != nil, Validates: x.con.opt.Validator != nil, Verifies: x.con.opt.Verifier != nil, Trusts: x.con.opt.Trust != nil}
	if x.role() != "" {
		f.User, f.OneTime = x.who.User, x.who.user.OneTime
	}
	if key := x.r.URL.Query().Get("done"); strings.HasPrefix(key, "done.") && x.page.has(key) {
		f.Done = key
	}
	if x.r.Method != http.MethodGet {
		f.Here = Root
	}
	f.Insecure = !x.con.secure(x.r) && !loopback(x.r)
	return f
}

// show renders a page.
func (x *call) show(status int, name string, v view) error {
	var b bytes.Buffer
	if err := x.page.render(&b, name, x.frame(name, v)); err != nil {
		x.con.opt.Log.Error("console template failed", slog.String("page", name), slog.Any("err", err))
		http.Error(x.w, "the page could not be made; the log says more", http.StatusInternalServerError)
		return nil
	}
	h := x.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", x.look.Language)
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		x.w.Write(b.Bytes())
	}
	return nil
}

// row is a message number in the path.
func (x *call) row() (int64, error) {
	id, err := strconv.ParseInt(x.r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, errNotFound
	}
	return id, nil
}

// index is a place in a list of n things, in the path.
func (x *call) index(n int) (int, error) {
	i, err := strconv.Atoi(x.r.PathValue("n"))
	if err != nil || i < 0 || i >= n {
		return 0, errNotFound
	}
	return i, nil
}

func messagePath(id int64) string { return fmt.Sprintf("messages/%d", id) }
