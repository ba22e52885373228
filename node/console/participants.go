package console

import (
	"errors"
	"io"
	"net/http"
)

type participantsData struct {
	Publishes bool
	Rows      []Participant
	After     string
	Next      string
	Form      Registration
	Problem   string // key of what is wrong with the form
	Detail    string // in English, from the node
	Remedy    string
}

func (c *Console) participants(x *call) error {
	return c.showParticipants(x, http.StatusOK, &participantsData{After: clip(x.r.URL.Query().Get("after"), 500)})
}

func (c *Console) showParticipants(x *call, status int, d *participantsData) error {
	if d.Publishes = c.opt.Publisher != nil; d.Publishes {
		var err error
		if d.Rows, err = c.opt.Publisher.Participants(x.r.Context(), d.After, pageSize+1); err != nil {
			return err
		}
		if len(d.Rows) > pageSize {
			d.Rows = d.Rows[:pageSize]
			d.Next = d.Rows[pageSize-1].ID
		}
	}
	return x.show(status, "participants", view{Title: "nav.participants", Data: d})
}

// addParticipant takes what to register from the form, and what is empty there from the document.
func (c *Console) addParticipant(x *call) error {
	if c.opt.Publisher == nil {
		return errNotFound
	}
	d := &participantsData{Form: Registration{x.value("participant"), x.value("doctype"), x.value("process")}}
	again := func(key string, err error) error {
		d.Problem = key
		var refused *Refused
		if errors.As(err, &refused) {
			d.Detail, d.Remedy = refused.Text, refused.Remedy
		}
		return c.showParticipants(x, http.StatusUnprocessableEntity, d)
	}
	doc, err := x.upload("document")
	if err != nil {
		return err
	}
	reg := d.Form
	if len(doc) > 0 {
		found, err := c.opt.Publisher.Recognise(doc)
		if err != nil {
			return again("participants.not-recognised", err)
		}
		for _, f := range []struct{ have, found *string }{
			{&reg.Participant, &found.Participant}, {&reg.DocumentType, &found.DocumentType}, {&reg.Process, &found.Process},
		} {
			if *f.have == "" {
				*f.have = *f.found
			}
		}
	}
	if reg.Participant == "" || reg.DocumentType == "" || reg.Process == "" {
		return again("participants.incomplete", nil)
	}
	if err := c.opt.Publisher.Register(x.r.Context(), reg); err != nil {
		var refused *Refused
		if !errors.As(err, &refused) {
			return err
		}
		return again("participants.refused", err)
	}
	x.act("participant.add", reg.Participant+" "+reg.DocumentType)
	return x.done("participants", "done.participant-added")
}

// upload reads a file of the form, nil when there is none.
func (x *call) upload(name string) ([]byte, error) {
	if x.r.MultipartForm == nil {
		return nil, nil
	}
	f, _, err := x.r.FormFile(name)
	if errors.Is(err, http.ErrMissingFile) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, documentMost))
}

func (c *Console) removeParticipant(x *call) error {
	if c.opt.Publisher == nil {
		return errNotFound
	}
	p, d := x.value("participant"), x.value("doctype")
	if p == "" {
		return errNotFound
	}
	if err := c.opt.Publisher.Unregister(x.r.Context(), p, d); err != nil {
		return err
	}
	x.act("participant.remove", p+" "+d)
	return x.done("participants", "done.participant-removed")
}
