"""Writes the operator test cases of the ONNX project as models: python nodecases.py DIR OP...

A case becomes DIR/NAME.onnx: input 0 stays a graph input, further ones become initializers. The values of input 0 and
the expected outputs are initializers too, named "given/0" and "want/I", which no node reads. Cases of other element
types than float32, with sequences or with several nodes are left out; expanded functions are the engine's to compute.
"""
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

folder, wanted = sys.argv[1], set(sys.argv[2:])


def fits(case):
    graph = case.model.graph
    if len(graph.node) != 1 or graph.node[0].op_type not in wanted or graph.node[0].domain:
        return False
    if len(case.data_sets) != 1 or graph.initializer:
        return False
    inputs, outputs = case.data_sets[0]
    return bool(inputs) and all(isinstance(v, np.ndarray) for v in [*inputs, *outputs]) and inputs[0].dtype == np.float32


count = 0
for case in collect_testcases(None):
    if not fits(case):
        continue
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = case.data_sets[0]
    outputs = list(outputs)
    names = [v.name for v in model.graph.input]
    for name, value in list(zip(names, inputs))[1:]:
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    del model.graph.input[1:]
    if model.graph.node[0].op_type != "Split":  # masks, statistics, indices: networks in use do not read them
        del model.graph.output[1:], model.graph.node[0].output[1:], outputs[1:]
    model.graph.initializer.append(numpy_helper.from_array(inputs[0], "given/0"))
    for i, value in enumerate(outputs):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"want/{i}"))
    onnx.save(model, f"{folder}/{case.name}.onnx")
    count += 1
print(count)
