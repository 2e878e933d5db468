// Package rounding chooses the integer codes of weights at every bit-width, without training.
//
// Weights are rounded one after the other. The weights that are still to come compensate for the rounding error of each
// one, so that the layer's output changes little. This is GPTQ (Frantar et al., arXiv 2210.17323, section 3), which
// builds on OBQ (Frantar and Alistarh, arXiv 2208.11580), in the form of LDLQ (QuIP, arXiv 2307.13304, section 3).
//
// Every output channel tries several step sizes. The best result is then refined code by code. What the package knows
// of a layer's input is its second moments. [Codes] gathers them and rounds all layers.
package rounding

// Version rises when rounding chooses other codes of the same supernet.
const Version = 11
