package pki

import (
	"bytes"
	"encoding/base64"
)

// pemBlock is one block of a PEM file.
type pemBlock struct {
	label     string
	der       []byte
	encrypted bool // the old OpenSSL form with a DEK-Info header
}

// nextPEM finds the next block and returns what follows it. Unlike encoding/pem it also takes blocks
// whose lines somebody joined, which key stores and metadata of peers contain. ok is false at the end;
// a block that is begun but cannot be read is an error.
func nextPEM(b []byte) (block pemBlock, rest []byte, ok bool, err error) {
	_, after, found := bytes.Cut(b, []byte("-----BEGIN "))
	if !found {
		return block, nil, false, nil
	}
	label, body, found := bytes.Cut(after, []byte("-----"))
	if !found || len(label) > 64 {
		return block, nil, false, malformed("PEM block without name")
	}
	block.label = string(label)
	body, rest, found = bytes.Cut(body, []byte("-----END "+block.label+"-----"))
	if !found {
		return block, nil, false, malformed("PEM block %q does not end", block.label)
	}
	if i := bytes.LastIndexByte(body, ':'); i >= 0 { // headers: up to the first empty line after them
		block.encrypted = bytes.Contains(body, []byte("DEK-Info"))
		_, tail, _ := bytes.Cut(body[i:], []byte("\n"))
		body = tail
	}
	clean := make([]byte, 0, len(body))
	for _, c := range body {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			clean = append(clean, c)
		}
	}
	n, err := base64.StdEncoding.Decode(clean, clean)
	if err != nil {
		return block, nil, false, malformed("PEM block %q: %v", block.label, err)
	}
	block.der = clean[:n]
	return block, rest, true, nil
}
