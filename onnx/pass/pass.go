// Package pass rewrites ONNX documents: constant folding, removal of nodes that do nothing, BatchNormalization and
// padding rewrites, and the normalisation that import runs. Every pass keeps what the model computes; a pass that is
// exact only under a condition leaves nodes alone where the condition does not hold. It quantizes nothing.
package pass

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// Pass is one rewrite of a model.
type Pass interface {
	// Name is a short noun for reports.
	Name() string
	// Requires is an error where the pass cannot run on the model at all.
	Requires(*onnx.Model) error
	// Apply rewrites the model and reports whether it changed anything.
	Apply(*onnx.Model) (modified bool, err error)
	// Ensures checks what later passes rely on.
	Ensures(*onnx.Model) error
}

// Report says what one pass of a sequence did.
type Report struct {
	Pass     string
	Runs     int // how often it ran
	Modified int // in how many of the runs it changed the model
}

// Sequence runs passes in order.
type Sequence []Pass

// Run runs every pass once and reports each.
func (s Sequence) Run(m *onnx.Model) ([]Report, error) {
	reports := s.reports()
	_, err := s.round(context.Background(), m, reports)
	return reports, err
}

// maxRounds bounds Fixpoint: passes that keep undoing each other are a bug, not a reason to hang.
const maxRounds = 64

// Fixpoint runs the sequence until a whole round changes nothing.
func (s Sequence) Fixpoint(m *onnx.Model) ([]Report, error) {
	return s.fixpoint(context.Background(), m)
}

func (s Sequence) fixpoint(ctx context.Context, m *onnx.Model) ([]Report, error) {
	reports := s.reports()
	for range maxRounds {
		modified, err := s.round(ctx, m, reports)
		if err != nil || !modified {
			return reports, err
		}
	}
	return reports, fmt.Errorf("passes still change the model after %d rounds", maxRounds)
}

func (s Sequence) reports() []Report {
	out := make([]Report, len(s))
	for i, p := range s {
		out[i].Pass = p.Name()
	}
	return out
}

func (s Sequence) round(ctx context.Context, m *onnx.Model, reports []Report) (bool, error) {
	changed := false
	for i, p := range s {
		if err := ctx.Err(); err != nil {
			return changed, err
		}
		if err := p.Requires(m); err != nil {
			return changed, fmt.Errorf("pass %s: %w", p.Name(), err)
		}
		modified, err := p.Apply(m)
		if err != nil {
			return changed, fmt.Errorf("pass %s: %w", p.Name(), err)
		}
		if err := p.Ensures(m); err != nil {
			return changed, fmt.Errorf("pass %s left the model wrong: %w", p.Name(), err)
		}
		reports[i].Runs++
		if modified {
			reports[i].Modified++
			changed = true
		}
	}
	return changed, nil
}

// always gives passes that need and promise nothing special their Requires and Ensures.
type always struct{}

// Requires accepts every model.
func (always) Requires(*onnx.Model) error { return nil }

// Ensures checks nothing.
func (always) Ensures(*onnx.Model) error { return nil }
