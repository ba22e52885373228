package backoffice

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node/store"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// parseTime reads an xs:dateTime; without a zone it is local time, as these back ends have it.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.ParseInLocation("2006-01-02T15:04:05.999999999", s, time.Local)
}

// downloaded marks that the back office has a message. That it had it already is no error.
func (s *Service) downloaded(ctx context.Context, m *store.Message) error {
	now := s.Clock()
	return s.Store.Write(ctx, func(tx store.Tx) error {
		current, err := tx.Message(m.ID)
		if err != nil || current.State == store.Confirmed {
			return err
		}
		if err := tx.Transition(m.ID, store.Confirmed, store.Change{Time: now, Detail: "downloaded by the back office"}); err != nil {
			return err
		}
		if keep := s.Settings.KeepDownloaded.D(); keep > 0 {
			return tx.PutTask(&store.Task{Queue: queueLocal, Kind: kindPurge, Message: m.ID, Due: now.Add(keep)})
		}
		return nil
	})
}

// retrieve answers retrieveMessage. The payloads are opened before a word is answered, and the message counts as
// downloaded once all of them have left; the end of the answer leaves after that is on record.
func (c *call) retrieve(ctx context.Context, w http.ResponseWriter) error {
	m, err := c.incoming(ctx)
	if err != nil {
		return err
	}
	mark := true
	if v, ok := attribute(c.op, "markAsDownloaded"); ok && c.ns != nsOld {
		mark = v != "false" && v != "0"
	}
	um, err := c.s.Gateway.Header(m)
	if err != nil {
		return err
	}
	bodies, err := c.s.openAll(ctx, m)
	if err != nil {
		return err
	}
	defer closeAll(bodies)
	x := dom.NewWriter(make([]byte, 0, 4<<10))
	x.Start("eb:Messaging", "xmlns:eb", ebms.NS, "mustUnderstand", "false")
	writeUserMessage(x, "eb", um, c.s.Clock())
	x.End()
	header := x.Bytes()
	finish := func() error {
		if !mark {
			return nil
		}
		return c.s.downloaded(context.WithoutCancel(ctx), m)
	}
	out := answerWriter{ns: c.ns, wrapper: "retrieveMessageResponse", header: header, parts: um.Parts, bodies: bodies}
	if c.s.Settings.MTOM {
		err = out.mtom(w, finish)
	} else {
		w.Header().Set("Content-Type", soapType+"; charset=UTF-8")
		err = out.inline(w, finish)
	}
	if err != nil { // the answer has begun: only breaking it off tells the client
		c.s.Log.LogAttrs(ctx, slog.LevelWarn, "message not retrieved wholly", slog.String("msgid", m.MessageID), slog.Any("err", err))
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (s *Service) openAll(ctx context.Context, m *store.Message) (bodies []io.ReadCloser, err error) {
	for i := range m.Payloads {
		var b io.ReadCloser
		if err = store.ErrGone; !m.Payloads[i].Gone {
			b, err = s.Gateway.Open(ctx, &m.Payloads[i])
		}
		if err != nil {
			closeAll(bodies)
			return nil, err
		}
		bodies = append(bodies, b)
	}
	return bodies, nil
}

func closeAll(bodies []io.ReadCloser) {
	for _, b := range bodies {
		b.Close()
	}
}

// answerWriter writes a message with its payloads as these interfaces give it, payloads streamed.
type answerWriter struct {
	ns, wrapper string
	header      []byte // the header block
	parts       []ebms.PartInfo
	bodies      []io.ReadCloser
	push        bool // with the attributes that a pushed message has
}

// element names a payload and gives its attributes.
func (a *answerWriter) element(i int) (name string, attrs []string) {
	if i >= len(a.parts) {
		return "payload", []string{"payloadId", fmt.Sprintf("payload-%d", i+1)}
	}
	p := &a.parts[i]
	if p.InBody() {
		name = "bodyload"
	} else {
		name, attrs = "payload", []string{"payloadId", p.Href}
	}
	if a.push {
		if mime, ok := p.Property(ebms.PropertyMimeType); ok {
			attrs = append(attrs, "mimeType", mime)
		}
		if file, ok := p.Property("PayloadName"); ok {
			attrs = append(attrs, "payloadName", file)
		}
	}
	return name, attrs
}

// startTag writes a tag with its attributes escaped.
func startTag(name string, attrs []string) string {
	x := dom.NewWriter(nil)
	x.Element(name, "", attrs...)
	return strings.TrimSuffix(string(x.Bytes()), "</"+name+">")
}

func (a *answerWriter) head() string {
	return `<S12:Envelope xmlns:S12="` + ebms.NSSOAP + `"><S12:Header>` + string(a.header) + `</S12:Header><S12:Body>` + startTag("w:"+a.wrapper, []string{"xmlns:w", a.ns})
}

func (a *answerWriter) tail() string { return "</w:" + a.wrapper + "></S12:Body></S12:Envelope>" }

// order has bodyload first, as the schema wants it.
func (a *answerWriter) order() []int {
	var first, rest []int
	for i := range a.bodies {
		if name, _ := a.element(i); name == "bodyload" {
			first = append(first, i)
		} else {
			rest = append(rest, i)
		}
	}
	return append(first, rest...)
}

// inline writes the envelope with the payloads in base64. finish runs before the last words are written.
func (a *answerWriter) inline(w io.Writer, finish func() error) error {
	if _, err := io.WriteString(w, a.head()); err != nil {
		return err
	}
	for _, i := range a.order() {
		name, attrs := a.element(i)
		if _, err := io.WriteString(w, startTag(name, attrs)+"<value>"); err != nil {
			return err
		}
		enc := base64.NewEncoder(base64.StdEncoding, w)
		if _, err := io.Copy(enc, a.bodies[i]); err != nil {
			return err
		}
		if err := enc.Close(); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "</value></"+name+">"); err != nil {
			return err
		}
	}
	if err := finish(); err != nil {
		return err
	}
	_, err := io.WriteString(w, a.tail())
	return err
}

// mtom writes the envelope with the payloads as parts behind it.
func (a *answerWriter) mtom(w http.ResponseWriter, finish func() error) error {
	boundary, err := ebms.NewBoundary(rand.Reader)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", `multipart/related; type="application/xop+xml"; boundary="`+boundary+`"; start="<root@viadukt>"; start-info="`+soapType+`"`)
	root := a.head()
	order := a.order()
	for _, i := range order {
		name, attrs := a.element(i)
		root += startTag(name, attrs) + "<value>" + startTag("xop:Include", []string{"xmlns:xop", nsXOP, "href", fmt.Sprintf("cid:payload%d@viadukt", i)}) + "</xop:Include></value></" + name + ">"
	}
	root += a.tail()
	part := func(contentType, id string) error {
		_, err := fmt.Fprintf(w, "\r\n--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <%s>\r\n\r\n", boundary, contentType, id)
		return err
	}
	if err := part(`application/xop+xml; charset=UTF-8; type="`+soapType+`"`, "root@viadukt"); err != nil {
		return err
	}
	if _, err := io.WriteString(w, root); err != nil {
		return err
	}
	for _, i := range order {
		if err := part("application/octet-stream", fmt.Sprintf("payload%d@viadukt", i)); err != nil {
			return err
		}
		if _, err := io.Copy(w, a.bodies[i]); err != nil {
			return err
		}
	}
	if err := finish(); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\r\n--"+boundary+"--\r\n")
	return err
}
