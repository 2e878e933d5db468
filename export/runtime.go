package export

import "github.com/mpqc/mpqc/quantize"

// Exact says that onnxruntime computes the files with exact integer arithmetic on every CPU where they are verified,
// since its own kernels are not those of the runtime. Else they are computed as a user of onnxruntime would, saturating
// kernels included.
func (p Profile) Exact() bool { return p.Pairs == quantize.Unpaired }

// Bound is how far the outputs of a whole file may be from those of the simulation. Sums of floats end near the middle
// between two codes now and then; what that adds up to is small beside what quantization does. What is larger by either
// measure than the constants here, and than half of the distance that quantization puts between the float model and the
// simulation, is an error.
type Bound struct {
	// SNR is the least ratio of an output to what is off in it, in decibels.
	SNR float64
	// Flips is the largest share of predictions that may differ.
	Flips float64
}

// Bound is that of the profile's files, the same for all profiles. It matters where kernels do not equal the simulation
// to the bit. Files of a ResNet-20 at 8 to 2.5 bit keep 63 dB and more in onnxruntime; pairs of weights that saturate
// leave 13 to 14 dB, and 6 to 7 % of the predictions differ.
func (Profile) Bound() Bound { return Bound{SNR: 25, Flips: 0.02} }
