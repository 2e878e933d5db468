package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// maxHeader is the header size that the format's own reader accepts.
const maxHeader = 100_000_000

// Read reads a safetensors file of the given size, as Load does.
func Read(r io.Reader, size int64) (*Archive, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	a, entries, err := parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	names, err := arrange(entries, size-8-int64(len(header)))
	if err != nil {
		return nil, err
	}
	seal := newSeal(header, names)
	for _, name := range names {
		e := entries[name]
		raw := make([]byte, e.Offsets[1]-e.Offsets[0])
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, fmt.Errorf("read array %q: %w", name, err)
		}
		if name == sealName && seal != nil {
			if !bytes.Equal(seal.Sum(nil), raw) {
				return nil, errSeal
			}
			continue
		}
		if seal != nil {
			_, _ = seal.Write(raw) // hashes never fail
		}
		a.Arrays[name] = decoded(e, raw)
	}
	return a, nil
}

// decoded is the array of an entry.
func decoded(e entry, raw []byte) Array {
	if e.DType == dtypeI8 {
		codes := make([]int8, len(raw))
		for i, b := range raw {
			codes[i] = int8(b)
		}
		return Array{Shape: e.Shape, Codes: codes}
	}
	data := make([]float32, len(raw)/4)
	for i := range data {
		data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return Array{Shape: e.Shape, Data: data}
}

func readHeader(r io.Reader, size int64) ([]byte, error) {
	var word [8]byte
	if _, err := io.ReadFull(r, word[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(word[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("its length %d does not fit a file of %d bytes", n, size)
	}
	header := make([]byte, n)
	_, err := io.ReadFull(r, header)
	return header, err
}

// parseHeader splits the header into metadata and tensors. Of a repeated name the last counts; the data of the others
// is then a gap, which arrange rejects.
func parseHeader(header []byte) (*Archive, map[string]entry, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(header, &fields); err != nil {
		return nil, nil, err
	}
	a := &Archive{Arrays: make(map[string]Array, len(fields)), Metadata: map[string]string{}}
	entries := make(map[string]entry, len(fields))
	for name, raw := range fields {
		if name == metadataKey {
			if err := json.Unmarshal(raw, &a.Metadata); err != nil {
				return nil, nil, fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		var e entry
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("array %q: %w", name, err)
		}
		entries[name] = e
	}
	return a, entries, nil
}

// arrange checks every tensor and returns the names in the order of their data, which must cover all of it.
func arrange(entries map[string]entry, size int64) ([]string, error) {
	names := make([]string, 0, len(entries))
	for name, e := range entries {
		width := typeBytes[e.DType]
		if width == 0 {
			return nil, fmt.Errorf("array %q is %q, only %s and %s are read", name, e.DType, dtypeF32, dtypeI8)
		}
		n := e.Shape.Numel()
		from, to := e.Offsets[0], e.Offsets[1]
		if n < 0 || from < 0 || to < from || to > size || to-from != width*int64(n) || n > math.MaxInt/8 {
			return nil, fmt.Errorf("array %q of shape %s cannot be bytes %d to %d of %d", name, e.Shape, from, to, size)
		}
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int {
		a, b := entries[x].Offsets, entries[y].Offsets
		for i := range a {
			if a[i] != b[i] {
				return int(min(max(a[i]-b[i], -1), 1))
			}
		}
		return strings.Compare(x, y)
	})
	var at int64
	for _, name := range names {
		if entries[name].Offsets[0] != at {
			return nil, fmt.Errorf("array %q starts at byte %d, the data before it ends at %d", name, entries[name].Offsets[0], at)
		}
		at = entries[name].Offsets[1]
	}
	if at != size {
		return nil, fmt.Errorf("%d bytes belong to no array", size-at)
	}
	return names, nil
}
