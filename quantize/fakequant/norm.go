package fakequant

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
)

// NormSet is one BatchNorm: affine parameters and running statistics, each [channels].
type NormSet struct {
	Gamma, Beta *engine.Param
	Mean, Var   []float32
}

// SwitchNorm is a switchable BatchNormalization of x [N, C, ...] behind a quantized layer. It has a NormSet for each
// pair of weight and activation bits (slimmable networks, arXiv 1812.08928; RFQuant, arXiv 2401.01543):
//
//	y = g*(x + o),  g = gamma/sqrt(var+EPS),  o = beta/g - mean
//
// With Round, o is rounded to a multiple of the step of the layer's accumulator, like the exported int32 bias;
// gradients ignore the rounding. In training, mean and variance are those of the batch and the running ones follow, as
// in ops.Norm.
//
// SwitchNorm also holds the distortion tap of its output. One run records y; later ones add Weight times the mean
// squared difference from the record to the loss. The backward pass recomputes y from x.
type SwitchNorm struct {
	EPS   float32
	Round bool
	// Keep is the share of the running statistics that remains after a batch: 1 minus PyTorch's momentum.
	Keep float32

	sets    map[[2]int]*NormSet
	shared  bool     // the set of the highest widths serves all widths
	order   [][2]int // keys of sets, ascending
	current *NormSet
	scales  scales

	tap tap

	// The run in progress.
	grid       engine.Grid
	saved      saved
	columns    columns   // for short planes
	sums, dots []float64 // per row of other planes: moments of x, or sums of dy and of dy*(x-mean)
}

// Type is "SwitchNorm".
func (*SwitchNorm) Type() string { return "SwitchNorm" }

// Params lists gamma and beta of all sets.
func (o *SwitchNorm) Params() []*engine.Param {
	var list []*engine.Param
	for _, k := range o.order {
		list = append(list, o.sets[k].Gamma, o.sets[k].Beta)
	}
	return list
}

// sel switches to the set for w weight bits and a activation bits.
func (o *SwitchNorm) sel(w, a int) error {
	s := o.sets[[2]int{w, a}]
	if s == nil {
		return fmt.Errorf("no BatchNorm for %d weight and %d activation bits", w, a)
	}
	if o.shared {
		s = o.widest()
	}
	o.current = s
	return nil
}

// widest returns the set of the highest widths.
func (o *SwitchNorm) widest() *NormSet { return o.sets[o.order[len(o.order)-1]] }

// Infer returns the shape of the input. It is an error if the number of channels differs.
func (o *SwitchNorm) Infer(_ *engine.Node, in []tensor.Shape) ([]tensor.Shape, error) {
	if len(in) != 1 || len(in[0]) < 2 || in[0][1] != len(o.current.Mean) {
		return nil, fmt.Errorf("%d channels do not fit the input", len(o.current.Mean))
	}
	return []tensor.Shape{in[0].Clone()}, nil
}

// SavedBytes is the size of mean, 1/sqrt(var+EPS), scale and shift: four float32 per channel.
func (o *SwitchNorm) SavedBytes(in, _ []tensor.Shape) int { return 4 * 4 * in[0][1] }

// ScratchFloats is the size of the gradients of gamma and beta, and of p, q, r in dx = p*dy + q*x + r, per channel.
func (o *SwitchNorm) ScratchFloats(in, _ []tensor.Shape, _ int) int { return 5 * in[0][1] }

// saved names the parts of Task.Saved, each [channels].
type saved struct{ mean, inv, scale, shift []float32 }

// savedOf splits Task.Saved for c channels.
func savedOf(t *engine.Task, c int) saved {
	s := t.SavedFloats()
	return saved{s[:c], s[c : 2*c], s[2*c : 3*c], s[3*c : 4*c]}
}

// Head is true: y needs the statistics of all of x.
func (*SwitchNorm) Head() bool { return true }

// Prepare computes scale and shift of a forward run. In training it also updates the running statistics.
func (o *SwitchNorm) Prepare(t *engine.Task, g engine.Grid, backward bool) {
	o.grid, o.saved = g, savedOf(t, g.C)
	o.tap.prepare(g)
	c := &o.columns
	c.use(g, !backward || t.GradIn[0].Data != nil)
	if !c.sum {
		o.sums, o.dots = sized(o.sums, g.Rows()), sized(o.dots, g.Rows())
	} else if backward {
		spreadOver(o.saved.mean, g.Plane, c.mean)
	}
	if !backward {
		o.statistics(t)
		o.factors(o.saved)
	}
	if c.wide > 0 {
		spreadOver(o.saved.scale, g.Plane, c.factor)
		spreadOver(o.saved.shift, g.Plane, c.addend)
	}
}

