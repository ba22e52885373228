package mediatype

import (
	"strings"
	"testing"
)

func TestOctetsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	dicom := strings.Repeat("\x00", 128) + "DICM\x02\x00"
	for content, want := range map[string]string{
		"%PDF-1.7\n": "application/pdf", "\r\nfrom a scanner\n%PDF-1.4": "application/pdf",
		"<?xml version='1.0'?><a/>": "application/xml", "\xef\xbb\xbf \n<a/>": "application/xml", "\xff\xfe<\x00a\x00": "application/xml", "<!DOCTYPE html><p>": "text/html", "<HTML>": "text/html",
		"PK\x03\x04" + strings.Repeat("\x00", 22) + "\x08\x00\x00\x00" + "mimetypeapplication/vnd.etsi.asic-e+zipPK\x03\x04": "application/vnd.etsi.asic-e+zip",
		"PK\x03\x04" + strings.Repeat("\x00", 22) + "\x08\x00\x00\x00" + "mimetypesomething/elsePK\x03\x04":                  "application/zip",
		"PK\x03\x04" + strings.Repeat("\x00", 30): "application/zip", "\x1f\x8b\x08": "application/x-gzip",
		` {"a": [1]}`: "application/json", `{"a": `: "text/plain", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln": "application/jose",
		"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + strings.Repeat("\x00", 20): "application/pkcs7-mime",
		"\x30\x82\x01\x00\x30\x82" + strings.Repeat("\x00", 20):                             Unknown, // a certificate, say
		"\xff\xd8\xff\xe0": "image/jpeg", "\x89PNG\r\n\x1a\n": "image/png", "II*\x00": "image/tiff", dicom: "application/dicom", `{\rtf1`: "application/rtf", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "application/x-ole-storage",
		"MZ\x90": Program, "\x7fELF\x02": Program, "#!/bin/sh\n": Program, "\xca\xfe\xba\xbe": Program,
		"To whom it may concern": "text/plain", "\x00\x01\x02\x03": Unknown,
	} {
		if got := Content([]byte(content)); got != want {
			t.Errorf("%.40q is %s, want %s", content, got, want)
		}
	}
	for name, want := range map[string]bool{"a.exe": true, "a.pdf.EXE": true, "a.exe. .": true, "a.js": true, "a.pdf": false, "exe": false, "": false} {
		if Runs(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestTypesThatAgree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		called, found string
		want          bool
	}{
		{"text/xml; charset=utf-8", "application/xml", true}, {"image/svg+xml", "application/xml", true}, {Unknown, "application/pdf", true}, {"", "application/pdf", true},
		{"application/vnd.oasis.opendocument.text", "application/zip", true}, {"application/zip", "application/vnd.etsi.asic-e+zip", true}, {"application/pkcs7-signature", "application/pkcs7-mime", true},
		{"text/csv", "text/plain", true}, {"text/plain", "application/xml", true}, {"application/msword", "application/x-ole-storage", true}, {"application/vnd.nobody", "application/pdf", true},
		{"application/pdf", "application/zip", false}, {"application/xml", "text/plain", false}, {"application/pdf", Unknown, false}, {"image/png", "image/jpeg", false}, {"text/plain", "application/pdf", false},
		{"application/vnd.nobody", Program, false}, {"application/xml", "text/html", false},
	} {
		if Agrees(c.called, c.found) != c.want {
			t.Errorf("%s called %q: %v", c.found, c.called, !c.want)
		}
	}
}

func FuzzContent(f *testing.F) {
	for _, s := range []string{"", "PK\x03\x04", "%PDF-", "<", "{}", "\x30\x80", "MZ", "\xff\xfe<\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if found := Content(b); found == "" || strings.ContainsAny(found, "; ") || !Agrees(found, found) || !Agrees("", found) {
			t.Errorf("%q", found)
		}
	})
}
