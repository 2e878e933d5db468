package kernel

import (
	"fmt"
	"sync/atomic"
)

// ISA names an implementation of the kernels.
type ISA int32

// The implementations, slowest first.
const (
	Go ISA = iota
	AVX2
	AVX512
)

// String is the lower-case name, as reports print it.
func (i ISA) String() string {
	switch i {
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	default:
		return "go"
	}
}

// active is the dispatch state: written at start and by tests, read once per kernel call.
var active = newDispatch()

func newDispatch() *atomic.Int32 {
	d := new(atomic.Int32)
	d.Store(int32(best()))
	return d
}

// Active is the instruction set the kernels use now.
func Active() ISA { return ISA(active.Load()) }

// VNNI says whether integer kernels multiply codes by VPDPBUSD now; without it AVX-512 computes codes as AVX2 does.
func VNNI() bool { return intISA() == AVX512 }

// Available lists the instruction sets this machine and this build can run, slowest first.
func Available() []ISA {
	var all []ISA
	for i := Go; i <= best(); i++ {
		all = append(all, i)
	}
	return all
}

// Override makes the kernels use isa until restore is called. It is for tests and benchmarks, and must not run at the
// same time as other kernels.
func Override(isa ISA) (restore func(), err error) {
	if isa < Go || isa > best() {
		return nil, fmt.Errorf("override kernels with %v: this machine or build has at most %v", isa, best())
	}
	old := active.Swap(int32(isa))
	return func() { active.Store(old) }, nil
}

// segWidth is the number of neighbouring floats in a segment, the unit in which a tile reads B and writes C.
const segWidth = 8

// tileShape is the most rows, and the number of segments, that a tile of this instruction set computes at once.
func (i ISA) tileShape() (rows, segs int) {
	switch i {
	case AVX512:
		return 14, 4 // 28 accumulators + 2 of B + 2 broadcasts = all 32 registers
	case AVX2:
		return 6, 2 // 12 accumulators + 2 of B + 2 broadcasts = all 16
	default:
		return 4, 1
	}
}
