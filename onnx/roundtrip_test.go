package onnx

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Every pretrained model comes back as the same message, and links and validates without a problem.
func TestRoundTripModels(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testkit.Shared(t, "models"), "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			m, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Validate(); err != nil {
				t.Errorf("validate: %v", err)
			}
			for _, m := range []*Model{m, m.Clone()} {
				again, err := m.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				assertSameMessage(t, data, again)
			}
			if _, ok := m.Metadata("org.mpqc.preprocessing"); !ok {
				t.Error("preprocessing metadata is lost")
			}
			for _, v := range m.Graph.Initializers() {
				if v.Const() == nil {
					t.Errorf("initializer %s has no tensor", v.Name())
				}
			}
		})
	}
}

func assertSameMessage(t *testing.T, want, got []byte) {
	t.Helper()
	var a, b onnxpb.ModelProto
	if err := proto.Unmarshal(want, &a); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(got, &b); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(&a, &b) {
		t.Error("the message changed")
	}
}
