package calibrate

import "github.com/mpqc/mpqc/internal/par"

// Pool is a set of threads. Results do not depend on their number.
type Pool = par.Pool

// NewPool starts n threads, including the caller's; n < 1 means one per CPU. The caller closes the pool.
func NewPool(n int) *Pool { return par.New(n) }
