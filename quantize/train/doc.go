// Package train trains a supernet: one set of weights for every choice of bits per layer. It implements the one-shot
// training of RFQuant (Tang et al., CVPR 2024, arXiv 2401.01543).
//
// The package owns the training step (several policies per batch, one update), its schedules, checkpoints, and the
// re-estimation of BatchNorm statistics. Quantizers belong to package fakequant, kernels and optimizers to the engine,
// samples to the caller.
package train

// Version rises when training gives another supernet with the same options: a checkpoint of before is of no use then.
const Version = 1
