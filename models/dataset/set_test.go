package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/tensor"
)

// many makes n images of class i%3 and value i%256.
func many(t *testing.T, n int) fstest.MapFS {
	t.Helper()
	f := fstest.MapFS{}
	for i := range n {
		f[fmt.Sprintf("c%d/%04d.png", i%3, i)] = &fstest.MapFile{Data: dot(t, 4, uint8(i))}
	}
	return f
}

func open(t *testing.T, f fstest.MapFS, o Options) *Set {
	t.Helper()
	s, err := OpenFS(f, "samples", o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHoldout(t *testing.T) {
	f := many(t, 100)
	names := func(split string, share float64, seed uint64) []string {
		o := plain("GRAY")
		o.Split, o.Holdout, o.Seed = split, share, seed
		s := open(t, f, o)
		out := make([]string, s.Len())
		for i := range out {
			out[i] = s.Name(i)
		}
		return out
	}
	train, test := names(Train, 0.3, 1), names(Test, 0.3, 1)
	if len(train) != 70 || len(test) != 30 {
		t.Errorf("%d and %d samples", len(train), len(test))
	}
	both := slices.Concat(train, test)
	slices.Sort(both)
	if len(slices.Compact(both)) != 100 {
		t.Error("the splits meet")
	}
	if slices.Equal(test, names(Test, 0.3, 2)) || !slices.Equal(test, names(Test, 0.3, 1)) {
		t.Error("the hold-out does not depend on the seed alone")
	}
	o := plain("GRAY")
	o.Split, o.Holdout = Test, 0
	if _, err := OpenFS(f, "x", o); err == nil || !strings.Contains(err.Error(), "--holdout") {
		t.Errorf("no hold-out: %v", err)
	}
}

func TestBadImages(t *testing.T) {
	f := many(t, 300)
	f["c0/0000.png"].Data = []byte("no sample")
	f["c0/0003.png"].Data = dot(t, 5, 9)
	o := plain("GRAY")
	o.Shape = tensor.Shape{1, 4, 4}
	s := open(t, f, o)
	x, l := make([]float32, 2*16), make([]int32, 2)
	if err := s.Batch(t.Context(), []int{0, 1}, x, l); err != nil {
		t.Fatal(err)
	}
	if x[0] != 6 || x[16] != 6 { // both replaced by the third of their class
		t.Errorf("replaced by %v and %v", x[0], x[16])
	}
	bad := s.Bad()
	if len(bad) != 2 || !strings.Contains(bad[1].String(), "c0/0003.png: it gives an input of shape 1x5x5, the model takes 1x4x4") {
		t.Errorf("bad samples %v", bad)
	}
	f["c0/0006.png"].Data = nil
	f["c0/0009.png"].Data = nil
	s = open(t, f, o)
	if err := s.Check(t.Context(), CheckOptions{}); err == nil || !strings.Contains(err.Error(), "4 of 300 samples cannot be used, among them c0/0009.png") {
		t.Errorf("four of 300: %v", err)
	}
	f["c0/0009.png"].Data = dot(t, 4, 9)
	s = open(t, f, o)
	if err := s.Check(t.Context(), CheckOptions{}); err != nil || s.Len() != 297 || len(s.Bad()) != 3 {
		t.Errorf("%d samples left, %v, %v", s.Len(), s.Bad(), err)
	}
	if got := contents(t, s)[0]; got != "0:9" {
		t.Errorf("first sample is %s", got)
	}
}

func TestBatchErrors(t *testing.T) {
	s := open(t, many(t, 3), plain("GRAY"))
	for _, c := range []struct {
		name    string
		indices []int
		size    int
		want    string
	}{
		{"size", []int{0}, 3, "3 values"}, {"index", []int{3}, 16, "sample 3 of 3"}, {"negative", []int{-1}, 16, "sample -1"},
	} {
		if err := s.Batch(t.Context(), c.indices, make([]float32, c.size), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAugmentationIsPure(t *testing.T) {
	s := open(t, many(t, 60), plain("GRAY"))
	s.src.fetch = func(context.Context, int, room) (sample, error) { return sample{bitmap: pattern(16, 16)}, nil }
	s.shape = tensor.Shape{1, 16, 16}
	draw := func(seed uint64, epoch int, a Augmentation, indices []int) []float32 {
		x := make([]float32, len(indices)*256)
		if err := s.AugmentedBatch(t.Context(), indices, x, nil, a, seed, epoch); err != nil {
			t.Fatal(err)
		}
		return x
	}
	both := Augmentation{Flip: true, Crop: true}
	x := draw(1, 1, both, []int{0, 1, 2, 3, 4, 5})
	y := draw(1, 1, both, []int{5, 4, 3, 2, 1, 0})
	if !slices.Equal(x[:256], y[5*256:]) {
		t.Error("a sample depends on its place in the batch")
	}
	for name, z := range map[string][]float32{
		"epoch": draw(1, 2, both, []int{0, 1, 2, 3, 4, 5}), "seed": draw(2, 1, both, []int{0, 1, 2, 3, 4, 5}),
		"nothing": draw(1, 1, Augmentation{}, []int{0, 1, 2, 3, 4, 5}),
	} {
		if slices.Equal(x, z) {
			t.Errorf("%s makes no difference", name)
		}
	}
	flips := 0
	for i := range 1000 {
		if both.change(7, 3, i).flip {
			flips++
		}
	}
	if flips < 440 || flips > 560 {
		t.Errorf("%d of 1000 samples flipped", flips)
	}
}

func TestWindow(t *testing.T) {
	for _, c := range []struct {
		have, want int
		at         float64
		start      int
	}{
		{32, 32, 0, -4}, {32, 32, 0.999, 4}, {32, 32, 0.5, 0}, {40, 32, 0, 0}, {40, 32, 0.999, 8}, {30, 32, 0, -5},
	} {
		if got := window(c.have, c.want, c.at); got != c.start {
			t.Errorf("window of %d in %d at %v starts at %d, want %d", c.want, c.have, c.at, got, c.start)
		}
	}
}

func TestShuffle(t *testing.T) {
	a, b := Shuffle(50, 1, 0), Shuffle(50, 1, 1)
	if slices.Equal(a, b) || !slices.Equal(a, Shuffle(50, 1, 0)) {
		t.Error("the order is no function of seed and epoch")
	}
	slices.Sort(a)
	for i, v := range a {
		if i != v {
			t.Fatalf("%v is no permutation", a)
		}
	}
}

func TestLoaderIndependentOfWorkers(t *testing.T) {
	s := open(t, many(t, 50), plain("GRAY"))
	run := func(workers int, drop bool) (out []float32) {
		l := s.NewLoader(t.Context(), LoaderOptions{
			Batch: 8, Indices: Shuffle(50, 3, 1), DropLast: drop, Workers: workers, Seed: 3, Epoch: 1, Augment: Augmentation{Flip: true, Crop: true},
		})
		defer l.Close()
		for {
			b, err := l.Next()
			if errors.Is(err, io.EOF) {
				return out
			}
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, b.X...)
			for _, v := range b.Labels {
				out = append(out, float32(v))
			}
		}
	}
	want := run(1, false)
	if len(want) != 50*17 || len(run(1, true)) != 48*17 {
		t.Errorf("%d numbers", len(want))
	}
	for _, w := range []int{2, 5} {
		if d := cmp.Diff(want, run(w, false)); d != "" {
			t.Errorf("%d workers: %s", w, d)
		}
	}
}

func TestLoaderStops(t *testing.T) {
	f := many(t, 300)
	s := open(t, f, plain("GRAY"))
	ctx, cancel := context.WithCancel(t.Context())
	l := s.NewLoader(ctx, LoaderOptions{Batch: 2, Indices: Shuffle(300, 1, 1)})
	if _, err := l.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for {
		if _, err := l.Next(); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			break
		}
	}
	l.Close()
	for k := range f {
		f[k].Data = nil
	}
	l = s.NewLoader(t.Context(), LoaderOptions{Batch: 10, Indices: Shuffle(300, 1, 1)})
	defer l.Close()
	if _, err := l.Next(); err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("error %v", err)
	}
}
