package train

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// historyKey is the entry of a checkpoint's metadata that holds the history.
const historyKey = "org.mpqc.history"

// maxMarks is the largest number of points of a curve. A plot shows no more.
const maxMarks = 200

// History is what a report shows of a training: losses, averaged over equal parts of the schedule, and the events of
// the scheduler. It depends on the steps only, not on interruptions.
type History struct {
	Steps  int      `json:"steps"`  // of the whole schedule
	Layers []string `json:"layers"` // node names, in the order of Event.Turbulence
	Curve  []Mark   `json:"curve"`
	Events []Event  `json:"events"`
}

// Mark is a point of the curve: means over the updates of one part of the schedule.
type Mark struct {
	Step      int     `json:"step"`    // updates done at its end
	Count     int     `json:"count"`   // updates in it
	Rate      float64 `json:"rate"`    // of SGD, at its end
	Widest    float64 `json:"widest"`  // task loss of the widest policy
	Random    float64 `json:"random"`  // task loss of the random policies; 0 if there are none
	Teacher   float64 `json:"teacher"` // distance of the random policies from the widest one
	Dampening float64 `json:"damping"` // see Trainer.dampen; includes its weight
}

// Event is one decision of the bit-width scheduler.
type Event struct {
	Step int `json:"step"` // updates done
	// Turbulence of each layer: the mean over its widths b of u_b/b, where u_b is the share of weights near a decision
	// boundary. It is 0 for layers without a choice of widths.
	Turbulence []float64 `json:"turbulence"`
	Restricted []int     `json:"restricted"` // layers that lost their lowest width until the next event
}

// History copies what was recorded so far.
func (t *Trainer) History() History {
	h := t.history
	h.Layers, h.Curve, h.Events = slices.Clone(h.Layers), slices.Clone(h.Curve), slices.Clone(h.Events)
	return h
}

// Check is an error if a history cannot be right: a curve that goes back, lists of different lengths, or layers that
// are not those of the plan. A nil plan is not compared.
func (h *History) Check(plan *quantize.Plan) error {
	for i, node := range h.Layers {
		if plan != nil && (i >= len(plan.Layers) || plan.Layers[i].Node != node) {
			return fmt.Errorf("layer %d is %q, which is none of the plan there", i, node)
		}
	}
	at := 0
	for _, m := range h.Curve {
		if m.Step < at || m.Count < 0 {
			return fmt.Errorf("its curve goes from step %d to %d", at, m.Step)
		}
		at = m.Step
	}
	for _, e := range h.Events {
		other := slices.ContainsFunc(e.Restricted, func(i int) bool { return i < 0 || i >= len(h.Layers) })
		if e.Step < 0 || other || len(e.Turbulence) != len(h.Layers) {
			return fmt.Errorf("what the scheduler saw after step %d is not of %d layers", e.Step, len(h.Layers))
		}
	}
	return nil
}

// newHistory allocates the whole curve, so that a step allocates nothing.
func newHistory(layers []string, steps int) History {
	return History{Steps: steps, Layers: layers, Curve: make([]Mark, 0, min(max(steps, 1), maxMarks)), Events: []Event{}}
}

// record adds the losses of the update that led to step. The first loss is that of the widest policy.
func (h *History) record(step int, rate float32, losses []Losses) {
	room := cap(h.Curve)
	part := min((step-1)*room/max(h.Steps, 1), room-1)
	// Steps beyond the schedule, which only callers of Step can do, belong to its last part.
	if len(h.Curve) == 0 || part > (h.Curve[len(h.Curve)-1].Step-1)*room/max(h.Steps, 1) && len(h.Curve) < room {
		h.Curve = append(h.Curve, Mark{})
	}
	m := &h.Curve[len(h.Curve)-1]
	var random, teacher, damping float64
	for k, l := range losses {
		if k > 0 {
			n := float64(len(losses) - 1)
			random, teacher = random+l.Task/n, teacher+l.Teacher/n
		}
		damping += l.Dampening / float64(max(len(losses)-1, 1))
	}
	m.Step, m.Rate = step, float64(rate)
	m.Count++
	for _, v := range []struct {
		mean  *float64
		value float64
	}{{&m.Widest, losses[0].Task}, {&m.Random, random}, {&m.Teacher, teacher}, {&m.Dampening, damping}} {
		*v.mean += (v.value - *v.mean) / float64(m.Count)
	}
}

// restore reads the history of a checkpoint. Older checkpoints have none; the curve then begins at the interruption.
func (h *History) restore(text string) error {
	if text == "" {
		return nil
	}
	var kept History
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return fmt.Errorf("its history: %w", err)
	}
	if kept.Steps != h.Steps || !slices.Equal(kept.Layers, h.Layers) || len(kept.Curve) > cap(h.Curve) {
		return fmt.Errorf("its history is that of another training")
	}
	if err := kept.Check(nil); err != nil {
		return fmt.Errorf("its history: %w", err)
	}
	h.Curve, h.Events = append(h.Curve[:0], kept.Curve...), append(h.Events[:0], kept.Events...)
	return nil
}
