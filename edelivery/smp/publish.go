package smp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/trust/pki"
)

// Publisher writes the documents of an SMP into its registry, signed. The first of Generations is the one that changes
// are merged in; the others are made from it.
//
// One Publisher serialises its own writes. Two over one registry must not write the same participant at once.
type Publisher struct {
	Registry    Registry
	Identity    *pki.Identity // signs
	PublicURL   string        // what hrefs begin with, without slash at the end; never taken from a request
	Generations []Generation
	Rules       ids.Rules
	Rand        io.Reader // nil is crypto/rand
	Now         func() time.Time
	// Register and Unregister tell the locator about a participant that comes or goes; nil is no locator. When Register
	// fails the new group is taken back; when Unregister fails nothing is removed.
	Register, Unregister func(ctx context.Context, p ids.Participant) error

	mu sync.Mutex
}

// PutGroup makes a participant known, or changes its group's extensions. The list of references is the Publisher's
// own: those of sg are ignored. It reports whether the participant is new.
func (p *Publisher) PutGroup(ctx context.Context, sg *ServiceGroup, locator bool) (created bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var put []Record
	var keys []Key
	for _, g := range p.Generations {
		now, err := p.group(ctx, g, sg.Participant)
		switch {
		case errors.Is(err, ErrNotFound):
			now, created = &ServiceGroup{Participant: sg.Participant}, true
		case err != nil:
			return false, err
		}
		now.Extensions = sg.Extensions
		rec, err := p.groupRecord(now, g)
		if err != nil {
			return false, err
		}
		put, keys = append(put, rec), append(keys, rec.Key)
	}
	if err := p.Registry.Update(ctx, put, nil); err != nil {
		return false, err
	}
	if created && locator && p.Register != nil {
		if err := p.Register(ctx, sg.Participant); err != nil {
			// The caller's patience may be what ended; the group must go all the same.
			return false, errors.Join(err, p.Registry.Update(context.WithoutCancel(ctx), nil, keys))
		}
	}
	return created, nil
}

// DeleteGroup removes a participant with all its metadata.
func (p *Publisher) DeleteGroup(ctx context.Context, who ids.Participant, locator bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	drop, err := p.keys(ctx, who)
	if err != nil {
		return err
	}
	if locator && p.Unregister != nil {
		if err := p.Unregister(ctx, who); err != nil {
			return err
		}
	}
	return p.Registry.Update(ctx, nil, drop)
}

// keys lists every document of a participant, the groups included.
func (p *Publisher) keys(ctx context.Context, who ids.Participant) (list []Key, err error) {
	for _, g := range p.Generations {
		sg, err := p.group(ctx, g, who)
		if errors.Is(err, ErrNotFound) && len(list) > 0 {
			continue // a generation that was added later
		}
		if err != nil {
			return nil, err
		}
		list = append(list, keyOf(g, who, ids.DocumentType{}, p.Rules))
		for _, ref := range sg.References {
			list = append(list, keyOf(g, who, ref.DocumentType, p.Rules))
		}
	}
	return list, nil
}

// PutMetadata stores what the participant accepts of one document type. With merge, processes and endpoints that are there
// stay: see [Merge]. The participant must be known: [ErrNotFound].
func (p *Publisher) PutMetadata(ctx context.Context, who ids.Participant, d ids.DocumentType, md *ServiceMetadata, merge bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	sg, err := p.group(ctx, p.Generations[0], who)
	if err != nil {
		return err
	}
	own := *md
	own.Participant, own.DocumentType = sg.Participant, d
	if merge {
		old, err := p.metadata(ctx, p.Generations[0], who, d)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := Merge(&own, old, p.Rules); err != nil {
			return err
		}
	}
	return p.store(ctx, &own)
}

// DeleteMetadata removes one document type, or its redirect.
func (p *Publisher) DeleteMetadata(ctx context.Context, who ids.Participant, d ids.DocumentType) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remove(ctx, who, func(have ids.DocumentType) bool { return p.Rules.SameDocumentType(have, d) }, true)
}

