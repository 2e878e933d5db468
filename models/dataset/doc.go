// Package dataset reads labelled pictures (class folders, zip archives, IDX, CIFAR binaries) and prepared arrays (npz),
// splits and shuffles them, and turns them into batches of a model's input. Which picture comes when, and how it is
// augmented, is a pure function of (seed, epoch, index). It knows nothing of networks beyond their input's shape.
package dataset
