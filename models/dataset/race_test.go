//go:build race

package dataset

// raceDetector says that tests run under the race detector, where colours escape to memory that are else in registers.
const raceDetector = true
