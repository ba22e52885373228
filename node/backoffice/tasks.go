package backoffice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/smp"
	"github.com/viadukt-eu/viadukt/node/store"
)

// Each address has a queue of its own: one that does not answer holds nobody else up.
const (
	queueLocal    = "backoffice"
	queuePush     = "backoffice/push/"    // and the name of the rule
	queueWebhooks = "backoffice/webhook/" // and the address
)

const (
	kindPurge   = "purge"
	kindFolder  = "folder"
	kindWebhook = "webhook"
	kindPush    = "push"
)

// queues lists those that there are.
func (s *Service) queues() []string {
	out := []string{queueLocal}
	for _, r := range s.rules {
		out = append(out, queuePush+r.Name)
	}
	for _, h := range s.hooks {
		out = append(out, queueWebhooks+string(h.URL))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// note is the body of a task of kind push.
type note struct {
	Rule      string `json:"rule"`
	Type      string `json:"type"`
	MessageID string `json:"messageId"`
	Status    string `json:"status,omitempty"`
}

const (
	claimMost   = 64
	callTimeout = 60 * time.Second
)

// errDead says that trying again is of no use.
type errDead struct{ error }

func (e errDead) Unwrap() error { return e.error }

// runTasks works on all queues until ctx is done.
func (s *Service) runTasks(ctx context.Context) {
	var work sync.WaitGroup
	var wake []chan struct{}
	for _, q := range s.queues() {
		w := make(chan struct{}, 1)
		wake = append(wake, w)
		work.Go(func() { s.runQueue(ctx, q, w) })
	}
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-s.Ready:
			for _, w := range wake {
				select {
				case w <- struct{}{}:
				default:
				}
			}
		}
	}
	work.Wait()
}

// runQueue does one task after the other, so that what happened to a message is told in its order.
func (s *Service) runQueue(ctx context.Context, queue string, wake <-chan struct{}) {
	for ctx.Err() == nil {
		due, err := s.Store.DueTasks(ctx, queue, s.Clock(), claimMost)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("tasks not read", slog.Any("err", err))
		}
		for _, t := range due {
			if ctx.Err() == nil {
				s.run(ctx, t)
			}
		}
		if len(due) == 0 {
			s.wait(ctx, queue, wake, err != nil)
		}
	}
}

