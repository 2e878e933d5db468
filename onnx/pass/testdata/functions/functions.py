"""A network whose operators stand in functions of the model, as onnxscript leaves them: functions that call functions,
attributes from the call or by default, inputs and outputs left out. Run with onnx 1.23; the file is committed, tests need
no Python."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = numpy.random.default_rng(0)
SETS = [helper.make_opsetid("", 18), helper.make_opsetid("pkg.local", 1)]


def node(op, inputs, outputs, refs=None, domain="", **attrs):
    n = helper.make_node(op, inputs, outputs, domain=domain, **attrs)
    for name, (ref, kind) in (refs or {}).items():
        n.attribute.append(onnx.AttributeProto(name=name, ref_attr_name=ref, type=kind))
    return n


def function(name, inputs, outputs, nodes, attributes=(), defaults=()):
    return helper.make_function("pkg.local", name, list(inputs), list(outputs), nodes, SETS, list(attributes), list(defaults))


FLOAT, INTS = onnx.AttributeProto.FLOAT, onnx.AttributeProto.INTS
act = function("Act", "x", "y", [node("LeakyRelu", ["x"], ["y"], {"alpha": ("slope", FLOAT)})], defaults=[helper.make_attribute("slope", 0.1)])
block = function("Block", ["x", "w", "b"], ["y", "conv"], [
    node("Conv", ["x", "w", "b"], ["conv"], {"strides": ("strides", INTS), "dilations": ("dilations", INTS)}, pads=[1, 1, 1, 1]),
    node("Act", ["conv"], ["y"], {"slope": ("slope", FLOAT)}, "pkg.local"),
], ["strides", "slope", "dilations"])
residual = function("Residual", ["x", "w"], ["y"], [
    node("Block", ["x", "w"], ["t", ""], None, "pkg.local", strides=[1, 1], slope=0.2),
    node("Add", ["t", "x"], ["y"]),
])
weights = lambda name, *shape: numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(numpy.float32), name)
graph = helper.make_graph([
    node("Block", ["image", "w0", "b0"], ["a", ""], None, "pkg.local", strides=[2, 2]),
    node("Residual", ["a", "w1"], ["r"], None, "pkg.local"),
    node("Block", ["r", "w2", "b2"], ["y", ""], None, "pkg.local", strides=[1, 1]),
    node("Add", ["y", "a"], ["s"]),
    node("GlobalAveragePool", ["s"], ["g"]),
    node("Flatten", ["g"], ["f"]),
    node("Gemm", ["f", "w3", "b3"], ["scores"]),
], "functions", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 16, 16])],
    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 5])],
    [weights("w0", 8, 3, 3, 3), weights("b0", 8), weights("w1", 8, 8, 3, 3), weights("w2", 8, 8, 3, 3), weights("b2", 8), weights("w3", 8, 5), weights("b3", 5)])
model = helper.make_model(graph, functions=[act, block, residual], opset_imports=SETS, ir_version=8)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "functions-18.onnx")
