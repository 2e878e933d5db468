"""Writes cases.json: operators with inputs and the outputs that onnxruntime gives for them.

Run: python make_cases.py   (needs numpy, onnx, onnxruntime)
Inputs are spaced 0.1 apart and never closer than 0.05 to a multiple of 0.1 that a kink may stand on, so that central
differences with steps of 0.02 are valid too. Inputs listed in "fixed" become constants.
"""
import json
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)
cases = []


def f(*shape):
    n = int(np.prod(shape))
    return ((rng.permutation(n) - n // 2) * 0.1 + 0.05).astype(np.float32).reshape(shape)


def i(*v):
    return np.array(v, dtype=np.int64)


def case(name, op, inputs, fixed=(), opset=17, **attrs):
    inputs = [None if v is None else np.asarray(v) for v in inputs]
    names = [f"i{k}" if v is not None else "" for k, v in enumerate(inputs)]
    node = helper.make_node(op, names, ["y"], **attrs)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in zip(names, inputs) if v is not None and v.dtype == np.float32],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, n) for n, v in zip(names, inputs) if v is not None and v.dtype != np.float32])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    feeds = {n: v for n, v in zip(names, inputs) if v is not None and v.dtype == np.float32}
    y, = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    doc = []
    for k, v in enumerate(inputs):
        if v is None:
            doc.append(None)
        elif v.dtype == np.float32:
            doc.append({"shape": list(v.shape), "data": [round(float(x), 6) for x in v.ravel()], "fixed": k in fixed})
        else:
            doc.append({"shape": list(v.shape), "ints": v.ravel().tolist()})
    y = np.asarray(y)
    cases.append({"name": name, "op": op, "attrs": attrs, "inputs": doc,
                  "shape": list(y.shape), "want": [float(np.float32(x)) for x in y.ravel()]})


