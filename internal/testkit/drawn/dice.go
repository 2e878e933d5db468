package drawn

import (
	"hash/fnv"
	"math/rand/v2"
)

// dice are the choices of one network: the bytes of a script, then chance.
type dice struct {
	script []byte
	rng    *rand.Rand
}

func newDice(script []byte) *dice {
	h := fnv.New64a()
	_, _ = h.Write(script) // never fails
	return &dice{script, rand.New(rand.NewPCG(h.Sum64(), 7))}
}

// below is a choice of 0..n-1.
func (d *dice) below(n int) int {
	if n <= 1 {
		return 0
	}
	if len(d.script) > 0 {
		b := d.script[0]
		d.script = d.script[1:]
		return int(b) % n
	}
	return d.rng.IntN(n)
}

// one is true once in n.
func (d *dice) one(n int) bool { return d.below(n) == n-1 }

// between is a choice of lo..hi.
func (d *dice) between(lo, hi int) int { return lo + d.below(hi-lo+1) }

// normal is always by chance: scripts choose structure.
func (d *dice) normal() float64 { return d.rng.NormFloat64() }

func pick[T any](d *dice, from ...T) T { return from[d.below(len(from))] }
