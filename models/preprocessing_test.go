package models_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

func TestParsePreprocessing(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"defaults", `{}`, ""},
		{"all", `{"layout":"NHWC","color":"BGR","scale":1,"mean":[1,2,3],"std":[4],"resize":{"size":[4,5],"mode":"bicubic"},"crop":[2,2]}`, ""},
		{"unknown member", `{"sclae":255}`, "sclae"},
		{"no json", `imagenet`, "read preprocessing"},
		{"layout", `{"layout":"CHW"}`, `layout "CHW"`},
		{"color", `{"color":"YUV"}`, `color "YUV"`},
		{"scale", `{"scale":0}`, "scale 0"},
		{"channels", `{"mean":[1,2]}`, "mean has 2 numbers"},
		{"std", `{"std":[0]}`, "std 0"},
		{"both sizes", `{"resize":{"size":[1,1],"short":3}}`, "either size or short"},
		{"mode", `{"resize":{"short":3,"mode":"lanczos"}}`, "lanczos"},
		{"crop", `{"crop":[0,3]}`, "crop [0 3]"},
		{"several", `{"scale":-1,"layout":"x"}`, "scale -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := models.ParsePreprocessing(c.text)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := models.ParsePreprocessing(p.JSON())
			if err != nil || !cmp.Equal(p, again) {
				t.Errorf("%v after a round trip: %s", err, cmp.Diff(p, again))
			}
		})
	}
}

func TestPresetsAreValid(t *testing.T) {
	for _, n := range []string{"imagenet", "cifar10", "fashion-mnist", "unit", "raw"} {
		p, err := models.Preset(n)
		if err != nil || p.Validate() != nil {
			t.Errorf("preset %s: %v, %v", n, err, p.Validate())
		}
		if !strings.Contains(models.ErrNoPreprocessing.Error(), n) {
			t.Errorf("the error does not name preset %s", n)
		}
	}
	if _, err := models.Preset("x"); err == nil || !strings.Contains(err.Error(), "imagenet") {
		t.Errorf("error %v does not list the presets", err)
	}
}

func TestNewPreprocessing(t *testing.T) {
	m, err := onnx.Load(testkit.Shared(t, "models/efficientnet-lite0-imagenet.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := models.NewPreprocessing(m, "")
	if err != nil || p.Resize.Short != 256 || p.Resize.Mode != "bicubic" || p.Mean[0] != 127 {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = models.NewPreprocessing(m, `{"scale":7}`); err != nil || p.Scale != 7 || p.Crop != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err = models.NewPreprocessing(onnx.New(17), ""); !errors.Is(err, models.ErrNoPreprocessing) {
		t.Errorf("error %v", err)
	}
}
