package bench

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/memory"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
)

// keys are the names of a JSON object's fields, sorted.
func keys(t *testing.T, v any) []string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func TestTrain(t *testing.T) {
	r, err := Train(t.Context(), testkit.Shared(t, "models/resnet20-cifar10-bn.onnx"), TrainOptions{Batch: 8, Paths: 2, Threads: 2, Steps: 3})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"fraction_of_peak", "gflops", "images_per_s", "isa", "macs_per_image", "ms_per_step", "peak_gflops", "peak_rss_mb", "threads",
	}
	if d := cmp.Diff(want, keys(t, r)); d != "" {
		t.Error(d)
	}
	if r.Steps != 3 || r.Threads != 2 || r.ISA != kernel.Active().String() {
		t.Errorf("%d steps, %d threads, %s", r.Steps, r.Threads, r.ISA)
	}
	// ResNet-20 has 40.55 million multiply-adds in its convolutions and its last layer, 0.26 million more with strided
	// 1x1 shortcuts.
	if r.MACsPerImage < 40_500_000 || r.MACsPerImage > 40_900_000 {
		t.Errorf("%d multiply-adds", r.MACsPerImage)
	}
	seconds := r.MSPerStep / 1e3
	testkit.Close(t, "images_per_s, gflops, fraction", []float64{r.ImagesPerS, r.GFLOPS, r.FractionOfPeak},
		[]float64{8 / seconds, 2 * float64(r.MACsPerImage) * 3 * 2 * 8 / seconds / 1e9, r.GFLOPS / r.PeakGFLOPS}, 1e-9)
	if !(r.FractionOfPeak > 0.001 && r.FractionOfPeak < 4) { // products of integers pass the peak of floats
		t.Errorf("%g of the peak", r.FractionOfPeak)
	}
	if r.PeakRSSMB < 10 || r.PeakRSSMB > 4000 {
		t.Errorf("%g MB", r.PeakRSSMB)
	}
	var sum float64
	for i, p := range r.Parts {
		sum += p.Share
		if i > 0 && p.MS > r.Parts[i-1].MS {
			t.Errorf("%s takes longer than %s", p.Kind, r.Parts[i-1].Kind)
		}
	}
	if sum < 0.95 || sum > 1 {
		t.Errorf("the parts take %g of a step", sum)
	}
	for _, way := range []bool{false, true} {
		if !slices.ContainsFunc(r.Parts, func(p Part) bool { return p.Kind == "Conv" && p.Backward == way }) {
			t.Errorf("no part is Conv, backward %v", way)
		}
	}
}

func TestTrainRejects(t *testing.T) {
	for _, o := range []TrainOptions{{Paths: 1}, {Batch: 1}} {
		if _, err := Train(t.Context(), "no.onnx", o); err == nil {
			t.Errorf("%+v passes", o)
		}
	}
	if _, err := Train(t.Context(), "no.onnx", TrainOptions{Batch: 1, Paths: 1, Threads: 1}); err == nil {
		t.Error("a missing file passes")
	}
}

// TestPeak compares the measured peak with ports x lanes x 2 x clock, for one or two ports. The clock comes from a
// chain of dependent multiplications.
func TestPeak(t *testing.T) {
	if testing.Short() || kernel.Active() == kernel.Go {
		t.Skip("the loop of the Go kernels is bound by the latency of its additions")
	}
	lanes := map[kernel.ISA]float64{kernel.AVX2: 8, kernel.AVX512: 16}
	for _, isa := range kernel.Available()[1:] {
		restore, err := kernel.Override(isa)
		if err != nil {
			t.Fatal(err)
		}
		peak, clock := peakGFLOPS(nil), clockGHz()
		restore()
		ports := peak / clock / lanes[isa] / 2
		if !(ports > 0.9 && ports < 1.1 || ports > 1.8 && ports < 2.2) {
			t.Errorf("%s: %.1f GFLOP/s at %.2f GHz are %.2f ports", isa, peak, clock, ports)
		}
	}
}

// clockGHz times a chain of multiplications, each of which waits 3 cycles for the one before on every processor of the
// last decade.
func clockGHz() float64 {
	const links = 100_000
	best := time.Hour
	x := uint64(3)
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
		best = min(best, timed(func() {
			for range links {
				x *= x
			}
		}))
	}
	if x == 0 {
		return 0
	}
	return 3 * links / float64(best.Nanoseconds())
}

func TestPeakGrowsWithCores(t *testing.T) {
	pool := par.New(2)
	defer pool.Close()
	const tries = 10 // whatever else runs takes a core away for a while
	var one, two float64
	for range tries {
		if one, two = peakGFLOPS(nil), peakGFLOPS(pool); two >= 0.9*one {
			return
		}
	}
	t.Errorf("%g GFLOP/s on one core, %g on two", one, two)
}

func TestKernels(t *testing.T) {
	if testing.Short() {
		t.Skip("measures for a second")
	}
	tables, err := Kernels(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) != 1 || tables[0].Threads != 1 || !(tables[0].Machine.GFLOPS > 0 && tables[0].Machine.GBS > 0) {
		t.Fatalf("%+v", tables)
	}
	if d := cmp.Diff([]string{"gflops_or_gbs", "isa", "kernel", "shape", "share_of_peak", "threads"}, keys(t, tables[0].Rows[0])); d != "" {
		t.Error(d)
	}
	for _, r := range tables[0].Rows {
		if !(r.Rate > 0) || !(r.ShareOfPeak > 0) || r.Threads != 1 {
			t.Errorf("%+v", r)
		}
	}
}

// TestPeakForgotten measures the machine, whose copy takes 128 MB, and wants nothing of it in the peak.
func TestPeakForgotten(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory, of which the race detector takes its own")
	}
	if _, err := os.Stat("/proc/self/clear_refs"); err != nil {
		t.Skip("the system keeps no peak that can be reset")
	}
	MeasureMachine(nil)
	rss := memory.Peak()
	if rss >= 8*copyFloats {
		t.Errorf("a peak of %d MB after the machine was measured", rss>>20)
	}
	held := noise(copyFloats)
	if after := memory.Peak(); after < rss+4*copyFloats/2 {
		t.Errorf("%d numbers take the peak from %d to %d MB", len(held), rss>>20, after>>20)
	}
}

// TestCopyReadsMemory tells a copy from one that reads the same page over and over: no copy is faster than reading from
// a cache, which would be several times that.
func TestCopyReadsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("measures a speed")
	}
	x := noise(1 << 12)
	y := make([]float32, len(x))
	var cached float64
	const copies = 1000 // more than the clock's grain
	for range 20 {
		took := timed(func() {
			for range copies {
				copy(y, x)
			}
		})
		cached = max(cached, 8*copies*float64(len(x))/float64(max(took.Nanoseconds(), 1)))
	}
	if got := copyGBS(nil); got > 0.8*cached {
		t.Errorf("memory is copied at %.0f GB/s, the cache at %.0f", got, cached)
	}
}
