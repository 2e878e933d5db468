package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// choose lists the items of a split, in the order of the source. The whole source takes part in the choice, so that
// Train and Test never meet, and where a data set has no test split everyone agrees on the hold-out.
func choose(src *source, o Options) ([]int, error) {
	if o.Develop == 0 || o.Split != Train && o.Split != Test {
		return split(src, o)
	}
	whole := o
	whole.Split = Train
	all, err := split(src, whole)
	if err != nil {
		return nil, err
	}
	if o.Develop >= len(all) {
		return nil, fmt.Errorf("%d pictures for development leave none of %d to train on", o.Develop, len(all))
	}
	train, held := take(all, o.Develop, generator(0, streamDevelop, 0, 0))
	if o.Split == Train {
		return train, nil
	}
	return held, nil
}

// split lists the items of a split as the source has it.
func split(src *source, o Options) ([]int, error) {
	by := map[string][]int{}
	for i, it := range src.items {
		by[it.split] = append(by[it.split], i)
	}
	everything := func() []int {
		all := make([]int, len(src.items))
		for i := range all {
			all[i] = i
		}
		return all
	}
	if o.Split == "" || o.Split == All {
		return everything(), nil
	}
	if o.Split == Val {
		return nonEmpty(by[Val], o.Split)
	}
	test := Test
	if by[Test] == nil {
		test = Val
	}
	if by[Train] == nil || by[test] == nil { // one split, whatever its name: it is all there is
		train, held := holdout(everything(), o)
		if o.Split == Train {
			return nonEmpty(train, o.Split)
		}
		return nonEmpty(held, o.Split)
	}
	if o.Split == Train {
		return by[Train], nil
	}
	return by[test], nil
}

// holdout takes a seeded share away.
func holdout(all []int, o Options) (train, held []int) {
	return take(all, int(o.Holdout*float64(len(all))+0.5), generator(o.Seed, streamHoldout, 0, 0))
}

// take takes n of the items away by chance; both parts keep the order.
func take(all []int, n int, rng *rand.Rand) (rest, taken []int) {
	mixed := slices.Clone(all)
	rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	taken, rest = mixed[:n], mixed[n:]
	slices.Sort(taken)
	slices.Sort(rest)
	return rest, taken
}

func nonEmpty(indices []int, split string) ([]int, error) {
	if len(indices) == 0 {
		return nil, fmt.Errorf("split %s has no pictures (--holdout)", split)
	}
	return indices, nil
}

// Shuffle is a permutation of [0, n) that depends on seed and epoch alone.
func Shuffle(n int, seed uint64, epoch int) []int {
	return generator(seed, streamShuffle, uint64(epoch), 0).Perm(n)
}
