// Package fakequant simulates quantization in the training engine. Its operators round weights and activations to the
// nearest value of a grid, with the gradients of LSQ (Esser et al., ICLR 2020, arXiv 1902.08153).
//
// Every operator can switch between bit-widths from one run to the next. [Rewrite] inserts them where a plan says, and
// [Network] switches them together. The package knows neither losses nor schedules.
package fakequant
