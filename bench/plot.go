//go:build linux

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// overview is the name of the plot that shows every scenario.
const overview = "overview"

// hue gives each peer a colour that people with any colour vision can tell apart (Okabe and Ito's palette); variants of a peer
// share one, in lighter shades. Order, names and dashes tell them apart as well.
func hue(peer string) color.Color {
	c := map[string]color.NRGBA{
		"sluice":  {0x00, 0x72, 0xb2, 0xff},
		"haproxy": {0xd5, 0x5e, 0x00, 0xff},
		"nginx":   {0x00, 0x9e, 0x73, 0xff},
		"iocopy":  {0x99, 0x99, 0x99, 0xff},
		"direct":  {0x00, 0x00, 0x00, 0xff},
	}[family(peer)]
	lighter := func(v uint8) uint8 { return v + uint8(float64(0xff-v)*shade(peer)) }
	return color.NRGBA{lighter(c.R), lighter(c.G), lighter(c.B), 0xff}
}

// shade is how much lighter than its family a variant is drawn.
func shade(peer string) float64 {
	s := 0.0
	if strings.Contains(peer, "-2") || strings.HasSuffix(peer, "-copy") {
		s = 0.45
	}
	if strings.HasSuffix(peer, "-1m") {
		s += 0.25
	}
	return s
}

// newPlot returns an empty plot in the style of all.
func newPlot(title, x string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text = title
	p.Title.TextStyle.Font.Size, p.Title.TextStyle.Font.Weight = 13, 3 // bold
	p.Title.Padding = 8
	p.X.Label.Text = x
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font.Size, a.Tick.Label.Font.Size = 11, 10.5
		a.Label.Padding = 5
		a.LineStyle.Color = color.Gray{0x88}
		a.Tick.LineStyle.Color = color.Gray{0x88}
	}
	p.Legend.TextStyle.Font.Size = 10.5
	p.Legend.Padding = 3
	return p
}

// grid returns light lines to stand behind the data.
func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Horizontal.Color, g.Vertical.Color = color.Gray{0xe4}, color.Gray{0xe4}
	return g
}

// savePlot writes p as dir/name.svg and dir/name.png.
func savePlot(p *plot.Plot, dir, name string, w, h vg.Length) error {
	inset := func(c vg.CanvasSizer) draw.Canvas { return draw.Crop(draw.New(c), 10, -10, 8, -8) }
	svg := vgsvg.New(w, h)
	p.Draw(inset(svg))
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		return err
	}
	// The font of the PNG may be missing where the SVG is shown.
	out := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif"))
	// Pages may be dark.
	out = bytes.Replace(out, []byte("<g "), []byte(`<rect width="100%" height="100%" fill="white"/>`+"\n<g "), 1)
	if err := os.WriteFile(filepath.Join(dir, name+".svg"), out, 0o644); err != nil {
		return err
	}
	png := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(144))}
	p.Draw(inset(png))
	b.Reset()
	if _, err := png.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".png"), b.Bytes(), 0o644)
}

// plots draws everything that was found, and returns the names of the plots by scenario; the overview is under "".
func plots(dir string, found []findings) (map[string][]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	drawn := map[string][]string{}
	save := func(scenario, name string, p *plot.Plot, h vg.Length) error {
		drawn[scenario] = append(drawn[scenario], name)
		if err := savePlot(p, dir, name, 7.5*vg.Inch, h); err != nil {
			return fmt.Errorf("plot %s: %w", name, err)
		}
		return nil
	}
	if rows := overviewRows(found); len(rows) > 0 {
		if err := save("", overview, overviewPlot(rows, found[0].base), vg.Length(len(rows))*0.28*vg.Inch+1.3*vg.Inch); err != nil {
			return nil, err
		}
	}
	for _, f := range found {
		name := f.scenario.name
		var err error
		switch {
		case f.scenario.curve != nil:
			err = save(name, name, curvePlot(f), 3.6*vg.Inch)
		default:
			bars := barRows(f)
			err = save(name, name, barPlot(f, bars), vg.Length(len(bars))*0.32*vg.Inch+1.1*vg.Inch)
		}
		if err == nil && f.scenario.cdf {
			err = save(name, name+"-cdf", cdfPlot(f), 4*vg.Inch)
		}
		if err != nil {
			return nil, err
		}
	}
	return drawn, nil
}

