package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// trace is trace.json: what an independent implementation, in double precision, did in three training steps.
type trace struct {
	Hyperparameters struct {
		LR          float64 `json:"lr"`
		Momentum    float32 `json:"momentum"`
		WeightDecay float32 `json:"weight_decay"`
		AdamLR      float64 `json:"adam_lr"`
		Clip        float32 `json:"clip"`
		IDM         float32 `json:"idm"`
		EMA         float32 `json:"ema"`
		BNMomentum  float32 `json:"bn_momentum"`
	} `json:"hyperparameters"`
	Reads map[string]string `json:"reads"`
	Steps []struct {
		Paths []struct {
			W    map[string]int `json:"w"`
			A    map[string]int `json:"a"`
			CE   float64        `json:"ce"`
			KL   float64        `json:"kl"`
			IDM  float64        `json:"idm"`
			Loss float64        `json:"loss"`
		} `json:"paths"`
	} `json:"steps"`
	Scheduler struct {
		PerLayer map[string]struct {
			Unstable   map[string]float64 `json:"unstable"`
			Turbulence float64            `json:"turbulence"`
		} `json:"per_layer"`
		Ratio  float64  `json:"ratio"`
		Order  []string `json:"order"`
		Frozen []string `json:"frozen"`
	} `json:"scheduler"`
}

// replay is the package's trainer set up as the trace was made.
type replay struct {
	trace   trace
	arrays  map[string][]float64
	net     *fakequant.Network
	trainer *Trainer
	names   map[string]string // the network's name of an array -> the trace's
}

// layerName is the trace's name of a node: /c1/Conv is c1.
func layerName(node string) string { return strings.Split(strings.Trim(node, "/"), "/")[0] }

