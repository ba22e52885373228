package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/viadukt-eu/viadukt/node/backoffice"
)

// hook calls one address.
type hook struct {
	c      *Center
	set    Webhook
	name   string
	secret []byte
	client *http.Client
}

// Notice is the JSON that a webhook gets.
type Notice struct {
	Type   string       `json:"type"` // "alerts"
	Time   time.Time    `json:"time"`
	Node   string       `json:"node"`
	Alerts []NoticeItem `json:"alerts"`
}

// NoticeItem is one alert.
type NoticeItem struct {
	ID       string     `json:"id"`
	Rule     string     `json:"rule"`
	State    string     `json:"state"` // "open", "over"
	Severity Severity   `json:"severity"`
	Text     string     `json:"text"`
	Remedy   string     `json:"remedy,omitempty"`
	Since    time.Time  `json:"since"`
	Resolved *time.Time `json:"resolved,omitempty"`
}

// Item puts an alert into words.
func (a *Alert) Item(language string) NoticeItem {
	i := NoticeItem{ID: a.ID, Rule: a.Rule, State: "open", Severity: a.Severity, Text: a.Say(language), Since: a.Since.UTC()}
	if !a.Open() {
		at := a.Resolved.UTC()
		i.State, i.Resolved = "over", &at
	} else {
		i.Remedy = a.Remedy(language)
	}
	return i
}

func newHook(c *Center, w Webhook, i int) (*hook, error) {
	secret, err := w.Secret.Read()
	if err != nil {
		return nil, fmt.Errorf("alert: webhook %s: %w", w.URL, err)
	}
	if err := backoffice.CheckSecret(secret); err != nil {
		return nil, fmt.Errorf("alert: webhook %s: %w", w.URL, err)
	}
	return &hook{c: c, set: w, name: fmt.Sprintf("webhook-%d", i+1), secret: []byte(secret), client: backoffice.WebhookClient(c.Settings.AllowPrivate)}, nil
}

// Name implements [Channel].
func (h *hook) Name() string { return h.name }

// Least implements [Channel].
func (h *hook) Least() Severity { return Severity(cmp.Or(h.set.Severity, string(Info))) }

// Tell implements [Channel].
func (h *hook) Tell(ctx context.Context, id string, notices []Alert) error {
	n := Notice{Type: "alerts", Time: h.c.Clock().UTC(), Node: h.c.Node}
	for _, a := range notices {
		n.Alerts = append(n.Alerts, a.Item(h.c.language))
	}
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return backoffice.Call{
		Client: h.client, URL: string(h.set.URL), Secret: h.secret, Delivery: "alert-" + id, Version: h.c.Version, Time: h.c.Clock(), Body: body,
	}.Do(ctx)
}
