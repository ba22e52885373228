package agreements

import (
	"errors"
	"fmt"
	"strings"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// ForNode is the [node.PModeImporter] of a running node.
func ForNode(c *config.Config, party ebms.PartyID, certificates func(alias string) []*pki.Certificate, name string, octets []byte) (*node.PModeImport, error) {
	i := &Import{Config: c, Party: party, Certificates: certificates}
	if err := i.Plan(Source{name, octets}); errors.Is(err, ErrTwice) || errors.Is(err, ErrParties) {
		return nil, fmt.Errorf("%w: %w", node.ErrImport, err)
	} else if err != nil {
		return nil, err
	}
	out := &node.PModeImport{Format: i.Set.Format, Partners: len(i.File.Partners), PModes: len(i.File.PModes), Changes: i.Changes, Target: i.target, Write: i.Write}
	for _, w := range i.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	for _, m := range i.Set.Modes {
		if len(m.Unusable) > 0 {
			out.NotServed = append(out.NotServed, m.ID+": "+strings.Join(m.Unusable, "; "))
		}
		if len(m.Lost) > 0 {
			out.Warnings = append(out.Warnings, m.ID+": not kept: "+strings.Join(m.Lost, "; "))
		}
	}
	for _, need := range i.File.Needs {
		out.Needs = append(out.Needs, need.Partner)
	}
	return out, nil
}
