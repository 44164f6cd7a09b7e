# SPDX-License-Identifier: Apache-2.0
"""Networks compiled for attacks."""

import pathlib
import tempfile
import warnings

import torch

from namid import _C, models


def compile(model, input_shape=None):
    """`model` with compiled forwards and input gradients, for attacks on the CPU: BatchNorm folded,
    3x3 convolutions by Winograd, everything else fused (docs/engine.md). Results differ from the
    model's by rounding.

    model: a model of namid.models, of which this is a handle with its weights of any moment, its
    mode and its parameters, so that defences take it too; or a torch.nn.Module, which is exported
    by namid.export as it is now (input_shape, of one image, says for what): a frozen copy. A
    namid.models.Model; called by itself it is compiled where its parameters need no gradients
    (requires_grad_(False)).

    A model with layers that the engine does not know comes back as it is, with a warning that says
    which. ValueError and RuntimeError as of namid.export."""
    if isinstance(model, torch.nn.Module):
        if input_shape is None:
            raise ValueError("input_shape: a torch.nn.Module is compiled for images of one shape (C, H, W)")
        from namid import export  # not before it is needed: python -m namid.export is a program

        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "net.pt2"
            export.export(model, file, input_shape)
            model = models.load(file).requires_grad_(False)
    if not isinstance(model, models.Model):
        raise ValueError(
            f"model: expected a model of namid.models or a torch.nn.Module, got {type(model).__name__}"
        )
    native, kernels, refusal = _C.compile(model._native)
    if refusal:
        warnings.warn(f"namid.compile: the model runs as it is: {refusal}", stacklevel=2)
        return model
    return CompiledModel(native, kernels)


class CompiledModel(models.Model):
    """What `namid.compile` makes of a model. kernels: its convolutions, "winograd 16, im2col 4, direct 0"."""

    def __init__(self, native, kernels):
        super().__init__(native)
        self.kernels = kernels

    def __repr__(self):
        return f"{super().__repr__()[:-1]}, compiled: {self.kernels}>"
