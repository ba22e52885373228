package console

import (
	"time"

	"github.com/viadukt-eu/viadukt/node/store"
)

// chart is a bar chart: bars of two parts on each of some equal stretches of time. Its template draws it as SVG, in
// units of one viewBox.
type chart struct {
	Key    string // of its title
	Bars   []bar
	Most   int64 // value of the uppermost line
	Sum    int64 // of the lower parts
	SumTop int64 // of the upper parts
	Width  int
	Legend [2]string // keys: lower part, upper part
}

type bar struct {
	Start          time.Time
	Label          string // where the axis has one
	N, Top         int64
	X, W           int
	Y, H, TopY, TH int
}

// Geometry in units of the viewBox.
const (
	chartHeight = 96
	chartWidth  = 480
)

// spanOf says how a range is cut.
type spanOf struct {
	Name  string
	Steps int
	Step  time.Duration
}

var spans = []spanOf{{"day", 24, time.Hour}, {"month", 30, 24 * time.Hour}}

// drawn makes the charts of a range from what was counted by the hour: sent, received, and what went wrong.
func drawn(hours []store.Hour, span spanOf, now time.Time) []chart {
	first := now.UTC().Truncate(span.Step).Add(-time.Duration(span.Steps-1) * span.Step)
	charts := []chart{
		{Key: "chart.out", Legend: [2]string{"chart.sent", "chart.failed"}},
		{Key: "chart.in", Legend: [2]string{"chart.received", "chart.failed"}},
	}
	for i := range charts {
		c := &charts[i]
		c.Width, c.Bars = chartWidth, make([]bar, span.Steps)
		for j := range c.Bars {
			c.Bars[j].Start = first.Add(time.Duration(j) * span.Step)
			if span.Step < 24*time.Hour && j%6 == 0 {
				c.Bars[j].Label = c.Bars[j].Start.Format("15:04")
			} else if span.Step >= 24*time.Hour && j%7 == 0 {
				c.Bars[j].Label = c.Bars[j].Start.Format("01-02")
			}
		}
	}
	for _, h := range hours {
		j := int(h.Start.Sub(first) / span.Step)
		if h.Start.Before(first) || j >= span.Steps {
			continue
		}
		c := &charts[0]
		if h.Direction == store.In {
			c = &charts[1]
		}
		switch h.State {
		case 0:
			c.Bars[j].N += h.N
			c.Sum += h.N
		case store.Failed, store.Rejected:
			c.Bars[j].Top += h.N
			c.SumTop += h.N
		}
	}
	for i := range charts {
		charts[i].layOut()
	}
	return charts
}

// layOut gives each bar its place.
func (c *chart) layOut() {
	for _, b := range c.Bars {
		c.Most = max(c.Most, b.N+b.Top)
	}
	c.Most = round(c.Most)
	step := c.Width / len(c.Bars)
	for i := range c.Bars {
		b := &c.Bars[i]
		b.X, b.W = i*step+1, step-2
		b.H, b.TH = height(b.N, c.Most), height(b.Top, c.Most)
		b.Y = chartHeight - b.H
		b.TopY = b.Y - b.TH
	}
}

// height shows also the smallest number that is not zero.
func height(n, most int64) int {
	if n == 0 {
		return 0
	}
	return max(2, int(n*(chartHeight-4)/most))
}

// round finds the next number that reads well on an axis: 1, 2 or 5 with zeros.
func round(n int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		for _, f := range []int64{1, 2, 5} {
			if n <= f*unit {
				return f * unit
			}
		}
	}
}
