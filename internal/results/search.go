package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// outcome is the part of search/TARGET.json that the table shows.
type outcome struct {
	Score       struct{ Loss float64 }
	Evaluations int
	Random      struct{ Loss float64 }
	Verdict     *struct {
		Loss        float64
		UniformLoss float64 `json:"uniform_loss"`
		Gain        float64
		Interval    [2]float64
	}
}

// searchRows trains for an epoch unless the folder holds that workspace already, then searches.
func searchRows(ctx context.Context, r *runner) ([]string, error) {
	const workspace = "resnet20-cifar10.mpqc"
	train := accuracyRun + "--workspace " + workspace + " --epochs 1 --target 8.0bit"
	if _, err := r.run(ctx, train, new(compressed)); err != nil {
		return nil, err
	}
	var rows []string
	for _, command := range []string{
		"mpqc search --workspace " + workspace + " --random 50 --target 4.0bit --target 3.5bit --target 3.0bit --target 2.5bit --target 2.2bit",
		"mpqc search --workspace " + workspace + " --target 2.8bit",
	} {
		var c compressed
		if _, err := r.run(ctx, command, &c); err != nil {
			return nil, err
		}
		for _, t := range c.Results {
			var o outcome
			data, err := os.ReadFile(filepath.Join(r.dir, workspace, "search", t.Target+".json"))
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(data, &o); err != nil {
				return nil, fmt.Errorf("%s: %w", t.Target, err)
			}
			rows = append(rows, fmt.Sprintf("| %s | %.4f | %s | %s | %.2f %% | %.2f %% | %d | %s | `%s` |", t.Target, o.Score.Loss, orNone(o.Random.Loss),
				o.verdict(), 100*t.Metric.Top1, 100*t.Uniform.Top1, o.Evaluations, orNone(c.Seconds["search"]), command))
		}
	}
	return rows, nil
}

// verdict are four columns; a result that is the baseline has none.
func (o *outcome) verdict() string {
	v := o.Verdict
	if v == nil {
		return "the baseline | | "
	}
	return fmt.Sprintf("%.4f | %.4f | %.4f (%.4f to %.4f)", v.Loss, v.UniformLoss, v.Gain, v.Interval[0], v.Interval[1])
}

func orNone(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.4g", v)
}
