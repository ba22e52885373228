package bdxl

import (
	"strings"
	"testing"
)

func FuzzNAPTR(f *testing.F) {
	for _, s := range []string{
		"!.*!https://smp.example.com!", "!^.*$!http://smp.example.com/x!i", `#^(.*)$#https://h/\\1#`, `/a\/b/c\/d/`, "!(a*)*b!x!", `!(.)(.)!\2\1!`,
		"!((a{9}){9}){9}!x!", "", "!", "!!!", `!\!`, "|a|b|", `\.*\x\`, "!.*!https://user:pw@[::ffff:127.0.0.1]:99/..?#!",
	} {
		f.Add(s, "iso6523-actorid-upis::0088:123")
	}
	open := URIRules{HTTP: true}
	f.Fuzz(func(t *testing.T, expression, identifier string) {
		if len(identifier) > 300 || strings.Contains(identifier, "\n") {
			return
		}
		records := []Record{{Flags: "u", Service: "Meta:SMP", Regexp: unescape(expression), Replacement: "."}}
		urls, err := Select(records, identifier, []string{ServiceSMP}, open)
		if (err == nil) != (len(urls) == 1) || records[0].Verdict == "" {
			t.Fatalf("%v, %v, %q", urls, err, records[0].Verdict)
		}
		if err != nil {
			return
		}
		if u := urls[0]; !strings.HasPrefix(strings.ToLower(u), "http") || strings.ContainsAny(u, "?#\\ \r\n") || strings.Contains(strings.SplitN(u, "/", 4)[2], "@") {
			t.Fatalf("%q leads to %q", expression, u)
		}
		if again, err := Substitute(unescape(expression), identifier); err != nil || again != urls[0] {
			t.Fatalf("%q, then %q, %v", urls[0], again, err)
		}
	})
}
