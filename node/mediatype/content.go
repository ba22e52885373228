package mediatype

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"
)

// Program is what [Content] calls octets that a machine would run.
const Program = "application/x-executable"

// programs begin so: Windows, Linux, macOS in both orders of octets, Java, scripts.
var programs = []string{"MZ", "\x7fELF", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe", "#!"}

// runs are ends of names of files that a desktop runs when they are opened, whatever is in them.
var runs = strings.Fields(".exe .com .bat .cmd .msi .scr .pif .cpl .lnk .js .jse .vbs .vbe .wsf .ps1 .hta .jar .sh .app .apk")

// Runs reports whether a desktop may run a file of this name when somebody opens it.
func Runs(name string) bool {
	end := strings.ToLower(path.Ext(strings.TrimRight(name, ". ")))
	for _, e := range runs {
		if end == e {
			return true
		}
	}
	return false
}

// marks at the beginning of files that the table of the standard library does not have.
var marks = []struct{ begin, mediaType string }{
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"}, // what older offices wrote
	{"II*\x00", "image/tiff"}, {"MM\x00*", "image/tiff"},
	{`{\rtf`, "application/rtf"},
}

// Content is the media type of octets by themselves, without parameters; [Unknown] where they do not tell. Containers of ZIP that say
// in their first entry what they are are told apart, other ones are application/zip.
func Content(b []byte) string {
	begins := func(s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }
	for _, p := range programs {
		if begins(p) {
			return Program
		}
	}
	for _, m := range marks {
		if begins(m.begin) {
			return m.mediaType
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
	lower := bytes.ToLower(text[:min(len(text), 64)])
	switch {
	case len(b) > 132 && string(b[128:132]) == "DICM":
		return "application/dicom"
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return "text/html"
	case bytes.HasPrefix(text, []byte("<")), begins("\xff\xfe<\x00"), begins("\xfe\xff\x00<"):
		return "application/xml"
	case bytes.Contains(b[:min(len(b), 1024)], []byte("%PDF-")): // some put lines before it
		return "application/pdf"
	case begins("PK\x03\x04") && len(b) > 38 && string(b[30:38]) == "mimetype":
		t, _, _ := bytes.Cut(b[38:min(len(b), 200)], []byte("PK\x03\x04"))
		if name := strings.TrimSpace(string(t)); byType[name] != "" {
			return name
		}
		return "application/zip"
	case len(text) > 1 && (text[0] == '{' || text[0] == '[') && json.Valid(text):
		return "application/json"
	case bytes.HasPrefix(text, []byte("eyJ")) && bytes.Count(text, []byte(".")) == 2:
		return "application/jose"
	case len(b) > 20 && b[0] == 0x30 && (b[1] == 0x80 || b[1] >= 0x82 && b[1] <= 0x84) && bytes.Contains(b[:20], []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07")):
		return "application/pkcs7-mime" // an object of CMS begins with its identifier, 1.2.840.113549.1.7
	}
	found, _, _ := strings.Cut(http.DetectContentType(b), ";")
	if found == "text/plain" && !utf8.Valid(b) && !begins("\xff\xfe") && !begins("\xfe\xff") && bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' }) {
		return Unknown
	}
	return found
}

// families of types of which one may be called another: what is inside of a ZIP, what is text.
var families = map[string]string{
	"application/x-ole-storage": "ole", "application/msword": "ole", "application/vnd.ms-excel": "ole", "application/vnd.ms-powerpoint": "ole",
	"application/pkcs7-mime": "cms", "application/pkcs7-signature": "cms", "application/timestamped-data": "cms", "application/timestamp-reply": "cms", "application/cms": "cms",
	"application/jose": "json", "application/json": "json", "application/gzip": "gzip", "application/x-gzip": "gzip",
}

func family(mediaType string) string {
	t, _, _ := strings.Cut(mediaType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	switch f, ok := families[t]; {
	case ok:
		return f
	case t == "application/xml", t == "text/xml", strings.HasSuffix(t, "+xml"):
		return "xml"
	case t == "application/zip", strings.HasSuffix(t, "+zip"), strings.HasPrefix(t, "application/vnd.oasis.opendocument."), strings.HasPrefix(t, "application/vnd.openxmlformats-officedocument."):
		return "zip"
	case strings.HasSuffix(t, "+json"):
		return "json"
	}
	return t
}

// Agrees reports whether octets of a type that [Content] found may be called by another type. Nothing speaks against [Unknown] and
// types that the table does not know; every text may be called plain text, and plain text some text.
func Agrees(called, found string) bool {
	c, f := family(called), family(found)
	t, _, _ := strings.Cut(called, ";")
	switch {
	case c == f, c == Unknown, called == "":
		return true
	case byType[strings.ToLower(strings.TrimSpace(t))] == "" && families[strings.ToLower(strings.TrimSpace(t))] == "":
		return f != Program
	case c == "text/plain":
		return f == "xml" || f == "json" || strings.HasPrefix(f, "text/") || f == "application/rtf"
	case f == "text/plain":
		return strings.HasPrefix(c, "text/") || c == "cms" // in PEM or base64
	}
	return false
}
