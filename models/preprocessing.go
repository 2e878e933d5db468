package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/onnx"
)

// PreprocessingKey is the metadata key of a model's preprocessing in JSON.
const PreprocessingKey = "org.mpqc.preprocessing"

// ErrNoPreprocessing says that neither the model nor the user states how images become input.
var ErrNoPreprocessing = errors.New("the model does not say how samples become its input; state it with --preset NAME (" +
	"imagenet, cifar10, fashion-mnist, unit, raw) or with --mean R,G,B --std R,G,B, and if needed --resize, --crop and --layout")

// Preprocessing turns an 8-bit image into a model's input: colours, resize, centre crop, (v/Scale - Mean)/Std, layout.
type Preprocessing struct {
	Layout string    `json:"layout"`           // NCHW or NHWC
	Color  string    `json:"color"`            // RGB, BGR or GRAY
	Scale  float64   `json:"scale"`            // divisor of pixels, as a rule 255 or 1
	Mean   []float64 `json:"mean"`             // one number, or one per channel
	Std    []float64 `json:"std"`              // one number, or one per channel
	Resize *Resize   `json:"resize,omitempty"` // nil: images keep their size
	Crop   []int     `json:"crop,omitempty"`   // height and width of the centre crop; nil: none
}

// Resize is the size that an image is scaled to. Exactly one of Size and Short is set.
type Resize struct {
	Size  []int `json:"size,omitempty"`  // height and width
	Short int   `json:"short,omitempty"` // length of the shorter side; the other follows
	// Mode is bilinear (also "") or bicubic. Both widen their support when they shrink.
	Mode string `json:"mode,omitempty"`
}

// ParsePreprocessing parses the JSON form. Missing members mean NCHW, RGB, scale 255, mean 0 and standard deviation 1.
// Unknown members are an error: a wrongly prepared image costs accuracy without any other sign.
func ParsePreprocessing(text string) (Preprocessing, error) {
	p := Preprocessing{Layout: "NCHW", Color: "RGB", Scale: 255}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Preprocessing{}, fmt.Errorf("read preprocessing: %w", err)
	}
	if p.Mean == nil {
		p.Mean = []float64{0}
	}
	if p.Std == nil {
		p.Std = []float64{1}
	}
	if err := p.Validate(); err != nil {
		return Preprocessing{}, fmt.Errorf("read preprocessing: %w", err)
	}
	return p, nil
}

// ModelPreprocessing reads the preprocessing from a model's metadata; ok is false if there is none.
func ModelPreprocessing(m *onnx.Model) (p Preprocessing, ok bool, err error) {
	text, ok := m.Metadata(PreprocessingKey)
	if !ok || text == "" {
		return Preprocessing{}, false, nil
	}
	p, err = ParsePreprocessing(text)
	return p, true, err
}

// NewPreprocessing returns what the user stated in JSON, else what the model states. Otherwise the error is
// ErrNoPreprocessing.
func NewPreprocessing(m *onnx.Model, stated string) (Preprocessing, error) {
	if stated != "" {
		return ParsePreprocessing(stated)
	}
	p, ok, err := ModelPreprocessing(m)
	if err == nil && !ok {
		err = ErrNoPreprocessing
	}
	return p, err
}

// JSON returns the form that ParsePreprocessing parses.
func (p Preprocessing) JSON() string {
	b, err := json.Marshal(p)
	if err != nil {
		return "" // infinite numbers, which Validate refuses
	}
	return string(b)
}

// Channels is 1 for GRAY, else 3.
func (p Preprocessing) Channels() int {
	if p.Color == "GRAY" {
		return 1
	}
	return 3
}

// Validate lists everything that is wrong.
func (p Preprocessing) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains([]string{"NCHW", "NHWC"}, p.Layout) {
		bad("layout %q is neither NCHW nor NHWC", p.Layout)
	}
	if !slices.Contains([]string{"RGB", "BGR", "GRAY"}, p.Color) {
		bad("color %q is none of RGB, BGR, GRAY", p.Color)
	}
	if !(p.Scale > 0) || math.IsInf(p.Scale, 0) {
		bad("scale %v is not positive", p.Scale)
	}
	for name, v := range map[string][]float64{"mean": p.Mean, "std": p.Std} {
		if len(v) != 1 && len(v) != p.Channels() {
			bad("%s has %d numbers, color %s needs 1 or %d", name, len(v), p.Color, p.Channels())
		}
		for _, x := range v {
			if !(math.Abs(x) <= maxNormal) || name == "std" && !(x > 0) {
				bad("%s %v is not usable", name, x)
			}
		}
	}
	if p.Resize != nil {
		errs = append(errs, p.Resize.validate())
	}
	if p.Crop != nil && !size2(p.Crop) {
		bad("crop %v is not a height and a width", p.Crop)
	}
	slices.SortFunc(errs, func(a, b error) int { return bytes.Compare(message(a), message(b)) })
	return errors.Join(errs...)
}

// validate is an error if the size or the mode is invalid.
func (r *Resize) validate() error {
	if (r.Size != nil) == (r.Short != 0) {
		return errors.New("resize needs either size or short")
	}
	if r.Size != nil && !size2(r.Size) || r.Short < 0 || r.Short > maxSide {
		return fmt.Errorf("resize to %v, short side %d is not possible", r.Size, r.Short)
	}
	if !slices.Contains([]string{"", "bilinear", "bicubic"}, r.Mode) {
		return fmt.Errorf("resize mode %q is neither bilinear nor bicubic", r.Mode)
	}
	return nil
}

// maxNormal bounds means and standard deviations.
const maxNormal = 1e6

// maxSide bounds stated sizes. Larger ones are typing errors and would allocate gigabytes.
const maxSide = 1 << 14

// size2 reports whether v is a valid height and width.
func size2(v []int) bool {
	return len(v) == 2 && min(v[0], v[1]) > 0 && max(v[0], v[1]) <= maxSide
}

// message is the text of an error as JSON takes it, nil without one.
func message(err error) []byte {
	if err == nil {
		return nil
	}
	return []byte(err.Error())
}

// Target returns the height and width that an image of the given height and width is resized to.
func (r *Resize) Target(height, width int) (h, w int) {
	switch {
	case r.Size != nil:
		return r.Size[0], r.Size[1]
	case height < width:
		return r.Short, max(1, r.Short*width/height)
	default:
		return max(1, r.Short*height/width), r.Short
	}
}
