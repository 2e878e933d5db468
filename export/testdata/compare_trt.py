"""Builds a file of profile trt with TensorRT and compares it with onnxruntime: compare_trt.py MODEL.onnx [--samples N.npy].

Needs an NVIDIA GPU and the packages tensorrt, onnxruntime and numpy. Samples are an array N x C x H x W as the model
takes them; without any, smooth random ones. Prints how many layers run in int8, the difference of the outputs and the
predictions that differ. Exit codes: 0 all predictions agree, 2 TensorRT or a GPU is missing, 3 the file does not build,
4 predictions differ.
"""
import argparse
import ctypes
import ctypes.util
import glob
import json
import os
import sys

import numpy as np


def missing(what):
    print(f"cannot compare: {what}", file=sys.stderr)
    sys.exit(2)


class Device:
    """The few calls of the CUDA runtime that running an engine takes."""

    def __init__(self):
        name = ctypes.util.find_library("cudart")
        beside = sorted(glob.glob(os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "nvidia", "*", "lib", "libcudart.so*")))
        if not name and not beside:
            missing("the CUDA runtime (libcudart) is not installed: pip install nvidia-cuda-runtime-cu12")
        self.lib = ctypes.CDLL(name or beside[-1])
        count = ctypes.c_int()
        if self.lib.cudaGetDeviceCount(ctypes.byref(count)) != 0 or count.value < 1:
            missing("there is no NVIDIA GPU, or its driver is too old")

    def check(self, code):
        if code != 0:
            raise RuntimeError(f"CUDA error {code}")

    def upload(self, x):
        p = self.empty(x.nbytes)
        self.check(self.lib.cudaMemcpy(p, ctypes.c_void_p(x.ctypes.data), ctypes.c_size_t(x.nbytes), 1))
        return p

    def empty(self, size):
        p = ctypes.c_void_p()
        self.check(self.lib.cudaMalloc(ctypes.byref(p), ctypes.c_size_t(size)))
        return p

    def download(self, p, x):
        self.check(self.lib.cudaDeviceSynchronize())
        self.check(self.lib.cudaMemcpy(ctypes.c_void_p(x.ctypes.data), p, ctypes.c_size_t(x.nbytes), 2))


def build(trt, path, name, shape):
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)  # the only kind from version 11 on
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(path):
        for i in range(parser.num_errors):
            print(parser.get_error(i), file=sys.stderr)
        sys.exit(3)
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    profile = builder.create_optimization_profile()
    profile.set_shape(name, shape, shape, shape)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        sys.exit(3)
    return trt.Runtime(logger).deserialize_cuda_engine(plan)


def run(trt, engine, device, name, x):
    context = engine.create_execution_context()
    context.set_input_shape(name, x.shape)
    context.set_tensor_address(name, device.upload(x).value)
    outputs = {}
    for i in range(engine.num_io_tensors):
        tensor = engine.get_tensor_name(i)
        if engine.get_tensor_mode(tensor) == trt.TensorIOMode.OUTPUT:
            y = np.empty(tuple(context.get_tensor_shape(tensor)), trt.nptype(engine.get_tensor_dtype(tensor)))
            outputs[tensor] = (y, device.empty(y.nbytes))
            context.set_tensor_address(tensor, outputs[tensor][1].value)
    if not context.execute_async_v3(0):
        raise RuntimeError("TensorRT could not run the engine")
    for y, p in outputs.values():
        device.download(p, y)
    return next(iter(outputs.values()))[0]


def smooth(shape):
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape).astype(np.float32)
    for axis in (2, 3):
        for _ in range(4):
            x = (x + np.roll(x, 1, axis)) / 2 if len(shape) == 4 else x
    return x / x.std()


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("model")
    args.add_argument("--samples")
    args = args.parse_args()
    try:
        import tensorrt as trt
    except ImportError:
        missing("the Python package tensorrt is not installed (pip install tensorrt); it needs an NVIDIA GPU")
    import onnxruntime

    device = Device()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    reference = onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])
    entry = reference.get_inputs()[0]
    shape = [d if isinstance(d, int) and (i or d > 0) else 64 for i, d in enumerate(entry.shape)]
    x = np.load(args.samples).astype(np.float32) if args.samples else smooth(shape)
    engine = build(trt, args.model, entry.name, x.shape)
    layers = json.loads(engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON))["Layers"]
    text = [json.dumps(layer) for layer in layers]
    print(f"TensorRT {trt.__version__}: {len(text)} layers, {sum('Int8' in t or 'INT8' in t for t in text)} of them in int8")
    want = reference.run(None, {entry.name: x})[0]
    got = run(trt, engine, device, entry.name, np.ascontiguousarray(x))
    flips = int((got.reshape(len(x), -1).argmax(1) != want.reshape(len(x), -1).argmax(1)).sum())
    print(f"outputs differ by {np.abs(got - want).max():.3g} of {np.ptp(want):.3g}; {flips} of {len(x)} predictions differ")
    sys.exit(4 if flips else 0)


if __name__ == "__main__":
    main()
