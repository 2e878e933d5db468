// Package search finds, for one budget, the bits of every layer: a bidirectional greedy descent over a
// quantize.Plan, followed by a local exchange that fills what the budget leaves. It is pure: what a policy
// costs is the plan's to say, how good it is an Evaluator's, and neither files nor runtimes are known here.
//
// The method is section 3.3 of "Retraining-free Model Quantization via One-Shot Weight-Coupling Learning"
// (arXiv 2401.01543): start above the target, score every one-step move, take the best, repeat. Where the paper scores
// all moves after every step, this package keeps old scores and checks only the best ones again (lazy greedy), which
// gives nearly the same policies for a tenth of the evaluations.
package search
