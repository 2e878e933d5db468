"""The models of the ONNX project's backend tests, and its checker's verdict.

python backend.py collect DIR   writes every model to DIR, and prints how many there are
python backend.py check DIR     prints a JSON object: each file of DIR with the checker's error, "" for none
python backend.py attributes .  prints a JSON object: the types of the attributes of ONNX's operators, by name
"""
import json
import pathlib
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")
import onnx  # noqa: E402
import onnx.backend.test  # noqa: E402


def collect(folder):
    from onnx.backend.test.case.node import collect_testcases

    count = 0
    for case in collect_testcases(None):
        onnx.save(case.model, folder / f"node-{case.name}.onnx")
        count += 1
    data = pathlib.Path(onnx.backend.test.__file__).parent / "data"
    for path in sorted(data.rglob("*.onnx")):
        name = "-".join(path.relative_to(data).with_suffix("").parts).removesuffix("-model")
        shutil.copy(path, folder / f"{name}.onnx")
        count += 1
    print(count)


def check(folder):
    verdicts = {}
    for path in sorted(folder.glob("*.onnx")):
        try:
            onnx.checker.check_model(onnx.load(path, load_external_data=False))
            verdicts[path.name] = ""
        except Exception as error:  # the checker raises several kinds, and the reader others
            verdicts[path.name] = (str(error) or type(error).__name__).splitlines()[0]
    json.dump(verdicts, sys.stdout)


def attributes(_):
    types = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        for name, attribute in schema.attributes.items() if schema.domain == "" else ():
            types.setdefault(name, set()).add(attribute.type.name)
    json.dump({name: sorted(found) for name, found in types.items()}, sys.stdout)


{"collect": collect, "check": check, "attributes": attributes}[sys.argv[1]](pathlib.Path(sys.argv[2]))
