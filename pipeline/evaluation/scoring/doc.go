// Package scoring compares policies. It runs them in onnxruntime as they would be exported, on a fixed set of samples.
// The score is the distance of their outputs to those of the widest policy.
package scoring
