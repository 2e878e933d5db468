package main

import "fmt"

// polished trains found policies of the supernet alone, in a copy that keeps it as it is.
func polished() unit {
	const workspace = "resnet20-polished.mpqc"
	const command = "mpqc compress --workspace " + workspace + " --polish 2 --target 3.0bit --target 2.5bit --target 2.2bit"
	return onSupernet(workspace, command, func(_ *runner, c *compressed, t *target) ([]string, error) {
		p := t.Polish
		if p == nil {
			return nil, fmt.Errorf("%s: target %s was not polished", command, t.Target)
		}
		seconds := c.Seconds["polish"] / float64(len(c.Results))
		return []string{t.Target, percent(p.Before.Top1), percent(t.Metric.Top1), p.Gain.points(), fmt.Sprintf("%.0f", seconds)}, nil
	})
}
