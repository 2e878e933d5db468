package pipeline

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/models"
)

func TestPreprocessingEdit(t *testing.T) {
	imagenet, err := models.Preset("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	bicubic := imagenet
	bicubic.Resize = &models.Resize{Short: 300, Mode: "bicubic"}
	with := func(p models.Preprocessing, change func(*models.Preprocessing)) models.Preprocessing {
		change(&p)
		return p
	}
	for _, tc := range []struct {
		name       string
		edit       PreprocessingEdit
		from, want models.Preprocessing
	}{
		{"nothing", PreprocessingEdit{}, imagenet, imagenet},
		{"mean", PreprocessingEdit{Mean: []float64{0.5}}, imagenet, with(imagenet, func(p *models.Preprocessing) { p.Mean = []float64{0.5} })},
		{"std", PreprocessingEdit{Std: []float64{1, 2, 3}}, imagenet, with(imagenet, func(p *models.Preprocessing) { p.Std = []float64{1, 2, 3} })},
		{"resize keeps the mode", PreprocessingEdit{Resize: []int{200}}, bicubic, with(bicubic, func(p *models.Preprocessing) {
			p.Resize = &models.Resize{Short: 200, Mode: "bicubic"}
		})},
		{"resize to a size", PreprocessingEdit{Resize: []int{20, 30}}, unitFor(3), with(unitFor(3), func(p *models.Preprocessing) {
			p.Resize = &models.Resize{Size: []int{20, 30}, Mode: "bilinear"}
		})},
		{"crop, layout, colour", PreprocessingEdit{Crop: []int{9, 9}, Layout: "nhwc", Color: "bgr"}, imagenet, with(imagenet, func(p *models.Preprocessing) {
			p.Crop, p.Layout, p.Color = []int{9, 9}, "NHWC", "BGR"
		})},
		{"preset replaces all, parts come after", PreprocessingEdit{Preset: "imagenet", Crop: []int{192, 192}}, bicubic, with(imagenet, func(p *models.Preprocessing) {
			p.Crop = []int{192, 192}
		})},
	} {
		got, err := tc.edit.apply(tc.from)
		if d := cmp.Diff(tc.want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", tc.name, err, d)
		}
	}
	for _, bad := range []PreprocessingEdit{{Preset: "nothing"}, {Std: []float64{0}}, {Mean: []float64{1, 2}}, {Layout: "HW"}, {Color: "CMYK"}, {Crop: []int{0, 4}}} {
		if _, err := bad.apply(imagenet); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
