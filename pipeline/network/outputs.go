package network

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/options"
	"github.com/mpqc/mpqc/quantize"
)

// kinds are those that the user states, which Validate has read before.
func kinds(d *partition.Partition, o options.ModelOptions) quantize.OutputKinds {
	if d.HoldsLayers() { // what leaves the core are features
		return quantize.OutputKinds{"": quantize.Values}
	}
	kinds, _ := quantize.ParseOutputKinds(o.OutputKinds)
	return kinds
}

// CheckKinds refuses kinds of outputs that none of the documents has.
func CheckKinds(kinds quantize.OutputKinds, documents ...*onnx.Model) error {
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
			return fmt.Errorf("%w: the model has no output %q for --outputs, only %v", options.ErrUsage, name, have)
		}
	}
	return nil
}
