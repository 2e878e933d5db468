package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/quantize"
)

// document examines the model as the file has it.
func (d *doctor) document() {
	m, r := d.read, d.result
	r.Opset = m.Opset("")
	name, version := m.Producer()
	r.Producer = strings.TrimSpace(name + " " + version)
	for _, f := range m.External() {
		r.External = append(r.External, ExternalFile{f.Path, f.Tensors, f.Bytes})
	}
	for _, err := range parts(m.Validate()) {
		d.stop("", err.Error(), "the file is not sound: export the model again")
	}
	d.tensors()
	d.sharedWeights()
	d.opset()
	d.preprocessing()
}

// preprocessing finds out how images become input. If nothing says so, the next command contains a guess.
func (d *doctor) preprocessing() {
	_, ok, err := models.ModelPreprocessing(d.read)
	const fix = "--preset imagenet|cifar10|..., or --mean, --std, --resize, --crop, --layout, --color"
	switch {
	case d.o.Edit.Preset != "" || d.o.Preprocessing != "":
	case err != nil:
		d.stop("", err.Error(), "state the preprocessing: "+fix)
	case !ok && d.o.Edit.Mean == nil && d.o.Edit.Std == nil:
		g := guess(d.read)
		stated := d.o.Edit
		d.o.Edit = g
		if stated.Resize != nil {
			d.o.Edit.Resize = stated.Resize
		}
		if stated.Crop != nil {
			d.o.Edit.Crop = stated.Crop
		}
		d.o.Edit.Layout, d.o.Edit.Color = cmp.Or(stated.Layout, g.Layout), cmp.Or(stated.Color, g.Color)
		d.note("", "the model does not say how samples become its input (metadata org.mpqc.preprocessing)",
			"state what it was trained with: "+fix+"; a guess that runs: "+flagsText(g))
	}
}

// tensors lists inputs and outputs and records those that training or search cannot handle.
func (d *doctor) tensors() {
	for _, v := range d.read.Graph.Inputs() {
		d.result.Inputs = append(d.result.Inputs, tensorOf(v))
		d.input(v)
	}
	for _, v := range d.read.Graph.Outputs() {
		d.result.Outputs = append(d.result.Outputs, tensorOf(v))
	}
	if n := len(d.result.Inputs); n != 1 {
		d.stop("", fmt.Sprintf("the graph has %d inputs; one, the samples, is supported", n),
			"export the model with samples as its only input, other inputs as constants")
	}
}

// outputs says what training works toward. The shapes of the model must be known.
func (d *doctor) outputs() {
	outputs := d.model.Graph.Outputs()
	if len(outputs) == 0 {
		d.stop("", "the graph has no output", "export the model again, with its results as outputs")
	} else if s, known := outputs[0].Shape(); known && !d.scores() && !d.parts.HoldsLayers() {
		d.note(outputs[0].Name(), fmt.Sprintf("the output has shape %s, not one score per class", s),
			"--no-labels trains and searches against the float model's own outputs")
	}
}

// scores reports whether an output of the model is a row of class scores.
func (d *doctor) scores() bool {
	return d.try().scores()
}

// tensorOf describes an input or output.
func tensorOf(v *onnx.Value) Tensor {
	t := Tensor{Name: v.Name(), DType: v.DType().String(), Shape: []int{}}
	if s, known := v.Shape(); known {
		t.Shape = append(t.Shape, s...)
	}
	return t
}

// input records problems of an input.
func (d *doctor) input(v *onnx.Value) {
	s, known := v.Shape()
	if !known {
		d.stop(v.Name(), "the input has no shape", "export the model with one")
		return
	}
	if t := v.DType(); t != tensor.Float32 && t != tensor.Float16 && t != tensor.BFloat16 {
		d.stop(v.Name(), fmt.Sprintf("the input is %s; training computes in float32", v.DType()),
			"export the model in float32 (before any conversion to integers)")
	}
	for i, size := range s {
		if i > 0 && size < 0 {
			d.stop(v.Name(), fmt.Sprintf("dimension %d of the input, %s, is open; only the batch may be", i, s),
				"export with a fixed input size (torch.onnx.export: dynamic_axes for dimension 0 alone), "+
					"or fix it: python -m onnxruntime.tools.make_dynamic_shape_fixed")
		}
	}
}

