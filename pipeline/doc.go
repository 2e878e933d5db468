// Package pipeline is the front door of the library: Run takes a model, samples and targets through import,
// calibration, training, search, export and verification, each leaving one artifact in a workspace, so that a later
// run repeats only what changed. Work is done by the packages it wires together; what it owns is their order, and the
// scoring of candidates in onnxruntime.
package pipeline
