// Package search finds mixed-precision policies within a bit budget, by inference alone: nothing is trained, and the
// package knows neither the engine nor the runtime, only an [Evaluator].
//
// [Measure] scores what each width of each layer and tensor costs by itself, once for all targets. [Run] adds those
// sensitivities up: it descends from the widest policy, trades widths as long as that is predicted to help, and evaluates
// what is too close to call. The paper (arXiv 2401.01543, section 3.3) scores each layer's next step anew at every step;
// RATIONALE.md says why this does not.
package search

// Version rises when a search finds other policies with the same options.
const Version = 11