func (s *Service) wait(ctx context.Context, queue string, wake <-chan struct{}, failed bool) {
	pause := time.Minute
	if failed {
		pause = time.Second
	} else if next, err := s.Store.NextTask(ctx, queue); err == nil {
		pause = min(pause, max(next.Sub(s.Clock()), 10*time.Millisecond))
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}

// run does one task and records what it came to.
func (s *Service) run(ctx context.Context, t store.Task) {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	var again retry
	schedule := webhookSchedule
	switch t.Kind {
	case kindPurge:
		err = s.purge(call, t)
		again = retry{pause: time.Hour, times: 24}
	case kindFolder:
		err = s.deliver(ctx, t)
		again = retry{pause: time.Minute, times: 7 * 24 * 60}
	case kindWebhook:
		err = s.callHook(call, t)
	case kindPush:
		again, err = s.push(ctx, t) // its time-outs are those of the connection: a payload may take long
	default:
		err = errDead{fmt.Errorf("backoffice: no task of kind %q", t.Kind)}
	}
	if err != nil && ctx.Err() != nil {
		return // stopping
	}
	t.Attempts++
	now := s.Clock()
	var dead errDead
	werr := s.Store.Write(context.WithoutCancel(ctx), func(tx store.Tx) error {
		if err == nil {
			return ignoreAbsent(tx.DeleteTask(t.ID))
		}
		next, ok := again.next(t.Attempts, now)
		if t.Kind == kindWebhook {
			next, ok = schedule.next(t.Attempts, now)
		}
		t.Due, t.Dead, t.Error = next, !ok || errors.As(err, &dead), err.Error()
		return ignoreAbsent(tx.PutTask(&t))
	})
	switch {
	case werr != nil:
		s.Log.Error("task not recorded", slog.Any("err", werr))
	case err != nil:
		s.Log.LogAttrs(ctx, slog.LevelWarn, "back office not told", slog.String("kind", t.Kind), slog.Int("attempt", t.Attempts), slog.Bool("dead", t.Dead), slog.Any("err", err))
	}
}

func ignoreAbsent(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// purge deletes the payloads of a message that was downloaded.
func (s *Service) purge(ctx context.Context, t store.Task) error {
	return s.Store.Write(ctx, func(tx store.Tx) error {
		m, err := tx.Message(t.Message)
		if err != nil || m.State != store.Confirmed {
			return ignoreAbsent(err)
		}
		return tx.DeletePayloads(t.Message)
	})
}

// Changed implements the node's observer: what has to be told is stored with the change itself.
func (s *Service) Changed(tx store.Tx, message func() (*store.Message, error), to store.State) error {
	if len(s.rules) == 0 && len(s.hooks) == 0 && s.Settings.Folders.Root == "" {
		return nil
	}
	m, err := message()
	if err != nil {
		return err
	}
	if m.Test {
		return nil
	}
	if s.Settings.Folders.Root != "" && m.Direction == store.In && to == store.Delivered {
		if err := tx.PutTask(&store.Task{Queue: queueLocal, Kind: kindFolder, Message: m.ID}); err != nil {
			return err
		}
	}
	for _, h := range s.hooks {
		if !h.wants(m, to) {
			continue
		}
		if err := tx.PutTask(h.task(m, to, s.Clock())); err != nil {
			return err
		}
	}
	for _, kind := range pushTypes(m, to) {
		if err := s.putPush(tx, m, kind, to); err != nil {
			return err
		}
	}
	return nil
}

// Removed implements the node's observer: the payloads of a message go.
func (s *Service) Removed(tx store.Tx, message func() (*store.Message, error)) error {
	if len(s.rules) == 0 {
		return nil
	}
	m, err := message()
	if err != nil || m.Test {
		return err
	}
	if len(m.Payloads) > 0 && !slices.ContainsFunc(m.Payloads, func(p store.Payload) bool { return !p.Gone }) {
		return nil // they went before
	}
	for _, kind := range []string{"DELETED", "DELETED_BATCH"} {
		if err := s.putPush(tx, m, kind, m.State); err != nil {
			return err
		}
	}
	return nil
}

// pushTypes says what a change of state is called.
func pushTypes(m *store.Message, to store.State) []string {
	if m.Direction == store.In {
		switch to {
		case store.Delivered: // a domain has seen it, where one is concerned
			return []string{"SUBMIT_MESSAGE", "RECEIVE_SUCCESS", "MESSAGE_STATUS_CHANGE"}
		case store.Rejected:
			return []string{"RECEIVE_FAIL", "MESSAGE_STATUS_CHANGE"}
		}
		return []string{"MESSAGE_STATUS_CHANGE"}
	}
	switch to {
	case store.Acknowledged, store.AcknowledgedWithoutReceipt:
		return []string{"SEND_SUCCESS", "MESSAGE_STATUS_CHANGE"}
	case store.Failed, store.Rejected:
		return []string{"SEND_FAILURE", "MESSAGE_STATUS_CHANGE"}
	}
	return []string{"MESSAGE_STATUS_CHANGE"}
}

// putPush stores the notice of the first rule that fits.
func (s *Service) putPush(tx store.Tx, m *store.Message, kind string, to store.State) error {
	for i := range s.rules {
		r := &s.rules[i]
		if !slices.Contains(r.Types, kind) || r.Recipient != "" && !sameCorner(m.Receiver, r.Recipient) {
			continue
		}
		changed := *m
		changed.State = to
		body, err := json.Marshal(note{Rule: r.Name, Type: kind, MessageID: m.MessageID, Status: s.status(&changed)})
		if err != nil {
			return err
		}
		return tx.PutTask(&store.Task{Queue: queuePush + r.Name, Kind: kindPush, Message: m.ID, Body: body})
	}
	return nil
}

// clients makes one client that goes where the operator said, and one that keeps out of the inner network. Neither follows
// redirects: they would carry what is told to another place.
func clients(allowPrivate bool) (open, guarded *http.Client) {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	open = &http.Client{CheckRedirect: stay, Transport: &http.Transport{
		ResponseHeaderTimeout: callTimeout, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 1,
	}}
	if allowPrivate {
		return open, open
	}
	policy := &smp.Policy{Ports: []uint16{0}}
	guarded = policy.HTTPClient()
	guarded.CheckRedirect = stay
	guarded.Timeout = callTimeout
	return open, guarded
}

// problemOf makes an answer that is no success an error.
func problemOf(resp *http.Response) error {
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	return fmt.Errorf("backoffice: answered %s", strings.TrimSpace(resp.Status))
}
