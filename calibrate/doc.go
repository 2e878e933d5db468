// Package calibrate runs the float model over a few batches and turns what it sees into a starting point for training:
// BatchNorms where a quantized Conv has none, and a step size for every tensor and bit-width. Collecting and applying
// are apart: Collect gathers all statistics in one pass over the data, Norms and Supernet only compute.
package calibrate
