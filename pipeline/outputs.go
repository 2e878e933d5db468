package pipeline

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// outputs says what a network gives for one picture. A row holds all outputs of a picture, one after the other, in the
// order of the model.
type outputs []output

// output is one of them: elements from to to of a row.
type output struct {
	name     string
	kind     quantize.OutputKind
	channels int // of values
	from, to int
	predicts bool // labels belong to it: see labelled
}

// add appends an output; the first dimension of its shape counts pictures.
func (list *outputs) add(name string, s tensor.Shape, size int, kinds quantize.OutputKinds) {
	channels := 1
	if len(s) > 1 {
		channels = s[1]
	}
	from := list.row()
	*list = append(*list, output{name: name, kind: kinds.Of(name, s), channels: channels, from: from, to: from + size})
}

// row is the number of elements of a row.
func (list *outputs) row() int {
	if len(*list) == 0 {
		return 0
	}
	return (*list)[len(*list)-1].to
}

// outputsOf reads the outputs of a document; false where a shape is unknown.
func outputsOf(m *onnx.Model, kinds quantize.OutputKinds) (outputs, bool) {
	var list outputs
	for _, v := range m.Graph.Outputs() {
		if v.DType() != tensor.Float32 {
			continue
		}
		s, known := v.Shape()
		if !known || len(s) == 0 || s[1:].Numel() <= 0 {
			return nil, false
		}
		list.add(v.Name(), s, s[1:].Numel(), kinds)
	}
	return list, len(list) > 0
}

// kinds are those that the user states, which Validate has read before.
func (j *job) kinds() quantize.OutputKinds {
	if j.parts.HoldsLayers() { // what leaves the core are features
		return quantize.OutputKinds{"": quantize.Values}
	}
	kinds, _ := quantize.ParseOutputKinds(j.o.OutputKinds)
	return kinds
}

// outputs are those of the job's float model.
func (j *job) outputs() (outputs, error) {
	list, known := outputsOf(j.float, j.kinds())
	if !known {
		return nil, errors.New("the model has an output of unknown shape; simplify it first, for example with onnxsim")
	}
	if j.data != nil {
		list.label(len(j.data.test.Classes()))
	}
	return list, nil
}

// checkKinds refuses kinds of outputs that none of the documents has.
func checkKinds(kinds quantize.OutputKinds, documents ...*onnx.Model) error {
	var have []string
	for _, m := range documents {
		for _, name := range onnx.Names(m.Graph.Outputs()) {
			if !slices.Contains(have, name) {
				have = append(have, name)
			}
		}
	}
	for name := range kinds {
		if name != "" && !slices.Contains(have, name) {
			return fmt.Errorf("%w: the model has no output %q for --outputs, only %v", ErrUsage, name, have)
		}
	}
	return nil
}

// labelled is the output that labels belong to: the first one of class scores with a score per class of the data (0:
// classes are not known), else the first one of class scores; -1 without any.
func (list outputs) labelled(classes int) int {
	for i, o := range list {
		if o.kind == quantize.Scores && o.to-o.from == classes {
			return i
		}
	}
	return slices.IndexFunc(list, func(o output) bool { return o.kind == quantize.Scores })
}

// same refuses rows of other outputs than those of pictures before: sizes that depend on the picture cannot be compared.
func (list outputs) same(other outputs) error {
	if slices.Equal(list, other) {
		return nil
	}
	for i, o := range list[:min(len(list), len(other))] {
		if o != other[i] {
			return fmt.Errorf("output %q has %d values for some pictures and %d for others: only outputs of one size can be measured",
				o.name, o.to-o.from, other[i].to-other[i].from)
		}
	}
	return fmt.Errorf("the model has %d outputs for some pictures and %d for others", len(list), len(other))
}

// label marks the output that labels belong to, of so many classes.
func (list outputs) label(classes int) {
	if k := list.labelled(classes); k >= 0 {
		list[k].predicts = true
	}
}

// predicting is the output that predictions are read from: the one that labels belong to, so that accuracy, agreement and
// flips speak of the same; where nothing is known of classes the first one of class scores, -1 without any.
func (list outputs) predicting() int {
	if k := slices.IndexFunc(list, func(o output) bool { return o.predicts }); k >= 0 {
		return k
	}
	return list.labelled(0)
}

