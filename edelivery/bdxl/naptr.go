package bdxl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Record is one NAPTR record with its character strings as they are on the wire, unescaped.
type Record struct {
	Order, Preference uint16
	Flags, Service    string
	Regexp            string
	Replacement       string // absolute domain name, "." for none
	TTL               time.Duration

	URL     string // what it leads to, when chosen or an alternative
	Verdict string // why it was chosen or not
}

// NewRecord takes over a record of the DNS library, which holds character strings in presentation form.
func NewRecord(rr *dns.NAPTR) Record {
	return Record{
		Order: rr.Order, Preference: rr.Preference,
		Flags: unescape(rr.Flags), Service: unescape(rr.Service), Regexp: unescape(rr.Regexp),
		Replacement: rr.Replacement,
		TTL:         time.Duration(rr.Hdr.Ttl) * time.Second,
	}
}

// unescape undoes \DDD and \X of the presentation form [RFC 1035 5.1].
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		i++
		if i+2 < len(s) && isDigit(s[i]) && isDigit(s[i+1]) && isDigit(s[i+2]) {
			if n := int(s[i]-'0')*100 + int(s[i+1]-'0')*10 + int(s[i+2]-'0'); n < 256 {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Outcomes for one record; Select and the resolver put them into Record.Verdict.
var (
	errIgnored = errors.New("ignored") // well-formed, but not for us
	errBroken  = errors.New("broken")  // against the standard
	errNoMatch = errors.New("no match")
	errRefused = errors.New("refused") // leads where we do not go
)

// Select sorts the records by order and preference, and chooses those of the lowest order that has a record
// which fits one of the services and yields an allowed address: the first is to be used, the others may be
// tried when it does not connect. identifier is the application unique string: the whole identifier as known.
//
// Every record gets its verdict. The error is ErrNoService when no record is for the services, ErrRecord when
// none of those that are can be used. Records that lead on to another name have no address; see [Record.Next].
func Select(records []Record, identifier string, services []string, rules URIRules) (urls []string, err error) {
	slices.SortStableFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	forService := false
	var order uint16
	for i := range records {
		r := &records[i]
		r.URL = ""
		if !r.fits(services) {
			r.Verdict = "no matching service"
			continue
		}
		forService = true
		uri, err := r.apply(identifier)
		if err == nil {
			err = rules.Check(uri)
		}
		switch {
		case err != nil:
			r.Verdict = err.Error()
		case len(urls) == 0:
			r.URL, r.Verdict, order = uri, "chosen", r.Order
			urls = append(urls, uri)
		case r.Order == order:
			r.URL, r.Verdict = uri, "alternative"
			urls = append(urls, uri)
		default:
			r.Verdict = "ignored: a lower order was found"
		}
	}
	switch {
	case len(urls) > 0:
		return urls, nil
	case forService:
		return nil, ErrRecord
	}
	return nil, ErrNoService
}

func (r *Record) fits(services []string) bool {
	return slices.ContainsFunc(services, func(s string) bool { return strings.EqualFold(s, r.Service) })
}

// Next is the domain name to go on with, for a non-terminal record [RFC 4848]: no flag, no regexp, a replacement.
func (r *Record) Next(services []string) (string, bool) {
	ok := r.Flags == "" && r.Regexp == "" && r.Replacement != "." && r.Replacement != "" && (r.Service == "" || r.fits(services))
	return r.Replacement, ok
}

// apply makes the address of a terminal record.
func (r *Record) apply(identifier string) (string, error) {
	hasRegexp, hasReplacement := r.Regexp != "", r.Replacement != "." && r.Replacement != ""
	switch {
	case hasRegexp && hasReplacement:
		return "", fmt.Errorf("%w: regexp and replacement both set [RFC 3403 4.1]", errBroken)
	case !strings.EqualFold(r.Flags, "U"):
		return "", fmt.Errorf("%w: flag %q is not U [BDXL]", errIgnored, r.Flags)
	case hasReplacement:
		return "", fmt.Errorf("%w: replacement instead of regexp", errIgnored)
	case !hasRegexp:
		return "", fmt.Errorf("%w: neither regexp nor replacement", errBroken)
	}
	return Substitute(r.Regexp, identifier)
}
