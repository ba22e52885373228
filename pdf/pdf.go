// Package pdf reads PDF files and appends to them: the objects, cross-references and revisions of ISO 32000-1 and -2, and nothing of
// what pages look like.
//
// A file is read where it stands, through io.ReaderAt: objects when they are asked for, streams in pieces. What is appended never
// touches an octet that is there, so that signatures over it keep holding.
//
// What a file claims is bounded: objects in objects, references to references, filters in a row, and how far a stream expands.
package pdf

import "errors"

// What a file can be refused for.
var (
	ErrFormat    = errors.New("pdf: not readable as PDF")
	ErrLimit     = errors.New("pdf: file exceeds a limit")
	ErrEncrypted = errors.New("pdf: the file is encrypted")
	ErrFilter    = errors.New("pdf: stream with a filter that is not read")
)
