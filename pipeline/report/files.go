package report

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/pipeline/record"
)

// firstFile returns the file of the headline, nil without files.
func firstFile(files []record.File) *record.File {
	if len(files) == 0 {
		return nil
	}
	return &files[0]
}

// proof describes the comparison of a file with the simulation.
type proof struct{ Class, Mark, Short, Text string }

// newProof is nil if no codes were compared.
func newProof(f record.File) *proof {
	if f.CodesCompared == 0 {
		return nil
	}
	p := &proof{"good", "✓", "exact", "none of " + count(f.CodesCompared)}
	if f.CodesDifferent > 0 {
		p.Short = fmt.Sprintf("within %d", f.MaxCodeDiff)
		p.Text = fmt.Sprintf("%s of %s, by %d at most", count(f.CodesDifferent), count(f.CodesCompared), f.MaxCodeDiff)
	}
	if !f.Verified {
		p.Class, p.Mark, p.Short = "bad", "✗", "differs"
	}
	return p
}

// fusion describes how onnxruntime runs the operators of a file.
type fusion struct {
	Integer, All int
	Floats       []record.FloatOp
}

// newFusion is nil if it was not measured.
func newFusion(f record.File) *fusion {
	integer, all, ok := f.Fused()
	if !ok {
		return nil
	}
	return &fusion{integer, all, f.FloatOps}
}

// quantized reports whether there is a file other than the trained float model.
func quantized(files []record.File) bool {
	return slices.ContainsFunc(files, func(f record.File) bool { return f.Profile != "float" })
}

// allVerified reports whether all files are verified.
func allVerified(files []record.File) bool {
	return !slices.ContainsFunc(files, func(f record.File) bool { return !f.Verified })
}
