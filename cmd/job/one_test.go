package job

import (
	"math/rand/v2"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"os"
	"strconv"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit/drawn"
)

func TestOne(t *testing.T) {
	s, err := strconv.Unquote(`"` + os.Getenv("SCRIPT") + `"`)
	if err != nil {
		t.Fatal(err)
	}
	n, err := drawn.Draw([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(drawn.Listing(n.Model), n.Bits)
	_ = n.Model.Save("/tmp/one-agree.onnx")
	agrees(t, n)
}
func TestKeep(t *testing.T) {
	s, _ := strconv.Unquote(`"` + os.Getenv("SCRIPT") + `"`)
	n, err := drawn.Draw([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	_ = n.Model.Save("/tmp/keep/m.onnx")
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, samples*n.Input.Numel())
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	sample.NPZ(t, "/tmp/keep/m.npz", drawn.InputName, append(tensor.Shape{samples}, n.Input...), x)
	t.Log(n.Bits)
}
