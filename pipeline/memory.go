package pipeline

import (
	"fmt"
	"math"
	"strings"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/pipeline/calibration"
	"github.com/mpqc/mpqc/pipeline/evaluation/scoring"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/samples"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/supernet/norms"
	"github.com/mpqc/mpqc/pipeline/training"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Memory besides the plan of training, in MB: the program with its libraries, and per byte of weights the documents,
// supernets and checkpoints that hold them at the same time.
const (
	// TrainingCopies is how many copies of a model's weights a training holds, apart from the buffers of its plan.
	TrainingCopies = 4 + copiesOfWeights

	programMB       = 250
	searchMB        = 130 // of a run that trains nothing
	copiesOfWeights = 6
)

// checkMemory refuses what would take more than the limit, before any work, and says what would not.
func checkMemory(e *stage.Env, n *network.Network, p *samples.Samples, c *call) error {
	if c.MaxMemory <= 0 {
		return nil
	}
	net, err := outline(n)
	if err != nil {
		return fmt.Errorf("estimate the memory: %w", err)
	}
	limit := float64(c.MaxMemory) / 1e6
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
	_, step := training.Sizes(p, c.asked)
	if c.Trains() && !e.Keep || c.Polishes() {
		err = check("training with %d samples a step", step, "--batch", "one sample a step", func(n int) (float64, error) { return TrainingMB(net, n, e.Pool) })
	}
	if err == nil && !c.Float {
		err = check("the search on %d threads, or the calibration,", c.Workers(), "--threads", "one thread", func(threads int) (float64, error) { return searchingMB(net, threads, e, n, p, c) })
	}
	if err != nil {
		return fmt.Errorf("estimate the memory: %w", err)
	}
	if len(refused) > 0 {
		return fmt.Errorf("%w: %s", ErrUsage, strings.Join(refused, "; "))
	}
	return nil
}

// outline is the network that will be trained and searched, before calibration: with norms of no meaning where
// calibration will insert some.
func outline(n *network.Network) (*fakequant.Network, error) {
	st := &calibrate.Statistics{Channels: map[string]*calibrate.Channels{}}
	for _, l := range n.Plan.Layers {
		st.Channels[l.Output] = &calibrate.Channels{N: 1, Sum: make([]float64, l.OutChannels), SumSq: make([]float64, l.OutChannels)}
	}
	c, err := calibration.WithNorms(n, st)
	if err != nil {
		return nil, err
	}
	g, err := decode.Decode(c.Model)
	if err != nil {
		return nil, err
	}
	return fakequant.Rewrite(g, c.Plan, fakequant.Options{BiasRounding: true})
}

// TrainingMB is the memory of training in MB of 1e6 bytes: the buffers of the plan, and of the float model that runs
// beside it, per parameter its value, gradient, momentum and moving average, and what is there besides. Measured with a
// limit set, which keeps garbage from piling up, runs of ResNet-20 and MobileNetV2 take 0.97 and 1.03 times that.
func TrainingMB(net *fakequant.Network, batch int, pool *par.Pool) (float64, error) {
	buffers, err := buffersOf(net.Graph, engine.Options{Batch: batch, Training: true, Pool: pool}, engine.Options{Batch: batch, Pool: pool})
	return buffers + float64(16+4*copiesOfWeights)*parameters(net)/1e6 + programMB, err
}

// searchingMB is the memory of calibration and search in MB of 1e6 bytes. In calibration every value that statistics
// are taken of is kept. A search holds its samples and those of the verdict, and per thread a network that estimates
// norms and a session.
func searchingMB(net *fakequant.Network, threads int, e *stage.Env, n *network.Network, p *samples.Samples, c *call) (float64, error) {
	calibrating, err := calibratingMB(e, n, p, c)
	if err != nil {
		return 0, err
	}
	lane, err := buffersOf(net.Graph, engine.Options{Batch: norms.BatchSize, Pool: e.Pool}, engine.Options{Batch: scoring.Batch, Pool: e.Pool})
	if err != nil {
		return 0, err
	}
	all := p.Train.Len()
	held := min(c.SearchSamples, all) + min(samples.HeldOutSamples, all) + min(norms.CandidateSamples, all)
	weights := parameters(net) / 1e6
	search := float64(threads)*(lane+8*weights) + float64(4*held*p.Elements)/1e6
	return max(calibrating, search) + 4*copiesOfWeights*weights + searchMB, nil
}

// calibratingMB is the memory of the buffers of calibration, in MB.
func calibratingMB(e *stage.Env, n *network.Network, p *samples.Samples, c *call) (float64, error) {
	g, err := decode.Decode(n.Core)
	if err != nil {
		return 0, err
	}
	kept := map[string]bool{}
	for _, t := range n.Plan.Points {
		kept[t.Tensor] = true
	}
	for _, l := range n.Plan.Layers {
		kept[l.Output] = true
	}
	o := engine.Options{Batch: max(min(calibration.Batch, c.CalibrateSamples, p.Train.Len()), 1), Pool: e.Pool}
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
