package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// event is the part of an entry of training.json that the table shows.
type event struct {
	Step       int
	Turbulence []float64
	Restricted []int
}

// shownEvents is how many looks of the scheduler the table shows, the first and the last among them.
const shownEvents = 6

// turbulence compares two trainings of section ablation, with the scheduler and without, and draws both.
func turbulence() unit {
	const with, without = "ablation-1.mpqc", "ablation-no-scheduler-1.mpqc"
	const command = "mpqc report --workspace " + with + " --beside " + without
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		for _, train := range []string{ablation("", 1), ablation("--no-scheduler", 1)} {
			if _, err := r.run(ctx, train, new(compressed)); err != nil {
				return nil, err
			}
		}
		if _, err := r.run(ctx, command, new(struct{})); err != nil {
			return nil, err
		}
		if err := r.chart(filepath.Join(with, "turbulence.svg")); err != nil {
			return nil, err
		}
		a, err := r.events(with)
		if err != nil {
			return nil, err
		}
		b, err := r.events(without)
		if err != nil {
			return nil, err
		}
		if len(a) != len(b) || len(a) < shownEvents {
			return nil, fmt.Errorf("%s: %d looks with the scheduler, %d without", command, len(a), len(b))
		}
		var rows []row
		for i := range shownEvents {
			k := i * (len(a) - 1) / (shownEvents - 1)
			rows = append(rows, r.row(command, fmt.Sprint(a[k].Step), fmt.Sprintf("%.4f", mean(a, k)), fmt.Sprintf("%.4f", mean(b, k)), fmt.Sprint(len(a[k].Restricted))))
		}
		return rows, nil
	}}
}

// events are what the scheduler of a training saw.
func (r *runner) events(workspace string) ([]event, error) {
	name := filepath.Join(r.dir, workspace, "training.json")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var h struct{ Events []event }
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return h.Events, nil
}

// mean is the turbulence at look k over the layers that have a choice of widths: they are turbulent at some look.
func mean(events []event, k int) float64 {
	var sum float64
	n := 0
	for i, v := range events[k].Turbulence {
		if slices.ContainsFunc(events, func(e event) bool { return e.Turbulence[i] > 0 }) {
			sum, n = sum+v, n+1
		}
	}
	return sum / float64(max(n, 1))
}
