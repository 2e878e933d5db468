// Package calibrate runs the float model over a few batches and turns what it sees into a starting point for training:
// BatchNorms where a quantized Conv has none, an order and scales of channels that suit quantizers, and a step size for every tensor and
// bit-width. Collecting and applying are apart: Collect gathers statistics in one pass over the data, Norms, Order, Equalize,
// Balance and Supernet, in this order, only compute. Where Equalize changed something, ranges are collected anew.
package calibrate

// Version rises when calibration gives something else with the same options.
const Version = 3
