package pipeline

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// Memory besides the plan of training, in MB: the program with its libraries, and per byte of weights the documents,
// supernets and checkpoints that hold them at the same time.
const (
	programMB       = 250
	copiesOfWeights = 6
)

// checkMemory refuses a training that would take more than the limit, and says which batch would not.
func (j *job) checkMemory(batch int) error {
	if j.o.MaxMemory <= 0 {
		return nil
	}
	net, err := j.trainable()
	if err != nil {
		return err
	}
	limit := float64(j.o.MaxMemory) / 1e6
	need, err := planned(net, batch, j)
	if err != nil || need <= limit {
		return err
	}
	least, err := planned(net, 1, j)
	if err != nil {
		return err
	}
	hint := "even one picture a step takes " + fmt.Sprintf("%.0f MB", least)
	if least < limit {
		hint = fmt.Sprintf("--batch %d fits", 1+int((limit-least)*float64(batch-1)/(need-least)))
	}
	return fmt.Errorf("%w: training with %d pictures a step takes about %.0f MB, --max-memory allows %.0f MB: %s", ErrUsage, batch, need, limit, hint)
}

// planned is the memory of training in MB of 1e6 bytes: the buffers of the plan, and of the float model that runs beside
// it, whose sizes are linear in the batch, per parameter its value, gradient, momentum and moving average, and what is
// there besides. Measured with a limit set, which keeps garbage from piling up, runs of ResNet-20 and MobileNetV2 take 0.97 and 1.03 times that.
func planned(net *fakequant.Network, batch int, j *job) (float64, error) {
	var size [2]float64
	for i := range size {
		for _, training := range []bool{true, false} {
			e, err := engine.Compile(net.Graph, engine.Options{Batch: i + 1, Training: training, Pool: j.pool})
			if err != nil {
				return 0, err
			}
			size[i] += float64(e.ArenaBytes())
		}
	}
	var params int
	for _, p := range net.Params() {
		params += len(p.Data)
	}
	return (size[0]+float64(batch-1)*(size[1]-size[0])+float64(16+4*copiesOfWeights)*float64(params))/1e6 + programMB, nil
}