case("conv 3x3", "Conv", [f(2, 3, 5, 4), f(4, 3, 3, 3) * .1, f(4)], pads=[1, 1, 1, 1])
case("conv strided", "Conv", [f(2, 2, 6, 5), f(3, 2, 3, 2) * .1], strides=[2, 1], pads=[1, 0, 0, 1])
case("conv dilated", "Conv", [f(1, 2, 7, 7), f(2, 2, 3, 3) * .1, f(2)], dilations=[2, 2])
case("conv grouped", "Conv", [f(2, 4, 4, 4), f(6, 2, 3, 3) * .1, f(6)], group=2, pads=[1, 1, 1, 1])
case("conv depthwise", "Conv", [f(2, 3, 5, 5), f(3, 1, 3, 3) * .1, f(3)], group=3, pads=[1, 1, 1, 1], strides=[2, 2])
case("conv 1x1", "Conv", [f(2, 3, 4, 4), f(5, 3, 1, 1), f(5)])
case("conv same upper", "Conv", [f(1, 2, 5, 6), f(2, 2, 3, 3) * .1], auto_pad="SAME_UPPER", strides=[2, 2])
case("conv same lower", "Conv", [f(1, 2, 5, 6), f(2, 2, 3, 3) * .1], auto_pad="SAME_LOWER", strides=[2, 2])
case("gemm", "Gemm", [f(3, 4), f(4, 5), f(5)])
case("gemm transposed", "Gemm", [f(4, 3), f(5, 4), f(3, 5)], transA=1, transB=1, alpha=0.5, beta=2.0)
case("gemm transA", "Gemm", [f(4, 3), f(4, 5), f(1)], transA=1)
case("gemm transB", "Gemm", [f(3, 4), f(5, 4), f(3, 1)], transB=1)
case("gemm without addend", "Gemm", [f(3, 4), f(4, 5)])
case("matmul", "MatMul", [f(3, 4), f(4, 5)])
case("matmul tall", "MatMul", [f(2, 3, 4), f(4, 5)])
case("matmul batched", "MatMul", [f(2, 1, 3, 2), f(3, 2, 4)])
case("add", "Add", [f(2, 3, 2, 2), f(2, 3, 2, 2)])
case("add channel", "Add", [f(2, 3, 2, 2), f(3, 1, 1)])
case("add scalar", "Add", [f(2, 3), f()])
case("add both", "Add", [f(2, 1, 3), f(4, 1)])
case("sub", "Sub", [f(3, 1), f(2, 1, 4)])
case("mul", "Mul", [f(2, 3, 2, 2), f(2, 3, 2, 2)])
case("mul gate", "Mul", [f(2, 3, 2, 2), f(2, 3, 1, 1)])
case("mul gate first", "Mul", [f(2, 3, 1, 1), f(2, 3, 2, 2)])
case("div", "Div", [f(2, 3), np.abs(f(2, 3)) + 1])
case("div row", "Div", [f(2, 3), np.abs(f(3)) + 1])
case("relu", "Relu", [f(3, 7)])
case("clip", "Clip", [f(4, 8), np.float32(0), np.float32(1)], fixed=(1, 2))
case("clip lower", "Clip", [f(4, 8), np.float32(-0.5)], fixed=(1,))
case("clip upper", "Clip", [f(4, 8), None, np.float32(.5)], fixed=(2,))
case("leakyrelu", "LeakyRelu", [f(3, 7)], alpha=0.1)
case("sigmoid", "Sigmoid", [f(3, 7)])
case("hardsigmoid", "HardSigmoid", [f(9, 9)])
case("hardswish", "HardSwish", [f(9, 9)])
case("maxpool", "MaxPool", [f(2, 2, 5, 5)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
case("maxpool ceil", "MaxPool", [f(1, 2, 6, 6)], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
case("maxpool dilated", "MaxPool", [f(1, 2, 6, 6)], kernel_shape=[2, 2], dilations=[2, 2])
case("averagepool", "AveragePool", [f(2, 2, 4, 4)], kernel_shape=[2, 2], strides=[2, 2])
case("averagepool padded", "AveragePool", [f(1, 2, 5, 5)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
case("averagepool count", "AveragePool", [f(1, 2, 5, 5)], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
case("globalaveragepool", "GlobalAveragePool", [f(2, 3, 3, 2)])
case("reducemean planes", "ReduceMean", [f(2, 3, 3, 2)], axes=[2, 3])
case("reducemean drop", "ReduceMean", [f(2, 3, 3, 2)], axes=[-1, -2], keepdims=0)
case("reducemean middle", "ReduceMean", [f(2, 3, 4)], axes=[1], keepdims=0)
case("reducemean outer", "ReduceMean", [f(2, 3, 4)], axes=[0, 2])
case("reducemean all", "ReduceMean", [f(2, 3, 4)], keepdims=0)
case("reducemean input", "ReduceMean", [f(2, 3, 4), i(1)], opset=18)
case("flatten", "Flatten", [f(2, 3, 2, 2)])
case("flatten axis", "Flatten", [f(2, 3, 2, 2)], axis=-1)
case("reshape", "Reshape", [f(2, 3, 4), i(0, -1)])
case("reshape split", "Reshape", [f(2, 6), i(2, 3, -1, 1)])
case("transpose", "Transpose", [f(2, 3, 4, 2)], perm=[0, 2, 3, 1])
case("transpose reversed", "Transpose", [f(2, 3, 4)])
case("concat channels", "Concat", [f(2, 1, 3), f(2, 3, 3), f(2, 2, 3)], axis=1)
case("concat last", "Concat", [f(2, 3), f(2, 1)], axis=-1)
case("slice", "Slice", [f(2, 5, 4), i(1, 0), i(4, 3), i(1, 2)])
case("slice steps", "Slice", [f(2, 3, 7, 6), i(0, 0), i(2**62, 2**62), i(2, 3), i(2, 2)])
case("slice backwards", "Slice", [f(3, 7), i(-1), i(-2**62), i(1), i(-2)])
case("slice negative", "Slice", [f(3, 7), i(-5), i(-1), i(-1)])
case("pad", "Pad", [f(2, 3, 2, 2), i(0, 1, 1, 0, 0, 2, 0, 1)])
case("pad value", "Pad", [f(2, 3), i(1, 0, 0, 2), np.float32(1.5)], fixed=(2,))
case("pad crop", "Pad", [f(4, 5), i(-1, 1, 0, -2)])
case("pad axes", "Pad", [f(2, 3, 4), i(1, 2), None, i(1)], opset=18)
case("softmax", "Softmax", [f(3, 5)])
case("softmax channels", "Softmax", [f(2, 3, 4)], axis=1)
case("identity", "Identity", [f(2, 3)])
case("squeeze", "Squeeze", [f(2, 3, 1, 1), i(2, 3)])
case("unsqueeze", "Unsqueeze", [f(2, 3), i(0, -1)])
case("batchnormalization", "BatchNormalization", [f(2, 3, 2, 2), np.abs(f(3)) + 1, f(3), f(3), np.abs(f(3)) + 1], fixed=(1, 2, 3, 4), epsilon=1e-3)
case("tanh", "Tanh", [f(3, 7) * .3])
case("exp", "Exp", [f(3, 7) * .3])
case("sqrt", "Sqrt", [np.abs(f(3, 7)) + 1])
case("log", "Log", [np.abs(f(3, 7)) + 1])
case("erf", "Erf", [f(3, 7) * .3])
case("abs", "Abs", [f(3, 7)])
case("neg", "Neg", [f(3, 7)])
case("reciprocal", "Reciprocal", [np.abs(f(3, 7)) + 1])
case("softplus", "Softplus", [f(3, 7)])
case("elu", "Elu", [f(3, 7)], alpha=0.7)
case("mish", "Mish", [f(3, 7)], opset=18)
case("gelu", "Gelu", [f(3, 7) * .5], opset=20)
case("gelu tanh", "Gelu", [f(3, 7) * .5], opset=20, approximate="tanh")
case("pow", "Pow", [np.abs(f(2, 3)) + 1, f(2, 3) * .3])
case("pow square", "Pow", [f(2, 3), np.float32(2)], fixed=(1,))
case("prelu", "PRelu", [f(2, 3, 2, 2), f(3, 1, 1)])
case("prelu one", "PRelu", [f(2, 3), f(1)])
case("max", "Max", [f(2, 3, 4), f(4)])
case("min", "Min", [f(2, 3), f(2, 1) + .05])
case("sum", "Sum", [f(2, 3), f(3), f(2, 1)])
case("mean", "Mean", [f(2, 3), f(2, 3), f(1)])
case("reducesum", "ReduceSum", [f(2, 3, 4), i(1)], keepdims=0)
case("reducesum all", "ReduceSum", [f(2, 3, 4)])
case("gather", "Gather", [f(4, 3, 2), i(2, 0, 2)], axis=0)
case("gather axis", "Gather", [f(2, 3, 2), i(-1)], axis=1)
case("layernormalization", "LayerNormalization", [f(2, 3, 5), f(5), f(5)])
case("layernormalization rows", "LayerNormalization", [f(2, 3, 4), f(3, 4)], axis=1, epsilon=1e-2)
case("resize nearest", "Resize", [f(1, 2, 3, 3), None, np.float32([1, 1, 2, 2])], fixed=(2,), mode="nearest",
     coordinate_transformation_mode="asymmetric", nearest_mode="floor")
case("resize linear", "Resize", [f(1, 2, 3, 4), None, np.float32([1, 1, 2, 1.5])], fixed=(2,), mode="linear")
case("resize corners", "Resize", [f(1, 2, 3, 4), None, None, i(1, 2, 5, 3)], mode="linear",
     coordinate_transformation_mode="align_corners")
case("resize down", "Resize", [f(1, 2, 6, 5), None, None, i(1, 2, 3, 2)], mode="linear",
     coordinate_transformation_mode="pytorch_half_pixel")
case("logsoftmax", "LogSoftmax", [f(3, 5)])
case("logsoftmax channels", "LogSoftmax", [f(2, 3, 4)], axis=1)

with open("cases.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
