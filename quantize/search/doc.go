// Package search finds mixed-precision policies within a budget, by inference only. Nothing is trained. The package
// knows neither the engine nor onnxruntime, only an [Evaluator].
//
// [Measure] scores what each width of each layer and tensor costs by itself, once for all targets. [Run] adds up these
// sensitivities: it descends from the widest policy, trades widths while the predicted loss falls, and evaluates what
// is too close to call. RFQuant (arXiv 2401.01543, section 3.3) instead scores each layer's next step again at every
// step; RATIONALE.md says why this package does not.
package search

// Version rises when a search finds other policies with the same options.
const Version = 11
