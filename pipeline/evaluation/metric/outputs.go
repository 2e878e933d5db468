// Package metric measures the outputs of networks: how often predictions are right, and how far two networks are apart.
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

// Outputs describes a row: all outputs of a network for one sample, one after the other, in the order of the model.
type Outputs []Output

// Output is one output: elements [From, To) of a row.
type Output struct {
	Name     string
	Kind     quantize.OutputKind
	channels int // of kind values; the output is [channels, ...]
	From, To int
	predicts bool // labels belong to this output: see Labelled
}

// add appends an output of shape s, whose first dimension is the batch, with size elements per sample.
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

// OutputsOf describes the float32 outputs of a document. It is false if there are none, or if a shape is unknown.
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

// Labelled returns the index of the output that labels belong to, -1 if there is none. It is the first output of class
// scores with as many scores as the data has classes, else the first output of class scores. Pass 0 if the number of
// classes is not known.
func (list Outputs) Labelled(classes int) int {
	for i, o := range list {
		if o.Kind == quantize.Scores && o.To-o.From == classes {
			return i
		}
	}
	return slices.IndexFunc(list, func(o Output) bool { return o.Kind == quantize.Scores })
}

// Same is an error if other describes other rows. Outputs whose size depends on the sample cannot be measured.
func (list Outputs) Same(other Outputs) error {
	if slices.Equal(list, other) {
		return nil
	}
	for i, o := range list[:min(len(list), len(other))] {
		if o != other[i] {
			return fmt.Errorf("output %q has %d values for some samples and %d for others: only outputs of one size can be measured",
				o.Name, o.To-o.From, other[i].To-other[i].From)
		}
	}
	return fmt.Errorf("the model has %d outputs for some samples and %d for others", len(list), len(other))
}

// Label marks the output that labels belong to in data with this number of classes: see Labelled.
func (list Outputs) Label(classes int) {
	if k := list.Labelled(classes); k >= 0 {
		list[k].predicts = true
	}
}

// Predicting returns the index of the output that predictions are read from, -1 if there is none. It is the output that
// Label marked, so that accuracy, agreement and flips refer to the same output. Else it is the first one of class
// scores.
func (list Outputs) Predicting() int {
	if k := slices.IndexFunc(list, func(o Output) bool { return o.predicts }); k >= 0 {
		return k
	}
	return list.Labelled(0)
}

// Joined interleaves outputs, parts[k] of shape [n, size of output k], to rows [n, Row()]. A single output is returned
// as it is, not copied. It is an error if a part has another length.
func (list *Outputs) Joined(parts [][]float32, n int) ([]float32, error) {
	if len(parts) != len(*list) {
		return nil, fmt.Errorf("%d outputs instead of %d", len(parts), len(*list))
	}
	for i, o := range *list {
		if len(parts[i]) != n*(o.To-o.From) {
			return nil, fmt.Errorf("output %q has %d elements for %d samples, not %d each", o.Name, len(parts[i]), n, o.To-o.From)
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

// Rows joins the outputs that onnxruntime computed for n samples to rows, and describes these. It is an error if an
// output is empty, or if its first dimension is not n.
func Rows(ys []ort.Floats, n int, kinds quantize.OutputKinds) ([]float32, Outputs, error) {
	var list Outputs
	parts := make([][]float32, len(ys))
	for i, y := range ys {
		if len(y.Shape) == 0 || y.Shape[0] != n {
			return nil, nil, fmt.Errorf("output %q has shape %s for %d samples: it does not begin with the batch", y.Name, y.Shape, n)
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

// Spreads returns, for each output of kind values, the variance of each channel over n rows [n, Row()] (with a floor:
// see loss.Spread). Distance divides squared differences by it. Entries of class scores are nil.
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

// Distance is the distance of two rows of one sample, summed over the outputs. For class scores it is the KL divergence
// at a temperature, for values the squared difference relative to the spread of the channel: see Spreads.
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

// relativeSquare is the mean over elements of (a-b)^2/spread of the channel; a and b are [channels, ...].
func relativeSquare(a, b []float32, spread []float64) float64 {
	var sum float64
	inner := max(len(a)/len(spread), 1)
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d / spread[i/inner%len(spread)]
	}
	return sum / float64(max(len(a), 1))
}

// Agreement compares n rows: see Gap.Agreement. It also returns the number of predictions that differ.
func (list Outputs) Agreement(want, got []float32, n int) (share float64, flips int) {
	g := NewGap(list)
	g.Add(want, got, n)
	return g.Agreement(), g.flips
}

// split takes rows [n, Row()] apart to [output][n, size].
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

// Compared converts rows [n, Row()] to the form of comparison.Compare.
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
