"""Runs an exported file in its own runtime: client.py check|openvino|qonnx FOLDER.

FOLDER holds model.onnx and in.json, a list of {"name", "dtype", "shape"} whose data lie beside it in in.0, in.1, ...;
what was computed is written the same way to out.json and out.0, out.1, ...
"""
import json
import os
import sys

import numpy as np


def read(folder):
    with open(os.path.join(folder, "in.json")) as f:
        entries = json.load(f)
    return {
        e["name"]: np.fromfile(os.path.join(folder, f"in.{i}"), e["dtype"]).reshape(e["shape"])
        for i, e in enumerate(entries)
    }


def write(folder, outputs):
    entries = []
    for i, (name, value) in enumerate(outputs.items()):
        value = np.ascontiguousarray(value)
        value.tofile(os.path.join(folder, f"out.{i}"))
        entries.append({"name": name, "dtype": str(value.dtype), "shape": list(value.shape)})
    with open(os.path.join(folder, "out.json"), "w") as f:
        json.dump(entries, f)


def check(path, _):
    import onnx

    onnx.checker.check_model(path, full_check=True)
    return {}


def openvino(path, inputs):
    import openvino as ov

    core = ov.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled(inputs)
    outputs = {next(iter(port.get_names())): value for port, value in results.items()}
    # How many convolutions the runtime computes on integers.
    kinds = [
        op.get_rt_info()["runtimePrecision"].astype(str)
        for op in compiled.get_runtime_model().get_ops()
        if op.get_rt_info()["layerType"].astype(str) == "Convolution"
    ]
    outputs["#convolutions"] = np.array([len(kinds), sum(k in ("i8", "u8") for k in kinds)], np.float32)
    return outputs


def qonnx(path, inputs):
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    model = ModelWrapper(path)
    name, samples = next(iter(inputs.items()))
    keep = [n.output[0] for n in model.graph.node if n.op_type == "Quant"] + [o.name for o in model.graph.output]
    runs = [execute_onnx(model, {name: p[None]}, return_full_exec_context=True) for p in samples]
    weights = {i.name for i in model.graph.initializer}
    quants = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Quant"}
    return {k: np.concatenate([r[k] for r in runs]) for k in keep if quants.get(k) not in weights}


if __name__ == "__main__":
    action, folder = sys.argv[1:]
    run = {"check": check, "openvino": openvino, "qonnx": qonnx}[action]
    write(folder, run(os.path.join(folder, "model.onnx"), read(folder)))
