// Package rounding chooses the codes of weights at every width, without training: what the rounding of one weight does to the
// output of its layer, the weights after it make up for (GPTQ, arXiv 2210.17323, section 3; in the form of LDLQ, arXiv 2307.13304,
// section 3). Every output channel tries steps around its own for that, and what it ends with is refined code by code. Second moments say
// what that needs to know of a layer's input; Codes gathers them and rounds the layers.
package rounding

// Version rises when rounding chooses other codes of the same supernet.
const Version = 11
