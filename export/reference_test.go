package export_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/quantize/integer"
)

// TestReferenceRun: results do not depend on the pool, a cancelled context stops, and inputs are checked.
func TestReferenceRun(t *testing.T) {
	n := small(t)
	r, err := integer.Build(n.model, n.plan, n.supernet, mixed(n.plan, 4))
	if err != nil {
		t.Fatal(err)
	}
	const samples = 40
	x := n.samples(samples, 9)
	serial, err := r.Run(t.Context(), nil, x, samples, true)
	if err != nil {
		t.Fatal(err)
	}
	pool := par.New(3)
	defer pool.Close()
	parallel, err := r.Run(t.Context(), pool, x, samples, true)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(serial, parallel) {
		t.Error("the result depends on the pool")
	}
	if len(serial.Codes) != len(r.Tensors()) || len(serial.Logits) != samples*serial.Classes {
		t.Errorf("%d tensors, %d logits", len(serial.Codes), len(serial.Logits))
	}
	plain, err := r.Run(t.Context(), pool, x, samples, false)
	if err != nil || len(plain.Codes) != 0 || !reflect.DeepEqual(plain.Logits, serial.Logits) {
		t.Errorf("without codes: %d tensors, %v", len(plain.Codes), err)
	}
	if _, err := r.Run(t.Context(), pool, x[1:], samples, false); err == nil || !strings.Contains(err.Error(), "samples of 1x4x8x8") {
		t.Errorf("a short input: %v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Run(done, pool, x, samples, false); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
