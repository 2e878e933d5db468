package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

func isExternal(t *onnxpb.TensorProto) bool {
	return t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL
}

// external reads the tensors that lie in files beside the model (ONNX, docs/ExternalData.md).
type external struct {
	dir    string
	root   *os.Root // refuses every path that leaves dir, through symbolic links too
	files  map[string]*os.File
	places []place
	mapped map[string][]byte // large files, shown as memory; nil for those that must be read
	bytes  int64             // of all places
	size   int64             // of all files
	found  []External
}

// place is where a tensor's data lies.
type place struct {
	tensor   *onnxpb.TensorProto
	location string
	data     *io.SectionReader
	shared   []byte // of a mapped file; nil: data is to be read
}

// mapFrom is the size of file from which on its tensors share its pages. Smaller files are read: they cost little, and
// may then be changed while the model is in use.
const mapFrom = 16 << 20

// External is a file that tensors of a model were read from.
type External struct {
	Path    string // as the model states it, relative to its folder
	Tensors int
	Bytes   int64 // of all of them
}

// note counts a tensor of a file.
func (x *external) note(path string, bytes int) {
	i := slices.IndexFunc(x.found, func(e External) bool { return e.Path == path })
	if i < 0 {
		i = len(x.found)
		x.found = append(x.found, External{Path: path})
	}
	x.found[i].Tensors++
	x.found[i].Bytes += int64(bytes)
}

// readExternal moves all external tensors of the model into it, and lists the files they were in.
func readExternal(m *onnxpb.ModelProto, dir string) (found []External, err error) {
	x := &external{dir: dir, files: map[string]*os.File{}, mapped: map[string][]byte{}}
	defer func() { err = errors.Join(err, x.close()) }()
	err = walkTensors(m, func(t *onnxpb.TensorProto) error {
		if !isExternal(t) {
			return nil
		}
		if err := x.locate(t); err != nil {
			return fmt.Errorf("read external data of tensor %q: %w", t.GetName(), err)
		}
		return nil
	})
	if err == nil {
		err = x.read()
	}
	return x.found, err
}

// close closes all files.
func (x *external) close() error {
	var errs []error
	for _, f := range x.files {
		errs = append(errs, f.Close())
	}
	if x.root != nil {
		errs = append(errs, x.root.Close())
	}
	return errors.Join(errs...)
}

// locate finds the file of a tensor and checks that the data can be in it.
func (x *external) locate(t *onnxpb.TensorProto) error {
	location, offset, length, err := externalEntries(t)
	if err != nil {
		return err
	}
	want, known, err := storedBytes(t)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("element type %d cannot be stored outside the model", t.GetDataType())
	}
	if length >= 0 && length != int64(want) {
		return fmt.Errorf("file %q: shape %v needs %d bytes, the entry says %d", location, t.Dims, want, length)
	}
	f, err := x.open(location)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size := info.Size(); offset > size || int64(want) > size-offset {
		return fmt.Errorf("file %q ends too early: %d bytes at offset %d are needed, it has %d; "+
			"copy it again from where the model came from", location, want, offset, size)
	}
	// Tensors may share a place, so that a small file could stand for any number of bytes.
	if x.bytes += int64(want); x.bytes > max(math.MaxInt32, 2*x.size) {
		return fmt.Errorf("file %q: with it the tensors outside of the model exceed 2 GiB and twice the %d bytes that their files have", location, x.size)
	}
	p := place{tensor: t, location: location}
	if whole := x.mapping(location, f, info.Size()); whole != nil {
		p.shared = whole[offset:][:want:want]
	} else {
		p.data = io.NewSectionReader(f, offset, int64(want))
	}
	x.places = append(x.places, p)
	return nil
}

// mapping is a large file as memory, nil for those that are read. Where mapping fails, reading does as well.
func (x *external) mapping(location string, f *os.File, size int64) []byte {
	if size < mapFrom || size > math.MaxInt {
		return nil
	}
	data, tried := x.mapped[location]
	if !tried {
		data, _ = mapFile(f, size)
		x.mapped[location] = data
	}
	return data
}

// read reads all tensors that were located.
func (x *external) read() error {
	for _, p := range x.places {
		raw := p.shared
		if raw == nil {
			raw = make([]byte, p.data.Size())
			if _, err := io.ReadFull(p.data, raw); err != nil {
				return fmt.Errorf("read external data of tensor %q: file %q: %w", p.tensor.GetName(), p.location, err)
			}
		}
		x.note(p.location, len(raw))
		p.tensor.RawData, p.tensor.ExternalData, p.tensor.DataLocation = raw, nil, nil
	}
	return nil
}

