// Package rules judges invoices by the business rules of the European standard EN 16931-1 in both of its syntaxes, UBL
// 2.1 and UN/CEFACT CII D16B, and by the rules for billing of the network that grew out of the pilot for procurement. By
// the rules of that network it judges as well what buyers and sellers exchange around an invoice: orders and the answers
// to them, despatch advices, catalogues, and the responses to messages and invoices; and, of what goes before award, calls for
// tenders, tenders, the receipts for them, qualifications, and the answers to notices and to messages of tendering.
//
// The rules are written in Go from what the standard and its publishers' artefacts demand, under the official rule ids,
// so that a machine without any download gives the verdict, and names the rules, that the official rules would. Their
// words are this project's. Editions: validation artefacts of EN 16931 1.3.16; billing rules 2026.5 for UBL and 3.0.19
// for CII; rules for the other documents 2026.5, for the message level status 1.0.1, for those before award 1.1.
//
// A test whose operand cannot be read as the type it needs fails: the official engines stop there with an error.
//
// # Speed
//
// A document is walked once. Names become numbers when a document arrives, contexts are found by the number of the last
// name, and the hundreds of rules on elements that must not occur are one tree of names walked beside the document.
package rules

import (
	"errors"
	"slices"
	"sync"

	"github.com/viadukt-eu/viadukt/edocument"
	"github.com/viadukt-eu/viadukt/xmlcore/dom"
)

// ErrLimit says that a document was made, or has grown, so that judging it would cost too much: it repeats many
// thousand times what an invoice has once.
var ErrLimit = errors.New("judging the document costs too much: it repeats what an invoice has once")

// Rule is one rule of a set, for people.
type Rule struct {
	ID       string
	Severity edocument.Severity
	Text     string // what the rule demands
	Remedy   string // what to do when it is broken
}

// ID returns id@version.
func (s *Set) ID() string { return s.id + "@" + s.version }

// Rules lists the rules of the set in the order in which they are asked.
func (s *Set) Rules() []*Rule { return s.rules }

// The sets, each built when it is first asked for.
var (
	coreUBL        = sync.OnceValue(newCoreUBL)
	coreCII        = sync.OnceValue(newCoreCII)
	billingUBL     = sync.OnceValue(func() *Set { return newBillingUBL(false) })
	selfBillingUBL = sync.OnceValue(func() *Set { return newBillingUBL(true) })
	billingCII     = sync.OnceValue(newBillingCII)
)

// Sets returns all sets that are built in.
func Sets() []*Set {
	sets := []*Set{coreUBL(), coreCII(), billingUBL(), selfBillingUBL(), billingCII()}
	for _, p := range append(slices.Clone(postAward), preAward...) {
		sets = append(sets, p.set())
	}
	return sets
}

// Names lists the sets that are built in, by what their [Set.ID] begins with, in the order of [Sets]; none is built for it.
func Names() []string {
	return []string{
		"en16931-ubl", "en16931-cii", "peppol-billing-ubl", "peppol-selfbilling-ubl", "peppol-billing-cii",
		"peppol-order", "peppol-order-response", "peppol-order-agreement", "peppol-order-change", "peppol-order-cancellation",
		"peppol-order-response-advanced", "peppol-despatch-advice", "peppol-catalogue", "peppol-catalogue-response", "peppol-punch-out",
		"peppol-invoice-response", "peppol-message-level-response", "peppol-mls", "peppol-call-for-tenders", "peppol-tender",
		"peppol-tender-receipt", "peppol-notice-publication-response", "peppol-tendering-message-response", "peppol-qualification",
	}
}

// Options says how to judge. The zero value judges by what the document says it follows.
type Options struct {
	// Sets replaces the choice by the document's specification identifier.
	Sets []*Set
	// MaxFindings bounds the findings of each set that are described. Default 2,000.
	MaxFindings int
}

// Validate judges a business document. For any other document it returns [edocument.ErrUnknownType], for one that
// would cost too much [ErrLimit].
func Validate(doc *dom.Document, opt Options) (*edocument.Report, error) {
	kind, sets := choose(doc)
	if opt.Sets != nil {
		sets = opt.Sets
	}
	if kind == "" || len(sets) == 0 {
		return nil, edocument.ErrUnknownType
	}
	limit := opt.MaxFindings
	if limit == 0 {
		limit = 2000
	}
	r := &edocument.Report{Type: kind, Valid: true, Findings: []edocument.Finding{}}
	for _, s := range sets {
		r.Pack = append(r.Pack, s.ID())
		x := s.run(doc, limit)
		if x.exhausted() {
			x.release()
			return nil, ErrLimit
		}
		r.Valid = r.Valid && !x.refused
		r.Suppressed += x.suppressed
		r.Findings = x.describe(r.Findings)
		x.release()
	}
	return r, nil
}

// Judge is Validate as an [edocument.Validator].
type Judge struct{ Options Options }

// Validate implements [edocument.Validator].
func (j Judge) Validate(doc *dom.Document) (*edocument.Report, error) {
	return Validate(doc, j.Options)
}
