package models

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPreprocessingEdit(t *testing.T) {
	imagenet, err := Preset("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	bicubic := imagenet
	bicubic.Resize = &Resize{Short: 300, Mode: "bicubic"}
	with := func(p Preprocessing, change func(*Preprocessing)) Preprocessing {
		change(&p)
		return p
	}
	for _, tc := range []struct {
		name       string
		edit       Edit
		from, want Preprocessing
	}{
		{"nothing", Edit{}, imagenet, imagenet},
		{"mean", Edit{Mean: []float64{0.5}}, imagenet, with(imagenet, func(p *Preprocessing) { p.Mean = []float64{0.5} })},
		{"std", Edit{Std: []float64{1, 2, 3}}, imagenet, with(imagenet, func(p *Preprocessing) { p.Std = []float64{1, 2, 3} })},
		{"resize keeps the mode", Edit{Resize: []int{200}}, bicubic, with(bicubic, func(p *Preprocessing) {
			p.Resize = &Resize{Short: 200, Mode: "bicubic"}
		})},
		{"resize to a size", Edit{Resize: []int{20, 30}}, unitFor(3), with(unitFor(3), func(p *Preprocessing) {
			p.Resize = &Resize{Size: []int{20, 30}, Mode: "bilinear"}
		})},
		{"crop, layout, colour", Edit{Crop: []int{9, 9}, Layout: "nhwc", Color: "bgr"}, imagenet, with(imagenet, func(p *Preprocessing) {
			p.Crop, p.Layout, p.Color = []int{9, 9}, "NHWC", "BGR"
		})},
		{"preset replaces all, parts come after", Edit{Preset: "imagenet", Crop: []int{192, 192}}, bicubic, with(imagenet, func(p *Preprocessing) {
			p.Crop = []int{192, 192}
		})},
	} {
		got, err := tc.edit.Apply(tc.from)
		if d := cmp.Diff(tc.want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", tc.name, err, d)
		}
	}
	for _, bad := range []Edit{{Preset: "nothing"}, {Std: []float64{0}}, {Mean: []float64{1, 2}}, {Layout: "HW"}, {Color: "CMYK"}, {Crop: []int{0, 4}}} {
		if _, err := bad.Apply(imagenet); err == nil {
			t.Errorf("%+v is no error", bad)
		}
	}
}
