"""Writes function.onnx, a model whose activation is a function for another operator set; needs the onnx package."""
import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

first = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w1")
second = numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "w2")
act = helper.make_function("my.pkg", "Act", ["p"], ["q"], [helper.make_node("Relu", ["p"], ["q"])], [helper.make_opsetid("", 11)])
nodes = [
    helper.make_node("Conv", ["x", "w1"], ["a"], "first"),
    helper.make_node("Act", ["a"], ["b"], "act1", domain="my.pkg"),
    helper.make_node("Act", ["b"], ["c"], "act2", domain="my.pkg"),
    helper.make_node("Conv", ["c", "w2"], ["d"], "second"),
    helper.make_node("GlobalAveragePool", ["d"], ["e"], "pool"),
    helper.make_node("Flatten", ["e"], ["y"], "flat"),
]
graph = helper.make_graph(
    nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2])], [first, second])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("my.pkg", 1)], functions=[act], ir_version=8)
save(model, "function.onnx")
