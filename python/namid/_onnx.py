# SPDX-License-Identifier: Apache-2.0
"""ONNX models as PyTorch modules, by way of the package onnx2torch, checked against ONNX Runtime.

(ONNX's reference evaluator will not do: before operator set 14 its BatchNormalization is not that of inference.)"""

import contextlib
import sys
import types

import torch

PINNED = "onnx2torch==1.5.15"
NEEDED = f"ONNX models need other packages: pip install onnx onnxruntime; pip install --no-deps {PINNED}"


@contextlib.contextmanager
def _torchvision_or_nothing():
    """onnx2torch imports torchvision for two operators of detectors, which no classifier needs; where it is
    not installed, or not for this torch, two empty modules stand for it during the import."""
    try:
        import torchvision  # noqa: F401

        yield
        return
    except (ImportError, RuntimeError):
        pass
    package, ops = types.ModuleType("torchvision"), types.ModuleType("torchvision.ops")
    package.ops, ops.roi_align = ops, None
    stand_ins = {"torchvision": package, "torchvision.ops": ops}
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torchvision"}
    for name in before:
        del sys.modules[name]
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)


def _packages():
    try:
        import onnx
        import onnxruntime

        with _torchvision_or_nothing():
            import onnx2torch
    except ImportError as error:
        raise ImportError(f"{NEEDED} ({error})") from error
    return onnx, onnxruntime, onnx2torch


def _shape_of_one_image(path, graph):
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ValueError(f"{path}: expected one input and one output, got {len(inputs)} and {len(graph.output)}")
    extents = inputs[0].type.tensor_type.shape.dim
    if extents and extents[0].dim_value:
        raise ValueError(f"{path}: made for batches of {extents[0].dim_value}; export it with an open batch size "
                         "(dynamic_axes or dynamic_shapes)")
    shape = [extent.dim_value for extent in extents[1:]]
    if not shape or not all(size > 0 for size in shape):
        raise ValueError(f"{path}: the shape of one image is not fixed")
    return inputs[0].name, shape


def convert(path, batches, seed=0):
    """(module, shape of one image, comparison) of an ONNX file: the module is onnx2torch's, in eval mode; the
    comparison has, per batch size, the largest difference of its logits from those of ONNX Runtime, as a
    share of the largest. ImportError without the packages; ValueError for a model that is
    not converted, with the operator's name."""
    onnx, onnxruntime, onnx2torch = _packages()
    try:
        proto = onnx.load(path)
        onnx.checker.check_model(proto)
    except OSError:
        raise
    except Exception as error:  # protobuf and checker have types of their own
        raise ValueError(f"{path}: not a valid ONNX model: {str(error).splitlines()[0]}") from error
    name, shape = _shape_of_one_image(path, proto.graph)
    try:
        model = onnx2torch.convert(proto).eval()
    except NotImplementedError as error:
        raise ValueError(f"{path}: {PINNED} cannot convert it: {error}; export a .pt2 from the framework that "
                         "made the model instead") from error
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for batch in batches:
        x = torch.rand(batch, *shape, generator=generator)
        expected = torch.from_numpy(session.run(None, {name: x.numpy()})[0])
        with torch.no_grad():
            logits = model(x)
        if logits.shape != expected.shape:
            raise ValueError(f"{path}: converted, it returns {tuple(logits.shape)} instead of {tuple(expected.shape)}")
        rows.append({"batch": batch, "logits": ((logits - expected).abs().max() / expected.abs().max()).item()})
    return model, shape, rows
