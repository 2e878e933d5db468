// Package comparison holds what a runtime computed of an exported file against a reference: codes of every tensor, and
// float outputs. It makes a file give out its codes, or take those of the reference, and says what rounding explains.
// It runs nothing.
package comparison
