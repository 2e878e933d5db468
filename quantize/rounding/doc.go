// Package rounding chooses the codes of weights at every width, without training: what the rounding of one weight does to the
// output of its layer, the weights after it make up for (GPTQ, arXiv 2210.17323, section 3; in the form of LDLQ, arXiv 2307.13304,
// section 3). Second moments say what that needs to know of a layer's input; Codes gathers them and rounds the layers.
package rounding
