package cmd

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/mpqc/mpqc/internal/legible"
	"github.com/mpqc/mpqc/pipeline"
	"github.com/mpqc/mpqc/pipeline/record"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "read, check and normalise a model into a workspace, show what will be quantized",
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
	var o pipeline.Options
	if err := bind(c, &o); err != nil {
		return err
	}
	o.Model = model
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
	fmt.Fprintf(w, "\nworkspace %s; next: mpqc compress --data DATA --target 4.0bit\n", legible.Line(r.Workspace))
	return nil
}

// layerTable shows what each layer may take.
func layerTable(w io.Writer, layers []record.ImportLayer, groups []record.Group) error {
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
