package workspace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mpqc/mpqc/internal/file"
)

// Fingerprint returns the first 16 hex digits of the SHA-256 of the JSON of its arguments.
func Fingerprint(parts ...any) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, p := range parts {
		if err := enc.Encode(p); err != nil {
			return "", fmt.Errorf("fingerprint: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// HashFile returns the SHA-256 of a file's contents in hex, and the size.
func HashFile(path string) (string, int64, error) { return HashUntil(context.Background(), path) }

// HashUntil is HashFile that ends with a context, since models may have gigabytes.
func HashUntil(ctx context.Context, path string) (string, int64, error) {
	f, _, err := file.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("hash: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	h := sha256.New()
	n, err := io.Copy(h, interruptible{ctx, f})
	if err != nil {
		return "", 0, fmt.Errorf("hash %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// interruptible is a reader that fails once its context has ended.
type interruptible struct {
	ctx context.Context //nolint:containedctx // lives as long as the call that makes it
	r   io.Reader
}

// Read implements io.Reader.
func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(p)
}
