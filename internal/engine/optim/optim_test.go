package optim_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/optim"
	"github.com/mpqc/mpqc/internal/tensor"
)

func params(kinds ...engine.ParamKind) []*engine.Param {
	var list []*engine.Param
	for i, k := range kinds {
		p := engine.NewParam(string(rune('a'+i)), k, tensor.Shape{2}, []float32{1, -2})
		p.Grad[0], p.Grad[1], p.Used = 0.5, -3, true
		list = append(list, p)
	}
	return list
}

func near(t *testing.T, what string, got []float32, want ...float64) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 1e-6*math.Max(1, math.Abs(want[i])) {
			t.Errorf("%s: got %v, want %v", what, got, want)
			return
		}
	}
}

// The expected numbers are the formula of PyTorch's documentation evaluated in float64 beside the code.
func TestSGDNesterov(t *testing.T) {
	ps := params(engine.Weight, engine.Bias)
	s, err := optim.NewSGD(ps, optim.SGDOptions{Momentum: 0.9, Nesterov: true, Decay: map[engine.ParamKind]float32{engine.Weight: 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	for k, decay := range []float64{0.1, 0} {
		want, grad := []float64{1, -2}, []float64{0.5, -3}
		var m [2]float64
		p := ps[k]
		ps[1-k].Used = false
		for range 3 {
			p.Used = true
			s.Step(0.1)
			for i := range want {
				g := grad[i] + decay*want[i]
				m[i] = 0.9*m[i] + g
				want[i] -= 0.1 * (g + 0.9*m[i])
			}
			near(t, p.Name, p.Data, want...)
		}
	}
}

func TestAdam(t *testing.T) {
	p := params(engine.StepSize)[0]
	a, err := optim.NewAdam([]*engine.Param{p}, optim.AdamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want, grad := []float64{1, -2}, []float64{0.5, -3}
	var m, v [2]float64
	for n := 1; n <= 4; n++ {
		a.Step(0.01)
		for i := range want {
			m[i] = 0.9*m[i] + 0.1*grad[i]
			v[i] = 0.999*v[i] + 0.001*grad[i]*grad[i]
			mh, vh := m[i]/(1-math.Pow(0.9, float64(n))), v[i]/(1-math.Pow(0.999, float64(n)))
			want[i] -= 0.01 * mh / (math.Sqrt(vh) + 1e-8)
		}
		near(t, "adam", p.Data, want...)
	}
}

func TestUnusedStays(t *testing.T) {
	p := params(engine.Weight)[0]
	s, _ := optim.NewSGD([]*engine.Param{p}, optim.SGDOptions{Momentum: 0.9, Decay: map[engine.ParamKind]float32{engine.Weight: 0.1}})
	a, _ := optim.NewAdam([]*engine.Param{p}, optim.AdamOptions{})
	p.Used = false
	s.Step(0.1)
	a.Step(0.1)
	near(t, "unused", p.Data, 1, -2)
	near(t, "momentum", s.State()[0].Data, 0, 0)
	near(t, "steps", a.State()[2].Data, 0)
}

func TestStateRoundTrip(t *testing.T) {
	run := func(split int) []float32 {
		p := params(engine.Weight)[0]
		ps := []*engine.Param{p}
		a, _ := optim.NewAdam(ps, optim.AdamOptions{})
		e, _ := optim.NewEMA(ps, 0.9, nil)
		for i := range 6 {
			if i == split {
				var saved []optim.Array
				for _, s := range append(a.State(), e.State()...) {
					saved = append(saved, optim.Array{Name: s.Name, Shape: s.Shape, Data: append([]float32(nil), s.Data...)})
				}
				a, _ = optim.NewAdam(ps, optim.AdamOptions{})
				e, _ = optim.NewEMA(ps, 0.9, nil)
				if err := a.Load(saved); err != nil {
					t.Fatal(err)
				}
				if err := e.Load(saved); err != nil {
					t.Fatal(err)
				}
			}
			a.Step(0.1)
			e.Update()
		}
		e.Swap()
		return p.Data
	}
	if d := cmp.Diff(run(-1), run(3)); d != "" {
		t.Errorf("resumed run differs (-whole +resumed):\n%s", d)
	}
	s, _ := optim.NewSGD(params(engine.Weight), optim.SGDOptions{})
	if err := s.Load(nil); err == nil {
		t.Error("a missing array was accepted")
	}
}

func TestClipAndNames(t *testing.T) {
	ps := params(engine.Weight)
	optim.NewClip(ps, 1, nil).Step()
	near(t, "clipped", ps[0].Grad, 0.5, -1)
	if _, err := optim.NewSGD(append(ps, ps...), optim.SGDOptions{}); err == nil {
		t.Error("two parameters of one name were accepted")
	}
}
