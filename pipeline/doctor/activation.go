package doctor

import (
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// activations notes tensors with a small negative part, if the profile has no zero points. A signed grid spends half of
// its levels there.
func activations(d *doctor) {
	for _, p := range d.plan.Points {
		v := d.model.Graph.Value(p.Tensor)
		if v == nil || !p.Signed || p.Asymmetric || len(p.Layers) == 0 {
			continue
		}
		name, least, ok := quantize.OneSided(v.Producer())
		if !ok {
			continue
		}
		low := fmt.Sprintf("%s is never below %.3g", name, least)
		if least == 0 {
			low = name + " goes far less below 0 than above"
		}
		d.note(v.Producer().Name(), fmt.Sprintf("%s, yet profile %s has no zero points, so such a tensor needs a signed grid: of 2^b levels it uses "+
			"little more than half, which costs almost one bit", low, d.result.Profile),
			"profiles ort, openvino and qnn give it a zero point; else for low targets keep the layers that read it wider (--pin 'LAYER=8/8'), "+
				"or train the float model with Relu instead")
	}
}
