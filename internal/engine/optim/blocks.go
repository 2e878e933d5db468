package optim

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
)

// blocks divides parameters into parts of fixed size and runs them on a pool. It allocates nothing once made.
type blocks struct {
	pool *par.Pool
	list []block
	run  func(i int)
}

// block is elements [lo, hi) of parameter number param.
type block struct{ param, lo, hi int }

// newBlocks divides params; f is called for each part.
func newBlocks(pool *par.Pool, params []*engine.Param, f func(param, lo, hi int)) *blocks {
	b := &blocks{pool: pool}
	for k, p := range params {
		for i := range engine.Blocks(len(p.Data)) {
			lo, hi := engine.Span(i, len(p.Data))
			b.list = append(b.list, block{k, lo, hi})
		}
	}
	b.run = func(i int) { f(b.list[i].param, b.list[i].lo, b.list[i].hi) }
	return b
}

// each runs all parts.
func (b *blocks) each() { b.pool.Run(len(b.list), b.run) }
