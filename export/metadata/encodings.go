package metadata

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// EncodingsKey is the key of the model's metadata that holds the encodings of profile qnn, as the file beside it does.
const EncodingsKey = "org.mpqc.encodings"

// encodingsVersion is AIMET's list form, the only version that states widths such as 5 bits and per-channel scales in
// one entry.
const encodingsVersion = "1.0.0"

// Encodings are AIMET's quantization encodings: which tensors are quantized and how.
type Encodings struct {
	Version     string     `json:"version"`
	Activations []Encoding `json:"activation_encodings"`
	Params      []Encoding `json:"param_encodings"`
}

// Encoding is the grid of one tensor: value = Scale*(q + Offset) with q in 0..2^Bits-1, per tensor or per index of the
// first axis of a weight (of the axis that counts output channels).
type Encoding struct {
	Name      string    `json:"name"`
	Type      string    `json:"enc_type"` // PER_TENSOR or PER_CHANNEL
	DType     string    `json:"dtype"`    // INT
	Bits      int       `json:"bw"`
	Symmetric bool      `json:"is_sym"`
	Scale     []float32 `json:"scale"`
	Offset    []int     `json:"offset"`
}

// NewEncodings are encodings without an entry.
func NewEncodings() *Encodings {
	return &Encodings{Version: encodingsVersion, Activations: []Encoding{}, Params: []Encoding{}}
}

// Marshal is the content of the encodings file.
func (e *Encodings) Marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode encodings: %w", err)
	}
	return b.Bytes(), nil
}

// ReadEncodings parses an encodings file.
func ReadEncodings(data []byte) (*Encodings, error) {
	var e Encodings
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("read encodings: %w", err)
	}
	if e.Version != encodingsVersion {
		return nil, fmt.Errorf("read encodings: version %q is not %s", e.Version, encodingsVersion)
	}
	for _, x := range append(e.Activations[:len(e.Activations):len(e.Activations)], e.Params...) {
		if x.Name == "" || x.Bits < 1 || x.Bits > 32 || len(x.Scale) == 0 || len(x.Scale) != len(x.Offset) {
			return nil, fmt.Errorf("read encodings: entry %q has %d bits, %d scales and %d offsets", x.Name, x.Bits, len(x.Scale), len(x.Offset))
		}
	}
	return &e, nil
}

// Sidecar is the file that a model's runtime wants beside it, and the end of its name; nil for most profiles.
func Sidecar(m *onnx.Model) (suffix string, data []byte) {
	if text, ok := m.Metadata(EncodingsKey); ok {
		return ".encodings", []byte(text)
	}
	return "", nil
}
