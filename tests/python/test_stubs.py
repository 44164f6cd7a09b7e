# SPDX-License-Identifier: Apache-2.0
import ast
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "python-stubs"


def test_stubs_name_every_generated_function_with_its_types(tmp_path):
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path)], check=True)
    trees = {path.stem: ast.parse(path.read_text()) for path in tmp_path.glob("*.pyi")}
    assert set(trees) == {"attacks", "data", "defenses", "mi", "models", "_estimators", "_runs"}
    functions = {
        (module, node.name): node
        for module, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    pgd = functions["attacks", "pgd"]
    types = {a.arg: ast.unparse(a.annotation) for a in pgd.args.kwonlyargs if a.annotation}
    assert types["steps"] == "int" and types["norm"] == "str" and types["step_size"] == "float | str"
    assert types["loss"] == "object"  # a name, or a callable
    assert ast.unparse(pgd.returns) == "AttackResult"
    assert ast.unparse(functions["_runs", "train"].returns) == "TrainRun"
    assert ast.unparse(functions["mi", "info_nce"].returns) == "torch.Tensor"
    assert ("defenses", "namid_t") in functions and ("models", "create") in functions
