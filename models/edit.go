package models

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/onnx"
)

// Edit changes parts of a preprocessing; what is left at its zero value stays as it was. A preset replaces
// everything before the other parts apply.
type Edit struct {
	Preset string
	Mean   []float64
	Std    []float64
	Resize []int // one number: the shorter side; two: height and width
	Crop   []int // height and width
	Layout string
	Color  string
}

// Empty reports whether it changes nothing.
func (e Edit) Empty() bool {
	return e.Preset == "" && e.Mean == nil && e.Std == nil && e.Resize == nil && e.Crop == nil && e.Layout == "" && e.Color == ""
}

// Validate checks what can be checked without knowing what is edited.
func (e Edit) Validate() error {
	_, err := e.Apply(unitFor(3))
	return err
}

// Apply returns the edited preprocessing.
func (e Edit) Apply(p Preprocessing) (Preprocessing, error) {
	if e.Preset != "" {
		var err error
		if p, err = Preset(e.Preset); err != nil {
			return p, fmt.Errorf("--preset: %w", err)
		}
	}
	if e.Mean != nil {
		p.Mean = e.Mean
	}
	if e.Std != nil {
		p.Std = e.Std
	}
	if e.Resize != nil {
		r := Resize{Mode: "bilinear"}
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
		return p, fmt.Errorf("preprocessing: %w", err)
	}
	return p, nil
}

// Base is the preprocessing that the edit applies to: the stated one, else the model's own. Where neither says anything, stating at
// least how pixels are normalised is enough; else it is ErrNoPreprocessing.
func (e Edit) Base(m *onnx.Model, stated string) (Preprocessing, error) {
	p, err := NewPreprocessing(m, stated)
	switch {
	case errors.Is(err, ErrNoPreprocessing) && (e.Preset != "" || e.Mean != nil || e.Std != nil):
		p = unitFor(channels(m))
	case errors.Is(err, ErrNoPreprocessing):
		return p, err
	case err != nil && e.Preset == "":
		return p, fmt.Errorf("the model's metadata %s: %w; --preset NAME replaces it", PreprocessingKey, err)
	case err != nil:
		p = unitFor(3)
	}
	return p, nil
}

// unitFor maps pixels to 0 to 1, the start of a preprocessing that is stated from nothing.
func unitFor(channels int) Preprocessing {
	p := Preprocessing{Layout: "NCHW", Color: "RGB", Scale: 255, Mean: []float64{0}, Std: []float64{1}}
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
