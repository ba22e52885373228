package rulepack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/smp"
)

// ErrChecksum says that a release is not the one whose checksum is known.
var ErrChecksum = errors.New("the checksum is another one")

// Download is a release as a publisher's server gave it.
type Download struct {
	Octets []byte
	Name   string // of the file
	URL    string // that gave it, after redirects
	ETag   string
	SHA256 string
	// Unchanged says that the server has what FetchOptions.ETag names; there are no octets then.
	Unchanged bool
}

// FetchOptions bound what is fetched. The zero value is fine.
type FetchOptions struct {
	MostOctets int64  // default 256 MiB
	SHA256     string // that the release must have, in hexadecimal digits; "" takes any
	ETag       string // of what is there already
}

// redirectsMost is how often a publisher may point elsewhere: release pages lead to stores of files.
const redirectsMost = 5

// Fetch gets a release by its address: https alone, from public addresses alone, also after a redirect. Servers on this
// machine may be named, then http will do and nothing may lead away from it.
func Fetch(ctx context.Context, address string, opt FetchOptions) (*Download, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	policy := smp.Policy{Ports: []uint16{0}}
	local := loopback(u.Hostname())
	if local {
		policy.Schemes = []string{"http", "https"}
		policy.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	check := func(u *url.URL) error {
		if loopback(u.Hostname()) != local {
			return fmt.Errorf("%w: %q leads elsewhere", smp.ErrAddress, u.Redacted())
		}
		return policy.CheckURL(u)
	}
	if err := check(u); err != nil {
		return nil, err
	}
	client := policy.HTTPClient()
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > redirectsMost {
			return fmt.Errorf("more than %d redirects", redirectsMost)
		}
		return check(r.URL)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if opt.ETag != "" {
		r.Header.Set("If-None-Match", opt.ETag)
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	d := &Download{URL: resp.Request.URL.String(), Name: path.Base(u.Path), ETag: resp.Header.Get("ETag")}
	switch {
	case resp.StatusCode == http.StatusNotModified && opt.ETag != "":
		d.Unchanged = true
		return d, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: the server answers %s", d.URL, resp.Status)
	}
	most := cmp.Or(opt.MostOctets, 256<<20)
	if d.Octets, err = io.ReadAll(io.LimitReader(resp.Body, most+1)); err != nil {
		return nil, fmt.Errorf("%s: %w", d.URL, err)
	}
	if int64(len(d.Octets)) > most {
		return nil, fmt.Errorf("%s: more than %d octets", d.URL, most)
	}
	sum := sha256.Sum256(d.Octets)
	d.SHA256 = hex.EncodeToString(sum[:])
	if opt.SHA256 != "" && !strings.EqualFold(opt.SHA256, d.SHA256) {
		return nil, fmt.Errorf("%w: %s has %s, not %s", ErrChecksum, d.URL, d.SHA256, opt.SHA256)
	}
	return d, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// release page of GitHub: the address of the newest one leads to it by a redirect.
var githubAsset = regexp.MustCompile(`^(https://github\.com/[^/]+/[^/]+/releases)/download/([^/]+)/([^/]+)$`)

// LatestPage is the address that leads to the newest release of who published a file at an address, or "" where none is
// known and the address itself must be asked again.
func LatestPage(address string) string {
	if m := githubAsset.FindStringSubmatch(address); m != nil {
		return m[1] + "/latest"
	}
	return ""
}

// AssetOf is the address of the file of another release, by the tag of that release: publishers put the version into
// both names.
func AssetOf(address, tag string) string {
	m := githubAsset.FindStringSubmatch(address)
	if m == nil || tag == "" {
		return ""
	}
	file := m[3]
	if old, new := versionIn.FindString(m[2]), versionIn.FindString(tag); old != "" && new != "" {
		file = strings.ReplaceAll(file, old, new)
	}
	return m[1] + "/download/" + tag + "/" + file
}

// NewerRelease asks who published a file at an address for the newest release, and returns the address of its file. It
// is the same address where nothing is newer, or where only the file itself can tell.
func NewerRelease(ctx context.Context, address string) (string, error) {
	page := LatestPage(address)
	if page == "" {
		return address, nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, page, nil)
	if err != nil {
		return "", err
	}
	client := (&smp.Policy{}).HTTPClient() // which follows no redirect: where it leads is the answer
	client.Timeout = 30 * time.Second
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	_, tag, ok := strings.Cut(resp.Header.Get("Location"), "/releases/tag/")
	if !ok {
		return "", fmt.Errorf("%s: the server answers %s and names no release", page, resp.Status)
	}
	if tag, err = url.PathUnescape(tag); err != nil {
		return "", err
	}
	return AssetOf(address, tag), nil
}
