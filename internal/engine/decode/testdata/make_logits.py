"""Writes logits.json: what onnxruntime gives for the shared models on two samples of a simple pattern.

Run: python make_logits.py MODELS_FOLDER   (needs numpy, onnxruntime)
"""
import glob
import json
import os
import sys
import numpy as np
import onnxruntime as ort

out = {}
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx"))):
    s = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    shape = [2] + s.get_inputs()[0].shape[1:]
    n = int(np.prod(shape))
    x = (np.arange(n, dtype=np.int64) * 7919 % 1009).astype(np.float32) / np.float32(504) - np.float32(1)
    y, = s.run(None, {s.get_inputs()[0].name: x.reshape(shape)})
    out[os.path.basename(path)] = [[float(v) for v in row[:20]] for row in y]
with open("logits.json", "w") as f:
    json.dump(out, f, indent=0)
    f.write("\n")
