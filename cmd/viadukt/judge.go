package main

import "sync"

// verdict is what is said of one file: whether it is good, or why that cannot be told.
type verdict interface {
	verdict() (valid bool, failed *exit)
}

// maxWaiting is how many verdicts for each core wait for that of a file before theirs.
const maxWaiting = 64

// judgeEach judges files, so many side by side, and tells each verdict in the order of the files; the worst status counts.
//
// Who judges tells, too: a goroutine of its own for that would be woken for each file.
func judgeEach[J verdict](c *call, files []string, atOnce int, judge func(file string) J, describe func(J)) error {
	var (
		mu         sync.Mutex
		progress   = sync.NewCond(&mu)
		next, told int           // indexes of files
		waiting    = map[int]J{} // those that are not told yet
		worst      = statusDone
		failed     error
	)
	tell := func(j J) error {
		switch valid, failed := j.verdict(); {
		case failed != nil:
			worst = max(worst, failed.status)
		case !valid:
			worst = max(worst, statusInvalid)
		}
		if c.json {
			return c.print(j)
		}
		describe(j)
		return nil
	}
	take := func() (i int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		for next < len(files) && next-told >= maxWaiting*atOnce && failed == nil {
			progress.Wait()
		}
		if next == len(files) || failed != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	hand := func(i int, j J) {
		mu.Lock()
		defer mu.Unlock()
		defer progress.Broadcast()
		waiting[i] = j
		for j, ok := waiting[told]; ok && failed == nil; j, ok = waiting[told] {
			delete(waiting, told)
			told++
			failed = tell(j)
		}
	}
	work := func() {
		for i, ok := take(); ok; i, ok = take() {
			hand(i, judge(files[i]))
		}
	}
	var wg sync.WaitGroup
	for range min(atOnce, len(files)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	if failed == nil && worst != statusDone {
		failed = &exit{status: worst, silent: true}
	}
	return failed
}
