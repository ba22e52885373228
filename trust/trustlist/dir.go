package trustlist

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Dir is a [Store] in a folder: of each list the octets as NAME.xml, so that people and other programs find them, and beside
// it NAME.json with what the server said. Names are made of the URL.
type Dir string

type beside struct {
	URL          string    `json:"url"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"lastModified,omitempty"`
	Fetched      time.Time `json:"fetched"`
	SHA256       string    `json:"sha256"`
}

// sourcesFile says what is mirrored in a folder.
const sourcesFile = "sources.json"

type sourcesJSON struct {
	Sources     []sourceJSON `json:"sources"`
	Territories []string     `json:"territories,omitempty"`
}

type sourceJSON struct {
	URL          string   `json:"url"`
	Signers      [][]byte `json:"signers"` // DER
	Territory    string   `json:"territory,omitempty"`
	Announcement string   `json:"announcement,omitempty"`
}

// Configure notes in the folder what is mirrored there.
func (d Dir) Configure(l *Loader) error {
	j := sourcesJSON{Territories: l.Territories}
	for _, s := range l.Sources {
		x := sourceJSON{URL: s.URL, Territory: s.Territory, Announcement: s.Announcement}
		for _, c := range s.Signers {
			x.Signers = append(x.Signers, c.Raw)
		}
		j.Sources = append(j.Sources, x)
	}
	b, err := json.MarshalIndent(j, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	return replace(filepath.Join(string(d), sourcesFile), append(b, '\n'))
}

// Loader is one for what is mirrored in the folder.
func (d Dir) Loader() (*Loader, error) {
	b, err := os.ReadFile(filepath.Join(string(d), sourcesFile))
	if err != nil {
		return nil, err
	}
	var j sourcesJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("trustlist: %s: %w", filepath.Join(string(d), sourcesFile), err)
	}
	l := &Loader{Territories: j.Territories, Store: d}
	for _, x := range j.Sources {
		s := Source{URL: x.URL, Territory: x.Territory, Announcement: x.Announcement}
		for _, der := range x.Signers {
			c, err := pki.ParseCertificate(der)
			if err != nil {
				return nil, fmt.Errorf("trustlist: %s: %w", filepath.Join(string(d), sourcesFile), err)
			}
			s.Signers = append(s.Signers, c)
		}
		l.Sources = append(l.Sources, s)
	}
	return l, nil
}

func (d Dir) file(url string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, url)
	if _, rest, ok := strings.Cut(name, "---"); ok {
		name = rest
	}
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(string(d), strings.Trim(name[max(0, len(name)-60):], ".-")+"-"+hex.EncodeToString(sum[:4]))
}

// Load reads a copy; nil where there is none. One that the disk altered counts as none.
func (d Dir) Load(url string) (*Copy, error) {
	f := d.file(url)
	meta, err := os.ReadFile(f + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m beside
	if err := json.Unmarshal(meta, &m); err != nil {
		return nil, fmt.Errorf("trustlist: %s.json: %w", f, err)
	}
	body, err := os.ReadFile(f + ".xml")
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); m.URL != url || m.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("trustlist: %s.xml is not what was stored: it is fetched again", f)
	}
	return &Copy{body, m.ETag, m.LastModified, m.Fetched}, nil
}

// Save writes a copy; a reader sees the old one or the new one.
func (d Dir) Save(url string, c *Copy) error {
	f := d.file(url)
	sum := sha256.Sum256(c.Body)
	meta, err := json.MarshalIndent(beside{url, c.ETag, c.LastModified, c.Fetched.UTC(), hex.EncodeToString(sum[:])}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	if old, err := os.ReadFile(f + ".xml"); err != nil || string(old) != string(c.Body) {
		if err := replace(f+".xml", c.Body); err != nil {
			return err
		}
	}
	return replace(f+".json", append(meta, '\n'))
}

func replace(file string, b []byte) error {
	t, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	_, err = t.Write(b)
	if err = errors.Join(err, t.Chmod(0o644), t.Sync(), t.Close()); err != nil {
		return err
	}
	return os.Rename(t.Name(), file)
}
