package pipeline

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/pipeline/evaluation/session"
	"github.com/mpqc/mpqc/quantize"
)

// sizeUp fills in what a file is: how it stores weights, what runs at which width, and what loading it takes.
func (j *job) sizeUp(f *File, supernet *quantize.Supernet, p quantize.Policy) error {
	var bits, weights int64
	for i := range j.plan.Layers {
		w, _ := j.plan.Bits(p, i)
		if !f.Packed {
			w = export.Named(f.Profile).StoredBits
		}
		bits, weights = bits+int64(w)*j.plan.Layers[i].Params, weights+j.plan.Layers[i].Params
	}
	f.StoredBits = float64(bits) / float64(max(weights, 1))
	if f.Profile != export.ProfileORT {
		return nil
	}
	core, err := j.exportedCore(f.Path)
	if err != nil {
		return err
	}
	data, remove, err := j.document(core)
	if err != nil {
		return err
	}
	defer remove()
	reasons := map[string]string{}
	for _, f := range j.plan.Float {
		reasons[f.Node] = f.Reason
	}
	integers, floats, err := data.FloatOps(j.w.Dir(), reasons)
	f.IntegerOps, f.FloatOps = &integers, floats
	if err != nil || !f.Packed {
		return err
	}
	m, err := export.Export(j.model, j.plan, supernet, p, export.Options{Profile: f.Profile})
	if err != nil {
		return err
	}
	plain, removePlain, err := j.document(m)
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

// saveExported writes a file and what its runtime wants beside it, or changes nothing: a document that could not be used is
// not written, and after an error the files that were there before are there again.
func (j *job) saveExported(m *onnx.Model, path string) error {
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
	return file.Together(files, func() error { return j.saveParts(m, path) })
}

func (j *job) saveParts(m *onnx.Model, path string) error {
	if suffix, data := metadata.Sidecar(m); data != nil {
		name, err := filepath.Rel(j.w.Dir(), sidecarPath(path, suffix))
		if err != nil {
			return err
		}
		if err := j.w.Write(filepath.ToSlash(name), data); err != nil {
			return err
		}
	}
	m, err := m.Outward()
	if err != nil {
		return err
	}
	return j.saveModel("out/"+filepath.Base(path), m)
}

// sidecarPath is the file beside an exported one.
func sidecarPath(path, suffix string) string { return strings.TrimSuffix(path, ".onnx") + suffix }

// loadExported reads a file back as it will be used. What lies beside it replaces the copy in its metadata.
func loadExported(path string) (*onnx.Model, error) {
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

// modelName is the imported model's base name without extension.
func (j *job) modelName() string {
	n := j.w.Manifest.Model.Name
	return strings.TrimSuffix(n, filepath.Ext(n))
}