// joined makes rows of the outputs of n pictures.
func (list *outputs) joined(parts [][]float32, n int) ([]float32, error) {
	if len(parts) != len(*list) {
		return nil, fmt.Errorf("%d outputs instead of %d", len(parts), len(*list))
	}
	for i, o := range *list {
		if len(parts[i]) != n*(o.to-o.from) {
			return nil, fmt.Errorf("output %q has %d elements for %d pictures, not %d each", o.name, len(parts[i]), n, o.to-o.from)
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	rows := make([]float32, 0, n*list.row())
	for i := range n {
		for k, o := range *list {
			size := o.to - o.from
			rows = append(rows, parts[k][i*size:(i+1)*size]...)
		}
	}
	return rows, nil
}

// rowsOf are the rows of what the runtime computed for n pictures, and what they consist of.
func rowsOf(ys []ort.Floats, n int, kinds quantize.OutputKinds) ([]float32, outputs, error) {
	var list outputs
	parts := make([][]float32, len(ys))
	for i, y := range ys {
		if len(y.Shape) == 0 || y.Shape[0] != n {
			return nil, nil, fmt.Errorf("output %q has shape %s for %d pictures: it does not begin with the batch", y.Name, y.Shape, n)
		}
		if len(y.Data) == 0 {
			return nil, nil, fmt.Errorf("output %q is empty, of shape %s: there is nothing to measure", y.Name, y.Shape)
		}
		parts[i] = y.Data
		list.add(y.Name, y.Shape, len(y.Data)/n, kinds)
	}
	rows, err := list.joined(parts, n)
	return rows, list, err
}

// spreads are what squared differences of values are measured by, per channel of each output; nil for class scores.
func (list *outputs) spreads(rows []float32, n int) ([][]float64, error) {
	out := make([][]float64, len(*list))
	for k, part := range list.split(rows, n) {
		o := (*list)[k]
		if o.kind == quantize.Scores {
			continue
		}
		var err error
		if out[k], err = loss.Spread(part, n, o.channels); err != nil {
			return nil, fmt.Errorf("output %q: %w", o.name, err)
		}
	}
	return out, nil
}

// distance is how far two rows of one picture are apart, summed over the outputs: the divergence of class scores, softened
// by a temperature, and the squared difference of values relative to their spread.
func (list outputs) distance(want, got []float32, spreads [][]float64, temperature float32) float64 {
	var sum float64
	for k, o := range list {
		a, b := want[o.from:o.to], got[o.from:o.to]
		if o.kind == quantize.Scores {
			sum += softDivergence(a, b, temperature)
			continue
		}
		sum += relativeSquare(a, b, spreads[k])
	}
	return sum
}

// relativeSquare is the mean of squared differences, each over the spread of its channel.
func relativeSquare(a, b []float32, spread []float64) float64 {
	var sum float64
	inner := max(len(a)/len(spread), 1)
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d / spread[i/inner%len(spread)]
	}
	return sum / float64(max(len(a), 1))
}

// gap adds up how far the rows of one network are from another's, batch by batch.
type gap struct {
	list   outputs
	n      int
	scores float64 // divergences of class scores
	flips  int     // predictions that differ
	values [][]channelSums
}

// channelSums are sums over the elements of a channel of values.
type channelSums struct{ n, sum, squares, errors float64 }

func newGap(list outputs) gap {
	g := gap{list: list, values: make([][]channelSums, len(list))}
	for k, o := range list {
		if o.kind != quantize.Scores {
			g.values[k] = make([]channelSums, o.channels)
		}
	}
	return g
}

// add takes n rows of the network that distances count from, and of the other.
func (g *gap) add(want, got []float32, n int) {
	row, predicts := g.list.row(), g.list.predicting()
	g.n += n
	for i := range n {
		for k, o := range g.list {
			a, b := want[i*row+o.from:i*row+o.to], got[i*row+o.from:i*row+o.to]
			if o.kind == quantize.Scores {
				g.scores += divergence(a, b)
				if k == predicts && argmax(a) != argmax(b) {
					g.flips++
				}
				continue
			}
			inner := max(len(a)/o.channels, 1)
			for e, v := range a {
				s, d := &g.values[k][e/inner], float64(v)-float64(b[e])
				s.n++
				s.sum += float64(v)
				s.squares += float64(v) * float64(v)
				s.errors += d * d
			}
		}
	}
}

// relative is the mean squared difference of each output of values over the spread of its channels, summed, and the number
// of such outputs.
func (g *gap) relative() (sum float64, outputs int) {
	for _, channels := range g.values {
		if channels == nil || g.n == 0 {
			continue
		}
		variance, squares := make([]float64, len(channels)), make([]float64, len(channels))
		for c, s := range channels {
			mean := s.sum / s.n
			squares[c] = s.squares / s.n
			variance[c] = max(squares[c]-mean*mean, 0)
		}
		loss.Floor(variance, squares)
		for c, s := range channels {
			sum += s.errors / s.n / variance[c] / float64(len(channels))
		}
		outputs++
	}
	return sum, outputs
}

// distance is the mean over the pictures, summed over the outputs.
func (g *gap) distance() float64 {
	sum, _ := g.relative()
	return sum + g.scores/float64(max(g.n, 1))
}

// agreement is the share of predictions that agree. Networks without class scores have no predictions, and it is how much of the variance of the one's values the other explains.
func (g *gap) agreement() float64 {
	if g.list.predicting() >= 0 {
		return 1 - float64(g.flips)/float64(max(g.n, 1))
	}
	sum, outputs := g.relative()
	return max(1-sum/float64(max(outputs, 1)), 0)
}

// agreement is that of n rows.
func (list outputs) agreement(want, got []float32, n int) (share float64, flips int) {
	g := newGap(list)
	g.add(want, got, n)
	return g.agreement(), g.flips
}

// split takes n rows apart, output by output.
func (list *outputs) split(rows []float32, n int) [][]float32 {
	parts := make([][]float32, len(*list))
	for k, o := range *list {
		for i := range n {
			at := i * list.row()
			parts[k] = append(parts[k], rows[at+o.from:at+o.to]...)
		}
	}
	return parts
}

// compared are n rows as a comparison takes them.
func (list *outputs) compared(rows []float32, n int) export.Outputs {
	var out export.Outputs
	for k, part := range list.split(rows, n) {
		o := (*list)[k]
		if k == 0 {
			out.Name, out.Logits, out.Classes = o.name, part, o.to-o.from
			continue
		}
		out.More = append(out.More, export.Output{Name: o.name, Values: part, Per: o.to - o.from})
	}
	return out
}
