package pipeline

import (
	"context"

	"github.com/mpqc/mpqc/pipeline/network"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
)

// Import reads a model, normalises it and writes a workspace that later stages work in.
func Import(ctx context.Context, o Options) (r *ImportResult, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Workspace == "" {
		o.Workspace = workspace.For(o.Model)
	}
	s, c, err := openLocked(o)
	if err != nil {
		return nil, err
	}
	defer func() { s.leave(err) }()
	net, err := importModel(ctx, s.env, c)
	if err != nil {
		return nil, err
	}
	w := s.env.Workspace
	if net.Replanned() {
		w.Manifest.Options = c.Options
	}
	if err := net.Record(s.env); err != nil {
		return nil, err
	}
	r = &ImportResult{}
	if w.ReadJSON(stage.ImportFile, net.Plan, r) != nil { // of another program, which had another plan
		described := net.Describe()
		r = &described
		if err := w.WriteJSON(stage.ImportFile, described); err != nil {
			return nil, err
		}
	}
	r.Workspace = w.Dir()
	return r, nil
}

// importModel is the import stage of a call. Samples that nobody has looked at yet are not put on record with it.
func importModel(ctx context.Context, e *stage.Env, c call) (*network.Network, error) {
	m := &e.Workspace.Manifest
	m.Options = c.Options
	m.Options.Data, m.Options.Preprocessing = c.kept.Data, c.kept.Preprocessing
	return network.Import(ctx, e, network.Source{Path: c.stated.Model, Retrain: c.Retrain}, c.ModelOptions, c.WidthOptions)
}
