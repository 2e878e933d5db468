// Package dataset reads labelled images (class folders, zip archives, IDX, CIFAR binaries) and prepared arrays (npz),
// splits and shuffles them, and makes batches of a model's input. The order of samples and their augmentation are a
// pure function of (seed, epoch, index). It knows nothing of networks but the shape of their input.
package dataset
