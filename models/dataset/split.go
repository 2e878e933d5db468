package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// choose lists the items of a split, in the order of the source. It always partitions the whole source, so that Train
// and Test never overlap, and all sets agree on the hold-out.
func choose(src *source, o Options) ([]int, error) {
	switch {
	case o.Split == HeldOut && !o.Reserve:
		return nil, nil
	case o.Split == Train || o.Split == HeldOut:
	case o.Split == Test && o.Develop > 0:
	default:
		return split(src, o)
	}
	whole := o
	whole.Split = Train
	train, err := split(src, whole)
	if err != nil {
		return nil, err
	}
	if o.Develop >= len(train) {
		return nil, fmt.Errorf("%d samples for development leave none of %d to train on", o.Develop, len(train))
	}
	train, developed := take(train, o.Develop, generator(0, streamDevelop, 0, 0))
	if o.Split == Test {
		return developed, nil
	}
	train, judges := reserve(src, train, o)
	if o.Split == HeldOut {
		return judges, nil
	}
	return train, nil
}

// The held-out split is reserveShare of Train, at most reserveMost samples. Below reserveLeast it is empty: a
// comparison on so few samples would be noise, and such small data needs them for training.
const (
	reserveShare = 0.1
	reserveMost  = 2048
	reserveLeast = 100
)

// reserve divides the training samples. The choice of the held-out ones does not depend on Seed, so that runs with
// different seeds can be compared.
func reserve(src *source, train []int, o Options) (rest, judges []int) {
	if !o.Reserve {
		return train, nil
	}
	if val := src.of(Val); val != nil && src.of(Test) != nil && src.of(Train) != nil {
		return train, val
	}
	n := min(int(reserveShare*float64(len(train))), reserveMost)
	if n < reserveLeast {
		return train, nil
	}
	return take(train, n, generator(0, streamReserve, 0, 0))
}

// of lists the items that the files assign to a split, nil if there is no such split.
func (s *source) of(split string) []int {
	var list []int
	for i, it := range s.items {
		if it.split == split {
			list = append(list, i)
		}
	}
	return list
}

// split lists the items of a split as the source has it.
func split(src *source, o Options) ([]int, error) {
	by := map[string][]int{Train: src.of(Train), Val: src.of(Val), Test: src.of(Test)}
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

// holdout sets a seeded share apart.
func holdout(all []int, o Options) (train, held []int) {
	return take(all, int(o.Holdout*float64(len(all))+0.5), generator(o.Seed, streamHoldout, 0, 0))
}

// take removes n random items; both parts keep the order.
func take(all []int, n int, rng *rand.Rand) (rest, taken []int) {
	mixed := slices.Clone(all)
	rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	taken, rest = mixed[:n], mixed[n:]
	slices.Sort(taken)
	slices.Sort(rest)
	return rest, taken
}

// nonEmpty is an error if a split is empty.
func nonEmpty(indices []int, split string) ([]int, error) {
	if len(indices) == 0 {
		return nil, fmt.Errorf("split %s has no samples (--holdout)", split)
	}
	return indices, nil
}

// Shuffle returns a permutation of [0, n) that depends on seed and epoch only.
func Shuffle(n int, seed uint64, epoch int) []int {
	return generator(seed, streamShuffle, uint64(epoch), 0).Perm(n)
}
