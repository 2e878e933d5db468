// Package calibrate turns statistics of the float model on a few batches into a starting point for training: BatchNorms
// where a quantized Conv has none, an order and scales of channels that suit quantizers, and a step size for every
// tensor and bit-width.
//
// Collecting and applying are separate. [Collect] gathers statistics in one pass over the data. [Norms], [Order],
// [Equalize], [Balance] and [Supernet], in this order, compute from them. If Equalize changed anything, statistics must
// be collected again.
package calibrate

// Version rises when calibration gives something else with the same options.
const Version = 3
