package jades

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/viadukt-eu/viadukt/trust/xades"
)

// ReadHTTP reads a request or a response as it was on the wire, HTTP/1.1, for [CheckOptions].
func ReadHTTP(b []byte) (*HTTPMessage, error) {
	m := &HTTPMessage{}
	in := bufio.NewReader(bytes.NewReader(b))
	var body io.ReadCloser
	if bytes.HasPrefix(b, []byte("HTTP/")) {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: HTTP response: %w", ErrContent, err)
		}
		m.Header, body = r.Header, r.Body
	} else {
		r, err := http.ReadRequest(in)
		if err != nil {
			return nil, fmt.Errorf("%w: HTTP request: %w", ErrContent, err)
		}
		m.Method, m.Target, m.Header, body = r.Method, r.RequestURI, r.Header, r.Body
		if r.Host != "" && m.Header.Get("Host") == "" {
			m.Header.Set("Host", r.Host) // which the reader takes out
		}
	}
	defer body.Close()
	octets, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("%w: HTTP body: %w", ErrContent, err)
	}
	m.Body = xades.Bytes("", m.Header.Get("Content-Type"), octets)
	return m, nil
}
