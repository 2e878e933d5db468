// Package job holds tests of whole jobs of the program, from a model and samples to files and answers.
package job