// statistics sets mean and variance: those of the batch in training, else the running ones.
func (o *SwitchNorm) statistics(t *engine.Task) {
	g, c := &o.grid, &o.columns
	switch {
	case !t.Training:
		copy(o.saved.mean, o.current.Mean)
		copy(o.saved.inv, o.current.Var)
		return
	case c.sum:
		t.Parallel(c.strips(g), columnCenters)
		t.Parallel(c.tasks(g), columnMoments)
		t.Parallel(c.strips(g), columnStatistics)
	default:
		t.Parallel(g.C, center)
		t.Parallel(g.Pieces(), pieceMoments)
		t.Parallel(g.C, channelMoments)
	}
	o.follow(o.saved.mean, o.saved.inv, g.N*g.Plane)
}

// center sets the mean of channel ch to that of its first row. Squares are then summed around it, so that one pass
// suffices without cancellation.
func center(t *engine.Task, ch int) {
	o := t.Node.Op.(*SwitchNorm)
	lo, n := ch*o.grid.Plane, o.grid.RowLen()
	o.saved.mean[ch] = float32(kernel.Sum(t.In[0].Data[lo:lo+n]) / float64(n))
}

// pieceMoments adds up the rows of piece i of x.
func pieceMoments(t *engine.Task, i int) {
	o, x := t.Node.Op.(*SwitchNorm), t.In[0].Data
	for at, hi := o.grid.Span(i); at < hi; {
		row, ch := o.grid.Row(at)
		end := min(at+o.grid.Plane, hi)
		o.sums[row], o.dots[row] = kernel.Moments(x[at:end], o.saved.mean[ch])
		at = end
	}
}

// channelMoments turns the sums of channel ch into its mean and biased variance.
func channelMoments(t *engine.Task, ch int) {
	o := t.Node.Op.(*SwitchNorm)
	sum, square := o.channel(ch)
	count := float64(o.grid.N * o.grid.Plane)
	shift := sum / count
	o.saved.mean[ch] = float32(float64(o.saved.mean[ch]) + shift)
	o.saved.inv[ch] = float32(max(square/count-shift*shift, 0))
}

// channel adds up the sums and dots of the rows of channel ch.
func (o *SwitchNorm) channel(ch int) (sum, dot float64) {
	g := &o.grid
	if o.columns.sum {
		return o.columns.channel(g, ch)
	}
	for n := range g.N {
		for row, end := g.RowsOf(n, ch); row < end; row++ {
			sum += o.sums[row]
			dot += o.dots[row]
		}
	}
	return sum, dot
}

// Map computes a piece of y.
func (o *SwitchNorm) Map(_ *engine.Task, p *engine.Piece) {
	if c := &o.columns; c.wide > 0 {
		for at := 0; at < len(p.X); {
			from := (p.At + at) % c.wide
			n := min(c.wide-from, len(p.X)-at)
			kernel.MulAdd(p.X[at:at+n], c.factor[from:], c.addend[from:], p.Y[at:])
			at += n
		}
	} else {
		for at := 0; at < len(p.X); {
			_, ch := o.grid.Row(p.At + at)
			end := min(at+o.grid.Plane, len(p.X))
			kernel.ScaleShift(o.saved.scale[ch], o.saved.shift[ch], p.X[at:end], p.Y[at:end])
			at = end
		}
	}
	if !p.Again {
		o.tap.see(p)
	}
}

// Forward computes y outside a fused chain.
func (o *SwitchNorm) Forward(t *engine.Task) { engine.ForwardAlone(t, o) }

// factors replaces the variance in s.inv by 1/sqrt(var+EPS) and computes scale and shift. With Round it computes in
// double precision exactly as quantize.Fold does, so that both round alike.
func (o *SwitchNorm) factors(s saved) {
	gamma, beta := o.current.Gamma.Data, o.current.Beta.Data
	var sx float32
	var sw []float32
	if o.Round {
		sx, sw = o.scales.input(), o.scales.weight.Param().Data
	}
	for k, v := range s.inv {
		root := math.Sqrt(float64(v) + float64(o.EPS))
		factor := float64(gamma[k]) / root
		constant := float64(beta[k]) - float64(s.mean[k])*factor
		s.inv[k], s.scale[k], s.shift[k] = float32(1/root), float32(factor), float32(constant)
		if !o.Round {
			continue
		}
		var dead bool
		if s.shift[k], dead = roundBias(constant, sx, float32(float64(sw[k])*factor)); dead {
			s.scale[k] = 0
		}
	}
}

// follow moves the running statistics toward those of a batch with count elements per channel.
func (o *SwitchNorm) follow(mean, variance []float32, count int) {
	keep, unbias := o.Keep, float32(1)
	if count > 1 {
		unbias = float32(count) / float32(count-1)
	}
	for i := range mean {
		o.current.Mean[i] = float32(keep*o.current.Mean[i]) + float32((1-keep)*mean[i])
		o.current.Var[i] = float32(keep*o.current.Var[i]) + float32((1-keep)*float32(variance[i]*unbias))
	}
}
