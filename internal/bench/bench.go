// Package bench measures the program against what the machine allows: every figure stands beside the rate that its
// unavoidable work alone would have, measured on the same cores in the same run. What is printed is the ratio of both,
// which means the same on every machine.
package bench

import (
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Result is one figure.
type Result struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Limit is what the named work alone allows, in the same unit; 0 where there is none.
	Limit float64 `json:"limit,omitempty"`
	// Ratio is how much of the limit is reached; 1 is all of it.
	Ratio float64 `json:"ratio,omitempty"`
	// Of says what the limit is.
	Of     string `json:"of,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Report takes results as they come.
type Report func(Result)

// rate reports a value that is better when larger.
func (r Report) rate(name string, value float64, unit string, limit float64, of, detail string) {
	res := Result{Name: name, Value: value, Unit: unit, Limit: limit, Of: of, Detail: detail}
	if limit > 0 {
		res.Ratio = value / limit
	}
	r(res)
}

// cost reports a value that is better when smaller.
func (r Report) cost(name string, value float64, unit string, limit float64, of, detail string) {
	res := Result{Name: name, Value: value, Unit: unit, Limit: limit, Of: of, Detail: detail}
	if limit > 0 && value > 0 {
		res.Ratio = limit / value
	}
	r(res)
}

// cpu is what the process has used, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// speed is how often something was done, by the clock and by the CPU time each took.
type speed struct {
	perSecond float64
	cpu       time.Duration
}

// mean of the runs before and after: the machine may have changed in between.
func mean(a, b speed) speed {
	return speed{(a.perSecond + b.perSecond) / 2, (a.cpu + b.cpu) / 2}
}

// onAllCores does again and again, on every core, for about the given time, what make made for each.
func onAllCores(d time.Duration, make func() func()) speed {
	start, used := time.Now(), cpu()
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			f, n := make(), 0
			for time.Since(start) < d {
				f()
				n++
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	return speed{float64(total) / time.Since(start).Seconds(), (cpu() - used) / time.Duration(max(total, 1))}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