// DeleteAllMetadata removes every document type and leaves the participant.
func (p *Publisher) DeleteAllMetadata(ctx context.Context, who ids.Participant) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remove(ctx, who, func(ids.DocumentType) bool { return true }, false)
}

// DeleteProcess removes one process of a document type; with the last one the document type goes.
func (p *Publisher) DeleteProcess(ctx context.Context, who ids.Participant, d ids.DocumentType, proc ids.Process) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	md, err := p.metadata(ctx, p.Generations[0], who, d)
	if err != nil {
		return err
	}
	sg, err := p.group(ctx, p.Generations[0], who)
	if err != nil {
		return err
	}
	n := len(md.Processes)
	md.Processes = slices.DeleteFunc(md.Processes, func(q Process) bool { return p.Rules.SameProcess(q.Process, proc) })
	switch {
	case len(md.Processes) == n:
		return ErrNotFound
	case len(md.Processes) == 0:
		return p.remove(ctx, who, func(have ids.DocumentType) bool { return p.Rules.SameDocumentType(have, d) }, true)
	}
	md.Participant = sg.Participant
	return p.store(ctx, md)
}

// Group and Metadata read back what is published, in the first generation.
func (p *Publisher) Group(ctx context.Context, who ids.Participant) (*ServiceGroup, error) {
	return p.group(ctx, p.Generations[0], who)
}

// Metadata reads back one document type. A redirect gets the identifiers that generation 1 leaves out.
func (p *Publisher) Metadata(ctx context.Context, who ids.Participant, d ids.DocumentType) (*ServiceMetadata, error) {
	return p.metadata(ctx, p.Generations[0], who, d)
}

// Resign signs every document anew, after a change of certificate or of PublicURL.
func (p *Publisher) Resign(ctx context.Context) error {
	after := ""
	for {
		list, err := p.Registry.Participants(ctx, after, 100)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, who := range list {
			if err := p.resign(ctx, who); err != nil {
				return fmt.Errorf("sign %s again: %w", who, err)
			}
		}
		after = list[len(list)-1]
	}
}

func (p *Publisher) resign(ctx context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, err := ids.ParseParticipant(name)
	if err != nil {
		return err
	}
	sg, err := p.group(ctx, p.Generations[0], who)
	if errors.Is(err, ErrNotFound) {
		return nil // removed meanwhile, or of another generation
	}
	if err != nil {
		return err
	}
	if err := p.putGroups(ctx, sg, nil); err != nil {
		return err
	}
	for _, ref := range sg.References {
		md, err := p.metadata(ctx, p.Generations[0], who, ref.DocumentType)
		if err != nil {
			return err
		}
		md.Participant, md.DocumentType = sg.Participant, ref.DocumentType
		if err := p.store(ctx, md); err != nil {
			return err
		}
	}
	return nil
}

// putGroups writes the group in every generation as it is in the first.
func (p *Publisher) putGroups(ctx context.Context, sg *ServiceGroup, put []Record) error {
	for _, g := range p.Generations {
		own := *sg
		if g == OASIS20 { // keeps its processes, which generation 1 does not list
			if two, err := p.group(ctx, g, sg.Participant); err == nil {
				own.References = two.References
			}
		}
		rec, err := p.groupRecord(&own, g)
		if err != nil {
			return err
		}
		put = append(put, rec)
	}
	return p.Registry.Update(ctx, put, nil)
}