// sharedWeights lists initializers that several layers read.
func (d *doctor) sharedWeights() {
	for _, v := range d.read.Graph.Initializers() {
		s := SharedWeight{Weight: v.Name()}
		for _, u := range v.Uses() {
			if quantize.IsLayerOp(u.Node.Op()) && u.Index == 1 {
				s.Layers = append(s.Layers, u.Node.Name())
			}
		}
		if len(s.Layers) > 1 {
			d.result.Shared = append(d.result.Shared, s)
			d.note(s.Layers[0], fmt.Sprintf("weights %q are shared with %s; each gets its own copy, they train apart and are stored each",
				s.Weight, strings.Join(s.Layers[1:], ", ")), "nothing, or --exclude these nodes to keep them shared in float")
		}
	}
}

// opset records operators whose opset is not supported.
func (d *doctor) opset() {
	for _, n := range pass.Outdated(d.read) {
		d.stop(n.Name(), fmt.Sprintf("%s of opset %d has another meaning since", n.Op(), d.result.Opset),
			fmt.Sprintf("export the model with opset %d or later, or onnx.version_converter.convert_version(model, 17)", pass.MinOpset))
	}
}

// divide cuts off the tail and says so. It reports whether the rest can be trained.
func (d *doctor) divide() bool {
	parts, err := partition.Of(d.model, d.o.Exclude)
	var blocked *partition.BlockedError
	if errors.As(err, &blocked) {
		if partition.FromQuantized(blocked.Problems[0].Op) {
			d.operators()
			return false
		}
		for _, p := range blocked.Problems {
			d.stop(p.Node, fmt.Sprintf("%s: %v, and layers behind it need its result", p.Op, p.Err), blocked.Fix)
		}
		return false
	}
	if err != nil {
		d.stop("", err.Error(), "export the model again")
		return false
	}
	d.parts, d.model = parts, parts.Core
	d.outputs()
	if nodes := parts.TailNodes(); len(nodes) > 0 {
		d.note(nodes[0].Name(), fmt.Sprintf("%s: from here on the model stays as it is; training, search and comparison of codes end at %s",
			nodes[0].Op(), strings.Join(onnx.Names(parts.Core.Graph.Outputs()), ", ")), "nothing")
	}
	return true
}

// quantized records the nodes of a model that compute on codes, and reports whether there are any. Nothing else about
// such a model matters.
func (d *doctor) quantized(m *onnx.Model) bool {
	var e *partition.QuantizedError
	if !errors.As(partition.CheckFloat(m), &e) {
		return false
	}
	d.result.Problems = []Finding{}
	for _, n := range e.Nodes {
		d.stop(n.Name(), partition.QuantizedReason, partition.QuantizedFix)
	}
	return true
}

// operators records every node that the engine cannot compute.
func (d *doctor) operators() {
	problems, err := decode.Check(d.model)
	for _, p := range problems {
		if partition.FromQuantized(p.Op) {
			d.stop(p.Node, partition.QuantizedReason, partition.QuantizedFix)
			continue
		}
		d.stop(p.Node, fmt.Sprintf("%s: %v", p.Op, p.Err), partition.OperatorFix(p, d.model))
	}
	if err != nil && !d.result.Stops() {
		d.stop("", err.Error(), "export the model again")
	}
}

// runtime tries whether onnxruntime, which scores candidates, can load the model.
func (d *doctor) runtime() {
	model, err := session.Encode(d.model, d.o.Model) // too large a one is opened as it was before it was normalised
	if err != nil {
		d.stop("", err.Error(), "split the model, or export it again")
		return
	}
	err = ort.SetLibrary(d.o.OnnxRuntime)
	if err == nil {
		err = ort.Available()
	}
	if err != nil {
		d.stop("", err.Error(), ort.Remedy)
		return
	}
	// Weights that lie beside the document are then mapped and not copied; nothing is run.
	s, err := model.Open(ort.Options{Provider: d.o.Provider, Config: map[string]string{"session.disable_prepacking": "1"}})
	if err != nil {
		if !d.result.Stops() { // what was found before is the reason, as a rule
			d.stop("", "onnxruntime refuses the model: "+err.Error(), "export the model again with an opset that this onnxruntime knows")
		}
		return
	}
	_ = s.Close()
}
