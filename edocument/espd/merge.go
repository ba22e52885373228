package espd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// ErrConflict says that two responses cannot be merged: one identifier stands for two proofs, or a question has two answers.
var ErrConflict = errors.New("espd: the responses contradict each other")

// Merge adds to a response the evidences of others about the same procedure, and their answers to questions that have none
// yet: a company that renews its proofs, or a group whose members bring their own. What both have is kept once. The
// documents are not changed.
func Merge(base *Document, others ...*Document) (*Document, error) {
	if !base.Response {
		return nil, errors.New("espd: evidences are merged into a response, and the first document is a request")
	}
	out := *base
	out.Answers, out.Evidences = slices.Clone(base.Answers), slices.Clone(base.Evidences)
	properties := out.properties()
	evidences, answers, taken, supplied := map[string]*Evidence{}, map[string]*Answer{}, map[string]bool{}, map[string]bool{}
	for _, e := range out.Evidences {
		evidences[e.ID] = e
	}
	enter := func(a *Answer) {
		answers[a.key()], taken[a.ID] = a, true
		for _, id := range a.Evidence {
			supplied[a.Property+"\n"+id] = true
		}
	}
	for _, a := range out.Answers {
		enter(a)
	}
	for _, o := range others {
		if !o.Response {
			return nil, errors.New("espd: a request has no evidences to merge")
		}
		if o.Folder != base.Folder {
			return nil, fmt.Errorf("%w: one is about procedure %s, the other about %s", ErrConflict, base.Folder, o.Folder)
		}
		for _, e := range o.Evidences {
			switch had := evidences[e.ID]; {
			case had == nil:
				out.Evidences, evidences[e.ID] = append(out.Evidences, e), e
			case !e.same(had):
				return nil, fmt.Errorf("%w: evidence %s is %s in one and %s in the other", ErrConflict, e.ID, had.describe(), e.describe())
			}
		}
		for _, a := range o.Answers {
			if properties[a.Property] == nil {
				continue // of a criterion that is not asked here
			}
			had := answers[a.key()]
			switch {
			case had == nil:
			case len(a.Evidence) > 0:
				if supplied[a.Property+"\n"+a.Evidence[0]] {
					continue
				}
			case a.same(had):
				continue
			default:
				return nil, fmt.Errorf("%w: %s is answered with %q and %q", ErrConflict, a.Property, had.Value, a.Value)
			}
			if taken[a.ID] { // written anew, under an identifier of its own
				x := *a
				x.node = dom.Node{}
				for k := 2; taken[x.ID]; k++ {
					x.ID = fmt.Sprintf("%s/R%d", a.Property, k)
				}
				a = &x
			}
			out.Answers = append(out.Answers, a)
			enter(a)
		}
	}
	return &out, nil
}

// key is the question that is answered, and for which lots.
func (a *Answer) key() string { return a.Property + "\n" + strings.Join(a.Lots, "\n") }

func (e *Evidence) same(o *Evidence) bool {
	a, b := *e, *o
	a.node, b.node = dom.Node{}, dom.Node{}
	return a == b
}

func (e *Evidence) describe() string {
	return fmt.Sprintf("%q of %q at %q", e.Reference, e.Issuer, e.URI)
}

func (a *Answer) same(o *Answer) bool {
	return a.Value == o.Value && a.Unit == o.Unit && a.Start == o.Start && a.End == o.End
}
