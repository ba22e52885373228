package console

import (
	"fmt"
	"testing"
	"time"
)

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	c := &clock{now: start}
	th := newThrottle(c.Now)
	try := func(user, address string) time.Duration {
		wait, ok := th.attempt(user, address)
		if ok != (wait == 0) {
			t.Fatalf("%v %v", wait, ok)
		}
		return wait
	}
	for i := range perUser.free {
		if w := try("ada", "a"); w != 0 {
			t.Fatalf("attempt %d waits %s", i+1, w)
		}
	}
	if w := try("ada", "b"); w != time.Second {
		t.Errorf("from another address: %s", w)
	}
	if w := try("bo", "a"); w != 0 {
		t.Errorf("another user: %s", w)
	}
	want := time.Second
	for range 12 { // each failure doubles the pause, up to a minute
		c.Add(want)
		if w := try("ada", "c"); w != 0 {
			t.Fatalf("after %s still %s", want, w)
		}
		want = min(2*want, perUser.most)
		if w := try("ada", "d"); w != want {
			t.Fatalf("then %s, want %s", w, want)
		}
	}
	c.Add(want)
	if try("ada", "c") != 0 {
		t.Fatal("waits after its pause")
	}
	th.succeeded("ada", "c")
	for range perUser.free {
		if w := try("ada", "e"); w != 0 {
			t.Errorf("after success: %s", w)
		}
	}
	c.Add(throttleForget + time.Second)
	for range perUser.free {
		if w := try("ada", "f"); w != 0 {
			t.Errorf("after an hour: %s", w)
		}
	}
}

func TestOneAddressCannotTryManyUsers(t *testing.T) {
	t.Parallel()
	c := &clock{now: start}
	th := newThrottle(c.Now)
	for i := range perAddress.free {
		if _, ok := th.attempt(fmt.Sprint("user", i), "a"); !ok {
			t.Fatalf("attempt %d waits", i)
		}
	}
	if _, ok := th.attempt("another", "a"); ok {
		t.Error("goes on without a pause")
	}
	if _, ok := th.attempt("another", "b"); !ok {
		t.Error("the user waits for what another address did")
	}
	// Who knows one password does not clear the way.
	for range 5 {
		c.Add(time.Hour / 2)
		if _, ok := th.attempt("own", "a"); ok {
			th.succeeded("own", "a")
		}
		th.attempt("victim", "a")
	}
	if _, ok := th.attempt("victim", "a"); ok {
		t.Error("successes paid for failures")
	}
}

func TestTheMemoryOfFailuresIsBounded(t *testing.T) {
	t.Parallel()
	c := &clock{now: start}
	th := newThrottle(c.Now)
	for range perUser.free + 1 {
		th.attempt("ada", "a")
	}
	for i := range 3 * throttleEntries {
		th.attempt(fmt.Sprint("user", i), fmt.Sprint("address", i))
		if i%1000 == 0 {
			if _, ok := th.attempt("ada", "z"); ok {
				t.Fatalf("forgotten after %d others although it is used", i)
			}
		}
	}
	for _, x := range []counters{th.user, th.addr} {
		if len(x.m) > throttleEntries || x.lru.Len() != len(x.m) {
			t.Errorf("%d entries, %d in order", len(x.m), x.lru.Len())
		}
	}
}
