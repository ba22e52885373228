package node

import (
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// telemetry is what the node counts. Names and labels are an interface:
//
//	viadukt_as4_messages_total{direction,result}   out: acknowledged, awaiting, retry, failed, no_receipt; in: received, refused, duplicate
//	viadukt_messages_accepted_total                submissions stored
//	viadukt_retention_total{what}                  messages that retention deleted, or whose payloads it did: messages, payloads
//	viadukt_trust_lists{state}                     trusted lists: current, kept, missing
//	viadukt_trust_list_refreshes_total{result}     done, failed: no list counts
//	viadukt_as4_send_seconds                       one attempt, from the claim to the judged answer
type telemetry struct {
	set        *metrics.Set
	accepted   *metrics.Counter
	received   *metrics.Counter
	refused    *metrics.Counter
	duplicates *metrics.Counter
	results    map[string]*metrics.Counter
	duration   *metrics.Histogram
	forgotten  map[bool]*metrics.Counter // by whether the whole message was deleted

	trustRefreshes map[bool]*metrics.Counter // by whether a list counts after it
}

func newTelemetry() *telemetry {
	s := metrics.NewSet()
	t := &telemetry{
		set:        s,
		accepted:   s.NewCounter(`viadukt_messages_accepted_total`),
		received:   s.NewCounter(`viadukt_as4_messages_total{direction="in",result="received"}`),
		refused:    s.NewCounter(`viadukt_as4_messages_total{direction="in",result="refused"}`),
		duplicates: s.NewCounter(`viadukt_as4_messages_total{direction="in",result="duplicate"}`),
		duration:   s.NewHistogram(`viadukt_as4_send_seconds`),
		results:    map[string]*metrics.Counter{},
		forgotten: map[bool]*metrics.Counter{
			true:  s.NewCounter(`viadukt_retention_total{what="messages"}`),
			false: s.NewCounter(`viadukt_retention_total{what="payloads"}`),
		},
		trustRefreshes: map[bool]*metrics.Counter{
			true:  s.NewCounter(`viadukt_trust_list_refreshes_total{result="done"}`),
			false: s.NewCounter(`viadukt_trust_list_refreshes_total{result="failed"}`),
		},
	}
	for _, r := range []string{"acknowledged", "awaiting", "retry", "failed", "no_receipt"} {
		t.results[r] = s.NewCounter(`viadukt_as4_messages_total{direction="out",result="` + r + `"}`)
	}
	return t
}

// watchTrustLists shows how many lists are in each state.
func (t *telemetry) watchTrustLists(n *Node) {
	for _, state := range []string{listCurrent, listKept, listMissing} {
		t.set.NewGauge(`viadukt_trust_lists{state="`+state+`"}`, func() (count float64) {
			for _, l := range n.trustListStates() {
				if l.State == state {
					count++
				}
			}
			return count
		})
	}
}

func (t *telemetry) sent(result string, took time.Duration) {
	t.results[result].Inc()
	t.duration.Update(took.Seconds())
}

func (t *telemetry) retained(whole bool, n int) { t.forgotten[whole].Add(n) }

func (t *telemetry) write(w io.Writer) {
	t.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}
