package main

import (
	"context"
	"fmt"
)

// polished trains found policies of the supernet alone, in a copy that keeps it as it is.
func polished() unit {
	const workspace = "resnet20-polished.mpqc"
	const command = "mpqc compress --workspace " + workspace + " --polish 2 --target 3.0bit --target 2.5bit --target 2.2bit"
	return unit{commands: []string{command}, measure: func(ctx context.Context, r *runner) ([]row, error) {
		c, err := r.afresh(ctx, workspace, command)
		if err != nil {
			return nil, err
		}
		var rows []row
		for _, t := range c.Results {
			p := t.Polish
			if p == nil {
				return nil, fmt.Errorf("%s: target %s was not polished", command, t.Target)
			}
			rows = append(rows, r.row(command, t.Target, percent(p.Before.Top1), percent(t.Metric.Top1), p.Gain.points(),
				fmt.Sprintf("%.0f", c.Seconds["polish"]/float64(len(c.Results)))))
		}
		return rows, nil
	}}
}
