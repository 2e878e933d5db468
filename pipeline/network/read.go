package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/pipeline/network/partition"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// Read loads and normalises a file. That it cannot be read is the user's to repair.
func Read(ctx context.Context, path string) (*onnx.Model, error) {
	return par.Await(ctx, func() (*onnx.Model, error) {
		m, err := onnx.Load(path)
		if err != nil {
			return nil, fmt.Errorf("import: %w", err) // the error names the file
		}
		normalise := func(m *onnx.Model) error { return pass.NormaliseContext(ctx, m) }
		for _, step := range []func(*onnx.Model) error{(*onnx.Model).Validate, partition.CheckFloat, partition.CheckInputs, normalise, partition.CheckFloat} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := step(m); err != nil {
				return nil, fmt.Errorf("import %s: %w", path, err)
			}
		}
		return m, nil
	})
}

// Hash is the SHA-256 of a model file; where it has external data, of the hashes of all files.
func Hash(ctx context.Context, path string) (string, error) {
	sum, _, err := workspace.HashUntil(ctx, path)
	if err != nil {
		return "", err
	}
	sums := sum + "\n"
	external := onnx.ExternalFiles(path)
	for _, name := range external {
		s, _, err := workspace.HashUntil(ctx, filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // reading the model will say so, and which tensor lies in it
		}
		if err != nil {
			return "", err
		}
		sums += s + "  " + name + "\n"
	}
	if len(external) == 0 {
		return sum, nil
	}
	all := sha256.Sum256([]byte(sums))
	return hex.EncodeToString(all[:]), nil
}
