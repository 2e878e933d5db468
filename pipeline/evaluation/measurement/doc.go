// Package measurement counts what a network gets right on pictures: a file in the runtime, or its simulation in integers.
package measurement
