package pipeline

import (
	"context"
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// trainSupernet trains the calibrated supernet.
func (j *job) trainSupernet(context.Context, *reporter) (*quantize.Supernet, error) {
	return nil, fmt.Errorf("%w: this build cannot train yet; --epochs 0 quantizes after training", ErrUsage)
}

// reestimateNorms returns the norms of a path as the supernet has them.
func (j *job) reestimateNorms(_ context.Context, p quantize.Policy) (*quantize.Supernet, error) {
	return normsOf(j.supernet, j.plan, p), nil
}
