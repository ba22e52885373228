package node_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viadukt-eu/viadukt/edelivery/ebms"
	"github.com/viadukt-eu/viadukt/edelivery/ids"
	"github.com/viadukt-eu/viadukt/node"
	"github.com/viadukt-eu/viadukt/node/config"
	"github.com/viadukt-eu/viadukt/node/store"
)

func TestProblemsOfPartnersAndPModesNameTheirLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, partner, pmode string
		want                 []string // in the error, "LINE" where the line of the text before stands
	}{
		{"a partner that is not there", "", "{id: x, partner: nobody}", []string{`no partner is named "nobody"`}},
		{"a key nobody knows", "", "{id: x, partner: pt, retries: 3}", []string{"retries: unknown key"}},
		{"no id", "", "{partner: pt}", []string{"id: missing"}},
		{"a profile nobody knows", "", "{id: x, partner: pt, profile: ebms2}", []string{`unknown profile "ebms2"`}},
		{"a deviation nobody knows", "", "{id: x, partner: pt, tolerate: [sloppiness]}", []string{`tolerate: no deviation is named "sloppiness"; there are `, ebms.QuirkNames()[0]}},
		{"a strictness nobody knows", "", "{id: x, partner: pt, strict: [everything]}", []string{`strict: no deviation is named "everything"`}},
		{"a direction that is none", "", "{id: x, partner: pt, direction: up}", []string{"direction:", `"up"`}},
		{"a partner without certificate", "{name: y, id: y}", "", []string{"certificates: missing"}},
		{"a certificate that is not there", "{name: y, id: y, certificates: [trust/missing.pem]}", "", []string{"missing.pem"}},
		{"a token form nobody knows", "{name: y, id: y, certificates: [trust/partner-pt.pem], signToken: magic}", "", []string{"signToken:", `"magic"`}},
		{"sending to a partner without address", "{name: y, id: y, certificates: [trust/partner-pt.pem]}", "{id: x, partner: y, direction: send}", []string{`partner "y" has no url`}},
		{"two at once", "{name: y, id: y, certificates: [trust/missing.pem]}", "{id: x, partner: nobody}", []string{"missing.pem", `no partner is named "nobody"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			made, _ := agree(t)
			text, err := os.ReadFile(made.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(text), "\n")
			var at []int
			for _, add := range [][2]string{{"partners:", c.partner}, {"pmodes:", c.pmode}} {
				if add[1] == "" {
					continue
				}
				for i, l := range lines {
					if l == add[0] {
						lines = append(lines[:i+1], append([]string{"  - " + add[1]}, lines[i+1:]...)...)
						break
					}
				}
			}
			for i, l := range lines {
				wrong := c.pmode == "" || strings.Contains(c.partner, "missing") // the partner itself
				if l == "  - "+c.partner && wrong || l == "  - "+c.pmode {
					at = append(at, i+1)
				}
			}
			if err := os.WriteFile(made.ConfigFile, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(made.ConfigFile)
			if err == nil {
				var n *node.Node
				if n, err = node.New(context.Background(), cfg, node.Options{}); err == nil {
					n.Stop(context.Background())
					t.Fatal("taken")
				}
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %s", err, want)
				}
			}
			for _, line := range at {
				if want := fmt.Sprintf("viadukt.yaml:%d:", line); !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %s", err, want)
				}
			}
		})
	}
}

// A partner's address is the operator's word. What discovery says is a stranger's: it must not lead to inner servers.
func TestDiscoveryDoesNotLeadInside(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	ee, pt := begin(t, a, func(c *config.Config) { c.Discovery.AllowPrivateAddresses = false }, nil), begin(t, b, nil, nil)
	m := ee.send(t, letter(text("a", "to a partner on a private address")))
	pt.until(t, store.In, m.MessageID, store.Delivered)

	var asked atomic.Int64
	l, err := net.Listen("tcp", net.JoinHostPort(loopback(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) })}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	p := participant(7)
	pt.register(t, p)
	record, err := os.ReadFile(zoneOf(a))
	if err != nil {
		t.Fatal(err)
	}
	inner := strings.ReplaceAll(string(record), b.SMP, "http://"+l.Addr().String())
	if inner == string(record) {
		t.Fatal("the zone does not name the publisher")
	}
	if err := os.WriteFile(zoneOf(a), []byte(inner), 0o644); err != nil {
		t.Fatal(err)
	}
	if j := ee.LookupJSON(context.Background(), p, ids.DocumentType{}, ids.Process{}); j.Error == nil {
		t.Errorf("followed: %+v", j)
	}
	if asked.Load() > 0 {
		t.Error("an inner server was asked")
	}
	if j := pt.LookupJSON(context.Background(), p, ids.DocumentType{}, ids.Process{}); j.Error == nil || asked.Load() == 0 {
		t.Errorf("where private addresses are allowed it is asked: %d times, %+v", asked.Load(), j.Error)
	}
}

// Every time that a node writes down is that of its clock.
func TestTheClockIsTheNodes(t *testing.T) {
	t.Parallel()
	a, b := agree(t)
	then := time.Now().Add(40 * 24 * time.Hour).UTC().Truncate(time.Millisecond)
	var nodes [2]*gateway
	for i, r := range []string{a.ConfigFile, b.ConfigFile} {
		c, err := config.Load(r)
		if err != nil {
			t.Fatal(err)
		}
		n, err := node.New(context.Background(), c, node.Options{Clock: func() time.Time { return then }})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Stop(context.Background()) })
		nodes[i] = &gateway{n, a}
	}
	m := nodes[0].send(t, letter(text("a", "x")))
	nodes[0].until(t, store.Out, m.MessageID, store.Acknowledged)
	nodes[1].until(t, store.In, m.MessageID, store.Delivered)
	for i, d := range []store.Direction{store.Out, store.In} {
		got, err := nodes[i].Store.ByMessageID(context.Background(), d, m.MessageID)
		if err != nil {
			t.Fatal(err)
		}
		times := map[string]time.Time{"created": got.Created, "updated": got.Updated}
		events, err := nodes[i].Store.Events(context.Background(), got.ID)
		if err != nil {
			t.Fatal(err)
		}
		for j, e := range events {
			times[fmt.Sprint("event ", j)] = e.Time
		}
		evidence, err := nodes[i].Store.Evidence(context.Background(), got.ID)
		if err != nil || len(evidence) == 0 {
			t.Fatal(evidence, err)
		}
		for j, e := range evidence {
			times[fmt.Sprint("evidence ", j)] = e.Time
			if stamp := then.Format("2006-01-02T15:04:05"); !strings.Contains(string(e.Octets), stamp) {
				t.Errorf("%s: the receipt is not of %s", d, stamp)
			}
		}
		if !strings.Contains(string(got.Header), then.Format("2006-01-02T15:04:05")) {
			t.Errorf("%s: the header is of another time", d)
		}
		for what, at := range times {
			if !at.Equal(then) {
				t.Errorf("%s %s: %s, want %s", d, what, at, then)
			}
		}
	}
}
