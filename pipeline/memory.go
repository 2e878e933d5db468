package pipeline

import (
	"fmt"
	"math"
	"strings"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/pictures"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Memory besides the plan of training, in MB: the program with its libraries, and per byte of weights the documents,
// supernets and checkpoints that hold them at the same time.
const (
	programMB       = 250
	searchMB        = 130 // of a run that trains nothing
	copiesOfWeights = 6
)

// checkMemory refuses what would take more than the limit, before any work, and says what would not.
func (j *job) checkMemory() error {
	if j.o.MaxMemory <= 0 {
		return nil
	}
	net, err := j.outline()
	if err != nil {
		return fmt.Errorf("estimate the memory: %w", err)
	}
	limit := float64(j.o.MaxMemory) / 1e6
	var refused []string
	check := func(what string, amount int, flag, even string, need func(n int) (float64, error)) error {
		most, err := need(amount)
		if err != nil || most <= limit {
			return err
		}
		least, err := need(1)
		if err != nil {
			return err
		}
		hint := fmt.Sprintf("even %s takes %.0f MB", even, least)
		if least < limit {
			hint = fmt.Sprintf("%s %d fits", flag, 1+int((limit-least)*float64(amount-1)/(most-least)))
		}
		refused = append(refused, fmt.Sprintf("%s takes about %.0f MB, --max-memory allows %.0f MB: %s", fmt.Sprintf(what, amount), most, limit, hint))
		return nil
	}
	_, step := training.Sizes(j.data, &j.o)
	if j.o.Trains() && !j.keepsSupernet() || j.polishes() {
		err = check("training with %d pictures a step", step, "--batch", "one picture a step", func(n int) (float64, error) { return planned(net, n, j) })
	}
	if err == nil && !j.o.Float {
		err = check("the search on %d threads, or the calibration,", j.o.Workers(), "--threads", "one thread", func(n int) (float64, error) { return searching(net, n, j) })
	}
	if err != nil {
		return fmt.Errorf("estimate the memory: %w", err)
	}
	if len(refused) > 0 {
		return fmt.Errorf("%w: %s", ErrUsage, strings.Join(refused, "; "))
	}
	return nil
}

// outline is the network that will be trained and searched, before calibration: with norms of no meaning where calibration
// will insert some.
func (j *job) outline() (*fakequant.Network, error) {
	st := &calibrate.Statistics{Channels: map[string]*calibrate.Channels{}}
	for _, l := range j.floatPlan.Layers {
		st.Channels[l.Output] = &calibrate.Channels{N: 1, Sum: make([]float64, l.OutChannels), SumSq: make([]float64, l.OutChannels)}
	}
	m := j.float.Clone()
	if err := calibrate.Norms(m, j.floatPlan, st); err != nil {
		return nil, err
	}
	if err := infer(m); err != nil {
		return nil, err
	}
	plan, err := quantize.NewPlan(m, j.planOptions())
	if err != nil {
		return nil, err
	}
	g, err := decode.Decode(m)
	if err != nil {
		return nil, err
	}
	return fakequant.Rewrite(g, plan, fakequant.Options{BiasRounding: true})
}

// planned is the memory of training in MB of 1e6 bytes: the buffers of the plan, and of the float model that runs beside
// it, per parameter its value, gradient, momentum and moving average, and what is there besides. Measured with a limit set,
// which keeps garbage from piling up, runs of ResNet-20 and MobileNetV2 take 0.97 and 1.03 times that.
func planned(net *fakequant.Network, batch int, j *job) (float64, error) {
	buffers, err := buffersOf(net.Graph, engine.Options{Batch: batch, Training: true, Pool: j.pool}, engine.Options{Batch: batch, Pool: j.pool})
	return buffers + float64(16+4*copiesOfWeights)*parameters(net)/1e6 + programMB, err
}

// searching is the memory of calibration and search in MB of 1e6 bytes. In calibration every value that statistics are
// taken of is kept. A search holds its pictures and those of the verdict, and per thread a network that estimates norms
// and a session.
func searching(net *fakequant.Network, threads int, j *job) (float64, error) {
	calibrating, err := j.calibrating()
	if err != nil {
		return 0, err
	}
	lane, err := buffersOf(net.Graph, engine.Options{Batch: norms.BatchSize, Pool: j.pool}, engine.Options{Batch: scoring.Batch, Pool: j.pool})
	if err != nil {
		return 0, err
	}
	all := j.data.Train.Len()
	held := min(j.o.SearchSamples, all) + min(pictures.JudgePictures, all) + min(norms.CandidatePictures, all)
	weights := parameters(net) / 1e6
	search := float64(threads)*(lane+8*weights) + float64(4*held*j.data.Elements)/1e6
	return max(calibrating, search) + 4*copiesOfWeights*weights + searchMB, nil
}

// calibrating is the memory of the buffers of calibration, in MB.
func (j *job) calibrating() (float64, error) {
	g, err := decode.Decode(j.float)
	if err != nil {
		return 0, err
	}
	kept := map[string]bool{}
	for _, p := range j.floatPlan.Points {
		kept[p.Tensor] = true
	}
	for _, l := range j.floatPlan.Layers {
		kept[l.Output] = true
	}
	o := engine.Options{Batch: max(min(calibrationBatch, j.o.CalibrateSamples, j.data.Train.Len()), 1), Pool: j.pool}
	for _, v := range g.Values {
		if kept[v.Name] {
			o.Keep = append(o.Keep, v)
		}
	}
	return buffersOf(g, o)
}

// buffersOf sums what the buffers of a graph take, compiled with these options one beside the other, in MB.
func buffersOf(g *engine.Graph, options ...engine.Options) (float64, error) {
	var sum float64
	for _, o := range options {
		n, err := engine.Bytes(g, o)
		if err != nil {
			return math.Inf(1), err
		}
		sum += float64(n)
	}
	return sum / 1e6, nil
}

// parameters is the number of elements of all parameters.
func parameters(net *fakequant.Network) float64 {
	var n int
	for _, p := range net.Params() {
		n += len(p.Data)
	}
	return float64(n)
}