// store signs the metadata in every generation and enters it in the groups.
func (p *Publisher) store(ctx context.Context, md *ServiceMetadata) error {
	var put []Record
	for _, g := range p.Generations {
		own := adapt(md, p.Generations[0], g)
		octets, err := Sign(own, g, p.Identity, p.Rand)
		if err != nil {
			return err
		}
		put = append(put, newRecord(keyOf(g, md.Participant, md.DocumentType, p.Rules), octets, p.now()))
		sg, err := p.group(ctx, g, md.Participant)
		if errors.Is(err, ErrNotFound) {
			sg, err = &ServiceGroup{Participant: md.Participant}, nil
		}
		if err != nil {
			return err
		}
		ref := Reference{DocumentType: md.DocumentType}
		for i := range md.Processes {
			if q := md.Processes[i].Process; !q.IsZero() {
				ref.Processes = append(ref.Processes, q)
			}
		}
		at := slices.IndexFunc(sg.References, func(r Reference) bool { return p.Rules.SameDocumentType(r.DocumentType, md.DocumentType) })
		switch {
		case at >= 0:
			sg.References[at] = ref
		case len(sg.References) == MaxReferences:
			return fmt.Errorf("%w: more than %d document types", ErrSyntax, MaxReferences)
		default:
			sg.References = append(sg.References, ref)
		}
		rec, err := p.groupRecord(sg, g)
		if err != nil {
			return err
		}
		put = append(put, rec)
	}
	return p.Registry.Update(ctx, put, nil)
}

// remove drops the metadata that match, in every generation.
func (p *Publisher) remove(ctx context.Context, who ids.Participant, match func(ids.DocumentType) bool, must bool) error {
	var put []Record
	var drop []Key
	for _, g := range p.Generations {
		sg, err := p.group(ctx, g, who)
		if err != nil {
			return err
		}
		sg.References = slices.DeleteFunc(sg.References, func(r Reference) bool {
			if !match(r.DocumentType) {
				return false
			}
			drop = append(drop, keyOf(g, who, r.DocumentType, p.Rules))
			return true
		})
		rec, err := p.groupRecord(sg, g)
		if err != nil {
			return err
		}
		put = append(put, rec)
	}
	if must && len(drop) == 0 {
		return ErrNotFound
	}
	return p.Registry.Update(ctx, put, drop)
}

func (p *Publisher) group(ctx context.Context, g Generation, who ids.Participant) (*ServiceGroup, error) {
	rec, err := p.Registry.Get(ctx, keyOf(g, who, ids.DocumentType{}, p.Rules))
	if err != nil {
		return nil, err
	}
	sg, err := ParseServiceGroup(slices.Clone(rec.Octets))
	if err != nil {
		return nil, err
	}
	for i := range sg.References {
		sg.References[i].Href = "" // made anew from PublicURL
	}
	return sg, nil
}

func (p *Publisher) metadata(ctx context.Context, g Generation, who ids.Participant, d ids.DocumentType) (*ServiceMetadata, error) {
	rec, err := p.Registry.Get(ctx, keyOf(g, who, d, p.Rules))
	if err != nil {
		return nil, err
	}
	md, err := ParseServiceMetadata(slices.Clone(rec.Octets))
	if err == nil && md.Participant.IsZero() {
		md.Participant, md.DocumentType = who, d
	}
	return md, err
}

func (p *Publisher) groupRecord(sg *ServiceGroup, g Generation) (Record, error) {
	octets, err := WriteServiceGroup(sg, g, p.PublicURL)
	if err == nil && len(octets) > MaxBytes {
		err = ErrTooLarge
	}
	return newRecord(keyOf(g, sg.Participant, ids.DocumentType{}, p.Rules), octets, p.now()), err
}

func (p *Publisher) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// adapt turns the redirects of one generation into those of another: the whole URL in generation 1, the base of the
// SMP in 2.0.
func adapt(md *ServiceMetadata, from, to Generation) *ServiceMetadata {
	if md.Redirect == nil || (from == OASIS20) == (to == OASIS20) {
		return md
	}
	own, rd := *md, *md.Redirect
	own.Redirect = &rd
	path := ids.ServicePath(md.Participant, md.DocumentType)
	if to == OASIS20 {
		rd.Href, rd.CertificateUID = strings.TrimSuffix(rd.Href, path), ""
		return &own
	}
	rd.Href = ids.JoinService(rd.Href, md.Participant, md.DocumentType)
	if rd.Certificate != nil {
		rd.CertificateUID = rd.Certificate.Subject.String()
	}
	return &own
}
