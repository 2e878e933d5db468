package safetensors

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/tensor"
)

// sealName names the last array of a sealed archive: the SHA-256 of all bytes of the file in front of it. It sorts
// behind every other name that is written.
const sealName = "~sha256"

// errSeal is the error of a sealed archive that was changed.
var errSeal = errors.New("its checksum is not that of its content")

// SaveSealed is Save of a file that says by itself whether it is whole. What was there stays under another name.
func (a *Archive) SaveSealed(path, before string) error {
	sealed := Archive{Arrays: map[string]Array{sealName: {Shape: tensor.Shape{sha256.Size}, Codes: make([]int8, sha256.Size)}}, Metadata: a.Metadata}
	for name, array := range a.Arrays {
		sealed.Arrays[name] = array
	}
	header, names, err := encodeHeader(&sealed)
	last := len(names) - 1
	if err == nil && names[last] != sealName {
		err = fmt.Errorf("array %q comes behind the checksum", names[last])
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return file.WriteKeeping(path, before, func(w io.Writer) error {
		h := sha256.New()
		if err := writeArchive(io.MultiWriter(w, h), header, names[:last], sealed.Arrays); err != nil {
			return err
		}
		_, err := w.Write(h.Sum(nil))
		return err
	})
}

// newSeal is the sum so far of a file with a header, nil for one whose last array is no seal.
func newSeal(header []byte, names []string) hash.Hash {
	if last := len(names) - 1; last < 0 || names[last] != sealName {
		return nil
	}
	h := sha256.New()
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) // hashes never fail
	_, _ = h.Write(header)
	return h
}
