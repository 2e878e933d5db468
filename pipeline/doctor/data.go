package doctor

import (
	"context"
	"os"
	"strings"

	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// Schedule is what training on the known data takes, without calibration and search.
type Schedule struct {
	Samples      int     `json:"pictures"` // number of training samples
	EpochSeconds float64 `json:"epoch_seconds"`
	Effort       string  `json:"effort"`
	Updates      int     `json:"updates"` // of the schedule, which has a minimum
	Epochs       float64 `json:"epochs"`  // that the updates amount to
	Seconds      float64 `json:"seconds"`
}

// kept adopts from an existing workspace of the model what import or compress would find there: data and preprocessing.
func (d *doctor) kept() {
	w, err := workspace.Open(workspace.For(d.o.Model))
	if err != nil {
		return // there is none, or none that says anything
	}
	m := w.Manifest
	if d.o.Data == "" && exists(m.Options.Data) {
		d.o.Data = m.Options.Data
	}
	if d.stated.NoLabels == nil && m.Options.NoLabels != nil {
		d.o.NoLabels = m.Options.NoLabels
	}
	if d.o.Preprocessing == "" {
		d.o.Preprocessing = m.Options.Preprocessing
	}
}

// samples opens the data, makes an input of the first sample, and counts the training samples. The count is 0 if no
// data is named, or if it cannot be used, which is then a problem.
func (d *doctor) samples(ctx context.Context) (int, error) {
	if d.o.Data == "" {
		return 0, nil
	}
	fix := "state the samples with --data PATH, and how they become input with --preset, or --mean, --std, --resize, --crop, --layout, --color"
	if !exists(d.o.Data) {
		d.stop("", "samples "+d.o.Data+" do not exist", fix)
		return 0, nil
	}
	n, err := d.trial.samples(ctx, unlabelled(d))
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		d.stop("", "the samples do not serve: "+strings.TrimPrefix(err.Error(), pipeline.ErrUsage.Error()+": "), fix)
		return 0, nil
	}
	return n, nil
}

// schedule computes how long training takes with the defaults.
func (d *doctor) schedule(c *TrainingCost, samples int) {
	if samples == 0 {
		return
	}
	batch := min(c.Batch, samples)
	perEpoch := samples / batch
	step := c.MSPerStep / 1e3 * float64(batch) / float64(c.Batch)
	n := d.o.Updates(perEpoch)
	c.Schedule = &Schedule{
		Samples: samples, EpochSeconds: step * float64(perEpoch), Effort: d.o.Effort,
		Updates: n, Epochs: float64(n) / float64(perEpoch), Seconds: step * float64(n),
	}
}

// exists reports whether a path exists.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
