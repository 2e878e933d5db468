// Package bench measures training steps and kernels on this machine, as absolute figures and as shares of what the
// machine can do: the peak of its fused multiply-adds and the bandwidth of a copy, both measured in the same run.
package bench
