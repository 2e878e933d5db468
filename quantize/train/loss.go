package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/quantize"
)

// Losses of one policy: means over the batch, summed over the outputs.
type Losses struct {
	// cross-entropy with the labels; for outputs without labels, distance to the float model's
	Task       float64
	Teacher    float64 // distance to the outputs of the widest policy
	Distortion float64 // sum over the compared layers, without weight
	Dampening  float64 // see Trainer.dampen; includes its weight
	Total      float64 // weighted sum, which is minimised
}

// losses computes the losses of the policy that just ran, and writes the gradients of the outputs. teacher holds the
// outputs of the widest policy; it is nil for that policy itself.
//
//	widest:  Total = Task
//	others:  Total = (1-Distill)*Task + Distill*Teacher + Options.Distortion*Distortion
func (t *Trainer) losses(b Batch, teacher [][]float32) (Losses, error) {
	var l Losses
	weight, share := float32(1), float32(0)
	if teacher != nil {
		share = t.opts.Distill
		weight -= share
	}
	for k := range t.kinds {
		out, grad := t.exec.Output(k), t.exec.OutputGrad(k).Data
		clear(grad)
		task, err := t.task(k, b, out, weight, grad)
		if err != nil {
			return l, t.at(k, err)
		}
		l.Task += task
		if share > 0 {
			d, err := t.distance(k, teacher[k], out, share, grad)
			if err != nil {
				return l, t.at(k, err)
			}
			l.Teacher += d
		}
	}
	l.Total = float64(weight)*l.Task + float64(share)*l.Teacher
	if teacher != nil {
		l.Distortion = t.net.Distortion()
		l.Total += float64(t.opts.Distortion) * l.Distortion
	}
	return l, nil
}

// at adds the name of output k to an error.
func (t *Trainer) at(k int, err error) error {
	return fmt.Errorf("output %q: %w", t.net.Graph.Outputs[k].Name, err)
}

// task is the loss of output k against the batch, times weight in grad: labels, outputs of the float model, or a
// mixture of both by Options.Guidance.
func (t *Trainer) task(k int, b Batch, out engine.Buf, weight float32, grad []float32) (float64, error) {
	var float []float32
	if k < len(b.Teacher) {
		float = b.Teacher[k]
	}
	if t.opts.Unlabelled || k != t.opts.Labelled {
		return t.distance(k, float, out, weight, grad)
	}
	g := t.opts.Guidance
	labels, err := t.labels(b, out, weight*(1-g), grad)
	if err != nil || g == 0 {
		return labels, err
	}
	guide, err := t.distance(k, float, out, weight*g, grad)
	return float64(1-g)*labels + float64(g)*guide, err
}

// labels is the cross-entropy of class scores with the labels of the batch.
func (t *Trainer) labels(b Batch, out engine.Buf, weight float32, grad []float32) (float64, error) {
	return loss.CrossEntropy(out.Data, b.Labels, len(out.Data)/b.N, t.opts.Smoothing, weight, grad)
}

// distance is the distance of output k from the teacher's: KL divergence of class scores, else loss.Relative.
func (t *Trainer) distance(k int, teacher []float32, out engine.Buf, weight float32, grad []float32) (float64, error) {
	n := out.Shape[0]
	if t.kinds[k] == quantize.Scores {
		return loss.KL(teacher, out.Data, len(out.Data)/n, weight, grad)
	}
	channels := 1
	if len(out.Shape) > 1 {
		channels = out.Shape[1]
	}
	return loss.Relative(teacher, out.Data, n, channels, weight, grad)
}

// outputKinds sets the kind of every output. It is an error if an output does not begin with the batch, or if labels
// lack an output of class scores.
func (t *Trainer) outputKinds() error {
	for k, v := range t.net.Graph.Outputs {
		if len(v.Shape) == 0 || v.Shape[0] >= 0 {
			return fmt.Errorf("train: output %q has shape %s, which does not begin with the batch", v.Name, v.Shape)
		}
		kind := quantize.OutputKinds{}.Of(v.Name, v.Shape)
		if t.opts.Kinds != nil {
			kind = t.opts.Kinds[k]
		}
		t.kinds = append(t.kinds, kind)
	}
	if !t.opts.Unlabelled && (t.opts.Labelled >= len(t.kinds) || t.kinds[t.opts.Labelled] != quantize.Scores) {
		return errors.New("train: labels need an output of class scores per sample; train without labels")
	}
	return nil
}

// finite reports whether the loss can be trained on.
func (l Losses) finite() bool { return !math.IsNaN(l.Total) && !math.IsInf(l.Total, 0) }
