package pictures

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/mpqc/mpqc/models/dataset"
)

// JudgePictures is the number of pictures of a verdict.
const JudgePictures = 2048

// Some draws n training pictures for a purpose: a function of seed and purpose, ascending so that archives are read
// in order.
func (p *Pictures) Some(n int, purpose string, seed uint64) []int {
	return Draw(p.Train.Len(), n, purpose, seed)
}

// Judges are the pictures of verdicts: those kept apart or, where the data is too small for that, training pictures beside those
// that a search draws with its seed.
func (p *Pictures) Judges(searched int, seed, search uint64) (*dataset.Set, []int) {
	if n := p.Judge.Len(); n > 0 {
		return p.Judge, Draw(n, JudgePictures, "judge", seed)
	}
	return p.Train, unsearched(p.Train.Len(), searched, search)
}

// unsearched draws the pictures of verdicts from those that a search of so many pictures does not draw; where it draws all, they
// are the same.
func unsearched(from, searched int, seed uint64) []int {
	list := Permuted(from, from, "search", seed)
	if from > searched {
		list = list[searched:]
	}
	list = list[:min(JudgePictures, len(list))]
	slices.Sort(list)
	return list
}

// Mixed draws as Some does, in random order: archives are sorted by class, and the statistics of a batch of one class
// are not those of the data.
func (p *Pictures) Mixed(n int, purpose string, seed uint64) []int {
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
