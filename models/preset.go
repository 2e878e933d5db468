package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Preset returns a well-known preprocessing: imagenet, cifar10, fashion-mnist, unit (pixels in [0, 1]) or raw (pixels
// in [0, 255]). Other names are an error.
func Preset(name string) (Preprocessing, error) {
	all := presets()
	p, ok := all[name]
	if !ok {
		return Preprocessing{}, fmt.Errorf("there is no preset %q (%s)", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	return p, nil
}

// presets lists the presets by name.
func presets() map[string]Preprocessing {
	imagenet := Preprocessing{
		Layout: "NCHW", Color: "RGB", Scale: 255, Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225},
		Resize: &Resize{Short: 256, Mode: "bilinear"}, Crop: []int{224, 224},
	}
	cifar := imagenet
	cifar.Resize, cifar.Crop = nil, nil
	cifar.Mean, cifar.Std = []float64{0.4914, 0.4822, 0.4465}, []float64{0.2470, 0.2435, 0.2616}
	unit := Preprocessing{Layout: "NCHW", Color: "RGB", Scale: 255, Mean: []float64{0}, Std: []float64{1}}
	raw := unit
	raw.Scale = 1
	return map[string]Preprocessing{
		"imagenet": imagenet, "cifar10": cifar, "unit": unit, "raw": raw,
		// Mean and standard deviation of the 60,000 training samples.
		"fashion-mnist": {Layout: "NCHW", Color: "GRAY", Scale: 255, Mean: []float64{0.2860}, Std: []float64{0.3530}},
	}
}
