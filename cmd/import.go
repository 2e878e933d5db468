package cmd

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/internal/legible"
	"github.com/mpqc/mpqc/pipeline"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "read, check and normalise a model into a workspace; show what will be quantized",
		ArgsUsage: "MODEL.onnx",
		Flags:     commonFlags(append(candidateFlags(), workspaceFlag())...),
		Action:    runImport,
	}
}

func runImport(c *cli.Context) error {
	model, err := oneArgument(c, "model", true)
	if err != nil {
		return err
	}
	o := pipeline.Options{Model: model, Workspace: c.String("workspace"), Exclude: list(c.StringSlice("exclude"))}
	if err := common(c, &o); err != nil {
		return err
	}
	if err := bitFlags(c, &o); err != nil {
		return err
	}
	view := newView(c)
	defer view.close()
	o.Events = view.sink()
	r, err := pipeline.Import(c.Context, o)
	if err != nil {
		return err
	}
	view.close()
	if c.Bool("json") {
		return writeJSON(c.App.Writer, r)
	}
	return importTable(c.App.Writer, r)
}

// bitFlags reads --bits, --weight-bits and --activation-bits.
func bitFlags(c *cli.Context, o *pipeline.Options) error {
	if c.String("bits") == "float" {
		if c.IsSet("weight-bits") || c.IsSet("activation-bits") {
			return usagef("--bits excludes --weight-bits and --activation-bits")
		}
		o.Float = true
		return nil
	}
	both, err := ints("bits", c.String("bits"))
	if err != nil {
		return err
	}
	if o.WeightBits, err = ints("weight-bits", c.String("weight-bits")); err != nil {
		return err
	}
	if o.ActivationBits, err = ints("activation-bits", c.String("activation-bits")); err != nil {
		return err
	}
	if len(both) > 0 && (len(o.WeightBits) > 0 || len(o.ActivationBits) > 0) {
		return usagef("--bits excludes --weight-bits and --activation-bits")
	}
	if len(both) > 0 {
		o.WeightBits, o.ActivationBits = both, both
	}
	return nil
}

func importTable(w io.Writer, r *pipeline.ImportResult) error {
	if err := layerTable(w, r.Layers, r.Groups); err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "\n! %s: %s\n  %s\n", legible.Line(p.Node), p.Reason, p.Fix)
	}
	fmt.Fprintf(w, "\nuniform:")
	for _, u := range r.Uniform {
		fmt.Fprintf(w, "  %d bit %s BitOPs", u.Bits, count(u.BitOPs))
	}
	fmt.Fprintf(w, "\nworkspace %s; next: mpqc compress --data PICTURES --target 4.0bit\n", legible.Line(r.Workspace))
	return nil
}

// layerTable shows what each layer may take.
func layerTable(w io.Writer, layers []pipeline.ImportLayer, groups []pipeline.Group) error {
	t := newTable("layer", "op", "weights", "MACs", "params", "weight bits", "activation bits", "")
	var macs, params int64
	floats := 0
	for _, l := range layers {
		macs, params = macs+l.MACs, params+l.Params
		if l.FloatReason != "" {
			floats++
		}
		note := l.FloatReason
		if l.Fixed {
			note = "fixed: first or last"
		}
		t.row(l.Node, l.Op, shapeText(l.Shape), count(l.MACs), count(l.Params), bitsText(l.Candidates), bitsText(l.ActivationCandidates), note)
	}
	t.rule()
	sum := fmt.Sprintf("%d layers, %d groups", len(layers)-floats, len(groups))
	if floats > 0 {
		sum += fmt.Sprintf(", %d in float", floats)
	}
	t.row(sum, "", "", count(macs), count(params), "", "", "")
	return t.write(w)
}
