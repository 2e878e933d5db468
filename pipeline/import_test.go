package pipeline

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/pipeline/options"
)

// stopAfter is a context that ends once it has been asked so often.
type stopAfter struct {
	context.Context
	left int
}

func (c *stopAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestImportEnds: wherever an interrupt comes, import ends with it, and never with files but without a manifest that
// says so. What it asks between passes and files shows in how often it asks.
func TestImportEnds(t *testing.T) {
	data, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	model := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(model, data, 0o600); err != nil {
		t.Fatal(err)
	}
	const enough = 1 << 30
	whole := &stopAfter{context.Background(), enough}
	if _, err := Import(whole, Options{Workspace: filepath.Join(t.TempDir(), "w.mpqc"), ModelOptions: options.ModelOptions{Model: model}}); err != nil {
		t.Fatal(err)
	}
	asked := enough - whole.left
	if asked < 20 {
		t.Fatalf("import asks %d times whether it should end", asked)
	}
	for n := range asked {
		dir := filepath.Join(t.TempDir(), "w.mpqc")
		_, err := Import(&stopAfter{context.Background(), n}, Options{Workspace: dir, ModelOptions: options.ModelOptions{Model: model}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted at question %d: %v", n, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "manifest.json")); err == nil {
			t.Errorf("interrupted at question %d: there is a manifest", n)
		}
	}
}
