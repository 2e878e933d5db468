package delivery

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/record"
)

// TestDescribe: a file whose weights lie beside it counts with them, and has another hash with other ones.
func TestDescribe(t *testing.T) {
	data, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	f := record.File{Path: filepath.Join(t.TempDir(), "model.onnx")}
	if err := m.SaveOutside(f.Path); err != nil {
		t.Fatal(err)
	}
	if err := describe(t.Context(), &f); err != nil || f.Bytes <= int64(len(data))*9/10 {
		t.Errorf("%d bytes, %v", f.Bytes, err)
	}
	before := f.SHA256
	weights, err := os.ReadFile(f.Path + onnx.DataSuffix)
	if err != nil {
		t.Fatal(err)
	}
	weights[len(weights)-1] ^= 1
	if err := os.WriteFile(f.Path+onnx.DataSuffix, weights, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := describe(t.Context(), &f); err != nil || f.SHA256 == before {
		t.Errorf("other weights, the same hash: %v", err)
	}
}
