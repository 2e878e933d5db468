// Package export writes a quantized model for one runtime: it takes the normalised float document, a plan, a supernet
// and a policy, and returns a document in the dialect that the runtime runs on integers: QuantizeLinear and
// DequantizeLinear pairs, Quant nodes, or a float model with encodings. It also says what such a document means in
// standard operators (Standard). It runs nothing and touches no files.
//
// All that is known of a runtime is one value, a Profile, which ProfileOf finds by name. What may be wrong with a file,
// of mpqc or of another program, package lint says from the conventions of a profile. Package comparison holds what a
// runtime computed against a reference, and package metadata reads what a file says of itself.
package export
