package console

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/node/mediatype"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Post takes messages that a person hands over. A *Refused says why one is not taken.
type Post interface {
	// Domains are the fields of use that find out by themselves who gets a document.
	Domains() []string
	// Send stores a message for sending and returns its number.
	Send(ctx context.Context, l *Letter) (int64, error)
	// Reply answers a received message. What the letter leaves open is taken from there.
	Reply(ctx context.Context, request int64, l *Letter) (int64, error)
}

// Letter is a message that a person hands over.
type Letter struct {
	Agreement, Domain string // by which it goes; at most one
	Sender, Receiver  string // scheme::value
	Service, Action   string // "": those of the agreement
	Parts             []Part
}

// Part is one document of a letter.
type Part struct {
	Name, MimeType string
	Body           io.Reader
}

type sendData struct {
	Letter
	Way        string // "pmode:ID", "domain:NAME" or ""
	Agreements []Agreement
	Domains    []string
	Reply      *store.Message // that is answered
	Problem    string         // key
	Detail     string         // in English, from the node
	Remedy     string
}

// partsMost bounds the documents of one form.
const partsMost = 100

func (c *Console) sendPage(x *call) error { return c.showSend(x, http.StatusOK, &sendData{}) }

func (c *Console) showSend(x *call, status int, d *sendData) error {
	if c.opt.Post == nil {
		return errNotFound
	}
	id := x.r.FormValue("reply")
	if id != "" {
		row, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return errNotFound
		}
		if d.Reply, err = c.opt.Store.Message(x.r.Context(), row); err != nil {
			return err
		}
		if !answerable(d.Reply) {
			return errNotFound
		}
	}
	d.Domains = c.opt.Post.Domains()
	d.Agreements = slices.DeleteFunc(slices.Clone(c.opt.Network.Agreements()), func(a Agreement) bool { return a.Direction != store.Out })
	return x.show(status, "send", view{Title: "send.title", Data: d})
}

// answerable says whether a person may answer a message.
func answerable(m *store.Message) bool { return m.Direction == store.In && !m.Test }

func (c *Console) send(x *call) error {
	if c.opt.Post == nil {
		return errNotFound
	}
	d := &sendData{Way: x.value("way"), Letter: Letter{Sender: x.value("sender"), Receiver: x.value("receiver"), Service: x.value("service"), Action: x.value("action")}}
	switch kind, name, _ := strings.Cut(d.Way, ":"); kind {
	case "pmode":
		d.Agreement = name
	case "domain":
		d.Domain = name
	}
	again := func(key string, err error) error {
		d.Problem, d.Parts = key, nil
		var refused *Refused
		if errors.As(err, &refused) {
			d.Detail, d.Remedy = refused.Text, refused.Remedy
		}
		return c.showSend(x, http.StatusUnprocessableEntity, d)
	}
	if x.r.MultipartForm == nil || len(x.r.MultipartForm.File["document"]) == 0 {
		return again("send.no-document", nil)
	}
	files := x.r.MultipartForm.File["document"]
	if len(files) > partsMost {
		return again("send.refused", &Refused{store.Problem{Text: "more than " + strconv.Itoa(partsMost) + " documents"}})
	}
	for _, h := range files {
		f, err := h.Open()
		if err != nil {
			return err
		}
		defer f.Close()
		name := clip(path.Base(strings.ReplaceAll(h.Filename, `\`, "/")), 200)
		d.Parts = append(d.Parts, Part{name, mediaType(h.Header.Get("Content-Type"), name), f})
	}
	var id int64
	what, reply := "message.send", x.value("reply")
	if reply == "" {
		var err error
		if id, err = c.opt.Post.Send(x.r.Context(), &d.Letter); err != nil {
			return c.notSent(err, again)
		}
	} else {
		row, err := strconv.ParseInt(reply, 10, 64)
		if err != nil {
			return errNotFound
		}
		if id, err = c.opt.Post.Reply(x.r.Context(), row, &d.Letter); err != nil {
			return c.notSent(err, again)
		}
		what = "message.reply"
	}
	x.act(what, strconv.FormatInt(id, 10))
	return x.done(messagePath(id), "done.sent")
}

// notSent shows on the form what a person can correct there.
func (c *Console) notSent(err error, again func(key string, err error) error) error {
	var refused *Refused
	if !errors.As(err, &refused) {
		return err
	}
	return again("send.refused", err)
}

// mediaType of a file: what the browser says, else what its name says.
func mediaType(said, name string) string {
	if t, _, err := mime.ParseMediaType(said); err == nil && t != mediatype.Unknown {
		return t
	}
	return mediatype.Of(name)
}
