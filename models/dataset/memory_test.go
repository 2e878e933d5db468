package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// heap is what is in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// bigZip stores n images of equal size in ten classes.
func bigZip(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	bitmap := dot(t, 4, 9)
	for i := range n {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("train/class%d/%06d.png", i%10, i), Method: zip.Store})
		if err == nil {
			_, err = w.Write(bitmap)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMemoryOfZip: an open archive takes its index and nothing else, and neither grows as images are read: in bytes
// per image, the same for 2,000 and for 20,000 of them. 100,000 then take 40 MB.
func TestMemoryOfZip(t *testing.T) {
	const perImage = 600 // its entry in the archive, its name, class and position
	o := plain("GRAY")
	for _, n := range []int{2000, 20_000} {
		path := bigZip(t, n)
		before := heap()
		sets, err := OpenSplits(path, o, Train, Test)
		if err != nil {
			t.Fatal(err)
		}
		opened := heap()
		if got := (opened - before) / int64(n); got > perImage {
			t.Errorf("%d images: the index takes %d bytes per image", n, got)
		}
		var some []int
		for i := 0; i < sets[0].Len(); i += 7 {
			some = append(some, i)
		}
		if good, err := sets[0].Usable(t.Context(), some, CheckOptions{}); err != nil || len(good) != len(some) {
			t.Fatal(len(good), err)
		}
		x := make([]float32, 16*len(some))
		if err := sets[1].Batch(t.Context(), some, x, nil); err != nil {
			t.Fatal(err)
		}
		if grown := heap() - opened; grown > int64(16*n)+1<<20 { // the batch, and decoders that stay in pools
			t.Errorf("%d images: reading them keeps %d bytes", n, grown)
		}
		t.Logf("%d images: %d bytes each", n, (opened-before)/int64(n))
		if err := errors.Join(sets[0].Close(), sets[1].Close()); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(sets)
	}
}

// TestMemoryOfOneCopy: what a file holds is in memory once, whatever the number of splits, and opening takes little
// more.
func TestMemoryOfOneCopy(t *testing.T) {
	const n, size = 1000, 8 << 20
	floats := npyBytes("<f4", "False", fmt.Sprintf("%d, %d", n, size/n/4), make([]byte, size/n/4*4*n))
	halves := npyBytes("<f2", "False", fmt.Sprintf("%d, %d", n, size/n/2), make([]byte, size/n/2*2*n))
	images := idxBytes([]int{n, 8, size / n / 8}, make([]byte, size/n/8*8*n))
	for i := range images[16:] {
		images[16+i] = byte(i * i >> 7)
	}
	for name, data := range map[string][]byte{
		"floats.npz": archive(t, []string{"x.npy"}, floats), "halves.npz": archive(t, []string{"x.npy"}, halves),
		"images-idx3-ubyte": images, "images-idx3-ubyte.gz": gzipped(t, images), "a.bin": make([]byte, (cifarPixels+1)*(size/cifarPixels)),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			o := plain("GRAY")
			o.Input = "x"
			var m runtime.MemStats
			before := heap()
			runtime.ReadMemStats(&m)
			allocated := m.TotalAlloc
			sets, err := OpenSplits(path, o, Train, Test)
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&m)
			if got := m.TotalAlloc - allocated; got > size*5/4 {
				t.Errorf("opening %d bytes allocates %d", size, got)
			}
			if got := heap() - before; got > size*5/4 {
				t.Errorf("%d bytes take %d", size, got)
			}
			for _, s := range sets {
				if s.Len() < 400 {
					t.Errorf("%d samples in a split", s.Len())
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestOpenSplits: splits of one opening are those of two, and the file stays open until the last is closed.
func TestOpenSplits(t *testing.T) {
	path := bigZip(t, 50)
	o := plain("GRAY")
	sets, err := OpenSplits(path, o, Train, Test)
	if err != nil {
		t.Fatal(err)
	}
	for i, split := range []string{Train, Test} {
		o.Split = split
		alone, err := Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if alone.Len() != sets[i].Len() || alone.Name(7) != sets[i].Name(7) || alone.Fingerprint() != sets[i].Fingerprint() {
			t.Errorf("%s differs", split)
		}
		if err := alone.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 2 { // closing twice counts once
		if err := sets[0].Close(); err != nil {
			t.Error(err)
		}
	}
	x := make([]float32, sets[1].Shape().Numel())
	if err := sets[1].Batch(t.Context(), []int{0}, x, nil); err != nil {
		t.Errorf("the other split is closed: %v", err)
	}
	if err := sets[1].Close(); err != nil {
		t.Error(err)
	}
	if err := sets[1].Batch(t.Context(), []int{0}, x, nil); err == nil {
		t.Error("the file is still open")
	}
	if _, err := OpenSplits(path, o, Train, "other"); err == nil {
		t.Error("an unknown split is opened")
	}
}