// cdfPlot shows how many requests were answered within which time. The share is drawn by its nines: each step up is a tenth of the
// requests below.
func cdfPlot(f findings) *plot.Plot {
	p := newPlot(f.scenario.title, "answered within, ms")
	p.Add(grid())
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, logTicks{}
	p.Y.Label.Text = "share of requests"
	p.Y.Min, p.Y.Max = 0, 4
	p.Y.Tick.Marker = plot.ConstantTicks{
		{Value: nines(0), Label: "0 %"}, {Value: nines(0.5), Label: "50 %"}, {Value: nines(0.9), Label: "90 %"},
		{Value: nines(0.99), Label: "99 %"}, {Value: nines(0.999), Label: "99.9 %"}, {Value: nines(0.9999), Label: "99.99 %"},
	}
	low, high := math.Inf(1), 0.0
	for _, peer := range f.peers {
		var line plotter.XYs
		f.latency(peer).each(func(d float64, share float64) {
			if share <= 0.9999 {
				line = append(line, plotter.XY{X: d / 1e6, Y: nines(share)})
			}
		})
		if len(line) == 0 {
			continue
		}
		low, high = min(low, line[0].X), max(high, line[len(line)-1].X)
		addLine(p, peer, line)
	}
	p.X.Min, p.X.Max = low, high
	p.Legend.Left, p.Legend.Top = true, true
	p.Legend.XOffs = 6
	return p
}

// nines is how many nines a share has: 0.9 is one, 0.99 two.
func nines(share float64) float64 { return -math.Log10(1 - share) }

// addLine adds a line in the colours of a peer; second variants are dashed.
func addLine(p *plot.Plot, peer string, xys plotter.XYs) *plotter.Line {
	l, err := plotter.NewLine(xys)
	if err != nil { // only for infinite or no points, and there are neither
		return nil
	}
	l.Color, l.Width = hue(peer), 2
	if shade(peer) > 0 {
		l.Dashes = []vg.Length{5, 3}
	}
	p.Add(l)
	p.Legend.Add(peer, l)
	return l
}

// curvePlot shows cost against sessions held.
func curvePlot(f findings) *plot.Plot {
	p := newPlot(f.scenario.title, "sessions held")
	p.Add(grid())
	p.X.Scale = plot.LogScale{}
	p.Y.Label.Text = "machine time added, us"
	p.Y.Min = 0
	var ticks plot.ConstantTicks
	for _, n := range f.scenario.curve {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: fmt.Sprint(n)})
	}
	p.X.Tick.Marker = ticks
	high := 0.0
	for _, peer := range f.peers {
		if peer == "direct" {
			continue
		}
		var line plotter.XYs
		for i, n := range f.scenario.curve {
			y := spreadOf(f.values(peer, f.scenario.figures[i])).Median
			if !math.IsNaN(y) {
				line = append(line, plotter.XY{X: float64(n), Y: y})
				high = max(high, y)
			}
		}
		if len(line) == 0 {
			continue
		}
		addLine(p, peer, line)
		if s, err := plotter.NewScatter(line); err == nil {
			s.GlyphStyle = draw.GlyphStyle{Color: hue(peer), Radius: 3, Shape: draw.CircleGlyph{}}
			p.Add(s)
		}
	}
	p.Y.Max = high * 1.35
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = 6
	return p
}

// logTicks labels powers of ten, and two and five between them.
type logTicks struct{}

func (logTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if v >= low*0.999 && v <= high*1.001 {
				ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", math.Round(v*1e6)/1e6)})
			}
		}
	}
	return ticks
}
