package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Event is one state change, as the node tells it.
type Event struct {
	// Reset says that changes may have been missed, because the node was started anew or the connection was away for
	// long: a list tells how things stand. Nothing else is set then.
	Reset bool `json:"-"`

	Time           time.Time `json:"time"`
	ID             int64     `json:"id"`
	State          State     `json:"state"`
	MessageID      string    `json:"messageId"`
	ConversationID string    `json:"conversationId"`
	RefToMessageID string    `json:"refToMessageId"`
	Direction      string    `json:"direction"`
	Domain         string    `json:"domain"`
	PMode          string    `json:"pmode"`
	Sender         string    `json:"sender"`
	Receiver       string    `json:"receiver"`
	Service        string    `json:"service"`
	Action         string    `json:"action"`
	Error          *Problem  `json:"error"`
}

// pause before a connection that broke is made again.
const pause = 2 * time.Second

// Events tells state changes as they happen: those of one direction and of some states, where these are given. It goes
// on until ctx is done or the caller stops, makes connections that break again, and continues where it was. An error is the
// last thing it gives: the node refuses the call.
func (c *Client) Events(ctx context.Context, direction string, states ...State) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s := stream{c: c, path: "/events?" + Filter{Direction: direction, States: states}.query().Encode()}
		for {
			err := s.read(ctx, yield, nil)
			var refused *Error
			switch {
			case errors.Is(err, errStopped):
				return
			case ctx.Err() != nil:
				yield(Event{}, ctx.Err())
				return
			case errors.As(err, &refused) && !refused.Temporary():
				yield(Event{}, refused)
				return
			}
			select {
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			case <-time.After(pause):
			}
		}
	}
}

var errStopped = errors.New("client: the caller stopped")

// stream is one run of events over any number of connections.
type stream struct {
	c    *Client
	path string
	last string // id of the last event
}

// read makes a connection and gives its events. ready is called once the node listens.
func (s *stream) read(ctx context.Context, yield func(Event, error) bool, ready func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	header := http.Header{}
	if s.last != "" {
		header.Set("Last-Event-ID", s.last)
	}
	resp, err := s.c.do(ctx, http.MethodGet, s.path, "", nil, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 16<<10)
	var event, data, id string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch name {
			case "event":
				event = value
			case "data":
				data += value
			case "id":
				id = value
			}
			if len(data) > 1<<20 {
				return fmt.Errorf("client: event of more than %d octets", 1<<20)
			}
			continue
		}
		if id != "" {
			s.last = id
		}
		var e Event
		switch event {
		case "reset":
			e.Reset = true
		case "state":
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				return fmt.Errorf("client: event: %w", err)
			}
		}
		if ready != nil {
			if err := ready(); err != nil {
				return err
			}
			ready = nil
		}
		if event != "" && !yield(e, nil) {
			return errStopped
		}
		event, data, id = "", "", ""
	}
}

// Wait returns a message once it is in one of these states, or, where none is given, once nothing more happens to it by
// itself: see [State.Settled]. A state that it only passes through meanwhile counts as well. id is the number or the
// message id.
func (c *Client) Wait(ctx context.Context, id string, states ...State) (*Message, error) {
	there := func(s State) bool { return slices.Contains(states, s) || len(states) == 0 && s.Settled() }
	m, err := c.Get(ctx, id)
	if err != nil || there(m.State) {
		return m, err
	}
	s := stream{c: c, path: "/events?" + Filter{Direction: m.Direction}.query().Encode()}
	row, passed := m.ID, false
	look := func() error { // what happened before the connection stood
		if m, err = c.Get(ctx, id); err != nil {
			return err
		}
		if there(m.State) {
			return errStopped
		}
		return nil
	}
	for {
		err = s.read(ctx, func(e Event, _ error) bool {
			switch {
			case e.Reset:
				return look() == nil
			case e.ID == row && there(e.State): // it may be further already
				m, err = c.Get(ctx, id)
				passed = err == nil
				return false
			}
			return true
		}, look)
		var refused *Error
		switch {
		case errors.Is(err, errStopped) && m != nil && (passed || there(m.State)):
			return m, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &refused) && !refused.Temporary():
			return nil, refused
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
