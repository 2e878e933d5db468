package pipeline

import (
	"fmt"

	"github.com/mpqc/mpqc/export"
)

// Fused tells how many of a file's computing operators onnxruntime runs on 8-bit integers and how many there are. It is not
// ok where that was not measured: files of other profiles are for other runtimes.
func (f File) Fused() (integer, all int, ok bool) {
	if f.IntegerOps == nil || *f.IntegerOps+len(f.FloatOps) == 0 {
		return 0, 0, false
	}
	return *f.IntegerOps, *f.IntegerOps + len(f.FloatOps), true
}

// sayArithmetic states what computes at which width: what was measured, else what the profile's runtime promises.
func (f *File) sayArithmetic() {
	if f.Profile != export.ProfileORT {
		f.IntegerOps, f.FloatOps = nil, nil // programs before this one wrote 0 and an empty list
	}
	f.Arithmetic = export.Arithmetic(f.Profile)
	integer, all, ok := f.Fused()
	switch {
	case !ok:
	case integer == 0:
		f.Arithmetic = fmt.Sprintf("float: onnxruntime fused none of %d operators, so the file saves storage and no time", all)
	case integer == all:
		f.Arithmetic = fmt.Sprintf("8-bit integers in all %d operators, whatever the bits", all)
	default:
		f.Arithmetic = fmt.Sprintf("8-bit integers in %d of %d operators, whatever the bits; %d in float", integer, all, all-integer)
	}
}