func newReplay(t *testing.T) *replay {
	t.Helper()
	r := &replay{arrays: readNPZ(t, testkit.Shared(t, "reference/oneshot/tensors.npz")), names: map[string]string{}}
	data, err := os.ReadFile(testkit.Shared(t, "reference/oneshot/trace.json"))
	if err == nil {
		err = json.Unmarshal(data, &r.trace)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Load(testkit.Shared(t, "reference/oneshot/model.onnx"))
	if err == nil {
		err = pass.Normalise(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	bits := []int{2, 3, 4, 5, 6}
	plan, err := quantize.NewPlan(m, quantize.PlanOptions{WeightBits: bits, ActivationBits: bits})
	if err != nil {
		t.Fatal(err)
	}
	g, err := decode.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	h := r.trace.Hyperparameters
	if r.net, err = fakequant.Rewrite(g, plan, fakequant.Options{NormMomentum: h.BNMomentum}); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	pool := par.New(2)
	t.Cleanup(pool.Close)
	r.trainer, err = New(r.net, Options{
		Batch: 6, Steps: 3, Paths: 3, Rate: h.LR, FinalRate: h.LR, StepRate: h.AdamLR, Momentum: h.Momentum,
		Decay: h.WeightDecay, DecayInside: true, Clip: h.Clip, Average: h.EMA, Distill: 0.5, Distortion: h.IDM,
	}, pool)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// start loads the initial arrays of the trace, each under the network's name.
func (r *replay) start(t *testing.T) {
	t.Helper()
	s := r.net.Supernet()
	for name, a := range s.Arrays {
		mine := name
		for i := range r.net.Plan.Layers {
			l := &r.net.Plan.Layers[i]
			x := r.net.Plan.Points[l.Point].Tensor
			mine = strings.Replace(mine, "."+l.Node, "."+layerName(l.Node), 1)
			mine = strings.Replace(mine, "step.a."+x+".", "step.a."+r.trace.Reads[layerName(l.Node)]+".", 1)
		}
		r.names[name] = mine
		from, ok := r.arrays["init/"+mine]
		if !ok || len(from) != len(a.Data) {
			t.Fatalf("array %s: the trace has %d elements of %s, the network %d", name, len(from), mine, len(a.Data))
		}
		s.Arrays[name] = quantize.Array{Shape: a.Shape, Data: floats(from)}
	}
	if err := r.net.Load(s); err != nil {
		t.Fatal(err)
	}
}

func floats(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// policies are the paths of a step of the trace.
func (r *replay) policies(step int) []quantize.Policy {
	plan := r.net.Plan
	var list []quantize.Policy
	for _, p := range r.trace.Steps[step].Paths {
		q := plan.Max()
		for i := range plan.Layers {
			l := &plan.Layers[i]
			name := layerName(l.Node)
			if !l.Fixed {
				q.W[i] = p.W[name]
			}
			if !plan.Points[l.Point].Fixed {
				q.A[l.Point] = p.A[r.trace.Reads[name]]
			}
		}
		list = append(list, q)
	}
	return list
}

func (r *replay) batch(step int) Batch {
	name := fmt.Sprintf("step%d/", step)
	b := Batch{X: floats(r.arrays[name+"x"])}
	for _, l := range r.arrays[name+"labels"] {
		b.Labels = append(b.Labels, int32(l))
	}
	b.N = len(b.Labels)
	return b
}

// TestTrace replays three steps of an independent implementation and compares everything that they produced.
func TestTrace(t *testing.T) {
	r := newReplay(t)
	for step := range r.trace.Steps {
		prefix := fmt.Sprintf("step%d/", step)
		r.trainer.probe.path = func(k int, outputs []float32) {
			name := fmt.Sprintf("%spath%d/logits", prefix, k)
			testkit.Close(t, name, outputs, r.arrays[name], 1e-5)
		}
		r.trainer.probe.gradients = func() { r.compareGradients(t, prefix+"grad/") }
		losses, err := r.trainer.Step(t.Context(), r.batch(step), r.policies(step))
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range r.trace.Steps[step].Paths {
			got := losses[k]
			testkit.Close(t, fmt.Sprintf("%spath%d losses", prefix, k),
				[]float64{got.Task, got.Teacher, got.Distortion, got.Total}, []float64{want.CE, want.KL, want.IDM, want.Loss}, 1e-5)
		}
	}
	r.compareArrays(t, "final/", r.net.Supernet(), func(string) bool { return true })
	r.compareArrays(t, "final_ema/", r.trainer.Supernet(), func(name string) bool {
		return !strings.HasSuffix(name, ".mean") && !strings.HasSuffix(name, ".var")
	})
}

// compareGradients compares the accumulated gradients of all parameters, and which of them were used.
func (r *replay) compareGradients(t *testing.T, prefix string) {
	t.Helper()
	seen := 0
	for _, p := range r.net.Params() {
		want, used := r.arrays[prefix+r.names[p.Name]]
		if used != p.Used {
			t.Errorf("%s%s: used is %v, %v wanted", prefix, p.Name, p.Used, used)
			continue
		}
		if used {
			seen++
			tolerance := gradTolerance
			if r.names[p.Name] == "step.a.x5.8" {
				tolerance = 1e-3 // a small sum of large terms of both signs: rounding of inputs moves it that far
			}
			relative(t, prefix+p.Name, p.Grad, want, tolerance)
		}
	}
	for name := range r.arrays {
		if strings.HasPrefix(name, prefix) {
			seen--
		}
	}
	if seen != 0 {
		t.Errorf("%s: %d more gradients compared than the trace has", prefix, seen)
	}
}

// Tolerances relative to the largest element of an array: single against double precision over three steps.
const (
	gradTolerance  = 1e-4
	arrayTolerance = 1e-4
)

// compareArrays compares a supernet with the arrays of the trace.
func (r *replay) compareArrays(t *testing.T, prefix string, s *quantize.Supernet, wanted func(name string) bool) {
	t.Helper()
	for name, a := range s.Arrays {
		if !wanted(name) {
			continue
		}
		want, ok := r.arrays[prefix+r.names[name]]
		if !ok {
			t.Errorf("the trace has no %s%s", prefix, r.names[name])
			continue
		}
		relative(t, prefix+name, a.Data, want, arrayTolerance)
	}
	have := map[string]bool{}
	for _, name := range r.names {
		have[name] = true
	}
	for name := range r.arrays {
		rest, ok := strings.CutPrefix(name, prefix)
		// The trace keeps 2-bit arrays of the depthwise layer, which no path can choose.
		if ok && !have[rest] && !strings.HasPrefix(rest, "bn.dw.2_") && rest != "step.w.dw.2" {
			t.Errorf("the network has no %s", name)
		}
	}
}

// relative fails where an element is off by more than tol times the largest magnitude wanted.
func relative(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, %d wanted", what, len(got), len(want))
		return
	}
	scale := 1e-12
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	worst := 0
	for i := range want {
		if !(math.Abs(float64(got[i])-want[i]) <= math.Abs(float64(got[worst])-want[worst])) {
			worst = i
		}
	}
	if d := math.Abs(float64(got[worst]) - want[worst]); !(d <= tol*scale) {
		t.Errorf("%s: element %d is %g, %g wanted (off by %.2g of the largest)", what, worst, got[worst], want[worst], d/scale)
	}
}
