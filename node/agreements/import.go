package agreements

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/pmode"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Source is a P-Mode file.
type Source struct {
	Name   string
	Octets []byte
}

// Import is P-Mode files on their way into a configuration. Nothing is written before [Import.Write].
type Import struct {
	Config *config.Config
	Party  ebms.PartyID // of this node
	// Policy gives a security policy by its file name, nil when it is not known; may be nil itself.
	Policy func(name string) []byte
	// Certificates gives those of a partner, by the alias that the files use; may be nil, and answer with none.
	Certificates func(alias string) []*pki.Certificate
	Into         string // file that is written; "": the configuration's own
	Add          bool   // keep what the file holds and the import does not name

	// What came of [Import.Plan]:
	Set      *pmode.Set
	File     *File
	Changes  []pmode.Change
	Warnings pmode.Problems

	target string
	places map[string]string // by partner, the file with its certificate
	copies map[string][]byte // what is written there
}

// ErrTwice refuses a name that the rest of the configuration has.
var ErrTwice = errors.New("agreements: the name is taken")

// ErrParties refuses files of several parties.
var ErrParties = errors.New("agreements: the files are of several parties")

// Plan reads the files and finds out what would change. [pmode.Problems] say why a file is refused.
func (i *Import) Plan(files ...Source) error {
	i.places, i.copies = map[string]string{}, map[string][]byte{}
	var sets []*pmode.Set
	var problems pmode.Problems
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		s, err := pmode.Read(f.Octets, pmode.Options{File: f.Name, Policy: i.Policy, Own: []ebms.PartyID{i.Party}})
		var ps pmode.Problems
		switch {
		case errors.As(err, &ps):
			problems = append(problems, ps...)
		case err != nil:
			return err
		default:
			sets = append(sets, s)
			i.Warnings = append(i.Warnings, s.Warnings...)
		}
	}
	if len(problems) > 0 {
		return problems
	}
	var err error
	if i.Set, err = pmode.Merge(sets...); err != nil {
		return fmt.Errorf("%w: %w", ErrParties, err)
	}
	if i.target = i.Into; i.target == "" {
		i.target = i.Config.PModeFile()
	}
	if i.target, err = filepath.Abs(i.target); err != nil {
		return err
	}
	i.File = FromSet(i.Set, Options{Party: i.Party, Certificate: i.certificate, Missing: i.place})
	i.File.Source = strings.Join(names, ", ")
	old, err := i.current()
	if err != nil {
		return err
	}
	if i.Add {
		i.File.Keep(old)
	}
	if err := i.clashes(); err != nil {
		return err
	}
	i.Changes = pmode.Diff(Items(old.Partners, old.PModes, i.dir()), Items(i.File.Partners, i.File.PModes, i.dir()))
	return nil
}

// Target is the file that is written.
func (i *Import) Target() string { return i.target }

func (i *Import) dir() string { return filepath.Dir(i.target) }

// place is the file with a partner's certificate, one for each partner.
func (i *Import) place(partner string) string {
	if p := i.places[partner]; p != "" {
		return p
	}
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, partner)
	taken := slices.Collect(maps.Values(i.places))
	for n := 1; ; n++ {
		p := filepath.Join(i.dir(), "trust", "partner-"+slug+".pem")
		if n > 1 {
			p = filepath.Join(i.dir(), "trust", fmt.Sprintf("partner-%s-%d.pem", slug, n))
		}
		if !slices.ContainsFunc(taken, func(t string) bool { return strings.EqualFold(t, p) }) {
			i.places[partner] = p
			return p
		}
	}
}

// certificate finds the certificate of a partner where it was given, or where an earlier import put it.
func (i *Import) certificate(partner string) string {
	place := i.place(partner)
	if i.Certificates != nil {
		if certs := i.Certificates(partner); len(certs) > 0 {
			i.copies[place] = pki.MarshalPEM(certs...)
			return place
		}
	}
	if _, err := os.Stat(place); err == nil {
		return place
	}
	return ""
}

// current is what the file holds now.
func (i *Import) current() (*File, error) {
	partners, modes, err := config.LoadAgreements(i.target)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{}, nil
	}
	if err != nil {
		return nil, err
	}
	f := &File{}
	f.Partners, f.PModes, err = Decode(partners, modes)
	return f, err
}

// clashes refuses names that the rest of the configuration has already.
func (i *Import) clashes() error {
	elsewhere := func(s config.Section) bool {
		file, err := filepath.Abs(s.File)
		return err != nil || file != i.target
	}
	var partners, modes []config.Section
	for _, s := range i.Config.Partners {
		if elsewhere(s) {
			partners = append(partners, s)
		}
	}
	for _, s := range i.Config.PModes {
		if elsewhere(s) {
			modes = append(modes, s)
		}
	}
	ps, ms, err := Decode(partners, modes)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if slices.ContainsFunc(i.File.Partners, func(o node.Partner) bool { return o.Name == p.Name }) {
			return fmt.Errorf("%w: the configuration has a partner %q already, outside of %s", ErrTwice, p.Name, i.target)
		}
	}
	for _, m := range ms {
		if slices.ContainsFunc(i.File.PModes, func(o node.PModeSettings) bool { return o.ID == m.ID }) {
			return fmt.Errorf("%w: the configuration has a P-Mode %q already, outside of %s", ErrTwice, m.ID, i.target)
		}
	}
	return nil
}

// Write puts the certificates into place, then the file, which is there as a whole or not at all.
func (i *Import) Write() error {
	var b bytes.Buffer
	if err := i.File.Write(&b, i.dir()); err != nil {
		return err
	}
	for place, octets := range i.copies {
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return err
		}
		if err := ReplaceFile(place, octets); err != nil {
			return err
		}
	}
	return ReplaceFile(i.target, b.Bytes())
}

// ReplaceFile writes a file that is there as a whole or not at all, durably.
func ReplaceFile(name string, octets []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(octets)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
