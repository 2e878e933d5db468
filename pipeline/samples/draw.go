package samples

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/mpqc/mpqc/models/dataset"
)

const (
	// HeldOutSamples is the most samples of a verdict.
	HeldOutSamples = 2048
	// roundingSamples is the most training samples that codes of weights are chosen for; of few, two thirds.
	roundingSamples = 512
)

// Some draws n training samples for a purpose: a function of seed and purpose, ascending so that archives are read
// in order.
func (p *Samples) Some(n int, purpose string, seed uint64) []int {
	return Draw(p.Train.Len(), n, purpose, seed)
}

// Rounding draws the training samples that say what layers read while codes of weights are chosen, ascending. A third
// of them at least is left, unless there is but one.
func (p *Samples) Rounding(seed uint64) []int {
	return rounding(p.Train.Len(), seed)
}

// Searched draws n training samples that score candidates, or as many as there are beside those of Rounding: on samples
// that codes were chosen for, low widths lose less than on others. seed is that of Rounding, search that of the search.
// They are in random order, so that the first of them are of all classes, too: archives are sorted by class.
func (p *Samples) Searched(n int, seed, search uint64) []int {
	return searched(p.Train.Len(), n, seed, search)
}

// Verdict draws the samples of verdicts: those kept apart or, where the data is too small for that, training samples
// beside those that codes were chosen for and those that a search of n samples draws; where it takes all of these, its
// own. Seeds are those of Searched.
func (p *Samples) Verdict(n int, seed, search uint64) (*dataset.Set, []int) {
	if kept := p.HeldOut.Len(); kept > 0 {
		return p.HeldOut, Draw(kept, HeldOutSamples, "judge", seed)
	}
	return p.Train, unsearched(p.Train.Len(), n, seed, search)
}

// HeldOutOverlapsSearch reports whether the samples of Verdict are those of a search of n samples.
func (p *Samples) HeldOutOverlapsSearch(n int) bool {
	from := p.Train.Len()
	return p.HeldOut.Len() == 0 && n >= from-rounded(from)
}

// rounded is how many of so many training samples codes are chosen for.
func rounded(from int) int { return min(roundingSamples, max(from*2/3, 1)) }

// rounding is Rounding of so many training samples.
func rounding(from int, seed uint64) []int { return Draw(from, rounded(from), "rounding", seed) }

// besideRounding are all others in random order; a single sample serves both.
func besideRounding(from int, seed, search uint64) []int {
	taken := make([]bool, from)
	for _, i := range rounding(from, seed) {
		taken[i] = true
	}
	all := Permuted(from, from, "search", search)
	if from < 2 {
		return all
	}
	return slices.DeleteFunc(all, func(i int) bool { return taken[i] })
}

// searched is Searched of so many training samples.
func searched(from, n int, seed, search uint64) []int {
	list := besideRounding(from, seed, search)
	return list[:min(n, len(list))]
}

// unsearched draws the samples of verdicts from those that a search of n samples does not draw; where it draws all,
// they are the same.
func unsearched(from, n int, seed, search uint64) []int {
	list := besideRounding(from, seed, search)
	if len(list) > n {
		list = list[n:]
	}
	list = list[:min(HeldOutSamples, len(list))]
	slices.Sort(list)
	return list
}

// Mixed draws as Some does, in random order: archives are sorted by class, and the statistics of a batch of one class
// are not those of the data.
func (p *Samples) Mixed(n int, purpose string, seed uint64) []int {
	return Permuted(p.Train.Len(), n, purpose, seed)
}

// Draw draws n of the numbers below from for a purpose, ascending: a function of seed and purpose.
func Draw(from, n int, purpose string, seed uint64) []int {
	out := Permuted(from, n, purpose, seed)
	slices.Sort(out)
	return out
}

// Permuted is Draw in random order.
func Permuted(from, n int, purpose string, seed uint64) []int {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64())).Perm(from)[:min(n, from)]
}

// All is 0, 1, ... n-1.
func All(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
