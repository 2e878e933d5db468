package dataset

import (
	"slices"
	"testing"
)

// TestDevelop: images for development come from the training images alone, are not trained on, do not depend on the
// seed, and are not all of them.
func TestDevelop(t *testing.T) {
	src := &source{}
	for i := range 300 {
		split := Train
		if i%3 == 0 {
			split = Test
		}
		src.items = append(src.items, item{split: split})
	}
	chosen := func(split string, develop int, seed uint64) []int {
		list, err := choose(src, Options{Split: split, Develop: develop, Seed: seed, Holdout: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	whole, train, held := chosen(Train, 0, 1), chosen(Train, 40, 1), chosen(Test, 40, 1)
	if len(held) != 40 || len(train) != 160 {
		t.Fatalf("%d for development, %d to train on", len(held), len(train))
	}
	both := slices.Sorted(slices.Values(slices.Concat(train, held)))
	if !slices.Equal(both, whole) {
		t.Error("both parts together are not the training images, each once")
	}
	if !slices.Equal(held, chosen(Test, 40, 2)) || !slices.Equal(train, chosen(Train, 40, 2)) {
		t.Error("the choice depends on the seed")
	}
	if slices.Equal(held, whole[:40]) || slices.Equal(held, whole[160:]) {
		t.Error("the choice is a piece of the archive")
	}
	for _, tooMany := range []int{200, 201} {
		for _, split := range []string{Train, Test} {
			if list, err := choose(src, Options{Split: split, Develop: tooMany}); err == nil {
				t.Errorf("%d of 200 images left %d to %s", tooMany, len(list), split)
			}
		}
	}
}
