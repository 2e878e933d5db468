package train

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/loss"
)

// Losses of one path, means over the batch.
type Losses struct {
	Task       float64 // cross-entropy with the labels or, without labels, distance to the float model's outputs
	Teacher    float64 // distance to the widest path's outputs
	Distortion float64 // sum over the compared layers
	Damping    float64 // distance of the weights from their levels, weight applied
	Total      float64 // what was minimised, weights applied
}

// losses computes the losses of a path from output 0 of the network and writes their gradient to grad. teacher holds
// the outputs of the widest path, nil on that path itself.
func (t *Trainer) losses(b Batch, out engine.Buf, teacher, grad []float32) (Losses, error) {
	var l Losses
	clear(grad)
	weight, share := float32(1), float32(0)
	if teacher != nil {
		share = t.opts.Distill
		weight -= share
	}
	var err error
	if l.Task, err = t.task(b, out, weight, grad); err != nil {
		return l, err
	}
	l.Total = float64(weight) * l.Task
	if teacher == nil {
		return l, nil
	}
	if share > 0 {
		if l.Teacher, err = t.distance(teacher, out, share, grad); err != nil {
			return l, err
		}
	}
	l.Total += float64(share) * l.Teacher
	l.Distortion = t.net.Distortion()
	l.Total += float64(t.opts.Distortion) * l.Distortion
	return l, nil
}

// task is the loss against what the batch brings: labels, outputs of the float model, or a mixture of both.
func (t *Trainer) task(b Batch, out engine.Buf, weight float32, grad []float32) (float64, error) {
	if t.opts.Unlabelled {
		return t.distance(b.Teacher, out, weight, grad)
	}
	g := t.opts.Guidance
	labels, err := t.labels(b, out, weight*(1-g), grad)
	if err != nil || g == 0 {
		return labels, err
	}
	guide, err := t.distance(b.Teacher, out, weight*g, grad)
	return float64(1-g)*labels + float64(g)*guide, err
}

func (t *Trainer) labels(b Batch, out engine.Buf, weight float32, grad []float32) (float64, error) {
	if len(out.Shape) != 2 {
		return 0, fmt.Errorf("labels need outputs of one row per picture, not %s; train without labels", out.Shape)
	}
	return loss.CrossEntropy(out.Data, b.Labels, out.Shape[1], t.opts.Smoothing, weight, grad)
}

// distance is the divergence from the teacher for rows of logits, else the mean squared difference.
func (t *Trainer) distance(teacher []float32, out engine.Buf, weight float32, grad []float32) (float64, error) {
	if len(out.Shape) == 2 && !t.opts.Features {
		return loss.KL(teacher, out.Data, out.Shape[1], weight, grad)
	}
	return loss.MSE(teacher, out.Data, weight, grad)
}

// finite reports whether a loss can be trained on.
func (l Losses) finite() bool { return !math.IsNaN(l.Total) && !math.IsInf(l.Total, 0) }
