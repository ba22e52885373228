package console

import (
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// evidence gives the octets that were kept to prove something.
func (c *Console) evidence(x *call) error {
	id, err := x.row()
	if err != nil {
		return err
	}
	list, err := c.opt.Store.Evidence(x.r.Context(), id)
	if err != nil {
		return err
	}
	n, err := x.index(len(list))
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(len(list[n].Octets)))
	h.Set("Content-Disposition", attachment(fmt.Sprintf("message-%d-%s-%d.xml", id, list[n].Kind, n+1)))
	x.w.Write(list[n].Octets)
	return nil
}

// document gives a payload out of its envelope. It is content of others: the browser must save it and not show it.
func (c *Console) document(x *call) error {
	id, err := x.row()
	if err != nil {
		return err
	}
	m, err := c.opt.Store.Message(x.r.Context(), id)
	if err != nil {
		return err
	}
	n, err := x.index(len(m.Payloads))
	if err != nil {
		return err
	}
	body, name, err := c.opt.Messages.OpenDocument(x.r.Context(), m, n)
	if err != nil {
		return err
	}
	defer body.Close()
	x.act("document.read", fmt.Sprintf("%d/%d", id, n+1))
	if name = fileName(name); name == "" {
		name = fmt.Sprintf("message-%d-document-%d", id, n+1)
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", attachment(name))
	if _, err := io.Copy(x.w, body); err != nil {
		c.opt.Log.Warn("document not sent wholly", slog.String("msgid", m.MessageID), slog.Any("err", err))
		panic(http.ErrAbortHandler) // the browser must not take a part for the whole
	}
	return nil
}

func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// fileName takes the last part of a name that somebody else chose, without what file systems stumble over.
func fileName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`<>:"/|?*`, r) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	name = strings.TrimLeft(clip(name, 150), ".")
	if name == "/" {
		return ""
	}
	return name
}
