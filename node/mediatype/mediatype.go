// Package mediatype knows the media types of the files that offices exchange, by the ends of their names: the same ones on
// every machine, whatever its own tables say.
package mediatype

import (
	"path"
	"strings"
)

// Unknown is the type of octets of which nothing is known [RFC 2046 4.5.1].
const Unknown = "application/octet-stream"

// known has for each type its extensions, the usual one first.
var known = []struct{ mediaType, extensions string }{
	{"application/xml", ".xml"},
	{"application/pdf", ".pdf"},
	{"application/json", ".json"},
	{"application/zip", ".zip"},
	{"application/gzip", ".gz"},
	{"application/vnd.etsi.asic-e+zip", ".asice .sce"},
	{"application/vnd.etsi.asic-s+zip", ".asics .scs"},
	{"application/pkcs7-mime", ".p7m"},
	{"application/pkcs7-signature", ".p7s"},
	{"application/timestamped-data", ".tsd"},
	{"application/vnd.oasis.opendocument.text", ".odt"},
	{"application/vnd.oasis.opendocument.spreadsheet", ".ods"},
	{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"},
	{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"},
	{"application/msword", ".doc"},
	{"application/vnd.ms-excel", ".xls"},
	{"application/rtf", ".rtf"},
	{"application/dicom", ".dcm"},
	{"text/plain", ".txt"},
	{"text/csv", ".csv"},
	{"text/html", ".html .htm"},
	{"image/png", ".png"},
	{"image/jpeg", ".jpg .jpeg"},
	{"image/gif", ".gif"},
	{"image/tiff", ".tif .tiff"},
	{"image/svg+xml", ".svg"},
	{"video/mp4", ".mp4"},
	{"audio/mpeg", ".mp3"},
}

var byExtension, byType = func() (e, t map[string]string) {
	e, t = map[string]string{}, map[string]string{"text/xml": ".xml"}
	for _, k := range known {
		all := strings.Fields(k.extensions)
		t[k.mediaType] = all[0]
		for _, x := range all {
			e[x] = k.mediaType
		}
	}
	return e, t
}()

// Of is the media type of a file of this name, [Unknown] where the name does not tell.
func Of(name string) string {
	if t, ok := byExtension[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return Unknown
}

// Extension ends the name of a file of this type, whose parameters do not count; ".bin" for types that are not known.
func Extension(mediaType string) string {
	t, _, _ := strings.Cut(mediaType, ";")
	if x, ok := byType[strings.ToLower(strings.TrimSpace(t))]; ok {
		return x
	}
	return ".bin"
}
