package fashion

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
)

func TestBuild(t *testing.T) {
	m, err := Build(Initial(1))
	if err != nil {
		t.Fatal(err)
	}
	ops := map[string]int{}
	for _, n := range m.Graph.Nodes() {
		ops[n.Op()]++
	}
	want := "map[Add:2 BatchNormalization:8 Clip:1 Conv:8 Flatten:1 Gemm:1 GlobalAveragePool:1 Relu:7]"
	if got := fmt.Sprint(ops); got != want {
		t.Errorf("operators %s, want %s", got, want)
	}
	params := 0
	for _, v := range m.Graph.Initializers() {
		params += v.Const().Shape.Numel()
	}
	if params < 50_000 || params > 150_000 {
		t.Errorf("%d parameters", params)
	}
	if _, ok, err := models.ModelPreprocessing(m); err != nil || !ok {
		t.Errorf("preprocessing: %v, %v", ok, err)
	}
	again, err := Build(Initial(1))
	if err != nil {
		t.Fatal(err)
	}
	a, errA := m.Marshal()
	b, errB := again.Marshal()
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Error("the same seed builds different networks")
	}
}

func TestBuildErrors(t *testing.T) {
	_, err := Build(func(string, tensor.Shape) ([]float32, error) { return []float32{1}, nil })
	if err == nil || !strings.Contains(err.Error(), `parameter "stem.weight" has 1 elements`) {
		t.Errorf("error %v", err)
	}
}
