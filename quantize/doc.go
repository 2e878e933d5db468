// Package quantize is the vocabulary and the arithmetic of mixed-precision quantization: which tensors carry a
// quantizer and at which bit-widths (Plan), one choice among them (Policy), what it costs (BitOPs, packed size), the
// trained shared weights (Supernet), and the folding of weights, step sizes and BatchNorm to integer codes (Fold).
// It neither trains nor writes ONNX files.
package quantize
