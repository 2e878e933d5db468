package dataset

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/models"
)

// TestCIFARFromImages writes real images in CIFAR's binary form, as both data sets have it, beside the names of
// their classes, and reads them back: they are those of the archive, byte by byte.
func TestCIFARFromImages(t *testing.T) {
	o := plain("RGB")
	o.Split = Test
	images, err := Open(testkit.Shared(t, "data/cifar10-jpeg.zip"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = images.Close() })
	const n, pixels = 40, 3 * 32 * 32
	chosen := make([]int, n)
	for i := range chosen {
		chosen[i] = i * images.Len() / n
	}
	want, labels := make([]float32, n*pixels), make([]int32, n)
	if err := images.Batch(t.Context(), chosen, want, labels); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, classes string
		head          func(label int32) []byte
	}{
		{"test_batch.bin", "batches.meta.txt", func(label int32) []byte { return []byte{byte(label)} }},
		{"test.bin", "fine_label_names.txt", func(label int32) []byte { return []byte{byte(label / 5), byte(label)} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var file, names []byte
			for i, label := range labels {
				file = append(file, c.head(label)...)
				for _, v := range want[i*pixels : (i+1)*pixels] {
					file = append(file, byte(v))
				}
			}
			for _, class := range images.Classes() {
				names = fmt.Appendln(names, class)
			}
			for name, data := range map[string][]byte{c.name: file, c.classes: names, "readme.html": []byte("no data")} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range []string{dir, filepath.Join(dir, c.name)} {
				o := plain("RGB")
				s, err := Open(path, o)
				if err != nil {
					t.Fatal(err)
				}
				got, gotLabels := make([]float32, n*pixels), make([]int32, n)
				every := make([]int, n)
				for i := range every {
					every[i] = i
				}
				if err := s.Batch(t.Context(), every, got, gotLabels); err != nil {
					t.Fatal(err)
				}
				if s.Len() != n || !slices.Equal(got, want) || !slices.Equal(gotLabels, labels) {
					t.Errorf("%d images, labels %v, want %v; or their pixels differ", s.Len(), gotLabels, labels)
				}
				if d := cmp.Diff(images.Classes(), s.Classes()); d != "" {
					t.Error(d)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, c.name), file[:len(file)-1], 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, plain("RGB")); err == nil {
				t.Error("a file that is cut off is read")
			}
		})
	}
}

// TestNumPy reads what numpy itself writes: every element type, versions of savez, labels of several types.
func TestNumPy(t *testing.T) {
	python := testkit.Python(t)
	dir := t.TempDir()
	const script = `
import sys, numpy as np
dir = sys.argv[1]
x = (np.arange(4 * 3 * 5 * 5) % 120).reshape(4, 3, 5, 5)
y = np.array([3, 1, 0, 2])
for t in "float16 float32 float64 int8 int16 uint16 int32 uint32 int64 uint64".split():
    np.savez(f"{dir}/{t}.npz", input=x.astype(t), labels=y.astype("uint8" if t == "int8" else "int64"))
    np.savez_compressed(f"{dir}/{t}-compressed.npz", labels=y.astype("int32"), input=x.astype(t), other=np.array(["text"]))
images = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).astype("uint8")
np.savez(f"{dir}/images.npz", input=images, labels=y)
np.savez(f"{dir}/fortran.npz", input=np.asfortranarray(x), labels=y)
np.savez(f"{dir}/big-endian.npz", input=x.astype(">f4"), labels=y)
np.savez(f"{dir}/floats-as-labels.npz", input=x.astype("float32"), labels=y.astype("float32"))
`
	if out, err := exec.CommandContext(t.Context(), python, "-c", script, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	refused := map[string]bool{"fortran.npz": true, "big-endian.npz": true, "floats-as-labels.npz": true}
	found, err := filepath.Glob(filepath.Join(dir, "*.npz"))
	if err != nil || len(found) != 24 {
		t.Fatalf("numpy wrote %v, %v", found, err)
	}
	for _, path := range found {
		name := filepath.Base(path)
		o := Options{Preprocessing: models.Preprocessing{Layout: "NCHW", Color: "RGB", Scale: 1, Mean: []float64{0}, Std: []float64{1}}, Input: "input"}
		s, err := Open(path, o)
		if refused[name] {
			if err == nil {
				t.Errorf("%s is read", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, labels := make([]float32, 4*75), make([]int32, 4)
		if err := s.Batch(t.Context(), []int{0, 1, 2, 3}, got, labels); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff([]int32{3, 1, 0, 2}, labels); d != "" {
			t.Errorf("%s: labels %s", name, d)
		}
		for i, v := range got {
			if v != float32(i%120) {
				t.Errorf("%s: value %d is %g", name, i, v)
				break
			}
		}
	}
}
