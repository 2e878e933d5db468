// Package pipeline is the front door of the library. Run takes a model, samples and targets through import,
// calibration, training, search, export and verification. Each stage is a package below; pipeline owns their order.
// Each leaves its artifacts in a workspace, so that a later run repeats only what changed.
package pipeline
