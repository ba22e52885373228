package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"

	"github.com/viadukt-eu/viadukt/internal/bench"
)

var benchCommand = &command{
	name: "bench", summary: "measures the program on this machine, each figure beside what the machine allows.",
	help: `Every figure stands beside its limit: what the unavoidable work alone, such as the RSA operations of a message,
would reach on the same cores in the same run. A ratio of 0.85 says that all the rest costs 15 %.`,
	example: "viadukt bench as4 --messages 2000",
	sub: []*command{
		{name: "as4", summary: "measures whole exchanges between two nodes: messages a second, CPU time, throughput, start-up, memory.",
			example: "viadukt bench as4\nviadukt bench as4 --payload 5kB --messages 5000 --cpuprofile as4.prof", prepare: benchAS4},
		{name: "store", summary: "measures the store with many messages that wait: pages of lists, claims, inserts.", example: "viadukt bench store --messages 10000000 --dir /var/tmp", prepare: benchStore},
		{name: "smp", summary: "measures the metadata publisher and whole lookups over HTTP on this machine.", example: "viadukt bench smp --lookups 50000", prepare: benchSMP},
		{name: "xml", summary: "measures parsing and canonicalising.", example: "viadukt bench xml", prepare: benchXML},
		{name: "sign", summary: "measures signatures in every format against their key alone.", example: "viadukt bench sign", prepare: benchSign},
	},
}

// profiled adds --cpuprofile and prints results as they come.
func profiled(c *call, do func(bench.Report) error) func() error {
	c.jsonFlag()
	file := c.String("cpuprofile", "", "write a CPU profile to this `file`")
	return func() error {
		if *file != "" {
			f, err := os.Create(*file)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		return do(func(r bench.Result) {
			if c.json {
				c.print(r)
				return
			}
			c.printf("%-21s %10s %-7s", r.Name, figure(r.Value), r.Unit)
			if r.Limit > 0 {
				c.printf(" of %9s possible: %5.1f %%  (%s)", figure(r.Limit), 100*r.Ratio, r.Of)
			}
			if r.Detail != "" {
				c.printf("  %s", r.Detail)
			}
			c.printf("\n")
		})
	}
}

// figure has three digits that mean something.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func benchAS4(c *call) func() error {
	o := bench.AS4Options{Domains: domains}
	c.IntVar(&o.Messages, "messages", 2000, "`number` of small messages; large ones are fewer")
	c.IntVar(&o.Senders, "senders", 16, "`number` of messages on their way at once")
	c.IntVar(&o.Stored, "stored", 0, "measure small messages alone, beside so many that were exchanged before: `number` in each store")
	c.Func("payload", "measure one `size` alone, such as 5kB, 100kB or 5MB", func(s string) (err error) {
		o.Payload, err = parseSize(s)
		return err
	})
	return profiled(c, func(r bench.Report) error { return bench.AS4(c.p.ctx, o, r) })
}

// parseSize reads 500, 5kB, 5MB.
func parseSize(s string) (int, error) {
	digits, factor := s, 1
	for _, u := range []struct {
		name string
		n    int
	}{{"kB", 1e3}, {"KB", 1e3}, {"k", 1e3}, {"MB", 1e6}, {"M", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if d, ok := strings.CutSuffix(s, u.name); ok {
			digits, factor = d, u.n
			break
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > 1e9/factor*2 {
		return 0, fmt.Errorf("%q is no size: write for example 500, 5kB or 5MB", s)
	}
	return n * factor, nil
}

func benchStore(c *call) func() error {
	var o bench.StoreOptions
	c.IntVar(&o.Messages, "messages", 1_000_000, "`number` of messages that wait; ten million need 12 GB and some minutes")
	c.IntVar(&o.Peers, "peers", 1000, "`number` of partners they wait for")
	c.StringVar(&o.Dir, "dir", "", "`folder` for the store while it is measured (default: that for temporary files)")
	return profiled(c, func(r bench.Report) error { return bench.Store(c.p.ctx, o, r) })
}

func benchSMP(c *call) func() error {
	o := bench.SMPOptions{Domains: domains}
	c.IntVar(&o.Lookups, "lookups", 20000, "`number` of requests")
	c.IntVar(&o.Callers, "callers", 16, "`number` of requests at once")
	return profiled(c, func(r bench.Report) error { return bench.SMP(c.p.ctx, o, r) })
}

func benchSign(c *call) func() error {
	return profiled(c, func(r bench.Report) error { return bench.Sign(c.p.ctx, r) })
}

func benchXML(c *call) func() error {
	return profiled(c, func(r bench.Report) error { return bench.XML(c.p.ctx, r) })
}
