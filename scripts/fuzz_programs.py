# SPDX-License-Identifier: Apache-2.0
"""Programs with wrong arguments: the interpreter must answer with an error or a result, never die.

    fuzz_programs.py [--programs 3000] [--seed 0] [--package build/release/python]

Into the graph of a small network go one or two calls of operators on namid's list, with arguments of the right
kinds and of any shape and value; or arguments of its own nodes are exchanged. Each program is loaded, run on
three images and differentiated, in child processes. Exit code 1 if a child died, with the program's number:
--seed S --first N --programs N+1 makes it again.
"""

import argparse
import collections
import copy
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import zipfile

CHUNK, MEMORY = 250, 8 << 30
NUMBERS = [0, 1, -1, 2, 3, 4, 5, 8, -2, 32] * 4 + [2**31, 2**40, 2**62, -(2**63), 10**6, -100]
TEXTS = ["none", "tanh", "same", "reflect", "mean", "bilinear", "ij", "bchw->bc", "constant"]


def value(kind, draw, names):
    """An argument for a schema's type, as the export format writes it; None leaves it out."""
    kind = kind.removeprefix("Optional[").removesuffix("]") if kind.startswith("Optional[") else kind
    tensor, number = {"name": draw.choice(names)}, draw.choice(NUMBERS)
    single = {"Tensor": {"as_tensor": tensor}, "int": {"as_int": number}, "SymInt": {"as_int": number},
              "float": {"as_float": draw.choice([0.0, 0.5, 1.0, -1.0, 1e30])}, "bool": {"as_bool": draw.random() < 0.5},
              "number": {"as_int": number}, "str": {"as_string": draw.choice(TEXTS)}}
    if not kind.startswith("List["):
        return single.get(kind)
    count = draw.choice([0, 1, 2, 2, 3, 4])
    lists = {"Tensor": ("as_tensors", lambda: {"name": draw.choice(names)}), "int": ("as_ints", lambda: draw.choice(NUMBERS)),
             "SymInt": ("as_ints", lambda: draw.choice(NUMBERS)), "float": ("as_floats", lambda: draw.choice([0.5, 2.0, -1.0])),
             "bool": ("as_bools", lambda: draw.random() < 0.5)}
    found = lists.get(kind[5:-1])
    return {found[0]: [found[1]() for _ in range(count)]} if found else None


def call(overload, number, draw, names):
    schema = overload._schema
    node = {"target": f"torch.ops.{overload}", "name": f"new{number}", "inputs": [], "outputs": []}
    for argument in schema.arguments:
        given = value(str(argument.real_type), draw, names)
        if argument.name in ("training", "train"):
            given = {"as_bool": False}
        if given is not None and not (argument.has_default_value() and draw.random() < 0.5):
            node["inputs"].append({"name": argument.name, "arg": given})
    for i, result in enumerate(schema.returns):
        name = f"new{number}_{i}"
        many = {"as_tensors": [{"name": f"{name}_{j}"} for j in range(draw.choice([1, 2, 3]))]}
        kinds = {"Tensor": {"as_tensor": {"name": name}}, "List[Tensor]": many}
        node["outputs"].append(kinds.get(str(result.type), {"as_sym_int": {"as_name": name}}))
    return node


def results(nodes):
    return [o["as_tensor"]["name"] for node in nodes for o in node["outputs"] if "as_tensor" in o]


def spoil(document, overloads, draw):
    graph = document["graph_module"]["graph"]
    nodes, inputs = graph["nodes"], [entry["as_tensor"]["name"] for entry in graph["inputs"]]
    if draw.random() < 0.3:
        for _ in range(draw.choice([1, 2])):
            arguments = draw.choice(nodes)["inputs"]
            if arguments:
                kind = draw.choice(["Tensor", "int", "float", "bool", "str", "List[Tensor]", "List[int]"])
                draw.choice(arguments)["arg"] = value(kind, draw, inputs + results(nodes))
        return
    place = draw.randrange(1, len(nodes))
    for number in range(draw.choice([1, 1, 2])):
        names = inputs + results(nodes[:place])
        nodes.insert(place, call(draw.choice(overloads), number, draw, names + names[-1:] * 6))
        place += 1


def network():
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                          nn.LayerNorm(32), nn.Linear(32, 10)).eval()
    batch = ({0: torch.export.Dim("batch")},)
    return torch.export.export(model, (torch.rand(2, 3, 16, 16),), dynamic_shapes=batch).run_decompositions()


def child(file, first, last, seed):
    import torch

    from namid import _C

    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    graph = next(name for name in members if name.endswith("models/model.json"))
    packets = [getattr(torch.ops.aten, name + end, None) for name in _C.program_operators() for end in ("", "_")]
    overloads = [getattr(packet, name) for packet in packets if packet for name in packet.overloads()]
    spoilt, counts = f"{file}.spoilt.pt2", collections.Counter()
    for number in range(first, last):
        print(number, file=sys.stderr, flush=True)
        document = copy.deepcopy(json.loads(members[graph]))
        spoil(document, overloads, random.Random(f"{seed} {number}"))
        with zipfile.ZipFile(spoilt, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, json.dumps(document) if name == graph else content)
        try:
            program = _C.Program(spoilt)
        except (RuntimeError, MemoryError, OSError):
            counts["refused"] += 1
            continue
        try:
            program(torch.rand(3, 3, 16, 16, requires_grad=True)).sum().backward()
            counts["ran"] += 1
        except Exception:
            counts["failed"] += 1
    print(json.dumps(counts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--package", default="build/release/python")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.child[0], int(options.child[1]), int(options.child[2]), options.seed)
    import torch

    died, counts = 0, collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        file = str(pathlib.Path(folder) / "network.pt2")
        torch.export.save(network(), file)
        for first in range(options.first, options.programs, CHUNK):
            last = min(first + CHUNK, options.programs)
            words = [sys.executable, __file__, "--seed", str(options.seed), "--child", file, str(first), str(last)]
            done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": options.package})
            if done.returncode:
                numbers = [line for line in done.stderr.splitlines() if line.isdigit()]
                print(f"died with {done.returncode} at program {numbers[-1] if numbers else '?'}\n{done.stderr[-500:]}")
                died += 1
            else:
                counts.update(json.loads(done.stdout))
    print(f"{sum(counts.values())} programs: {counts['refused']} refused, {counts['ran']} ran, {counts['failed']} failed when "
          f"run with gradients; {died} processes died")
    return 1 if died else 0


if __name__ == "__main__":
    sys.exit(main())
