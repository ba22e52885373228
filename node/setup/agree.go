package setup

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Agreement is one kind of message that two nodes exchange without asking a directory.
type Agreement struct {
	ID          string
	Service     string
	ServiceType string
	Action      string
	Profile     string // default: that of the node
	FirstRetry  string // as in the configuration, "2s"
	MaxAttempts int
}

// Agree writes the same P-Modes into the configuration of both nodes, and each as a partner of the other: this is what
// two administrations do who settled their exchange on paper.
func Agree(a, b *Result, agreements ...Agreement) error {
	if err := a.partner(b, agreements); err != nil {
		return err
	}
	return b.partner(a, agreements)
}

// partner writes o and what was agreed with it into the configuration of r.
func (r *Result) partner(o *Result, agreements []Agreement) error {
	quote := strconv.Quote
	file := "trust/partner-" + o.Name + ".pem"
	if err := os.WriteFile(filepath.Join(r.Dir, filepath.FromSlash(file)), o.certificate, 0o644); err != nil {
		return err
	}
	partner := fmt.Sprintf("  - name: %s\n    id: %s\n    type: %s\n    url: %s\n    certificates: [%s]\n", o.Name, quote(o.Party), quote(o.PartyType), quote(o.URL), file)
	if o.encryption != nil {
		file := "trust/partner-" + o.Name + "-encryption.pem"
		if err := os.WriteFile(filepath.Join(r.Dir, filepath.FromSlash(file)), o.encryption, 0o644); err != nil {
			return err
		}
		partner += "    encryption: " + file + "\n"
	}
	var modes bytes.Buffer
	for _, m := range agreements {
		fmt.Fprintf(&modes, "  - id: %s\n    partner: %s\n", quote(m.ID), o.Name)
		for _, kv := range [][2]string{{"profile", m.Profile}, {"service", m.Service}, {"serviceType", m.ServiceType}, {"action", m.Action}, {"firstRetry", m.FirstRetry}} {
			if kv[1] != "" {
				fmt.Fprintf(&modes, "    %s: %s\n", kv[0], quote(kv[1]))
			}
		}
		if m.MaxAttempts != 0 {
			fmt.Fprintf(&modes, "    maxAttempts: %d\n", m.MaxAttempts)
		}
	}
	text, err := os.ReadFile(r.ConfigFile)
	if err != nil {
		return err
	}
	text = addItems(addItems(text, "partners", partner), "pmodes", modes.String())
	return os.WriteFile(r.ConfigFile, text, 0o644)
}

// addItems puts entries at the head of a list of the file, which is made at the end when it is not there yet.
func addItems(text []byte, key, items string) []byte {
	head := []byte("\n" + key + ":\n")
	if !bytes.Contains(text, head) {
		text = append(text, head...)
	}
	return bytes.Replace(text, head, append(bytes.Clone(head), items...), 1)
}
