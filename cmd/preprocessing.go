package cmd

import (
	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/pipeline"
)

// preprocessing builds the preprocessing that the flags state, on top of --preset where that is given. Flags that are
// all absent leave it to the workspace and the model.
func preprocessing(c *cli.Context, o *pipeline.Options) error {
	names := []string{"preset", "mean", "std", "resize", "crop", "layout"}
	stated := false
	for _, n := range names {
		stated = stated || c.IsSet(n)
	}
	if !stated {
		return nil
	}
	p, err := models.Preset("unit")
	if name := c.String("preset"); name != "" {
		p, err = models.Preset(name)
	}
	if err != nil {
		return usagef("--preset: %v", err)
	}
	if err := normalisation(c, &p); err != nil {
		return err
	}
	if err := geometry(c, &p); err != nil {
		return err
	}
	if err := p.Validate(); err != nil {
		return usagef("preprocessing: %v", err)
	}
	o.Preprocessing = p.JSON()
	return nil
}

func normalisation(c *cli.Context, p *models.Preprocessing) error {
	var err error
	if s := c.String("mean"); s != "" {
		if p.Mean, err = floats("mean", s); err != nil {
			return err
		}
	}
	if s := c.String("std"); s != "" {
		if p.Std, err = floats("std", s); err != nil {
			return err
		}
	}
	if s := c.String("layout"); s != "" {
		p.Layout = s
	}
	return nil
}

func geometry(c *cli.Context, p *models.Preprocessing) error {
	if s := c.String("resize"); s != "" {
		size, err := sizeOf("resize", s)
		if err != nil {
			return err
		}
		p.Resize = &models.Resize{Short: size[0], Mode: "bilinear"}
		if len(size) == 2 {
			p.Resize = &models.Resize{Size: size, Mode: "bilinear"}
		}
	}
	if s := c.String("crop"); s != "" {
		size, err := sizeOf("crop", s)
		if err != nil {
			return err
		}
		if len(size) == 1 {
			size = append(size, size[0])
		}
		p.Crop = size
	}
	return nil
}
