package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Profile is the dialect of one runtime, and what the runtime does with it. The zero Profile is that of no runtime.
type Profile struct {
	// Name is what --profile takes, and what files say of themselves: see metadata.ProfileKey.
	Name string
	// Runtime names what the files are for.
	Runtime string
	// Arithmetic says in words at which width the runtime computes quantized layers.
	Arithmetic string
	// MaxOpset is the newest operator set whose quantization operators the runtime knows.
	MaxOpset int64
	// StoredBits is the width that weights of layers are stored at, unless they are packed.
	StoredBits int
	// Unpackable is why the runtime has no packed weights, "" where it has.
	Unpackable string
	// StaticShapes says that the runtime wants shapes without free dimensions; the batch is then 1.
	StaticShapes bool

	// Int8 says that activations are int8 with zero point 0: there are no unsigned codes above 127. Training has to
	// know: see quantize.Point.Int8.
	Int8 bool
	// ZeroPoints says that the runtime knows zero points of activations. Without, there are none but 0, or in an
	// unsigned container its middle: see quantize.Point.Asymmetric.
	ZeroPoints bool
	// ConvOutputs says that the runtime computes a Conv in front of an activation on integers only if its result is
	// quantized, too. Training has to know: see quantize.Point.Output.
	ConvOutputs bool
	// FloatBranches says that residual branches stay float: see Plan.
	FloatBranches bool

	// Pairs is which weights the runtime's kernels add up in 16 bits on x86 CPUs without VNNI. Files bound such pairs,
	// so that they compute the same on every CPU: see Supernet. Unpaired are the weights of runtimes that add in 32
	// bits: GPUs, DSPs and logic.
	Pairs quantize.Pairing
	// Tolerance is by how many codes a tensor may differ from the reference when it is computed from the reference's
	// codes. It is 0 where the runtime's integer arithmetic is the reference's: only integer kernels round as it does.
	Tolerance int

	// bare is lint.Conventions.Bare; rules are what the runtime asks of a document, besides that no pair overflows.
	bare  bool
	rules []lint.Rule
	// supernet rises when Supernet gives another one of the same arguments; see SupernetVersion.
	supernet int
	// build rewrites the float graph. It runs on a copy.
	build func(*exporter) error
	// weights makes the value that a layer reads in place of its float weights; bias the same for its bias.
	weights func(e *exporter, l *quantize.Layer, f quantize.Folded, bits int) (*onnx.Value, error)
	bias    func(e *exporter, n *onnx.Node, l *quantize.Layer, f quantize.Folded, stepX float32) (*onnx.Value, error)
	// lower rewrites a document in operators of ONNX alone, for Standard; nil where it has no others.
	lower func(*lowering) error
}

const (
	// eightBits is the arithmetic of runtimes that know one width.
	eightBits = "8-bit integer, whatever the bits: fewer bits save storage, and accuracy is that of the bits"
	// newestOpset is the newest operator set whose quantization operators the runtimes of all profiles know.
	newestOpset = 21
)

// profiles lists the dialects. A further one is a file that says all of this about itself, and a row here.
func profiles() []Profile {
	return []Profile{ortProfile(), openvinoProfile(), qonnxProfile(), trtProfile(), qnnProfile()}
}

// Profiles lists the names that ProfileOf knows.
func Profiles() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.Name)
	}
	return names
}

// ProfileOf is the profile of a name. It is an error if there is none, which lists the names.
func ProfileOf(name string) (Profile, error) {
	for _, p := range profiles() {
		if p.Name == name {
			return p, nil
		}
	}
	return Profile{}, fmt.Errorf("profile %q is unknown; there are: %s", name, strings.Join(Profiles(), ", "))
}

// Named is the profile of a name that was checked before. An unknown name gives the zero Profile, which has no trait.
func Named(name string) Profile {
	p, err := ProfileOf(name)
	if err != nil {
		return Profile{}
	}
	return p
}

// Conventions are what the runtime asks of a document, for lint.Check.
func (p Profile) Conventions() lint.Conventions {
	rules := slices.Clone(p.rules)
	if p.Pairs != quantize.Unpaired {
		rules = append(rules, lint.Rule{Name: "saturation", Check: lint.Saturation(p.Pairs), Warning: true})
	}
	return lint.Conventions{Rules: rules, Bare: p.bare}
}

// checkZeroPoints refuses a supernet whose codes the runtime cannot express.
func (e *exporter) checkZeroPoints() error {
	i := slices.IndexFunc(e.plan.Points, func(t quantize.Point) bool { return t.Asymmetric })
	if i < 0 || e.profile.ZeroPoints {
		return nil
	}
	return fmt.Errorf("tensor %q was trained with a zero point of its own, and the runtime has none: "+
		"train with %s among the profiles (--profile ort,%[2]s --retrain), which keeps all activations symmetric", e.plan.Points[i].Tensor, e.profile.Name)
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
