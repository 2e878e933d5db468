package calibrate

import "github.com/mpqc/mpqc/internal/par"

// Pool is a set of threads. Results do not depend on how many there are.
type Pool = par.Pool

// NewPool starts n threads, the caller's included; n < 1 means all. Close it when done.
func NewPool(n int) *Pool { return par.New(n) }
