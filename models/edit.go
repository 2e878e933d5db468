package models

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/onnx"
)

// Edit changes parts of a preprocessing. Zero fields leave their part unchanged. A preset replaces everything before
// the other parts apply.
type Edit struct {
	Preset string
	Mean   []float64
	Std    []float64
	Resize []int // one number: the shorter side; two: height and width
	Crop   []int // height and width
	Layout string
	Color  string
}

// Empty reports whether the edit changes nothing.
func (e Edit) Empty() bool {
	return e.Preset == "" && e.Mean == nil && e.Std == nil && e.Resize == nil && e.Crop == nil && e.Layout == "" && e.Color == ""
}

// Validate is an error if the edit is invalid for every preprocessing.
func (e Edit) Validate() error {
	_, err := e.Apply(unitFor(3))
	return err
}

// Apply returns the edited preprocessing. It is an error if the result is invalid.
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

// Base returns the preprocessing to edit: the stated one in JSON, else the model's own. If there is neither, an edit
// that states the normalisation starts from pixels in [0, 1]. Otherwise the error is ErrNoPreprocessing.
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

// unitFor maps pixels to [0, 1]. It is the base of a preprocessing stated from nothing.
func unitFor(channels int) Preprocessing {
	p := Preprocessing{Layout: "NCHW", Color: "RGB", Scale: 255, Mean: []float64{0}, Std: []float64{1}}
	if channels == 1 {
		p.Color = "GRAY"
	}
	return p
}

// channels is the number of channels of the model's input, 0 if unknown.
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
