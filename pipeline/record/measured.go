package record

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/quantize"
)

// Measured is a policy on the test samples, as a file of the first profile gives it in onnxruntime.
type Measured struct {
	Metric Metric      `json:"metric"`
	Hits   metric.Hits `json:"hits,omitempty"` // behind Metric.Top1
}

// Delivered is an exported file, as the runtime sees it, and the simulation on the test samples.
type Delivered struct {
	File   File        `json:"file"`
	Metric Metric      `json:"metric"`
	Hits   metric.Hits `json:"hits,omitempty"` // behind Metric.Top1
}

// GainOf pairs the predictions of two policies on the same samples; nil where one was not measured on all of them.
func GainOf(result, other metric.Hits) *Gain {
	if len(result) == 0 || len(result) != len(other) {
		return nil
	}
	v := Compare(result.Misses(), other.Misses())
	return &Gain{Top1: v.Gain, Interval: v.Interval}
}

// Check implements workspace.Document.
func (d *Delivered) Check(*quantize.Plan) error {
	return errors.Join(d.File.Check(), d.Metric.check(), checkHits(d.Hits))
}

// Check implements workspace.Document.
func (m *Measured) Check(*quantize.Plan) error {
	return errors.Join(m.Metric.check(), checkHits(m.Hits))
}

// checkHits wants a 0 or a 1 for each sample.
func checkHits(hits []byte) error {
	if i := slices.IndexFunc(hits, func(b byte) bool { return b > 1 }); i >= 0 {
		return fmt.Errorf("sample %d was right %d times", i, hits[i])
	}
	return nil
}

func (m *Metric) check() error { return errors.Join(checkShare(m.Top1), checkShare(&m.Agreement)) }

// checkShare wants a number from 0 to 1, or none.
func checkShare(s *float64) error {
	if s != nil && (*s < 0 || *s > 1) {
		return fmt.Errorf("%g is no share", *s)
	}
	return nil
}
