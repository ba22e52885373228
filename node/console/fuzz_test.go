package console

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzSafeNext(f *testing.F) {
	for _, s := range []string{"/console/messages?q=1", "//evil.example/", `/\evil`, "https://x", "/console/..%2f", "/console/\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := safeNext(next)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, Root) || strings.Contains(u.Path, "..") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\r\n\\") {
			t.Errorf("%q leads to %q", next, got)
		}
	})
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"invoice.xml", "../../etc/passwd", `C:\x`, "a\u202eb", "\xff", "...", "/", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := fileName(name)
		if strings.ContainsAny(got, `/\:*?"<>|`+"\r\n\x00") || strings.HasPrefix(got, ".") || len(got) > 150 {
			t.Errorf("%q is saved as %q", name, got)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(`<eb:UserMessage xmlns:eb="http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/"><eb:MessageProperties><eb:Property name="a">b</eb:Property></eb:MessageProperties></eb:UserMessage>`))
	f.Add([]byte("<a><b/></a>"))
	f.Add([]byte("no xml"))
	f.Fuzz(func(t *testing.T, header []byte) {
		before := string(header)
		properties(header)
		if got := indent(header); len(got) > 1<<20+200*len(header) {
			t.Errorf("%d octets of %d", len(got), len(header))
		}
		if string(header) != before {
			t.Error("the stored octets were changed")
		}
	})
}

func FuzzStoredHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, stored string) {
		if strings.Contains(stored, "m=") && (len(stored) > 120 || !strings.Contains(stored, "m=8,t=1,")) {
			t.Skip() // costs what it says
		}
		if ok, _ := checkPassword(stored, "a password that nobody has"); ok {
			t.Errorf("%q lets everybody in", stored)
		}
	})
}
