package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

// PreprocessingEdit changes parts of a preprocessing; what is left at its zero value stays as it was. A preset replaces
// everything before the other parts apply.
type PreprocessingEdit struct {
	Preset string
	Mean   []float64
	Std    []float64
	Resize []int // one number: the shorter side; two: height and width
	Crop   []int // height and width
	Layout string
	Color  string
}

func (e PreprocessingEdit) empty() bool {
	return e.Preset == "" && e.Mean == nil && e.Std == nil && e.Resize == nil && e.Crop == nil && e.Layout == "" && e.Color == ""
}

// validate checks what can be checked without knowing what is edited.
func (e PreprocessingEdit) validate() error {
	_, err := e.apply(unitFor(3))
	return err
}

// apply returns the edited preprocessing.
func (e PreprocessingEdit) apply(p models.Preprocessing) (models.Preprocessing, error) {
	if e.Preset != "" {
		var err error
		if p, err = models.Preset(e.Preset); err != nil {
			return p, fmt.Errorf("%w: --preset: %w", ErrUsage, err)
		}
	}
	if e.Mean != nil {
		p.Mean = e.Mean
	}
	if e.Std != nil {
		p.Std = e.Std
	}
	if e.Resize != nil {
		r := models.Resize{Mode: "bilinear"}
		if p.Resize != nil {
			r.Mode = p.Resize.Mode
		}
		if len(e.Resize) == 1 {
			r.Short = e.Resize[0]
		} else {
			r.Size = e.Resize
		}
		p.Resize = &r
	}
	if e.Crop != nil {
		p.Crop = e.Crop
	}
	if e.Layout != "" {
		p.Layout = strings.ToUpper(e.Layout)
	}
	if e.Color != "" {
		p.Color = strings.ToUpper(e.Color)
	}
	if err := p.Validate(); err != nil {
		return p, fmt.Errorf("%w: preprocessing: %w", ErrUsage, err)
	}
	return p, nil
}

// preprocessing is what the options say, else the workspace, else the model's own metadata, with the parts that this
// run states changed. Where nobody says anything, stating at least how pixels are normalised is enough.
func (j *job) preprocessing(m *onnx.Model) (models.Preprocessing, error) {
	e := j.stated.Edit
	p, err := models.NewPreprocessing(m, j.o.Preprocessing)
	switch {
	case errors.Is(err, models.ErrNoPreprocessing) && (e.Preset != "" || e.Mean != nil || e.Std != nil):
		p = unitFor(channels(m))
	case errors.Is(err, models.ErrNoPreprocessing):
		return p, fmt.Errorf("%w: %w", ErrUsage, err)
	case err != nil && e.Preset == "":
		return p, fmt.Errorf("the model's metadata %s: %w; --preset NAME replaces it", models.PreprocessingKey, err)
	case err != nil:
		p = unitFor(3)
	}
	if e.empty() {
		return p, nil
	}
	edited, err := e.apply(p)
	if err != nil {
		return p, err
	}
	if j.keepsSupernet() && edited.JSON() != p.JSON() {
		return p, fmt.Errorf("%w: the supernet in %s was trained with another preprocessing: %s; --retrain trains anew",
			ErrUsage, j.w.dir, p.JSON())
	}
	j.o.Preprocessing = edited.JSON() // a later run finds it in the manifest
	return edited, nil
}

// unitFor maps pixels to 0 to 1, the start of a preprocessing that is stated from nothing.
func unitFor(channels int) models.Preprocessing {
	p := models.Preprocessing{Layout: "NCHW", Color: "RGB", Scale: 255, Mean: []float64{0}, Std: []float64{1}}
	if channels == 1 {
		p.Color = "GRAY"
	}
	return p
}

// channels of the model's pictures, 0 where its input does not say.
func channels(m *onnx.Model) int {
	inputs := m.Graph.Inputs()
	if len(inputs) == 0 {
		return 0
	}
	if s, known := inputs[0].Shape(); known && len(s) == 4 {
		return s[1]
	}
	return 0
}
