package doctor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/quantize"
)

// next is the command to run after this one: the options stated here, and those found to be needed.
func next(d *doctor) string {
	if d.result.Stops() {
		return "mpqc doctor " + quoteWord(d.o.Model) + "   (again, once the problems that stop the job are repaired)"
	}
	words := []string{"mpqc compress", quoteWord(d.o.Model)}
	add := func(flag, value string) {
		words = append(words, flag)
		if value != "" {
			words = append(words, quoteWord(value))
		}
	}
	switch {
	case d.stated.Data != "":
		add("--data", d.stated.Data)
	case d.o.Data == "":
		add("--data", "DATA")
	}
	if t := target(d); t != "" {
		add("--target", t)
	}
	if d.result.Profile != export.ProfileORT {
		add("--profile", d.result.Profile)
	}
	widths(d, add)
	if len(d.o.Exclude) > 0 {
		add("--exclude", strings.Join(d.o.Exclude, ","))
	}
	if unlabelled(d) {
		add("--no-labels", "")
	}
	if len(d.o.OutputKinds) > 0 {
		add("--outputs", strings.Join(d.o.OutputKinds, ","))
	}
	if d.stated.Holdout != nil {
		add("--holdout", strconv.FormatFloat(*d.stated.Holdout, 'g', -1, 64))
	}
	if d.stated.Develop != nil {
		add("--develop", strconv.Itoa(*d.stated.Develop))
	}
	if d.fits > 0 {
		add("--batch", strconv.Itoa(d.fits))
	}
	editFlags(d.o.Edit, add)
	if d.o.OnnxRuntime != "" {
		add("--onnxruntime", d.o.OnnxRuntime)
	}
	return strings.Join(words, " ")
}

// widths adds the flags of the candidates.
func widths(d *doctor, add func(flag, value string)) {
	w, a := d.stated.WeightBits, d.stated.ActivationBits
	switch {
	case d.stated.Float:
		add("--bits", "float")
	case len(w) > 0 && slices.Equal(w, a):
		add("--bits", listed(w))
	default:
		if len(w) > 0 {
			add("--weight-bits", listed(w))
		}
		if len(a) > 0 {
			add("--activation-bits", listed(a))
		}
	}
}

// target returns the usual target if the candidates can reach it, else one that they can, or "" if there is no choice.
func target(d *doctor) string {
	if d.plan == nil || d.stated.Float {
		return ""
	}
	if d.plan.Max().Equal(d.plan.Min()) {
		return ""
	}
	usual, err := quantize.ParseTarget(pipeline.DefaultTarget)
	if err != nil {
		return pipeline.DefaultTarget
	}
	lo, hi := usual.Feasible(d.plan)
	for _, text := range []string{pipeline.DefaultTarget, fmt.Sprintf("%.1fbit", (lo+hi)/2), fmt.Sprintf("%.2fbit", math.Floor(100*hi)/100)} {
		if t, err := quantize.ParseTarget(text); err == nil && t.Validate(d.plan) == nil {
			if _, err := quantize.BudgetUniform(d.plan, t); err == nil {
				return text
			}
		}
	}
	return pipeline.DefaultTarget
}

// unlabelled reports whether training works toward the float model's outputs: by option, or because no output is a row
// of class scores, so that labels have no meaning.
func unlabelled(d *doctor) bool {
	if d.o.NoLabels != nil && *d.o.NoLabels {
		return true
	}
	// Features need no flag: compress sees what they are, and eval takes labels for the layers behind them.
	return d.model != nil && len(d.result.Outputs) > 0 && !d.scores() && !d.parts.HoldsLayers()
}

// guess returns a preprocessing for a model that does not state one. It makes an input of any image.
func guess(m *onnx.Model) pipeline.PreprocessingEdit {
	inputs := m.Graph.Inputs()
	if len(inputs) == 0 {
		return pipeline.PreprocessingEdit{Preset: "unit"}
	}
	s, known := inputs[0].Shape()
	if !known || len(s) != 4 {
		return pipeline.PreprocessingEdit{Preset: "raw"} // arrays, taken as they are
	}
	var e pipeline.PreprocessingEdit
	c, h, w := s[1], s[2], s[3]
	if last := s[3]; c != 1 && c != 3 && (last == 1 || last == 3) {
		e.Layout, c, h, w = "NHWC", last, s[1], s[2]
	}
	usual, err := models.Preset("imagenet")
	switch {
	case c == 1:
		e.Preset, e.Color, e.Resize = "unit", "GRAY", []int{h, w}
	case err == nil && slices.Equal(usual.Crop, []int{h, w}):
		e.Preset = "imagenet"
	default:
		e.Preset, e.Resize, e.Crop = "imagenet", []int{h, w}, []int{h, w}
	}
	return e
}

// editFlags adds the flags that state an edit.
func editFlags(e pipeline.PreprocessingEdit, add func(flag, value string)) {
	numbers := func(v []float64) string {
		var out []string
		for _, x := range v {
			out = append(out, strconv.FormatFloat(x, 'g', -1, 64))
		}
		return strings.Join(out, ",")
	}
	for _, f := range []struct{ flag, value string }{
		{"--preset", e.Preset},
		{"--mean", numbers(e.Mean)},
		{"--std", numbers(e.Std)},
		{"--resize", strings.ReplaceAll(listed(e.Resize), ",", "x")},
		{"--crop", strings.ReplaceAll(listed(e.Crop), ",", "x")},
		{"--layout", e.Layout},
		{"--color", e.Color},
	} {
		if f.value != "" {
			add(f.flag, f.value)
		}
	}
}

// flagsText formats an edit as flags.
func flagsText(e pipeline.PreprocessingEdit) string {
	var out []string
	editFlags(e, func(flag, value string) { out = append(out, flag+" "+quoteWord(value)) })
	return strings.Join(out, " ")
}

// listed formats numbers as 2,3,4.
func listed(v []int) string {
	var out []string
	for _, x := range v {
		out = append(out, strconv.Itoa(x))
	}
	return strings.Join(out, ",")
}

// quoteWord quotes a text as one word for a shell.
func quoteWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:=@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
