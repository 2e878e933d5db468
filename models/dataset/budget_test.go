package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mpqc/mpqc/models"
)

// TestBudget: whatever the number of decoders, they never hold more than the budget together, and each gets its turn.
func TestBudget(t *testing.T) {
	b := &budget{size: 1000}
	var held, most atomic.Int64
	var done sync.WaitGroup
	for i := range 64 {
		done.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for k := range 50 {
				n := rng.Int64N(100)
				if i == 0 && k%10 == 0 {
					n = b.size // needs all of it, with many small ones in the way
				}
				if err := b.acquire(t.Context(), n); err != nil {
					t.Error(err)
					return
				}
				now := held.Add(n)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				runtime.Gosched()
				held.Add(-n)
				b.release(n)
			}
		})
	}
	done.Wait()
	if most.Load() > b.size || most.Load() < b.size/2 || b.held != 0 || len(b.waiting) != 0 {
		t.Errorf("at most %d of %d were held, %d are left, %d wait", most.Load(), b.size, b.held, len(b.waiting))
	}
	if err := b.acquire(t.Context(), b.size+1); err == nil || !strings.Contains(err.Error(), "all images together may take") {
		t.Errorf("more than all: %v", err)
	}
}

// TestBudgetInterrupted: who waits for room leaves with its context, and takes none along.
func TestBudgetInterrupted(t *testing.T) {
	b := &budget{size: 10}
	if err := b.acquire(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	for range 3 {
		go func() { left <- b.acquire(ctx, 10) }()
	}
	cancel()
	for range 3 {
		select {
		case err := <-left:
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it waits on")
		}
	}
	b.release(10)
	if b.held != 0 || len(b.waiting) != 0 {
		t.Errorf("%d held, %d wait", b.held, len(b.waiting))
	}
}

// TestBudgetOfLimit: a run with a limit gives images a share of it, and machines never more than the most.
func TestBudgetOfLimit(t *testing.T) {
	for limit, want := range map[int64]int64{1: budgetLeast, 400 << 20: 100 << 20} {
		if got := newBudget(limit).size; got != want {
			t.Errorf("limit %d: %d, want %d", limit, got, want)
		}
	}
	if got := newBudget(0).size; got < budgetLeast || got > budgetMost {
		t.Errorf("without a limit %d", got)
	}
}

// kinds are images of every way of decoding, by a name that ends like their files.
func kinds(t *testing.T) map[string][]byte {
	t.Helper()
	rect := image.Rect(0, 0, 512, 384)
	out := map[string][]byte{}
	for name, m := range map[string]image.Image{
		"grey.png": image.NewGray(rect), "grey-16.png": image.NewGray16(rect), "alpha.png": image.NewNRGBA(rect), "alpha-16.png": image.NewNRGBA64(rect),
		"palette.png": image.NewPaletted(rect, color.Palette{color.Black, color.White}), "transparent.png": image.NewPaletted(rect, color.Palette{color.Transparent, color.White}),
		"grey.jpg": image.NewGray(rect), "colour.jpg": image.NewRGBA(rect),
	} {
		var b bytes.Buffer
		var err error
		if strings.HasSuffix(name, "png") {
			err = png.Encode(&b, m)
		} else {
			err = jpeg.Encode(&b, m, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	out["cmyk.jpg"] = inkedJPEG(1, 2, 3, 4)
	out["key.png"] = withChunk(out["grey.png"], "tRNS", []byte{0, 7})
	for _, name := range []string{"progressive-rgb.jpg", "progressive-cmyk.jpg", "progressive-l.jpg", "interlaced-16.png"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b
	}
	// Upside down, with a preview before the frame that is longer than what is read first.
	preview := append([]byte{0xff, 0xd8}, exifSegment(6)...)
	for range 3 {
		preview = append(append(preview, 0xff, 0xe2, 0xff, 0xff), make([]byte, 0xffff-2)...)
	}
	out["long-header.jpg"] = append(preview, out["colour.jpg"][2:]...)
	return out
}

// withChunk puts a chunk into a PNG in front of its pixels.
func withChunk(file []byte, kind string, data []byte) []byte {
	body := append([]byte(kind), data...)
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body))
	at := bytes.Index(file, []byte("IDAT")) - 4
	return slices.Concat(file[:at], chunk, file[at:])
}

// exifSegment says how to turn a image.
func exifSegment(orientation byte) []byte {
	tiff := []byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + string(rune(orientation)) + "\x00\x00\x00\x00\x00\x00\x00")
	return append([]byte{0xff, 0xe1, 0, byte(len(tiff) + 2)}, tiff...)
}

// TestDecodingBytes: what a header claims for decoding is what decoding and preparing allocate at most, and not many
// times that.
func TestDecodingBytes(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates what the program does not")
	}
	const slack = 200 << 10 // tables and buffers of the decoders, and the first bytes of a file
	for name, data := range kinds(t) {
		for _, p := range []models.Preprocessing{
			{Layout: "NCHW", Color: "RGB", Scale: 1, Mean: []float64{0}, Std: []float64{1}},
			{Layout: "NCHW", Color: "GRAY", Scale: 1, Mean: []float64{0}, Std: []float64{1}, Resize: &models.Resize{Short: 600, Mode: "bicubic"}, Crop: []int{500, 512}},
		} {
			t.Run(fmt.Sprint(name, " ", p.Color), func(t *testing.T) {
				e := entry{path: name, fsys: fstest.MapFS{name: memoryFile(data)}}
				prepare := newPrepare(p)
				var claimed int64
				claim := func(w, h int, decoding int64) error {
					claimed += decoding + prepare.bytes(w, h)
					return nil
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				q, err := e.bitmap(t.Context(), claim)
				if err != nil {
					t.Fatal(err)
				}
				turn := &change{flip: true}
				q = prepare.bitmap(q, turn)
				runtime.ReadMemStats(&after)
				taken := int64(after.TotalAlloc - before.TotalAlloc)
				if taken > claimed+slack || len(data) > 1000 && claimed > 4*taken {
					t.Errorf("%d bytes were allocated, %d claimed", taken, claimed)
				}
				runtime.KeepAlive(q)
			})
		}
	}
}

// TestMemoryOfDecoders: images of which each fits, but all of those that many goroutines decode do not, take the
// budget and as much garbage, whatever the number of goroutines. One that does not fit is named.
func TestMemoryOfDecoders(t *testing.T) {
	var large bytes.Buffer
	fast := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := fast.Encode(&large, image.NewNRGBA64(image.Rect(0, 0, 2000, 1700))); err != nil {
		t.Fatal(err)
	}
	f := fstest.MapFS{}
	for i := range 8 {
		f[fmt.Sprintf("c/%02d.png", i)] = memoryFile(large.Bytes())
	}
	o := plain("RGB")
	o.MaxMemory, o.Preprocessing.Resize = 1, &models.Resize{Size: []int{32, 32}}
	s := open(t, f, o)
	before := heap()
	var most atomic.Int64
	stop, watching := make(chan struct{}), sync.WaitGroup{}
	watching.Go(func() {
		var m runtime.MemStats
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), int64(m.HeapAlloc)-before))
			}
		}
	})
	err := s.Check(t.Context(), CheckOptions{Workers: 8})
	close(stop)
	watching.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got := most.Load(); got > 5*budgetLeast/2 {
		t.Errorf("%d MB in use, the budget is %d MB", got>>20, budgetLeast>>20)
	}
	f["c/99.png"] = memoryFile(restated(t, large.Bytes(), 2400, 2400))
	err = open(t, f, o).Check(t.Context(), CheckOptions{Workers: 8})
	if err == nil || !strings.Contains(err.Error(), "c/99.png: decoding it takes ") {
		t.Errorf("error %v", err)
	}
}

// TestInterruptedImage: a context that ends while images are decoded ends the batch and says nothing against them.
func TestInterruptedImage(t *testing.T) {
	s := open(t, many(t, 20), plain("GRAY"))
	ctx, cancel := context.WithCancel(t.Context())
	fetch := s.src.fetch
	s.src.fetch = func(ctx context.Context, i int, r room) (sample, error) {
		cancel()
		return fetch(ctx, i, r)
	}
	if err := s.Batch(ctx, []int{0, 1}, make([]float32, 32), nil); !errors.Is(err, context.Canceled) || len(s.Bad()) > 0 {
		t.Errorf("%v, bad %v", err, s.Bad())
	}
	if s.src.memory.held != 0 {
		t.Errorf("%d bytes are held", s.src.memory.held)
	}
}
