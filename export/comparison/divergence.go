package comparison

import "fmt"

// Divergence is the first code that differs, in network order. Samples are numbered from 0 in the order of comparison.
type Divergence struct {
	Tensor string `json:"tensor"`
	Node   string `json:"node"` // node that computes the tensor
	Sample int    `json:"picture"`
	Index  int    `json:"index"` // within the sample's part of the tensor
	Want   uint8  `json:"want"`
	Got    uint8  `json:"got"`
}

// String is the divergence as one line.
func (d Divergence) String() string {
	return fmt.Sprintf("node %q: element %d of tensor %q is %d instead of %d (sample %d of those compared)", d.Node, d.Index, d.Tensor, d.Got, d.Want, d.Sample)
}

// after is the divergence among samples that so many others come before.
func (d *Divergence) after(samples int) *Divergence {
	if d == nil {
		return nil
	}
	moved := *d
	moved.Sample += samples
	return &moved
}

// OutputDivergence is the element of a float output that differs most. Samples are numbered as in a Divergence.
type OutputDivergence struct {
	Output string  `json:"output"`
	Sample int     `json:"picture"`
	Index  int     `json:"index"` // within the sample's outputs
	Want   float32 `json:"want"`
	Got    float32 `json:"got"`
}

// String is the divergence as one line.
func (d OutputDivergence) String() string {
	return fmt.Sprintf("element %d of output %q is %.9g instead of %.9g (sample %d of those compared)", d.Index, d.Output, d.Got, d.Want, d.Sample)
}

// after is the divergence among samples that so many others come before.
func (d *OutputDivergence) after(samples int) *OutputDivergence {
	if d == nil {
		return nil
	}
	moved := *d
	moved.Sample += samples
	return &moved
}
