// Command trainexample trains the float network of the embedded example on all of Fashion-MNIST with mpqc's own engine
// and writes models/example/fashion.onnx. It runs once, by hand:
//
//	go run ./models/internal/trainexample --data /usr/share/datasets/fashion-mnist --out models/example/fashion.onnx
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"time"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/engine/loss"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/engine/optim"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/models/dataset"
	"github.com/mpqc/mpqc/models/internal/fashion"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

const (
	batch   = 128
	classes = 10
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "trainexample:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func run(ctx context.Context, args []string, log io.Writer) error {
	f := flag.NewFlagSet("trainexample", flag.ContinueOnError)
	data := f.String("data", "/usr/share/datasets/fashion-mnist", "folder with the four IDX files")
	out := f.String("out", "models/example/fashion.onnx", "file to write")
	epochs := f.Int("epochs", 10, "passes over the training samples")
	seed := f.Uint64("seed", 1, "of weights, order and augmentation")
	rate := f.Float64("lr", 0.1, "first learning rate; it falls to 0 along a cosine")
	if err := f.Parse(args); err != nil {
		return err
	}
	m, err := fashion.Build(fashion.Initial(*seed))
	if err != nil {
		return err
	}
	train, err := open(*data, dataset.Train)
	if err != nil {
		return err
	}
	test, err := open(*data, dataset.Test)
	if err != nil {
		return err
	}
	t, err := newTrainer(m, *seed, float32(*rate), *epochs*(train.Len()/batch))
	if err != nil {
		return err
	}
	start := time.Now()
	for e := range *epochs {
		l, err := t.epoch(ctx, train, e)
		if err != nil {
			return err
		}
		top1, err := t.test(ctx, test)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(log, "epoch %d: loss %.4f, test top-1 %.2f %%, %.0f s\n", e+1, l, 100*top1, time.Since(start).Seconds())
		if err != nil {
			return err
		}
	}
	return t.save(*out)
}

func open(path, split string) (*dataset.Set, error) {
	p, err := models.Preset("fashion-mnist")
	if err != nil {
		return nil, err
	}
	return dataset.Open(path, dataset.Options{Preprocessing: p, Split: split, Shape: tensor.Shape{1, 28, 28}})
}

type trainer struct {
	graph       *engine.Graph
	exec        *engine.Exec
	sgd         *optim.SGD
	seed        uint64
	rate        float32
	step, steps int
}

func newTrainer(m *onnx.Model, seed uint64, rate float32, steps int) (*trainer, error) {
	g, err := decode.Decode(m)
	if err != nil {
		return nil, err
	}
	x, err := engine.Compile(g, engine.Options{Batch: batch, Training: true, Pool: par.New(0)})
	if err != nil {
		return nil, err
	}
	s, err := optim.NewSGD(x.Params(), optim.SGDOptions{Momentum: 0.9, Nesterov: true, Decay: map[engine.ParamKind]float32{engine.Weight: 5e-4}})
	return &trainer{graph: g, exec: x, sgd: s, seed: seed, rate: rate, steps: steps}, err
}

// epoch trains on every sample once, mirrored and shifted at random.
func (t *trainer) epoch(ctx context.Context, set *dataset.Set, e int) (float64, error) {
	l := set.NewLoader(ctx, dataset.LoaderOptions{
		Batch: batch, Indices: dataset.Shuffle(set.Len(), t.seed, e), DropLast: true, Seed: t.seed, Epoch: e, Workers: 1,
		Augment: dataset.Augmentation{Flip: true, Crop: true},
	})
	defer l.Close()
	t.exec.SetTraining(true)
	if err := t.exec.SetBatch(batch); err != nil {
		return 0, err
	}
	sum, n := 0.0, 0
	for {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return sum / float64(n), nil
		}
		if err != nil {
			return 0, err
		}
		v, err := t.update(ctx, b)
		if err != nil {
			return 0, err
		}
		sum, n = sum+v, n+1
	}
}

func (t *trainer) update(ctx context.Context, b *dataset.Minibatch) (float64, error) {
	t.exec.ZeroGrad()
	copy(t.exec.Input(0).Data, b.X)
	if err := t.exec.Forward(ctx); err != nil {
		return 0, err
	}
	g := t.exec.OutputGrad(0).Data
	clear(g)
	v, err := loss.CrossEntropy(t.exec.Output(0).Data, b.Labels, classes, 0, 1, g)
	if err != nil {
		return 0, err
	}
	if err := t.exec.Backward(ctx); err != nil {
		return 0, err
	}
	t.sgd.Step(t.rate * float32(0.5*(1+math.Cos(math.Pi*float64(t.step)/float64(t.steps)))))
	t.step++
	return v, nil
}

// test is the share of samples that the network with running statistics puts in the right class.
func (t *trainer) test(ctx context.Context, set *dataset.Set) (float64, error) {
	order := make([]int, set.Len())
	for i := range order {
		order[i] = i
	}
	l := set.NewLoader(ctx, dataset.LoaderOptions{Batch: batch, Indices: order, Workers: 1})
	defer l.Close()
	t.exec.SetTraining(false)
	right := 0
	for {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return float64(right) / float64(set.Len()), nil
		}
		if err != nil {
			return 0, err
		}
		if err := t.exec.SetBatch(len(b.Labels)); err != nil {
			return 0, err
		}
		copy(t.exec.Input(0).Data, b.X)
		if err := t.exec.Forward(ctx); err != nil {
			return 0, err
		}
		right += hits(t.exec.Output(0).Data, b.Labels)
	}
}

func hits(logits []float32, labels []int32) (n int) {
	for i, l := range labels {
		best := 0
		for c, v := range logits[i*classes : (i+1)*classes] {
			if v > logits[i*classes+best] {
				best = c
			}
		}
		if best == int(l) {
			n++
		}
	}
	return n
}

// save folds the norms into the convolutions and writes the network.
func (t *trainer) save(path string) error {
	all := map[string][]float32{}
	for _, p := range t.exec.Params() {
		all[p.Name] = p.Data
	}
	for _, n := range t.graph.Nodes {
		if norm, ok := n.Op.(*ops.Norm); ok {
			all[n.Name+".mean"], all[n.Name+".var"] = norm.Mean, norm.Var
		}
	}
	m, err := fashion.Build(func(name string, _ tensor.Shape) ([]float32, error) {
		v, ok := all[name]
		if !ok {
			return nil, fmt.Errorf("parameter %q was not trained", name)
		}
		return v, nil
	})
	if err != nil {
		return err
	}
	if _, err := (pass.Sequence{pass.FoldBatchNorm{}, pass.Prune{}}).Run(m); err != nil {
		return err
	}
	return m.Save(path)
}
