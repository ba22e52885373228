package eidas

import (
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/eid/saml"
)

// Levels of assurance that states notify [eIDAS-MF], lowest first.
const (
	Low         = "http://eidas.europa.eu/LoA/low"
	Substantial = "http://eidas.europa.eu/LoA/substantial"
	High        = "http://eidas.europa.eu/LoA/high"

	notifiedPrefix = "http://eidas.europa.eu/LoA/"
)

var notified = []string{Low, Substantial, High}

// rank orders the notified levels, 0 for every other URI.
func rank(level string) int { return slices.Index(notified, level) + 1 }

// Notified reports whether a level is one of the three of the regulation.
func Notified(level string) bool { return rank(level) > 0 }

// Wanted is the level that a request asks for: at least Minimum, or else one of Exact [eIDAS-MF].
type Wanted struct {
	Minimum string
	Exact   []string
}

// AtLeast asks for a notified level or a higher one.
func AtLeast(level string) Wanted { return Wanted{Minimum: level} }

// readWanted reads what an AuthnRequest asks for.
func readWanted(r *saml.AuthnRequest) (Wanted, *Error) {
	seen := map[string]bool{}
	notifiedSeen, others := 0, 0
	for _, c := range r.Contexts {
		switch {
		case seen[c]:
			return Wanted{}, fail("202015", "level %s stands there twice", c)
		case Notified(c):
			notifiedSeen++
		case strings.HasPrefix(c, notifiedPrefix) || c == "":
			return Wanted{}, fail("202015", "%q is no level [eIDAS-MF]", c)
		default:
			others++
		}
		seen[c] = true
	}
	switch {
	case len(r.Contexts) == 0:
		return Wanted{}, fail("202015", "the request asks for no level")
	case r.Comparison == saml.Minimum:
		if len(r.Contexts) > 1 || others > 0 {
			return Wanted{}, fail("202015", "a minimum is one of the notified levels")
		}
		return Wanted{Minimum: r.Contexts[0]}, nil
	case r.Comparison != saml.Exact:
		return Wanted{}, fail("202015", "levels are compared by minimum or exact, not by %s", r.Comparison)
	case others == 0:
		return Wanted{}, fail("202015", "notified levels alone are asked for by a minimum")
	}
	for i, level := range notified {
		if seen[level] && notifiedSeen < len(notified)-i { // it, and all above it
			return Wanted{}, fail("202015", "with %s every higher level has to be listed", level)
		}
	}
	return Wanted{Exact: r.Contexts}, nil
}

// write puts what is wanted into a request.
func (w Wanted) write(r *saml.AuthnRequest) {
	if w.Minimum != "" {
		r.Comparison, r.Contexts = saml.Minimum, []string{w.Minimum}
		return
	}
	r.Comparison, r.Contexts = saml.Exact, w.Exact
}

// Met reports whether a level that was reached is enough.
func (w Wanted) Met(level string) bool {
	if w.Minimum != "" {
		return Notified(w.Minimum) && rank(level) >= rank(w.Minimum)
	}
	return slices.Contains(w.Exact, level)
}

// Servable reports whether somebody who publishes these levels can meet what is wanted. Who notified a high level also serves those who
// ask for less.
func (w Wanted) Servable(published []string) bool { return slices.ContainsFunc(published, w.Met) }
