//go:build linux

package main

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// row is one line of a bar plot.
type row struct {
	name   string
	spread spread
	color  color.Color
}

// barRows are the peers of a scenario with the figure that counts. Direct is left out where it is what the others are less of.
func barRows(f findings) []row {
	fig := f.scenario.figures[0]
	var rows []row
	for _, p := range f.peers {
		if p == "direct" && fig.added {
			continue
		}
		if s := spreadOf(f.values(p, fig)); !math.IsNaN(s.Median) {
			rows = append(rows, row{p, s, hue(p)})
		}
	}
	return rows
}

// barPlot shows medians as bars, and the extremes of the rounds as whiskers.
func barPlot(f findings, rows []row) *plot.Plot {
	fig := f.scenario.figures[0]
	p := newPlot(f.scenario.title, fmt.Sprintf("%s, %s", fig.title, fig.unit))
	g := grid()
	g.Horizontal.Width = 0
	p.Add(g, bars(rows))
	p.X.Min = 0
	nameRows(p, rows)
	return p
}

// nameRows puts the names of rows where a Y axis would be, the first on top.
func nameRows(p *plot.Plot, rows []row) {
	var ticks plot.ConstantTicks
	for i, r := range rows {
		ticks = append(ticks, plot.Tick{Value: float64(len(rows) - 1 - i), Label: r.name})
	}
	p.Y.Tick.Marker = ticks
	p.Y.Tick.Length = 0
	p.Y.LineStyle.Width = 0
	p.Y.Min, p.Y.Max = -0.6, float64(len(rows))-0.4
}

// bars draws rows. It is a plot.Plotter and a plot.DataRanger.
type bars []row

func (b bars) DataRange() (x0, x1, y0, y1 float64) {
	for _, r := range b {
		x0, x1 = min(x0, r.spread.Min), max(x1, r.spread.Max)
	}
	return x0, x1 * 1.12, -0.6, float64(len(b)) - 0.4 // room for the number
}

func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	label := p.X.Tick.Label
	label.XAlign, label.YAlign = text.XLeft, text.YCenter
	for i, r := range b {
		at := float64(len(b) - 1 - i)
		c.FillPolygon(r.color, []vg.Point{{X: x(0), Y: y(at - 0.33)}, {X: x(r.spread.Median), Y: y(at - 0.33)},
			{X: x(r.spread.Median), Y: y(at + 0.33)}, {X: x(0), Y: y(at + 0.33)}})
		whisker(c, x(r.spread.Min), x(r.spread.Max), y(at))
		c.FillText(label, vg.Point{X: x(max(r.spread.Max, r.spread.Median)) + 5, Y: y(at)}, number(r.spread.Median))
	}
}

// whisker draws the extremes.
func whisker(c draw.Canvas, from, to, y vg.Length) {
	s := draw.LineStyle{Color: color.Gray{0x30}, Width: 1}
	c.StrokeLine2(s, from, y, to, y)
	c.StrokeLine2(s, from, y-3, from, y+3)
	c.StrokeLine2(s, to, y-3, to, y+3)
}

// overviewRows are, for every scenario, the ratios of the base to the best of each family.
func overviewRows(found []findings) []overviewRow {
	var rows []overviewRow
	for _, f := range found {
		r := overviewRow{name: f.scenario.title}
		for _, fam := range []string{"haproxy", "nginx"} {
			best := f.best(fam, f.scenario.figures[0])
			if s := f.ratio(best, f.scenario.figures[0]); best != "" && !math.IsNaN(s.Median) && s.Median > 0 {
				r.dots = append(r.dots, row{fam, s, hue(fam)})
			}
		}
		if len(r.dots) > 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

type overviewRow struct {
	name string
	dots []row
}

// overviewPlot shows how the base compares in every scenario.
func overviewPlot(rows []overviewRow, base string) *plot.Plot {
	p := newPlot(base+" against the better of HAProxy and of nginx", base+"'s figure divided by the peer's: left of 1, "+base+" is the better")
	var names []row
	low, high := 0.5, 2.0
	for _, r := range rows {
		names = append(names, row{name: r.name})
		for _, d := range r.dots {
			low, high = min(low, d.spread.Median*0.9), max(high, d.spread.Median*1.1)
		}
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, ratioTicks{}
	p.Add(grid(), overviewDots(rows))
	p.X.Min, p.X.Max = low, high
	nameRows(p, names)
	for i, fam := range []string{"haproxy", "nginx"} {
		p.Legend.Add("against "+fam, glyph{hue(fam), shapes[i]})
	}
	p.Legend.Top = true
	return p
}

var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}}

// glyph is a mark in the legend.
type glyph struct {
	color color.Color
	shape draw.GlyphDrawer
}

func (g glyph) Thumbnail(c *draw.Canvas) {
	c.DrawGlyph(draw.GlyphStyle{Color: g.color, Radius: 4, Shape: g.shape}, c.Center())
}

type overviewDots []overviewRow

func (o overviewDots) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	one := draw.LineStyle{Color: color.Gray{0x50}, Width: 1.5}
	c.StrokeLine2(one, x(1), c.Min.Y, x(1), c.Max.Y)
	inside := func(v float64) vg.Length { return x(max(p.X.Min, min(p.X.Max, v))) }
	for i, r := range o {
		for j, d := range r.dots {
			at := y(float64(len(o)-1-i)) + vg.Length(3-6*j)
			s := draw.LineStyle{Color: d.color, Width: 1.2}
			c.StrokeLine2(s, inside(max(d.spread.Min, 1e-3)), at, inside(d.spread.Max), at)
			c.DrawGlyph(draw.GlyphStyle{Color: d.color, Radius: 4, Shape: shapes[j%len(shapes)]}, vg.Point{X: x(d.spread.Median), Y: at})
		}
	}
}

// ratioTicks labels ratios.
type ratioTicks struct{}

func (ratioTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for _, v := range []float64{0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20} {
		if v >= low && v <= high {
			ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", v)})
		}
	}
	return ticks
}
