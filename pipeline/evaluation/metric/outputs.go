// Package metric measures what networks give for pictures: how often they are right, and how far two of them are apart.
package metric

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Outputs says what a network gives for one picture. A row holds all outputs of a picture, one after the other, in the
// order of the model.
type Outputs []Output

// Output is one of them: elements From up to but not including To of a row.
type Output struct {
	Name     string
	Kind     quantize.OutputKind
	channels int // of values
	From, To int
	predicts bool // labels belong to it: see Labelled
}

// add appends an output; the first dimension of its shape counts pictures.
func (list *Outputs) add(name string, s tensor.Shape, size int, kinds quantize.OutputKinds) {
	channels := 1
	if len(s) > 1 {
		channels = s[1]
	}
	from := list.Row()
	*list = append(*list, Output{Name: name, Kind: kinds.Of(name, s), channels: channels, From: from, To: from + size})
}

// Row is the number of elements of a row.
func (list *Outputs) Row() int {
	if len(*list) == 0 {
		return 0
	}
	return (*list)[len(*list)-1].To
}

// OutputsOf reads the outputs of a document; false where a shape is unknown.
func OutputsOf(m *onnx.Model, kinds quantize.OutputKinds) (Outputs, bool) {
	var list Outputs
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

// Labelled is the output that labels belong to: the first one of class scores with a score per class of the data (0:
// classes are not known), else the first one of class scores; -1 without any.
func (list Outputs) Labelled(classes int) int {
	for i, o := range list {
		if o.Kind == quantize.Scores && o.To-o.From == classes {
			return i
		}
	}
	return slices.IndexFunc(list, func(o Output) bool { return o.Kind == quantize.Scores })
}

// Same refuses rows of other outputs than those of pictures before: sizes that depend on the picture cannot be compared.
func (list Outputs) Same(other Outputs) error {
	if slices.Equal(list, other) {
		return nil
	}
	for i, o := range list[:min(len(list), len(other))] {
		if o != other[i] {
			return fmt.Errorf("output %q has %d values for some pictures and %d for others: only outputs of one size can be measured",
				o.Name, o.To-o.From, other[i].To-other[i].From)
		}
	}
	return fmt.Errorf("the model has %d outputs for some pictures and %d for others", len(list), len(other))
}

// Label marks the output that labels belong to, of so many classes.
func (list Outputs) Label(classes int) {
	if k := list.Labelled(classes); k >= 0 {
		list[k].predicts = true
	}
}

// Predicting is the output that predictions are read from: the one that labels belong to, so that accuracy, agreement and
// flips speak of the same; where nothing is known of classes the first one of class scores, -1 without any.
func (list Outputs) Predicting() int {
	if k := slices.IndexFunc(list, func(o Output) bool { return o.predicts }); k >= 0 {
		return k
	}
	return list.Labelled(0)
}

// Joined makes rows of the outputs of n pictures.
func (list *Outputs) Joined(parts [][]float32, n int) ([]float32, error) {
	if len(parts) != len(*list) {
		return nil, fmt.Errorf("%d outputs instead of %d", len(parts), len(*list))
	}
	for i, o := range *list {
		if len(parts[i]) != n*(o.To-o.From) {
			return nil, fmt.Errorf("output %q has %d elements for %d pictures, not %d each", o.Name, len(parts[i]), n, o.To-o.From)
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	rows := make([]float32, 0, n*list.Row())
	for i := range n {
		for k, o := range *list {
			size := o.To - o.From
			rows = append(rows, parts[k][i*size:(i+1)*size]...)
		}
	}
	return rows, nil
}

// Rows are the rows of what the runtime computed for n pictures, and what they consist of.
func Rows(ys []ort.Floats, n int, kinds quantize.OutputKinds) ([]float32, Outputs, error) {
	var list Outputs
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
	rows, err := list.Joined(parts, n)
	return rows, list, err
}

// Spreads are what squared differences of values are measured by, per channel of each output; nil for class scores.
func (list *Outputs) Spreads(rows []float32, n int) ([][]float64, error) {
	out := make([][]float64, len(*list))
	for k, part := range list.split(rows, n) {
		o := (*list)[k]
		if o.Kind == quantize.Scores {
			continue
		}
		var err error
		if out[k], err = loss.Spread(part, n, o.channels); err != nil {
			return nil, fmt.Errorf("output %q: %w", o.Name, err)
		}
	}
	return out, nil
}

// Distance is how far two rows of one picture are apart, summed over the outputs: the divergence of class scores, softened
// by a temperature, and the squared difference of values relative to their spread.
func (list Outputs) Distance(want, got []float32, spreads [][]float64, temperature float32) float64 {
	var sum float64
	for k, o := range list {
		a, b := want[o.From:o.To], got[o.From:o.To]
		if o.Kind == quantize.Scores {
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

// Agreement is that of n rows.
func (list Outputs) Agreement(want, got []float32, n int) (share float64, flips int) {
	g := NewGap(list)
	g.Add(want, got, n)
	return g.Agreement(), g.flips
}

// split takes n rows apart, output by output.
func (list *Outputs) split(rows []float32, n int) [][]float32 {
	parts := make([][]float32, len(*list))
	for k, o := range *list {
		for i := range n {
			at := i * list.Row()
			parts[k] = append(parts[k], rows[at+o.From:at+o.To]...)
		}
	}
	return parts
}

// Compared are n rows as a comparison takes them.
func (list *Outputs) Compared(rows []float32, n int) comparison.Outputs {
	var out comparison.Outputs
	for k, part := range list.split(rows, n) {
		o := (*list)[k]
		if k == 0 {
			out.Name, out.Logits, out.Classes = o.Name, part, o.To-o.From
			continue
		}
		out.More = append(out.More, comparison.Output{Name: o.Name, Values: part, Per: o.To - o.From})
	}
	return out
}
