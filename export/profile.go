package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// profile is the dialect of one runtime.
type profile struct {
	name     string
	maxOpset int64 // newest operator set whose quantization operators the runtime knows
	// build rewrites the float graph. It runs on a copy.
	build func(*exporter) error
	// weights makes the value that a layer reads in place of its float weights; bias the same for its bias.
	weights func(e *exporter, l *quantize.Layer, f quantize.Folded, bits int) (*onnx.Value, error)
	bias    func(e *exporter, n *onnx.Node, l *quantize.Layer, f quantize.Folded, stepX float32) (*onnx.Value, error)
	rules   []rule
	// lower rewrites a document in operators of ONNX alone, for Standard; nil where it has no others.
	lower func(*lowering) error
	// runtime names what the files are for.
	runtime string
	// storedBits is the width that weights of layers are stored at, unless they are packed.
	storedBits int
	// arithmetic says in words at which width the runtime computes quantized layers.
	arithmetic string
	// bare says that the document has no quantizers of its own, so that one without any is no mistake.
	bare bool
	// int8 says that activations are int8 with zero point 0: there are no unsigned codes above 127.
	int8 bool
	// symmetric says that the runtime has no zero points of activations but 0 (or, in an unsigned container, its middle).
	symmetric bool
	// outputs says that the runtime computes a Conv on integers only if its result is quantized, too: see
	// quantize.Point.Output.
	outputs bool
	// static says that the runtime wants shapes without free dimensions; the batch is then 1.
	static bool
	// branches says that residual branches stay float: see For.
	branches bool
	// unpackable is why the runtime has no packed weights, "" where it has.
	unpackable string
	// pairs is which weights the runtime's kernels add up in 16 bits on x86 CPUs without VNNI: see quantize.LimitPairs.
	pairs quantize.Pairing
	// supernet rises when SupernetFor gives another supernet of the same arguments; see SupernetVersion.
	supernet int
	// tolerance is by how many codes a tensor may differ from the reference when it is computed from the reference's
	// codes. Only integer kernels round as the reference does.
	tolerance int
}

// eightBits is the arithmetic of runtimes that know one width.
const eightBits = "8-bit integer, whatever the bits: fewer bits save storage, and accuracy is that of the bits"

// profiles lists the dialects. A further one is a file that says all of this about itself, and a row here.
func profiles() []profile {
	return []profile{ortProfile(), openvinoProfile(), qonnxProfile(), trtProfile(), qnnProfile()}
}

// Profiles lists the names that Options.Profile takes.
func Profiles() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.name)
	}
	return names
}

func profileByName(name string) (profile, error) {
	for _, p := range profiles() {
		if p.name == name {
			return p, nil
		}
	}
	return profile{}, fmt.Errorf("profile %q is unknown; there are: %s", name, strings.Join(Profiles(), ", "))
}

// NeedsInt8 reports whether a profile has no unsigned 8-bit type, which training has to know: see quantize.Point.Int8.
func NeedsInt8(name string) bool {
	p, err := profileByName(name)
	return err == nil && p.int8
}

// HasZeroPoints reports whether a profile's runtime knows zero points of activations: see quantize.Point.Asymmetric.
func HasZeroPoints(name string) bool {
	p, err := profileByName(name)
	return err == nil && !p.symmetric
}

// WantsOutputs reports whether a profile's runtime computes a Conv in front of an activation on integers only if the
// result of the Conv is quantized, too, which training has to know: see quantize.Point.Output.
func WantsOutputs(name string) bool {
	p, err := profileByName(name)
	return err == nil && p.outputs
}

// Unpackable is why a profile has no files with packed weights, "" where it has.
func Unpackable(name string) string {
	p, err := profileByName(name)
	if err != nil {
		return err.Error()
	}
	return p.unpackable
}

// checkZeroPoints refuses a supernet whose codes the runtime cannot express.
func (e *exporter) checkZeroPoints() error {
	i := slices.IndexFunc(e.plan.Points, func(t quantize.Point) bool { return t.Asymmetric })
	if i < 0 || !e.profile.symmetric {
		return nil
	}
	return fmt.Errorf("tensor %q was trained with a zero point of its own, and the runtime has none: "+
		"train with %s among the profiles (--profile ort,%[2]s --retrain), which keeps all activations symmetric", e.plan.Points[i].Tensor, e.profile.name)
}

// Tolerance is by how many codes a tensor of a profile's file may differ from the reference, given the same codes to
// compute from; 0 where the runtime's integer arithmetic is the reference's.
func Tolerance(name string) (int, error) {
	p, err := profileByName(name)
	return p.tolerance, err
}

// StoredBits is the width that a profile's files store weights of layers at, unless they are packed.
func StoredBits(name string) int {
	p, err := profileByName(name)
	if err != nil {
		return 0
	}
	return p.storedBits
}

// Arithmetic says at which width a profile's runtime computes quantized layers, "" for an unknown one.
func Arithmetic(name string) string {
	p, err := profileByName(name)
	if err != nil {
		return ""
	}
	return p.arithmetic
}

// floatBias is the bias as the reference adds it, at the scale of the integer product.
func floatBias(e *exporter, _ *onnx.Node, l *quantize.Layer, f quantize.Folded, stepX float32) (*onnx.Value, error) {
	values := make([]float32, len(f.Bias))
	for k, b := range f.Bias {
		values[k] = float32(float64(b) * float64(stepX*f.Scale[k]))
	}
	return e.constant(biasName(l)+"/float", tensor.From(tensor.Shape{len(values)}, values))
}

func biasName(l *quantize.Layer) string {
	if l.Bias != "" {
		return l.Bias
	}
	return l.Node + "/bias"
}
