# SPDX-License-Identifier: Apache-2.0
"""The built-in networks, computed in C++, with the habits of a torch.nn.Module; tensors are shared
with torch, so that its optimisers train them and its autograd goes through them."""

import collections
import pathlib

import torch

from namid import _C
from namid._options import Table, describe


class Model:
    """Images in [0,1] to logits. Made by `create` and `load`; normalisation is inside."""

    def __init__(self, native):
        self._native = native

    def __call__(self, x, layer="logits"):
        """Logits (N, classes), or the tensor at `layer`: "internal", "internal_last" where the
        network has them."""
        return self._native.forward(x, layer)

    forward = __call__

    def __repr__(self):
        shape = ", ".join(map(str, self.input_shape))
        return f"<namid {self.name}: ({shape}) to {self.num_classes} classes>"

    name = property(lambda self: self._native.name)
    num_classes = property(lambda self: self._native.num_classes)
    input_shape = property(lambda self: tuple(self._native.input_shape))
    mean = property(lambda self: tuple(self._native.mean))
    std = property(lambda self: tuple(self._native.std))
    training = property(lambda self: self._native.training)
    device = property(lambda self: self._native.device)

    def has_layer(self, layer):
        return self._native.has_layer(layer)

    def named_parameters(self):
        """(name, tensor) in registration order; the tensors are the network's own leaves."""
        return iter(self._native.named_parameters())

    def named_buffers(self):
        return iter(self._native.named_buffers())

    def parameters(self):
        return iter(self._native.parameters())

    def buffers(self):
        return iter([tensor for _, tensor in self._native.named_buffers()])

    def state_dict(self):
        """PyTorch's names in PyTorch's order; storage is shared."""
        return collections.OrderedDict(self._native.state())

    def load_state_dict(self, state):
        """Copies values in place. RuntimeError names what is missing, unknown or of another shape;
        then nothing was copied."""
        self._native.load_state([(name, tensor.detach()) for name, tensor in state.items()])

    def train(self, mode=True):
        self._native.set_training(mode)
        return self

    def eval(self):
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self):
        for parameter in self.parameters():
            parameter.grad = None

    def to(self, device):
        self._native.move(torch.device(device))
        return self

    def channels_last(self, on=True):
        """Convolutions in channels-last order; results change only by rounding."""
        self._native.use_channels_last(on)
        return self

    def clone(self):
        """A network of its own with equal weights, modes and flags."""
        return Model(self._native.copy())

    def save(self, path):
        """One safetensors file from which `load` rebuilds everything."""
        self._native.save(str(path))

    def load_weights(self, path):
        """Weights of a safetensors file with PyTorch's names, written by anyone."""
        self._native.load_weights(str(path))

    def weights_sha256(self):
        return self._native.weights_sha256()


def table():
    """What `create` knows: dicts of name, description, paper."""
    return _C.model_table()


def load(path):
    """The model of a run folder, of a file that `Model.save` or the program wrote, or of a
    torch.export program (.pt2); eval mode."""
    path = pathlib.Path(path)
    return Model(_C.load_model(str(path / "model.safetensors" if path.is_dir() else path)))


_table = Table(_C.model_options(), leave_out=("model",))


def create(name, num_classes=10, *, input_shape=(3, 32, 32), seed=0, **keywords):
    options = {"model": name, **_table.paths(keywords)}
    return Model(_C.create_model(options, list(input_shape), num_classes, seed))


describe(
    create,
    name="create",
    summary="A built-in network, in train mode on the CPU; `seed` alone decides its weights.",
    lines=["name: " + ", ".join(row["name"] for row in table())],
    positional=("name", ("num_classes", 10)),
    table=_table,
    more=[("input_shape", (3, 32, 32)), ("seed", 0)],
    returns=Model,
)

__all__ = ["Model", "create", "load", "table"]
