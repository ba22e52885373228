package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// DefaultPModeFile is read beside a configuration that names no other files with P-Modes.
const DefaultPModeFile = "pmodes.yaml"

// includeMax bounds a file of partners and P-Modes: a network of thirty parties comes to some hundred KiB.
const includeMax = 16 << 20

// agreements is a file of partners and P-Modes.
type agreements struct {
	Partners []Section `yaml:"partners"`
	PModes   []Section `yaml:"pmodes"`
}

// PModeFile is the file that imported P-Modes are written to: the first of pmodeFiles, else the default one.
func (c *Config) PModeFile() string {
	if len(c.PModeFiles) > 0 {
		return string(c.PModeFiles[0])
	}
	return filepath.Join(c.dir, DefaultPModeFile)
}

// Dir is the folder at which relative paths start.
func (c *Config) Dir() string { return c.dir }

// include appends what the further files hold to the partners and P-Modes of the configuration itself.
func (c *Config) include() error {
	files := c.PModeFiles
	if len(files) == 0 {
		files = []Path{Path(c.PModeFile())}
	}
	var problems Problems
	for _, f := range files {
		partners, pmodes, err := LoadAgreements(string(f))
		var ps Problems
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(c.PModeFiles) == 0:
			return nil
		case errors.As(err, &ps):
			problems = append(problems, ps...)
		case err != nil:
			problems = append(problems, c.Problem("pmodeFiles", "%v", err))
		}
		c.Partners, c.PModes = append(c.Partners, partners...), append(c.PModes, pmodes...)
	}
	return problems.err()
}

// LoadAgreements reads a file that holds partners and P-Modes alone. Relative paths in it start at its own folder.
func LoadAgreements(file string) (partners, pmodes []Section, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, includeMax+1))
	if err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, nil, err
	}
	return parseAgreements(file, dir, b)
}

func parseAgreements(file, dir string, text []byte) (partners, pmodes []Section, err error) {
	root, err := parseYAML(file, text, includeMax)
	if err != nil {
		return nil, nil, err
	}
	var a agreements
	if err := Decode(Section{File: file, Dir: dir, node: root}, &a); err != nil {
		return nil, nil, err
	}
	return a.Partners, a.PModes, nil
}
