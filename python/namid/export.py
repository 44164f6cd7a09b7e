# SPDX-License-Identifier: Apache-2.0
"""Makes a `.pt2` program of a PyTorch model, for the command line and for C++, and checks it.

    python -m namid.export module:Net --weights w.pth --input 3,32,32 -o net.pt2
    python -m namid.export net.onnx -o net.pt2

The program takes any batch size. Before the file is written, logits and input gradients of namid's C++
interpreter are compared with those of the model in PyTorch, on batches of 1, 3 and 8; a difference above
1e-5 of the largest value is an error and nothing is written. What was compared is kept in the file
(`extra/namid.json`).
"""

import argparse
import importlib
import importlib.util
import json
import os
import pathlib
import pickle
import sys
import tempfile

import torch

from namid import _C
from namid._scope import frozen_eval

BATCHES = (1, 3, 8)
TOLERANCE = 1e-5


class UnfitFile(RuntimeError):
    """A file that cannot be read, or weights that are not those of the model."""


class Normalised(torch.nn.Module):
    """`model` behind (x - mean) / std per channel, so that it takes images in [0,1]."""

    def __init__(self, model, mean, std):
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(-1, 1, 1))

    def forward(self, x):
        return self.model((x - self.mean) / self.std)


def load(path):
    """A `.pt2` file as a callable from images in [0,1] to logits, run by namid's C++ interpreter; it can
    be attacked like any model: `namid.attacks.pgd(namid.export.load("net.pt2"), x, y)`."""
    return _C.Program(os.fspath(path))


def operators():
    """Names of the ATen operators that a program may call, without overloads (`aten.relu.default` is "relu")."""
    return _C.program_operators()


def _logits_and_gradient(model, x, direction):
    x = x.clone().requires_grad_()
    logits = model(x)
    if not isinstance(logits, torch.Tensor) or logits.dim() != 2 or len(logits) != len(x):
        raise ValueError("expected a model that returns logits (N, classes) for a batch of N images")
    (gradient,) = torch.autograd.grad((logits * direction[: len(x)]).sum(), x, allow_unused=True)
    return logits.detach(), torch.zeros_like(x) if gradient is None else gradient


def _difference(ours, theirs):
    scale = max(theirs.abs().max().item(), torch.finfo(torch.float32).tiny)
    return (ours - theirs).abs().max().item() / scale


def compare(program, model, input_shape, classes, seed=0):
    """Largest differences of logits and input gradients (of a random combination of the logits), each
    as a share of the largest value in PyTorch, per batch size."""
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(max(BATCHES), classes, generator=generator)
    rows = []
    with frozen_eval(model):
        for batch in BATCHES:
            x = torch.rand(batch, *input_shape, generator=generator)
            ours, theirs = (_logits_and_gradient(m, x, direction) for m in (program, model))
            rows.append({"batch": batch, "logits": _difference(ours[0], theirs[0]),
                         "gradient": _difference(ours[1], theirs[1])})
    return rows


def _refuse_differences(rows, what="the interpreter", theirs="the model's"):
    for row in rows:
        for kind in ("logits", "gradient"):
            if kind in row and not row[kind] <= TOLERANCE:
                raise RuntimeError(
                    f"{kind} of {what} differ from {theirs} by {row[kind]:.2g} of the largest value at "
                    f"batch {row['batch']} (allowed: {TOLERANCE:g}): the model depends on more than its input "
                    "(batch size, chance, state it keeps), or this is a defect of namid")


def _program_of(model, input_shape):
    example = torch.rand(2, *input_shape, generator=torch.Generator().manual_seed(0))
    batch = torch.export.Dim("batch")
    try:
        program = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
    except Exception as error:
        lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
        raise RuntimeError(
            f"torch.export cannot export the model with an open batch size: {' '.join(lines[:3])} (in forward, "
            "write x.shape[0] instead of len(x) or a fixed number; the whole story: torch.export.export(model, "
            "(x,), dynamic_shapes=({0: torch.export.Dim('batch')},)))") from error
    program.example_inputs = None  # they would be kept as a pickle
    return program


def export(model, path, input_shape, *, mean=None, std=None, note=None):
    """Writes `model` (an nn.Module that takes float batches (N, *input_shape)) to `path`, a `.pt2` file,
    and returns what was compared: a list of {"batch", "logits", "gradient"}. With `mean` and `std`, per
    channel, the program takes images in [0,1] and normalises them itself. ValueError for a model that
    returns no logits; RuntimeError where export or comparison fail, and then no file is written."""
    if not str(path).endswith(".pt2"):
        raise ValueError(f"{path}: expected a file name that ends in .pt2")
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    if (mean is None) != (std is None):
        raise ValueError("mean, std: expected both or none")
    if mean is not None:
        model = Normalised(model, mean, std)
    input_shape = tuple(int(size) for size in input_shape)
    with frozen_eval(model):
        with torch.no_grad():
            logits = model(torch.zeros(2, *input_shape))
        if not isinstance(logits, torch.Tensor) or logits.dim() != 2:
            raise ValueError("model: expected logits (N, classes) for a batch of images")
        classes = logits.shape[1]
        program = _program_of(model, input_shape)
        path = pathlib.Path(path)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            file = pathlib.Path(folder) / path.name
            torch.export.save(program, str(file))
            rows = compare(load(file), model, input_shape, classes)
            _refuse_differences(rows)
            facts = {"classes": classes, "input": list(input_shape), "torch": torch.__version__,
                     "namid": _C.version(), "tolerance": TOLERANCE, "compared": rows, **(note or {})}
            torch.export.save(program, str(file), extra_files={"namid.json": json.dumps(facts)})
            _refuse_differences(compare(load(file), model, input_shape, classes))
            os.replace(file, path)
    return rows


