// Command mask writes a copy of a library that takes the processor for one without AVX-512: of onnxruntime's, which
// MPQC_ONNXRUNTIME then names, or of the one that is stated.
//
//	go run ./internal/testkit/cpumask/mask COPY [LIBRARY]
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/testkit/cpumask"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func run(args []string) error {
	switch len(args) {
	case 1:
		if err := ort.Available(); err != nil {
			return err
		}
		args = append(args, ort.Library())
	case 2:
	default:
		return errors.New("usage: mask COPY [LIBRARY]")
	}
	_, err := cpumask.Mask(args[1], args[0])
	return err
}
