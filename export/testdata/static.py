"""onnxruntime's own static quantization of a float model: static.py MODEL.onnx OUT.onnx SAMPLES N,C,H,W

QDQ, weights int8, activations uint8, ranges by least and greatest value. SAMPLES is a file of N float32 inputs.
"""
import argparse
import os
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Reader(CalibrationDataReader):
    """Gives batches of an array."""

    def __init__(self, name, x, batch):
        self.batches = iter([{name: x[i:i + batch]} for i in range(0, len(x), batch)])

    def get_next(self):
        return next(self.batches, None)


def static(model, out, x, batch=8, per_channel=True):
    """Quantizes the file model into the file out with the ranges that inputs x cause; keeps the model's metadata."""
    name = ort.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()[0].name
    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(model, prepared)
        quantize_static(
            prepared, out, Reader(name, x, batch), quant_format=QuantFormat.QDQ,
            per_channel=per_channel, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )
    quantized = onnx.load(out)
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(onnx.load(model).metadata_props)
    onnx.save(quantized, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("samples")
    parser.add_argument("shape", type=lambda s: [int(d) for d in s.split(",")])
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--per-channel", action="store_true", help="a scale per output channel of weights")
    weights.add_argument("--per-tensor", action="store_true", help="one scale per weight tensor, as onnxruntime does unless told otherwise")
    o = parser.parse_args()
    static(o.model, o.out, np.fromfile(o.samples, np.float32).reshape(o.shape), per_channel=o.per_channel)


if __name__ == "__main__":
    main()
