// Package metadata is what an exported document says of itself in the metadata of its model: bit-widths that operators
// cannot say, the name of the profile, where the network was cut, and encodings. Export writes it; lint, the comparison
// and other programs read it. It knows no profile.
package metadata

import (
	"encoding/json"
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// Keys of the model's metadata. The preprocessing of the samples (org.mpqc.preprocessing) is kept as imported.
const (
	PolicyKey  = "org.mpqc.policy"  // Description as JSON
	ProfileKey = "org.mpqc.profile" // name of the profile
	// CutKey lists the values, as JSON, behind which the file goes on with what the float model has there.
	CutKey = "org.mpqc.cut"
)

// Description is what QuantizeLinear and DequantizeLinear cannot say: true bit-widths and where the codes are.
type Description struct {
	Profile string       `json:"-"`
	Layers  []LayerBits  `json:"layers"`
	Tensors []TensorBits `json:"tensors"`
}

// LayerBits are the bits that a layer computes with.
type LayerBits struct {
	Node string `json:"node"`
	W    int    `json:"w"`
	A    int    `json:"a"`
}

// TensorBits is one activation quantizer.
type TensorBits struct {
	Tensor string `json:"tensor"` // as quantize.CodesKey names it
	Node   string `json:"node"`   // float node that computes the tensor, or reads it at these bits
	Codes  string `json:"codes"`  // value of the exported document that holds the codes
	Bits   int    `json:"bits"`
	Signed bool   `json:"signed"`
	Zero   int    `json:"zero,omitempty"` // zero point of an asymmetric tensor, whose codes lie in 0..2^b-1; Signed is false
	Stream bool   `json:"stream,omitempty"`
}

// Write puts the description into the metadata of a model.
func (d Description) Write(m *onnx.Model) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	m.SetMetadata(PolicyKey, string(text))
	m.SetMetadata(ProfileKey, d.Profile)
	return nil
}

// Describe reads the description of a model. It is an error if the model has none, so that mpqc did not export it.
func Describe(m *onnx.Model) (Description, error) {
	var d Description
	text, ok := m.Metadata(PolicyKey)
	if !ok {
		return d, fmt.Errorf("describe model: it has no metadata %s, so mpqc did not export it", PolicyKey)
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("describe model: metadata %s: %w", PolicyKey, err)
	}
	d.Profile, _ = m.Metadata(ProfileKey)
	return d, d.check()
}

// check says what cannot be in a description.
func (d *Description) check() error {
	const widest = 32 // bits of a code
	for _, l := range d.Layers {
		if min(l.W, l.A) < 1 || max(l.W, l.A) > widest {
			return fmt.Errorf("describe model: metadata %s: node %q has %d and %d bits", PolicyKey, l.Node, l.W, l.A)
		}
	}
	for _, t := range d.Tensors {
		if t.Bits < 1 || t.Bits > widest || t.Zero < 0 || t.Zero>>t.Bits > 0 {
			return fmt.Errorf("describe model: metadata %s: tensor %q has %d bits and zero point %d", PolicyKey, t.Tensor, t.Bits, t.Zero)
		}
	}
	return nil
}

// SetCut writes down the values behind which a model goes on with what the float model has there.
func SetCut(m *onnx.Model, values []*onnx.Value) error {
	cut := make([]string, len(values))
	for i, v := range values {
		cut[i] = v.Name()
	}
	text, err := json.Marshal(cut)
	if err != nil {
		return fmt.Errorf("metadata %s: %w", CutKey, err)
	}
	m.SetMetadata(CutKey, string(text))
	return nil
}
