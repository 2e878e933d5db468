package cmd

import (
	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/pipeline"
)

// preprocessing reads the flags that say how samples become input. They change what the workspace or the model says,
// so they stay what was stated; the pipeline applies them.
func preprocessing(c *cli.Context, o *pipeline.Options) error {
	e := pipeline.PreprocessingEdit{Preset: c.String("preset"), Layout: c.String("layout"), Color: c.String("color")}
	var err error
	if s := c.String("mean"); s != "" {
		if e.Mean, err = floats("mean", s); err != nil {
			return err
		}
	}
	if s := c.String("std"); s != "" {
		if e.Std, err = floats("std", s); err != nil {
			return err
		}
	}
	if s := c.String("resize"); s != "" {
		if e.Resize, err = sizeOf("resize", s); err != nil {
			return err
		}
	}
	if s := c.String("crop"); s != "" {
		if e.Crop, err = sizeOf("crop", s); err != nil {
			return err
		}
		if len(e.Crop) == 1 {
			e.Crop = append(e.Crop, e.Crop[0])
		}
	}
	o.Edit = e
	return nil
}
