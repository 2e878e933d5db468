package export

import (
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// layerInput gives a layer the codes it computes with: those of the value, or where the value is a stream and the
// layer has fewer than 8 activation bits, codes of that width made from the stream's.
func (e *exporter) layerInput(layer int, q quantizer, name string, codes *onnx.Value, n *onnx.Node) error {
	grid, stream, err := e.plan.Read(e.supernet, e.policy, layer)
	if err != nil {
		return err
	}
	point := e.plan.Layers[layer].Point
	if !e.plan.Points[point].Stream || stream {
		return e.read(q, codes, onnx.Use{Node: n, Index: 0})
	}
	_, a := e.plan.Bits(e.policy, layer)
	key := quantize.CodesKey(name, a, false)
	below, err := e.quantizer(key, grid)
	if err != nil {
		return err
	}
	requantized := e.requantized[key]
	if requantized == nil {
		if requantized, err = e.requantize(q, below, key, codes); err != nil {
			return err
		}
		e.requantized[key] = requantized
		e.record(key, requantized, n.Name(), a, &e.plan.Points[point], grid, false)
	}
	return e.read(below, requantized, onnx.Use{Node: n, Index: 0})
}

// requantize makes codes of a narrower grid from those of a stream.
func (e *exporter) requantize(from, to quantizer, key string, codes *onnx.Value) (*onnx.Value, error) {
	v, err := e.dequantize(from, codes, key+"/dequantize", key+"/dequantized")
	if err != nil {
		return nil, err
	}
	if v, err = e.separate(v, key, key); err != nil {
		return nil, err
	}
	return e.codes(to, v, key, key)
}
