package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
	"github.com/viadukt-eu/viadukt/xmlcore/xpath"
)

// xpathItem is one item of a result.
type xpathItem struct {
	Type   string `json:"type"`
	Value  string `json:"value"`
	Path   string `json:"path,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// namespaceFlag collects prefix=namespace pairs.
type namespaceFlag map[string]string

func (f namespaceFlag) String() string { return "" }

func (f namespaceFlag) Set(s string) error {
	prefix, uri, ok := strings.Cut(s, "=")
	if !ok {
		return errors.New("write prefix=namespace")
	}
	f[prefix] = uri
	return nil
}

func prepareXPath(c *call) func() error {
	c.least, c.most = 2, -1
	c.jsonFlag()
	namespaces := namespaceFlag{}
	c.Var(namespaces, "ns", "`prefix=namespace`, may be repeated; the prefixes that the document element declares need none")
	elements := c.String("default-ns", "", "`namespace` of names without prefix")
	explain := c.Bool("explain", false, "show what each part of the expression gave")
	within := c.Duration("timeout", 30*time.Second, "give up after this `time` a file")
	return func() error {
		src := c.values[0]
		c.values = c.values[1:]
		return c.each(func(file string) (*xmlFile, string) {
			d, f := c.parseFile(file)
			if d == nil {
				return f, ""
			}
			f.OK = false
			e, err := xpath.Compile(src, xpathStatic(d, file, namespaces, *elements))
			if err != nil {
				f.Error = xpathError(err, statusUsage)
				return f, ""
			}
			start := time.Now()
			ctx := xpathContext(d, file, start, *within)
			v, err := e.Evaluate(ctx)
			f.Millis = float64(time.Since(start).Microseconds()) / 1000
			var text strings.Builder
			if err != nil {
				status := statusInvalid
				if errors.Is(err, xpath.ErrLimit) || errors.Is(err, xpath.ErrCancelled) {
					status = statusFailed
				}
				f.Error = xpathError(err, status)
				text.WriteString(f.Error.Error())
			} else {
				f.OK = true
				items := make([]xpathItem, 0, len(v))
				fmt.Fprintf(&text, "%s in %.1f ms", count(len(v), "item"), f.Millis)
				for _, it := range v {
					i := xpathResult(it)
					items = append(items, i)
					text.WriteString("\n    " + i.String())
				}
				f.Result = items
			}
			if *explain {
				x := e.Explain(ctx)
				f.Explanation = x.String()
				text.WriteString("\n    " + strings.ReplaceAll(strings.TrimSpace(f.Explanation), "\n", "\n    "))
			}
			return f, text.String()
		})
	}
}

// xpathStatic declares the prefixes of the document element and those that were given, which win.
func xpathStatic(d *dom.Document, file string, given map[string]string, elements string) *xpath.Static {
	s := &xpath.Static{Namespaces: map[string]string{}, DefaultElementNamespace: elements, BaseURI: fileURI(file)}
	for prefix, uri := range d.Root().InScope() {
		if prefix != "" {
			s.Namespaces[prefix] = uri
		}
	}
	for prefix, uri := range given {
		s.Namespaces[prefix] = uri
	}
	return s
}

// xpathContext lets an expression read files beside the one it is asked of, and nothing from the network.
func xpathContext(d *dom.Document, file string, now time.Time, within time.Duration) *xpath.Context {
	ctx := &xpath.Context{Item: xpath.NodeItem(d.Node()), Now: now}
	ctx.Cancel = func() error {
		if time.Since(now) > within {
			return fmt.Errorf("not done within %v", within)
		}
		return nil
	}
	ctx.URI = func(o *dom.Document) string {
		if o == d {
			return fileURI(file)
		}
		return ""
	}
	read := func(uri string) ([]byte, error) {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "file" {
			return nil, errors.New("only files are read")
		}
		return os.ReadFile(filepath.FromSlash(u.Path))
	}
	ctx.Resolve = func(uri string) (*dom.Document, error) {
		b, err := read(uri)
		if err != nil {
			return nil, err
		}
		return dom.Parse(b, dom.Limits{})
	}
	ctx.ResolveText = func(uri string) (string, error) {
		b, err := read(uri)
		return string(b), err
	}
	return ctx
}

func fileURI(file string) string {
	abs, err := filepath.Abs(file)
	if err != nil || file == "-" {
		return ""
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String()
}

func xpathError(err error, status int) *exit {
	x := &exit{status: status, Code: "XPATH", Text: err.Error()}
	var e *xpath.Error
	if errors.As(err, &e) {
		x.Code, x.Text = e.Code.Local, e.Msg
		if e.Offset >= 0 {
			x.Where = fmt.Sprintf("expression, character %d", len([]rune(e.Expr[:min(e.Offset, len(e.Expr))]))+1)
			if part := e.Part(); part != "" && part != e.Expr {
				x.Where += fmt.Sprintf(" (%s)", part)
			}
		}
		if e.Path != "" {
			x.Where += fmt.Sprintf(", at line %d, %s", e.Line, e.Path)
		}
	}
	return x
}

func xpathResult(it xpath.Item) xpathItem {
	r := xpathItem{Type: it.Type().String(), Value: it.String()}
	if n := it.Node(); n.Valid() {
		r.Type = n.Kind().String()
		r.Path = n.Path()
		if r.Path == "" {
			r.Path = "/"
		}
		r.Line, r.Column = n.Pos()
	}
	return r
}

func (i xpathItem) String() string {
	const most = 200
	v := strings.Join(strings.Fields(i.Value), " ")
	if r := []rune(v); len(r) > most {
		v = string(r[:most]) + "..."
	}
	if i.Path == "" {
		return v
	}
	return fmt.Sprintf("line %d, %s: %s", i.Line, i.Path, v)
}
