"""A small network as converters from TensorFlow write it: samples with channels last, a Transpose on either side of what
works on channels first, explicit padding, norms taken apart. Run with onnx and numpy."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
nodes, constants = [], []


def op(kind, *inputs, name, **attrs):
    names = []
    for i, x in enumerate(inputs):
        if not isinstance(x, str):
            constants.append(numpy_helper.from_array(np.asarray(x), f"{name}/{i}"))
            x = constants[-1].name
        names.append(x)
    nodes.append(helper.make_node(kind, names, [name], name=name, **attrs))
    return name


def normal(*shape):
    return (rng.standard_normal(shape) * 0.3).astype(np.float32)


first, last = [0, 3, 1, 2], [0, 2, 3, 1]
x = op("Transpose", "image", name="first0", perm=first)
x = op("Pad", x, np.array([0, 0, 0, 0, 0, 0, 1, 1]), name="pad", mode="constant")
x = op("Conv", x, normal(8, 3, 3, 3), normal(8), name="stem", strides=[2, 2])
x = op("Clip", x, np.float32(0), np.float32(6), name="relu6")
x = op("Conv", x, normal(8, 1, 3, 3), name="depthwise", group=8, pads=[1, 1, 1, 1])
x = op("Transpose", x, name="last1", perm=last)
x = op("Mul", x, np.abs(normal(8)) + np.float32(0.5), name="scale")
x = op("Add", x, normal(8), name="shift")
y = op("Relu", x, name="relu")
x = op("Transpose", y, name="first2", perm=first)
x = op("Conv", x, normal(8, 8, 1, 1), normal(8), name="point", auto_pad="SAME_UPPER")
x = op("Transpose", x, name="last2", perm=last)
x = op("Add", x, y, name="residual")
x = op("ReduceMean", x, name="mean", axes=[1, 2], keepdims=0)
x = op("MatMul", x, normal(8, 10), name="dense")
x = op("Add", x, normal(10), name="logits")
size = 16
graph = helper.make_graph(nodes, "channels_last", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["unk__1", size, size, 3])],
                          [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["unk__1", 10])], constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
model.ir_version = 8
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "channels-last-15.onnx")
