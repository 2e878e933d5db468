package dataset

import (
	"fmt"
	"slices"
)

// choose lists the items of a split, in the order of the source. The whole source takes part in the choice, so that
// Train and Test never meet, and where a data set has no test split everyone agrees on the hold-out.
func choose(src *source, o Options) ([]int, error) {
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
	n := int(o.Holdout*float64(len(all)) + 0.5)
	mixed := slices.Clone(all)
	generator(o.Seed, streamHoldout, 0, 0).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	held, train = mixed[:n], mixed[n:]
	slices.Sort(held)
	slices.Sort(train)
	return train, held
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
