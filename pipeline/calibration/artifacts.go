package calibration

import (
	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/quantize"
)

// document is calibration.json: what was seen, for people and for later comparison.
type document struct {
	Samples int                  `json:"pictures"`
	Tensors []documentTensor     `json:"tensors"`
	Norms   []string             `json:"inserted_norms"`
	Steps   map[string][]float32 `json:"steps"`
}

type documentTensor struct {
	Tensor   string  `json:"tensor"`
	Max      float64 `json:"max"`
	Negative bool    `json:"negative"`
	Signed   bool    `json:"signed"`
	Stream   bool    `json:"stream"`
}

// save writes the artifacts of the stage.
func (c *Calibrated) save(e *stage.Env, st *calibrate.Statistics) error {
	doc := document{Samples: st.Samples, Norms: []string{}, Steps: map[string][]float32{}}
	for _, p := range c.Plan.Points {
		h := st.Points[p.Tensor]
		doc.Tensors = append(doc.Tensors, documentTensor{p.Tensor, h.Max, h.Negative, p.Signed, p.Stream})
		for _, b := range p.Candidates {
			if a, ok := c.Start.Arrays[quantize.StepName(p.Tensor, b)]; ok {
				doc.Steps[quantize.StepName(p.Tensor, b)] = a.Data
			}
		}
	}
	for i, l := range c.Plan.Layers {
		if c.Network.Plan.Layers[i].Norm == "" && l.Norm != "" {
			doc.Norms = append(doc.Norms, l.Norm)
		}
	}
	if err := e.Workspace.WriteJSON(calibrationFile, doc); err != nil {
		return err
	}
	if err := e.SaveModel(calibratedFile, c.Model); err != nil {
		return err
	}
	return e.SaveArrays(stage.StartFile, c.Start)
}

// Open reads what the stage left. Its plan must be that of the supernet, so it is made with the options that the
// workspace was calibrated with.
func Open(e *stage.Env, net *network.Network) (*Calibrated, error) {
	m, err := e.LoadModel(calibratedFile)
	if err != nil {
		return nil, err
	}
	if !e.Workspace.ReadOnly && e.Workspace.Has(calibrationFile) {
		if err := e.Workspace.Verify(calibrationFile); err != nil {
			return nil, err
		}
	}
	c := &Calibrated{Network: net, Model: m, Stamp: e.Stamp(event.StageCalibrate)}
	if err := c.plan(); err != nil {
		return nil, err
	}
	c.Start, err = e.LoadArrays(stage.StartFile)
	return c, err
}
