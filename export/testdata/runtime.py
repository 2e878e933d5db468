"""Prints what a runtime predicts with a file: runtime.py written|onnxruntime|openvino MODEL SAMPLES SHAPE

SAMPLES holds float32 inputs of SHAPE (comma-separated, the batch first); a JSON list of predictions is printed. `written` is
onnxruntime without optimizations: what the document says.
"""
import json
import sys

import numpy as np

BATCH = 50


def onnxruntime(path, optimize):
    import onnxruntime as ort

    options = ort.SessionOptions()
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def openvino(path):
    import openvino as ov

    core = ov.Core()
    model = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda x: model(x)[0]


if __name__ == "__main__":
    runtime, path, samples, shape = sys.argv[1:]
    x = np.fromfile(samples, np.float32).reshape([int(d) for d in shape.split(",")])
    run = openvino(path) if runtime == "openvino" else onnxruntime(path, runtime == "onnxruntime")
    rows = np.concatenate([run(x[i : i + BATCH]) for i in range(0, len(x), BATCH)])
    json.dump(rows.argmax(1).tolist(), sys.stdout)
