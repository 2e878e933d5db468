package pipeline

import (
	"errors"
	"fmt"
	"slices"

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
}

// add appends an output; the first dimension of its shape counts pictures.
func (list *outputs) add(name string, s tensor.Shape, size int, kinds quantize.OutputKinds) {
	channels := 1
	if len(s) > 1 {
		channels = s[1]
	}
	from := list.row()
	*list = append(*list, output{name, kinds.Of(name, s), channels, from, from + size})
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

// kinds are those that the user states; Validate has read them before.
func (j *job) kinds() quantize.OutputKinds {
	kinds, _ := quantize.ParseOutputKinds(j.o.OutputKinds)
	return kinds
}

// outputs are those of the job's float model.
func (j *job) outputs() (outputs, error) {
	list, known := outputsOf(j.float, j.kinds())
	if !known {
		return nil, errors.New("the model has an output of unknown shape; simplify it first, for example with onnxsim")
	}
	return list, nil
}

// checkKinds refuses kinds of outputs that the model does not have.
func checkKinds(m *onnx.Model, kinds quantize.OutputKinds) error {
	var names []string
	for _, v := range m.Graph.Outputs() {
		names = append(names, v.Name())
	}
	for name := range kinds {
		if name != "" && !slices.Contains(names, name) {
			return fmt.Errorf("%w: the model has no output %q for --outputs, only %v", ErrUsage, name, names)
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
		parts[i] = y.Data
		list.add(y.Name, y.Shape, len(y.Data)/n, kinds)
	}
	rows, err := list.joined(parts, n)
	return rows, list, err
}

// spreads are what squared differences of values are measured by, per channel of each output; nil for class scores.
func (list *outputs) spreads(rows []float32, n int) ([][]float64, error) {
	out := make([][]float64, len(*list))
	for k, o := range *list {
		if o.kind == quantize.Scores {
			continue
		}
		part := make([]float32, 0, n*(o.to-o.from))
		for i := range n {
			at := i * list.row()
			part = append(part, rows[at+o.from:at+o.to]...)
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

// agreement compares the predictions of n pictures by the first output of class scores: the share that agrees, and how many
// do not. Networks without one have no predictions, and the share is how much of the variance of a's values b explains.
func (list outputs) agreement(a, b []float32, n int) (share float64, flips int) {
	if n == 0 || len(list) == 0 {
		return 1, 0
	}
	row := list.row()
	if k := list.labelled(0); k >= 0 {
		o := list[k]
		for i := range n {
			if argmax(a[i*row+o.from:i*row+o.to]) != argmax(b[i*row+o.from:i*row+o.to]) {
				flips++
			}
		}
		return 1 - float64(flips)/float64(n), flips
	}
	spreads, err := list.spreads(a, n)
	if err != nil {
		return 0, 0
	}
	var sum float64
	for i := range n {
		sum += list.distance(a[i*row:(i+1)*row], b[i*row:(i+1)*row], spreads, 1)
	}
	return max(1-sum/float64(n*len(list)), 0), 0
}