def find_model(word, keywords=None):
    """The model that `module:Name` or `file.py:Name` stands for: an nn.Module, or a class or function that
    makes one when it is called with `keywords`."""
    where, _, name = word.rpartition(":")
    if not where or not name:
        raise ValueError(f"{word}: expected module:Net, file.py:Net or a file that ends in .onnx")
    if where.endswith(".py"):
        spec = importlib.util.spec_from_file_location(pathlib.Path(where).stem, where)
        if not pathlib.Path(where).is_file():
            raise ValueError(f"{where}: no such file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, os.getcwd())
        module = importlib.import_module(where)
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{word}: {where} has no {part}")
        found = getattr(found, part)
    model = found if isinstance(found, torch.nn.Module) else found(**(keywords or {}))
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"{word}: expected a torch.nn.Module, got {type(model).__name__}")
    return model


def read_weights(path, key=None):
    """The state dict in a safetensors file or a PyTorch checkpoint, read without running a pickle. One
    that is inside of a checkpoint is found by `key`, or under "state_dict" or "model"; the prefix
    "module." of DataParallel is taken away."""
    try:
        if str(path).endswith(".safetensors"):
            state = _C.read_safetensors(os.fspath(path))
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UnfitFile(f"{path}: {error}") from error
    if not isinstance(state, dict):
        raise UnfitFile(f"{path}: expected a state dict, got {type(state).__name__}")
    for word in [key] if key else ["state_dict", "model"]:
        if word in state and not isinstance(state[word], torch.Tensor):
            state = state[word]
        elif key:
            raise UnfitFile(f"{path}: holds no '{key}', only {', '.join(map(str, list(state)[:8]))}")
    if state and all(name.startswith("module.") for name in state):
        state = {name[len("module."):]: tensor for name, tensor in state.items()}
    return state


def _load_weights(model, path, key):
    try:
        model.load_state_dict(read_weights(path, key))
    except RuntimeError as error:
        raise UnfitFile(f"{path}: {error}") from error


def _numbers(text):
    return [float(word) for word in text.split(",")]


def _arguments(words):
    parser = argparse.ArgumentParser(
        prog="python -m namid.export", description=__doc__.split("\n\n")[0] + " " + __doc__.split("\n\n")[2],
    )
    parser.add_argument("model", help="module:Net or file.py:Net (a class, a function or a model), or net.onnx")
    parser.add_argument("--weights", help="state dict: a safetensors file or a PyTorch checkpoint")
    parser.add_argument("--key", help="where in the checkpoint the state dict is")
    parser.add_argument("--kwargs", type=json.loads, default={}, metavar="JSON",
                        help='arguments of the class or function, e.g. \'{"depth": 28}\'')
    parser.add_argument("--input", metavar="C,H,W", help="shape of one image")
    parser.add_argument("--mean", type=_numbers, help="per channel, subtracted from images in [0,1]")
    parser.add_argument("--std", type=_numbers, help="per channel, divides afterwards")
    parser.add_argument("-o", "--out", required=True, help="file to write, *.pt2")
    return parser.parse_args(words)


def _run(options):
    note, shape = {"model": options.model}, None
    if options.model.endswith(".onnx"):
        from namid import _onnx

        if options.weights or options.kwargs:
            raise ValueError("--weights, --kwargs: an ONNX file brings its own weights")
        model, shape, note["onnx"] = _onnx.convert(options.model, BATCHES)
        _refuse_differences(note["onnx"], "the converted model", "ONNX Runtime's")
    else:
        model = find_model(options.model, options.kwargs)
        if options.weights:
            _load_weights(model, options.weights, options.key)
    if options.input:
        shape = [int(word) for word in options.input.split(",")]
    if not shape:
        raise ValueError("--input: expected the shape of one image, such as 3,32,32")
    rows = export(model, options.out, shape, mean=options.mean, std=options.std, note=note)
    worst = {kind: max(row[kind] for row in rows) for kind in ("logits", "gradient")}
    print(f"{options.out}: batches of {', '.join(map(str, BATCHES))} compared with PyTorch; largest difference "
          f"of logits {worst['logits']:.2g}, of input gradients {worst['gradient']:.2g}")


def main(words=None):
    options = _arguments(words)
    try:
        _run(options)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, (ValueError, ImportError)):
            return 2
        return 3 if isinstance(error, (OSError, UnfitFile)) else 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
