package train

import (
	"cmp"
	"math"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// The bit-width scheduler acts at fixed shares of the schedule: often at first, seldom at the end, when the widths
// should settle. The numbers are epochs of RFQuant (arXiv 2401.01543) as shares of its 150.
const (
	firstEvent  = 0.04
	eventEvery  = 0.013
	settledFrom = 0.72
	settledStep = 0.10
	// The share of layers that lose their lowest width falls from startRatio to endRatio over the first half.
	startRatio = 0.5
	endRatio   = 0.2
)

// events lists the shares of the schedule at which the scheduler acts.
func events() []float64 {
	var list []float64
	for k := 0; ; k++ {
		at := firstEvent + float64(k)*eventEvery
		if at >= settledFrom {
			break
		}
		list = append(list, at)
	}
	for k := 0; ; k++ {
		at := settledFrom + float64(k)*settledStep
		if at >= 1 {
			return list
		}
		list = append(list, at)
	}
}

// ratio is the share of layers to restrict at event k of the n events in the first half of the schedule.
func ratio(k, n int) float64 {
	if k >= n {
		return endRatio
	}
	return endRatio + (startRatio-endRatio)*(1+math.Cos(math.Pi*float64(k)/float64(n)))/2
}

// schedule restricts widths if an event falls on the present step. With Options.Scheduler off, it only records the
// turbulence.
func (t *Trainer) schedule() {
	if t.opts.Steps < 1 {
		return
	}
	last, half := -1, 0
	for k, at := range t.events {
		if at < 0.5 {
			half++
		}
		// Several events may fall on one step of a short run: the last of them counts.
		if int(math.Ceil(at*float64(t.opts.Steps))) == t.step {
			last = k
		}
	}
	switch {
	case last < 0:
	case t.opts.Scheduler:
		t.restrict(ratio(last, half))
	default:
		t.restrict(0)
	}
}

// restrict removes the lowest width from the given share of layers, the most turbulent ones. All others get their full
// list back.
func (t *Trainer) restrict(ratio float64) {
	plan := t.net.Plan
	order, turbulence := t.rank()
	event := Event{Step: t.step, Turbulence: turbulence, Restricted: []int{}}
	for i := range plan.Layers {
		t.widths[i] = slices.Clone(plan.Layers[i].Candidates)
	}
	for _, i := range order[:int(ratio*float64(len(order)))] {
		l := &plan.Layers[i]
		floor := 2
		if l.Depthwise {
			floor = 3
		}
		if len(t.widths[i]) > 1 && t.widths[i][0] <= floor {
			t.widths[i] = t.widths[i][1:]
			event.Restricted = append(event.Restricted, i)
		}
	}
	slices.Sort(event.Restricted)
	t.history.Events = append(t.history.Events, event)
}

// rank returns the layers with a choice of widths, the most turbulent first and ties in plan order. It also returns the
// turbulence of every layer of the plan, see Event.
func (t *Trainer) rank() (order []int, turbulence []float64) {
	layers := t.net.Plan.Layers
	turbulence = make([]float64, len(layers))
	for i := range layers {
		if len(layers[i].Candidates) > 1 {
			order = append(order, i)
		}
	}
	t.pool.Run(len(order), func(k int) {
		i := order[k]
		for _, b := range layers[i].Candidates {
			turbulence[i] += t.unstable(i, b) / float64(b)
		}
		turbulence[i] /= float64(len(layers[i].Candidates))
	})
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(turbulence[b], turbulence[a]) })
	return order, turbulence
}

// nearBoundary is the distance from a level, in steps, above which a weight counts as unstable. It is the last quarter
// of the half step to the decision boundary.
const nearBoundary = 0.375

// unstable is the share of a layer's weights that lie near a decision boundary at a width. Beyond the outermost levels
// there are no boundaries.
func (t *Trainer) unstable(i, bits int) float64 {
	l, w, steps := &t.net.Plan.Layers[i], t.net.Weight(i).Data, t.net.WeightSteps(i).At(bits).Data
	lo, hi := quantize.Levels(bits, true)
	inner := l.Inner()
	count := 0
	for j, x := range w {
		v := float64(x / steps[j/inner%l.OutChannels])
		level := math.RoundToEven(math.Max(float64(lo), math.Min(float64(hi), v)))
		d := v - level
		if level == float64(lo) {
			d = math.Max(d, 0)
		}
		if level == float64(hi) {
			d = math.Min(d, 0)
		}
		if math.Abs(d) > nearBoundary {
			count++
		}
	}
	return float64(count) / float64(max(len(w), 1))
}
