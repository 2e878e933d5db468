package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/internal/tensor"
)

// readNPZ reads arrays saved by numpy.savez: one named like the model's input and, if present, "labels". Bytes of shape
// [N, H, W, 3], [N, H, W, 1] or [N, H, W] are images. Every other type is the model's input, ready to use. Only its
// shape can then be compared with that of the input (-1: any; nil: unknown).
func readNPZ(name string, o Options) (*source, error) {
	input, takes := o.Input, o.Shape
	arrays, have, hash, err := npzArrays(name, inMemory(o), input, "labels")
	if err != nil {
		return nil, err
	}
	x, ok := arrays[input]
	if !ok {
		return nil, fmt.Errorf("it has no array named like the model's input %q, only %s", input, strings.Join(have, ", "))
	}
	if len(x.Shape) < 2 || x.Shape.Numel() < 1 {
		return nil, fmt.Errorf("array %q has shape %s", input, x.Shape)
	}
	src := &source{items: make([]item, x.Shape[0]), fingerprint: hash}
	labels, err := npzLabels(arrays["labels"], x.Shape[0])
	if err != nil {
		return nil, err
	}
	for i := range src.items {
		src.items[i] = item{name: fmt.Sprintf("%s[%d]", input, i), label: -1}
		if labels != nil {
			src.items[i].label = labels[i]
		}
	}
	if x.DType != tensor.Uint8 {
		if src.shape = x.Shape[1:].Clone(); takes != nil && !fits(src.shape, takes) {
			return nil, fmt.Errorf("array %q has samples of shape %s, the model takes %s%s", input, src.shape, takes, reordering(input, src.shape, takes))
		}
	}
	if src.fetch, err = npzFetch(x); err != nil && takes != nil {
		err = fmt.Errorf("array %q: %w; the model takes %s", input, err, takes)
	}
	return src, err
}

// reordering describes the transposition that would turn samples of shape have into what the model takes, "" if there
// is none. Equal dimensions keep their order, as height precedes width in every layout.
func reordering(input string, have, takes tensor.Shape) string {
	order, used := []string{"0"}, make([]bool, len(have))
	for _, want := range takes {
		for i, d := range have {
			if d == want && !used[i] {
				used[i] = true
				order = append(order, strconv.Itoa(i+1))
				break
			}
		}
	}
	if len(have) != len(takes) || slices.Contains(used, false) {
		return ""
	}
	return fmt.Sprintf(": save numpy.transpose(%s, (%s))", input, strings.Join(order, ", "))
}

// npzFetch returns a function that cuts a sample out of the array and converts it to floats.
func npzFetch(x *tensor.Tensor) (func(context.Context, int, room) (sample, error), error) {
	size, bytes := x.Shape[1:].Numel(), len(x.Raw)/x.Shape[0]
	if x.DType != tensor.Uint8 {
		values := func(i int) ([]float32, error) {
			return tensor.Floats(&tensor.Tensor{DType: x.DType, Shape: x.Shape[1:], Raw: x.Raw[i*bytes : (i+1)*bytes]})
		}
		_, err := values(0)
		return func(_ context.Context, i int, memory room) (sample, error) {
			if err := memory.take(0, 0, 4*int64(size)); err != nil {
				return sample{}, err
			}
			v, err := values(i)
			return sample{values: v}, errors.Join(err, finite(v))
		}, err
	}
	channels := 1
	if len(x.Shape) == 4 {
		channels = x.Shape[3]
	}
	if len(x.Shape) < 3 || len(x.Shape) > 4 || channels != 1 && channels != 3 {
		return nil, fmt.Errorf("bytes of shape %s are no images (N x H x W x 3)", x.Shape)
	}
	return func(_ context.Context, i int, memory room) (sample, error) {
		p := &bitmap{x.Shape[2], x.Shape[1], channels, x.Raw[i*size : (i+1)*size]}
		return sample{bitmap: p}, memory.take(p.width, p.height, 0)
	}, nil
}

// npzLabels reads class numbers of shape [N]; nil if there are none.
func npzLabels(t *tensor.Tensor, n int) ([]int32, error) {
	if t == nil {
		return nil, nil
	}
	v, err := tensor.Ints(t)
	if err != nil {
		return nil, fmt.Errorf("read array \"labels\": %w", err)
	}
	if len(v) != n {
		return nil, fmt.Errorf("array \"labels\" has shape %s for %d samples", t.Shape, n)
	}
	out := make([]int32, n)
	for i, x := range v {
		if x < 0 || x > 1<<30 {
			return nil, fmt.Errorf("label %d of sample %d is not a class number", x, i)
		}
		out[i] = int32(x)
	}
	return out, nil
}

// finite is an error if a value would make the loss of a whole batch NaN.
func finite(values []float32) error {
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("value %d is %g", i, v)
		}
	}
	return nil
}

// npzArrays reads the wanted arrays, of at most most bytes, and lists the names of all. The fingerprint identifies the
// archive by names, sizes and checksums.
func npzArrays(name string, most int64, wanted ...string) (arrays map[string]*tensor.Tensor, have []string, fingerprint string, err error) {
	z, err := openArchive(name)
	if err != nil {
		return nil, nil, "", err
	}
	defer func() { err = errors.Join(err, z.Close()) }()
	arrays = map[string]*tensor.Tensor{}
	t := tree{most: most}
	hash := sha256.New()
	for _, f := range z.File {
		key, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			continue
		}
		have = append(have, key)
		hash.Write(fmt.Appendf(nil, "%s %d %08x\n", f.Name, f.UncompressedSize64, f.CRC32))
		if !slices.Contains(wanted, key) {
			continue
		}
		if arrays[key] != nil {
			return nil, nil, "", fmt.Errorf("it holds array %q twice", key)
		}
		b, err := t.take(entry{zip: f})
		if err != nil {
			return nil, nil, "", fmt.Errorf("read array %q: %w", key, err)
		}
		if arrays[key], err = parseNPY(b); err != nil {
			return nil, nil, "", fmt.Errorf("read array %q: %w", key, err)
		}
	}
	slices.Sort(have)
	return arrays, have, hex.EncodeToString(hash.Sum(nil)), nil
}
