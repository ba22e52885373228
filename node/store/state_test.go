package store

import (
	"slices"
	"testing"
)

func TestStatesKeepTheirNamesAndNumbers(t *testing.T) {
	t.Parallel()
	// The numbers are in databases and the names in scripts: this table is the contract.
	want := []string{1: "accepted", 2: "queued", 3: "sending", 4: "sent", 5: "acknowledged", 6: "acknowledged_without_receipt",
		7: "received", 8: "delivered", 9: "confirmed", 10: "retrying", 11: "failed", 12: "rejected"}
	if len(States()) != len(want)-1 {
		t.Fatalf("%d states", len(States()))
	}
	for _, s := range States() {
		if s.String() != want[s] {
			t.Errorf("%d is %s, want %s", s, s, want[s])
		}
		var back State
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%s reads as %s, %v", text, back, err)
		}
	}
	for _, bad := range []string{"", "Accepted", "waiting"} {
		if _, err := ParseState(bad); err == nil {
			t.Errorf("%q is taken for a state", bad)
		}
	}
	if _, err := ParseDirection("up"); err == nil {
		t.Error("up is taken for a direction")
	}
}

func TestStateMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		d    Direction
		path []State
		may  bool
	}{
		{"a message is sent and acknowledged", Out, []State{Accepted, Queued, Sending, Sent, Acknowledged}, true},
		{"a receipt may come in the answer", Out, []State{Queued, Sending, Acknowledged}, true},
		{"a message is tried again", Out, []State{Sending, Retrying, Sending, Sent}, true},
		{"a late receipt acknowledges a failed message", Out, []State{Sending, Failed, Acknowledged}, true},
		{"a lost receipt may still come", Out, []State{Sending, AcknowledgedWithoutReceipt, Acknowledged}, true},
		{"a person starts a failed message again", Out, []State{Failed, Queued}, true},
		{"a pulled message goes from queued to sent", Out, []State{Queued, Sent}, true},
		{"a message is delivered and confirmed", In, []State{Received, Delivered, Confirmed}, true},
		{"a delivery is tried again", In, []State{Received, Retrying, Retrying, Delivered}, true},
		{"an acknowledged message stays so", Out, []State{Acknowledged, Failed}, false},
		{"a rejected message stays so", Out, []State{Rejected, Queued}, false},
		{"a confirmed message stays so", In, []State{Confirmed, Received}, false},
		{"a failed message does not go on by itself", Out, []State{Failed, Sending}, false},
		{"an incoming message is not sent", In, []State{Received, Sending}, false},
		{"an outgoing message is not delivered", Out, []State{Sent, Delivered}, false},
		{"a final state is not entered twice", Out, []State{Acknowledged, Acknowledged}, false},
		{"nothing without direction", 0, []State{Queued, Sending}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for i := 1; i < len(c.path); i++ {
				if got := c.path[i-1].May(c.d, c.path[i]); got != c.may {
					t.Errorf("%s to %s: %v", c.path[i-1], c.path[i], got)
				}
			}
		})
	}
}

func TestEveryStateIsReachableAndOnlyByItsDirection(t *testing.T) {
	t.Parallel()
	for _, start := range []struct {
		d Direction
		s State
	}{{Out, Accepted}, {In, Received}} {
		reached := []State{start.s}
		for i := 0; i < len(reached); i++ {
			for _, to := range States() {
				if reached[i].May(start.d, to) && !slices.Contains(reached, to) {
					reached = append(reached, to)
				}
			}
		}
		for _, s := range States() {
			if s.Belongs(start.d) != slices.Contains(reached, s) {
				t.Errorf("%s %s: belongs %v, reached %v", start.d, s, s.Belongs(start.d), !s.Belongs(start.d))
			}
		}
	}
}
