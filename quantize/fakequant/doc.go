// Package fakequant simulates quantization in the training engine: its operators replace weights and activations by the
// nearest value of a grid and let gradients through as LSQ defines it. Every operator can be switched between
// bit-widths from one run to the next; Rewrite inserts them where a plan says, and Network switches them together. It
// knows neither losses nor schedules.
package fakequant