// open opens a file that the model names, unless it lies outside its folder or is not a regular file.
func (x *external) open(location string) (*os.File, error) {
	if f := x.files[location]; f != nil {
		return f, nil
	}
	if x.dir == "" {
		return nil, fmt.Errorf("it lies in file %q, but the model was not read from a folder", location)
	}
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return nil, fmt.Errorf("path %q leaves the model's folder: put the file beside the model and save the model "+
			"with a plain file name as location", location)
	}
	if x.root == nil {
		root, err := os.OpenRoot(x.dir)
		if err != nil {
			return nil, err
		}
		x.root = root
	}
	// Opening a pipe would wait for somebody to write to it, so the kind comes first.
	info, err := x.root.Stat(filepath.FromSlash(location))
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", location)
	}
	var f *os.File
	if err == nil {
		f, err = x.root.Open(filepath.FromSlash(location))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("file %s is missing: copy it from where the model came from into the model's folder",
			filepath.Join(x.dir, location))
	case err != nil:
		return nil, err
	}
	x.files[location] = f
	x.size += info.Size()
	return f, nil
}

// externalEntries reads where a tensor lies; length is -1 if the entry does not say.
func externalEntries(t *onnxpb.TensorProto) (location string, offset, length int64, err error) {
	length = -1
	for _, e := range t.ExternalData {
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil || offset < 0 || length < -1 {
			return "", 0, 0, fmt.Errorf("%s %q is not a size in bytes", e.GetKey(), e.GetValue())
		}
	}
	if location == "" {
		return "", 0, 0, fmt.Errorf("the entry names no file")
	}
	return location, offset, length, nil
}

// walkTensors visits every dense tensor of a model: constants and attributes of graphs, subgraphs and functions.
func walkTensors(m *onnxpb.ModelProto, visit func(*onnxpb.TensorProto) error) error {
	graphs := []*onnxpb.GraphProto{m.Graph}
	for _, t := range m.TrainingInfo {
		graphs = append(graphs, t.Initialization, t.Algorithm)
	}
	for _, f := range m.Functions {
		graphs = append(graphs, &onnxpb.GraphProto{Node: f.Node})
	}
	for _, g := range graphs {
		if g == nil {
			continue
		}
		var err error
		walkGraphs(g, func(g *onnxpb.GraphProto) {
			for _, t := range graphTensors(g) {
				if err == nil {
					err = visit(t)
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// graphTensors lists the constants of a graph, and those in attributes of its nodes.
func graphTensors(g *onnxpb.GraphProto) []*onnxpb.TensorProto {
	out := append([]*onnxpb.TensorProto(nil), g.Initializer...)
	sparse := append([]*onnxpb.SparseTensorProto(nil), g.SparseInitializer...)
	for _, n := range g.Node {
		for _, a := range n.Attribute {
			if a.T != nil {
				out = append(out, a.T)
			}
			out = append(out, a.Tensors...)
			if a.SparseTensor != nil {
				sparse = append(sparse, a.SparseTensor)
			}
			sparse = append(sparse, a.SparseTensors...)
		}
	}
	for _, s := range sparse {
		for _, t := range []*onnxpb.TensorProto{s.Values, s.Indices} {
			if t != nil {
				out = append(out, t)
			}
		}
	}
	return out
}

// ExternalFiles lists the files that tensors of a model file lie in, as it states them: sorted, none that leaves its
// folder or is no file to read, and nothing checked to be there. What cannot be read as a model has none.
func ExternalFiles(path string) []string {
	data, err := readModel(path)
	if err != nil || checkForm(data) != nil {
		return nil
	}
	pb := &onnxpb.ModelProto{}
	if (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(data, pb) != nil || pb.Graph == nil {
		return nil
	}
	var found []string
	_ = walkTensors(pb, func(t *onnxpb.TensorProto) error { // fails only if the visitor does
		if location, _, _, err := externalEntries(t); err == nil && isExternal(t) && filepath.IsLocal(filepath.FromSlash(location)) {
			found = append(found, location)
		}
		return nil
	})
	slices.Sort(found)
	found = slices.Compact(found)
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }() // only read
	return slices.DeleteFunc(found, func(name string) bool {
		info, err := root.Stat(filepath.FromSlash(name))
		return err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular()
	})
}
