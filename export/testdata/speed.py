"""Speed of exported files beside onnxruntime's own static quantization: speed.py MODEL.onnx FILE.ort.onnx ...

MODEL is the float model. It is quantized by onnxruntime (QDQ, per channel, uint8 activations, int8 weights), and all
files run the same samples in turn, on one thread; a row is the median of all rounds but the first two.
"""
import argparse
import json
import logging
import os
import tempfile
import time

import numpy as np
import onnxruntime as ort

from static import static


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    o = parser.parse_args()
    logging.disable(logging.CRITICAL)
    ort.set_default_logger_severity(4)
    shape = [o.batch] + [int(d) for d in session(o.model).get_inputs()[0].shape[1:]]
    with tempfile.TemporaryDirectory() as folder:
        quantized = os.path.join(folder, "static.onnx")
        noise = np.random.default_rng(0).normal(size=[4 * o.batch] + shape[1:]).astype(np.float32)  # speed does not depend on ranges
        static(o.model, quantized, noise, o.batch)
        paths = {"float": o.model, "onnxruntime static": quantized}
        paths.update((os.path.basename(f), f) for f in o.files)
        sessions = {name: session(path) for name, path in paths.items()}
    x = np.random.default_rng(9).normal(size=shape).astype(np.float32)
    times = {name: [] for name in sessions}
    for _ in range(o.rounds):
        for name, s in sessions.items():
            start = time.perf_counter()
            s.run(None, {s.get_inputs()[0].name: x})
            times[name].append(time.perf_counter() - start)
    median = {name: float(np.median(t[2:])) for name, t in times.items()}
    if o.json:
        print(json.dumps(median))
        return
    print(f"{'file':<44} {'ms':>8} {'of float':>9} {'of static':>10}")
    for name, t in median.items():
        print(f"{name:<44} {1e3 * t:8.2f} {median['float'] / t:8.2f}x {median['onnxruntime static'] / t:9.2f}x")


if __name__ == "__main__":
    main()
