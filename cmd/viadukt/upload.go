package main

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/mediatype"
)

// upload streams files to the node: one as it is, several, or one with properties of a message, as a form.
func (a *api) upload(files []string, fields map[string]string) (*node.MessageJSON, error) {
	var total int64
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return nil, &exit{status: statusUsage, Code: "NO_FILE", Text: err.Error()}
		}
		if info.IsDir() {
			return nil, usage("%s is a folder: name its files", f)
		}
		total += info.Size()
	}
	bar := newProgress(a.c.p, total)
	defer bar.done()
	var answer io.ReadCloser
	var err error
	if len(files) == 1 {
		answer, err = a.uploadOne(files[0], fields, bar)
	} else {
		answer, err = a.uploadForm(files, fields, bar)
	}
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	var m node.MessageJSON
	return &m, json.NewDecoder(answer).Decode(&m)
}

func (a *api) uploadOne(file string, fields map[string]string, bar *progress) (io.ReadCloser, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	q := url.Values{}
	for k, v := range fields {
		q.Set(k, v)
	}
	h := http.Header{"Content-Type": {mediatype.Of(file)}}
	if d := mime.FormatMediaType("attachment", map[string]string{"filename": filepath.Base(file)}); d != "" {
		h.Set("Content-Disposition", d)
	}
	return a.do(http.MethodPost, "/messages", q, h, sized{bar.reader(f), bar.total})
}

// sized tells a request how long its body is.
type sized struct {
	io.Reader
	n int64
}

func (s sized) Size() int64 { return s.n }

func (a *api) uploadForm(files []string, fields map[string]string, bar *progress) (io.ReadCloser, error) {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() { w.CloseWithError(writeForm(form, files, fields, bar)) }()
	answer, err := a.do(http.MethodPost, "/messages", nil, http.Header{"Content-Type": {form.FormDataContentType()}}, r)
	r.Close() // the writer ends, also when the node answered before it had read all
	return answer, err
}

func writeForm(form *multipart.Writer, files []string, fields map[string]string, bar *progress) error {
	w, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="message"`}, "Content-Type": {"application/json"}})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(fields); err != nil {
		return err
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		d := mime.FormatMediaType("form-data", map[string]string{"name": "payload", "filename": filepath.Base(file)})
		if w, err = form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {d}, "Content-Type": {mediatype.Of(file)}}); err == nil {
			_, err = io.Copy(w, bar.reader(f))
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	return form.Close()
}

// progress shows on a terminal how far a long upload is.
type progress struct {
	w           io.Writer // nil: silent
	total, sent int64
	shown       time.Time
}

// longUpload is the size from which on a person wants to see that something happens.
const longUpload = 4 << 20

func newProgress(p *program, total int64) *progress {
	b := &progress{total: total}
	if total >= longUpload && isTerminal(p.err) {
		b.w = p.err
	}
	return b
}

func (b *progress) reader(r io.Reader) io.Reader {
	if b.w == nil {
		return r
	}
	return progressReader{r, b}
}

type progressReader struct {
	io.Reader
	b *progress
}

func (r progressReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.b.sent += int64(n)
	r.b.show()
	return n, err
}

// show draws the bar, not more often than one can see.
func (b *progress) show() {
	if now := time.Now(); now.Sub(b.shown) > 100*time.Millisecond {
		b.shown = now
		fmt.Fprintf(b.w, "\r  %s %3d %% of %s", bar(b.sent, b.total), 100*b.sent/max(b.total, 1), octets(b.total))
	}
}

// bar draws how much of something is done.
func bar(done, of int64) string {
	const width = 30
	full := int(width * done / max(of, 1))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// done clears the line.
func (b *progress) done() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// octets writes a size for people.
func octets(n int64) string {
	switch {
	case n >= 10e9:
		return fmt.Sprintf("%d GB", n/1e9)
	case n >= 10e6:
		return fmt.Sprintf("%d MB", n/1e6)
	case n >= 10e3:
		return fmt.Sprintf("%d kB", n/1e3)
	}
	return fmt.Sprintf("%d octets", n)
}
