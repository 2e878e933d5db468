// Package train trains a supernet: one set of weights for every choice of bits per layer. It owns the training step
// (several paths per batch, one update), its schedules, checkpoints, and the re-estimation of BatchNorm statistics for
// one path. Quantizers belong to package fakequant, kernels and optimizers to the engine, pictures to the caller.
package train

// Version rises when training gives another supernet with the same options: a checkpoint of before is of no use then.
const Version = 1
