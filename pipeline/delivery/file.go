package delivery

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/pipeline/record"
	"github.com/mpqc/mpqc/pipeline/stage"
	"github.com/mpqc/mpqc/pipeline/workspace"
	"github.com/mpqc/mpqc/quantize"
)

// write exports a policy in the dialect of a profile, and returns the supernet as the file holds it.
func (d *desk) write(ctx context.Context, profile export.Profile, x prepared) (*record.File, *quantize.Supernet, error) {
	sup := d.supernet
	packed := d.options.Packed && profile.Unpackable == ""
	name := fmt.Sprintf("%s-%s.%s.onnx", ModelName(d.env), workspace.FileName(x.target), profile.Name)
	if packed {
		name = strings.TrimSuffix(name, ".onnx") + ".packed.onnx"
	}
	rep := d.env.Start(event.StageExport, x.target, "writing "+name)
	arrays, limited, err := profile.Supernet(sup.Plan, x.supernet, x.policy)
	if err != nil {
		return nil, nil, err
	}
	m, err := export.Export(sup.Model, sup.Plan, arrays, x.policy, export.Options{Profile: profile.Name, Packed: packed, Tail: sup.Network.Partition.Tail()})
	if err != nil {
		return nil, nil, err
	}
	path := d.env.Workspace.Path("out", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, err
	}
	if err := d.save(m, path); err != nil {
		return nil, nil, err
	}
	if err := d.record(strings.TrimSuffix(name, ".onnx"), profile, x); err != nil {
		return nil, nil, err
	}
	f := &record.File{Profile: profile.Name, Path: path, Limited: append([]string{}, limited...), Packed: packed}
	if err := describe(ctx, f); err != nil {
		return nil, nil, err
	}
	d.env.Seconds.Export += rep.Done(path)
	return f, arrays, nil
}

// record writes what verify needs beside an exported file.
func (d *desk) record(name string, profile export.Profile, x prepared) error {
	sum, err := d.env.Workspace.Sum(x.overlay)
	if err != nil {
		return err
	}
	return d.env.Workspace.WriteJSON("out/"+name+".json", record.Export{
		Target: x.target, Profile: profile.Name, Supernet: d.supernet.Stamp, Overlay: x.overlay, OverlaySHA256: sum, Policy: x.policy,
		Version: profile.SupernetVersion(),
	})
}

// sizeUp fills in what a file is: how it stores weights, what runs at which width, and what loading it takes.
func (d *desk) sizeUp(f *record.File, supernet *quantize.Supernet, p quantize.Policy) error {
	var bits, weights int64
	for i := range d.supernet.Plan.Layers {
		w, _ := d.supernet.Plan.Bits(p, i)
		if !f.Packed {
			w = export.Named(f.Profile).StoredBits
		}
		bits, weights = bits+int64(w)*d.supernet.Plan.Layers[i].Params, weights+d.supernet.Plan.Layers[i].Params
	}
	f.StoredBits = float64(bits) / float64(max(weights, 1))
	if f.Profile != export.ProfileORT {
		return nil
	}
	core, err := exportedCore(d.supernet.Network, f.Path)
	if err != nil {
		return err
	}
	data, remove, err := session.Of(core, d.env.Workspace.Dir())
	if err != nil {
		return err
	}
	defer remove()
	reasons := map[string]string{}
	for _, n := range d.supernet.Plan.Float {
		reasons[n.Node] = n.Reason
	}
	integers, floats, err := data.FloatOps(d.env.Workspace.Dir(), reasons)
	f.IntegerOps, f.FloatOps = &integers, floats
	if err != nil || !f.Packed {
		return err
	}
	m, err := export.Export(d.supernet.Model, d.supernet.Plan, supernet, p, export.Options{Profile: f.Profile})
	if err != nil {
		return err
	}
	plain, removePlain, err := session.Of(m, d.env.Workspace.Dir())
	if err != nil {
		return err
	}
	defer removePlain()
	costs, err := session.LoadCosts(data, plain)
	if err != nil {
		return err
	}
	f.Load, f.PlainLoad, f.PlainLength = &costs[0], &costs[1], m.Size()
	return nil
}

// save writes a file and what its runtime wants beside it, or changes nothing: a document that could not be used is
// not written, and after an error the files that were there before are there again.
func (d *desk) save(m *onnx.Model, path string) error {
	if err := m.Validate(); err != nil {
		return fmt.Errorf("export %s: %w", path, err)
	}
	if _, err := export.Standard(m); err != nil {
		return fmt.Errorf("export %s: %w", path, err)
	}
	files := []string{path, path + onnx.DataSuffix}
	if suffix, data := metadata.Sidecar(m); data != nil {
		files = append(files, sidecarPath(path, suffix))
	}
	return file.Together(files, func() error { return d.saveParts(m, path) })
}

func (d *desk) saveParts(m *onnx.Model, path string) error {
	if suffix, data := metadata.Sidecar(m); data != nil {
		name, err := filepath.Rel(d.env.Workspace.Dir(), sidecarPath(path, suffix))
		if err != nil {
			return err
		}
		if err := d.env.Workspace.Write(filepath.ToSlash(name), data); err != nil {
			return err
		}
	}
	m, err := m.Outward()
	if err != nil {
		return err
	}
	return d.env.SaveModel("out/"+filepath.Base(path), m)
}

// sidecarPath is the file beside an exported one.
func sidecarPath(path, suffix string) string { return strings.TrimSuffix(path, ".onnx") + suffix }

// LoadExported reads a file back as it will be used. What lies beside it replaces the copy in its metadata.
func LoadExported(path string) (*onnx.Model, error) {
	m, err := onnx.Load(path)
	if err != nil {
		return nil, fmt.Errorf("reload exported file: %w", err)
	}
	if suffix, _ := metadata.Sidecar(m); suffix != "" {
		beside := sidecarPath(path, suffix)
		data, err := file.Read(beside, file.TextMost)
		if err != nil {
			return nil, fmt.Errorf("reload exported file: %w: %s belongs beside %s, which means nothing without it", err, filepath.Base(beside), path)
		}
		m.SetMetadata(metadata.EncodingsKey, string(data))
	}
	if m, err = m.Inward(); err != nil {
		return nil, fmt.Errorf("reload exported file: %w", err)
	}
	return m, m.Validate()
}

// ModelName is the imported model's base name without extension.
func ModelName(e *stage.Env) string {
	n := e.Workspace.Manifest.Model.Name
	return strings.TrimSuffix(n, filepath.Ext(n))
}
