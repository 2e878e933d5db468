package main

import (
	"context"
	"fmt"
)

// compressed is the part of `compress --json` that the tables show.
type compressed struct {
	Float   struct{ Top1 float64 }
	Seconds map[string]float64
	Results []target
}

type target struct {
	Target      string
	PackedBytes float64 `json:"packed_bytes"`
	BitOPs      float64 `json:"bitops"`
	Metric      struct{ Top1, Agreement float64 }
	Uniform     struct {
		Top1 float64
		Gain *gain
	}
	Polish *struct {
		Before struct{ Top1, Agreement float64 }
		Gain   *gain
	}
	Files []file
}

// gain is a difference of top-1 on the same test samples.
type gain struct {
	Top1     float64
	Interval [2]float64
}

// points is the gain with its interval, in points; nothing where there is none.
func (g *gain) points() string {
	if g == nil {
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", 100*g.Top1, 100*g.Interval[0], 100*g.Interval[1])
}

type file struct {
	Bytes     int64
	Top1      float64
	Flips     int
	Rate      float64 `json:"images_per_s"`
	FloatRate float64 `json:"float_images_per_s"`
}

var compressColumns = []string{
	"target", "float top-1", "top-1 (simulation)", "top-1 (file)", "uniform top-1", "GBitOPs", "packed MB", "file MB", "flips", "speed vs float", "seconds",
}

// compress makes a unit of each command.
func compress(commands ...string) []unit {
	var units []unit
	for _, command := range commands {
		units = append(units, perFile(command, func(c *compressed, t *target, f *file) []string {
			return []string{
				t.Target, percent(c.Float.Top1), percent(t.Metric.Top1), percent(f.Top1), percent(t.Uniform.Top1),
				fmt.Sprintf("%.3f", t.BitOPs/1e9), fmt.Sprintf("%.3f", t.PackedBytes/1e6), fmt.Sprintf("%.3f", float64(f.Bytes)/1e6),
				fmt.Sprint(f.Flips), fmt.Sprintf("%.2fx", f.Rate/max(f.FloatRate, 1e-9)),
			}
		}))
	}
	return units
}

// perFile is a unit with a row for each exported file: these cells, then the seconds of the whole command.
func perFile(command string, cells func(c *compressed, t *target, f *file) []string) unit {
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		var c compressed
		took, err := r.run(ctx, command, &c)
		if err != nil {
			return nil, err
		}
		var rows []row
		for i := range c.Results {
			t := &c.Results[i]
			for k := range t.Files {
				rows = append(rows, r.row(command, append(cells(&c, t, &t.Files[k]), fmt.Sprintf("%.0f", took.Seconds()))...))
			}
		}
		return rows, nil
	}}
}

// saving makes a unit of each command: what its checkpoints take of its training.
func saving(commands ...string) []unit {
	var units []unit
	for _, command := range commands {
		units = append(units, unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
			var c compressed
			if _, err := r.run(ctx, command, &c); err != nil {
				return nil, err
			}
			all, share := c.Seconds["train"], c.Seconds["checkpoints"]
			return []row{r.row(command, fmt.Sprintf("%.1f", all), fmt.Sprintf("%.2f", share), percent(share/max(all, 1e-9)))}, nil
		}})
	}
	return units
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }
