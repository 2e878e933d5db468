// Package integer is the reference that exported files are held against: it computes a quantized network on integer
// codes, from the normalised float document, the plan, the supernet and the policy, and never looks at an exported
// file. Sums are exact int32; where a result becomes codes again the expressions are those of onnxruntime's QLinear
// kernels on x86-64 with FMA, term by term, so that codes agree bit for bit. What such a runtime computes in float is
// computed in float here too, and listed by Network.Inexact, since a code after it may then differ by one.
package integer
