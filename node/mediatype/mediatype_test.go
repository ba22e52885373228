package mediatype

import (
	"mime"
	"testing"
)

func TestNamesAndTypes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"invoice.xml": "application/xml", "INVOICE.XML": "application/xml", "a.b.pdf": "application/pdf", "case.sce": "application/vnd.etsi.asic-e+zip",
		"photo.jpeg": "image/jpeg", "notes": Unknown, ".xml": "application/xml", "a.nothing": Unknown, "": Unknown,
	} {
		if got := Of(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
	for mediaType, want := range map[string]string{
		"text/xml; charset=utf-8": ".xml", "Application/XML": ".xml", " application/vnd.etsi.asic-s+zip ": ".asics", "image/jpeg": ".jpg",
		"application/octet-stream": ".bin", "": ".bin", "../x": ".bin",
	} {
		if got := Extension(mediaType); got != want {
			t.Errorf("%q ends in %s, want %s", mediaType, got, want)
		}
	}
	for _, k := range known {
		if mt, _, err := mime.ParseMediaType(k.mediaType); err != nil || mt != k.mediaType || Of("a"+Extension(k.mediaType)) != k.mediaType {
			t.Errorf("%s: %v", k.mediaType, err)
		}
	}
}
