package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Rollover is the file that as4.rollover names: keys that follow those of the configuration, each at its time.
type Rollover struct {
	Signing    []Successor `yaml:"signing" doc:"Keys that sign after as4.signing, the next one first. Without as4.encryption partners encrypt for them too."`
	Encryption []Successor `yaml:"encryption" doc:"Keys for which partners encrypt after as4.encryption, the next one first."`

	file string
}

// Successor is a key that takes over at a time. From the moment it is read, messages that are encrypted for it are taken.
type Successor struct {
	Key         Path   `yaml:"key" required:"true" doc:"PEM or PKCS#12 file with private key, certificate and chain."`
	Password    Secret `yaml:"password" doc:"Password of the file."`
	Certificate Path   `yaml:"certificate" doc:"Certificate and chain where the key file has none."`
	Publish     Time   `yaml:"publish" doc:"When the node's own publisher names it to those who encrypt for it. Default: at once."`
	Activate    Time   `yaml:"activate" required:"true" doc:"When it signs. The former one goes on decrypting."`
}

// Identity is the key without its times.
func (s *Successor) Identity() Identity {
	return Identity{Key: s.Key, Password: s.Password, Certificate: s.Certificate}
}

// Check implements [Checker].
func (s *Successor) Check(report func(key, format string, args ...any)) {
	if s.Publish.T().After(s.Activate.T()) {
		report("publish", "%s is after activate, %s: partners would not know the key that signs", s.Publish, s.Activate)
	}
}

// Check implements [Checker].
func (r *Rollover) Check(report func(key, format string, args ...any)) {
	for key, list := range map[string][]Successor{"signing": r.Signing, "encryption": r.Encryption} {
		for i := 1; i < len(list); i++ {
			if !list[i].Activate.T().After(list[i-1].Activate.T()) {
				report(key, "the keys are not in the order of their times: %s is not after %s", list[i].Activate, list[i-1].Activate)
			}
		}
	}
}

// Rollover reads the plan of key changes; without a file there is none.
func (c *Config) Rollover() (*Rollover, error) {
	file := string(c.AS4.Rollover)
	r := &Rollover{file: file}
	if file == "" { // a configuration that a test made
		return r, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, c.Problem("as4.rollover", "%v", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err != nil {
		return nil, c.Problem("as4.rollover", "%v", err)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	root, err := parseYAML(file, b, fileMax)
	if err != nil {
		return nil, err
	}
	return r, Decode(Section{File: file, Dir: dir, node: root}, r)
}

// File is where the plan stands.
func (r *Rollover) File() string { return r.file }

// Write writes the plan, durably, in place of the former one. Paths are written as they are seen from the file's folder.
func (r *Rollover) Write() error {
	var b strings.Builder
	b.WriteString("# Keys that follow those of the configuration, and when: \"viadukt cert list\" shows them.\n")
	dir := filepath.Dir(r.file)
	for _, k := range []struct {
		key  string
		list []Successor
	}{{"signing", r.Signing}, {"encryption", r.Encryption}} {
		if len(k.list) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", k.key)
		for _, s := range k.list {
			fmt.Fprintf(&b, "  - key: %q\n", near(dir, s.Key))
			if s.Certificate != "" {
				fmt.Fprintf(&b, "    certificate: %q\n", near(dir, s.Certificate))
			}
			if !s.Password.IsZero() {
				fmt.Fprintf(&b, "    password: %q\n", s.Password.Source())
			}
			if !s.Publish.IsZero() {
				fmt.Fprintf(&b, "    publish: %s\n", s.Publish)
			}
			fmt.Fprintf(&b, "    activate: %s\n", s.Activate)
		}
	}
	temp := r.file + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, b.String())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, r.file)
}

func near(dir string, p Path) string {
	if rel, err := filepath.Rel(dir, string(p)); err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.ToSlash(rel)
	}
	return string(p)
}
