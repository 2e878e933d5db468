package pipeline

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
	"github.com/mpqc/mpqc/quantize"
)

// kinds are those that the user states, which Validate has read before.
func (j *job) kinds() quantize.OutputKinds {
	if j.parts.HoldsLayers() { // what leaves the core are features
		return quantize.OutputKinds{"": quantize.Values}
	}
	kinds, _ := quantize.ParseOutputKinds(j.o.OutputKinds)
	return kinds
}

// outputs are those of the job's float model.
func (j *job) outputs() (metric.Outputs, error) {
	list, known := metric.OutputsOf(j.float, j.kinds())
	if !known {
		return nil, errors.New("the model has an output of unknown shape; simplify it first, for example with onnxsim")
	}
	if j.data != nil {
		list.Label(len(j.data.Test.Classes()))
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
